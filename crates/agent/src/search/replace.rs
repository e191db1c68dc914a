//! Replacing what a search found.

use super::query::{matcher, without_terminator};
use crate::files::{checked, failure, replace_content, version};
use aicockpit_protocol::agent::AgentError;
use aicockpit_protocol::fs::WriteCondition;
use aicockpit_protocol::search::{ReplaceFailure, ReplaceOutcome, ReplaceText};
use grep_matcher::{Captures, Matcher};
use grep_regex::RegexMatcher;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Largest file that is changed, in bytes.
const MAX_SIZE: u64 = 256 * 1024 * 1024;
const UTF8_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Replaces every match in the named files, line by line as the search found them. Each file is written whole or
/// left alone with a reason; one failure does not stop the others.
pub fn replace(request: &ReplaceText) -> Result<ReplaceOutcome, AgentError> {
    let matcher = matcher(&request.search)?;
    let mut outcome = ReplaceOutcome { changed: Vec::new(), replacements: 0, failed: Vec::new() };
    for path in &request.files {
        match replace_in(&matcher, request, checked(path)?) {
            Ok(count) => {
                outcome.changed.push(path.clone());
                outcome.replacements += count;
            }
            Err(error) => {
                outcome.failed.push(ReplaceFailure { path: path.clone(), reason: error.message });
            }
        }
    }
    Ok(outcome)
}

fn replace_in(matcher: &RegexMatcher, request: &ReplaceText, path: &Path) -> Result<u64, AgentError> {
    let fail = |error: io::Error| failure("change", path, error);
    let refuse = |reason: &str| fail(io::Error::new(io::ErrorKind::InvalidData, reason));
    let file = File::open(path).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    if !metadata.is_file() {
        return Err(refuse("it is not a file"));
    }
    let mut content = Vec::new();
    file.take(MAX_SIZE + 1).read_to_end(&mut content).map_err(fail)?;
    if content.len() as u64 > MAX_SIZE {
        return Err(refuse("it is too large"));
    }
    if content.starts_with(b"\xFF\xFE") || content.starts_with(b"\xFE\xFF") {
        return Err(refuse("it is UTF-16 text, which can be searched but not changed here"));
    }
    if content.contains(&0) {
        return Err(refuse("it is a binary file"));
    }
    let (changed, count) =
        replaced(matcher, &content, request.replacement.as_bytes(), request.search.regex).map_err(fail)?;
    if count == 0 {
        return Err(refuse("the text is not in it any more"));
    }
    let condition = WriteCondition::Version { version: version(&metadata) };
    replace_content(path, &condition, &changed)?;
    Ok(count)
}

/// The content with every match replaced, and their number.
fn replaced(
    matcher: &RegexMatcher,
    content: &[u8],
    replacement: &[u8],
    groups: bool,
) -> io::Result<(Vec<u8>, u64)> {
    let mut captures = matcher.new_captures().map_err(io::Error::other)?;
    let mut changed = Vec::with_capacity(content.len());
    let mut count = 0;
    // The search does not count the mark as part of the first line either.
    let text = content.strip_prefix(UTF8_MARK).unwrap_or(content);
    changed.extend_from_slice(&content[..content.len() - text.len()]);
    for whole in text.split_inclusive(|byte| *byte == b'\n') {
        let line = without_terminator(whole);
        if groups {
            let name = |name: &str| matcher.capture_index(name);
            let append = |captures: &_, out: &mut Vec<u8>| {
                count += 1;
                Captures::interpolate(captures, name, line, replacement, out);
                true
            };
            matcher
                .replace_with_captures(line, &mut captures, &mut changed, append)
                .map_err(io::Error::other)?;
        } else {
            let append = |_, out: &mut Vec<u8>| {
                count += 1;
                out.extend_from_slice(replacement);
                true
            };
            matcher.replace(line, &mut changed, append).map_err(io::Error::other)?;
        }
        changed.extend_from_slice(&whole[line.len()..]);
    }
    Ok((changed, count))
}

#[cfg(test)]
#[path = "replace_tests.rs"]
mod tests;
