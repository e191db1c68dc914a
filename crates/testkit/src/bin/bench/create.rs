//! P1: from "create" to the first prompt. P2: from "open" to a usable terminal and tree.

use crate::host::{Host, PATIENCE};
use crate::peer;
use crate::peers::Peers;
use crate::report::{Report, ms, percentile};
use aicockpit_cockpit::socket::{Client, ClientStream};
use aicockpit_protocol::api::{
    Empty, EngineList, FsList, In, TerminalAttach, TerminalClose, TerminalCreate, WorkspaceOpen, WorkspaceRef,
};
use aicockpit_protocol::engine::EngineHealth;
use aicockpit_protocol::fs::ListDirectory;
use aicockpit_protocol::terminal::{AttachTerminal, CloseTerminal, CreateTerminal};
use aicockpit_protocol::{TerminalId, WorkspaceId};
use anyhow::{Result, bail};
use std::path::Path;
use std::time::{Duration, Instant};

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
pub(crate) async fn measure(host: &Host, peers: &Peers, runs: usize, report: &mut Report) -> Result<()> {
    let (mut ours, mut theirs, mut devcontainer) = (Vec::new(), Vec::new(), Vec::new());
    // The first round fills caches on both sides (the agent's volume among them) and does not count.
    for round in 0..=runs {
        let begin = Instant::now();
        let workspace = host.create_workspace(&format!("bench-create-{round}")).await?;
        let (_, stream) = first_prompt(host, &workspace, &["sh"]).await?;
        let took = ms(begin.elapsed());
        drop(stream);
        host.delete_workspace(&workspace).await?;

        let beside = ms(engine_round(host, round).await?);
        if round > 0 {
            ours.push(took);
            theirs.push(beside);
        }
        // It takes seconds each time.
        if let Some(program) = peers.devcontainer.as_deref().filter(|_| (1..=3).contains(&round)) {
            devcontainer.push(ms(devcontainer_round(host, program).await?));
        }
    }
    let what = "create → first prompt";
    report.pair(("P1", what), "ms", &ours, ("network create + run + exec", &theirs), "≤ 1.3 ×");
    if devcontainer.is_empty() {
        report.note("P1", "@devcontainers/cli is not here, or cannot use this engine: not measured");
    } else {
        report.pair(("P1", what), "ms", &ours, ("devcontainer up + exec", &devcontainer), "≤ 0.2 ×");
    }
    Ok(())
}

async fn engine_round(host: &Host, round: usize) -> Result<Duration> {
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

async fn devcontainer_round(host: &Host, program: &Path) -> Result<Duration> {
    let engine = host.engine_command();
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join(".devcontainer"))?;
    let config = serde_json::json!({ "image": host.image }).to_string();
    std::fs::write(folder.path().join(".devcontainer/devcontainer.json"), config)?;
    let place = folder.path().to_string_lossy();
    let on = ["--docker-path", engine, "--workspace-folder", &place];
    let begin = Instant::now();
    let up = peer::run(program, &[&["up"][..], &on].concat()).await;
    let exec = peer::run(program, &[&["exec"][..], &on, &["sh", "-c", "printf '$ '"]].concat()).await;
    let took = begin.elapsed();
    let label = format!("label=devcontainer.local_folder={place}");
    let left = peer::output(engine, &["ps", "--all", "--quiet", "--filter", &label]).await?;
    for id in left.split_whitespace() {
        peer::run(engine, &["rm", "--force", "--volumes", id]).await?;
    }
    up?;
    exec?;
    Ok(took)
}

/// P2.
pub(crate) async fn measure_reopen(
    host: &mut Host,
    workspace: &WorkspaceId,
    runs: usize,
    report: &mut Report,
) -> Result<()> {
    let (terminal, stream) = first_prompt(host, workspace, &["sh"]).await?;
    drop(stream);
    let mut warm = Vec::new();
    for _ in 0..runs * 20 {
        warm.push(reopen(host, workspace, terminal).await?);
    }
    report.alone(("P2", "reopen → terminal and tree"), "ms", &warm, "");
    report.alone(("P2", "the same, p95"), "ms", &[percentile(&warm, 0.95)], "≤ 100 ms");

    let mut cold = Vec::new();
    for _ in 0..runs * 2 {
        host.restart().await?;
        engine_ready(host).await?;
        cold.push(reopen(host, workspace, terminal).await?);
    }
    report.alone(("P2", "the same after the host was started anew"), "ms", &cold, "");
    report.alone(("P2", "the same, p95"), "ms", &[percentile(&cold, 0.95)], "≤ 100 ms");
    let close = In { workspace: workspace.clone(), args: CloseTerminal { terminal } };
    host.client.call::<TerminalClose>(close).await?;
    Ok(())
}

/// As a window does that starts: its own connection, then the terminal's screen and the tree.
async fn reopen(host: &Host, workspace: &WorkspaceId, terminal: TerminalId) -> Result<f64> {
    let begin = Instant::now();
    let client = Client::connect(&host.socket()).await?;
    let inside = client.call::<WorkspaceOpen>(WorkspaceRef { workspace: workspace.clone() }).await?;
    let list = In { workspace: workspace.clone(), args: ListDirectory { path: inside.folder, first: None } };
    let attach = In { workspace: workspace.clone(), args: AttachTerminal { terminal, from: None } };
    let (list, attached) = tokio::join!(client.call::<FsList>(list), client.call::<TerminalAttach>(attach));
    list?;
    let mut stream = client.stream(attached?.stream);
    if stream.next().await.is_none() {
        bail!("the terminal ended: {:?}", stream.end());
    }
    Ok(ms(begin.elapsed()))
}

/// Waits until the host has found the engine: from then on it is usable.
pub(crate) async fn engine_ready(host: &Host) -> Result<()> {
    let ready = async {
        loop {
            let engines = host.client.call::<EngineList>(Empty {}).await?;
            if engines
                .iter()
                .any(|info| info.id.as_str() == host.engine && info.health == EngineHealth::Ready)
            {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ready).await?
}
