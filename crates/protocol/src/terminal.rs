//! Terminals: they live in the agent and survive every disconnect.
//!
//! A terminal's output is one byte stream with offsets counted from its start. A client attaches at an offset it
//! has seen and gets the bytes since then while the agent still holds them, else a snapshot: escape sequences
//! that repaint screen, scrollback and modes, and the offset at which live output goes on.
//!
//! The agent mirrors the screen and answers a program's questions itself (device attributes, cursor position, mode
//! requests), also while nobody is attached; such answers in a client's input are dropped. Questions about colours
//! are the client's to answer: it knows its theme.

use crate::{BytePath, TerminalId};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Smallest and largest accepted number of columns or rows.
pub const SIZE_RANGE: std::ops::RangeInclusive<u16> = 1..=2000;

/// Starts a terminal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct CreateTerminal {
    /// Program and arguments; empty for the user's shell.
    #[serde(default)]
    pub command: Vec<String>,
    /// Working directory; absent for the workspace folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub directory: Option<BytePath>,
    /// Columns.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// How a terminal's program ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct TerminalExit {
    /// Exit status; 128 + signal where a signal ended it.
    pub status: i32,
}

/// A terminal as lists show it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct TerminalInfo {
    /// Its number.
    pub id: TerminalId,
    /// Title set by the program, or its name.
    pub title: String,
    /// Name given by the person, shown in place of the title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub name: Option<String>,
    /// Working directory, by shell integration or the kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub directory: Option<BytePath>,
    /// Columns.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
    /// Exit status of the last command at the prompt, by shell integration (OSC 133).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub last_status: Option<i32>,
    /// True while a command runs at the prompt (by shell integration), or the foreground group is not the shell's.
    pub busy: bool,
    /// Present once the program has ended; the screen stays readable until the terminal is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub exit: Option<TerminalExit>,
}

/// Attaches to a terminal's output and input.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct AttachTerminal {
    /// Which.
    pub terminal: TerminalId,
    /// Offset of the first byte not yet seen; absent to start with a snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub from: Option<u64>,
}

/// First message of an attachment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct Attached {
    /// Offset of the live output that follows the snapshot, or of the first byte sent where there is none.
    pub offset: u64,
    /// Bytes of snapshot sent before live output; 0 when the output goes on at the offset asked for.
    pub snapshot_len: u64,
    /// Columns at this moment.
    pub columns: u16,
    /// Rows at this moment.
    pub rows: u16,
}

/// Changes a terminal's size; the smallest attached client does not count, the last one to ask wins.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct ResizeTerminal {
    /// Which.
    pub terminal: TerminalId,
    /// Columns.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// Ends a terminal: SIGHUP to its session, SIGKILL after 2 s, and forgets its screen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct CloseTerminal {
    /// Which.
    pub terminal: TerminalId,
}

/// Gives a terminal a name, or takes it away.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct RenameTerminal {
    /// Which.
    pub terminal: TerminalId,
    /// The name; empty for none.
    pub name: String,
}

/// Sends a signal to the terminal's foreground process group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct SignalTerminal {
    /// Which.
    pub terminal: TerminalId,
    /// POSIX signal name without `SIG`, for instance `INT`.
    pub signal: String,
}
