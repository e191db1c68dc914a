//! What the cluster is, what the kubeconfig's account may do there, and what follows from both.

use crate::KubernetesEngine;
use crate::error::engine_error;
use crate::names::{MAIN, MANAGER};
use crate::reach::Known;
use aicockpit_engine::{EngineError, EngineVersion, Result};
use aicockpit_protocol::engine::{ClusterSettings, EngineCapabilities};
use k8s_openapi::api::authorization::v1::{ResourceRule, SelfSubjectRulesReview, SelfSubjectRulesReviewSpec};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use kube::api::{ListParams, PostParams};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// The least Role that works, as a manifest.
pub const ROLE: &str = include_str!("../role.yaml");

/// The oldest minor version: the first in which pods can be made without being started.
const OLDEST_MINOR: u32 = 27;
/// Time the cluster has to say its version.
const VERSION_WITHIN: Duration = Duration::from_secs(2);
/// How long the rest is believed.
const BELIEVED_FOR: Duration = Duration::from_secs(300);

/// What is needed: API group, resource, verbs. The table of `role.yaml`, checked by a test.
const NEEDED: &[(&str, &str, &[&str])] = &[
    ("apps", "statefulsets", &["get", "list", "watch", "create", "patch", "delete"]),
    ("", "pods", &["get", "list", "watch", "create", "patch", "delete"]),
    ("", "pods/exec", &["get", "create"]),
    ("", "pods/log", &["get"]),
    ("", "persistentvolumeclaims", &["get", "list", "watch", "create", "patch", "delete"]),
    ("", "services", &["create", "patch", "delete"]),
    ("", "secrets", &["create", "patch", "delete"]),
    ("networking.k8s.io", "networkpolicies", &["get", "list", "create", "patch", "delete"]),
];
/// What only the cluster's words need.
const WISHED: (&str, &str, &[&str]) = ("", "events", &["list", "watch"]);
/// What only the cluster's figures need.
const METRICS: (&str, &str, &[&str]) = ("metrics.k8s.io", "pods", &["get"]);

impl KubernetesEngine {
    pub(crate) async fn probe_cluster(&self) -> Result<EngineVersion> {
        let asked = async { self.client().await?.apiserver_version().await.map_err(engine_error) };
        let version = match timeout(VERSION_WITHIN, asked).await {
            Ok(Ok(version)) => version,
            Ok(Err(error)) => {
                // The kubeconfig may have changed, and an expired client certificate is read only once.
                self.shared.forget_client();
                return Err(error);
            }
            Err(_) => {
                self.shared.forget_client();
                return Err(EngineError::Unavailable(format!("no answer within {VERSION_WITHIN:?}")));
            }
        };
        let minor: u32 = version.minor.trim_end_matches('+').parse().unwrap_or(u32::MAX);
        if version.major == "1" && minor < OLDEST_MINOR {
            return Err(EngineError::TooOld {
                found: version.git_version,
                needed: format!("1.{OLDEST_MINOR}"),
            });
        }
        let known = self.look_at_namespace(&version.platform).await?;
        Ok(EngineVersion {
            version: version.git_version,
            architecture: known.architecture,
            capabilities: known.capabilities,
            notes: known.notes,
        })
    }

    async fn look_at_namespace(&self, platform: &str) -> Result<Known> {
        let namespace = self.namespace().await?;
        if let Some(known) = self.shared.known()
            && known.namespace == namespace
            && known.looked_at.elapsed() < BELIEVED_FOR
        {
            return Ok(known);
        }
        self.shared.put_known(None);
        let settings = self.settings();
        let rules = self.rules(&namespace).await?;
        let missing = rules.as_ref().map(|rules| missing(rules)).unwrap_or_default();
        if !missing.is_empty() {
            return Err(EngineError::NotPermitted(format!(
                "in the namespace {namespace} this account may not {}. The role that AiCockpit needs is in its \
                 documentation (role.yaml)",
                missing.join("; ")
            )));
        }
        let (privileged, nodes, metrics) =
            tokio::join!(self.allows_sudo(), self.gpus(&settings), self.has_metrics());
        let allows = |wished| rules.as_ref().is_none_or(|rules| lacking(rules, wished).is_empty());
        let knows_events = allows(WISHED);
        let metrics = if !metrics {
            Metrics::Absent
        } else if allows(METRICS) {
            Metrics::Readable
        } else {
            Metrics::Forbidden
        };
        let facts = Facts { sudo: privileged?, gpu: nodes, metrics, knows_events, namespace };
        let known = Known {
            capabilities: capabilities(&facts),
            notes: notes(&facts),
            // Of the API server; machines may differ, and the cluster places a pod by its image's.
            architecture: platform.rsplit('/').next().unwrap_or_default().to_owned(),
            namespace: facts.namespace,
            knows_events,
            looked_at: Instant::now(),
        };
        self.shared.put_known(Some(known.clone()));
        Ok(known)
    }

    /// What the account may do; absent where the cluster cannot list that.
    async fn rules(&self, namespace: &str) -> Result<Option<Vec<ResourceRule>>> {
        let review = SelfSubjectRulesReview {
            spec: SelfSubjectRulesReviewSpec { namespace: Some(namespace.to_owned()) },
            ..SelfSubjectRulesReview::default()
        };
        let reviews: Api<SelfSubjectRulesReview> = Api::all(self.client().await?);
        let answer = reviews.create(&PostParams::default(), &review).await.map_err(engine_error)?;
        // A webhook authorizer's rules are not in it.
        Ok(answer.status.filter(|status| !status.incomplete).map(|status| status.resource_rules))
    }

    /// Whether the namespace's pod-security level lets containers hold capabilities.
    async fn allows_sudo(&self) -> Result<bool> {
        let pod = json!({
            "metadata": { "generateName": "aicockpit-trial-" },
            "spec": {
                "automountServiceAccountToken": false,
                "securityContext": { "runAsUser": 1000, "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
                "containers": [{
                    "name": MAIN,
                    "image": "trial",
                    "resources": { "limits": { "cpu": "1m", "memory": "1Mi" }, "requests": { "cpu": "1m", "memory": "1Mi" } },
                    "securityContext": {
                        "allowPrivilegeEscalation": true,
                        "capabilities": { "drop": ["ALL"], "add": ["CHOWN", "SETUID", "SETGID"] },
                    },
                }],
            },
        });
        let pod: Pod = serde_json::from_value(pod)
            .map_err(|error| EngineError::Engine(format!("a trial pod cannot be described: {error}")))?;
        let trial = PostParams { dry_run: true, field_manager: Some(MANAGER.to_owned()) };
        match self.api::<Pod>().await?.create(&trial, &pod).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.message.contains("violates PodSecurity") => Ok(false),
            // A quota or a webhook has something against this very pod: the real one will tell.
            Err(kube::Error::Api(status)) if status.code != 404 && !status.message.contains("terminated") => {
                Ok(true)
            }
            Err(error) => Err(engine_error(error)),
        }
    }

    /// Whether a machine offers a GPU; absent where the account may not look at machines.
    async fn gpus(&self, settings: &ClusterSettings) -> Option<bool> {
        let nodes: Api<Node> = Api::all(self.client().await.ok()?);
        let nodes = nodes.list(&ListParams::default()).await.ok()?;
        Some(nodes.items.iter().any(|node| {
            let allocatable = node.status.as_ref().and_then(|status| status.allocatable.as_ref());
            allocatable.and_then(|all| all.get(&settings.gpu_resource)).is_some_and(|count| count.0 != "0")
        }))
    }

    async fn has_metrics(&self) -> bool {
        let Ok(client) = self.client().await else { return false };
        client.list_api_group_resources("metrics.k8s.io/v1beta1").await.is_ok()
    }

    /// Whether the cluster's events may be read.
    pub(crate) fn capabilities_know_events(&self) -> bool {
        self.shared.known().is_none_or(|known| known.knows_events)
    }
}

struct Facts {
    namespace: String,
    sudo: bool,
    gpu: Option<bool>,
    metrics: Metrics,
    knows_events: bool,
}

#[derive(PartialEq)]
enum Metrics {
    Readable,
    Forbidden,
    Absent,
}

fn capabilities(facts: &Facts) -> EngineCapabilities {
    EngineCapabilities {
        memory_limit: true,
        cpu_limit: true,
        stats: facts.metrics == Metrics::Readable,
        gpu: facts.gpu.unwrap_or(true),
        sudo: facts.sudo,
        self_healing: true,
        ..EngineCapabilities::default()
    }
}

fn notes(facts: &Facts) -> Vec<String> {
    let mut notes = vec![
        "Only volumes outlive a stop: what was installed elsewhere goes.".to_owned(),
        "Whether workspaces are kept apart depends on the cluster's network plugin: AiCockpit writes network policies, and \
         the API does not tell whether they are enforced. A Locked workspace looks from inside, and is not made where it \
         would have a network."
            .to_owned(),
    ];
    if !facts.sudo {
        notes.push(format!(
            "The namespace {} enforces the pod-security level restricted: there is no sudo in its workspaces.",
            facts.namespace
        ));
    }
    match facts.gpu {
        Some(true) => {}
        Some(false) => notes.push("No machine of the cluster offers a GPU.".to_owned()),
        None => notes.push(
            "This account may not look at the cluster's machines, so whether one has a GPU shows only when a workspace \
             asks for it."
                .to_owned(),
        ),
    }
    match facts.metrics {
        Metrics::Readable => {}
        Metrics::Forbidden => notes.push(
            "This account may not read the cluster's metrics API: figures of use come from the agent."
                .to_owned(),
        ),
        Metrics::Absent => {
            notes.push("The cluster has no metrics API: figures of use come from the agent.".to_owned());
        }
    }
    if !facts.knows_events {
        notes.push(
            "This account may not read the namespace's events: the cluster's own reasons are missing from timelines."
                .to_owned(),
        );
    }
    notes
}

/// Everything that is needed and not allowed, readable.
fn missing(rules: &[ResourceRule]) -> Vec<String> {
    NEEDED
        .iter()
        .filter_map(|needed| {
            let verbs = lacking(rules, *needed);
            (!verbs.is_empty()).then(|| format!("{} {}", verbs.join(", "), needed.1))
        })
        .collect()
}

fn lacking<'a>(
    rules: &[ResourceRule],
    (group, resource, verbs): (&str, &str, &'a [&'a str]),
) -> Vec<&'a str> {
    let has = |list: Option<&Vec<String>>, wanted: &str| {
        list.is_some_and(|list| list.iter().any(|one| one == wanted || one == "*"))
    };
    let allows = |verb: &str| {
        rules.iter().any(|rule| {
            let of_names = rule.resource_names.as_ref().is_some_and(|names| !names.is_empty());
            !of_names
                && has(rule.api_groups.as_ref(), group)
                && has(rule.resources.as_ref(), resource)
                && rule.verbs.iter().any(|one| one == verb || one == "*")
        })
    };
    verbs.iter().copied().filter(|verb| !allows(verb)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> ResourceRule {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        ResourceRule {
            api_groups: Some(vec![group.to_owned()]),
            resources: Some(words(resources)),
            resource_names: None,
            verbs: words(verbs),
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(missing(&[rule("*", &["*"], &["*"])]), Vec::<String>::new());
        let some = [
            rule("apps", &["statefulsets"], &["get", "list"]),
            rule("", &["*"], &["*"]),
            rule("networking.k8s.io", &["networkpolicies"], &["*"]),
        ];
        assert_eq!(missing(&some), ["watch, create, patch, delete statefulsets"]);
    }

    #[test]
    fn the_role_allows_what_is_needed_and_nothing_more() {
        let mut lines: Vec<String> = Vec::new();
        for (group, resource, verbs) in NEEDED {
            let quoted: Vec<_> = verbs.iter().map(|verb| format!("{verb:?}")).collect();
            lines.push(format!("{group:?} {resource:?} [{}]", quoted.join(", ")));
        }
        let field = |rule: &str, name: &str| {
            let line = rule.lines().find_map(|line| line.trim().trim_start_matches("- ").strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        let mut written: Vec<String> = Vec::new();
        for rule in ROLE.split("- apiGroups").skip(1) {
            let rule = format!("apiGroups{rule}");
            let list = |name: &str| field(&rule, name).trim_matches(['[', ']']).to_owned();
            for resource in list("resources:").split(", ") {
                written.push(format!("{} {resource} [{}]", list("apiGroups:"), list("verbs:")));
            }
        }
        assert_eq!(written.pop().as_deref(), Some("\"metrics.k8s.io\" \"pods\" [\"get\"]"));
        assert_eq!(written.pop().as_deref(), Some("\"\" \"events\" [\"get\", \"list\", \"watch\"]"));
        assert_eq!(written, lines);
    }
}
