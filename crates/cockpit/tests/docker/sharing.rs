//! One workspace, several who use it; and data directories that cannot be written.

use crate::common::inside::{Inside, until};
use crate::common::tmpfs::{Tmpfs, fill};
use crate::common::*;
use aicockpit_cockpit::socket::Client;
use aicockpit_cockpit::{Cockpit, CockpitError, Config, EngineSelection};
use aicockpit_protocol::api::{
    Draft, DraftGet, DraftPut, DraftRef, Event, ImportContainer, In, SettingsGet, SettingsPut, StreamEnd,
    TerminalClose, TerminalList,
};
use aicockpit_protocol::fs::WriteCondition;
use aicockpit_protocol::terminal::CloseTerminal;
use aicockpit_protocol::workspace::{Source, WorkspaceState};
use aicockpit_protocol::{BytePath, ContainerId, ErrorCode, WorkspaceId};
use std::path::Path;

/// What two who have the same workspace open may expect of each other, however they reach it.
async fn share(one: &Inside, other: &Inside) {
    // One terminal, seen and typed into by both.
    let terminal = one.terminal().await.unwrap();
    let (mut left, mut right) = (one.attach(terminal).await, other.attach(terminal).await);
    left.sender().send(b"echo left-$((40+2))\n").await.unwrap();
    until(&mut right, "left-42").await;
    right.sender().send(b"echo right-$((40+2))\n").await.unwrap();
    until(&mut left, "right-42").await;
    // One file: who comes second is told, and nothing is overwritten.
    let first = one.write("/workspace/shared", b"one", WriteCondition::Any).await.unwrap();
    let seen = WriteCondition::Version { version: first.version };
    let newer = other.write("/workspace/shared", b"other", seen.clone()).await.unwrap();
    let late = one.write("/workspace/shared", b"late", seen).await.unwrap_err();
    assert_eq!(late.code, ErrorCode::Conflict, "{late:?}");
    assert_eq!(one.read("/workspace/shared").await.unwrap(), b"other");
    let now = WriteCondition::Version { version: newer.version };
    one.write("/workspace/shared", b"now", now).await.unwrap();
    // One closes the terminal: both views end.
    let args = CloseTerminal { terminal };
    one.client.call::<TerminalClose>(In { workspace: one.workspace.clone(), args }).await.unwrap();
    for view in [&mut left, &mut right] {
        let rest = async { while view.next().await.is_some() {} };
        tokio::time::timeout(PATIENCE, rest).await.expect("the view ends");
        assert_eq!(view.end(), Some(&StreamEnd::Closed));
    }
    let listed = other.client.call::<TerminalList>(other.itself()).await.unwrap();
    assert!(listed.iter().all(|info| info.id != terminal), "{listed:?}");
}

#[tokio::test]
async fn two_windows_share_a_workspace() {
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(data.path(), docker()).await;
    let workspace = create_running(&cockpit, spec(Source::Empty)).await.id;
    let (one, other) = (Inside::open(&cockpit, &workspace).await, Inside::open(&cockpit, &workspace).await);
    share(&one, &other).await;
    // What one does to the workspace itself the other is told.
    let mut told = other.client.events();
    cockpit.workspaces().delete(&workspace).await.unwrap();
    let gone = async {
        loop {
            match told.recv().await.unwrap() {
                Event::WorkspaceGone { workspace: of } if of == workspace => return,
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    let error = other.read("/workspace/shared").await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound, "{error:?}");
    assert_nothing_left(&workspace);
    cockpit.shutdown().await;
}

#[tokio::test]
async fn two_cockpits_with_stores_of_their_own_share_a_workspace() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (cockpit, second) = (start(ours.path(), docker()).await, start(theirs.path(), docker()).await);
    let made = create_running(&cockpit, spec(Source::Empty)).await;
    // Its container was made and started before the eyes of the second one.
    assert!(second.workspaces().list().iter().all(|known| known.id != made.id), "nobody asked for it there");
    let container = ContainerId::new(format!("aicockpit-{}", made.id));
    let import = ImportContainer { engine: made.engine.clone(), container, name: None };
    let imported = second.workspaces().import(import).await.unwrap();
    assert_eq!(imported.id, made.id, "it is the same workspace");
    let (one, other) = (Inside::open(&cockpit, &made.id).await, Inside::open(&second, &made.id).await);
    share(&one, &other).await;
    // Stopped and started here, seen there.
    cockpit.workspaces().stop(&made.id).await.unwrap();
    becomes(&second, &made.id, WorkspaceState::Stopped).await;
    second.workspaces().start(&made.id).await.unwrap();
    becomes(&cockpit, &made.id, WorkspaceState::Running).await;
    one.is_usable().await;
    other.is_usable().await;
    cockpit.workspaces().delete(&made.id).await.unwrap();
    assert_nothing_left(&made.id);
    let deadline = std::time::Instant::now() + PATIENCE;
    while second.workspaces().get(&made.id).is_ok() {
        assert!(std::time::Instant::now() < deadline, "what is deleted here is gone there");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    second.shutdown().await;
    cockpit.shutdown().await;
}

async fn put_draft(client: &Client, workspace: &WorkspaceId, text: &[u8]) -> Result<(), ErrorCode> {
    let args = Draft { path: BytePath::from("/workspace/draft"), base_version: None };
    let args = In { workspace: workspace.clone(), args };
    client.call_with::<DraftPut>(args, text).await.map(drop).map_err(|error| error.code)
}

async fn draft(client: &Client, workspace: &WorkspaceId) -> Vec<u8> {
    let args = DraftRef { path: BytePath::from("/workspace/draft") };
    let args = In { workspace: workspace.clone(), args };
    client.call_with::<DraftGet>(args, &[]).await.unwrap().body
}

#[tokio::test]
async fn a_full_disk_under_the_store_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Tmpfs::mount(&folder.path().join("home"), "size=8m,mode=0700") else { return };
    let cockpit = start(disk.path(), docker()).await;
    let workspace = create_running(&cockpit, spec(Source::Empty)).await.id;
    let inside = Inside::open(&cockpit, &workspace).await;
    put_draft(&inside.client, &workspace, b"before").await.unwrap();
    let filler = fill(disk.path());

    let long = vec![b'x'; 256 * 1024];
    assert_eq!(put_draft(&inside.client, &workspace, &long).await, Err(ErrorCode::NoSpace));
    assert_eq!(draft(&inside.client, &workspace).await, b"before", "the draft from before is whole");
    // What needs no store goes on.
    inside.is_usable().await;
    let refused = cockpit.workspaces().create(request(spec(Source::Empty))).await;
    if let Err(error) = &refused {
        assert_eq!(error.code, ErrorCode::NoSpace, "{error:?}");
        assert!(error.message.contains("full") && error.hint.is_some(), "{error:?}");
    }
    std::fs::remove_file(&filler).unwrap();
    put_draft(&inside.client, &workspace, &long).await.unwrap();
    drop(inside);
    cockpit.shutdown().await;
    drop(cockpit);

    let cockpit = start(disk.path(), docker()).await;
    cockpit.engines().settled().await;
    assert_eq!(draft(&Client::in_process(&cockpit), &workspace).await, long);
    for made in [Some(workspace), refused.ok().map(|made| made.id)].into_iter().flatten() {
        cockpit.workspaces().settled(&made).await;
        cockpit.workspaces().delete(&made).await.unwrap();
        assert_nothing_left(&made);
    }
    cockpit.shutdown().await;
}

/// Why a cockpit does not start on this directory.
async fn refusal(directory: &Path) -> CockpitError {
    let config = Config {
        data_dir: directory.to_owned(),
        agent_binary: agent_binary(),
        host_capabilities: Vec::new(),
        engines: EngineSelection::Explicit(Vec::new()),
    };
    match Cockpit::start(config).await {
        Ok(_) => panic!("it started on {}", directory.display()),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_home_that_cannot_be_written_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let Some(full) = Tmpfs::mount(&folder.path().join("full"), "size=1m,mode=0700") else { return };
    fill(full.path());
    let Some(disk) = Tmpfs::mount(&folder.path().join("read-only"), "ro") else { return };
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    for (directory, reason) in [
        (disk.path().to_owned(), "Read-only file system"),
        (disk.path().join("below"), "Read-only file system"),
        (file.clone(), "File exists"),
        (file.join("below"), "Not a directory"),
        (full.path().to_owned(), ""),
    ] {
        let said = refusal(&directory).await.to_string();
        assert!(said.contains(&directory.display().to_string()) && said.contains(reason), "{said}");
        assert!(said.contains("writable") && said.contains("free space"), "what to do: {said}");
    }
    // With room again the same directory works, whatever the attempt left in it.
    std::fs::remove_file(full.path().join("filler")).unwrap();
    let cockpit = start(full.path(), docker()).await;
    let client = Client::in_process(&cockpit);
    let settings = client.call::<SettingsGet>(aicockpit_protocol::api::Empty {}).await.unwrap();
    client.call::<SettingsPut>(settings).await.unwrap();
    cockpit.shutdown().await;
}
