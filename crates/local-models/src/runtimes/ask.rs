//! Programs asked of themselves: without a network while offline, ended with this process, and not waited for for ever.

use crate::server::{Call, SpawnError, Spawner};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Child;
use tokio::sync::watch;

/// Most of what a program says that is read.
const MAX_SAID: u64 = 1 << 20;

/// What a program wrote, where it ended well.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) errors: String,
}

/// Why a program said nothing of use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// It was not asked: it might have reached somebody.
    #[error("offline is on, and the kernel does not let it be asked without a network")]
    NotAlone,
    #[error("{0}")]
    Failed(String),
}

/// A question.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) program: &'a Path,
    pub(crate) arguments: &'a [&'a str],
    pub(crate) patience: Duration,
}

/// Starts programs to ask them.
#[derive(Debug)]
pub(crate) struct Asker {
    spawner: Result<Spawner, String>,
    /// Marks their processes.
    mark: PathBuf,
    offline: watch::Sender<bool>,
}

impl Asker {
    pub(crate) fn new(spawner: Result<Spawner, String>, mark: PathBuf) -> Self {
        Self { spawner, mark, offline: watch::Sender::new(false) }
    }

    /// While offline, nobody is asked who has a network; those who are being asked are ended.
    pub(super) fn set_offline(&self, offline: bool) {
        self.offline.send_replace(offline);
    }

    pub(crate) async fn ask(&self, question: Question<'_>) -> Result<Said, AskError> {
        let asked = self.asked(question);
        tokio::time::timeout(question.patience, asked).await.unwrap_or_else(|_| {
            let seconds = question.patience.as_secs();
            Err(AskError::Failed(format!("it said nothing within {seconds} seconds")))
        })
    }

    async fn asked(&self, question: Question<'_>) -> Result<Said, AskError> {
        let mut switched = self.offline.subscribe();
        loop {
            let offline = *switched.borrow_and_update();
            let mut running = self.start(question, offline).await?;
            tokio::select! {
                biased;
                // It has a network, which it must not have any more: it is asked again without one.
                Ok(_) = switched.wait_for(|now| *now && !offline) => {}
                said = running.ended() => return said.map_err(AskError::Failed),
            }
        }
    }

    async fn start(&self, question: Question<'_>, offline: bool) -> Result<Running, AskError> {
        let call = Call {
            program: question.program.to_owned(),
            arguments: question.arguments.iter().map(OsString::from).collect(),
            environment: vec![("PYTHONDONTWRITEBYTECODE", "1".into())],
        };
        let spawner = self.spawner.as_ref().map_err(|why| AskError::Failed(why.clone()))?;
        let child = spawner.spawn(call, &self.mark, offline).await.map_err(|error| match error {
            SpawnError::NoIsolation(_) => AskError::NotAlone,
            SpawnError::Other(why) => AskError::Failed(why),
        })?;
        Ok(Running::new(child))
    }
}

/// A process, which ends with all of its group where this is dropped before it has.
struct Running {
    child: Child,
    group: Option<Pid>,
}

impl Running {
    fn new(child: Child) -> Self {
        let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        Self { child, group }
    }

    async fn ended(&mut self) -> Result<Said, String> {
        let (out, errors) = tokio::join!(text(self.child.stdout.take()), text(self.child.stderr.take()));
        let status = self.child.wait().await.map_err(|error| format!("it cannot be waited for ({error})"))?;
        self.group = None;
        if status.success() {
            return Ok(Said { out, errors });
        }
        let last = errors.lines().chain(out.lines()).map(str::trim).rfind(|line| !line.is_empty());
        let last: String = last.unwrap_or_default().chars().take(300).collect();
        Err(if last.is_empty() {
            format!("it ended with {status}")
        } else {
            format!("it ended with {status}: {last}")
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

async fn text(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        let _ = (&mut stream).take(MAX_SAID).read_to_end(&mut bytes).await;
        // What comes after is not kept, but who writes it is not to be held up.
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
