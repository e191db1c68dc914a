//! The workspace's container.

use super::agent_volume;
use super::archive::Owner;
use super::certificates;
use super::image::ReadyImage;
use super::job::Job;
use super::user;
use crate::hardening::{self, WORKSPACE_UID};
use crate::store::StoredWorkspace;
use crate::workspaces::{labels, names};
use aicockpit_engine::{ContainerSpec, EngineError, Mount, MountSource, PortBinding};
use aicockpit_protocol::engine::EngineCapabilities;
use aicockpit_protocol::workspace::{Profile, Source, StepKind, StepState};
use aicockpit_protocol::{ApiError, ContainerId, ErrorCode};
use std::path::Path;

/// Makes the container, or takes the one that an earlier run of the plan has made whole.
pub(super) async fn ensure(job: &Job, image: &ReadyImage) -> Result<ContainerId, ApiError> {
    let to_api = |error: EngineError| error.to_api("create the container");
    let by_name = labels::by_name(&labels::object_name(job.id()));
    if job.step_state(StepKind::Container) == Some(StepState::Done)
        && let Ok(details) = job.engine.inspect_container(&by_name).await
    {
        return Ok(details.id);
    }
    let record = job.entry.snapshot();
    let capabilities = job.engine.capabilities();
    let user = user_of(&record.spec.source, &capabilities)?;
    let spec = spec(&record, job, image, user, &capabilities)?;
    let container = match job.engine.create_container(&spec).await {
        // Half-made by a run that was cut off: its volumes and the network stay, only it is made again.
        Err(EngineError::Conflict(_)) => {
            job.engine.remove_container(&by_name).await.map_err(to_api)?;
            job.engine.create_container(&spec).await.map_err(to_api)?
        }
        created => created.map_err(to_api)?,
    };
    // Only now: Docker makes the working directory as root when it creates the container, and lets an empty volume
    // that is mounted there take over its owner.
    match record.spec.profile {
        Profile::Standard => {
            if user.uid != 0 {
                let owns_folder = !matches!(record.spec.source, Source::Folder { .. });
                user::prepare(job, &container, image, user, owns_folder).await?;
            }
            if record.spec.trust_host_certificates {
                certificates::install(&*job.engine, &container).await?;
            }
        }
        Profile::Locked => give_volumes(job, &spec, image, user).await?,
    }
    Ok(container)
}

/// Who runs in the container. With a folder of the host its owner, so that files keep it.
fn user_of(source: &Source, capabilities: &EngineCapabilities) -> Result<Owner, ApiError> {
    let Source::Folder { path } = source else {
        return Ok(Owner { uid: WORKSPACE_UID, gid: WORKSPACE_UID });
    };
    // Rootless Docker cannot map users; there, container root *is* the person.
    if capabilities.rootless && !capabilities.keep_id {
        return Ok(Owner { uid: 0, gid: 0 });
    }
    let (uid, gid) = hardening::folder_user(Path::new(path)).map_err(|error| {
        ApiError::new(ErrorCode::NotFound, format!("The folder {path} cannot be used: {error}."))
            .hint("Bring it back, or create a workspace from another folder.")
    })?;
    Ok(Owner { uid, gid })
}

fn spec(
    record: &StoredWorkspace,
    job: &Job,
    image: &ReadyImage,
    user: Owner,
    capabilities: &EngineCapabilities,
) -> Result<ContainerSpec, ApiError> {
    let spec = &record.spec;
    let name = labels::object_name(&record.id);
    let locked = spec.profile == Profile::Locked;
    let limits = hardening::effective_limits(&spec.limits, capabilities);
    let mut env = Vec::new();
    let mut mounts = vec![
        agent_volume::mount(true),
        mount(
            labels::FOLDER,
            match &spec.source {
                Source::Folder { path } => MountSource::Bind(path.clone()),
                Source::Git { .. } | Source::Empty => MountSource::Volume(name.clone()),
            },
        ),
    ];
    if locked {
        env.push(("HOME".to_owned(), user::HOME.to_owned()));
        mounts.push(mount(user::HOME, MountSource::Volume(labels::home_volume_name(&record.id))));
        let size = hardening::locked_tmpfs_bytes(&limits);
        mounts.extend(hardening::LOCKED_TMPFS.iter().map(|target| mount(target, MountSource::Tmpfs(size))));
    }
    if spec.trust_host_certificates {
        mounts.push(certificates::mount()?);
        env.extend(hardening::certificate_variables());
    }
    env.extend(spec.env.iter().map(|(name, value)| (name.clone(), value.clone())));
    Ok(ContainerSpec {
        image: image.reference.clone(),
        entrypoint: Some(
            [&job.workspaces.plans.agent.program(), "init", "--folder", labels::FOLDER]
                .map(str::to_owned)
                .to_vec(),
        ),
        command: None,
        user: Some(format!("{}:{}", user.uid, user.gid)),
        env,
        working_directory: Some(labels::FOLDER.to_owned()),
        hostname: Some(names::host_name(&record.name)),
        labels: labels_of(record)?,
        mounts,
        network: (!locked).then(|| name.clone()),
        ports: spec
            .published_ports
            .iter()
            .map(|port| PortBinding { container: port.container, host: port.host })
            .collect(),
        capabilities: if locked { Vec::new() } else { hardening::standard_capabilities() },
        no_new_privileges: locked,
        read_only_root: locked,
        memory_bytes: limits.memory_bytes,
        cpu_millis: limits.cpu_millis,
        pids: limits.pids,
        gpu: spec.gpu,
        keep_id: capabilities.keep_id.then_some((user.uid, user.gid)),
        name,
    })
}

fn mount(target: &str, source: MountSource) -> Mount {
    Mount { target: target.to_owned(), read_only: false, source }
}

fn labels_of(record: &StoredWorkspace) -> Result<Vec<(String, String)>, ApiError> {
    let spec = serde_json::to_string(&record.spec).map_err(|error| {
        ApiError::new(ErrorCode::Internal, format!("Could not write the workspace's spec: {error}."))
    })?;
    Ok([
        (labels::WORKSPACE, record.id.as_str()),
        (labels::KIND, labels::KIND_WORKSPACE),
        (labels::NAME, &record.name),
        (labels::SPEC, &spec),
        (labels::OWNER, &record.owner),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .to_vec())
}

/// Gives a Locked workspace's volumes to its user, through a helper container that is never started: the container
/// itself has a read-only root, into which nothing can be put.
async fn give_volumes(
    job: &Job,
    spec: &ContainerSpec,
    image: &ReadyImage,
    user: Owner,
) -> Result<(), ApiError> {
    if image.base && user.uid == WORKSPACE_UID {
        return Ok(());
    }
    let to_api = |error: EngineError| error.to_api("prepare the workspace's volumes");
    let name = labels::helper_name(job.id(), "volumes");
    let by_name = labels::by_name(&name);
    let of_volumes = |mount: &&Mount| {
        matches!(&mount.source, MountSource::Volume(_)) && mount.target != labels::AGENT_MOUNT
    };
    let helper = ContainerSpec {
        name,
        image: spec.image.clone(),
        entrypoint: spec.entrypoint.clone(),
        labels: labels::of_helper(job.id(), job.workspaces.store.owner()),
        mounts: spec.mounts.iter().filter(of_volumes).cloned().collect(),
        ..ContainerSpec::default()
    };
    let directories = user::owned_directories(user)?;
    job.engine.remove_container(&by_name).await.map_err(to_api)?;
    let given = match job.engine.create_container(&helper).await {
        Ok(helper) => job.engine.upload_archive(&helper, "/", directories).await,
        Err(error) => Err(error),
    };
    // By name: it may be there although creating it failed.
    let removed = job.engine.remove_container(&by_name).await;
    given.and(removed).map_err(to_api)
}
