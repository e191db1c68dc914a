//! The usage ledger: who asked which model, how much, and how long it took.
//!
//! **Invariant:** serving never waits for it. Telling it of a request is a push onto a bounded queue; a thread of its
//! own writes, and is woken for a batch, not for each request. What it cannot write it keeps in memory, and what is too
//! much for that it counts as lost. No prompt, no answer and no key is ever in it.
//!
//! Single requests stay for 90 days; the sums of each hour stay.

pub(crate) mod calendar;
mod currency;
mod database;
mod query;
pub(crate) mod row;
mod sums;
mod writer;

use crate::flight::Outcome;
use aicockpit_protocol::usage::{RequestEntry, RequestsQuery, UsageQuery, UsageReport, UsageSum};
use jiff::tz::TimeZone;
use query::Ledger;
use rusqlite::Connection;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use writer::{BATCH, Message, Writer};

/// Requests that wait for the thread that writes.
const QUEUE: usize = 8192;
/// Questions and news that wait for it.
const MESSAGES: usize = 256;
/// Requests that are kept in memory while they cannot be written.
const WAITING: usize = 10_000;
/// Single requests in a file at most, about one gigabyte.
const MOST_IN_FILE: i64 = 4_000_000;
/// Single requests at most where there is no file.
const MOST_IN_MEMORY: i64 = 10_000;
/// How long a question waits until what was told before it is written.
const SETTLE_WITHIN: Duration = Duration::from_secs(10);

/// What a ledger is made with; tests set more of it than others.
pub(crate) struct Setup {
    path: Option<PathBuf>,
    zone: TimeZone,
    now: fn() -> i64,
    queue: usize,
    waiting: usize,
    most_requests: i64,
}

impl Setup {
    fn new(path: Option<PathBuf>) -> Self {
        let most_requests = if path.is_some() { MOST_IN_FILE } else { MOST_IN_MEMORY };
        let zone = TimeZone::system();
        Self { path, zone, now: now_ms, queue: QUEUE, waiting: WAITING, most_requests }
    }
}

/// An open database.
struct Store {
    /// A connection for questions; a database in memory has one connection only. Closed before the other, which moves
    /// the log into the file when it is the last.
    reader: Option<Connection>,
    writer: Connection,
}

/// Held for as long as a transaction or a question takes, so that no request is seen twice or not at all on its way
/// into the database. Nobody who serves waits for it.
#[derive(Default)]
struct State {
    /// Not in the database yet.
    waiting: VecDeque<RequestEntry>,
    store: Option<Store>,
    /// Why the last write failed.
    why: Option<String>,
}

#[derive(Default)]
struct Lost {
    requests: u64,
    why: Option<String>,
}

struct Shared {
    setup: Setup,
    /// Those that have ended and that the thread has not taken yet. Held for a push, or for taking them all.
    told: Mutex<Vec<RequestEntry>>,
    state: Mutex<State>,
    lost: Mutex<Lost>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self) -> MutexGuard<'_, Vec<RequestEntry>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lose(&self, requests: u64, why: &str) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if lost.why.as_deref() != Some(why) {
            tracing::warn!("requests are missing from the usage ledger: {why}");
            lost.why = Some(why.to_owned());
        }
        lost.requests += requests;
    }
}

/// The thread that writes, and the way to it.
struct Thread {
    messages: SyncSender<Message>,
    handle: std::thread::JoinHandle<()>,
}

struct Handle {
    shared: Arc<Shared>,
    thread: OnceLock<Option<Thread>>,
}

impl Handle {
    /// Begins at the first use: a ledger in memory that nobody uses costs nothing.
    fn thread(&self) -> Option<&Thread> {
        let start = || {
            let (messages, received) = sync_channel(MESSAGES);
            let writer = Writer::new(Arc::clone(&self.shared));
            let thread = std::thread::Builder::new().name("usage-ledger".to_owned());
            match thread.spawn(move || writer.run(&received)) {
                Ok(handle) => Some(Thread { messages, handle }),
                Err(error) => {
                    tracing::warn!(%error, "the usage ledger has no thread to write it");
                    None
                }
            }
        };
        self.thread.get_or_init(start).as_ref()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let Some(Some(Thread { messages, handle })) = self.thread.take() else { return };
        drop(messages);
        // It writes what waits, and ends. It never panics; if it did, nothing could be done here.
        let _ = handle.join();
    }
}

/// The usage ledger. Cheap to clone; all clones are one. Dropping the last writes what waits.
#[derive(Clone)]
pub struct UsageLedger(Arc<Handle>);

impl Default for UsageLedger {
    /// In memory, for the length of the process.
    fn default() -> Self {
        Self::open(None)
    }
}

impl fmt::Debug for UsageLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UsageLedger").field("path", &self.0.shared.setup.path).finish_non_exhaustive()
    }
}

impl UsageLedger {
    /// Opens the ledger in this file, or begins one there. In memory alone where none is named: then single requests
    /// are kept as long as there are not too many.
    ///
    /// Never fails. A damaged file is moved aside to `NAME.broken-N` and a new one begun. Where a file cannot be
    /// written, requests are kept in memory and it is tried again; those that are too many for that are counted in
    /// [`UsageReport::lost`].
    pub fn open(path: Option<PathBuf>) -> Self {
        Self::with(Setup::new(path))
    }

    fn with(setup: Setup) -> Self {
        let is_file = setup.path.is_some();
        let shared =
            Shared { setup, told: Mutex::default(), state: Mutex::default(), lost: Mutex::default() };
        let handle = Handle { shared: Arc::new(shared), thread: OnceLock::new() };
        if is_file {
            handle.thread();
        }
        Self(Arc::new(handle))
    }

    /// A request has ended. Never waits.
    pub fn note(&self, outcome: &Outcome) {
        let shared = &self.0.shared;
        let Some(thread) = self.0.thread() else {
            return shared.lose(1, "there is no thread to write them");
        };
        let entry = row::entry(outcome);
        let mut told = shared.told();
        if told.len() >= shared.setup.queue {
            drop(told);
            return shared.lose(1, "they ended faster than they could be written");
        }
        told.push(entry);
        // The first begins to wait for others, and a batch is full: between the two the thread sleeps.
        let wakes = matches!(told.len(), 1 | BATCH);
        drop(told);
        // One that has much to do looks at all that was told anyhow.
        if wakes && let Err(TrySendError::Disconnected(_)) = thread.messages.try_send(Message::Ended) {
            let left = std::mem::take(&mut *shared.told()).len();
            shared.lose(left as u64, "the thread that writes them has ended");
        }
    }

    /// Says what currency the settings' prices are in. Costs from before currencies were kept are in this one from now on,
    /// unless that was said before.
    pub(crate) fn priced_in(&self, currency: &str) {
        // A ledger that begins with its process has no such costs.
        if let Some(Some(thread)) = self.0.thread.get() {
            // Where the thread has ended, nothing is written.
            let _ = thread.messages.send(Message::PricedIn(currency.to_owned()));
        }
    }

    /// Writes all that was told before. True where all of it is in the file, and the end of this process by any means
    /// does not take it away. Blocks for as long as that takes.
    pub fn flush(&self) -> bool {
        self.write(true, None)
    }

    /// Sums and their course, with the costs of one currency: those of others are not added, only named. Blocks; a failure
    /// to read is told as [`UsageReport::why_lost`].
    pub fn report(&self, query: &UsageQuery, currency: &str) -> UsageReport {
        let now_ms = (self.0.shared.setup.now)();
        let mut report = self.ask(|ledger| query::report(ledger, query, currency, now_ms));
        let (lost, why) = self.lost();
        if let Ok(report) = &mut report {
            report.why_lost = why.filter(|_| lost > 0);
        }
        let mut report = report.unwrap_or_else(|error| UsageReport {
            currency: currency.to_owned(),
            why_lost: Some(format!("the ledger cannot be read: {error}")),
            ..UsageReport::default()
        });
        report.lost = lost;
        report
    }

    /// Single requests, the newest first. Blocks. [`RequestEntry::is_kept`] is for those to set who keep them.
    pub fn requests(&self, query: &RequestsQuery) -> Vec<RequestEntry> {
        self.ask(|ledger| query::requests(ledger, query)).unwrap_or_default()
    }

    /// Sums by owner of all requests that came at `from_ms` (milliseconds since 1970) or later, with the costs of one
    /// currency. Blocks.
    pub fn sums_since(&self, from_ms: i64, currency: &str) -> HashMap<String, UsageSum> {
        self.ask(|ledger| query::sums_since(ledger, from_ms, currency)).unwrap_or_default()
    }

    /// Requests since the start that could not be written down, and why the last of them could not.
    pub fn lost(&self) -> (u64, Option<String>) {
        let lost = self.0.shared.lost.lock().unwrap_or_else(PoisonError::into_inner);
        (lost.requests, lost.why.clone())
    }

    fn write(&self, at_once: bool, within: Option<Duration>) -> bool {
        // Nothing was told yet.
        let Some(Some(thread)) = self.0.thread.get() else { return true };
        let (answer, answered) = sync_channel(1);
        let message = Message::Write { at_once, answer };
        match within {
            None => thread.messages.send(message).is_ok() && answered.recv().unwrap_or(false),
            Some(within) => {
                thread.messages.try_send(message).is_ok() && answered.recv_timeout(within).unwrap_or(false)
            }
        }
    }

    fn ask<T>(&self, question: impl FnOnce(&Ledger<'_>) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        // Who has just seen a request end finds it. What cannot be written is read from memory.
        self.write(false, Some(SETTLE_WITHIN));
        let shared = &self.0.shared;
        let state = shared.state();
        let store = state.store.as_ref();
        let database = store.map(|store| store.reader.as_ref().unwrap_or(&store.writer));
        let answer = question(&Ledger { database, waiting: &state.waiting, zone: &shared.setup.zone });
        drop(state);
        if let Err(error) = &answer {
            tracing::warn!(%error, "the usage ledger cannot be read");
            if let (true, Some(Some(thread))) = (database::is_damage(error), self.0.thread.get()) {
                // The next question may find the queue with more room.
                let _ = thread.messages.try_send(Message::Damaged);
            }
        }
        answer
    }
}

/// A ledger's file cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the usage ledger {path} cannot be read: {why}")]
pub struct LedgerError {
    path: PathBuf,
    why: String,
}

/// A report from the ledger in a file that another process may be writing, with the costs of one currency; without one,
/// of the last request's. The file is not changed. Blocks.
///
/// # Errors
/// There is no such file, or no ledger in it.
pub fn report_of_file(
    path: &Path,
    query: &UsageQuery,
    currency: Option<&str>,
) -> Result<UsageReport, LedgerError> {
    in_file(path, |ledger, connection| {
        let known = currency::Currencies::read(connection)?;
        let last = known.last(connection)?.unwrap_or_default();
        query::report(ledger, query, currency.unwrap_or(last), now_ms())
    })
}

/// Single requests from the ledger in a file, as [`report_of_file`]; the newest first.
///
/// # Errors
/// As [`report_of_file`].
pub fn requests_of_file(path: &Path, query: &RequestsQuery) -> Result<Vec<RequestEntry>, LedgerError> {
    in_file(path, |ledger, _| query::requests(ledger, query))
}

fn in_file<T>(
    path: &Path,
    read: impl FnOnce(&Ledger<'_>, &Connection) -> rusqlite::Result<T>,
) -> Result<T, LedgerError> {
    let told = |why: String| LedgerError { path: path.to_owned(), why };
    let connection = database::open_to_read(path).map_err(|trouble| match trouble {
        database::Trouble::Damaged(why) | database::Trouble::Other(why) => told(why),
    })?;
    let (waiting, zone) = (VecDeque::new(), TimeZone::system());
    let ledger = Ledger { database: Some(&connection), waiting: &waiting, zone: &zone };
    read(&ledger, &connection).map_err(|error| told(error.to_string()))
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
