//! The thread that writes the ledger: requests in one transaction every quarter of a second, and what to do where that
//! fails.

use super::calendar::{HOUR_MS, hour};
use super::currency;
use super::database::{self, Strangers, Trouble};
use super::{Setup, Shared, State, Store};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

/// Longest time that a request waits to be written with others.
const GATHER: Duration = Duration::from_millis(250);
/// Requests that are written without waiting for more.
pub(super) const BATCH: usize = 256;
/// Pause before a file that could not be opened is tried again.
const OPEN_AGAIN: Duration = Duration::from_secs(30);
/// Pause before a write that failed is tried again: a full disk may have room by then.
const WRITE_AGAIN: Duration = Duration::from_secs(5);
/// How often what is old is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(60 * 60);
/// How long single requests are kept in a file.
const REQUESTS_MS: i64 = 90 * 24 * HOUR_MS;
/// How long sums are kept where there is no file: a month's budget needs a month.
const MEMORY_HOURS_MS: i64 = 62 * 24 * HOUR_MS;

/// What the writer is told.
pub(super) enum Message {
    /// Requests have ended: the first since some were taken, or as many as a batch.
    Ended,
    /// Write what came before this. True is answered where all of it is in the database.
    Write {
        /// Also where it has just failed.
        at_once: bool,
        answer: SyncSender<bool>,
    },
    /// A reader found the file damaged.
    Damaged,
    /// What currency the settings' prices are in.
    PricedIn(String),
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    strangers: Strangers,
    /// When the oldest of those that wait is written.
    due: Option<Instant>,
    /// After something failed: not before this.
    again: Option<Instant>,
    forget_at: Instant,
    /// What currency the settings' prices were first said to be in.
    priced_in: Option<String>,
    /// Requests that were written since old ones were forgotten.
    written: i64,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let forget_at = Instant::now();
        Self {
            shared,
            strangers: Strangers::default(),
            due: None,
            again: None,
            forget_at,
            priced_in: None,
            written: 0,
        }
    }

    /// Until nobody is left who could tell of a request.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        self.open();
        self.work();
        loop {
            match messages.recv_timeout(self.until_next()) {
                Ok(Message::Ended) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Message::Write { at_once, answer }) => {
                    let is_written = self.write(at_once);
                    // Who asked may have stopped waiting.
                    let _ = answer.try_send(is_written);
                }
                Ok(Message::Damaged) => self.reopen(),
                Ok(Message::PricedIn(currency)) => {
                    self.priced_in.get_or_insert(currency);
                    self.name_unknown();
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.work();
        }
        self.write(true);
        let mut state = self.shared.state();
        let left = std::mem::take(&mut state.waiting).len();
        if left > 0 {
            let why = state.why.clone().unwrap_or_default();
            tracing::warn!(left, why, "requests could not be written into the usage ledger");
        }
        state.store = None;
    }

    fn setup(&self) -> &Setup {
        &self.shared.setup
    }

    fn until_next(&self) -> Duration {
        let due = self.due.map(|due| due.max(self.again.unwrap_or(due)));
        let next = due.map_or(self.forget_at, |due| due.min(self.forget_at));
        next.saturating_duration_since(Instant::now())
    }

    /// Takes all that was told. What is too much is lost, the oldest first.
    fn take(&self) {
        let told = std::mem::take(&mut *self.shared.told());
        let mut state = self.shared.state();
        state.waiting.extend(told);
        let beyond = state.waiting.len().saturating_sub(self.setup().waiting);
        if beyond > 0 {
            state.waiting.drain(..beyond);
            let why = state.why.clone().unwrap_or_else(|| "it was slow".to_owned());
            drop(state);
            self.shared.lose(beyond as u64, &why);
        }
    }

    /// Whatever is due.
    fn work(&mut self) {
        let now = Instant::now();
        let told = self.shared.told().len();
        if told > 0 {
            self.due.get_or_insert(now + GATHER);
        }
        if told >= BATCH || self.due.is_some_and(|due| due <= now) {
            self.write(false);
        }
        let often = self.setup().most_requests / 4;
        if self.forget_at <= now || self.written > often {
            self.forget();
        }
    }

    /// Writes all that waits. True where nothing waits any more.
    fn write(&mut self, at_once: bool) -> bool {
        self.take();
        let now = Instant::now();
        if self.again.is_some_and(|again| now < again) && !at_once {
            return self.shared.state().waiting.is_empty();
        }
        if self.shared.state().store.is_none() {
            self.open();
        }
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        let State { store, waiting, why, .. } = &mut *state;
        if waiting.is_empty() {
            self.due = None;
            return true;
        }
        let Some(store) = store else { return false };
        match database::write(&mut store.writer, &shared.setup.zone, &mut self.strangers, waiting.iter()) {
            Ok(()) => {
                self.written += i64::try_from(waiting.len()).unwrap_or(i64::MAX);
                waiting.clear();
                self.due = None;
                self.again = None;
                if why.take().is_some() {
                    tracing::info!("the usage ledger can be written again");
                }
                true
            }
            Err(error) => {
                let is_damage = database::is_damage(&error);
                self.failed(state, &error.to_string(), WRITE_AGAIN);
                if is_damage {
                    self.reopen();
                }
                false
            }
        }
    }

    fn failed(&mut self, mut state: MutexGuard<'_, State>, error: &str, pause: Duration) {
        let path = self.shared.setup.path.as_deref().unwrap_or(Path::new("memory"));
        let why = format!("{} cannot be written: {error}", path.display());
        if state.why.as_ref() != Some(&why) {
            tracing::warn!("{why}; requests are kept in memory, and it is tried again");
            state.why = Some(why);
        }
        self.again = Some(Instant::now() + pause);
    }

    /// Opens the file, also in the place of a damaged one.
    fn open(&mut self) {
        let shared = Arc::clone(&self.shared);
        let opened = match &shared.setup.path {
            None => database::in_memory().map(|writer| Store { writer, reader: None }),
            Some(path) => open(path),
        };
        let mut state = shared.state();
        match opened {
            Ok(store) => {
                state.store = Some(store);
                self.again = None;
                drop(state);
                self.name_unknown();
            }
            Err(Trouble::Damaged(why) | Trouble::Other(why)) => {
                self.failed(state, &why, OPEN_AGAIN);
                // Nothing may wait yet, and the file is to be there when something does.
                self.due.get_or_insert_with(Instant::now);
            }
        }
    }

    /// Says what costs are in that were written before currencies were kept.
    fn name_unknown(&self) {
        let state = self.shared.state();
        let (Some(currency), Some(store)) = (&self.priced_in, &state.store) else { return };
        if let Err(error) = currency::name_unknown(&store.writer, currency) {
            // It is said again when the file is opened the next time; until then they count as the asked one.
            tracing::warn!(%error, "the usage ledger does not keep what old costs are in");
        }
    }

    fn reopen(&mut self) {
        self.shared.state().store = None;
        self.open();
    }

    /// Forgets what is old. One piece at a time: those who read and write are let in between.
    fn forget(&mut self) {
        self.forget_at = Instant::now() + FORGET_EVERY;
        self.written = 0;
        let now_ms = (self.setup().now)();
        let (zone, most) = (&self.setup().zone, self.setup().most_requests);
        let is_file = self.setup().path.is_some();
        let until_ms = hour(zone, now_ms.saturating_sub(REQUESTS_MS));
        loop {
            let mut state = self.shared.state();
            let Some(store) = &mut state.store else { return };
            let forgot = database::forget(&mut store.writer, until_ms, most).and_then(|more| {
                if !more && !is_file {
                    let until_ms = now_ms.saturating_sub(MEMORY_HOURS_MS);
                    database::forget_hours(&store.writer, until_ms)?;
                }
                Ok(more)
            });
            match forgot {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(%error, "old requests stay in the usage ledger for now");
                    return;
                }
            }
        }
    }
}

fn open(path: &Path) -> Result<Store, Trouble> {
    let both = || -> Result<Store, Trouble> {
        let writer = database::open(path)?;
        Ok(Store { writer, reader: Some(database::open_to_read(path)?) })
    };
    match both() {
        Err(Trouble::Damaged(why)) => {
            let aside = database::move_aside(path).map_err(|error| {
                Trouble::Other(format!("it is damaged ({why}) and cannot be moved aside: {error}"))
            })?;
            tracing::warn!(
                "the usage ledger {} is damaged ({why}). It is kept as {}, and a new one begins.",
                path.display(),
                aside.display()
            );
            both()
        }
        // Another process may be making the tables at this moment.
        Err(Trouble::Other(_)) => both(),
        opened => opened,
    }
}
