//! Reads `git status --porcelain=v2 -z --branch`, as described in git-status(1).
//!
//! The output is bytes from a program of the image, which need not be Git: whatever comes is read without trust,
//! and a record that is not understood is passed over.

use aicockpit_protocol::BytePath;
use aicockpit_protocol::fs::{GitChange, GitEntry, GitState};

/// Characters of a commit id that stand for a branch where the head is detached.
const SHORT_ID: usize = 8;

/// The state that the output tells, with at most `limit` entries.
pub(super) fn parse(output: &[u8], root: BytePath, limit: usize) -> GitState {
    let mut state = GitState { root, branch: None, ahead: 0, behind: 0, entries: Vec::new() };
    let mut head = Head::default();
    // The last record ends with NUL, too: what follows is empty, or cut off.
    let mut records =
        output.split_inclusive(|byte| *byte == 0).filter_map(|record| record.strip_suffix(b"\0"));
    while let Some(record) = records.next() {
        if let Some(header) = record.strip_prefix(b"# branch.") {
            head.read(header);
            continue;
        }
        let entry = match record.first() {
            Some(b'1') => fields(record, 8).and_then(|(fields, path)| Some((path, ordinary(fields.get(1)?)))),
            Some(b'2') => {
                // The path it came from is a record of its own.
                let _ = records.next();
                fields(record, 9).map(|(_, path)| (path, GitChange::Renamed))
            }
            Some(b'u') => fields(record, 10).map(|(_, path)| (path, GitChange::Conflicted)),
            Some(b'?') => fields(record, 1).map(|(_, path)| (path, GitChange::Untracked)),
            Some(b'!') => fields(record, 1).map(|(_, path)| (path, GitChange::Ignored)),
            _ => None,
        };
        let Some((path, change)) = entry else { continue };
        if state.entries.len() == limit {
            break;
        }
        let path = path.strip_suffix(b"/").unwrap_or(path);
        state.entries.push(GitEntry { path: state.root.join(path), change });
    }
    (state.ahead, state.behind) = (head.ahead, head.behind);
    state.branch = head.branch();
    state
}

/// The fields before the path, which is the rest of the record, spaces and all.
fn fields(record: &[u8], count: usize) -> Option<(Vec<&[u8]>, &[u8])> {
    let mut parts = record.splitn(count + 1, |byte| *byte == b' ');
    let fields: Vec<_> = parts.by_ref().take(count).collect();
    let path = parts.next().filter(|path| !path.is_empty() && !path.starts_with(b"/"))?;
    Some((fields, path))
}

/// `XY`: the index against the commit, the work tree against the index.
fn ordinary(states: &[u8]) -> GitChange {
    match states {
        [_, b'D'] | [b'D', _] => GitChange::Deleted,
        [b'A', _] | [_, b'A'] => GitChange::Added,
        _ => GitChange::Modified,
    }
}

#[derive(Default)]
struct Head {
    id: Option<String>,
    name: Option<String>,
    ahead: u32,
    behind: u32,
}

impl Head {
    fn read(&mut self, header: &[u8]) {
        let Some((name, value)) = std::str::from_utf8(header).ok().and_then(|text| text.split_once(' '))
        else {
            // A branch's name need not be UTF-8.
            if let Some(name) = header.strip_prefix(b"head ") {
                self.name = Some(String::from_utf8_lossy(name).into_owned());
            }
            return;
        };
        match name {
            "oid" => self.id = Some(value.to_owned()),
            "head" => self.name = Some(value.to_owned()),
            "ab" => {
                let mut counts =
                    value.split(' ').map(|count| count.get(1..).and_then(|count| count.parse().ok()));
                self.ahead = counts.next().flatten().unwrap_or(0);
                self.behind = counts.next().flatten().unwrap_or(0);
            }
            _ => {}
        }
    }

    fn branch(self) -> Option<String> {
        let id = self.id.filter(|id| id != "(initial)")?;
        match self.name {
            Some(name) if name != "(detached)" => Some(name),
            _ => Some(id.chars().take(SHORT_ID).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(records: &[&str]) -> GitState {
        let output: String = records.iter().map(|record| format!("{record}\0")).collect();
        parse(output.as_bytes(), BytePath::from("/w"), 100)
    }

    #[test]
    fn every_kind_of_record_is_read() {
        let hashes = "N... 100644 100644 100644 aaa bbb";
        let state = parsed(&[
            "# branch.oid 0123456789abcdef",
            "# branch.head main",
            "# branch.upstream origin/main",
            "# branch.ab +2 -3",
            "# stash 1",
            &format!("1 .M {hashes} src/with space.rs"),
            &format!("1 A. {hashes} new"),
            &format!("1 AD {hashes} gone again"),
            &format!("1 D. {hashes} gone"),
            &format!("1 .T {hashes} now a link"),
            &format!("2 R. {hashes} R100 to"),
            "? from-looks-like-a-record",
            "u UU N... 100644 100644 100644 100644 a b c both",
            "? untracked/",
            "! target/",
            "x unknown",
            "1 .M too short",
        ]);
        assert_eq!((state.branch.as_deref(), state.ahead, state.behind), (Some("main"), 2, 3));
        let entries: Vec<_> =
            state.entries.iter().map(|entry| (entry.path.to_text(), entry.change)).collect();
        let expected = [
            ("/w/src/with space.rs", GitChange::Modified),
            ("/w/new", GitChange::Added),
            ("/w/gone again", GitChange::Deleted),
            ("/w/gone", GitChange::Deleted),
            ("/w/now a link", GitChange::Modified),
            ("/w/to", GitChange::Renamed),
            ("/w/both", GitChange::Conflicted),
            ("/w/untracked", GitChange::Untracked),
            ("/w/target", GitChange::Ignored),
        ];
        assert_eq!(entries, expected.map(|(path, change)| (path.to_owned(), change)));
    }

    #[test]
    fn a_detached_head_is_its_commit_and_before_the_first_there_is_none() {
        let detached = parsed(&["# branch.oid 0123456789abcdef", "# branch.head (detached)"]);
        assert_eq!(detached.branch.as_deref(), Some("01234567"));
        assert_eq!(parsed(&["# branch.oid (initial)", "# branch.head main"]).branch, None);
    }

    #[test]
    fn entries_end_at_the_limit_and_a_cut_record_is_dropped() {
        let state = parse(b"? a\0? b\0? c\0", BytePath::from("/w"), 2);
        assert_eq!(state.entries.len(), 2);
        let state = parse(b"? a\0? not whol", BytePath::from("/w"), 2);
        assert_eq!(state.entries.len(), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic_and_stay_below_the_root(
            output in proptest::collection::vec(
                prop_oneof![Just(0u8), Just(b' '), Just(b'1'), Just(b'2'), Just(b'u'), Just(b'?'), Just(b'/'), any::<u8>()],
                0..300,
            ),
        ) {
            let state = parse(&output, BytePath::from("/w"), 5);
            prop_assert!(state.entries.len() <= 5);
            for entry in state.entries {
                prop_assert!(entry.path.as_bytes().starts_with(b"/w/"));
            }
        }

        #[test]
        fn any_path_comes_back(path in proptest::collection::vec(1..=255u8, 1..40)) {
            prop_assume!(path[0] != b'/' && path.last() != Some(&b'/'));
            let output = [&b"? "[..], &path, b"\0"].concat();
            let state = parse(&output, BytePath::from("/w"), 5);
            prop_assert_eq!(state.entries[0].path.as_bytes(), [b"/w/", &path[..]].concat());
        }
    }
}
