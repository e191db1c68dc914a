//! Programs without a terminal, connections, searches and transfers.

use super::PATIENCE;
use super::client::Client;
use aicockpit_link::{LinkStream, read_frame, write_frame};
use aicockpit_protocol::ErrorCode;
use aicockpit_protocol::agent::{AgentError, Download, MAX_MESSAGE_LEN, Open, Upload, decode};
use aicockpit_protocol::fs::{FileStat, WriteCondition};
use aicockpit_protocol::port::ForwardTarget;
use aicockpit_protocol::process::{Exec, ExecFrame};
use aicockpit_protocol::search::{SearchMessage, SearchText};
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn shell(script: &str) -> Open {
    let env = BTreeMap::from([("WORD".to_owned(), "from the client".to_owned())]);
    Open::Exec(Exec { command: vec!["sh".into(), "-c".into(), script.into()], directory: None, env })
}

/// Stdout, stderr and the last frame.
async fn outcome(stream: &mut LinkStream) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let all = async {
        loop {
            let frame = read_frame(stream, MAX_MESSAGE_LEN).await.unwrap().expect("a last frame");
            match frame[0] {
                kind if kind == ExecFrame::Data as u8 => stdout.extend_from_slice(&frame[1..]),
                kind if kind == ExecFrame::Stderr as u8 => stderr.extend_from_slice(&frame[1..]),
                _ => return frame,
            }
        }
    };
    let last = tokio::time::timeout(PATIENCE, all).await.unwrap();
    (stdout, stderr, last)
}

fn exit(status: i32) -> Vec<u8> {
    [&[ExecFrame::Exit as u8][..], &status.to_le_bytes()].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_gets_input_and_gives_output_errors_and_status() {
    let client = Client::new().await;
    let mut stream = client.stream(&shell("cat; echo \"$WORD\"; pwd; echo wrong >&2; exit 3")).await;
    write_frame(&mut stream, b"\x00some input\n").await.unwrap();
    write_frame(&mut stream, b"\x00").await.unwrap();
    let (stdout, stderr, last) = outcome(&mut stream).await;
    let expected = format!("some input\nfrom the client\n{}\n", client.folder());
    assert_eq!(String::from_utf8(stdout).unwrap(), expected);
    assert_eq!((stderr.as_slice(), last), (&b"wrong\n"[..], exit(3)));
    assert_eq!(read_frame(&mut stream, 10).await.unwrap(), None, "the stream ends cleanly");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lot_of_output_and_a_signal_come_through() {
    let client = Client::new().await;
    let mut stream = client.stream(&shell("head -c 5000000 /dev/zero; kill -KILL $$")).await;
    let (stdout, _, last) = outcome(&mut stream).await;
    assert_eq!((stdout.len(), last), (5_000_000, exit(137)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_cannot_be_started_is_told_with_a_reason() {
    let client = Client::new().await;
    let missing = Exec { command: vec!["no-such-program".into()], directory: None, env: BTreeMap::new() };
    let mut stream = client.stream(&Open::Exec(missing)).await;
    let (_, _, last) = outcome(&mut stream).await;
    assert_eq!(last[0], ExecFrame::Failed as u8);
    assert!(String::from_utf8_lossy(&last).contains("no-such-program"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_background_program_neither_holds_the_stream_nor_is_killed() {
    let client = Client::new().await;
    let mut stream = client.stream(&shell("sleep 600 & echo $!")).await;
    let (stdout, _, last) = outcome(&mut stream).await;
    assert_eq!(last, exit(0));
    let pid: i32 = String::from_utf8(stdout).unwrap().trim().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)
        .expect("it still ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn letting_go_kills_the_whole_group() {
    let client = Client::new().await;
    let mut stream = client.stream(&shell("sleep 601 & echo $!; wait")).await;
    let frame = read_frame(&mut stream, 100).await.unwrap().unwrap();
    let pid = String::from_utf8_lossy(&frame[1..]).trim().to_owned();
    drop(stream);
    let gone = async {
        // A zombie has no command line any more.
        while std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty()) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_pass_bytes_both_ways_and_both_ends() {
    let client = Client::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut received = Vec::new();
        socket.read_to_end(&mut received).await.unwrap();
        socket.write_all(&received).await.unwrap();
        received.len()
    });
    let mut stream = client.stream(&Open::Connect(ForwardTarget { host: "localhost".into(), port })).await;
    let first = read_frame(&mut stream, 1000).await.unwrap().unwrap();
    decode::<Result<(), AgentError>>(&first).unwrap().unwrap();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let sending = tokio::spawn(async move {
        writer.write_all(&vec![5; 1_000_000]).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    let mut echoed = Vec::new();
    tokio::time::timeout(PATIENCE, reader.read_to_end(&mut echoed)).await.unwrap().unwrap();
    assert_eq!((echoed.len(), server.await.unwrap()), (1_000_000, 1_000_000));
    sending.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_is_told() {
    let client = Client::new().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut stream = client.stream(&Open::Connect(ForwardTarget { host: "localhost".into(), port })).await;
    let first = read_frame(&mut stream, 1000).await.unwrap().unwrap();
    let error = decode::<Result<(), AgentError>>(&first).unwrap().unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_stream_and_their_faults_are_told() {
    let client = Client::new().await;
    std::fs::write(client.folder().join(b"a.txt").as_path(), "one\nneedle\n").unwrap();
    let search = |pattern: &str, regex| {
        Open::Search(SearchText {
            root: client.folder(),
            pattern: pattern.into(),
            regex,
            case_sensitive: true,
            whole_word: false,
            include: vec![],
            exclude: vec![],
            include_ignored: false,
            max_matches: 100,
        })
    };
    let mut stream = client.stream(&search("needle", false)).await;
    let mut matches = 0;
    loop {
        let frame = read_frame(&mut stream, MAX_MESSAGE_LEN).await.unwrap().unwrap();
        match decode::<Result<SearchMessage, AgentError>>(&frame).unwrap().unwrap() {
            SearchMessage::Matches { files } => matches += files.len(),
            SearchMessage::Done { matches: counted, .. } => break assert_eq!((matches, counted), (1, 1)),
        }
    }
    let mut stream = client.stream(&search("(", true)).await;
    let frame = read_frame(&mut stream, MAX_MESSAGE_LEN).await.unwrap().unwrap();
    let error = decode::<Result<SearchMessage, AgentError>>(&frame).unwrap().unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_and_downloads_carry_whole_files_and_a_cut_one_leaves_nothing() {
    let client = Client::new().await;
    let path = client.folder().join(b"big.bin");
    let upload =
        Open::Upload(Upload { path: path.clone(), archive: false, condition: WriteCondition::Missing });
    let bytes: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
    let mut cut = client.stream(&upload).await;
    cut.write_all(&bytes[..1_000_000]).await.unwrap();
    drop(cut);
    let mut stream = client.stream(&upload).await;
    stream.write_all(&bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = read_frame(&mut stream, MAX_MESSAGE_LEN).await.unwrap().unwrap();
    let stat = decode::<Result<FileStat, AgentError>>(&answer).unwrap().unwrap();
    assert_eq!(stat.size, bytes.len() as u64);
    let mut stream = client.stream(&Open::Download(Download { path, archive: false })).await;
    let answer = read_frame(&mut stream, MAX_MESSAGE_LEN).await.unwrap().unwrap();
    assert_eq!(decode::<Result<FileStat, AgentError>>(&answer).unwrap().unwrap(), stat);
    let mut received = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut received)).await.unwrap().unwrap();
    assert!(received == bytes);
    let one = async {
        while std::fs::read_dir(client.folder().as_path()).unwrap().count() > 1 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, one).await.expect("the cut upload left nothing");
}
