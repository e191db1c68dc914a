//! Messages between the cockpit and the agent inside a workspace.
//!
//! They travel over streams of one multiplexed link. The cockpit opens every stream; its first message is an
//! [`Open`]. Messages are MessagePack maps (fields by name, unknown ones ignored) in length-prefixed frames of at
//! most [`MAX_MESSAGE_LEN`] bytes.
//!
//! | [`Open`] | then, cockpit → agent | then, agent → cockpit |
//! |---|---|---|
//! | `Control` | [`Request`] messages | [`FromAgent`] messages, replies in any order |
//! | `Terminal` | frames: byte 0 = [`TERMINAL_DATA`], rest input bytes | one `Result<Attached, AgentError>` message ([`Attached`](crate::terminal::Attached)), then frames of output |
//! | `Search` | nothing; closing the stream cancels | `Result<SearchMessage, AgentError>` messages ([`SearchMessage`](crate::search::SearchMessage)), an error being the last |
//! | `Exec` | [`ExecFrame`](crate::process::ExecFrame)s | the same |
//! | `Connect` | raw bytes after the answer | one `Result<(), AgentError>` message, then raw bytes of the TCP connection |
//! | `AcceptModels` | raw bytes after the answer | one `Result<(), AgentError>` message once a program has connected, then raw bytes of its connection |
//! | `Upload` | raw bytes, then end of stream | one `Result<FileStat, AgentError>` message at the end |
//! | `Download` | nothing | one `Result<FileStat, AgentError>` message, then raw bytes |
//!
//! The agent's messages are hostile input: the cockpit checks sizes and ids and trusts no path in them.

use crate::error::{ApiError, ErrorCode};
use crate::{BytePath, TerminalId};
use crate::{fs, metrics, models, port, process, search, terminal, workspace};
use serde::{Deserialize, Serialize};

/// Version of this protocol. A daemon of one version serves every build that speaks it, older and newer ones: raise it
/// with every message that an older agent would not understand, and know that the terminals of daemons of the version
/// before can then no longer be reached.
pub const PROTOCOL_VERSION: u32 = 1;
/// Largest message, in bytes: a file chunk and room for its envelope.
pub const MAX_MESSAGE_LEN: usize = fs::MAX_FILE_CHUNK + 1024 * 1024;
/// First byte of a terminal frame that carries bytes. No other kind exists yet.
pub const TERMINAL_DATA: u8 = 0;
/// First byte of the last terminal frame, when the agent let go of this attachment: it fell too far behind and
/// must attach anew with a snapshot.
pub const TERMINAL_RESYNC: u8 = 1;
/// First byte of the last terminal frame, when the terminal was closed.
pub const TERMINAL_CLOSED: u8 = 2;

/// The bytes of one message: a MessagePack map with named fields.
///
/// # Errors
/// Never for the types of this module; other types may hold what MessagePack cannot carry.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, AgentError> {
    rmp_serde::to_vec_named(message).map_err(|error| {
        AgentError::new(ErrorCode::Protocol, format!("a message could not be encoded: {error}"))
    })
}

/// Reads one message. The bytes are hostile input: they are at most [`MAX_MESSAGE_LEN`] long by the frame that
/// carried them, and nothing larger is ever allocated.
///
/// # Errors
/// [`ErrorCode::Protocol`] where the bytes are no such message.
pub fn decode<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, AgentError> {
    rmp_serde::from_slice(bytes).map_err(|error| {
        AgentError::new(ErrorCode::Protocol, format!("a message could not be read: {error}"))
    })
}

/// First message on a stream.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Open {
    /// Requests, replies and events.
    Control {
        /// [`PROTOCOL_VERSION`] of the cockpit.
        version: u32,
    },
    /// A terminal's bytes.
    Terminal(terminal::AttachTerminal),
    /// A text search.
    Search(search::SearchText),
    /// A program without a terminal.
    Exec(process::Exec),
    /// A TCP connection from inside the workspace.
    Connect(port::ForwardTarget),
    /// Bytes into a file, or a tar archive into a directory.
    Upload(Upload),
    /// Bytes of a file, or a tar archive of a directory.
    Download(Download),
    /// Waits for a connection of a program inside to the models. An agent that is older than the cockpit is not asked.
    AcceptModels,
}

/// Receives a file or an archive.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Upload {
    /// File to write, or directory to unpack into.
    pub path: BytePath,
    /// The bytes are a tar archive. Entries that lead out of the directory are refused.
    pub archive: bool,
    /// For a file: what must be there.
    pub condition: fs::WriteCondition,
}

/// Sends a file or an archive.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Download {
    /// File or directory.
    pub path: BytePath,
    /// Send a tar archive, whatever the path is.
    pub archive: bool,
}

/// A request on the control stream.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the cockpit, unique within the stream.
    pub id: u64,
    /// What is asked.
    pub call: Call,
}

/// What the cockpit asks of the agent.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// → [`Answer::Inside`].
    Inside,
    /// → [`Answer::Unit`] at once; measures the round trip.
    Ping,
    /// → [`Answer::Stat`].
    Stat(fs::Stat),
    /// → [`Answer::Listing`].
    List(fs::ListDirectory),
    /// → [`Answer::Chunk`].
    Read(fs::ReadFile),
    /// → [`Answer::Stat`] of the written file.
    Write {
        /// How to write.
        write: fs::WriteFile,
        /// The content, at most [`fs::MAX_FILE_CHUNK`].
        #[serde(with = "serde_bytes")]
        content: Vec<u8>,
    },
    /// → [`Answer::Unit`].
    MakeDirectory(fs::MakeDirectory),
    /// → [`Answer::Unit`].
    Rename(fs::Rename),
    /// → [`Answer::Unit`].
    Copy(fs::Copy),
    /// → [`Answer::Trashed`].
    Trash(fs::TrashFiles),
    /// → [`Answer::Unit`].
    RestoreTrash(fs::RestoreTrash),
    /// → [`Answer::Unit`]; changes come as [`Notice::Files`].
    Watch(fs::WatchDirectories),
    /// → [`Answer::Git`]; absent outside a repository or without Git.
    GitStatus(fs::GitStatus),
    /// → [`Answer::Found`].
    FindFiles(search::FindFiles),
    /// → [`Answer::Replaced`].
    Replace(search::ReplaceText),
    /// → [`Answer::Terminal`].
    CreateTerminal(terminal::CreateTerminal),
    /// → [`Answer::Terminals`].
    Terminals,
    /// → [`Answer::Unit`].
    ResizeTerminal(terminal::ResizeTerminal),
    /// → [`Answer::Unit`].
    RenameTerminal(terminal::RenameTerminal),
    /// → [`Answer::Unit`].
    SignalTerminal(terminal::SignalTerminal),
    /// → [`Answer::Unit`].
    CloseTerminal(terminal::CloseTerminal),
    /// → [`Answer::Text`]: the terminal's screen as plain text, for previews.
    TerminalText(TerminalId),
    /// → [`Answer::Processes`].
    Processes,
    /// → [`Answer::Unit`].
    SignalProcess(process::SignalProcess),
    /// → [`Answer::Ports`]; changes come as [`Notice::Ports`].
    Ports,
    /// → [`Answer::Sample`], by cgroup and /proc.
    Sample,
    /// → [`Answer::Models`]. An agent that is older than the cockpit is not asked.
    OfferModels(models::OfferModels),
    /// Asks the daemon to end once its last terminal has closed, because a newer agent is to serve. → [`Answer::Unit`].
    Retire,
}

/// A message on the control stream from the agent.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromAgent {
    /// First message.
    Welcome {
        /// [`PROTOCOL_VERSION`] of the agent.
        version: u32,
        /// Content hash of the agent's binary, hex.
        build: String,
    },
    /// Answers a request.
    Reply {
        /// The request's id.
        id: u64,
        /// The answer.
        result: Result<Answer, AgentError>,
    },
    /// Something happened.
    Notice(Notice),
}

/// An answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "each variant is named after what it carries; Call says which one answers what"
)]
pub enum Answer {
    Unit,
    Inside(workspace::WorkspaceInside),
    Stat(fs::FileStat),
    Listing(fs::Listing),
    Chunk(Chunk),
    Trashed(fs::Trashed),
    Git(Option<fs::GitState>),
    Found(search::FoundFiles),
    Replaced(search::ReplaceOutcome),
    Terminal(terminal::TerminalInfo),
    Terminals(Vec<terminal::TerminalInfo>),
    Text(String),
    Processes(Vec<process::ProcessInfo>),
    Ports(Vec<port::ListeningPort>),
    Sample(metrics::Sample),
    Models(models::ModelsOffered),
}

/// A piece of a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Chunk {
    /// The file's state when it was read.
    pub stat: fs::FileStat,
    /// The bytes.
    #[serde(with = "serde_bytes")]
    pub content: Vec<u8>,
}

/// Something the agent tells without being asked.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// Watched files changed.
    Files(fs::FilesChanged),
    /// The list of terminals, or a title, directory or status among them, changed: the whole list.
    Terminals(Vec<terminal::TerminalInfo>),
    /// The listening ports changed: all of them.
    Ports(Vec<port::ListeningPort>),
}

/// An error of the agent's.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct AgentError {
    /// The kind.
    pub code: ErrorCode,
    /// What happened, to what.
    pub message: String,
}

impl AgentError {
    /// An error of `code` that says `message`.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<AgentError> for ApiError {
    fn from(error: AgentError) -> Self {
        Self::new(error.code, error.message)
    }
}
