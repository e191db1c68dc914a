//! What a workspace's containers mount.
//!
//! Where an engine takes files into a container at rest, the agent has a volume of its own, and a home is a part of
//! the container unless its root is read-only. Elsewhere the engine brings the agent, and folder and home are two
//! folders of the workspace's one volume: what else is written in the container goes with every stop.

use super::{agent_volume, certificates, user};
use crate::hardening;
use crate::store::StoredWorkspace;
use crate::workspaces::labels;
use aicockpit_engine::{Mount, MountSource};
use aicockpit_protocol::engine::EngineCapabilities;
use aicockpit_protocol::workspace::{Limits, Profile, Source};
use aicockpit_protocol::{ApiError, WorkspaceId};

/// The part of a volume that is the workspace's folder.
const FOLDER_PART: &str = "workspace";
/// The part that is its user's home.
const HOME_PART: &str = "home";

/// Mounts, and the variables by which programs find what is mounted.
#[derive(Debug)]
pub(super) struct Mounts {
    pub(super) mounts: Vec<Mount>,
    pub(super) env: Vec<(String, String)>,
}

/// Those of the workspace's own container.
///
/// # Errors
/// When it is to trust the host's certificates and these cannot be passed on.
pub(super) fn of_workspace(
    record: &StoredWorkspace,
    limits: &Limits,
    capabilities: &EngineCapabilities,
) -> Result<Mounts, ApiError> {
    let spec = &record.spec;
    let locked = spec.profile == Profile::Locked;
    let folder = match &spec.source {
        Source::Folder { path } => writable(labels::FOLDER, MountSource::Bind(path.clone())),
        Source::Git { .. } | Source::Empty => folder(&record.id, capabilities),
    };
    let mut env = Vec::new();
    let mut mounts = vec![agent(capabilities), folder];
    if locked || !capabilities.files_at_rest {
        env.push(("HOME".to_owned(), user::HOME.to_owned()));
        let volume = || labels::home_volume_name(&record.id);
        mounts.push(writable(user::HOME, part(&record.id, volume, HOME_PART, capabilities)));
    }
    if locked {
        let size = hardening::locked_tmpfs_bytes(limits);
        mounts
            .extend(hardening::LOCKED_TMPFS.iter().map(|target| writable(target, MountSource::Tmpfs(size))));
    }
    if spec.trust_host_certificates {
        mounts.push(certificates::mount(capabilities)?);
        env.extend(hardening::certificate_variables());
    }
    Ok(Mounts { mounts, env })
}

/// The volume that is the workspace's folder.
pub(super) fn folder(workspace: &WorkspaceId, capabilities: &EngineCapabilities) -> Mount {
    let volume = || labels::object_name(workspace);
    writable(labels::FOLDER, part(workspace, volume, FOLDER_PART, capabilities))
}

/// The volumes of a workspace.
pub(super) fn volumes(
    workspace: &WorkspaceId,
    profile: Profile,
    capabilities: &EngineCapabilities,
) -> Vec<String> {
    let mut names = vec![labels::object_name(workspace)];
    if profile == Profile::Locked && capabilities.files_at_rest {
        names.push(labels::home_volume_name(workspace));
    }
    names
}

fn agent(capabilities: &EngineCapabilities) -> Mount {
    match capabilities.files_at_rest {
        true => agent_volume::mount(true),
        false => {
            Mount { target: labels::AGENT_MOUNT.to_owned(), read_only: true, source: MountSource::Program }
        }
    }
}

/// A volume of its own, or a part of the one.
fn part(
    workspace: &WorkspaceId,
    own: impl FnOnce() -> String,
    part: &str,
    capabilities: &EngineCapabilities,
) -> MountSource {
    match capabilities.files_at_rest {
        true => MountSource::Volume(own()),
        false => {
            MountSource::VolumeFolder { volume: labels::object_name(workspace), folder: part.to_owned() }
        }
    }
}

fn writable(target: &str, source: MountSource) -> Mount {
    Mount { target: target.to_owned(), read_only: false, source }
}
