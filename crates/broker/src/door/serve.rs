//! Connections: as many and as slow as we allow, and let go gracefully at the end.

use super::awake::awake;
use super::reader::Reader;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections at once. Each stream is one.
const MAX_CONNECTIONS: usize = 8192;
/// Time a client has to send a request's head.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Largest head of a request, in bytes. The buffer begins small.
const MAX_HEAD: usize = 64 * 1024;
/// Time a client may leave without reading what is sent. Its stream holds a place at a backend.
const READ_WITHIN: Duration = Duration::from_secs(300);
/// Pause after `accept` failed, which happens when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves until `stop`; then answers that have begun have `grace` to end.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken, grace: Duration) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    let accepting = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    // A token must not wait for the acknowledgement of the one before.
                    let _ = stream.set_nodelay(true);
                    let served = connection(stream, router.clone(), stop.clone());
                    let cut = cut.clone();
                    connections.spawn(async move {
                        let _place = place;
                        cut.run_until_cancelled(served).await;
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the broker could not accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    stop.run_until_cancelled(accepting).await;
    drop(listener);
    connections.close();
    if tokio::time::timeout(grace, connections.wait()).await.is_err() {
        cut.cancel();
        connections.wait().await;
    }
}

/// Serves one connection until its client has left, or `stop`; then an answer that has begun goes on to its end.
pub(crate) async fn connection<I>(stream: I, router: Router, stop: CancellationToken)
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = TowerToHyperService::new(router);
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(Reader::new(stream, READ_WITHIN)), service);
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = awake(served.as_mut()) => ended,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}
