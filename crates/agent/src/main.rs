//! The agent's program.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "usage: aicockpit-agent init [--folder DIR] [-- COMMAND…]
       aicockpit-agent daemon [--folder DIR] [--first-terminal NUMBER]
       aicockpit-agent connect [--folder DIR] [--first-terminal NUMBER]
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
