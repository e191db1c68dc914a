//! The benchmarks: a program of their own, built with optimisations.

use crate::steps::Steps;
use crate::{agent, paths, setup, shell, ui};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only the aims named, for instance `P1 P3`.
    aims: Vec<String>,
    /// Repetitions of each pair.
    #[arg(long, default_value_t = 7)]
    runs: usize,
    /// Engine to measure on.
    #[arg(long, default_value = "docker")]
    engine: String,
}

/// Builds what is measured and measures; the table is printed, and written to target/bench.json.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut steps = Steps::default();
    let engines = setup::for_tests(&mut steps)?;
    steps.step("user interface", ui::build)?;
    steps.step("agent", agent::build)?;
    steps.step("product", || crate::run::build("aicockpit-cli", true))?;
    steps.step("measurements", || {
        shell::run("cargo")
            .args([
                "run",
                "--release",
                "--locked",
                "--quiet",
                "--package",
                "aicockpit-testkit",
                "--bin",
                "bench",
                "--",
            ])
            .args(["--runs", &arguments.runs.to_string(), "--engine", &arguments.engine, "--json"])
            .args([paths::target().join("bench.json").as_os_str()])
            .args(&arguments.aims)
            .env("AICOCKPIT_AGENT", paths::agent_binary())
            .env("AICOCKPIT_UI", paths::ui().join("dist"))
            .env("AICOCKPIT_BIN", paths::target().join("release/aicockpit"))
            .show()
    })?;
    drop(engines);
    Ok(())
}
