//! The table of one client's open streams.

use super::credit::{Incoming, Outgoing};
use super::frames;
use aicockpit_protocol::api::StreamEnd;
use aicockpit_protocol::{ApiError, ErrorCode, StreamId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Streams of one client.
pub const MAX_STREAMS: usize = 256;
/// Largest piece of stream data in one frame, in bytes.
pub(super) const MAX_PIECE: usize = 64 * 1024;

/// All streams of one client.
pub(super) struct Streams {
    sink: mpsc::Sender<Vec<u8>>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    last_id: u32,
    open: HashMap<u32, Open>,
}

struct Open {
    input: mpsc::UnboundedSender<Input>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    outgoing: Outgoing,
    incoming: Incoming,
    stop: CancellationToken,
}

enum Input {
    Data(Vec<u8>),
    End,
}

/// What a client sends on a stream. Bounded by its credit.
pub(super) struct StreamInput {
    id: u32,
    pieces: mpsc::UnboundedReceiver<Input>,
    shared: Arc<Shared>,
    sink: mpsc::Sender<Vec<u8>>,
    ended: bool,
}

/// Sends on a stream to a client. Exactly one [`StreamEnd`] is sent, or none where the client let go first.
pub(super) struct StreamOutput {
    id: u32,
    shared: Arc<Shared>,
    sink: mpsc::Sender<Vec<u8>>,
    streams: Arc<Streams>,
    ended: bool,
}

/// The client is gone, or let go of the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Gone;

impl Streams {
    pub(super) fn new(sink: mpsc::Sender<Vec<u8>>) -> Arc<Self> {
        Arc::new(Self { sink, table: Mutex::default() })
    }

    /// A new stream.
    pub(super) fn open(self: &Arc<Self>) -> Result<(StreamId, StreamInput, StreamOutput), ApiError> {
        let mut table = self.lock();
        if table.open.len() >= MAX_STREAMS {
            return Err(ApiError::new(
                ErrorCode::InvalidState,
                format!("This window has {MAX_STREAMS} open streams, which is the limit."),
            )
            .hint("Close some terminals or transfers."));
        }
        table.last_id = table.last_id.wrapping_add(1).max(1);
        while table.open.contains_key(&table.last_id) {
            table.last_id = table.last_id.wrapping_add(1).max(1);
        }
        let id = table.last_id;
        let (sender, pieces) = mpsc::unbounded_channel();
        let shared = Arc::<Shared>::default();
        table.open.insert(id, Open { input: sender, shared: Arc::clone(&shared) });
        let input =
            StreamInput { id, pieces, shared: Arc::clone(&shared), sink: self.sink.clone(), ended: false };
        let output =
            StreamOutput { id, shared, sink: self.sink.clone(), streams: Arc::clone(self), ended: false };
        Ok((StreamId(id), input, output))
    }

    /// Takes data from the client. Data for a stream that has just ended is dropped.
    pub(super) fn data(&self, id: u32, bytes: &[u8]) {
        let broken = {
            let table = self.lock();
            let Some(open) = table.open.get(&id) else { return };
            let allowed = open.shared.incoming.received(bytes.len());
            if allowed {
                let _ = open.input.send(Input::Data(bytes.to_vec()));
            }
            !allowed
        };
        if broken {
            self.break_off(id, "it sent more than its credit allows");
        }
    }

    /// Takes credit from the client.
    pub(super) fn credit(&self, id: u32, json: &str) {
        let sane = {
            let table = self.lock();
            let Some(open) = table.open.get(&id) else { return };
            json.parse().is_ok_and(|bytes| open.shared.outgoing.add(bytes))
        };
        if !sane {
            self.break_off(id, "it gave credit that makes no sense");
        }
    }

    /// The client has nothing more to send; with a reason other than that all was sent, it breaks off.
    pub(super) fn ended(&self, id: u32, json: &str) {
        let mut table = self.lock();
        let Some(open) = table.open.get(&id) else { return };
        let finished =
            json.is_empty() || matches!(serde_json::from_str(json), Ok(StreamEnd::Finished { .. }));
        if finished {
            let _ = open.input.send(Input::End);
        } else if let Some(open) = table.open.remove(&id) {
            open.shared.stop.cancel();
            // So that the client knows that nothing follows; where its sink is full, it has let go all the same.
            let _ = self.sink.try_send(frames::end(id, &StreamEnd::Closed));
        }
    }

    /// Lets go of every stream.
    pub(super) fn close_all(&self) {
        for (_, open) in self.lock().open.drain() {
            open.shared.stop.cancel();
        }
    }

    fn break_off(&self, id: u32, why: &str) {
        let Some(open) = self.lock().open.remove(&id) else { return };
        open.shared.stop.cancel();
        let error = ApiError::new(ErrorCode::Protocol, format!("The client broke a stream's rules: {why}."));
        // Where the client does not even read, its table is cleared when it leaves.
        let _ = self.sink.try_send(frames::end(id, &StreamEnd::Failed { error }));
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StreamInput {
    /// The next piece; `None` where the client said that all was sent. Waits for ever where it let go instead, which
    /// [`StreamOutput::gone`] tells. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        if self.ended {
            return None;
        }
        match self.pieces.recv().await {
            Some(Input::Data(bytes)) => Some(bytes),
            Some(Input::End) => {
                self.ended = true;
                None
            }
            // Let go of without an end: what was sent is a part, and must not be taken for the whole.
            None => std::future::pending().await,
        }
    }

    /// Gives the client leave to send as many bytes again.
    pub(super) async fn consumed(&self, bytes: usize) {
        if let Some(credit) = self.shared.incoming.consumed(bytes) {
            // A client that is gone needs no credit.
            let _ = self.sink.send(frames::credit(self.id, credit)).await;
        }
    }
}

impl StreamOutput {
    /// Sends bytes, in pieces, as the client's credit allows.
    pub(super) async fn send(&self, mut bytes: &[u8]) -> Result<(), Gone> {
        while !bytes.is_empty() {
            let taken = self.or_gone(self.shared.outgoing.take(bytes.len().min(MAX_PIECE))).await?;
            let (piece, rest) = bytes.split_at(taken);
            self.or_gone(self.sink.send(frames::data(self.id, piece))).await?.map_err(|_| Gone)?;
            bytes = rest;
        }
        Ok(())
    }

    /// Sends bytes that must stay together, at most [`MAX_PIECE`].
    pub(super) async fn send_whole(&self, bytes: &[u8]) -> Result<(), Gone> {
        let mut left = bytes.len();
        while left > 0 {
            left -= self.or_gone(self.shared.outgoing.take(left)).await?;
        }
        self.or_gone(self.sink.send(frames::data(self.id, bytes))).await?.map_err(|_| Gone)
    }

    /// Ends the stream.
    pub(super) async fn finish(mut self, end: StreamEnd) {
        let frame = frames::end(self.id, &end);
        self.ended = true;
        if self.streams.lock().open.remove(&self.id).is_some() {
            let _ = self.or_gone(self.sink.send(frame)).await;
        }
    }

    /// Resolves when the client let go of the stream or is gone.
    pub(super) async fn gone(&self) {
        tokio::select! {
            () = self.shared.stop.cancelled() => {}
            () = self.sink.closed() => {}
        }
    }

    async fn or_gone<T>(&self, work: impl Future<Output = T>) -> Result<T, Gone> {
        self.shared.stop.run_until_cancelled(work).await.ok_or(Gone)
    }
}

impl Drop for StreamOutput {
    fn drop(&mut self) {
        if !self.ended {
            self.streams.lock().open.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn all_sent_is_an_end_and_letting_go_is_none() {
        let (sink, _frames) = mpsc::channel(16);
        let streams = Streams::new(sink);
        let ways: [(&str, &dyn Fn(u32)); 3] = [
            ("broken off", &|id| streams.ended(id, "{\"kind\":\"closed\"}")),
            ("nonsense", &|id| streams.ended(id, "nonsense")),
            ("the client left", &|_| streams.close_all()),
        ];
        for (way, let_go) in ways {
            let (id, mut input, output) = streams.open().unwrap();
            streams.data(id.0, b"a part");
            let_go(id.0);
            assert_eq!(input.next().await.as_deref(), Some(&b"a part"[..]));
            assert!(input.next().now_or_never().is_none(), "{way} is no end");
            assert!(output.gone().now_or_never().is_some(), "{way}");
        }
        let (id, mut input, output) = streams.open().unwrap();
        streams.ended(id.0, "");
        assert_eq!(input.next().await, None);
        assert!(output.gone().now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_client_that_sends_beyond_its_credit_loses_the_stream() {
        let (sink, mut frames) = mpsc::channel(16);
        let streams = Streams::new(sink);
        let (id, _input, output) = streams.open().unwrap();
        streams.data(id.0, &vec![0; aicockpit_protocol::frame::INITIAL_STREAM_CREDIT as usize]);
        assert!(output.gone().now_or_never().is_none(), "within its credit");
        streams.data(id.0, b"x");
        assert!(output.gone().now_or_never().is_some());
        let told = frames.recv().await.unwrap();
        assert!(aicockpit_protocol::frame::Frame::decode(&told).unwrap().json.contains("failed"));
    }
}
