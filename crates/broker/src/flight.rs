//! One request on its way: what becomes of it, told exactly once, also when the client goes away in the middle.

use crate::backend::Slot;
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::Instant;

/// What is asked of a model.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Endpoint {
    /// `/chat/completions`
    Chat,
    /// `/completions`
    Completions,
    /// `/embeddings`
    Embeddings,
    /// `/responses`
    Responses,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Chat, Self::Completions, Self::Embeddings, Self::Responses];

    /// Its path after the base address.
    pub fn path(self) -> &'static str {
        match self {
            Self::Chat => "chat/completions",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Responses => "responses",
        }
    }
}

/// How a request ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The answer went out whole.
    Complete,
    /// The client's fault, or a limit: a status from 400 to 499.
    Refused,
    /// No backend gave an answer.
    Failed,
    /// The backend ended the answer before it was whole.
    Cut,
    /// The backend sent nothing for too long, in the middle of an answer.
    Stalled,
    /// The backend told of an error in the middle of an answer.
    ToldError,
    /// The client went away.
    Cancelled,
}

/// Tokens, as the backend counted them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
pub struct Usage {
    /// Of the question.
    #[serde(default, alias = "prompt_tokens")]
    pub input_tokens: u64,
    /// Of the answer.
    #[serde(default, alias = "completion_tokens")]
    pub output_tokens: u64,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The id that the client was told.
    pub request: String,
    /// Whose key it came with.
    pub owner: Arc<str>,
    /// What was asked.
    pub endpoint: Endpoint,
    /// The model's name as the client gave it.
    pub model: String,
    /// Id of the backend that answered, and the model's name there.
    pub target: Option<(String, Arc<str>)>,
    /// Times it was sent to a backend.
    pub attempts: u32,
    /// The answer came as events.
    pub streamed: bool,
    /// Status that the client was given; absent where it left before.
    pub status: Option<u16>,
    /// How it ended.
    pub end: End,
    /// Tokens, where the backend told.
    pub usage: Option<Usage>,
    /// Bytes of the answer that the backend sent.
    pub bytes: u64,
    /// Lines of the answer that no event stream should hold.
    pub malformed: u64,
    /// From the request's last byte until the last attempt was sent: our own work, and attempts that failed.
    pub before: Duration,
    /// From then to the answer's first byte.
    pub first_byte: Option<Duration>,
    /// From the request's last byte to the end.
    pub total: Duration,
}

/// Is told of every request that reached a backend, once it has ended. Called in the path of answers: it must not
/// wait.
pub trait Observer: Send + Sync {
    /// A request has ended.
    fn ended(&self, outcome: &Outcome);
}

/// Sums since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    open: AtomicU64,
    ended: [AtomicU64; 7],
    retried: AtomicU64,
    input_tokens: AtomicU64,
    output_tokens: AtomicU64,
    malformed: AtomicU64,
}

/// The counters at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Requests on their way now.
    pub open: u64,
    /// Ended, by how.
    pub complete: u64,
    /// See [`End::Refused`].
    pub refused: u64,
    /// See [`End::Failed`].
    pub failed: u64,
    /// See [`End::Cut`].
    pub cut: u64,
    /// See [`End::Stalled`].
    pub stalled: u64,
    /// See [`End::ToldError`].
    pub told_error: u64,
    /// See [`End::Cancelled`].
    pub cancelled: u64,
    /// Attempts after the first.
    pub retried: u64,
    /// Tokens of questions.
    pub input_tokens: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// Lines that no event stream should hold.
    pub malformed: u64,
}

impl Counters {
    pub(crate) fn read(&self) -> Counts {
        let ended = |end: End| self.ended[end as usize].load(Relaxed);
        Counts {
            open: self.open.load(Relaxed),
            complete: ended(End::Complete),
            refused: ended(End::Refused),
            failed: ended(End::Failed),
            cut: ended(End::Cut),
            stalled: ended(End::Stalled),
            told_error: ended(End::ToldError),
            cancelled: ended(End::Cancelled),
            retried: self.retried.load(Relaxed),
            input_tokens: self.input_tokens.load(Relaxed),
            output_tokens: self.output_tokens.load(Relaxed),
            malformed: self.malformed.load(Relaxed),
        }
    }
}

/// Where outcomes go.
#[derive(Clone, Default)]
pub(crate) struct Ledger {
    pub(crate) counters: Arc<Counters>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

/// A request on its way, with its place at the backend. Dropped before it has landed, it was cancelled.
pub(crate) struct Flight {
    outcome: Outcome,
    received: Instant,
    sent: Instant,
    slot: Option<Slot>,
    ledger: Ledger,
}

impl Flight {
    pub(crate) fn new(
        ledger: Ledger,
        request: String,
        owner: Arc<str>,
        endpoint: Endpoint,
        model: String,
    ) -> Self {
        ledger.counters.open.fetch_add(1, Relaxed);
        let outcome = Outcome {
            request,
            owner,
            endpoint,
            model,
            target: None,
            attempts: 0,
            streamed: false,
            status: None,
            end: End::Cancelled,
            usage: None,
            bytes: 0,
            malformed: 0,
            before: Duration::ZERO,
            first_byte: None,
            total: Duration::ZERO,
        };
        let now = Instant::now();
        Self { outcome, received: now, sent: now, slot: None, ledger }
    }

    /// It is about to be sent to a backend; the place at the one before is given up.
    pub(crate) fn sent(&mut self, slot: Slot, model: Arc<str>) {
        self.sent = Instant::now();
        self.outcome.before = self.sent - self.received;
        self.outcome.target = Some((slot.backend().settings.id.clone(), model));
        self.outcome.attempts += 1;
        if self.outcome.attempts > 1 {
            self.ledger.counters.retried.fetch_add(1, Relaxed);
        }
        self.slot = Some(slot);
    }

    /// The backend's place is given up, the request goes on.
    pub(crate) fn leave(&mut self) {
        self.slot = None;
    }

    /// The answer has begun.
    pub(crate) fn answered(&mut self, status: u16, streamed: bool) {
        self.outcome.first_byte = Some(self.sent.elapsed());
        self.outcome.status = Some(status);
        self.outcome.streamed = streamed;
    }

    pub(crate) fn received(&mut self, bytes: usize) {
        self.outcome.bytes += bytes as u64;
    }

    pub(crate) fn malformed(&mut self) {
        self.outcome.malformed += 1;
    }

    pub(crate) fn used(&mut self, usage: Usage) {
        self.outcome.usage = Some(usage);
    }

    pub(crate) fn request(&self) -> &str {
        &self.outcome.request
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        self.outcome.endpoint
    }

    /// The model's name as the client gave it.
    pub(crate) fn model(&self) -> &str {
        &self.outcome.model
    }

    /// It has come to its end.
    pub(crate) fn land(mut self, end: End, status: Option<u16>) {
        self.outcome.end = end;
        self.outcome.status = status.or(self.outcome.status);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        // The place first: who sees the outcome may count on it.
        self.slot = None;
        let Self { outcome, ledger, .. } = self;
        outcome.total = self.received.elapsed();
        let counters = &ledger.counters;
        counters.open.fetch_sub(1, Relaxed);
        counters.ended[outcome.end as usize].fetch_add(1, Relaxed);
        counters.malformed.fetch_add(outcome.malformed, Relaxed);
        if let Some(usage) = outcome.usage {
            counters.input_tokens.fetch_add(usage.input_tokens, Relaxed);
            counters.output_tokens.fetch_add(usage.output_tokens, Relaxed);
        }
        tracing::debug!(
            request = %outcome.request, owner = %outcome.owner, endpoint = ?outcome.endpoint,
            model = %outcome.model, target = ?outcome.target, attempts = outcome.attempts, end = ?outcome.end,
            status = outcome.status, usage = ?outcome.usage, bytes = outcome.bytes,
            malformed = outcome.malformed, before = ?outcome.before, first_byte = ?outcome.first_byte,
            total = ?outcome.total, "a request ended"
        );
        if let Some(observer) = &ledger.observer {
            observer.ended(outcome);
        }
    }
}
