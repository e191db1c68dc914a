//! bollard's errors in our terms.

use aicockpit_engine::{EngineError, error_from_answer, error_from_connection};
use bollard::errors::Error;

/// What a failed call means.
pub(crate) fn engine_error(error: Error) -> EngineError {
    match error {
        Error::DockerResponseServerError { status_code, message } => error_from_answer(status_code, &message),
        Error::DockerStreamError { error } => error_from_answer(0, &error),
        Error::RequestTimeoutError => EngineError::TimedOut("Docker is slow to answer".to_owned()),
        Error::SocketNotFoundError(path) => EngineError::Unavailable(format!("there is no socket {path}")),
        Error::JsonDataError { .. } | Error::JsonSerdeError { .. } | Error::APIVersionParseError {} => {
            EngineError::Engine(format!("an answer that is not understood ({error})"))
        }
        other => error_from_connection(&other),
    }
}
