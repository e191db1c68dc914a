//! What can go wrong at the store.

use aicockpit_protocol::{ApiError, ErrorCode};
use rusqlite::ErrorCode as Sqlite;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// What went wrong at the store.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file is not a sound database.
    #[error("the store {} is damaged: {reason}. Move the file away and start again: workspaces are found again by their containers' labels; settings and unsaved text in the file are lost", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        reason: String,
    },
    /// A newer program wrote it.
    #[error("the store {} was written by a newer AiCockpit (schema {found}, this one knows {known}). Update AiCockpit", path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest known.
        known: i64,
    },
    /// It cannot be opened.
    #[error("cannot open the store {}: {reason}. Check that the directory is writable and its disk has free space", path.display())]
    Opening {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A query or change failed.
    #[error("the store refused: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The cockpit is shutting down.
    #[error("the store is closed, because AiCockpit is shutting down")]
    Closed,
}

impl StoreError {
    pub(super) fn opening(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        let reason = source.to_string();
        match source.sqlite_error_code() {
            Some(Sqlite::DatabaseCorrupt | Sqlite::NotADatabase) => Self::Damaged { path, reason },
            _ => Self::Opening { path, reason },
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let StoreError::Sqlite(source) = &error else {
            return Self::new(ErrorCode::Internal, error.to_string());
        };
        match source.sqlite_error_code() {
            Some(Sqlite::DiskFull) => Self::new(
                ErrorCode::NoSpace,
                "Could not save: the disk that holds AiCockpit's data is full.",
            )
            .hint("Free some space, then try again."),
            Some(Sqlite::ReadOnly | Sqlite::PermissionDenied | Sqlite::CannotOpen) => Self::new(
                ErrorCode::PermissionDenied,
                "Could not save: AiCockpit's data directory is not writable.",
            )
            .hint("Make it writable, or set AICOCKPIT_HOME to another directory and start again."),
            Some(Sqlite::DatabaseCorrupt | Sqlite::NotADatabase) => {
                Self::new(ErrorCode::Internal, "The store is damaged.")
                    .hint("Move store.sqlite away and start again: workspaces are found again by their containers' labels.")
            }
            _ => Self::new(ErrorCode::Internal, "The store refused the change."),
        }
        .detail(source.to_string())
    }
}
