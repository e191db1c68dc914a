//! Packing a directory into a tar archive.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use tar::{Builder, EntryType, Header, HeaderMode};

/// Name of the entry that lists what could not be read, at the archive's end.
const NOT_INCLUDED: &str = "NOT-INCLUDED.txt";

/// Writes `path` and all below it, under its own name. Links stay links, several names of one file stay one file;
/// sockets and devices are left out. What cannot be read is listed in a last entry, [`NOT_INCLUDED`], because the
/// bytes sent before cannot be taken back.
pub(super) fn pack(path: &Path, sink: impl Write) -> io::Result<()> {
    let name = path.file_name().map_or_else(|| PathBuf::from("root"), PathBuf::from);
    let mut packing = Packing { builder: Builder::new(sink), linked: HashMap::new(), failed: Vec::new() };
    // A link that was asked for by name is followed; those met on the way are not.
    let top = fs::canonicalize(path)?;
    let mut waiting = vec![(top, name)];
    while let Some((path, name)) = waiting.pop() {
        let below = match fs::symlink_metadata(&path) {
            Ok(metadata) => packing.append(&path, &name, &metadata)?,
            Err(error) => packing.leave_out(&path, &error),
        };
        waiting.extend(below.into_iter().map(|entry| (path.join(&entry), name.join(&entry))));
    }
    packing.finish()
}

struct Packing<W: Write> {
    builder: Builder<W>,
    /// Files with several names, by device and inode, with the name they were packed under.
    linked: HashMap<(u64, u64), PathBuf>,
    failed: Vec<u8>,
}

impl<W: Write> Packing<W> {
    /// Appends one entry, and returns the names below it.
    fn append(&mut self, path: &Path, name: &Path, metadata: &Metadata) -> io::Result<Vec<PathBuf>> {
        let file_type = metadata.file_type();
        let mut header = Header::new_gnu();
        if file_type.is_dir() {
            let entries = fs::read_dir(path).and_then(|entries| {
                entries
                    .map(|entry| entry.map(|entry| PathBuf::from(entry.file_name())))
                    .collect::<io::Result<_>>()
            });
            header.set_metadata_in_mode(metadata, HeaderMode::Complete);
            self.builder.append_data(&mut header, name, io::empty())?;
            return Ok(entries.unwrap_or_else(|error| self.leave_out(path, &error)));
        }
        if file_type.is_symlink() {
            header.set_metadata_in_mode(metadata, HeaderMode::Complete);
            header.set_size(0);
            match fs::read_link(path) {
                Ok(target) => self.append_link(&mut header, name, &target)?,
                Err(error) => drop(self.leave_out(path, &error)),
            }
        } else if file_type.is_file() {
            self.append_file(path, name)?;
        } else if file_type.is_fifo() {
            self.leave_out(path, &io::Error::other("it is a pipe"));
        }
        Ok(Vec::new())
    }

    fn append_file(&mut self, path: &Path, name: &Path) -> io::Result<()> {
        let (file, metadata) =
            match File::open(path).and_then(|file| file.metadata().map(|found| (file, found))) {
                Ok(opened) => opened,
                Err(error) => {
                    self.leave_out(path, &error);
                    return Ok(());
                }
            };
        let mut header = Header::new_gnu();
        header.set_metadata_in_mode(&metadata, HeaderMode::Complete);
        if metadata.nlink() > 1 {
            let identity = (metadata.dev(), metadata.ino());
            if let Some(first) = self.linked.get(&identity).cloned() {
                header.set_entry_type(EntryType::Link);
                header.set_size(0);
                return self.append_link(&mut header, name, &first);
            }
            self.linked.insert(identity, name.to_owned());
        }
        // The header has told the size: a file that shrinks meanwhile is filled up, one that grows is cut.
        let exact = file.chain(io::repeat(0)).take(metadata.len());
        self.builder.append_data(&mut header, name, exact)
    }

    fn append_link(&mut self, header: &mut Header, name: &Path, target: &Path) -> io::Result<()> {
        if target.as_os_str().len() <= 100
            && header.set_link_name_literal(target.as_os_str().as_bytes()).is_ok()
        {
            self.builder.append_data(header, name, io::empty())
        } else {
            self.builder.append_link(header, name, target)
        }
    }

    fn leave_out(&mut self, path: &Path, error: &io::Error) -> Vec<PathBuf> {
        self.failed.extend_from_slice(path.as_os_str().as_bytes());
        self.failed.extend_from_slice(format!(": {}\n", super::error::reason(error)).as_bytes());
        Vec::new()
    }

    fn finish(mut self) -> io::Result<()> {
        if !self.failed.is_empty() {
            let mut header = Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(self.failed.len() as u64);
            self.builder.append_data(&mut header, NOT_INCLUDED, self.failed.as_slice())?;
        }
        self.builder.into_inner().map(drop)
    }
}
