//! One server from sleep to sleep: started, waited for, watched and ended.

use super::failure::{Again, End, Failure, failure, words};
use super::log::{Log, Splitter};
use super::process::Used;
use super::run::{Output, Run};
use super::signs::{Answers, Done, Loading, shown};
use super::start::start;
use super::state::{Halt, Next, Outcome, Server};
use super::{Patience, Shared, health, room, sockets};
use aicockpit_protocol::local_models::{LocalPhase, Runtime};
use futures::StreamExt as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How often a server that loads is asked whether it answers.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// How long one question may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// How often memory is looked at, while it loads and after that.
const LOOK_LOADING: Duration = Duration::from_millis(500);
const LOOK_READY: Duration = Duration::from_secs(5);
/// How long the last lines of a server are waited for: what it started may hold its pipes.
const LAST_LINES: Duration = Duration::from_secs(2);
/// Most characters of a step that is shown.
pub(super) const MAX_STEP: usize = 200;

/// Attends to one server as long as it is among the settings.
pub(super) async fn attend(shared: Arc<Shared>, id: String) {
    loop {
        let next = shared
            .until(|state| {
                let (closing, offline) = (state.closing, state.offline);
                let Some(server) = state.server(&id).filter(|_| !closing) else { return Ok(Next::Gone) };
                match server.next() {
                    Next::Sleep(until) => Err(until),
                    Next::Start => {
                        server.halt = None;
                        // One in a container has none, but its image may have to be brought.
                        server.network = !offline;
                        server.set(LocalPhase::Loading { progress: None, step: None });
                        Ok(Next::Start)
                    }
                    Next::Gone => {
                        // In one step with the look at it: it may be wanted again a moment later.
                        state.servers.retain(|server| server.settings.id != id);
                        Ok(Next::Gone)
                    }
                }
            })
            .await;
        if next == Next::Gone {
            return;
        }
        let outcome = Box::pin(live(&shared, &id)).await;
        let backoff = shared.options.backoff;
        shared.change(|state| {
            room::give_up(state, &id);
            if let Some(server) = state.server(&id) {
                server.ended(outcome, backoff);
            }
        });
    }
}

async fn live(shared: &Arc<Shared>, id: &str) -> Outcome {
    let started = tokio::select! {
        biased;
        halt = halted(shared, id) => return Outcome::Halted(halt),
        started = start(shared, id) => started,
    };
    let (mut run, ready, lines) = match started {
        Ok(started) => started,
        Err(outcome) => return outcome,
    };
    let mut readers = JoinSet::new();
    readers.spawn(read(run.output(), Arc::clone(shared), id.to_owned()));
    let life = Life {
        shared,
        id,
        name: ready.settings.name,
        run,
        whole: (ready.settings.runtime == Runtime::LlamaCpp).then_some(ready.facts.weights_bytes),
        log: ready.log,
        socket: shared.sockets.of(id),
        lines,
    };
    life.whole(readers).await
}

/// Waits until the server is to end.
async fn halted(shared: &Shared, id: &str) -> Halt {
    shared
        .until(|state| match state.server(id) {
            Some(server) => server.halt.ok_or(None),
            None => Ok(Halt::Changed),
        })
        .await
}

/// A server that runs.
struct Life<'a> {
    shared: &'a Arc<Shared>,
    id: &'a str,
    name: String,
    run: Run,
    log: Arc<Log>,
    socket: PathBuf,
    /// Lines of the log before this life.
    lines: usize,
    /// Bytes of its files, where what was read of them tells how far it is.
    whole: Option<u64>,
}

enum Event {
    Halt(Halt),
    Ended(End),
    CameUp,
    /// It runs and does nothing; with a sentence.
    Hung(String),
}

impl Life<'_> {
    async fn whole(self, mut readers: JoinSet<()>) -> Outcome {
        let mut ready = false;
        let event = loop {
            match self.next(ready).await {
                Event::CameUp => {
                    self.shared.with_server(self.id, Server::came_up);
                    ready = true;
                }
                other => break other,
            }
        };
        let last_lines = async { while readers.join_next().await.is_some() {} };
        let Self { shared, id, name, run, log, socket, lines, .. } = self;
        let outcome = match event {
            Event::Halt(halt) => {
                shared.with_server(id, |server| {
                    server.halt = Some(server.halt.unwrap_or(halt));
                    server.set(LocalPhase::Stopping);
                });
                run.end(&socket, false).await;
                let _ = timeout(LAST_LINES, last_lines).await;
                Outcome::Halted(halt)
            }
            Event::Ended(end) => {
                run.end_rest(&socket);
                let _ = timeout(LAST_LINES, last_lines).await;
                let failure = failure(&name, &end, &log.since(lines), ready);
                tracing::warn!(server = %id, why = %failure.why, "a model server ended by itself");
                run.end(&socket, false).await;
                Outcome::Failed { failure, ready }
            }
            Event::Hung(why) => {
                tracing::warn!(server = %id, %why, "a model server has hung");
                shared.with_server(id, |server| server.set(LocalPhase::Stopping));
                run.end(&socket, true).await;
                let _ = timeout(LAST_LINES, last_lines).await;
                Outcome::Failed { failure: Failure { why, again: Again::ByItself }, ready }
            }
            Event::CameUp => Outcome::Unwanted,
        };
        sockets::remove(&socket);
        outcome
    }

    /// Waits for what comes next, and notes meanwhile how far it is and what it uses.
    async fn next(&self, ready: bool) -> Event {
        let (shared, id) = (self.shared, self.id);
        let patience = shared.options.patience;
        let (look_every, ask_every, within) = match ready {
            true => (LOOK_READY, patience.every, patience.unanswered.min(ANSWERS_WITHIN)),
            false => (LOOK_LOADING, ASK_EVERY, ANSWERS_WITHIN),
        };
        let now = std::time::Instant::now();
        let mut loading = Loading::new(patience.loading, now);
        let mut answers = Answers::new(patience.unanswered, now);
        let mut look_at = Instant::now();
        let (mut halted, mut ended) = (pin!(halted(shared, id)), pin!(self.run.ended()));
        let mut idle = pin!(idle(shared, id, ready));
        let mut asked = pin!(ask(&self.socket, ask_every, within));
        loop {
            tokio::select! {
                biased;
                halt = &mut halted => return Event::Halt(halt),
                end = &mut ended => return Event::Ended(end),
                () = &mut idle => return Event::Halt(Halt::Idle),
                answered = &mut asked => {
                    if !ready && answered {
                        return Event::CameUp;
                    }
                    let busy = if ready && !answered { self.busy_with_requests().await } else { None };
                    if ready && answers.has_hung(answered, busy, std::time::Instant::now()) {
                        return Event::Hung(self.does_not_answer(patience));
                    }
                    asked.set(ask(&self.socket, ask_every, within));
                }
                () = sleep_until(look_at) => {
                    let used = self.look().await;
                    let done = used.filter(|_| !ready).map(|used| Done { lines: self.log.total(), used });
                    if done.is_some_and(|done| loading.has_hung(done, std::time::Instant::now())) {
                        return Event::Hung(self.does_nothing(patience));
                    }
                    look_at = Instant::now() + look_every;
                }
            }
        }
    }

    /// Notes what it uses, and how far it is.
    async fn look(&self) -> Option<Used> {
        let used = self.run.used().await;
        self.shared.with_server(self.id, |server| {
            server.memory_bytes = used.map(|used| used.resident).or(server.memory_bytes);
            if let (LocalPhase::Loading { progress, step }, Some(used)) = (server.phase(), used) {
                let part = self.whole.map(|whole| (used.read as f64 / whole.max(1) as f64).min(0.99));
                let phase = LocalPhase::Loading { progress: further(*progress, part), step: step.clone() };
                server.set(phase);
            }
        });
        used
    }

    /// Its time on processors, where requests are under way.
    async fn busy_with_requests(&self) -> Option<Duration> {
        let uses = self.shared.lock().server(self.id).map_or(0, |server| server.uses);
        if uses == 0 {
            return None;
        }
        self.run.used().await.map(|used| used.busy)
    }

    fn does_not_answer(&self, patience: Patience) -> String {
        let (name, time) = (&self.name, shown(patience.unanswered));
        format!(
            "{name} has hung: it ran, but did not answer for {time}, and was ended. If that happens again, its log may \
             tell why"
        )
    }

    fn does_nothing(&self, patience: Patience) -> String {
        let (name, time) = (&self.name, shown(patience.loading));
        format!(
            "{name} has hung while it loaded: for {time} it wrote no line, read no file and used no processor, and was \
             ended. See whether the disk of its files answers; its log may tell more"
        )
    }
}

/// Asks whether it answers, after a while.
async fn ask(socket: &Path, after: Duration, within: Duration) -> bool {
    sleep(after).await;
    health::answers(socket, within).await
}

/// Waits until nobody has asked a server that is ready for long enough.
async fn idle(shared: &Shared, id: &str, ready: bool) {
    if !ready {
        std::future::pending::<()>().await;
    }
    shared
        .until(|state| {
            let Some(server) = state.server(id) else { return Ok(()) };
            let unload_at = server.unload_at();
            match unload_at {
                Some(at) if server.uses == 0 && server.waiters == 0 && at <= Instant::now() => Ok(()),
                other => Err(other.map(|at| at.max(Instant::now() + ASK_EVERY))),
            }
        })
        .await;
}

/// Takes the lines of a server.
async fn read(mut output: Output, shared: Arc<Shared>, id: String) {
    let Some(log) = shared.lock().server(&id).map(|server| Arc::clone(&server.log)) else { return };
    let (mut standard, mut errors) = (Splitter::new(1), Splitter::new(2));
    while let Some((number, bytes)) = output.next().await {
        let splitter = if number == 1 { &mut standard } else { &mut errors };
        let mut last = None;
        splitter.feed(&log, &bytes, |line| last = Some(line.to_owned()));
        if let Some(line) = last {
            said(&shared, &id, &line);
        }
    }
    standard.finish(&log, |_| {});
    errors.finish(&log, |_| {});
}

/// A line tells how far a server is that loads.
fn said(shared: &Shared, id: &str, line: &str) {
    {
        let mut state = shared.lock();
        let Some(server) = state.server(id) else { return };
        let LocalPhase::Loading { progress, .. } = server.phase() else { return };
        let progress = further(*progress, percent(line));
        let step: Vec<_> = words(line).split_whitespace().collect();
        let step = Some(step.join(" ").chars().take(MAX_STEP).collect());
        server.set(LocalPhase::Loading { progress, step });
    }
    shared.changed.send_replace(());
}

/// The part that is done never goes back.
fn further(old: Option<f64>, new: Option<f64>) -> Option<f64> {
    match (old, new) {
        (Some(old), Some(new)) => Some(old.max(new)),
        (old, new) => new.or(old),
    }
}

/// vLLM: "Loading safetensors checkpoint shards:  50% Completed | 1/2".
fn percent(line: &str) -> Option<f64> {
    let (before, _) = line.split_once('%').filter(|_| line.contains("oading"))?;
    let number: f64 = before.rsplit(|c: char| !(c.is_ascii_digit() || c == '.')).next()?.parse().ok()?;
    // The weights are most of it, not all.
    (0.0..=100.0).contains(&number).then_some(number / 100.0 * 0.99)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_from_vllms_words_only() {
        let near = |line: &str, part: f64| percent(line).is_some_and(|found| (found - part).abs() < 1e-9);
        assert!(near("Loading safetensors checkpoint shards:  50% Completed | 1/2 [00:01<00:01]", 0.495));
        assert!(near("\rLoading weights: 100% done", 0.99));
        assert_eq!(percent("GPU KV cache usage: 0.0%"), None);
        assert_eq!(percent("Loading: %"), None);
        assert_eq!(percent("Loading 900%"), None);
        assert_eq!(further(Some(0.5), Some(0.2)), Some(0.5));
    }
}
