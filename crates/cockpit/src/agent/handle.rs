//! The agent's client as callers hold it.

use super::check::{self, CallKind};
use super::connection::{ConnectError, Connection, Lost, Pipe, encode_request};
use super::driver;
use super::news::{AgentNews, Newsroom};
use super::watches::Watches;
use crate::models::Door;
use aicockpit_link::LinkStream;
use aicockpit_protocol::agent::{Answer, Call, Open};
use aicockpit_protocol::api::LinkState;
use aicockpit_protocol::fs::WriteCondition;
use aicockpit_protocol::workspace::WorkspaceInside;
use aicockpit_protocol::{ApiError, BytePath, ErrorCode};
use futures::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a caller waits for a connection that is being made.
pub(super) const CONNECTION_WITHIN: Duration = Duration::from_secs(15);
/// How long an ordinary call may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// How long a call that walks a whole tree may take.
const LONG_ANSWER_WITHIN: Duration = Duration::from_secs(3600);
/// After a failure that will not mend itself, the next try is not made earlier than this.
const FAILED_FOR: Duration = Duration::from_millis(500);

/// Makes a byte pipe to the agent.
pub type Connector = Arc<dyn Fn() -> BoxFuture<'static, Result<Pipe, ConnectError>> + Send + Sync>;

/// The connection, in one explicit state.
#[derive(Clone)]
pub(super) enum Phase {
    /// No one needs it.
    Idle,
    /// Being made for the first time.
    Connecting,
    /// Works.
    Connected(Arc<Connection>),
    /// Broke; being made again.
    Reconnecting { attempt: u32, reason: String },
    /// Cannot be made until something changes.
    Failed { error: ApiError, at: Instant, try_number: u64 },
    /// The workspace stopped or is gone; this handle is of no more use.
    Closed,
}

impl Phase {
    fn to_link_state(&self) -> LinkState {
        match self {
            Self::Idle | Self::Closed => LinkState::Idle,
            Self::Connecting => LinkState::Connecting,
            Self::Connected(_) => LinkState::Connected,
            Self::Reconnecting { attempt, reason } => {
                LinkState::Reconnecting { attempt: *attempt, reason: reason.clone() }
            }
            Self::Failed { error, .. } => LinkState::Failed { error: error.clone() },
        }
    }
}

/// The client of one workspace's agent. Cheap to clone; all clones share one connection, which is made when someone
/// needs it and made again when it breaks.
#[derive(Clone)]
pub struct AgentHandle(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) connect: Connector,
    pub(super) phase: watch::Sender<Phase>,
    link_state: watch::Sender<LinkState>,
    pub(super) users: watch::Sender<usize>,
    /// Somebody wants the connection now.
    pub(super) wanted: Notify,
    pub(super) ids: Arc<AtomicU64>,
    pub(super) news: Newsroom,
    pub(super) watches: Watches,
    pub(super) stop: CancellationToken,
    /// A connection of its own for what is large.
    bulk: Option<AgentHandle>,
    /// What programs inside reach models by.
    pub(super) models: Option<Door>,
}

impl Shared {
    pub(super) fn enter(&self, phase: Phase) {
        // Closed is final, whatever the driver was about to say.
        let changed = self.phase.send_if_modified(|current| {
            let open = !matches!(current, Phase::Closed);
            if open {
                *current = phase;
            }
            open
        });
        if changed {
            let state = self.phase.borrow().to_link_state();
            self.link_state.send_replace(state.clone());
            self.news.tell(AgentNews::Link(state));
        }
    }
}

impl AgentHandle {
    /// A client that makes its pipes with `connect`, and what the agent tells unasked. The news end when the handle
    /// is closed.
    pub fn new(connect: Connector) -> (Self, mpsc::Receiver<AgentNews>) {
        Self::with(connect, None, None)
    }

    /// As [`AgentHandle::new`] or [`AgentHandle::with_bulk_apart`], with models for the programs inside.
    pub(crate) fn of_workspace(
        connect: Connector,
        bulk_apart: bool,
        models: Door,
    ) -> (Self, mpsc::Receiver<AgentNews>) {
        let bulk = bulk_apart.then(|| Self::bulk(&connect));
        Self::with(connect, bulk, Some(models))
    }

    /// As [`AgentHandle::new`], with a second connection for transfers and forwards, made when the first of them needs
    /// it: on a long way they would stand before the keystrokes in one queue.
    pub fn with_bulk_apart(connect: Connector) -> (Self, mpsc::Receiver<AgentNews>) {
        let bulk = Self::bulk(&connect);
        Self::with(connect, Some(bulk), None)
    }

    fn bulk(connect: &Connector) -> Self {
        let (bulk, mut told) = Self::new(Arc::clone(connect));
        // The first connection tells the same.
        tokio::spawn(async move { while told.recv().await.is_some() {} });
        bulk
    }

    fn with(
        connect: Connector,
        bulk: Option<Self>,
        models: Option<Door>,
    ) -> (Self, mpsc::Receiver<AgentNews>) {
        let stop = CancellationToken::new();
        let (news, told) = Newsroom::new(&stop);
        let shared = Arc::new(Shared {
            connect,
            phase: watch::channel(Phase::Idle).0,
            link_state: watch::channel(LinkState::Idle).0,
            users: watch::channel(0).0,
            wanted: Notify::new(),
            ids: Arc::new(AtomicU64::new(1)),
            news,
            watches: Watches::default(),
            stop,
            bulk,
            models,
        });
        tokio::spawn(driver::drive(Arc::clone(&shared)));
        (Self(shared), told)
    }

    /// The connection's state, and its changes.
    pub fn state(&self) -> watch::Receiver<LinkState> {
        self.0.link_state.subscribe()
    }

    /// Keeps the connection open while the lease lives.
    pub fn lease(&self) -> Lease {
        self.0.users.send_modify(|users| *users += 1);
        let bulk = self.0.bulk.as_ref().map(|bulk| Box::new(bulk.lease()));
        Lease { agent: self.clone(), _bulk: bulk }
    }

    /// Whether the workspace stopped or is gone.
    pub fn is_closed(&self) -> bool {
        self.0.stop.is_cancelled()
    }

    /// Ends the connection for good.
    pub fn close(&self) {
        if let Phase::Connected(connection) = &*self.0.phase.borrow() {
            connection.close("the workspace was closed");
        }
        self.0.enter(Phase::Closed);
        self.0.stop.cancel();
        if let Some(bulk) = &self.0.bulk {
            bulk.close();
        }
    }

    /// Cuts a wait between two tries short.
    pub fn retry_now(&self) {
        if matches!(*self.0.phase.borrow(), Phase::Reconnecting { .. } | Phase::Failed { .. })
            && *self.0.users.borrow() > 0
        {
            self.0.wanted.notify_one();
        }
        if let Some(bulk) = &self.0.bulk {
            bulk.retry_now();
        }
    }

    /// Asks the agent. A call that is harmless to repeat is sent once more when the connection breaks under it.
    ///
    /// # Errors
    /// What the agent answered; [`ErrorCode::AgentUnavailable`] when it cannot be reached or the connection broke;
    /// [`ErrorCode::TimedOut`]; [`ErrorCode::Protocol`] for an answer that does not fit.
    pub async fn call(&self, call: Call) -> Result<Answer, ApiError> {
        let _lease = self.lease();
        let kind = CallKind::of(&call);
        let repeatable = is_repeatable(&call);
        let patience = if takes_long(&call) { LONG_ANSWER_WITHIN } else { ANSWER_WITHIN };
        let id = self.0.ids.fetch_add(1, Ordering::Relaxed);
        let request = encode_request(id, call)?;
        let exchange = async {
            let connection = self.connected().await?;
            let outcome = match connection.call(id, request.clone()).await {
                Err(_) if repeatable => self.connected().await?.call(id, request).await,
                outcome => outcome,
            };
            outcome.map_err(unavailable)
        };
        let answer = tokio::time::timeout(patience, exchange).await.map_err(|_| {
            ApiError::new(
                ErrorCode::TimedOut,
                format!("The workspace's agent did not answer within {} s.", patience.as_secs()),
            )
        })??;
        check::answer(kind, answer?)
    }

    /// Asks the agent where there is a connection, which is not kept open for it; nothing elsewhere.
    pub async fn call_where_connected(&self, call: Call) -> Option<Answer> {
        let connection = match &*self.0.phase.borrow() {
            Phase::Connected(connection) => Arc::clone(connection),
            _ => return None,
        };
        driver::ask(&self.0, &connection, call).await
    }

    /// Opens a stream.
    ///
    /// # Errors
    /// [`ErrorCode::AgentUnavailable`] when the agent cannot be reached.
    pub async fn open(&self, open: Open) -> Result<LinkStream, ApiError> {
        let _lease = self.lease();
        let way = if is_bulk(&open) { self.0.bulk.as_ref().unwrap_or(self) } else { self };
        let connection = way.connected().await?;
        match connection.open(&open).await {
            Ok(stream) => Ok(stream),
            // Nothing was begun: the stream itself could not be opened.
            Err(_) => way.connected().await?.open(&open).await.map_err(unavailable),
        }
    }

    /// What the agent says of the workspace's inside; connects first where needed.
    ///
    /// # Errors
    /// As [`AgentHandle::call`].
    pub async fn inside(&self) -> Result<WorkspaceInside, ApiError> {
        match self.call(Call::Inside).await? {
            Answer::Inside(inside) => Ok(inside),
            other => Err(mismatch(&other)),
        }
    }

    /// Sets what `client` watches; the agent watches what any client does.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for too many directories; else as [`AgentHandle::call`].
    pub async fn watch(&self, client: u64, paths: Vec<BytePath>) -> Result<(), ApiError> {
        if let Some(all) = self.0.watches.set(client, paths)? {
            self.call(Call::Watch(all)).await?;
        }
        Ok(())
    }

    /// Forgets what a client watched. Tells the agent only where a connection exists.
    pub fn unwatch(&self, client: u64) {
        let Ok(Some(all)) = self.0.watches.set(client, Vec::new()) else { return };
        if matches!(*self.0.phase.borrow(), Phase::Connected(_)) {
            let handle = self.clone();
            tokio::spawn(async move { handle.call(Call::Watch(all)).await });
        }
    }

    /// A live connection; waits for one that is being made.
    pub(super) async fn connected(&self) -> Result<Arc<Connection>, ApiError> {
        let mut phase = self.0.phase.subscribe();
        let mut failed_before = None;
        match &*phase.borrow_and_update() {
            Phase::Connected(connection) if !connection.is_ended() => return Ok(Arc::clone(connection)),
            Phase::Failed { error, at, .. } if at.elapsed() < FAILED_FOR => return Err(error.clone()),
            Phase::Failed { try_number, .. } => failed_before = Some(*try_number),
            _ => {}
        }
        if matches!(*phase.borrow(), Phase::Idle | Phase::Failed { .. }) {
            self.0.wanted.notify_one();
        }
        let arrival = phase.wait_for(|phase| match phase {
            Phase::Connected(connection) => !connection.is_ended(),
            Phase::Failed { try_number, .. } => failed_before != Some(*try_number),
            Phase::Closed => true,
            _ => false,
        });
        let reached = match tokio::time::timeout(CONNECTION_WITHIN, arrival).await {
            Ok(Ok(reached)) => reached.clone(),
            _ => self.0.phase.borrow().clone(),
        };
        match reached {
            Phase::Connected(connection) => Ok(connection),
            Phase::Failed { error, .. } => Err(error),
            Phase::Closed => {
                Err(ApiError::new(ErrorCode::InvalidState, "The workspace is not running.").hint("Start it."))
            }
            Phase::Reconnecting { reason, .. } => Err(unavailable(Lost(reason))),
            Phase::Idle | Phase::Connecting => {
                Err(unavailable(Lost("it takes too long to connect".to_owned())))
            }
        }
    }
}

/// Keeps an agent's connection open while it lives.
pub struct Lease {
    agent: AgentHandle,
    _bulk: Option<Box<Lease>>,
}

impl Lease {
    /// The agent.
    pub fn agent(&self) -> &AgentHandle {
        &self.agent
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.agent.0.users.send_modify(|users| *users -= 1);
    }
}

fn unavailable(Lost(reason): Lost) -> ApiError {
    ApiError::new(
        ErrorCode::AgentUnavailable,
        format!("The connection to the workspace's agent broke: {reason}."),
    )
    .hint("It is being made again; try once more.")
}

/// An answer of a kind that the check before let through only by a fault of ours.
pub(crate) fn mismatch(answer: &Answer) -> ApiError {
    let mut text = format!("{answer:?}");
    text.truncate(text.char_indices().nth(80).map_or(text.len(), |(at, _)| at));
    ApiError::new(ErrorCode::Protocol, "The workspace's agent gave an answer that does not fit the question.")
        .detail(text)
}

/// Whether sending the call twice does no more than sending it once.
fn is_repeatable(call: &Call) -> bool {
    match call {
        Call::Inside
        | Call::Ping
        | Call::Stat(_)
        | Call::List(_)
        | Call::Read(_)
        | Call::MakeDirectory(_)
        | Call::Watch(_)
        | Call::GitStatus(_)
        | Call::FindFiles(_)
        | Call::Terminals
        | Call::ResizeTerminal(_)
        | Call::RenameTerminal(_)
        | Call::TerminalText(_)
        | Call::Processes
        | Call::Ports
        | Call::Sample
        | Call::OfferModels(_) => true,
        // The agent accepts a version's write again when the file already holds the content sent.
        Call::Write { write, .. } => match write.condition {
            WriteCondition::Any | WriteCondition::Version { .. } => true,
            WriteCondition::Missing => false,
        },
        Call::Rename(_)
        | Call::Copy(_)
        | Call::Trash(_)
        | Call::RestoreTrash(_)
        | Call::Replace(_)
        | Call::CreateTerminal(_)
        | Call::SignalTerminal(_)
        | Call::CloseTerminal(_)
        | Call::SignalProcess(_)
        | Call::Retire => false,
    }
}

/// Whether a stream may carry more than a person types or reads.
fn is_bulk(open: &Open) -> bool {
    match open {
        Open::Upload(_) | Open::Download(_) | Open::Connect(_) => true,
        Open::Control { .. } | Open::Terminal(_) | Open::Search(_) | Open::Exec(_) | Open::AcceptModels => {
            false
        }
    }
}

fn takes_long(call: &Call) -> bool {
    matches!(
        call,
        Call::Copy(_) | Call::Trash(_) | Call::RestoreTrash(_) | Call::Replace(_) | Call::Rename(_)
    )
}
