//! One stream of a link.

use crate::connection::End;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt};
use tokio_util::sync::WaitForCancellationFutureOwned;

type LinkEnds = Option<Pin<Box<WaitForCancellationFutureOwned>>>;

/// One stream of a link: a pipe of bytes with its own flow control.
///
/// `shutdown` ends the writing half and leaves the reading half open. Dropped without it, the stream is reset: the
/// other side reads [`io::ErrorKind::ConnectionReset`], not a clean end. A clean end is told from a reset as long as
/// this side has not ended its own writing half. When the link ends, reads and writes fail with
/// [`io::ErrorKind::ConnectionAborted`].
pub struct LinkStream {
    stream: Compat<yamux::Stream>,
    end: Arc<End>,
    // yamux wakes nobody when this side closes the link; each half waits for the end with a waker of its own.
    reader_waits: LinkEnds,
    writer_waits: LinkEnds,
    shut_down: bool,
    _permit: Option<OwnedSemaphorePermit>,
}

impl LinkStream {
    pub(crate) fn new(stream: yamux::Stream, end: Arc<End>, permit: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            stream: stream.compat(),
            end,
            reader_waits: None,
            writer_waits: None,
            shut_down: false,
            _permit: permit,
        }
    }

    /// What the end of the readable bytes means: `Ok` for a clean end.
    fn end_of_stream(&self) -> io::Result<()> {
        let closed = self.stream.get_ref().is_closed();
        if !closed || (self.shut_down && self.end.reason().is_none()) { Ok(()) } else { Err(self.broken()) }
    }

    fn broken(&self) -> io::Error {
        match self.end.reason() {
            Some(reason) => io::Error::new(io::ErrorKind::ConnectionAborted, reason),
            None => io::Error::new(io::ErrorKind::ConnectionReset, "the other side gave the stream up"),
        }
    }
}

fn ended(waits: &mut LinkEnds, end: &End, cx: &mut Context<'_>) -> bool {
    waits.get_or_insert_with(|| Box::pin(end.token().clone().cancelled_owned())).as_mut().poll(cx).is_ready()
}

impl std::fmt::Debug for LinkStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LinkStream({})", self.stream.get_ref().id())
    }
}

impl AsyncRead for LinkStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let this = &mut *self;
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Ready(Ok(())) if buf.filled().len() == before => Poll::Ready(this.end_of_stream()),
            Poll::Ready(Err(_)) => Poll::Ready(Err(this.broken())),
            Poll::Pending if ended(&mut this.reader_waits, &this.end, cx) => Poll::Ready(Err(this.broken())),
            other => other,
        }
    }
}

impl AsyncWrite for LinkStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        match Pin::new(&mut this.stream).poll_write(cx, buf) {
            Poll::Ready(Err(_)) => Poll::Ready(Err(this.broken())),
            Poll::Pending if ended(&mut this.writer_waits, &this.end, cx) => Poll::Ready(Err(this.broken())),
            other => other,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx).map_err(|_| self.broken())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(cx);
        if matches!(polled, Poll::Ready(Ok(()))) {
            self.shut_down = true;
        }
        polled.map_err(|_| self.broken())
    }
}
