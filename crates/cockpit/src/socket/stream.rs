//! A client's streams.

use aicockpit_protocol::ApiError;
use aicockpit_protocol::api::StreamEnd;
use aicockpit_protocol::frame::{Frame, FrameKind, INITIAL_STREAM_CREDIT};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, mpsc};

/// Largest piece sent at once, in bytes.
const MAX_PIECE: usize = 64 * 1024;
/// Consumed bytes are told in pieces of this size.
const TELL_EVERY: usize = INITIAL_STREAM_CREDIT as usize / 4;

/// A stream as its client holds it. Dropped before its end, it is let go of.
pub struct ClientStream {
    pieces: mpsc::UnboundedReceiver<Piece>,
    sender: StreamSender,
    consumed: usize,
    end: Option<StreamEnd>,
}

/// The sending half of a [`ClientStream`].
#[derive(Clone)]
pub struct StreamSender {
    id: u32,
    credit: Arc<Semaphore>,
    outgoing: mpsc::Sender<Vec<u8>>,
}

enum Piece {
    Data(Vec<u8>),
    End(StreamEnd),
}

impl ClientStream {
    /// The next piece; `None` at the end, of which [`ClientStream::end`] tells more. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        if self.end.is_some() {
            return None;
        }
        match self.pieces.recv().await {
            Some(Piece::Data(bytes)) => {
                self.consumed += bytes.len();
                if self.consumed >= TELL_EVERY {
                    let told = std::mem::take(&mut self.consumed);
                    let frame = Frame {
                        kind: FrameKind::StreamCredit,
                        id: self.sender.id,
                        json: &told.to_string(),
                        body: &[],
                    };
                    // A send that must wait would make this future unsafe to drop: another task waits instead.
                    if let Err(mpsc::error::TrySendError::Full(frame)) =
                        self.sender.outgoing.try_send(frame.encode())
                    {
                        let outgoing = self.sender.outgoing.clone();
                        tokio::spawn(async move { outgoing.send(frame).await });
                    }
                }
                Some(bytes)
            }
            Some(Piece::End(end)) => {
                self.end = Some(end);
                None
            }
            None => None,
        }
    }

    /// Why it ended, once it did.
    pub fn end(&self) -> Option<&StreamEnd> {
        self.end.as_ref()
    }

    /// Reads to the end.
    ///
    /// # Errors
    /// Where the stream failed.
    pub async fn collect(&mut self) -> Result<Vec<u8>, ApiError> {
        let mut all = Vec::new();
        while let Some(bytes) = self.next().await {
            all.extend_from_slice(&bytes);
        }
        match &self.end {
            Some(StreamEnd::Failed { error }) => Err(error.clone()),
            _ => Ok(all),
        }
    }

    /// The sending half.
    pub fn sender(&self) -> StreamSender {
        self.sender.clone()
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        if self.end.is_none() {
            let frame = self.sender.frame(FrameKind::StreamEnd, "{\"kind\":\"resync\"}", &[]);
            if let Err(mpsc::error::TrySendError::Full(frame)) = self.sender.outgoing.try_send(frame)
                && let Ok(runtime) = tokio::runtime::Handle::try_current()
            {
                let outgoing = self.sender.outgoing.clone();
                runtime.spawn(async move { outgoing.send(frame).await });
            }
        }
    }
}

impl StreamSender {
    /// Sends bytes as the credit allows, cut into pieces.
    ///
    /// # Errors
    /// When the connection or the stream is closed.
    pub async fn send(&self, bytes: &[u8]) -> Result<(), ApiError> {
        for piece in bytes.chunks(MAX_PIECE) {
            self.send_whole(piece).await?;
        }
        Ok(())
    }

    /// Sends bytes as one piece, at most 64 KiB.
    ///
    /// # Errors
    /// As [`StreamSender::send`].
    pub async fn send_whole(&self, bytes: &[u8]) -> Result<(), ApiError> {
        let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let credit = self.credit.acquire_many(size).await.map_err(|_| closed())?;
        credit.forget();
        let frame = self.frame(FrameKind::StreamData, "", bytes);
        self.outgoing.send(frame).await.map_err(|_| closed())
    }

    /// Says that nothing more comes.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn finish(&self) -> Result<(), ApiError> {
        self.outgoing.send(self.frame(FrameKind::StreamEnd, "", &[])).await.map_err(|_| closed())
    }

    fn frame(&self, kind: FrameKind, json: &str, body: &[u8]) -> Vec<u8> {
        Frame { kind, id: self.id, json, body }.encode()
    }
}

fn closed() -> ApiError {
    ApiError::new(aicockpit_protocol::ErrorCode::Internal, "The stream is closed.")
}

/// Finds the stream that a frame belongs to. Data may come before the stream is taken.
pub(super) struct Router {
    outgoing: mpsc::Sender<Vec<u8>>,
    table: Mutex<HashMap<u32, Entry>>,
}

struct Entry {
    pieces: mpsc::UnboundedSender<Piece>,
    credit: Arc<Semaphore>,
    /// Until it is taken.
    receiver: Option<mpsc::UnboundedReceiver<Piece>>,
}

impl Router {
    pub(super) fn new(outgoing: mpsc::Sender<Vec<u8>>) -> Self {
        Self { outgoing, table: Mutex::default() }
    }

    pub(super) fn stream(&self, id: u32) -> ClientStream {
        let mut table = self.lock();
        let entry = table.entry(id).or_insert_with(Entry::new);
        let pieces = entry.receiver.take().unwrap_or_else(|| mpsc::unbounded_channel().1);
        let sender = StreamSender { id, credit: Arc::clone(&entry.credit), outgoing: self.outgoing.clone() };
        // What has ended already needs no entry any more.
        if entry.credit.is_closed() {
            table.remove(&id);
        }
        ClientStream { pieces, sender, consumed: 0, end: None }
    }

    pub(super) fn data(&self, id: u32, bytes: &[u8]) {
        let mut table = self.lock();
        let entry = table.entry(id).or_insert_with(Entry::new);
        let _ = entry.pieces.send(Piece::Data(bytes.to_vec()));
    }

    pub(super) fn credit(&self, id: u32, json: &str) {
        if let (Some(entry), Ok(bytes)) = (self.lock().get(&id), json.parse::<u32>()) {
            entry.credit.add_permits(bytes as usize);
        }
    }

    pub(super) fn end(&self, id: u32, json: &str) {
        let end = serde_json::from_str(json).unwrap_or(StreamEnd::Resync);
        let mut table = self.lock();
        let entry = table.entry(id).or_insert_with(Entry::new);
        entry.finish(end);
        if entry.receiver.is_none() {
            table.remove(&id);
        }
    }

    pub(super) fn close(&self, error: &ApiError) {
        for entry in self.lock().values() {
            entry.finish(StreamEnd::Failed { error: error.clone() });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Entry>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn new() -> Self {
        let (pieces, receiver) = mpsc::unbounded_channel();
        let credit = Arc::new(Semaphore::new(INITIAL_STREAM_CREDIT as usize));
        Self { pieces, credit, receiver: Some(receiver) }
    }

    fn finish(&self, end: StreamEnd) {
        let _ = self.pieces.send(Piece::End(end));
        self.credit.close();
    }
}
