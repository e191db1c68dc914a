use super::*;
use aicockpit_protocol::BytePath;
use aicockpit_protocol::search::{SearchMessage, SearchText};
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::atomic::AtomicBool;

fn request(root: &Path, pattern: &str, regex: bool, replacement: &str, files: &[&str]) -> ReplaceText {
    ReplaceText {
        search: SearchText {
            root: BytePath::from(root),
            pattern: pattern.to_owned(),
            regex,
            case_sensitive: true,
            whole_word: false,
            include: Vec::new(),
            exclude: Vec::new(),
            include_ignored: false,
            max_matches: 1000,
        },
        replacement: replacement.to_owned(),
        files: files.iter().map(|file| BytePath::from(root).join(file.as_bytes())).collect(),
    }
}

fn replaced_in(content: &[u8], pattern: &str, regex: bool, replacement: &str) -> (Vec<u8>, u64) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), content).unwrap();
    let outcome = replace(&request(folder.path(), pattern, regex, replacement, &["file"])).unwrap();
    (fs::read(folder.path().join("file")).unwrap(), outcome.replacements)
}

#[test]
fn every_match_is_replaced_and_all_else_is_kept() {
    assert_eq!(replaced_in(b"a.b axb\r\n\xff a.b", "a.b", false, "$1"), (b"$1 axb\r\n\xff $1".to_vec(), 2));
    assert_eq!(
        replaced_in(b"key: one\nkey: two\n", r"key: (?<value>\w+)$", true, "${value} = $1"),
        (b"one = one\ntwo = two\n".to_vec(), 2)
    );
    assert_eq!(
        replaced_in(b"\xEF\xBB\xBFfirst\r\nsecond", "^", true, "// ").0,
        b"\xEF\xBB\xBF// first\r\n// second"
    );
}

#[test]
fn files_that_cannot_be_changed_are_reported_and_do_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("good"), "needle needle").unwrap();
    fs::set_permissions(folder.path().join("good"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::write(folder.path().join("none"), "nothing").unwrap();
    fs::write(folder.path().join("binary"), "needle\0").unwrap();
    fs::write(folder.path().join("utf16"), b"\xff\xfen\0").unwrap();
    let files = ["missing", "binary", "utf16", "none", "good"];
    let outcome = replace(&request(folder.path(), "needle", false, "pin", &files)).unwrap();
    assert_eq!(outcome.changed, [BytePath::from(folder.path()).join(b"good")]);
    assert_eq!(outcome.replacements, 2);
    assert_eq!(outcome.failed.len(), 4);
    for failure in &outcome.failed {
        assert!(failure.reason.contains(&failure.path.to_text()), "{}", failure.reason);
    }
    assert_eq!(fs::read(folder.path().join("good")).unwrap(), b"pin pin");
    assert_eq!(fs::metadata(folder.path().join("good")).unwrap().mode() & 0o777, 0o640);
    assert_eq!(fs::read(folder.path().join("binary")).unwrap(), b"needle\0");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4, "nothing temporary is left");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What was replaced is what the search shows: the same number of matches, and none left.
    #[test]
    fn replaces_what_the_search_found(
        content in "([ab x]{0,8}\r?\n){0,6}[ab]{0,3}",
        pattern in prop_oneof![Just("a+"), Just("ab|b"), Just("^a"), Just("b$"), Just("[^a]b"), Just(r"\bab\b")],
        whole_word in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), &content).unwrap();
        let mut request = request(folder.path(), pattern, true, "-", &["file"]);
        request.search.whole_word = whole_word;
        let mut shown = 0;
        crate::search::text(&request.search, &AtomicBool::new(false), &mut |message| {
            if let SearchMessage::Matches { files } = message {
                shown += files.iter().flat_map(|file| &file.lines).map(|line| line.ranges.len() as u64).sum::<u64>();
            }
            true
        }).unwrap();
        let outcome = replace(&request).unwrap();
        prop_assert_eq!(outcome.replacements, shown);
        let after = fs::read_to_string(folder.path().join("file")).unwrap();
        prop_assert_eq!(after.matches('\n').count(), content.matches('\n').count());
        prop_assert_eq!(after.matches('\r').count(), content.matches('\r').count());
        if shown == 0 {
            prop_assert_eq!(after, content);
        }
    }
}
