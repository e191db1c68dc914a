//! A server's process: started by a thread that lives as long as we do, and ended with all that it started.

use super::command::{Call, MARK};
use super::isolation;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How long a server has to end once it is asked to.
const PATIENCE: Duration = Duration::from_secs(10);
/// In which the kernel counts time on processors: USER_HZ, the same on all machines that Linux runs on today.
const TICKS: u64 = 100;
/// Processes below processes that are followed.
const MAX_DEPTH: usize = 64;

struct Job {
    call: Call,
    socket: PathBuf,
    offline: bool,
    reply: oneshot::Sender<Result<Child, SpawnError>>,
}

/// Why a process was not started: a sentence for people.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum SpawnError {
    /// It was to have no network, and the kernel refuses that.
    #[error("{0}")]
    NoIsolation(String),
    #[error("{0}")]
    Other(String),
}

/// The thread that starts processes: the kernel ends them with it.
#[derive(Clone, Debug)]
pub(crate) struct Spawner(mpsc::Sender<Job>);

impl Spawner {
    /// Starts the thread. It ends with the last clone of this value.
    pub(crate) fn new(runtime: tokio::runtime::Handle) -> io::Result<Self> {
        let (sender, jobs) = mpsc::channel::<Job>();
        std::thread::Builder::new().name("model-servers".into()).spawn(move || {
            let _entered = runtime.enter();
            for job in jobs {
                // Nobody waits any more where it was given up; then the process ends with the reply.
                let _ = job.reply.send(start(job.call, &job.socket, job.offline));
            }
        })?;
        Ok(Self(sender))
    }

    /// Starts a process whose mark names `socket`.
    pub(crate) async fn spawn(&self, call: Call, socket: &Path, offline: bool) -> Result<Child, SpawnError> {
        let (reply, started) = oneshot::channel();
        let gone =
            || SpawnError::Other("the thread that starts processes is gone; restart AiCockpit".to_owned());
        self.0.send(Job { call, socket: socket.to_owned(), offline, reply }).map_err(|_| gone())?;
        started.await.map_err(|_| gone())?
    }
}

fn start(call: Call, socket: &Path, offline: bool) -> Result<Child, SpawnError> {
    let program = call.program.display().to_string();
    let mut command = Command::new(&call.program);
    command
        .args(&call.arguments)
        .envs(call.environment)
        .env(MARK, socket)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let told = isolation::isolate(&mut command, offline)
        .map_err(|error| SpawnError::Other(format!("{program} cannot be started: {error}")))?;
    let failed = |error| SpawnError::Other(format!("{program} cannot be started: {error}"));
    command.spawn().map_err(|error| told.why(&error).unwrap_or_else(|| failed(error)))
}

/// Asks a process and all of its group to end, and ends what has not ended in time. One that has hung is not asked.
pub(super) async fn end(child: &mut Child, socket: &Path, hung: bool) {
    let leader = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    if let Some(leader) = leader.filter(|_| !hung) {
        let _ = killpg(leader, Signal::SIGTERM);
    }
    if hung || timeout(PATIENCE, child.wait()).await.is_err() {
        let _ = child.start_kill();
        let _ = child.wait().await;
    }
    if let Some(leader) = leader {
        end_rest(leader, socket);
    }
}

/// Ends what a process has left when it ended: in its session, or in one of its own.
pub(super) fn end_rest(leader: Pid, socket: &Path) {
    // Its id is not given away while its group has members.
    let _ = killpg(leader, Signal::SIGKILL);
    let own = socket.as_os_str().as_bytes();
    for process in session(leader.as_raw()).into_iter().chain(marked(|mark| mark == own)) {
        let _ = kill(process, Signal::SIGKILL);
    }
}

/// Ends processes that a killed cockpit has left: those whose mark names a socket below this folder.
pub(super) fn end_left_over(folder: &Path) -> usize {
    let within = |mark: &[u8]| Path::new(OsStr::from_bytes(mark)).starts_with(folder);
    marked(within).into_iter().filter(|pid| kill(*pid, Signal::SIGKILL).is_ok()).count()
}

/// Processes whose environment has a mark like this.
fn marked(wanted: impl Fn(&[u8]) -> bool) -> Vec<Pid> {
    let mark = [MARK.as_bytes(), b"="].concat();
    let has = |pid: &Pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).filter_map(|one| one.strip_prefix(mark.as_slice())).any(&wanted)
    };
    // Started by a model server, we would find ourselves.
    let own = Pid::this();
    pids().filter(|pid| *pid != own).filter(has).collect()
}

fn pids() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw))
}

/// What the kernel says of a process in its line.
struct Stat {
    parent: i32,
    session: i32,
    /// Time on processors, its own and that of children that have ended.
    busy: Duration,
}

/// The second field of the line is in brackets and may hold anything.
fn stat(pid: Pid) -> Option<Stat> {
    let line = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let close = line.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(line.get(close + 1..)?).ok()?;
    let fields: Vec<_> = rest.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<i64>().ok();
    // These four follow each other: user and system, of its own and of children.
    let ticks: i64 = (11..15).filter_map(number).sum();
    Some(Stat {
        parent: number(1)?.try_into().ok()?,
        session: number(3)?.try_into().ok()?,
        busy: Duration::from_millis(u64::try_from(ticks).unwrap_or(0).saturating_mul(1000 / TICKS)),
    })
}

fn session(leader: i32) -> Vec<Pid> {
    pids().filter(|pid| stat(*pid).is_some_and(|stat| stat.session == leader)).collect()
}

/// Memory of a server's processes, and what they do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Used {
    /// Bytes that are in main memory.
    pub(super) resident: u64,
    /// Bytes of these that are no file's: others cannot have them while it runs.
    pub(super) anonymous: u64,
    /// Bytes that were read from files, or mapped.
    pub(super) read: u64,
    /// Bytes that came from disks, also into memory that was mapped before.
    pub(super) fetched: u64,
    /// Time on processors.
    pub(super) busy: Duration,
}

/// Measures what servers use, by the first process of each: all in its session, and all below it.
pub(super) fn used(leaders: &[u32]) -> HashMap<u32, Used> {
    let mut sums: HashMap<u32, Used> = leaders.iter().map(|leader| (*leader, Used::default())).collect();
    if sums.is_empty() {
        return sums;
    }
    let all: HashMap<i32, Stat> = pids().filter_map(|pid| Some((pid.as_raw(), stat(pid)?))).collect();
    for (pid, stat) in &all {
        let Some(sum) = leader(&all, *pid, stat, leaders).and_then(|leader| sums.get_mut(&leader)) else {
            continue;
        };
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()).unwrap_or(0)
                * 1024
        };
        let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
        let bytes =
            |name: &str| io.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        let file = kib("RssFile:");
        sum.resident += kib("VmRSS:");
        sum.anonymous += kib("RssAnon:") + kib("RssShmem:");
        sum.read += bytes("rchar:").unwrap_or(0).max(file);
        sum.fetched += bytes("read_bytes:").unwrap_or(0);
        sum.busy += stat.busy;
    }
    sums
}

/// Whose a process is. In a container each may have a session of its own, and none is handed to a process outside.
fn leader(all: &HashMap<i32, Stat>, pid: i32, stat: &Stat, leaders: &[u32]) -> Option<u32> {
    let known = |pid: i32| u32::try_from(pid).ok().filter(|pid| leaders.contains(pid));
    let (mut next, mut stat) = (pid, stat);
    for _ in 0..MAX_DEPTH {
        if let Some(leader) = known(next).or_else(|| known(stat.session)) {
            return Some(leader);
        }
        next = stat.parent;
        stat = all.get(&next)?;
    }
    None
}
