//! Frames to a client.

use aicockpit_protocol::ApiError;
use aicockpit_protocol::api::{Event, StreamEnd};
use aicockpit_protocol::frame::{Frame, FrameKind};
use serde::Serialize;

/// What a request is answered with.
pub(super) struct Answer {
    /// The reply's JSON text.
    json: String,
    body: Vec<u8>,
}

impl Answer {
    pub(super) fn new<T: Serialize>(value: &T) -> Result<Self, ApiError> {
        Self::with_body(value, Vec::new())
    }

    pub(super) fn with_body<T: Serialize>(value: &T, body: Vec<u8>) -> Result<Self, ApiError> {
        #[derive(Serialize)]
        struct Ok<'a, T> {
            ok: &'a T,
        }
        let json = serde_json::to_string(&Ok { ok: value }).map_err(|error| {
            ApiError::new(
                aicockpit_protocol::ErrorCode::Internal,
                format!("An answer could not be written: {error}."),
            )
        })?;
        Result::Ok(Self { json, body })
    }
}

/// A reply frame.
pub(super) fn reply(id: u32, outcome: Result<Answer, ApiError>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Failed {
        error: ApiError,
    }
    let (json, body) = match outcome {
        Ok(answer) => (answer.json, answer.body),
        Err(error) => (to_json(&Failed { error }), Vec::new()),
    };
    Frame { kind: FrameKind::Reply, id, json: &json, body: &body }.encode()
}

/// An event frame.
pub(super) fn event(event: &Event) -> Vec<u8> {
    Frame { kind: FrameKind::Event, id: 0, json: &to_json(event), body: &[] }.encode()
}

/// A piece of a stream.
pub(super) fn data(stream: u32, bytes: &[u8]) -> Vec<u8> {
    Frame { kind: FrameKind::StreamData, id: stream, json: "", body: bytes }.encode()
}

/// Leave to send more.
pub(super) fn credit(stream: u32, bytes: u32) -> Vec<u8> {
    Frame { kind: FrameKind::StreamCredit, id: stream, json: &bytes.to_string(), body: &[] }.encode()
}

/// The end of a stream.
pub(super) fn end(stream: u32, end: &StreamEnd) -> Vec<u8> {
    Frame { kind: FrameKind::StreamEnd, id: stream, json: &to_json(end), body: &[] }.encode()
}

/// Wire types have string keys and finite numbers only, so this cannot fail; an empty text would be refused by the
/// reader rather than misread.
fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
