//! Ports that programs inside a workspace listen on, and their forwards.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A listening TCP socket inside the workspace.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, TS)]
pub struct ListeningPort {
    /// The port.
    pub port: u16,
    /// True where it listens on loopback only.
    pub loopback: bool,
    /// Name of the listening program, where it can be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub process: Option<String>,
}

/// The target of a forward, as seen from inside the workspace.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, TS)]
pub struct ForwardTarget {
    /// Host name or address; `localhost` for the workspace itself.
    pub host: String,
    /// TCP port, from 1.
    pub port: u16,
}

/// An open forward: a loopback address of this machine that leads to a target.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct Forward {
    /// Where it leads.
    pub target: ForwardTarget,
    /// Port on this machine's loopback.
    pub local_port: u16,
    /// Address for a browser, on the workspace's own host name.
    pub url: String,
}

/// A port of a workspace: listening, forwarded, or both.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct PortEntry {
    /// The target.
    pub target: ForwardTarget,
    /// What listens there, when it is in the workspace itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub listening: Option<ListeningPort>,
    /// The forward, when open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub forward: Option<Forward>,
}
