//! The real program: it puts itself, or what is sent to it, where it is told to.

#![expect(clippy::unwrap_used, reason = "a fault is a failed test")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn agent() -> Command {
    Command::new(env!("CARGO_BIN_EXE_aicockpit-agent"))
}

fn version(program: &Path) -> String {
    let said = Command::new(program).arg("--version").output().unwrap();
    assert!(said.status.success(), "{said:?}");
    String::from_utf8(said.stdout).unwrap()
}

/// What it says where it fails.
fn refusal(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn it_installs_itself_over_one_that_runs() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("agent-0123456789abcdef-x86_64");
    for _ in 0..2 {
        let installed = agent().arg("install").arg(&target).env_clear().output().unwrap();
        assert!(installed.status.success(), "{installed:?}");
    }
    // By the installed one, whose file is in use meanwhile.
    let again = Command::new(&target).arg("install").arg(&target).output().unwrap();
    assert!(again.status.success(), "{again:?}");
    assert_eq!(fs::read(&target).unwrap(), fs::read(env!("CARGO_BIN_EXE_aicockpit-agent")).unwrap());
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o7777, 0o755);
    assert!(version(&target).starts_with("aicockpit-agent "));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn it_receives_a_program_though_the_stream_stays_open() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("agent");
    let program = fs::read(env!("CARGO_BIN_EXE_aicockpit-agent")).unwrap();
    let mut receiving = agent();
    receiving.arg("receive").arg(&target).arg(program.len().to_string()).stdin(Stdio::piped());
    let mut child = receiving.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&program).unwrap();
    assert!(child.wait().unwrap().success(), "it ends without the end of its input");
    drop(stdin);
    assert!(version(&target).starts_with("aicockpit-agent "));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_program_that_is_cut_off_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("agent");
    let mut receiving = agent();
    receiving.arg("receive").arg(&target).arg("1000").stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = receiving.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"too little").unwrap();
    let said = refusal(&child.wait_with_output().unwrap());
    assert!(said.contains("only 10 of 1000 bytes came") && said.contains("agent"), "{said}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn wrong_arguments_are_told_with_the_right_ones() {
    let cases: [&[&str]; 5] = [
        &["install"],
        &["install", "a", "b"],
        &["receive", "a"],
        &["receive", "a", "many"],
        &["receive", "a", "1", "2"],
    ];
    for arguments in cases {
        let output = agent().args(arguments).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(refusal(&output).contains("usage:"), "{arguments:?}");
    }
}
