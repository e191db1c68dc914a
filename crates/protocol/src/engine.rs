//! Engines as the UI sees them.

use crate::EngineId;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The kind of an engine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum EngineKind {
    /// Docker Engine, by its API.
    Docker,
    /// Podman, by libpod's API.
    Podman,
}

/// Whether an engine can be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum EngineHealth {
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
}
