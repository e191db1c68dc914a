use super::*;
use aicockpit_protocol::BytePath;
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32String};
use proptest::prelude::*;
use std::ffi::OsStr;

fn pieces(paths: &[&str]) -> Vec<Arc<Piece>> {
    // Several pieces, so that order cannot depend on which one a path is in.
    let build = |paths: &[&str]| {
        let mut builder = PieceBuilder::default();
        paths.iter().for_each(|path| builder.push(path.as_bytes()));
        builder.build().map(Arc::new)
    };
    paths.chunks(3).filter_map(build).collect()
}

fn ask(paths: &[&str], query: &str, limit: usize) -> Vec<(String, String)> {
    let found = best(&pieces(paths), &Query::new(query), limit);
    found
        .into_iter()
        .map(|file| {
            let text = file.path.to_text();
            let units: Vec<u16> = text.encode_utf16().collect();
            let marked: Vec<u16> = file.positions.iter().map(|at| units[*at as usize]).collect();
            (text, String::from_utf16(&marked).unwrap())
        })
        .collect()
}

fn names(found: &[(String, String)]) -> Vec<&str> {
    found.iter().map(|(path, _)| path.as_str()).collect()
}

const TREE: [&str; 9] = [
    "README.md",
    "src/main.rs",
    "src/search/mod.rs",
    "src/search/index.rs",
    "docs/searching.md",
    "tests/search/data.txt",
    "src/files/mod.rs",
    "src/files/größe.rs",
    "Cargo.toml",
];

#[test]
fn names_come_before_paths_and_better_matches_first() {
    let found = ask(&TREE, "search", 10);
    assert_eq!(
        names(&found),
        ["docs/searching.md", "src/search/mod.rs", "src/search/index.rs", "tests/search/data.txt"]
    );
    assert!(found.iter().all(|(_, marked)| marked == "search"), "{found:?}");
}

#[test]
fn letters_scattered_over_a_long_name_do_not_count_as_a_match_of_it() {
    let paths = ["snapshots/strips_human_reporter_closing_libtest.snap", "src/lib.rs", "src/libs.rs"];
    assert_eq!(names(&ask(&paths, "srclib", 1)), ["src/lib.rs"]);
}

#[test]
fn words_and_directories_narrow_the_result() {
    assert_eq!(names(&ask(&TREE, "mod files", 10)), ["src/files/mod.rs"]);
    assert_eq!(names(&ask(&TREE, "files/mod", 10)), ["src/files/mod.rs"]);
    assert_eq!(names(&ask(&TREE, "sfmod", 10)), ["src/files/mod.rs"]);
    assert_eq!(names(&ask(&TREE, "CARGO", 10)), ["Cargo.toml"]);
    assert!(ask(&TREE, "nothing like it", 10).is_empty());
}

#[test]
fn accents_match_with_and_without_and_positions_count_utf16() {
    for query in ["größe", "grosse", "groe"] {
        let found = ask(&TREE, query, 10);
        assert_eq!(
            names(&found),
            if query == "grosse" { vec![] } else { vec!["src/files/größe.rs"] },
            "{query}"
        );
    }
    let found = best(&pieces(&["😀/ä/x.rs"]), &Query::new("äx"), 1);
    assert_eq!(found[0].positions, [3, 5]);
}

#[test]
fn an_empty_query_gives_the_shortest_paths() {
    assert_eq!(names(&ask(&TREE, " ", 3)), ["README.md", "Cargo.toml", "src/main.rs"]);
}

#[test]
fn the_limit_keeps_the_best() {
    let all = ask(&TREE, "s", 100);
    for limit in 1..all.len() {
        assert_eq!(ask(&TREE, "s", limit)[..], all[..limit], "limit {limit}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The exact tests rule out only what nucleo does not find in the whole path.
    #[test]
    fn found_is_exactly_what_nucleo_finds(
        paths in proptest::collection::btree_set("([abAé.\u{e000}]{1,3}/){0,2}[abBé_.]{1,4}", 1..20),
        query in "[abBé./_]{1,4}( [abé]{1,2})?",
    ) {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let mut found: Vec<String> =
            best(&pieces(&paths), &Query::new(&query), 100).into_iter().map(|file| file.path.to_text()).collect();
        found.sort();
        let mut pattern = Pattern::new(
            &query, CaseMatching::Ignore, Normalization::Smart, nucleo_matcher::pattern::AtomKind::Fuzzy,
        );
        pattern.atoms.retain(|atom| !atom.needle_text().is_empty());
        let mut matcher = Matcher::new(Config::DEFAULT.match_paths());
        let mut expected: Vec<String> = paths
            .iter()
            .filter(|path| pattern.score(Utf32String::from(**path).slice(..), &mut matcher).is_some())
            .map(|path| (*path).to_owned())
            .collect();
        expected.sort();
        prop_assert_eq!(found, expected);
    }
}

fn wait_until_indexed(index: &Index, root: &Path, query: &str) -> FoundFiles {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let found = index
            .find(&FindFiles { root: BytePath::from(root), query: query.to_owned(), limit: 100 })
            .unwrap();
        if !found.indexing || Instant::now() > deadline {
            return found;
        }
        thread::yield_now();
    }
}

#[test]
fn a_tree_is_walked_without_ignored_files_and_git() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for directory in [".git", "src", "target", ".github"] {
        fs::create_dir(root.join(directory)).unwrap();
    }
    fs::write(root.join(".gitignore"), "target/\n").unwrap();
    for file in [".git/config", "src/a.rs", "target/a.rs", ".github/a.yml"] {
        fs::write(root.join(file), "").unwrap();
    }
    fs::write(root.join(OsStr::from_bytes(b"src/\xff.rs")), "").unwrap();
    let index = Index::new();
    let found = wait_until_indexed(&index, root, "");
    let mut paths: Vec<_> = found.files.iter().map(|file| file.path.to_text()).collect();
    paths.sort();
    assert_eq!(paths, [".github/a.yml", ".gitignore", "src/a.rs", "src/\u{f7ff}.rs"]);
    assert_eq!(found.indexed, 4);

    fs::remove_file(root.join("src/a.rs")).unwrap();
    assert!(wait_until_indexed(&index, root, "a.rs").files.is_empty(), "what is gone is not answered");
}

#[test]
fn a_missing_root_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let root = BytePath::from(folder.path().join("missing").as_path());
    let error = Index::new().find(&FindFiles { root, query: String::new(), limit: 1 });
    assert_eq!(error.unwrap_err().code, aicockpit_protocol::ErrorCode::NotFound);
}

#[test]
fn a_new_query_refreshes_what_is_stale_and_typing_on_does_not() {
    let mut state = State { finished: Some(Instant::now()), last_query: "ab".to_owned(), ..State::default() };
    assert!(!state.wants_walk("x"), "fresh");
    state.finished = Instant::now().checked_sub(STALE * 2);
    assert!(state.wants_walk("x") && state.wants_walk(""));
    assert!(!state.wants_walk("abc") && !state.wants_walk("a"), "still the same query");
    state.took = STALE;
    assert!(!state.wants_walk("x"), "a slow walk is repeated less often");
    assert!(State::default().wants_walk("ab"), "nothing is known yet");
}
