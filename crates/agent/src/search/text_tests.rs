use super::*;
use aicockpit_protocol::search::MatchRange;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::Command;

fn literal(root: &Path, pattern: &str) -> SearchText {
    SearchText {
        root: BytePath::from(root),
        pattern: pattern.to_owned(),
        regex: false,
        case_sensitive: true,
        whole_word: false,
        include: Vec::new(),
        exclude: Vec::new(),
        include_ignored: false,
        max_matches: MAX_MATCHES,
    }
}

fn messages(search: &SearchText) -> Result<Vec<SearchMessage>, AgentError> {
    let mut messages = Vec::new();
    text(search, &AtomicBool::new(false), &mut |message| {
        messages.push(message);
        true
    })?;
    Ok(messages)
}

/// The matching lines by relative path and number, checked against the final counts.
fn found(search: &SearchText) -> BTreeMap<(PathBuf, u64), LineMatch> {
    let mut messages = messages(search).unwrap();
    let Some(SearchMessage::Done { matches, limited, .. }) = messages.pop() else {
        panic!("no last message")
    };
    let mut found = BTreeMap::new();
    for message in messages {
        let SearchMessage::Matches { files } = message else { panic!("two last messages") };
        for file in files {
            let path = file.path.as_path().strip_prefix(search.root.as_path()).unwrap().to_owned();
            assert!(file.lines.is_sorted_by_key(|line| line.line));
            for line in file.lines {
                assert!(found.insert((path.clone(), line.line), line).is_none(), "a line comes once");
            }
        }
    }
    assert_eq!(found.len() as u64, matches);
    assert!(!limited);
    found
}

fn files(search: &SearchText) -> Vec<String> {
    let paths: BTreeSet<_> = found(search).into_keys().map(|(path, _)| path).collect();
    paths.iter().map(|path| BytePath::from(path.as_path()).to_text()).collect()
}

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

#[test]
fn literal_text_is_literal_and_regex_is_regex() {
    let folder = tree(&[("a", "a.b\naxb\nA.B\n")]);
    let mut search = literal(folder.path(), "a.b");
    let lines = |search: &SearchText| found(search).into_keys().map(|(_, line)| line).collect::<Vec<_>>();
    assert_eq!(lines(&search), [1]);
    search.case_sensitive = false;
    assert_eq!(lines(&search), [1, 3]);
    search.regex = true;
    assert_eq!(lines(&search), [1, 2, 3]);
    search.pattern = "^a.b$".to_owned();
    search.case_sensitive = true;
    assert_eq!(lines(&search), [1, 2]);
}

#[test]
fn whole_words_and_line_ends_of_windows() {
    let folder = tree(&[("a", "cat\r\nconcat\r\ncat-o\r\n")]);
    let mut search = literal(folder.path(), "cat");
    search.whole_word = true;
    let lines: Vec<_> = found(&search).into_values().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].text, "cat", "the line end is not shown");
    assert_eq!(lines[1].ranges, [MatchRange { start: 0, end: 3 }]);
    search = SearchText { regex: true, pattern: "cat$".to_owned(), ..literal(folder.path(), "") };
    assert_eq!(found(&search).len(), 2);
}

#[test]
fn ignored_hidden_binary_and_git_files_are_left_out() {
    let folder = tree(&[
        (".gitignore", "out/\n*.log\n"),
        ("seen", "needle"),
        ("sub/.hidden", "needle"),
        ("out/a", "needle"),
        ("x.log", "needle"),
        (".git/config", "needle"),
        (".aicockpit-trash/1/0", "needle"),
        ("binary", "needle\n\0\n"),
    ]);
    let mut search = literal(folder.path(), "needle");
    assert_eq!(files(&search), ["seen"]);
    search.include_ignored = true;
    assert_eq!(files(&search), ["out/a", "seen", "sub/.hidden", "x.log"]);
}

#[test]
fn globs_choose_files_and_folders() {
    let folder = tree(&[
        (".gitignore", "gen\n"),
        ("src/a.rs", "needle"),
        ("src/sub/b.ts", "needle"),
        ("docs/src/c.rs", "needle"),
        ("gen/d.rs", "needle"),
    ]);
    let cases: [(&[&str], &[&str], &[&str]); 7] = [
        (&[], &[], &["docs/src/c.rs", "src/a.rs", "src/sub/b.ts"]),
        (&["*.rs"], &[], &["docs/src/c.rs", "src/a.rs"]),
        (&["src"], &[], &["docs/src/c.rs", "src/a.rs", "src/sub/b.ts"]),
        (&["./src/sub/"], &[], &["src/sub/b.ts"]),
        (&["src/**", "docs"], &["*.ts"], &["docs/src/c.rs", "src/a.rs"]),
        (&[], &["docs", "sub/"], &["src/a.rs"]),
        (&["*.{ts,js}"], &[], &["src/sub/b.ts"]),
    ];
    for (include, exclude, expected) in cases {
        let owned = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>();
        let mut search = literal(folder.path(), "needle");
        (search.include, search.exclude) = (owned(include), owned(exclude));
        assert_eq!(files(&search), expected, "{include:?} without {exclude:?}");
    }
}

#[test]
fn names_and_contents_that_are_not_utf8_are_found() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(OsStr::from_bytes(b"n\xe4me")), b"caf\xe9 needle\n").unwrap();
    fs::write(folder.path().join("utf16"), b"\xff\xfen\0e\0e\0d\0l\0e\0\n\0").unwrap();
    let search = literal(folder.path(), "needle");
    assert_eq!(files(&search), ["n\u{f7e4}me", "utf16"]);
    assert_eq!(found(&search).into_values().next().unwrap().text, "caf\u{fffd} needle");
}

#[test]
fn a_single_file_and_a_link_to_a_folder_can_be_the_root() {
    let folder = tree(&[("sub/a", "needle"), ("sub/b", "needle")]);
    std::os::unix::fs::symlink("sub", folder.path().join("link")).unwrap();
    assert_eq!(found(&literal(&folder.path().join("link"), "needle")).len(), 2);
    assert_eq!(messages(&literal(&folder.path().join("sub/a"), "needle")).unwrap().len(), 2);
}

#[test]
fn more_matches_than_asked_for_are_said_to_exist() {
    let folder = tree(&[("a", &"needle\n".repeat(10))]);
    for (limit, expected, more) in [(9, 9, true), (10, 10, false), (0, 1, true)] {
        let mut search = literal(folder.path(), "needle");
        search.max_matches = limit;
        let mut messages = messages(&search).unwrap();
        let Some(SearchMessage::Done { matches, limited, .. }) = messages.pop() else { panic!() };
        assert_eq!((matches, limited), (expected, more), "limit {limit}");
        let lines: usize = messages
            .iter()
            .map(|message| match message {
                SearchMessage::Matches { files } => files.iter().map(|file| file.lines.len()).sum(),
                SearchMessage::Done { .. } => 0,
            })
            .sum();
        assert_eq!(lines as u64, expected);
    }
}

#[test]
fn what_cannot_be_searched_for_is_explained() {
    let folder = tree(&[]);
    let mut search = literal(folder.path(), "(");
    search.regex = true;
    let error = messages(&search).unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidArgument);
    assert!(error.message.contains("unclosed group"), "{}", error.message);
    for pattern in ["", "a\nb"] {
        assert_eq!(messages(&literal(folder.path(), pattern)).unwrap_err().code, ErrorCode::InvalidArgument);
    }
    search = literal(folder.path(), "x");
    search.include = vec!["[".to_owned()];
    assert_eq!(messages(&search).unwrap_err().code, ErrorCode::InvalidArgument);
    let missing = literal(&folder.path().join("missing"), "x");
    assert_eq!(messages(&missing).unwrap_err().code, ErrorCode::NotFound);
}

#[test]
fn a_search_ends_when_it_is_cancelled_or_not_wanted() {
    let many: Vec<_> = (0..300).map(|number| (format!("f{number}"), "needle\n".repeat(300))).collect();
    let many: Vec<_> = many.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
    let folder = tree(&many);
    let search = literal(folder.path(), "needle");
    let mut count = 0;
    let unwanted = text(&search, &AtomicBool::new(false), &mut |_| {
        count += 1;
        false
    });
    assert_eq!((unwanted.unwrap_err().code, count), (ErrorCode::Cancelled, 1));

    let cancelled = AtomicBool::new(false);
    let mut lines = 0;
    let ended = text(&search, &cancelled, &mut |message| {
        let SearchMessage::Matches { files } = message else { panic!("cancelled searches are not done") };
        lines += files.iter().map(|file| file.lines.len()).sum::<usize>();
        cancelled.store(true, Ordering::Relaxed);
        true
    });
    assert_eq!(ended.unwrap_err().code, ErrorCode::Cancelled);
    assert!(lines < 300 * 300);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn finds_what_grep_finds(
        contents in proptest::collection::vec("([ab_ ]{0,6}\r?\n){0,5}[ab]{0,3}", 1..8),
        pattern in "[ab_]{1,3}",
        whole_word in any::<bool>(),
        case_sensitive in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        for (number, content) in contents.iter().enumerate() {
            let directory = folder.path().join(format!("d{}", number % 3));
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join(format!("f{number}")), content).unwrap();
        }
        let pattern = if case_sensitive { pattern } else { pattern.to_uppercase() };
        let mut grep = Command::new("grep");
        grep.current_dir(folder.path()).args(["-rnF", "--null"]);
        grep.args(whole_word.then_some("-w")).args((!case_sensitive).then_some("-i"));
        let output = grep.arg("--").arg(&pattern).arg(".").output().unwrap();
        let mut expected = BTreeSet::new();
        for line in output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let (path, rest) = line.split_at(line.iter().position(|byte| *byte == 0).unwrap());
            let number = rest[1..].split(|byte| *byte == b':').next().unwrap();
            let path = Path::new(OsStr::from_bytes(path)).strip_prefix(".").unwrap().to_owned();
            expected.insert((path, String::from_utf8_lossy(number).parse::<u64>().unwrap()));
        }
        let mut search = literal(folder.path(), &pattern);
        (search.whole_word, search.case_sensitive) = (whole_word, case_sensitive);
        let found = found(&search);
        prop_assert_eq!(found.keys().cloned().collect::<BTreeSet<_>>(), expected);
        for line in found.values() {
            prop_assert!(!line.ranges.is_empty());
            for range in &line.ranges {
                let shown = &line.text[range.start as usize..range.end as usize];
                prop_assert!(shown.eq_ignore_ascii_case(&pattern));
            }
        }
    }
}
