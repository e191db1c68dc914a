//! The byte pipe to an agent by an engine's exec.

use super::connection::{ConnectError, Pipe, PostMortem};
use aicockpit_engine::{ContainerDetails, ContainerState, Engine, EngineError, ExecExit, ExecSpec};
use aicockpit_protocol::{ApiError, ContainerId, ErrorCode};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;

/// Bytes of the proxy's stderr that are kept: the last ones.
const STDERR_KEPT: usize = 4096;
/// Time an engine has to begin an exec. One that hangs is an engine that is down.
const EXEC_WITHIN: Duration = Duration::from_secs(20);

/// Runs the agent's proxy in the container; `build` is the beginning of its content hash.
pub(super) async fn connect(
    engine: Arc<dyn Engine>,
    container: ContainerId,
    spec: ExecSpec,
    build: String,
) -> Result<Pipe, ConnectError> {
    let begun = match tokio::time::timeout(EXEC_WITHIN, engine.exec(&container, &spec)).await {
        Ok(begun) => begun,
        Err(_) => Err(EngineError::Unavailable("it did not answer in time".to_owned())),
    };
    let stream = match begun {
        Ok(stream) => stream,
        Err(error) => return Err(explain(&*engine, &container, error).await),
    };
    let last_words = Arc::new(Mutex::new(Vec::new()));
    let (ended, stderr_ended) = watch::channel(false);
    tokio::spawn(keep_last(stream.stderr, Arc::clone(&last_words), ended));
    let exit = stream.exit;
    Ok(Pipe {
        io: Box::new(aicockpit_link::join(stream.stdout, stream.stdin)),
        build: Some(build),
        post_mortem: Box::pin(async move {
            let mut stderr_ended = stderr_ended;
            let _ = tokio::time::timeout(Duration::from_secs(1), stderr_ended.wait_for(|ended| *ended)).await;
            let mut text = {
                let words = last_words.lock().unwrap_or_else(PoisonError::into_inner);
                String::from_utf8_lossy(&words).trim().to_owned()
            };
            let status = match exit.await {
                Ok(ExecExit::Exited(status)) => status,
                Ok(ExecExit::StillRunning | ExecExit::Unknown) | Err(_) => {
                    return PostMortem { text, fatal: false };
                }
            };
            if text.is_empty() {
                text = format!("The agent's program ended with status {status}.");
            }
            // 126 and 127: the program is not there, or not for this machine.
            PostMortem { text, fatal: matches!(status, 126 | 127) }
        }),
    })
}

/// Whether an exec that was refused is worth another try depends on whether the container runs.
async fn explain(engine: &dyn Engine, container: &ContainerId, error: EngineError) -> ConnectError {
    let api = error.to_api("reach the workspace's agent");
    match error {
        EngineError::ProgramNotFound(_) | EngineError::NotPermitted(_) | EngineError::Unsupported(_) => {
            ConnectError::fatal(api)
        }
        EngineError::NotFound(_) => ConnectError::fatal(
            ApiError::new(ErrorCode::NotFound, "The workspace's container is gone.")
                .hint("Delete the workspace, or make it anew."),
        ),
        EngineError::Unavailable(_) => ConnectError::transient(api),
        _ => match engine.inspect_container(container).await {
            Ok(details) if details.state == ContainerState::Paused => ConnectError::fatal(
                ApiError::new(ErrorCode::InvalidState, "The workspace is paused.").hint("Resume it."),
            ),
            Ok(details) if details.state == ContainerState::Starting => {
                ConnectError::fatal(starting(details))
            }
            Ok(details) if details.state == ContainerState::Stranded => ConnectError::fatal(
                ApiError::new(ErrorCode::InvalidState, "The workspace's machine does not answer.")
                    .hint("It is connected to again when its machine is back."),
            ),
            Ok(details) if details.state != ContainerState::Running => ConnectError::fatal(
                ApiError::new(ErrorCode::InvalidState, "The workspace is not running.").hint("Start it."),
            ),
            Err(EngineError::NotFound(_)) => {
                ConnectError::fatal(ApiError::new(ErrorCode::NotFound, "The workspace's container is gone."))
            }
            _ => ConnectError::transient(api),
        },
    }
}

/// The connection is tried again once the engine tells that it runs.
fn starting(details: ContainerDetails) -> ApiError {
    let error = ApiError::new(ErrorCode::InvalidState, "The workspace is being started.")
        .hint("It is connected to again when it runs.");
    match details.reason {
        Some(reason) => error.detail(reason),
        None => error,
    }
}

/// Reads all, so that the program never stalls; keeps the end.
async fn keep_last(
    mut from: Box<dyn AsyncRead + Send + Unpin>,
    kept: Arc<Mutex<Vec<u8>>>,
    ended: watch::Sender<bool>,
) {
    let mut buffer = vec![0; STDERR_KEPT];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&buffer[..count]);
        let excess = kept.len().saturating_sub(STDERR_KEPT);
        kept.drain(..excess);
    }
    ended.send_replace(true);
}
