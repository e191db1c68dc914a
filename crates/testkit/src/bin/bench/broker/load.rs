//! Load by wrk, which is not ours.
//!
//! oha keeps a rate without waiting for answers, but by a timer of whole milliseconds: at thousands of requests a second
//! each tick sends several at once, on the beat, and what they wait for each other is most of what it measures there.
//! wrk's pauses are in whole milliseconds too, but drawn. So latency stands beside that of a single connection, where
//! nothing waits for anything.

use super::door::Door;
use crate::{memory, peer};
use anyhow::{Context as _, Result, ensure};
use std::path::PathBuf;
use tempfile::TempDir;

const SCRIPT: &str = include_str!("wrk.lua");
/// Enough that the two cores never wait.
pub(super) const CONNECTIONS: usize = 32;

/// What one run of wrk found.
pub(super) struct Figures {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) per_second: f64,
    /// CPU time of the one who was asked, for each request.
    pub(super) cpu_ms: f64,
}

/// The generator.
pub(super) struct Wrk {
    _files: TempDir,
    script: PathBuf,
}

impl Wrk {
    pub(super) fn new() -> Result<Self> {
        let files = tempfile::tempdir()?;
        let script = files.path().join("wrk.lua");
        std::fs::write(&script, SCRIPT)?;
        Ok(Self { _files: files, script })
    }

    /// As fast as it goes.
    pub(super) async fn saturate(&self, door: &Door, connections: usize, seconds: u32) -> Result<Figures> {
        self.run(door, connections, 0.0, seconds).await
    }

    /// About this many requests a second, close to an open loop.
    pub(super) async fn at_rate(&self, door: &Door, per_second: f64, seconds: u32) -> Result<Figures> {
        self.run(door, CONNECTIONS, CONNECTIONS as f64 / per_second * 1e3, seconds).await
    }

    async fn run(&self, door: &Door, connections: usize, pause_ms: f64, seconds: u32) -> Result<Figures> {
        let script = self.script.to_str().context("a path in UTF-8")?;
        let url = format!("http://{}/v1/chat/completions", door.address);
        let (connections, pause) = (format!("-c{connections}"), format!("{pause_ms:.3}"));
        let duration = format!("-d{seconds}s");
        let processes = door.process().map(memory::family).unwrap_or_default();
        let before = memory::cpu_s(&processes);
        let arguments = ["-t1", &connections, &duration, "-s", script, &url, "--", &door.key, &pause];
        let text = peer::output("wrk", &arguments).await?;
        let cpu_s = memory::cpu_s(&processes) - before;
        let line = text.lines().find_map(|line| line.strip_prefix("figures ")).context("wrk told nothing")?;
        let numbers: Vec<f64> = line.split(' ').filter_map(|number| number.parse().ok()).collect();
        let [requests, duration_us, failed, p50_us, p99_us] = numbers[..] else {
            anyhow::bail!("wrk told {line:?}")
        };
        ensure!(failed == 0.0 && requests > 0.0, "{failed} of {requests} requests to {url} failed");
        Ok(Figures {
            p50_ms: p50_us / 1e3,
            p99_ms: p99_us / 1e3,
            per_second: requests / duration_us * 1e6,
            cpu_ms: cpu_s / requests * 1e3,
        })
    }
}
