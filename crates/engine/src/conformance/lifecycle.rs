//! Made, started, stopped, frozen, removed.

use super::case::{Case, Failure, Outcome, Verdict, declined, ensure, ensure_eq, ensure_error};
use crate::{ContainerState, EngineError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Ends with status 7 at SIGTERM, which a first process without a handler would not even notice.
const POLITE: &str = "trap 'exit 7' TERM; echo ready; while :; do sleep 1 & wait $!; done";

pub(super) async fn a_container_is_created_started_and_inspected(case: Arc<Case>) -> Outcome {
    let mut spec = case.idle("one");
    spec.hostname = Some("inside".to_owned());
    spec.env = vec![("GREETING".to_owned(), "hello = world".to_owned())];
    spec.working_directory = Some("/tmp".to_owned());
    let id = case.engine.create_container(&spec).await?;
    let created = case.engine.inspect_container(&id).await?;
    ensure_eq!(created.state, ContainerState::Created, "state after create");
    ensure_eq!((created.pid, created.exit_status), (None, None), "process id and status before the start");
    ensure_eq!(created.name, spec.name, "name");
    case.engine.start_container(&id).await?;
    let running = case.engine.inspect_container(&id).await?;
    ensure_eq!(running.state, ContainerState::Running, "state after start");
    // A process id is of use on this machine alone.
    let is_local = case.engine.capabilities().host_folders;
    ensure_eq!(running.pid.is_some(), is_local, "a running container of this machine has a process id");
    ensure_eq!(running.id, id, "id");
    if case.engine.capabilities().images {
        let image = case.engine.inspect_image(&case.image).await?;
        ensure_eq!(running.image, image.id.0, "image id");
    }
    ensure_eq!(case.shell(&id, "hostname").await?, "inside", "host name");
    let seen =
        case.shell(&id, "tr '\\0' '\\n' </proc/1/environ | grep GREETING; readlink /proc/1/cwd").await?;
    ensure_eq!(seen, "GREETING=hello = world\n/tmp", "variable and folder of the first process");
    Ok(Verdict::Passed)
}

pub(super) async fn starting_twice_and_stopping_twice_succeed(case: Arc<Case>) -> Outcome {
    let id = case.start(&case.idle("twice")).await?;
    case.engine.start_container(&id).await?;
    case.engine.stop_container(&id, Duration::ZERO).await?;
    case.wait_for(&id, ContainerState::Exited).await?;
    case.engine.stop_container(&id, Duration::from_secs(5)).await?;
    Ok(Verdict::Passed)
}

pub(super) async fn stop_sends_the_stop_signal_first(case: Arc<Case>) -> Outcome {
    let id = case.start(&case.spec("polite", &["sh", "-c", POLITE])).await?;
    wait_for_output(&case, &id).await?;
    case.engine.stop_container(&id, Duration::from_secs(30)).await?;
    let details = case.wait_for(&id, ContainerState::Exited).await?;
    ensure_eq!(details.exit_status, Some(7), "status of the program's own handler");
    ensure!(!details.out_of_memory, "not killed for memory");
    Ok(Verdict::Passed)
}

pub(super) async fn stop_kills_after_the_grace(case: Arc<Case>) -> Outcome {
    let stubborn = "trap '' TERM; echo ready; while :; do sleep 1 & wait $!; done";
    let id = case.start(&case.spec("stubborn", &["sh", "-c", stubborn])).await?;
    wait_for_output(&case, &id).await?;
    let begun = Instant::now();
    case.engine.stop_container(&id, Duration::from_secs(2)).await?;
    ensure!(begun.elapsed() >= Duration::from_millis(1500), "the grace was not given");
    let details = case.wait_for(&id, ContainerState::Exited).await?;
    ensure_eq!(details.exit_status, Some(137), "status of a killed program");
    Ok(Verdict::Passed)
}

pub(super) async fn a_stopped_container_starts_again_with_its_files(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().keeps_root {
        return declined("files outside of volumes after a stop");
    }
    let id = case.start(&case.idle("again")).await?;
    let first = case.engine.inspect_container(&id).await?;
    case.shell(&id, "echo kept >/root/note").await?;
    case.engine.stop_container(&id, Duration::ZERO).await?;
    case.engine.start_container(&id).await?;
    let second = case.wait_for(&id, ContainerState::Running).await?;
    ensure!(first.started_at != second.started_at, "the start's time changes with every start");
    ensure_eq!(case.shell(&id, "cat /root/note").await?, "kept", "file");
    Ok(Verdict::Passed)
}

pub(super) async fn pause_freezes_and_unpause_thaws(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().pause {
        return declined("pause");
    }
    let count = "n=0; while :; do n=$((n+1)); echo $n >/tmp/count; sleep 0.02; done";
    let id = case.start(&case.spec("paused", &["sh", "-c", count])).await?;
    case.eventually(async || case.shell(&id, "test -s /tmp/count").await).await?;
    case.engine.pause_container(&id).await?;
    ensure_eq!(case.engine.inspect_container(&id).await?.state, ContainerState::Paused, "state");
    case.engine.unpause_container(&id).await?;
    case.wait_for(&id, ContainerState::Running).await?;
    let before = case.shell(&id, "cat /tmp/count").await?;
    case.eventually(async || {
        let now = case.shell(&id, "cat /tmp/count").await?;
        ensure!(now != before, "the program does not go on after unpause");
        Ok(())
    })
    .await?;
    Ok(Verdict::Passed)
}

pub(super) async fn remove_works_from_every_state_and_twice(case: Arc<Case>) -> Outcome {
    let created = case.engine.create_container(&case.idle("created")).await?;
    let running = case.start(&case.idle("running")).await?;
    let exited = case.start(&case.spec("exited", &["true"])).await?;
    case.wait_for(&exited, ContainerState::Exited).await?;
    let mut all = vec![created, running, exited];
    if case.engine.capabilities().pause {
        let paused = case.start(&case.idle("paused")).await?;
        case.engine.pause_container(&paused).await?;
        all.push(paused);
    }
    for id in &all {
        case.engine.remove_container(id).await?;
        ensure_error!(case.engine.inspect_container(id).await, EngineError::NotFound(_));
        case.engine.remove_container(id).await?;
    }
    Ok(Verdict::Passed)
}

pub(super) async fn a_taken_name_is_a_conflict(case: Arc<Case>) -> Outcome {
    case.engine.create_container(&case.idle("taken")).await?;
    ensure_error!(case.engine.create_container(&case.idle("taken")).await, EngineError::Conflict(_));
    Ok(Verdict::Passed)
}

pub(super) async fn a_missing_image_is_named_as_such(case: Arc<Case>) -> Outcome {
    let mut spec = case.idle("none");
    spec.image = case.reference("never-made");
    if !case.engine.capabilities().images {
        // Its machines look for the image at the start, and may find that there is no such registry.
        let id = case.engine.create_container(&spec).await?;
        ensure_error!(
            case.engine.start_container(&id).await,
            EngineError::ImageNotFound(_) | EngineError::RegistryUnavailable(_)
        );
        return Ok(Verdict::Passed);
    }
    ensure_error!(case.engine.create_container(&spec).await, EngineError::ImageNotFound(_));
    ensure_error!(case.engine.inspect_image(&spec.image).await, EngineError::ImageNotFound(_));
    Ok(Verdict::Passed)
}

pub(super) async fn a_missing_entry_program_is_named_as_such(case: Arc<Case>) -> Outcome {
    let id = case.engine.create_container(&case.spec("no-program", &["/no/such/program"])).await?;
    ensure_error!(case.engine.start_container(&id).await, EngineError::ProgramNotFound(_));
    Ok(Verdict::Passed)
}

pub(super) async fn the_image_s_arguments_are_not_used_with_another_entry_point(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().images {
        return declined("store of images");
    }
    let context =
        super::images::context("ARG BASE\nFROM $BASE\nENTRYPOINT [\"echo\"]\nCMD [\"from the image\"]\n")?;
    let reference = case.reference("entry");
    super::images::build(&case, &reference, context).await?;
    let mut spec = case.spec("entry", &["sh", "-c", "echo \"arguments: $#\"; sleep 600", "sh"]);
    spec.image = reference.clone();
    let id = case.start(&spec).await?;
    ensure_eq!(wait_for_output(&case, &id).await?, "arguments: 0", "output");
    case.engine.remove_container(&id).await?;

    let mut spec = case.idle("plain");
    (spec.image, spec.entrypoint, spec.command) = (reference, None, Some(vec!["ours".to_owned()]));
    let id = case.start(&spec).await?;
    ensure_eq!(
        wait_for_output(&case, &id).await?,
        "ours",
        "output of the image's entry point with our argument"
    );
    case.engine.remove_container(&id).await?;
    Ok(Verdict::Passed)
}

/// Waits for a container's first output and gives it without its line end.
async fn wait_for_output(case: &Case, id: &aicockpit_protocol::ContainerId) -> Result<String, Failure> {
    case.eventually(async || {
        let text = super::observe::all_logs(case, id).await?;
        ensure!(!text.is_empty(), "the container prints nothing");
        Ok(text.trim_end().to_owned())
    })
    .await
}
