//! The frames in which several outputs share one stream: one byte that names the output, three of padding, four of
//! length, then the bytes.

use aicockpit_engine::LogChunk;
use bytes::{Buf, BytesMut};
use std::io;
use tokio_util::codec::Decoder;

/// Takes frames apart, handing on what has come of a long one.
#[derive(Debug, Default)]
pub(crate) struct FrameDecoder {
    /// Of the frame under way: whether it is stderr's, and how much is still to come.
    current: Option<(bool, usize)>,
}

impl Decoder for FrameDecoder {
    type Item = LogChunk;
    type Error = io::Error;

    fn decode(&mut self, source: &mut BytesMut) -> io::Result<Option<LogChunk>> {
        loop {
            if let Some((stderr, missing)) = self.current {
                if missing == 0 {
                    self.current = None;
                    continue;
                }
                if source.is_empty() {
                    return Ok(None);
                }
                let length = missing.min(source.len());
                self.current = Some((stderr, missing - length));
                return Ok(Some(LogChunk { stderr, bytes: source.split_to(length).freeze() }));
            }
            if source.len() < 8 {
                source.reserve(8);
                return Ok(None);
            }
            let stream = source.get_u8();
            source.advance(3);
            let length = source.get_u32() as usize;
            match stream {
                0 | 1 => self.current = Some((false, length)),
                2 => self.current = Some((true, length)),
                // Podman tells a failure in the middle of a stream this way.
                other => return Err(io::Error::other(format!("frame of an unknown stream {other}"))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], expected: &[(bool, &[u8])]) {
        // However the bytes are cut on their way, the outputs are the same.
        for piece in 1..=input.len() {
            let (mut decoder, mut buffer) = (FrameDecoder::default(), BytesMut::new());
            let (mut out, mut err) = (Vec::new(), Vec::new());
            for part in input.chunks(piece) {
                buffer.extend_from_slice(part);
                while let Some(chunk) = decoder.decode(&mut buffer).unwrap() {
                    if chunk.stderr { &mut err } else { &mut out }.extend_from_slice(&chunk.bytes);
                }
            }
            let of = |stderr| -> Vec<u8> {
                expected.iter().filter(|part| part.0 == stderr).flat_map(|part| part.1.to_vec()).collect()
            };
            assert_eq!((out, err), (of(false), of(true)), "in pieces of {piece}");
        }
    }

    #[test]
    fn frames_are_taken_apart_wherever_they_are_cut() {
        check(b"\x01\0\0\0\0\0\0\x03abc", &[(false, b"abc")]);
        check(
            b"\x01\0\0\0\0\0\0\x02\x01\x02\x02\0\0\0\0\0\0\x01e\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\x01z",
            &[(false, b"\x01\x02"), (true, b"e"), (false, b"z")],
        );
    }

    #[test]
    fn an_unknown_stream_is_an_error_and_no_panic() {
        let mut buffer = BytesMut::from(&b"\x07\0\0\0\0\0\0\x01x"[..]);
        assert!(FrameDecoder::default().decode(&mut buffer).is_err());
    }
}
