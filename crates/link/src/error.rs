//! Why a link or a stream ended.

/// Why a link or one of its streams failed. Cheap to clone: everyone who waits for the end of a link gets the reason.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// This side closed the link.
    #[error("link closed")]
    Closed,
    /// The other side closed the link, or the pipe under it ended.
    #[error("the other side ended the link")]
    Ended,
    /// The pipe under the link failed.
    #[error("link broken: {0}")]
    Io(String),
    /// The other side sent something that is no yamux frame, or broke its rules.
    #[error("the other side broke the link's protocol: {0}")]
    Protocol(String),
    /// Too many streams are open at once; nothing else is wrong with the link.
    #[error("too many open streams (at most {})", crate::MAX_STREAMS)]
    TooManyStreams,
    /// A frame says that it is longer than this reader accepts.
    #[error("a frame of {len} bytes was announced, at most {max} are accepted")]
    FrameTooLarge {
        /// Announced length.
        len: usize,
        /// The reader's limit.
        max: usize,
    },
    /// The stream ended in the middle of a frame.
    #[error("the stream ended in the middle of a frame")]
    Truncated,
}

impl From<std::io::Error> for LinkError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

impl From<yamux::ConnectionError> for LinkError {
    fn from(error: yamux::ConnectionError) -> Self {
        match error {
            yamux::ConnectionError::Io(error) => error.into(),
            yamux::ConnectionError::Closed => Self::Ended,
            yamux::ConnectionError::TooManyStreams => Self::TooManyStreams,
            other => Self::Protocol(other.to_string()),
        }
    }
}
