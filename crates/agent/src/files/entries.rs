//! Making, moving and copying entries of the tree.

use super::error::{checked, code, failure};
use super::staged::temporary_name;
use super::tree::{copy_new, move_new, remove};
use aicockpit_protocol::ErrorCode;
use aicockpit_protocol::agent::AgentError;
use aicockpit_protocol::fs::{Copy, MakeDirectory, Rename};
use nix::errno::Errno;
use std::fs;
use std::io;
use std::path::Path;

/// Makes a directory and what is missing above it. `AlreadyExists` where the directory itself is there.
pub fn make_directory(request: &MakeDirectory) -> Result<(), AgentError> {
    let path = checked(&request.path)?;
    let fail = |error: io::Error| failure("make the directory", path, error);
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(fail)?;
            }
            fs::create_dir(path).map_err(fail)
        }
        other => other.map_err(fail),
    }
}

/// Moves a file or directory, also to another file system.
pub fn rename(request: &Rename) -> Result<(), AgentError> {
    let (from, to) = (checked(&request.from)?, checked(&request.to)?);
    let moved = if request.overwrite { move_over(from, to) } else { move_new(from, to) };
    moved.map_err(|error| explain("move", from, to, &error))
}

fn move_over(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.raw_os_error() == Some(Errno::EXDEV as i32) => {
            let arrived = temporary_name(to.parent().unwrap_or(Path::new("/")));
            copy_new(from, &arrived)?;
            if let Err(error) = fs::rename(&arrived, to) {
                let _ = remove(&arrived);
                return Err(error);
            }
            remove(from)
        }
        other => other,
    }
}

/// Copies a file or directory to a name that is free.
pub fn copy(request: &Copy) -> Result<(), AgentError> {
    let (from, to) = (checked(&request.from)?, checked(&request.to)?);
    copy_new(from, to).map_err(|error| explain("copy", from, to, &error))
}

/// Says which of the two paths is to blame.
fn explain(action: &str, from: &Path, to: &Path, error: &io::Error) -> AgentError {
    let pair = format!("cannot {action} {} to {}", from.display(), to.display());
    let parent = to.parent().unwrap_or(Path::new("/"));
    match code(error) {
        ErrorCode::NotFound if fs::symlink_metadata(from).is_err() => failure(action, from, Errno::ENOENT),
        ErrorCode::NotFound => AgentError::new(
            ErrorCode::NotFound,
            format!("{pair}: the directory {} does not exist", parent.display()),
        ),
        ErrorCode::AlreadyExists => AgentError::new(
            ErrorCode::AlreadyExists,
            format!("{pair}: something of that name exists there already"),
        ),
        ErrorCode::InvalidArgument if to.starts_with(from) => AgentError::new(
            ErrorCode::InvalidArgument,
            format!("{pair}: a directory cannot be put into itself"),
        ),
        code => AgentError::new(code, format!("{pair}: {}", super::error::reason(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aicockpit_protocol::BytePath;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    fn at(path: &Path) -> BytePath {
        BytePath::from(path)
    }

    #[test]
    fn a_directory_is_made_with_its_parents_but_only_once() {
        let folder = tempfile::tempdir().unwrap();
        let request = MakeDirectory { path: at(&folder.path().join("a/b/c")) };
        make_directory(&request).unwrap();
        assert!(folder.path().join("a/b/c").is_dir());
        assert_eq!(make_directory(&request).unwrap_err().code, ErrorCode::AlreadyExists);
    }

    #[test]
    fn renaming_replaces_only_when_asked_to() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join(OsStr::from_bytes(b"t\xf6")));
        fs::write(&from, "new").unwrap();
        fs::write(&to, "old").unwrap();
        let mut request = Rename { from: at(&from), to: at(&to), overwrite: false };
        assert_eq!(rename(&request).unwrap_err().code, ErrorCode::AlreadyExists);
        assert_eq!(fs::read(&to).unwrap(), b"old");
        request.overwrite = true;
        rename(&request).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"new");
        assert!(!from.exists());
    }

    #[test]
    fn an_error_of_two_paths_names_the_one_to_blame() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("from");
        let gone = folder.path().join("gone/to");
        let request = Rename { from: at(&from), to: at(&gone), overwrite: false };
        assert!(rename(&request).unwrap_err().message.contains("from: it does not exist"));
        fs::create_dir(&from).unwrap();
        let error = rename(&request).unwrap_err();
        assert!(error.message.contains("gone does not exist"), "{}", error.message);
        let inside = Rename { from: at(&from), to: at(&from.join("to")), overwrite: false };
        let error = rename(&inside).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidArgument);
        assert!(error.message.contains("into itself"), "{}", error.message);
    }

    #[test]
    fn files_move_and_are_replaced_across_file_systems() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir_in("/dev/shm").unwrap());
        let (from, to) = (here.path().join("tree"), there.path().join("tree"));
        fs::create_dir(&from).unwrap();
        fs::write(from.join("file"), "content").unwrap();
        rename(&Rename { from: at(&from), to: at(&to), overwrite: false }).unwrap();
        assert!(!from.exists());
        assert_eq!(fs::read(to.join("file")).unwrap(), b"content");

        fs::write(here.path().join("new"), "new").unwrap();
        let request =
            Rename { from: at(&here.path().join("new")), to: at(&to.join("file")), overwrite: true };
        rename(&request).unwrap();
        assert_eq!(fs::read(to.join("file")).unwrap(), b"new");
        assert_eq!(fs::read_dir(&to).unwrap().count(), 1);
    }

    #[test]
    fn copying_never_replaces() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "a").unwrap();
        copy(&Copy { from: at(&from), to: at(&to) }).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"a");
        fs::write(&from, "b").unwrap();
        let error = copy(&Copy { from: at(&from), to: at(&to) }).unwrap_err();
        assert_eq!(error.code, ErrorCode::AlreadyExists);
        assert_eq!(fs::read(&to).unwrap(), b"a");
    }
}
