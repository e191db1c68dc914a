//! P4: a terminal's echo, its throughput, Ctrl-C during a flood, and many at once.

use crate::create::first_prompt;
use crate::host::{Host, container};
use crate::report::{Report, ms, percentile};
use aicockpit_cockpit::socket::ClientStream;
use aicockpit_protocol::api::{In, TerminalClose};
use aicockpit_protocol::terminal::CloseTerminal;
use aicockpit_protocol::{TerminalId, WorkspaceId};
use anyhow::{Result, bail};
use std::process::Stdio;
use std::time::Instant;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

pub(crate) const FLOOD_BYTES: u64 = 100_000_000;
const KEYSTROKES: usize = 500;
/// A command that floods.
pub(crate) const FLOOD: &str = "yes 'a line of a flood that does not end by itself'\n";
/// A command that makes a file of text.
pub(crate) const MAKE_TEXT: &str = "head -c 75000000 /dev/urandom | base64 -w 99 > /tmp/flood";
/// What has come through when Ctrl-C is pressed.
const IN_FULL_FLOOD: usize = 3_000_000;

/// P4.
pub(crate) async fn measure(
    host: &Host,
    workspace: &WorkspaceId,
    runs: usize,
    report: &mut Report,
) -> Result<()> {
    let (quiet, mut stream) = answering(host, workspace).await?;
    let alone = echoes(&mut stream).await?;
    report.alone(("P4", "echo, p50"), "ms", &[percentile(&alone, 0.5)], "");
    report.alone(("P4", "echo, p99"), "ms", &[percentile(&alone, 0.99)], "≤ 5 ms");

    let (noisy, mut flood) = first_prompt(host, workspace, &["sh"]).await?;
    say(&mut flood, FLOOD).await?;
    let drain = tokio::spawn(async move {
        let mut bytes = 0;
        while let Some(piece) = flood.next().await {
            bytes += piece.len() as u64;
        }
        bytes
    });
    let begin = Instant::now();
    let beside = echoes(&mut stream).await?;
    close(host, workspace, noisy).await?;
    let flooded = mib_per_s(drain.await?, begin);
    report.alone(("P4", "echo beside a flood, p99"), "ms", &[percentile(&beside, 0.99)], "≤ 20 ms");
    report.alone(("P4", "that flood meanwhile"), "MiB/s", &[flooded], "");
    close(host, workspace, quiet).await?;

    interrupts(host, workspace, runs, report).await?;
    many(host, workspace, report).await?;
    throughput(host, workspace, runs.min(3), report).await?;
    report.note("P4", "code-server's terminal goes by its own WebSocket protocol: not measured");
    Ok(())
}

/// A terminal of either side.
pub(crate) trait Talk {
    async fn say(&mut self, text: &str) -> Result<()>;
    /// What comes next; nothing at the end.
    async fn hear(&mut self) -> Option<Vec<u8>>;
}

impl Talk for ClientStream {
    async fn say(&mut self, text: &str) -> Result<()> {
        Ok(self.sender().send(text.as_bytes()).await?)
    }

    async fn hear(&mut self) -> Option<Vec<u8>> {
        self.next().await
    }
}

/// A terminal in which `cat`, with the terminal's own echo off, answers each line once: a whole round trip through
/// program and terminal.
pub(crate) async fn answering(host: &Host, workspace: &WorkspaceId) -> Result<(TerminalId, ClientStream)> {
    let (terminal, mut stream) = first_prompt(host, workspace, &["sh"]).await?;
    answer(&mut stream).await?;
    Ok((terminal, stream))
}

/// Lets a shell that waits for a command do so.
pub(crate) async fn answer(terminal: &mut impl Talk) -> Result<()> {
    terminal.say("PS1=; stty -echo; printf 'set-%s\\n' up; cat\n").await?;
    read_until(terminal, b"set-up\r\n").await?;
    Ok(())
}

/// Sends lines one at a time and measures until each came back.
pub(crate) async fn echoes(stream: &mut impl Talk) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    for number in 0..KEYSTROKES {
        times.push(echo(stream, number).await?);
    }
    Ok(times)
}

async fn echo(stream: &mut impl Talk, number: usize) -> Result<f64> {
    let line = format!("k{number}\n");
    let begin = Instant::now();
    say(stream, &line).await?;
    read_until(stream, line.trim_end().as_bytes()).await?;
    Ok(ms(begin.elapsed()))
}

async fn interrupts(host: &Host, workspace: &WorkspaceId, runs: usize, report: &mut Report) -> Result<()> {
    let mut stops = Vec::new();
    for _ in 0..runs {
        let (terminal, mut flood) = first_prompt(host, workspace, &["sh"]).await?;
        stops.push(interrupt(&mut flood).await?);
        close(host, workspace, terminal).await?;
    }
    report.alone(("P4", "Ctrl-C during a flood → prompt"), "ms", &stops, "≤ 100 ms");
    Ok(())
}

/// Floods a shell that waits for a command, and stops it; how long until it waits again.
pub(crate) async fn interrupt(flood: &mut impl Talk) -> Result<f64> {
    // Not as it will be printed: the terminal echoes the command.
    flood.say("PS1='stopped''-now '; yes 'a line of a flood'\n").await?;
    let mut seen = 0;
    while seen < IN_FULL_FLOOD {
        match flood.hear().await {
            Some(bytes) => seen += bytes.len(),
            None => bail!("the flood ended by itself"),
        }
    }
    let begin = Instant::now();
    flood.say("\x03").await?;
    read_until(flood, b"stopped-now").await?;
    Ok(ms(begin.elapsed()))
}

/// A keystroke in each of many terminals at once, until all have come back.
async fn many(host: &Host, workspace: &WorkspaceId, report: &mut Report) -> Result<()> {
    let (mut points, mut terminals, mut streams) = (Vec::new(), Vec::new(), Vec::new());
    for count in [1, 10, 50] {
        while streams.len() < count {
            let (terminal, stream) = answering(host, workspace).await?;
            terminals.push(terminal);
            streams.push(stream);
        }
        let mut times = Vec::new();
        for number in 0..50 {
            let begin = Instant::now();
            let all = streams.iter_mut().map(|stream| echo(stream, number));
            futures::future::try_join_all(all).await?;
            times.push(ms(begin.elapsed()));
        }
        let p99 = percentile(&times, 0.99);
        if count == 50 {
            report.alone(("P4", "echo of 50 terminals at once, all back, p99"), "ms", &[p99], "");
        }
        points.push((count as f64, percentile(&times, 0.5)));
    }
    report.growth(("P4", "echo of many at once, by terminals"), "ms", &points);
    drop(streams);
    for terminal in terminals {
        close(host, workspace, terminal).await?;
    }
    Ok(())
}

async fn throughput(host: &Host, workspace: &WorkspaceId, runs: usize, report: &mut Report) -> Result<()> {
    host.inside(workspace, MAKE_TEXT).await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let (terminal, mut stream) = first_prompt(host, workspace, &["sh"]).await?;
        ours.push(show(&mut stream).await?);
        close(host, workspace, terminal).await?;

        let begin = Instant::now();
        let mut child = Command::new(host.engine_command())
            .args(["exec", "--tty", &container(workspace), "cat", "/tmp/flood"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut bytes = 0;
        if let Some(stdout) = &mut child.stdout {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                match stdout.read(&mut buffer).await? {
                    0 => break,
                    count => bytes += count as u64,
                }
            }
        }
        if bytes < FLOOD_BYTES {
            bail!("the engine's own terminal gave {bytes} bytes of {FLOOD_BYTES}");
        }
        theirs.push(mib_per_s(bytes, begin));
    }
    report.pair(("P4", "cat of 100 MB"), "MiB/s", &ours, ("exec --tty", &theirs), "≥ 0.8 ×");
    Ok(())
}

/// Shows that file of text in a shell that waits for a command, MiB a second.
pub(crate) async fn show(stream: &mut impl Talk) -> Result<f64> {
    let begin = Instant::now();
    say(stream, "cat /tmp/flood; printf 'flood-%s\\n' over\n").await?;
    let bytes = read_until(stream, b"flood-over").await?;
    if bytes < FLOOD_BYTES {
        bail!("the terminal gave {bytes} bytes of {FLOOD_BYTES}");
    }
    Ok(mib_per_s(bytes, begin))
}

/// Reads until `wanted` has come; how many bytes that were.
pub(crate) async fn read_until(stream: &mut impl Talk, wanted: &[u8]) -> Result<u64> {
    let (mut bytes, mut tail) = (0, Vec::new());
    loop {
        match stream.hear().await {
            Some(piece) => {
                bytes += piece.len() as u64;
                tail.extend_from_slice(&piece);
            }
            None => bail!("the terminal ended before {:?} came", String::from_utf8_lossy(wanted)),
        }
        if tail.windows(wanted.len()).any(|window| window == wanted) {
            return Ok(bytes);
        }
        tail.drain(..tail.len().saturating_sub(wanted.len()));
    }
}

pub(crate) async fn say(stream: &mut impl Talk, text: &str) -> Result<()> {
    stream.say(text).await
}

pub(crate) async fn close(host: &Host, workspace: &WorkspaceId, terminal: TerminalId) -> Result<()> {
    let close = In { workspace: workspace.clone(), args: CloseTerminal { terminal } };
    host.client.call::<TerminalClose>(close).await?;
    Ok(())
}

pub(crate) fn mib_per_s(bytes: u64, begin: Instant) -> f64 {
    bytes as f64 / (1024.0 * 1024.0) / begin.elapsed().as_secs_f64()
}
