//! Terminals: they outlive every connection.
//!
//! **Invariant:** nothing but the end of the container, or someone inside, ends a terminal's program without being
//! asked. What a client does or does not read never loses output for another one.

mod attach;
mod replies;
mod ring;
mod session;
mod shell;

pub(crate) use attach::serve;

use crate::account::{Account, NO_SHELL};
use crate::models::Models;
use crate::pace::Activity;
use crate::process::{parse_signal, session_members};
use aicockpit_mirror::Size;
use aicockpit_protocol::agent::AgentError;
use aicockpit_protocol::terminal::{
    CloseTerminal, CreateTerminal, RenameTerminal, ResizeTerminal, SIZE_RANGE, SignalTerminal, TerminalInfo,
};
use aicockpit_protocol::{BytePath, ErrorCode, TerminalId};
use nix::sys::signal::{Signal, kill};
use portable_pty::CommandBuilder;
use session::Session;
use shell::Integration;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How long programs have to end after their terminal was closed.
const HANG_UP_TIME: Duration = Duration::from_secs(2);
/// How often it is looked whether they have.
const HANG_UP_POLL: Duration = Duration::from_millis(50);
/// How often it is looked whether a killed program is gone.
const KILL_POLLS: usize = 200;
/// Terminals at once.
const MAX_TERMINALS: usize = 256;
/// Longest name given by a person.
const MAX_NAME_LEN: usize = 200;

/// All terminals of the workspace.
pub(crate) struct Terminals {
    sessions: Mutex<BTreeMap<TerminalId, Arc<Session>>>,
    next_id: AtomicU32,
    integration: Integration,
    account: Account,
    folder: PathBuf,
    changed: watch::Sender<u64>,
    activity: Activity,
    models: Arc<Models>,
}

impl Terminals {
    /// No terminals yet. The first one gets the number `first`.
    pub(crate) fn new(
        account: Account,
        folder: PathBuf,
        first: u32,
        activity: Activity,
        models: Arc<Models>,
    ) -> Arc<Self> {
        Arc::new(Self {
            sessions: Mutex::default(),
            next_id: AtomicU32::new(first),
            integration: Integration::prepare(),
            account,
            folder,
            changed: watch::Sender::new(0),
            activity,
            models,
        })
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<TerminalId, Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn session(&self, id: TerminalId) -> Result<Arc<Session>, AgentError> {
        self.sessions().get(&id).cloned().ok_or_else(|| {
            AgentError::new(
                ErrorCode::NotFound,
                format!("there is no terminal {id}; it was closed or its container was stopped"),
            )
        })
    }

    /// Changes whenever something that the list shows may have changed.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(crate) fn list(&self) -> Vec<TerminalInfo> {
        let sessions: Vec<_> = self.sessions().values().cloned().collect();
        sessions.iter().map(|session| session.info()).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sessions().is_empty()
    }

    /// Takes note of programs that end, for as long as the daemon runs.
    ///
    /// # Errors
    /// Where the signal cannot be caught.
    pub(crate) async fn reap(self: Arc<Self>) -> std::io::Result<()> {
        let mut child = signal(SignalKind::child())?;
        while child.recv().await.is_some() {
            let sessions: Vec<_> = self.sessions().values().cloned().collect();
            for session in sessions {
                session.reap();
            }
        }
        Ok(())
    }

    /// Starts a terminal. Blocks while the program is started; must be called within a tokio runtime.
    pub(crate) fn create(&self, create: &CreateTerminal) -> Result<TerminalInfo, AgentError> {
        let size = checked_size(create.columns, create.rows)?;
        if self.sessions().len() >= MAX_TERMINALS {
            return Err(AgentError::new(
                ErrorCode::InvalidState,
                format!("{MAX_TERMINALS} terminals are open already; close one first"),
            ));
        }
        let (program, command) = self.command(create)?;
        let id = TerminalId(self.next_id.fetch_add(1, Ordering::Relaxed));
        let session =
            Session::start(id, program, command, size, self.changed.clone(), self.activity.clone())?;
        self.sessions().insert(id, Arc::clone(&session));
        // It may have ended before it was in the list.
        session.reap();
        session.touch();
        Ok(session.info())
    }

    /// The command to start and the name it goes by.
    fn command(&self, create: &CreateTerminal) -> Result<(String, CommandBuilder), AgentError> {
        let directory = self.directory(create.directory.as_ref())?;
        let mut env = self.environment();
        let mut arguments: Vec<OsString> = create.command.iter().map(OsString::from).collect();
        if arguments.is_empty() {
            let shell = self.account.shell.clone().ok_or_else(|| {
                AgentError::new(
                    ErrorCode::NotFound,
                    "this image has no shell; start a program of it by its full path instead",
                )
            })?;
            arguments.push(shell.into());
        }
        if let [program] = arguments.as_slice() {
            let additions = self.integration.for_shell(Path::new(program));
            arguments.extend(additions.arguments);
            env.extend(additions.env.into_iter().map(|(name, value)| (name.into(), value)));
        }
        let name =
            Path::new(&arguments[0]).file_name().unwrap_or(&arguments[0]).to_string_lossy().into_owned();
        // portable-pty falls back on the user database, which a static libc must not be asked, unless SHELL can be run.
        let shell = self.account.shell.clone().unwrap_or_else(|| PathBuf::from(NO_SHELL));
        env.insert("SHELL".into(), shell.into());
        let mut command = CommandBuilder::from_argv(arguments);
        command.env_clear();
        for (name, value) in env {
            command.env(name, value);
        }
        command.cwd(directory);
        Ok((name, command))
    }

    fn directory(&self, asked: Option<&BytePath>) -> Result<PathBuf, AgentError> {
        match asked {
            Some(path) if path.as_path().is_dir() => Ok(path.as_path().to_path_buf()),
            Some(path) => Err(AgentError::new(
                ErrorCode::NotADirectory,
                format!("{path} is not a directory one can work in"),
            )),
            None if self.folder.is_dir() => Ok(self.folder.clone()),
            None => Ok(self.account.home.clone()),
        }
    }

    fn environment(&self) -> BTreeMap<OsString, OsString> {
        let mut env: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        env.insert("TERM".into(), "xterm-256color".into());
        env.insert("COLORTERM".into(), "truecolor".into());
        env.insert("AICOCKPIT".into(), "1".into());
        env.insert("HOME".into(), self.account.home.clone().into());
        env.insert("USER".into(), self.account.name.clone());
        env.insert("LOGNAME".into(), self.account.name.clone());
        if !["LC_ALL", "LC_CTYPE", "LANG"].iter().any(|name| env.contains_key(&OsString::from(name))) {
            env.insert("LANG".into(), "C.UTF-8".into());
        }
        env.entry("PATH".into())
            .or_insert_with(|| "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into());
        self.models.tell(&mut env);
        env
    }

    pub(crate) fn resize(&self, resize: &ResizeTerminal) -> Result<(), AgentError> {
        let size = checked_size(resize.columns, resize.rows)?;
        self.session(resize.terminal)?.resize(size)
    }

    pub(crate) fn rename(&self, rename: &RenameTerminal) -> Result<(), AgentError> {
        let name: String = rename.name.chars().filter(|char| !char.is_control()).take(MAX_NAME_LEN).collect();
        self.session(rename.terminal)?.rename(name);
        Ok(())
    }

    pub(crate) fn signal(&self, asked: &SignalTerminal) -> Result<(), AgentError> {
        let signal = parse_signal(&asked.signal)?;
        self.session(asked.terminal)?.signal(signal)
    }

    pub(crate) fn text(&self, id: TerminalId) -> Result<String, AgentError> {
        Ok(self.session(id)?.text())
    }

    /// Closes a terminal: it is gone at once; its programs are told, and killed where they have not ended in time.
    /// Must be called within a tokio runtime.
    pub(crate) fn close(&self, close: &CloseTerminal) -> Result<(), AgentError> {
        let session = self.session(close.terminal)?;
        self.sessions().remove(&close.terminal);
        session.close();
        tokio::spawn(hang_up(session));
        Ok(())
    }
}

async fn hang_up(session: Arc<Session>) {
    // Stopped programs must wake up to see the hang-up.
    for signal in [Signal::SIGHUP, Signal::SIGCONT] {
        signal_session(&session, signal);
    }
    let deadline = tokio::time::Instant::now() + HANG_UP_TIME;
    loop {
        session.reap();
        if session.has_ended() && session_members(session.leader()).is_empty() {
            return;
        }
        if tokio::time::Instant::now() >= deadline {
            break;
        }
        tokio::time::sleep(HANG_UP_POLL).await;
    }
    signal_session(&session, Signal::SIGKILL);
    // One that hangs in the kernel is left to the container's init.
    for _ in 0..KILL_POLLS {
        session.reap();
        if session.has_ended() {
            return;
        }
        tokio::time::sleep(HANG_UP_POLL).await;
    }
}

fn signal_session(session: &Session, signal: Signal) {
    for pid in session_members(session.leader()) {
        // It may have ended meanwhile.
        let _ = kill(pid, signal);
    }
    if !session.has_ended() {
        let _ = kill(session.leader(), signal);
    }
}

fn checked_size(columns: u16, rows: u16) -> Result<Size, AgentError> {
    if SIZE_RANGE.contains(&columns) && SIZE_RANGE.contains(&rows) {
        return Ok(Size { columns, rows });
    }
    let (least, most) = SIZE_RANGE.into_inner();
    Err(AgentError::new(
        ErrorCode::InvalidArgument,
        format!(
            "a terminal of {columns} columns and {rows} rows is impossible; both must be {least} to {most}"
        ),
    ))
}
