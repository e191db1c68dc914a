//! Folders as tar archives. What a workspace sends is hostile: nothing of it lands outside the target folder, and
//! devices and set-user-id bits do not land at all.

use crate::output::complain;
use aicockpit_cockpit::socket::ClientStream;
use aicockpit_protocol::api::StreamEnd;
use anyhow::Context;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use tar::EntryType;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Pieces between the archive and the stream.
const PIECES: usize = 8;
/// Bytes of the agent's list of what it could not read that are shown.
const MAX_LIST: u64 = 64 * 1024;
/// Permission bits that are taken over.
const PERMISSIONS: u32 = 0o777;

/// Packs a folder's content.
pub(crate) fn pack(folder: PathBuf) -> (mpsc::Receiver<Vec<u8>>, JoinHandle<anyhow::Result<()>>) {
    let (sender, pieces) = mpsc::channel(PIECES);
    let packing = tokio::task::spawn_blocking(move || {
        let mut archive = tar::Builder::new(io::BufWriter::with_capacity(64 * 1024, Pieces(sender)));
        archive.follow_symlinks(false);
        archive
            .append_dir_all(".", &folder)
            .and_then(|()| archive.into_inner()?.flush())
            .with_context(|| format!("{} could not be read", folder.display()))
    });
    (pieces, packing)
}

struct Pieces(mpsc::Sender<Vec<u8>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.blocking_send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Unpacks an archive as it comes. What it holds under `name` becomes `target`; where that is there already, it is
/// added to.
pub(crate) async fn unpack(mut stream: ClientStream, name: OsString, target: PathBuf) -> anyhow::Result<()> {
    let (sender, pieces) = mpsc::channel::<Vec<u8>>(PIECES);
    let unpacking = tokio::task::spawn_blocking(move || {
        unpack_as(Received { pieces, piece: io::Cursor::default() }, &name, &target)
            .with_context(|| format!("the archive could not be unpacked as {}", target.display()))
    });
    while let Some(bytes) = stream.next().await {
        if sender.send(bytes).await.is_err() {
            break;
        }
    }
    drop(sender);
    if let Some(StreamEnd::Failed { error }) = stream.end() {
        // The unpacking ends with the stream; its error would only be the consequence.
        let _ = unpacking.await;
        return Err(error.clone().into());
    }
    unpacking.await?
}

struct Received {
    pieces: mpsc::Receiver<Vec<u8>>,
    piece: io::Cursor<Vec<u8>>,
}

impl Read for Received {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.piece.read(buffer)? {
                0 if buffer.is_empty() => return Ok(0),
                0 => match self.pieces.blocking_recv() {
                    Some(piece) => self.piece = io::Cursor::new(piece),
                    None => return Ok(0),
                },
                count => return Ok(count),
            }
        }
    }
}

fn unpack_as(from: impl Read, name: &OsStr, target: &Path) -> io::Result<()> {
    let parent = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if target.is_dir() && target.file_name() == Some(name) {
        return unpack_into(from, name, parent);
    }
    std::fs::create_dir_all(parent)?;
    let staging = parent.join(format!(".aicockpit-copy-{}", std::process::id()));
    std::fs::create_dir(&staging)?;
    let unpacked =
        unpack_into(from, name, &staging).and_then(|()| std::fs::rename(staging.join(name), target));
    std::fs::remove_dir_all(&staging)?;
    unpacked
}

/// Unpacks what is called `name` into a folder, and nothing else.
fn unpack_into(from: impl Read, name: &OsStr, folder: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(from);
    archive.set_preserve_permissions(true);
    archive.set_mask(!PERMISSIONS & 0o7777);
    archive.set_preserve_ownerships(false);
    archive.set_unpack_xattrs(false);
    let mut directories = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        if path.components().next().map(Component::as_os_str) != Some(name) {
            leave_out(&path, &mut entry);
            continue;
        }
        match entry.header().entry_type() {
            // Their permissions last, since a folder may not be writable.
            EntryType::Directory => directories.push(entry),
            EntryType::Regular | EntryType::Continuous | EntryType::Symlink | EntryType::Link => {
                // False where the path would lead out of the folder.
                if !entry.unpack_in(folder)? {
                    leave_out(&path, &mut entry);
                }
            }
            _ => leave_out(&path, &mut entry),
        }
    }
    // Deepest first.
    directories.sort_by(|a, b| b.path_bytes().cmp(&a.path_bytes()));
    for mut directory in directories {
        directory.unpack_in(folder)?;
    }
    Ok(())
}

/// Says what does not come along. The agent's own list of what it could not read comes as an entry of this name.
fn leave_out(path: &Path, entry: &mut impl Read) {
    if path == Path::new("NOT-INCLUDED.txt") {
        let mut list = Vec::new();
        let _ = entry.take(MAX_LIST).read_to_end(&mut list);
        for line in String::from_utf8_lossy(&list).lines() {
            complain(&format!("Not copied: {}", line.escape_debug()));
        }
    } else {
        complain(&format!("Not copied: {}", path.to_string_lossy().escape_debug()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(entries: &[(&str, EntryType, u32, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, kind, mode, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(*mode);
            // Written by hand: the library refuses to make a hostile name.
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            let data = match kind {
                EntryType::Symlink | EntryType::Link => {
                    header.set_link_name_literal(content).unwrap();
                    ""
                }
                _ => content,
            };
            header.set_size(data.len() as u64);
            header.set_cksum();
            builder.append(&header, data.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn nothing_lands_outside_and_no_privileges_land_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        let hostile = archive(&[
            ("name/", EntryType::Directory, 0o755, ""),
            ("name/ok/", EntryType::Directory, 0o500, ""),
            ("name/ok/file", EntryType::Regular, 0o4755, "content"),
            ("name/../../out", EntryType::Regular, 0o644, "escaped"),
            ("../out", EntryType::Regular, 0o644, "escaped"),
            ("beside", EntryType::Regular, 0o644, "not asked for"),
            ("name/link", EntryType::Symlink, 0o777, "../.."),
            ("name/device", EntryType::Char, 0o666, ""),
        ]);
        unpack_as(&hostile[..], OsStr::new("name"), &target).unwrap();
        assert_eq!(std::fs::read(target.join("ok/file")).unwrap(), b"content");
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(target.join("ok/file")).unwrap().permissions().mode() & 0o7777, 0o755);
        assert!(!target.join("device").exists());
        let left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["target"], "nothing beside it, and no staging folder");
    }

    #[test]
    fn nothing_is_written_through_a_link_that_leads_out() {
        let folder = tempfile::tempdir().unwrap();
        let through_link = archive(&[
            ("name/link", EntryType::Symlink, 0o777, "../.."),
            ("name/link/out", EntryType::Regular, 0o644, "escaped"),
        ]);
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        let _ = unpack_as(&through_link[..], OsStr::new("name"), &inner.join("target"));
        assert!(!folder.path().join("out").exists() && !inner.join("out").exists());
    }

    #[test]
    fn a_folder_that_is_there_is_added_to() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("name");
        std::fs::create_dir(&target).unwrap();
        std::fs::write(target.join("old"), "old").unwrap();
        let more = archive(&[("name/new", EntryType::Regular, 0o644, "new")]);
        unpack_as(&more[..], OsStr::new("name"), &target).unwrap();
        assert!(target.join("old").exists() && target.join("new").exists());
    }
}
