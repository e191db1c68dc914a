//! A model server that answers from a script, on a thread of its own: fast enough not to be the limit.

use anyhow::{Context as _, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Bytes of text in an answer that is no stream.
const TEXT: usize = 800;

/// Ends with this value.
pub(super) struct Backend {
    pub(super) address: SocketAddr,
    pace: Arc<AtomicU64>,
    left: UnboundedReceiver<Left>,
    _stop: DropGuard,
}

/// A stream whose client went away.
pub(super) struct Left {
    /// When its connection was closed.
    pub(super) closed: Instant,
    /// When its place was free: a model server looks between two tokens whether anyone still listens.
    pub(super) free: Instant,
}

impl Backend {
    pub(super) fn start() -> Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").context("the scripted backend")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (tell, left) = mpsc::unbounded_channel();
        let pace = Arc::new(AtomicU64::new(0));
        let script = Arc::new(Script { whole: whole(), event: event(), pace: Arc::clone(&pace), tell });
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        std::thread::Builder::new().name("backend".to_owned()).spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                let _ = stop.run_until_cancelled(accept(listener, script)).await;
            });
        })?;
        Ok(Self { address, pace, left, _stop: guard })
    }

    /// Streams that begin from now on have this time between two events.
    pub(super) fn pace(&self, pace: Duration) {
        self.pace.store(u64::try_from(pace.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    /// The next stream whose client went away; none where that takes longer than `patience`.
    pub(super) async fn left(&mut self, patience: Duration) -> Option<Left> {
        tokio::time::timeout(patience, self.left.recv()).await.ok().flatten()
    }
}

struct Script {
    whole: Vec<u8>,
    event: Vec<u8>,
    /// Microseconds.
    pace: Arc<AtomicU64>,
    tell: UnboundedSender<Left>,
}

fn whole() -> Vec<u8> {
    let body = serde_json::json!({
        "id": "chatcmpl-0", "object": "chat.completion", "created": 1_700_000_000, "model": "m",
        "choices": [{
            "index": 0, "finish_reason": "stop",
            "message": { "role": "assistant", "content": "word ".repeat(TEXT / 5) },
        }],
        "usage": { "prompt_tokens": 100, "completion_tokens": 160, "total_tokens": 260 },
    });
    answer(&body.to_string())
}

fn answer(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
        .into()
}

/// One event as a chunk.
fn event() -> Vec<u8> {
    let data = serde_json::json!({
        "id": "chatcmpl-0", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "m",
        "choices": [{ "index": 0, "delta": { "role": "assistant", "content": "word " }, "finish_reason": null }],
    });
    let event = format!("data: {data}\n\n");
    format!("{:x}\r\n{event}\r\n", event.len()).into()
}

async fn accept(listener: TcpListener, script: Arc<Script>) {
    while let Ok((stream, _)) = listener.accept().await {
        let script = Arc::clone(&script);
        tokio::spawn(async move {
            // A connection that breaks is one that the other side closed.
            let _ = serve(stream, &script).await;
        });
    }
}

async fn serve(mut stream: TcpStream, script: &Script) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(8 << 10);
    loop {
        let Some((question, length)) = question(&buffer) else {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            continue;
        };
        buffer.drain(..length);
        match question {
            Question::Models => {
                let list =
                    r#"{"object":"list","data":[{"id":"m","object":"model","created":0,"owned_by":"b"}]}"#;
                stream.write_all(&answer(list)).await?;
            }
            Question::Whole => stream.write_all(&script.whole).await?,
            Question::Events => return events(stream, script).await,
        }
    }
}

enum Question {
    Models,
    Whole,
    Events,
}

/// The question that the buffer begins with, once it is whole, and its length.
fn question(buffer: &[u8]) -> Option<(Question, usize)> {
    let end = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&buffer[..end]).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let length = end + length.unwrap_or(0);
    let body = buffer.get(end..length)?;
    let has = |text: &[u8]| body.windows(text.len()).any(|found| found == text);
    let question = match head.starts_with("GET") {
        true => Question::Models,
        false if has(br#""stream":true"#) || has(br#""stream": true"#) => Question::Events,
        false => Question::Whole,
    };
    Some((question, length))
}

/// Events without end, until the client goes away.
async fn events(mut stream: TcpStream, script: &Script) -> std::io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    let pace = Duration::from_micros(script.pace.load(Relaxed).max(1_000));
    let mut ticks = tokio::time::interval(pace);
    let mut scratch = [0; 64];
    loop {
        tokio::select! {
            _ = ticks.tick() => if stream.write_all(&script.event).await.is_err() { break },
            read = stream.read(&mut scratch) => match read {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            },
        }
    }
    let closed = Instant::now();
    drop(stream);
    ticks.tick().await;
    // Nobody may wait for it any more.
    let _ = script.tell.send(Left { closed, free: Instant::now() });
    Ok(())
}
