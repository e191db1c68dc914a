//! What a hostile agent may try over its link. It speaks the real protocol by a script, over a real link: whatever it
//! does is bounded, the link is closed where it broke a rule, and the error says so.

use super::streams::Streams;
use super::{terminal, transfer};
use crate::agent::{AgentHandle, Pipe, PostMortem};
use aicockpit_link::{Incoming, LinkStream, read_frame, write_frame};
use aicockpit_protocol::agent::{
    AgentError, Answer, Call, Chunk, Download, FromAgent, MAX_MESSAGE_LEN, Notice, Open, PROTOCOL_VERSION,
    Request, TERMINAL_DATA, decode, encode,
};
use aicockpit_protocol::api::{LinkState, StreamEnd};
use aicockpit_protocol::frame::{Frame, FrameKind, INITIAL_STREAM_CREDIT};
use aicockpit_protocol::fs::{FileKind, FileStat, ListDirectory, ReadFile, Stat};
use aicockpit_protocol::process::{Exec, ExecFrame};
use aicockpit_protocol::terminal::{AttachTerminal, Attached};
use aicockpit_protocol::{ApiError, BytePath, ErrorCode, TerminalId};
use futures::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

/// What the agent does with a stream whose first message it has read.
type Script = Arc<dyn Fn(LinkStream, Open) -> BoxFuture<'static, ()> + Send + Sync>;

/// The client of an agent that follows a script, and how often it was connected to.
fn hostile(script: Script) -> (AgentHandle, Arc<AtomicUsize>) {
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let (handle, mut news) = AgentHandle::new(Arc::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        let script = Arc::clone(&script);
        Box::pin(async move {
            let (near, far) = tokio::io::duplex(64 * 1024);
            tokio::spawn(serve(Incoming::server(far), script));
            let post_mortem = Box::pin(async { PostMortem::default() });
            Ok(Pipe { io: Box::new(near), build: None, post_mortem })
        })
    }));
    tokio::spawn(async move { while news.recv().await.is_some() {} });
    (handle, connections)
}

async fn serve(mut incoming: Incoming, script: Script) {
    while let Some(mut stream) = incoming.accept().await {
        let script = Arc::clone(&script);
        tokio::spawn(async move {
            let Ok(Some(first)) = read_frame(&mut stream, MAX_MESSAGE_LEN).await else { return };
            script(stream, decode(&first).unwrap()).await;
        });
    }
}

fn welcome() -> Vec<u8> {
    encode(&FromAgent::Welcome { version: PROTOCOL_VERSION, build: "0".to_owned() }).unwrap()
}

fn reply(id: u64, answer: Answer) -> Vec<u8> {
    encode(&FromAgent::Reply { id, result: Ok(answer) }).unwrap()
}

fn stat() -> FileStat {
    FileStat {
        kind: FileKind::File,
        target_kind: None,
        link_target: None,
        size: 0,
        modified_ms: 0,
        mode: 0o644,
        writable: true,
        version: "1".to_owned(),
    }
}

/// What the agent sends in answer to a call.
#[derive(Clone)]
enum Attack {
    /// One frame.
    Frame(Vec<u8>),
    /// These bytes, as they are.
    Raw(Vec<u8>),
}

/// A script whose control stream greets as it should, then meets each call with an attack made for its id.
fn at_each_call(attack: impl Fn(u64) -> Attack + Send + Sync + 'static) -> Script {
    let attack = Arc::new(attack);
    Arc::new(move |mut stream, open| {
        let attack = Arc::clone(&attack);
        Box::pin(async move {
            assert!(matches!(open, Open::Control { .. }), "{open:?}");
            let _ = write_frame(&mut stream, &welcome()).await;
            while let Ok(Some(message)) = read_frame(&mut stream, MAX_MESSAGE_LEN).await {
                let Request { id, call } = decode(&message).unwrap();
                let calm = match call {
                    Call::Ping | Call::Watch(_) => Some(Answer::Unit),
                    Call::Terminals => Some(Answer::Terminals(Vec::new())),
                    Call::Ports => Some(Answer::Ports(Vec::new())),
                    _ => None,
                };
                let sent = match calm.map_or_else(|| attack(id), |calm| Attack::Frame(reply(id, calm))) {
                    Attack::Frame(frame) => write_frame(&mut stream, &frame).await.is_ok(),
                    Attack::Raw(bytes) => stream.write_all(&bytes).await.is_ok(),
                };
                if !sent {
                    return;
                }
            }
        })
    })
}

fn within<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let work = tokio::time::timeout(Duration::from_secs(300), work);
    async { work.await.expect("it ends") }
}

#[tokio::test(start_paused = true)]
async fn a_broken_rule_ends_the_link_with_its_reason() {
    let deep = [vec![0x91; 200_000], vec![0xC0]].concat();
    let huge_map = [&[0xDF, 0xFF, 0xFF, 0xFF, 0xFF][..], &[0x01; 40]].concat();
    type Case = (&'static str, Script, &'static str);
    let cases: Vec<Case> = vec![
        (
            "a frame of 4 GiB",
            at_each_call(|_| Attack::Raw(vec![0xFF, 0xFF, 0xFF, 0xFF, 1, 2])),
            "at most 9437184 are accepted",
        ),
        (
            "an answer to a question that was never asked",
            at_each_call(|id| Attack::Frame(reply(id + 1_000_000, Answer::Unit))),
            "never sent",
        ),
        ("a second introduction", at_each_call(|_| Attack::Frame(welcome())), "twice"),
        ("no message at all", at_each_call(|_| Attack::Frame(b"nonsense".to_vec())), "cannot be read"),
        ("an empty message", at_each_call(|_| Attack::Frame(Vec::new())), "cannot be read"),
        (
            "a message nested without end",
            at_each_call(move |_| Attack::Frame(deep.clone())),
            "cannot be read",
        ),
        (
            "a list that says it has 4 billion entries",
            at_each_call(move |_| Attack::Frame(huge_map.clone())),
            "cannot be read",
        ),
        (
            "half a frame, and then the end",
            Arc::new(|mut stream, _| {
                Box::pin(async move {
                    let _ = write_frame(&mut stream, &welcome()).await;
                    let _ = read_frame(&mut stream, MAX_MESSAGE_LEN).await;
                    let _ = stream.write_all(&[100, 0, 0, 0, 1]).await;
                    let _ = stream.shutdown().await;
                })
            }),
            "",
        ),
    ];
    for (attack, script, reason) in cases {
        println!("{attack}");
        let (agent, connections) = hostile(script);
        let _lease = agent.lease();
        let mut states = agent.state();
        // Asked for once more after the first break, the call fails for good.
        let error = within(agent.call(Call::Stat(Stat { path: BytePath::from("/x") }))).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::AgentUnavailable, "{attack}: {error:?}");
        assert!(error.message.contains(reason), "{attack}: {error:?}");
        assert!(error.hint.is_some(), "{attack}: {error:?}");
        // What is waited for is let go of at once: it would keep the state from changing.
        let closed = states.wait_for(|state| matches!(state, LinkState::Reconnecting { .. }));
        assert!(within(closed).await.map(drop).is_ok(), "{attack}");
        let tried = connections.load(Ordering::SeqCst);
        assert!(tried < 40, "{attack}: {tried} connections in a minute, though each wait is longer");
        agent.close();
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_does_not_introduce_itself_is_refused() {
    let cases: [(&str, Vec<u8>, ErrorCode); 4] = [
        ("a frame of 4 GiB", vec![0xFF; 4], ErrorCode::AgentUnavailable),
        ("a long introduction", (1u32 << 20).to_le_bytes().to_vec(), ErrorCode::AgentUnavailable),
        ("nonsense", [&3u32.to_le_bytes()[..], b"abc"].concat(), ErrorCode::Protocol),
        ("nothing", Vec::new(), ErrorCode::AgentUnavailable),
    ];
    for (attack, bytes, code) in cases {
        let (agent, _) = hostile(Arc::new(move |mut stream, _| {
            let bytes = bytes.clone();
            Box::pin(async move {
                let _ = stream.write_all(&bytes).await;
                std::future::pending().await
            })
        }));
        let error = within(agent.call(Call::Inside)).await.unwrap_err();
        assert_eq!(error.code, code, "{attack}: {error:?}");
        agent.close();
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_do_not_fit_their_question_are_refused_and_the_link_stays() {
    let chunk = |len: usize| Answer::Chunk(Chunk { stat: stat(), content: vec![7; len] });
    let read = || Call::Read(ReadFile { path: BytePath::from("/x"), offset: 0, length: 100 });
    let list = || Call::List(ListDirectory { path: BytePath::from("/x"), first: None });
    let cases: Vec<(&str, Call, Answer)> = vec![
        ("more bytes than were asked for", read(), chunk(101)),
        ("another kind", list(), Answer::Unit),
        ("another kind", Call::Inside, chunk(1)),
        ("a text of 5 MB", Call::TerminalText(TerminalId(1)), Answer::Text("x".repeat(5 << 20))),
    ];
    for (attack, call, answer) in cases {
        let (agent, connections) = hostile(at_each_call(move |id| Attack::Frame(reply(id, answer.clone()))));
        let _lease = agent.lease();
        let error = within(agent.call(call)).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Protocol, "{attack}: {error:?}");
        assert_eq!(within(agent.call(Call::Ping)).await, Ok(Answer::Unit), "{attack}");
        assert_eq!(connections.load(Ordering::SeqCst), 1, "{attack}");
        agent.close();
    }
}

#[tokio::test]
async fn a_flood_of_notices_does_not_keep_answers_away_nor_pile_up() {
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    let (agent, _) = hostile(Arc::new(move |stream, _| {
        let count = Arc::clone(&count);
        Box::pin(async move {
            let (mut input, mut output) = tokio::io::split(stream);
            let _ = write_frame(&mut output, &welcome()).await;
            let notice = encode(&FromAgent::Notice(Notice::Ports(Vec::new()))).unwrap();
            let (ids, mut asked) = mpsc::unbounded_channel();
            let listening = async {
                while let Ok(Some(message)) = read_frame(&mut input, MAX_MESSAGE_LEN).await {
                    let _ = ids.send(decode::<Request>(&message).unwrap().id);
                }
            };
            let flooding = async {
                loop {
                    let frame = match asked.try_recv() {
                        Ok(id) => reply(id, Answer::Unit),
                        Err(_) => notice.clone(),
                    };
                    if write_frame(&mut output, &frame).await.is_err() {
                        return;
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                }
            };
            tokio::join!(listening, flooding);
        })
    }));
    let _lease = agent.lease();
    while sent.load(Ordering::Relaxed) < 20_000 {
        assert_eq!(within(agent.call(Call::Ping)).await, Ok(Answer::Unit));
    }
    agent.close();
}

/// A script that greets, and does this with every other stream.
fn on_streams<F, W>(with: F) -> Script
where
    F: Fn(LinkStream) -> W + Send + Sync + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let calm = at_each_call(|id| Attack::Frame(reply(id, Answer::Unit)));
    Arc::new(move |stream, open| match open {
        Open::Control { .. } => calm(stream, open),
        _ => Box::pin(with(stream)),
    })
}

fn ok<T: serde::Serialize>(value: T) -> Vec<u8> {
    encode(&Ok::<_, AgentError>(value)).unwrap()
}

/// The end of a stream, and how many bytes came before it.
async fn end(frames: &mut mpsc::Receiver<Vec<u8>>, streams: &Arc<Streams>) -> (StreamEnd, usize) {
    let mut count = 0;
    loop {
        let message = frames.recv().await.expect("an end");
        let frame = Frame::decode(&message).unwrap();
        match frame.kind {
            FrameKind::StreamData => {
                count += frame.body.len();
                streams.credit(frame.id, &frame.body.len().to_string());
            }
            FrameKind::StreamEnd => return (serde_json::from_str(frame.json).unwrap(), count),
            FrameKind::StreamCredit => {}
            other => panic!("{other:?}"),
        }
    }
}

fn failed(end: StreamEnd) -> ApiError {
    let StreamEnd::Failed { error } = end else { panic!("{end:?}") };
    error
}

#[tokio::test]
async fn an_endless_download_goes_no_further_than_its_client_reads() {
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    let (agent, _) = hostile(on_streams(move |mut stream| {
        let count = Arc::clone(&count);
        async move {
            let _ = write_frame(&mut stream, &ok(stat())).await;
            let piece = vec![0; 64 * 1024];
            while stream.write_all(&piece).await.is_ok() {
                count.fetch_add(piece.len() as u64, Ordering::SeqCst);
            }
            count.store(u64::MAX, Ordering::SeqCst);
        }
    }));
    let (sink, mut frames) = mpsc::channel(1024);
    let streams = Streams::new(sink);
    let (id, input, output) = streams.open().unwrap();
    let wanted = Download { path: BytePath::from("/x"), archive: true };
    let mut stream = agent.open(Open::Download(wanted)).await.unwrap();
    transfer::read_stat(&mut stream).await.unwrap();
    tokio::spawn(transfer::download(agent.lease(), stream, input, output));
    // A client that reads nothing gets its credit's worth, and the agent is held up behind the buffers on the way.
    let mut came = 0;
    while came < INITIAL_STREAM_CREDIT as usize {
        came += Frame::decode(&within(frames.recv()).await.unwrap()).unwrap().body.len();
    }
    assert_eq!(within(agent.call(Call::Ping)).await, Ok(Answer::Unit), "nothing else waits for it");
    let mut before = 0;
    loop {
        let now = sent.load(Ordering::SeqCst);
        if now == before && now > 0 {
            break;
        }
        before = now;
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    }
    assert!(before < 40 << 20, "{before} bytes are under way for nobody");
    assert!(frames.try_recv().is_err(), "no byte beyond the credit");
    // Let go of, it ends for the agent too.
    streams.ended(id.0, "{\"kind\":\"resync\"}");
    within(async {
        while sent.load(Ordering::SeqCst) != u64::MAX {
            tokio::task::yield_now().await;
        }
    })
    .await;
    agent.close();
}

#[tokio::test]
async fn a_download_that_does_not_begin_as_it_should_is_refused() {
    for (attack, bytes) in [
        ("a frame of 4 GiB", vec![0xFF; 8]),
        ("nonsense", [&3u32.to_le_bytes()[..], b"abc"].concat()),
        ("nothing", Vec::new()),
    ] {
        let (agent, _) = hostile(on_streams(move |mut stream| {
            let bytes = bytes.clone();
            async move {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
            }
        }));
        let wanted = Download { path: BytePath::from("/x"), archive: true };
        let mut stream = agent.open(Open::Download(wanted)).await.unwrap();
        let error = within(transfer::read_stat(&mut stream)).await.unwrap_err();
        assert!(
            matches!(error.code, ErrorCode::AgentUnavailable | ErrorCode::Protocol),
            "{attack}: {error:?}"
        );
        agent.close();
    }
}

#[tokio::test]
async fn a_programs_stream_that_breaks_the_rules_ends_with_a_reason() {
    let frame = |bytes: &[u8]| [&(bytes.len() as u32).to_le_bytes()[..], bytes].concat();
    let cases = [
        ("a frame of 4 GiB", vec![0xFF; 8]),
        ("a frame of 2 MiB", frame(&vec![ExecFrame::Data as u8; 2 << 20])),
        ("an unknown kind", frame(&[200, 1, 2])),
        ("an empty frame", frame(&[])),
        ("no exit status", frame(&[ExecFrame::Data as u8, b'x'])),
        ("half a frame", vec![100, 0, 0, 0, 0]),
    ];
    for (attack, bytes) in cases {
        let (agent, _) = hostile(on_streams(move |mut stream| {
            let bytes = bytes.clone();
            async move {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
            }
        }));
        let (sink, mut frames) = mpsc::channel(64);
        let streams = Streams::new(sink);
        let (_, input, output) = streams.open().unwrap();
        let exec = Exec { command: vec!["x".to_owned()], directory: None, env: Default::default() };
        let stream = agent.open(Open::Exec(exec)).await.unwrap();
        tokio::spawn(transfer::exec(agent.lease(), stream, input, output));
        let (end, came) = within(end(&mut frames, &streams)).await;
        let error = failed(end);
        assert!(
            matches!(error.code, ErrorCode::AgentUnavailable | ErrorCode::Protocol),
            "{attack}: {error:?}"
        );
        assert!(came < 16, "{attack}: {came} bytes were passed on");
        agent.close();
    }
}

#[tokio::test(start_paused = true)]
async fn a_terminal_that_breaks_the_rules_ends_with_a_reason() {
    let attached = |offset, snapshot_len| ok(Attached { offset, snapshot_len, columns: 80, rows: 24 });
    let framed = |bytes: Vec<u8>| [&(bytes.len() as u32).to_le_bytes()[..], &bytes].concat();
    let good = framed(attached(0, 0));
    let cases = [
        ("a frame of 4 GiB to begin with", vec![0xFF; 8]),
        ("a snapshot of 16 EiB", framed(attached(0, u64::MAX))),
        ("a place that nobody asked for", framed(attached(1 << 40, 0))),
        ("an endless frame", [&good[..], &[0xFF; 8]].concat()),
        ("a frame without a kind", [&good[..], &[0; 4]].concat()),
        ("an unknown kind", [&good[..], &framed(vec![99, 1])].concat()),
        ("attaching and letting go for ever", good.clone()),
        ("an offset that overflows", {
            [framed(attached(u64::MAX, 0)), framed(vec![TERMINAL_DATA; 100])].concat()
        }),
    ];
    for (attack, bytes) in cases {
        let (agent, _) = hostile(on_streams(move |mut stream| {
            let bytes = bytes.clone();
            async move {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
            }
        }));
        let (sink, mut frames) = mpsc::channel(64);
        let streams = Streams::new(sink);
        let (_, input, output) = streams.open().unwrap();
        let wanted = AttachTerminal { terminal: TerminalId(1), from: Some(0) };
        let error = match within(terminal::attach(&agent, wanted)).await {
            Err(error) => error,
            Ok(attachment) => {
                tokio::spawn(terminal::carry(agent.lease(), TerminalId(1), attachment, input, output));
                failed(within(end(&mut frames, &streams)).await.0)
            }
        };
        assert!(
            matches!(error.code, ErrorCode::AgentUnavailable | ErrorCode::Protocol),
            "{attack}: {error:?}"
        );
        agent.close();
    }
}
