//! Fuzzy matching and ranking over all known files within a keystroke.
//!
//! Files whose *name* matches well come before those where only the whole path does: that is what people mean, and
//! it lets short queries, which match nearly every path, be answered from the names alone. What cannot match is ruled
//! out by exact tests on bytes, a directory's path being tested once for all its files. Of the rest nucleo scores only
//! what could still get among the best: a bound on the score is much cheaper than the score.

use super::super::query::threads;
use super::piece::{NON_ASCII, Piece, mask};
use aicockpit_protocol::BytePath;
use aicockpit_protocol::search::FoundFile;
use nucleo_matcher::pattern::{Atom, AtomKind, CaseMatching, Normalization};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
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

impl Word {
    /// The highest score that nucleo could give an ASCII name for this word. Each letter counts 16; being the first
    /// of the name gives 9, of a part of it 8, twice for the word's first letter, and letters in a row keep that; a
    /// gap costs 3. What begins at the name's begin gets 8 more, what begins later less.
    fn most(&self, name: &[u8]) -> u32 {
        let Some(word) = &self.bytes else { return u32::MAX };
        let letters = word.len() as u32;
        let begins =
            |with: &[u8]| name.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
        match (begins(word), letters) {
            // A single letter gets no part of the last sort.
            (true, 1) if name.len() > 1 => 34,
            (true, _) => 25 * letters + 17,
            (false, 1) => 32,
            (false, _) if begins(&word[..1]) => 25 * letters + 13,
            (false, _) => 24 * letters + 15,
        }
    }

    /// The same for an ASCII path, in which every part's begin gives 9.
    fn most_in_path(&self, path: &[u8]) -> u32 {
        let Some(word) = &self.bytes else { return u32::MAX };
        let letters = word.len() as u32;
        let Some(begin) = find(path, &word[..1]) else { return u32::MAX };
        // What begins later gets less of the 8.
        let early = if begin == 0 { 8 } else { 14_usize.saturating_sub(begin) as u32 / 2 };
        match find(path, word) {
            _ if letters == 1 && path.len() > 1 => 34,
            Some(_) => 25 * letters + 9 + early,
            None => 25 * letters + 6 + early,
        }
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
    let floor = AtomicU32::new(0);
    let work = || {
        let mut ranking = Ranking {
            query,
            tier,
            limit,
            floor: &floor,
            matcher: matcher(),
            best: BinaryHeap::new(),
            text: Vec::new(),
        };
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
    /// Enough files have this score or a better one: what cannot reach it needs no score.
    floor: &'a AtomicU32,
    matcher: Matcher,
    /// The best so far, the worst of them on top.
    best: BinaryHeap<Reverse<Ranked>>,
    text: Vec<char>,
}

impl Ranking<'_> {
    fn add(&mut self, number: usize, piece: &Piece) {
        match self.tier {
            Tier::Name => self.add_names(number, piece),
            Tier::Path => self.add_paths(number, piece),
        }
    }

    fn add_names(&mut self, number: usize, piece: &Piece) {
        for (index, (directory, files)) in (0u32..).zip(piece.directories()) {
            for file in files {
                let (name, mask) = (piece.name(file), piece.mask(file));
                let length = directory.len() + name.len();
                if self.is_hopeless(name, mask, length) || !self.is_named(name, mask) {
                    continue;
                }
                if let Some(score) = self.score(name) {
                    self.keep(score, length, (number, index, file));
                }
            }
        }
    }

    fn add_paths(&mut self, number: usize, piece: &Piece) {
        let mut whole = Vec::new();
        let mut begun = vec![0; self.query.words.len()];
        for (index, (directory, files)) in (0u32..).zip(piece.directories()) {
            for (begun, word) in begun.iter_mut().zip(&self.query.words) {
                *begun = word.bytes.as_deref().map_or(0, |bytes| consumed(bytes, directory));
            }
            let directory_mask = mask(directory);
            for file in files {
                let (name, name_mask) = (piece.name(file), piece.mask(file));
                if !self.may_match(name, name_mask | directory_mask, Some(&begun)) {
                    continue;
                }
                // What matches by its name is in the other tier. Only nucleo knows of accents.
                if !self.query.whole_paths_only
                    && self.is_named(name, name_mask)
                    && (name_mask & NON_ASCII == 0 || self.score(name).is_some())
                {
                    continue;
                }
                whole.clear();
                whole.extend_from_slice(directory);
                whole.extend_from_slice(name);
                let ascii = (name_mask | directory_mask) & NON_ASCII == 0;
                if ascii && self.is_beaten(whole.len(), |word| word.most_in_path(&whole)) {
                    continue;
                }
                if let Some(score) = self.score(&whole) {
                    self.keep(score, whole.len(), (number, index, file));
                }
            }
        }
    }

    /// Whether the words match the name well by itself, as far as bytes tell: it is short, or has them as typed.
    fn is_named(&self, name: &[u8], mask: u32) -> bool {
        let as_typed = |word: &Word| word.bytes.as_deref().is_some_and(|bytes| contains(name, bytes));
        self.may_match(name, mask, None)
            && (name.len() <= self.query.close || self.query.words.iter().all(as_typed))
    }

    /// Whether a name cannot get among the best, or not match at all, by what a glance tells.
    fn is_hopeless(&self, name: &[u8], mask: u32, length: usize) -> bool {
        if mask & NON_ASCII != 0 {
            return false;
        }
        let wanted = |word: &Word| word.bytes.is_some() && word.mask & !mask == 0;
        if !self.query.words.iter().all(wanted) {
            return true;
        }
        self.is_beaten(length, |word| word.most(name))
    }

    /// Whether enough others are better than a file of this length with at most these scores for the words.
    fn is_beaten(&self, length: usize, most: impl Fn(&Word) -> u32) -> bool {
        let floor = self.floor.load(Ordering::Relaxed);
        if floor == 0 && self.best.len() < self.limit {
            return false;
        }
        let most = self.query.words.iter().map(most).fold(0, u32::saturating_add);
        let beaten = |worst: &Reverse<Ranked>| (worst.0.score, worst.0.length) >= (most, Reverse(length));
        most < floor || (self.best.len() == self.limit && self.best.peek().is_some_and(beaten))
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

    fn keep(&mut self, score: u32, length: usize, place: (usize, u32, u32)) {
        let ranked = Ranked { tier: self.tier, score, length: Reverse(length), place: Reverse(place) };
        if self.best.len() < self.limit {
            self.best.push(Reverse(ranked));
        } else if let Some(mut worst) = self.best.peek_mut()
            && worst.0 < ranked
        {
            *worst = Reverse(ranked);
        }
        if self.best.len() == self.limit
            && let Some(worst) = self.best.peek()
        {
            self.floor.fetch_max(worst.0.score, Ordering::Relaxed);
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
    find(text, word).is_some()
}

/// Where `word`, in lower case, first is in `text` in one piece.
fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    let (first, rest) = word.split_first()?;
    memchr::memchr2_iter(*first, first.to_ascii_uppercase(), text)
        .find(|at| text.get(at + 1..at + word.len()).is_some_and(|found| found.eq_ignore_ascii_case(rest)))
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

#[cfg(test)]
mod tests {
    use super::super::piece::PieceBuilder;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_score_is_above_the_bound(name in "[abcABC01_. -]{1,9}", word in "[abc01_.-]{1,5}") {
            let query = Query::new(&word);
            let most = query.words[0].most(name.as_bytes());
            let score = query.words[0].atom.score(Utf32Str::Ascii(name.as_bytes()), &mut matcher());
            prop_assert!(score.is_none_or(|score| u32::from(score) <= most), "{score:?} of at most {most}");
        }

        #[test]
        fn no_score_of_a_path_is_above_its_bound(
            path in "([abcABC01_./-]{1,4}/){0,3}[abcABC01_. -]{1,9}", word in "[abc01_./-]{1,5}",
        ) {
            let query = Query::new(&word);
            let score = query.words[0].atom.score(Utf32Str::Ascii(path.as_bytes()), &mut matcher());
            let most = query.words[0].most_in_path(path.as_bytes());
            prop_assert!(score.is_none_or(|score| u32::from(score) <= most), "{score:?} of at most {most}");
        }

        #[test]
        fn what_the_bound_rules_out_is_not_among_the_best(
            paths in proptest::collection::btree_set("([ab]{1,2}/)?[abABé0_.-]{1,6}", 20..60),
            query in "[ab0_.]{1,4}( [ab]{1,2})?",
            limit in 1_usize..12,
        ) {
            let paths: Vec<String> = paths.into_iter().collect();
            let build = |paths: &[String]| {
                let mut builder = PieceBuilder::default();
                paths.iter().for_each(|path| builder.push(path.as_bytes()));
                builder.build().map(Arc::new)
            };
            let pieces: Vec<_> = paths.chunks(7).filter_map(build).collect();
            let query = Query::new(&query);
            for tier in [Tier::Name, Tier::Path] {
                let best = |limit| -> Vec<_> {
                    let found = ranked(&pieces, &query, tier, limit);
                    found.iter().map(|ranked| (ranked.score, ranked.length)).collect()
                };
                let (all, few) = (best(100), best(limit));
                prop_assert_eq!(&few[..], &all[..all.len().min(limit)]);
            }
        }
    }
}
