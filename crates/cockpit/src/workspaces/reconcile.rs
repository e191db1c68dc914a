//! Following what engines say of containers.

use super::{Entry, Workspaces, labels, names, state};
use crate::engines::EngineNews;
use crate::store::StoredWorkspace;
use crate::{now_ms, plan};
use aicockpit_engine::{
    ContainerDetails, ContainerEvent, ContainerEventKind, ContainerState, ContainerSummary, Engine,
    EngineError,
};
use aicockpit_protocol::engine::EngineHealth;
use aicockpit_protocol::workspace::{Source, StepKind, WorkspaceSpec, WorkspaceState};
use aicockpit_protocol::{ContainerId, EngineId, WorkspaceId};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;

/// The largest spec that is read from a label: labels are foreign input.
const MAX_SPEC_LEN: usize = 256 * 1024;
/// Characters of what an engine tells that are kept.
const MAX_TOLD_LEN: usize = 1_000;
/// What a person is told where the engine gives no reason of its own.
const STARTED_ANEW: &str = "Its engine starts it anew.";
/// Time after which a workspace of another cockpit that lost its container is looked at again.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(5);

impl Workspaces {
    /// Follows the news until the engines stop.
    pub(crate) async fn follow(&self, mut news: mpsc::UnboundedReceiver<EngineNews>) {
        loop {
            let news = tokio::select! {
                news = news.recv() => news,
                () = self.stop.cancelled() => None,
            };
            match news {
                Some(EngineNews::Ready { engine, containers }) => {
                    self.engine_ready(&engine, containers).await
                }
                Some(EngineNews::Lost { engine }) => self.engine_lost(&engine),
                Some(EngineNews::Container { engine, event }) => self.container_event(&engine, event).await,
                None => return,
            }
        }
    }

    /// Brings all workspaces of an engine up to date with its containers.
    async fn engine_ready(&self, id: &EngineId, containers: Vec<ContainerSummary>) {
        self.bury_leftovers(id);
        let mut present: HashMap<WorkspaceId, ContainerSummary> = containers
            .into_iter()
            .filter_map(|container| Some((workspace_of(&container.labels)?, container)))
            .collect();
        for entry in self.all().into_iter().filter(|entry| entry.engine == *id) {
            let found = present.remove(&entry.id).map(|container| container.state);
            let record = entry.snapshot();
            match record.state {
                WorkspaceState::Creating => plan::resume(self, &entry),
                WorkspaceState::Failed => {}
                WorkspaceState::Deleting => self.resume_delete(&entry),
                now if record.imported
                    || now == WorkspaceState::Starting
                    || found.map(state::of_container) != Some(now) =>
                {
                    self.sync_soon(&entry)
                }
                _ => {}
            }
            // It was shown as unreachable until now.
            self.publish(&entry);
            self.agents.retry_now(&entry.id);
        }
        for (workspace, container) in present {
            if self.is_ours(&container.labels) {
                self.adopt(id, workspace, container).await;
            }
        }
    }

    fn engine_lost(&self, id: &EngineId) {
        let is_off = self.engines.health(id) == Some(EngineHealth::Off);
        for entry in self.all().into_iter().filter(|entry| entry.engine == *id) {
            if is_off {
                // Nothing is said to it any more. What was under way goes on when it is on again.
                entry.stop_plan();
                entry.stop_start();
                self.agents.forget(&entry.id);
            }
            self.publish(&entry);
        }
    }

    async fn container_event(&self, engine: &EngineId, event: ContainerEvent) {
        if let ContainerEventKind::Told { text, failed } = &event.kind {
            return self.told(engine, &event, text, *failed).await;
        }
        let by_label = workspace_of(&event.labels)
            .filter(|_| labels::get(&event.labels, labels::KIND) == Some(labels::KIND_WORKSPACE));
        let entry = match &by_label {
            Some(id) => self.entry(id).ok(),
            // An imported container has no label of ours.
            None => self.all().into_iter().find(|entry| {
                entry.engine == *engine && entry.record().container.as_ref() == Some(&event.container)
            }),
        };
        match (entry, event.kind) {
            (Some(entry), ContainerEventKind::OutOfMemory) => {
                self.note(&entry, "A process was ended because the memory limit was reached.", true).await;
            }
            (Some(_), ContainerEventKind::Created) => {}
            (Some(entry), _) => self.sync_soon(&entry),
            // Of this store, and forgotten by it. Those of another cockpit on this machine are left alone.
            (None, _) => {
                let Some(id) = by_label.filter(|_| self.is_ours(&event.labels)) else { return };
                let Ok(client) = self.engines.ready(engine) else { return };
                let found =
                    client.list_containers(&[(labels::WORKSPACE, id.as_str())]).await.unwrap_or_default();
                let kind = |container: &ContainerSummary| {
                    labels::get(&container.labels, labels::KIND) == Some(labels::KIND_WORKSPACE)
                };
                if let Some(container) = found.into_iter().find(kind) {
                    self.adopt(engine, id, container).await;
                }
            }
        }
    }

    /// The engine tells something of a workspace's container, or of a helper's.
    async fn told(&self, engine: &EngineId, event: &ContainerEvent, text: &str, failed: bool) {
        let entry = match workspace_of(&event.labels) {
            Some(id) => self.entry(&id).ok(),
            None => self.all().into_iter().find(|entry| {
                entry.engine == *engine && entry.record().container.as_ref() == Some(&event.container)
            }),
        };
        let Some(entry) = entry.filter(|entry| entry.engine == *engine) else { return };
        let text: String = text.chars().take(MAX_TOLD_LEN).collect();
        if !entry.is_told_anew(&text) {
            return;
        }
        self.note(&entry, text.clone(), failed).await;
        let state = entry.record().state;
        match state {
            WorkspaceState::Creating => {
                let of_helper = labels::get(&event.labels, labels::KIND) == Some(labels::KIND_HELPER);
                let step = if of_helper { StepKind::Clone } else { StepKind::Start };
                plan::note_step(self, &entry, step, &text).await;
            }
            WorkspaceState::Starting => {
                self.update(&entry, |record| {
                    if record.state == WorkspaceState::Starting {
                        record.message = Some(text);
                    }
                })
                .await;
            }
            _ => {}
        }
    }

    /// Whether this store made what carries the labels.
    fn is_ours(&self, list: &[(String, String)]) -> bool {
        labels::get(list, labels::OWNER) == Some(self.store.owner())
    }

    /// Makes a workspace of a container that carries our labels, when the store has none: the store was lost, or the
    /// person imports a workspace of another cockpit.
    pub(super) async fn adopt(&self, engine: &EngineId, id: WorkspaceId, container: ContainerSummary) {
        if self.entry(&id).is_ok() || self.is_buried(&id) {
            return;
        }
        // The list may be older than a deletion.
        let Ok(client) = self.engines.ready(engine) else { return };
        let Ok(details) = client.inspect_container(&container.id).await else { return };
        let Some(spec) = spec_of(&container.labels) else {
            tracing::warn!(container = %container.name, "a container carries labels of ours that cannot be read");
            return;
        };
        let label = labels::get(&container.labels, labels::NAME).unwrap_or_default();
        let record = StoredWorkspace {
            name: names::check(label).unwrap_or_else(|_| names::derive(&spec.source)),
            id,
            engine: engine.clone(),
            owner: labels::get(&container.labels, labels::OWNER).unwrap_or_default().to_owned(),
            container: Some(details.id),
            spec,
            state: state::of_container(details.state),
            message: None,
            created_ms: now_ms(),
            last_used_ms: None,
            branch: None,
            imported: false,
            agent_folder: None,
            plan: None,
        };
        let Ok(entry) = self.insert(record, true) else { return };
        self.keep(entry.snapshot()).await;
        self.note(&entry, "Found on the engine by its container's labels.", false).await;
        self.publish(&entry);
    }

    /// Asks the engine for the container's state, once whatever is under way has ended. Many requests at once make
    /// one question.
    pub(super) fn sync_soon(&self, entry: &Arc<Entry>) {
        if entry.sync_pending.swap(true, Ordering::AcqRel) {
            return;
        }
        let entry = Arc::clone(entry);
        self.spawn(|me| {
            Box::pin(async move {
                let _gate = entry.gate.lock().await;
                entry.sync_pending.store(false, Ordering::Release);
                if let Ok(engine) = me.engines.ready(&entry.engine) {
                    me.sync(&entry, &*engine).await;
                }
            })
        });
    }

    /// Sets the state from what the engine says now. The caller holds the gate.
    pub(super) async fn sync(&self, entry: &Entry, engine: &dyn Engine) {
        let record = entry.snapshot();
        if matches!(
            record.state,
            WorkspaceState::Creating | WorkspaceState::Failed | WorkspaceState::Deleting
        ) {
            return;
        }
        let container = record.container.unwrap_or_else(|| labels::by_name(&labels::object_name(&entry.id)));
        match engine.inspect_container(&container).await {
            Ok(details) => self.container_is(entry, details).await,
            Err(EngineError::NotFound(_)) => self.container_is_gone(entry, engine, &container).await,
            // The engine goes away: that is news of its own.
            Err(error) => tracing::info!(workspace = %entry.id, %error, "could not look at a container"),
        }
    }

    async fn container_is(&self, entry: &Entry, details: ContainerDetails) {
        let before = entry.snapshot();
        let now = state::of_container(details.state);
        let message = message(before.state, now, &details);
        // Where it ended without being asked to, or its engine starts it anew, the reason is told.
        let surprise = match now {
            WorkspaceState::Starting => before.state == WorkspaceState::Running,
            WorkspaceState::Stranded => before.state != now,
            _ => message.is_some(),
        };
        if surprise {
            let text = message.clone().unwrap_or_else(|| STARTED_ANEW.to_owned());
            // The engine may have told its reason by an event, too.
            if details.reason.is_none() || entry.is_told_anew(&text) {
                self.note(entry, text, true).await;
            }
        }
        if now == WorkspaceState::Running && before.state != now {
            entry.forget_told();
        }
        self.update(entry, |record| {
            record.container = Some(details.id);
            if now != record.state {
                record.state = now;
                record.message = message;
            } else if matches!(now, WorkspaceState::Starting | WorkspaceState::Stranded) && message.is_some()
            {
                record.message = message;
            }
        })
        .await;
        if now == WorkspaceState::Running {
            // It may be another process than the one that was connected to.
            self.agents.retry_now(&entry.id);
        }
    }

    async fn container_is_gone(&self, entry: &Entry, engine: &dyn Engine, container: &ContainerId) {
        let record = entry.snapshot();
        // A workspace of another cockpit, deleted there with all that belongs to it.
        let volumes = engine.list_volumes(&[(labels::WORKSPACE, entry.id.as_str())]).await;
        let foreign = record.owner != self.store.owner();
        let has_volume = volumes.as_ref().map_or(true, |volumes| !volumes.is_empty());
        if foreign && !has_volume {
            if self.store.forget_workspace(entry.id.clone(), None).await.is_ok() {
                self.remove(&entry.id);
            }
            return;
        }
        let message = what_is_left(&record, has_volume);
        if record.state != WorkspaceState::Lost {
            tracing::warn!(workspace = %entry.id, %container, "the container is gone");
            self.note(entry, "Its container was removed by somebody else.", true).await;
        }
        self.update(entry, |record| {
            record.state = WorkspaceState::Lost;
            record.message = Some(message.to_owned());
        })
        .await;
        if foreign && record.state != WorkspaceState::Lost {
            self.look_again(entry);
        }
    }

    /// The other cockpit may be in the middle of deleting: its volume goes a moment after the container.
    fn look_again(&self, entry: &Entry) {
        let id = entry.id.clone();
        self.spawn(|me| {
            Box::pin(async move {
                let waited = me.stop.run_until_cancelled(tokio::time::sleep(LOOK_AGAIN_AFTER)).await;
                if let (Some(()), Ok(entry)) = (waited, me.entry(&id)) {
                    me.sync_soon(&entry);
                }
            })
        });
    }
}

pub(super) fn workspace_of(list: &[(String, String)]) -> Option<WorkspaceId> {
    let id = labels::get(list, labels::WORKSPACE)?;
    WorkspaceId::is_well_formed(id).then(|| WorkspaceId::new(id))
}

fn spec_of(list: &[(String, String)]) -> Option<WorkspaceSpec> {
    let text = labels::get(list, labels::SPEC).filter(|text| text.len() <= MAX_SPEC_LEN)?;
    serde_json::from_str(text).ok()
}

/// What a person has after the container was removed outside AiCockpit.
fn what_is_left(record: &StoredWorkspace, has_volume: bool) -> &'static str {
    match record.spec.source {
        _ if record.imported => {
            "Its container was removed outside AiCockpit. Deleting the workspace forgets it."
        }
        Source::Folder { .. } => {
            "Its container was removed outside AiCockpit. The folder is untouched: recreate the container to go on."
        }
        _ if has_volume => {
            "Its container was removed outside AiCockpit. Its files are kept: recreate the container to go on."
        }
        Source::Git { .. } | Source::Empty => {
            "Its container and its files were removed outside AiCockpit. Recreate it to begin anew, or delete it."
        }
    }
}

/// What a person is told of a container in its new state, where that needs a word.
fn message(before: WorkspaceState, now: WorkspaceState, details: &ContainerDetails) -> Option<String> {
    let was_on =
        matches!(before, WorkspaceState::Running | WorkspaceState::Starting | WorkspaceState::Paused);
    match now {
        WorkspaceState::Starting | WorkspaceState::Stranded => details.reason.clone(),
        _ if !was_on || details.state != ContainerState::Exited => None,
        // It never ran: whoever started it says why.
        _ if before == WorkspaceState::Starting && details.exit_status.is_none() => details.reason.clone(),
        _ => Some(details.reason.clone().unwrap_or_else(|| how_it_ended(details))),
    }
}

fn how_it_ended(details: &ContainerDetails) -> String {
    match details.exit_status {
        _ if details.out_of_memory => "It ended because it used more memory than its limit.".to_owned(),
        Some(0) | None => "It ended.".to_owned(),
        Some(137) => "It was killed.".to_owned(),
        Some(status) => format!("It ended with status {status}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use WorkspaceState as S;

    fn details(state: ContainerState, reason: Option<&str>) -> ContainerDetails {
        ContainerDetails {
            id: ContainerId::new("a"),
            name: "a".to_owned(),
            image: String::new(),
            image_reference: String::new(),
            working_directory: String::new(),
            state,
            exit_status: Some(3),
            out_of_memory: false,
            pid: None,
            started_at: String::new(),
            labels: Vec::new(),
            user: String::new(),
            ports: Vec::new(),
            reason: reason.map(str::to_owned),
        }
    }

    #[test]
    fn a_workspace_that_starts_or_ended_says_why_in_the_engine_s_words() {
        let of = |before, state, reason| message(before, state::of_container(state), &details(state, reason));
        let waits = Some("No machine has room.");
        assert_eq!(of(S::Running, ContainerState::Starting, waits).as_deref(), waits);
        assert_eq!(of(S::Starting, ContainerState::Starting, waits).as_deref(), waits);
        assert_eq!(of(S::Running, ContainerState::Starting, None), None);
        assert_eq!(of(S::Stopping, ContainerState::Stranded, waits).as_deref(), waits);
        assert_eq!(of(S::Stranded, ContainerState::Exited, waits), None, "it was let go");
        assert_eq!(of(S::Running, ContainerState::Exited, waits).as_deref(), waits);
        let without = of(S::Running, ContainerState::Exited, None);
        assert_eq!(without.as_deref(), Some("It ended with status 3."));
        assert_eq!(of(S::Stopping, ContainerState::Exited, waits), None, "it was asked to");
        assert_eq!(of(S::Starting, ContainerState::Running, waits), None);
        let never_ran = ContainerDetails { exit_status: None, ..details(ContainerState::Exited, None) };
        assert_eq!(message(S::Starting, S::Stopped, &never_ran), None);
        assert_eq!(message(S::Running, S::Stopped, &never_ran).as_deref(), Some("It ended."));
    }
}
