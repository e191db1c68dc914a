//! Small tar archives to put into containers.

use crate::now_ms;
use bytes::Bytes;
use std::io;
use tar::{Builder, EntryType, Header};

/// A tar archive under construction.
pub(super) struct Archive {
    builder: Builder<Vec<u8>>,
    /// Time of every entry, seconds since 1970.
    time: u64,
}

/// Who owns an entry.
#[derive(Clone, Copy)]
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Root.
pub(super) const ROOT: Owner = Owner { uid: 0, gid: 0 };

impl Archive {
    /// An archive that depends on its content alone, so that a build made from it is found in the engine's cache.
    pub(super) fn timeless() -> Self {
        Self { builder: Builder::new(Vec::new()), time: 0 }
    }

    /// An archive whose entries are of now.
    pub(super) fn now() -> Self {
        Self { builder: Builder::new(Vec::new()), time: u64::try_from(now_ms() / 1000).unwrap_or(0) }
    }

    /// Adds a directory; one that exists takes over mode and owner.
    pub(super) fn directory(&mut self, path: &str, mode: u32, owner: Owner) -> io::Result<()> {
        self.entry(EntryType::Directory, path, mode, owner, &[])
    }

    /// Adds a file.
    pub(super) fn file(&mut self, path: &str, mode: u32, owner: Owner, content: &[u8]) -> io::Result<()> {
        self.entry(EntryType::Regular, path, mode, owner, content)
    }

    fn entry(
        &mut self,
        kind: EntryType,
        path: &str,
        mode: u32,
        owner: Owner,
        content: &[u8],
    ) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(owner.uid.into());
        header.set_gid(owner.gid.into());
        header.set_size(content.len() as u64);
        header.set_mtime(self.time);
        self.builder.append_data(&mut header, path, content)
    }

    pub(super) fn finish(self) -> io::Result<Bytes> {
        Ok(Bytes::from(self.builder.into_inner()?))
    }
}
