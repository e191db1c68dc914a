//! VS Code in the browser (code-server), as far as plain HTTP reaches it.

use crate::host::PATIENCE;
use crate::report::ms;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// A running code-server on this machine, not in a container: nearer to the files than ours is.
pub(crate) struct CodeServer {
    address: String,
    /// Ends with this value.
    process: Child,
    _data: TempDir,
}

impl CodeServer {
    /// Starts the program, whose Node.js must be first on `path`.
    pub(crate) async fn start(program: &Path, path: &str) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let mut process = Command::new(program)
            .args(["--auth", "none", "--bind-addr", "127.0.0.1:0", "--disable-telemetry"])
            .args(["--disable-update-check", "--user-data-dir"])
            .arg(data.path())
            .env("HOME", data.path())
            .env("PATH", path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(process.stdout.take().context("its output")?).lines();
        let address = tokio::time::timeout(PATIENCE, async {
            while let Some(line) = lines.next_line().await? {
                if let Some((_, address)) = line.split_once("http://") {
                    return Ok(address.trim_end_matches('/').to_owned());
                }
            }
            bail!("code-server ended before it listened")
        })
        .await??;
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { address, process, _data: data })
    }

    /// A connection, which it closes when it is idle for 5 s.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection(BufReader::new(stream)))
    }

    /// The process and all it started.
    pub(crate) fn process(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }

    /// Ends it in order, so that the processes it started end too.
    pub(crate) async fn stop(mut self) -> Result<()> {
        crate::peer::run("kill", &[&self.process().to_string()]).await?;
        tokio::time::timeout(PATIENCE, self.process.wait()).await??;
        Ok(())
    }
}

/// Requests one after the other.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    /// Reads a file whole; milliseconds.
    pub(crate) async fn read(&mut self, path: &str, length: usize) -> Result<f64> {
        let begin = Instant::now();
        let request = format!("GET /vscode-remote-resource?path={path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.0.write_all(request.as_bytes()).await?;
        let mut line = self.line().await?;
        if !line.contains(" 200 ") {
            bail!("code-server answered {line:?}");
        }
        let mut chunked = false;
        while !line.is_empty() {
            line = self.line().await?;
            chunked |= line.eq_ignore_ascii_case("transfer-encoding: chunked");
        }
        let mut got = 0;
        while chunked {
            let size = usize::from_str_radix(&self.line().await?, 16)?;
            let mut piece = vec![0; size + 2];
            self.0.read_exact(&mut piece).await?;
            got += size;
            chunked = size > 0;
        }
        if got != length {
            bail!("code-server gave {got} bytes of {length}");
        }
        Ok(ms(begin.elapsed()))
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).await?;
        Ok(line.trim_end().to_owned())
    }
}
