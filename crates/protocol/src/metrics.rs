//! What a workspace uses.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Seconds between two samples of a running workspace.
pub const SAMPLE_SECONDS: u64 = 2;
/// Samples kept for each workspace: ten minutes.
pub const HISTORY_LEN: usize = 300;

/// Use at one moment. Absent values cannot be measured on this engine.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, TS)]
pub struct Sample {
    /// Milliseconds since 1970, by the cockpit's clock.
    pub at_ms: i64,
    /// CPU, percent of one core.
    pub cpu_percent: f64,
    /// Memory without page cache, bytes.
    pub memory_bytes: u64,
    /// Memory limit, bytes; absent where none is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub memory_limit_bytes: Option<u64>,
    /// Bytes received since the container started.
    pub network_received_bytes: u64,
    /// Bytes sent since the container started.
    pub network_sent_bytes: u64,
    /// Bytes read from disk since the container started.
    pub disk_read_bytes: u64,
    /// Bytes written to disk since the container started.
    pub disk_written_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
}
