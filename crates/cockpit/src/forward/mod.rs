//! Port forwards: loopback ports of this machine that lead into a workspace, through the agent's link and never to
//! a container's address.
//!
//! **Invariant:** listens on 127.0.0.1 only. A forward's pages have a host name of their own
//! (`<workspace id>.localhost`), so that what a workspace serves never shares an origin with the cockpit.

mod listener;

use crate::EventBus;
use crate::agent::AgentHandle;
use aicockpit_protocol::api::Event;
use aicockpit_protocol::port::{Forward, ForwardTarget, ListeningPort, PortEntry};
use aicockpit_protocol::{ApiError, ErrorCode, WorkspaceId};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Forwards of one workspace.
const MAX_FORWARDS: usize = 256;
/// Forwards that open by themselves; a workspace that listens on more is asking for mischief.
const MAX_AUTOMATIC: usize = 32;
/// Connections through all forwards of one workspace at once.
const MAX_CONNECTIONS: usize = 256;
/// How the workspace itself is called from inside.
const LOCALHOST: &str = "localhost";

/// The forwards of one workspace.
pub struct Forwards {
    workspace: WorkspaceId,
    agent: AgentHandle,
    events: EventBus,
    auto_forward: Arc<AtomicBool>,
    connections: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    closed: bool,
    open: HashMap<ForwardTarget, Open>,
    listening: Vec<ListeningPort>,
    /// Ports whose forward was closed by a person: not opened again by themselves while the program listens on.
    unwanted: HashSet<u16>,
}

struct Open {
    forward: Forward,
    automatic: bool,
    _listener: DropGuard,
}

impl Forwards {
    pub(crate) fn new(
        workspace: WorkspaceId,
        agent: AgentHandle,
        events: EventBus,
        auto_forward: Arc<AtomicBool>,
    ) -> Self {
        let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        Self { workspace, agent, events, auto_forward, connections, state: Mutex::default() }
    }

    /// What listens and what is forwarded, by port.
    pub fn list(&self) -> Vec<PortEntry> {
        let state = self.lock();
        let mut entries: BTreeMap<(bool, u16, String), PortEntry> = BTreeMap::new();
        let key = |target: &ForwardTarget| (target.host != LOCALHOST, target.port, target.host.clone());
        for port in &state.listening {
            let target = local(port.port);
            let entry = PortEntry { target: target.clone(), listening: Some(port.clone()), forward: None };
            entries.insert(key(&target), entry);
        }
        for (target, open) in &state.open {
            entries
                .entry(key(target))
                .or_insert_with(|| PortEntry { target: target.clone(), listening: None, forward: None })
                .forward = Some(open.forward.clone());
        }
        entries.into_values().collect()
    }

    /// Opens a forward; the one that is open already where there is one.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for a target that is none, [`ErrorCode::PortInUse`] where no port is free.
    pub async fn open(&self, target: ForwardTarget) -> Result<Forward, ApiError> {
        check(&target)?;
        self.lock().unwanted.remove(&target.port);
        let forward = self.open_as(target, false).await?;
        self.tell();
        Ok(forward)
    }

    /// Closes a forward and its connections. Closing one that is not open does nothing.
    pub fn close(&self, target: &ForwardTarget) {
        {
            let mut state = self.lock();
            if state.open.remove(target).is_none() {
                return;
            }
            if target.host == LOCALHOST {
                state.unwanted.insert(target.port);
            }
        }
        self.tell();
    }

    /// Closes everything for good.
    pub fn close_all(&self) {
        {
            let mut state = self.lock();
            state.closed = true;
            state.open.clear();
            state.listening.clear();
        }
        self.tell();
    }

    /// Takes the ports that programs listen on now: opens what is new, closes what opened by itself and is gone.
    pub async fn listening(&self, ports: Vec<ListeningPort>) {
        let wanted = {
            let mut state = self.lock();
            let now: HashSet<u16> = ports.iter().map(|port| port.port).collect();
            state.unwanted.retain(|port| now.contains(port));
            state.open.retain(|target, open| {
                !open.automatic || target.host != LOCALHOST || now.contains(&target.port)
            });
            state.listening = ports;
            self.wanted(&state)
        };
        for target in wanted {
            if let Err(error) = self.open_as(target.clone(), true).await {
                tracing::info!(workspace = %self.workspace, port = target.port, %error, "port not forwarded");
            }
        }
        self.tell();
    }

    fn wanted(&self, state: &State) -> Vec<ForwardTarget> {
        if !self.auto_forward.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let room = MAX_AUTOMATIC.saturating_sub(state.open.values().filter(|open| open.automatic).count());
        state
            .listening
            .iter()
            .filter(|port| !state.unwanted.contains(&port.port))
            .map(|port| local(port.port))
            .filter(|target| !state.open.contains_key(target))
            .take(room)
            .collect()
    }

    async fn open_as(&self, target: ForwardTarget, automatic: bool) -> Result<Forward, ApiError> {
        {
            let mut state = self.lock();
            if let Some(open) = state.open.get_mut(&target) {
                open.automatic &= automatic;
                return Ok(open.forward.clone());
            }
            if state.open.len() >= MAX_FORWARDS {
                return Err(ApiError::new(
                    ErrorCode::InvalidState,
                    format!("The workspace has {MAX_FORWARDS} open forwards, which is the limit."),
                )
                .hint("Close one first."));
            }
        }
        let (listener, local_port) = listener::bind(target.port).await?;
        let mut state = self.lock();
        if state.closed {
            return Err(
                ApiError::new(ErrorCode::InvalidState, "The workspace is not running.").hint("Start it.")
            );
        }
        // Two callers may have bound at once; the first one's port is the one that counts.
        if let Some(open) = state.open.get(&target) {
            return Ok(open.forward.clone());
        }
        let url = format!("http://{}.localhost:{local_port}/", self.workspace);
        let forward = Forward { target: target.clone(), local_port, url };
        let stop = CancellationToken::new();
        listener::spawn(
            listener,
            target.clone(),
            self.agent.clone(),
            Arc::clone(&self.connections),
            stop.clone(),
        );
        state.open.insert(target, Open { forward: forward.clone(), automatic, _listener: stop.drop_guard() });
        Ok(forward)
    }

    fn tell(&self) {
        self.events.send(Event::Ports { workspace: self.workspace.clone(), ports: self.list() });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn local(port: u16) -> ForwardTarget {
    ForwardTarget { host: LOCALHOST.to_owned(), port }
}

/// A host name or an address, and a port.
pub(crate) fn check(target: &ForwardTarget) -> Result<(), ApiError> {
    let host = &target.host;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
    if target.port == 0 || host.is_empty() || host.len() > 253 || !host.bytes().all(plain) {
        return Err(ApiError::new(
            ErrorCode::InvalidArgument,
            format!("`{}:{}` is no address to forward to.", host.escape_debug(), target.port),
        )
        .hint("Give a host name or address and a port from 1 to 65535."));
    }
    Ok(())
}
