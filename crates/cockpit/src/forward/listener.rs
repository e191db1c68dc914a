//! One forward's listener and its connections.

use crate::agent::AgentHandle;
use aicockpit_link::{LinkStream, read_frame};
use aicockpit_protocol::agent::{AgentError, Open, decode};
use aicockpit_protocol::port::ForwardTarget;
use aicockpit_protocol::{ApiError, ErrorCode};
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Largest answer to [`Open::Connect`], in bytes.
const MAX_ANSWER: usize = 64 * 1024;
/// Time the target has to accept a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);
/// Pause after `accept` failed, which happens when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Listens on loopback: on `preferred` where it is free and allowed, else on any port.
pub(super) async fn bind(preferred: u16) -> Result<(TcpListener, u16), ApiError> {
    let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, preferred)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await,
    };
    let bound = listener.and_then(|listener| {
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    });
    bound.map_err(|error| {
        ApiError::new(ErrorCode::PortInUse, format!("No port of this machine could be opened: {error}."))
    })
}

/// Serves until `stop`.
pub(super) fn spawn(
    listener: TcpListener,
    target: ForwardTarget,
    agent: AgentHandle,
    connections: Arc<Semaphore>,
    stop: CancellationToken,
) {
    let accepting = stop.clone();
    tokio::spawn(accepting.run_until_cancelled_owned(async move {
        loop {
            let tcp = match listener.accept().await {
                Ok((tcp, _)) => tcp,
                Err(error) => {
                    tracing::warn!(%error, "a forwarded port could not accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&connections).acquire_owned().await else { return };
            let (agent, target) = (agent.clone(), target.clone());
            tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
                let _place = place;
                if let Err(error) = carry(tcp, &agent, target).await {
                    tracing::debug!(%error, "a forwarded connection ended");
                }
            }));
        }
    }));
}

async fn carry(mut tcp: TcpStream, agent: &AgentHandle, target: ForwardTarget) -> io::Result<()> {
    let _ = tcp.set_nodelay(true);
    let mut stream = match tokio::time::timeout(CONNECT_WITHIN, connect(agent, target)).await {
        Ok(Ok(stream)) => stream,
        refused => {
            // A reset tells the client what a refused connection would.
            let _ = tcp.set_zero_linger();
            return Err(match refused {
                Ok(Err(error)) => io::Error::other(error),
                _ => io::ErrorKind::TimedOut.into(),
            });
        }
    };
    let _lease = agent.lease();
    tokio::io::copy_bidirectional(&mut tcp, &mut stream).await.map(drop)
}

async fn connect(agent: &AgentHandle, target: ForwardTarget) -> Result<LinkStream, ApiError> {
    let mut stream = agent.open(Open::Connect(target)).await?;
    let broken = |reason: String| ApiError::new(ErrorCode::AgentUnavailable, reason);
    let answer = read_frame(&mut stream, MAX_ANSWER)
        .await
        .map_err(|error| broken(error.to_string()))?
        .ok_or_else(|| broken("the agent gave no answer".to_owned()))?;
    decode::<Result<(), AgentError>>(&answer)??;
    Ok(stream)
}
