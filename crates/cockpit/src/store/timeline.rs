//! What happened to each workspace.

use super::{Store, StoreError};
use aicockpit_protocol::WorkspaceId;
use aicockpit_protocol::workspace::TimelineEntry;
use rusqlite::params;

/// Entries kept for each workspace; older ones go.
const TIMELINE_LEN: u32 = 500;

impl Store {
    /// Appends an entry.
    ///
    /// # Errors
    /// When it cannot be written, for instance because the workspace is gone.
    pub async fn append_timeline(
        &self,
        workspace: WorkspaceId,
        entry: TimelineEntry,
    ) -> Result<(), StoreError> {
        self.write(move |transaction| {
            transaction.execute(
                "INSERT INTO timeline (workspace, at_ms, text, failed) VALUES (?1, ?2, ?3, ?4)",
                params![workspace.as_str(), entry.at_ms, entry.text, entry.failed],
            )?;
            transaction.execute(
                "DELETE FROM timeline WHERE workspace = ?1 AND id <= (
                     SELECT id FROM timeline WHERE workspace = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
                params![workspace.as_str(), TIMELINE_LEN],
            )?;
            Ok(())
        })
        .await
    }

    /// All entries, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn timeline(&self, workspace: WorkspaceId) -> Result<Vec<TimelineEntry>, StoreError> {
        self.read(move |connection| {
            connection
                .prepare_cached("SELECT at_ms, text, failed FROM timeline WHERE workspace = ?1 ORDER BY id")?
                .query_map([workspace.as_str()], |row| {
                    Ok(TimelineEntry { at_ms: row.get(0)?, text: row.get(1)?, failed: row.get(2)? })
                })?
                .collect()
        })
        .await
    }
}
