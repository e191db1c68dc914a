//! Whether a server answers on its socket.

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;

/// True where `GET /health` is answered well in time: both programs do so once their model is loaded, and need no key
/// for it.
pub(super) async fn answers(socket: &Path, within: Duration) -> bool {
    matches!(tokio::time::timeout(within, ask(socket)).await, Ok(Some(StatusCode::OK)))
}

async fn ask(socket: &Path) -> Option<StatusCode> {
    let stream = UnixStream::connect(socket).await.ok()?;
    let (mut sender, connection) = http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await.ok()?;
    let request = Request::get("/health").header("host", "localhost").body(Empty::new()).ok()?;
    tokio::select! {
        answer = sender.send_request(request) => answer.ok().map(|answer| answer.status()),
        _ = connection => None,
    }
}
