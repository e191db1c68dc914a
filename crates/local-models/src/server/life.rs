//! One server from sleep to sleep: found, weighed, started, waited for, watched and ended.

use super::command::{self, Parts};
use super::failure::{Failure, failure, words};
use super::log::{Log, Splitter};
use super::process::{self, Used};
use super::room::{self, Room};
use super::state::{Halt, Next, Outcome, Server};
use super::{Shared, health};
use crate::estimate::{Plan, plan};
use crate::files::model::Facts;
use crate::runtimes::Program;
use crate::scan::facts_at;
use aicockpit_protocol::local_models::{LocalPhase, LocalServerSettings, Runtime};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Child;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// How often a server that loads is asked whether it answers.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// How often memory is looked at, while it loads and after that.
const LOOK_LOADING: Duration = Duration::from_millis(500);
const LOOK_READY: Duration = Duration::from_secs(5);
/// How often one that waits for memory looks whether other programs have given some back.
const LOOK_WAITING: Duration = Duration::from_secs(5);
/// How long the last lines of a process are waited for: what it started may hold its pipes.
const LAST_LINES: Duration = Duration::from_secs(2);
/// Most characters of a step that is shown.
const MAX_STEP: usize = 200;

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

/// All that is needed for a start.
struct Ready {
    settings: LocalServerSettings,
    model: PathBuf,
    program: Program,
    facts: Facts,
    log: Arc<Log>,
}

async fn live(shared: &Arc<Shared>, id: &str) -> Outcome {
    let started = tokio::select! {
        biased;
        halt = halted(shared, id) => return Outcome::Halted(halt),
        started = start(shared, id) => started,
    };
    match started {
        Ok((child, ready, lines)) => {
            let mut life = Life {
                shared,
                id,
                name: ready.settings.name,
                child,
                log: ready.log,
                socket: shared.sockets.of(id),
                lines,
            };
            let whole = (ready.settings.runtime == Runtime::LlamaCpp).then_some(ready.facts.weights_bytes);
            let outcome = life.run(whole).await;
            let _ = std::fs::remove_file(&life.socket);
            outcome
        }
        Err(outcome) => outcome,
    }
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

/// A start that cannot succeed as things are.
fn refused(why: String) -> Outcome {
    Outcome::Failed { failure: Failure { why, lasting: true }, ready: false }
}

async fn start(shared: &Arc<Shared>, id: &str) -> Result<(Child, Ready, usize), Outcome> {
    let ready = prepare(shared, id).await?;
    let plan = seek_room(shared, id, &ready).await?;
    let name = &ready.settings.name;
    let (socket, key, network) = {
        let mut state = shared.lock();
        let Some(server) = state.server(id) else { return Err(Outcome::Halted(Halt::Changed)) };
        (server.socket.clone(), server.key.clone(), server.network)
    };
    let folder = shared.sockets.folder();
    shared.sockets.make().map_err(|error| {
        refused(format!("{name} cannot be started: its folder {} cannot be made: {error}", folder.display()))
    })?;
    let _ = std::fs::remove_file(&socket);
    let call = command::call(&Parts {
        settings: &ready.settings,
        model: &ready.model,
        program: &ready.program,
        plan: &plan,
        socket: &socket,
        key: &key,
        offline: !network,
    });
    ready.log.hide([command::secrets(&ready.settings.arguments), vec![key]].concat());
    let line: Vec<_> = call.arguments.iter().map(|word| word.to_string_lossy()).collect();
    ready.log.note(&format!("$ {} {}", call.program.display(), line.join(" ")));
    let lines = ready.log.total();
    let spawner = shared.spawner.as_ref().map_err(|why| refused(why.clone()))?;
    let child = spawner.spawn(call, &socket, !network).await;
    let child = child.map_err(|why| refused(format!("{name} cannot be started: {why}")))?;
    shared.with_server(id, |server| server.pid = child.id());
    Ok((child, ready, lines))
}

/// Finds the program and reads the model's head.
async fn prepare(shared: &Arc<Shared>, id: &str) -> Result<Ready, Outcome> {
    let (settings, server, log) = {
        let mut state = shared.lock();
        let settings = state.settings.clone();
        let Some(server) = state.server(id) else { return Err(Outcome::Halted(Halt::Changed)) };
        (settings, server.settings.clone(), Arc::clone(&server.log))
    };
    let name = server.name.clone();
    let found = shared.runtimes.find(server.runtime, &settings, &shared.search).await;
    let Some(program) = found.program else {
        return Err(refused(format!(
            "{name} cannot be started: {}",
            found.shown.problem.unwrap_or_default()
        )));
    };
    let (model, runtime) = (shared.places.expand(server.model.trim()), server.runtime);
    let path = model.clone();
    let facts = tokio::task::spawn_blocking(move || facts_at(&path, runtime)).await;
    let facts = facts.unwrap_or_else(|error| Err(format!("its files cannot be read: {error}")));
    let facts = facts.map_err(|why| refused(format!("{name} cannot be started: {why}")))?;
    Ok(Ready { settings: server, model, program, facts, log })
}

/// Waits until there is memory for it.
async fn seek_room(shared: &Arc<Shared>, id: &str, ready: &Ready) -> Result<Plan, Outcome> {
    let wanted = command::wanted(&ready.settings);
    let mut changed = shared.changed.subscribe();
    loop {
        changed.borrow_and_update();
        let leaders: Vec<u32> = shared.lock().servers.iter().filter_map(|server| server.pid).collect();
        let probe = Arc::clone(&shared.options.hardware);
        let looked = tokio::task::spawn_blocking(move || (probe(), process::used(&leaders))).await;
        let (hardware, used) = looked.unwrap_or_default();
        let (room, news) = {
            let mut state = shared.lock();
            let Some(server) = state.server(id) else { return Err(Outcome::Halted(Halt::Changed)) };
            if !server.wanted() {
                return Err(Outcome::Unwanted);
            }
            let space = if state.settings.overcommit {
                hardware.clone()
            } else {
                room::without_ours(&state, id, &hardware, &used)
            };
            let plan = plan(&ready.facts, &wanted, &space);
            let signs = |servers: &[Server]| -> Vec<_> {
                servers.iter().map(|one| (one.phase().clone(), one.halt, one.held_back.clone())).collect()
            };
            let before = signs(&state.servers);
            let room = room::decide(&mut state, id, plan, &hardware, &used);
            if room == Room::Start
                && let Some(server) = state.server(id)
            {
                server.set(LocalPhase::Loading { progress: None, step: None });
            }
            ((room, plan), signs(&state.servers) != before)
        };
        if news {
            shared.changed.send_replace(());
        }
        let (until, plan) = match room {
            (Room::Start, plan) => (None, Some(plan)),
            (Room::Wait(until), _) => (until, None),
        };
        if let Some(plan) = plan {
            return Ok(plan);
        }
        let latest = Instant::now() + LOOK_WAITING;
        // Who waits may come and go meanwhile; all of it is a change.
        let _ = tokio::time::timeout_at(until.unwrap_or(latest).min(latest), changed.changed()).await;
    }
}

/// A process that runs.
struct Life<'a> {
    shared: &'a Arc<Shared>,
    id: &'a str,
    name: String,
    child: Child,
    log: Arc<Log>,
    socket: PathBuf,
    /// Lines of the log before this life.
    lines: usize,
}

enum Event {
    Halt(Halt),
    Ended(Option<ExitStatus>),
    CameUp,
}

impl Life<'_> {
    /// `whole`: bytes of its files, where what was read of them tells how far it is.
    async fn run(&mut self, whole: Option<u64>) -> Outcome {
        let mut readers = JoinSet::new();
        if let Some(out) = self.child.stdout.take() {
            readers.spawn(read(out, 1, Arc::clone(self.shared), self.id.to_owned()));
        }
        if let Some(errors) = self.child.stderr.take() {
            readers.spawn(read(errors, 2, Arc::clone(self.shared), self.id.to_owned()));
        }
        let leader = self.child.id();
        let event = tokio::select! {
            biased;
            halt = halted(self.shared, self.id) => Event::Halt(halt),
            status = self.child.wait() => Event::Ended(status.ok()),
            () = come_up(self.shared, self.id, leader, whole) => Event::CameUp,
        };
        let (event, ready) = match event {
            Event::CameUp => {
                self.shared.with_server(self.id, Server::came_up);
                let event = tokio::select! {
                    biased;
                    halt = halted(self.shared, self.id) => Event::Halt(halt),
                    status = self.child.wait() => Event::Ended(status.ok()),
                    () = watch(self.shared, self.id, leader) => Event::Halt(Halt::Idle),
                };
                (event, true)
            }
            other => (other, false),
        };
        let outcome = match event {
            Event::Halt(halt) => {
                self.shared.with_server(self.id, |server| {
                    server.halt = Some(server.halt.unwrap_or(halt));
                    server.set(LocalPhase::Stopping);
                });
                process::end(&mut self.child, &self.socket).await;
                Outcome::Halted(halt)
            }
            Event::Ended(status) => {
                if let Some(leader) = leader.and_then(|id| i32::try_from(id).ok()) {
                    process::end_rest(nix::unistd::Pid::from_raw(leader), &self.socket);
                }
                let _ = timeout(LAST_LINES, async { while readers.join_next().await.is_some() {} }).await;
                let failure = failure(&self.name, status, &self.log.since(self.lines), ready);
                tracing::warn!(server = %self.id, why = %failure.why, "a model server ended by itself");
                Outcome::Failed { failure, ready }
            }
            Event::CameUp => Outcome::Unwanted,
        };
        let _ = timeout(LAST_LINES, async { while readers.join_next().await.is_some() {} }).await;
        outcome
    }
}

/// Takes the lines of one stream.
async fn read(mut stream: impl AsyncRead + Unpin, number: u8, shared: Arc<Shared>, id: String) {
    let Some(log) = shared.lock().server(&id).map(|server| Arc::clone(&server.log)) else { return };
    let mut splitter = Splitter::new(number);
    let mut bytes = vec![0; 16 << 10];
    while let Ok(length @ 1..) = stream.read(&mut bytes).await {
        let mut last = None;
        splitter.feed(&log, &bytes[..length], |line| last = Some(line.to_owned()));
        if let Some(line) = last {
            said(&shared, &id, &line);
        }
    }
    splitter.finish(&log, |_| {});
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

/// Waits until the server answers, and notes how far it is.
async fn come_up(shared: &Arc<Shared>, id: &str, leader: Option<u32>, whole: Option<u64>) {
    let Some(socket) = shared.lock().server(id).map(|server| server.socket.clone()) else { return };
    let asked = async {
        while !health::answers(&socket).await {
            sleep(ASK_EVERY).await;
        }
    };
    let looked = async {
        loop {
            let used = look(leader).await;
            shared.with_server(id, |server| {
                server.memory_bytes = Some(used.resident);
                if let LocalPhase::Loading { progress, step } = server.phase() {
                    let part = whole.map(|whole| (used.read as f64 / whole.max(1) as f64).min(0.99));
                    let phase =
                        LocalPhase::Loading { progress: further(*progress, part), step: step.clone() };
                    server.set(phase);
                }
            });
            sleep(LOOK_LOADING).await;
        }
    };
    tokio::select! {
        () = asked => {}
        () = looked => {}
    }
}

/// Notes the memory of a server that answers; ends when nobody has asked it for long enough.
async fn watch(shared: &Arc<Shared>, id: &str, leader: Option<u32>) {
    let looked = async {
        loop {
            let used = look(leader).await;
            shared.with_server(id, |server| server.memory_bytes = Some(used.resident));
            sleep(LOOK_READY).await;
        }
    };
    let idle = shared.until(|state| {
        let Some(server) = state.server(id) else { return Ok(()) };
        let unload_at = server.unload_at();
        match unload_at {
            Some(at) if server.uses == 0 && server.waiters == 0 && at <= Instant::now() => Ok(()),
            other => Err(other.map(|at| at.max(Instant::now() + ASK_EVERY))),
        }
    });
    tokio::select! {
        () = looked => {}
        () = idle => {}
    }
}

async fn look(leader: Option<u32>) -> Used {
    let Some(leader) = leader else { return Used::default() };
    let used = tokio::task::spawn_blocking(move || process::used(&[leader]).remove(&leader));
    used.await.ok().flatten().unwrap_or_default()
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
