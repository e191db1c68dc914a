//! Servers as real processes: a small program takes llama-server's arguments and listens on its socket.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod children;
mod containers;
mod ends;
mod hung;
mod offline;
mod starts;

use aicockpit_local_models::{LocalModels, Options};
use aicockpit_protocol::local_models::{
    Hardware, LocalModelSettings, LocalPhase, LocalServer, LocalServerSettings, Runtime,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::watch;

/// Far more than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The smallest file that is a model.
fn gguf() -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0".to_vec();
    for text in ["general.architecture", "llama"] {
        bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
        if text != "llama" {
            bytes.extend_from_slice(&8u32.to_le_bytes());
        }
    }
    bytes.extend_from_slice(b"\x01\0\0\0\0\0\0\0t\x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    bytes.resize(bytes.len().next_multiple_of(32) + 4, 0);
    bytes
}

pub(crate) struct Machine {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) models: LocalModels,
    told: watch::Receiver<Vec<LocalServer>>,
}

pub(crate) fn server(folder: &Path, name: &str, arguments: &[&str]) -> LocalServerSettings {
    LocalServerSettings {
        id: format!("id-{name}"),
        name: name.into(),
        runtime: Runtime::LlamaCpp,
        container: None,
        model: folder.join("model.gguf").to_str().unwrap().into(),
        context_length: Some(1024),
        parallel: None,
        gpu_layers: None,
        arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        idle_minutes: None,
        enabled: true,
    }
}

pub(crate) fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/servers/llama-server")
}

pub(crate) fn settings(servers: Vec<LocalServerSettings>) -> LocalModelSettings {
    let program = program().to_str().unwrap().to_owned();
    LocalModelSettings { llama_server: Some(program), servers, ..Default::default() }
}

pub(crate) fn options(folder: &Path) -> Options {
    let memory = || Hardware { memory_bytes: 16 << 30, available_bytes: 16 << 30, gpus: Vec::new() };
    Options::new(folder.join("state"))
        .with_backoff(Duration::from_millis(10), Duration::from_millis(50))
        .with_hardware(memory)
}

impl Machine {
    pub(crate) fn with(servers: impl FnOnce(&Path) -> LocalModelSettings) -> Self {
        Self::of(servers, options)
    }

    pub(crate) fn of(
        servers: impl FnOnce(&Path) -> LocalModelSettings,
        options: impl FnOnce(&Path) -> Options,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("model.gguf"), gguf()).unwrap();
        let settings = servers(folder.path());
        aicockpit_local_models::check(&settings).unwrap();
        let (sender, told) = watch::channel(Vec::new());
        let tell = move |servers| drop(sender.send(servers));
        let models = LocalModels::new(settings, options(folder.path()), Arc::new(tell));
        Self { folder, models, told }
    }

    pub(crate) fn now(&self, name: &str) -> LocalServer {
        let id = format!("id-{name}");
        self.models.servers().into_iter().find(|server| server.id == id).expect("a server of this name")
    }

    /// Waits until what is told of a server is as wanted.
    pub(crate) async fn until(&self, name: &str, wanted: impl Fn(&LocalServer) -> bool) -> LocalServer {
        let id = format!("id-{name}");
        let mut told = self.told.clone();
        let found = told.wait_for(|servers| servers.iter().any(|server| server.id == id && wanted(server)));
        let Ok(found) = tokio::time::timeout(PATIENCE, found).await else {
            panic!("{:?}\n{:#?}", self.now(name), self.models.log(&id));
        };
        found.unwrap().iter().find(|server| server.id == id).unwrap().clone()
    }

    pub(crate) async fn asleep(&self, name: &str) {
        self.until(name, |server| server.phase == LocalPhase::Asleep).await;
    }

    pub(crate) fn log(&self, name: &str) -> String {
        self.models.log(&format!("id-{name}")).unwrap().join("\n")
    }
}

/// Asks a server over its socket, and gives the answer with its head.
pub(crate) async fn ask(socket: &Path) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(b"GET /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

pub(crate) fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie is dead.
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.trim().starts_with('Z'))
}

pub(crate) fn kill_hard(pid: u32) {
    kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGKILL).unwrap();
}

/// Waits until a process that is not our child is gone.
pub(crate) async fn until_gone(pid: u32) {
    let gone = async {
        while lives(pid) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap_or_else(|_| panic!("process {pid} still lives"));
}
