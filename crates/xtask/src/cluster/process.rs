//! One part of the cluster as a process: started apart from us, found again by what it left in the run folder.
//!
//! Beside each part's log lie `NAME.pid` and `NAME.cmd`, the JSON array of its program and arguments: a test that kills
//! a part starts it again by that, as [`start`] does. Parts get no environment but PATH and HOME.

use super::{START_LIMIT, run_folder};
use crate::engines;
use anyhow::{Context as _, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fmt;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long a part that was asked to end may take before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// What is to run.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) command: Vec<String>,
    pub(super) answers: Box<dyn Fn() -> bool>,
}

/// What is known of a part's process.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    Runs(i32),
    Ended(i32),
    NeverStarted,
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runs(pid) => write!(formatter, "runs, process {pid}"),
            Self::Ended(pid) => write!(formatter, "ended, was process {pid}"),
            Self::NeverStarted => write!(formatter, "not started"),
        }
    }
}

/// Starts a part that does not run, and waits until it answers.
pub(super) fn start(part: &Part) -> anyhow::Result<()> {
    let name = part.name;
    let mut child = None;
    if !matches!(state(name), State::Runs(_)) {
        let log = file(name, "log");
        println!("starting {name}, log in {}", log.display());
        child = Some(spawn(part, &log)?);
    }
    // In its first moments a child cannot be told by its command line.
    let mut gone = || match &mut child {
        Some(child) => engines::ended(child),
        None => !matches!(state(name), State::Runs(_)),
    };
    let answered = engines::until(START_LIMIT, || (part.answers)() || gone());
    if answered.is_err() || gone() {
        bail!("{name} did not start; see {}", file(name, "log").display());
    }
    Ok(())
}

fn spawn(part: &Part, log: &Path) -> anyhow::Result<Child> {
    let name = part.name;
    let text = serde_json::to_string(&part.command).context("a command line is no JSON")?;
    std::fs::write(file(name, "cmd"), text)
        .with_context(|| format!("cannot write the command line of {name}"))?;
    let output = File::options()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("cannot write {}", log.display()))?;
    let errors = output.try_clone().context("cannot share a log")?;
    let (program, arguments) = part.command.split_first().context("a part without a program")?;
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", run_folder())
        .current_dir(run_folder())
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    std::fs::write(file(name, "pid"), child.id().to_string())
        .with_context(|| format!("cannot write the process id of {name}"))?;
    Ok(child)
}

/// Asks a part to end, and kills it where it does not.
pub(super) fn stop(name: &str) -> anyhow::Result<()> {
    let State::Runs(pid) = state(name) else { return Ok(()) };
    println!("stopping {name}");
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        // Only fails where it has ended in between.
        let _ = kill(Pid::from_raw(pid), signal);
        if engines::until(STOP_LIMIT, || !matches!(state(name), State::Runs(_))).is_ok() {
            return Ok(());
        }
    }
    bail!("{name} does not end; its process is {pid}")
}

/// What is known of a part.
pub(super) fn state(name: &str) -> State {
    let pid = std::fs::read_to_string(file(name, "pid")).ok().and_then(|text| text.trim().parse().ok());
    let Some(pid) = pid else { return State::NeverStarted };
    // A process of that number may be another's, after a restart of the machine.
    if exists(pid) && is_part(pid, name) { State::Runs(pid) } else { State::Ended(pid) }
}

/// Whether all of them run.
pub(super) fn all_run(names: &[&str]) -> bool {
    names.iter().all(|name| matches!(state(name), State::Runs(_)))
}

/// Whether none of them runs.
pub(super) fn none_runs(names: &[&str]) -> bool {
    !names.iter().any(|name| matches!(state(name), State::Runs(_)))
}

fn exists(pid: i32) -> bool {
    // One that has ended and was not collected still has its number, and is no running part.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let zombie = stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z'));
    kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH) && !zombie
}

fn is_part(pid: i32, name: &str) -> bool {
    let Ok(text) = std::fs::read_to_string(file(name, "cmd")) else { return false };
    let command: Vec<String> = serde_json::from_str(&text).unwrap_or_default();
    let running = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    running == command.iter().flat_map(|word| word.bytes().chain([0])).collect::<Vec<u8>>()
}

fn file(name: &str, extension: &str) -> PathBuf {
    run_folder().join(format!("{name}.{extension}"))
}
