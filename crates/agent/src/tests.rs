//! The daemon over an in-memory pipe, as a cockpit sees it.

mod client;
mod programs;
mod terminals;

use aicockpit_link::{read_frame, write_frame};
use aicockpit_protocol::ErrorCode;
use aicockpit_protocol::agent::{Answer, Call, FromAgent, MAX_MESSAGE_LEN, Notice, PROTOCOL_VERSION, decode};
use aicockpit_protocol::fs::{ReadFile, Stat, WatchDirectories, WriteCondition, WriteFile};
use client::Client;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn the_inside_is_described() {
    let client = Client::new().await;
    let Answer::Inside(inside) = client.ask(Call::Inside).await.unwrap() else { panic!("no description") };
    assert_eq!(inside.uid, nix::unistd::Uid::current().as_raw());
    assert_eq!(inside.folder, client.folder());
    assert!(inside.shells.iter().any(|shell| shell.ends_with("sh")), "{inside:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_written_read_and_watched() {
    let client = Client::new().await;
    let path = client.folder().join(b"file.txt");
    client.ask(Call::Watch(WatchDirectories { paths: vec![client.folder()] })).await.unwrap();
    let write = WriteFile { path: path.clone(), condition: WriteCondition::Missing, create_parents: false };
    let content = b"content".to_vec();
    let written = client.ask(Call::Write { write: write.clone(), content: content.clone() }).await.unwrap();
    let Answer::Stat(stat) = written else { panic!("{written:?}") };
    let read = client.ask(Call::Read(ReadFile { path: path.clone(), offset: 0, length: 100 })).await.unwrap();
    let Answer::Chunk(chunk) = read else { panic!("{read:?}") };
    assert_eq!((chunk.content, chunk.stat), (content, stat));
    client
        .notice(
            |notice| matches!(notice, Notice::Files(files) if files.directories.contains(&client.folder())),
        )
        .await;
    let error = client.ask(Call::Stat(Stat { path: client.folder().join(b"none") })).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_at_once_are_all_answered() {
    let client = Client::new().await;
    let asked = (0..500).map(|number| {
        let client = client.clone();
        tokio::spawn(async move {
            match number % 3 {
                0 => client.ask(Call::Ping).await,
                1 => client.ask(Call::Processes).await,
                _ => client.ask(Call::Stat(Stat { path: client.folder() })).await,
            }
        })
    });
    for answer in asked.collect::<Vec<_>>() {
        answer.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn listening_ports_are_told_as_they_come_and_go() {
    let client = Client::new().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    client
        .notice(
            |notice| matches!(notice, Notice::Ports(ports) if ports.iter().any(|known| known.port == port)),
        )
        .await;
    drop(listener);
    client
        .notice(
            |notice| matches!(notice, Notice::Ports(ports) if ports.iter().all(|known| known.port != port)),
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_is_told_ours_and_let_go() {
    let client = Client::new().await;
    let mut stream =
        client.stream(&aicockpit_protocol::agent::Open::Control { version: PROTOCOL_VERSION + 1 }).await;
    let welcome = read_frame(&mut stream, MAX_MESSAGE_LEN).await.unwrap().unwrap();
    let welcome = decode::<FromAgent>(&welcome).unwrap();
    assert!(matches!(welcome, FromAgent::Welcome { version: PROTOCOL_VERSION, .. }));
    assert!(!matches!(read_frame(&mut stream, 100).await, Ok(Some(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_on_a_stream_or_a_whole_link_harms_nobody_else() {
    let client = Client::new().await;
    for nonsense in [&b"\xFF\xFF\xFF\xFFtoo long"[..], b"\x04\x00\x00\x00\xC1\xC1\xC1\xC1", b"\x01"] {
        let mut stream = client.link().open().await.unwrap();
        stream.write_all(nonsense).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert_eq!(rest, b"");
    }
    let (mut near, far) = tokio::io::duplex(4096);
    let serving = tokio::spawn(client.daemon().serve(far));
    near.write_all(&[0x55; 4096]).await.unwrap();
    tokio::time::timeout(PATIENCE, serving).await.unwrap().unwrap();
    let mut stream =
        client.stream(&aicockpit_protocol::agent::Open::Control { version: PROTOCOL_VERSION }).await;
    write_frame(&mut stream, b"no request").await.unwrap();
    while let Ok(Some(_)) = read_frame(&mut stream, MAX_MESSAGE_LEN).await {}
    assert_eq!(client.ask(Call::Ping).await.unwrap(), Answer::Unit);
}
