//! `aicockpit`: the command line.
//!
//! **Invariant:** only wiring. Every command is one or more operations of the protocol, run by the cockpit that
//! already owns the data directory where there is one, else by one started for the length of the command.

mod arguments;
mod commands;
mod connect;
mod failure;
mod find;
mod output;
mod terminal;

use arguments::Arguments;
use clap::Parser;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_env("AICOCKPIT_LOG").unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::complain(&format!("The program could not start: {error}."));
            return ExitCode::FAILURE;
        }
    };
    let json = arguments.json;
    let code = match runtime.block_on(commands::run(arguments)) {
        Ok(code) => code,
        Err(error) => failure::report(&error, json),
    };
    // A read of standard input cannot be interrupted; it must not hold the end up.
    runtime.shutdown_background();
    code
}
