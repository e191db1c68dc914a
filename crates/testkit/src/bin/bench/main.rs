//! `cargo xtask bench`: the product beside what people would use instead, in the same run on the same machine.
//!
//! Both sides alternate and repeat; the printed table has the median of each, and the ratio of the medians with the
//! smallest and largest ratio of a pair. Figures of one run mean little on another machine: the ratios count.

mod create;
mod files;
mod host;
mod peer;
mod report;
mod terminal;
mod transfer;

use anyhow::Result;
use clap::Parser;
use report::Report;
use std::path::PathBuf;

/// Measures AiCockpit beside its peers.
#[derive(Parser)]
struct Arguments {
    /// Only the aims named, for instance `P1 P3`.
    aims: Vec<String>,
    /// Repetitions of each pair.
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
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let wanted = |aim: &str| {
        arguments.aims.is_empty() || arguments.aims.iter().any(|name| name.eq_ignore_ascii_case(aim))
    };
    let host = host::Host::start(&arguments.engine, &arguments.image).await?;
    let mut report = Report::default();

    if wanted("P1") {
        create::measure(&host, arguments.runs, &mut report).await?;
    }
    if wanted("P2") || wanted("P3") || wanted("P4") || wanted("P13") {
        let workspace = host.create_workspace("bench-inside").await?;
        let measured = async {
            if wanted("P2") {
                create::measure_reopen(&host, &workspace, arguments.runs, &mut report).await?;
            }
            if wanted("P3") {
                files::measure(&host, &workspace, &mut report).await?;
            }
            if wanted("P4") {
                terminal::measure(&host, &workspace, arguments.runs, &mut report).await?;
            }
            if wanted("P13") {
                transfer::measure(&host, &workspace, arguments.runs.min(3), &mut report).await?;
            }
            anyhow::Ok(())
        }
        .await;
        host.delete_workspace(&workspace).await?;
        measured?;
    }

    report.print();
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
    }
    Ok(())
}
