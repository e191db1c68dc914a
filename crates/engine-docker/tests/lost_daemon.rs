//! A Docker daemon of the test's own that is killed under a running workspace. Needs root.

use aicockpit_engine::{ContainerSpec, ContainerState, Engine, EngineError, ExecSpec, diagnose};
use aicockpit_protocol::engine::EngineHealth;
use aicockpit_testkit::PrivateDocker;
use futures::StreamExt;
use std::time::Duration;
use tokio::io::AsyncReadExt;

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_daemon_is_told_apart_from_an_ended_program_and_comes_back() {
    if !PrivateDocker::is_possible() {
        println!("NOT RUN: a daemon of its own needs root");
        return;
    }
    let mut daemon = PrivateDocker::start(None);
    let engine = daemon.engine();
    daemon.ready().await;
    engine.probe().await.expect("it answers");
    daemon.copy_image("aicockpit-test:lost").await;
    let spec = ContainerSpec {
        name: "survivor".to_owned(),
        image: "aicockpit-test:lost".to_owned(),
        entrypoint: Some(vec!["sleep".to_owned(), "600".to_owned()]),
        ..ContainerSpec::default()
    };
    let id = engine.create_container(&spec).await.expect("created");
    engine.start_container(&id).await.expect("started");
    let mut events = engine.events().await.expect("events");
    let command = ["sh", "-c", "echo up; exec cat"].map(str::to_owned).to_vec();
    let mut stream =
        engine.exec(&id, &ExecSpec { command, ..ExecSpec::default() }).await.expect("a program runs");
    let mut word = [0; 3];
    stream.stdout.read_exact(&mut word).await.expect("its first word");
    let watching = tokio::spawn(async move {
        // To the end of the stream, or to the error that is its last item.
        while let Some(Ok(_)) = events.next().await {}
    });

    daemon.kill();
    let mut rest = Vec::new();
    let end = tokio::time::timeout(PATIENCE, stream.stdout.read_to_end(&mut rest)).await;
    end.expect("the stream ends with the daemon").ok();
    tokio::time::timeout(PATIENCE, watching)
        .await
        .expect("the events end with the daemon")
        .expect("no panic");
    let exit = stream.exit.await;
    assert!(matches!(exit, Err(EngineError::Unavailable(_))), "no end of the program is made up: {exit:?}");
    let error = engine.probe().await.expect_err("nobody answers");
    let facts = engine.endpoint().facts();
    let diagnosis = diagnose(engine.endpoint(), &error, &facts);
    assert_eq!(diagnosis.health, EngineHealth::Stopped, "{error}, {facts:?}");

    daemon.restart();
    daemon.ready().await;
    let details = engine.inspect_container(&id).await.expect("the container is known");
    assert_eq!(details.state, ContainerState::Exited, "Docker stops containers when it starts anew");
    engine.start_container(&id).await.expect("it starts again");
    engine.remove_container(&id).await.expect("and is removed");
}
