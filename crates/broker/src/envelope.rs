//! A request's body: read for the few fields that decide where it goes, and else passed on byte for byte.
//!
//! Only the top level is taken apart. Numbers keep their digits, unknown fields their place, white space its width;
//! what is replaced is replaced where it stood.

use crate::refusal::Refusal;
use crate::stream_options::Addition;
use bytes::Bytes;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// How deep lists and objects may be nested. Most servers of models recurse, and give up earlier than this.
pub(crate) const MAX_DEPTH: usize = 256;

/// The top level of a JSON object.
#[derive(Debug)]
pub(crate) struct Envelope<'a> {
    text: &'a str,
    fields: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Envelope<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// A refusal that names what is wrong: not UTF-8, nested too deep, not JSON, not an object.
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(body).map_err(|error| {
            let at = error.valid_up_to();
            Refusal::invalid(
                "invalid_utf8",
                format!("The body is not UTF-8: byte {at} belongs to no character."),
            )
        })?;
        if let Some(at) = too_deep(body) {
            return Err(Refusal::invalid(
                "nested_too_deep",
                format!("The body nests lists and objects more than {MAX_DEPTH} deep, at byte {at}."),
            ));
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        let fields =
            reader.deserialize_any(Fields).and_then(|fields| reader.end().map(|()| fields)).map_err(
                |error| Refusal::invalid("invalid_json", format!("The body cannot be read: {error}.")),
            )?;
        Ok(Self { text, fields })
    }

    /// A field's value. Absent and `null` are the same.
    ///
    /// # Errors
    /// The field is given twice: the backend could take the other one.
    pub(crate) fn get(&self, name: &str) -> Result<Option<&'a RawValue>, Refusal> {
        let mut found = self.fields.iter().filter(|(key, _)| key == name).map(|(_, value)| *value);
        let first = found.next();
        if found.next().is_some() {
            let message = format!("`{name}` is given more than once.");
            return Err(Refusal::invalid("duplicate_field", message).about(name));
        }
        Ok(first.filter(|value| value.get() != "null"))
    }

    /// A field that is a text.
    ///
    /// # Errors
    /// It is given twice, or is no text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, Refusal> {
        let Some(value) = self.get(name)? else { return Ok(None) };
        serde_json::from_str::<Text<'a>>(value.get())
            .map(|text| Some(text.0))
            .map_err(|_| Refusal::invalid("invalid_type", format!("`{name}` must be a string.")).about(name))
    }

    /// A field that is true or false; false where it is absent.
    ///
    /// # Errors
    /// It is given twice, or is neither.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.get(name)?.map(RawValue::get) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => {
                Err(Refusal::invalid("invalid_type", format!("`{name}` must be true or false.")).about(name))
            }
        }
    }

    /// All fields, in order.
    pub(crate) fn fields(&self) -> &[(Cow<'a, str>, &'a RawValue)] {
        &self.fields
    }

    /// Behind the brace that opens the object.
    pub(crate) fn start(&self) -> usize {
        self.text.find('{').map_or(0, |at| at + 1)
    }

    /// Where the value of the first field of this name stands in the body.
    pub(crate) fn range(&self, name: &str) -> Option<Range<usize>> {
        let (_, value) = self.fields.iter().find(|(key, _)| key == name)?;
        let start = value.get().as_ptr() as usize - self.text.as_ptr() as usize;
        Some(start..start + value.get().len())
    }
}

/// `body` with `model` written at `place`, and with what is added. The same bytes where that changes nothing.
pub(crate) fn with_edits(
    body: &Bytes,
    place: &Range<usize>,
    model: &str,
    addition: Option<&Addition>,
) -> Bytes {
    let written = serde_json::Value::from(model).to_string();
    let model = (place, written.as_bytes());
    let is_named = body[place.clone()] == *model.1;
    let added = addition.map(|addition| (&addition.place, addition.text.as_bytes()));
    let edits = match added {
        None if is_named => return body.clone(),
        None => [Some(model), None],
        Some(added) if added.0.start < place.start => [Some(added), Some(model)],
        Some(added) => [Some(model), Some(added)],
    };
    let edits = edits.into_iter().flatten();
    let mut out = Vec::with_capacity(body.len() + edits.clone().map(|(_, text)| text.len()).sum::<usize>());
    let mut from = 0;
    for (place, text) in edits {
        out.extend_from_slice(&body[from..place.start]);
        out.extend_from_slice(text);
        from = place.end;
    }
    out.extend_from_slice(&body[from..]);
    out.into()
}

/// A text that is borrowed where it holds no escape.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::with_capacity(16);
        while let Some((Text(name), value)) = map.next_entry()? {
            fields.push((name, value));
        }
        Ok(fields)
    }
}

/// Where nesting passes [`MAX_DEPTH`]. Texts are jumped over; whether it is JSON at all is not asked here.
fn too_deep(body: &[u8]) -> Option<usize> {
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(byte) = body.get(at) {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Some(at);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => at = end_of_text(body, at + 1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The index of the quote that ends a text, or the end of the body.
pub(crate) fn end_of_text(body: &[u8], mut at: usize) -> usize {
    while let Some(found) = body.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        match body[at] {
            b'"' => return at,
            _ => at += 2,
        }
    }
    body.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(body: &[u8]) -> String {
        Envelope::read(body).expect_err("refused").body.message
    }

    #[test]
    fn fields_are_read() {
        let body = br#"{"model":"a","stream":true,"user":null,"x":1.0e400}"#;
        let envelope = Envelope::read(body).expect("an object");
        assert_eq!(envelope.text("model").expect("text").as_deref(), Some("a"));
        assert!(envelope.flag("stream").expect("flag"));
        assert!(envelope.get("user").expect("null").is_none());
        assert!(envelope.get("absent").expect("absent").is_none());
        assert_eq!(envelope.text("stream").expect_err("no text").body.param.as_deref(), Some("stream"));
        assert_eq!(envelope.flag("model").expect_err("no flag").body.param.as_deref(), Some("model"));
        assert_eq!(envelope.fields().len(), 4);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert!(message(b"{\"model\":\"\xff\"}").contains("byte 10"));
        assert!(message(b"[1]").contains("expected a JSON object"));
        assert!(message(b"").contains("EOF"));
        assert!(message(b"{\"a\":1} x").contains("trailing characters"));
        assert!(message(b"{\"a\":01}").contains("cannot be read"));
        let deep = [b"{\"a\":".as_slice(), &b"[".repeat(100_000), &b"]".repeat(100_000), b"}"].concat();
        assert!(message(&deep).contains("more than 256 deep"));
        let open = b"[".repeat(100_000);
        assert!(message(&open).contains("more than 256 deep"));
        let shallow = [b"{\"a\":\"".as_slice(), &b"[".repeat(1000), b"\"}"].concat();
        assert!(Envelope::read(&shallow).is_ok(), "brackets in a text nest nothing");
    }

    #[test]
    fn a_field_given_twice_is_refused_also_when_it_is_spelt_otherwise() {
        let envelope = Envelope::read(br#"{"model":"a","mod\u0065l":"b"}"#).expect("an object");
        assert_eq!(envelope.text("model").expect_err("twice").body.code, Some("duplicate_field"));
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn all_but_the_model_stays_byte_for_byte(
            before in prop::collection::vec((any::<String>(), json()), 0..5),
            after in prop::collection::vec((any::<String>(), json()), 0..5),
            old in any::<String>(),
            new in any::<String>(),
            space in "[ \t\r\n]{0,3}",
        ) {
            let field = |(name, value): &(String, serde_json::Value)| {
                format!("{}{space}:{space}{value}", serde_json::Value::from(name.as_str()))
            };
            let around = |fields: &[(String, serde_json::Value)]| -> Vec<String> {
                fields.iter().filter(|(name, _)| name != "model").map(field).collect()
            };
            let whole = |model: &str| {
                let model = format!("\"model\"{space}:{space}{}", serde_json::Value::from(model));
                let fields = [around(&before), vec![model], around(&after)].concat();
                format!("{space}{{{space}{}{space}}}{space}", fields.join(&format!("{space},{space}")))
            };
            let body = Bytes::from(whole(&old));
            let envelope = Envelope::read(&body).expect("an object");
            let read = envelope.text("model").expect("text");
            prop_assert_eq!(read.as_deref(), Some(old.as_str()));
            let place = envelope.range("model").expect("there");
            let replaced = with_edits(&body, &place, &new, None);
            prop_assert_eq!(std::str::from_utf8(&replaced).expect("text"), whole(&new));
        }

        #[test]
        fn no_body_makes_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Envelope::read(&body);
        }
    }
}
