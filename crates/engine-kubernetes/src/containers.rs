//! Containers: made, looked at, listed, removed.

use crate::error::{engine_error, found, is_of_a_new_namespace};
use crate::names::{self, CONTAINER, KEEP, LABELS, MANAGER, UNDO, pod_of_set};
use crate::pod::{GONE_WITHIN, PodTemplate, gone};
use crate::{KubernetesEngine, networks, state};
use aicockpit_engine::{
    ContainerDetails, ContainerSpec, ContainerState, ContainerSummary, EngineError, ImageReference, Result,
};
use aicockpit_protocol::ContainerId;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Pod, Secret, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, PropagationPolicy};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// Seconds that the programs of a container have which is removed.
const REMOVE_GRACE: u32 = 1;
/// How long a namespace may be without the service account that the cluster makes in each, and how often it is looked.
const NEW_NAMESPACE: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Gate of a bare pod that was made and not started.
pub(crate) const GATE: &str = "aicockpit.dev/start";

/// A container's objects.
pub(crate) struct Objects {
    /// Absent for a bare pod.
    pub(crate) set: Option<StatefulSet>,
    /// Absent while it does not run.
    pub(crate) pod: Option<Pod>,
}

impl KubernetesEngine {
    pub(crate) async fn create(&self, spec: &ContainerSpec) -> Result<ContainerId> {
        let name = names::check(&spec.name)?;
        ImageReference::parse(&spec.image)?;
        if let Some(network) = &spec.network {
            self.check_network(network).await?;
        }
        let template = self.pod_template(spec)?;
        if self.look(name).await?.is_some() {
            return Err(EngineError::Conflict(format!("a container called {name} already exists")));
        }
        self.try_pod(&template).await?;
        let owner = if spec.self_healing {
            self.apply_set(spec, &template).await?
        } else {
            self.apply_pod(spec, &template).await?
        };
        let beside = async {
            self.apply_secret(spec, &template, &owner).await?;
            match spec.network {
                None => self.deny_network(name, &spec.labels, &owner).await,
                Some(_) => Ok(()),
            }
        };
        // What is half-made would be taken for the whole.
        if let Err(error) = beside.await {
            let _ = Box::pin(self.remove(&ContainerId::new(name))).await;
            return Err(error);
        }
        Ok(ContainerId::new(name))
    }

    /// Lets the cluster say what it has against such a pod before anything is made: a StatefulSet's pods are refused
    /// behind our back.
    async fn try_pod(&self, template: &PodTemplate) -> Result<()> {
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "generateName": "aicockpit-trial-", "labels": template.metadata["labels"] },
            "spec": template.spec,
        });
        let pod: Pod = serde_json::from_value(pod).map_err(|error| {
            EngineError::Refused(format!("the pod template of the cluster's settings does not fit: {error}"))
        })?;
        let trial = PostParams { dry_run: true, field_manager: Some(MANAGER.to_owned()) };
        let pods = self.api::<Pod>().await?;
        let latest = Instant::now() + NEW_NAMESPACE;
        loop {
            match pods.create(&trial, &pod).await {
                Err(error) if is_of_a_new_namespace(&error) && Instant::now() < latest => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                tried => return tried.map(drop).map_err(engine_error),
            }
        }
    }

    async fn apply_set(&self, spec: &ContainerSpec, template: &PodTemplate) -> Result<Value> {
        let name = &spec.name;
        let metadata = self.metadata(spec);
        let mut set = json!({
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": metadata,
            "spec": {
                "replicas": 0,
                "serviceName": name,
                "podManagementPolicy": "Parallel",
                "revisionHistoryLimit": 1,
                "selector": { "matchLabels": { CONTAINER: name } },
                "template": { "metadata": template.metadata, "spec": template.spec },
            },
        });
        if let Some(undo) = &template.undo {
            set["metadata"]["annotations"][UNDO] = json!(undo.to_string());
        }
        let made = self.apply(&self.api::<StatefulSet>().await?, name, set).await?;
        let owner = owner("apps/v1", "StatefulSet", &made.metadata);
        // Gives the pod its name in the cluster's DNS.
        let service = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": with_owner(metadata, &owner),
            "spec": { "clusterIP": "None", "selector": { CONTAINER: name } },
        });
        self.apply(&self.api::<Service>().await?, name, service).await?;
        Ok(owner)
    }

    async fn apply_pod(&self, spec: &ContainerSpec, template: &PodTemplate) -> Result<Value> {
        let mut pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": template.metadata,
            "spec": template.spec,
        });
        pod["metadata"]["name"] = json!(spec.name);
        pod["spec"]["schedulingGates"] = json!([{ "name": GATE }]);
        let made = self.apply(&self.api::<Pod>().await?, &spec.name, pod).await?;
        Ok(owner("v1", "Pod", &made.metadata))
    }

    /// The variables and files of a container.
    pub(crate) async fn apply_secret(
        &self,
        spec: &ContainerSpec,
        template: &PodTemplate,
        owner: &Value,
    ) -> Result<()> {
        if template.secret.is_empty() {
            return Ok(());
        }
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": with_owner(self.metadata(spec), owner),
            "stringData": template.secret,
        });
        self.apply(&self.api::<Secret>().await?, &spec.name, secret).await.map(drop)
    }

    fn metadata(&self, spec: &ContainerSpec) -> Value {
        json!({
            "name": spec.name,
            "labels": names::labels(&spec.labels, &self.settings().labels),
            "annotations": { LABELS: names::annotation(&spec.labels) },
        })
    }

    async fn apply<K>(&self, api: &Api<K>, name: &str, object: Value) -> Result<K>
    where
        K: Clone + serde::de::DeserializeOwned + std::fmt::Debug,
    {
        api.patch(name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(object))
            .await
            .map_err(engine_error)
    }

    /// A container's objects; nothing where neither a StatefulSet nor a pod has its name.
    pub(crate) async fn look(&self, name: &str) -> Result<Option<Objects>> {
        let name = names::check(name)?;
        let (sets, pods) = (self.api::<StatefulSet>().await?, self.api::<Pod>().await?);
        let of_set = pod_of_set(name);
        let (set, of_set, bare) = tokio::join!(sets.get_opt(name), pods.get_opt(&of_set), pods.get_opt(name));
        let set = set.map_err(engine_error)?.filter(|set| names::is_ours(&set.metadata));
        // On its way out for good: its pods and what it owns are being removed.
        let set = set.filter(|set| set.metadata.deletion_timestamp.is_none());
        if set.is_some() {
            return Ok(Some(Objects { set, pod: of_set.map_err(engine_error)? }));
        }
        let pod = bare.map_err(engine_error)?.filter(|pod| names::is_ours(&pod.metadata));
        Ok(pod.map(|pod| Objects { set: None, pod: Some(pod) }))
    }

    /// As [`KubernetesEngine::look`], for one that must be there.
    pub(crate) async fn objects(&self, id: &ContainerId) -> Result<Objects> {
        let missing = || EngineError::NotFound(format!("no such container: {id}"));
        self.look(id.as_str()).await?.ok_or_else(missing)
    }

    pub(crate) async fn inspect(&self, id: &ContainerId) -> Result<ContainerDetails> {
        let objects = self.objects(id).await?;
        state::details(objects.set.as_ref(), objects.pod.as_ref())
            .ok_or_else(|| EngineError::Engine(format!("{id} has no container of ours in its pod")))
    }

    pub(crate) async fn list(&self, labels: &[(&str, &str)]) -> Result<Vec<ContainerSummary>> {
        // The API server's own copy is as new as its watches are.
        let wanted = ListParams::default().labels(&names::selector(labels));
        let (sets, pods) = (self.api::<StatefulSet>().await?, self.api::<Pod>().await?);
        let (sets, pods) = tokio::join!(sets.list(&wanted), pods.list(&wanted));
        let mut pods: HashMap<String, Pod> =
            pods.map_err(engine_error)?.into_iter().map(|pod| (pod.name_any(), pod)).collect();
        let mut all = Vec::new();
        for set in sets.map_err(engine_error)? {
            let pod = pods.remove(&pod_of_set(&set.name_any()));
            if set.metadata.deletion_timestamp.is_none() {
                all.push(summary(Some(&set), pod.as_ref(), labels));
            }
        }
        let bare = pods.values().filter(|pod| pod.owner_references().is_empty());
        all.extend(bare.map(|pod| summary(None, Some(pod), labels)));
        Ok(all.into_iter().flatten().collect())
    }

    pub(crate) async fn remove(&self, id: &ContainerId) -> Result<()> {
        let name = names::check(id.as_str())?;
        self.shared.counters.forget(name);
        let (sets, pods) = (self.api::<StatefulSet>().await?, self.api::<Pod>().await?);
        let Some(objects) = self.look(name).await? else {
            // A removal that was cut off may have left the pod behind.
            return gone(&pods, &pod_of_set(name), GONE_WITHIN).await;
        };
        if objects.set.is_some() {
            let background = DeleteParams {
                propagation_policy: Some(PropagationPolicy::Background),
                ..DeleteParams::default()
            };
            found(sets.delete(name, &background).await)?;
        }
        self.remove_owned(name).await?;
        if let Some(pod) = objects.pod {
            self.remove_pod(&pods, &pod).await?;
        }
        Ok(())
    }

    pub(crate) async fn remove_pod(&self, pods: &Api<Pod>, pod: &Pod) -> Result<()> {
        let name = pod.name_any();
        if pod.finalizers().iter().any(|finalizer| finalizer == KEEP) {
            self.keep(pods, pod, false).await?;
        }
        found(pods.delete(&name, &DeleteParams::default().grace_period(REMOVE_GRACE)).await)?;
        gone(pods, &name, GONE_WITHIN).await.map_err(|error| unconfirmed(error, Some(pod)))
    }

    /// Lets an ended pod stay with its exit status, or go.
    pub(crate) async fn keep(&self, pods: &Api<Pod>, pod: &Pod, keep: bool) -> Result<()> {
        let mut finalizers: Vec<String> =
            pod.finalizers().iter().filter(|finalizer| *finalizer != KEEP).cloned().collect();
        if keep {
            finalizers.push(KEEP.to_owned());
        }
        let patch = Patch::Merge(json!({ "metadata": { "finalizers": finalizers } }));
        found(pods.patch(&pod.name_any(), &manager(), &patch).await).map(drop)
    }

    /// Lets the secret and the policy of a bare pod belong to another pod, or to none.
    pub(crate) async fn give_owned(&self, name: &str, to: Option<&Pod>) -> Result<()> {
        let owners: Vec<Value> = to.iter().map(|pod| owner("v1", "Pod", &pod.metadata)).collect();
        let patch = Patch::Merge(json!({ "metadata": { "ownerReferences": owners } }));
        found(self.api::<Secret>().await?.patch(name, &manager(), &patch).await)?;
        let policies = self.api::<NetworkPolicy>().await?;
        found(policies.patch(&networks::none_of(name), &manager(), &patch).await).map(drop)
    }

    /// What a container owns would go by itself, but only in a while.
    async fn remove_owned(&self, name: &str) -> Result<()> {
        let now = DeleteParams::default();
        let none = networks::none_of(name);
        let (services, secrets, policies) =
            (self.api::<Service>().await?, self.api::<Secret>().await?, self.api::<NetworkPolicy>().await?);
        let (service, secret, policy) = tokio::join!(
            services.delete(name, &now),
            secrets.delete(name, &now),
            policies.delete(&none, &now)
        );
        found(service)?;
        found(secret)?;
        found(policy).map(drop)
    }
}

/// The parameters of a change that is no apply.
pub(crate) fn manager() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}

/// Names the machine that does not confirm a pod's end, where that is why time ran out.
pub(crate) fn unconfirmed(error: EngineError, pod: Option<&Pod>) -> EngineError {
    let machine = pod.and_then(|pod| Some((pod.name_any(), pod.spec.as_ref()?.node_name.clone()?)));
    match (error, machine) {
        (EngineError::TimedOut(_), Some((pod, node))) => EngineError::TimedOut(format!(
            "the pod {pod} is on the machine {node}, which does not confirm that it ended; it goes when that \
             machine is back or is removed from the cluster"
        )),
        (error, _) => error,
    }
}

/// A reference to the object that another one goes with.
fn owner(api_version: &str, kind: &str, meta: &ObjectMeta) -> Value {
    json!({
        "apiVersion": api_version,
        "kind": kind,
        "name": meta.name,
        "uid": meta.uid,
    })
}

fn with_owner(mut metadata: Value, owner: &Value) -> Value {
    metadata["ownerReferences"] = json!([owner]);
    metadata
}

fn summary(
    set: Option<&StatefulSet>,
    pod: Option<&Pod>,
    labels: &[(&str, &str)],
) -> Option<ContainerSummary> {
    let meta = set.map(|set| &set.metadata).or(pod.map(|pod| &pod.metadata))?;
    if !names::carries(meta, labels) {
        return None;
    }
    let details = state::details(set, pod)?;
    // What is being removed is no container any more, unless it is kept for its exit status or its machine is silent.
    let stays = matches!(details.state, ContainerState::Exited | ContainerState::Stranded);
    let leaving = meta.deletion_timestamp.is_some() && !stays;
    (!leaving).then_some(ContainerSummary {
        id: details.id,
        name: details.name,
        image: details.image_reference,
        state: details.state,
        labels: details.labels,
    })
}
