//! `cargo xtask bench`: the product beside what people would use instead, in the same run on the same machine.
//!
//! Both sides alternate and repeat; the printed table has the median of each, and the ratio of the medians with the
//! smallest and largest ratio of a pair. Figures of one run mean little on another machine: the ratios count.

mod broker;
mod codeserver;
mod create;
mod dashboard;
mod desktop;
mod files;
mod footprint;
mod host;
mod kubernetes;
mod memory;
mod peer;
mod peers;
mod report;
mod search;
mod terminal;
mod transfer;

use anyhow::{Context, Result, bail};
use clap::Parser;
use desktop::Desktop;
use host::Host;
use peers::{PeerPaths, Peers};
use report::Report;
use std::path::PathBuf;

/// Every aim there is a measurement for on this machine.
const AIMS: [&str; 11] = ["P1", "P2", "P3", "P4", "P5", "P7", "P8", "P9", "P10", "P11", "P13"];

/// Name of all aims on a cluster.
const GROUP: &str = "kubernetes";

/// Measures AiCockpit beside its peers.
#[derive(Parser)]
struct Arguments {
    /// Only the aims named, for instance `--only P1 P3`; `kubernetes` for those on a cluster.
    #[arg(long, num_args = 1..)]
    only: Vec<String>,
    /// Repetitions of each pair; slow ones take fewer.
    #[arg(long, default_value_t = 7)]
    runs: usize,
    /// Engine to measure on.
    #[arg(long, default_value = "docker")]
    engine: String,
    /// Image of the workspaces; must be present.
    #[arg(long, default_value = "debian:bookworm")]
    image: String,
    /// Where the figures go as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    #[command(flatten)]
    peers: PeerPaths,
    #[command(flatten)]
    desktop: Desktop,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let all = [&AIMS[..], &kubernetes::AIMS].concat();
    let wanted = |aim: &str, name: &str| {
        aim.eq_ignore_ascii_case(name) || name == GROUP && kubernetes::AIMS.contains(&aim)
    };
    if let Some(unknown) = arguments.only.iter().find(|name| !all.iter().any(|aim| wanted(aim, name))) {
        bail!("nothing measures {unknown}; there are {} and {GROUP}", all.join(", "));
    }
    let peers = Peers::from(arguments.peers);
    let bench = Bench {
        engine: arguments.engine,
        image: arguments.image,
        runs: arguments.runs.max(1),
        peers,
        desktop: arguments.desktop,
    };
    let mut report = Report::begin(bench.machine().await?);
    let mut failed = Vec::new();
    for aim in all {
        if arguments.only.is_empty() || arguments.only.iter().any(|name| wanted(aim, name)) {
            // What one cannot measure must not cost the figures of the others.
            if let Err(error) = bench.measure(aim, &mut report).await {
                report.note(aim, format!("failed: {error:#}"));
                failed.push(aim);
            }
        }
    }
    report.end();
    if let Some(path) = &arguments.json {
        let written = std::fs::write(path, serde_json::to_vec_pretty(&report)?);
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    if !failed.is_empty() {
        bail!("could not be measured: {}", failed.join(", "));
    }
    Ok(())
}

struct Bench {
    engine: String,
    image: String,
    runs: usize,
    peers: Peers,
    desktop: Desktop,
}

impl Bench {
    async fn machine(&self) -> Result<String> {
        let cores = std::thread::available_parallelism()?;
        let engine = if self.engine.starts_with("podman") { "podman" } else { "docker" };
        let version = peer::output(engine, &["version", "--format", "{{.Server.Version}}"]).await?;
        Ok(format!("{cores} cores, {} {}", self.engine, version.trim()))
    }

    /// Each aim has a host of its own, so that none finds what another left in memory.
    async fn measure(&self, aim: &'static str, report: &mut Report) -> Result<()> {
        if kubernetes::AIMS.contains(&aim) {
            return kubernetes::measure(aim, &self.image, self.runs, report).await;
        }
        match aim {
            "P10" => return broker::measure(&self.peers, self.runs, report).await,
            "P11" => return broker::measure_cuts(&self.peers, self.runs, report).await,
            _ => {}
        }
        let mut host = Host::start(&self.engine, &self.image).await?;
        create::engine_ready(&host).await?;
        match aim {
            "P1" => return create::measure(&host, &self.peers, self.runs, report).await,
            "P5" => return search::measure(&host, &self.peers, self.runs, report).await,
            "P7" => return footprint::measure(&host, &self.peers, report).await,
            "P8" => return desktop::measure(&self.desktop, host, self.runs.min(5), report).await,
            "P9" => return dashboard::measure(host, self.runs, report).await,
            _ => {}
        }
        let workspace = host.create_workspace("bench-inside").await?;
        let measured = match aim {
            "P2" => create::measure_reopen(&mut host, &workspace, self.runs, report).await,
            "P3" => files::measure(&host, &workspace, &self.peers, self.runs, report).await,
            "P4" => terminal::measure(&host, &workspace, self.runs, report).await,
            _ => transfer::measure(&host, &workspace, self.runs.min(2), report).await,
        };
        host.delete_workspace(&workspace).await?;
        measured
    }
}
