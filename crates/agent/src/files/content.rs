//! Reading and replacing a file's content.

use super::error::{checked, failure};
use super::inspect::{describe, version};
use super::staged::Staged;
use aicockpit_protocol::ErrorCode;
use aicockpit_protocol::agent::{AgentError, Chunk};
use aicockpit_protocol::fs::{FileStat, MAX_FILE_CHUNK, ReadFile, WriteCondition, WriteFile};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{AccessFlags, Gid, Uid, access, fchown, geteuid};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use xattr::FileExt;

/// Links followed before a path counts as a loop, the kernel's own number.
const MAX_LINKS: usize = 40;

/// A range of a file.
pub fn read(request: &ReadFile) -> Result<Chunk, AgentError> {
    let path = checked(&request.path)?;
    let length = u64::from(request.length);
    if length > MAX_FILE_CHUNK as u64 {
        return Err(AgentError::new(
            ErrorCode::InvalidArgument,
            format!(
                "cannot read {length} bytes of {} at once: the limit is {MAX_FILE_CHUNK}",
                path.display()
            ),
        ));
    }
    let fail = |error: io::Error| failure("read", path, error);
    let mut file = open_regular(path)?;
    // Looked at before the bytes are read: if the file changes meanwhile, the version is an old one and a write
    // that relies on it is refused.
    let opened = file.metadata().map_err(fail)?;
    let own = fs::symlink_metadata(path).unwrap_or_else(|_| opened.clone());
    let expected = length.min(opened.len().saturating_sub(request.offset));
    let mut content = Vec::with_capacity(usize::try_from(expected).unwrap_or_default());
    if request.offset > 0 {
        file.seek(SeekFrom::Start(request.offset)).map_err(fail)?;
    }
    file.take(length).read_to_end(&mut content).map_err(fail)?;
    Ok(Chunk { stat: describe(path, &own, Some(&opened)), content })
}

/// Opens a regular file for reading. Pipes and devices are refused rather than waited for.
pub(super) fn open_regular(path: &Path) -> Result<File, AgentError> {
    let fail = |error: io::Error| failure("read", path, error);
    let metadata = fs::metadata(path).map_err(fail)?;
    refuse_special("read", path, &metadata)?;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits());
    let file = options.open(path).map_err(fail)?;
    refuse_special("read", path, &file.metadata().map_err(fail)?)?;
    Ok(file)
}

fn refuse_special(action: &str, path: &Path, metadata: &Metadata) -> Result<(), AgentError> {
    if metadata.is_file() {
        Ok(())
    } else if metadata.is_dir() {
        Err(failure(action, path, Errno::EISDIR))
    } else {
        let message = format!("cannot {action} {}: it is a device, a socket or a pipe", path.display());
        Err(AgentError::new(ErrorCode::InvalidState, message))
    }
}

/// Replaces a file's content.
///
/// The new content is there for every process once this returns, whatever process ends; it is not synced to the
/// disk, because that costs milliseconds to seconds and would only help against a power cut of the host.
pub fn write(request: &WriteFile, content: &[u8]) -> Result<FileStat, AgentError> {
    let path = checked(&request.path)?;
    if content.len() > MAX_FILE_CHUNK {
        return Err(AgentError::new(
            ErrorCode::TooLarge,
            format!(
                "cannot write {}: {} bytes are more than one request holds",
                path.display(),
                content.len()
            ),
        ));
    }
    let wants_existing = matches!(request.condition, WriteCondition::Version { .. });
    if let Some(parent) = path.parent()
        && request.create_parents
        && !wants_existing
    {
        fs::create_dir_all(parent).map_err(|error| failure("make the directory", parent, error))?;
    }
    replace_content(path, &request.condition, content)
}

/// [`write`], for content of any size.
pub(crate) fn replace_content(
    path: &Path,
    condition: &WriteCondition,
    content: &[u8],
) -> Result<FileStat, AgentError> {
    publish(path, condition, Content::Bytes(content))
}

/// What a file is to hold.
pub(super) enum Content<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// What was received into a staged file.
    Staged(Staged),
}

impl Content<'_> {
    fn len(&mut self) -> io::Result<u64> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.len() as u64),
            Self::Staged(staged) => Ok(staged.file().metadata()?.len()),
        }
    }

    fn reader(&mut self) -> io::Result<Box<dyn Read + '_>> {
        match self {
            Self::Bytes(bytes) => Ok(Box::new(*bytes)),
            Self::Staged(staged) => {
                staged.file().rewind()?;
                Ok(Box::new(staged.file()))
            }
        }
    }

    /// The content in a file beside `target`.
    fn stage(&mut self, target: &Path) -> io::Result<&mut Staged> {
        if let Self::Bytes(bytes) = self {
            let mut staged = Staged::beside(target)?;
            staged.file().write_all(bytes)?;
            *self = Self::Staged(staged);
        }
        match self {
            Self::Staged(staged) => Ok(staged),
            Self::Bytes(_) => Err(io::Error::other("the content was not staged")),
        }
    }
}

/// Puts `content` where `path` leads, if `condition` holds.
pub(super) fn publish(
    path: &Path,
    condition: &WriteCondition,
    mut content: Content<'_>,
) -> Result<FileStat, AgentError> {
    let fail = |error: io::Error| failure("write", path, error);
    let target = follow(path).map_err(fail)?;
    let Some(existing) = present(&target).map_err(fail)? else {
        if matches!(condition, WriteCondition::Version { .. }) {
            return Err(conflict(path, "was deleted since it was last read"));
        }
        if present(path).map_err(fail)?.is_some() && *condition == WriteCondition::Missing {
            return Err(conflict(path, "exists already, as a broken link"));
        }
        return publish_new(path, &target, condition, &mut content);
    };
    if *condition == WriteCondition::Missing {
        return Err(conflict(path, "exists already"));
    }
    refuse_special("write", path, &existing)?;
    if !still(condition, &existing) {
        return match holds(&target, &existing, &mut content) {
            Ok(true) => report(path, &existing),
            _ => Err(conflict(path, "changed since it was last read")),
        };
    }
    // A rename would get around a file's own protection against writing.
    access(&target, AccessFlags::W_OK).map_err(|errno| fail(errno.into()))?;
    if existing.nlink() > 1 || (existing.uid() != geteuid().as_raw() && !geteuid().is_root()) {
        return write_in_place(path, &target, condition, &mut content);
    }
    match publish_over(&target, &existing, condition, &mut content) {
        Ok(Some(written)) => report(path, &written),
        Ok(None) => Err(conflict(path, "changed since it was last read")),
        Err(error) if needs_place(&error) => write_in_place(path, &target, condition, &mut content),
        Err(error) => Err(fail(error)),
    }
}

/// Whether an error of the way by rename means that the file must be written where it is: a folder that is not
/// writable, a mount point, attributes that cannot be given to a new file.
fn needs_place(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(
        errno,
        Some(Errno::EACCES | Errno::EPERM | Errno::EROFS | Errno::EBUSY | Errno::EXDEV | Errno::EOPNOTSUPP)
    )
}

fn publish_new(
    path: &Path,
    target: &Path,
    condition: &WriteCondition,
    content: &mut Content<'_>,
) -> Result<FileStat, AgentError> {
    let fail = |error: io::Error| failure("write", path, error);
    let staged = content.stage(target).map_err(fail)?;
    let before = staged.file().metadata().map_err(fail)?;
    match staged.create(target) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if *condition == WriteCondition::Missing {
                return Err(conflict(path, "exists already"));
            }
            staged.replace(target).map_err(fail)?;
        }
        other => other.map_err(fail)?,
    }
    let written = settled(&before, staged.file()).map_err(fail)?;
    report(path, &written)
}

/// Replaces `target` by rename; `None` where it changed before that.
fn publish_over(
    target: &Path,
    existing: &Metadata,
    condition: &WriteCondition,
    content: &mut Content<'_>,
) -> io::Result<Option<Metadata>> {
    let staged = content.stage(target)?;
    keep_attributes(staged.file(), existing, target)?;
    let before = staged.file().metadata()?;
    match present(target)? {
        Some(now) if still(condition, &now) => {}
        None if *condition == WriteCondition::Any => {}
        _ => return Ok(None),
    }
    staged.replace(target)?;
    Ok(Some(settled(&before, staged.file())?))
}

/// The state of a file just published. The rename itself changes the change time, so it has to be looked at
/// again; but if another process wrote into the file since, the state before is told, which no later write
/// relying on it will match.
fn settled(before: &Metadata, file: &File) -> io::Result<Metadata> {
    let after = file.metadata()?;
    let untouched = (after.len(), after.mtime(), after.mtime_nsec())
        == (before.len(), before.mtime(), before.mtime_nsec());
    Ok(if untouched { after } else { before.clone() })
}

/// Gives a new file what the old one has: owner, extended attributes (access lists among them), permissions.
fn keep_attributes(staged: &File, existing: &Metadata, target: &Path) -> io::Result<()> {
    let made = staged.metadata()?;
    if (made.uid(), made.gid()) != (existing.uid(), existing.gid()) {
        let owner = (made.uid() != existing.uid()).then(|| Uid::from_raw(existing.uid()));
        let group = (made.gid() != existing.gid()).then(|| Gid::from_raw(existing.gid()));
        fchown(staged, owner, group)?;
    }
    let wanted = supported(xattr::list(target))?.into_iter().flatten().collect::<Vec<_>>();
    for name in supported(staged.list_xattr())?.into_iter().flatten() {
        if !wanted.contains(&name) {
            staged.remove_xattr(&name)?;
        }
    }
    for name in wanted {
        let value = xattr::get(target, &name)?;
        if let Some(value) = value
            && staged.get_xattr(&name)?.as_ref() != Some(&value)
        {
            staged.set_xattr(&name, &value)?;
        }
    }
    // Last: a change of owner takes set-user-id bits away, and an access list changes the group's bits.
    if staged.metadata()?.mode() != existing.mode() {
        staged.set_permissions(fs::Permissions::from_mode(existing.mode() & 0o7777))?;
    }
    Ok(())
}

fn supported<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where a write to `path` goes: the end of its links, which need not exist.
pub(super) fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::symlink_metadata(&target) {
            Ok(metadata) if metadata.is_symlink() => {
                let to = fs::read_link(&target)?;
                target = target.parent().unwrap_or(Path::new("/")).join(to);
            }
            _ => return Ok(target),
        }
    }
    Err(Errno::ELOOP.into())
}

fn present(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn still(condition: &WriteCondition, now: &Metadata) -> bool {
    match condition {
        WriteCondition::Any => true,
        WriteCondition::Missing => false,
        WriteCondition::Version { version: seen } => version(now) == *seen,
    }
}

/// Whether the file holds exactly `content` already: an earlier try got through and only its answer was lost.
fn holds(target: &Path, existing: &Metadata, content: &mut Content<'_>) -> io::Result<bool> {
    if existing.len() != content.len()? {
        return Ok(false);
    }
    let mut there = File::open(target)?;
    let mut wanted = content.reader()?;
    let (mut a, mut b) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let read = there.read(&mut a)?;
        if read == 0 {
            return Ok(wanted.read(&mut b[..1])? == 0);
        }
        match wanted.read_exact(&mut b[..read]) {
            Ok(()) if a[..read] == b[..read] => {}
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

fn report(path: &Path, written: &Metadata) -> Result<FileStat, AgentError> {
    let own = fs::symlink_metadata(path).unwrap_or_else(|_| written.clone());
    Ok(describe(path, &own, Some(written)))
}

fn conflict(path: &Path, what: &str) -> AgentError {
    AgentError::new(ErrorCode::Conflict, format!("{} {what}; nothing was written", path.display()))
}

fn write_in_place(
    path: &Path,
    target: &Path,
    condition: &WriteCondition,
    content: &mut Content<'_>,
) -> Result<FileStat, AgentError> {
    let fail = |error: io::Error| failure("write", path, error);
    let length = content.len().map_err(fail)?;
    let mut options = OpenOptions::new();
    options.write(true).custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits());
    let mut file = options.open(target).map_err(fail)?;
    let before = file.metadata().map_err(fail)?;
    refuse_special("write", path, &before)?;
    if !still(condition, &before) {
        return Err(conflict(path, "changed since it was last read"));
    }
    let reader = content.reader().map_err(fail)?;
    super::in_place::overwrite(&mut file, target, before.len(), reader, length).map_err(fail)?;
    report(path, &file.metadata().map_err(fail)?)
}

#[cfg(test)]
#[path = "content_tests.rs"]
mod tests;
