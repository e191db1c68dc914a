//! Files of a workspace. Every path is absolute inside the container unless said otherwise.

use crate::BytePath;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Largest piece of a file in one request or reply, in bytes. Larger files are read by ranges and written by upload.
pub const MAX_FILE_CHUNK: usize = 8 * 1024 * 1024;
/// Largest number of entries in one listing; a longer directory is cut and says so.
pub const MAX_LISTING: usize = 200_000;

/// What a directory entry is, links not followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, socket or pipe.
    Other,
}

/// A file's state at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct FileStat {
    /// What it is, links not followed.
    pub kind: FileKind,
    /// What a link leads to; absent for a broken link or where `kind` is no link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub target_kind: Option<FileKind>,
    /// Where a link points, as written in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub link_target: Option<BytePath>,
    /// Size in bytes (of the target, for a link).
    pub size: u64,
    /// Last change of the content, milliseconds since 1970.
    pub modified_ms: i64,
    /// Permission bits.
    pub mode: u32,
    /// Whether the workspace's user may write it.
    pub writable: bool,
    /// Opaque token that changes when the content may have changed (device, inode, size, mtime in ns).
    pub version: String,
}

/// One entry of a listing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct DirEntry {
    /// Name without directory.
    pub name: BytePath,
    /// What it is, links not followed.
    pub kind: FileKind,
    /// What a link leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub target_kind: Option<FileKind>,
}

/// Asks for a file's state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct Stat {
    /// The file.
    pub path: BytePath,
}

/// Asks for a directory's entries.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct ListDirectory {
    /// The directory.
    pub path: BytePath,
    /// Only so many entries, the first in order; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub first: Option<u32>,
}

/// A directory's entries, sorted: directories first, then by name bytes without regard to ASCII case.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct Listing {
    /// The entries.
    pub entries: Vec<DirEntry>,
    /// True when the directory holds more than [`MAX_LISTING`].
    pub truncated: bool,
    /// True when there are more than were asked for.
    #[serde(default)]
    pub more: bool,
}

/// Asks for a range of a file; the bytes come in the reply's body.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct ReadFile {
    /// The file.
    pub path: BytePath,
    /// First byte.
    pub offset: u64,
    /// Number of bytes wanted, at most [`MAX_FILE_CHUNK`]; fewer come at the end of the file.
    pub length: u32,
}

/// What a write expects to find.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum WriteCondition {
    /// Overwrite whatever is there.
    Any,
    /// The file does not exist.
    Missing,
    /// The file has this version ([`FileStat::version`]), or already holds exactly the content sent (a retry).
    Version {
        /// The version the editor last saw.
        version: String,
    },
}

/// Replaces a file's content with the request's body, atomically, keeping its permissions. A write in place
/// happens only where a rename would change meaning: hard links, mount points, folders that are not writable.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct WriteFile {
    /// The file; a link is followed.
    pub path: BytePath,
    /// What must be there; otherwise [`Conflict`](crate::ErrorCode::Conflict) and nothing is written.
    pub condition: WriteCondition,
    /// Make missing parent directories.
    #[serde(default)]
    pub create_parents: bool,
}

/// Makes a directory, with its parents.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct MakeDirectory {
    /// The directory.
    pub path: BytePath,
}

/// Renames or moves a file or directory.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct Rename {
    /// What to move.
    pub from: BytePath,
    /// Its new full path.
    pub to: BytePath,
    /// Replace an existing file; otherwise [`AlreadyExists`](crate::ErrorCode::AlreadyExists).
    #[serde(default)]
    pub overwrite: bool,
}

/// Copies a file or a directory tree.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct Copy {
    /// What to copy.
    pub from: BytePath,
    /// The copy's full path.
    pub to: BytePath,
}

/// Moves files to the trash, from where [`RestoreTrash`] brings them back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct TrashFiles {
    /// What to delete.
    pub paths: Vec<BytePath>,
}

/// What was put into the trash together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct Trashed {
    /// Names this deletion for [`RestoreTrash`].
    pub token: String,
}

/// Brings back what one [`TrashFiles`] took. Fails with `AlreadyExists` where something new stands in its place.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct RestoreTrash {
    /// From [`Trashed::token`].
    pub token: String,
}

/// Sets the directories to watch, replacing the set before. Not recursive: the tree watches what it shows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct WatchDirectories {
    /// The directories.
    pub paths: Vec<BytePath>,
}

/// Directories whose entries or files changed. Changes within some 50 ms come together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct FilesChanged {
    /// Directories to list again; their open files may have changed too.
    pub directories: Vec<BytePath>,
    /// Events were lost: everything watched should be read again.
    pub rescan: bool,
}

/// Asks for the Git state of the repository around a path.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct GitStatus {
    /// A directory inside the repository.
    pub path: BytePath,
}

/// How one path differs from the last commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum GitChange {
    /// Content or mode differs.
    Modified,
    /// Added to the index.
    Added,
    /// Deleted.
    Deleted,
    /// Renamed or copied.
    Renamed,
    /// Not known to Git.
    Untracked,
    /// Ignored by rule.
    Ignored,
    /// In a merge conflict.
    Conflicted,
}

/// A changed path.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct GitEntry {
    /// Absolute path; of a directory where all within it is untracked or ignored.
    pub path: BytePath,
    /// How it differs.
    pub change: GitChange,
}

/// The Git state of a repository.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct GitState {
    /// The work tree's root.
    pub root: BytePath,
    /// The branch, or a short commit id when detached; absent before the first commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub branch: Option<String>,
    /// Commits that the upstream lacks.
    pub ahead: u32,
    /// Commits of the upstream that are missing here.
    pub behind: u32,
    /// Changed paths, cut at 20,000.
    pub entries: Vec<GitEntry>,
}
