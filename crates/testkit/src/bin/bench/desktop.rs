//! P8: the desktop window.

use crate::host::Host;
use crate::peer;
use crate::report::Report;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::{Path, PathBuf};

const WORKSPACES: usize = 20;
const FILE: &str = "weighed.rs";

/// What is measured, where it is there.
#[derive(clap::Args)]
pub(crate) struct Desktop {
    /// The program of the window. It is found by AICOCKPIT_DESKTOP too.
    #[arg(long, env = "AICOCKPIT_DESKTOP")]
    desktop: Option<PathBuf>,
    /// The script that drives it.
    #[arg(long)]
    desktop_script: Option<PathBuf>,
    /// The package.
    #[arg(long)]
    package: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Figures {
    start: Vec<f64>,
    dashboard: f64,
    workspace: f64,
    live: f64,
    idle: f64,
}

/// P8. The host makes the workspaces and ends; the window goes on with its data.
pub(crate) async fn measure(
    desktop: &Desktop,
    mut host: Host,
    runs: usize,
    report: &mut Report,
) -> Result<()> {
    match &desktop.package {
        Some(package) => {
            let size = std::fs::metadata(package)?.len() as f64 / 1e6;
            report.alone(("P8", "the .deb"), "MB", &[size], "≤ 25 MB");
        }
        None => report.note("P8", "there is no .deb (`cargo xtask package` makes it): not weighed"),
    }
    let (Some(_), Some(script)) = (&desktop.desktop, &desktop.desktop_script) else {
        report.note("P8", "the window is not built: not measured");
        return Ok(());
    };
    let mut workspaces = Vec::new();
    let measured = async {
        for number in 0..WORKSPACES {
            workspaces.push(host.create_workspace(&format!("bench-{number}")).await?);
        }
        let first = workspaces.first().context("no workspace")?;
        let content = "fn main() { println!(\"{}\", 6 * 7); }";
        host.inside(first, &format!("echo '{content}' > /workspace/{FILE}")).await?;
        host.stop().await?;
        let figures = drive(script, &host, runs, first.as_str()).await;
        // It is wanted again for the deletion.
        host.go_on().await?;
        figures
    };
    let measured = measured.await;
    let deleting = workspaces.iter().map(|workspace| host.delete_workspace(workspace));
    let deleted = futures::future::try_join_all(deleting).await;
    let figures = measured?;
    deleted?;
    report.alone(("P8", "window: start → dashboard of 20 workspaces"), "ms", &figures.start, "≤ 800 ms");
    report.alone(
        ("P8", "window: PSS of all its processes, dashboard"),
        "MiB",
        &[figures.dashboard],
        "≤ 250 MB",
    );
    report.alone(("P8", "the same, one workspace and editor open"), "MiB", &[figures.workspace], "≤ 400 MB");
    report.alone(("P8", "window: CPU idle, 20 workspaces shown"), "% of a core", &[figures.idle], "≤ 0.5 %");
    report.alone(("P8", "the same within a minute of a touch"), "% of a core", &[figures.live], "");
    report.note("P8", "times include WebDriver's own start of the page; drawn without a GPU, on Xvfb");
    report.note("P8", "a hidden window needs a tray, which Xvfb lacks: not measured");
    Ok(())
}

async fn drive(script: &Path, host: &Host, runs: usize, workspace: &str) -> Result<Figures> {
    let home = host.home.path().to_string_lossy().into_owned();
    let (script, runs) = (script.to_string_lossy().into_owned(), runs.to_string());
    let printed = peer::output("node", &[&script, &home, &runs, workspace, FILE]).await?;
    serde_json::from_str(printed.trim()).with_context(|| format!("the window's script printed {printed:?}"))
}
