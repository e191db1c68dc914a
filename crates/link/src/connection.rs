//! The two ends of a link, each with the background task that drives yamux.

use crate::{LinkError, LinkStream};
use std::future::poll_fn;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, BufReader, BufWriter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::compat::TokioAsyncReadCompatExt;
use tokio_util::sync::CancellationToken;

/// Streams that may be open at once on one link.
pub const MAX_STREAMS: usize = 512;
/// yamux's own limit. Reaching it kills the whole connection, and streams that were dropped still count until their
/// end is sent, hence the distance.
const YAMUX_STREAMS: usize = 4 * MAX_STREAMS;
/// Bytes that all streams together may hold beyond yamux's 256 KiB each. It bounds what a fast sender and a slow
/// reader can pile up, and so how late back-pressure is felt.
const EXTRA_WINDOW: usize = 16 * 1024 * 1024;
/// Largest piece of one stream before another one gets its turn.
const PIECE_LEN: usize = 64 * 1024;
/// Holds one piece and its header, so that both leave in one write.
const WRITE_BUFFER_LEN: usize = 2 * PIECE_LEN;
const READ_BUFFER_LEN: usize = 64 * 1024;
/// How long a closing link waits for its last bytes to leave.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// That and why a link ended, shared by both its halves and all its streams.
#[derive(Debug, Default)]
pub(crate) struct End {
    reason: OnceLock<LinkError>,
    token: CancellationToken,
}

impl End {
    pub(crate) fn reason(&self) -> Option<LinkError> {
        self.reason.get().cloned()
    }

    pub(crate) fn token(&self) -> &CancellationToken {
        &self.token
    }

    fn tell(&self, reason: LinkError) {
        // The first reason is the true one.
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    async fn wait(&self) -> LinkError {
        self.token.cancelled().await;
        self.reason().unwrap_or(LinkError::Closed)
    }
}

/// Ends the link for everyone also where the runtime drops the driver.
struct Telling(Arc<End>);

impl Drop for Telling {
    fn drop(&mut self) {
        self.0.tell(LinkError::Closed);
    }
}

struct Opening {
    permit: OwnedSemaphorePermit,
    answer: oneshot::Sender<LinkStream>,
}

/// The end of a link that opens streams. Clones share the link; it is closed when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Link {
    openings: mpsc::Sender<Opening>,
    close: mpsc::Sender<()>,
    permits: Arc<Semaphore>,
    end: Arc<End>,
}

impl Link {
    /// Runs a link over `io`. Must be called within a tokio runtime.
    pub fn client<I>(io: I) -> Self
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (openings, opening) = mpsc::channel(16);
        let (close, closing) = mpsc::channel(1);
        let end = Arc::new(End::default());
        let driver = Driver { connection: connect(io, yamux::Mode::Client), end: Telling(Arc::clone(&end)) };
        tokio::spawn(driver.run_client(opening, closing));
        Self { openings, close, permits: Arc::new(Semaphore::new(MAX_STREAMS)), end }
    }

    /// Opens a stream. It costs no round trip: the other side learns of it by its first bytes.
    ///
    /// # Errors
    /// [`LinkError::TooManyStreams`] beyond [`MAX_STREAMS`]; the reason of the end where the link has ended.
    pub async fn open(&self) -> Result<LinkStream, LinkError> {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return Err(LinkError::TooManyStreams);
        };
        let (answer, answered) = oneshot::channel();
        if self.openings.send(Opening { permit, answer }).await.is_err() {
            return Err(self.closed().await);
        }
        match answered.await {
            Ok(stream) => Ok(stream),
            Err(_) => Err(self.closed().await),
        }
    }

    /// Waits for the end of the link and says why it ended.
    pub async fn closed(&self) -> LinkError {
        self.end.wait().await
    }

    /// Closes the link: bytes already written still leave, then every stream ends.
    pub fn close(&self) {
        // A full channel means that closing was asked for already.
        let _ = self.close.try_send(());
    }
}

/// The end of a link that accepts streams. Dropping it closes the link.
#[derive(Debug)]
pub struct Incoming {
    streams: mpsc::UnboundedReceiver<LinkStream>,
    end: Arc<End>,
}

impl Incoming {
    /// Runs a link over `io`. Must be called within a tokio runtime.
    pub fn server<I>(io: I) -> Self
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        // Unbounded, yet never longer than YAMUX_STREAMS: yamux refuses more.
        let (accepted, streams) = mpsc::unbounded_channel();
        let end = Arc::new(End::default());
        let driver = Driver { connection: connect(io, yamux::Mode::Server), end: Telling(Arc::clone(&end)) };
        tokio::spawn(driver.run_server(accepted));
        Self { streams, end }
    }

    /// The next stream; `None` when the link has ended.
    pub async fn accept(&mut self) -> Option<LinkStream> {
        self.streams.recv().await
    }

    /// Waits for the end of the link and says why it ended.
    pub async fn closed(&self) -> LinkError {
        self.end.wait().await
    }
}

fn connect<I>(io: I, mode: yamux::Mode) -> yamux::Connection<Pipe<I>>
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let mut config = yamux::Config::default();
    config
        .set_max_num_streams(YAMUX_STREAMS)
        .set_max_connection_receive_window(Some(
            YAMUX_STREAMS * yamux::DEFAULT_CREDIT as usize + EXTRA_WINDOW,
        ))
        .set_split_send_size(PIECE_LEN);
    let buffered = BufReader::with_capacity(READ_BUFFER_LEN, BufWriter::with_capacity(WRITE_BUFFER_LEN, io));
    yamux::Connection::new(buffered.compat(), config, mode)
}

type Pipe<I> = tokio_util::compat::Compat<BufReader<BufWriter<I>>>;

struct Driver<I> {
    connection: yamux::Connection<Pipe<I>>,
    end: Telling,
}

impl<I: AsyncRead + AsyncWrite + Unpin> Driver<I> {
    async fn run_client(mut self, mut openings: mpsc::Receiver<Opening>, mut closing: mpsc::Receiver<()>) {
        let mut waiting: Option<Opening> = None;
        let end = poll_fn(|cx| {
            loop {
                if closing.poll_recv(cx).is_ready() {
                    return Poll::Ready(None);
                }
                if waiting.is_none() {
                    match openings.poll_recv(cx) {
                        Poll::Ready(Some(opening)) => waiting = Some(opening),
                        Poll::Ready(None) => return Poll::Ready(None),
                        Poll::Pending => {}
                    }
                }
                if let Some(opening) = waiting.take() {
                    match self.connection.poll_new_outbound(cx) {
                        Poll::Ready(Ok(stream)) => {
                            let stream =
                                LinkStream::new(stream, Arc::clone(&self.end.0), Some(opening.permit));
                            // Given up by the caller, it is dropped, and so never seen by the other side.
                            let _ = opening.answer.send(stream);
                            continue;
                        }
                        Poll::Ready(Err(error)) => return Poll::Ready(Some(error.into())),
                        Poll::Pending => waiting = Some(opening),
                    }
                }
                match self.connection.poll_next_inbound(cx) {
                    // The side that accepts has no business opening streams: dropped, it is reset.
                    Poll::Ready(Some(Ok(_refused))) => {}
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(error.into())),
                    Poll::Ready(None) => return Poll::Ready(Some(LinkError::Ended)),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await;
        self.finish(end).await;
    }

    async fn run_server(mut self, accepted: mpsc::UnboundedSender<LinkStream>) {
        let end = {
            let dropped = accepted.closed();
            tokio::pin!(dropped);
            poll_fn(|cx| {
                loop {
                    if dropped.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(None);
                    }
                    match self.connection.poll_next_inbound(cx) {
                        Poll::Ready(Some(Ok(stream))) => {
                            let stream = LinkStream::new(stream, Arc::clone(&self.end.0), None);
                            if accepted.send(stream).is_err() {
                                return Poll::Ready(None);
                            }
                        }
                        Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(error.into())),
                        Poll::Ready(None) => return Poll::Ready(Some(LinkError::Ended)),
                        Poll::Pending => return Poll::Pending,
                    }
                }
            })
            .await
        };
        self.finish(end).await;
    }

    /// `end` is the reason where the link ended by itself, none where this side closes it.
    async fn finish(mut self, end: Option<LinkError>) {
        match end {
            // Told before the streams are woken, so that they can give the reason.
            Some(reason) => self.end.0.tell(reason),
            None => {
                let closing = poll_fn(|cx| self.connection.poll_close(cx));
                let _ = tokio::time::timeout(CLOSE_TIMEOUT, closing).await;
            }
        }
    }
}
