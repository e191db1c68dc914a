//! Frames on a stream: u32 LE length, then as many bytes.

use crate::LinkError;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes reserved before the first byte of a frame has come. A hostile length costs no more than this.
const FIRST_RESERVATION: usize = 64 * 1024;
/// Frames up to this size are copied behind their length, so that they leave in one write.
const COPY_LIMIT: usize = 60 * 1024;

/// Reads one frame of at most `max` bytes. `None` where the stream ended between two frames.
///
/// Not cancel-safe: dropped in the middle, it loses the part it has read.
///
/// # Errors
/// [`LinkError::FrameTooLarge`] before anything of the frame is read, [`LinkError::Truncated`] where the stream ends
/// within it, [`LinkError::Io`] where reading fails. The stream is of no use after an error.
pub async fn read_frame<R: AsyncRead + Unpin>(
    reader: &mut R,
    max: usize,
) -> Result<Option<Vec<u8>>, LinkError> {
    let mut header = [0; 4];
    let mut filled = 0;
    while filled < header.len() {
        match reader.read(&mut header[filled..]).await? {
            0 if filled == 0 => return Ok(None),
            0 => return Err(LinkError::Truncated),
            count => filled += count,
        }
    }
    let len = usize::try_from(u32::from_le_bytes(header)).unwrap_or(usize::MAX);
    if len > max {
        return Err(LinkError::FrameTooLarge { len, max });
    }
    let mut bytes = Vec::with_capacity(len.min(FIRST_RESERVATION));
    reader.take(len as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < len {
        return Err(LinkError::Truncated);
    }
    Ok(Some(bytes))
}

/// Writes one frame and flushes.
///
/// Not cancel-safe: dropped in the middle, it leaves half a frame behind.
///
/// # Errors
/// [`LinkError::FrameTooLarge`] where the length does not fit in 32 bits, [`LinkError::Io`] where writing fails.
pub async fn write_frame<W: AsyncWrite + Unpin>(writer: &mut W, bytes: &[u8]) -> Result<(), LinkError> {
    let Ok(len) = u32::try_from(bytes.len()) else {
        return Err(LinkError::FrameTooLarge { len: bytes.len(), max: u32::MAX as usize });
    };
    let (first, rest) = bytes.split_at(bytes.len().min(COPY_LIMIT));
    let mut head = Vec::with_capacity(4 + first.len());
    head.extend_from_slice(&len.to_le_bytes());
    head.extend_from_slice(first);
    writer.write_all(&head).await?;
    if !rest.is_empty() {
        writer.write_all(rest).await?;
    }
    writer.flush().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[tokio::test]
    async fn an_oversize_frame_is_refused_before_its_body() {
        let mut reader: &[u8] = &[0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3];
        let error = read_frame(&mut reader, 1024).await.unwrap_err();
        assert_eq!(error, LinkError::FrameTooLarge { len: 0xFFFF_FFFF, max: 1024 });
        assert_eq!(reader.len(), 3, "the body is left unread");
    }

    #[tokio::test]
    async fn the_end_between_frames_is_clean_and_within_one_is_not() {
        let mut written = Vec::new();
        write_frame(&mut written, b"abc").await.unwrap();
        let mut reader = &written[..];
        assert_eq!(read_frame(&mut reader, 3).await.unwrap().unwrap(), b"abc");
        assert_eq!(read_frame(&mut reader, 3).await.unwrap(), None);
        for cut in 1..written.len() {
            assert_eq!(
                read_frame(&mut &written[..cut], 3).await,
                Err(LinkError::Truncated),
                "cut after {cut} bytes"
            );
        }
    }

    proptest! {
        #[test]
        fn frames_of_any_size_come_back(sizes in proptest::collection::vec(0usize..150_000, 0..6)) {
            block_on(async {
                let frames: Vec<Vec<u8>> = sizes.iter().map(|&size| vec![size as u8; size]).collect();
                let mut written = Vec::new();
                for frame in &frames {
                    write_frame(&mut written, frame).await.unwrap();
                }
                let mut reader = &written[..];
                for frame in &frames {
                    assert_eq!(read_frame(&mut reader, 150_000).await.unwrap().as_ref(), Some(frame));
                }
                assert_eq!(read_frame(&mut reader, 1).await.unwrap(), None);
            });
        }

        #[test]
        fn garbage_never_panics_and_never_exceeds_the_limit(
            garbage in proptest::collection::vec(any::<u8>(), 0..4096), max in 0usize..2048,
        ) {
            block_on(async {
                let mut reader = &garbage[..];
                while let Ok(Some(frame)) = read_frame(&mut reader, max).await {
                    assert!(frame.len() <= max);
                }
            });
        }
    }
}
