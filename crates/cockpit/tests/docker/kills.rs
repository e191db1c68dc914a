//! `kill -9` of the cockpit, and of the agent's connection, in the middle of work.

use crate::common::inside::{Inside, until};
use crate::common::*;
use aicockpit_protocol::api::{Draft, DraftGet, DraftPut, DraftRef, In, TerminalList};
use aicockpit_protocol::fs::WriteCondition;
use aicockpit_protocol::workspace::Source;
use aicockpit_protocol::{BytePath, TerminalId, WorkspaceId};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a file, a draft and a line in a terminal, over and over, and says after each round that all three were
/// acknowledged, until it is killed.
///
/// Not a test of its own: the process that the next test kills.
#[tokio::test]
#[ignore = "run by what_was_acknowledged_survives_a_killed_cockpit in a process of its own"]
async fn child_that_works_until_it_is_killed() {
    let (Some(directory), Ok(id)) =
        (std::env::var_os("AICOCKPIT_TEST_DATA"), std::env::var("AICOCKPIT_TEST_WORKSPACE"))
    else {
        return;
    };
    let terminal = TerminalId(std::env::var("AICOCKPIT_TEST_TERMINAL").unwrap().parse().unwrap());
    let first: u64 = std::env::var("AICOCKPIT_TEST_FIRST").unwrap().parse().unwrap();
    let cockpit = start(directory.as_ref(), docker()).await;
    cockpit.engines().settled().await;
    let inside = Inside::open(&cockpit, &WorkspaceId::new(id)).await;
    let mut view = inside.attach(terminal).await;
    for round in first.. {
        let text = round.to_string();
        inside.write("/workspace/count", text.as_bytes(), WriteCondition::Any).await.unwrap();
        let args = Draft { path: BytePath::from("/workspace/draft"), base_version: None };
        let args = In { workspace: inside.workspace.clone(), args };
        inside.client.call_with::<DraftPut>(args, text.as_bytes()).await.unwrap();
        view.sender().send(format!("echo round-$(({round}+0))-done\n").as_bytes()).await.unwrap();
        until(&mut view, &format!("round-{round}-done")).await;
        let mut out = std::io::stdout().lock();
        writeln!(out, "acknowledged {round}").unwrap();
        out.flush().unwrap();
    }
}

/// Lets the child work on from `first` and kills it at once after `rounds` rounds; the last one acknowledged.
fn work_and_kill(data: &Path, inside: &WorkspaceId, terminal: TerminalId, first: u64, rounds: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kills::child_that_works_until_it_is_killed", "--ignored", "--nocapture"])
        .env("AICOCKPIT_TEST_DATA", data)
        .env("AICOCKPIT_TEST_WORKSPACE", inside.as_str())
        .env("AICOCKPIT_TEST_TERMINAL", terminal.0.to_string())
        .env("AICOCKPIT_TEST_FIRST", first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut last = None;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        if let Some(round) = line.unwrap().strip_prefix("acknowledged ") {
            last = Some(round.parse().unwrap());
            if last >= Some(first + rounds) {
                // On Unix this is SIGKILL. What it says after this was acknowledged as well.
                let _ = child.kill();
            }
        }
    }
    child.wait().unwrap();
    last.expect("the child worked")
}

/// How many proxies of the agent run in a workspace.
fn proxies(id: &WorkspaceId) -> usize {
    let (_, listed) = inside(id, "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done");
    listed.lines().filter(|line| line.split(' ').nth(1) == Some("connect")).count()
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_killed_cockpit() {
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(data.path(), docker()).await;
    let workspace = create_running(&cockpit, spec(Source::Empty)).await.id;
    let inside = Inside::open(&cockpit, &workspace).await;
    let terminal = inside.terminal().await.unwrap();
    let mut view = inside.attach(terminal).await;
    view.sender().send(b"mine=kept; echo begun-$((40+2))\n").await.unwrap();
    until(&mut view, "begun-42").await;
    drop((view, inside));
    cockpit.shutdown().await;
    drop(cockpit);

    let mut first = 1;
    for rounds in [0, 7, 20] {
        let acknowledged = work_and_kill(data.path(), &workspace, terminal, first, rounds);
        let cockpit = start(data.path(), docker()).await;
        cockpit.engines().settled().await;
        let inside = Inside::open(&cockpit, &workspace).await;
        // What was under way when it was killed may or may not have been done.
        let number = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().parse::<u64>().unwrap();
        let file = number(inside.read("/workspace/count").await.unwrap());
        assert!(file == acknowledged || file == acknowledged + 1, "file {file}, told {acknowledged}");
        let args = DraftRef { path: BytePath::from("/workspace/draft") };
        let args = In { workspace: workspace.clone(), args };
        let draft = number(inside.client.call_with::<DraftGet>(args, &[]).await.unwrap().body);
        assert!(draft == acknowledged || draft == acknowledged + 1, "draft {draft}, told {acknowledged}");
        let listed = inside.client.call::<TerminalList>(inside.itself()).await.unwrap();
        assert_eq!(listed.iter().map(|info| info.id).collect::<Vec<_>>(), [terminal]);
        let mut view = inside.attach(terminal).await;
        until(&mut view, "begun-42").await;
        view.sender().send(b"echo still-$mine\n").await.unwrap();
        until(&mut view, "still-kept").await;
        drop(view);
        let mut view = inside.attach(terminal).await;
        until(&mut view, &format!("round-{acknowledged}-done")).await;
        first = file + 1;
        let deadline = std::time::Instant::now() + PATIENCE;
        while proxies(&workspace) != 1 {
            assert!(std::time::Instant::now() < deadline, "{} proxies", proxies(&workspace));
        }
        if rounds == 20 {
            cockpit.workspaces().delete(&workspace).await.unwrap();
            assert_nothing_left(&workspace);
        }
        drop((view, inside));
        cockpit.shutdown().await;
    }
}

#[tokio::test]
async fn work_goes_on_over_killed_connections_of_the_agent() {
    const WRITES: u32 = 120;
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(data.path(), docker()).await;
    let workspace = create_running(&cockpit, spec(Source::Empty)).await.id;
    let inside = Inside::open(&cockpit, &workspace).await;
    let terminal = inside.terminal().await.unwrap();
    let mut view = inside.attach(terminal).await;
    // Paced by the reader's own input, so that it lasts as long as the writes.
    view.sender().send(b"PS1=; stty -echo; echo ready-$((40+2))\n").await.unwrap();
    until(&mut view, "ready-42").await;
    let kill = "for p in /proc/[0-9]*; do if tr '\\0' ' ' < $p/cmdline | grep -q ' [c]onnect '; then \
                kill -9 ${p#/proc/}; fi; done";
    let mut version = WriteCondition::Any;
    for number in 1..=WRITES {
        if number % 30 == 0 {
            let (status, said) = self::inside(&workspace, kill);
            assert_eq!(status, 0, "{said}");
        }
        let stat = inside.write("/workspace/count", number.to_string().as_bytes(), version).await;
        let stat = stat.unwrap_or_else(|error| panic!("write {number}: {error:?}"));
        version = WriteCondition::Version { version: stat.version };
    }
    assert_eq!(inside.read("/workspace/count").await.unwrap(), WRITES.to_string().as_bytes());

    view.sender().send(b"i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo n-$i; done\n").await.unwrap();
    let (mut seen, mut killed) = (Vec::new(), 0);
    while !seen.ends_with(b"n-20000\r\n") {
        let Ok(bytes) = tokio::time::timeout(PATIENCE, view.next()).await else {
            let tail = String::from_utf8_lossy(&seen[seen.len().saturating_sub(60)..]).into_owned();
            panic!("no output for long after {killed} kills and {} bytes, the last {tail:?}", seen.len());
        };
        seen.extend_from_slice(&bytes.unwrap_or_else(|| panic!("{:?}", view.end())));
        if seen.len() > (killed + 1) * 40_000 && killed < 3 {
            killed += 1;
            self::inside(&workspace, kill);
        }
    }
    let expected: String = (1..=20_000).map(|number| format!("n-{number}\r\n")).collect();
    let text = String::from_utf8(seen).unwrap();
    assert!(text.ends_with(&expected), "no line is lost, doubled or out of order");
    assert_eq!(killed, 3);
    cockpit.workspaces().delete(&workspace).await.unwrap();
    assert_nothing_left(&workspace);
    cockpit.shutdown().await;
}
