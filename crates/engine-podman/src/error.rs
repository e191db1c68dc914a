//! podman-api's errors in our terms.

use aicockpit_engine::{EngineError, Result, error_from_answer, error_from_connection};
use podman_api::Error;
use podman_api::conn::Error as ConnectionError;
use std::time::Duration;

/// What a failed call means.
pub(crate) fn engine_error(error: Error) -> EngineError {
    match error {
        Error::Fault { code, message } | Error::Error(ConnectionError::Fault { code, message }) => {
            error_from_answer(code.as_u16(), &message)
        }
        Error::SerdeJsonError(_) | Error::InvalidResponse(_) | Error::ServerError(_) => {
            EngineError::Engine(format!("an answer that is not understood ({error})"))
        }
        other => error_from_connection(&other),
    }
}

/// Awaits a call of podman-api, which knows no time limit of its own.
pub(crate) async fn within<T>(
    time: Duration,
    call: impl Future<Output = podman_api::Result<T>>,
) -> Result<T> {
    match tokio::time::timeout(time, call).await {
        Ok(answer) => answer.map_err(engine_error),
        Err(_) => Err(EngineError::TimedOut("Podman is slow to answer".to_owned())),
    }
}
