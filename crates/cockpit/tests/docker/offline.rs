//! Offline: no byte of a pull or a clone leaves this machine, looked at on the network.

use crate::common::*;
use aicockpit_cockpit::Cockpit;
use aicockpit_protocol::ErrorCode;
use aicockpit_protocol::workspace::{Image, Source, Workspace, WorkspaceState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::AsyncReadExt as _;

/// A server at an address of this machine that containers and engines take for any other: it takes connections, and
/// says nothing.
struct Elsewhere {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

impl Elsewhere {
    async fn new() -> Self {
        // This asks the kernel for the address, without sending.
        let probe = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        probe.connect("192.0.2.1:9").unwrap();
        let listener = tokio::net::TcpListener::bind((probe.local_addr().unwrap().ip(), 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (came, went) = (Arc::clone(&connections), Arc::clone(&ended));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                came.fetch_add(1, Ordering::SeqCst);
                let went = Arc::clone(&went);
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
                    went.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, connections, ended }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn set_offline(cockpit: &Arc<Cockpit>, offline: bool) {
    let settings = aicockpit_protocol::api::Settings { offline, ..cockpit.settings() };
    cockpit.put_settings(settings).await.unwrap();
}

fn error_code(workspace: &Workspace) -> ErrorCode {
    assert_eq!(workspace.state, WorkspaceState::Failed);
    workspace.plan.as_ref().unwrap().error.as_ref().unwrap().code
}

fn no_helper_stays(workspace: &Workspace) {
    let objects = objects(&workspace.id);
    assert!(!objects.iter().any(|name| name.starts_with("container")), "{objects:?}");
}

#[tokio::test]
async fn neither_a_clone_nor_a_pull_sends_anything_off_the_machine() {
    let data = tempfile::tempdir().unwrap();
    let elsewhere = Elsewhere::new().await;
    let cockpit = start(&data.path().join("data"), docker()).await;
    set_offline(&cockpit, true).await;
    let url = format!("http://{}/team/project.git", elsewhere.address);
    let far = spec(Source::Git { url: url.clone(), branch: None });
    let mut pulled = spec(Source::Empty);
    pulled.image = Image::Reference { reference: format!("{}/team/image:1", elsewhere.address) };
    for asked in [far.clone(), pulled.clone()] {
        let workspace = create(&cockpit, asked).await;
        assert_eq!(error_code(&workspace), ErrorCode::Offline);
        no_helper_stays(&workspace);
        cockpit.workspaces().delete(&workspace.id).await.unwrap();
        assert_nothing_left(&workspace.id);
    }
    assert_eq!(elsewhere.connections(), 0, "nothing was sent");

    // What lies here is used as ever.
    let url = repository(data.path()).display().to_string();
    let near = create_running(&cockpit, spec(Source::Git { url, branch: None })).await;
    cockpit.workspaces().delete(&near.id).await.unwrap();
    assert_nothing_left(&near.id);

    // Online the same pull goes out: it is the switch that held it back.
    set_offline(&cockpit, false).await;
    let creating = tokio::spawn({
        let cockpit = Arc::clone(&cockpit);
        async move { create(&cockpit, pulled).await }
    });
    tokio::time::timeout(PATIENCE, async {
        while elsewhere.connections() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the engine connects");
    // It hangs there until the switch cuts it off.
    set_offline(&cockpit, true).await;
    let workspace = creating.await.unwrap();
    assert_eq!(error_code(&workspace), ErrorCode::Offline);
    cockpit.workspaces().delete(&workspace.id).await.unwrap();
    cockpit.shutdown().await;
}

#[tokio::test]
async fn a_clone_that_is_under_way_is_cut_off() {
    let data = tempfile::tempdir().unwrap();
    let elsewhere = Elsewhere::new().await;
    let cockpit = start(&data.path().join("data"), docker()).await;
    let url = format!("http://{}/team/project.git", elsewhere.address);
    let creating = tokio::spawn({
        let cockpit = Arc::clone(&cockpit);
        async move { create(&cockpit, spec(Source::Git { url, branch: None })).await }
    });
    tokio::time::timeout(PATIENCE, async {
        while elsewhere.connections() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("Git connects");
    set_offline(&cockpit, true).await;
    let workspace = creating.await.unwrap();
    assert_eq!(error_code(&workspace), ErrorCode::Offline);
    no_helper_stays(&workspace);
    tokio::time::timeout(PATIENCE, async {
        while elsewhere.ended.load(Ordering::SeqCst) < elsewhere.connections() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("Git's connection is closed");
    cockpit.workspaces().delete(&workspace.id).await.unwrap();
    assert_nothing_left(&workspace.id);
    cockpit.shutdown().await;
}
