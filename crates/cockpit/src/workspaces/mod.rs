//! The workspaces, and everything a person can do to one.
//!
//! **Invariant:** the engine holds the truth of which containers exist and run. States are set from what the engine
//! says (an inspection after an action or an event), never from what we believe we did.

mod actions;
mod create;
mod delete;
mod entry;
mod import;
pub mod labels;
pub mod names;
mod observe;
mod reconcile;
mod recreate;
mod root;
pub mod state;
mod target;

pub(crate) use entry::Entry;
pub use target::AgentTarget;

use crate::agent::Agents;
use crate::engines::Engines;
use crate::metrics::Metrics;
use crate::plan::PlanResources;
use crate::settings::CurrentSettings;
use crate::store::{Store, StoredWorkspace, Tombstone};
use crate::{EventBus, now_ms};
use aicockpit_protocol::api::Event;
use aicockpit_protocol::workspace::{TimelineEntry, Workspace, WorkspaceState};
use aicockpit_protocol::{ApiError, EngineId, ErrorCode, WorkspaceId};
use rand::RngExt as _;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A new id: 16 lower-case letters and digits, about 80 random bits.
pub fn random_id() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = rand::rng();
    (0..16).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())])).collect()
}

/// All workspaces of this cockpit.
pub struct Workspaces {
    /// For the tasks that outlive a call.
    me: Weak<Workspaces>,
    entries: RwLock<BTreeMap<WorkspaceId, Arc<Entry>>>,
    pub(crate) store: Arc<Store>,
    pub(crate) engines: Arc<Engines>,
    pub(crate) agents: Arc<Agents>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) settings: Arc<CurrentSettings>,
    pub(crate) plans: PlanResources,
    /// Deleted workspaces whose objects are still on an engine.
    tombstones: Mutex<HashMap<WorkspaceId, EngineId>>,
    events: EventBus,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// What [`Workspaces::new`] is made from.
pub(crate) struct WorkspacesParts {
    pub(crate) store: Arc<Store>,
    pub(crate) engines: Arc<Engines>,
    pub(crate) agents: Arc<Agents>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) settings: Arc<CurrentSettings>,
    pub(crate) plans: PlanResources,
    pub(crate) events: EventBus,
}

impl Workspaces {
    pub(crate) fn new(
        parts: WorkspacesParts,
        stored: Vec<StoredWorkspace>,
        tombstones: Vec<Tombstone>,
    ) -> Arc<Self> {
        let entries =
            stored.into_iter().map(|record| (record.id.clone(), Arc::new(Entry::new(record)))).collect();
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            entries: RwLock::new(entries),
            store: parts.store,
            engines: parts.engines,
            agents: parts.agents,
            metrics: parts.metrics,
            settings: parts.settings,
            plans: parts.plans,
            tombstones: Mutex::new(
                tombstones.into_iter().map(|dead| (dead.workspace, dead.engine)).collect(),
            ),
            events: parts.events,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        })
    }

    /// Lets running plans come to rest where they are; they go on when the cockpit starts again.
    pub(crate) async fn shutdown(&self) {
        self.stop.cancel();
        for entry in self.all() {
            entry.stop_plan();
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Every workspace, oldest first.
    pub fn list(&self) -> Vec<Workspace> {
        let mut list: Vec<_> = self.all().iter().map(|entry| self.present(entry)).collect();
        list.sort_by(|a, b| a.created_ms.cmp(&b.created_ms).then_with(|| a.id.cmp(&b.id)));
        list
    }

    /// One workspace.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`].
    pub fn get(&self, id: &WorkspaceId) -> Result<Workspace, ApiError> {
        Ok(self.present(&*self.entry(id)?))
    }

    /// Waits until no work is under way on the workspace; its state then. [`WorkspaceState::Deleting`] when it is
    /// gone.
    pub async fn settled(&self, id: &WorkspaceId) -> WorkspaceState {
        let Ok(entry) = self.entry(id) else { return WorkspaceState::Deleting };
        let mut state = entry.state.subscribe();
        let settled = state.wait_for(|state| !state.is_transient()).await;
        settled.map_or(WorkspaceState::Deleting, |state| *state)
    }

    pub(crate) fn entry(&self, id: &WorkspaceId) -> Result<Arc<Entry>, ApiError> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned().ok_or_else(|| {
            ApiError::new(ErrorCode::NotFound, format!("There is no workspace “{id}”."))
                .hint("It may have been deleted in the meantime.")
        })
    }

    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn present(&self, entry: &Entry) -> Workspace {
        entry.present(self.engines.health(&entry.engine), self.metrics.newest(&entry.id))
    }

    fn is_name_taken(&self, name: &str, except: Option<&WorkspaceId>) -> bool {
        self.all().iter().any(|entry| Some(&entry.id) != except && entry.record().name == name)
    }

    /// Adds a workspace under a name that is free: the one asked for, or with `numbered` one like it. The choice and
    /// the insertion are one step, so that two at once do not get the same name.
    fn insert(&self, mut record: StoredWorkspace, numbered: bool) -> Result<Arc<Entry>, ApiError> {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let taken = |name: &str| entries.values().any(|entry| entry.record().name == name);
        if numbered {
            record.name = names::unique(&record.name, taken);
        } else if taken(&record.name) {
            return Err(name_taken(&record.name));
        }
        let entry = Arc::new(Entry::new(record));
        entries.insert(entry.id.clone(), Arc::clone(&entry));
        Ok(entry)
    }

    fn remove(&self, id: &WorkspaceId) {
        let removed = self.entries.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        if removed.is_some() {
            self.agents.forget(id);
            self.metrics.forget(id);
            self.events.send(Event::WorkspaceGone { workspace: id.clone() });
        }
    }

    /// Changes the record, keeps it, and tells. A state that may not follow the present one is left as it is.
    pub(crate) async fn update(&self, entry: &Entry, change: impl FnOnce(&mut StoredWorkspace)) {
        let changed = {
            let mut record = entry.record();
            let before = record.clone();
            change(&mut record);
            if record.state != before.state && !state::may_become(before.state, record.state) {
                tracing::error!(workspace = %entry.id, from = ?before.state, to = ?record.state, "refused a change of state");
                record.state = before.state;
            }
            (*record != before).then(|| record.clone())
        };
        let Some(record) = changed else { return };
        entry.state.send_if_modified(|state| std::mem::replace(state, record.state) != record.state);
        if !matches!(
            record.state,
            WorkspaceState::Running
                | WorkspaceState::Creating
                | WorkspaceState::Paused
                | WorkspaceState::Starting
                | WorkspaceState::Stranded
        ) {
            // The agent ended with the container. A paused one still holds the other end of the connection, and one
            // that its engine starts anew, or whose machine comes back, is connected to again, with the forwards that
            // there were.
            self.agents.forget(&entry.id);
        }
        self.keep(record).await;
        self.publish(entry);
    }

    /// Keeps a record. Where that fails the workspace goes on: engine and labels hold the truth, and a person cannot
    /// mend it by waiting.
    pub(crate) async fn keep(&self, record: StoredWorkspace) {
        if let Err(error) = self.store.put_workspace(record).await {
            tracing::error!(%error, "could not keep a workspace's state");
        }
    }

    /// Tells how the workspace is now.
    pub(crate) fn publish(&self, entry: &Entry) {
        // Removed in the meantime: telling would bring it back on screens.
        if self.entry(&entry.id).is_ok() {
            self.events.send(Event::Workspace { workspace: self.present(entry) });
        }
    }

    pub(crate) fn events(&self) -> &EventBus {
        &self.events
    }

    /// Notes what happened to a workspace.
    pub(crate) async fn note(&self, entry: &Entry, text: impl Into<String>, failed: bool) {
        let line = TimelineEntry { at_ms: now_ms(), text: text.into(), failed };
        if let Err(error) = self.store.append_timeline(entry.id.clone(), line).await {
            tracing::warn!(%error, workspace = %entry.id, "could not note what happened");
        }
    }

    /// Runs work that goes on when its caller is gone; shutting down waits for it.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce(Arc<Self>) -> futures::future::BoxFuture<'static, T>,
    ) -> Option<tokio::task::JoinHandle<T>> {
        let me = self.me.upgrade()?;
        Some(self.tasks.spawn(work(me)))
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }
}

fn name_taken(name: &str) -> ApiError {
    ApiError::new(ErrorCode::AlreadyExists, format!("A workspace named “{name}” exists already."))
        .hint("Choose another name.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_well_formed_and_differ() {
        let (one, other) = (random_id(), random_id());
        assert!(WorkspaceId::is_well_formed(&one), "{one}");
        assert_ne!(one, other);
    }
}
