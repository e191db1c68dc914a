//! Text search over a tree, in parallel, with results as they come.

use super::line::{REACH, line_match};
use super::query::{Scope, is_included, matcher, searcher, without_terminator};
use aicockpit_protocol::agent::AgentError;
use aicockpit_protocol::search::{FileMatches, LineMatch, SearchMessage, SearchText};
use aicockpit_protocol::{BytePath, ErrorCode};
use grep_matcher::Matcher;
use grep_regex::RegexMatcher;
use grep_searcher::{Searcher, Sink, SinkFinish, SinkMatch};
use ignore::overrides::Override;
use ignore::{DirEntry, WalkState};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Most lines that a search may ask for.
const MAX_MATCHES: u32 = 100_000;
/// Results within this time come as one message, after the very first.
const GATHER: Duration = Duration::from_millis(15);
/// Lines that are sent at once without waiting for more.
const BATCH: usize = 200;
/// Files' results that may wait for a slow receiver; then the search waits too.
const QUEUE: usize = 256;
/// How often a search without results looks whether it was cancelled.
const CHECK: Duration = Duration::from_millis(50);

/// Searches, handing messages to `sink` from this thread, the last one [`SearchMessage::Done`].
///
/// It ends early with [`ErrorCode::Cancelled`] once `cancelled` is set or `sink` returns false. A file's lines come
/// in order; a file with many may come in several pieces.
pub fn text(
    search: &SearchText,
    cancelled: &AtomicBool,
    sink: &mut dyn FnMut(SearchMessage) -> bool,
) -> Result<(), AgentError> {
    let matcher = matcher(search)?;
    let scope = Scope::new(search)?;
    let progress = Progress {
        cancelled,
        stopped: AtomicBool::new(false),
        answered: AtomicBool::new(false),
        limited: AtomicBool::new(false),
        files: AtomicU64::new(0),
        lines: AtomicU64::new(0),
        limit: u64::from(search.max_matches.clamp(1, MAX_MATCHES)),
    };
    let (sender, receiver) = sync_channel(QUEUE);
    let wanted = thread::scope(|threads| {
        threads.spawn(|| search_tree(&scope, &matcher, &progress, sender));
        forward(&receiver, &progress, sink)
    });
    if !wanted || cancelled.load(Ordering::Relaxed) {
        return Err(AgentError::new(ErrorCode::Cancelled, "the search was cancelled"));
    }
    sink(SearchMessage::Done {
        files_searched: progress.files.into_inner(),
        matches: progress.lines.into_inner().min(progress.limit),
        limited: progress.limited.into_inner(),
    });
    Ok(())
}

struct Progress<'a> {
    cancelled: &'a AtomicBool,
    stopped: AtomicBool,
    /// Whether a first result is on its way.
    answered: AtomicBool,
    limited: AtomicBool,
    files: AtomicU64,
    lines: AtomicU64,
    limit: u64,
}

impl Progress<'_> {
    fn ended(&self) -> bool {
        self.stopped.load(Ordering::Relaxed) || self.cancelled.load(Ordering::Relaxed)
    }
}

fn search_tree(
    scope: &Scope,
    matcher: &RegexMatcher,
    progress: &Progress<'_>,
    results: SyncSender<FileMatches>,
) {
    scope.walk.build_parallel().run(|| {
        let mut worker = Worker {
            searcher: searcher(matcher),
            matcher: matcher.clone(),
            include: scope.include(),
            progress,
            results: results.clone(),
        };
        Box::new(move |entry| worker.visit(entry))
    });
}

struct Worker<'a> {
    searcher: Searcher,
    matcher: RegexMatcher,
    include: Override,
    progress: &'a Progress<'a>,
    results: SyncSender<FileMatches>,
}

impl Worker<'_> {
    fn visit(&mut self, entry: Result<DirEntry, ignore::Error>) -> WalkState {
        if self.progress.ended() {
            return WalkState::Quit;
        }
        // What cannot be read is passed over, as by every search tool.
        let Ok(entry) = entry else { return WalkState::Continue };
        let is_file = entry.file_type().is_some_and(|kind| kind.is_file())
            || (entry.depth() == 0 && entry.path().is_file());
        if is_file && is_included(&self.include, entry.path()) {
            self.search(entry.path());
        }
        if self.progress.ended() { WalkState::Quit } else { WalkState::Continue }
    }

    fn search(&mut self, path: &Path) {
        let Ok(file) = File::open(path) else { return };
        self.progress.files.fetch_add(1, Ordering::Relaxed);
        let mut found = Found {
            path,
            matcher: &self.matcher,
            progress: self.progress,
            results: &self.results,
            lines: Vec::new(),
            since: Instant::now(),
        };
        let reader = Interruptible { file, progress: self.progress };
        let _ = self.searcher.search_reader(&self.matcher, reader, &mut found);
        found.send();
    }
}

/// A file that ends with an error once the search has ended: one huge file must not hold a cancelled search up.
struct Interruptible<'a> {
    file: File,
    progress: &'a Progress<'a>,
}

impl Read for Interruptible<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.progress.ended() {
            return Err(io::Error::other("the search has ended"));
        }
        self.file.read(buffer)
    }
}

/// The matches of one file.
struct Found<'a> {
    path: &'a Path,
    matcher: &'a RegexMatcher,
    progress: &'a Progress<'a>,
    results: &'a SyncSender<FileMatches>,
    lines: Vec<LineMatch>,
    since: Instant,
}

impl Found<'_> {
    fn send(&mut self) {
        self.since = Instant::now();
        let lines = std::mem::take(&mut self.lines);
        if !lines.is_empty()
            && self.results.send(FileMatches { path: BytePath::from(self.path), lines }).is_err()
        {
            self.progress.stopped.store(true, Ordering::Relaxed);
        }
    }
}

impl Sink for Found<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, io::Error> {
        if self.progress.ended() {
            return Ok(false);
        }
        if self.progress.lines.fetch_add(1, Ordering::Relaxed) >= self.progress.limit {
            self.progress.limited.store(true, Ordering::Relaxed);
            self.progress.stopped.store(true, Ordering::Relaxed);
            return Ok(false);
        }
        let line = without_terminator(found.bytes());
        let mut ranges = Vec::new();
        self.matcher
            .find_iter(line, |found| {
                ranges.push(found.start()..found.end());
                found.start() < ranges[0].start + REACH
            })
            .map_err(io::Error::other)?;
        self.lines.push(line_match(found.line_number().unwrap_or(1), line, &ranges));
        let first = !self.progress.answered.swap(true, Ordering::Relaxed);
        if first || self.lines.len() >= BATCH || self.since.elapsed() > GATHER {
            self.send();
        }
        Ok(true)
    }

    fn finish(&mut self, _: &Searcher, finish: &SinkFinish) -> Result<(), io::Error> {
        if finish.binary_byte_offset().is_some() {
            // Text that turned out to be the head of a binary file.
            self.lines.clear();
        }
        Ok(())
    }
}

/// Hands results on in batches, until all came; false if the receiver wants no more.
fn forward(
    results: &Receiver<FileMatches>,
    progress: &Progress<'_>,
    sink: &mut dyn FnMut(SearchMessage) -> bool,
) -> bool {
    let mut batch: Vec<FileMatches> = Vec::new();
    let mut lines = 0;
    let mut first = true;
    let mut due = Instant::now();
    loop {
        let wait = if batch.is_empty() { CHECK } else { due.saturating_duration_since(Instant::now()) };
        let received = results.recv_timeout(wait);
        let ended = matches!(received, Err(RecvTimeoutError::Disconnected));
        if let Ok(file) = received {
            if batch.is_empty() {
                due = Instant::now() + GATHER;
            }
            lines += file.lines.len();
            match batch.iter_mut().rev().find(|known| known.path == file.path) {
                Some(known) => known.lines.extend(file.lines),
                None => batch.push(file),
            }
        }
        let full = first || lines >= BATCH || due <= Instant::now();
        if !batch.is_empty() && (ended || full) {
            (first, lines) = (false, 0);
            if progress.cancelled.load(Ordering::Relaxed)
                || !sink(SearchMessage::Matches { files: std::mem::take(&mut batch) })
            {
                progress.stopped.store(true, Ordering::Relaxed);
                // Senders may be waiting for room.
                results.iter().for_each(drop);
                return false;
            }
        }
        if ended {
            return true;
        }
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
