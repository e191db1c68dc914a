//! Podman against the suite that every engine passes. Needs a running service: there is no silent skip.
//! `AICOCKPIT_TEST_PODMAN_SOCKET` names another socket than the one found first, for instance a rootless user's.

use aicockpit_engine::{Engine, EngineError, Fixture, conformance_of};
use aicockpit_engine_podman::{PodmanEndpoint, PodmanEngine, discover};
use aicockpit_protocol::EngineId;
use aicockpit_protocol::engine::EngineKind;
use std::sync::Arc;

/// The image that the suite runs on, unless `AICOCKPIT_TEST_IMAGE` names another.
const IMAGE: &str = "debian:bookworm";

fn at_socket(socket: &str) -> PodmanEndpoint {
    PodmanEndpoint {
        id: EngineId::new("podman-test"),
        kind: EngineKind::Podman,
        name: "Podman".to_owned(),
        address: format!("unix://{socket}"),
        of_user: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn podman_passes_the_conformance_suite() {
    let endpoint = match std::env::var("AICOCKPIT_TEST_PODMAN_SOCKET") {
        Ok(socket) => at_socket(&socket),
        Err(_) => discover().into_iter().next().expect("discovery always lists an address"),
    };
    let address = endpoint.address.clone();
    let engine = Arc::new(PodmanEngine::new(endpoint));
    let version = engine.probe().await.unwrap_or_else(|error| panic!("Podman at {address}: {error}"));
    let image = std::env::var("AICOCKPIT_TEST_IMAGE").unwrap_or_else(|_| IMAGE.to_owned());
    if let Err(EngineError::ImageNotFound(_)) = engine.inspect_image(&image).await {
        let pulled = engine.pull_image(&image, &aicockpit_engine::Progress::ignored()).await;
        pulled.unwrap_or_else(|error| panic!("the suite needs the image {image}: {error}"));
    }
    println!("Podman {} at {address}, {:?}", version.version, version.capabilities);
    let fixture = Fixture { image, prefix: format!("aicockpit-test-p{}", std::process::id()) };
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
    let socket = folder.path().join("podman.sock");
    let engine = PodmanEngine::new(at_socket(&socket.to_string_lossy()));
    let missing = engine.probe().await;
    assert!(matches!(missing, Err(EngineError::Unavailable(_))), "without a socket: {missing:?}");
    // A socket that nobody serves any more.
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("a socket"));
    let refused = engine.create_volume("x", &[]).await;
    assert!(matches!(refused, Err(EngineError::Unavailable(_))), "with a dead socket: {refused:?}");
}
