//! Runs Git with bounds on time and output.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// What a program said.
pub(super) struct Output {
    /// Its standard output.
    pub(super) bytes: Vec<u8>,
    /// It ended by itself, with status 0.
    pub(super) success: bool,
    /// It said more than was asked for, and was stopped.
    pub(super) cut: bool,
}

/// Runs `git`; `None` if there is no such program. After `deadline`, or once it has said `limit` bytes, it and all
/// that it started are killed.
pub(super) fn run(
    git: &OsStr,
    arguments: &[&OsStr],
    limit: usize,
    deadline: Instant,
) -> io::Result<Option<Output>> {
    let mut command = Command::new(git);
    command
        .args(arguments)
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_NO_LAZY_FETCH", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0);
    for variable in
        ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_CEILING_DIRECTORIES", "GIT_CONFIG_PARAMETERS"]
    {
        command.env_remove(variable);
    }
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let read = read_all(&mut child, limit, deadline);
    if !matches!(read, Ok((_, false)))
        && let Ok(group) = i32::try_from(child.id())
    {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    // All was read: it has closed its output and is about to end, or was killed.
    let status = child.wait();
    let (bytes, cut) = read?;
    // Whoever reaps orphans in this process may have been quicker; the output then speaks for itself.
    let success = !cut && status.map_or(!bytes.is_empty(), |status| status.success());
    Ok(Some(Output { bytes, success, cut }))
}

/// Reads the output, up to a limit; whether there was more.
fn read_all(child: &mut Child, limit: usize, deadline: Instant) -> io::Result<(Vec<u8>, bool)> {
    let Some(mut output) = child.stdout.take() else { return Ok((Vec::new(), false)) };
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut waiting = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waiting, timeout) {
            Ok(0) => return Err(Errno::ETIMEDOUT.into()),
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno.into()),
        }
        let count = output.read(&mut buffer)?;
        if count == 0 {
            return Ok((bytes, false));
        }
        bytes.extend_from_slice(&buffer[..count]);
        if bytes.len() >= limit {
            return Ok((bytes, true));
        }
    }
}
