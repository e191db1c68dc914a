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
    /// Ends our wait for the container's start, where it may be long.
    start_stop: Mutex<Option<CancellationToken>>,
    /// What the engine told last.
    told: Mutex<String>,
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
            start_stop: Mutex::default(),
            told: Mutex::default(),
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

    /// Runs a start that [`Entry::stop_start`] and `stop` cut off; nothing then.
    pub(crate) async fn start<T>(
        &self,
        stop: &CancellationToken,
        starting: impl Future<Output = T>,
    ) -> Option<T> {
        let stop = stop.child_token();
        *self.start_stop.lock().unwrap_or_else(PoisonError::into_inner) = Some(stop.clone());
        let started = stop.run_until_cancelled(starting).await;
        *self.start_stop.lock().unwrap_or_else(PoisonError::into_inner) = None;
        started
    }

    /// Ends the wait for a start; whether there was one. The engine may go on with what it began.
    pub(crate) fn stop_start(&self) -> bool {
        let stop = self.start_stop.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(stop) = &stop {
            stop.cancel();
        }
        stop.is_some()
    }

    /// Takes note of what the engine tells; whether it is something else than the last time.
    pub(crate) fn is_told_anew(&self, text: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let anew = *told != text;
        if anew {
            text.clone_into(&mut told);
        }
        anew
    }

    /// What the engine tells next is told, even in the same words.
    pub(crate) fn forget_told(&self) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn plan_log(&self) -> MutexGuard<'_, PlanLog> {
        self.plan_log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry::new(StoredWorkspace {
            state: WorkspaceState::Starting,
            ..StoredWorkspace::of_spec(aicockpit_testkit::empty_spec())
        })
    }

    #[test]
    fn the_same_words_are_told_once_until_something_else_happened() {
        let entry = entry();
        assert!(entry.is_told_anew("Pulling the image."));
        assert!(!entry.is_told_anew("Pulling the image."));
        assert!(entry.is_told_anew("Pulled the image."));
        assert!(entry.is_told_anew("Pulling the image."));
        entry.forget_told();
        assert!(entry.is_told_anew("Pulling the image."));
    }

    #[tokio::test]
    async fn a_start_that_never_ends_is_cut_off_and_one_that_ends_is_not() {
        let entry = entry();
        let all = CancellationToken::new();
        assert!(!entry.stop_start(), "nothing to stop");
        assert_eq!(entry.start(&all, async { 7 }).await, Some(7));
        let forever = || entry.start(&all, std::future::pending::<()>());
        let (started, ()) = tokio::join!(biased; forever(), async { assert!(entry.stop_start()) });
        assert_eq!(started, None);
        let (started, ()) = tokio::join!(biased; forever(), async { all.cancel() });
        assert_eq!(started, None);
    }
}
