//! Unsaved text.

use super::{Store, StoreError};
use crate::now_ms;
use aicockpit_protocol::api::Draft;
use aicockpit_protocol::{BytePath, WorkspaceId};
use rusqlite::{OptionalExtension as _, params};

impl Store {
    /// Keeps unsaved text; it is on the disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written; what was kept before is still there.
    pub async fn put_draft(
        &self,
        workspace: WorkspaceId,
        draft: Draft,
        content: Vec<u8>,
    ) -> Result<(), StoreError> {
        self.write_durably(move |transaction| {
            transaction.execute(
                "INSERT INTO drafts (workspace, path, base_version, content, updated_ms) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (workspace, path) DO UPDATE SET base_version = excluded.base_version,
                     content = excluded.content, updated_ms = excluded.updated_ms",
                params![workspace.as_str(), draft.path.as_bytes(), draft.base_version, content, now_ms()],
            )?;
            Ok(())
        })
        .await
    }

    /// Unsaved texts of a workspace, by path.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn drafts(&self, workspace: WorkspaceId) -> Result<Vec<Draft>, StoreError> {
        self.read(move |connection| {
            connection
                .prepare_cached("SELECT path, base_version FROM drafts WHERE workspace = ?1 ORDER BY path")?
                .query_map([workspace.as_str()], |row| {
                    Ok(Draft { path: BytePath::new(row.get::<_, Vec<u8>>(0)?), base_version: row.get(1)? })
                })?
                .collect()
        })
        .await
    }

    /// An unsaved text with its content; absent when there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn draft(
        &self,
        workspace: WorkspaceId,
        path: BytePath,
    ) -> Result<Option<(Draft, Vec<u8>)>, StoreError> {
        self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT base_version, content FROM drafts WHERE workspace = ?1 AND path = ?2",
                )?
                .query_row(params![workspace.as_str(), path.as_bytes()], |row| {
                    Ok((Draft { path: path.clone(), base_version: row.get(0)? }, row.get(1)?))
                })
                .optional()
        })
        .await
    }

    /// Forgets an unsaved text; one that is not there is fine.
    ///
    /// # Errors
    /// When the change cannot be written.
    pub async fn delete_draft(&self, workspace: WorkspaceId, path: BytePath) -> Result<(), StoreError> {
        self.write_durably(move |transaction| {
            transaction.execute(
                "DELETE FROM drafts WHERE workspace = ?1 AND path = ?2",
                params![workspace.as_str(), path.as_bytes()],
            )?;
            Ok(())
        })
        .await
    }
}
