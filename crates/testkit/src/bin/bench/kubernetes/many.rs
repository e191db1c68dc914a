//! K9: 1,000 workspaces listed and watched. They are made by the engine itself and never started.

use super::Cluster;
use crate::create::engine_ready;
use crate::dashboard::{complete, id, labels_of};
use crate::host::{Host, PATIENCE, delete_workspace, spec};
use crate::memory;
use crate::report::{Report, median, ms};
use aicockpit_cockpit::workspaces::labels;
use aicockpit_engine::{ContainerEventKind, ContainerSpec, Engine};
use aicockpit_engine_kubernetes::{KubernetesEngine, Surroundings};
use aicockpit_protocol::WorkspaceId;
use aicockpit_protocol::api::Event;
use aicockpit_protocol::workspace::WorkspaceState;
use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

const SIZES: [usize; 3] = [10, 100, 1_000];
/// Created at once.
const AT_ONCE: usize = 16;
const IDLE: Duration = Duration::from_secs(30);
/// Numbers of those that are removed behind the host's back.
const TARGETS: usize = 900_000;

/// K9.
pub(super) async fn measure(cluster: &Cluster, host: Host, runs: usize, report: &mut Report) -> Result<()> {
    let settings = cluster.settings();
    let surroundings = Surroundings { settings: Arc::new(move || settings.clone()), program: None };
    let engine = KubernetesEngine::new(cluster.endpoint.clone(), surroundings);
    engine.probe().await?;
    let owner = host.owner()?;
    let mut bench = Many { cluster, host, engine, owner, targets: 0 };
    let measured = bench.grow(runs, report).await;
    measured.and(bench.host.stop().await)
}

struct Many<'a> {
    cluster: &'a Cluster,
    host: Host,
    engine: KubernetesEngine,
    owner: String,
    /// How many were removed so far.
    targets: usize,
}

/// Times of changes: until the engine's event, the event at the host's client, and kubectl's line.
#[derive(Default)]
struct Changes {
    engine: Vec<f64>,
    client: Vec<f64>,
    kubectl: Vec<f64>,
}

impl Changes {
    fn after_kubectl(&self, ours: &[f64]) -> Vec<f64> {
        ours.iter().zip(&self.kubectl).map(|(ours, theirs)| ours - theirs).collect()
    }
}

impl Many<'_> {
    async fn grow(&mut self, runs: usize, report: &mut Report) -> Result<()> {
        let [mut lists, mut changes, mut idle, mut starts, mut memory] = [const { Vec::new() }; 5];
        let mut made = 0;
        for size in SIZES {
            // The host must not follow each of them while they are made: it is measured how it finds them.
            self.host.stop().await?;
            let begin = Instant::now();
            self.create(made..size).await?;
            let each = ms(begin.elapsed()) / (size - made) as f64;
            report.alone(("K9", &format!("creation of one, to {size}, 16 at once")), "ms", &[each], "");
            made = size;
            self.host.go_on().await?;
            complete(&self.host, size).await?;
            let begin = Instant::now();
            self.host.restart().await?;
            // Until then the host shows what it has stored.
            engine_ready(&self.host).await?;
            complete(&self.host, size).await?;
            starts.push((size as f64, ms(begin.elapsed())));

            let figures = self.lists(size, runs, report).await?;
            lists.push((size as f64, median(&figures)));
            let figures = self.changes(runs).await?;
            changes.push((size as f64, median(&figures.engine)));
            let what = format!("{size} workspaces: a set removed → our event");
            let peer = ("kubectl get --watch", &figures.kubectl[..]);
            report.pair(("K9", &what), "ms", &figures.engine, peer, "");
            let (engine, client) =
                (figures.after_kubectl(&figures.engine), figures.after_kubectl(&figures.client));
            report.alone(("K9", "of that after kubectl's line"), "ms", &engine, "≤ 50 ms");
            report.alone(("K9", "at the host's client after that line"), "ms", &client, "≤ 50 ms");

            let process = memory::family(self.host.process()?);
            let before = memory::cpu_s(&process);
            tokio::time::sleep(IDLE).await;
            let share = (memory::cpu_s(&process) - before) / IDLE.as_secs_f64() * 100.0;
            let what = format!("{size} workspaces: CPU of the host, 30 s idle");
            report.alone(("K9", &what), "% of a core", &[share], "≤ 0.5 %");
            idle.push((size as f64, share));
            memory.push((size as f64, memory::pss(&process)?));
        }
        report.growth(("K9", "list_containers by workspaces"), "ms", &lists);
        report.growth(("K9", "a change to our event, by workspaces"), "ms", &changes);
        report.growth(("K9", "CPU of the idle host, by workspaces"), "% of a core", &idle);
        report.growth(("K9", "memory of the host, by workspaces"), "MiB", &memory);
        report.growth(("K9", "host started anew to a current list, by workspaces"), "ms", &starts);
        Ok(())
    }

    async fn lists(&self, size: usize, runs: usize, report: &mut Report) -> Result<Vec<f64>> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            let begin = Instant::now();
            let found = self.engine.list_containers(&[(labels::OWNER, &self.owner)]).await?.len();
            ours.push(ms(begin.elapsed()));
            anyhow::ensure!(found == size, "{found} containers are listed of {size}");
            theirs.push(ms(self.cluster.timed(&["get", "statefulsets,pods", "--output=name"]).await?));
        }
        let what = format!("{size} workspaces: list_containers");
        report.pair(("K9", &what), "ms", &ours, ("kubectl get statefulsets,pods", &theirs), "≤ 1.5 ×");
        Ok(ours)
    }

    async fn create(&self, numbers: std::ops::Range<usize>) -> Result<()> {
        let all = numbers.map(|number| self.create_one(number));
        futures::stream::iter(all).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await.map(drop)
    }

    async fn create_one(&self, number: usize) -> Result<WorkspaceId> {
        let id = id(number);
        let made_from = serde_json::to_string(&spec(&self.cluster.image))?;
        let labels = labels_of(&id, number, &made_from, &self.owner);
        let spec = ContainerSpec {
            name: labels::object_name(&id),
            image: self.cluster.image.clone(),
            command: Some(vec!["sleep".to_owned(), "infinity".to_owned()]),
            labels: labels.map(|(key, value)| (key.to_owned(), value)).to_vec(),
            self_healing: true,
            ..ContainerSpec::default()
        };
        self.engine.create_container(&spec).await.with_context(|| format!("cannot create {}", spec.name))?;
        Ok(id)
    }

    /// A set is removed behind our back, by kubectl.
    async fn changes(&mut self, runs: usize) -> Result<Changes> {
        let mut events = self.engine.events().await?;
        let (_watch, mut lines) = self.watch()?;
        let mut changes = Changes::default();
        // The first one only tells that kubectl listens.
        for round in 0..=runs {
            let mut seen = self.host.client.events();
            let target = self.create_one(TARGETS + self.targets).await?;
            self.targets += 1;
            let name = labels::object_name(&target);
            let known = async {
                while !matches!(seen.recv().await?, Event::Workspace { workspace } if workspace.id == target)
                {
                }
                anyhow::Ok(())
            };
            tokio::time::timeout(PATIENCE, known).await.context("a new workspace is not found")??;
            if round == 0 {
                listens(&mut lines, &name).await?;
            }
            let begin = Instant::now();
            let removal = ["delete", "statefulset", &name, "--wait=false"];
            let changed = self.cluster.kubectl(&removal);
            let engine = async {
                while let Some(event) = events.next().await {
                    let event = event?;
                    if event.container.as_str() == name && event.kind == ContainerEventKind::Removed {
                        return anyhow::Ok(ms(begin.elapsed()));
                    }
                }
                bail!("the engine's events ended")
            };
            let client = async {
                loop {
                    if let Event::Workspace { workspace } = seen.recv().await?
                        && workspace.id == target
                        && workspace.state == WorkspaceState::Lost
                    {
                        return anyhow::Ok(ms(begin.elapsed()));
                    }
                }
            };
            let told = line(&mut lines, "DELETED", &name);
            let told = async { told.await.map(|()| ms(begin.elapsed())) };
            let all = async { tokio::join!(changed, engine, client, told) };
            let (changed, engine, client, told) =
                tokio::time::timeout(PATIENCE, all).await.context("a change is not told")?;
            changed?;
            if round > 0 {
                changes.engine.push(engine?);
                changes.client.push(client?);
                changes.kubectl.push(told?);
            }
            delete_workspace(&self.host.client, &target).await?;
        }
        Ok(changes)
    }

    fn watch(&self) -> Result<(Child, Lines<BufReader<ChildStdout>>)> {
        let mut child = self
            .cluster
            .command(&["get", "statefulsets", "--watch", "--output-watch-events", "--no-headers"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(child.stdout.take().context("kubectl's output")?).lines();
        Ok((child, lines))
    }
}

/// With `--watch` the sets that are there come first: whichever way it is told, kubectl listens from then on.
async fn listens(lines: &mut Lines<BufReader<ChildStdout>>, name: &str) -> Result<()> {
    tokio::time::timeout(PATIENCE, line(lines, "ADDED", name)).await.context("kubectl does not listen")?
}

/// Reads until kubectl tells this of a set.
async fn line(lines: &mut Lines<BufReader<ChildStdout>>, what: &str, name: &str) -> Result<()> {
    while let Some(line) = lines.next_line().await? {
        if line.starts_with(what) && line.contains(name) {
            return Ok(());
        }
    }
    bail!("kubectl's watch ended")
}
