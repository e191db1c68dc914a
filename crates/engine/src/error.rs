//! What can go wrong at an engine.

use aicockpit_protocol::{ApiError, ErrorCode};
use thiserror::Error;

/// A result of an engine call.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;

/// What went wrong. Where the engine gave a message, it is kept word for word.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum EngineError {
    /// Nothing listens at the engine's address, or the connection broke.
    #[error("cannot reach the engine: {0}")]
    Unavailable(String),
    /// The address exists but this user may not use it.
    #[error("no permission to use the engine: {0}")]
    NotPermitted(String),
    /// The engine is older than what is needed.
    #[error("the engine is version {found}, at least {needed} is needed")]
    TooOld {
        /// What it is.
        found: String,
        /// What is needed.
        needed: String,
    },
    /// No such container, volume or network.
    #[error("not found: {0}")]
    NotFound(String),
    /// No such image, here or at its registry.
    #[error("no such image: {0}")]
    ImageNotFound(String),
    /// The name is taken, or the thing is in a state that does not allow the call.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The engine took longer than it may.
    #[error("no answer in time: {0}")]
    TimedOut(String),
    /// The engine could not reach the image's registry.
    #[error("cannot reach the registry: {0}")]
    RegistryUnavailable(String),
    /// A host port is in use.
    #[error("port in use: {0}")]
    PortInUse(String),
    /// The network range is in use.
    #[error("network range in use: {0}")]
    SubnetInUse(String),
    /// No space left.
    #[error("no space left: {0}")]
    NoSpace(String),
    /// The program to start is not in the container, or not executable.
    #[error("cannot run the program: {0}")]
    ProgramNotFound(String),
    /// The image is for another architecture.
    #[error("wrong architecture: {0}")]
    WrongArchitecture(String),
    /// A quota is used up.
    #[error("a quota is used up: {0}")]
    Quota(String),
    /// The engine's rules do not allow what was asked for.
    #[error("refused by the engine's rules: {0}")]
    Refused(String),
    /// A build ended with an error; the last lines of its output.
    #[error("the build failed: {0}")]
    BuildFailed(String),
    /// The engine does not have this ability here.
    #[error("not supported by this engine: {0}")]
    Unsupported(String),
    /// Any other answer.
    #[error("the engine answered: {0}")]
    Engine(String),
}

impl EngineError {
    /// The error as a person is told it: `what` names what was being done, for instance `create the container`.
    pub fn to_api(&self, what: &str) -> ApiError {
        use EngineError as E;
        let (code, hint) = match self {
            E::Unavailable(_) => (ErrorCode::EngineUnavailable, "Start the engine; this goes on by itself."),
            E::NotPermitted(_) => (
                ErrorCode::PermissionDenied,
                "Give your user access to the engine's socket, then sign in again.",
            ),
            E::TooOld { .. } => (ErrorCode::EngineUnavailable, "Update the engine."),
            E::NotFound(_) => (
                ErrorCode::NotFound,
                "Somebody else may have removed it. Check that it is still there, then try again.",
            ),
            E::ImageNotFound(_) => (
                ErrorCode::ImageNotFound,
                "Check the image's name, and that you are signed in to its registry.",
            ),
            E::TimedOut(_) => (ErrorCode::TimedOut, "Look whether the engine is busy, then try again."),
            E::RegistryUnavailable(_) => (
                ErrorCode::ImageNotFound,
                "Check this machine's network, or use an image that is already here.",
            ),
            E::Conflict(_) => (
                ErrorCode::AlreadyExists,
                "Something of that name is there already, or busy: try again in a moment.",
            ),
            E::PortInUse(_) => {
                (ErrorCode::PortInUse, "Choose another port, or stop the program that uses it.")
            }
            E::SubnetInUse(_) => (ErrorCode::AlreadyExists, "Choose another network range in the settings."),
            E::NoSpace(_) => {
                (ErrorCode::NoSpace, "Free space on the engine's disk, for instance by removing images.")
            }
            E::ProgramNotFound(_) => {
                (ErrorCode::NotFound, "Check that the image holds the program and lets its user run it.")
            }
            E::WrongArchitecture(_) => (
                ErrorCode::WrongArchitecture,
                "Use an image made for this machine, or install emulation (qemu-user-static).",
            ),
            E::Quota(_) => (
                ErrorCode::NoSpace,
                "Stop or delete what is not needed, ask for less, or have the quota raised.",
            ),
            E::Refused(_) => {
                (ErrorCode::PermissionDenied, "Change what it names, or ask whoever runs the cluster.")
            }
            E::BuildFailed(_) => (ErrorCode::Internal, "The log shows the command that failed."),
            E::Unsupported(_) => (ErrorCode::Unsupported, "Leave that out, or choose another engine."),
            E::Engine(_) => (ErrorCode::Internal, "Try again. If it stays, the engine's own log says more."),
        };
        ApiError::new(code, format!("Could not {what}: {self}.")).hint(hint)
    }
}
