//! `init`, the container's first process: it reaps what others leave behind, passes signals on and keeps the daemon
//! running. It holds no state.

use crate::RETIRED;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// First and longest wait before the daemon is started again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// A daemon that ran this long starts again at once.
const STEADY: Duration = Duration::from_secs(10);
/// Terminals of a daemon that was started again are numbered from a higher hundred on, so that no number comes twice.
const TERMINALS_APART: u32 = 100;
/// How long everything may take to end once we are asked to.
const END_TIME: Duration = Duration::from_secs(8);
const END_POLL: Duration = Duration::from_millis(20);
/// Passed on to the image's own program, where there is one.
const FORWARDED: [Signal; 5] =
    [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGUSR2];

struct Init {
    folder: PathBuf,
    daemon: Option<Pid>,
    started: Instant,
    starts: u32,
    backoff: Duration,
    /// When to start the daemon again.
    due: Option<Instant>,
    command: Option<Pid>,
}

/// Runs as the container's first process until it is asked to end. `command` is the image's own program, if any.
pub fn run(folder: &Path, command: &[OsString]) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ran = runtime.and_then(|runtime| {
        runtime.block_on(async {
            let mut signals = signals()?;
            let mut init = Init::new(folder);
            init.start_command(command);
            init.run(&mut signals).await;
            init.end().await;
            Ok(())
        })
    });
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            crate::report(format_args!("signals cannot be watched: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The signals that are acted on, as they come.
fn signals() -> io::Result<mpsc::UnboundedReceiver<Signal>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    for kind in FORWARDED.into_iter().chain([Signal::SIGCHLD, Signal::SIGTERM]) {
        let mut stream = signal(SignalKind::from_raw(kind as i32))?;
        let sender = sender.clone();
        tokio::spawn(async move { while stream.recv().await.is_some() && sender.send(kind).is_ok() {} });
    }
    Ok(receiver)
}

impl Init {
    fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_path_buf(),
            daemon: None,
            started: Instant::now(),
            starts: 0,
            backoff: BACKOFF.0,
            due: Some(Instant::now()),
            command: None,
        }
    }

    fn start_command(&mut self, command: &[OsString]) {
        let Some((program, arguments)) = command.split_first() else { return };
        match spawn(Command::new(program).args(arguments)) {
            Ok(pid) => self.command = Some(pid),
            // The workspace is still of use without the image's own program.
            Err(error) => crate::report(format_args!("{} cannot be started: {error}", program.display())),
        }
    }

    async fn run(&mut self, signals: &mut mpsc::UnboundedReceiver<Signal>) {
        loop {
            let due = self.due;
            let start = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = start => self.start_daemon(),
                signal = signals.recv() => match signal {
                    Some(Signal::SIGCHLD) => self.reap(),
                    Some(Signal::SIGTERM) | None => return,
                    Some(signal) => self.forward(signal),
                },
            }
        }
    }

    fn start_daemon(&mut self) {
        self.due = None;
        self.started = Instant::now();
        let first = self.starts.saturating_mul(TERMINALS_APART).saturating_add(1);
        self.starts = self.starts.saturating_add(1);
        let exe = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/proc/self/exe"));
        let mut command = Command::new(exe);
        command
            .arg("daemon")
            .arg("--folder")
            .arg(&self.folder)
            .arg("--first-terminal")
            .arg(first.to_string());
        match spawn(command.current_dir("/")) {
            Ok(pid) => self.daemon = Some(pid),
            Err(error) => {
                crate::report(format_args!("the agent's daemon cannot be started: {error}"));
                self.schedule();
            }
        }
    }

    fn schedule(&mut self) {
        let wait = if self.started.elapsed() >= STEADY { BACKOFF.0 } else { self.backoff };
        self.backoff = (wait * 2).min(BACKOFF.1);
        self.due = Some(Instant::now() + wait);
    }

    /// Takes note of every child that has ended, orphans of others included.
    fn reap(&mut self) {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => return,
                Ok(status) => self.ended(status),
                Err(Errno::EINTR) => {}
                Err(_) => return,
            }
        }
    }

    fn ended(&mut self, status: WaitStatus) {
        let Some(pid) = status.pid() else { return };
        if self.command == Some(pid) {
            self.command = None;
        } else if self.daemon == Some(pid) {
            self.daemon = None;
            if !matches!(status, WaitStatus::Exited(_, code) if code == i32::from(RETIRED)) {
                self.schedule();
            }
        }
    }

    fn forward(&self, signal: Signal) {
        if let Some(command) = self.command {
            // It may have ended meanwhile.
            let _ = kill(command, signal);
        }
    }

    /// Asks everything in the container to end and waits for it.
    async fn end(&mut self) {
        // As the first process, -1 is everything but us; elsewhere it would be far more than we started.
        let first = std::process::id() == 1;
        let targets: Vec<Pid> = if first {
            vec![Pid::from_raw(-1)]
        } else {
            self.daemon.into_iter().chain(self.command).collect()
        };
        // The shells of terminals take a hang-up for what TERM is to others.
        let signals =
            if first { &[Signal::SIGTERM, Signal::SIGHUP, Signal::SIGCONT][..] } else { &[Signal::SIGTERM] };
        for (signal, target) in
            signals.iter().flat_map(|signal| targets.iter().map(move |target| (signal, target)))
        {
            let _ = kill(*target, *signal);
        }
        let deadline = Instant::now() + END_TIME;
        while Instant::now() < deadline {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => tokio::time::sleep(END_POLL).await,
                Err(Errno::ECHILD) => return,
                _ => {}
            }
        }
    }
}

fn spawn(command: &mut Command) -> io::Result<Pid> {
    let child = command.spawn()?;
    i32::try_from(child.id()).map(Pid::from_raw).map_err(io::Error::other)
}
