//! P1: from "create" to the first prompt. P2: from "open" to a usable terminal and tree.

use crate::host::Host;
use crate::peer;
use crate::report::{Report, ms};
use aicockpit_cockpit::socket::ClientStream;
use aicockpit_protocol::api::{
    FsList, In, TerminalAttach, TerminalClose, TerminalCreate, WorkspaceOpen, WorkspaceRef,
};
use aicockpit_protocol::fs::ListDirectory;
use aicockpit_protocol::terminal::{AttachTerminal, CloseTerminal, CreateTerminal};
use aicockpit_protocol::{TerminalId, WorkspaceId};
use anyhow::{Result, bail};
use std::time::Instant;

/// Starts a terminal and waits for its prompt.
pub(crate) async fn first_prompt(
    host: &Host,
    workspace: &WorkspaceId,
    command: &[&str],
) -> Result<(TerminalId, ClientStream)> {
    let args = CreateTerminal {
        command: command.iter().map(|&word| word.to_owned()).collect(),
        directory: None,
        columns: 80,
        rows: 24,
    };
    let terminal = host.client.call::<TerminalCreate>(In { workspace: workspace.clone(), args }).await?.id;
    let args = AttachTerminal { terminal, from: None };
    let attached = host.client.call::<TerminalAttach>(In { workspace: workspace.clone(), args }).await?;
    let mut stream = host.client.stream(attached.stream);
    let mut text = Vec::new();
    while !text.iter().any(|&byte| byte == b'$' || byte == b'#') {
        match stream.next().await {
            Some(bytes) => text.extend_from_slice(&bytes),
            None => bail!("the terminal ended: {:?}", stream.end()),
        }
    }
    Ok((terminal, stream))
}

/// P1.
pub(crate) async fn measure(host: &Host, runs: usize, report: &mut Report) -> Result<()> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // The first round fills caches on both sides (the agent's volume among them) and does not count.
    for round in 0..=runs {
        let begin = Instant::now();
        let workspace = host.create_workspace(&format!("bench-create-{round}")).await?;
        let (_, stream) = first_prompt(host, &workspace, &["sh"]).await?;
        let took = ms(begin.elapsed());
        drop(stream);
        host.delete_workspace(&workspace).await?;

        let beside = ms(peer_round(host, round).await?);
        if round > 0 {
            ours.push(took);
            theirs.push(beside);
        }
    }
    report.pair(
        ("P1", "create → first prompt"),
        "ms",
        &ours,
        ("network create + run + exec", &theirs),
        "≤ 1.3 ×",
    );
    Ok(())
}

async fn peer_round(host: &Host, round: usize) -> Result<std::time::Duration> {
    let engine = host.engine_command();
    let name = format!("aicockpit-bench-peer-{round}");
    let begin = Instant::now();
    peer::run(engine, &["network", "create", &name]).await?;
    peer::run(engine, &["run", "--detach", "--name", &name, "--network", &name, &host.image, "sleep", "600"])
        .await?;
    peer::first_prompt(engine, &name).await?;
    let took = begin.elapsed();
    peer::run(engine, &["rm", "--force", &name]).await?;
    peer::run(engine, &["network", "rm", &name]).await?;
    Ok(took)
}

/// P2.
pub(crate) async fn measure_reopen(
    host: &Host,
    workspace: &WorkspaceId,
    runs: usize,
    report: &mut Report,
) -> Result<()> {
    let mut ours = Vec::new();
    let (terminal, stream) = first_prompt(host, workspace, &["sh"]).await?;
    drop(stream);
    for _ in 0..runs * 10 {
        let begin = Instant::now();
        let inside = host.client.call::<WorkspaceOpen>(WorkspaceRef { workspace: workspace.clone() }).await?;
        let list = In { workspace: workspace.clone(), args: ListDirectory { path: inside.folder } };
        let attach = In { workspace: workspace.clone(), args: AttachTerminal { terminal, from: None } };
        let (list, attached) =
            tokio::join!(host.client.call::<FsList>(list), host.client.call::<TerminalAttach>(attach));
        list?;
        let mut stream = host.client.stream(attached?.stream);
        if stream.next().await.is_none() {
            bail!("the terminal ended: {:?}", stream.end());
        }
        ours.push(ms(begin.elapsed()));
    }
    let close = In { workspace: workspace.clone(), args: CloseTerminal { terminal } };
    host.client.call::<TerminalClose>(close).await?;
    let p95 = crate::report::percentile(&ours, 0.95);
    report.alone(("P2", "reopen → terminal and tree, p95"), "ms", &[p95], "≤ 100 ms");
    Ok(())
}
