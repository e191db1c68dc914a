//! The operating system's errors as codes and sentences.

use aicockpit_protocol::agent::AgentError;
use aicockpit_protocol::{BytePath, ErrorCode};
use nix::errno::Errno;
use std::io;
use std::path::Path;

/// An error that says what could not be done, to which path, and why.
///
/// `action` completes "cannot …", for instance `write`.
pub(crate) fn failure(action: &str, path: &Path, error: impl Into<io::Error>) -> AgentError {
    let error = error.into();
    AgentError::new(code(&error), format!("cannot {action} {}: {}", path.display(), reason(&error)))
}

/// The code of an operating system error.
pub(crate) fn code(error: &io::Error) -> ErrorCode {
    let Some(number) = error.raw_os_error() else {
        return match error.kind() {
            io::ErrorKind::AlreadyExists => ErrorCode::AlreadyExists,
            io::ErrorKind::NotFound => ErrorCode::NotFound,
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => ErrorCode::InvalidArgument,
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => ErrorCode::Cancelled,
            _ => ErrorCode::Internal,
        };
    };
    match Errno::from_raw(number) {
        Errno::ENOENT => ErrorCode::NotFound,
        Errno::EEXIST => ErrorCode::AlreadyExists,
        Errno::EACCES | Errno::EPERM | Errno::EROFS => ErrorCode::PermissionDenied,
        Errno::EISDIR => ErrorCode::IsADirectory,
        Errno::ENOTDIR => ErrorCode::NotADirectory,
        Errno::ENOTEMPTY => ErrorCode::NotEmpty,
        Errno::ENOSPC | Errno::EDQUOT => ErrorCode::NoSpace,
        Errno::EFBIG | Errno::EOVERFLOW => ErrorCode::TooLarge,
        Errno::ELOOP | Errno::ENAMETOOLONG | Errno::EINVAL => ErrorCode::InvalidArgument,
        Errno::EBUSY | Errno::ETXTBSY | Errno::EXDEV | Errno::ESTALE => ErrorCode::InvalidState,
        Errno::EOPNOTSUPP | Errno::ENOSYS => ErrorCode::Unsupported,
        Errno::ETIMEDOUT => ErrorCode::TimedOut,
        _ => ErrorCode::Internal,
    }
}

pub(super) fn reason(error: &io::Error) -> String {
    let Some(number) = error.raw_os_error() else {
        return error.to_string();
    };
    match Errno::from_raw(number) {
        Errno::ENOENT => "it does not exist".to_owned(),
        Errno::EEXIST => "something of that name exists already".to_owned(),
        Errno::EACCES | Errno::EPERM => "the workspace's user is not allowed to".to_owned(),
        Errno::EROFS => "the file system is read-only".to_owned(),
        Errno::EISDIR => "it is a directory".to_owned(),
        Errno::ENOTDIR => "a part of the path is not a directory".to_owned(),
        Errno::ENOTEMPTY => "the directory is not empty".to_owned(),
        Errno::ENOSPC => "no space is left on the device".to_owned(),
        Errno::EDQUOT => "the disk quota is used up".to_owned(),
        Errno::ELOOP => "it leads through too many symbolic links".to_owned(),
        Errno::ENAMETOOLONG => "the name is too long".to_owned(),
        Errno::EBUSY => "it is in use, for instance as a mount point".to_owned(),
        Errno::ETXTBSY => "the program is running".to_owned(),
        other => other.desc().to_owned(),
    }
}

/// The path, if it is one the kernel could take: absolute and without NUL.
pub(crate) fn checked(path: &BytePath) -> Result<&Path, AgentError> {
    if path.as_bytes().first() != Some(&b'/') {
        return Err(AgentError::new(
            ErrorCode::InvalidArgument,
            format!("the path {path:?} is not absolute"),
        ));
    }
    if path.as_bytes().contains(&0) {
        return Err(AgentError::new(
            ErrorCode::InvalidArgument,
            format!("the path {path:?} holds a NUL byte"),
        ));
    }
    Ok(path.as_path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_path_and_carry_the_matching_code() {
        let cases = [
            (Errno::ENOENT, ErrorCode::NotFound),
            (Errno::EEXIST, ErrorCode::AlreadyExists),
            (Errno::EACCES, ErrorCode::PermissionDenied),
            (Errno::EROFS, ErrorCode::PermissionDenied),
            (Errno::EISDIR, ErrorCode::IsADirectory),
            (Errno::ENOTDIR, ErrorCode::NotADirectory),
            (Errno::ENOTEMPTY, ErrorCode::NotEmpty),
            (Errno::ENOSPC, ErrorCode::NoSpace),
            (Errno::ELOOP, ErrorCode::InvalidArgument),
            (Errno::EIO, ErrorCode::Internal),
        ];
        for (errno, expected) in cases {
            let error = failure("write", Path::new("/workspace/a"), errno);
            assert_eq!(error.code, expected, "{errno}");
            assert!(error.message.starts_with("cannot write /workspace/a: "), "{}", error.message);
        }
    }

    #[test]
    fn relative_paths_and_nul_are_refused() {
        for path in ["", "a/b", "/a\0b"] {
            assert_eq!(
                checked(&BytePath::from(path)).unwrap_err().code,
                ErrorCode::InvalidArgument,
                "{path:?}"
            );
        }
        assert!(checked(&BytePath::new(b"/caf\xe9".to_vec())).is_ok());
    }
}
