//! What a server writes: its last lines, without secrets.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Lines that are kept.
pub(super) const MAX_LINES: usize = 2000;
/// Bytes that are kept of a line.
const MAX_LINE: usize = 4096;
/// Shorter ones would blot out ordinary words.
const LEAST_SECRET: usize = 6;

/// The last lines of a server. All its lives write into one.
#[derive(Debug, Default)]
pub(super) struct Log(Mutex<Lines>);

#[derive(Debug, Default)]
struct Lines {
    lines: VecDeque<String>,
    secrets: Vec<String>,
    /// How many lines there were, those that are gone included.
    total: usize,
    /// The stream whose last line is rewritten by its next, as progress bars do.
    rewritten: Option<u8>,
}

impl Log {
    fn lock(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on these are blotted out.
    pub(super) fn hide(&self, secrets: Vec<String>) {
        self.lock().secrets = secrets.into_iter().filter(|secret| secret.len() >= LEAST_SECRET).collect();
    }

    /// The lines, the oldest first.
    pub(super) fn lines(&self) -> Vec<String> {
        self.lock().lines.iter().cloned().collect()
    }

    /// How many lines there were so far.
    pub(super) fn total(&self) -> usize {
        self.lock().total
    }

    /// The lines after the first `total`, as far as they are kept.
    pub(super) fn since(&self, total: usize) -> Vec<String> {
        let lines = self.lock();
        let new = lines.total.saturating_sub(total).min(lines.lines.len());
        lines.lines.range(lines.lines.len() - new..).cloned().collect()
    }

    /// A line of our own.
    pub(super) fn note(&self, line: &str) {
        self.push(u8::MAX, line, false);
    }

    /// Adds a line; returns it as it is kept.
    fn push(&self, stream: u8, line: &str, rewritten: bool) -> String {
        let mut lines = self.lock();
        let line =
            lines.secrets.iter().fold(line.to_owned(), |line, secret| line.replace(secret.as_str(), "••••"));
        if lines.rewritten.take() == Some(stream) {
            lines.lines.pop_back();
            lines.total -= 1;
        }
        if lines.lines.len() >= MAX_LINES {
            lines.lines.pop_front();
        }
        lines.lines.push_back(line.clone());
        lines.total += 1;
        lines.rewritten = rewritten.then_some(stream);
        line
    }
}

/// Makes lines of the bytes of one stream.
#[derive(Debug)]
pub(super) struct Splitter {
    stream: u8,
    line: Vec<u8>,
    /// The last byte was a carriage return.
    returned: bool,
}

impl Splitter {
    pub(super) fn new(stream: u8) -> Self {
        Self { stream, line: Vec::new(), returned: false }
    }

    /// Takes bytes; `said` gets each line as it is kept.
    pub(super) fn feed(&mut self, log: &Log, bytes: &[u8], mut said: impl FnMut(&str)) {
        for &byte in bytes {
            if std::mem::take(&mut self.returned) && byte != b'\n' {
                self.end(log, true, &mut said);
            }
            match byte {
                b'\n' => self.end(log, false, &mut said),
                b'\r' => self.returned = true,
                _ if self.line.len() < MAX_LINE => self.line.push(byte),
                _ => {}
            }
        }
    }

    /// The stream has ended, perhaps within a line.
    pub(super) fn finish(&mut self, log: &Log, mut said: impl FnMut(&str)) {
        if !self.line.is_empty() {
            self.end(log, false, &mut said);
        }
    }

    fn end(&mut self, log: &Log, rewritten: bool, said: &mut impl FnMut(&str)) {
        let text = plain(&String::from_utf8_lossy(&std::mem::take(&mut self.line)));
        if !text.trim().is_empty() {
            said(&log.push(self.stream, &text, rewritten));
        }
    }
}

/// Without colours and other control characters.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            if characters.next_if_eq(&'[').is_some() {
                for within in characters.by_ref() {
                    if ('@'..='~').contains(&within) {
                        break;
                    }
                }
            }
        } else if character == '\t' || !character.is_control() {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fed(pieces: &[&str]) -> Vec<String> {
        let (log, mut splitter) = (Log::default(), Splitter::new(1));
        pieces.iter().for_each(|piece| splitter.feed(&log, piece.as_bytes(), |_| {}));
        splitter.finish(&log, |_| {});
        log.lines()
    }

    #[test]
    fn lines_are_kept_as_they_come() {
        assert_eq!(fed(&["one\ntw", "o\r\nthr", "ee"]), ["one", "two", "three"]);
        assert_eq!(fed(&["\u{1b}[32mgreen\u{1b}[0m\x07 tab\t\n\n"]), ["green tab\t"]);
    }

    #[test]
    fn progress_is_one_line() {
        assert_eq!(fed(&["before\n", "\r 0%\r 50%", "\r 100%\n", "after\n"]), ["before", " 100%", "after"]);
    }

    #[test]
    fn another_streams_line_is_not_rewritten() {
        let (log, mut one, mut two) = (Log::default(), Splitter::new(1), Splitter::new(2));
        one.feed(&log, b"10%\r20%", |_| {});
        two.feed(&log, b"other\n", |_| {});
        one.feed(&log, b"\r30%\n", |_| {});
        assert_eq!(log.lines(), ["10%", "other", "30%"]);
    }

    #[test]
    fn secrets_are_blotted_out() {
        let (log, mut splitter) = (Log::default(), Splitter::new(1));
        log.hide(vec!["sk-secret".into(), "a".into()]);
        splitter
            .feed(&log, b"--api-key sk-secret and a\n", |line| assert!(!line.contains("secret"), "{line}"));
        assert_eq!(log.lines(), ["--api-key •••• and a"]);
    }

    #[test]
    fn lines_and_their_length_are_bounded() {
        let (log, mut splitter) = (Log::default(), Splitter::new(1));
        let long = "x".repeat(100_000);
        splitter.feed(&log, format!("{long}\n").as_bytes(), |_| {});
        assert_eq!(log.lines()[0].len(), MAX_LINE);
        for number in 0..MAX_LINES + 10 {
            splitter.feed(&log, format!("{number}\n").as_bytes(), |_| {});
        }
        let lines = log.lines();
        assert_eq!((lines.len(), lines[0].as_str()), (MAX_LINES, "10"));
        let total = log.total();
        log.note("one more");
        assert_eq!(log.since(total), ["one more"]);
        assert_eq!(log.since(0).len(), MAX_LINES);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..10)) {
            let (log, mut splitter) = (Log::default(), Splitter::new(1));
            for piece in &pieces {
                splitter.feed(&log, piece, |_| {});
            }
            splitter.finish(&log, |_| {});
            prop_assert!(log.lines().iter().all(|line| !line.contains('\n')));
        }
    }
}
