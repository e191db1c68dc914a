//! P15: from "create" to the first prompt.

use super::Cluster;
use crate::create::first_prompt;
use crate::host::{Host, PATIENCE, spec};
use crate::report::{Report, ms};
use aicockpit_protocol::api::{CreateWorkspace, Event, WorkspaceCreate, WorkspaceOpen, WorkspaceRef};
use aicockpit_protocol::workspace::{Plan, StepKind, StepState, WorkspaceState};
use aicockpit_protocol::{EngineId, WorkspaceId};
use anyhow::{Result, bail};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The steps a new workspace always takes.
const STEPS: [(StepKind, &str); 7] = [
    (StepKind::Image, "image"),
    (StepKind::Agent, "agent"),
    (StepKind::Network, "network"),
    (StepKind::Volume, "volume"),
    (StepKind::Container, "container"),
    (StepKind::Start, "start"),
    (StepKind::Connect, "connect"),
];

/// P15.
pub(super) async fn measure(cluster: &Cluster, host: &Host, runs: usize, report: &mut Report) -> Result<()> {
    let (mut ours, mut theirs, mut set) = (Vec::new(), Vec::new(), Vec::new());
    let mut steps: [Vec<f64>; STEPS.len()] = Default::default();
    let mut prompts = Vec::new();
    // The first round fills caches on both sides and does not count.
    for round in 0..=runs {
        let begin = Instant::now();
        let (workspace, plan) = create(host, &format!("bench-create-{round}")).await?;
        let created = begin.elapsed();
        host.client.call::<WorkspaceOpen>(WorkspaceRef { workspace: workspace.clone() }).await?;
        let (_, stream) = first_prompt(host, &workspace, &["sh"]).await?;
        let took = begin.elapsed();
        drop(stream);
        host.delete_workspace(&workspace).await?;

        let beside = ms(pod_round(cluster, round).await?);
        let same = ms(set_round(cluster, round).await?);
        if round > 0 {
            ours.push(ms(took));
            theirs.push(beside);
            set.push(same);
            prompts.push(ms(took - created));
            for ((kind, _), times) in STEPS.iter().zip(&mut steps) {
                times.push(duration(&plan, *kind));
            }
        }
    }
    let what = ("P15", "Kubernetes: create → first prompt");
    report.pair(what, "ms", &ours, ("kubectl run + wait + exec", &theirs), "≤ 1.3 ×");
    report.pair(what, "ms", &ours, ("a set with a claim by apply + exec", &set), "");
    for ((_, name), times) in STEPS.iter().zip(&steps) {
        report.alone(("P15", &format!("of that the step {name}")), "ms", times, "");
    }
    report.alone(("P15", "of that open + terminal + prompt"), "ms", &prompts, "");
    Ok(())
}

/// Creates an empty workspace and waits until it runs; its plan as it was at the end.
async fn create(host: &Host, name: &str) -> Result<(WorkspaceId, Plan)> {
    let mut events = host.client.events();
    let engine = Some(EngineId::new(host.engine.clone()));
    let create = CreateWorkspace { name: Some(name.to_owned()), engine, spec: spec(&host.image) };
    let id = host.client.call::<WorkspaceCreate>(create).await?.id;
    let mut last = Plan { steps: Vec::new(), error: None, recreates: false };
    let running = async {
        loop {
            match events.recv().await? {
                Event::Plan { workspace, plan } if workspace == id => last = plan,
                Event::Workspace { workspace } if workspace.id == id => match workspace.state {
                    WorkspaceState::Running => return anyhow::Ok(()),
                    WorkspaceState::Failed => bail!("creation failed: {:?}", workspace.plan),
                    _ => last = workspace.plan.unwrap_or(last.clone()),
                },
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, running).await??;
    // The end of the last step is told by the workspace's state alone.
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    for step in last.steps.iter_mut().filter(|step| step.state == StepState::Running) {
        step.duration_ms = step.started_ms.and_then(|begun| u64::try_from(now - begun).ok());
    }
    Ok((id, last))
}

fn duration(plan: &Plan, kind: StepKind) -> f64 {
    let step = plan.steps.iter().find(|step| step.kind == kind);
    step.and_then(|step| step.duration_ms).unwrap_or_default() as f64
}

async fn pod_round(cluster: &Cluster, round: usize) -> Result<Duration> {
    let name = format!("peer-{round}");
    let image = format!("--image={}", cluster.image);
    let ready = format!("pod/{name}");
    let begin = Instant::now();
    cluster.kubectl(&["run", &name, &image, "--restart=Never", "--command", "--", "sleep", "600"]).await?;
    cluster.kubectl(&["wait", "--for=condition=Ready", "--timeout=120s", &ready]).await?;
    cluster.kubectl(&["exec", &name, "--", "sh", "-c", "echo ready"]).await?;
    let took = begin.elapsed();
    cluster.kubectl(&["delete", "pod", &name, "--now"]).await?;
    Ok(took)
}

/// The same objects as ours, without an agent: what the cluster itself needs for them.
async fn set_round(cluster: &Cluster, round: usize) -> Result<Duration> {
    let name = format!("same-{round}");
    let claim = serde_json::json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": name },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } },
    });
    let labels = serde_json::json!({ "bench": name });
    let set = serde_json::json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": { "name": name },
        "spec": {
            "replicas": 1, "serviceName": name, "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "containers": [{
                        "name": "workspace", "image": cluster.image, "command": ["sleep", "600"],
                        "volumeMounts": [{ "name": "files", "mountPath": "/workspace" }],
                    }],
                    "volumes": [{ "name": "files", "persistentVolumeClaim": { "claimName": name } }],
                },
            },
        },
    });
    let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": [claim, set] });
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(&file, list.to_string())?;
    let (named, pod) = (format!("--filename={}", file.path().display()), format!("{name}-0"));
    let begin = Instant::now();
    cluster.kubectl(&["apply", &named]).await?;
    cluster.kubectl(&["rollout", "status", "--timeout=120s", &format!("statefulset/{name}")]).await?;
    cluster.kubectl(&["exec", &pod, "--", "sh", "-c", "echo ready"]).await?;
    let took = begin.elapsed();
    cluster.kubectl(&["delete", &named]).await?;
    Ok(took)
}
