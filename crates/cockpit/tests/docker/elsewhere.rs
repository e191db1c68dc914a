//! An engine on other machines. Starts may take long, because it waits for a machine or an image: they are watched, cut
//! off and survived.

use crate::common::elsewhere::{Elsewhere, Machines, REASON};
use crate::common::*;
use aicockpit_cockpit::Cockpit;
use aicockpit_engine::ContainerEventKind;
use aicockpit_protocol::api::Event;
use aicockpit_protocol::workspace::{Source, StepKind, Workspace, WorkspaceState};
use aicockpit_protocol::{ErrorCode, WorkspaceId};
use std::path::Path;
use std::sync::Arc;

const PULLING: &str = "Pulling the image.";

async fn start_elsewhere(data: &Path) -> (Arc<Cockpit>, Arc<Machines>) {
    let mut machines = None;
    let known = docker_behind(|docker| {
        let (engine, behind) = Elsewhere::new(docker);
        machines = Some(behind);
        Arc::new(engine)
    });
    let cockpit = start(data, known).await;
    cockpit.engines().settled().await;
    (cockpit, machines.unwrap())
}

fn pulling() -> ContainerEventKind {
    ContainerEventKind::Told { text: PULLING.to_owned(), failed: false }
}

/// Waits until the workspace is as wanted.
async fn is(cockpit: &Cockpit, id: &WorkspaceId, wanted: impl Fn(&Workspace) -> bool) -> Workspace {
    let mut events = cockpit.subscribe();
    let waiting = async {
        loop {
            let now = cockpit.workspaces().get(id).unwrap();
            if wanted(&now) {
                return now;
            }
            let _ = events.recv().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap()
}

async fn times_told(cockpit: &Cockpit, id: &WorkspaceId, text: &str) -> usize {
    let timeline = cockpit.workspaces().timeline(id).await.unwrap();
    timeline.iter().filter(|entry| entry.text == text).count()
}

#[tokio::test]
async fn a_start_that_waits_says_for_what_and_a_stop_ends_it() {
    let data = tempfile::tempdir().unwrap();
    let (cockpit, machines) = start_elsewhere(data.path()).await;
    let workspaces = cockpit.workspaces();
    let id = create_running(&cockpit, spec(Source::Empty)).await.id;
    workspaces.stop(&id).await.unwrap();

    machines.room(false);
    let (opening, opened) = (Arc::clone(&cockpit), id.clone());
    let opening = tokio::spawn(async move { opening.workspaces().open(&opened).await });
    machines.waiting(1).await;
    assert_eq!(workspaces.get(&id).unwrap().state, WorkspaceState::Starting);
    machines.tell(&id, pulling());
    machines.tell(&id, pulling());
    is(&cockpit, &id, |now| now.message.as_deref() == Some(PULLING)).await;
    // It is looked at as soon as the start lets go of it, before it can be stopped, and then does not run.
    machines.tell(&id, ContainerEventKind::Died(None));
    let other = ContainerEventKind::Told { text: "Pulled.".to_owned(), failed: false };
    machines.tell(&id, other);
    is(&cockpit, &id, |now| now.message.as_deref() == Some("Pulled.")).await;
    assert_eq!(times_told(&cockpit, &id, PULLING).await, 1, "the same words once");

    workspaces.stop(&id).await.unwrap();
    machines.waiting(0).await;
    assert_eq!(opening.await.unwrap().unwrap_err().code, ErrorCode::Cancelled);
    let stopped = workspaces.get(&id).unwrap();
    assert_eq!((stopped.state, stopped.message), (WorkspaceState::Stopped, None));

    machines.room(true);
    workspaces.open(&id).await.unwrap();
    workspaces.delete(&id).await.unwrap();
    assert_nothing_left(&id);
    cockpit.shutdown().await;
}

#[tokio::test]
async fn a_start_that_the_engine_gave_up_says_why_until_the_next() {
    let data = tempfile::tempdir().unwrap();
    let (cockpit, machines) = start_elsewhere(data.path()).await;
    let workspaces = cockpit.workspaces();
    let id = create_running(&cockpit, spec(Source::Empty)).await.id;
    workspaces.stop(&id).await.unwrap();
    assert_eq!(workspaces.get(&id).unwrap().message, None);
    machines.lack_image(true);
    let error = workspaces.start(&id).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::ImageNotFound);
    let failed = workspaces.get(&id).unwrap();
    assert_eq!((failed.state, failed.message), (WorkspaceState::Stopped, Some(error.message)));
    machines.lack_image(false);
    workspaces.start(&id).await.unwrap();
    assert_eq!(workspaces.get(&id).unwrap().message, None);
    workspaces.delete(&id).await.unwrap();
    assert_nothing_left(&id);
    cockpit.shutdown().await;
}

#[tokio::test]
async fn a_creation_that_waits_says_for_what_and_can_be_cancelled() {
    let data = tempfile::tempdir().unwrap();
    let (cockpit, machines) = start_elsewhere(data.path()).await;
    let workspaces = cockpit.workspaces();
    machines.room(false);
    let id = workspaces.create(request(spec(Source::Empty))).await.unwrap().id;
    machines.waiting(1).await;
    machines.tell(&id, pulling());
    let note = |now: &Workspace, kind| {
        let steps = now.plan.iter().flat_map(|plan| &plan.steps);
        steps.filter(|step| step.kind == kind).find_map(|step| step.note.clone())
    };
    let waiting = is(&cockpit, &id, |now| note(now, StepKind::Start).as_deref() == Some(PULLING)).await;
    assert_eq!(note(&waiting, StepKind::Image).as_deref(), Some("The cluster's machines pull it"));
    tokio::time::timeout(PATIENCE, workspaces.cancel(&id)).await.unwrap().unwrap();
    machines.waiting(0).await;
    assert_nothing_left(&id);
    cockpit.shutdown().await;
}

#[tokio::test]
async fn neither_a_deletion_nor_the_end_of_the_cockpit_waits_for_a_start() {
    let data = tempfile::tempdir().unwrap();
    let (cockpit, machines) = start_elsewhere(data.path()).await;
    let [one, other] = [(); 2].map(|()| create_running(&cockpit, spec(Source::Empty)));
    let ids = [one.await.id, other.await.id];
    for id in &ids {
        cockpit.workspaces().stop(id).await.unwrap();
    }
    machines.room(false);
    let starting = ids.clone().map(|id| {
        let cockpit = Arc::clone(&cockpit);
        tokio::spawn(async move { cockpit.workspaces().start(&id).await })
    });
    machines.waiting(2).await;
    let deleting = cockpit.workspaces().delete(&ids[0]);
    tokio::time::timeout(PATIENCE, deleting).await.unwrap().unwrap();
    assert_nothing_left(&ids[0]);
    machines.waiting(1).await;
    tokio::time::timeout(PATIENCE, cockpit.shutdown()).await.unwrap();
    for started in starting {
        assert_eq!(started.await.unwrap().unwrap_err().code, ErrorCode::Cancelled);
    }
    drop(cockpit);

    // What the engine says counts, whatever was under way.
    let cockpit = start(data.path(), docker()).await;
    becomes(&cockpit, &ids[1], WorkspaceState::Stopped).await;
    cockpit.workspaces().delete(&ids[1]).await.unwrap();
    assert_nothing_left(&ids[1]);
    cockpit.shutdown().await;
}

#[tokio::test]
async fn a_workspace_that_its_engine_moves_comes_back_with_its_agent() {
    let data = tempfile::tempdir().unwrap();
    let (cockpit, machines) = start_elsewhere(data.path()).await;
    let workspaces = cockpit.workspaces();
    let id = create_running(&cockpit, spec(Source::Empty)).await.id;
    workspaces.open(&id).await.unwrap();
    machines.room(false);
    machines.tell(&id, ContainerEventKind::Died(None));
    let moved = is(&cockpit, &id, |now| now.state == WorkspaceState::Starting).await;
    assert_eq!(moved.message.as_deref(), Some(REASON));
    assert_eq!(times_told(&cockpit, &id, REASON).await, 1);
    let agent = cockpit.agents().get(&id).unwrap();
    assert!(!agent.handle.is_closed(), "its forwards are kept");

    machines.room(true);
    machines.tell(&id, ContainerEventKind::Started);
    let back = is(&cockpit, &id, |now| now.state == WorkspaceState::Running).await;
    assert_eq!(back.message, None);
    agent.handle.inside().await.unwrap();
    workspaces.delete(&id).await.unwrap();
    assert_nothing_left(&id);
    cockpit.shutdown().await;
}

#[tokio::test]
async fn the_agent_measures_where_the_engine_cannot_and_is_not_connected_to_for_that() {
    let data = tempfile::tempdir().unwrap();
    let (cockpit, _machines) = start_elsewhere(data.path()).await;
    let workspaces = cockpit.workspaces();
    let [one, other] = [(); 2].map(|()| create_running(&cockpit, spec(Source::Empty)));
    let (used, unused) = (one.await.id, other.await.id);
    workspaces.open(&used).await.unwrap();
    // Its plan has connected to it.
    cockpit.agents().forget(&unused);
    let mut events = cockpit.subscribe();
    let _onlooker = cockpit.look();
    let measured = async {
        loop {
            if let Event::Samples { samples } = events.recv().await.unwrap() {
                return samples;
            }
        }
    };
    let samples = tokio::time::timeout(PATIENCE, measured).await.unwrap();
    let [only] = &samples[..] else { panic!("{samples:?}") };
    assert_eq!(only.workspace, used);
    assert!(only.sample.pids > 0 && only.sample.at_ms > 0, "{only:?}");
    assert_eq!(workspaces.history(&used).unwrap().len(), 1);
    assert!(cockpit.agents().get(&unused).is_none(), "nobody connected to it");
    for id in [used, unused] {
        workspaces.delete(&id).await.unwrap();
        assert_nothing_left(&id);
    }
    cockpit.shutdown().await;
}
