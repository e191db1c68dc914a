//! Output without end, lines of 100 MB, bytes that are no text: bounded, shown cut where they are shown, and nothing
//! else waits. The workspaces have little memory, so that whoever in it keeps what streams through does not live.

use crate::common::inside::{Inside, until, until_or_end};
use crate::common::*;
use aicockpit_cockpit::Cockpit;
use aicockpit_cockpit::socket::ClientStream;
use aicockpit_protocol::api::{Event, In, SearchTextStart, StreamEnd, TerminalList};
use aicockpit_protocol::process::ExecFrame;
use aicockpit_protocol::search::{SearchMessage, SearchText};
use aicockpit_protocol::workspace::{Limits, Source};
use aicockpit_protocol::{BytePath, TerminalId};
use std::sync::Arc;
use tempfile::TempDir;

/// Bytes of the longest line.
const LINE: u64 = 100_000_000;
/// One line of that many.
const LONG_LINE: &str = "head -c 100000000 /dev/zero | tr '\\0' a";
/// Memory of the workspaces: less than the line.
const MEMORY: u64 = 96 << 20;

async fn small_workspace() -> (TempDir, Arc<Cockpit>, Inside) {
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(&data.path().join("data"), docker()).await;
    let mut asked = spec(Source::Empty);
    asked.limits = Limits { memory_bytes: Some(MEMORY), ..Limits::default() };
    let workspace = create_running(&cockpit, asked).await;
    let inside = Inside::open(&cockpit, &workspace.id).await;
    (data, cockpit, inside)
}

async fn end(cockpit: &Cockpit, inside: &Inside) {
    assert!(!inspect(&inside.workspace, ".State.OOMKilled").as_bool().unwrap(), "nothing ran out of memory");
    cockpit.workspaces().delete(&inside.workspace).await.unwrap();
    assert_nothing_left(&inside.workspace);
    cockpit.shutdown().await;
}

/// Most memory that this process has held so far, in bytes.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn a_programs_flood_arrives_whole_and_waits_for_a_client_that_does_not_read() {
    let (_data, cockpit, inside) = small_workspace().await;
    let before = most_memory();
    let mut stream = inside.start(&["sh", "-c", LONG_LINE]).await.unwrap();
    let mut count = 0;
    while let Some(frame) = stream.next().await {
        match frame[0] {
            kind if kind == ExecFrame::Exit as u8 => assert_eq!(frame[1..], 0i32.to_le_bytes()),
            _ => {
                assert!(frame[1..].iter().all(|&byte| byte == b'a'));
                count += frame.len() as u64 - 1;
            }
        }
    }
    assert_eq!(count, LINE, "{:?}", stream.end());

    // Nobody reads this one, and it never ends by itself.
    let unread = inside.start(&["yes"]).await.unwrap();
    inside.is_usable().await;
    inside.is_usable().await;
    let grown = most_memory() - before;
    assert!(grown < 64 << 20, "what streams through is not kept: {} MiB more", grown >> 20);
    drop(unread);
    let running = || self::inside(&inside.workspace, "cat /proc/[0-9]*/comm").1;
    let deadline = std::time::Instant::now() + PATIENCE;
    while running().lines().any(|name| name == "yes") {
        assert!(std::time::Instant::now() < deadline, "a program that nobody reads any more ends");
    }
    end(&cockpit, &inside).await;
}

#[tokio::test]
async fn a_terminals_flood_of_anything_leaves_it_usable_and_bounded() {
    let (_data, cockpit, inside) = small_workspace().await;
    let terminal = inside.terminal().await.unwrap();
    let mut view = inside.attach(terminal).await;
    let line = format!("{LONG_LINE}; echo; echo long-$((40+2))\n");
    view.sender().send(line.as_bytes()).await.unwrap();
    assert!(until(&mut view, "long-42").await >= LINE, "no byte is dropped for a client that reads");
    // Nobody reads this view. It must not hold up the one that is read, and is told that it missed something.
    let mut unread = inside.attach(terminal).await;
    let line = format!("{LONG_LINE}; echo; echo beside-$((40+2))\n");
    view.sender().send(line.as_bytes()).await.unwrap();
    shown(&inside, terminal, &mut view, "beside-42").await;
    inside.is_usable().await;
    // What random bytes switch on, a reset switches off.
    let garbage = "head -c 3000000 /dev/urandom; printf '\\033c'; printf '\\033]0;\\377\\376bad\\007'; \
                   printf 'n\\303(\\240\\377 \\355\\240\\200'; echo binary-$((40+2))\n";
    view.sender().send(garbage.as_bytes()).await.unwrap();
    shown(&inside, terminal, &mut view, "binary-42").await;

    let mut missed = 0;
    while let Some(bytes) = unread.next().await {
        missed += bytes.len() as u64;
        assert!(missed < LINE, "what was not read is not kept for ever");
    }
    assert_eq!(unread.end(), Some(&StreamEnd::Resync));
    let mut again = inside.attach(terminal).await;
    let repainted = until(&mut again, "binary-42").await;
    assert!(repainted < 16 << 20, "a screen and its scrollback, not the flood: {repainted} bytes");
    let listed = inside.client.call::<TerminalList>(inside.itself()).await.unwrap();
    let title = &listed.iter().find(|info| info.id == terminal).unwrap().title;
    assert!(title.len() < 1000 && !title.chars().any(char::is_control), "{title:?}");
    inside.is_usable().await;
    end(&cockpit, &inside).await;
}

/// Reads a view until it shows `wanted`. The terminal goes as fast as the fastest of its views, for a while also one
/// whose bytes only pile up on the way: what falls behind is told so, and attaches again.
async fn shown(inside: &Inside, terminal: TerminalId, view: &mut ClientStream, wanted: &str) {
    while until_or_end(view, wanted).await.is_err() {
        assert_eq!(view.end(), Some(&StreamEnd::Resync));
        *view = inside.attach(terminal).await;
    }
}

/// All messages of a search, and how many bytes they were.
async fn search(inside: &Inside, pattern: &str) -> (Vec<SearchMessage>, usize) {
    let args = SearchText {
        root: BytePath::from("/workspace"),
        pattern: pattern.to_owned(),
        regex: false,
        case_sensitive: true,
        whole_word: false,
        include: Vec::new(),
        exclude: Vec::new(),
        include_ignored: false,
        max_matches: 1000,
    };
    let args = In { workspace: inside.workspace.clone(), args };
    let opened = inside.client.call::<SearchTextStart>(args).await.unwrap();
    let text = inside.client.stream(opened.stream).collect().await.unwrap();
    let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    (lines.map(|line| serde_json::from_slice(line).unwrap()).collect(), text.len())
}

#[tokio::test]
async fn a_search_through_long_lines_and_binaries_ends_with_short_texts() {
    let (_data, cockpit, inside) = small_workspace().await;
    // Lines of 100 MB, of binary and of broken text that match, and more matches than anybody asked for.
    let script = "cd /workspace; half() { head -c 50000000 /dev/zero | tr '\\0' a; }; \
         { half; printf needle; half; } > long; { head -c 1000000 /dev/urandom; printf 'needle\\0'; } > binary; \
         printf '\\300\\200 needle \\303(\\n' > invalid; \
         n=0; while [ $n -lt 20000 ]; do n=$((n+1)); echo \"everywhere $n\"; done > many";
    assert_eq!(inside.sh(script).await.unwrap(), (0, String::new()));
    let (messages, size) = search(&inside, "everywhere").await;
    let Some(SearchMessage::Done { matches, limited, .. }) = messages.last() else { panic!("{messages:?}") };
    assert!(*matches <= 1000 && *limited && size < 1 << 20, "{matches} {limited} {size}");

    let (messages, size) = search(&inside, "needle").await;
    let Some(SearchMessage::Done { limited: false, .. }) = messages.last() else { panic!("{messages:?}") };
    assert!(size < 1 << 20, "{size} bytes of results");
    let mut files = Vec::new();
    for message in messages {
        if let SearchMessage::Matches { files: more } = message {
            files.extend(more);
        }
    }
    for file in &files {
        for line in &file.lines {
            assert!(line.text.len() < 10_000, "{}: {} bytes of one line", file.path, line.text.len());
        }
    }
    let found: Vec<_> = files.iter().map(|file| file.path.to_string()).collect();
    assert!(found.contains(&"/workspace/invalid".to_owned()), "broken text is searched: {found:?}");
    println!("found in {found:?}");
    inside.is_usable().await;
    // The link and the control stream are still the first ones: nothing was broken off and made again.
    let mut events = inside.client.events();
    inside.is_usable().await;
    while let Ok(event) = events.try_recv() {
        assert!(!matches!(event, Event::Link { .. }), "{event:?}");
    }
    end(&cockpit, &inside).await;
}
