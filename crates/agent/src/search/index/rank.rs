//! Fuzzy matching and ranking over all known files within a keystroke.
//!
//! Files whose *name* matches well come before those where only the whole path does: that is what people mean, and
//! it lets short queries, which match nearly every path, be answered from the names alone. What cannot match is ruled
//! out by exact tests on bytes, a directory's path being tested once for all its files; nucleo scores the rest.

use super::super::query::threads;
use super::piece::{NON_ASCII, Piece, mask};
use aicockpit_protocol::BytePath;
use aicockpit_protocol::search::FoundFile;
use nucleo_matcher::pattern::{Atom, AtomKind, CaseMatching, Normalization};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Below this many files, starting threads costs more than it gains.
const SINGLE_THREAD: usize = 30_000;
/// A name is close to what was typed up to this many times as long and [`SLACK`] more; in a longer one the letters
/// could be scattered anywhere.
const STRETCH: usize = 3;
/// Length of an ending and the like.
const SLACK: usize = 4;

/// What was typed: words that must all match.
pub(super) struct Query {
    words: Vec<Word>,
    /// Names alone cannot match: a directory is part of what was typed.
    whole_paths_only: bool,
    /// Length of a name up to which letters in the right order are enough.
    close: usize,
}

struct Word {
    atom: Atom,
    /// In lower case; `None` where it is not ASCII and the exact tests do not apply.
    bytes: Option<Vec<u8>>,
    mask: u32,
}

impl Query {
    pub(super) fn new(text: &str) -> Self {
        let words = text.split_whitespace().map(|word| {
            let atom = Atom::new(word, CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy, false);
            let bytes = word.is_ascii().then(|| word.to_ascii_lowercase().into_bytes());
            Word { atom, mask: mask(word.as_bytes()), bytes }
        });
        let words: Vec<Word> = words.collect();
        let typed: usize = words.iter().map(|word| word.atom.needle_text().len()).sum();
        Self { words, whole_paths_only: text.contains('/'), close: typed * STRETCH + SLACK }
    }
}

/// What of a file has to match.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    Path,
    Name,
}

/// A matching file; the greatest is the best.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ranked {
    tier: Tier,
    score: u32,
    length: Reverse<usize>,
    place: Reverse<(usize, u32, u32)>,
}

/// The best files, at most `limit`, best first.
pub(super) fn best(pieces: &[Arc<Piece>], query: &Query, limit: usize) -> Vec<FoundFile> {
    let mut found = Vec::new();
    if !query.whole_paths_only {
        found = ranked(pieces, query, Tier::Name, limit);
    }
    if found.len() < limit && !query.words.is_empty() {
        let more = ranked(pieces, query, Tier::Path, limit - found.len());
        found.extend(more);
    }
    let mut matcher = matcher();
    let mut files: Vec<_> =
        found.into_iter().map(|ranked| (ranked, describe(pieces, query, &ranked, &mut matcher))).collect();
    // Which of two equals comes first must not depend on the order in which threads met them.
    files.sort_by(|(a, a_file), (b, b_file)| {
        let rank = |of: &Ranked| (of.tier, of.score, of.length);
        rank(b).cmp(&rank(a)).then_with(|| a_file.path.cmp(&b_file.path))
    });
    files.into_iter().map(|(_, file)| file).collect()
}

fn matcher() -> Matcher {
    let mut config = Config::DEFAULT.match_paths();
    config.prefer_prefix = true;
    Matcher::new(config)
}

fn ranked(pieces: &[Arc<Piece>], query: &Query, tier: Tier, limit: usize) -> Vec<Ranked> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut ranking =
            Ranking { query, tier, limit, matcher: matcher(), best: BinaryHeap::new(), text: Vec::new() };
        while let Some(piece) = {
            let number = next.fetch_add(1, Ordering::Relaxed);
            pieces.get(number).map(|piece| (number, piece))
        } {
            ranking.add(piece.0, piece.1);
        }
        ranking.best
    };
    let files: usize = pieces.iter().map(|piece| piece.len()).sum();
    let helpers = if files < SINGLE_THREAD { 0 } else { threads() - 1 };
    let mut all = thread::scope(|scope| {
        let running: Vec<_> = (0..helpers).map(|_| scope.spawn(work)).collect();
        let mut all = work().into_vec();
        for helper in running {
            all.extend(helper.join().map(BinaryHeap::into_vec).unwrap_or_default());
        }
        all
    });
    all.sort_unstable();
    all.truncate(limit);
    all.into_iter().map(|Reverse(ranked)| ranked).collect()
}

/// One thread's share of the ranking.
struct Ranking<'a> {
    query: &'a Query,
    tier: Tier,
    limit: usize,
    matcher: Matcher,
    /// The best so far, the worst of them on top.
    best: BinaryHeap<Reverse<Ranked>>,
    text: Vec<char>,
}

impl Ranking<'_> {
    fn add(&mut self, number: usize, piece: &Piece) {
        let mut whole = Vec::new();
        let mut begun = vec![0; self.query.words.len()];
        for (index, (directory, files)) in (0u32..).zip(piece.directories()) {
            for (begun, word) in begun.iter_mut().zip(&self.query.words) {
                *begun = word.bytes.as_deref().map_or(0, |bytes| consumed(bytes, directory));
            }
            let directory_mask = mask(directory);
            for file in files {
                let (name, name_mask) = (piece.name(file), piece.mask(file));
                let by_name =
                    if self.query.whole_paths_only { None } else { self.score_name(name, name_mask) };
                let score = match (self.tier, by_name) {
                    (Tier::Name, score) => score,
                    (Tier::Path, Some(_)) => None,
                    (Tier::Path, None) => {
                        if !self.may_match(name, name_mask | directory_mask, Some(&begun)) {
                            continue;
                        }
                        whole.clear();
                        whole.extend_from_slice(directory);
                        whole.extend_from_slice(name);
                        self.score(&whole)
                    }
                };
                if let Some(score) = score {
                    let length = Reverse(directory.len() + name.len());
                    self.keep(Ranked {
                        tier: self.tier,
                        score,
                        length,
                        place: Reverse((number, index, file)),
                    });
                }
            }
        }
    }

    /// The score of a name that matches well by itself: it is short, or has the words as they were typed.
    fn score_name(&mut self, name: &[u8], mask: u32) -> Option<u32> {
        let as_typed = |word: &Word| word.bytes.as_deref().is_some_and(|bytes| contains(name, bytes));
        if !self.may_match(name, mask, None)
            || (name.len() > self.query.close && !self.query.words.iter().all(as_typed))
        {
            return None;
        }
        self.score(name)
    }

    /// False where nucleo could not find all words. `begun` tells how much of each word the directory has.
    fn may_match(&self, name: &[u8], mask: u32, begun: Option<&[usize]>) -> bool {
        self.query.words.iter().enumerate().all(|(index, word)| {
            if mask & NON_ASCII != 0 {
                // An accented letter matches the plain one: only nucleo can tell.
                return true;
            }
            let Some(bytes) = &word.bytes else { return false };
            let rest = &bytes[begun.map_or(0, |begun| begun[index])..];
            word.mask & !mask == 0 && consumed(rest, name) == rest.len()
        })
    }

    fn score(&mut self, bytes: &[u8]) -> Option<u32> {
        let text = haystack(bytes, &mut self.text);
        let mut sum = 0;
        for word in &self.query.words {
            sum += u32::from(word.atom.score(text, &mut self.matcher)?);
        }
        Some(sum)
    }

    fn keep(&mut self, ranked: Ranked) {
        if self.best.len() < self.limit {
            self.best.push(Reverse(ranked));
        } else if let Some(mut worst) = self.best.peek_mut()
            && worst.0 < ranked
        {
            *worst = Reverse(ranked);
        }
    }
}

/// How many bytes of `word` come in this order in `text`, without regard to ASCII case. Taking each byte as early
/// as it comes finds the most.
fn consumed(word: &[u8], text: &[u8]) -> usize {
    let mut count = 0;
    for byte in text {
        match word.get(count) {
            Some(wanted) if *wanted == byte.to_ascii_lowercase() => count += 1,
            Some(_) => {}
            None => break,
        }
    }
    count
}

/// Whether `word`, in lower case, is in `text` in one piece.
fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

fn haystack<'a>(bytes: &'a [u8], text: &'a mut Vec<char>) -> Utf32Str<'a> {
    if bytes.is_ascii() {
        return Utf32Str::Ascii(bytes);
    }
    text.clear();
    text.extend(BytePath::new(bytes).to_text().chars());
    Utf32Str::Unicode(text)
}

fn describe(pieces: &[Arc<Piece>], query: &Query, ranked: &Ranked, matcher: &mut Matcher) -> FoundFile {
    let Reverse((number, directory, file)) = ranked.place;
    let Some(piece) = pieces.get(number) else {
        return FoundFile { path: BytePath::default(), positions: Vec::new() };
    };
    let (directory, name) = (piece.directory(directory), piece.name(file));
    let path = BytePath::new([directory, name].concat());
    let (before, matched) = match ranked.tier {
        Tier::Name => (BytePath::new(directory).to_text().chars().count(), name),
        Tier::Path => (0, path.as_bytes()),
    };
    let mut buffer = Vec::new();
    let text = haystack(matched, &mut buffer);
    let mut characters = Vec::new();
    for word in &query.words {
        word.atom.indices(text, matcher, &mut characters);
    }
    characters.sort_unstable();
    characters.dedup();
    let starts: Vec<u32> = path
        .to_text()
        .chars()
        .scan(0, |at, ch| {
            let start = *at;
            *at += u32::from(ch.len_utf16() == 2) + 1;
            Some(start)
        })
        .collect();
    let positions =
        characters.into_iter().filter_map(|at| starts.get(before + at as usize).copied()).collect();
    FoundFile { path, positions }
}
