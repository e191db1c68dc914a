//! Whole trees: copying, and moving across file systems.

use super::staged::{rename_new, temporary_name};
use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Copies a file, link or directory to a name that must be free. The copy appears whole or not at all.
pub(super) fn copy_new(from: &Path, to: &Path) -> io::Result<()> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(Errno::EEXIST.into());
    }
    let parent = to.parent().unwrap_or(Path::new("/"));
    if lies_within(parent, from)? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a directory cannot be copied into itself"));
    }
    let making = temporary_name(parent);
    let copied = copy_tree(from, &making).and_then(|()| rename_new(&making, to));
    if copied.is_err() {
        let _ = remove(&making);
    }
    copied
}

/// Moves without replacing, also to another file system: there by a copy, then the removal of the original.
pub(super) fn move_new(from: &Path, to: &Path) -> io::Result<()> {
    match rename_new(from, to) {
        Err(error) if error.raw_os_error() == Some(Errno::EXDEV as i32) => {
            copy_new(from, to)?;
            remove(from)
        }
        other => other,
    }
}

/// Removes a file, link or whole directory. Links are not followed, whatever happens meanwhile.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// Whether `path` is `folder` or lies below it, links resolved.
pub(super) fn lies_within(path: &Path, folder: &Path) -> io::Result<bool> {
    if !fs::symlink_metadata(folder)?.is_dir() {
        return Ok(false);
    }
    Ok(fs::canonicalize(path)?.starts_with(fs::canonicalize(folder)?))
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    // Directories get their permissions once they are full: they may forbid writing.
    let mut finished: Vec<(PathBuf, u32)> = Vec::new();
    let mut waiting = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = waiting.pop() {
        let metadata = fs::symlink_metadata(&from)?;
        let file_type = metadata.file_type();
        if file_type.is_dir() {
            fs::create_dir(&to)?;
            finished.push((to.clone(), metadata.mode()));
            for entry in fs::read_dir(&from)? {
                let name = entry?.file_name();
                waiting.push((from.join(&name), to.join(&name)));
            }
        } else if file_type.is_symlink() {
            symlink(fs::read_link(&from)?, &to)?;
        } else if file_type.is_file() {
            fs::copy(&from, &to)?;
            // Builds compare times: a moved or copied source must not look newer than what was made of it.
            fs::File::options()
                .write(true)
                .open(&to)
                .and_then(|copy| copy.set_modified(metadata.modified()?))
                .ok();
        } else if file_type.is_fifo() {
            mkfifo(&to, Mode::from_bits_truncate(metadata.mode()))?;
        } else if !file_type.is_socket() {
            let message = format!("{} is a device, which cannot be copied", from.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
    }
    for (directory, mode) in finished.into_iter().rev() {
        fs::set_permissions(directory, Permissions::from_mode(mode & 0o7777))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copied_tree_has_the_same_links_modes_and_pipes() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("from");
        fs::create_dir_all(from.join("sub")).unwrap();
        fs::write(from.join("sub/run.sh"), "#!/bin/sh").unwrap();
        fs::set_permissions(from.join("sub/run.sh"), Permissions::from_mode(0o750)).unwrap();
        symlink("../nowhere", from.join("sub/link")).unwrap();
        mkfifo(&from.join("pipe"), Mode::S_IRUSR).unwrap();
        fs::set_permissions(from.join("sub"), Permissions::from_mode(0o555)).unwrap();

        let to = folder.path().join("to");
        copy_new(&from, &to).unwrap();
        assert_eq!(fs::metadata(to.join("sub/run.sh")).unwrap().mode() & 0o777, 0o750);
        assert_eq!(fs::metadata(to.join("sub")).unwrap().mode() & 0o777, 0o555);
        assert_eq!(fs::read_link(to.join("sub/link")).unwrap(), Path::new("../nowhere"));
        assert!(fs::symlink_metadata(to.join("pipe")).unwrap().file_type().is_fifo());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary name is left");
    }

    #[test]
    fn a_directory_is_not_copied_into_itself() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("from");
        fs::create_dir_all(from.join("sub")).unwrap();
        symlink(from.join("sub"), folder.path().join("around")).unwrap();
        for to in [from.join("copy"), from.join("sub/copy"), folder.path().join("around/copy")] {
            assert_eq!(copy_new(&from, &to).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{to:?}");
        }
        assert_eq!(fs::read_dir(from.join("sub")).unwrap().count(), 0);
    }
}
