//! P9: a dashboard of 500 workspaces.

use crate::create::engine_ready;
use crate::host::{Host, PATIENCE, spec};
use crate::peer;
use crate::report::{Report, median, ms};
use aicockpit_cockpit::socket::Client;
use aicockpit_cockpit::workspaces::labels;
use aicockpit_protocol::WorkspaceId;
use aicockpit_protocol::api::{Empty, Event, WorkspaceList};
use aicockpit_protocol::workspace::WorkspaceState;
use anyhow::{Context, Result, bail};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::Command;

const SIZES: [usize; 3] = [5, 50, 500];
/// Of them run.
const RUNNING: usize = 3;
/// Created at once.
const AT_ONCE: usize = 4;

/// P9. On a host of its own: the others' figures must not depend on its workspaces.
pub(crate) async fn measure(mut host: Host, runs: usize, report: &mut Report) -> Result<()> {
    let owner = host.owner()?;
    let measured = growing(&mut host, &owner, runs, report).await;
    let stopped = host.stop().await;
    remove(&host, &owner).await?;
    measured.and(stopped)
}

async fn growing(host: &mut Host, owner: &str, runs: usize, report: &mut Report) -> Result<()> {
    let (mut lists, mut starts) = (Vec::new(), Vec::new());
    let mut made = 0;
    for size in SIZES {
        // The host must not follow each of them while they are made: it is measured how it finds them.
        host.stop().await?;
        create(host, owner, made, size).await?;
        made = size;
        // The first start takes the new ones in; the later ones know them.
        host.go_on().await?;
        complete(host, size).await?;

        let (mut list, mut start, mut engine) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..runs {
            let begin = Instant::now();
            host.restart().await?;
            complete(host, size).await?;
            start.push(ms(begin.elapsed()));
            engine_ready(host).await?;
            let begin = Instant::now();
            let client = Client::connect(&host.socket()).await?;
            let found = client.call::<WorkspaceList>(Empty {}).await?.len();
            list.push(ms(begin.elapsed()));
            anyhow::ensure!(found == size, "{found} workspaces are listed of {size}");
            engine.push(ms(engine_list(host).await?));
        }
        lists.push((size as f64, median(&list)));
        starts.push((size as f64, median(&start)));
        if size == 500 {
            let peer = ("the engine's list call", &engine[..]);
            report.pair(("P9", "500 workspaces: first list of a window"), "ms", &list, peer, "≤ 1.5 ×");
            report.pair(
                ("P9", "500 workspaces: host stopped, started, list current"),
                "ms",
                &start,
                peer,
                "",
            );
        }
    }
    report.growth(("P9", "first list by workspaces"), "ms", &lists);
    report.growth(("P9", "start of the host by workspaces"), "ms", &starts);
    changes(host, runs, report).await
}

/// Containers as the host labels them, which it takes for workspaces of its own.
async fn create(host: &Host, owner: &str, from: usize, to: usize) -> Result<()> {
    let spec = serde_json::to_string(&spec(&host.image))?;
    let engine = host.engine_command();
    let one = |number: usize| {
        let id = id(number);
        let name = labels::object_name(&id);
        let labels =
            labels_of(&id, number, &spec, owner).map(|(key, value)| format!("--label={key}={value}"));
        let image = host.image.clone();
        async move {
            let [workspace, label, spec, kind, owner] = &labels;
            let name = ["--name", &name];
            let labels = [workspace.as_str(), label, spec, kind, owner];
            peer::run(engine, &[&["create"][..], &name, &labels, &[&image, "sleep", "infinity"]].concat())
                .await?;
            if number < RUNNING {
                peer::run(engine, &["start", name[1]]).await?;
            }
            anyhow::Ok(())
        }
    };
    let numbers: Vec<usize> = (from..to).collect();
    for some in numbers.chunks(AT_ONCE) {
        futures::future::try_join_all(some.iter().map(|number| one(*number))).await?;
    }
    Ok(())
}

/// What the host labels a workspace's container with.
pub(crate) fn labels_of(
    id: &WorkspaceId,
    number: usize,
    spec: &str,
    owner: &str,
) -> [(&'static str, String); 5] {
    [
        (labels::WORKSPACE, id.to_string()),
        (labels::NAME, format!("Workspace {number}")),
        (labels::SPEC, spec.to_owned()),
        (labels::KIND, labels::KIND_WORKSPACE.to_owned()),
        (labels::OWNER, owner.to_owned()),
    ]
}

/// Well formed, and never one that the product would draw.
pub(crate) fn id(number: usize) -> WorkspaceId {
    WorkspaceId::new(format!("benchboard{number:06}"))
}

/// Waits until the host lists all as they are.
pub(crate) async fn complete(host: &Host, size: usize) -> Result<()> {
    let all = async {
        loop {
            let list = host.client.call::<WorkspaceList>(Empty {}).await?;
            let current = |state| matches!(state, WorkspaceState::Running | WorkspaceState::Stopped);
            if list.len() == size && list.iter().all(|workspace| current(workspace.state)) {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, all).await.context("the host does not list all workspaces")?
}

/// The engine's own answer, by its socket where that is Docker's; its command spends most of its time on the text.
async fn engine_list(host: &Host) -> Result<Duration> {
    let begin = Instant::now();
    if host.engine_command() == "podman" {
        return peer::run("podman", &["ps", "--all", "--no-trunc", "--format", "json"]).await;
    }
    let address = std::env::var("DOCKER_HOST").unwrap_or_default();
    let path = address.strip_prefix("unix://").unwrap_or("/var/run/docker.sock");
    let mut socket = UnixStream::connect(path).await?;
    socket.write_all(b"GET /containers/json?all=1 HTTP/1.0\r\nHost: docker\r\n\r\n").await?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await?;
    anyhow::ensure!(answer.starts_with(b"HTTP/1.0 200"), "Docker does not list its containers");
    Ok(begin.elapsed())
}

/// A container is frozen and thawed behind our back; until the event is at the client.
async fn changes(host: &Host, runs: usize, report: &mut Report) -> Result<()> {
    let engine = host.engine_command();
    let (mut ours, mut theirs, mut more) = (Vec::new(), Vec::new(), Vec::new());
    let mut child = Command::new(engine)
        .args(["events", "--filter", "type=container", "--format", "{{json .}}"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("the engine's events")?).lines();
    let target = id(0);
    let name = labels::object_name(&target);
    // The first pair also waits until the engine's command listens.
    for round in 0..=runs * 2 {
        let (verb, wanted) = if round % 2 == 0 {
            ("pause", WorkspaceState::Paused)
        } else {
            ("unpause", WorkspaceState::Running)
        };
        let mut events = host.client.events();
        let begin = Instant::now();
        let arguments = [verb, &name];
        let change = peer::run(engine, &arguments);
        let event = async {
            loop {
                if let Event::Workspace { workspace } = events.recv().await?
                    && workspace.id == target
                    && workspace.state == wanted
                {
                    return anyhow::Ok(ms(begin.elapsed()));
                }
            }
        };
        let told = async {
            while let Some(line) = lines.next_line().await? {
                // Docker writes `pause`, Podman `Status":"pause`; `unpause` holds it too.
                if line.contains(&format!("\"{verb}\"")) {
                    return anyhow::Ok(ms(begin.elapsed()));
                }
            }
            bail!("the engine's events ended")
        };
        if round == 0 {
            let (changed, event) =
                tokio::time::timeout(PATIENCE, async { tokio::join!(change, event) }).await?;
            changed?;
            event?;
            continue;
        }
        let all = async { tokio::join!(change, event, told) };
        let (changed, event, told) = tokio::time::timeout(PATIENCE, all).await?;
        changed?;
        let (event, told) = (event?, told?);
        ours.push(event);
        theirs.push(told);
        more.push(event - told);
    }
    let peer = ("the engine's own events command", &theirs[..]);
    report.pair(("P9", "change by the engine's command → event"), "ms", &ours, peer, "");
    report.alone(("P9", "of that after the engine's event"), "ms", &more, "≤ 50 ms");
    Ok(())
}

async fn remove(host: &Host, owner: &str) -> Result<()> {
    let engine = host.engine_command();
    let label = format!("label={}={owner}", labels::OWNER);
    let all = peer::output(engine, &["ps", "--all", "--quiet", "--filter", &label]).await?;
    for some in all.split_whitespace().collect::<Vec<_>>().chunks(100) {
        peer::run(engine, &[&["rm", "--force"][..], some].concat()).await?;
    }
    Ok(())
}
