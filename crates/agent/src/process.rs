//! Processes inside the workspace, from /proc.

use aicockpit_protocol::ErrorCode;
use aicockpit_protocol::agent::AgentError;
use aicockpit_protocol::process::{ProcessInfo, SignalProcess};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, SysconfVar, sysconf};
use std::collections::HashMap;
use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Longest command line shown, in characters.
const MAX_COMMAND_LEN: usize = 400;

/// What /proc/PID/stat tells that is of use here.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Stat {
    name: String,
    parent: u32,
    session: i32,
    /// Time on a processor, in clock ticks.
    ticks: u64,
    resident_pages: u64,
    /// Tells a process from a later one with the same id.
    started: u64,
}

/// Reads a line of /proc/PID/stat. The name is in brackets and may hold anything.
fn parse_stat(line: &[u8]) -> Option<Stat> {
    let open = line.iter().position(|&byte| byte == b'(')?;
    let close = line.iter().rposition(|&byte| byte == b')')?;
    let name = String::from_utf8_lossy(line.get(open + 1..close)?).into_owned();
    let rest = std::str::from_utf8(&line[close + 1..]).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        name,
        parent: u32::try_from(number(1)?).ok()?,
        session: fields.get(3)?.parse().ok()?,
        ticks: number(11)? + number(12)?,
        started: number(19)?,
        resident_pages: number(21)?,
    })
}

fn processes() -> impl Iterator<Item = (u32, Stat)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((pid, parse_stat(&fs::read(entry.path().join("stat")).ok()?)?))
    })
}

/// Processes of the session that `leader` began, the leader itself included while it lives.
pub(crate) fn session_members(leader: Pid) -> Vec<Pid> {
    processes()
        .filter(|(_, stat)| stat.session == leader.as_raw())
        .filter_map(|(pid, _)| i32::try_from(pid).ok().map(Pid::from_raw))
        .collect()
}

/// Name of a process, where it can be seen.
pub(crate) fn name_of(pid: u32) -> Option<String> {
    parse_stat(&fs::read(format!("/proc/{pid}/stat")).ok()?).map(|stat| stat.name)
}

/// The list of processes, with what each used since the list before.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    before: Mutex<Option<Seen>>,
}

#[derive(Debug)]
struct Seen {
    at: Instant,
    /// Ticks used, by process id and start time.
    ticks: HashMap<(u32, u64), u64>,
}

impl Processes {
    /// All processes, by id.
    pub(crate) fn list(&self) -> Vec<ProcessInfo> {
        let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100) as f64;
        let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten().and_then(|size| u64::try_from(size).ok());
        let page = page.unwrap_or(4096);
        let now = Seen { at: Instant::now(), ticks: HashMap::new() };
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds =
            before.as_ref().map(|seen| (now.at - seen.at).as_secs_f64()).filter(|seconds| *seconds > 0.0);
        let mut now = now;
        let mut list: Vec<_> = processes()
            .map(|(pid, stat)| {
                let key = (pid, stat.started);
                let used = before
                    .as_ref()
                    .and_then(|seen| seen.ticks.get(&key))
                    .map(|old| stat.ticks.saturating_sub(*old));
                now.ticks.insert(key, stat.ticks);
                let cpu_percent = match (used, seconds) {
                    (Some(used), Some(seconds)) => used as f64 / per_second / seconds * 100.0,
                    _ => 0.0,
                };
                ProcessInfo {
                    pid,
                    parent: stat.parent,
                    command: command_line(pid, &stat.name),
                    memory_bytes: stat.resident_pages * page,
                    cpu_percent,
                }
            })
            .collect();
        *before = Some(now);
        list.sort_by_key(|process| process.pid);
        list
    }
}

fn command_line(pid: u32, name: &str) -> String {
    let raw = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let arguments: Vec<_> = raw.split(|&byte| byte == 0).map(String::from_utf8_lossy).collect();
    let joined = arguments.join(" ");
    let line = joined.trim_end();
    if line.is_empty() { format!("[{name}]") } else { line.chars().take(MAX_COMMAND_LEN).collect() }
}

/// Sends a signal to one process.
pub(crate) fn signal(asked: &SignalProcess) -> Result<(), AgentError> {
    let signal = parse_signal(&asked.signal)?;
    let pid = i32::try_from(asked.pid).ok().filter(|pid| *pid > 0).map(Pid::from_raw).ok_or_else(|| {
        AgentError::new(ErrorCode::InvalidArgument, format!("{} is not the id of a process", asked.pid))
    })?;
    kill(pid, signal).map_err(|error| {
        let code = match error {
            Errno::ESRCH => ErrorCode::NotFound,
            Errno::EPERM => ErrorCode::PermissionDenied,
            _ => ErrorCode::Internal,
        };
        AgentError::new(code, format!("{signal} cannot be sent to process {pid}: {}", error.desc()))
    })
}

/// The signal of a POSIX name without `SIG`.
pub(crate) fn parse_signal(name: &str) -> Result<Signal, AgentError> {
    format!("SIG{name}").parse().map_err(|_| {
        AgentError::new(
            ErrorCode::InvalidArgument,
            format!("{name:?} is not the name of a signal; INT or TERM are"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_brackets_and_blanks_are_read() {
        let line = b"42 (a) (b c) S 7 42 9 34816 42 4194304 100 0 0 0 11 22 0 0 20 0 3 0 12345 1000 250 18446744073709551615 1";
        let stat = parse_stat(line).unwrap();
        assert_eq!(
            stat,
            Stat {
                name: "a) (b c".into(),
                parent: 7,
                session: 9,
                ticks: 33,
                started: 12345,
                resident_pages: 250
            }
        );
        assert_eq!(parse_stat(b"42 (broken"), None);
    }

    #[test]
    fn the_list_holds_this_process_and_its_use() {
        let processes = Processes::default();
        processes.list();
        let spin = Instant::now();
        let mut sum = 0u64;
        while spin.elapsed().as_millis() < 60 {
            sum = sum.wrapping_mul(31).wrapping_add(1);
        }
        assert_ne!(sum, 1);
        let list = processes.list();
        let own = list.iter().find(|process| process.pid == std::process::id()).unwrap();
        assert!(own.memory_bytes > 0 && own.cpu_percent > 0.0, "{own:?}");
        assert!(own.command.contains("aicockpit"), "{own:?}");
    }

    #[test]
    fn only_real_processes_and_signals_are_accepted() {
        let signal_of =
            |pid, name: &str| signal(&SignalProcess { pid, signal: name.into() }).unwrap_err().code;
        assert_eq!(signal_of(0, "TERM"), ErrorCode::InvalidArgument);
        assert_eq!(signal_of(u32::MAX, "TERM"), ErrorCode::InvalidArgument);
        assert_eq!(signal_of(i32::MAX as u32, "TERM"), ErrorCode::NotFound);
        assert_eq!(signal_of(1, "NONSENSE"), ErrorCode::InvalidArgument);
    }
}
