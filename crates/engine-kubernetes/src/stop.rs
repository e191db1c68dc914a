//! Stopping a container.

use crate::KubernetesEngine;
use crate::containers::unconfirmed;
use crate::error::{engine_error, found};
use crate::names::pod_of_set;
use crate::pod::{GONE_WITHIN, gone};
use crate::start::watch_error;
use crate::state::{self, PodState};
use aicockpit_engine::{EngineError, Result};
use aicockpit_protocol::ContainerId;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Preconditions};
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
                let gone = gone(&pods, &name, grace.saturating_add(ON_TOP)).await;
                // The cluster may have placed it only after it was looked at.
                let pod = match &gone {
                    Err(EngineError::TimedOut(_)) => found(pods.get(&name).await)?,
                    _ => None,
                };
                gone.map_err(|error| unconfirmed(error, pod.as_ref()))
            }
            (None, Some(pod)) => match state::of_pod(pod) {
                PodState::Ended { .. } | PodState::Gated => Ok(()),
                _ => {
                    self.keep(&pods, pod, true).await?;
                    found(pods.delete(&pod.name_any(), &grace_period).await)?;
                    let ended = ended(&pods, &pod.name_any(), grace.saturating_add(ON_TOP)).await;
                    ended.map_err(|error| unconfirmed(error, Some(pod)))
                }
            },
            (None, None) => Ok(()),
        }
    }

    /// Deletes a pod without its machine's word, so that the cluster may make another one and give the volume to it.
    pub(crate) async fn forget_pod(&self, id: &ContainerId) -> Result<()> {
        let Some(pod) = self.objects(id).await?.pod else { return Ok(()) };
        let PodState::Stranded(_) = state::of_pod(&pod) else {
            return Err(EngineError::Conflict(format!("the machine of the pod {} answers", pod.name_any())));
        };
        let pods = self.api::<Pod>().await?;
        self.keep(&pods, &pod, false).await?;
        // One that was made in its place meanwhile is not meant.
        let uid = Preconditions { uid: pod.uid(), ..Preconditions::default() };
        let at_once = DeleteParams { preconditions: Some(uid), ..DeleteParams::default().grace_period(0) };
        found(pods.delete(&pod.name_any(), &at_once).await)?;
        gone(&pods, &pod.name_any(), GONE_WITHIN).await
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
