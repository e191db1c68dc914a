//! What a server runs as: a process of this machine, or a container.

use super::failure::End;
use super::process::{self, Used};
use crate::containers::RunningContainer;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use nix::unistd::Pid;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Child;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Bytes that are read of a pipe at once.
const CHUNK: usize = 16 << 10;
/// How long an engine may take to tell of memory.
const TELLS_WITHIN: Duration = Duration::from_secs(5);
/// How long an engine may take to end a container, the container's own time included. After that it is left to it.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// A server that runs.
pub(super) enum Run {
    Process {
        /// Locked by who waits for its end, and after that by who ends it.
        child: Box<Mutex<Child>>,
        pid: Option<u32>,
    },
    Container(Box<dyn RunningContainer>),
}

/// All that a server writes: 1 for standard output, 2 for standard error.
pub(super) type Output = BoxStream<'static, (u8, Bytes)>;

impl Run {
    pub(super) fn process(child: Child) -> Self {
        Self::Process { pid: child.id(), child: Box::new(Mutex::new(child)) }
    }

    /// Its first process.
    pub(super) fn pid(&self) -> Option<u32> {
        match self {
            Self::Process { pid, .. } => *pid,
            Self::Container(container) => container.pid(),
        }
    }

    /// The name of its container.
    pub(super) fn container(&self) -> Option<String> {
        match self {
            Self::Process { .. } => None,
            Self::Container(container) => Some(container.name().to_owned()),
        }
    }

    /// All that it writes. To be called once.
    pub(super) fn output(&mut self) -> Output {
        match self {
            Self::Process { child, .. } => {
                let child = child.get_mut();
                let one = child.stdout.take().map(|pipe| chunks(1, pipe));
                let two = child.stderr.take().map(|pipe| chunks(2, pipe));
                stream::select_all(one.into_iter().chain(two)).boxed()
            }
            Self::Container(container) => container.output(),
        }
    }

    /// Waits until it has ended. Cancel-safe.
    pub(super) async fn ended(&self) -> End {
        match self {
            Self::Process { child, .. } => {
                child.lock().await.wait().await.map_or_else(|_| End::default(), End::from)
            }
            Self::Container(container) => container.ended().await.into(),
        }
    }

    /// What it uses and does. `None` where that is not seen.
    pub(super) async fn used(&self) -> Option<Used> {
        if let Some(leader) = self.pid() {
            let used = tokio::task::spawn_blocking(move || process::used(&[leader]).remove(&leader)).await;
            // Others' processes may be hidden.
            if let Some(used) = used.ok().flatten().filter(|used| used.resident > 0) {
                return Some(used);
            }
        }
        let Self::Container(container) = self else { return None };
        let memory = timeout(TELLS_WITHIN, container.memory()).await.ok().flatten()?;
        Some(Used { resident: memory, ..Used::default() })
    }

    /// Ends what a process that has ended has left. Containers leave nothing.
    pub(super) fn end_rest(&self, socket: &Path) {
        let leader = self.pid().and_then(|id| i32::try_from(id).ok());
        if let (Self::Process { .. }, Some(leader)) = (self, leader) {
            process::end_rest(Pid::from_raw(leader), socket);
        }
    }

    /// Ends it, which it may have done already, with all that it started. One that has hung is not asked first, as far
    /// as that is ours to say.
    pub(super) async fn end(self, socket: &Path, hung: bool) {
        match self {
            Self::Process { child, .. } => process::end(&mut child.into_inner(), socket, hung).await,
            Self::Container(container) => {
                if timeout(ENDS_WITHIN, container.end()).await.is_err() {
                    tracing::warn!("an engine does not end a model server's container");
                }
            }
        }
    }
}

fn chunks(number: u8, pipe: impl AsyncRead + Send + Unpin + 'static) -> Output {
    let chunks = stream::unfold(pipe, move |mut pipe| async move {
        let mut bytes = vec![0; CHUNK];
        match pipe.read(&mut bytes).await {
            Ok(length @ 1..) => {
                bytes.truncate(length);
                Some(((number, Bytes::from(bytes)), pipe))
            }
            _ => None,
        }
    });
    chunks.boxed()
}
