//! Deleting in a way that can be taken back.
//!
//! A deletion is a rename, so the trash has to be on the same file system: in the user's data folder where that
//! is the case, else in a folder [`TRASH_NAME`] at the top of the file system (or of the part that the user may
//! write), which keeps itself out of Git. The token names the folders that one deletion went to.

use super::error::{checked, failure};
use super::staged::temporary_name;
use super::tree::{move_new, remove};
use aicockpit_protocol::agent::AgentError;
use aicockpit_protocol::fs::{RestoreTrash, TrashFiles, Trashed};
use aicockpit_protocol::{BytePath, ErrorCode};
use nix::unistd::{AccessFlags, access};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The trash folder's name where it cannot be in the user's data folder.
pub const TRASH_NAME: &str = ".aicockpit-trash";
/// Deletions kept in one trash folder.
const MAX_DELETIONS: usize = 20;
/// How long a deletion is kept, once another one follows it.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// The list of what a deletion took, inside its folder.
const LIST_NAME: &str = "list";

/// What one deletion put into one trash folder: each path, stored under its position.
#[derive(Serialize, Deserialize)]
struct TrashList {
    paths: Vec<BytePath>,
}

/// Moves files to the trash: all of them, or none.
pub fn trash(request: &TrashFiles) -> Result<Trashed, AgentError> {
    let home = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share")));
    let home = home.map(|data| data.join("aicockpit/trash"));
    let trashed = trash_into(&request.paths, home.as_deref(), SystemTime::now())?;
    let folders = folders_of(&trashed.token)?;
    // A large tree takes long to remove, and nobody waits for it.
    let purge = move || {
        folders.iter().filter_map(|folder| folder.parent()).for_each(|root| purge(root, SystemTime::now()))
    };
    let _ = std::thread::Builder::new().name("trash".to_owned()).spawn(purge);
    Ok(trashed)
}

fn trash_into(paths: &[BytePath], home: Option<&Path>, now: SystemTime) -> Result<Trashed, AgentError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let id = format!("{since:013}-{}-{number}", std::process::id());

    let paths = outermost(paths)?;
    let mut folders: Vec<(PathBuf, Vec<&Path>)> = Vec::new();
    for path in paths {
        let fail = |error: io::Error| failure("delete", path, error);
        let root = root_for(path, home).map_err(fail)?;
        match folders.iter_mut().find(|(folder, _)| folder.parent() == Some(&root)) {
            Some((_, taken)) => taken.push(path),
            None => folders.push((root.join(&id), vec![path])),
        }
    }
    let mut moved: Vec<(PathBuf, &Path)> = Vec::new();
    for (folder, taken) in &folders {
        if let Err(error) = put(folder, taken, &mut moved) {
            for (stored, path) in moved.iter().rev() {
                let _ = move_new(stored, path);
            }
            for (folder, _) in &folders {
                // Only if it is empty but for the list: a file that could not go back must not be lost.
                let _ = fs::remove_file(folder.join(LIST_NAME));
                let _ = fs::remove_dir(folder);
            }
            return Err(error);
        }
    }
    Ok(Trashed { token: token(folders.iter().map(|(folder, _)| folder)) })
}

fn put<'a>(
    folder: &Path,
    paths: &[&'a Path],
    moved: &mut Vec<(PathBuf, &'a Path)>,
) -> Result<(), AgentError> {
    let fail = |error: io::Error| failure("make the trash folder", folder, error);
    fs::create_dir_all(folder).map_err(fail)?;
    let list = TrashList { paths: paths.iter().map(|path| BytePath::from(*path)).collect() };
    let list = rmp_serde::to_vec_named(&list).map_err(|error| fail(io::Error::other(error)))?;
    fs::write(folder.join(LIST_NAME), list).map_err(fail)?;
    for (index, path) in paths.iter().enumerate() {
        let stored = folder.join(index.to_string());
        move_new(path, &stored).map_err(|error| failure("delete", path, error))?;
        moved.push((stored, path));
    }
    Ok(())
}

/// The paths without those that lie below another one of them.
fn outermost(paths: &[BytePath]) -> Result<Vec<&Path>, AgentError> {
    let mut sorted = paths.iter().map(checked).collect::<Result<Vec<_>, _>>()?;
    sorted.sort_unstable();
    let mut kept: Vec<&Path> = Vec::with_capacity(sorted.len());
    for path in sorted {
        if path.file_name().is_none() {
            return Err(AgentError::new(
                ErrorCode::InvalidArgument,
                format!("{} cannot be deleted", path.display()),
            ));
        }
        if !kept.last().is_some_and(|last| path.starts_with(last)) {
            kept.push(path);
        }
    }
    Ok(kept)
}

/// The trash folder for `path`, made if it is missing.
fn root_for(path: &Path, home: Option<&Path>) -> io::Result<PathBuf> {
    fs::symlink_metadata(path)?;
    let parent = path.parent().unwrap_or(Path::new("/"));
    let device = fs::metadata(parent)?.dev();
    if let Some(home) = home
        && !home.starts_with(path)
        && fs::create_dir_all(home).is_ok()
        && fs::metadata(home)?.dev() == device
    {
        return Ok(home.to_owned());
    }
    // From the top of the file system down to the folder itself, the first that may be written.
    let parent = fs::canonicalize(parent)?;
    let same_device = |folder: &&Path| fs::metadata(folder).is_ok_and(|found| found.dev() == device);
    let candidates = parent.ancestors().take_while(same_device).collect::<Vec<_>>();
    let top = candidates.into_iter().rev().find(|folder| access(*folder, AccessFlags::W_OK).is_ok());
    let root = top.unwrap_or(&parent).join(TRASH_NAME);
    if !root.is_dir() {
        make_root(&root)?;
    }
    Ok(root)
}

/// Makes the folder with the file that hides it from Git already in it.
fn make_root(root: &Path) -> io::Result<()> {
    let making = temporary_name(root.parent().unwrap_or(Path::new("/")));
    fs::create_dir(&making)?;
    let made = fs::write(making.join(".gitignore"), "*\n").and_then(|()| fs::rename(&making, root));
    if made.is_err() {
        let _ = fs::remove_dir_all(&making);
    }
    // Another deletion may have been quicker.
    if root.is_dir() { Ok(()) } else { made }
}

/// Brings back what one deletion took. Looks at every place first, so that it brings back all or nothing.
pub fn restore_trash(request: &RestoreTrash) -> Result<(), AgentError> {
    let mut back: Vec<(PathBuf, PathBuf)> = Vec::new();
    let folders = folders_of(&request.token)?;
    for folder in &folders {
        let gone =
            || AgentError::new(ErrorCode::NotFound, "what was deleted is no longer in the trash".to_owned());
        let list = fs::read(folder.join(LIST_NAME)).map_err(|_| gone())?;
        let list: TrashList = rmp_serde::from_slice(&list).map_err(|_| gone())?;
        for (index, path) in list.paths.into_iter().enumerate() {
            let stored = folder.join(index.to_string());
            if fs::symlink_metadata(&stored).is_ok() {
                back.push((stored, checked(&path)?.to_owned()));
            }
        }
    }
    for (_, path) in &back {
        if fs::symlink_metadata(path).is_ok() {
            return Err(failure("bring back", path, nix::errno::Errno::EEXIST));
        }
    }
    for (stored, path) in &back {
        let fail = |error: io::Error| failure("bring back", path, error);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(fail)?;
        }
        move_new(stored, path).map_err(fail)?;
    }
    for folder in &folders {
        let _ = fs::remove_dir_all(folder);
    }
    Ok(())
}

/// Removes the deletions of one trash folder that are too many or too old. The newest always stays.
fn purge(root: &Path, now: SystemTime) {
    let Ok(entries) = fs::read_dir(root) else { return };
    let mut deletions: Vec<(u64, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let since = name.to_str()?.split('-').next()?.parse().ok()?;
            Some((since, entry.path()))
        })
        .collect();
    deletions.sort_unstable();
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let oldest = u64::try_from(now.saturating_sub(MAX_AGE).as_millis()).unwrap_or(u64::MAX);
    for (position, (since, folder)) in deletions.iter().rev().enumerate().skip(1) {
        if position >= MAX_DELETIONS || *since < oldest {
            let _ = remove(folder);
        }
    }
}

/// The token: each folder's path in hexadecimal, so that a deletion is found again without an index.
fn token<'a>(folders: impl Iterator<Item = &'a PathBuf>) -> String {
    let hex = |folder: &PathBuf| {
        folder.as_os_str().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    folders.map(hex).collect::<Vec<_>>().join(".")
}

fn folders_of(token: &str) -> Result<Vec<PathBuf>, AgentError> {
    let folder = |hex: &str| {
        let digits =
            hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        let path = PathBuf::from(OsString::from_vec(digits.collect::<Option<Vec<u8>>>()?));
        let root = path.parent()?;
        let ours = root.ends_with(TRASH_NAME) || root.ends_with("aicockpit/trash");
        (path.is_absolute() && ours).then_some(path)
    };
    token
        .split('.')
        .filter(|part| !part.is_empty())
        .map(|part| {
            folder(part).ok_or_else(|| {
                AgentError::new(ErrorCode::InvalidArgument, "this names no deletion".to_owned())
            })
        })
        .collect()
}

#[cfg(test)]
#[path = "trash_tests.rs"]
mod tests;
