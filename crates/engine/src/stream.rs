//! Byte streams into a container, and progress out of a build.

use crate::Result;
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

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
