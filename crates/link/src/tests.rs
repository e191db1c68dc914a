//! Both ends of a link over an in-memory pipe.

use crate::{Incoming, Link, LinkError, LinkStream, MAX_STREAMS, join, read_frame, write_frame};
use std::io::ErrorKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn pair() -> (Link, Incoming) {
    let (client, server) = tokio::io::duplex(64 * 1024);
    (Link::client(client), Incoming::server(server))
}

async fn echo(mut stream: LinkStream) -> std::io::Result<()> {
    let (mut reader, mut writer) = tokio::io::split(&mut stream);
    tokio::io::copy(&mut reader, &mut writer).await?;
    writer.shutdown().await
}

fn echo_all(mut incoming: Incoming) {
    tokio::spawn(async move {
        while let Some(stream) = incoming.accept().await {
            tokio::spawn(echo(stream));
        }
    });
}

#[tokio::test]
async fn many_streams_echo_at_once() {
    let (link, incoming) = pair();
    echo_all(incoming);
    let mut tasks = Vec::new();
    for number in 0..200u32 {
        let link = link.clone();
        tasks.push(tokio::spawn(async move {
            let mut stream = link.open().await.unwrap();
            for round in 0..10 {
                let frame = format!("stream {number} round {round}").into_bytes();
                write_frame(&mut stream, &frame).await.unwrap();
                assert_eq!(read_frame(&mut stream, 1024).await.unwrap(), Some(frame));
            }
            stream.shutdown().await.unwrap();
            assert_eq!(read_frame(&mut stream, 1024).await.unwrap(), None, "the echo ends cleanly");
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_stream_that_nobody_reads_does_not_hold_up_the_others() {
    let (link, mut incoming) = pair();
    let mut stuck = link.open().await.unwrap();
    let writer = tokio::spawn(async move {
        let piece = vec![7; 64 * 1024];
        loop {
            if stuck.write_all(&piece).await.is_err() {
                break;
            }
        }
    });
    let _unread = incoming.accept().await.unwrap();
    echo_all(incoming);
    for _ in 0..20 {
        let mut stream = link.open().await.unwrap();
        stream.write_all(b"ping").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"ping");
    }
    assert!(!writer.is_finished(), "the unread stream waits for its reader");
    link.close();
    writer.await.unwrap();
}

#[tokio::test]
async fn a_big_transfer_arrives_whole() {
    let (link, mut incoming) = pair();
    let size = 64 * 1024 * 1024usize;
    let sender = tokio::spawn(async move {
        let mut stream = incoming.accept().await.unwrap();
        read_frame(&mut stream, 0).await.unwrap();
        let piece: Vec<u8> = (0..=255).cycle().take(256 * 1024).collect();
        for _ in 0..size / piece.len() {
            stream.write_all(&piece).await.unwrap();
        }
        stream.shutdown().await.unwrap();
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    });
    let mut stream = link.open().await.unwrap();
    write_frame(&mut stream, b"").await.unwrap();
    let mut total = 0usize;
    let mut buffer = vec![0; 100_000];
    loop {
        let count = stream.read(&mut buffer).await.unwrap();
        if count == 0 {
            break;
        }
        assert!(buffer[..count].iter().enumerate().all(|(at, &byte)| byte == ((total + at) % 256) as u8));
        total += count;
    }
    assert_eq!(total, size);
    stream.shutdown().await.unwrap();
    sender.await.unwrap();
}

#[tokio::test]
async fn a_dropped_stream_reads_as_reset_not_as_end() {
    let (link, mut incoming) = pair();
    let mut stream = link.open().await.unwrap();
    stream.write_all(b"half").await.unwrap();
    let mut accepted = incoming.accept().await.unwrap();
    drop(stream);
    let mut received = Vec::new();
    let error = accepted.read_to_end(&mut received).await.unwrap_err();
    assert_eq!((received.as_slice(), error.kind()), (&b"half"[..], ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_cut_pipe_ends_both_sides_and_says_so() {
    let (client, server) = tokio::io::duplex(64 * 1024);
    let (middle_a, middle_b) = tokio::io::duplex(64 * 1024);
    let cable = tokio::spawn(async move {
        let (mut near, mut far) = (server, middle_a);
        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
    });
    let link = Link::client(client);
    let mut incoming = Incoming::server(middle_b);
    let mut stream = link.open().await.unwrap();
    write_frame(&mut stream, b"before the cut").await.unwrap();
    let mut accepted = incoming.accept().await.unwrap();
    assert_eq!(read_frame(&mut accepted, 100).await.unwrap().unwrap(), b"before the cut");
    let reading = tokio::spawn(async move { read_frame(&mut accepted, 100).await });
    cable.abort();
    assert_eq!(link.closed().await, LinkError::Ended);
    assert!(matches!(reading.await.unwrap(), Err(LinkError::Io(_))));
    assert!(incoming.accept().await.is_none());
    assert_eq!(link.open().await.unwrap_err(), LinkError::Ended);
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
    assert_eq!(stream.write(&[0; 1]).await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
}

#[tokio::test]
async fn closing_wakes_everyone_who_waits() {
    let (link, mut incoming) = pair();
    let mut stream = link.open().await.unwrap();
    stream.write_all(b"x").await.unwrap();
    let mut accepted = incoming.accept().await.unwrap();
    accepted.read_exact(&mut [0; 1]).await.unwrap();
    let near = tokio::spawn(async move { stream.read(&mut [0; 1]).await });
    let far = tokio::spawn(async move { accepted.read(&mut [0; 1]).await });
    link.close();
    assert_eq!(near.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionAborted);
    assert_eq!(far.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionAborted);
    assert_eq!(link.closed().await, LinkError::Closed);
    assert_eq!(incoming.closed().await, LinkError::Ended);
}

#[tokio::test]
async fn what_was_written_before_closing_still_arrives() {
    let (link, mut incoming) = pair();
    let mut stream = link.open().await.unwrap();
    let bytes = vec![3; 200_000];
    stream.write_all(&bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut accepted = incoming.accept().await.unwrap();
    link.close();
    let mut received = Vec::new();
    accepted.read_to_end(&mut received).await.unwrap();
    assert!(received == bytes);
}

#[tokio::test]
async fn garbage_ends_the_link_with_a_reason() {
    let (mut client, server) = tokio::io::duplex(64 * 1024);
    let mut incoming = Incoming::server(server);
    client.write_all(&[0xAB; 4096]).await.unwrap();
    assert!(incoming.accept().await.is_none());
    assert!(matches!(incoming.closed().await, LinkError::Protocol(_)));
}

#[tokio::test]
async fn too_many_streams_are_refused_and_the_link_lives_on() {
    let (link, mut incoming) = pair();
    let mut held = Vec::new();
    for number in 0..MAX_STREAMS {
        let mut stream = link.open().await.unwrap();
        write_frame(&mut stream, &number.to_le_bytes()).await.unwrap();
        let mut accepted = incoming.accept().await.unwrap();
        write_frame(&mut accepted, b"welcome").await.unwrap();
        assert!(read_frame(&mut stream, 100).await.unwrap().is_some());
        held.push((stream, accepted));
    }
    assert_eq!(link.open().await.unwrap_err(), LinkError::TooManyStreams);
    held.clear();
    echo_all(incoming);
    let mut stream = link.open().await.unwrap();
    write_frame(&mut stream, b"again").await.unwrap();
    assert_eq!(read_frame(&mut stream, 100).await.unwrap().unwrap(), b"again");
}

#[tokio::test]
async fn a_link_runs_over_two_separate_pipes() {
    let (to_agent, stdin) = tokio::io::duplex(1024);
    let (stdout, from_agent) = tokio::io::duplex(1024);
    let link = Link::client(join(from_agent, to_agent));
    echo_all(Incoming::server(join(stdin, stdout)));
    let mut stream = link.open().await.unwrap();
    write_frame(&mut stream, b"through an exec").await.unwrap();
    assert_eq!(read_frame(&mut stream, 100).await.unwrap().unwrap(), b"through an exec");
}
