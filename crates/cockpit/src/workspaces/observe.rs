//! Looking at a workspace.

use super::Workspaces;
use aicockpit_protocol::api::{Draft, PlanLogLines, ReadLogs};
use aicockpit_protocol::metrics::Sample;
use aicockpit_protocol::workspace::TimelineEntry;
use aicockpit_protocol::{ApiError, BytePath, ErrorCode, WorkspaceId};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;

/// Lines of a container's output from before it is watched.
const LOG_TAIL: u32 = 1_000;

impl Workspaces {
    /// What happened to a workspace, oldest first.
    ///
    /// # Errors
    /// When there is no such workspace, or the store cannot be read.
    pub async fn timeline(&self, id: &WorkspaceId) -> Result<Vec<TimelineEntry>, ApiError> {
        self.entry(id)?;
        Ok(self.store.timeline(id.clone()).await?)
    }

    /// The creation log so far, by step; after a restart, the kept log of the step that failed.
    ///
    /// # Errors
    /// When there is no such workspace, or the store cannot be read.
    pub async fn plan_log(&self, id: &WorkspaceId) -> Result<Vec<PlanLogLines>, ApiError> {
        let entry = self.entry(id)?;
        let live = entry.plan_log().lines();
        if !live.is_empty() {
            return Ok(live);
        }
        let kept = self.store.plan_logs(id.clone()).await?;
        Ok(kept.into_iter().map(|(step, lines)| PlanLogLines { step, lines }).collect())
    }

    /// Keeps unsaved text; it is on the disk when this returns.
    ///
    /// # Errors
    /// When there is no such workspace, or the text cannot be written; what was kept before is still there.
    pub async fn put_draft(&self, id: &WorkspaceId, draft: Draft, content: Vec<u8>) -> Result<(), ApiError> {
        self.entry(id)?;
        Ok(self.store.put_draft(id.clone(), draft, content).await?)
    }

    /// Unsaved texts, without content.
    ///
    /// # Errors
    /// When there is no such workspace, or the store cannot be read.
    pub async fn drafts(&self, id: &WorkspaceId) -> Result<Vec<Draft>, ApiError> {
        self.entry(id)?;
        Ok(self.store.drafts(id.clone()).await?)
    }

    /// An unsaved text with its content.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`] when there is none.
    pub async fn draft(&self, id: &WorkspaceId, path: BytePath) -> Result<(Draft, Vec<u8>), ApiError> {
        self.entry(id)?;
        let found = self.store.draft(id.clone(), path.clone()).await?;
        found
            .ok_or_else(|| ApiError::new(ErrorCode::NotFound, format!("There is no unsaved text of {path}.")))
    }

    /// Forgets an unsaved text; one that is not there is fine.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn delete_draft(&self, id: &WorkspaceId, path: BytePath) -> Result<(), ApiError> {
        Ok(self.store.delete_draft(id.clone(), path).await?)
    }

    /// Samples of the last ten minutes, oldest first.
    ///
    /// # Errors
    /// When there is no such workspace.
    pub fn history(&self, id: &WorkspaceId) -> Result<Vec<Sample>, ApiError> {
        self.entry(id)?;
        Ok(self.metrics.history(id))
    }

    /// The container's own output: its last lines, then, where asked for, what comes until the container ends.
    ///
    /// # Errors
    /// When the workspace has no container or its engine refuses; also as an item of the stream.
    pub async fn logs(
        &self,
        read: &ReadLogs,
    ) -> Result<BoxStream<'static, Result<Bytes, ApiError>>, ApiError> {
        const WHAT: &str = "read the container's output";
        let entry = self.entry(&read.workspace)?;
        let engine = self.engines.when_ready(&entry.engine).await?;
        let container = self.container(&entry)?;
        let (tail, follow) = (read.tail.unwrap_or(LOG_TAIL), read.follow.unwrap_or(true));
        let stream = engine.logs(&container, tail, follow).await.map_err(|error| error.to_api(WHAT))?;
        Ok(stream.map(|chunk| chunk.map(|chunk| chunk.bytes).map_err(|error| error.to_api(WHAT))).boxed())
    }
}
