//! One live connection to an agent: the link, its control stream, and the calls under way on it.

use super::check;

use aicockpit_link::{Link, LinkStream, read_frame, write_frame};
use aicockpit_protocol::agent::{
    AgentError, Answer, Call, FromAgent, MAX_MESSAGE_LEN, Notice, Open, PROTOCOL_VERSION, Request, decode,
    encode,
};
use aicockpit_protocol::{ApiError, ErrorCode};
use bytes::Bytes;
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Encoded requests waiting for the control stream's writer.
const OUTGOING_LEN: usize = 64;
/// Time the agent has for its first message.
const WELCOME_WITHIN: Duration = Duration::from_secs(15);
/// Time between two pings; also what keeps the agent's proxy alive.
pub(super) const PING_EVERY: Duration = Duration::from_secs(10);
/// A ping not answered within this ends the connection.
pub(super) const PING_WITHIN: Duration = Duration::from_secs(5);

/// Both directions of a byte pipe.
pub trait ByteIo: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteIo for T {}

/// A byte pipe to an agent.
pub struct Pipe {
    /// The bytes.
    pub io: Box<dyn ByteIo>,
    /// First digits of the content hash of the agent that was started to answer. Another one that answers is older.
    pub build: Option<String>,
    /// Says why the pipe ended, for a pipe that ended before the agent's first message.
    pub post_mortem: BoxFuture<'static, PostMortem>,
}

/// What is known of a pipe's end.
#[derive(Debug, Default)]
pub struct PostMortem {
    /// What the agent's program said, or how it ended.
    pub text: String,
    /// Trying again gives the same.
    pub fatal: bool,
}

/// Why no connection could be made.
#[derive(Debug)]
pub struct ConnectError {
    /// What callers are told.
    pub error: ApiError,
    /// Trying again is of no use until something changes.
    pub fatal: bool,
}

impl ConnectError {
    /// Worth another try.
    pub fn transient(error: ApiError) -> Self {
        Self { error, fatal: false }
    }

    /// Of no use to try again.
    pub fn fatal(error: ApiError) -> Self {
        Self { error, fatal: true }
    }
}

/// The connection ended before the answer came.
#[derive(Clone, Debug)]
pub(super) struct Lost(pub(super) String);

/// A live connection. It ends with the pipe, with a broken rule of the protocol, or by [`Connection::close`].
pub(super) struct Connection {
    link: Link,
    outgoing: mpsc::Sender<Bytes>,
    shared: Arc<Shared>,
    /// Another build of the agent answered than the one that was started.
    is_outdated: bool,
    _tasks: DropGuard,
}

struct Shared {
    pending: Mutex<Pending>,
    /// Why it ended, once it did.
    ended: watch::Sender<Option<String>>,
}

#[derive(Default)]
struct Pending {
    closed: bool,
    calls: HashMap<u64, oneshot::Sender<Result<Answer, AgentError>>>,
}

impl Shared {
    fn pending(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection for everyone; the first reason stays.
    fn end(&self, reason: impl Into<String>) {
        let mut pending = self.pending();
        pending.closed = true;
        // Dropped senders tell the waiting callers.
        pending.calls.clear();
        drop(pending);
        self.ended.send_if_modified(|ended| {
            if ended.is_none() {
                *ended = Some(reason.into());
                return true;
            }
            false
        });
    }
}

impl Connection {
    /// Speaks to the agent at the other end of `pipe`. Request ids come from `ids`, which outlives connections, so
    /// that an encoded request can be sent again over the next one. Notices go to `on_notice`, which must not wait.
    pub(super) async fn establish(
        pipe: Pipe,
        ids: Arc<AtomicU64>,
        on_notice: impl Fn(Notice) + Send + Sync + 'static,
    ) -> Result<Arc<Self>, ConnectError> {
        let Pipe { io, build, post_mortem } = pipe;
        let link = Link::client(io);
        let (control, serving) = match tokio::time::timeout(WELCOME_WITHIN, welcome(&link)).await {
            Ok(Ok(welcomed)) => welcomed,
            Ok(Err(WelcomeError::Refused(error))) => {
                link.close();
                return Err(ConnectError::fatal(error));
            }
            Ok(Err(WelcomeError::Ended(reason))) => {
                link.close();
                return Err(explain(reason, post_mortem).await);
            }
            Err(_) => {
                link.close();
                return Err(explain("it sent nothing".to_owned(), post_mortem).await);
            }
        };
        let (reader, writer) = tokio::io::split(control);
        let shared = Arc::new(Shared { pending: Mutex::default(), ended: watch::channel(None).0 });
        let (outgoing, requests) = mpsc::channel(OUTGOING_LEN);
        let stop = CancellationToken::new();
        let connection = Arc::new(Self {
            link: link.clone(),
            outgoing,
            shared: Arc::clone(&shared),
            is_outdated: build.is_some_and(|build| !serving.starts_with(&build)),
            _tasks: stop.clone().drop_guard(),
        });
        spawn_until(&stop, write_requests(Arc::clone(&shared), writer, requests));
        spawn_until(&stop, read_messages(Arc::clone(&shared), reader, Arc::clone(&ids), on_notice));
        spawn_until(&stop, ping(Arc::downgrade(&connection), Arc::clone(&ids)));
        spawn_until(&stop, async move {
            let reason = link.closed().await;
            shared.end(reason.to_string());
        });
        Ok(connection)
    }

    /// Sends an encoded request and waits for its answer. Dropping the future forgets the answer.
    pub(super) async fn call(&self, id: u64, request: Bytes) -> Result<Result<Answer, AgentError>, Lost> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut pending = self.shared.pending();
            if pending.closed {
                drop(pending);
                return Err(self.lost());
            }
            pending.calls.insert(id, sender);
        }
        let _forget = ForgetOnDrop { shared: &self.shared, id };
        if self.outgoing.send(request).await.is_err() {
            return Err(self.lost());
        }
        receiver.await.map_err(|_| self.lost())
    }

    /// Opens a stream and says what it is for.
    pub(super) async fn open(&self, open: &Open) -> Result<LinkStream, Lost> {
        let mut stream = self.link.open().await.map_err(|error| Lost(error.to_string()))?;
        let message = encode(open).map_err(|error| Lost(error.message))?;
        write_frame(&mut stream, &message).await.map_err(|error| Lost(error.to_string()))?;
        Ok(stream)
    }

    /// Whether another build of the agent answers than the one that was started to.
    pub(super) fn is_outdated(&self) -> bool {
        self.is_outdated
    }

    /// Whether it has ended.
    pub(super) fn is_ended(&self) -> bool {
        self.shared.ended.borrow().is_some()
    }

    /// Waits for its end; the reason.
    pub(super) async fn ended(&self) -> String {
        let mut ended = self.shared.ended.subscribe();
        let reason = ended.wait_for(Option::is_some).await;
        reason.ok().and_then(|reason| reason.clone()).unwrap_or_else(|| "it was closed".to_owned())
    }

    /// Ends it.
    pub(super) fn close(&self, reason: &str) {
        self.shared.end(reason);
        self.link.close();
    }

    fn lost(&self) -> Lost {
        Lost(self.shared.ended.borrow().clone().unwrap_or_else(|| "the connection is closing".to_owned()))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.link.close();
    }
}

struct ForgetOnDrop<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for ForgetOnDrop<'_> {
    fn drop(&mut self) {
        self.shared.pending().calls.remove(&self.id);
    }
}

fn spawn_until(stop: &CancellationToken, work: impl Future<Output = ()> + Send + 'static) {
    let stop = stop.clone();
    tokio::spawn(async move {
        stop.run_until_cancelled_owned(work).await;
    });
}

/// The whole of an encoded request.
pub(super) fn encode_request(id: u64, call: Call) -> Result<Bytes, ApiError> {
    let bytes = encode(&Request { id, call })?;
    if bytes.len() > MAX_MESSAGE_LEN {
        return Err(ApiError::new(
            ErrorCode::TooLarge,
            format!("The request has {} bytes, the limit is {MAX_MESSAGE_LEN}.", bytes.len()),
        ));
    }
    Ok(Bytes::from(bytes))
}

enum WelcomeError {
    Refused(ApiError),
    Ended(String),
}

/// The control stream and the build of the agent that serves.
async fn welcome(link: &Link) -> Result<(LinkStream, String), WelcomeError> {
    let ended = |error: aicockpit_link::LinkError| WelcomeError::Ended(error.to_string());
    let mut control = link.open().await.map_err(ended)?;
    let hello = encode(&Open::Control { version: PROTOCOL_VERSION })
        .map_err(|error| WelcomeError::Refused(ApiError::from(error)))?;
    write_frame(&mut control, &hello).await.map_err(ended)?;
    let Some(first) = read_frame(&mut control, check::MAX_WELCOME_LEN).await.map_err(ended)? else {
        return Err(WelcomeError::Ended("it closed the connection".to_owned()));
    };
    match decode::<FromAgent>(&first) {
        Ok(FromAgent::Welcome { version: PROTOCOL_VERSION, build }) => Ok((control, build)),
        Ok(FromAgent::Welcome { version, .. }) => Err(WelcomeError::Refused(
            ApiError::new(
                ErrorCode::AgentUnavailable,
                format!(
                    "The workspace's agent speaks protocol {version}, this AiCockpit {PROTOCOL_VERSION}."
                ),
            )
            .hint("Restart the workspace to bring in the agent of this version."),
        )),
        Ok(_) | Err(_) => Err(WelcomeError::Refused(ApiError::new(
            ErrorCode::Protocol,
            "The workspace's agent did not introduce itself.",
        ))),
    }
}

/// Time to find out why a pipe ended.
const POST_MORTEM_WITHIN: Duration = Duration::from_secs(2);

async fn explain(reason: String, post_mortem: BoxFuture<'static, PostMortem>) -> ConnectError {
    let found = tokio::time::timeout(POST_MORTEM_WITHIN, post_mortem).await.unwrap_or_default();
    let mut error = ApiError::new(
        ErrorCode::AgentUnavailable,
        format!("The workspace's agent does not answer: {reason}."),
    );
    if !found.text.is_empty() {
        error = error.detail(found.text);
    }
    ConnectError { error, fatal: found.fatal }
}

async fn write_requests(
    shared: Arc<Shared>,
    mut control: WriteHalf<LinkStream>,
    mut requests: mpsc::Receiver<Bytes>,
) {
    while let Some(request) = requests.recv().await {
        if let Err(error) = write_frame(&mut control, &request).await {
            shared.end(error.to_string());
            return;
        }
    }
}

async fn read_messages(
    shared: Arc<Shared>,
    mut control: ReadHalf<LinkStream>,
    ids: Arc<AtomicU64>,
    on_notice: impl Fn(Notice),
) {
    let reason = loop {
        let message = match read_frame(&mut control, MAX_MESSAGE_LEN).await {
            Ok(Some(message)) => message,
            Ok(None) => break "the agent closed the connection".to_owned(),
            Err(error) => break error.to_string(),
        };
        match decode::<FromAgent>(&message) {
            Ok(FromAgent::Reply { id, result }) => {
                let waiting = shared.pending().calls.remove(&id);
                match waiting {
                    // The caller may have gone in the meantime.
                    Some(waiting) => drop(waiting.send(result)),
                    None if id < ids.load(Ordering::Relaxed) => {}
                    None => break format!("the agent answered request {id}, which was never sent"),
                }
            }
            Ok(FromAgent::Notice(notice)) => on_notice(check::notice(notice)),
            Ok(FromAgent::Welcome { .. }) => break "the agent introduced itself twice".to_owned(),
            Err(error) => break format!("the agent sent a message that cannot be read: {error}"),
        }
    };
    shared.end(reason);
}

/// Ends a connection that is silent without being closed.
async fn ping(connection: std::sync::Weak<Connection>, ids: Arc<AtomicU64>) {
    loop {
        tokio::time::sleep(PING_EVERY).await;
        let Some(connection) = connection.upgrade() else { return };
        let id = ids.fetch_add(1, Ordering::Relaxed);
        let Ok(request) = encode_request(id, Call::Ping) else { return };
        if tokio::time::timeout(PING_WITHIN, connection.call(id, request)).await.is_err() {
            let silence = PING_WITHIN.as_secs();
            connection.close(&format!("the agent did not answer a ping within {silence} seconds"));
            return;
        }
    }
}
