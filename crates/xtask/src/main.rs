//! `cargo xtask …`: everything a developer does with this repository, as one program.
//!
//! **Invariant:** every command can be repeated, does only what is missing, and says what it does and how long it
//! took. What it starts (an engine, a display) it stops again, except `run`, whose engine the workspaces need.
#![expect(clippy::print_stdout, reason = "a command-line program talks to its person")]

mod agent;
mod arrows;
mod bench;
mod check;
mod cluster;
mod display;
mod engines;
mod fuzz;
mod generate;
mod installed;
mod models;
mod package;
mod packages;
mod paths;
mod run;
mod setup;
mod shell;
mod stamp;
mod steps;
mod test;
mod tools;
mod ui;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Sets up, runs, tests, packages and measures AiCockpit", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sets everything up and starts the product: the window, or its address where there is no display.
    Run(run::Arguments),
    /// Installs what is needed to build and run, and with --tests to test.
    Setup(setup::Arguments),
    /// Writes the UI's protocol types from crates/protocol.
    Generate {
        /// Fail where the file is not up to date, and write nothing.
        #[arg(long)]
        check: bool,
    },
    /// Checks the crates' dependencies, the generated file and the top level of the repository.
    Check,
    /// Sets up and runs every test. CI runs exactly this.
    Test(test::Arguments),
    /// Makes the .deb package, installs it where possible and starts what it installed.
    Package(package::Arguments),
    /// Measures the product beside the engine's own commands.
    Bench(bench::Arguments),
    /// A real Kubernetes cluster of one node, for the tests.
    Cluster(cluster::Arguments),
    /// Takes pictures of every screen in both themes: tests/artifacts/screens.
    Screenshots,
}

fn main() -> std::process::ExitCode {
    match work() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn work() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Setup(arguments) => setup::run(&arguments),
        Command::Generate { check } => generate::run(check),
        Command::Check => check::run(),
        Command::Test(arguments) => test::run(&arguments),
        Command::Package(arguments) => package::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Cluster(arguments) => cluster::run(&arguments),
        Command::Screenshots => test::screenshots(),
    }
}
