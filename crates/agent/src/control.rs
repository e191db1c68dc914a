//! A control stream: requests and their answers in any order, and notices in between.

use crate::daemon::{Daemon, send};
use crate::files::{self, Watcher};
use crate::port::Ports;
use crate::{git, inside, process, search};
use aicockpit_link::{LinkError, LinkStream, read_frame};
use aicockpit_protocol::ErrorCode;
use aicockpit_protocol::agent::{
    AgentError, Answer, Call, FromAgent, MAX_MESSAGE_LEN, Notice, PROTOCOL_VERSION, Request, decode,
};
use aicockpit_protocol::fs::FilesChanged;
use aicockpit_protocol::port::ListeningPort;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::WriteHalf;
use tokio::sync::{Mutex as AsyncMutex, Semaphore, mpsc};

/// Requests of one client that run at once; further ones wait.
const MAX_RUNNING: usize = 64;
/// Reads and writes up to this size take no longer than handing them to another thread.
const QUICK_LEN: usize = 64 * 1024;
/// Time between two looks at terminals that change: what happens meanwhile is told together.
const TERMINALS_GATHER: Duration = Duration::from_millis(50);

/// One client's control stream.
struct Control {
    daemon: Arc<Daemon>,
    watcher: Watcher,
    ports: Mutex<Ports>,
    output: AsyncMutex<WriteHalf<LinkStream>>,
    running: Arc<Semaphore>,
}

/// Serves a control stream until it ends.
///
/// # Errors
/// Where the client breaks the protocol or the link ends.
pub(crate) async fn serve(daemon: Arc<Daemon>, version: u32, stream: LinkStream) -> Result<(), LinkError> {
    let (mut input, mut output) = tokio::io::split(stream);
    let welcome = FromAgent::Welcome { version: PROTOCOL_VERSION, build: daemon.build.clone() };
    send(&mut output, &welcome).await?;
    if version != PROTOCOL_VERSION {
        // The client has learnt whom it talks to; it will bring an agent of its own version.
        return Ok(());
    }
    let (changed, changes) = mpsc::unbounded_channel();
    let control = Arc::new(Control {
        daemon,
        watcher: Watcher::new(changed),
        ports: Mutex::default(),
        output: AsyncMutex::new(output),
        running: Arc::new(Semaphore::new(MAX_RUNNING)),
    });
    let requests = async {
        while let Some(frame) = read_frame(&mut input, MAX_MESSAGE_LEN).await? {
            let request = decode::<Request>(&frame).map_err(|error| LinkError::Protocol(error.message))?;
            drop(frame);
            control.take(request).await?;
        }
        Ok(())
    };
    tokio::select! {
        ended = requests => ended,
        ended = control.tell_files(changes) => ended,
        ended = control.tell_terminals() => ended,
        ended = control.tell_ports() => ended,
    }
}

impl Control {
    async fn send(&self, message: &FromAgent) -> Result<(), LinkError> {
        send(&mut *self.output.lock().await, message).await
    }

    async fn take(self: &Arc<Self>, request: Request) -> Result<(), LinkError> {
        let Request { id, call } = request;
        if !matches!(call, Call::Ping) {
            self.daemon.activity.note();
        }
        // Most requests are a few system calls: done here, they cost no change of thread. The permits leave a thread
        // of the runtime free where a file system hangs.
        if is_quick(&call)
            && let Ok(_permit) = self.daemon.quick.try_acquire()
        {
            let result = self.call(call);
            return self.send(&FromAgent::Reply { id, result }).await;
        }
        let Ok(permit) = Arc::clone(&self.running).acquire_owned().await else { return Ok(()) };
        let control = Arc::clone(self);
        tokio::spawn(async move {
            let _permit = permit;
            let caller = Arc::clone(&control);
            let done = tokio::task::spawn_blocking(move || caller.call(call)).await;
            let result = done.unwrap_or_else(|_| {
                Err(AgentError::new(
                    ErrorCode::Internal,
                    "the agent failed at this request; the others go on",
                ))
            });
            // A link that has ended is noticed by the reader of requests.
            let _ = control.send(&FromAgent::Reply { id, result }).await;
        });
        Ok(())
    }

    /// Carries a request out. It may block, and must be called within a tokio runtime.
    fn call(&self, call: Call) -> Result<Answer, AgentError> {
        let Daemon { terminals, .. } = &*self.daemon;
        let unit = |()| Answer::Unit;
        match call {
            Call::Ping => Ok(Answer::Unit),
            Call::Inside => Ok(Answer::Inside(inside::describe(&self.daemon.account, &self.daemon.folder))),
            Call::Stat(stat) => files::stat(&stat).map(Answer::Stat),
            Call::List(list) => files::list(&list).map(Answer::Listing),
            Call::Read(read) => files::read(&read).map(Answer::Chunk),
            Call::Write { write, content } => files::write(&write, &content).map(Answer::Stat),
            Call::MakeDirectory(make) => files::make_directory(&make).map(unit),
            Call::Rename(rename) => files::rename(&rename).map(unit),
            Call::Copy(copy) => files::copy(&copy).map(unit),
            Call::Trash(trash) => files::trash(&trash).map(Answer::Trashed),
            Call::RestoreTrash(restore) => files::restore_trash(&restore).map(unit),
            Call::Watch(watch) => self.watcher.set(&watch).map(unit),
            Call::GitStatus(status) => git::status(&status).map(Answer::Git),
            Call::FindFiles(find) => self.daemon.index.find(&find).map(Answer::Found),
            Call::Replace(replace) => search::replace(&replace).map(Answer::Replaced),
            Call::CreateTerminal(create) => terminals.create(&create).map(Answer::Terminal),
            Call::Terminals => Ok(Answer::Terminals(terminals.list())),
            Call::ResizeTerminal(resize) => terminals.resize(&resize).map(unit),
            Call::RenameTerminal(rename) => terminals.rename(&rename).map(unit),
            Call::SignalTerminal(signal) => terminals.signal(&signal).map(unit),
            Call::CloseTerminal(close) => terminals.close(&close).map(unit),
            Call::TerminalText(id) => terminals.text(id).map(Answer::Text),
            Call::Processes => Ok(Answer::Processes(self.daemon.processes.list())),
            Call::SignalProcess(signal) => process::signal(&signal).map(unit),
            Call::Ports => Ok(Answer::Ports(self.list_ports())),
            Call::Sample => Ok(Answer::Sample(self.daemon.sampler.sample())),
            Call::OfferModels(offer) => self.daemon.models.offer(offer).map(Answer::Models),
            Call::Retire => {
                self.daemon.retire();
                Ok(Answer::Unit)
            }
        }
    }

    /// The ports that programs of the workspace listen on.
    fn list_ports(&self) -> Vec<ListeningPort> {
        let own = self.daemon.models.port();
        let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner).list();
        ports.retain(|listed| !listed.loopback || Some(listed.port) != own);
        ports
    }

    async fn tell_files(&self, mut changes: mpsc::UnboundedReceiver<FilesChanged>) -> Result<(), LinkError> {
        while let Some(changed) = changes.recv().await {
            self.send(&FromAgent::Notice(Notice::Files(changed))).await?;
        }
        // The watcher ends with the stream, never before it.
        std::future::pending().await
    }

    async fn tell_terminals(&self) -> Result<(), LinkError> {
        let mut changes = self.daemon.terminals.watch();
        let mut pace = self.daemon.activity.pace();
        let mut told = None;
        loop {
            let now = self.daemon.terminals.list();
            if told.as_ref() != Some(&now) {
                self.send(&FromAgent::Notice(Notice::Terminals(now.clone()))).await?;
                told = Some(now);
            }
            tokio::time::sleep(TERMINALS_GATHER).await;
            tokio::select! {
                _ = changes.changed() => {}
                // Directory and foreground of a shell without integration are seen only by looking.
                () = pace.next() => {}
            }
        }
    }

    async fn tell_ports(self: &Arc<Self>) -> Result<(), LinkError> {
        let mut pace = self.daemon.activity.pace();
        let mut told = None;
        loop {
            let control = Arc::clone(self);
            let now = tokio::task::spawn_blocking(move || control.list_ports()).await.ok();
            if let Some(now) = now
                && told.as_ref() != Some(&now)
            {
                self.send(&FromAgent::Notice(Notice::Ports(now.clone()))).await?;
                told = Some(now);
            }
            pace.next().await;
        }
    }
}

/// Whether a request takes a few system calls only.
fn is_quick(call: &Call) -> bool {
    match call {
        Call::Read(read) => read.length as usize <= QUICK_LEN,
        Call::Write { content, .. } => content.len() <= QUICK_LEN,
        Call::Ping
        | Call::Stat(_)
        | Call::MakeDirectory(_)
        | Call::Rename(_)
        | Call::Terminals
        | Call::ResizeTerminal(_)
        | Call::RenameTerminal(_)
        | Call::SignalTerminal(_)
        | Call::CloseTerminal(_)
        | Call::TerminalText(_)
        | Call::SignalProcess(_)
        | Call::Sample
        | Call::OfferModels(_)
        | Call::Retire => true,
        _ => false,
    }
}
