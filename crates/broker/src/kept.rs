//! Questions and answers of the last requests, for who looks into what a tool asks of a model. In memory alone, and only
//! while it is switched on.

use aicockpit_protocol::usage::KeptRequest;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Requests at most.
const MOST_REQUESTS: usize = 100;
/// Bytes of a question, and of an answer, at most.
const MOST_OF_EACH: usize = 256 << 10;
/// Bytes of all together at most.
const MOST_OF_ALL: usize = 16 << 20;

/// The last questions and answers. Off until it is switched on. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct KeptRequests(Arc<Kept>);

#[derive(Default)]
struct Kept {
    is_on: AtomicBool,
    ring: Mutex<Ring>,
}

#[derive(Default)]
struct Ring {
    /// The oldest first.
    order: VecDeque<String>,
    entries: HashMap<String, Entry>,
    bytes: usize,
}

#[derive(Default)]
struct Entry {
    question: Text,
    answer: Text,
}

/// The beginning of a text that comes in pieces.
#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    left_out: u64,
}

impl Text {
    /// Adds a piece as far as there is room; never half a character.
    fn add(&mut self, piece: &[u8]) {
        // After a gap nothing may follow.
        let had_all = self.left_out == 0;
        let room = if had_all { MOST_OF_EACH - self.bytes.len() } else { 0 };
        let taken = piece.len().min(room);
        self.bytes.extend_from_slice(&piece[..taken]);
        self.left_out += (piece.len() - taken) as u64;
        if had_all && self.left_out > 0 {
            let whole = without_part(&self.bytes).len();
            self.left_out += (self.bytes.len() - whole) as u64;
            self.bytes.truncate(whole);
        }
    }

    fn text(&self) -> String {
        // The rest of the last character may be on its way.
        String::from_utf8_lossy(without_part(&self.bytes)).into_owned()
    }
}

/// Bytes without the beginning of a character at their end.
fn without_part(bytes: &[u8]) -> &[u8] {
    let tail = bytes.len().saturating_sub(3);
    // The first byte of a character says how many belong to it.
    let begun = bytes[tail..].iter().rposition(|byte| byte & 0b1100_0000 != 0b1000_0000);
    let Some(at) = begun.map(|at| at + tail) else { return bytes };
    let wanted = match bytes[at] {
        0b1100_0000..=0b1101_1111 => 2,
        0b1110_0000..=0b1110_1111 => 3,
        0b1111_0000..=0b1111_0111 => 4,
        _ => 1,
    };
    if bytes.len() - at < wanted { &bytes[..at] } else { bytes }
}

impl Ring {
    fn change(&mut self, request: &str, change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.entries.get_mut(request) else { return };
        let size = |entry: &Entry| entry.question.bytes.len() + entry.answer.bytes.len();
        let before = size(entry);
        change(entry);
        self.bytes = self.bytes - before + size(entry);
        while self.bytes > MOST_OF_ALL || self.order.len() > MOST_REQUESTS {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(gone) = self.entries.remove(&oldest) {
                self.bytes -= size(&gone);
            }
        }
    }
}

impl KeptRequests {
    /// Keeps what is asked from now on, or forgets everything at once and keeps nothing.
    pub fn set_on(&self, is_on: bool) {
        let mut ring = self.ring();
        self.0.is_on.store(is_on, Relaxed);
        if !is_on {
            *ring = Ring::default();
        }
    }

    /// Whether questions and answers are kept.
    pub fn is_on(&self) -> bool {
        self.0.is_on.load(Relaxed)
    }

    /// A request has come.
    pub fn question(&self, request: &str, body: &[u8]) {
        let mut ring = self.ring();
        // Looked at under the lock: what comes after it was switched off is not kept.
        if !self.is_on() || ring.entries.contains_key(request) {
            return;
        }
        ring.order.push_back(request.to_owned());
        ring.entries.insert(request.to_owned(), Entry::default());
        ring.change(request, |entry| entry.question.add(body));
    }

    /// A piece of its answer goes out. Of a request whose question is not kept, nothing is.
    pub fn piece(&self, request: &str, bytes: &[u8]) {
        if self.is_on() {
            self.ring().change(request, |entry| entry.answer.add(bytes));
        }
    }

    /// Question and answer, as far as they have come; none where they are not kept.
    pub fn get(&self, request: &str) -> Option<KeptRequest> {
        let ring = self.ring();
        let Entry { question, answer } = ring.entries.get(request)?;
        Some(KeptRequest {
            question: question.text(),
            answer: answer.text(),
            left_out: question.left_out + answer.left_out,
        })
    }

    /// Whether a request's are kept.
    pub fn has(&self, request: &str) -> bool {
        self.ring().entries.contains_key(request)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for KeptRequests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptRequests").field("is_on", &self.is_on()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn on() -> KeptRequests {
        let kept = KeptRequests::default();
        kept.set_on(true);
        kept
    }

    #[test]
    fn nothing_is_kept_until_it_is_switched_on_and_all_is_forgotten_when_off() {
        let kept = KeptRequests::default();
        kept.question("a", b"{}");
        assert!(!kept.has("a"));
        kept.set_on(true);
        kept.piece("a", b"an answer whose question came before");
        assert_eq!(kept.get("a"), None);
        kept.question("b", b"{}");
        kept.piece("b", b"one ");
        kept.piece("b", b"two");
        let b = kept.get("b").unwrap();
        assert_eq!((b.question.as_str(), b.answer.as_str(), b.left_out), ("{}", "one two", 0));
        kept.set_on(false);
        assert!(!kept.has("b"));
        kept.set_on(true);
        kept.piece("b", b"three");
        assert_eq!(kept.get("b"), None, "what was forgotten does not come back");
    }

    #[test]
    fn the_oldest_go_first() {
        let kept = on();
        for number in 0..=MOST_REQUESTS {
            kept.question(&number.to_string(), b"q");
        }
        assert!(!kept.has("0") && kept.has("1") && kept.has(&MOST_REQUESTS.to_string()));
    }

    #[test]
    fn all_together_have_a_bound() {
        let kept = on();
        let large = vec![b'x'; MOST_OF_EACH + 5];
        for number in 0..64 {
            kept.question(&number.to_string(), &large);
            kept.piece(&number.to_string(), &large);
            kept.piece(&number.to_string(), b"more");
        }
        assert!(kept.ring().bytes <= MOST_OF_ALL);
        let there: Vec<usize> = (0..64).filter(|number| kept.has(&number.to_string())).collect();
        assert_eq!(there, (32..64).collect::<Vec<_>>());
        let last = kept.get("63").unwrap();
        assert_eq!((last.question.len(), last.answer.len(), last.left_out), (MOST_OF_EACH, MOST_OF_EACH, 14));
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_such() {
        let kept = on();
        kept.question("a", b"\xff{}\xc3");
        assert_eq!(kept.get("a").unwrap().question, "\u{fffd}{}");
    }

    proptest! {
        #[test]
        fn a_character_is_never_cut(before in 0usize..8, text in "[aä€😀]{1,40}", piece in 1usize..7) {
            let kept = on();
            let mut whole = "x".repeat(MOST_OF_EACH - before);
            whole.push_str(&text);
            kept.question("a", whole.as_bytes());
            kept.piece("a", &whole.as_bytes()[..MOST_OF_EACH - before - 1]);
            for bytes in whole.as_bytes()[MOST_OF_EACH - before - 1..].chunks(piece) {
                kept.piece("a", bytes);
            }
            let got = kept.get("a").unwrap();
            prop_assert!(whole.starts_with(&got.question) && whole.starts_with(&got.answer));
            prop_assert_eq!(&got.question, &got.answer);
            let left_out = (whole.len() - got.question.len()) * 2;
            prop_assert_eq!(got.left_out, left_out as u64);
        }
    }
}
