//! Search in files and quick open. Results stream; dropping the stream cancels.

use crate::BytePath;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A text search.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct SearchText {
    /// Directory to search.
    pub root: BytePath,
    /// What to look for.
    pub pattern: String,
    /// The pattern is a regular expression (Rust regex syntax).
    #[serde(default)]
    pub regex: bool,
    /// Upper and lower case differ.
    #[serde(default)]
    pub case_sensitive: bool,
    /// Match whole words only.
    #[serde(default)]
    pub whole_word: bool,
    /// Globs of files to search; empty for all.
    #[serde(default)]
    pub include: Vec<String>,
    /// Globs of files to leave out.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Search ignored (.gitignore) and hidden files too.
    #[serde(default)]
    pub include_ignored: bool,
    /// Stop after this many matching lines; at most 100,000.
    pub max_matches: u32,
}

/// A match inside a line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct MatchRange {
    /// First UTF-16 code unit within [`LineMatch::text`].
    pub start: u32,
    /// One past the last.
    pub end: u32,
}

/// A line with matches.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct LineMatch {
    /// Line number from 1.
    pub line: u64,
    /// Where `text` begins in the line, in UTF-16 code units; above 0 only where a long line was cut.
    pub column: u32,
    /// The line, invalid UTF-8 replaced, cut to 400 characters around the first match.
    pub text: String,
    /// The matches within `text`.
    pub ranges: Vec<MatchRange>,
}

/// The matches of one file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct FileMatches {
    /// The file.
    pub path: BytePath,
    /// Its matching lines, in order.
    pub lines: Vec<LineMatch>,
}

/// One message of a search stream.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum SearchMessage {
    /// Some files' matches.
    Matches {
        /// The files.
        files: Vec<FileMatches>,
    },
    /// The last message.
    Done {
        /// Files searched.
        files_searched: u64,
        /// Matching lines found.
        matches: u64,
        /// More matches exist than were asked for.
        limited: bool,
    },
}

/// Replaces every match of a search in the named files. Each file is written atomically; one that changed since
/// its version was read by this call is left alone and reported.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct ReplaceText {
    /// What to look for; `max_matches` is not used.
    pub search: SearchText,
    /// The replacement; with a regular expression `$1` and `${name}` stand for groups.
    pub replacement: String,
    /// The files to change.
    pub files: Vec<BytePath>,
}

/// What a replacement did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct ReplaceOutcome {
    /// Files changed.
    pub changed: Vec<BytePath>,
    /// Matches replaced.
    pub replacements: u64,
    /// Files not changed, with the reason.
    pub failed: Vec<ReplaceFailure>,
}

/// A file that a replacement could not change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct ReplaceFailure {
    /// The file.
    pub path: BytePath,
    /// Why.
    pub reason: String,
}

/// Fuzzy search for file names (quick open). The first call walks the tree, later ones use what it found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct FindFiles {
    /// Directory to look in.
    pub root: BytePath,
    /// What was typed.
    pub query: String,
    /// Results wanted, at most 500.
    pub limit: u32,
}

/// A file found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct FoundFile {
    /// Path relative to the root.
    pub path: BytePath,
    /// Positions of matched characters in the path's text form, for highlighting.
    pub positions: Vec<u32>,
}

/// Files found, best first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct FoundFiles {
    /// The files.
    pub files: Vec<FoundFile>,
    /// Paths known so far.
    pub indexed: u64,
    /// The tree is still being walked: ask again for more.
    pub indexing: bool,
}
