//! A model of an agent for fault tests: files in memory, one terminal whose output is a known byte sequence. It
//! speaks the real protocol over a real link; its pipe can be cut at any byte.

use aicockpit_link::{Incoming, LinkStream, read_frame, write_frame};
use aicockpit_protocol::agent::{
    AgentError, Answer, Call, Chunk, FromAgent, MAX_MESSAGE_LEN, Open, PROTOCOL_VERSION, Request,
    TERMINAL_DATA, decode, encode,
};
use aicockpit_protocol::fs::{FileKind, FileStat, WriteCondition};
use aicockpit_protocol::terminal::Attached;
use aicockpit_protocol::{BytePath, ErrorCode};
use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::watch;

/// Length of the model's snapshots.
pub(super) const SNAPSHOT: &[u8] = &[b'S'; 300];

/// The state that outlives connections.
pub(super) struct Model {
    pub(super) files: Mutex<HashMap<BytePath, (u64, Vec<u8>)>>,
    pub(super) output: watch::Sender<Vec<u8>>,
    /// Output older than this many bytes is given as a snapshot.
    pub(super) kept: usize,
}

impl Model {
    pub(super) fn new(kept: usize) -> Arc<Self> {
        Arc::new(Self { files: Mutex::default(), output: watch::channel(Vec::new()).0, kept })
    }

    /// Serves one connection.
    pub(super) async fn serve(self: Arc<Self>, io: DuplexStream) {
        let mut incoming = Incoming::server(io);
        let mut streams = tokio::task::JoinSet::new();
        while let Some(stream) = incoming.accept().await {
            streams.spawn(Arc::clone(&self).stream(stream));
        }
    }

    async fn stream(self: Arc<Self>, mut stream: LinkStream) {
        let Ok(Some(first)) = read_frame(&mut stream, MAX_MESSAGE_LEN).await else { return };
        match decode::<Open>(&first).unwrap() {
            Open::Control { .. } => self.control(stream).await,
            Open::Terminal(attach) => self.terminal(stream, attach.from).await,
            other => panic!("the test opened {other:?}"),
        }
    }

    async fn control(&self, mut stream: LinkStream) {
        let welcome = FromAgent::Welcome { version: PROTOCOL_VERSION, build: "0".to_owned() };
        if write_frame(&mut stream, &encode(&welcome).unwrap()).await.is_err() {
            return;
        }
        while let Ok(Some(message)) = read_frame(&mut stream, MAX_MESSAGE_LEN).await {
            let Request { id, call } = decode(&message).unwrap();
            let reply = FromAgent::Reply { id, result: self.answer(call) };
            if write_frame(&mut stream, &encode(&reply).unwrap()).await.is_err() {
                return;
            }
        }
    }

    fn answer(&self, call: Call) -> Result<Answer, AgentError> {
        let mut files = self.files.lock().unwrap();
        match call {
            Call::Write { write, content } => {
                let known = files.get(&write.path).cloned();
                let allowed = match &write.condition {
                    WriteCondition::Any => true,
                    WriteCondition::Missing => known.is_none(),
                    WriteCondition::Version { version } => known
                        .as_ref()
                        .is_some_and(|(number, now)| number.to_string() == *version || *now == content),
                };
                if !allowed {
                    return Err(AgentError::new(ErrorCode::Conflict, "changed meanwhile"));
                }
                let number =
                    known.map_or(1, |(number, now)| if now == content { number } else { number + 1 });
                files.insert(write.path, (number, content.clone()));
                Ok(Answer::Stat(stat(number, &content)))
            }
            Call::Read(read) => {
                let (number, content) = files.get(&read.path).cloned().unwrap_or_default();
                Ok(Answer::Chunk(Chunk { stat: stat(number, &content), content }))
            }
            Call::Terminals => Ok(Answer::Terminals(Vec::new())),
            Call::Ports => Ok(Answer::Ports(Vec::new())),
            Call::Ping | Call::Watch(_) => Ok(Answer::Unit),
            other => panic!("the test called {other:?}"),
        }
    }

    async fn terminal(&self, mut stream: LinkStream, from: Option<u64>) {
        let mut output = self.output.subscribe();
        let now = output.borrow().len();
        let mut at = match from.and_then(|from| usize::try_from(from).ok()) {
            Some(from) if from <= now && from + self.kept >= now => from,
            _ => now,
        };
        let snapshot = if from == Some(at as u64) { &[][..] } else { SNAPSHOT };
        let attached =
            Attached { offset: at as u64, snapshot_len: snapshot.len() as u64, columns: 80, rows: 24 };
        let first = encode(&Ok::<_, AgentError>(attached)).unwrap();
        if write_frame(&mut stream, &first).await.is_err() {
            return;
        }
        let mut piece = snapshot.to_vec();
        loop {
            if !piece.is_empty() {
                let mut frame = vec![TERMINAL_DATA];
                frame.append(&mut piece);
                if write_frame(&mut stream, &frame).await.is_err() {
                    return;
                }
            }
            if output.wait_for(|all| all.len() > at).await.is_err() {
                return;
            }
            let all = output.borrow();
            piece = all[at..all.len().min(at + 1000)].to_vec();
            at += piece.len();
        }
    }
}

fn stat(number: u64, content: &[u8]) -> FileStat {
    FileStat {
        kind: FileKind::File,
        target_kind: None,
        link_target: None,
        size: content.len() as u64,
        modified_ms: 0,
        mode: 0o644,
        writable: true,
        version: number.to_string(),
    }
}

/// A pipe that breaks once so many bytes have gone through it, in the middle of whatever was going on.
pub(super) struct Cut {
    pub(super) io: DuplexStream,
    pub(super) left: usize,
}

impl Cut {
    fn broken(&self) -> Option<io::Error> {
        (self.left == 0).then(|| io::Error::new(io::ErrorKind::BrokenPipe, "cut"))
    }
}

impl AsyncRead for Cut {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(error) = self.broken() {
            return Poll::Ready(Err(error));
        }
        let mut part = buf.take(self.left);
        let polled = Pin::new(&mut self.io).poll_read(cx, &mut part);
        let count = part.filled().len();
        // The bytes lie in `buf`'s own memory; only its length does not know of them yet.
        let bytes = part.filled().to_vec();
        buf.put_slice(&bytes);
        self.left -= count;
        polled
    }
}

impl AsyncWrite for Cut {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(error) = self.broken() {
            return Poll::Ready(Err(error));
        }
        let allowed = bytes.len().min(self.left);
        let polled = Pin::new(&mut self.io).poll_write(cx, &bytes[..allowed]);
        if let Poll::Ready(Ok(count)) = polled {
            self.left -= count;
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
