//! Streams of chats and completions tell their tokens only where they are asked to. Where the client did not ask, we do,
//! and take what that brings out of its stream again (`lines`).

use crate::envelope::Envelope;
use std::ops::Range;

/// What is written into a body, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Addition {
    pub(crate) place: Range<usize>,
    pub(crate) text: &'static str,
}

/// What makes a body ask for the tokens. Nothing where it does so already, or where its `stream_options` are not what
/// they must be: that is for the backend to say.
pub(crate) fn addition(envelope: &Envelope<'_>) -> Option<Addition> {
    const NAME: &str = "stream_options";
    const ASKS: &str = "include_usage";
    let mut given = envelope.fields().iter().filter(|(name, _)| name == NAME);
    let (first, None) = (given.next(), given.next()) else { return None };
    let Some((_, value)) = first else {
        let place = envelope.start();
        return Some(Addition { place: place..place, text: r#""stream_options":{"include_usage":true},"# });
    };
    let whole = envelope.range(NAME)?;
    if value.get() == "null" {
        return Some(Addition { place: whole, text: r#"{"include_usage":true}"# });
    }
    let options = Envelope::read(value.get().as_bytes()).ok()?;
    let mut asks = options.fields().iter().filter(|(name, _)| name == ASKS);
    match (asks.next().map(|(_, value)| value.get()), asks.next()) {
        (None, _) => {
            let place = whole.start + options.start();
            let text = match options.fields().is_empty() {
                true => r#""include_usage":true"#,
                false => r#""include_usage":true,"#,
            };
            Some(Addition { place: place..place, text })
        }
        (Some("false" | "null"), None) => {
            let inner = options.range(ASKS)?;
            Some(Addition { place: whole.start + inner.start..whole.start + inner.end, text: "true" })
        }
        _ => None,
    }
}

/// True where a backend refuses a request for what we added.
pub(crate) fn is_blamed(said: &[u8]) -> bool {
    [b"stream_options".as_slice(), b"include_usage"]
        .iter()
        .any(|name| memchr::memmem::find(said, name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::{self, with_edits};
    use bytes::Bytes;

    fn added(body: &str) -> Option<String> {
        let envelope = Envelope::read(body.as_bytes()).expect("an object");
        let addition = addition(&envelope)?;
        let model = envelope.range("model").expect("a model");
        let written = with_edits(&Bytes::from(body.to_owned()), &model, "m", Some(&addition));
        let text = String::from_utf8(written.to_vec()).expect("text");
        let read = envelope::Envelope::read(text.as_bytes()).expect("still an object");
        let options: serde_json::Value =
            serde_json::from_str(read.get("stream_options").expect("once").expect("there").get())
                .expect("JSON");
        assert_eq!(options["include_usage"], true, "{text}");
        Some(text)
    }

    #[test]
    fn what_is_added_leaves_the_rest_as_it_is() {
        for (body, wanted) in [
            (
                r#" { "model":"m", "x": 1.0e400}"#,
                r#" {"stream_options":{"include_usage":true}, "model":"m", "x": 1.0e400}"#,
            ),
            (
                r#"{"model":"m","stream_options" : null }"#,
                r#"{"model":"m","stream_options" : {"include_usage":true} }"#,
            ),
            (
                r#"{"stream_options":{ },"model":"m"}"#,
                r#"{"stream_options":{"include_usage":true },"model":"m"}"#,
            ),
            (
                r#"{"model":"m","stream_options":{ "a": 1.50}}"#,
                r#"{"model":"m","stream_options":{"include_usage":true, "a": 1.50}}"#,
            ),
            (
                r#"{"stream_options":{"a":1,"include_usage" : false},"model":"m"}"#,
                r#"{"stream_options":{"a":1,"include_usage" : true},"model":"m"}"#,
            ),
        ] {
            assert_eq!(added(body).as_deref(), Some(wanted));
        }
        for left in [
            r#"{"model":"m","stream_options":{"include_usage":true}}"#,
            r#"{"model":"m","stream_options":{"include_usage":"yes"}}"#,
            r#"{"model":"m","stream_options":{"include_usage":false,"include_usage":true}}"#,
            r#"{"model":"m","stream_options":[]}"#,
            r#"{"model":"m","stream_options":{},"stream_options":{}}"#,
        ] {
            assert_eq!(added(left), None, "{left}");
        }
    }

    #[test]
    fn blame_is_read() {
        assert!(is_blamed(
            br#"{"detail":[{"loc":["body","stream_options"],"msg":"extra fields not permitted"}]}"#
        ));
        assert!(!is_blamed(br#"{"error":{"message":"too long"}}"#));
    }
}
