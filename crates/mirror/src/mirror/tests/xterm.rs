//! A snapshot, fed to the UI's own terminal, shows the same as the output itself.

use super::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What full-screen and line-oriented programs send. What terminals do not agree on among themselves is left out.
fn common() -> impl Strategy<Value = Vec<u8>> {
    let number = 1u16..8;
    prop_oneof![
        4 => "[a-z0-9 ]{1,25}".prop_map(String::into_bytes),
        1 => "[é→│]{1,8}".prop_map(String::into_bytes),
        4 => prop::sample::select(vec!["\r\n", "\r", "\n", "\t", "\x08", "\x1bM"])
            .prop_map(|text| text.as_bytes().to_vec()),
        3 => prop::sample::select(vec!["0", "1", "2", "3", "4", "7", "9", "22", "24", "27", "31", "39", "42", "49", "92", "103", "38;5;99", "48;2;1;2;3"])
            .prop_map(|code| format!("\x1b[{code}m").into_bytes()),
        3 => (number.clone(), number.clone()).prop_map(|(row, column)| format!("\x1b[{row};{column}H").into_bytes()),
        3 => (number, prop::sample::select(b"@ABCDGLMPXd".to_vec()))
            .prop_map(|(count, end)| format!("\x1b[{count}{}", char::from(end)).into_bytes()),
        2 => (0u8..3, prop::sample::select(b"JK".to_vec()))
            .prop_map(|(mode, end)| format!("\x1b[{mode}{}", char::from(end)).into_bytes()),
        1 => prop::sample::select(vec!["\x1b[?25l", "\x1b[?2004h", "\x1b[?1h", "\x1b[?1049h", "\x1b[?1000h\x1b[?1006h", "\x1b]2;t\x07", "\x1b[2;5r", "\x1b[r", "\x1b(0q\x1b(B"])
            .prop_map(|text| text.as_bytes().to_vec()),
    ]
}

fn case(size: Size, output: &[u8]) -> String {
    let mut mirror = mirror(size, output);
    let goes_on = mirror.safe_offset(output.len() as u64, output);
    let snapshot = mirror.snapshot();
    format!(
        r#"{{"columns":{},"rows":{},"output":{output:?},"snapshot":{snapshot:?},"goesOn":{goes_on},"next":{:?}}}"#,
        size.columns, size.rows, b"next\r\n\x1b[1mlast"
    )
}

/// What differs, a paragraph for each case.
fn differences(cases: &[String]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packages = root.join("../../ui/package.json");
    assert!(
        packages.with_file_name("node_modules/@xterm/headless").is_dir(),
        "the UI's packages are not here; `cargo xtask setup --tests` installs what tests need"
    );
    let mut node = Command::new("node")
        .arg(root.join("src/mirror/tests/xterm.mjs"))
        .arg(packages)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    node.stdin.take().unwrap().write_all(format!("[{}]", cases.join(",")).as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.split("\n\n").filter(|case| !case.is_empty()).map(str::to_owned).collect()
}

#[test]
fn the_ui_s_terminal_shows_the_same_after_a_snapshot() {
    // The same cases each time: what differs is to be seen, not to be found by chance.
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = prop::collection::vec(common(), 0..60);
    let mut cases = Vec::new();
    while cases.len() < 500 {
        let output = strategy.new_tree(&mut runner).unwrap().current().concat();
        // The UI's terminal has a scroll region for each screen, xterm one for both.
        let holds = |sequence: &[u8]| output.windows(sequence.len()).any(|window| window == sequence);
        if holds(b"\x1b[2;5r") && holds(b"\x1b[?1049h") {
            continue;
        }
        if !is_out_of_reach(&mut mirror(SIZE, &output)) {
            cases.push(case(SIZE, &output));
        }
    }
    let found = differences(&cases);
    assert!(found.is_empty(), "{} of {} differ:\n{}", found.len(), cases.len(), found.join("\n\n"));
}
