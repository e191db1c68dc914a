//! Stopping a container.

use crate::KubernetesEngine;
use crate::error::{engine_error, found};
use crate::names::pod_of_set;
use crate::pod::gone;
use crate::start::watch_error;
use crate::state::{self, PodState};
use aicockpit_engine::{EngineError, Result};
use aicockpit_protocol::ContainerId;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, ResourceExt as _};
use std::time::Duration;

/// Time that a cluster takes on top of the grace to end a pod.
const ON_TOP: Duration = Duration::from_secs(30);

impl KubernetesEngine {
    pub(crate) async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<()> {
        let objects = self.objects(id).await?;
        let pods = self.api::<Pod>().await?;
        // No time at all would have the pod forgotten while its programs still run.
        let seconds = u32::try_from(grace.as_secs()).unwrap_or(u32::MAX).max(1);
        let grace_period = DeleteParams::default().grace_period(seconds);
        match (&objects.set, &objects.pod) {
            (Some(_), _) => {
                self.scale(id.as_str(), 0).await?;
                let name = pod_of_set(id.as_str());
                found(pods.delete(&name, &grace_period).await)?;
                gone(&pods, &name, grace.saturating_add(ON_TOP)).await
            }
            (None, Some(pod)) => match state::of_pod(pod) {
                PodState::Ended { .. } | PodState::Gated => Ok(()),
                _ => {
                    self.keep(&pods, pod, true).await?;
                    found(pods.delete(&pod.name_any(), &grace_period).await)?;
                    ended(&pods, &pod.name_any(), grace.saturating_add(ON_TOP)).await
                }
            },
            (None, None) => Ok(()),
        }
    }
}

/// Waits until a pod has ended.
async fn ended(pods: &Api<Pod>, name: &str, within: Duration) -> Result<()> {
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let waiting = async {
        let mut states = watcher(pods.clone(), config).boxed();
        while let Some(next) = states.next().await {
            match next.map_err(watch_error)? {
                watcher::Event::Apply(pod) | watcher::Event::InitApply(pod)
                    if matches!(state::of_pod(&pod), PodState::Ended { .. }) =>
                {
                    return Ok(());
                }
                watcher::Event::Delete(_) => return Ok(()),
                _ => {}
            }
        }
        Err(EngineError::Unavailable("the cluster ended its answer".to_owned()))
    };
    match tokio::time::timeout(within, waiting).await {
        Ok(outcome) => outcome,
        Err(_) => match pods.get(name).await.map_err(engine_error) {
            Ok(_) => Err(EngineError::TimedOut(format!("the pod {name} did not end within {within:?}"))),
            Err(error) => Err(error),
        },
    }
}
