//! One module for each command that is more than a line.

mod broker;
mod copy;
mod create;
mod doctor;
mod exec;
mod lifecycle;
mod list;
mod logs;
mod ports;
mod requests;
mod serve;
mod shell;
mod usage;

use crate::arguments::{Arguments, Command};
use crate::connect::Connection;
use anyhow::Context as _;
use clap::CommandFactory;
use std::process::ExitCode;

/// Runs a command.
///
/// # Errors
/// What went wrong, for people; an `ApiError` inside decides the exit status.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let json = arguments.json;
    match arguments.command {
        Command::Serve(serve) => return serve::run(serve, json).await,
        Command::Broker(options) => return broker::run(*options, json).await,
        Command::Usage(asked) if asked.ledger.is_some() || asked.broker.is_some() => {
            usage::without_cockpit(&asked, json).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Doctor => return doctor::run(json).await,
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "aicockpit", &mut script);
            crate::output::write(&script)?;
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    let connection = Connection::open().await?;
    let outcome = connected(&connection, arguments.command, json).await;
    connection.close().await;
    outcome
}

async fn connected(connection: &Connection, command: Command, json: bool) -> anyhow::Result<ExitCode> {
    let client = &connection.client;
    match command {
        Command::Usage(asked) => usage::run(client, &asked, json).await?,
        Command::List => list::run(client, json).await?,
        Command::Create(create) => create::run(client, *create, json).await?,
        Command::Start(several) => lifecycle::start(client, &several.workspaces).await?,
        Command::Stop(several) => lifecycle::stop(client, &several.workspaces).await?,
        Command::Recreate(several) => lifecycle::recreate(client, &several.workspaces).await?,
        Command::LetGo(let_go) => lifecycle::let_go(client, &let_go).await?,
        Command::Rm(remove) => lifecycle::remove(client, &remove).await?,
        Command::Exec(exec) => return exec::run(client, exec).await,
        Command::Shell(shell) => return shell::run(client, shell).await,
        Command::Logs(asked) => logs::run(client, &asked).await?,
        Command::Ports(ports) => ports::run(connection, ports, json).await?,
        Command::Cp(copy) => copy::run(client, &copy).await?,
        Command::Serve(_) | Command::Broker(_) | Command::Doctor | Command::Completion { .. } => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// `NAME=VALUE` texts as variables.
fn variables(texts: &[String]) -> anyhow::Result<std::collections::BTreeMap<String, String>> {
    texts
        .iter()
        .map(|text| {
            let (name, value) =
                text.split_once('=').with_context(|| format!("`{text}` is not of the form NAME=VALUE"))?;
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}
