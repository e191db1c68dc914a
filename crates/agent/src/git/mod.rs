//! The Git state around a directory, asked of the `git` that the workspace's image has.
//!
//! A repository may come from anywhere, so nothing that its configuration names is run: no file system monitor, no
//! hooks, no content filters (except Git LFS under its own name), no fetching of missing objects, and submodules
//! are not entered, whose configuration could name all that again.

mod porcelain;
mod program;

use crate::files::{checked, failure};
use aicockpit_protocol::BytePath;
use aicockpit_protocol::agent::AgentError;
use aicockpit_protocol::fs::{GitState, GitStatus};
use program::{Output, run};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Most entries of one state.
const MAX_ENTRIES: usize = 20_000;
/// Most bytes of Git's output that are read: enough for as many entries with long paths.
const MAX_OUTPUT: usize = 16 * 1024 * 1024;
/// How long Git may take.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// What Git is told not to run, whatever the repository says.
const SAFE: [&str; 5] = [
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "protocol.allow=never",
    "status.submoduleSummary=false",
    // The folder often belongs to another user than the workspace's, which Git would refuse to look at.
    "safe.directory=*",
];

/// The state of the repository that `path` lies in; `None` outside of one, or where the image has no Git.
pub fn status(request: &GitStatus) -> Result<Option<GitState>, AgentError> {
    let path = checked(&request.path)?;
    fs::metadata(path).map_err(|error| failure("ask Git about", path, error))?;
    status_with(OsStr::new("git"), path, Instant::now() + TIME_LIMIT)
}

fn status_with(git: &OsStr, path: &Path, deadline: Instant) -> Result<Option<GitState>, AgentError> {
    let asked = |arguments: &[&OsStr]| -> Result<Option<Output>, AgentError> {
        let mut all: Vec<&OsStr> =
            vec![OsStr::new("-C"), path.as_os_str(), OsStr::new("--no-optional-locks")];
        for setting in SAFE {
            all.extend([OsStr::new("-c"), OsStr::new(setting)]);
        }
        all.extend(arguments);
        run(git, &all, MAX_OUTPUT, deadline).map_err(|error| failure("ask Git about", path, error))
    };
    let arguments = ["rev-parse", "--show-toplevel"].map(OsStr::new);
    let Some(found) = asked(&arguments)?.filter(|found| found.success) else { return Ok(None) };
    let mut root = found.bytes;
    if root.last() == Some(&b'\n') {
        root.pop();
    }
    if root.first() != Some(&b'/') {
        return Ok(None);
    }
    let arguments = ["config", "-z", "--get-regexp", r"^filter\."].map(OsStr::new);
    let filters = asked(&arguments)?.map(|found| without_filters(&found.bytes)).unwrap_or_default();
    let mut arguments: Vec<&OsStr> = filters.iter().flat_map(|filter| [OsStr::new("-c"), filter]).collect();
    let status = [
        "status",
        "--porcelain=v2",
        "-z",
        "--branch",
        "--untracked-files=normal",
        "--ignored=matching",
        "--ignore-submodules=dirty",
    ];
    arguments.extend(status.map(OsStr::new));
    let Some(found) = asked(&arguments)? else { return Ok(None) };
    if !found.success && !found.cut {
        let reason = String::from_utf8_lossy(&found.bytes).into_owned();
        let reason = if reason.is_empty() { "git status failed".to_owned() } else { reason };
        return Err(failure("ask Git about", path, std::io::Error::other(reason)));
    }
    Ok(Some(porcelain::parse(&found.bytes, BytePath::new(root), MAX_ENTRIES)))
}

/// Settings that switch off the content filters that the repository's configuration names. Git LFS stays, as long
/// as it is what `git lfs install` writes: without it every file of its would look changed.
fn without_filters(config: &[u8]) -> Vec<OsString> {
    let mut off = BTreeSet::new();
    for record in config.split(|byte| *byte == 0).filter(|record| !record.is_empty()) {
        let mut parts = record.splitn(2, |byte| *byte == b'\n');
        let (key, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let known = match key {
            b"filter.lfs.clean" => value == b"git-lfs clean -- %f",
            b"filter.lfs.smudge" => value == b"git-lfs smudge -- %f",
            b"filter.lfs.process" => value == b"git-lfs filter-process",
            b"filter.lfs.required" => true,
            _ => false,
        };
        if !known && let Some(dot) = key.iter().rposition(|byte| *byte == b'.') {
            off.insert(&key[..dot]);
        }
    }
    let settings = [".clean=", ".smudge=", ".process=", ".required=false"];
    off.iter()
        .flat_map(|filter| settings.map(|setting| OsString::from_vec([filter, setting.as_bytes()].concat())))
        .collect()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
