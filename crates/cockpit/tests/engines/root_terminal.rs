//! Root's terminals: for images without `sudo`.

use crate::common::*;
use aicockpit_cockpit::socket::Client;
use aicockpit_engine::Endpoint;
use aicockpit_protocol::api::{
    In, TerminalClose, TerminalCreateAsRoot, TerminalList, TerminalRename, TerminalResize, WorkspaceRef,
};
use aicockpit_protocol::terminal::{CloseTerminal, RenameTerminal, ResizeTerminal, TerminalInfo};
use aicockpit_protocol::workspace::{Profile, Source};
use aicockpit_protocol::{ApiError, ErrorCode, TerminalId, WorkspaceId};
use std::time::Instant;

on_every_engine!(
    root_installs_packages_where_there_is_no_sudo_and_its_terminals_outlive_the_cockpit,
    a_locked_workspace_refuses_root,
);

macro_rules! of {
    ($workspace:expr, $args:expr) => {
        In { workspace: $workspace.clone(), args: $args }
    };
}

async fn new_root_terminal(client: &Client, id: &WorkspaceId) -> Result<TerminalInfo, ApiError> {
    client.call::<TerminalCreateAsRoot>(of!(id, create_terminal(&[]))).await
}

async fn listed(client: &Client, id: &WorkspaceId) -> Vec<TerminalId> {
    let all = client.call::<TerminalList>(WorkspaceRef { workspace: id.clone() }).await.unwrap();
    all.into_iter().map(|terminal| terminal.id).collect()
}

/// Processes of root inside.
async fn processes_of_root(host: &Host, id: &WorkspaceId) -> String {
    let script = "for status in /proc/[0-9]*/status; do grep -q '^Uid:.0' $status 2>/dev/null && \
                  sed -n 's/^Name:.//p' $status; done; true";
    host.output(id, script).await
}

async fn root_installs_packages_where_there_is_no_sudo_and_its_terminals_outlive_the_cockpit(
    engine: Endpoint,
) {
    let host = Host::start(engine).await;
    let id = host.create_running(spec(Source::Empty)).await;
    assert_ne!(host.inside(&id, "command -v sudo").await.0, 0, "the image has no sudo");
    host.cockpit.workspaces().open(&id).await.unwrap();
    let (users, _) = host.terminal(&id, &[]).await;
    assert_eq!(processes_of_root(&host, &id).await, "", "nothing runs as root until it is asked for");

    let info = new_root_terminal(&host.client, &id).await.unwrap();
    assert!(info.id.is_of_root() && !users.is_of_root(), "{info:?}");
    assert_eq!(info.name.as_deref(), Some("root"));
    let mut prompt = host.attach(&id, info.id).await;
    read_until(&mut prompt, "#").await;
    type_line(&mut prompt, "id -u; pwd; echo home=$HOME", "home=/root").await;
    let sets =
        "set -- $(sed -n 's/^CapEff:.//p;s/^CapBnd:.//p' /proc/self/status); test $1 = $2; echo same=$?";
    let said = type_line(&mut prompt, sets, "same=0").await;
    assert!(!said.contains("same=1"), "root holds what is listed and no more: {said}");
    type_line(
        &mut prompt,
        "apt-get update -qq && apt-get install -y -qq tree >/dev/null 2>&1; echo done=$?",
        "done=0",
    )
    .await;
    assert!(host.output(&id, "tree --version").await.contains("tree v"));

    let size = ResizeTerminal { terminal: info.id, columns: 77, rows: 33 };
    host.client.call::<TerminalResize>(of!(id, size)).await.unwrap();
    type_line(&mut prompt, "stty size", "33 77").await;
    assert_eq!(listed(&host.client, &id).await, [users, info.id]);
    drop(prompt);

    let host = host.restart().await;
    host.cockpit.workspaces().open(&id).await.unwrap();
    assert_eq!(listed(&host.client, &id).await, [users, info.id], "both outlive the cockpit");
    let mut prompt = host.attach(&id, info.id).await;
    type_line(&mut prompt, "echo still-$(id -u)", "still-0").await;
    drop(prompt);
    let close = CloseTerminal { terminal: info.id };
    host.client.call::<TerminalClose>(of!(id, close)).await.unwrap();
    assert_eq!(listed(&host.client, &id).await, [users]);
    // Its agent ends with its last terminal, and nothing starts it in vain.
    let deadline = Instant::now() + PATIENCE;
    while !processes_of_root(&host, &id).await.is_empty() {
        assert!(Instant::now() < deadline, "{}", processes_of_root(&host, &id).await);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let gone = RenameTerminal { terminal: info.id, name: "x".to_owned() };
    let error = host.client.call::<TerminalRename>(of!(id, gone)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound, "{error}");
    assert_eq!(processes_of_root(&host, &id).await, "");

    let again = new_root_terminal(&host.client, &id).await.unwrap();
    assert_ne!(again.id, info.id, "no number comes twice");
    // The container's restart ends every terminal.
    host.cockpit.workspaces().restart(&id).await.unwrap();
    host.cockpit.workspaces().open(&id).await.unwrap();
    assert_eq!(listed(&host.client, &id).await, []);
    host.delete(&id).await;
    host.shutdown().await;
}

async fn a_locked_workspace_refuses_root(engine: Endpoint) {
    let host = Host::start(engine).await;
    let mut asked = spec(Source::Empty);
    asked.profile = Profile::Locked;
    let id = host.create_running(asked).await;
    let refused = new_root_terminal(&host.client, &id).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::PermissionDenied, "{refused}");
    assert!(refused.message.contains("is locked: nothing in it may run as root"), "{refused}");
    assert!(refused.hint.is_some());
    assert_eq!(processes_of_root(&host, &id).await, "");
    host.delete(&id).await;
    host.shutdown().await;
}
