//! P3: one file operation, from the client to the disk and back.

use crate::codeserver::CodeServer;
use crate::host::{Host, container};
use crate::peer::{self, OpenExec};
use crate::peers::Peers;
use crate::report::{Report, median, ms, percentile};
use aicockpit_protocol::api::{FsRead, FsStat, FsWrite, In};
use aicockpit_protocol::fs::{ReadFile, Stat, WriteCondition, WriteFile};
use aicockpit_protocol::{BytePath, WorkspaceId};
use anyhow::Result;
use std::time::Instant;

/// Operations of each kind between two of the peers' turns.
pub(crate) const BATCH: usize = 300;
/// The engine's own exec takes 50 ms and more.
pub(crate) const EXECS: usize = 3;
pub(crate) const SIZE: usize = 4096;
/// Of a request or an answer that carries no content.
pub(crate) const MESSAGE: usize = 128;

/// The figures of one kind of operation.
#[derive(Default)]
pub(crate) struct Figures {
    /// Median of each turn.
    pub(crate) medians: Vec<f64>,
    pub(crate) all: Vec<f64>,
}

impl Figures {
    pub(crate) fn add(&mut self, turn: &[f64]) {
        self.medians.push(median(turn));
        self.all.extend_from_slice(turn);
    }
}

/// P3.
pub(crate) async fn measure(
    host: &Host,
    workspace: &WorkspaceId,
    peers: &Peers,
    runs: usize,
    report: &mut Report,
) -> Result<()> {
    let operations = Operations { host, workspace, path: BytePath::from("/workspace/bench.bin") };
    operations.write(&[7; SIZE]).await?;
    let folder = tempfile::tempdir()?;
    let local = folder.path().join("code-server.bin");
    std::fs::write(&local, [7; SIZE])?;
    let server = match &peers.code_server {
        Some((program, path)) => Some(CodeServer::start(program, path).await?),
        None => None,
    };
    let (mut stats, mut reads, mut writes) = (Figures::default(), Figures::default(), Figures::default());
    let (mut execs, mut served, mut echoes) = (Vec::new(), Vec::new(), Vec::new());
    let mut open = OpenExec::cat(host.engine_command(), &container(workspace))?;
    open.round_trip(&[7; MESSAGE]).await?;
    for _ in 0..runs {
        let [mut stat, mut read, mut write] = [const { Vec::new() }; 3];
        for _ in 0..BATCH {
            stat.push(operations.stat().await?);
            read.push(operations.read(SIZE).await?);
            write.push(operations.write(&[7; SIZE]).await?);
        }
        stats.add(&stat);
        reads.add(&read);
        writes.add(&write);
        let mut exec = Vec::new();
        for _ in 0..EXECS {
            exec.push(ms(peer::run(host.engine_command(), &["exec", &container(workspace), "true"]).await?));
        }
        execs.push(median(&exec));
        let mut echo = Vec::new();
        for _ in 0..BATCH {
            echo.push(ms(open.round_trip(&[7; MESSAGE]).await?));
        }
        echoes.push(median(&echo));
        if let Some(server) = &server {
            let (mut connection, mut turn) = (server.connect().await?, Vec::new());
            for _ in 0..BATCH {
                turn.push(connection.read(&local.to_string_lossy(), SIZE).await?);
            }
            served.push(median(&turn));
        }
    }
    for (what, figures) in [("stat", &stats), ("read 4 KiB", &reads), ("write 4 KiB", &writes)] {
        let name = format!("{what}, p50 of each turn");
        report.pair(("P3", &name), "ms", &figures.medians, ("fresh exec", &execs), "≤ 0.3 ms");
        let p99 = percentile(&figures.all, 0.99);
        report.alone(("P3", &format!("{what}, p99 of all")), "ms", &[p99], "≤ 2 ms");
    }
    let peer = ("an echo over an open exec", &echoes[..]);
    report.pair(("P3", "stat, p50 of each turn"), "ms", &stats.medians, peer, "");
    match server {
        Some(server) => {
            server.stop().await?;
            let peer = ("code-server, not in a container", &served[..]);
            report.pair(("P3", "read 4 KiB, p50 of each turn"), "ms", &reads.medians, peer, "");
            report.note("P3", "code-server's stat and write go by its own WebSocket protocol: not measured");
        }
        None => report.note("P3", "code-server is not here: not measured"),
    }
    operations.growth(report).await
}

pub(crate) struct Operations<'a> {
    pub(crate) host: &'a Host,
    pub(crate) workspace: &'a WorkspaceId,
    pub(crate) path: BytePath,
}

impl Operations<'_> {
    pub(crate) async fn stat(&self) -> Result<f64> {
        let args = Stat { path: self.path.clone() };
        let begin = Instant::now();
        self.host.client.call::<FsStat>(In { workspace: self.workspace.clone(), args }).await?;
        Ok(ms(begin.elapsed()))
    }

    pub(crate) async fn read(&self, size: usize) -> Result<f64> {
        let args = ReadFile { path: self.path.clone(), offset: 0, length: u32::try_from(size)? };
        let begin = Instant::now();
        let read = In { workspace: self.workspace.clone(), args };
        let reply = self.host.client.call_with::<FsRead>(read, &[]).await?;
        anyhow::ensure!(reply.body.len() == size, "{} bytes came of {size}", reply.body.len());
        Ok(ms(begin.elapsed()))
    }

    pub(crate) async fn write(&self, content: &[u8]) -> Result<f64> {
        let condition = WriteCondition::Any;
        let args = WriteFile { path: self.path.clone(), condition, create_parents: false };
        let begin = Instant::now();
        let write = In { workspace: self.workspace.clone(), args };
        self.host.client.call_with::<FsWrite>(write, content).await?;
        Ok(ms(begin.elapsed()))
    }

    /// By size, from where bytes and no longer messages cost.
    async fn growth(&self, report: &mut Report) -> Result<()> {
        let (mut reads, mut writes) = (Vec::new(), Vec::new());
        for size in [64, 640, 6400].map(|kib| kib * 1024) {
            let (mut read, mut write) = (Vec::new(), Vec::new());
            let content = vec![7; size];
            for _ in 0..20 {
                write.push(self.write(&content).await?);
                read.push(self.read(size).await?);
            }
            reads.push((size as f64 / 1024.0, median(&read)));
            writes.push((size as f64 / 1024.0, median(&write)));
        }
        report.growth(("P3", "read by KiB"), "ms", &reads);
        report.growth(("P3", "write by KiB"), "ms", &writes);
        Ok(())
    }
}
