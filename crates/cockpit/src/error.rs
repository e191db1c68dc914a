//! Why the cockpit cannot start.

use crate::store::StoreError;
use std::path::PathBuf;
use thiserror::Error;

/// What keeps the cockpit from starting.
#[derive(Debug, Error)]
pub enum CockpitError {
    /// The data directory cannot be made or used.
    #[error("cannot use the data directory {}: {source}. Check that it is on a writable disk with free space, or set AICOCKPIT_HOME to another directory", path.display())]
    DataDirectory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process owns the data directory.
    #[error("another AiCockpit{} already uses {}; use that one, or end it first", pid.map(|pid| format!(" (process {pid})")).unwrap_or_default(), path.display())]
    AlreadyRunning {
        /// Its process id, where it could be read.
        pid: Option<i32>,
        /// The data directory.
        path: PathBuf,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file that belongs to the product is missing.
    #[error("{what} is missing: looked at {}. {remedy}", looked_at.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "))]
    MissingResource {
        /// What.
        what: &'static str,
        /// Where it was looked for.
        looked_at: Vec<PathBuf>,
        /// What to do.
        remedy: &'static str,
    },
    /// The agent's binary cannot be read.
    #[error("cannot read the agent's binary {}: {source}. Install AiCockpit again, or set AICOCKPIT_AGENT to the right file", path.display())]
    AgentBinary {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
