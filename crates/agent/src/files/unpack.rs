//! Unpacking a tar archive from anywhere into a directory, and nowhere else.
//!
//! The archive is hostile input. Names with `..` or from the root are refused, and so are links that lead out of the
//! directory, devices and pipes. Every directory on the way is opened by descriptor without following links, so
//! that neither an entry unpacked before nor a process that swaps a directory for a link meanwhile leads a write
//! outside. Long names are read into memory within [`MAX_EXTENSION`].

use super::error::{code, failure, reason};
use super::staged::temporary_name;
use super::transfer::copy_up_to;
use aicockpit_protocol::agent::AgentError;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, renameat};
use nix::sys::stat::{Mode, SFlag, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, linkat, symlinkat, unlinkat};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};
use tar::{EntryType, Header, PaxExtensions};

/// Largest extension header (long name, PAX records) in bytes.
const MAX_EXTENSION: u64 = 1024 * 1024;
/// Longest name of an entry in bytes, the kernel's own limit.
const MAX_NAME: usize = 4096;
/// Most entries of one archive.
const MAX_ENTRIES: u64 = 4_000_000;
/// Size of a tar block.
const BLOCK: usize = 512;

/// Unpacks the archive that `source` gives into `folder`, which is made if it is missing. Files of the same name
/// are replaced; owners in the archive are not kept. An archive that is cut off is an error, and what came before
/// any error stays.
pub(super) fn unpack(folder: &Path, source: impl BufRead) -> Result<(), AgentError> {
    let fail = |error: io::Error| failure("unpack into", folder, error);
    fs::create_dir_all(folder).map_err(fail)?;
    let flags = OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let root = open(folder, flags, Mode::empty()).map_err(|errno| fail(errno.into()))?;
    let mut unpacking = Unpacking { source, root, current: None };
    unpacking.run().map_err(|Refused { name, error }| {
        let name = String::from_utf8_lossy(&name).into_owned();
        let entry = if name.is_empty() { String::new() } else { format!("the entry {name:?}: ") };
        AgentError::new(
            code(&error),
            format!("cannot unpack into {}: {entry}{}", folder.display(), reason(&error)),
        )
    })
}

/// An error, with the entry that it came from; empty where it came from none.
struct Refused {
    name: Vec<u8>,
    error: io::Error,
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self { name: Vec::new(), error }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// What extension headers said about the entry that follows them.
#[derive(Default)]
struct Extensions {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

struct Unpacking<R> {
    source: R,
    root: OwnedFd,
    /// The directory of the entry before: most entries are neighbours.
    current: Option<(Vec<Vec<u8>>, OwnedFd)>,
}

impl<R: BufRead> Unpacking<R> {
    fn run(&mut self) -> Result<(), Refused> {
        let mut extensions = Extensions::default();
        let mut entries = 0;
        while let Some(header) = self.header()? {
            entries += 1;
            if entries > MAX_ENTRIES {
                return Err(invalid("the archive has too many entries").into());
            }
            let size = header.entry_size()?;
            match header.entry_type() {
                EntryType::GNULongName => extensions.name = Some(self.extension_name(size)?),
                EntryType::GNULongLink => extensions.link = Some(self.extension_name(size)?),
                EntryType::XHeader => read_pax(&self.extension(size)?, &mut extensions)?,
                EntryType::XGlobalHeader => drop(self.extension(size)?),
                _ => {
                    let said = std::mem::take(&mut extensions);
                    let name = said.name.clone().unwrap_or_else(|| header.path_bytes().into_owned());
                    self.entry(&header, &name, said).map_err(|error| Refused { name, error })?;
                }
            }
        }
        io::copy(&mut self.source, &mut io::sink())?;
        Ok(())
    }

    /// The next header; `None` at the archive's end mark.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let mut header = Header::new_old();
        let cut = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "the archive ends too early"),
            _ => error,
        };
        self.source.read_exact(header.as_mut_bytes()).map_err(cut)?;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let sum = header.as_bytes().iter().enumerate();
        let sum =
            sum.map(|(at, byte)| u32::from(if (148..156).contains(&at) { b' ' } else { *byte })).sum::<u32>();
        if header.cksum().ok() != Some(sum) {
            return Err(invalid("this is not a tar archive, or it is damaged"));
        }
        Ok(Some(header))
    }

    fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > MAX_EXTENSION {
            return Err(invalid("a header of the archive is too large"));
        }
        let mut bytes = Vec::new();
        copy_exactly(&mut self.source, &mut bytes, size)?;
        self.skip_padding(size)?;
        Ok(bytes)
    }

    fn extension_name(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let mut name = self.extension(size)?;
        name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
        Ok(name)
    }

    fn skip_padding(&mut self, size: u64) -> io::Result<()> {
        let padding = size.next_multiple_of(BLOCK as u64) - size;
        copy_exactly(&mut self.source, io::sink(), padding)
    }

    fn entry(&mut self, header: &Header, name: &[u8], said: Extensions) -> io::Result<()> {
        let mut parts = components(name)?;
        let size = said.size.map_or_else(|| header.entry_size(), Ok)?;
        if size > i64::MAX as u64 {
            return Err(invalid("its size is impossible"));
        }
        let mode = Mode::from_bits_truncate(header.mode()? & 0o777);
        let file = matches!(header.entry_type(), EntryType::Regular | EntryType::Continuous);
        if header.entry_type() == EntryType::Directory || (file && name.ends_with(b"/")) {
            self.directory(&parts, true)?;
            copy_exactly(&mut self.source, io::sink(), size)?;
            return self.skip_padding(size);
        }
        let Some(last) = parts.pop() else { return Err(invalid("it has no name")) };
        if file {
            self.file(&parts, &last, mode, size, header.mtime().unwrap_or_default())?;
            return self.skip_padding(size);
        }
        let link = said.link.or_else(|| header.link_name_bytes().map(|link| link.into_owned()));
        let link = link.filter(|link| !link.is_empty() && link.len() < MAX_NAME);
        let link = link.ok_or_else(|| invalid("it is neither a file nor a directory nor a link"));
        match header.entry_type() {
            EntryType::Symlink => self.symlink(&parts, &last, &link?),
            EntryType::Link => self.hard_link(&parts, &last, &link?),
            EntryType::Char | EntryType::Block | EntryType::Fifo => {
                Err(invalid("devices and pipes are not unpacked"))
            }
            EntryType::GNUSparse => Err(invalid("sparse files are not supported; pack without them")),
            _ => Err(invalid("it is of an unknown kind")),
        }
    }

    /// Opens a directory below the root, without following links; makes what is missing if `make` is set.
    fn directory(&mut self, parts: &[Vec<u8>], make: bool) -> io::Result<&OwnedFd> {
        if self.current.as_ref().is_none_or(|(current, _)| current != parts) {
            let mut directory = self.root.try_clone()?;
            for part in parts {
                let part = OsStr::from_bytes(part);
                directory = match open_directory(&directory, part) {
                    Err(Errno::ENOENT) if make => {
                        match mkdirat(&directory, part, Mode::from_bits_truncate(0o777)) {
                            Ok(()) | Err(Errno::EEXIST) => {}
                            Err(errno) => return Err(errno.into()),
                        }
                        open_directory(&directory, part)
                    }
                    other => other,
                }
                .map_err(|errno| match errno {
                    Errno::ELOOP | Errno::ENOTDIR => invalid("it leads through a link or a file"),
                    other => other.into(),
                })?;
            }
            self.current = Some((parts.to_vec(), directory));
        }
        self.current.as_ref().map(|(_, directory)| directory).ok_or_else(|| Errno::EBADF.into())
    }

    fn file(&mut self, parts: &[Vec<u8>], name: &[u8], mode: Mode, size: u64, mtime: u64) -> io::Result<()> {
        self.directory(parts, true)?;
        let Some((_, directory)) = &self.current else { return Err(Errno::EBADF.into()) };
        let name = OsStr::from_bytes(name);
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let (opened, making) = match openat(directory, name, flags, mode) {
            Err(Errno::EEXIST) => {
                let making = temporary_name(Path::new(""));
                (openat(directory, &making, flags, mode)?, Some(making))
            }
            other => (other?, None),
        };
        let mut file = File::from(opened);
        let filled = copy_exactly(&mut self.source, &mut file, size)
            .and_then(|()| {
                file.set_modified(UNIX_EPOCH + Duration::from_secs(mtime.min(i32::MAX as u64 * 4)))
            })
            .and_then(|()| match &making {
                Some(making) => Ok(renameat(directory, making, directory, name)?),
                None => Ok(()),
            });
        if filled.is_err() {
            let unfinished = making.as_deref().map_or(name, Path::as_os_str);
            let _ = unlinkat(directory, unfinished, UnlinkatFlags::NoRemoveDir);
        }
        filled
    }

    fn symlink(&mut self, parts: &[Vec<u8>], name: &[u8], target: &[u8]) -> io::Result<()> {
        if leads_out(parts.len(), target) {
            return Err(invalid("it is a link that leads out of the directory"));
        }
        let directory = self.directory(parts, true)?;
        let name = OsStr::from_bytes(name);
        replacing(directory, name, || symlinkat(OsStr::from_bytes(target), directory, name))
    }

    fn hard_link(&mut self, parts: &[Vec<u8>], name: &[u8], target: &[u8]) -> io::Result<()> {
        let mut source = components(target)?;
        let Some(source_name) = source.pop() else { return Err(invalid("it is a link to a directory")) };
        let from = self.directory(&source, false)?.try_clone()?;
        let source_name = OsStr::from_bytes(&source_name);
        if fstatat(&from, source_name, AtFlags::AT_SYMLINK_NOFOLLOW)?.st_mode & SFlag::S_IFMT.bits()
            != SFlag::S_IFREG.bits()
        {
            return Err(invalid("it is a link to something that is no file"));
        }
        let directory = self.directory(parts, true)?;
        let name = OsStr::from_bytes(name);
        replacing(directory, name, || linkat(&from, source_name, directory, name, AtFlags::empty()))
    }
}

fn open_directory(directory: &OwnedFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(directory, name, flags, Mode::empty())
}

/// Makes an entry, first removing a file or link of its name. A directory stays, and the entry fails.
fn replacing(directory: &OwnedFd, name: &OsStr, make: impl Fn() -> Result<(), Errno>) -> io::Result<()> {
    match make() {
        Err(Errno::EEXIST) => {
            unlinkat(directory, name, UnlinkatFlags::NoRemoveDir)?;
            Ok(make()?)
        }
        other => Ok(other?),
    }
}

fn copy_exactly(source: impl BufRead, sink: impl io::Write, size: u64) -> io::Result<()> {
    if copy_up_to(source, sink, size)? == size {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive ends too early"))
    }
}

/// An entry's name in its parts, refused where it leads anywhere but down.
fn components(name: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    if name.len() >= MAX_NAME || name.contains(&0) {
        return Err(invalid("its name is impossible"));
    }
    if name.starts_with(b"/") {
        return Err(invalid("its name starts at the root"));
    }
    let parts = name.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    parts
        .map(|part| {
            if part == b".." {
                Err(invalid("its name leads out of the directory"))
            } else {
                Ok(part.to_vec())
            }
        })
        .collect()
}

/// Whether a link in a directory `depth` levels down leads out. `..` is taken at the start only: after a name it
/// could climb from wherever a link of that name leads.
fn leads_out(depth: usize, target: &[u8]) -> bool {
    let parts = target.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    let parts: Vec<_> = parts.collect();
    let up = parts.iter().take_while(|part| **part == b"..").count();
    target.starts_with(b"/") || target.contains(&0) || up > depth || parts[up..].contains(&&b".."[..])
}

fn read_pax(bytes: &[u8], extensions: &mut Extensions) -> io::Result<()> {
    for record in PaxExtensions::new(bytes) {
        let record = record?;
        let value = record.value_bytes();
        match record.key_bytes() {
            b"path" => extensions.name = Some(value.to_vec()),
            b"linkpath" => extensions.link = Some(value.to_vec()),
            b"size" => {
                let size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                extensions.size = Some(size.ok_or_else(|| invalid("a size in the archive is not a number"))?);
            }
            key if key.starts_with(b"GNU.sparse.") => {
                return Err(invalid("sparse files are not supported; pack without them"));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "unpack_tests.rs"]
mod tests;
