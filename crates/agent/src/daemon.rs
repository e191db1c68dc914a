//! The daemon: accepts links and serves their streams.

use crate::account::Account;
use crate::control;
use crate::models::Models;
use crate::pace::Activity;
use crate::process::Processes;
use crate::sample::Sampler;
use crate::search::{self, Index};
use crate::terminal::{self, Terminals};
use crate::{exec, files, forward};
use aicockpit_link::{Incoming, LinkError, LinkStream, read_frame, write_frame};
use aicockpit_protocol::agent::{AgentError, MAX_MESSAGE_LEN, Open, Upload, decode, encode};
use aicockpit_protocol::search::{SearchMessage, SearchText};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, Semaphore, mpsc};

/// How long a stream may take to say what it is.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);
/// Search messages that wait for a slow client; then the search waits too.
const SEARCH_QUEUE: usize = 8;
/// How often a retired daemon looks whether its last terminal has closed.
const RETIRE_POLL: Duration = Duration::from_millis(500);

/// What all links share.
pub struct Daemon {
    pub(crate) terminals: Arc<Terminals>,
    pub(crate) processes: Processes,
    pub(crate) activity: Activity,
    pub(crate) sampler: Sampler,
    pub(crate) index: Index,
    pub(crate) models: Arc<Models>,
    pub(crate) account: Account,
    pub(crate) folder: PathBuf,
    pub(crate) build: String,
    /// Short calls that may run on a runtime thread at once; at least one thread stays free of them.
    pub(crate) quick: Semaphore,
    retired: AtomicBool,
    retire: Notify,
}

impl Daemon {
    /// A daemon for the workspace folder `folder`. `build` is the content hash of its binary; its first terminal gets
    /// the number `first_terminal`; `threads` is the number of the runtime's threads. Must be called within a tokio
    /// runtime.
    pub fn new(folder: PathBuf, build: String, first_terminal: u32, threads: usize) -> Arc<Self> {
        let account = Account::current();
        let activity = Activity::new();
        let models = Arc::new(Models::default());
        let terminals = Terminals::new(
            account.clone(),
            folder.clone(),
            first_terminal,
            activity.clone(),
            Arc::clone(&models),
        );
        tokio::spawn(Arc::clone(&terminals).reap());
        Arc::new(Self {
            terminals,
            processes: Processes::default(),
            activity,
            sampler: Sampler::default(),
            index: Index::new(),
            models,
            account,
            folder,
            build,
            quick: Semaphore::new(threads.saturating_sub(1).max(1)),
            retired: AtomicBool::new(false),
            retire: Notify::new(),
        })
    }

    /// Serves one link until it ends. Must be called within a tokio runtime.
    pub async fn serve<I>(self: Arc<Self>, io: I)
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut incoming = Incoming::server(io);
        let mut streams = tokio::task::JoinSet::new();
        while let Some(stream) = incoming.accept().await {
            // Those that have ended are let go of.
            while streams.try_join_next().is_some() {}
            streams.spawn(Arc::clone(&self).serve_stream(stream));
        }
        // What still runs notices the end of the link by itself: an upload cleans up behind it.
        streams.detach_all();
    }

    async fn serve_stream(self: Arc<Self>, mut stream: LinkStream) {
        let first = tokio::time::timeout(OPEN_TIMEOUT, read_frame(&mut stream, MAX_MESSAGE_LEN)).await;
        let Ok(Ok(Some(first))) = first else { return };
        // A stream that says nothing understandable is reset, the link lives on.
        let Ok(open) = decode::<Open>(&first) else { return };
        drop(first);
        self.activity.note();
        // How a stream ends is its client's to see; nobody else is told.
        let _ = match open {
            Open::Control { version } => Box::pin(control::serve(self, version, stream)).await,
            Open::Terminal(attach) => Box::pin(terminal::serve(&self.terminals, attach, stream)).await,
            Open::Search(search) => search_text(search, stream).await,
            Open::Exec(exec) => Box::pin(exec::serve(exec, &self.folder, &self.models, stream)).await,
            Open::Connect(target) => Box::pin(forward::serve(target, stream)).await,
            Open::AcceptModels => Box::pin(self.models.serve(stream)).await,
            Open::Upload(upload) => Box::pin(receive(upload, stream)).await,
            Open::Download(download) => {
                let sent = Box::pin(files::download(download, &mut stream)).await;
                match sent {
                    Ok(()) => stream.shutdown().await.map_err(LinkError::from),
                    // Dropped without a clean end, so that the client does not take a part for the whole.
                    Err(_) => Ok(()),
                }
            }
        };
    }

    /// Ends the daemon once its last terminal has closed.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
        self.retire.notify_one();
    }

    /// Waits until the daemon was retired and its last terminal has closed.
    pub async fn finished(&self) {
        while !self.retired.load(Ordering::Relaxed) {
            self.retire.notified().await;
        }
        while !self.terminals.is_empty() {
            tokio::time::sleep(RETIRE_POLL).await;
        }
    }
}

/// Sends one message on a stream.
pub(crate) async fn send<T: serde::Serialize>(
    output: &mut (impl AsyncWrite + Unpin),
    message: &T,
) -> Result<(), LinkError> {
    let bytes = encode(message).map_err(|error| LinkError::Io(error.message))?;
    write_frame(output, &bytes).await
}

async fn receive(upload: Upload, mut stream: LinkStream) -> Result<(), LinkError> {
    let result = files::upload(upload, &mut stream).await;
    send(&mut stream, &result).await?;
    stream.shutdown().await?;
    Ok(())
}

/// Sets the flag when dropped, however that comes about.
struct Cancel(Arc<AtomicBool>);

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn search_text(search: SearchText, stream: LinkStream) -> Result<(), LinkError> {
    let (mut input, mut output) = tokio::io::split(stream);
    let cancel = Cancel(Arc::default());
    let cancelled = Arc::clone(&cancel.0);
    let (found, mut messages) = mpsc::channel::<Result<SearchMessage, AgentError>>(SEARCH_QUEUE);
    tokio::task::spawn_blocking(move || {
        let mut sink = |message| found.blocking_send(Ok(message)).is_ok();
        if let Err(error) = search::text(&search, &cancelled, &mut sink) {
            // The receiver is gone only where the client is.
            let _ = found.blocking_send(Err(error));
        }
    });
    let sending = async {
        while let Some(message) = messages.recv().await {
            send(&mut output, &message).await?;
        }
        output.shutdown().await.map_err(LinkError::from)
    };
    // The client sends nothing: whatever comes is its end.
    let mut byte = [0; 1];
    tokio::select! {
        sent = sending => sent,
        _ = input.read(&mut byte) => Ok(()),
    }
}
