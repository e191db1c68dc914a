//! A newer product meets workspaces whose agent is older.

use crate::common::*;
use aicockpit_cockpit::engines::KnownEngine;
use aicockpit_cockpit::socket::Client;
use aicockpit_cockpit::{Cockpit, Config, EngineSelection};
use aicockpit_protocol::WorkspaceId;
use aicockpit_protocol::api::{In, TerminalClose, TerminalCreate, TerminalList, WorkspaceRef};
use aicockpit_protocol::terminal::{CloseTerminal, CreateTerminal};
use aicockpit_protocol::workspace::Source;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

async fn start_with(agent: &Path, data: &Path, engine: KnownEngine) -> Arc<Cockpit> {
    let config = Config {
        data_dir: data.to_owned(),
        agent_binary: agent.to_owned(),
        host_capabilities: Vec::new(),
        engines: EngineSelection::Explicit(vec![engine]),
    };
    let cockpit = Cockpit::start(config).await.unwrap();
    cockpit.engines().settled().await;
    cockpit
}

/// Programs of the daemons that run in a workspace.
fn daemons(id: &WorkspaceId) -> Vec<String> {
    let (_, listed) = inside(id, "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -x -B1 daemon");
    listed.lines().filter(|line| line.starts_with('/')).map(str::to_owned).collect()
}

#[tokio::test]
async fn terminals_outlive_an_update_and_the_new_agent_follows_once_they_are_closed() {
    let data = tempfile::tempdir().unwrap();
    let (old, new) = (data.path().join("agent-old"), data.path().join("agent-new"));
    std::fs::copy(agent_binary(), &old).unwrap();
    std::fs::copy(agent_binary(), &new).unwrap();
    // The loader stops at the last section: another content, the same program.
    std::fs::OpenOptions::new().append(true).open(&new).unwrap().write_all(b"newer").unwrap();

    let cockpit = start_with(&old, data.path(), docker()).await;
    let workspace = create_running(&cockpit, spec(Source::Empty)).await.id;
    cockpit.workspaces().open(&workspace).await.unwrap();
    let create = CreateTerminal { command: vec![], directory: None, columns: 80, rows: 24 };
    let kept = Client::in_process(&cockpit)
        .call::<TerminalCreate>(In { workspace: workspace.clone(), args: create })
        .await
        .unwrap();
    let before = daemons(&workspace);
    assert_eq!(before.len(), 1);
    cockpit.shutdown().await;
    drop(cockpit);

    let cockpit = start_with(&new, data.path(), docker()).await;
    let client = Client::in_process(&cockpit);
    cockpit.workspaces().open(&workspace).await.unwrap();
    let listed = client.call::<TerminalList>(WorkspaceRef { workspace: workspace.clone() }).await.unwrap();
    assert_eq!(listed.iter().map(|terminal| terminal.id).collect::<Vec<_>>(), [kept.id]);
    assert_eq!(daemons(&workspace), before, "the daemon that holds the terminal still serves");
    let close = CloseTerminal { terminal: kept.id };
    client.call::<TerminalClose>(In { workspace: workspace.clone(), args: close }).await.unwrap();
    drop(client);
    cockpit.shutdown().await;
    drop(cockpit);

    let cockpit = start_with(&new, data.path(), docker()).await;
    cockpit.workspaces().open(&workspace).await.unwrap();
    let after = daemons(&workspace);
    assert_eq!(after.len(), 1, "{after:?}");
    assert_ne!(after, before, "the new agent serves once no terminal needs the old one");
    cockpit.workspaces().delete(&workspace).await.unwrap();
    assert_nothing_left(&workspace);
    cockpit.shutdown().await;
}
