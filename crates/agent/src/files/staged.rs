//! A file in the making: complete before it gets its name.

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, RenameFlags, open, renameat2};
use nix::sys::stat::Mode;
use nix::unistd::linkat;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Permission bits of a new file, before the umask.
const NEW_FILE_MODE: u32 = 0o666;

/// Content that is not yet visible under its final name.
///
/// Where the file system can, the file has no name at all until it is published, so that not even `kill -9`
/// leaves anything behind. Elsewhere (FUSE overlays, some network file systems) it has a temporary name, which is
/// removed when this value goes.
pub(super) struct Staged {
    file: File,
    directory: PathBuf,
    name: Option<PathBuf>,
}

impl Staged {
    /// Starts a file beside where it will stand. It gets the default permissions of new files.
    pub(super) fn beside(target: &Path) -> io::Result<Self> {
        let directory = target.parent().unwrap_or(Path::new("/")).to_owned();
        let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
        match open(&directory, flags, Mode::from_bits_truncate(NEW_FILE_MODE)) {
            Ok(descriptor) => Ok(Self { file: descriptor.into(), directory, name: None }),
            // EISDIR and ENOENT: a kernel or file system that does not know the flag sees an ordinary open.
            Err(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::ENOENT | Errno::EINVAL) => Self::named(directory),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Starts a file for `target` where a folder allows it, after its own refused with `error`: an existing file
    /// can be written even so, in place.
    pub(super) fn away(target: &Path, error: io::Error) -> io::Result<Self> {
        if error.kind() != io::ErrorKind::PermissionDenied
            && error.kind() != io::ErrorKind::ReadOnlyFilesystem
            || !target.exists()
        {
            return Err(error);
        }
        let folders = [std::env::temp_dir(), PathBuf::from("/var/tmp"), PathBuf::from("/dev/shm")];
        folders.iter().find_map(|folder| Self::beside(&folder.join("upload")).ok()).ok_or(error)
    }

    fn named(directory: PathBuf) -> io::Result<Self> {
        loop {
            let name = temporary_name(&directory);
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true).mode(NEW_FILE_MODE);
            match options.open(&name) {
                Ok(file) => return Ok(Self { file, directory, name: Some(name) }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The file, to fill it and, once published, to look at it.
    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Gives the file its name, replacing what is there.
    pub(super) fn replace(&mut self, target: &Path) -> io::Result<()> {
        let name = self.link()?;
        fs::rename(name, target)?;
        self.name = None;
        Ok(())
    }

    /// Gives the file its name, failing with `AlreadyExists` where the name is taken.
    pub(super) fn create(&mut self, target: &Path) -> io::Result<()> {
        if self.name.is_none() {
            match self.link_to(target) {
                Ok(()) => return Ok(()),
                Err(Errno::EEXIST) => return Err(Errno::EEXIST.into()),
                // The way over a temporary name tells what is wrong, or works.
                Err(_) => {}
            }
        }
        rename_new(self.link()?, target)?;
        self.name = None;
        Ok(())
    }

    /// Makes sure that the file has a temporary name.
    fn link(&mut self) -> io::Result<&Path> {
        while self.name.is_none() {
            let name = temporary_name(&self.directory);
            match self.link_to(&name) {
                Ok(()) => self.name = Some(name),
                Err(Errno::EEXIST) => {}
                // No hard links here, or no /proc: the content moves into a file that has a name.
                Err(_) => self.copy_into_named()?,
            }
        }
        self.name.as_deref().ok_or_else(|| io::Error::other("the temporary file has no name"))
    }

    fn link_to(&self, name: &Path) -> Result<(), Errno> {
        let descriptor = self.file.as_raw_fd();
        let source = format!("/proc/self/fd/{descriptor}");
        linkat(AT_FDCWD, source.as_str(), AT_FDCWD, name, AtFlags::AT_SYMLINK_FOLLOW)
    }

    fn copy_into_named(&mut self) -> io::Result<()> {
        let mut named = Self::named(self.directory.clone())?;
        self.file.rewind()?;
        io::copy(&mut self.file, &mut named.file)?;
        named.file.set_permissions(self.file.metadata()?.permissions())?;
        std::mem::swap(self, &mut named);
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = fs::remove_file(name);
        }
    }
}

/// A free name in `directory` for something that is about to move to its place. Taken names are the caller's to
/// notice: another container may share the volume and have a process of the same number.
pub(super) fn temporary_name(directory: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    directory.join(format!(".aicockpit-{}-{number}.tmp", std::process::id()))
}

/// Renames without ever replacing: `AlreadyExists` where `to` is taken.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        // A file system that lacks the flag: look, then rename; the gap between them cannot be closed there.
        Err(Errno::EINVAL | Errno::ENOSYS) => match fs::symlink_metadata(to) {
            Ok(_) => Err(Errno::EEXIST.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::rename(from, to),
            Err(error) => Err(error),
        },
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn entries(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn both_ways_of_staging_publish_and_clean_up() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        type Start = fn(&Path) -> io::Result<Staged>;
        let ways: [Start; 2] = [Staged::beside, |target| Staged::named(target.parent().unwrap().to_owned())];
        for start in ways {
            let mut staged = start(&target).unwrap();
            staged.file().write_all(b"one").unwrap();
            staged.create(&target).unwrap();

            let mut staged = start(&target).unwrap();
            staged.file().write_all(b"two").unwrap();
            let taken = staged.create(&target).unwrap_err();
            assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read(&target).unwrap(), b"one");
            drop(staged);

            let mut staged = start(&target).unwrap();
            staged.file().write_all(b"three").unwrap();
            staged.replace(&target).unwrap();
            assert_eq!(fs::read(&target).unwrap(), b"three");
            assert_eq!(staged.file().metadata().unwrap().len(), 5);

            drop(start(&target).unwrap());
            assert_eq!(entries(folder.path()), 1, "only the target is left");
            fs::remove_file(&target).unwrap();
        }
    }

    #[test]
    fn content_moves_into_a_named_file_where_links_fail() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        let mut staged = Staged::beside(&target).unwrap();
        staged.file().write_all(b"content").unwrap();
        staged.copy_into_named().unwrap();
        staged.replace(&target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"content");
        assert_eq!(entries(folder.path()), 1);
    }

    #[test]
    fn renaming_to_a_taken_name_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "new").unwrap();
        fs::write(&to, "old").unwrap();
        assert_eq!(rename_new(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&to).unwrap(), b"old");
        assert_eq!(fs::read(&from).unwrap(), b"new");
    }
}
