//! The WebSocket: each binary message is one frame of the protocol.

use crate::Shared;
use aicockpit_protocol::frame::MAX_FRAME_LEN;
use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use std::time::Duration;
use tokio::sync::mpsc;

/// The subprotocol that is spoken.
const PROTOCOL: &str = "aicockpit.v1";
/// The subprotocol that carries the bearer; a browser's WebSocket cannot send any other header.
const BEARER: &str = "bearer.";
/// Frames waiting to be sent.
const SINK_LEN: usize = 64;
/// Time between two pings.
const PING_EVERY: Duration = Duration::from_secs(20);
/// A client that is silent this long is gone; it answers pings.
const SILENT_FOR: Duration = Duration::from_secs(60);
/// A message that cannot be sent within this long ends the connection.
const SEND_WITHIN: Duration = Duration::from_secs(30);

/// `GET /api/socket`.
pub(crate) async fn connect(State(shared): State<Shared>, request: Request) -> Response {
    if !bearer(request.headers()).is_some_and(|bearer| shared.sign_in.knows(bearer)) {
        return (StatusCode::UNAUTHORIZED, "Sign in first.\n").into_response();
    }
    let (mut parts, _) = request.into_parts();
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(refused) => return refused.into_response(),
    };
    upgrade.protocols([PROTOCOL]).max_message_size(MAX_FRAME_LEN).max_frame_size(MAX_FRAME_LEN).on_upgrade(
        move |socket| async move {
            let stop = shared.stop.clone();
            stop.run_until_cancelled(serve(shared, socket)).await;
        },
    )
}

/// The bearer, where both subprotocols are offered.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let offered = headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim);
    let mut bearer = None;
    let mut spoken = false;
    for protocol in offered {
        spoken |= protocol == PROTOCOL;
        bearer = bearer.or(protocol.strip_prefix(BEARER));
    }
    bearer.filter(|_| spoken)
}

async fn serve(shared: Shared, socket: WebSocket) {
    let (sender, receiver) = socket.split();
    let (sink, frames) = mpsc::channel(SINK_LEN);
    let session = shared.cockpit.connect(sink);
    drop(shared);
    tokio::select! {
        () = read(receiver, &session) => {}
        () = write(sender, frames) => {}
        () = session.ended() => {}
    }
}

async fn read(mut socket: SplitStream<WebSocket>, session: &aicockpit_cockpit::session::Session) {
    loop {
        match tokio::time::timeout(SILENT_FOR, socket.next()).await {
            Ok(Some(Ok(Message::Binary(frame)))) => session.feed(&frame),
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
            Ok(Some(Ok(Message::Text(_) | Message::Close(_)) | Err(_)) | None) | Err(_) => return,
        }
    }
}

async fn write(mut socket: SplitSink<WebSocket, Message>, mut frames: mpsc::Receiver<Vec<u8>>) {
    let mut pings = tokio::time::interval(PING_EVERY);
    loop {
        let sending = tokio::select! {
            frame = frames.recv() => match frame {
                Some(frame) => send_waiting(&mut socket, frame, &mut frames).await,
                None => return,
            },
            _ = pings.tick() => send(&mut socket, Message::Ping(Bytes::new())).await,
        };
        if sending.is_none() {
            let reason = CloseFrame { code: close_code::AWAY, reason: "the client reads too slowly".into() };
            let _ =
                tokio::time::timeout(Duration::from_secs(1), socket.send(Message::Close(Some(reason)))).await;
            return;
        }
    }
}

/// Sends a frame and what waits behind it, then flushes once.
async fn send_waiting(
    socket: &mut SplitSink<WebSocket, Message>,
    first: Vec<u8>,
    frames: &mut mpsc::Receiver<Vec<u8>>,
) -> Option<()> {
    let all = async {
        socket.feed(Message::Binary(first.into())).await.ok()?;
        for _ in 0..SINK_LEN {
            let Ok(frame) = frames.try_recv() else { break };
            socket.feed(Message::Binary(frame.into())).await.ok()?;
        }
        socket.flush().await.ok()
    };
    tokio::time::timeout(SEND_WITHIN, all).await.ok().flatten()
}

async fn send(socket: &mut SplitSink<WebSocket, Message>, message: Message) -> Option<()> {
    tokio::time::timeout(SEND_WITHIN, socket.send(message)).await.ok()?.ok()
}
