//! The engines' own commands, and other products.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

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
