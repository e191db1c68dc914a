//! From what the cluster says of a pod to the text on the workspace.

use super::Cluster;
use crate::host::{PATIENCE, spec};
use crate::peer;
use crate::report::Report;
use aicockpit_protocol::EngineId;
use aicockpit_protocol::api::{CreateWorkspace, Event, WorkspaceCreate};
use aicockpit_protocol::workspace::Plan;
use anyhow::{Context, Result};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A label that no machine carries, and what the scheduler says then.
const NOWHERE: (&str, &str) = ("aicockpit.dev/bench", "nowhere");
const WORDS: &str = "nodes are available";

pub(super) async fn measure(cluster: &Cluster, runs: usize, report: &mut Report) -> Result<()> {
    let host = cluster
        .host(|settings| {
            settings.node_selector.insert(NOWHERE.0.to_owned(), NOWHERE.1.to_owned());
        })
        .await?;
    let mut times = Vec::new();
    for round in 0..runs {
        let mut events = host.client.events();
        let engine = Some(EngineId::new(host.engine.clone()));
        let name = Some(format!("bench-told-{round}"));
        let create = CreateWorkspace { name, engine, spec: spec(&host.image) };
        let id = host.client.call::<WorkspaceCreate>(create).await?.id;
        let says = |plan: &Plan| {
            plan.steps.iter().any(|step| step.note.as_deref().is_some_and(|note| note.contains(WORDS)))
        };
        let shown = async {
            loop {
                let plan = match events.recv().await? {
                    Event::Plan { workspace, plan } if workspace == id => Some(plan),
                    Event::Workspace { workspace } if workspace.id == id => workspace.plan,
                    _ => None,
                };
                if plan.as_ref().is_some_and(says) {
                    return anyhow::Ok(SystemTime::now().duration_since(UNIX_EPOCH)?);
                }
            }
        };
        let shown = tokio::time::timeout(PATIENCE, shown).await;
        let shown = shown.context("the scheduler's words are not shown")??;
        let said = said(cluster, &super::pod(&id)).await?;
        times.push((shown.as_secs_f64() - said.as_secs_f64()) * 1e3);
        host.delete_workspace(&id).await?;
    }
    report.alone(("P15", "FailedScheduling → text on the workspace"), "ms", &times, "≤ 2 s");
    Ok(())
}

/// When the scheduler first said that the pod has no place, since 1970.
async fn said(cluster: &Cluster, pod: &str) -> Result<Duration> {
    let about = format!("--field-selector=reason=FailedScheduling,involvedObject.name={pod}");
    let when = "--output=jsonpath={.items[0].eventTime}";
    let text = cluster.kubectl(&["get", "events", &about, when]).await?;
    anyhow::ensure!(!text.trim().is_empty(), "the cluster keeps no time of its event");
    let date = format!("--date={}", text.trim());
    let nanoseconds = peer::output("date", &[&date, "+%s%N"]).await?;
    Ok(Duration::from_nanos(nanoseconds.trim().parse()?))
}
