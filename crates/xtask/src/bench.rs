//! The benchmarks: a program of their own, built with optimisations.

#[path = "bench_peers.rs"]
mod peers;

use crate::packages::{self, Purpose};
use crate::setup::Need;
use crate::steps::Steps;
use crate::{agent, cluster, display, paths, setup, shell, tools, ui};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only the aims named, for instance `--only P1 P3`; `kubernetes` for those on a cluster.
    #[arg(long, num_args = 1..)]
    only: Vec<String>,
    /// Repetitions of each pair; slow ones take fewer.
    #[arg(long, default_value_t = 7)]
    runs: usize,
    /// Engine to measure on.
    #[arg(long, default_value = "docker")]
    engine: String,
}

impl Arguments {
    fn wants(&self, aims: &[&str]) -> bool {
        self.only.is_empty()
            || self.only.iter().any(|name| aims.iter().any(|aim| aim.eq_ignore_ascii_case(name)))
    }
}

/// Builds what is measured and measures; the table is printed, and written to target/bench.json.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut steps = Steps::default();
    let need = if arguments.wants(&["kubernetes"]) { Need::Cluster } else { Need::Engines };
    let surroundings = setup::for_tests(&mut steps, need)?;
    if arguments.wants(&["P10"]) {
        steps.step("load generator", || packages::install(&[Purpose::Bench], true))?;
    }
    steps.step("user interface", ui::build)?;
    steps.step("agent", agent::build)?;
    let wants_window = arguments.wants(&["P8"]);
    steps.step("product and measurements", || {
        // Always the same packages in one go: features differ by what is built together, and each set builds
        // everything. The window takes minutes of its own to link.
        let build = shell::run("cargo")
            .args(["build", "--release", "--locked", "--package", "aicockpit-cli"])
            .args(["--package", "aicockpit-desktop", "--package", "aicockpit-testkit"])
            .args(["--bin", "aicockpit", "--bin", "bench"]);
        if wants_window { build.args(["--bin", "aicockpit-desktop"]) } else { build }.show()
    })?;
    let found = steps.step("peers", || Ok(peers::install(arguments)))?;
    let release = paths::target().join("release");
    let screen = if wants_window { Some(display::Screen::start()?) } else { None };
    steps.step("measurements", || {
        let mut bench = cluster::tell(shell::run(release.join("bench")))
            .args(["--runs", &arguments.runs.to_string(), "--engine", &arguments.engine, "--json"])
            .args([paths::target().join("bench.json").as_os_str()])
            .args(found)
            .env("AICOCKPIT_AGENT", paths::agent_binary())
            .env("AICOCKPIT_UI", paths::ui().join("dist"))
            .env("AICOCKPIT_BIN", release.join("aicockpit"))
            .env("AICOCKPIT_DESKTOP", release.join("aicockpit-desktop"));
        if let Some(screen) = &screen {
            let script = paths::root().join("crates/testkit/src/bin/bench/desktop.mjs");
            bench = bench
                .args([Path::new("--desktop-script"), &script])
                .env("DISPLAY", screen.name())
                .env("DBUS_SESSION_BUS_ADDRESS", screen.bus())
                .env("TAURI_DRIVER", tools::bin().join("tauri-driver"));
        }
        if let Some(package) = newest_package() {
            bench = bench.args([Path::new("--package"), &package]);
        }
        if !arguments.only.is_empty() {
            bench = bench.args(["--only"]).args(&arguments.only);
        }
        bench.show()
    })?;
    drop(surroundings);
    Ok(())
}

/// What `cargo xtask package` made last.
fn newest_package() -> Option<PathBuf> {
    std::fs::read_dir(paths::target().join("release/bundle/deb"))
        .ok()?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .max_by_key(|path| path.metadata().and_then(|metadata| metadata.modified()).ok())
}
