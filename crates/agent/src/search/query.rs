//! What a search looks for and where, the same for searching and replacing.

use crate::files::{TRASH_NAME, checked, failure};
use aicockpit_protocol::ErrorCode;
use aicockpit_protocol::agent::AgentError;
use aicockpit_protocol::search::SearchText;
use grep_matcher::Matcher;
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, MmapChoice, Searcher, SearcherBuilder};
use ignore::overrides::{Override, OverrideBuilder};
use ignore::{DirEntry, WalkBuilder};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

/// Threads of one search: more would only take turns on the same disk, and the workspace's own work has to go on.
const MAX_THREADS: usize = 4;
/// Longest line that is searched, in bytes; a file with a longer one is passed over.
const MAX_LINE: usize = 64 * 1024 * 1024;

/// Builds the matcher of lines.
pub(super) fn matcher(search: &SearchText) -> Result<RegexMatcher, AgentError> {
    let invalid = |reason: String| {
        let what = if search.regex { "regular expression" } else { "text" };
        AgentError::new(ErrorCode::InvalidArgument, format!("this {what} cannot be searched for: {reason}"))
    };
    if search.pattern.is_empty() {
        return Err(invalid("it is empty".to_owned()));
    }
    if !search.regex && search.pattern.contains(['\n', '\r']) {
        return Err(invalid("it spans lines".to_owned()));
    }
    let mut builder = RegexMatcherBuilder::new();
    builder
        .case_insensitive(!search.case_sensitive)
        .word(search.whole_word)
        .fixed_strings(!search.regex)
        .multi_line(true)
        .line_terminator(Some(b'\n'));
    if search.regex {
        // So that `$` is the end of lines from Windows too.
        builder.crlf(true);
    }
    builder.build(&search.pattern).map_err(|error| invalid(error.to_string()))
}

/// A searcher of files, line by line, for this matcher.
pub(super) fn searcher(matcher: &RegexMatcher) -> Searcher {
    SearcherBuilder::new()
        .line_terminator(matcher.line_terminator().unwrap_or_default())
        .line_number(true)
        .binary_detection(BinaryDetection::quit(0))
        // Reading is as fast for many small files, and a mapped file that shrinks ends the process.
        .memory_map(MmapChoice::never())
        .heap_limit(Some(MAX_LINE))
        .build()
}

/// A line without its end, which matches never include.
pub(super) fn without_terminator(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The number of threads for a walk.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS)
}

/// A walk of everything below `root` that a person would call part of it: never Git's own files, never the trash.
pub(super) fn walk(root: &Path) -> WalkBuilder {
    let mut builder = WalkBuilder::new(root);
    builder
        .threads(threads())
        .hidden(false)
        // Global rules would need the user's home, which a static program must not look up; projects bring theirs.
        .git_global(false)
        .require_git(false)
        .filter_entry(|entry| !is_internal(entry));
    builder
}

fn is_internal(entry: &DirEntry) -> bool {
    let names = [".git", ".hg", ".svn", ".jj", TRASH_NAME];
    entry.depth() > 0 && names.iter().any(|name| entry.file_name() == OsStr::new(name))
}

/// Where a search looks: the walk, and which of its files count.
pub(super) struct Scope {
    pub(super) walk: WalkBuilder,
    include: Override,
}

impl Scope {
    /// The scope of a search, whose root must exist.
    pub(super) fn new(search: &SearchText) -> Result<Self, AgentError> {
        let root = checked(&search.root)?;
        fs::metadata(root).map_err(|error| failure("search", root, error))?;
        let mut walk = walk(root);
        walk.hidden(!search.include_ignored);
        if search.include_ignored {
            walk.ignore(false).git_ignore(false).git_exclude(false).parents(false);
        }
        walk.overrides(globs(root, &search.exclude, "!")?);
        // Not part of the walk's own overrides: there an included glob would bring ignored files back.
        Ok(Self { walk, include: globs(root, &search.include, "")? })
    }

    /// Which files count.
    pub(super) fn include(&self) -> Override {
        self.include.clone()
    }
}

/// Whether a file counts.
pub(super) fn is_included(include: &Override, path: &Path) -> bool {
    include.is_empty() || include.matched(path, false).is_whitelist()
}

/// People write `src`, `*.rs` or `docs/**`: a name stands for the file or everything in the folder of that name.
fn globs(root: &Path, globs: &[String], prefix: &str) -> Result<Override, AgentError> {
    let invalid = |error: ignore::Error| {
        AgentError::new(
            ErrorCode::InvalidArgument,
            format!("this pattern of file names is not valid: {error}"),
        )
    };
    let mut builder = OverrideBuilder::new(root);
    for glob in globs {
        let glob = glob.trim();
        let glob = glob.strip_prefix("./").unwrap_or(glob).trim_end_matches('/');
        if glob.is_empty() {
            continue;
        }
        builder.add(&format!("{prefix}{glob}")).map_err(invalid)?;
        let anywhere = if glob.contains('/') { "" } else { "**/" };
        builder.add(&format!("{prefix}{anywhere}{glob}/**")).map_err(invalid)?;
    }
    builder.build().map_err(invalid)
}
