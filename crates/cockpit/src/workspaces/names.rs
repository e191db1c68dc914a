//! Names of workspaces.

use aicockpit_protocol::workspace::Source;
use aicockpit_protocol::{ApiError, ErrorCode};

/// Longest name, in characters.
pub const MAX_NAME_LEN: usize = 64;

/// A name as it is kept: without space at its ends.
///
/// # Errors
/// [`ErrorCode::InvalidArgument`] for an empty name, a long one, or one with control characters or a slash.
pub fn check(name: &str) -> Result<String, ApiError> {
    let name = name.trim();
    let problem = if name.is_empty() {
        "is empty"
    } else if name.chars().count() > MAX_NAME_LEN {
        "is longer than 64 characters"
    } else if name.contains('/') || name.chars().any(is_unprintable) {
        "contains a slash or an invisible character"
    } else {
        return Ok(name.to_owned());
    };
    Err(ApiError::new(ErrorCode::InvalidArgument, format!("The name {problem}."))
        .hint("Use 1 to 64 letters, digits, spaces, dots, dashes or the like."))
}

/// Control characters, and those that hide or reorder text around them.
fn is_unprintable(ch: char) -> bool {
    ch.is_control()
        || matches!(ch, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A name for a workspace made from `source`.
pub fn derive(source: &Source) -> String {
    let from = match source {
        Source::Git { url, .. } => last_part(url.trim().trim_end_matches('/').trim_end_matches(".git")),
        Source::Folder { path } => last_part(path.trim_end_matches('/')),
        Source::Empty => "workspace",
    };
    let name: String = from.chars().filter(|ch| !is_unprintable(*ch)).take(MAX_NAME_LEN).collect();
    match name.trim() {
        "" => "workspace".to_owned(),
        name => name.to_owned(),
    }
}

/// What comes after the last slash, or after the colon of `host:path`; not the query of a URL.
fn last_part(text: &str) -> &str {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    text.rsplit(['/', ':']).next().unwrap_or_default()
}

/// `name`, or `name-2`, `name-3`, … until `taken` says no.
pub fn unique(name: &str, taken: impl Fn(&str) -> bool) -> String {
    if !taken(name) {
        return name.to_owned();
    }
    let mut number = 2u32;
    loop {
        let suffix = format!("-{number}");
        let base: String = name.chars().take(MAX_NAME_LEN - suffix.len()).collect();
        let candidate = format!("{}{suffix}", base.trim_end());
        if !taken(&candidate) {
            return candidate;
        }
        number = number.saturating_add(1);
    }
}

/// A host name for the container of a workspace of this name.
pub fn host_name(name: &str) -> String {
    let label: String = name
        .chars()
        .map(|ch| if ch.is_ascii_alphanumeric() { ch.to_ascii_lowercase() } else { '-' })
        .take(63)
        .collect();
    match label.trim_matches('-') {
        "" => "workspace".to_owned(),
        label => label.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_come_from_the_last_part_of_the_source() {
        let git = |url: &str| derive(&Source::Git { url: url.to_owned(), branch: None });
        for (url, name) in [
            ("https://example.org/team/tool.git", "tool"),
            ("https://example.org/team/tool/", "tool"),
            ("git@example.org:team/tool.git", "tool"),
            ("git@example.org:tool", "tool"),
            ("file:///srv/größe.git", "größe"),
            ("/srv/repo", "repo"),
            ("https://example.org/x?token=secret", "x"),
            ("/", "workspace"),
            ("", "workspace"),
            ("/a/\u{202e}\u{7}", "workspace"),
        ] {
            assert_eq!(git(url), name, "{url}");
        }
        assert_eq!(derive(&Source::Folder { path: "/home/me/my project/".to_owned() }), "my project");
        assert_eq!(derive(&Source::Empty), "workspace");
    }

    #[test]
    fn taken_names_are_numbered() {
        let taken = ["a", "a-2"];
        assert_eq!(unique("a", |name| taken.contains(&name)), "a-3");
        assert_eq!(unique("b", |name| taken.contains(&name)), "b");
    }

    #[test]
    fn names_that_hide_something_are_refused() {
        for name in ["", "  ", "a/b", "a\nb", "a\u{202e}b", &"x".repeat(65)] {
            assert_eq!(check(name).unwrap_err().code, ErrorCode::InvalidArgument, "{name:?}");
        }
        assert_eq!(check(" größe 2 ").unwrap(), "größe 2");
    }

    proptest! {
        #[test]
        fn derived_and_numbered_names_are_valid(url in ".{0,100}") {
            let name = derive(&Source::Git { url, branch: None });
            prop_assert_eq!(check(&name), Ok(name.clone()));
            let next = unique(&name, |candidate| candidate == name);
            prop_assert_eq!(check(&next), Ok(next.clone()));
            prop_assert!(next != name);
        }

        #[test]
        fn host_names_are_labels(name in ".{0,80}") {
            let host = host_name(&name);
            prop_assert!((1..=63).contains(&host.len()) && !host.starts_with('-') && !host.ends_with('-'));
            prop_assert!(host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        }
    }
}
