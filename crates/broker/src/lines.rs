//! Server-sent events, looked at while they pass: whole lines go on at once and untouched, and of each only what says
//! whether the answer is whole is read.

use crate::estimate;
use crate::flight::{Endpoint, Usage};
use bytes::{Bytes, BytesMut};
use memchr::memmem;
use serde::Deserialize;
use std::sync::LazyLock;

/// Most bytes of a line that are held back until it ends. A longer one passes in pieces and is not read.
const MOST_HELD: usize = 1 << 20;
/// Room kept for the next line that comes in pieces.
const ROOM_KEPT: usize = 4 << 10;

/// The name before the tokens.
static USAGE: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"\"usage\""));

/// Cuts a stream into whole lines. What is held back is less than a line: nobody can use it before it ends, and a
/// stream that breaks off there can still be ended with an event of our own.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    held: BytesMut,
    /// Inside of a line that was too long to hold.
    overlong: bool,
}

/// What a piece of the stream completes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Whole lines.
    Lines(Bytes),
    /// A part of a line that is too long to be read.
    Overlong(Bytes),
}

impl Lines {
    /// Takes what has come; none where no line is at its end yet.
    pub(crate) fn push(&mut self, came: Bytes) -> Option<Piece> {
        let Some(end) = memchr::memrchr2(b'\n', b'\r', &came) else { return self.hold(came) };
        let whole = match self.held.is_empty() {
            true => came.slice(..=end),
            false => {
                self.held.extend_from_slice(&came[..=end]);
                self.held.split().freeze()
            }
        };
        self.held = BytesMut::new();
        if end + 1 < came.len() {
            self.held.reserve(ROOM_KEPT.max(came.len() - end - 1));
            self.held.extend_from_slice(&came[end + 1..]);
        }
        match std::mem::take(&mut self.overlong) {
            // Its end belongs to it; what follows is read again from the next piece on.
            true => Some(Piece::Overlong(whole)),
            false => Some(Piece::Lines(whole)),
        }
    }

    fn hold(&mut self, came: Bytes) -> Option<Piece> {
        if self.overlong {
            return Some(Piece::Overlong(came));
        }
        self.held.extend_from_slice(&came);
        if self.held.len() <= MOST_HELD {
            return None;
        }
        self.overlong = true;
        Some(Piece::Overlong(std::mem::take(&mut self.held).freeze()))
    }

    /// What is left where the stream has ended: a line without an end.
    pub(crate) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.held).freeze()
    }
}

/// What has been seen of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Seen {
    /// It says that it is whole.
    pub(crate) whole: bool,
    /// It says that something went wrong.
    pub(crate) error: bool,
    /// Tokens, as last told.
    pub(crate) usage: Option<Usage>,
    /// Lines that do not belong into it.
    pub(crate) malformed: u64,
}

/// Looks at whole lines.
#[derive(Debug)]
pub(crate) struct Watch {
    endpoint: Endpoint,
    pub(crate) seen: Seen,
    /// Bytes of the answer's text.
    pub(crate) text: u64,
    /// The last event, which only tells the tokens, is not for the client: it did not ask.
    hides_usage: bool,
    /// Ends of lines that still belong to an event which was left out.
    left_out: u8,
}

impl Watch {
    pub(crate) fn new(endpoint: Endpoint, hides_usage: bool) -> Self {
        Self { endpoint, seen: Seen::default(), text: 0, hides_usage, left_out: 0 }
    }

    /// Looks at whole lines, and gives back those for the client.
    pub(crate) fn pass(&mut self, lines: Bytes) -> Bytes {
        // Where the part begins that is not passed on yet, and where the line that is looked at.
        let mut kept = self.skip(&lines);
        let mut start = kept;
        let mut out: Option<BytesMut> = None;
        for end in memchr::memchr2_iter(b'\n', b'\r', &lines) {
            if end < start {
                continue;
            }
            if !self.line(&lines[start..end]) {
                start = end + 1;
                continue;
            }
            out.get_or_insert_default().extend_from_slice(&lines[kept..start]);
            // Its own end and the empty line after it.
            self.left_out = 2;
            start = end + self.skip(&lines[end..]);
            kept = start;
        }
        if start < lines.len() && self.line(&lines[start..]) {
            return out.map(BytesMut::freeze).unwrap_or_else(|| lines.slice(kept..start));
        }
        match out {
            None => lines.slice(kept..),
            Some(mut out) => {
                out.extend_from_slice(&lines[kept..]);
                out.freeze()
            }
        }
    }

    /// How much at the beginning belongs to an event that was left out.
    fn skip(&mut self, lines: &[u8]) -> usize {
        let mut skipped = 0;
        while self.left_out > 0 {
            match lines.get(skipped) {
                Some(b'\n') => self.left_out -= 1,
                Some(b'\r') => {}
                Some(_) => {
                    self.left_out = 0;
                    break;
                }
                None => break,
            }
            skipped += 1;
        }
        skipped
    }

    /// Looks at one line. True where it is an event that is left out.
    fn line(&mut self, line: &[u8]) -> bool {
        // An empty line ends an event; a colon begins a comment, which servers send to keep a connection alive.
        if line.is_empty() || line[0] == b':' {
            return false;
        }
        let Some(data) = line.strip_prefix(b"data:") else {
            let known = [b"event:".as_slice(), b"id:", b"retry:"].iter().any(|field| line.starts_with(field));
            self.seen.malformed += u64::from(!known);
            return false;
        };
        let data = data.strip_prefix(b" ").unwrap_or(data);
        if data == b"[DONE]" {
            self.seen.whole = true;
        } else if data.first() != Some(&b'{') || data.last() != Some(&b'}') {
            self.seen.malformed += 1;
        } else {
            return self.object(data);
        }
        false
    }

    fn object(&mut self, data: &[u8]) -> bool {
        // What decides stands at the beginning: `{"error":…` and `{"type":"response.completed",…`.
        let head = &data[..data.len().min(64)];
        if begins(head, b"error") {
            self.seen.error = true;
        }
        if self.endpoint == Endpoint::Responses
            && let Some(kind) = responses_kind(data, head)
        {
            self.seen.whole |= matches!(kind, b"completed" | b"incomplete" | b"failed" | b"cancelled");
        }
        self.text += estimate::text(self.endpoint, true, data);
        // In a text the quote after the word would have a backslash before it.
        if let Some(at) = USAGE.find(data)
            && tells_object(&data[at + USAGE.needle().len()..])
            && let Some(usage) = usage(data)
        {
            self.seen.usage = Some(usage);
            return self.hides_usage && is_without_choices(data);
        }
        false
    }
}

/// True for the event that only tells the tokens.
fn is_without_choices(data: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Told {
        choices: Vec<serde::de::IgnoredAny>,
    }
    serde_json::from_slice::<Told>(data).is_ok_and(|told| told.choices.is_empty())
}

/// True for `{"name":`, with white space anywhere.
fn begins(data: &[u8], name: &[u8]) -> bool {
    let rest = data[1..].trim_ascii_start();
    rest.strip_prefix(b"\"")
        .and_then(|rest| rest.strip_prefix(name))
        .is_some_and(|rest| rest.starts_with(b"\""))
}

/// True where a colon and an object follow.
fn tells_object(rest: &[u8]) -> bool {
    let rest = rest.trim_ascii_start();
    rest.strip_prefix(b":").is_some_and(|rest| rest.trim_ascii_start().starts_with(b"{"))
}

/// The word after `response.` of an event's type. Most servers write it first; where one does not, events that could
/// be meant are read whole.
fn responses_kind<'a>(data: &'a [u8], head: &'a [u8]) -> Option<&'a [u8]> {
    if begins(head, b"type") {
        let from = memmem::find(head, b"\"response.")? + b"\"response.".len();
        let rest = &head[from..];
        return Some(&rest[..memchr::memchr(b'"', rest)?]);
    }
    #[derive(Deserialize)]
    struct Typed<'a> {
        #[serde(rename = "type", borrow)]
        kind: &'a str,
    }
    memmem::find(data, b"\"response.")?;
    let typed: Typed<'a> = serde_json::from_slice(data).ok()?;
    typed.kind.strip_prefix("response.").map(str::as_bytes)
}

/// The tokens that a document tells: an answer, a piece of one, or an event with an answer inside.
pub(crate) fn usage(document: &[u8]) -> Option<Usage> {
    #[derive(Deserialize)]
    struct Told {
        usage: Option<Usage>,
        response: Option<Inner>,
    }
    #[derive(Deserialize)]
    struct Inner {
        usage: Option<Usage>,
    }
    let told: Told = serde_json::from_slice(document).ok()?;
    told.usage.or_else(|| told.response?.usage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STREAM: &str = concat!(
        ": hello\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\":{\"}}],\"usage\":null}\n\n",
        "event: x\r\nid: 1\r\ndata: {\"usage\": {\"prompt_tokens\":3,\"completion_tokens\":4},\"choices\":[]}\r\n\r\n",
        "nonsense\n\n",
        "data: [DONE]\n\n",
    );

    fn seen(endpoint: Endpoint, text: &str) -> Seen {
        let mut watch = Watch::new(endpoint, false);
        let text = Bytes::copy_from_slice(text.as_bytes());
        assert_eq!(watch.pass(text.clone()), text);
        watch.seen
    }

    #[test]
    fn what_decides_is_seen() {
        let usage = Some(Usage { input_tokens: 3, output_tokens: 4, cached_tokens: 0 });
        assert_eq!(seen(Endpoint::Chat, STREAM), Seen { whole: true, error: false, usage, malformed: 1 });
        assert!(seen(Endpoint::Chat, "data:{ \"error\": {}}\n").error);
        assert!(!seen(Endpoint::Chat, "data: {\"a\":\"error\"}\n").error);
        assert_eq!(seen(Endpoint::Chat, "data: {\"cut\n").malformed, 1);
        let completed = "data: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":1,\"output_tokens\":2}}}\n";
        let told = seen(Endpoint::Responses, completed);
        assert!(
            told.whole && told.usage == Some(Usage { input_tokens: 1, output_tokens: 2, cached_tokens: 0 })
        );
        assert!(!seen(Endpoint::Chat, completed).whole);
        assert!(seen(Endpoint::Responses, "data: {\"n\":1,\"type\":\"response.failed\"}\n").whole);
        assert!(!seen(Endpoint::Responses, "data: {\"type\":\"response.output_text.delta\"}\n").whole);
    }

    #[test]
    fn a_line_too_long_passes_and_is_not_held() {
        let mut lines = Lines::default();
        let part = Bytes::from(vec![b'x'; MOST_HELD]);
        assert_eq!(lines.push(part.clone()), None);
        assert!(matches!(lines.push(part.clone()), Some(Piece::Overlong(out)) if out.len() == 2 * MOST_HELD));
        assert_eq!(lines.push(part.clone()), Some(Piece::Overlong(part)));
        assert_eq!(lines.push(Bytes::from_static(b"y\n")), Some(Piece::Overlong(Bytes::from_static(b"y\n"))));
        assert_eq!(lines.push(Bytes::from_static(b"z\n")), Some(Piece::Lines(Bytes::from_static(b"z\n"))));
        assert!(lines.rest().is_empty());
    }

    proptest! {
        #[test]
        fn no_split_changes_what_is_seen_or_passed(cuts in prop::collection::vec(0..STREAM.len(), 0..40)) {
            let mut cuts = cuts;
            cuts.extend([0, STREAM.len()]);
            cuts.sort_unstable();
            let mut watches = [false, true].map(|hides| (Watch::new(Endpoint::Chat, hides), Vec::new()));
            let mut lines = Lines::default();
            for pair in cuts.windows(2) {
                match lines.push(Bytes::from_static(&STREAM.as_bytes()[pair[0]..pair[1]])) {
                    Some(Piece::Lines(whole)) => {
                        for (watch, out) in &mut watches {
                            out.extend_from_slice(&watch.pass(whole.clone()));
                        }
                    }
                    Some(Piece::Overlong(_)) => prop_assert!(false, "no line is too long"),
                    None => {}
                }
            }
            prop_assert!(lines.rest().is_empty());
            let (start, end) = (STREAM.find("data: {\"usage\"").expect("there"), STREAM.find("nonsense").expect("there"));
            let hidden = [&STREAM[..start], &STREAM[end..]].concat();
            let [(watch, out), (hiding, shown)] = watches;
            prop_assert_eq!(out, STREAM.as_bytes());
            prop_assert_eq!(watch.seen, seen(Endpoint::Chat, STREAM));
            prop_assert_eq!(std::str::from_utf8(&shown).expect("text"), hidden);
            prop_assert_eq!(hiding.seen, watch.seen);
        }
    }
}
