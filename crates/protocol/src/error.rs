//! Errors as codes with context. Callers match the code, people read the message and the hint.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What kind of thing went wrong. Stable: new kinds are appended, an unknown one reads as [`ErrorCode::Internal`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request itself is malformed or a value is out of range.
    InvalidArgument,
    /// The named thing does not exist.
    NotFound,
    /// A thing of that name exists already.
    AlreadyExists,
    /// The thing changed since the caller last saw it; nothing was written.
    Conflict,
    /// The operating system or the engine refused access.
    PermissionDenied,
    /// The operation does not apply to the thing's present state.
    InvalidState,
    /// The path is not a directory where one is needed.
    NotADirectory,
    /// The path is a directory where a file is needed.
    IsADirectory,
    /// The directory is not empty.
    NotEmpty,
    /// No space is left on the device, or a quota is used up.
    NoSpace,
    /// The file or message is larger than the limit.
    TooLarge,
    /// The engine cannot be reached.
    EngineUnavailable,
    /// The engine does not have this ability.
    Unsupported,
    /// The image does not exist, here or at its registry.
    ImageNotFound,
    /// The image is for another processor architecture.
    WrongArchitecture,
    /// A port is in use.
    PortInUse,
    /// The Git clone failed.
    GitFailed,
    /// The Git server asks for credentials.
    GitCredentials,
    /// The agent cannot be reached.
    AgentUnavailable,
    /// It would send something off this machine, which is switched off.
    Offline,
    /// The operation was cancelled.
    Cancelled,
    /// The operation took longer than its limit.
    TimedOut,
    /// The caller is not signed in.
    Unauthenticated,
    /// The other side sent something that breaks the protocol.
    Protocol,
    /// A fault of ours.
    #[serde(other)]
    Internal,
}

/// An error as it travels to the UI or the command line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// The kind, for programs.
    pub code: ErrorCode,
    /// What happened and to what: one sentence for people, without a trailing hint.
    pub message: String,
    /// What to do now, one sentence, where something can be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub hint: Option<String>,
    /// The raw cause (an engine's message, a command's last lines), shown folded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub detail: Option<String>,
}

impl ApiError {
    /// An error of `code` that says `message`.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, detail: None }
    }

    /// Adds what to do now.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the raw cause.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}
