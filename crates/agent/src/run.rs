//! The daemon as a process.

use crate::account::{Account, NO_SHELL};
use crate::daemon::Daemon;
use crate::{RETIRED, report, socket};
use nix::unistd::Uid;
use std::io;
use std::os::unix::net::UnixListener as StdListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};

/// Threads of the runtime, at least and at most.
const THREADS: (usize, usize) = (2, 4);

/// How long an idle thread for blocking work is kept: well above the longest pause between two looks at the ports, so
/// that one is always there. In a workspace as full of processes as it may be, a new one could not be started.
const THREAD_KEEP_ALIVE: Duration = Duration::from_secs(120);

/// Runs the daemon until it is retired. Where another daemon serves already, it ends at once.
pub fn daemon(folder: &Path, first_terminal: u32) -> ExitCode {
    if let Err(error) = complete_environment() {
        report(format_args!("the environment cannot be completed: {error}"));
        return ExitCode::FAILURE;
    }
    // Apart from the exec that may have started us; as a group's leader already, there is nothing to do.
    let _ = nix::unistd::setsid();
    let listener = match socket::address().and_then(|address| socket::listen(&address)) {
        Ok(listener) => listener,
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => return ExitCode::from(RETIRED),
        Err(error) => {
            report(format_args!("the daemon cannot listen: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match serve(listener, folder, first_terminal) {
        Ok(()) => ExitCode::from(RETIRED),
        Err(error) => {
            report(format_args!("the daemon failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Starts this program anew where SHELL or HOME is missing: libraries would ask libc's user database for them, which
/// a static program must not do.
fn complete_environment() -> io::Result<()> {
    if std::env::var_os("SHELL").is_some() && std::env::var_os("HOME").is_some() {
        return Ok(());
    }
    let account = Account::current();
    let mut command = Command::new(std::env::current_exe()?);
    command.args(std::env::args_os().skip(1)).env("HOME", &account.home);
    command.env("SHELL", account.shell.unwrap_or_else(|| PathBuf::from(NO_SHELL)));
    Err(command.exec())
}

fn serve(listener: StdListener, folder: &Path, first_terminal: u32) -> io::Result<()> {
    let threads =
        std::thread::available_parallelism().map_or(THREADS.0, usize::from).clamp(THREADS.0, THREADS.1);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_keep_alive(THREAD_KEEP_ALIVE)
        .enable_all()
        .build()?;
    let build = socket::build_hash()?;
    let folder = folder.to_path_buf();
    runtime.block_on(async move {
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        let daemon = Daemon::new(folder, build, first_terminal, threads);
        let accepting = async {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) if is_allowed(&stream) => {
                        tokio::spawn(std::sync::Arc::clone(&daemon).serve(stream));
                    }
                    Ok(_) => {}
                    // Out of descriptors: those in use will be given back.
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        };
        tokio::select! {
            () = accepting => {}
            () = daemon.finished() => {}
        }
        Ok(())
    })
}

/// Only our own user and root may connect: abstract sockets know no permissions.
fn is_allowed(stream: &UnixStream) -> bool {
    let own = Uid::current().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}
