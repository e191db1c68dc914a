//! A Docker daemon of the test's own: killed in the middle of what the cockpit asked of it, and with a disk that is
//! full.

use crate::common::inside::Inside;
use crate::common::tmpfs::fill;
use crate::common::*;
use aicockpit_cockpit::Cockpit;
use aicockpit_cockpit::engines::KnownEngine;
use aicockpit_protocol::api::Event;
use aicockpit_protocol::engine::EngineHealth;
use aicockpit_protocol::fs::WriteCondition;
use aicockpit_protocol::workspace::{Source, StepKind, StepState, Workspace, WorkspaceState};
use aicockpit_protocol::{ErrorCode, WorkspaceId};
use aicockpit_testkit::{PrivateDocker, left_behind, poll, wait_for};
use std::path::Path;
use std::sync::Arc;

/// MiB of the disk that fills up: the image twice, as it is imported, and room for one workspace.
const DISK: u32 = 700;

async fn daemon(disk: Option<u32>, data: &Path) -> Option<(PrivateDocker, Arc<Cockpit>)> {
    if !PrivateDocker::is_possible() {
        println!("NOT RUN: a daemon of its own needs root");
        return None;
    }
    let daemon = PrivateDocker::start(disk);
    daemon.ready().await;
    daemon.copy_image(IMAGE).await;
    let cockpit = start(data, KnownEngine::at(daemon.endpoint())).await;
    cockpit.engines().settled().await;
    Some((daemon, cockpit))
}

/// Waits until the cockpit has seen that the daemon is there, or is not.
async fn seen(cockpit: &Cockpit, daemon: &PrivateDocker, ready: bool) {
    let id = daemon.endpoint().id;
    poll(PATIENCE, "the engine's health to change", || async {
        cockpit.engines().refresh().await;
        let now = cockpit.engines().health(&id);
        ((now == Some(EngineHealth::Ready)) == ready).then_some(())
    })
    .await;
}

/// Waits until nothing of these workspaces is on the engine.
async fn nothing_left(cockpit: &Cockpit, daemon: &PrivateDocker, ids: &[&WorkspaceId]) {
    let (engine, owner) = (daemon.engine(), cockpit.store().owner());
    poll(PATIENCE, "what is left to be removed", || async {
        let left = left_behind(&engine, owner).await;
        (!left.iter().any(|name| ids.iter().any(|id| name.contains(id.as_str())))).then_some(())
    })
    .await;
}

/// Opens a workspace whose engine has just returned: at the first try.
async fn reopen(cockpit: &Arc<Cockpit>, id: &WorkspaceId) -> Inside {
    cockpit.workspaces().open(id).await.unwrap();
    Inside::open(cockpit, id).await
}

fn reached(workspace: &Workspace, step: StepKind) -> bool {
    workspace.state == WorkspaceState::Running
        || workspace
            .plan
            .as_ref()
            .is_some_and(|plan| plan.steps.iter().any(|at| at.kind == step && at.state != StepState::Waiting))
}

#[tokio::test]
async fn a_daemon_killed_in_the_middle_is_told_and_all_goes_on_when_it_is_back() {
    let data = tempfile::tempdir().unwrap();
    let Some((mut daemon, cockpit)) = daemon(None, data.path()).await else { return };
    let workspaces = cockpit.workspaces();
    let kept = create_running(&cockpit, spec(Source::Empty)).await.id;
    let inside = Inside::open(&cockpit, &kept).await;
    inside.write("/workspace/kept", b"kept", WriteCondition::Any).await.unwrap();

    for step in [StepKind::Network, StepKind::Start] {
        let mut events = cockpit.subscribe();
        let begun = workspaces.create(request(spec(Source::Empty))).await.unwrap();
        wait_for(&mut events, PATIENCE, "the step to be reached", |event| match event {
            Event::Workspace { workspace } if workspace.id == begun.id => {
                reached(&workspace, step).then_some(())
            }
            _ => None,
        })
        .await;
        daemon.kill();
        workspaces.settled(&begun.id).await;
        seen(&cockpit, &daemon, false).await;
        assert_eq!(workspaces.get(&kept).unwrap().state, WorkspaceState::Unreachable);
        let refused = workspaces.create(request(spec(Source::Empty))).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::EngineUnavailable, "{refused:?}");
        let broken = workspaces.get(&begun.id).unwrap();
        if broken.state == WorkspaceState::Failed {
            let error = broken.plan.unwrap().error.unwrap();
            println!("killed at {step:?}: {} — {:?}", error.message, error.hint);
            assert!(error.hint.is_some(), "{error:?}");
        }

        daemon.restart();
        seen(&cockpit, &daemon, true).await;
        if workspaces.get(&begun.id).unwrap().state == WorkspaceState::Failed {
            workspaces.retry(&begun.id).await.unwrap();
            assert_eq!(workspaces.settled(&begun.id).await, WorkspaceState::Running, "{step:?}");
        }
        reopen(&cockpit, &begun.id).await.is_usable().await;
        workspaces.delete(&begun.id).await.unwrap();
        nothing_left(&cockpit, &daemon, &[&begun.id]).await;
    }

    // The containers ended with the daemon; their files did not.
    let inside = reopen(&cockpit, &kept).await;
    assert_eq!(inside.read("/workspace/kept").await.unwrap(), b"kept");
    let mut events = cockpit.subscribe();
    let deleting = tokio::spawn({
        let (workspaces, kept) = (Arc::clone(workspaces), kept.clone());
        async move { workspaces.delete(&kept).await }
    });
    wait_for(&mut events, PATIENCE, "the deletion to begin", |event| match event {
        Event::Workspace { workspace } if workspace.id == kept => {
            (workspace.state == WorkspaceState::Deleting).then_some(())
        }
        Event::WorkspaceGone { workspace } if workspace == kept => Some(()),
        _ => None,
    })
    .await;
    daemon.kill();
    deleting.await.unwrap().unwrap();
    assert!(workspaces.get(&kept).is_err(), "it is gone from the list at once");
    daemon.restart();
    seen(&cockpit, &daemon, true).await;
    nothing_left(&cockpit, &daemon, &[&kept]).await;
    assert!(workspaces.list().is_empty(), "nothing comes back by its labels");
    cockpit.shutdown().await;
}

#[tokio::test]
async fn a_full_disk_of_the_engine_is_told_and_what_was_begun_is_deleted_or_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let Some((daemon, cockpit)) = daemon(Some(DISK), data.path()).await else { return };
    let workspaces = cockpit.workspaces();
    let (kept, deleted) = tokio::join!(
        create_running(&cockpit, spec(Source::Empty)),
        create_running(&cockpit, spec(Source::Empty))
    );
    let inside = Inside::open(&cockpit, &kept.id).await;
    inside.write("/workspace/kept", b"kept", WriteCondition::Any).await.unwrap();
    let filler = fill(&daemon.data());

    let failed = create(&cockpit, spec(Source::Empty)).await;
    assert_eq!(failed.state, WorkspaceState::Failed, "{failed:?}");
    let error = failed.plan.unwrap().error.unwrap();
    println!("{} — {:?}", error.message, error.hint);
    assert_eq!(error.code, ErrorCode::NoSpace, "{error:?}");
    assert!(error.hint.unwrap().contains("Free space on the engine's disk"));
    // What runs goes on; a write says why not, and leaves what was there.
    assert_eq!(inside.read("/workspace/kept").await.unwrap(), b"kept");
    let big = vec![b'n'; 1 << 20];
    let refused = inside.write("/workspace/kept", &big, WriteCondition::Any).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::NoSpace, "{refused:?}");
    assert_eq!(inside.read("/workspace/kept").await.unwrap(), b"kept");
    // Deleting is what makes room: it works on a full disk.
    workspaces.delete(&deleted.id).await.unwrap();
    nothing_left(&cockpit, &daemon, &[&deleted.id]).await;

    std::fs::remove_file(filler).unwrap();
    workspaces.retry(&failed.id).await.unwrap();
    workspaces.settled(&failed.id).await;
    reopen(&cockpit, &failed.id).await.is_usable().await;
    for id in [&failed.id, &kept.id] {
        workspaces.delete(id).await.unwrap();
    }
    nothing_left(&cockpit, &daemon, &[&failed.id, &kept.id]).await;
    cockpit.shutdown().await;
}
