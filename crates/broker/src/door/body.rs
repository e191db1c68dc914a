//! A request's body, as large and as slow as we allow.

use super::Limits;
use crate::refusal::Refusal;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// Most bytes that are read and thrown away, so that a client that is still sending sees why it is refused. One that
/// sends more sees its connection closed.
const MOST_DISCARDED: u64 = 256 << 20;

/// Bodies up to this size are kept without asking for room: as many as there are connections fit anyhow.
const SMALL: usize = 64 << 10;
/// Room is given out in pieces of this size.
const PIECE: usize = 64 << 10;
/// A body stands in memory twice where another name of a model is written into it.
const COPIES: usize = 2;
/// Time that a body waits for room, until it is refused.
const ROOM_WITHIN: Duration = Duration::from_secs(3);

/// The memory for all bodies together. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct Room(Arc<Semaphore>);

impl Room {
    pub(crate) fn new(limits: Limits) -> Self {
        // One of the largest must fit.
        let bytes = limits.max_bodies.max(limits.max_body.saturating_mul(COPIES).saturating_add(PIECE));
        Self(Arc::new(Semaphore::new((bytes / PIECE).min(Semaphore::MAX_PERMITS))))
    }
}

/// What one body takes of it.
struct Taken<'a> {
    room: &'a Room,
    pieces: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl Taken<'_> {
    /// Sees to it that there is room for so many bytes. False where there is none in time.
    async fn grow(&mut self, bytes: usize, until: Instant) -> bool {
        if bytes <= SMALL {
            return true;
        }
        let wanted = (bytes * COPIES).div_ceil(PIECE);
        let more = wanted.saturating_sub(self.pieces);
        if more == 0 {
            return true;
        }
        let Ok(count) = u32::try_from(more) else { return false };
        let acquired = timeout_at(until, Arc::clone(&self.room.0).acquire_many_owned(count)).await;
        let Ok(Ok(permit)) = acquired else { return false };
        self.pieces = wanted;
        match &mut self.permit {
            None => self.permit = Some(permit),
            Some(held) => held.merge(permit),
        }
        true
    }
}

/// Reads a body, and what it takes of the room for all.
///
/// # Errors
/// 413 where it is too large, 408 where it does not arrive in time, 400 where it breaks off, 503 where there is no room
/// for it among all others.
pub(crate) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    limits: Limits,
    room: &Room,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Refusal> {
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
    let mut taken = Taken { room, pieces: 0, permit: None };
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
        let length = data.len() + first.as_ref().map_or(0, Bytes::len) + more.len();
        if length > limits.max_body {
            drop((first, data, taken));
            discard(&mut body, deadline).await;
            return Err(too_large(limits));
        }
        if !taken.grow(length, deadline.min(Instant::now() + ROOM_WITHIN)).await {
            drop((first, data, taken));
            discard(&mut body, deadline).await;
            return Err(no_room(limits));
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
    Ok((first.unwrap_or_else(|| data.freeze()), taken.permit))
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

fn no_room(limits: Limits) -> Refusal {
    let message = format!(
        "The broker keeps {} MiB of large questions at once, and has no room for this one. Try again soon.",
        limits.max_bodies.max(limits.max_body) >> 20
    );
    Refusal::overloaded(message, ROOM_WITHIN)
}

fn too_slow(limits: Limits) -> Refusal {
    let message = format!("The body did not arrive within {:?}.", limits.body_within);
    Refusal::client(StatusCode::REQUEST_TIMEOUT, "body_too_slow", message)
}
