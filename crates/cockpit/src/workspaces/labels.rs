//! How a workspace's objects on an engine are named and labelled.
//!
//! Labels hold what is needed to rebuild the list when the store is lost.

use aicockpit_protocol::{ContainerId, WorkspaceId};

/// Label: the workspace's id. On every object of a workspace.
pub const WORKSPACE: &str = "dev.aicockpit.workspace";
/// Label: the name the workspace was created with.
pub const NAME: &str = "dev.aicockpit.name";
/// Label: the workspace's spec, JSON.
pub const SPEC: &str = "dev.aicockpit.spec";
/// Label: id of the store that made it.
pub const OWNER: &str = "dev.aicockpit.owner";
/// Label: what a container is for.
pub const KIND: &str = "dev.aicockpit.kind";
/// Value of [`KIND`]: the workspace itself.
pub const KIND_WORKSPACE: &str = "workspace";
/// Value of [`KIND`]: a container that works for a workspace for a while.
pub const KIND_HELPER: &str = "helper";
/// Value of [`KIND`]: a server of models, of no workspace.
pub const KIND_MODEL_SERVER: &str = "model-server";
/// Label: the model server's id in the settings.
pub const MODEL_SERVER: &str = "dev.aicockpit.model-server";

/// The volume that holds agents' binaries, one on each engine.
pub const AGENT_VOLUME: &str = "aicockpit-agent";
/// Where it is mounted.
pub const AGENT_MOUNT: &str = "/.aicockpit";
/// Where the workspace's volume or folder is mounted.
pub const FOLDER: &str = "/workspace";

/// Name of a workspace's container, network and volume.
pub fn object_name(workspace: &WorkspaceId) -> String {
    format!("aicockpit-{workspace}")
}

/// Name of the volume that is a Locked workspace's home.
pub fn home_volume_name(workspace: &WorkspaceId) -> String {
    format!("aicockpit-{workspace}-home")
}

/// Name of a helper container of a workspace.
pub fn helper_name(workspace: &WorkspaceId, purpose: &str) -> String {
    format!("aicockpit-{workspace}-{purpose}")
}

/// A container by its name: engines take names where they take ids.
pub fn by_name(name: &str) -> ContainerId {
    ContainerId::new(name)
}

/// The labels of a helper container, network or volume of a workspace.
pub fn of_helper(workspace: &WorkspaceId, owner: &str) -> Vec<(String, String)> {
    [(WORKSPACE, workspace.as_str()), (KIND, KIND_HELPER), (OWNER, owner)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec()
}

/// A label's value.
pub fn get<'a>(labels: &'a [(String, String)], key: &str) -> Option<&'a str> {
    labels.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}
