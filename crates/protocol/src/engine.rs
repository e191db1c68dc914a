//! Engines as the UI sees them.

use crate::EngineId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use ts_rs::TS;

/// The kind of an engine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum EngineKind {
    /// Docker Engine, by its API.
    Docker,
    /// Podman, by libpod's API.
    Podman,
    /// A namespace of a Kubernetes cluster, by a context of the kubeconfig.
    Kubernetes,
}

/// Whether an engine can be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum EngineHealth {
    /// Known and not used: a cluster is not spoken to before a person switches it on.
    Off,
    /// Being looked at for the first time.
    Checking,
    /// Answers and is new enough.
    Ready,
    /// Installed but not running: no socket, or nobody listens on it.
    Stopped,
    /// Not installed on this machine.
    Missing,
    /// The socket may not be used by this user.
    NotPermitted,
    /// Answers, but is older than what is needed.
    TooOld,
    /// Answers with errors, or not in time.
    Failing,
}

/// What an engine can do on this machine. What is absent is shown to people, not hidden.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, TS)]
pub struct EngineCapabilities {
    /// Containers can be frozen.
    pub pause: bool,
    /// A container can be saved as an image.
    pub commit: bool,
    /// Memory limits are enforced.
    pub memory_limit: bool,
    /// CPU limits are enforced.
    pub cpu_limit: bool,
    /// Limits on the number of processes are enforced.
    pub pids_limit: bool,
    /// Statistics are available.
    pub stats: bool,
    /// Devices of a GPU can be passed on.
    pub gpu: bool,
    /// The engine runs without root; container root is this user.
    pub rootless: bool,
    /// Container users can be mapped so that files of a host folder keep their owner (Podman's keep-id).
    pub keep_id: bool,
    /// Networks can be made with a chosen subnet.
    pub custom_subnet: bool,
    /// It has a store of images: they can be built, pulled, imported, listed and removed. Without one, its machines
    /// pull what a container names.
    pub images: bool,
    /// Files can be put into, and read from, a container that does not run.
    pub files_at_rest: bool,
    /// Folders of this machine can be mounted.
    pub host_folders: bool,
    /// Ports can be published on this machine's loopback.
    pub published_ports: bool,
    /// What was written outside of volumes outlives a stop.
    pub keeps_root: bool,
    /// A program can be run in a container as another user, in another folder, with more variables.
    pub exec_options: bool,
    /// A container can be cut off from every network, by the engine itself.
    pub no_network: bool,
    /// Containers may hold the few capabilities without which `sudo` cannot work.
    pub sudo: bool,
    /// Errors are told apart from other output in a container's log.
    pub split_logs: bool,
    /// A container that ended by itself, or whose machine was lost, is started anew by the engine.
    pub self_healing: bool,
}

/// An engine's state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct EngineInfo {
    /// Its id.
    pub id: EngineId,
    /// What it is.
    pub kind: EngineKind,
    /// Name for people, for instance `Docker` or `Podman (rootless)`.
    pub name: String,
    /// Socket or address it is reached by.
    pub endpoint: String,
    /// Whether it can be used.
    pub health: EngineHealth,
    /// A sentence when it cannot: what is wrong and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub problem: Option<String>,
    /// A command that mends it, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub remedy_command: Option<String>,
    /// Its version, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub version: Option<String>,
    /// Processor architecture in OCI's terms, for instance `amd64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub architecture: Option<String>,
    /// What it can do; all false until it was ready once.
    pub capabilities: EngineCapabilities,
    /// What it lacks and why, what it depends on: a sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// How workspaces are made in one context of the kubeconfig.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct ClusterSettings {
    /// The cluster is spoken to.
    pub enabled: bool,
    /// Namespace; absent for the context's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub namespace: Option<String>,
    /// Image of workspaces that name none. The cluster's machines pull it; cloning takes one with `sh` and `git`.
    pub base_image: String,
    /// Image that carries the agent; absent where the agent is brought through the API by this machine, which must then
    /// be there whenever a workspace's pod starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub agent_image: Option<String>,
    /// Storage class of volumes; absent for the cluster's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub storage_class: Option<String>,
    /// Size of a workspace's volume, GiB, at least 1.
    pub storage_gib: u32,
    /// Labels that a machine must carry.
    pub node_selector: BTreeMap<String, String>,
    /// Tolerations, as in a pod's specification.
    #[ts(type = "unknown[]")]
    pub tolerations: Vec<serde_json::Value>,
    /// Runtime class.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub runtime_class: Option<String>,
    /// Name of the secret with the credentials of the images' registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub pull_secret: Option<String>,
    /// Service account; absent for the namespace's default. Its token is never mounted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub service_account: Option<String>,
    /// Labels added to every object.
    pub labels: BTreeMap<String, String>,
    /// Resource that stands for a GPU.
    pub gpu_resource: String,
    /// What else the pods' specification holds (a JSON merge patch, RFC 7386, over the one that AiCockpit makes).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "unknown")]
    pub pod_template: Option<serde_json::Value>,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            namespace: None,
            base_image: "docker.io/library/buildpack-deps:bookworm-scm".to_owned(),
            agent_image: None,
            storage_class: None,
            storage_gib: 10,
            node_selector: BTreeMap::new(),
            tolerations: Vec::new(),
            runtime_class: None,
            pull_secret: None,
            service_account: None,
            labels: BTreeMap::new(),
            gpu_resource: "nvidia.com/gpu".to_owned(),
            pod_template: None,
        }
    }
}
