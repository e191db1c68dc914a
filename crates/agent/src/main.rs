//! The agent's program.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "usage: aicockpit-agent init [--folder DIR] [-- COMMAND…]
       aicockpit-agent daemon [--folder DIR] [--first-terminal NUMBER]
       aicockpit-agent connect [--folder DIR] [--first-terminal NUMBER]
       aicockpit-agent install DIR/NAME
       aicockpit-agent receive DIR/NAME LENGTH
       aicockpit-agent reach HOST_VARIABLE PORT_VARIABLE
       aicockpit-agent --version
";
/// Where workspaces have their folder.
const FOLDER: &str = "/workspace";

struct Arguments {
    folder: PathBuf,
    first_terminal: u32,
    command: Vec<OsString>,
}

fn main() -> ExitCode {
    let mut given = std::env::args_os().skip(1);
    let subcommand = given.next().unwrap_or_default();
    if subcommand == "--version" {
        return say(&format!("aicockpit-agent {}\n", env!("CARGO_PKG_VERSION")));
    }
    if subcommand == "install" || subcommand == "receive" {
        return place(&subcommand, given);
    }
    if subcommand == "reach" {
        return reach(given);
    }
    let arguments = match parse(given) {
        Ok(arguments) => arguments,
        Err(unknown) => return misused(&unknown),
    };
    match subcommand.to_str() {
        Some("init") => aicockpit_agent::init::run(&arguments.folder, &arguments.command),
        Some("daemon") => aicockpit_agent::daemon(&arguments.folder, arguments.first_terminal),
        Some("connect") => aicockpit_agent::connect::run(&arguments.folder, arguments.first_terminal),
        Some("--help" | "-h") => say(USAGE),
        _ => misused(&subcommand),
    }
}

fn parse(mut given: impl Iterator<Item = OsString>) -> Result<Arguments, OsString> {
    let mut arguments = Arguments { folder: PathBuf::from(FOLDER), first_terminal: 1, command: Vec::new() };
    while let Some(argument) = given.next() {
        match argument.to_str() {
            Some("--folder") => arguments.folder = given.next().ok_or(argument)?.into(),
            Some("--first-terminal") => {
                let number = given.next().and_then(|text| text.to_str()?.parse().ok());
                arguments.first_terminal = number.ok_or(argument)?;
            }
            Some("--") => arguments.command = given.by_ref().collect(),
            _ => return Err(argument),
        }
    }
    Ok(arguments)
}

/// Puts a program where workspaces look for it.
fn place(subcommand: &OsStr, mut given: impl Iterator<Item = OsString>) -> ExitCode {
    let Some(target) = given.next().map(PathBuf::from) else { return misused(subcommand) };
    let len = given.next();
    match (len, given.next()) {
        (_, Some(surplus)) => misused(&surplus),
        (None, None) if subcommand == "install" => aicockpit_agent::place::install(&target),
        (Some(len), None) if subcommand == "receive" => {
            match len.to_str().and_then(|text| text.parse().ok()) {
                Some(len) => aicockpit_agent::place::receive(&target, len),
                None => misused(&len),
            }
        }
        (Some(surplus), None) => misused(&surplus),
        (None, None) => misused(subcommand),
    }
}

/// Looks whether a connection leads out.
fn reach(given: impl Iterator<Item = OsString>) -> ExitCode {
    let names: Vec<OsString> = given.collect();
    match names.iter().map(|name| name.to_str()).collect::<Option<Vec<_>>>().as_deref() {
        Some([host, port]) => aicockpit_agent::reach::run(host, port),
        _ => misused(OsStr::new("reach")),
    }
}

fn say(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn misused(argument: &OsStr) -> ExitCode {
    aicockpit_agent::report(format_args!("what is {:?}?\n{USAGE}", argument.to_string_lossy()));
    ExitCode::from(2)
}
