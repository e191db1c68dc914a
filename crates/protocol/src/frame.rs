//! The frames between a UI and the cockpit: the same bytes as WebSocket messages and over Tauri.
//!
//! ```text
//! ┌──────┬────────────┬─────────────┬───────────┬────────────┐
//! │ kind │ id: u32 LE │ json: u32 LE│ json text │ body bytes │
//! └──────┴────────────┴─────────────┴───────────┴────────────┘
//! ```
//! `id` is a request id or a [`StreamId`](crate::StreamId), `json` the length of the JSON text in bytes. Every
//! request and reply may carry a body of raw bytes, so file contents are never escaped into JSON.

use thiserror::Error;

/// Bytes before the JSON text.
pub const HEADER_LEN: usize = 9;
/// The largest frame accepted, in bytes.
pub const MAX_FRAME_LEN: usize = 16 * 1024 * 1024;
/// Credit a stream starts with, in bytes, in each direction.
pub const INITIAL_STREAM_CREDIT: u32 = 512 * 1024;

/// What a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum FrameKind {
    /// UI → cockpit: JSON `{"op": …, "params": …}`, answered by [`FrameKind::Reply`] with the same id.
    Request = 1,
    /// Cockpit → UI: JSON `{"ok": …}` or `{"error": ApiError}`.
    Reply = 2,
    /// Cockpit → UI: JSON [`Event`](crate::api::Event); id 0.
    Event = 3,
    /// Both ways: a stream's bytes in the body.
    StreamData = 4,
    /// Both ways: JSON number of bytes the sender may send more.
    StreamCredit = 5,
    /// Both ways: no more data. From the cockpit JSON [`StreamEnd`](crate::api::StreamEnd). From a client empty where
    /// all was sent; a JSON `StreamEnd` other than `finished` breaks the stream off, so that an upload writes nothing.
    StreamEnd = 6,
    /// UI → cockpit: the request with this id is no longer wanted.
    Cancel = 7,
}

/// A frame's parts, borrowed from the buffer they came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// What the frame is.
    pub kind: FrameKind,
    /// Request or stream id.
    pub id: u32,
    /// JSON text, empty where the kind has none.
    pub json: &'a str,
    /// Raw bytes.
    pub body: &'a [u8],
}

/// Why bytes are not a frame.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum FrameError {
    /// Shorter than its own header says.
    #[error("frame of {0} bytes is cut short")]
    Truncated(usize),
    /// Longer than [`MAX_FRAME_LEN`].
    #[error("frame of {0} bytes is over the limit of {MAX_FRAME_LEN}")]
    TooLarge(usize),
    /// The kind byte is unknown.
    #[error("unknown frame kind {0}")]
    UnknownKind(u8),
    /// The JSON part is not UTF-8.
    #[error("frame text is not UTF-8")]
    NotUtf8,
}

impl<'a> Frame<'a> {
    /// Reads a whole message.
    ///
    /// # Errors
    /// When the bytes are not one well-formed frame.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, FrameError> {
        if bytes.len() > MAX_FRAME_LEN {
            return Err(FrameError::TooLarge(bytes.len()));
        }
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER_LEN>() else {
            return Err(FrameError::Truncated(bytes.len()));
        };
        let [kind, id0, id1, id2, id3, len0, len1, len2, len3] = *header;
        let kind = match kind {
            1 => FrameKind::Request,
            2 => FrameKind::Reply,
            3 => FrameKind::Event,
            4 => FrameKind::StreamData,
            5 => FrameKind::StreamCredit,
            6 => FrameKind::StreamEnd,
            7 => FrameKind::Cancel,
            other => return Err(FrameError::UnknownKind(other)),
        };
        let json_len = u32::from_le_bytes([len0, len1, len2, len3]) as usize;
        let Some((json, body)) = rest.split_at_checked(json_len) else {
            return Err(FrameError::Truncated(bytes.len()));
        };
        let json = std::str::from_utf8(json).map_err(|_| FrameError::NotUtf8)?;
        Ok(Self { kind, id: u32::from_le_bytes([id0, id1, id2, id3]), json, body })
    }

    /// Writes the frame as one message.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_LEN + self.json.len() + self.body.len());
        out.push(self.kind as u8);
        out.extend_from_slice(&self.id.to_le_bytes());
        // JSON parts stay far below 4 GiB: MAX_FRAME_LEN bounds what the other side accepts.
        out.extend_from_slice(&u32::try_from(self.json.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(self.json.as_bytes());
        out.extend_from_slice(self.body);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_frame_with_a_length_beyond_its_end_is_refused() {
        let mut bytes = Frame { kind: FrameKind::Reply, id: 7, json: "{}", body: b"x" }.encode();
        bytes[5] = 200;
        assert_eq!(Frame::decode(&bytes), Err(FrameError::Truncated(bytes.len())));
    }

    proptest! {
        #[test]
        fn frames_come_back_as_sent(id: u32, json in ".{0,40}", body in proptest::collection::vec(any::<u8>(), 0..64)) {
            let frame = Frame { kind: FrameKind::StreamData, id, json: &json, body: &body };
            let bytes = frame.encode();
            prop_assert_eq!(Frame::decode(&bytes), Ok(frame));
        }

        #[test]
        fn any_bytes_decode_or_fail_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Frame::decode(&bytes);
        }
    }
}
