//! Byte streams into a container, and progress out of a build.

use crate::{LogChunk, Result};
use bytes::{Buf, Bytes};
use futures::future::BoxFuture;
use futures::{Stream, StreamExt};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;

/// Frames held for a reader that is slower than the engine, for each of the two outputs.
const FRAMES_AHEAD: usize = 16;

/// The three streams of a program run by [`Engine::exec`](crate::Engine::exec). Dropping it lets go of the
/// program; it does not kill it.
pub struct ByteStream {
    /// To the program. Shutting it down closes the program's stdin.
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// From the program. Its end may also mean that the engine was lost: ask `exit`.
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// The program's stderr, for diagnosis. Must be read, or the program may stall.
    pub stderr: Box<dyn AsyncRead + Send + Unpin>,
    /// Asks the engine how the program ended. To be called after the end of `stdout`.
    pub exit: BoxFuture<'static, Result<ExecExit>>,
}

impl ByteStream {
    /// Joins an engine's stdin stream with its one stream of framed output. A task takes the frames apart; it ends
    /// with the output, or when both outputs were dropped.
    pub fn from_frames(
        stdin: impl AsyncWrite + Send + Unpin + 'static,
        frames: impl Stream<Item = io::Result<LogChunk>> + Send + 'static,
        exit: BoxFuture<'static, Result<ExecExit>>,
    ) -> Self {
        let (stdout_sender, stdout) = mpsc::channel(FRAMES_AHEAD);
        let (stderr_sender, stderr) = mpsc::channel(FRAMES_AHEAD);
        tokio::spawn(distribute(frames, stdout_sender, stderr_sender));
        Self {
            stdin: Box::new(stdin),
            stdout: Box::new(FrameReader { frames: stdout, current: Bytes::new() }),
            stderr: Box::new(FrameReader { frames: stderr, current: Bytes::new() }),
            exit,
        }
    }
}

type FrameSender = mpsc::Sender<io::Result<Bytes>>;

async fn distribute(
    frames: impl Stream<Item = io::Result<LogChunk>> + Send,
    stdout: FrameSender,
    stderr: FrameSender,
) {
    let mut frames = std::pin::pin!(frames);
    loop {
        let frame = tokio::select! {
            frame = frames.next() => frame,
            // Nobody reads any more: let go of the connection, also when the program is silent.
            () = async { tokio::join!(stdout.closed(), stderr.closed()); } => return,
        };
        // A send fails when that one reader is gone; its bytes have no use then.
        match frame {
            Some(Ok(LogChunk { stderr: true, bytes })) => drop(stderr.send(Ok(bytes)).await),
            Some(Ok(LogChunk { stderr: false, bytes })) => drop(stdout.send(Ok(bytes)).await),
            Some(Err(error)) => {
                drop(stdout.send(Err(error)).await);
                return;
            }
            None => return,
        }
    }
}

struct FrameReader {
    frames: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

impl AsyncRead for FrameReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.current.is_empty() {
            match ready!(self.frames.poll_recv(cx)) {
                Some(Ok(bytes)) => self.current = bytes,
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Ok(())),
            }
        }
        let length = self.current.len().min(buffer.remaining());
        buffer.put_slice(&self.current[..length]);
        self.current.advance(length);
        Poll::Ready(Ok(()))
    }
}

/// How a program ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExecExit {
    /// It ended with this status.
    Exited(i64),
    /// It still runs: the stream was cut, not ended.
    StillRunning,
    /// The engine does not know it (any more).
    Unknown,
}

/// Where long work reports lines of output. Cheap to clone; sending never waits, and lines nobody reads are lost.
#[derive(Clone, Debug)]
pub struct Progress(Option<mpsc::UnboundedSender<String>>);

impl Progress {
    /// Reports into the channel.
    pub fn new(sender: mpsc::UnboundedSender<String>) -> Self {
        Self(Some(sender))
    }

    /// Reports to nobody.
    pub fn ignored() -> Self {
        Self(None)
    }

    /// Reports one line, without its line end.
    pub fn line(&self, line: impl Into<String>) {
        if let Some(sender) = &self.0 {
            // The receiver is gone when the work was cancelled; the line has no reader then.
            let _ = sender.send(line.into());
        }
    }
}
