//! One workspace in memory.

use super::state;
use crate::plan::PlanLog;
use crate::store::StoredWorkspace;
use aicockpit_protocol::engine::EngineHealth;
use aicockpit_protocol::metrics::Sample;
use aicockpit_protocol::workspace::{Workspace, WorkspaceState};
use aicockpit_protocol::{EngineId, WorkspaceId};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A workspace: what is kept, and what lives only while this process does.
pub(crate) struct Entry {
    pub(crate) id: WorkspaceId,
    pub(crate) engine: EngineId,
    record: Mutex<StoredWorkspace>,
    /// Held by whatever changes the workspace on its engine: actions on one workspace come one after the other.
    pub(crate) gate: tokio::sync::Mutex<()>,
    /// Ends the creation plan that runs now.
    pub(crate) plan_stop: Mutex<Option<CancellationToken>>,
    pub(crate) plan_log: Mutex<PlanLog>,
    /// Somebody already waits to bring the state up to date.
    pub(crate) sync_pending: AtomicBool,
    /// Follows `record.state`, for those who wait.
    pub(crate) state: watch::Sender<WorkspaceState>,
}

impl Entry {
    pub(crate) fn new(record: StoredWorkspace) -> Self {
        Self {
            id: record.id.clone(),
            engine: record.engine.clone(),
            state: watch::channel(record.state).0,
            record: Mutex::new(record),
            gate: tokio::sync::Mutex::default(),
            plan_stop: Mutex::default(),
            plan_log: Mutex::default(),
            sync_pending: AtomicBool::new(false),
        }
    }

    /// The record, for a moment: never held while waiting for anything.
    pub(crate) fn record(&self) -> MutexGuard<'_, StoredWorkspace> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of the record.
    pub(crate) fn snapshot(&self) -> StoredWorkspace {
        self.record().clone()
    }

    /// As people see it.
    pub(crate) fn present(&self, health: Option<EngineHealth>, sample: Option<Sample>) -> Workspace {
        let record = self.snapshot();
        let shown = state::shown(record.state, health);
        Workspace {
            id: record.id,
            name: record.name,
            engine: record.engine,
            spec: record.spec,
            state: shown,
            message: record.message,
            created_ms: record.created_ms,
            last_used_ms: record.last_used_ms,
            plan: record.plan,
            sample: sample.filter(|_| shown == WorkspaceState::Running),
            branch: record.branch,
            imported: record.imported,
        }
    }

    /// Ends the creation plan, where one runs. It lets go of the gate once it has come to rest.
    pub(crate) fn stop_plan(&self) {
        let stop = self.plan_stop.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(stop) = stop {
            stop.cancel();
        }
    }

    pub(crate) fn plan_log(&self) -> MutexGuard<'_, PlanLog> {
        self.plan_log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
