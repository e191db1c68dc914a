//! Names that become a part of an engine's URL are checked first: they come from people and from labels.

use crate::{EngineError, Result};

/// Passes a container's, volume's or network's name or id on when it has the form that engines give them.
///
/// # Errors
/// [`EngineError::NotFound`]: nothing can have such a name.
pub fn check_name(name: &str) -> Result<&str> {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    let rest = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if first && rest && name.len() <= 255 {
        Ok(name)
    } else {
        Err(EngineError::NotFound(format!("`{}` is not a valid name", name.escape_default())))
    }
}

/// An image reference, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ImageReference<'a> {
    /// Registry and repository.
    pub repository: &'a str,
    /// Tag, where one is given.
    pub tag: Option<&'a str>,
    /// Digest, where one is given.
    pub digest: Option<&'a str>,
}

impl<'a> ImageReference<'a> {
    /// Takes a reference apart.
    ///
    /// # Errors
    /// [`EngineError::ImageNotFound`]: no image can have such a name.
    pub fn parse(text: &'a str) -> Result<Self> {
        let invalid = || {
            EngineError::ImageNotFound(format!("`{}` is not a valid image reference", text.escape_default()))
        };
        let (named, digest) = match text.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (text, None),
        };
        // A colon before the last slash belongs to the registry's port.
        let slash = named.rfind('/').map_or(0, |at| at + 1);
        let (repository, tag) = match named[slash..].find(':') {
            Some(at) => (&named[..slash + at], Some(&named[slash + at + 1..])),
            None => (named, None),
        };
        let word = |text: &str, extra: &[u8]| {
            text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || extra.contains(&b))
        };
        let parts = repository.split('/').enumerate().all(|(index, part)| {
            let extra: &[u8] = if index == 0 { b"._-:" } else { b"._-" };
            word(part, extra) && !part.contains("..")
        });
        let valid = parts
            && text.len() <= 512
            && tag.is_none_or(|tag| word(tag, b"._-") && !tag.contains(".."))
            && digest.is_none_or(|digest| word(digest, b":._-") && digest.contains(':'));
        if valid { Ok(Self { repository, tag, digest }) } else { Err(invalid()) }
    }

    /// The tag that names the image: `latest` unless another or a digest is given.
    pub fn tag_or_latest(&self) -> &'a str {
        self.tag.unwrap_or("latest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_url_segment() {
        for name in ["a", "aicockpit-0123456789abcdef", "A.b_c-9"] {
            assert_eq!(check_name(name), Ok(name));
        }
        for name in ["", "..", "../etc", "a/b", "a?b=c", "a#b", "a b", "-a", "ä", "a\n", "%2e%2e"] {
            assert!(check_name(name).is_err(), "{name:?} must be refused");
        }
    }

    #[test]
    fn references_are_taken_apart() {
        let cases = [
            ("debian", ("debian", None, None)),
            ("debian:bookworm", ("debian", Some("bookworm"), None)),
            ("localhost:5000/a/b", ("localhost:5000/a/b", None, None)),
            ("localhost:5000/a/b:c", ("localhost:5000/a/b", Some("c"), None)),
            ("a/b@sha256:0f", ("a/b", None, Some("sha256:0f"))),
            ("a/b:t@sha256:0f", ("a/b", Some("t"), Some("sha256:0f"))),
            ("sha256:0f", ("sha256", Some("0f"), None)),
        ];
        for (text, (repository, tag, digest)) in cases {
            assert_eq!(ImageReference::parse(text), Ok(ImageReference { repository, tag, digest }), "{text}");
        }
        for text in
            ["", "a b", "../x", "a/../b", "a//b", "a:", "a:b:c", "a?x=1", "a#b", "-a", "a@b", "http://a/b"]
        {
            assert!(ImageReference::parse(text).is_err(), "{text:?} must be refused");
        }
    }
}
