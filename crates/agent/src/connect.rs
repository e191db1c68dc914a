//! The thin proxy that an engine's exec runs: its stdin and stdout are the link to the daemon.

use crate::socket;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Without a byte from the client for this long, the client is gone: it asks for a sign of life far more often.
const SILENCE_MS: u16 = 30_000;
/// How long a daemon may take to begin to listen.
const START_TIMEOUT: Duration = Duration::from_secs(5);
const START_POLL: Duration = Duration::from_millis(5);
const BUFFER_LEN: usize = 128 * 1024;
/// Bytes that may wait in each of the engine's pipes to us. The kernel's 64 KiB make whoever is at the other end, which
/// moves 32 KiB at a time, stop at every second of them.
const PIPE_LEN: i32 = 256 * 1024;

/// Passes bytes between this process's pipes and the daemon, which is started where none listens. Returns when either
/// side has ended. The first terminal of a daemon that is started gets the number `first_terminal`.
pub fn run(folder: &Path, first_terminal: u32) -> ExitCode {
    let connected = socket::address().and_then(|address| connect_or_start(&address, folder, first_terminal));
    match connected.and_then(|daemon| proxy(&daemon)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            crate::report(format_args!("the agent inside the container cannot be reached: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn connect_or_start(address: &SocketAddr, folder: &Path, first_terminal: u32) -> io::Result<UnixStream> {
    if let Ok(daemon) = socket::connect(address) {
        return Ok(daemon);
    }
    start_daemon(folder, first_terminal)?;
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        match socket::connect(address) {
            Ok(daemon) => return Ok(daemon),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => thread::sleep(START_POLL),
        }
    }
}

/// The daemon outlives us: it makes a session of its own as soon as it runs. Where another one was faster, it ends.
fn start_daemon(folder: &Path, first_terminal: u32) -> io::Result<()> {
    Command::new(std::env::current_exe()?)
        .arg("daemon")
        .arg("--folder")
        .arg(folder)
        .arg("--first-terminal")
        .arg(first_terminal.to_string())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(())
}

fn proxy(daemon: &UnixStream) -> io::Result<()> {
    widen(io::stdin());
    widen(io::stdout());
    let upstream = daemon.try_clone()?;
    thread::spawn(move || {
        // However the client ends, the daemon must see an end.
        let _ = from_client(&upstream);
        let _ = upstream.shutdown(Shutdown::Write);
    });
    let mut from = daemon;
    let mut to = io::stdout().lock();
    let mut buffer = vec![0; BUFFER_LEN];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        // Stdout keeps what follows the last line break until flushed; large pieces pass through.
        to.write_all(&buffer[..count])?;
        to.flush()?;
    }
}

/// What is no pipe, or has reached the user's share of memory for them, stays as it is.
fn widen(pipe: impl AsFd) {
    let _ = fcntl(pipe, FcntlArg::F_SETPIPE_SZ(PIPE_LEN));
}

fn from_client(mut daemon: &UnixStream) -> io::Result<()> {
    let stdin = io::stdin();
    let mut buffer = vec![0; BUFFER_LEN];
    loop {
        let mut waiting = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waiting, PollTimeout::from(SILENCE_MS)) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        }
        match nix::unistd::read(stdin.as_fd(), &mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => daemon.write_all(&buffer[..count])?,
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
