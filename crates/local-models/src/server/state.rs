//! What is known of all servers, and the changes of it that need no waiting.

use super::failure::{Again, Failure};
use super::log::Log;
use super::room::Seeker;
use super::update::Updates;
use crate::estimate::Plan;
use aicockpit_protocol::local_models::{
    IDLE_MINUTES, LocalModelSettings, LocalPhase, LocalServer, LocalServerSettings,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// So many ends within this time, and it is left alone.
const MOST_FAILURES: usize = 5;
const FAILURES_WITHIN: Duration = Duration::from_secs(600);

/// Why a server is to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Halt {
    /// A person said so.
    ByHand,
    /// Its settings changed, or it is gone from them.
    Changed,
    /// Another one needs its memory.
    MakeRoom,
    /// Nobody asked for a while.
    Idle,
    /// It has a network, and offline was switched on.
    Offline,
    /// All ends.
    Closing,
}

/// How one life of a server ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It was ended.
    Halted(Halt),
    /// Nobody wants it any more; it was not started.
    Unwanted,
    /// It was not started, or ended by itself.
    Failed { failure: Failure, ready: bool },
}

/// One server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) settings: LocalServerSettings,
    pub(super) key: String,
    pub(super) socket: PathBuf,
    pub(super) log: Arc<Log>,
    phase: LocalPhase,
    since_ms: i64,
    pub(super) pid: Option<u32>,
    /// The name of its container.
    pub(super) container: Option<String>,
    pub(super) memory_bytes: Option<u64>,
    restarts: u32,
    /// A person wants it.
    by_hand: bool,
    /// Requests that wait for it.
    pub(super) waiters: usize,
    /// Requests that it answers.
    pub(super) uses: usize,
    pub(super) last_used: Instant,
    pub(super) halt: Option<Halt>,
    /// Times a person stopped it: who waited is told.
    pub(super) stops: u64,
    failures: Vec<Instant>,
    retry_at: Option<Instant>,
    /// It is tried again whoever asks: it had been ready.
    restart: bool,
    /// Only a person starts it again.
    given_up: bool,
    /// The next request does so too.
    when_asked: bool,
    /// Memory that it has, or will have.
    pub(super) holds: Option<Plan>,
    /// It waits for memory.
    pub(super) seeks: Option<Seeker>,
    /// It takes no new request, so that this one has its turn.
    pub(super) held_back: Option<String>,
    /// It runs, or is about to, with a network.
    pub(super) network: bool,
    /// It is no longer among the settings.
    pub(super) gone: bool,
    /// What it runs is brought up to date: it waits for the end of that.
    pub(super) held: bool,
}

/// What a sleeping server is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    Start,
    Sleep(Option<Instant>),
    Gone,
}

/// What a request that waits is told.
pub(super) enum Answer {
    Ready,
    No(String),
    Wait,
}

pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn ms(until: Instant, now: Instant) -> u64 {
    u64::try_from(until.saturating_duration_since(now).as_millis()).unwrap_or(u64::MAX)
}

impl Server {
    pub(super) fn new(settings: LocalServerSettings, key: String, socket: PathBuf) -> Self {
        Self {
            settings,
            key,
            socket,
            log: Arc::default(),
            phase: LocalPhase::Asleep,
            since_ms: now_ms(),
            pid: None,
            container: None,
            memory_bytes: None,
            restarts: 0,
            by_hand: false,
            waiters: 0,
            uses: 0,
            last_used: Instant::now(),
            halt: None,
            stops: 0,
            failures: Vec::new(),
            retry_at: None,
            restart: false,
            given_up: false,
            when_asked: false,
            holds: None,
            seeks: None,
            held_back: None,
            network: false,
            gone: false,
            held: false,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.settings.name
    }

    pub(super) fn phase(&self) -> &LocalPhase {
        &self.phase
    }

    /// Changes what it does. The time is that of the change of kind.
    pub(super) fn set(&mut self, phase: LocalPhase) {
        if std::mem::discriminant(&self.phase) != std::mem::discriminant(&phase) {
            self.since_ms = now_ms();
        }
        self.phase = phase;
    }

    pub(super) fn ready(&self) -> bool {
        self.phase == LocalPhase::Ready
    }

    /// True from the first step of a life to its last.
    pub(super) fn lives(&self) -> bool {
        !matches!(self.phase, LocalPhase::Asleep | LocalPhase::Failed { .. })
    }

    pub(super) fn wanted(&self) -> bool {
        self.settings.enabled && !self.gone && (self.by_hand || self.waiters > 0 || self.restart)
    }

    /// How long it stays without a request; `None` for ever.
    fn patience(&self) -> Option<Duration> {
        let minutes = self.settings.idle_minutes.unwrap_or(IDLE_MINUTES);
        (minutes > 0).then(|| Duration::from_secs(u64::from(minutes) * 60))
    }

    /// When it is unloaded if nobody asks.
    pub(super) fn unload_at(&self) -> Option<Instant> {
        let patience = self.patience()?;
        Some(if self.uses > 0 { Instant::now() + patience } else { self.last_used + patience })
    }

    /// A person starts it: what went wrong before is forgotten.
    pub(super) fn start(&mut self) {
        self.by_hand = true;
        self.forgive();
        self.restarts = 0;
    }

    fn forgive(&mut self) {
        self.failures.clear();
        self.retry_at = None;
        self.given_up = false;
        self.when_asked = false;
    }

    /// A new request: what kept it from starting may be gone.
    pub(super) fn asked(&mut self) {
        if self.when_asked {
            self.forgive();
        }
    }

    /// Asks a living server to end.
    pub(super) fn stop(&mut self, halt: Halt) {
        if halt == Halt::ByHand {
            self.stops += 1;
            self.by_hand = false;
        }
        if self.lives() {
            // A person's word, or the end of all, is not taken back by a smaller reason.
            if !matches!(self.halt, Some(Halt::ByHand | Halt::Closing)) {
                self.halt = Some(halt);
            }
        } else if matches!(halt, Halt::ByHand | Halt::Changed | Halt::Offline) {
            self.forgive();
            self.restart = false;
            self.set(LocalPhase::Asleep);
        }
    }

    /// What to do while it does not run.
    pub(super) fn next(&mut self) -> Next {
        if self.gone {
            return Next::Gone;
        }
        if self.held {
            return Next::Sleep(None);
        }
        if !self.wanted() || (self.given_up && !self.by_hand) {
            if self.retry_at.take().is_some()
                && let LocalPhase::Failed { why, .. } = &self.phase
            {
                // Who waited has gone.
                self.phase = LocalPhase::Failed { why: why.clone(), retry_in_ms: None };
            }
            return Next::Sleep(None);
        }
        match self.retry_at {
            Some(at) if at > Instant::now() => Next::Sleep(Some(at)),
            _ => {
                self.retry_at = None;
                Next::Start
            }
        }
    }

    /// Takes note of how a life ended. `backoff` is the first and the longest wait before another try.
    pub(super) fn ended(&mut self, outcome: Outcome, backoff: (Duration, Duration)) {
        self.pid = None;
        self.container = None;
        self.memory_bytes = None;
        self.holds = None;
        self.network = false;
        self.held_back = None;
        let by_hand = std::mem::take(&mut self.by_hand);
        let halt = self.halt.take();
        match outcome {
            Outcome::Halted(reason) => {
                self.restart = false;
                if matches!(reason, Halt::Changed | Halt::Offline) {
                    self.forgive();
                    // It did not come up before, and a person waits for that.
                    self.by_hand = by_hand;
                }
                self.set(LocalPhase::Asleep);
            }
            Outcome::Unwanted => self.set(LocalPhase::Asleep),
            Outcome::Failed { .. } if matches!(halt, Some(Halt::ByHand | Halt::Closing)) => {
                self.restart = false;
                self.set(LocalPhase::Asleep);
            }
            Outcome::Failed { failure, ready } => self.failed(failure, ready, backoff),
        }
    }

    fn failed(&mut self, failure: Failure, ready: bool, backoff: (Duration, Duration)) {
        let now = Instant::now();
        self.restarts = self.restarts.saturating_add(1);
        self.failures.retain(|at| now.duration_since(*at) < FAILURES_WITHIN);
        if failure.again != Again::WhenAsked {
            self.failures.push(now);
        }
        // After a life that was ready, it is tried until that works or is given up.
        self.restart |= ready;
        let mut why = failure.why;
        if self.failures.len() >= MOST_FAILURES {
            why = format!(
                "{why}. It ended {MOST_FAILURES} times within ten minutes and is left alone; start it by hand"
            );
            self.given_up = true;
        }
        self.when_asked = failure.again == Again::WhenAsked;
        self.given_up |= failure.again != Again::ByItself;
        self.restart &= !self.given_up;
        if !self.given_up && self.wanted() {
            let doublings = u32::try_from(self.failures.len().saturating_sub(1)).unwrap_or(u32::MAX);
            let wait = backoff.0.saturating_mul(2u32.saturating_pow(doublings)).min(backoff.1);
            self.retry_at = Some(now + wait);
        }
        self.log.note(&why);
        self.set(LocalPhase::Failed { why, retry_in_ms: None });
    }

    /// It answers.
    pub(super) fn came_up(&mut self) {
        self.by_hand = false;
        self.restart = false;
        self.last_used = Instant::now();
        self.set(LocalPhase::Ready);
    }

    /// What a request that waits is told; `stops` is how often it was stopped when the request came.
    pub(super) fn answer(&self, stops: u64) -> Answer {
        let name = self.name();
        if self.gone {
            return Answer::No(format!("{name} is no longer among the models of this machine"));
        }
        if !self.settings.enabled {
            return Answer::No(format!("{name} is switched off in the settings"));
        }
        if self.stops != stops {
            return Answer::No(format!("{name} was stopped by hand"));
        }
        match &self.phase {
            LocalPhase::Ready if self.halt.is_none() && self.held_back.is_none() => Answer::Ready,
            LocalPhase::Failed { why, .. } if self.given_up && !self.by_hand => Answer::No(why.clone()),
            _ => Answer::Wait,
        }
    }

    /// As clients see it.
    pub(super) fn shown(&self) -> LocalServer {
        let now = Instant::now();
        let phase = match &self.phase {
            LocalPhase::Failed { why, .. } => {
                LocalPhase::Failed { why: why.clone(), retry_in_ms: self.retry_at.map(|at| ms(at, now)) }
            }
            other => other.clone(),
        };
        let idle = self.ready() && self.uses == 0;
        LocalServer {
            id: self.settings.id.clone(),
            phase,
            since_ms: self.since_ms,
            container: self.container.clone(),
            pid: self.pid,
            memory_bytes: self.memory_bytes,
            idle_in_ms: idle.then(|| self.unload_at()).flatten().map(|at| ms(at, now)),
            restarts: self.restarts,
        }
    }
}

/// All servers, in the order of the settings.
#[derive(Debug)]
pub(super) struct State {
    pub(super) settings: LocalModelSettings,
    pub(super) offline: bool,
    pub(super) closing: bool,
    pub(super) servers: Vec<Server>,
    /// Numbers those that wait for memory.
    pub(super) tickets: u64,
    pub(super) updates: Updates,
}

impl State {
    pub(super) fn server(&mut self, id: &str) -> Option<&mut Server> {
        self.servers.iter_mut().find(|server| server.settings.id == id)
    }

    /// Takes up other settings. Returns ids of servers that are new.
    pub(super) fn replace(
        &mut self,
        settings: LocalModelSettings,
        mut new: impl FnMut(LocalServerSettings) -> Server,
    ) -> Vec<String> {
        let programs = (&settings.llama_server, &settings.vllm);
        let other_programs = programs != (&self.settings.llama_server, &self.settings.vllm);
        for server in &mut self.servers {
            let next = settings.servers.iter().find(|next| next.id == server.settings.id);
            let Some(next) = next else {
                server.gone = true;
                server.stop(Halt::Changed);
                continue;
            };
            let other_program = other_programs && next.container.is_none();
            let differs = runs_differently(&server.settings, next) || other_program || server.gone;
            let switched_off = server.settings.enabled && !next.enabled;
            server.settings = next.clone();
            server.gone = false;
            if differs || switched_off {
                server.stop(Halt::Changed);
            }
        }
        let mut added = Vec::new();
        for next in &settings.servers {
            if !self.servers.iter().any(|server| server.settings.id == next.id) {
                added.push(next.id.clone());
                self.servers.push(new(next.clone()));
            }
        }
        let place = |id: &str| settings.servers.iter().position(|next| next.id == id).unwrap_or(usize::MAX);
        self.servers.sort_by_key(|server| place(&server.settings.id));
        self.settings = settings;
        self.hold();
        added
    }

    /// Holds back those whose programs or images are brought up to date.
    pub(super) fn hold(&mut self) {
        for server in &mut self.servers {
            server.held = self.updates.hold(&server.settings);
        }
    }

    /// As clients see it.
    pub(super) fn shown(&self) -> Vec<LocalServer> {
        self.servers.iter().filter(|server| !server.gone).map(Server::shown).collect()
    }
}

/// True where a running server would have to be started anew.
fn runs_differently(old: &LocalServerSettings, new: &LocalServerSettings) -> bool {
    let mut same = new.clone();
    same.idle_minutes = old.idle_minutes;
    same.enabled = old.enabled;
    same != *old
}
