//! One terminal: its program, its pseudo-terminal, its mirror and the clients that follow it.

use super::replies::without_replies;
use super::ring::{KEPT, Ring};
use crate::pace::Activity;
use crate::system::{duplicate, watched};
use aicockpit_mirror::{Mirror, Size};
use aicockpit_protocol::agent::AgentError;
use aicockpit_protocol::terminal::{Attached, TerminalExit, TerminalInfo};
use aicockpit_protocol::{BytePath, ErrorCode, TerminalId};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::unix::AsyncFd;
use tokio::sync::{Mutex as AsyncMutex, Notify, watch};
use tokio_util::sync::CancellationToken;

/// Output is read no further while even the fastest client is this far behind.
const PAUSE_AT: u64 = 256 * 1024;
/// A client this far behind is let go.
const LAG_LIMIT: u64 = 1024 * 1024;
/// Most output taken in at once.
const READ_LEN: usize = 64 * 1024;

/// A terminal.
pub(super) struct Session {
    id: TerminalId,
    program: String,
    pid: Pid,
    fd: AsyncFd<OwnedFd>,
    pty: Mutex<Box<dyn MasterPty + Send>>,
    state: Mutex<State>,
    /// Held while input is written, so that two clients' bytes do not mix.
    input: AsyncMutex<()>,
    /// Offset of the end of the output.
    output: watch::Sender<u64>,
    /// A client has caught up.
    progress: Notify,
    closed: CancellationToken,
    /// Tells the list of terminals that something it shows has changed.
    changed: watch::Sender<u64>,
    activity: Activity,
}

struct State {
    mirror: Mirror,
    ring: Ring,
    size: Size,
    name: Option<String>,
    prompt: Prompt,
    exit: Option<i32>,
    /// Offset up to which each client has taken the output.
    readers: HashMap<u64, u64>,
    next_reader: u64,
}

/// What shell integration told.
#[derive(Default)]
struct Prompt {
    running: Option<bool>,
    last_status: Option<i32>,
    directory: Option<BytePath>,
}

impl Prompt {
    /// Takes in an operating system command; true where it changed something.
    fn command(&mut self, text: &[u8]) -> bool {
        if let Some(url) = text.strip_prefix(b"7;") {
            let directory = directory_of(url);
            let changed = directory.is_some() && directory != self.directory;
            if changed {
                self.directory = directory;
            }
            return changed;
        }
        let Some(mark) = text.strip_prefix(b"133;") else { return false };
        match mark.first() {
            Some(b'A') => self.running.replace(false) != Some(false),
            Some(b'C') => self.running.replace(true) != Some(true),
            // Without a command before it, it tells of the shell's own start.
            Some(b'D') if self.running == Some(true) => {
                let status = mark.strip_prefix(b"D;").and_then(|text| std::str::from_utf8(text).ok());
                self.last_status = status.and_then(|text| text.split(';').next()?.parse().ok());
                self.running = Some(false);
                true
            }
            _ => false,
        }
    }
}

/// The path of a `file:` URL.
fn directory_of(url: &[u8]) -> Option<BytePath> {
    let rest = url.strip_prefix(b"file://")?;
    let path = &rest[rest.iter().position(|&byte| byte == b'/')?..];
    let mut decoded = Vec::with_capacity(path.len());
    let mut at = 0;
    while at < path.len() {
        let hex = (path[at] == b'%').then(|| path.get(at + 1..at + 3)).flatten();
        let byte = hex
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte {
            Some(0) => return None,
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(path[at]);
                at += 1;
            }
        }
    }
    Some(BytePath::new(decoded))
}

/// What a client gets first.
pub(super) struct Attachment {
    pub(super) reader: Reader,
    pub(super) attached: Attached,
    pub(super) snapshot: Vec<u8>,
}

/// What a client that follows the output gets next.
pub(super) enum Output {
    /// Bytes were appended to the buffer.
    Bytes,
    /// It fell too far behind.
    Lost,
    /// The terminal was closed and everything was read.
    Closed,
}

/// A client's place in the output. Dropped, it no longer holds anything back.
pub(super) struct Reader {
    session: Arc<Session>,
    id: u64,
    output: watch::Receiver<u64>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.session.state().readers.remove(&self.id);
        self.session.progress.notify_one();
    }
}

impl Reader {
    /// Waits for output and appends up to `limit` bytes of it to `out`. Cancel-safe.
    pub(super) async fn next(&mut self, limit: usize, out: &mut Vec<u8>) -> Output {
        loop {
            self.output.borrow_and_update();
            {
                let mut state = self.session.state();
                let Some(&position) = state.readers.get(&self.id) else { return Output::Lost };
                let count = state.ring.read(position, limit, out) as u64;
                if count > 0 {
                    state.readers.insert(self.id, position + count);
                    drop(state);
                    self.session.progress.notify_one();
                    return Output::Bytes;
                }
            }
            tokio::select! {
                biased;
                changed = self.output.changed() => if changed.is_err() { return Output::Closed },
                () = self.session.closed.cancelled() => return Output::Closed,
            }
        }
    }
}

impl Session {
    /// Starts a program in a new pseudo-terminal. Must be called within a tokio runtime; it blocks for a moment.
    pub(super) fn start(
        id: TerminalId,
        program: String,
        command: CommandBuilder,
        size: Size,
        changed: watch::Sender<u64>,
        activity: Activity,
    ) -> Result<Arc<Self>, AgentError> {
        let cannot = |what: &str, error: &dyn std::fmt::Display| {
            AgentError::new(ErrorCode::Internal, format!("cannot {what} for {program}: {error:#}"))
        };
        let pair =
            native_pty_system().openpty(pty_size(size)).map_err(|error| cannot("open a terminal", &error))?;
        let child = pair.slave.spawn_command(command).map_err(|error| {
            AgentError::new(ErrorCode::NotFound, format!("cannot start {program}: {error:#}"))
        })?;
        drop(pair.slave);
        let pid = child.process_id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
        let pid = pid.ok_or_else(|| cannot("find the process", &"it has no id"))?;
        let raw =
            pair.master.as_raw_fd().ok_or_else(|| cannot("use the terminal", &"it has no descriptor"))?;
        let fd = duplicate(raw).and_then(non_blocking).map_err(|error| cannot("use the terminal", &error))?;
        let session = Arc::new(Self {
            id,
            program,
            pid,
            fd,
            pty: Mutex::new(pair.master),
            state: Mutex::new(State {
                mirror: Mirror::new(size),
                ring: Ring::default(),
                size,
                name: None,
                prompt: Prompt::default(),
                exit: None,
                readers: HashMap::new(),
                next_reader: 0,
            }),
            input: AsyncMutex::new(()),
            output: watch::Sender::new(0),
            progress: Notify::new(),
            closed: CancellationToken::new(),
            changed,
            activity,
        });
        tokio::spawn(Arc::clone(&session).pump());
        Ok(session)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pty(&self) -> MutexGuard<'_, Box<dyn MasterPty + Send>> {
        self.pty.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn touch(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// Reads the program's output for as long as anyone holds the other end.
    async fn pump(self: Arc<Self>) {
        let mut buffer = vec![0; READ_LEN];
        while self.wait_for_room().await {
            let mut filled = 0;
            let ended = tokio::select! {
                ended = self.read(&mut buffer, &mut filled) => ended,
                () = self.closed.cancelled() => true,
            };
            if filled > 0 {
                self.take_in(&buffer[..filled]);
            }
            if ended {
                break;
            }
            if filled == buffer.len() {
                // More is waiting: let the clients send what there is first.
                tokio::task::yield_now().await;
            }
        }
        self.touch();
    }

    /// Waits until a client has caught up enough; false where the terminal was closed meanwhile.
    async fn wait_for_room(&self) -> bool {
        loop {
            {
                let state = self.state();
                let fastest = state.readers.values().max();
                if fastest.is_none_or(|position| state.ring.end() - position <= PAUSE_AT) {
                    return !self.closed.is_cancelled();
                }
            }
            tokio::select! {
                () = self.progress.notified() => {}
                () = self.closed.cancelled() => return false,
            }
        }
    }

    /// Reads all there is, up to the buffer's size; true at the end of the output.
    async fn read(&self, buffer: &mut [u8], filled: &mut usize) -> bool {
        loop {
            let Ok(mut ready) = self.fd.readable().await else { return true };
            while *filled < buffer.len() {
                match nix::unistd::read(self.fd.get_ref(), &mut buffer[*filled..]) {
                    Ok(0) => return true,
                    Ok(count) => *filled += count,
                    Err(Errno::EINTR) => {}
                    Err(Errno::EAGAIN) => {
                        ready.clear_ready();
                        break;
                    }
                    // EIO: the last process with this terminal has closed it.
                    Err(_) => return true,
                }
            }
            if *filled > 0 {
                return false;
            }
        }
    }

    fn take_in(self: &Arc<Self>, bytes: &[u8]) {
        let mut state = self.state();
        let State { mirror, ring, prompt, readers, .. } = &mut *state;
        let offset = ring.end();
        let title = mirror.title().map(str::to_owned);
        let mut changed = false;
        mirror.advance(offset, bytes, |command| changed |= prompt.command(command));
        changed |= mirror.title() != title.as_deref();
        ring.push(bytes);
        let end = ring.end();
        readers.retain(|_, position| end - *position <= LAG_LIMIT);
        ring.trim(readers.values().min().copied());
        let replies = mirror.take_replies();
        drop(state);
        self.output.send_replace(end);
        self.activity.note();
        if changed {
            self.touch();
        }
        if !replies.is_empty() {
            self.reply(replies);
        }
    }

    /// Answers the program. It must not wait for it: a program that asks without reading would stop its own output.
    fn reply(self: &Arc<Self>, replies: Vec<u8>) {
        let session = Arc::clone(self);
        tokio::spawn(async move {
            tokio::select! {
                _ = session.write(&replies) => {}
                () = session.closed.cancelled() => {}
            }
        });
    }

    async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        let _whole = self.input.lock().await;
        while !bytes.is_empty() {
            let mut ready = self.fd.writable().await?;
            match nix::unistd::write(self.fd.get_ref(), bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(Errno::EAGAIN) => ready.clear_ready(),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Writes a client's input to the program; waits while it does not read.
    pub(super) async fn input(&self, bytes: &[u8]) -> io::Result<()> {
        self.activity.note();
        self.write(&without_replies(bytes)).await
    }

    /// Lets a client follow the output from `from` on, or from a snapshot on.
    pub(super) fn attach(self: &Arc<Self>, from: Option<u64>) -> Attachment {
        let mut state = self.state();
        let State { mirror, ring, size, readers, next_reader, .. } = &mut *state;
        let known = from.filter(|from| (ring.start()..=ring.end()).contains(from));
        let (offset, snapshot) = match known {
            Some(from) => (from, Vec::new()),
            None => {
                let safe = mirror.safe_offset(ring.end(), &ring.tail());
                // A sequence that began before what is held is lost; there is nothing better than to go on after it.
                (if safe < ring.start() { ring.end() } else { safe }, mirror.snapshot())
            }
        };
        let id = *next_reader;
        *next_reader += 1;
        readers.insert(id, offset);
        let attached =
            Attached { offset, snapshot_len: snapshot.len() as u64, columns: size.columns, rows: size.rows };
        let reader = Reader { session: Arc::clone(self), id, output: self.output.subscribe() };
        Attachment { reader, attached, snapshot }
    }

    pub(super) fn resize(&self, size: Size) -> Result<(), AgentError> {
        // Under the state's lock, so that output after the resize meets a resized mirror.
        let mut state = self.state();
        self.pty().resize(pty_size(size)).map_err(|error| {
            AgentError::new(
                ErrorCode::InvalidState,
                format!("terminal {} cannot be resized: {error:#}", self.id),
            )
        })?;
        state.mirror.resize(size);
        state.size = size;
        drop(state);
        self.touch();
        Ok(())
    }

    pub(super) fn rename(&self, name: String) {
        self.state().name = (!name.is_empty()).then_some(name);
        self.touch();
    }

    pub(super) fn text(&self) -> String {
        self.state().mirror.text()
    }

    /// Process group in the terminal's foreground, where there is one.
    fn foreground(&self) -> Option<Pid> {
        self.pty().process_group_leader().map(Pid::from_raw)
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<(), AgentError> {
        let refused = |error: Errno| {
            AgentError::new(
                ErrorCode::InvalidState,
                format!("{signal} cannot be sent to the program in terminal {}: {}", self.id, error.desc()),
            )
        };
        let group = self.foreground().ok_or_else(|| refused(Errno::ESRCH))?;
        killpg(group, signal).map_err(refused)
    }

    /// Looks whether the program has ended.
    pub(super) fn reap(&self) {
        let mut state = self.state();
        if state.exit.is_some() {
            return;
        }
        let status = match waitpid(self.pid, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, status)) => status,
            Ok(WaitStatus::Signaled(_, signal, _)) => 128 + signal as i32,
            Err(Errno::ECHILD) => -1,
            _ => return,
        };
        state.exit = Some(status);
        state.prompt.running = Some(false);
        drop(state);
        self.touch();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state().exit.is_some()
    }

    /// The session's leader, whose id the whole session bears.
    pub(super) fn leader(&self) -> Pid {
        self.pid
    }

    /// Lets every client go and stops following the output.
    pub(super) fn close(&self) {
        self.closed.cancel();
        self.touch();
    }

    pub(super) fn info(&self) -> TerminalInfo {
        let foreground = self.foreground();
        let state = self.state();
        let alive = state.exit.is_none();
        let kernel_directory = || {
            let link = std::fs::read_link(format!("/proc/{}/cwd", self.pid)).ok()?;
            Some(BytePath::new(link.into_os_string().into_vec()))
        };
        let directory = state.prompt.directory.clone().or_else(|| alive.then(kernel_directory).flatten());
        let other_in_front = foreground.is_some_and(|group| group != self.pid);
        TerminalInfo {
            id: self.id,
            title: state.mirror.title().unwrap_or(&self.program).to_owned(),
            name: state.name.clone(),
            directory,
            columns: state.size.columns,
            rows: state.size.rows,
            last_status: state.prompt.last_status,
            busy: alive && state.prompt.running.unwrap_or(other_in_front),
            exit: state.exit.map(|status| TerminalExit { status }),
        }
    }
}

fn pty_size(size: Size) -> PtySize {
    PtySize { rows: size.rows, cols: size.columns, pixel_width: 0, pixel_height: 0 }
}

fn non_blocking(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
    fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    watched(fd)
}

const _: () = assert!(PAUSE_AT <= KEPT as u64 && PAUSE_AT < LAG_LIMIT);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_decoded_byte_by_byte() {
        assert_eq!(directory_of(b"file:///workspace/a%20b%C3%A4"), Some(BytePath::from("/workspace/a bä")));
        assert_eq!(directory_of(b"file://host/x%FFy%"), Some(BytePath::new(b"/x\xFFy%".to_vec())));
        assert_eq!(directory_of(b"http://host/x"), None);
        assert_eq!(directory_of(b"file:///a%00b"), None);
    }

    #[test]
    fn the_status_of_a_command_counts_only_after_one_ran() {
        let mut prompt = Prompt::default();
        assert!(!prompt.command(b"133;D;0"));
        assert_eq!((prompt.running, prompt.last_status), (None, None));
        assert!(prompt.command(b"133;A"));
        assert!(prompt.command(b"133;C"));
        assert_eq!(prompt.running, Some(true));
        assert!(prompt.command(b"133;D;2"));
        assert_eq!((prompt.running, prompt.last_status), (Some(false), Some(2)));
    }
}
