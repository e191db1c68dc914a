//! Making a container anew for a workspace that lost its own. Its files are in its volume, or in the host's folder.

use super::actions::interrupted;
use super::{Entry, Workspaces, labels, state};
use crate::plan;
use aicockpit_engine::Engine;
use aicockpit_protocol::workspace::{Source, WorkspaceAction, WorkspaceSpec, WorkspaceState};
use aicockpit_protocol::{ApiError, ErrorCode, WorkspaceId};
use std::sync::Arc;

impl Workspaces {
    /// Begins to make the container of a lost workspace anew; returns when that is kept, while its plan runs on.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidState`] when it is not lost, or its container was not made by us; the engine's.
    pub async fn recreate(&self, id: &WorkspaceId) -> Result<(), ApiError> {
        let entry = self.entry(id)?;
        // What looks at the container in the meantime waits.
        let gate = entry.gate.lock().await;
        let record = entry.snapshot();
        state::check_allows(&record.name, self.present(&entry).state, WorkspaceAction::Recreate)?;
        if record.imported {
            return Err(ApiError::new(
                ErrorCode::InvalidState,
                format!(
                    "“{}” was imported: AiCockpit does not know how its container was made.",
                    record.name
                ),
            )
            .hint("Make it again as you made it, import that, and delete this one."));
        }
        let engine = self.engines.ready(&entry.engine)?;
        let has_files = has_files(&*engine, &entry, &record.spec).await?;
        self.update(&entry, |record| {
            record.state = WorkspaceState::Creating;
            record.message = None;
            record.container = None;
            record.plan = Some(plan::recreation_plan(&record.spec, has_files));
        })
        .await;
        drop(gate);
        self.spawn(|me| Box::pin(plan::run(me, entry)));
        Ok(())
    }

    /// Stops making a container anew; the workspace is as it was before.
    pub(super) async fn cancel_recreation(&self, entry: Arc<Entry>) -> Result<(), ApiError> {
        let cancelling = self.spawn(|me| {
            Box::pin(async move {
                entry.stop_plan();
                let _gate = entry.gate.lock().await;
                // It was faster.
                if entry.record().state != WorkspaceState::Creating {
                    return Ok(());
                }
                if let Ok(engine) = me.engines.ready(&entry.engine) {
                    let container = labels::by_name(&labels::object_name(&entry.id));
                    let removed = engine.remove_container(&container).await;
                    removed.map_err(|error| error.to_api("remove the container that was being made"))?;
                }
                me.update(&entry, |record| {
                    record.state = WorkspaceState::Lost;
                    record.container = None;
                    record.plan = None;
                    record.message = Some("It has no container: making one anew was cancelled.".to_owned());
                })
                .await;
                Ok(())
            })
        });
        match cancelling {
            Some(cancelling) => cancelling.await.unwrap_or_else(|_| Err(interrupted())),
            None => Err(interrupted()),
        }
    }
}

/// Whether what the workspace was made for is still there.
async fn has_files(engine: &dyn Engine, entry: &Entry, spec: &WorkspaceSpec) -> Result<bool, ApiError> {
    if matches!(spec.source, Source::Folder { .. }) {
        return Ok(true);
    }
    let volumes = engine.list_volumes(&[(labels::WORKSPACE, entry.id.as_str())]).await;
    let volumes = volumes.map_err(|error| error.to_api("look for the workspace's files"))?;
    Ok(volumes.contains(&labels::object_name(&entry.id)))
}
