//! One request on its way: what becomes of it, told exactly once, also when the client goes away in the middle.

use crate::backend::Slot;
use crate::estimate;
use crate::limits::Pass;
use crate::offline::Gate;
use crate::on_demand::InUse;
use crate::prices::{Prices, Rate};
use crate::refusal::Refusal;
use crate::responses::{Home, Stored};
use crate::trace;
pub use aicockpit_protocol::usage::RequestEnd as End;
use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};
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

/// Tokens, as the backend counted them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(from = "Told")]
pub struct Usage {
    /// Of the question.
    pub input_tokens: u64,
    /// Of the answer.
    pub output_tokens: u64,
    /// Of the question's, those that the backend had cached.
    pub cached_tokens: u64,
}

/// The same in the words of chats and completions, and in those of responses. Some servers say it in both.
#[derive(Deserialize)]
struct Told {
    prompt_tokens: Option<u64>,
    input_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    output_tokens: Option<u64>,
    prompt_tokens_details: Option<Details>,
    input_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
}

impl From<Told> for Usage {
    fn from(told: Told) -> Self {
        let input_tokens = told.prompt_tokens.or(told.input_tokens).unwrap_or(0);
        let details = told.prompt_tokens_details.or(told.input_tokens_details);
        let cached = details.and_then(|details| details.cached_tokens).unwrap_or(0);
        Self {
            input_tokens,
            output_tokens: told.completion_tokens.or(told.output_tokens).unwrap_or(0),
            cached_tokens: cached.min(input_tokens),
        }
    }
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
    /// What it is charged for where the backend worked on it and did not tell: cut off or left before its end, or by a
    /// backend that counts nothing. Four bytes of text are a token, so that cancelling is no way around a budget.
    pub estimate: Option<Usage>,
    /// Bytes of the answer that the backend sent.
    pub bytes: u64,
    /// Lines of the answer that no event stream should hold.
    pub malformed: u64,
    /// When it came.
    pub at: SystemTime,
    /// Money, by the prices of the settings.
    pub cost: f64,
    /// The currency of those prices.
    pub currency: Arc<str>,
    /// Waiting for a place at a backend, and until a server that sleeps was ready; in `before` too.
    pub queued: Duration,
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

    /// Whether [`Observer::question`] and [`Observer::piece`] are to be told of a request that begins now.
    fn wants_bodies(&self) -> bool {
        false
    }

    /// What a request asks, as it came. Told once, before it is sent to a backend.
    fn question(&self, _request: &str, _body: &Bytes) {}

    /// A piece of its answer, as it goes out to the client.
    fn piece(&self, _request: &str, _bytes: &[u8]) {}
}

/// Ways to end.
pub(crate) const ENDS: usize = 7;

/// Sums since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    open: AtomicU64,
    ended: [AtomicU64; ENDS],
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
pub(crate) struct Records {
    pub(crate) counters: Arc<Counters>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

/// What a request brings to its flight.
pub(crate) struct Boarding {
    pub(crate) records: Records,
    /// Its place in its owner's account.
    pub(crate) pass: Pass,
    pub(crate) prices: Arc<Prices>,
    pub(crate) request: String,
    pub(crate) owner: Arc<str>,
    pub(crate) endpoint: Endpoint,
    pub(crate) model: String,
    /// What it has to do with responses that backends store.
    pub(crate) stored: Option<Stored>,
}

/// A request on its way, with its place at the backend. Dropped before it has landed, it was cancelled.
pub(crate) struct Flight {
    outcome: Outcome,
    span: tracing::Span,
    received: Instant,
    sent: Instant,
    slot: Option<Slot>,
    /// What keeps a server on demand from being stopped.
    in_use: Option<InUse>,
    /// It was sent to the backend whose slot it has.
    is_out: bool,
    records: Records,
    /// Who is told what is asked and answered.
    listener: Option<Arc<dyn Observer>>,
    pass: Pass,
    prices: Arc<Prices>,
    rate: Rate,
    stored: Option<Stored>,
    /// Bytes of the question and of the answer's text, for an estimate.
    asked: u64,
    text: u64,
}

impl Flight {
    pub(crate) fn new(boarding: Boarding, question: &Bytes) -> Self {
        let Boarding { records, pass, prices, request, owner, endpoint, model, stored } = boarding;
        records.counters.open.fetch_add(1, Relaxed);
        let asks_model = !matches!(stored, Some(Stored::IsAbout(_)));
        let listener = records.observer.clone().filter(|observer| asks_model && observer.wants_bodies());
        if let Some(listener) = &listener {
            listener.question(&request, question);
        }
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
            estimate: None,
            bytes: 0,
            malformed: 0,
            at: SystemTime::now(),
            cost: 0.0,
            currency: Arc::clone(prices.currency()),
            queued: Duration::ZERO,
            before: Duration::ZERO,
            first_byte: None,
            total: Duration::ZERO,
        };
        let now = Instant::now();
        Self {
            span: trace::begin(&outcome),
            outcome,
            received: now,
            sent: now,
            slot: None,
            in_use: None,
            is_out: false,
            records,
            listener,
            pass,
            prices,
            rate: Rate::default(),
            stored,
            asked: estimate::question(question),
            text: 0,
        }
    }

    /// Lets it in, and says how its owner's rates stand.
    ///
    /// # Errors
    /// A limit is reached.
    pub(crate) fn admit(&mut self) -> Result<HeaderMap, Refusal> {
        self.pass.admit()
    }

    /// It has waited for a place, or for a server to be ready.
    pub(crate) fn queued(&mut self, time: Duration) {
        self.outcome.queued += time;
    }

    /// It has a place at a backend.
    pub(crate) fn take(&mut self, slot: Slot, model: &Arc<str>) {
        let settings = &slot.backend().settings;
        self.rate = self.prices.of(settings, model);
        self.outcome.target = Some((settings.id.clone(), Arc::clone(model)));
        self.slot = Some(slot);
    }

    /// The backend is kept from being stopped as long as it needs it.
    pub(crate) fn uses(&mut self, in_use: InUse) {
        self.in_use = Some(in_use);
    }

    /// It is about to be sent to the backend.
    pub(crate) fn sent(&mut self) {
        self.sent = Instant::now();
        self.is_out = true;
        self.outcome.before = self.sent - self.received;
        self.outcome.attempts += 1;
        if self.outcome.attempts > 1 {
            self.records.counters.retried.fetch_add(1, Relaxed);
        }
    }

    /// The backend's place is given up, the request goes on.
    pub(crate) fn leave(&mut self) {
        self.is_out = false;
        self.slot = None;
        self.in_use = None;
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

    /// So many bytes of text have come in all.
    pub(crate) fn told(&mut self, text: u64) {
        self.text = text;
    }

    /// Bytes of an answer that nobody reads. Embeddings are no text.
    pub(crate) fn bytes_of_text(&self) -> u64 {
        if self.outcome.endpoint == Endpoint::Embeddings { 0 } else { self.outcome.bytes }
    }

    /// What stands before the backend, where that is not near.
    pub(crate) fn gate(&self) -> Option<&Gate> {
        self.slot.as_ref().and_then(|slot| slot.backend().gate())
    }

    /// A part of the answer goes out.
    pub(crate) fn piece(&mut self, bytes: &[u8]) {
        if self.stored.is_some() && self.has_begun() {
            self.look(bytes);
        }
        if let Some(listener) = &self.listener {
            listener.piece(&self.outcome.request, bytes);
        }
    }

    /// The id of a response that the backend stores may be in it.
    fn look(&mut self, bytes: &[u8]) {
        let (Some(stored), Some(slot), Some((_, model))) =
            (&mut self.stored, &self.slot, &self.outcome.target)
        else {
            return;
        };
        let settings = &slot.backend().settings;
        stored.look(self.outcome.streamed, bytes, || Home {
            owner: Arc::clone(&self.outcome.owner),
            backend: settings.id.clone(),
            name: settings.name.clone(),
            model: Arc::clone(model),
            asked: self.outcome.model.clone(),
        });
    }

    /// The answer has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.outcome.first_byte.is_some()
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

impl Flight {
    /// What it is charged for where no backend told. What a backend refused or failed at was no work.
    fn estimate(&self) -> Option<Usage> {
        let was_work = !matches!(self.outcome.end, End::Refused | End::Failed);
        (was_work && self.is_out && self.outcome.usage.is_none())
            .then(|| estimate::usage(self.asked, self.text))
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.outcome.estimate = self.estimate();
        // The place first: who sees the outcome may count on it.
        self.leave();
        let Self { outcome, records, span, stored, .. } = self;
        let is_charged = stored.as_ref().is_none_or(|stored| stored.settle(outcome));
        outcome.total = self.received.elapsed();
        outcome.cost = outcome.usage.or(outcome.estimate).map_or(0.0, |used| self.rate.cost(used));
        let counters = &records.counters;
        counters.open.fetch_sub(1, Relaxed);
        if !is_charged {
            return trace::finish(span, outcome);
        }
        self.pass.settle(outcome);
        counters.ended[outcome.end as usize].fetch_add(1, Relaxed);
        counters.malformed.fetch_add(outcome.malformed, Relaxed);
        if let Some(usage) = outcome.usage {
            counters.input_tokens.fetch_add(usage.input_tokens, Relaxed);
            counters.output_tokens.fetch_add(usage.output_tokens, Relaxed);
        }
        trace::finish(span, outcome);
        tracing::debug!(
            parent: &*span, request = %outcome.request, owner = %outcome.owner, endpoint = ?outcome.endpoint,
            model = %outcome.model, target = ?outcome.target, attempts = outcome.attempts, end = ?outcome.end,
            status = outcome.status, usage = ?outcome.usage, bytes = outcome.bytes,
            malformed = outcome.malformed, queued = ?outcome.queued, before = ?outcome.before,
            first_byte = ?outcome.first_byte, total = ?outcome.total, "a request ended"
        );
        if let Some(observer) = &records.observer {
            observer.ended(outcome);
        }
    }
}
