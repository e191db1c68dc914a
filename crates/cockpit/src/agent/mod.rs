//! The client of the agents inside workspaces.
//!
//! [`AgentHandle`] is one workspace's agent: calls, streams, and what it tells unasked. Its connection is made when
//! someone needs it, made again when it breaks (with growing waits), and let go of when no one has needed it for a
//! while. [`Agents`] holds one handle for each workspace in use, with the workspace's port forwards.
//!
//! Root's terminals live in a second agent, which runs as root only while there are any: what runs as the
//! workspace's user cannot type into them, as it could were they the user's agent's.
//!
//! **Invariant:** the agent's messages are hostile input. They pass `check` before anything else sees them, and
//! no path or size in them is trusted.

mod check;
mod connection;
mod driver;
mod exec;
mod handle;
mod models;
mod news;
mod terminals;
mod watches;

pub use connection::{ByteIo, ConnectError, Pipe, PostMortem};
pub use handle::{AgentHandle, Connector, Lease};
pub use news::AgentNews;
pub use watches::MAX_WATCHED;

pub(crate) use handle::mismatch;
pub(crate) use terminals::Whose;

use crate::forward::Forwards;
use crate::models::Models;
use crate::{AgentTarget, EventBus, now_ms};
use aicockpit_protocol::agent::{Answer, Call};
use aicockpit_protocol::api::Event;
use aicockpit_protocol::terminal::TerminalInfo;
use aicockpit_protocol::{ApiError, TerminalId, WorkspaceId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use terminals::TerminalLists;
use tokio::sync::mpsc;

/// The agents of the workspaces in use.
pub struct Agents {
    events: EventBus,
    models: Models,
    auto_forward: Arc<AtomicBool>,
    open: Mutex<HashMap<WorkspaceId, OpenAgent>>,
}

/// A workspace's agent and what depends on it.
#[derive(Clone)]
pub struct OpenAgent {
    /// Its client.
    pub handle: AgentHandle,
    /// The client of root's agent. Connecting starts that agent.
    pub root: AgentHandle,
    /// The workspace's port forwards.
    pub forwards: Arc<Forwards>,
    terminals: Arc<TerminalLists>,
}

impl OpenAgent {
    /// Whether root's agent had terminals when it last told.
    pub(crate) fn has_root_terminals(&self) -> bool {
        self.terminals.has_root()
    }

    /// Takes note that a terminal was closed; all terminals of the workspace.
    pub(crate) fn terminal_closed(&self, terminal: TerminalId) -> Vec<TerminalInfo> {
        self.terminals.closed(terminal)
    }

    /// Takes note of all terminals of one agent; all terminals of the workspace.
    pub(crate) fn terminals_told(&self, whose: Whose, terminals: Vec<TerminalInfo>) -> Vec<TerminalInfo> {
        self.terminals.told(whose, terminals)
    }
}

impl Agents {
    /// None in use yet; what they tell goes to `events`.
    pub fn new(events: EventBus, models: Models) -> Self {
        Self { events, models, auto_forward: Arc::new(AtomicBool::new(true)), open: Mutex::default() }
    }

    /// Whether ports are forwarded by themselves when a program starts to listen.
    pub fn set_auto_forward(&self, on: bool) {
        self.auto_forward.store(on, Ordering::Relaxed);
    }

    /// A workspace's agent, connected or not. `target` does not change while the container lives.
    pub fn open(&self, workspace: &WorkspaceId, target: &AgentTarget) -> OpenAgent {
        let mut open = self.lock();
        if let Some(agent) = open.get(workspace) {
            return agent.clone();
        }
        let (user, root) = (target.clone(), target.clone());
        let of_user = connector(move || user.clone());
        // An engine that sees this machine's folders is on it: there no way is long.
        let bulk_apart = !target.engine.capabilities().host_folders;
        let of_user = AgentHandle::of_workspace(of_user, bulk_apart, self.models.door(workspace));
        let agent = self.wire(workspace, of_user, client(move || root.of_root(now_ms())));
        open.insert(workspace.clone(), agent.clone());
        agent
    }

    /// A workspace's agent where it is in use already.
    pub fn get(&self, workspace: &WorkspaceId) -> Option<OpenAgent> {
        self.lock().get(workspace).cloned()
    }

    /// Asks a workspace's agent, connecting first where there is no connection.
    ///
    /// # Errors
    /// As [`AgentHandle::call`].
    pub async fn call(
        &self,
        workspace: &WorkspaceId,
        target: &AgentTarget,
        call: Call,
    ) -> Result<Answer, ApiError> {
        let agent = self.open(workspace, target);
        agent.handle.call(call).await
    }

    /// The container runs again or the engine is back: a broken connection is tried at once instead of after its wait.
    pub fn retry_now(&self, workspace: &WorkspaceId) {
        if let Some(agent) = self.get(workspace) {
            agent.handle.retry_now();
        }
    }

    /// The workspace stopped, was deleted or lost: its connection and forwards are closed and not made again.
    pub fn forget(&self, workspace: &WorkspaceId) {
        let agent = self.lock().remove(workspace);
        if let Some(agent) = agent {
            agent.handle.close();
            agent.root.close();
            agent.forwards.close_all();
        }
    }

    /// Closes every connection and forward.
    pub fn close_all(&self) {
        let all: Vec<WorkspaceId> = self.lock().keys().cloned().collect();
        for workspace in all {
            self.forget(&workspace);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<WorkspaceId, OpenAgent>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wire(
        &self,
        workspace: &WorkspaceId,
        (handle, mut news): Told,
        (root, mut root_news): Told,
    ) -> OpenAgent {
        let forwards = Arc::new(Forwards::new(
            workspace.clone(),
            handle.clone(),
            self.events.clone(),
            Arc::clone(&self.auto_forward),
        ));
        let terminals = Arc::new(TerminalLists::default());
        let (events, id, lists) = (self.events.clone(), workspace.clone(), Arc::clone(&terminals));
        tokio::spawn(async move {
            // All else is told by the user's agent, too.
            while let Some(news) = root_news.recv().await {
                if let AgentNews::Terminals(told) = news {
                    let terminals = lists.told(Whose::Root, told);
                    events.send(Event::Terminals { workspace: id.clone(), terminals });
                }
            }
        });
        let (events, workspace, told) = (self.events.clone(), workspace.clone(), Arc::clone(&forwards));
        let lists = Arc::clone(&terminals);
        tokio::spawn(async move {
            while let Some(news) = news.recv().await {
                let workspace = workspace.clone();
                match news {
                    AgentNews::Link(link) => events.send(Event::Link { workspace, link }),
                    AgentNews::Files(changes) => events.send(Event::Files { workspace, changes }),
                    AgentNews::Terminals(terminals) => {
                        let terminals = lists.told(Whose::User, terminals);
                        events.send(Event::Terminals { workspace, terminals });
                    }
                    AgentNews::Ports(ports) => told.listening(ports).await,
                }
            }
        });
        OpenAgent { handle, root, forwards, terminals }
    }
}

/// A client and what its agent tells.
type Told = (AgentHandle, mpsc::Receiver<AgentNews>);

fn client(target: impl Fn() -> AgentTarget + Send + Sync + 'static) -> Told {
    AgentHandle::new(connector(target))
}

fn connector(target: impl Fn() -> AgentTarget + Send + Sync + 'static) -> Connector {
    Arc::new(move || {
        let AgentTarget { engine, container, exec, build } = target();
        Box::pin(exec::connect(engine, container, exec, build))
    })
}
