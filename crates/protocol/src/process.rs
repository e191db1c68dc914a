//! Processes inside a workspace.

use crate::BytePath;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use ts_rs::TS;

/// A running process.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, TS)]
pub struct ProcessInfo {
    /// Process id inside the container.
    pub pid: u32,
    /// Parent's process id.
    pub parent: u32,
    /// Command line, arguments joined by spaces, cut to 400 characters.
    pub command: String,
    /// Resident memory in bytes.
    pub memory_bytes: u64,
    /// CPU use since the sample before, in percent of one core.
    pub cpu_percent: f64,
}

/// Sends a signal to a process of the workspace's user.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct SignalProcess {
    /// Which.
    pub pid: u32,
    /// POSIX signal name without `SIG`, for instance `TERM`.
    pub signal: String,
}

/// Runs a program without a terminal. Its stdin, stdout and stderr travel over the stream as [`ExecFrame`]s.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct Exec {
    /// Program and arguments, at least one.
    pub command: Vec<String>,
    /// Working directory; absent for the workspace folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub directory: Option<BytePath>,
    /// Variables added to the environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// First byte of a frame on an exec stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ExecFrame {
    /// Client → agent: bytes for stdin; an empty frame closes it. Agent → client: bytes of stdout.
    Data = 0,
    /// Agent → client: bytes of stderr.
    Stderr = 1,
    /// Agent → client, last: exit status as i32 LE; 128 + signal where a signal ended it.
    Exit = 2,
    /// Agent → client, last: the program could not be started; UTF-8 reason.
    Failed = 3,
}
