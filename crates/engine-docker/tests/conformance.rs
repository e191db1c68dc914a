//! Docker against the suite that every engine passes. Needs a running Docker: there is no silent skip.

use aicockpit_engine::{Engine, EngineError, Fixture, conformance_of};
use aicockpit_engine_docker::{DockerEndpoint, DockerEngine, discover};
use aicockpit_protocol::EngineId;
use aicockpit_protocol::engine::EngineKind;
use std::sync::Arc;

/// The image that the suite runs on, unless `AICOCKPIT_TEST_IMAGE` names another.
const IMAGE: &str = "debian:bookworm";

#[tokio::test(flavor = "multi_thread")]
async fn docker_passes_the_conformance_suite() {
    let endpoint = discover().into_iter().next().expect("discovery always lists an address");
    let address = endpoint.address.clone();
    let engine = Arc::new(DockerEngine::new(endpoint));
    let version = engine.probe().await.unwrap_or_else(|error| panic!("Docker at {address}: {error}"));
    let image = std::env::var("AICOCKPIT_TEST_IMAGE").unwrap_or_else(|_| IMAGE.to_owned());
    if let Err(EngineError::ImageNotFound(_)) = engine.inspect_image(&image).await {
        let pulled = engine.pull_image(&image, &aicockpit_engine::Progress::ignored()).await;
        pulled.unwrap_or_else(|error| panic!("the suite needs the image {image}: {error}"));
    }
    println!("Docker {} at {address}, {:?}", version.version, version.capabilities);
    let fixture = Fixture { image, prefix: format!("aicockpit-test-d{}", std::process::id()) };
    let filter = std::env::var("AICOCKPIT_TEST_CASES").unwrap_or_default();
    let report = conformance_of(engine, &fixture, &filter).await;
    for name in &report.passed {
        println!("passed    {name}");
    }
    for (name, reason) in &report.declined {
        println!("declined  {name}: {reason}");
    }
    for (name, failure) in &report.failed {
        println!("FAILED    {name}: {failure}");
    }
    assert!(report.failed.is_empty(), "{} cases failed", report.failed.len());
    assert!(!report.passed.is_empty(), "no case ran");
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_unavailable() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let socket = folder.path().join("docker.sock");
    let engine = DockerEngine::new(DockerEndpoint {
        id: EngineId::new("docker-absent"),
        kind: EngineKind::Docker,
        name: "Docker".to_owned(),
        address: format!("unix://{}", socket.display()),
        of_user: false,
    });
    let missing = engine.probe().await;
    assert!(matches!(missing, Err(EngineError::Unavailable(_))), "without a socket: {missing:?}");
    // A socket that nobody serves any more.
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("a socket"));
    let refused = engine.list_containers(&[]).await;
    assert!(matches!(refused, Err(EngineError::Unavailable(_))), "with a dead socket: {refused:?}");
}
