//! A request's body, as large and as slow as we allow.

use super::Limits;
use crate::refusal::Refusal;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};

/// Most bytes that are read and thrown away, so that a client that is still sending sees why it is refused. One that
/// sends more sees its connection closed.
const MOST_DISCARDED: u64 = 256 << 20;

/// Reads a body.
///
/// # Errors
/// 413 where it is too large, 408 where it does not arrive in time, 400 where it breaks off.
pub(crate) async fn read(headers: &HeaderMap, mut body: Body, limits: Limits) -> Result<Bytes, Refusal> {
    let deadline = Instant::now() + limits.body_within;
    let told =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if told.is_some_and(|told| told > limits.max_body as u64) {
        // Who asks first has sent nothing yet.
        if !headers.contains_key(header::EXPECT) {
            discard(&mut body, deadline).await;
        }
        return Err(too_large(limits));
    }
    let mut first = None;
    // Grown as it comes: a length that is only claimed must cost nothing.
    let mut data = BytesMut::new();
    loop {
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => return Err(too_slow(limits)),
            Ok(None) => break,
            Ok(Some(Err(error))) => {
                let message = format!("The body broke off: {error}.");
                return Err(Refusal::invalid("incomplete_body", message));
            }
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(more) = frame.into_data() else { continue };
        if data.len() + first.as_ref().map_or(0, Bytes::len) + more.len() > limits.max_body {
            drop((first, data));
            discard(&mut body, deadline).await;
            return Err(too_large(limits));
        }
        match first.take() {
            None if data.is_empty() => first = Some(more),
            None => data.extend_from_slice(&more),
            Some(earlier) => {
                data.reserve(earlier.len() + more.len());
                data.extend_from_slice(&earlier);
                data.extend_from_slice(&more);
            }
        }
    }
    Ok(first.unwrap_or_else(|| data.freeze()))
}

async fn discard(body: &mut Body, deadline: Instant) {
    let mut left = MOST_DISCARDED;
    while left > 0 {
        let Ok(Some(Ok(frame))) = timeout_at(deadline, body.frame()).await else { return };
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        left = left.saturating_sub(length);
    }
}

fn too_large(limits: Limits) -> Refusal {
    let message = format!("The body is larger than {} bytes.", limits.max_body);
    Refusal::client(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
}

fn too_slow(limits: Limits) -> Refusal {
    let message = format!("The body did not arrive within {:?}.", limits.body_within);
    Refusal::client(StatusCode::REQUEST_TIMEOUT, "body_too_slow", message)
}
