//! Clusters of the kubeconfig: listed, and left alone until the settings switch them on. The cluster is a listener that
//! counts who comes and lets nobody in.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use aicockpit_cockpit::{Cockpit, Config, EngineSelection};
use aicockpit_protocol::ErrorCode;
use aicockpit_protocol::api::CreateWorkspace;
use aicockpit_protocol::engine::{ClusterSettings, EngineHealth, EngineInfo, EngineKind};
use aicockpit_protocol::workspace::Source;
use aicockpit_testkit::{empty_spec, without_engines};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const SOON: Duration = Duration::from_secs(60);
/// Name of the context.
const CONTEXT: &str = "team/staging";
/// Names the cluster's port to the test that runs in a process of its own, where `KUBECONFIG` is set.
const PORT: &str = "AICOCKPIT_TEST_CLUSTER_PORT";

#[tokio::test]
async fn a_cluster_is_spoken_to_only_while_it_is_switched_on() {
    let folder = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let kubeconfig = folder.path().join("config");
    let config = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": CONTEXT,
        "clusters": [{"name": "c", "cluster": {"server": format!("http://127.0.0.1:{port}")}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": "c", "user": "u"}}],
    });
    std::fs::write(&kubeconfig, config.to_string()).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["switched_on_and_off", "--exact", "--ignored", "--nocapture"]);
    command.env("KUBECONFIG", &kubeconfig).env(PORT, port.to_string());
    let ran = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "run by the test above, with a kubeconfig of its own"]
async fn switched_on_and_off() {
    let port: u16 = std::env::var(PORT).unwrap().parse().unwrap();
    let visits = listen(port).await;
    let folder = tempfile::tempdir().unwrap();
    let cockpit = start(folder.path()).await;
    cockpit.engines().settled().await;

    let off = cluster(&cockpit.engines().list());
    assert_eq!((off.name.as_str(), off.health), (CONTEXT, EngineHealth::Off));
    assert!(off.problem.as_ref().unwrap().contains("is switched off. Switch it on in Settings"), "{off:?}");
    let request = CreateWorkspace { name: None, engine: Some(off.id.clone()), spec: empty_spec() };
    assert_eq!(request.spec.source, Source::Empty);
    let refused = cockpit.workspaces().create(request).await.unwrap_err();
    assert_eq!((refused.code, Some(refused.message)), (ErrorCode::EngineUnavailable, off.problem));
    assert_eq!(cluster(&cockpit.engines().refresh().await).health, EngineHealth::Off);
    assert_eq!(visits.load(Ordering::SeqCst), 0, "nobody came near it");

    switch(&cockpit, true).await;
    // What is asked now waits for the answer.
    let _ = cockpit.engines().when_ready(&off.id).await;
    let on = cluster(&cockpit.engines().list());
    assert!(!matches!(on.health, EngineHealth::Off | EngineHealth::Checking | EngineHealth::Ready), "{on:?}");
    let seen = visits.load(Ordering::SeqCst);
    assert!(seen > 0, "{on:?}");
    let again = cluster(&cockpit.engines().refresh().await);
    assert_eq!(again.health, on.health);
    assert!(visits.load(Ordering::SeqCst) > seen, "looking again does not wait");

    switch(&cockpit, false).await;
    let _ = cockpit.engines().when_ready(&off.id).await;
    assert_eq!(cockpit.engines().health(&off.id), Some(EngineHealth::Off));
    let seen = visits.load(Ordering::SeqCst);
    assert_eq!(cluster(&cockpit.engines().refresh().await).health, EngineHealth::Off);
    assert_eq!(visits.load(Ordering::SeqCst), seen, "nobody comes any more");
    cockpit.shutdown().await;
}

async fn start(folder: &Path) -> Arc<Cockpit> {
    let config = Config { engines: EngineSelection::Discover, ..without_engines(folder) };
    tokio::time::timeout(SOON, Cockpit::start(config)).await.unwrap().unwrap()
}

fn cluster(engines: &[EngineInfo]) -> EngineInfo {
    engines.iter().find(|engine| engine.kind == EngineKind::Kubernetes).unwrap().clone()
}

async fn switch(cockpit: &Cockpit, enabled: bool) {
    let mut settings = cockpit.settings();
    settings.clusters.insert(CONTEXT.to_owned(), ClusterSettings { enabled, ..Default::default() });
    cockpit.put_settings(settings).await.unwrap();
}

/// Lets nobody in; how many came.
async fn listen(port: u16) -> Arc<AtomicUsize> {
    let visits = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&visits);
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let body = r#"{"kind":"Status","status":"Failure","reason":"Unauthorized","code":401}"#;
                let reply = format!(
                    "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(reply.as_bytes()).await;
            });
        }
    });
    visits
}
