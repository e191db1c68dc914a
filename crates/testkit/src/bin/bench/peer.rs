//! The engines' own commands, and other products.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Runs a command to its end and says how long it took.
pub(crate) async fn run(program: impl AsRef<OsStr>, arguments: &[&str]) -> Result<Duration> {
    let begin = Instant::now();
    output(program, arguments).await?;
    Ok(begin.elapsed())
}

/// Runs a command to its end and gives what it printed.
pub(crate) async fn output(program: impl AsRef<OsStr>, arguments: &[&str]) -> Result<String> {
    let program = program.as_ref();
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().await?;
    if !output.status.success() {
        bail!(
            "{} {} failed: {}",
            program.display(),
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A program's stdin and stdout held open in a container by the engine's own command: what a message costs on the way
/// that the agent's connection takes as well.
pub(crate) struct OpenExec {
    _child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
}

impl OpenExec {
    pub(crate) fn cat(program: &str, container: &str) -> Result<Self> {
        Self::of(Command::new(program).args(["exec", "-i", container, "cat"]))
    }

    /// A command that answers each message with itself.
    pub(crate) fn of(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdin = child.stdin.take().context("the program's stdin")?;
        let stdout = child.stdout.take().context("the program's stdout")?;
        Ok(Self { _child: child, stdin, stdout })
    }

    /// Sends a message and waits until it is back.
    pub(crate) async fn round_trip(&mut self, message: &[u8]) -> Result<Duration> {
        let begin = Instant::now();
        self.stdin.write_all(message).await?;
        self.stdin.flush().await?;
        let mut back = vec![0; message.len()];
        self.stdout.read_exact(&mut back).await?;
        Ok(begin.elapsed())
    }
}

/// Starts an interactive shell in a container and waits for the first byte of its prompt.
pub(crate) async fn first_prompt(program: &str, container: &str) -> Result<()> {
    // Without a terminal of our own, an interactive shell writes its prompt to stderr.
    let mut child = Command::new(program)
        .args(["exec", "-i", container, "sh", "-i"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut stderr = child.stderr.take().context("the shell's stderr")?;
    read_until(&mut stderr, |text| text.trim_end().ends_with(['#', '$'])).await
}

/// Reads until the text so far satisfies `enough`.
pub(crate) async fn read_until(
    reader: &mut (impl AsyncRead + Unpin),
    enough: impl Fn(&str) -> bool,
) -> Result<()> {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        let count = reader.read(&mut buffer).await?;
        if count == 0 {
            bail!("the output ended with {text:?}");
        }
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        if enough(&text) {
            return Ok(());
        }
    }
}
