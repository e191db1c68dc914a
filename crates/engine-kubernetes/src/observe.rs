//! Measurements and output.

use crate::KubernetesEngine;
use crate::error::{engine_error, found};
use crate::names::MAIN;
use crate::quantity::quantity;
use crate::state::main_status;
use aicockpit_engine::{ContainerStats, EngineError, LogChunk, Result};
use aicockpit_protocol::ContainerId;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use kube::api::LogParams;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use tokio_util::compat::FuturesAsyncReadCompatExt as _;
use tokio_util::io::ReaderStream;

/// Lines by which an API answers for no lines at all.
const NO_LINES: u32 = 0;

/// CPU time of pods so far: the metrics API tells a rate, the trait asks for a counter.
#[derive(Default)]
pub(crate) struct Counters(Mutex<HashMap<String, Counter>>);

struct Counter {
    pod: String,
    at: Instant,
    cpu_ns: u64,
}

impl Counters {
    /// Adds what a pod used since it was last asked for, at this rate.
    fn add(&self, container: &str, pod: String, nanocores: u64, now: Instant) -> u64 {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Counter { pod: pod.clone(), at: now, cpu_ns: 0 };
        let counter = all.entry(container.to_owned()).or_insert_with(fresh);
        if counter.pod != pod {
            *counter = fresh();
        }
        let used = now.duration_since(counter.at).as_secs_f64() * nanocores as f64;
        counter.cpu_ns += used as u64;
        counter.at = now;
        counter.cpu_ns
    }

    pub(crate) fn forget(&self, container: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(container);
    }
}

/// Of `metrics.k8s.io/v1beta1`.
#[derive(Deserialize)]
struct PodMetrics {
    timestamp: Time,
    containers: Vec<ContainerMetrics>,
}

#[derive(Deserialize)]
struct ContainerMetrics {
    name: String,
    usage: Usage,
}

#[derive(Deserialize)]
struct Usage {
    cpu: String,
    memory: String,
}

impl KubernetesEngine {
    pub(crate) async fn measure(&self, id: &ContainerId) -> Result<ContainerStats> {
        let pod = self.running_pod(id).await?;
        let path = format!(
            "/apis/metrics.k8s.io/v1beta1/namespaces/{}/pods/{}",
            self.namespace().await?,
            pod.name_any()
        );
        let request = http_get(&path)?;
        let metrics = found(self.client().await?.request::<PodMetrics>(request).await)?;
        let usage = metrics.as_ref().and_then(|metrics| usage(metrics, &pod)).ok_or_else(|| {
            EngineError::Unsupported(format!("the cluster has no figures of {} yet", pod.name_any()))
        })?;
        let unreadable = || EngineError::Engine("the cluster's figures cannot be read".to_owned());
        let nanocores = quantity(&usage.cpu, 1e9).ok_or_else(unreadable)?;
        let uid = pod.uid().unwrap_or_default();
        Ok(ContainerStats {
            cpu_total_ns: self.shared.counters.add(id.as_str(), uid, nanocores, Instant::now()),
            memory_bytes: quantity(&usage.memory, 1.0).ok_or_else(unreadable)?,
            memory_limit_bytes: memory_limit(&pod),
            cpu_and_memory_only: true,
            ..ContainerStats::default()
        })
    }

    pub(crate) async fn read_logs(
        &self,
        id: &ContainerId,
        tail: u32,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<LogChunk>>> {
        let objects = self.objects(id).await?;
        let Some(pod) = objects.pod else { return Ok(futures::stream::empty().boxed()) };
        if tail == NO_LINES && !follow {
            return Ok(futures::stream::empty().boxed());
        }
        let status = main_status(&pod);
        let state = status.and_then(|status| status.state.as_ref());
        let began = state.is_some_and(|state| state.running.is_some() || state.terminated.is_some());
        // Between two tries the last one's words are asked for.
        let previous = !began && status.is_some_and(|status| status.restart_count > 0);
        if !began && !previous {
            return Ok(futures::stream::empty().boxed());
        }
        let parameters = LogParams {
            container: Some(MAIN.to_owned()),
            follow: follow && !previous,
            tail_lines: Some(i64::from(tail)),
            previous,
            ..LogParams::default()
        };
        let pods = self.api::<Pod>().await?;
        let lines = pods.log_stream(&pod.name_any(), &parameters).await.map_err(engine_error)?;
        let pieces = ReaderStream::new(lines.compat());
        Ok(pieces
            .map(|piece| match piece {
                Ok(bytes) => Ok(LogChunk { stderr: false, bytes }),
                Err(error) => Err(EngineError::Unavailable(error.to_string())),
            })
            .boxed())
    }
}

fn http_get(path: &str) -> Result<http::Request<Vec<u8>>> {
    http::Request::get(path)
        .body(Vec::new())
        .map_err(|error| EngineError::Engine(format!("{path} is no address: {error}")))
}

/// What the main container used. A pod's figures are kept under its name: those from before the container's start are
/// of the one before it.
fn usage<'a>(metrics: &'a PodMetrics, pod: &Pod) -> Option<&'a Usage> {
    let running = main_status(pod)?.state.as_ref()?.running.as_ref()?;
    let is_older = running.started_at.as_ref().is_some_and(|started| metrics.timestamp.0 < started.0);
    let main = metrics.containers.iter().find(|container| container.name == MAIN)?;
    (!is_older).then_some(&main.usage)
}

fn memory_limit(pod: &Pod) -> Option<u64> {
    let main = pod.spec.as_ref()?.containers.iter().find(|container| container.name == MAIN)?;
    quantity(&main.resources.as_ref()?.limits.as_ref()?.get("memory")?.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn figures_of_the_pod_before_are_not_taken_for_those_of_its_successor() {
        let metrics = json!({
            "timestamp": "2026-01-01T10:00:00Z", "window": "15s",
            "containers": [
                { "name": "sidecar", "usage": { "cpu": "1", "memory": "1Gi" } },
                { "name": MAIN, "usage": { "cpu": "250m", "memory": "12Mi" } },
            ],
        });
        let metrics: PodMetrics = serde_json::from_value(metrics).unwrap();
        let pod = |state: serde_json::Value| -> Pod {
            let status = json!({
                "name": MAIN, "image": "", "imageID": "", "ready": true, "restartCount": 0, "state": state,
            });
            serde_json::from_value(json!({ "status": { "containerStatuses": [status] } })).unwrap()
        };
        for (state, memory) in [
            (json!({ "running": { "startedAt": "2026-01-01T09:59:45Z" } }), Some("12Mi")),
            (json!({ "running": { "startedAt": "2026-01-01T10:00:01Z" } }), None),
            (json!({ "waiting": {} }), None),
        ] {
            let found = usage(&metrics, &pod(state)).map(|usage| usage.memory.as_str());
            assert_eq!(found, memory);
        }
    }

    #[test]
    fn a_rate_becomes_a_counter_that_begins_anew_with_the_pod() {
        let counters = Counters::default();
        let begun = Instant::now();
        assert_eq!(counters.add("w", "1".into(), 500_000_000, begun), 0);
        let later = begun + Duration::from_secs(2);
        assert_eq!(counters.add("w", "1".into(), 500_000_000, later), 1_000_000_000);
        assert_eq!(counters.add("w", "2".into(), 500_000_000, later), 0);
    }
}
