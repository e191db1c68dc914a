//! The tables, and how a store of an earlier version becomes one of this version.

use super::StoreError;
use rusqlite::{Connection, OptionalExtension as _};
use rusqlite_migration::{M, Migrations};
use std::path::Path;
use std::sync::LazyLock;

/// One entry for each version. Entries are only ever appended: a published one is never changed.
const VERSIONS: &[&str] = &[
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
     CREATE TABLE settings (
         only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
         json TEXT NOT NULL
     ) STRICT;
     CREATE TABLE ui_state (key TEXT PRIMARY KEY, json TEXT NOT NULL) STRICT;
     CREATE TABLE workspaces (
         id TEXT PRIMARY KEY,
         name TEXT NOT NULL UNIQUE,
         engine TEXT NOT NULL,
         owner TEXT NOT NULL,
         container TEXT,
         spec TEXT NOT NULL,
         state TEXT NOT NULL,
         message TEXT,
         plan_error TEXT,
         created_ms INTEGER NOT NULL,
         last_used_ms INTEGER,
         branch TEXT,
         imported INTEGER NOT NULL,
         agent_folder TEXT
     ) STRICT;
     CREATE TABLE plan_steps (
         workspace TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
         position INTEGER NOT NULL,
         kind TEXT NOT NULL,
         state TEXT NOT NULL,
         started_ms INTEGER,
         duration_ms INTEGER,
         note TEXT,
         log TEXT,
         PRIMARY KEY (workspace, position)
     ) STRICT;
     CREATE TABLE timeline (
         id INTEGER PRIMARY KEY,
         workspace TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
         at_ms INTEGER NOT NULL,
         text TEXT NOT NULL,
         failed INTEGER NOT NULL
     ) STRICT;
     CREATE INDEX timeline_by_workspace ON timeline (workspace, id);
     CREATE TABLE drafts (
         workspace TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
         path BLOB NOT NULL,
         base_version TEXT,
         content BLOB NOT NULL,
         updated_ms INTEGER NOT NULL,
         PRIMARY KEY (workspace, path)
     ) STRICT;
     CREATE TABLE tombstones (
         workspace TEXT PRIMARY KEY,
         engine TEXT NOT NULL,
         deleted_ms INTEGER NOT NULL
     ) STRICT;",
    "CREATE TABLE root_terminals (
         workspace TEXT PRIMARY KEY REFERENCES workspaces (id) ON DELETE CASCADE
     ) STRICT;",
    "ALTER TABLE workspaces ADD COLUMN recreates INTEGER NOT NULL DEFAULT 0;",
];

static MIGRATIONS: LazyLock<Migrations<'static>> =
    LazyLock::new(|| Migrations::new(VERSIONS.iter().map(|sql| M::up(sql)).collect()));

/// Checks the file, migrates it, and returns the store's own id.
pub(super) fn prepare(
    connection: &mut Connection,
    path: &Path,
    remembered: Option<String>,
) -> Result<String, StoreError> {
    let opening = |source| StoreError::opening(path, source);
    let verdict: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(opening)?;
    if verdict != "ok" {
        return Err(StoreError::Damaged { path: path.to_owned(), reason: verdict });
    }
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(opening)?;
    let known = i64::try_from(VERSIONS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::TooNew { path: path.to_owned(), found, known });
    }
    MIGRATIONS.to_latest(connection).map_err(|error| match error {
        rusqlite_migration::Error::RusqliteError { err, .. } => opening(err),
        other => StoreError::Damaged { path: path.to_owned(), reason: other.to_string() },
    })?;
    owner(connection, remembered).map_err(opening)
}

fn owner(connection: &Connection, remembered: Option<String>) -> rusqlite::Result<String> {
    let present = connection
        .query_row("SELECT value FROM meta WHERE key = 'owner'", [], |row| row.get(0))
        .optional()?;
    if let Some(owner) = present {
        return Ok(owner);
    }
    let owner = remembered.unwrap_or_else(crate::workspaces::random_id);
    connection.execute("INSERT INTO meta (key, value) VALUES ('owner', ?1)", [&owner])?;
    Ok(owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_of_every_earlier_version_becomes_the_newest() {
        assert_eq!(MIGRATIONS.validate(), Ok(()));
        for version in 0..=VERSIONS.len() {
            let mut connection = Connection::open_in_memory().unwrap();
            MIGRATIONS.to_version(&mut connection, version).unwrap();
            let owner = prepare(&mut connection, Path::new("memory"), None).unwrap();
            assert_eq!(owner.len(), 16, "from version {version}");
            let tables: i64 = connection
                .query_row(
                    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'drafts'",
                    [],
                    |row| row.get(0),
                )
                .unwrap();
            assert_eq!(tables, 1, "from version {version}");
        }
    }

    #[test]
    fn a_store_of_a_newer_version_is_refused_untouched() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let error = prepare(&mut connection, Path::new("memory"), None).unwrap_err();
        assert!(matches!(error, StoreError::TooNew { found: 99, .. }), "{error}");
    }
}
