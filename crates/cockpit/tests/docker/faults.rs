//! The plan under faults: the Nth call to the engine fails, or kills the process, for N = 1, 2, …

use crate::common::faults::{Fault, Faulty};
use crate::common::*;
use aicockpit_cockpit::Cockpit;
use aicockpit_protocol::engine::EngineHealth;
use aicockpit_protocol::workspace::{Source, WorkspaceState};
use aicockpit_protocol::{EngineId, WorkspaceId};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// Waits until the engine is usable, and the states of its workspaces are known again.
async fn ready(cockpit: &Cockpit) {
    let deadline = std::time::Instant::now() + PATIENCE;
    let engine = EngineId::new("docker");
    while cockpit.engines().health(&engine) != Some(EngineHealth::Ready) {
        assert!(std::time::Instant::now() < deadline, "{:?}", cockpit.engines().list());
        cockpit.engines().refresh().await;
    }
}

/// Creates with every single fault. Whatever happens the workspace can be retried or deleted, and nothing stays.
async fn with_every_fault(fault: Fault, source: impl Fn() -> Source) {
    let data = tempfile::tempdir().unwrap();
    let mut trigger = None;
    let engine = docker_behind(|docker| {
        let (faulty, its_trigger) = Faulty::new(docker, fault);
        trigger = Some(its_trigger);
        Arc::new(faulty)
    });
    let trigger = trigger.unwrap();
    let cockpit = start(&data.path().join("data"), engine).await;
    cockpit.engines().settled().await;
    let workspaces = cockpit.workspaces();
    for nth in 1.. {
        assert!(nth < 60, "a plan has an end");
        trigger.arm(nth);
        let id = &create(&cockpit, spec(source())).await.id;
        let hit = trigger.disarm();
        ready(&cockpit).await;
        let workspace = workspaces.get(id).unwrap();
        match workspace.state {
            WorkspaceState::Running => {}
            WorkspaceState::Lost if fault == Fault::Steal => {}
            WorkspaceState::Failed => {
                let error = workspace.plan.unwrap().error.unwrap();
                assert!(hit, "call {nth}: failed without a fault: {error:?}");
                if matches!(fault, Fault::Hang | Fault::Steal) {
                    println!("call {nth}: {error:?}");
                    assert!(error.hint.is_some(), "call {nth}: what to do: {error:?}");
                }
                if nth % 2 == 0 {
                    workspaces.retry(id).await.unwrap();
                    let state = workspaces.settled(id).await;
                    assert_eq!(state, WorkspaceState::Running, "call {nth}: {:?}", workspaces.get(id));
                }
            }
            other => panic!("call {nth}: {other:?}"),
        }
        workspaces.delete(id).await.unwrap();
        assert_nothing_left(id);
        if !hit {
            break;
        }
    }
    cockpit.shutdown().await;
}

#[tokio::test]
async fn any_call_may_fail_and_nothing_leaks() {
    with_every_fault(Fault::Before, || Source::Empty).await;
}

#[tokio::test]
async fn any_call_may_fail_after_its_work_and_nothing_leaks() {
    with_every_fault(Fault::After, || Source::Empty).await;
}

#[tokio::test]
async fn an_engine_that_hangs_at_any_call_is_told_and_nothing_leaks() {
    with_every_fault(Fault::Hang, || Source::Empty).await;
}

#[tokio::test]
async fn a_container_removed_at_any_moment_of_its_creation_is_told_and_nothing_leaks() {
    with_every_fault(Fault::Steal, || Source::Empty).await;
}

/// Seeds of the test below. `AICOCKPIT_TEST_SEED` names another one.
const SEEDS: std::ops::Range<u64> = 0..12;

#[tokio::test]
async fn whatever_calls_fail_a_workspace_gets_made_in_the_end_and_nothing_leaks() {
    let seeds: Vec<u64> = match std::env::var("AICOCKPIT_TEST_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => SEEDS.collect(),
    };
    let data = tempfile::tempdir().unwrap();
    let mut trigger = None;
    let engine = docker_behind(|docker| {
        let (faulty, its_trigger) = Faulty::new(docker, Fault::Seeded);
        trigger = Some(its_trigger);
        Arc::new(faulty)
    });
    let trigger = trigger.unwrap();
    let cockpit = start(data.path(), engine).await;
    let workspaces = cockpit.workspaces();
    for seed in seeds {
        println!("seed {seed}");
        cockpit.engines().settled().await;
        trigger.seed(seed);
        let id = &create(&cockpit, spec(Source::Empty)).await.id;
        for attempt in 1.. {
            match workspaces.get(id).unwrap().state {
                WorkspaceState::Running => break,
                WorkspaceState::Failed => assert!(attempt < 100, "seed {seed}: {:?}", workspaces.get(id)),
                other => panic!("seed {seed}: {other:?}"),
            }
            workspaces.retry(id).await.unwrap();
            workspaces.settled(id).await;
        }
        // Half of them are deleted while calls still fail: then what is left goes with the engine's next start.
        if seed % 2 == 0 {
            trigger.disarm();
        }
        let deleted = workspaces.delete(id).await;
        trigger.disarm();
        assert!(workspaces.get(id).is_err(), "seed {seed}: it is gone from the list");
        match deleted {
            Ok(()) => assert_nothing_left(id),
            Err(error) => {
                assert!(seed % 2 == 1 && error.hint.is_some(), "seed {seed}: {error:?}");
                bury(id);
            }
        }
    }
    cockpit.shutdown().await;
}

/// Removes what a deletion that failed has told that it left.
fn bury(id: &WorkspaceId) {
    for object in objects(id) {
        let (kind, name) = object.split_once(' ').unwrap();
        docker_cli(&[kind, "rm", if kind == "container" { "-f" } else { "--" }, name]);
    }
}

#[tokio::test]
async fn a_clone_may_fail_anywhere_and_nothing_leaks() {
    let data = tempfile::tempdir().unwrap();
    let path = repository(data.path()).display().to_string();
    with_every_fault(Fault::After, || Source::Git { url: path.clone(), branch: None }).await;
}

/// Deletes with every single fault.
async fn delete_with_every_fault(fault: Fault) {
    let data = tempfile::tempdir().unwrap();
    let mut trigger = None;
    let engine = docker_behind(|docker| {
        let (faulty, its_trigger) = Faulty::new(docker, fault);
        trigger = Some(its_trigger);
        Arc::new(faulty)
    });
    let trigger = trigger.unwrap();
    let cockpit = start(data.path(), engine).await;
    for nth in 1.. {
        let workspace = create_running(&cockpit, spec(Source::Empty)).await;
        trigger.arm(nth);
        cockpit.workspaces().delete(&workspace.id).await.unwrap();
        let hit = trigger.disarm();
        ready(&cockpit).await;
        // What an engine that hung could not be asked for goes when it answers again.
        let deadline = std::time::Instant::now() + PATIENCE;
        while fault == Fault::Hang && !objects(&workspace.id).is_empty() {
            assert!(std::time::Instant::now() < deadline, "call {nth}: {:?}", objects(&workspace.id));
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_nothing_left(&workspace.id);
        if !hit {
            break;
        }
    }
    cockpit.shutdown().await;
}

#[tokio::test]
async fn a_delete_whose_calls_fail_ends_all_the_same() {
    delete_with_every_fault(Fault::Before).await;
}

#[tokio::test]
async fn a_delete_on_an_engine_that_hangs_ends_all_the_same() {
    delete_with_every_fault(Fault::Hang).await;
}

#[tokio::test]
async fn cancelling_at_any_moment_leaves_nothing() {
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(data.path(), docker()).await;
    let workspaces = cockpit.workspaces();
    let mut cancelled = 0;
    // Each time a little later in the plan, by its own events.
    for moment in 0..12 {
        let mut events = cockpit.subscribe();
        let workspace = workspaces.create(request(spec(Source::Empty))).await.unwrap();
        for _ in 0..moment * 2 {
            let _ = tokio::time::timeout(std::time::Duration::from_millis(200), events.recv()).await;
        }
        match workspaces.cancel(&workspace.id).await {
            Ok(()) => cancelled += 1,
            // It was faster.
            Err(_) => workspaces.delete(&workspace.id).await.unwrap(),
        }
        assert!(workspaces.get(&workspace.id).is_err());
        assert_nothing_left(&workspace.id);
    }
    assert!(cancelled > 0, "some plan was caught in the middle");
    cockpit.shutdown().await;
}

/// Not a test of its own: the process that the next test lets kill itself.
#[tokio::test]
#[ignore = "run by a_plan_killed_at_any_call_goes_on in a process of its own"]
async fn child_that_creates_and_dies() {
    let (Some(directory), Ok(nth)) =
        (std::env::var_os("AICOCKPIT_TEST_DATA"), std::env::var("AICOCKPIT_TEST_NTH"))
    else {
        return;
    };
    let mut trigger = None;
    let engine = docker_behind(|docker| {
        let (faulty, its_trigger) = Faulty::new(docker, Fault::Kill);
        trigger = Some(its_trigger);
        Arc::new(faulty)
    });
    let cockpit = start(directory.as_ref(), engine).await;
    cockpit.engines().settled().await;
    let (trigger, nth) = (trigger.unwrap(), nth.parse().unwrap());
    let deleting = std::env::var_os("AICOCKPIT_TEST_DELETE").is_some();
    if !deleting {
        trigger.arm(nth);
    }
    let workspace = create_running(&cockpit, spec(Source::Empty)).await;
    if deleting {
        std::fs::write(Path::new(&directory).join("id"), workspace.id.as_str()).unwrap();
        trigger.arm(nth);
        cockpit.workspaces().delete(&workspace.id).await.unwrap();
    }
    cockpit.shutdown().await;
}

/// Runs the child, which kills itself at its `nth` call; whether it survived.
fn survives(data: &Path, nth: u64, deleting: bool) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "faults::child_that_creates_and_dies", "--ignored", "--nocapture"]);
    child.env("AICOCKPIT_TEST_DATA", data).env("AICOCKPIT_TEST_NTH", nth.to_string());
    if deleting {
        child.env("AICOCKPIT_TEST_DELETE", "1");
    }
    child.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

/// The workspaces that this data directory's own cockpit made.
async fn own(cockpit: &Cockpit) -> Vec<WorkspaceId> {
    let stored = cockpit.store().workspaces().await.unwrap();
    let own = stored.into_iter().filter(|workspace| workspace.owner == cockpit.store().owner());
    own.map(|workspace| workspace.id).collect()
}

#[tokio::test]
async fn a_plan_killed_at_any_call_goes_on() {
    for nth in 1.. {
        assert!(nth < 60, "a plan has an end");
        let data = tempfile::tempdir().unwrap();
        let survived = survives(data.path(), nth, false);
        let cockpit = start(data.path(), docker()).await;
        let ours = own(&cockpit).await;
        let [id] = &ours[..] else { panic!("call {nth}: one was begun, {ours:?} are known") };
        becomes(&cockpit, id, WorkspaceState::Running).await;
        cockpit.workspaces().open(id).await.unwrap();
        cockpit.workspaces().delete(id).await.unwrap();
        assert_nothing_left(id);
        cockpit.shutdown().await;
        if survived {
            break;
        }
    }
}

#[tokio::test]
async fn a_deletion_killed_at_any_call_goes_on() {
    for nth in 1.. {
        assert!(nth < 40, "a deletion has an end");
        let data = tempfile::tempdir().unwrap();
        let survived = survives(data.path(), nth, true);
        let id = WorkspaceId::new(std::fs::read_to_string(data.path().join("id")).unwrap());
        let cockpit = start(data.path(), docker()).await;
        let deadline = std::time::Instant::now() + PATIENCE;
        let mut events = cockpit.subscribe();
        while cockpit.workspaces().get(&id).is_ok() {
            assert!(std::time::Instant::now() < deadline, "call {nth}: {id} is still there");
            let _ = tokio::time::timeout(std::time::Duration::from_millis(200), events.recv()).await;
        }
        assert_nothing_left(&id);
        cockpit.shutdown().await;
        if survived {
            break;
        }
    }
}
