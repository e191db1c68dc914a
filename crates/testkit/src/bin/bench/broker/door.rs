//! Who is asked: the backend itself, our broker, LiteLLM's proxy.

use super::backend::Backend;
use crate::host::PATIENCE;
use anyhow::{Context as _, Result, bail};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// What proxies are named by: none may stand between.
const PROXIES: [&str; 6] =
    ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
const LITELLM_KEY: &str = "sk-bench";

/// One that answers questions. Ends with this value.
pub(super) struct Door {
    pub(super) address: String,
    pub(super) key: String,
    process: Option<Child>,
    _files: Option<TempDir>,
}

impl Door {
    pub(super) fn straight(backend: &Backend) -> Self {
        Self { address: backend.address.to_string(), key: "none".to_owned(), process: None, _files: None }
    }

    /// The broker of the program named by `AICOCKPIT_BIN`.
    pub(super) async fn broker(backend: &Backend) -> Result<Self> {
        let program = std::env::var_os("AICOCKPIT_BIN").context("AICOCKPIT_BIN does not name the program")?;
        let mut command = Command::new(program);
        command
            .args(["broker", "--listen", "127.0.0.1:0", "--alias", "m=s/m", "--backend"])
            .arg(format!("s=http://{}/v1", backend.address))
            .stdout(Stdio::piped());
        let mut process = spawn(&mut command)?;
        let mut lines = BufReader::new(process.stdout.take().context("its output")?).lines();
        let (mut address, mut key) = (None, None);
        while let (None, _) | (_, None) = (&address, &key) {
            let line = tokio::time::timeout(PATIENCE, lines.next_line()).await??;
            let line = line.context("the broker ended before it listened")?;
            if let Some(url) = line.strip_prefix("OPENAI_BASE_URL=http://") {
                address = Some(url.trim_end_matches("/v1").to_owned());
            }
            if let Some(told) = line.strip_prefix("OPENAI_API_KEY=") {
                key = Some(told.to_owned());
            }
        }
        let (address, key) = (address.context("its address")?, key.context("its key")?);
        Ok(Self { address, key, process: Some(process), _files: None })
    }

    /// LiteLLM's proxy from the folder that its package was installed into: one worker, as is its default.
    pub(super) async fn litellm(backend: &Backend, folder: &Path) -> Result<Self> {
        let files = tempfile::tempdir()?;
        let config = files.path().join("config.yaml");
        let text = format!(
            "model_list:\n  - model_name: m\n    litellm_params:\n      model: openai/m\n      api_base: \
             http://{}/v1\n      api_key: none\ngeneral_settings:\n  master_key: {LITELLM_KEY}\n",
            backend.address
        );
        std::fs::write(&config, text)?;
        // It takes no port 0. Nobody else is given this one so soon.
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new("python3");
        command
            .arg(folder.join("bin/litellm"))
            .args(["--host", "127.0.0.1", "--port", &address.port().to_string(), "--telemetry", "False"])
            .arg("--config")
            .arg(config)
            .current_dir(files.path())
            .env("PYTHONPATH", folder)
            .env("HOME", files.path())
            // Else it asks the net for prices.
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            .env("LITELLM_MODE", "PRODUCTION")
            .env("LITELLM_LOG", "ERROR")
            .stdout(Stdio::null());
        let process = spawn(&mut command)?;
        let (address, key) = (address.to_string(), LITELLM_KEY.to_owned());
        let mut door = Self { address, key, process: Some(process), _files: Some(files) };
        tokio::time::timeout(PATIENCE, door.ready()).await.context("LiteLLM does not answer")??;
        Ok(door)
    }

    async fn ready(&mut self) -> Result<()> {
        while self.answer().await.is_err() {
            if let Some(status) = self.process.as_mut().and_then(|process| process.try_wait().transpose()) {
                bail!("it ended by itself: {}", status?);
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        Ok(())
    }

    async fn answer(&self) -> Result<()> {
        let mut stream = self.ask(false).await?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await?;
        anyhow::ensure!(answer.ends_with(b" 200"), "it answers {}", String::from_utf8_lossy(&answer));
        Ok(())
    }

    /// The process; none for the backend, which is ourselves.
    pub(super) fn process(&self) -> Option<u32> {
        self.process.as_ref().and_then(Child::id)
    }

    async fn ask(&self, streamed: bool) -> Result<TcpStream> {
        let mut stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let body = serde_json::json!({
            "model": "m", "stream": streamed, "messages": [{ "role": "user", "content": "word ".repeat(100) }],
        })
        .to_string();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: \
             application/json\r\ncontent-length: {}\r\n\r\n",
            self.address,
            self.key,
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).await?;
        Ok(stream)
    }

    /// Opens a stream and waits for its first event.
    pub(super) async fn stream(&self) -> Result<Stream> {
        let mut socket = self.ask(true).await?;
        let first = async {
            let mut text = Vec::new();
            while events_in(&text) == 0 {
                let count = socket.read_buf(&mut text).await?;
                anyhow::ensure!(count > 0, "no stream came: {}", String::from_utf8_lossy(&text));
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(PATIENCE, first).await.context("no event came")??;
        Ok(Stream(socket))
    }
}

fn spawn(command: &mut Command) -> Result<Child> {
    for name in PROXIES {
        command.env_remove(name);
    }
    let child = command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn();
    child.with_context(|| format!("cannot start {}", command.as_std().get_program().display()))
}

/// Events that begin in a piece of a stream.
fn events_in(text: &[u8]) -> u64 {
    text.windows(5).filter(|found| found == b"data:").count() as u64
}

/// An open stream; the client goes away when it is dropped.
pub(super) struct Stream(TcpStream);

impl Stream {
    /// Reads what comes and counts the events, until this is dropped or aborted.
    pub(super) fn read_on(self, events: Arc<AtomicU64>) -> JoinHandle<()> {
        let mut socket = self.0;
        tokio::spawn(async move {
            let mut buffer = vec![0; 4096];
            while let Ok(count @ 1..) = socket.read(&mut buffer).await {
                events.fetch_add(events_in(&buffer[..count]), Relaxed);
            }
        })
    }
}
