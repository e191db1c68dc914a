//! One client's connection: a window, a browser tab, a command.
//!
//! Frames come in by [`Session::handle`] or [`Session::feed`] and go out by the sink given to
//! [`Cockpit::connect`](crate::Cockpit::connect). However the client is connected, what it may do and how much is
//! decided here.
//!
//! **Invariant:** a client can cost no more than its limits: [`MAX_REQUESTS`] requests, [`MAX_STREAMS`] streams, the
//! credit of each stream, and the sink's own length.

mod credit;
mod dispatch;
#[cfg(test)]
mod faults;
mod frames;
#[cfg(test)]
mod hostile;
mod inside;
#[cfg(test)]
mod model;
mod streams;
mod terminal;
mod terminals;
mod transfer;

pub use streams::MAX_STREAMS;

use crate::Cockpit;
use crate::Onlooker;
use crate::agent::{AgentHandle, Lease, OpenAgent};
use aicockpit_protocol::api::{Event, Request};
use aicockpit_protocol::frame::{Frame, FrameKind};
use aicockpit_protocol::{ApiError, BytePath, ErrorCode, WorkspaceId};
use frames::Answer;
use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use streams::Streams;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Requests of one client under way at once.
pub const MAX_REQUESTS: usize = 256;

/// Numbers sessions, so that agents can tell their watches apart.
static NEXT_SESSION: AtomicU64 = AtomicU64::new(1);

/// One client's connection. Dropping it ends all it had under way; terminals and plans live on.
pub struct Session {
    inner: Arc<Inner>,
    _stop: DropGuard,
}

struct Inner {
    id: u64,
    cockpit: Arc<Cockpit>,
    sink: mpsc::Sender<Vec<u8>>,
    streams: Arc<Streams>,
    stop: CancellationToken,
    /// Where it was connected; it may be dropped elsewhere.
    runtime: tokio::runtime::Handle,
    requests: Mutex<HashMap<u32, CancellationToken>>,
    used: Mutex<HashMap<WorkspaceId, Used>>,
    /// Present while the client wants to know what workspaces use.
    onlooker: Mutex<Option<Onlooker>>,
}

/// What the client has of one workspace.
struct Used {
    lease: Lease,
    watched: HashSet<BytePath>,
}

/// Work that begins once the reply is on its way, so that a stream's data does not come before its id.
type Afterwards = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An answer and what follows it.
struct Outcome {
    answer: Answer,
    afterwards: Option<Afterwards>,
}

impl Cockpit {
    /// Connects a client. Events and stream data go to `sink`; a client that does not read it slows itself alone.
    /// Must be called within a tokio runtime.
    pub fn connect(self: &Arc<Self>, sink: mpsc::Sender<Vec<u8>>) -> Session {
        let stop = CancellationToken::new();
        let inner = Arc::new(Inner {
            id: NEXT_SESSION.fetch_add(1, Ordering::Relaxed),
            cockpit: Arc::clone(self),
            streams: Streams::new(sink.clone()),
            sink,
            stop: stop.clone(),
            runtime: tokio::runtime::Handle::current(),
            requests: Mutex::default(),
            used: Mutex::default(),
            onlooker: Mutex::default(),
        });
        tokio::spawn(
            stop.clone().run_until_cancelled_owned(forward_events(Arc::clone(&inner), self.subscribe())),
        );
        Session { inner, _stop: stop.drop_guard() }
    }
}

impl Session {
    /// Takes one frame. A request is answered with the reply's frame; the future can be dropped to cancel it. Frames
    /// of streams are taken at once, in the order of the calls, and answered with nothing.
    pub async fn handle(&self, frame: Vec<u8>) -> Option<Vec<u8>> {
        let (id, request, body) = self.inner.accept(&frame)?;
        let underway = match self.inner.begin(id) {
            Ok(underway) => underway,
            Err(error) => return Some(frames::reply(id, Err(error))),
        };
        let (reply, afterwards) = underway.answer(request, body).await;
        self.inner.spawn(afterwards);
        Some(reply)
    }

    /// Takes one frame and returns at once; a request's reply goes to the sink, before anything of a stream that
    /// it opens.
    pub fn feed(&self, frame: &[u8]) {
        let Some((id, request, body)) = self.inner.accept(frame) else { return };
        match self.inner.begin(id) {
            Ok(underway) => {
                let inner = Arc::clone(&self.inner);
                tokio::spawn(self.inner.stop.clone().run_until_cancelled_owned(async move {
                    let (reply, afterwards) = underway.answer(request, body).await;
                    // Under way until the reply is on its way: a client that does not read runs into the limit.
                    if inner.sink.send(reply).await.is_ok() {
                        inner.spawn(afterwards);
                    }
                }));
            }
            Err(error) => {
                // One that asks without end and reads nothing is let go of.
                if self.inner.sink.try_send(frames::reply(id, Err(error))).is_err() {
                    self.inner.stop.cancel();
                }
            }
        }
    }

    /// Resolves when the session let go of its client, which broke the limits.
    pub async fn ended(&self) {
        self.inner.stop.cancelled().await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _runtime = self.inner.runtime.enter();
        self.inner.streams.close_all();
        self.inner.watch_samples(false);
        for (_, used) in self.inner.used().drain() {
            used.lease.agent().unwatch(self.inner.id);
        }
    }
}

impl Inner {
    /// Takes what needs no answer; gives back a request.
    fn accept(&self, bytes: &[u8]) -> Option<(u32, Result<Request, ApiError>, Vec<u8>)> {
        let frame = match Frame::decode(bytes) {
            Ok(frame) => frame,
            Err(error) => {
                tracing::debug!(%error, "a client sent what is no frame");
                return None;
            }
        };
        match frame.kind {
            FrameKind::Request => {
                let request = serde_json::from_str(frame.json).map_err(|error| {
                    ApiError::new(ErrorCode::InvalidArgument, format!("The request cannot be read: {error}."))
                });
                return Some((frame.id, request, frame.body.to_vec()));
            }
            FrameKind::StreamData => self.streams.data(frame.id, frame.body),
            FrameKind::StreamCredit => self.streams.credit(frame.id, frame.json),
            FrameKind::StreamEnd => self.streams.ended(frame.id, frame.json),
            FrameKind::Cancel => {
                if let Some(cancel) = self.requests().get(&frame.id) {
                    cancel.cancel();
                }
            }
            // Only the cockpit sends these.
            FrameKind::Reply | FrameKind::Event => {}
        }
        None
    }

    /// Notes a request as under way.
    fn begin(self: &Arc<Self>, id: u32) -> Result<Underway, ApiError> {
        let mut requests = self.requests();
        if requests.len() >= MAX_REQUESTS {
            return Err(ApiError::new(
                ErrorCode::InvalidState,
                format!("{MAX_REQUESTS} requests are under way, which is the limit."),
            ));
        }
        if requests.contains_key(&id) {
            return Err(ApiError::new(
                ErrorCode::InvalidArgument,
                format!("A request with the id {id} is under way."),
            ));
        }
        let cancel = CancellationToken::new();
        requests.insert(id, cancel.clone());
        Ok(Underway { inner: Arc::clone(self), id, cancel })
    }

    fn spawn(&self, afterwards: Option<Afterwards>) {
        if let Some(work) = afterwards {
            tokio::spawn(self.stop.clone().run_until_cancelled_owned(work));
        }
    }

    /// The agent of a workspace, kept connected while this client lives.
    fn agent(&self, workspace: &WorkspaceId) -> Result<OpenAgent, ApiError> {
        let agents = self.cockpit.agents();
        let agent = match agents.get(workspace) {
            Some(agent) => agent,
            None => agents.open(workspace, &self.cockpit.workspaces().target(workspace)?),
        };
        let mut used = self.used();
        // After a stop and a start it is another agent.
        if used.get(workspace).is_none_or(|used| used.lease.agent().is_closed()) {
            let fresh = Used { lease: agent.handle.lease(), watched: HashSet::new() };
            used.insert(workspace.clone(), fresh);
        }
        Ok(agent)
    }

    fn handle_of(&self, workspace: &WorkspaceId) -> Result<AgentHandle, ApiError> {
        Ok(self.agent(workspace)?.handle)
    }

    /// The event as this client is told it; none where it does not concern it.
    fn of_interest(&self, event: Event) -> Option<Event> {
        let (workspace, mut changes) = match event {
            Event::Files { workspace, changes } => (workspace, changes),
            Event::Samples { .. } if self.onlooker().is_none() => return None,
            other => return Some(other),
        };
        let used = self.used();
        let watched = &used.get(&workspace)?.watched;
        if watched.is_empty() {
            return None;
        }
        changes.directories.retain(|directory| watched.contains(directory));
        (changes.rescan || !changes.directories.is_empty()).then_some(Event::Files { workspace, changes })
    }

    /// Starts or stops telling the client what workspaces use.
    fn watch_samples(&self, on: bool) {
        let mut onlooker = self.onlooker();
        match on {
            true => _ = onlooker.get_or_insert_with(|| self.cockpit.look()),
            false => *onlooker = None,
        }
    }

    fn onlooker(&self) -> MutexGuard<'_, Option<Onlooker>> {
        self.onlooker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn requests(&self) -> MutexGuard<'_, HashMap<u32, CancellationToken>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn used(&self) -> MutexGuard<'_, HashMap<WorkspaceId, Used>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request under way; dropped, it is not any more.
struct Underway {
    inner: Arc<Inner>,
    id: u32,
    cancel: CancellationToken,
}

impl Underway {
    /// Runs the request; the reply's frame, and what follows it.
    async fn answer(
        &self,
        request: Result<Request, ApiError>,
        body: Vec<u8>,
    ) -> (Vec<u8>, Option<Afterwards>) {
        let outcome = match request {
            Ok(request) => self.run(request, body).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(Outcome { answer, afterwards }) => (frames::reply(self.id, Ok(answer)), afterwards),
            Err(error) => (frames::reply(self.id, Err(error)), None),
        }
    }

    async fn run(&self, request: Request, body: Vec<u8>) -> Result<Outcome, ApiError> {
        let name = request.name();
        // Boxed: the futures of all operations together are large.
        match self.cancel.run_until_cancelled(Box::pin(self.inner.dispatch(request, body))).await {
            Some(outcome) => outcome,
            None => Err(ApiError::new(ErrorCode::Cancelled, format!("`{name}` was cancelled."))),
        }
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.inner.requests().remove(&self.id);
    }
}

async fn forward_events(inner: Arc<Inner>, mut events: tokio::sync::broadcast::Receiver<Event>) {
    loop {
        let event = match events.recv().await {
            Ok(event) => inner.of_interest(event),
            Err(RecvError::Lagged(lost)) => {
                tracing::debug!(lost, "a client reads events too slowly");
                Some(Event::Resync)
            }
            Err(RecvError::Closed) => return,
        };
        if let Some(event) = event
            && inner.sink.send(frames::event(&event)).await.is_err()
        {
            return;
        }
    }
}
