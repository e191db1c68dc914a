//! What happens when the agent's link is cut at any byte. Each run is made from one seed, which a failure prints.

use super::model::{Cut, Model, SNAPSHOT};
use super::streams::Streams;
use super::terminal;
use crate::agent::{AgentHandle, Pipe, PostMortem};
use aicockpit_protocol::agent::{Answer, Call, Download, Open};
use aicockpit_protocol::api::StreamEnd;
use aicockpit_protocol::frame::{Frame, FrameKind};
use aicockpit_protocol::fs::{ReadFile, WriteCondition, WriteFile};
use aicockpit_protocol::terminal::AttachTerminal;
use aicockpit_protocol::{BytePath, ErrorCode, TerminalId};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

const SEEDS: u64 = 150;

/// A client whose every pipe to the model breaks after some bytes.
fn unreliable(model: &Arc<Model>, seed: u64) -> AgentHandle {
    let random = Arc::new(Mutex::new(StdRng::seed_from_u64(seed)));
    let model = Arc::clone(model);
    let (handle, mut news) = AgentHandle::new(Arc::new(move || {
        let left = random.lock().unwrap().random_range(1..20_000);
        let model = Arc::clone(&model);
        Box::pin(async move {
            let (near, far) = tokio::io::duplex(4096);
            tokio::spawn(model.serve(far));
            let post_mortem = Box::pin(async { PostMortem::default() });
            Ok(Pipe { io: Box::new(Cut { io: near, left }), build: None, post_mortem })
        })
    }));
    tokio::spawn(async move { while news.recv().await.is_some() {} });
    handle
}

fn for_each_seed<F: Future<Output = ()>>(run: impl Fn(u64) -> F) {
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(3600), run(seed)).await.unwrap() });
    }
}

#[tokio::test]
async fn transfers_and_forwards_have_a_connection_of_their_own_where_the_way_is_long() {
    let (model, pipes) = (Model::new(usize::MAX / 2), Arc::new(AtomicUsize::new(0)));
    let made = Arc::clone(&pipes);
    let (agent, mut news) = AgentHandle::with_bulk_apart(Arc::new(move || {
        made.fetch_add(1, Ordering::SeqCst);
        let model = Arc::clone(&model);
        Box::pin(async move {
            let (near, far) = tokio::io::duplex(4096);
            tokio::spawn(model.serve(far));
            Ok(Pipe {
                io: Box::new(near),
                build: None,
                post_mortem: Box::pin(async { PostMortem::default() }),
            })
        })
    }));
    let told = tokio::spawn(async move { while news.recv().await.is_some() {} });
    let _lease = agent.lease();
    assert_eq!(agent.call(Call::Ping).await, Ok(Answer::Unit));
    let terminal = Open::Terminal(AttachTerminal { terminal: TerminalId(1), from: None });
    agent.open(terminal.clone()).await.unwrap();
    assert_eq!(pipes.load(Ordering::SeqCst), 1, "only what is large needs another");
    let wanted = || Open::Download(Download { path: BytePath::from("/x"), archive: true });
    agent.open(wanted()).await.unwrap();
    agent.open(wanted()).await.unwrap();
    agent.open(terminal).await.unwrap();
    assert_eq!(pipes.load(Ordering::SeqCst), 2);
    agent.close();
    assert!(agent.open(wanted()).await.is_err(), "closed with the first");
    told.await.unwrap();
}

#[test]
fn calls_answer_right_or_fail_and_acknowledged_writes_stay() {
    for_each_seed(|seed| async move {
        let model = Model::new(usize::MAX / 2);
        let agent = unreliable(&model, seed);
        let _lease = agent.lease();
        let mut random = StdRng::seed_from_u64(seed ^ 0xF00D);
        let path = BytePath::from("/file");
        // What the file may hold: more than one thing only after a write whose fate is not known.
        let mut possible = vec![Vec::new()];
        for step in 0..40u32 {
            let length = random.random_range(0..8000);
            let content = [&step.to_le_bytes()[..], &vec![7; length]].concat();
            let write =
                WriteFile { path: path.clone(), condition: WriteCondition::Any, create_parents: false };
            match agent.call(Call::Write { write, content: content.clone() }).await {
                Ok(Answer::Stat(stat)) => {
                    assert_eq!(stat.size, content.len() as u64);
                    possible = vec![content];
                }
                Ok(other) => panic!("{other:?}"),
                Err(error) => {
                    assert_eq!(error.code, ErrorCode::AgentUnavailable, "{error}");
                    possible.push(content);
                }
            }
            let read = ReadFile { path: path.clone(), offset: 0, length: 10_000 };
            match agent.call(Call::Read(read)).await {
                Ok(Answer::Chunk(chunk)) => {
                    assert!(possible.contains(&chunk.content), "step {step}: another content");
                    possible = vec![chunk.content];
                }
                Ok(other) => panic!("{other:?}"),
                Err(error) => assert_eq!(error.code, ErrorCode::AgentUnavailable, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(random.random_range(0..2000))).await;
        }
        let held = model.files.lock().unwrap().get(&path).map(|file| file.1.clone()).unwrap_or_default();
        assert!(possible.contains(&held));
        agent.close();
    });
}

/// What a client made of one attachment.
struct Seen {
    bytes: Vec<u8>,
    end: Option<StreamEnd>,
}

/// Reads frames of one stream until its end, or until `enough`.
async fn follow(
    streams: &Arc<Streams>,
    frames: &mut mpsc::Receiver<Vec<u8>>,
    stream: u32,
    enough: impl Fn(&[u8]) -> bool,
) -> Seen {
    let mut bytes = Vec::new();
    while !enough(&bytes) {
        let message = frames.recv().await.expect("the sink is open");
        let frame = Frame::decode(&message).unwrap();
        // Frames of the attachment before may still be on their way.
        if frame.id != stream {
            continue;
        }
        match frame.kind {
            FrameKind::StreamData => {
                bytes.extend_from_slice(frame.body);
                streams.credit(stream, &frame.body.len().to_string());
            }
            FrameKind::StreamEnd => {
                return Seen { bytes, end: Some(serde_json::from_str(frame.json).unwrap()) };
            }
            kind => panic!("{kind:?}"),
        }
    }
    Seen { bytes, end: None }
}

/// Writes `total` known bytes to the model's terminal, in pieces, over time.
async fn write_output(model: Arc<Model>, seed: u64, total: usize) {
    let mut random = StdRng::seed_from_u64(seed ^ 0xBEEF);
    let mut written = 0;
    while written < total {
        let piece = random.random_range(1..6000).min(total - written);
        model.output.send_modify(|all| all.extend((written..written + piece).map(|n| (n % 251) as u8)));
        written += piece;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..3000))).await;
    }
}

#[test]
fn a_terminal_goes_on_over_cuts_without_a_lost_or_doubled_byte() {
    for_each_seed(|seed| async move {
        const TOTAL: usize = 200_000;
        let model = Model::new(usize::MAX / 2);
        let agent = unreliable(&model, seed);
        let (sink, mut frames) = mpsc::channel(4);
        let streams = Streams::new(sink);
        let output = tokio::spawn(write_output(Arc::clone(&model), seed, TOTAL));
        // Attaching fails where the very first bytes are cut; a person tries again.
        'attach: loop {
            let (stream, input, to_client) = streams.open().unwrap();
            let wanted = AttachTerminal { terminal: TerminalId(1), from: None };
            let Ok(attachment) = terminal::attach(&agent, wanted).await else { continue };
            let begin = attachment.attached.offset as usize;
            assert_eq!(attachment.attached.snapshot_len, SNAPSHOT.len() as u64);
            tokio::spawn(terminal::carry(agent.lease(), TerminalId(1), attachment, input, to_client));
            let whole = SNAPSHOT.len() + TOTAL - begin;
            let seen = follow(&streams, &mut frames, stream.0, |bytes| bytes.len() >= whole).await;
            let expected = [SNAPSHOT, &model.output.borrow()[begin..]].concat();
            assert!(expected.starts_with(&seen.bytes), "a byte was lost, doubled or changed");
            match seen.end {
                None => break 'attach,
                // The cut came within the snapshot: nothing to go on from.
                Some(StreamEnd::Resync) => assert!(seen.bytes.len() <= SNAPSHOT.len()),
                // The link was away for longer than a call waits.
                Some(StreamEnd::Failed { error }) => assert_eq!(error.code, ErrorCode::AgentUnavailable),
                Some(end) => panic!("{end:?}"),
            }
        }
        output.await.unwrap();
        agent.close();
    });
}

#[test]
fn a_terminal_whose_missed_output_is_gone_ends_with_resync() {
    for_each_seed(|seed| async move {
        // Nothing is kept: any byte written while the link is down makes the offset useless.
        let model = Model::new(0);
        let agent = unreliable(&model, seed);
        let (sink, mut frames) = mpsc::channel(4);
        let streams = Streams::new(sink);
        let output = tokio::spawn(write_output(Arc::clone(&model), seed, 100_000));
        let mut resyncs = 0;
        while !output.is_finished() {
            let (stream, input, to_client) = streams.open().unwrap();
            let wanted = AttachTerminal { terminal: TerminalId(1), from: None };
            let Ok(attachment) = terminal::attach(&agent, wanted).await else { continue };
            let begin = attachment.attached.offset as usize;
            tokio::spawn(terminal::carry(agent.lease(), TerminalId(1), attachment, input, to_client));
            let seen = tokio::select! {
                seen = follow(&streams, &mut frames, stream.0, |_| false) => seen,
                () = async { while !output.is_finished() { tokio::time::sleep(Duration::from_secs(1)).await } } => break,
            };
            let live = seen.bytes.get(SNAPSHOT.len()..).unwrap_or_default();
            assert!(model.output.borrow()[begin..].starts_with(live), "a byte was lost, doubled or changed");
            resyncs += usize::from(seen.end == Some(StreamEnd::Resync));
        }
        println!("{resyncs} resyncs");
        agent.close();
    });
}
