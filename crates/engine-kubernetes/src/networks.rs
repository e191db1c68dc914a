//! Networks: NetworkPolicies that keep pods of one network apart from all others.
//!
//! They hold where the cluster's network plugin enforces them; the API does not tell whether it does.

use crate::KubernetesEngine;
use crate::error::{engine_error, found};
use crate::names::{self, MAIN, MANAGER, NETWORK, PROGRAM};
use aicockpit_engine::{EngineError, ExecExit, NetworkSpec, NetworkSummary, Result};
use aicockpit_protocol::ContainerId;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt as _;

/// A plugin may take a moment to learn of a policy.
const ENFORCED_WITHIN: Duration = Duration::from_secs(8);
/// Wait between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Statuses of the agent's `reach`.
const REACHED: i64 = 0;
const NOT_REACHED: i64 = 1;

/// Name of the policy of a container without any network.
pub(crate) fn none_of(container: &str) -> String {
    format!("{container}-none")
}

impl KubernetesEngine {
    pub(crate) async fn make_network(&self, spec: &NetworkSpec) -> Result<()> {
        let name = names::check(&spec.name)?;
        let policies = self.api::<NetworkPolicy>().await?;
        if found(policies.get(name).await)?.is_some() {
            return Err(EngineError::Conflict(format!("a network called {name} already exists")));
        }
        let peers = json!({ "podSelector": { "matchLabels": { NETWORK: name } } });
        let rules = json!({ "policyTypes": ["Ingress"], "ingress": [{ "from": [peers] }] });
        self.apply_policy(name, &spec.labels, rules, None).await
    }

    /// Lets nothing in to a container, and nothing out. The policy goes with its owner.
    pub(crate) async fn deny_network(
        &self,
        container: &str,
        labels: &[(String, String)],
        owner: &Value,
    ) -> Result<()> {
        let rules = json!({ "policyTypes": ["Ingress", "Egress"] });
        self.apply_policy(&none_of(container), labels, rules, Some(owner)).await
    }

    async fn apply_policy(
        &self,
        name: &str,
        labels: &[(String, String)],
        mut rules: Value,
        owner: Option<&Value>,
    ) -> Result<()> {
        rules["podSelector"] = json!({ "matchLabels": { NETWORK: name } });
        let policy = json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {
                "name": name,
                "labels": names::labels(labels, &self.settings().labels),
                "annotations": { names::LABELS: names::annotation(labels) },
                "ownerReferences": owner.into_iter().collect::<Vec<_>>(),
            },
            "spec": rules,
        });
        let policies = self.api::<NetworkPolicy>().await?;
        let applied = policies.patch(name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(policy)).await;
        applied.map(drop).map_err(engine_error)
    }

    pub(crate) async fn networks(&self) -> Result<Vec<NetworkSummary>> {
        let ours = ListParams::default().labels(&names::selector(&[]));
        let policies = self.api::<NetworkPolicy>().await?.list(&ours).await.map_err(engine_error)?;
        Ok(policies
            .into_iter()
            .filter(|policy| policy.owner_references().is_empty())
            .map(|policy| NetworkSummary {
                name: policy.name_any(),
                subnets: Vec::new(),
                labels: names::labels_of(&policy.metadata),
            })
            .collect())
    }

    pub(crate) async fn drop_network(&self, name: &str) -> Result<()> {
        let name = names::check(name)?;
        let policies = self.api::<NetworkPolicy>().await?;
        let Some(policy) = found(policies.get(name).await)? else { return Ok(()) };
        if !names::is_ours(&policy.metadata) {
            return Ok(());
        }
        let inside = ListParams::default().labels(&format!("{NETWORK}={name}"));
        let pods = self.api::<Pod>().await?.list(&inside).await.map_err(engine_error)?;
        if let Some(pod) = pods.items.first() {
            return Err(EngineError::Conflict(format!("network is being used by {}", pod.name_any())));
        }
        found(policies.delete(name, &DeleteParams::default()).await).map(drop)
    }

    /// Looks from inside whether the cluster enforces the policy: its own API is an address that every pod knows and
    /// that answers.
    pub(crate) async fn reaches_nothing(&self, id: &ContainerId) -> Result<bool> {
        let pod = self.running_pod(id).await?;
        let Some(program) = pod.annotations().get(PROGRAM) else {
            return Err(EngineError::Unsupported(format!("{id} has no program that could look")));
        };
        let command = [program.as_str(), "reach", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"]
            .map(str::to_owned);
        let begun = Instant::now();
        loop {
            let looking = self.exec_program(&pod, MAIN, &command).await?;
            let mut nothing = Vec::new();
            let mut stdout = looking.stdout;
            stdout
                .read_to_end(&mut nothing)
                .await
                .map_err(|error| EngineError::Unavailable(error.to_string()))?;
            match looking.exit.await? {
                ExecExit::Exited(REACHED) if begun.elapsed() < ENFORCED_WITHIN => {
                    tokio::time::sleep(LOOK_AGAIN).await
                }
                ExecExit::Exited(REACHED) => return Ok(false),
                ExecExit::Exited(NOT_REACHED) => return Ok(true),
                other => {
                    return Err(EngineError::Engine(format!("it could not be found out ({other:?})")));
                }
            }
        }
    }

    /// Refuses a network that is not there: Kubernetes would start the pod unprotected.
    pub(crate) async fn check_network(&self, name: &str) -> Result<()> {
        match found(self.api::<NetworkPolicy>().await?.get(names::check(name)?).await)? {
            Some(_) => Ok(()),
            None => Err(EngineError::NotFound(format!("no such network: {name}"))),
        }
    }
}
