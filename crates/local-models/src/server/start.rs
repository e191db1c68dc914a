//! The start of a server: found, weighed and called.

use super::Shared;
use super::command::{self, Parts};
use super::contained::{self, Seen};
use super::failure::{Again, Failure};
use super::life::MAX_STEP;
use super::log::Log;
use super::process;
use super::room::{self, Room};
use super::run::Run;
use super::state::{Halt, Outcome, Server};
use crate::containers::{ContainerCall, Containers};
use crate::estimate::{Plan, plan};
use crate::files::model::Facts;
use crate::runtimes::Program;
use crate::scan::facts_at;
use aicockpit_protocol::local_models::{
    Hardware, LocalModelSettings, LocalPhase, LocalServerSettings, ServerContainer,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often one that waits for memory looks whether other programs have given some back.
const LOOK_WAITING: Duration = Duration::from_secs(5);

/// All that is needed for a start.
pub(super) struct Ready {
    /// As the program is to have them.
    pub(super) settings: LocalServerSettings,
    pub(super) facts: Facts,
    pub(super) log: Arc<Log>,
    place: Place,
}

/// Where a server runs.
enum Place {
    Here { program: Program, model: PathBuf },
    Inside { containers: Arc<dyn Containers>, container: ServerContainer, seen: Seen, gpu: bool },
}

impl Place {
    fn sees_gpu(&self) -> bool {
        !matches!(self, Self::Inside { gpu: false, .. })
    }
}

/// A start that cannot succeed as things are.
fn refused(why: String) -> Outcome {
    Outcome::Failed { failure: Failure { why, again: Again::ByHand }, ready: false }
}

/// Starts a server; with it comes how many lines its log had before.
pub(super) async fn start(shared: &Arc<Shared>, id: &str) -> Result<(Run, Ready, usize), Outcome> {
    let ready = prepare(shared, id).await?;
    // First: others need not make room while an image comes.
    bring(shared, id, &ready).await?;
    let plan = seek_room(shared, id, &ready).await?;
    let name = &ready.settings.name;
    let (socket, key, network) = {
        let mut state = shared.lock();
        let Some(server) = state.server(id) else { return Err(Outcome::Halted(Halt::Changed)) };
        (server.socket.clone(), server.key.clone(), server.network)
    };
    let folder = shared.sockets.folder();
    shared.sockets.make(&socket).map_err(|error| {
        refused(format!("{name} cannot be started: its folder {} cannot be made: {error}", folder.display()))
    })?;
    ready.log.hide([command::secrets(&ready.settings.arguments), vec![key.clone()]].concat());
    let lines = ready.log.total() + 1;
    let run = match &ready.place {
        Place::Here { program, model } => {
            let parts = Parts {
                settings: &ready.settings,
                model,
                plan: &plan,
                socket: &socket,
                key: &key,
                offline: !network,
            };
            here(shared, &parts, program, &ready.log).await?
        }
        Place::Inside { containers, container, seen, gpu } => {
            let parts = Parts {
                settings: &ready.settings,
                model: &seen.model,
                plan: &plan,
                socket: &contained::socket(),
                key: &key,
                offline: true,
            };
            let call = contained::call(&parts, container, seen, &socket, *gpu);
            inside(&**containers, call, &ready).await?
        }
    };
    shared.with_server(id, |server| {
        server.pid = run.pid();
        server.container = run.container();
    });
    Ok((run, ready, lines))
}

/// Starts a program of this machine.
async fn here(shared: &Shared, parts: &Parts<'_>, program: &Program, log: &Log) -> Result<Run, Outcome> {
    let call = command::call(parts, program);
    let line: Vec<_> = call.arguments.iter().map(|word| word.to_string_lossy()).collect();
    log.note(&format!("$ {} {}", call.program.display(), line.join(" ")));
    let spawner = shared.spawner.as_ref().map_err(|why| refused(why.clone()))?;
    let child = spawner.spawn(call, parts.socket, parts.offline).await;
    let name = &parts.settings.name;
    Ok(Run::process(child.map_err(|why| refused(format!("{name} cannot be started: {why}")))?))
}

/// Brings what a container is made from.
async fn bring(shared: &Shared, id: &str, ready: &Ready) -> Result<(), Outcome> {
    let Place::Inside { containers, container, .. } = &ready.place else { return Ok(()) };
    let told = |progress: Option<f64>, step: &str| {
        let step = Some(step.chars().take(MAX_STEP).collect());
        shared.with_server(id, |server| server.set(LocalPhase::Loading { progress, step }));
    };
    let brought = containers.bring(&container.engine, &container.image, &told).await;
    brought.map_err(|why| worth_a_try(&ready.settings.name, &why))?;
    // From here on nothing is asked of other machines.
    shared.with_server(id, |server| server.network = false);
    Ok(())
}

/// Engines and networks come and go: the next request is worth a try.
fn worth_a_try(name: &str, why: &str) -> Outcome {
    let why = format!("{name} cannot be started: {}", why.trim_end_matches('.'));
    Outcome::Failed { failure: Failure { why, again: Again::WhenAsked }, ready: false }
}

/// Starts a container.
async fn inside(containers: &dyn Containers, call: ContainerCall, ready: &Ready) -> Result<Run, Outcome> {
    let words = call.entrypoint.iter().flatten().chain(&call.arguments);
    let line: Vec<_> = words.map(String::as_str).collect();
    ready.log.note(&format!("$ in a container of {}: {}", call.image, line.join(" ")));
    let container = containers.run(call).await;
    container.map(Run::Container).map_err(|why| worth_a_try(&ready.settings.name, &why))
}

/// Finds what runs it, and reads the model's head.
async fn prepare(shared: &Arc<Shared>, id: &str) -> Result<Ready, Outcome> {
    let (all, mut settings, log) = {
        let mut state = shared.lock();
        let all = state.settings.clone();
        let Some(server) = state.server(id) else { return Err(Outcome::Halted(Halt::Changed)) };
        (all, server.settings.clone(), Arc::clone(&server.log))
    };
    let failed = {
        let name = settings.name.clone();
        move |why: String| refused(format!("{name} cannot be started: {why}"))
    };
    let model = shared.places.expand(settings.model.trim());
    let place = match settings.container.clone() {
        None => here_found(shared, &all, &settings, &model).await.map_err(&failed)?,
        Some(container) => {
            let (place, adapted) =
                inside_found(shared, container, settings, &model).await.map_err(&failed)?;
            settings = adapted;
            place
        }
    };
    let runtime = settings.runtime;
    let facts = on_disk(move || facts_at(&model, runtime)).await.map_err(&failed)?;
    Ok(Ready { settings, facts, log, place })
}

async fn here_found(
    shared: &Shared,
    all: &LocalModelSettings,
    settings: &LocalServerSettings,
    model: &Path,
) -> Result<Place, String> {
    let found = shared.runtimes.find(settings.runtime, all, &shared.search).await;
    let program = found.program.ok_or_else(|| found.shown.problem.unwrap_or_default())?;
    Ok(Place::Here { program, model: model.to_owned() })
}

/// With the settings as the program inside is to have them.
async fn inside_found(
    shared: &Shared,
    container: ServerContainer,
    mut settings: LocalServerSettings,
    model: &Path,
) -> Result<(Place, LocalServerSettings), String> {
    let containers = shared.options.containers.clone();
    let containers = containers.ok_or("there is nothing here that runs containers")?;
    let gpu = container.gpu.unwrap_or_else(|| containers.passes_gpus(&container.engine));
    let (model, runtime, arguments) = (model.to_owned(), settings.runtime, settings.arguments.clone());
    let seen = on_disk(move || contained::look(&model, runtime, &arguments)).await?;
    settings.arguments = seen.arguments.clone();
    if !gpu {
        settings.gpu_layers = None;
    }
    Ok((Place::Inside { containers, container, seen, gpu }, settings))
}

async fn on_disk<T: Send + 'static>(
    look: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let looked = tokio::task::spawn_blocking(look).await;
    looked.unwrap_or_else(|error| Err(format!("its files cannot be read: {error}")))
}

/// Waits until there is memory for it.
async fn seek_room(shared: &Arc<Shared>, id: &str, ready: &Ready) -> Result<Plan, Outcome> {
    let wanted = command::wanted(&ready.settings);
    let sees_gpu = ready.place.sees_gpu();
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
            let space = if sees_gpu { space } else { Hardware { gpus: Vec::new(), ..space } };
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
