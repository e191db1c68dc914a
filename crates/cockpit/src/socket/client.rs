//! A typed client of a cockpit, in this process or another.

use super::stream::{ClientStream, Router};
use super::{SINK_LEN, read_frame, write_frame};
use crate::Cockpit;
use aicockpit_protocol::api::{Event, Operation, Request};
use aicockpit_protocol::frame::{Frame, FrameKind, MAX_FRAME_LEN};
use aicockpit_protocol::{ApiError, ErrorCode, StreamId};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::UnixStream;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Events a reader may lag behind.
const EVENT_BACKLOG: usize = 1024;

/// A connection to a cockpit. Cheap to clone; it ends with the last clone.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    _stop: Arc<DropGuard>,
}

struct Inner {
    next_id: AtomicU32,
    outgoing: mpsc::Sender<Vec<u8>>,
    pending: Mutex<Pending>,
    events: Mutex<Option<broadcast::Sender<Event>>>,
    router: Router,
}

#[derive(Default)]
struct Pending {
    closed: bool,
    replies: HashMap<u32, oneshot::Sender<Vec<u8>>>,
}

/// A reply with its bytes.
#[derive(Debug)]
pub struct Reply<T> {
    /// What came back.
    pub value: T,
    /// The bytes beside it.
    pub body: Vec<u8>,
}

impl Client {
    /// A client of the cockpit of this process.
    pub fn in_process(cockpit: &Arc<Cockpit>) -> Self {
        let (sink, incoming) = mpsc::channel(SINK_LEN);
        let (outgoing, mut frames) = mpsc::channel::<Vec<u8>>(SINK_LEN);
        let session = cockpit.connect(sink);
        tokio::spawn(async move {
            while let Some(frame) = frames.recv().await {
                session.feed(&frame);
            }
        });
        Self::over(outgoing, incoming)
    }

    /// A client of the cockpit that listens at `path`.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn connect(path: &Path) -> io::Result<Self> {
        let (outgoing, incoming) = carry(path).await?;
        Ok(Self::over(outgoing, incoming))
    }

    /// A client over any carrier of frames.
    pub fn over(outgoing: mpsc::Sender<Vec<u8>>, mut incoming: mpsc::Receiver<Vec<u8>>) -> Self {
        let stop = CancellationToken::new();
        let inner = Arc::new(Inner {
            next_id: AtomicU32::new(1),
            router: Router::new(outgoing.clone()),
            outgoing,
            pending: Mutex::default(),
            events: Mutex::new(Some(broadcast::channel(EVENT_BACKLOG).0)),
        });
        let receiver = Arc::clone(&inner);
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
            while let Some(frame) = incoming.recv().await {
                receiver.take(frame);
            }
            receiver.close();
        }));
        Self { inner, _stop: Arc::new(stop.drop_guard()) }
    }

    /// Runs an operation. Dropping the future cancels it.
    ///
    /// # Errors
    /// What the cockpit answered; [`ErrorCode::Internal`] when this connection is lost.
    pub async fn call<O: Operation>(&self, params: O::Params) -> Result<O::Reply, ApiError> {
        Ok(self.call_with::<O>(params, &[]).await?.value)
    }

    /// Runs an operation that carries bytes, there or back.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call_with<O: Operation>(
        &self,
        params: O::Params,
        body: &[u8],
    ) -> Result<Reply<O::Reply>, ApiError> {
        let frame = self.inner.exchange(&O::request(params), body).await?;
        read_reply(&frame)
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        match &*self.inner.events.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(events) => events.subscribe(),
            // The connection is gone: a receiver that says so at once.
            None => broadcast::channel(1).1,
        }
    }

    /// The stream that an operation opened. To be taken once.
    pub fn stream(&self, id: StreamId) -> ClientStream {
        self.inner.router.stream(id.0)
    }
}

/// Carries bare frames to and from the cockpit that listens at `path`. The receiver ends with the connection, the
/// connection ends with the sender.
///
/// # Errors
/// When nobody listens there.
pub async fn carry(path: &Path) -> io::Result<(mpsc::Sender<Vec<u8>>, mpsc::Receiver<Vec<u8>>)> {
    let (mut reader, mut writer) = UnixStream::connect(path).await?.into_split();
    let (outgoing, mut frames) = mpsc::channel::<Vec<u8>>(SINK_LEN);
    let (arrived, incoming) = mpsc::channel(SINK_LEN);
    tokio::spawn(async move {
        while let Some(frame) = frames.recv().await {
            if write_frame(&mut writer, &frame).await.is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Ok(Some(frame)) = read_frame(&mut reader, MAX_FRAME_LEN).await {
            if arrived.send(frame).await.is_err() {
                return;
            }
        }
    });
    Ok((outgoing, incoming))
}

fn read_reply<T: DeserializeOwned>(bytes: &[u8]) -> Result<Reply<T>, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Outcome<T> {
        Ok(T),
        Error(ApiError),
    }
    let unreadable =
        |error: String| ApiError::new(ErrorCode::Protocol, format!("An answer cannot be read: {error}."));
    let frame = Frame::decode(bytes).map_err(|error| unreadable(error.to_string()))?;
    match serde_json::from_str(frame.json).map_err(|error| unreadable(error.to_string()))? {
        Outcome::Ok(value) => Ok(Reply { value, body: frame.body.to_vec() }),
        Outcome::Error(error) => Err(error),
    }
}

fn gone() -> ApiError {
    ApiError::new(ErrorCode::Internal, "The connection to AiCockpit is closed.")
}

impl Inner {
    async fn exchange(&self, request: &Request, body: &[u8]) -> Result<Vec<u8>, ApiError> {
        let json = serde_json::to_string(request).map_err(|error| {
            ApiError::new(ErrorCode::InvalidArgument, format!("The request cannot be written: {error}."))
        })?;
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        {
            let mut pending = self.pending();
            if pending.closed {
                return Err(gone());
            }
            pending.replies.insert(id, sender);
        }
        let mut unanswered = CancelOnDrop { inner: self, id, armed: true };
        let frame = Frame { kind: FrameKind::Request, id, json: &json, body }.encode();
        self.outgoing.send(frame).await.map_err(|_| gone())?;
        let reply = receiver.await.map_err(|_| gone());
        unanswered.armed = false;
        reply
    }

    fn take(&self, bytes: Vec<u8>) {
        let Ok(frame) = Frame::decode(&bytes) else { return };
        let id = frame.id;
        match frame.kind {
            FrameKind::Reply => {
                let waiting = self.pending().replies.remove(&id);
                if let Some(waiting) = waiting {
                    let _ = waiting.send(bytes);
                }
            }
            FrameKind::Event => {
                if let Ok(event) = serde_json::from_str(frame.json)
                    && let Some(events) = &*self.events.lock().unwrap_or_else(PoisonError::into_inner)
                {
                    let _ = events.send(event);
                }
            }
            FrameKind::StreamData => self.router.data(id, frame.body),
            FrameKind::StreamCredit => self.router.credit(id, frame.json),
            FrameKind::StreamEnd => self.router.end(id, frame.json),
            FrameKind::Request | FrameKind::Cancel => {}
        }
    }

    fn close(&self) {
        {
            let mut pending = self.pending();
            pending.closed = true;
            pending.replies.clear();
        }
        self.events.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.router.close(&gone());
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct CancelOnDrop<'a> {
    inner: &'a Inner,
    id: u32,
    armed: bool,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if self.armed && self.inner.pending().replies.remove(&self.id).is_some() {
            let frame = Frame { kind: FrameKind::Cancel, id: self.id, json: "", body: &[] }.encode();
            // Where the connection is that busy, the request simply runs to its end.
            let _ = self.inner.outgoing.try_send(frame);
        }
    }
}
