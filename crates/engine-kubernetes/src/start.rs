//! Starting a container, and why one does not start.

use crate::KubernetesEngine;
use crate::containers::{GATE, Objects, manager};
use crate::error::engine_error;
use crate::names::{self, KEEP, PROGRAM, STARTED, pod_of_set};
use crate::placement::renewal;
use crate::state::{self, PodState};
use aicockpit_engine::{EngineError, Result, error_from_answer};
use aicockpit_protocol::ContainerId;
use futures::future::Either;
use futures::stream::{FuturesUnordered, StreamExt as _};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{Patch, PostParams};
use kube::runtime::watcher::{self, watcher};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use std::collections::HashSet;

/// A label that a controller of the cluster gives a pod and that another one must not have.
const REVISION: &str = "controller-revision-hash";

impl KubernetesEngine {
    pub(crate) async fn start(&self, id: &ContainerId) -> Result<()> {
        let objects = self.objects(id).await?;
        let name = id.as_str();
        match &objects.set {
            Some(set) => {
                let template = set.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
                self.grow_volumes(name, template).await?;
                let begun = self.scale_up(set, objects.pod.is_some()).await?;
                let started = self.until_running(name, &pod_of_set(name), begun).await;
                if is_final(&started) {
                    // Else the cluster would go on trying behind the back of a person who was told that it failed.
                    self.scale(name, 0).await?;
                }
                started
            }
            None => {
                self.release(&objects).await?;
                self.until_running(name, name, None).await
            }
        }
    }

    /// Also brings the pod template up to date with the settings and the product's program of now: another one could not
    /// be brought. A pod that is there would be replaced by that, so it keeps what it has. The number of the change.
    async fn scale_up(&self, set: &StatefulSet, has_pod: bool) -> Result<Option<i64>> {
        let mut patch = match has_pod {
            true => json!({}),
            false => renewal(set, &self.settings(), self.surroundings.program.as_ref()),
        };
        patch["metadata"]["annotations"][STARTED] = json!("true");
        patch["spec"]["replicas"] = json!(1);
        let sets = self.api::<StatefulSet>().await?;
        let changed =
            sets.patch(&set.name_any(), &manager(), &Patch::Merge(patch)).await.map_err(engine_error)?;
        Ok(changed.resource_version().and_then(|version| version.parse().ok()))
    }

    pub(crate) async fn scale(&self, name: &str, replicas: u32) -> Result<()> {
        let sets = self.api::<StatefulSet>().await?;
        let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
        sets.patch(name, &manager(), &patch).await.map(drop).map_err(engine_error)
    }

    /// Lets a bare pod go; one that has ended is made anew.
    async fn release(&self, objects: &Objects) -> Result<()> {
        let Some(pod) = &objects.pod else { return Ok(()) };
        let pods = self.api::<Pod>().await?;
        match state::of_pod(pod) {
            PodState::Gated => self.ungate(&pods, pod).await,
            PodState::Ended { .. } => self.make_anew(&pods, pod).await,
            _ if pod.finalizers().iter().any(|one| one == KEEP) => self.make_anew(&pods, pod).await,
            _ => Ok(()),
        }
    }

    async fn ungate(&self, pods: &Api<Pod>, pod: &Pod) -> Result<()> {
        let gates = pod.spec.as_ref().and_then(|spec| spec.scheduling_gates.clone()).unwrap_or_default();
        let others: Vec<_> = gates.into_iter().filter(|gate| gate.name != GATE).collect();
        let patch = Patch::Merge(json!({ "spec": { "schedulingGates": others } }));
        pods.patch(&pod.name_any(), &manager(), &patch).await.map(drop).map_err(engine_error)
    }

    async fn make_anew(&self, pods: &Api<Pod>, pod: &Pod) -> Result<()> {
        let mut next = pod.clone();
        next.status = None;
        let meta = std::mem::take(&mut next.metadata);
        next.metadata.name = meta.name;
        next.metadata.annotations = meta.annotations;
        next.metadata.labels =
            meta.labels.map(|labels| labels.into_iter().filter(|(key, _)| key != REVISION).collect());
        if let Some(spec) = &mut next.spec {
            (spec.node_name, spec.scheduling_gates) = (None, None);
        }
        // Else they would go with the one before.
        self.give_owned(&pod.name_any(), None).await?;
        self.remove_pod(pods, pod).await?;
        let by = PostParams { field_manager: Some(names::MANAGER.to_owned()), ..PostParams::default() };
        let made = pods.create(&by, &next).await.map_err(engine_error)?;
        self.give_owned(&made.name_any(), Some(&made)).await
    }

    /// Waits until a pod runs, brings it the product's program on the way, and gives the cluster's own reason where it
    /// cannot run. What happened before the change `begun` is not news.
    async fn until_running(&self, container: &str, pod: &str, begun: Option<i64>) -> Result<()> {
        let pods = watcher(self.api::<Pod>().await?, of_name(pod)).map(Either::Left).boxed();
        // Where a StatefulSet's pod is refused only its events say so.
        let events = match self.capabilities_know_events() {
            true => watcher(self.api::<Event>().await?, refusals_of(container)).map(Either::Right).boxed(),
            false => futures::stream::pending().boxed(),
        };
        let mut both = futures::stream::select(pods, events);
        // Beside the watch: what is wrong with an image must be seen while its container is waited for.
        let mut deliveries = FuturesUnordered::new();
        let mut served = HashSet::new();
        loop {
            let next = tokio::select! {
                Some(delivered) = deliveries.next(), if !deliveries.is_empty() => {
                    delivered?;
                    continue;
                }
                next = both.next() => next,
            };
            match next {
                Some(Either::Left(Ok(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod)))) => {
                    if let Some(outcome) = step_of(&pod) {
                        return outcome;
                    }
                    if is_placed(&pod) && served.insert(pod.uid()) {
                        deliveries.push(async move { self.deliver(&pod).await });
                    }
                }
                Some(Either::Right(Ok(watcher::Event::Apply(event) | watcher::Event::InitApply(event)))) => {
                    if is_new(&event, begun) {
                        return Err(refusal(event.message.unwrap_or_default()));
                    }
                }
                Some(Either::Left(Err(error))) => return Err(watch_error(error)),
                Some(Either::Left(Ok(_)) | Either::Right(_)) => {}
                None => return Err(EngineError::Unavailable("the cluster ended its answer".to_owned())),
            }
        }
    }
}

/// What a pod's state means for its start: absent while it is on its way.
fn step_of(pod: &Pod) -> Option<Result<()>> {
    // The one before, which is still going.
    if pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    match state::of_pod(pod) {
        PodState::Running => Some(Ok(())),
        // It ran, which is what was asked for; how it ended is asked for apart.
        PodState::Ended { status: Some(_), .. } => Some(Ok(())),
        PodState::Ended { reason, .. } => {
            Some(Err(EngineError::Refused(reason.unwrap_or_else(|| "the pod ended".to_owned()))))
        }
        PodState::NoImage(why) => Some(Err(image_error(why))),
        PodState::NoStart(why) => Some(Err(error_from_answer(400, &why))),
        PodState::NeedsProgram | PodState::Gated | PodState::Starting(_) | PodState::Stranded(_) => None,
    }
}

/// Whether a machine has a pod that takes the product's program, so that its containers are being made there.
fn is_placed(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none()
        && pod.annotations().contains_key(PROGRAM)
        && pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some())
}

/// Events are numbered with everything else in the cluster. Where they are not, none is taken for new by mistake of
/// ours: the number is documented as opaque, but compared this way by Kubernetes' own clients since 1.35.
fn is_new(event: &Event, begun: Option<i64>) -> bool {
    let number = event.metadata.resource_version.as_ref().and_then(|version| version.parse::<i64>().ok());
    match (number, begun) {
        (Some(number), Some(begun)) => number >= begun,
        _ => false,
    }
}

/// Whether trying on is of no use.
fn is_final(outcome: &Result<()>) -> bool {
    matches!(outcome, Err(error) if !matches!(error, EngineError::Unavailable(_)))
}

/// A registry that cannot be reached is told apart from one that has no such image.
fn image_error(why: String) -> EngineError {
    match error_from_answer(404, &why) {
        EngineError::NotFound(why) => EngineError::ImageNotFound(why),
        other => other,
    }
}

/// Why the cluster makes no pod.
fn refusal(message: String) -> EngineError {
    match message.contains("exceeded quota") {
        true => EngineError::Quota(message),
        false => EngineError::Refused(message),
    }
}

fn of_name(name: &str) -> watcher::Config {
    watcher::Config::default().fields(&format!("metadata.name={name}"))
}

fn refusals_of(container: &str) -> watcher::Config {
    watcher::Config::default().fields(&format!(
        "involvedObject.name={container},involvedObject.kind=StatefulSet,reason=FailedCreate"
    ))
}

pub(crate) fn watch_error(error: watcher::Error) -> EngineError {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => engine_error(error),
        watcher::Error::WatchError(status) => engine_error(kube::Error::Api(status)),
        other => EngineError::Unavailable(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_become_errors() {
        let missing = image_error("docker.io/library/nope: not found".to_owned());
        assert!(matches!(missing, EngineError::ImageNotFound(_)), "{missing:?}");
        let far = image_error("dial tcp: lookup registry.example: no such host".to_owned());
        assert!(matches!(far, EngineError::RegistryUnavailable(_)), "{far:?}");
        assert!(matches!(
            refusal("pods \"w-0\" is forbidden: exceeded quota: q".into()),
            EngineError::Quota(_)
        ));
        assert!(matches!(refusal("violates PodSecurity".into()), EngineError::Refused(_)));
    }
}
