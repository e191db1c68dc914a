//! The agent's binary, and the volume that carries it into workspaces.
//!
//! Docker refuses to put files into a container with a read-only root, so the binary comes by a volume of its own,
//! one for each engine, filled through a helper container that is never started. Files are named by content, so an
//! older agent that still runs keeps its file.

use super::archive::{Archive, ROOT};
use super::{PlanResources, shared};
use crate::CockpitError;
use crate::resources::AGENT_ARCHITECTURE;
use crate::workspaces::labels;
use aicockpit_engine::{ContainerSpec, Engine, EngineError, Mount, MountSource, Program, Result};
use aicockpit_protocol::{ContainerId, WorkspaceId};
use bytes::Bytes;
use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// The agent's binary on this machine.
#[derive(Clone, Debug)]
pub struct AgentBinary {
    path: PathBuf,
    file_name: String,
    build: String,
    len: u64,
}

impl AgentBinary {
    /// Looks at the file and names it by its content.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn load(path: &Path) -> std::result::Result<Self, CockpitError> {
        let failed = |source| CockpitError::AgentBinary { path: path.to_owned(), source };
        let mut file = std::fs::File::open(path).map_err(failed)?;
        let mut hash = Sha256::new();
        let len = std::io::copy(&mut file, &mut hash).map_err(failed)?;
        let build: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            path: path.to_owned(),
            file_name: format!("agent-{build}-{AGENT_ARCHITECTURE}"),
            build,
            len,
        })
    }

    /// Its path inside every workspace.
    pub fn program(&self) -> String {
        format!("{}/{}", labels::AGENT_MOUNT, self.file_name)
    }

    /// As engines take it that bring it themselves.
    pub(crate) fn as_program(&self) -> Program {
        Program { file_name: self.file_name.clone(), path: self.path.clone(), len: self.len }
    }

    /// First digits of its content hash, hex.
    pub(crate) fn build(&self) -> &str {
        &self.build
    }

    /// An archive to be put at `/` of a container that has no agent volume.
    pub(crate) fn archive_with_directory(&self) -> std::io::Result<Bytes> {
        let directory = labels::AGENT_MOUNT.trim_start_matches('/');
        let mut archive = Archive::timeless();
        archive.directory(directory, 0o755, ROOT)?;
        archive.file(&format!("{directory}/{}", self.file_name), 0o755, ROOT, &std::fs::read(&self.path)?)?;
        archive.finish()
    }

    /// An archive to be put into the agent volume itself.
    fn archive(&self) -> std::io::Result<Bytes> {
        let mut archive = Archive::timeless();
        archive.file(&self.file_name, 0o755, ROOT, &std::fs::read(&self.path)?)?;
        archive.finish()
    }
}

/// The agent's volume as every workspace mounts it.
pub(super) fn mount(read_only: bool) -> Mount {
    Mount {
        target: labels::AGENT_MOUNT.to_owned(),
        read_only,
        source: MountSource::Volume(labels::AGENT_VOLUME.to_owned()),
    }
}

/// Makes sure that the engine's agent volume holds this binary. `image` is any present image: nothing of it runs.
/// After the first time in this process this costs nothing.
pub(crate) async fn ensure(
    resources: &PlanResources,
    engine: &dyn Engine,
    workspace: &WorkspaceId,
    owner: &str,
    image: &str,
) -> Result<()> {
    let filled = shared(&resources.agent_volumes, engine.id());
    let mut filled = filled.lock().await;
    if !*filled {
        fill(&resources.agent, engine, workspace, owner, image).await?;
        *filled = true;
    }
    Ok(())
}

/// As [`ensure`], for a volume that was found to be empty.
pub(crate) async fn refill(
    resources: &PlanResources,
    engine: &dyn Engine,
    workspace: &WorkspaceId,
    owner: &str,
    image: &str,
) -> Result<()> {
    *shared(&resources.agent_volumes, engine.id()).lock().await = false;
    ensure(resources, engine, workspace, owner, image).await
}

async fn fill(
    agent: &AgentBinary,
    engine: &dyn Engine,
    workspace: &WorkspaceId,
    owner: &str,
    image: &str,
) -> Result<()> {
    // No workspace's label: it serves all of them and is never removed with one.
    engine.create_volume(labels::AGENT_VOLUME, &[]).await?;
    let name = labels::helper_name(workspace, "agent");
    let by_name = labels::by_name(&name);
    engine.remove_container(&by_name).await?;
    let spec = ContainerSpec {
        name,
        image: image.to_owned(),
        // Never started; an image without a command of its own needs some.
        entrypoint: Some(vec![agent.program()]),
        labels: labels::of_helper(workspace, owner),
        mounts: vec![mount(false)],
        ..ContainerSpec::default()
    };
    let filled = match engine.create_container(&spec).await {
        Ok(helper) => fill_through(agent, engine, &helper).await,
        Err(error) => Err(error),
    };
    // By name: it may be there although creating it failed.
    let removed = engine.remove_container(&by_name).await;
    filled.and(removed)
}

async fn fill_through(agent: &AgentBinary, engine: &dyn Engine, helper: &ContainerId) -> Result<()> {
    if present_len(engine, helper, &agent.program()).await? == Some(agent.len) {
        return Ok(());
    }
    let archive = agent.archive().map_err(|error| {
        EngineError::Unsupported(format!(
            "the agent's binary {} cannot be read: {error}",
            agent.path.display()
        ))
    })?;
    // Podman looks for a volume at the path of the upload, not below it.
    engine.upload_archive(helper, labels::AGENT_MOUNT, archive).await
}

/// Length of a file in a container, by the head of its archive; absent when it is not there.
async fn present_len(engine: &dyn Engine, container: &ContainerId, path: &str) -> Result<Option<u64>> {
    let mut stream = match engine.download_archive(container, path).await {
        Ok(stream) => stream,
        Err(EngineError::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut head = Vec::new();
    while head.len() < 512 {
        match stream.next().await {
            Some(Ok(bytes)) => head.extend_from_slice(&bytes),
            Some(Err(EngineError::NotFound(_))) | None => return Ok(None),
            Some(Err(error)) => return Err(error),
        }
    }
    Ok(tar::Header::from_byte_slice(&head[..512]).size().ok())
}
