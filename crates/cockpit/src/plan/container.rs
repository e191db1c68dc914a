//! The workspace's container.

use super::archive::Owner;
use super::image::ReadyImage;
use super::job::Job;
use super::mounts::{self, Mounts};
use super::{certificates, user};
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
    let spec = spec(&record, &job.workspaces.plans.agent.program(), image, user, &capabilities)?;
    let container = match job.engine.create_container(&spec).await {
        // Half-made by a run that was cut off: its volumes and the network stay, only it is made again.
        Err(EngineError::Conflict(_)) => {
            job.engine.remove_container(&by_name).await.map_err(to_api)?;
            job.engine.create_container(&spec).await.map_err(to_api)?
        }
        created => created.map_err(to_api)?,
    };
    if capabilities.files_at_rest {
        prepare(job, &container, &spec, image, user).await?;
    }
    Ok(container)
}

/// Puts into a container that was never started what its user needs.
async fn prepare(
    job: &Job,
    container: &ContainerId,
    made_from: &ContainerSpec,
    image: &ReadyImage,
    user: Owner,
) -> Result<(), ApiError> {
    let spec = job.spec();
    // Only now: Docker makes the working directory as root when it creates the container, and lets an empty volume
    // that is mounted there take over its owner.
    match spec.profile {
        Profile::Standard => {
            if user.uid != 0 {
                let owns_folder = !matches!(spec.source, Source::Folder { .. });
                user::prepare(job, container, image, user, owns_folder).await?;
            }
            if spec.trust_host_certificates {
                certificates::install(&*job.engine, container).await?;
            }
            Ok(())
        }
        Profile::Locked => give_volumes(job, made_from, image, user).await,
    }
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
    agent: &str,
    image: &ReadyImage,
    user: Owner,
    capabilities: &EngineCapabilities,
) -> Result<ContainerSpec, ApiError> {
    let spec = &record.spec;
    let name = labels::object_name(&record.id);
    let locked = spec.profile == Profile::Locked;
    // Without `sudo` capabilities are of no use to anyone.
    let unprivileged = locked || !capabilities.sudo;
    let limits = hardening::effective_limits(&spec.limits, capabilities);
    let Mounts { mounts, mut env } = mounts::of_workspace(record, &limits, capabilities)?;
    env.extend(spec.env.iter().map(|(name, value)| (name.clone(), value.clone())));
    Ok(ContainerSpec {
        image: image.reference.clone(),
        entrypoint: Some([agent, "init", "--folder", labels::FOLDER].map(str::to_owned).to_vec()),
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
        capabilities: if unprivileged { Vec::new() } else { hardening::standard_capabilities() },
        no_new_privileges: unprivileged,
        read_only_root: locked,
        memory_bytes: limits.memory_bytes,
        cpu_millis: limits.cpu_millis,
        pids: limits.pids,
        gpu: spec.gpu,
        self_healing: true,
        keep_id: capabilities.keep_id.then_some((user.uid, user.gid)),
        name,
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use aicockpit_protocol::WorkspaceId;
    use aicockpit_protocol::workspace::WorkspaceSpec;

    const USER: Owner = Owner { uid: WORKSPACE_UID, gid: WORKSPACE_UID };

    fn of_this_machine() -> EngineCapabilities {
        EngineCapabilities { memory_limit: true, ..aicockpit_engine::abilities_of_this_machine() }
    }

    fn of_a_cluster() -> EngineCapabilities {
        EngineCapabilities { memory_limit: true, self_healing: true, ..EngineCapabilities::default() }
    }

    fn made(profile: Profile, capabilities: &EngineCapabilities) -> ContainerSpec {
        let env = [("HOME".to_owned(), "/elsewhere".to_owned())].into();
        let record =
            StoredWorkspace::of_spec(WorkspaceSpec { profile, env, ..aicockpit_testkit::empty_spec() });
        let image = ReadyImage { reference: "image".to_owned(), id: String::new(), base: false };
        spec(&record, "/.aicockpit/agent", &image, USER, capabilities).unwrap()
    }

    fn source<'a>(spec: &'a ContainerSpec, target: &str) -> Option<&'a MountSource> {
        spec.mounts.iter().find(|mount| mount.target == target).map(|mount| &mount.source)
    }

    #[test]
    fn an_engine_without_files_at_rest_brings_the_agent_and_keeps_folder_and_home_in_one_volume() {
        for profile in [Profile::Standard, Profile::Locked] {
            let spec = made(profile, &of_a_cluster());
            let folder = |folder: &str| {
                let volume = "aicockpit-aaaaaaaaaaaaaaaa".to_owned();
                MountSource::VolumeFolder { volume, folder: folder.to_owned() }
            };
            assert_eq!(source(&spec, labels::AGENT_MOUNT), Some(&MountSource::Program), "{profile:?}");
            assert_eq!(source(&spec, labels::FOLDER), Some(&folder("workspace")), "{profile:?}");
            assert_eq!(source(&spec, user::HOME), Some(&folder("home")), "{profile:?}");
            assert_eq!(spec.env[0], ("HOME".to_owned(), user::HOME.to_owned()), "{profile:?}");
            assert_eq!(spec.env[1].1, "/elsewhere", "a person's own word comes last");
            assert!(spec.self_healing && spec.check_mounts_of_files_at_rest().is_err(), "{profile:?}");
            let volumes = mounts::volumes(&WorkspaceId::new("a"), profile, &of_a_cluster());
            assert_eq!(volumes, ["aicockpit-a"], "{profile:?}");
        }
    }

    #[test]
    fn an_engine_of_this_machine_has_volumes_of_their_own() {
        let standard = made(Profile::Standard, &of_this_machine());
        assert_eq!(standard.mounts.len(), 2, "{:?}", standard.mounts);
        standard.check_mounts_of_files_at_rest().unwrap();
        let locked = made(Profile::Locked, &of_this_machine());
        let home = MountSource::Volume("aicockpit-aaaaaaaaaaaaaaaa-home".to_owned());
        assert_eq!(source(&locked, user::HOME), Some(&home));
        locked.check_mounts_of_files_at_rest().unwrap();
        let volumes = mounts::volumes(&WorkspaceId::new("a"), Profile::Locked, &of_this_machine());
        assert_eq!(volumes, ["aicockpit-a", "aicockpit-a-home"]);
    }

    #[test]
    fn without_sudo_a_standard_workspace_has_no_more_than_a_locked_one() {
        let with = made(Profile::Standard, &of_this_machine());
        assert!(!with.capabilities.is_empty() && !with.no_new_privileges && !with.read_only_root);
        let without = made(Profile::Standard, &of_a_cluster());
        assert!(without.capabilities.is_empty() && without.no_new_privileges && !without.read_only_root);
        assert!(without.network.is_some() && without.memory_bytes.is_none(), "{without:?}");
        let locked = made(Profile::Locked, &of_a_cluster());
        assert!(locked.network.is_none() && locked.read_only_root, "{locked:?}");
    }
}
