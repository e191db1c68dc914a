//! What is there: one file's state, one directory's entries.

use super::error::{checked, failure};
use aicockpit_protocol::BytePath;
use aicockpit_protocol::agent::AgentError;
use aicockpit_protocol::fs::{DirEntry, FileKind, FileStat, ListDirectory, Listing, MAX_LISTING, Stat};
use nix::unistd::{AccessFlags, access};
use std::fs::{self, FileType, Metadata};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A file's state. A broken link is described as itself.
pub fn stat(request: &Stat) -> Result<FileStat, AgentError> {
    let path = checked(&request.path)?;
    let own = fs::symlink_metadata(path).map_err(|error| failure("look at", path, error))?;
    Ok(describe(path, &own, None))
}

/// The state of `path`, whose own metadata is `own`. Where the caller holds the file open, `opened` is what that
/// descriptor says, so that version and content belong together.
pub(super) fn describe(path: &Path, own: &Metadata, opened: Option<&Metadata>) -> FileStat {
    let link = own.file_type().is_symlink();
    let followed = if link && opened.is_none() { fs::metadata(path).ok() } else { None };
    let target = opened.or(followed.as_ref());
    let content = target.unwrap_or(own);
    FileStat {
        kind: kind(own.file_type()),
        target_kind: if link { target.map(|target| kind(target.file_type())) } else { None },
        link_target: if link {
            fs::read_link(path).ok().map(|to| BytePath::new(to.into_os_string().into_vec()))
        } else {
            None
        },
        size: content.size(),
        modified_ms: content.mtime() * 1000 + content.mtime_nsec() / 1_000_000,
        mode: content.mode() & 0o7777,
        writable: access(path, AccessFlags::W_OK).is_ok(),
        version: version(content),
    }
}

/// The token that changes whenever the content may have changed. The change time is part of it because programs
/// set the modification time back (`tar`, `touch -r`), which the kernel does not let them do with this one.
pub(crate) fn version(of: &Metadata) -> String {
    format!(
        "{:x}-{:x}-{:x}-{:x}.{:x}-{:x}.{:x}",
        of.dev(),
        of.ino(),
        of.size(),
        of.mtime(),
        of.mtime_nsec(),
        of.ctime(),
        of.ctime_nsec()
    )
}

/// What a file type is called on the wire.
pub(super) fn kind(file_type: FileType) -> FileKind {
    if file_type.is_file() {
        FileKind::File
    } else if file_type.is_dir() {
        FileKind::Directory
    } else if file_type.is_symlink() {
        FileKind::Symlink
    } else {
        FileKind::Other
    }
}

/// A directory's entries. The directory itself tells each entry's kind, so that only links cost a look of their
/// own; links to directories sort among the directories.
pub fn list(request: &ListDirectory) -> Result<Listing, AgentError> {
    let path = checked(&request.path)?;
    let mut entries = Vec::new();
    let mut truncated = false;
    for entry in fs::read_dir(path).map_err(|error| failure("list", path, error))? {
        let entry = entry.map_err(|error| failure("list", path, error))?;
        if entries.len() == MAX_LISTING {
            truncated = true;
            break;
        }
        // An entry that vanishes meanwhile is no longer part of the directory.
        let Ok(file_type) = entry.file_type() else { continue };
        let target_kind = if file_type.is_symlink() {
            fs::metadata(entry.path()).ok().map(|target| kind(target.file_type()))
        } else {
            None
        };
        entries.push(DirEntry {
            name: BytePath::new(entry.file_name().into_vec()),
            kind: kind(file_type),
            target_kind,
        });
    }
    let most = request.first.map_or(usize::MAX, |first| first as usize);
    let more = entries.len() > most;
    Ok(Listing { entries: in_order(entries, most), truncated, more })
}

/// Directories first, then by name without regard to ASCII case. Each name is lowered once: comparing lowers a name
/// some twenty times in a large directory. Only the first `most` entries are given.
fn in_order(entries: Vec<DirEntry>, most: usize) -> Vec<DirEntry> {
    let key = |entry: DirEntry| {
        let leads_to_directory = entry.target_kind.unwrap_or(entry.kind) == FileKind::Directory;
        (!leads_to_directory, entry.name.as_bytes().to_ascii_lowercase(), entry)
    };
    let mut keyed: Vec<Keyed> = entries.into_iter().map(key).collect();
    let order = |(a_last, a_lower, a): &Keyed, (b_last, b_lower, b): &Keyed| {
        (a_last, a_lower).cmp(&(b_last, b_lower)).then_with(|| a.name.cmp(&b.name))
    };
    if most < keyed.len() {
        keyed.select_nth_unstable_by(most, order);
        keyed.truncate(most);
    }
    keyed.sort_unstable_by(order);
    keyed.into_iter().map(|(_, _, entry)| entry).collect()
}

/// Whether it comes after the directories, its name in lower case, and itself.
type Keyed = (bool, Vec<u8>, DirEntry);

#[cfg(test)]
mod tests {
    use super::*;
    use aicockpit_protocol::ErrorCode;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    fn at(path: &Path) -> BytePath {
        BytePath::from(path)
    }

    fn names(listing: &Listing) -> Vec<String> {
        listing.entries.iter().map(|entry| entry.name.to_text()).collect()
    }

    #[test]
    fn stat_tells_links_from_what_they_lead_to() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "12345").unwrap();
        symlink("file", folder.path().join("link")).unwrap();
        symlink("nowhere", folder.path().join("broken")).unwrap();

        let plain = stat(&Stat { path: at(&file) }).unwrap();
        assert_eq!((plain.kind, plain.target_kind, plain.size), (FileKind::File, None, 5));

        let link = stat(&Stat { path: at(&folder.path().join("link")) }).unwrap();
        assert_eq!((link.kind, link.target_kind, link.size), (FileKind::Symlink, Some(FileKind::File), 5));
        assert_eq!(link.link_target, Some(BytePath::from("file")));
        assert_eq!(
            link.version, plain.version,
            "a link has the version of its target, which a write follows"
        );

        let broken = stat(&Stat { path: at(&folder.path().join("broken")) }).unwrap();
        assert_eq!((broken.kind, broken.target_kind), (FileKind::Symlink, None));
        assert!(!broken.writable);

        let missing = stat(&Stat { path: at(&folder.path().join("missing")) }).unwrap_err();
        assert_eq!(missing.code, ErrorCode::NotFound);
    }

    #[test]
    fn listing_puts_directories_first_and_ignores_ascii_case() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.txt", "A.txt", "a.txt", "Z"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("zoo")).unwrap();
        fs::create_dir(folder.path().join("Apes")).unwrap();
        symlink("zoo", folder.path().join("link")).unwrap();
        fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "").unwrap();

        let listing = list(&ListDirectory { path: at(folder.path()), first: None }).unwrap();
        assert_eq!(
            names(&listing),
            ["Apes", "link", "zoo", "A.txt", "a.txt", "b.txt", "caf\u{f7e9}", "Z"],
            "a name that is not UTF-8 keeps its bytes"
        );
        assert!(!listing.truncated);
    }

    #[test]
    fn listing_a_file_says_that_it_is_no_directory() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = list(&ListDirectory { path: at(file.path()), first: None }).unwrap_err();
        assert_eq!(error.code, ErrorCode::NotADirectory);
    }

    #[test]
    fn a_hundred_thousand_entries_are_all_listed() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..100_000 {
            fs::File::create(folder.path().join(format!("f{number:06}"))).unwrap();
        }
        let listing = list(&ListDirectory { path: at(folder.path()), first: None }).unwrap();
        assert_eq!((listing.entries.len(), listing.more), (100_000, false));
        let first = list(&ListDirectory { path: at(folder.path()), first: Some(1_000) }).unwrap();
        assert_eq!((&first.entries[..], first.more), (&listing.entries[..1_000], true));
        assert!(listing.entries.is_sorted_by(|a, b| a.name < b.name));
    }
}
