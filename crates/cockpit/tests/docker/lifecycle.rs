//! Workspaces on the real Docker: made, used, lost and found, deleted.

use crate::common::*;
use aicockpit_protocol::ErrorCode;
use aicockpit_protocol::api::Event;
use aicockpit_protocol::workspace::{Image, Source, StepKind, StepState, WorkspaceState};
use std::time::Duration;

#[tokio::test]
async fn a_workspace_is_created_used_and_deleted_whole() {
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(data.path(), docker()).await;
    let workspaces = cockpit.workspaces();
    let workspace = create_running(&cockpit, spec(Source::Empty)).await;
    let id = &workspace.id;
    assert_eq!(workspace.plan, None, "a finished plan is gone");
    assert_eq!(
        inside(id, "id -un; pwd; echo $HOME; touch /workspace/x && stat -c %U /workspace/x ~"),
        (0, "dev\n/workspace\n/home/dev\ndev\ndev".to_owned())
    );
    let inside_info = workspaces.open(id).await.unwrap();
    assert_eq!((inside_info.uid, inside_info.user.as_str()), (1000, "dev"));
    assert!(workspaces.get(id).unwrap().last_used_ms.is_some());

    workspaces.pause(id).await.unwrap();
    assert_eq!(workspaces.get(id).unwrap().state, WorkspaceState::Paused);
    let refused = workspaces.start(id).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidState, "{refused}");
    workspaces.unpause(id).await.unwrap();
    workspaces.stop(id).await.unwrap();
    assert_eq!(workspaces.get(id).unwrap().state, WorkspaceState::Stopped);
    workspaces.open(id).await.unwrap();
    assert_eq!(workspaces.get(id).unwrap().state, WorkspaceState::Running, "opening starts it");
    workspaces.restart(id).await.unwrap();
    assert_eq!(inside(id, "ls /workspace").1, "x", "files survive");

    let preview = workspaces.delete_preview(id).await.unwrap();
    assert!(preview.volume && preview.kept_folder.is_none(), "{preview:?}");
    let texts: Vec<_> = workspaces.timeline(id).await.unwrap().into_iter().map(|entry| entry.text).collect();
    assert!(texts[0].starts_with("Created in "), "{texts:?}");
    assert!(texts.contains(&"Paused.".to_owned()) && texts.contains(&"Restarted.".to_owned()), "{texts:?}");
    workspaces.delete(id).await.unwrap();
    assert_eq!(workspaces.get(id).unwrap_err().code, ErrorCode::NotFound);
    assert_nothing_left(id);
    cockpit.shutdown().await;
}

#[tokio::test]
async fn two_at_once_get_names_and_networks_of_their_own() {
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(data.path(), docker()).await;
    let workspaces = cockpit.workspaces();
    let (one, other) = tokio::join!(
        create_running(&cockpit, spec(Source::Empty)),
        create_running(&cockpit, spec(Source::Empty))
    );
    assert_ne!(one.name, other.name);
    assert!(
        workspaces
            .rename(&one.id, &other.name)
            .await
            .is_err_and(|error| error.code == ErrorCode::AlreadyExists)
    );
    workspaces.rename(&one.id, "größe").await.unwrap();
    assert_eq!(workspaces.get(&one.id).unwrap().name, "größe");
    for workspace in [&one, &other] {
        let networks = inspect(&workspace.id, ".NetworkSettings.Networks");
        let names: Vec<_> = networks.as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, [format!("aicockpit-{}", workspace.id)]);
        workspaces.delete(&workspace.id).await.unwrap();
        assert_nothing_left(&workspace.id);
    }
    cockpit.shutdown().await;
}

#[tokio::test]
async fn a_container_removed_by_somebody_else_is_told_and_the_rest_can_be_deleted() {
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(data.path(), docker()).await;
    let workspace = create_running(&cockpit, spec(Source::Empty)).await;
    let name = format!("aicockpit-{}", workspace.id);
    docker_cli(&["kill", &name]);
    becomes(&cockpit, &workspace.id, WorkspaceState::Stopped).await;
    let told = cockpit.workspaces().get(&workspace.id).unwrap().message;
    assert_eq!(told.as_deref(), Some("It was killed."));
    docker_cli(&["start", &name]);
    becomes(&cockpit, &workspace.id, WorkspaceState::Running).await;
    docker_cli(&["rm", "-f", &name]);
    becomes(&cockpit, &workspace.id, WorkspaceState::Lost).await;
    cockpit.workspaces().delete(&workspace.id).await.unwrap();
    assert_nothing_left(&workspace.id);
    cockpit.shutdown().await;
}

#[tokio::test]
async fn the_list_is_rebuilt_from_labels_when_the_store_is_lost() {
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(data.path(), docker()).await;
    let workspace = create_running(&cockpit, spec(Source::Empty)).await;
    cockpit.shutdown().await;

    for file in ["store.sqlite", "store.sqlite-wal", "store.sqlite-shm"] {
        let _ = std::fs::remove_file(data.path().join(file));
    }
    let cockpit = start(data.path(), docker()).await;
    cockpit.engines().settled().await;
    becomes(&cockpit, &workspace.id, WorkspaceState::Running).await;
    let found = cockpit.workspaces().get(&workspace.id).unwrap();
    assert_eq!(found.spec, workspace.spec);
    cockpit.workspaces().open(&workspace.id).await.unwrap();
    cockpit.workspaces().delete(&workspace.id).await.unwrap();
    assert_nothing_left(&workspace.id);
    cockpit.shutdown().await;
}

#[tokio::test]
async fn a_workspace_of_another_cockpit_is_left_alone_until_it_is_imported() {
    let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cockpit = start(theirs.path(), docker()).await;
    let workspace = create_running(&cockpit, spec(Source::Empty)).await;
    cockpit.shutdown().await;

    let cockpit = start(ours.path(), docker()).await;
    cockpit.engines().settled().await;
    assert!(cockpit.workspaces().get(&workspace.id).is_err(), "nobody asked for it");
    let foreign =
        cockpit.engines().foreign_containers(&workspace.engine, cockpit.store().owner()).await.unwrap();
    let name = format!("aicockpit-{}", workspace.id);
    let container = foreign.into_iter().find(|container| container.name == name).unwrap();
    let import = aicockpit_protocol::api::ImportContainer {
        engine: workspace.engine,
        container: container.id,
        name: None,
    };
    let imported = cockpit.workspaces().import(import).await.unwrap();
    assert_eq!((&imported.id, &imported.spec), (&workspace.id, &workspace.spec));
    cockpit.workspaces().delete(&workspace.id).await.unwrap();
    assert_nothing_left(&workspace.id);
    cockpit.shutdown().await;
}

#[tokio::test]
async fn an_engine_that_goes_away_is_shown_and_comes_back_by_itself() {
    let data = tempfile::tempdir().unwrap();
    let socket = data.path().join("docker.sock");
    let mut engine = cut::Cuttable::new(&socket, "/var/run/docker.sock");
    let cockpit = start(&data.path().join("data"), docker_at(socket.to_str().unwrap())).await;
    let workspaces = cockpit.workspaces();
    let kept = create_running(&cockpit, spec(Source::Empty)).await;
    let deleted = create_running(&cockpit, spec(Source::Empty)).await;
    engine.cut().await;
    becomes(&cockpit, &kept.id, WorkspaceState::Unreachable).await;
    let refused = workspaces.stop(&kept.id).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidState, "{refused}");
    let refused = workspaces.create(request(spec(Source::Empty))).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::EngineUnavailable, "{refused}");

    workspaces.delete(&deleted.id).await.unwrap();
    assert!(workspaces.get(&deleted.id).is_err(), "forgotten at once");
    assert!(!objects(&deleted.id).is_empty(), "still on the engine");
    // What happens meanwhile is found out at the return.
    docker_cli(&["kill", &format!("aicockpit-{}", kept.id)]);
    engine.mend();
    becomes(&cockpit, &kept.id, WorkspaceState::Stopped).await;
    let deadline = std::time::Instant::now() + PATIENCE;
    while !objects(&deleted.id).is_empty() {
        assert!(std::time::Instant::now() < deadline, "leftovers stay: {:?}", objects(&deleted.id));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(workspaces.get(&deleted.id).is_err(), "it is not found again by its labels");
    workspaces.delete(&kept.id).await.unwrap();
    assert_nothing_left(&kept.id);
    cockpit.shutdown().await;
}

#[tokio::test]
async fn running_workspaces_are_measured_while_somebody_looks() {
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(data.path(), docker()).await;
    let workspace = create_running(&cockpit, spec(Source::Empty)).await;
    let _onlooker = cockpit.look();
    let mut events = cockpit.subscribe();
    let measured = async {
        loop {
            if let Ok(Event::Samples { samples }) = events.recv().await
                && let Some(found) = samples.into_iter().find(|sample| sample.workspace == workspace.id)
            {
                return found.sample;
            }
        }
    };
    let sample = tokio::time::timeout(PATIENCE, measured).await.unwrap();
    assert!(sample.memory_bytes > 0 && sample.pids > 0, "{sample:?}");
    assert!(!cockpit.workspaces().history(&workspace.id).unwrap().is_empty());
    assert!(cockpit.workspaces().get(&workspace.id).unwrap().sample.is_some());
    cockpit.workspaces().delete(&workspace.id).await.unwrap();
    cockpit.shutdown().await;
}

#[tokio::test]
async fn an_image_that_does_not_exist_fails_with_a_sentence_and_can_be_deleted() {
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(data.path(), docker()).await;
    let mut wrong = spec(Source::Empty);
    wrong.image = Image::Reference { reference: "localhost:1/aicockpit-test/none:1".to_owned() };
    let workspace = create(&cockpit, wrong).await;
    assert_eq!(workspace.state, WorkspaceState::Failed);
    let plan = workspace.plan.unwrap();
    let step = plan.steps.iter().find(|step| step.kind == StepKind::Image).unwrap();
    assert_eq!(step.state, StepState::Failed);
    let error = plan.error.unwrap();
    assert!(error.message.contains("aicockpit-test/none"), "{error:?}");
    let log = cockpit.workspaces().plan_log(&workspace.id).await.unwrap();
    assert!(log.iter().any(|log| log.step == StepKind::Image && !log.lines.is_empty()), "{log:?}");
    cockpit.workspaces().delete(&workspace.id).await.unwrap();
    assert_nothing_left(&workspace.id);
    cockpit.shutdown().await;
}

#[tokio::test]
async fn a_published_port_that_is_taken_fails_with_a_sentence_and_leaves_nothing() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = taken.local_addr().unwrap().port();
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(data.path(), docker()).await;
    let mut wrong = spec(Source::Empty);
    wrong.published_ports =
        vec![aicockpit_protocol::workspace::PublishedPort { container: 80, host: Some(host) }];
    let workspace = create(&cockpit, wrong).await;
    assert_eq!(workspace.state, WorkspaceState::Failed);
    let error = workspace.plan.unwrap().error.unwrap();
    assert_eq!(error.code, ErrorCode::PortInUse, "{error:?}");
    drop(taken);
    cockpit.workspaces().retry(&workspace.id).await.unwrap();
    assert_eq!(cockpit.workspaces().settled(&workspace.id).await, WorkspaceState::Running, "a retry goes on");
    cockpit.workspaces().delete(&workspace.id).await.unwrap();
    assert_nothing_left(&workspace.id);
    cockpit.shutdown().await;
}

#[tokio::test]
async fn an_imported_container_becomes_a_workspace_and_survives_its_deletion() {
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(data.path(), docker()).await;
    cockpit.engines().settled().await;
    let name = format!("aicockpit-test-foreign-{}", std::process::id());
    docker_cli(&["run", "-d", "--name", &name, "--workdir", "/srv", IMAGE, "sleep", "infinity"]);
    let engine = aicockpit_protocol::EngineId::new("docker");
    let foreign = cockpit.engines().foreign_containers(&engine, cockpit.store().owner()).await.unwrap();
    let container = foreign.into_iter().find(|container| container.name == name).unwrap();
    assert!(container.running);
    let import = aicockpit_protocol::api::ImportContainer { engine, container: container.id, name: None };
    let workspace = cockpit.workspaces().import(import.clone()).await.unwrap();
    assert_eq!(
        (workspace.state, workspace.name.as_str(), workspace.imported),
        (WorkspaceState::Running, name.as_str(), true)
    );
    assert_eq!(cockpit.workspaces().import(import).await.unwrap_err().code, ErrorCode::AlreadyExists);
    let inside = cockpit.workspaces().open(&workspace.id).await.unwrap();
    assert_eq!((inside.uid, inside.folder), (0, "/srv".into()), "the container's own user and folder");
    assert_eq!(workspace.spec.image, Image::Reference { reference: IMAGE.to_owned() });
    cockpit.workspaces().delete(&workspace.id).await.unwrap();
    assert_eq!(docker_cli(&["inspect", &name, "--format", "{{.State.Running}}"]), "true");
    docker_cli(&["rm", "-f", &name]);
    cockpit.shutdown().await;
}
