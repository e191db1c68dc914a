//! Deleting a workspace, from every state, also when its engine is gone.

use super::{Entry, Workspaces, labels, state};
use aicockpit_engine::{Engine, EngineError};
use aicockpit_protocol::agent::{Answer, Call};
use aicockpit_protocol::fs::GitStatus;
use aicockpit_protocol::workspace::{DeletePreview, Source, WorkspaceAction, WorkspaceState};
use aicockpit_protocol::{ApiError, BytePath, EngineId, ErrorCode, WorkspaceId};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// Time to find out what would be lost; what is not known by then is left open.
const PREVIEW_WITHIN: Duration = Duration::from_secs(3);
/// Tries to remove objects: an engine may hold on to a volume for a moment after its container is gone.
const REMOVE_TRIES: u32 = 4;
/// Wait between them.
const REMOVE_WAIT: Duration = Duration::from_millis(250);

impl Workspaces {
    /// What deleting would lose. Looks inside only where the workspace runs.
    ///
    /// # Errors
    /// When there is no such workspace.
    pub async fn delete_preview(&self, id: &WorkspaceId) -> Result<DeletePreview, ApiError> {
        let record = self.entry(id)?.snapshot();
        let kept_folder = match &record.spec.source {
            Source::Folder { path } => Some(path.clone()),
            Source::Git { .. } | Source::Empty => None,
        };
        let mut preview = DeletePreview {
            volume: kept_folder.is_none() && !record.imported,
            kept_folder,
            uncommitted_files: None,
            unpushed_commits: None,
            busy_terminals: 0,
        };
        if let Ok(target) = self.target(id) {
            let folder = record.agent_folder.unwrap_or_else(|| labels::FOLDER.to_owned());
            let git = GitStatus { path: BytePath::from(folder.as_str()) };
            let asked = async {
                tokio::join!(
                    self.agents.call(id, &target, Call::GitStatus(git)),
                    self.agents.call(id, &target, Call::Terminals)
                )
            };
            if let Ok((git, terminals)) = tokio::time::timeout(PREVIEW_WITHIN, asked).await {
                if let Ok(Answer::Git(Some(git))) = git {
                    preview.uncommitted_files = u32::try_from(git.entries.len()).ok();
                    preview.unpushed_commits = Some(git.ahead);
                }
                if let Ok(Answer::Terminals(terminals)) = terminals {
                    let busy =
                        terminals.iter().filter(|terminal| terminal.busy && terminal.exit.is_none()).count();
                    preview.busy_terminals = u32::try_from(busy).unwrap_or(u32::MAX);
                }
            }
        }
        Ok(preview)
    }

    /// Deletes a workspace: container, network, volume, and all that the store knows of it. Goes on when its caller
    /// is gone. Where the engine does not answer the workspace is forgotten, and what it left there is removed when
    /// the engine is back.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidState`] when it is being deleted already; when the engine refused to remove something,
    /// what that was. The workspace is gone from the list even then.
    pub async fn delete(&self, id: &WorkspaceId) -> Result<(), ApiError> {
        let entry = self.entry(id)?;
        {
            let record = entry.record();
            state::check_allows(&record.name, record.state, WorkspaceAction::Delete)?;
        }
        self.delete_entry(entry).await
    }

    pub(super) async fn delete_entry(&self, entry: Arc<Entry>) -> Result<(), ApiError> {
        let deleting = self.spawn(|me| {
            Box::pin(async move {
                // Kept before anything is removed: a deletion that is cut off goes on at the next start.
                me.update(&entry, |record| record.state = WorkspaceState::Deleting).await;
                entry.stop_plan();
                entry.stop_start();
                me.finish_delete(&entry).await
            })
        });
        let failed = || Err(ApiError::new(ErrorCode::Internal, "AiCockpit is shutting down."));
        match deleting {
            Some(deleting) => deleting.await.unwrap_or_else(|_| failed()),
            None => failed(),
        }
    }

    /// Goes on with a deletion that was cut off.
    pub(super) fn resume_delete(&self, entry: &Arc<Entry>) {
        if entry.gate.try_lock().is_ok() {
            let entry = Arc::clone(entry);
            self.spawn(|me| Box::pin(async move { me.finish_delete(&entry).await }));
        }
    }

    async fn finish_delete(&self, entry: &Entry) -> Result<(), ApiError> {
        let _gate = entry.gate.lock().await;
        if self.entry(&entry.id).is_err() {
            return Ok(());
        }
        let (name, imported) = {
            let record = entry.record();
            (record.name.clone(), record.imported)
        };
        self.agents.forget(&entry.id);
        let removed = match self.engines.when_ready(&entry.engine).await {
            _ if imported => Ok(()),
            Ok(engine) => remove_objects(&*engine, &entry.id).await,
            Err(_) => Err(EngineError::Unavailable("it does not answer".to_owned())),
        };
        let leftovers_on = removed.is_err().then(|| entry.engine.clone());
        if let Some(engine) = &leftovers_on {
            self.tombstones().insert(entry.id.clone(), engine.clone());
        }
        self.store.forget_workspace(entry.id.clone(), leftovers_on).await?;
        self.remove(&entry.id);
        match removed {
            Ok(()) => Ok(()),
            // Known to the person already: the engine is shown as gone.
            Err(EngineError::Unavailable(_)) => Ok(()),
            Err(error) => Err(error
                .to_api(&format!("remove all of “{name}”"))
                .hint("It is gone from the list; what is left on the engine is removed when the engine starts anew.")),
        }
    }

    /// Removes what workspaces deleted in its absence left on an engine.
    pub(super) fn bury_leftovers(&self, engine: &EngineId) {
        let dead: Vec<WorkspaceId> =
            self.tombstones().iter().filter(|(_, at)| *at == engine).map(|(id, _)| id.clone()).collect();
        for id in dead {
            let engine = engine.clone();
            self.spawn(|me| {
                Box::pin(async move {
                    let Ok(client) = me.engines.ready(&engine) else { return };
                    match remove_objects(&*client, &id).await {
                        Ok(()) => {
                            if me.store.bury(id.clone()).await.is_ok() {
                                me.tombstones().remove(&id);
                            }
                        }
                        Err(error) => {
                            tracing::warn!(workspace = %id, %error, "leftovers could not be removed yet")
                        }
                    }
                })
            });
        }
    }

    pub(super) fn is_buried(&self, id: &WorkspaceId) -> bool {
        self.tombstones().contains_key(id)
    }

    fn tombstones(&self) -> std::sync::MutexGuard<'_, std::collections::HashMap<WorkspaceId, EngineId>> {
        self.tombstones.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes everything of a workspace from an engine, by label and by name. What is not there is fine.
async fn remove_objects(engine: &dyn Engine, id: &WorkspaceId) -> Result<(), EngineError> {
    let mut tries = 1;
    loop {
        match remove_once(engine, id).await {
            Ok(()) => return Ok(()),
            Err(error @ EngineError::Unavailable(_)) => return Err(error),
            // One that is not on this machine has itself waited for the machine that is.
            Err(error @ EngineError::TimedOut(_)) if !engine.capabilities().host_folders => {
                return Err(error);
            }
            Err(error) if tries == REMOVE_TRIES => return Err(error),
            Err(_) => tries += 1,
        }
        tokio::time::sleep(REMOVE_WAIT).await;
    }
}

async fn remove_once(engine: &dyn Engine, id: &WorkspaceId) -> Result<(), EngineError> {
    let label = [(labels::WORKSPACE, id.as_str())];
    let name = labels::object_name(id);
    // Containers first: they hold on to the rest. One object that refuses does not keep the others from going.
    let mut outcome = Ok(());
    for container in engine.list_containers(&label).await? {
        outcome = outcome.and(engine.remove_container(&container.id).await);
    }
    outcome = outcome.and(engine.remove_container(&labels::by_name(&name)).await);
    for volume in engine.list_volumes(&label).await? {
        outcome = outcome.and(engine.remove_volume(&volume).await);
    }
    outcome = outcome.and(engine.remove_volume(&name).await);
    let network = engine.remove_network(&name).await;
    outcome.and(network)
}
