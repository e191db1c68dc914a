//! Named volumes and bound folders.

use super::case::{Case, Failure, Outcome, Verdict, command, declined, ensure, ensure_eq, ensure_error};
use crate::{EngineError, Mount, MountSource};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

fn mount(target: &str, source: MountSource, read_only: bool) -> Mount {
    Mount { target: target.to_owned(), read_only, source }
}

pub(super) async fn a_volume_outlives_its_containers(case: Arc<Case>) -> Outcome {
    let volume = case.name("data");
    case.engine.create_volume(&volume, &case.labels()).await?;
    let mut spec = case.idle("first");
    spec.mounts = vec![mount("/data", MountSource::Volume(volume.clone()), false)];
    let first = case.start(&spec).await?;
    case.shell(&first, "echo kept >/data/note").await?;
    case.engine.remove_container(&first).await?;
    case.engine.create_volume(&volume, &case.labels()).await?;
    spec.name = case.name("second");
    let second = case.start(&spec).await?;
    ensure_eq!(case.shell(&second, "cat /data/note").await?, "kept", "file");
    Ok(Verdict::Passed)
}

pub(super) async fn a_read_only_mount_is_read_only(case: Arc<Case>) -> Outcome {
    let volume = case.name("data");
    case.engine.create_volume(&volume, &case.labels()).await?;
    let mut spec = case.idle("reader");
    spec.mounts = vec![mount("/deep/er/data", MountSource::Volume(volume), true)];
    let id = case.start(&spec).await?;
    let output = case.run(&id, command(&["touch", "/deep/er/data/x"]), Vec::new()).await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(said.contains("Read-only file system"), "writing was answered {:?}: {said}", output.exit);
    Ok(Verdict::Passed)
}

pub(super) async fn a_folder_is_bound_and_a_missing_one_is_named(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().host_folders {
        return declined("folders of this machine");
    }
    let folder = std::env::temp_dir().join(case.name("bound folder"));
    tokio::fs::create_dir(&folder).await?;
    let checked = async {
        tokio::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).await?;
        tokio::fs::write(folder.join("from-outside"), "hello\n").await?;
        let source = MountSource::Bind(folder.to_string_lossy().into_owned());
        let mut spec = case.idle("bound");
        spec.mounts = vec![mount("/bound", source.clone(), false), mount("/fixed", source, true)];
        let id = case.start(&spec).await?;
        ensure_eq!(case.shell(&id, "cat /bound/from-outside").await?, "hello", "the host's file inside");
        case.shell(&id, "echo inside >/bound/from-inside").await?;
        let seen = tokio::fs::read_to_string(folder.join("from-inside")).await?;
        ensure_eq!(seen, "inside\n", "the container's file outside");
        let output = case.run(&id, command(&["touch", "/fixed/x"]), Vec::new()).await?;
        ensure!(String::from_utf8_lossy(&output.stderr).contains("Read-only"), "the second is read-only");
        case.engine.remove_container(&id).await?;

        let missing = MountSource::Bind(folder.join("missing").to_string_lossy().into_owned());
        spec.name = case.name("unbound");
        spec.mounts = vec![mount("/bound", missing, false)];
        let started = match case.engine.create_container(&spec).await {
            Ok(id) => case.engine.start_container(&id).await,
            Err(error) => Err(error),
        };
        ensure_error!(started, EngineError::NotFound(_));
        ensure!(!folder.join("missing").exists(), "the engine must not make the folder up");
        Ok(Verdict::Passed)
    };
    let outcome = checked.await;
    tokio::fs::remove_dir_all(&folder).await?;
    outcome
}

pub(super) async fn keep_id_gives_the_engine_s_user_what_is_made_inside(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().keep_id {
        return declined("mapping of users");
    }
    let folder = std::env::temp_dir().join(case.name("kept"));
    tokio::fs::create_dir(&folder).await?;
    let checked = async {
        tokio::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).await?;
        let mut spec = case.idle("kept");
        spec.mounts = vec![mount("/bound", MountSource::Bind(folder.to_string_lossy().into_owned()), false)];
        (spec.user, spec.keep_id) = (Some("1000:1000".to_owned()), Some((1000, 1000)));
        let id = case.start(&spec).await?;
        ensure_eq!(
            case.shell(&id, "id -u; touch /bound/made; stat -c %u /bound/made").await?,
            "1000\n1000",
            "inside"
        );
        let Some(pid) = case.engine.inspect_container(&id).await?.pid else {
            return Err(Failure("a running container has a process id".to_owned()));
        };
        // Inside, outside, count: the engine's own user is mapped alone, all others are in ranges.
        let map = tokio::fs::read_to_string(format!("/proc/{pid}/uid_map")).await?;
        let outside = map.lines().find_map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["1000", outside, "1"] => outside.parse::<u32>().ok(),
            _ => None,
        });
        let owner = std::os::unix::fs::MetadataExt::uid(&tokio::fs::metadata(folder.join("made")).await?);
        ensure_eq!(Some(owner), outside, "owner of the file outside, by the map {map:?}");
        Ok(Verdict::Passed)
    };
    let outcome = checked.await;
    tokio::fs::remove_dir_all(&folder).await?;
    outcome
}

pub(super) async fn a_volume_in_use_is_a_conflict(case: Arc<Case>) -> Outcome {
    let volume = case.name("data");
    case.engine.create_volume(&volume, &case.labels()).await?;
    let mut spec = case.idle("user");
    spec.mounts = vec![mount("/data", MountSource::Volume(volume.clone()), false)];
    let user = case.engine.create_container(&spec).await?;
    ensure_error!(case.engine.remove_volume(&volume).await, EngineError::Conflict(_));
    case.engine.remove_container(&user).await?;
    case.engine.remove_volume(&volume).await?;
    case.engine.remove_volume(&volume).await?;
    Ok(Verdict::Passed)
}

pub(super) async fn volumes_are_listed_by_labels(case: Arc<Case>) -> Outcome {
    let (one, two) = (case.name("one"), case.name("two"));
    case.engine.create_volume(&one, &case.labels()).await?;
    let mut labels = case.labels();
    labels.push(("which".to_owned(), "second".to_owned()));
    case.engine.create_volume(&two, &labels).await?;
    let mut all = case.engine.list_volumes(&[case.label()]).await?;
    all.sort();
    ensure_eq!(all, [one, two.clone()], "volumes with the label");
    let second = case.engine.list_volumes(&[case.label(), ("which", "second")]).await?;
    ensure_eq!(second, [two], "volumes with both labels");
    Ok(Verdict::Passed)
}
