//! Models for the programs inside a workspace: the agent listens on loopback there, and each connection travels over a
//! stream of the link to the broker.

use serde::{Deserialize, Serialize};

/// Sets what programs that the agent starts from now on are told of models.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OfferModels {
    /// The key that they are given; absent where they are told nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Where programs inside reach models.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ModelsOffered {
    /// The agent's port on loopback inside the workspace.
    pub port: u16,
    /// Keys that programs were given before, newest last: those still running know no other.
    pub earlier: Vec<String>,
}
