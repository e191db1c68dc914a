//! Paths inside a workspace are bytes.

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use ts_rs::TS;

/// First code point of the private-use range that stands for a byte which is not part of valid UTF-8:
/// byte `b` (0x80–0xFF) is U+F700 + b. A path that really contains such a code point has each of its three
/// UTF-8 bytes escaped, so the mapping is one to one.
const ESCAPE_BASE: u32 = 0xF700;

/// A path as the kernel knows it: any bytes but NUL. In JSON a string, with bytes that are not UTF-8 escaped
/// into U+F780–U+F7FF; in MessagePack plain bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct BytePath(Vec<u8>);

impl BytePath {
    /// Wraps raw path bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The raw bytes, owned.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The path as an `OsStr`.
    #[cfg(unix)]
    pub fn as_os_str(&self) -> &std::ffi::OsStr {
        std::os::unix::ffi::OsStrExt::from_bytes(&self.0)
    }

    /// The path as a `Path`.
    #[cfg(unix)]
    pub fn as_path(&self) -> &std::path::Path {
        std::path::Path::new(self.as_os_str())
    }

    /// This path with `name` appended, one separator between them.
    #[must_use]
    pub fn join(&self, name: &[u8]) -> Self {
        let mut bytes = self.0.clone();
        if !bytes.is_empty() && bytes.last() != Some(&b'/') {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(name);
        Self(bytes)
    }

    /// The escaped text form that JSON carries. Lossless: [`BytePath::from_text`] gives the same bytes back.
    pub fn to_text(&self) -> String {
        let mut text = String::with_capacity(self.0.len());
        for chunk in self.0.utf8_chunks() {
            for ch in chunk.valid().chars() {
                if is_escape(ch) {
                    let mut buffer = [0; 4];
                    for byte in ch.encode_utf8(&mut buffer).bytes() {
                        push_escaped(&mut text, byte);
                    }
                } else {
                    text.push(ch);
                }
            }
            for &byte in chunk.invalid() {
                push_escaped(&mut text, byte);
            }
        }
        text
    }

    /// Reads the escaped text form.
    pub fn from_text(text: &str) -> Self {
        let mut bytes = Vec::with_capacity(text.len());
        let mut buffer = [0; 4];
        for ch in text.chars() {
            match u8::try_from(u32::from(ch).wrapping_sub(ESCAPE_BASE)) {
                Ok(byte) if byte >= 0x80 => bytes.push(byte),
                _ => bytes.extend_from_slice(ch.encode_utf8(&mut buffer).as_bytes()),
            }
        }
        Self(bytes)
    }
}

fn is_escape(ch: char) -> bool {
    (ESCAPE_BASE + 0x80..=ESCAPE_BASE + 0xFF).contains(&u32::from(ch))
}

fn push_escaped(text: &mut String, byte: u8) {
    if byte < 0x80 {
        text.push(char::from(byte));
    } else if let Some(ch) = char::from_u32(ESCAPE_BASE + u32::from(byte)) {
        text.push(ch);
    }
}

impl fmt::Display for BytePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for BytePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(&self.0), f)
    }
}

impl From<&str> for BytePath {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

#[cfg(unix)]
impl From<&std::path::Path> for BytePath {
    fn from(path: &std::path::Path) -> Self {
        Self(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).to_vec())
    }
}

impl Serialize for BytePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&self.to_text())
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for BytePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathVisitor;

        impl Visitor<'_> for PathVisitor {
            type Value = BytePath;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<BytePath, E> {
                Ok(BytePath::from_text(text))
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<BytePath, E> {
                Ok(BytePath(bytes.to_vec()))
            }

            fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<BytePath, E> {
                Ok(BytePath(bytes))
            }
        }

        if deserializer.is_human_readable() {
            deserializer.deserialize_str(PathVisitor)
        } else {
            deserializer.deserialize_byte_buf(PathVisitor)
        }
    }
}

impl TS for BytePath {
    type WithoutGenerics = Self;
    type OptionInnerType = Self;

    fn name(_: &ts_rs::Config) -> String {
        "string".to_owned()
    }

    fn inline(_: &ts_rs::Config) -> String {
        "string".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn invalid_utf8_is_escaped_and_text_is_left_alone() {
        assert_eq!(BytePath::from("src/größe.rs").to_text(), "src/größe.rs");
        assert_eq!(BytePath::new(b"caf\xe9".to_vec()).to_text(), "caf\u{f7e9}");
    }

    proptest! {
        #[test]
        fn text_form_is_lossless(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let path = BytePath::new(bytes.clone());
            prop_assert_eq!(BytePath::from_text(&path.to_text()).into_bytes(), bytes);
        }

        #[test]
        fn text_form_is_lossless_for_private_use_names(text in "[\u{f770}-\u{f7ff}a/]{0,16}") {
            let path = BytePath::from(text.as_str());
            prop_assert_eq!(BytePath::from_text(&path.to_text()).into_bytes(), text.into_bytes());
        }

        #[test]
        fn msgpack_keeps_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let packed = rmp_serde::to_vec_named(&BytePath::new(bytes.clone())).unwrap();
            prop_assert_eq!(rmp_serde::from_slice::<BytePath>(&packed).unwrap().into_bytes(), bytes);
        }
    }
}
