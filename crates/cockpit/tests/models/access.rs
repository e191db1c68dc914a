//! Programs of this machine: a port, and a key that outlives the cockpit.

use crate::common::{SOON, server, with_backend};
use aicockpit_cockpit::Cockpit;
use aicockpit_cockpit::socket::Client;
use aicockpit_protocol::ErrorCode;
use aicockpit_protocol::api::{Empty, ModelsAccess, OwnAccess, SettingsPut};
use aicockpit_testkit::without_engines;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// The status of a question with this key; none where nobody listens.
async fn status(port: u16, key: &str) -> Option<u16> {
    let asking = async {
        let mut tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()?;
        let question = format!(
            "GET /v1/models HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n"
        );
        tcp.write_all(question.as_bytes()).await.ok()?;
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.ok()?;
        answer.split(' ').nth(1)?.parse().ok()
    };
    tokio::time::timeout(SOON, asking).await.expect("an answer")
}

async fn listen(cockpit: &Arc<Cockpit>, port: Option<u16>) -> Result<(), aicockpit_protocol::ApiError> {
    let mut settings = cockpit.settings();
    settings.models.listen_port = port;
    Client::in_process(cockpit).call::<SettingsPut>(settings).await.map(drop)
}

async fn new_key(cockpit: &Arc<Cockpit>) -> Result<OwnAccess, aicockpit_protocol::ApiError> {
    Client::in_process(cockpit).call::<ModelsAccess>(Empty {}).await
}

#[tokio::test]
async fn programs_of_this_machine_come_in_by_a_key_that_outlives_the_cockpit() {
    let folder = tempfile::tempdir().unwrap();
    let (url, _asked) = server().await;
    let cockpit = Cockpit::start(without_engines(folder.path())).await.unwrap();
    cockpit.put_settings(with_backend(cockpit.settings(), &url, false)).await.unwrap();
    assert_eq!(new_key(&cockpit).await.unwrap_err().code, ErrorCode::InvalidState, "no port is open");

    let port = free_port();
    listen(&cockpit, Some(port)).await.unwrap();
    let first = new_key(&cockpit).await.unwrap();
    assert_eq!(first.url, format!("http://127.0.0.1:{port}/v1"));
    assert_eq!(status(port, &first.key).await, Some(200));
    assert_eq!(status(port, "aic-nobody").await, Some(401));
    let second = new_key(&cockpit).await.unwrap();
    assert_eq!(status(port, &first.key).await, Some(401), "the key before it has ended");
    cockpit.shutdown().await;
    drop(cockpit);

    let cockpit = Cockpit::start(without_engines(folder.path())).await.unwrap();
    let again = async {
        while status(port, &second.key).await != Some(200) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, again).await.expect("the key that was told last counts");
    listen(&cockpit, None).await.unwrap();
    let closed = async {
        while status(port, &second.key).await.is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, closed).await.expect("the port is given up");
    cockpit.shutdown().await;
}

#[tokio::test]
async fn a_port_that_another_program_has_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let cockpit = Cockpit::start(without_engines(folder.path())).await.unwrap();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let refused = listen(&cockpit, Some(port)).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::PortInUse);
    assert!(refused.message.contains(&port.to_string()), "{refused}");
    drop(taken);
    listen(&cockpit, Some(port)).await.expect("asked again, it is had");
    cockpit.shutdown().await;
}
