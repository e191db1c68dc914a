//! P4: a terminal's echo, its throughput, and Ctrl-C during a flood.

use crate::create::first_prompt;
use crate::host::Host;
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

const FLOOD_BYTES: u64 = 100_000_000;
const KEYSTROKES: usize = 500;

/// P4.
pub(crate) async fn measure(
    host: &Host,
    workspace: &WorkspaceId,
    runs: usize,
    report: &mut Report,
) -> Result<()> {
    let (quiet, mut stream) = first_prompt(host, workspace, &["sh"]).await?;
    say(
        &mut stream,
        "PS1=; stty -echo; head -c 75000000 /dev/urandom | base64 -w 99 > /tmp/flood; cat; echo\n",
    )
    .await?;
    // `cat` with the terminal's own echo off answers each line once: a whole round trip through program and terminal.
    settle(&mut stream).await?;
    let alone = echoes(&mut stream).await?;
    report.alone(("P4", "echo, p50"), "ms", &[percentile(&alone, 0.5)], "");
    report.alone(("P4", "echo, p99"), "ms", &[percentile(&alone, 0.99)], "≤ 5 ms");

    flood_throughput(host, workspace, runs, report).await?;

    let (noisy, mut flood) = first_prompt(host, workspace, &["sh"]).await?;
    say(&mut flood, "yes 'a line of a flood that does not end by itself'\n").await?;
    let drain = tokio::spawn(async move {
        while flood.next().await.is_some() {}
        flood
    });
    let beside = echoes(&mut stream).await?;
    report.alone(("P4", "echo beside a flood, p99"), "ms", &[percentile(&beside, 0.99)], "≤ 20 ms");
    close(host, workspace, noisy).await?;
    drop(drain.await?);

    let mut stops = Vec::new();
    for _ in 0..runs {
        let (terminal, mut flood) = first_prompt(host, workspace, &["sh"]).await?;
        say(&mut flood, "PS1='stopped-now '; yes 'a line of a flood'\n").await?;
        let mut seen = 0;
        while seen < 3_000_000 {
            match flood.next().await {
                Some(bytes) => seen += bytes.len(),
                None => bail!("the flood ended by itself"),
            }
        }
        let begin = Instant::now();
        say(&mut flood, "\x03").await?;
        let mut tail = Vec::new();
        while !contains(&tail, b"stopped-now") {
            match flood.next().await {
                Some(bytes) => tail.extend_from_slice(&bytes),
                None => bail!("the terminal ended"),
            }
        }
        stops.push(ms(begin.elapsed()));
        close(host, workspace, terminal).await?;
    }
    report.alone(("P4", "Ctrl-C during a flood → prompt"), "ms", &stops, "≤ 100 ms");
    close(host, workspace, quiet).await
}

async fn flood_throughput(
    host: &Host,
    workspace: &WorkspaceId,
    runs: usize,
    report: &mut Report,
) -> Result<()> {
    let container = format!("aicockpit-{workspace}");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let (terminal, mut stream) = first_prompt(host, workspace, &["sh"]).await?;
        let begin = Instant::now();
        say(&mut stream, "cat /tmp/flood; printf 'flood-%s\\n' over\n").await?;
        let (mut bytes, mut tail) = (0_u64, Vec::new());
        while !contains(&tail, b"flood-over") {
            match stream.next().await {
                Some(piece) => {
                    bytes += piece.len() as u64;
                    tail.extend_from_slice(&piece);
                    tail.drain(..tail.len().saturating_sub(64));
                }
                None => bail!("the terminal ended: {:?}", stream.end()),
            }
        }
        ours.push(mib_per_s(bytes, begin));
        close(host, workspace, terminal).await?;

        let begin = Instant::now();
        let mut child = Command::new(host.engine_command())
            .args(["exec", "--tty", &container, "cat", "/tmp/flood"])
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

/// Sends lines one at a time and measures until each came back.
async fn echoes(stream: &mut ClientStream) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    for number in 0..KEYSTROKES {
        let line = format!("k{number}\n");
        let wanted = line.trim_end().as_bytes().to_vec();
        let begin = Instant::now();
        say(stream, &line).await?;
        let mut text = Vec::new();
        while !contains(&text, &wanted) {
            match stream.next().await {
                Some(bytes) => text.extend_from_slice(&bytes),
                None => bail!("the terminal ended: {:?}", stream.end()),
            }
        }
        times.push(ms(begin.elapsed()));
    }
    Ok(times)
}

/// Waits until `cat` answers.
async fn settle(stream: &mut ClientStream) -> Result<()> {
    say(stream, "settled\n").await?;
    let mut text = Vec::new();
    while !contains(&text, b"settled") {
        match stream.next().await {
            Some(bytes) => text.extend_from_slice(&bytes),
            None => bail!("the terminal ended: {:?}", stream.end()),
        }
    }
    Ok(())
}

async fn say(stream: &mut ClientStream, text: &str) -> Result<()> {
    Ok(stream.sender().send(text.as_bytes()).await?)
}

async fn close(host: &Host, workspace: &WorkspaceId, terminal: TerminalId) -> Result<()> {
    host.client
        .call::<TerminalClose>(In { workspace: workspace.clone(), args: CloseTerminal { terminal } })
        .await?;
    Ok(())
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}

fn mib_per_s(bytes: u64, begin: Instant) -> f64 {
    bytes as f64 / (1024.0 * 1024.0) / begin.elapsed().as_secs_f64()
}
