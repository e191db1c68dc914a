//! Tokens where no backend counts them: four bytes of text are one. A stream that is left before its end was worked on
//! all the same, and must not be free.

use crate::envelope::end_of_text;
use crate::flight::{Endpoint, Usage};
use memchr::memmem;
use std::sync::LazyLock;

/// Bytes of text that count as a token.
const TOKEN: u64 = 4;
/// Most bytes that count of a file inside a question. A picture costs a model about a thousand tokens, whatever its
/// size in base64.
const MOST_OF_A_FILE: usize = 4096;

/// A file inside a question.
static FILE: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"\"data:"));

/// Bytes of a question that count.
pub(crate) fn question(body: &[u8]) -> u64 {
    let files = FILE.find_iter(body).map(|at| end_of_text(body, at + 1) - at);
    let beyond: usize = files.map(|length| length.saturating_sub(MOST_OF_A_FILE)).sum();
    body.len().saturating_sub(beyond) as u64
}

/// Bytes of text in an answer, or in an event of one.
pub(crate) fn text(endpoint: Endpoint, is_event: bool, json: &[u8]) -> u64 {
    let mut sum = 0;
    let mut at = 0;
    while let Some(found) = json.get(at..).and_then(|rest| memchr::memchr(b'"', rest)) {
        let start = at + found + 1;
        let end = end_of_text(json, start);
        at = end + 1;
        if holds_text(endpoint, is_event, &json[start..end])
            && let Some(rest) = json.get(at..)
            && let Some(value) = rest.trim_ascii_start().strip_prefix(b":")
            && value.trim_ascii_start().starts_with(b"\"")
        {
            let value = json.len() - value.trim_ascii_start().len() + 1;
            let end = end_of_text(json, value);
            sum += (end - value) as u64;
            at = end + 1;
        }
    }
    sum
}

/// Names of fields that hold text. The events of a response tell the text again at the end of each part.
fn holds_text(endpoint: Endpoint, is_event: bool, name: &[u8]) -> bool {
    match (endpoint, is_event) {
        (Endpoint::Embeddings, _) => false,
        (Endpoint::Responses, true) => name == b"delta",
        _ => matches!(
            name,
            b"content" | b"reasoning_content" | b"reasoning" | b"refusal" | b"text" | b"arguments"
        ),
    }
}

/// What so many bytes of a question and of an answer come to.
pub(crate) fn usage(question: u64, answer: u64) -> Usage {
    Usage { input_tokens: question.div_ceil(TOKEN), output_tokens: answer.div_ceil(TOKEN), cached_tokens: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_counts() {
        let chat =
            br#"{"id":"content","choices":[{"delta":{"role":"assistant","content":"12\"4"},"x":"content"}]}"#;
        assert_eq!(text(Endpoint::Chat, true, chat), 5);
        let tool =
            br#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments" : "{}"}}]}}]}"#;
        assert_eq!(text(Endpoint::Chat, true, tool), 2);
        assert_eq!(text(Endpoint::Completions, true, br#"{"choices":[{"text":"abc"}]}"#), 3);
        let delta = br#"{"type":"response.output_text.delta","delta":"hello"}"#;
        let done = br#"{"type":"response.output_text.done","text":"hello"}"#;
        assert_eq!((text(Endpoint::Responses, true, delta), text(Endpoint::Responses, true, done)), (5, 0));
        assert_eq!(text(Endpoint::Embeddings, false, br#"{"text":"abc"}"#), 0);
        for cut in
            [&b"{\"content\":\"ab"[..], b"{\"content\"", b"{\"content\":", b"{\"content", b"\"", b"\\\""]
        {
            assert!(text(Endpoint::Chat, true, cut) <= 2, "{cut:?}");
        }
    }

    #[test]
    fn a_picture_is_not_its_base64() {
        let words = r#"{"messages":[{"content":"what is this?"}]}"#;
        assert_eq!(question(words.as_bytes()), words.len() as u64);
        let picture = format!(r#"{{"url":"data:image/png;base64,{}","b":"data"}}"#, "A".repeat(1 << 20));
        let counted = question(picture.as_bytes());
        assert!((4096..4200).contains(&counted), "{counted}");
        assert_eq!(usage(9, 4), Usage { input_tokens: 3, output_tokens: 1, cached_tokens: 0 });
    }
}
