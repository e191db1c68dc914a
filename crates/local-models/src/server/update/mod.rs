//! Programs and images brought up to date, one update of each at a time. Servers that run one are stopped first, and
//! start again when they are asked for; requests that come meanwhile wait.
//!
//! An update ends with this process, as servers do, and where offline is switched on. What has become of an environment
//! when one did not come to its end is looked up, not guessed.

mod install;
mod words;

use super::state::{Halt, State, now_ms};
use super::{LocalModels, RefusedError, Shared, TELL_APART};
use crate::containers::Updated;
use aicockpit_protocol::local_models::{
    LocalServerSettings, ProgramUpdate, Runtime, UpdateOf, UpdatePhase, UpdateRequest,
};
use std::sync::{Arc, Weak};
use tokio::sync::watch;

/// Updates that are remembered.
const MAX_KEPT: usize = 50;
/// Longest version that can be asked for.
const MAX_VERSION: usize = 64;

/// Gets all updates whenever one of them changes.
pub type UpdatesTold = Arc<dyn Fn(Vec<ProgramUpdate>) + Send + Sync>;

/// Why an update is not begun.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UpdateRefused {
    /// There is no such thing here.
    #[error("{0}")]
    NotFound(String),
    /// A person has to do it.
    #[error("{what} cannot be brought up to date from here: {how}")]
    ByHand {
        /// The program.
        what: String,
        /// How, as a sentence.
        how: String,
    },
    /// Offline is on.
    #[error("offline is on, and an update of {what} is downloaded; switch offline off first")]
    Offline {
        /// The program or image.
        what: String,
    },
    /// One is under way.
    #[error("an update of {what} is under way already; wait for its end, or call it off")]
    UnderWay {
        /// The program or image.
        what: String,
    },
    /// A version that cannot be asked for.
    #[error("`{version}` cannot be a version; write it as in `1.2.3`")]
    NoVersion {
        /// As asked for.
        version: String,
    },
    /// Its installer has one version only.
    #[error("{what} cannot be had in a version of your choice: {why}")]
    NewestOnly {
        /// The program or image.
        what: String,
        /// Why, with what to do.
        why: String,
    },
    /// This process ends.
    #[error("AiCockpit ends")]
    Closing,
}

/// All updates since the start, the last of each kind.
#[derive(Debug, Default)]
pub(super) struct Updates(Vec<Update>);

#[derive(Debug)]
struct Update {
    shown: ProgramUpdate,
    called_off: bool,
}

impl Update {
    fn running(&self) -> bool {
        matches!(self.shown.phase, UpdatePhase::Running { .. })
    }
}

impl Updates {
    fn of(&mut self, of: &UpdateOf) -> Option<&mut Update> {
        self.0.iter_mut().find(|update| update.shown.of == *of)
    }

    /// True while what this server runs is brought up to date: it is not started.
    pub(super) fn hold(&self, server: &LocalServerSettings) -> bool {
        self.0.iter().any(|update| update.running() && runs(server, &update.shown.of))
    }

    pub(super) fn under_way(&self) -> bool {
        self.0.iter().any(Update::running)
    }

    /// False where one is under way.
    fn begin(&mut self, of: &UpdateOf) -> bool {
        if self.of(of).is_some_and(|update| update.running()) {
            return false;
        }
        self.0.retain(|update| update.shown.of != *of);
        if let Some(oldest) = self.0.iter().position(|update| !update.running())
            && self.0.len() >= MAX_KEPT
        {
            self.0.remove(oldest);
        }
        let phase = UpdatePhase::Running { progress: None, step: None };
        let shown = ProgramUpdate { of: of.clone(), phase, since_ms: now_ms() };
        self.0.push(Update { shown, called_off: false });
        true
    }

    fn set(&mut self, of: &UpdateOf, phase: UpdatePhase) {
        if let Some(update) = self.of(of) {
            update.shown.phase = phase;
        }
    }

    fn shown(&self) -> Vec<ProgramUpdate> {
        self.0.iter().map(|update| update.shown.clone()).collect()
    }
}

/// Whether a server runs this.
fn runs(server: &LocalServerSettings, of: &UpdateOf) -> bool {
    match (of, &server.container) {
        (UpdateOf::Program { runtime }, None) => server.runtime == *runtime,
        (UpdateOf::Image { engine, image }, Some(container)) => {
            container.engine == *engine && container.image == *image
        }
        _ => false,
    }
}

fn name(of: &UpdateOf) -> String {
    match of {
        UpdateOf::Program { runtime: Runtime::LlamaCpp } => "llama.cpp".to_owned(),
        UpdateOf::Program { runtime: Runtime::Vllm } => "vLLM".to_owned(),
        UpdateOf::Image { image, .. } => format!("the image {image}"),
    }
}

/// A version becomes part of an argument.
fn is_version(version: &str) -> bool {
    let sound = |c: char| c.is_ascii_alphanumeric() || ".+!-_".contains(c);
    let start = version.starts_with(|c: char| c.is_ascii_alphanumeric());
    start && version.len() <= MAX_VERSION && version.chars().all(sound)
}

/// Why an update ends before its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum CutShort {
    CalledOff,
    Offline,
    Closing,
}

impl CutShort {
    fn why(self) -> &'static str {
        match self {
            Self::CalledOff => "was called off",
            Self::Offline => "was ended, as offline was switched on",
            Self::Closing => "was ended with AiCockpit",
        }
    }
}

impl LocalModels {
    /// Begins an update. Servers that run what is updated are stopped first.
    ///
    /// # Errors
    /// [`RefusedError::Update`].
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn update(&self, request: &UpdateRequest) -> Result<(), RefusedError> {
        let shared = &self.shared;
        let of = &request.of;
        possible(shared, request).map_err(RefusedError::Update)?;
        let begun = shared.change(|state| {
            if state.closing {
                return Err(UpdateRefused::Closing);
            }
            if state.offline {
                return Err(UpdateRefused::Offline { what: name(of) });
            }
            if !state.updates.begin(of) {
                return Err(UpdateRefused::UnderWay { what: name(of) });
            }
            state.hold();
            Ok(())
        });
        begun.map_err(RefusedError::Update)?;
        tokio::spawn(run(Arc::clone(shared), request.clone()));
        Ok(())
    }

    /// Calls an update off. It is not waited for; nothing happens where none is under way.
    pub fn cancel_update(&self, of: &UpdateOf) {
        self.shared.change(|state| {
            if let Some(update) = state.updates.of(of) {
                update.called_off |= update.running();
            }
        });
    }

    /// All updates since the start, the last of each kind.
    pub fn updates(&self) -> Vec<ProgramUpdate> {
        self.shared.lock().updates.shown()
    }
}

/// Refuses what is known to be in vain without asking anybody.
fn possible(shared: &Shared, request: &UpdateRequest) -> Result<(), UpdateRefused> {
    let what = name(&request.of);
    if let Some(version) = request.version.as_ref().filter(|version| !is_version(version)) {
        return Err(UpdateRefused::NoVersion { version: version.clone() });
    }
    match &request.of {
        UpdateOf::Program { runtime } => {
            let settings = shared.lock().settings.clone();
            let Some(found) = shared.runtimes.glance(*runtime, &settings, &shared.search) else {
                return Ok(());
            };
            match (found.shown.problem, found.way) {
                (Some(problem), _) => Err(UpdateRefused::NotFound(problem)),
                (None, Some(way)) => install::installer(way, request).map(drop),
                (None, None) => Ok(()),
            }
        }
        UpdateOf::Image { .. } if shared.options.containers.is_none() => {
            Err(UpdateRefused::NotFound(format!("no engine of this machine has {what}")))
        }
        UpdateOf::Image { .. } if request.version.is_some() => {
            let why =
                "its reference names the version; name another image in the server's settings".to_owned();
            Err(UpdateRefused::NewestOnly { what, why })
        }
        UpdateOf::Image { .. } => Ok(()),
    }
}

async fn run(shared: Arc<Shared>, request: UpdateRequest) {
    let of = &request.of;
    let phase = match of {
        UpdateOf::Program { runtime } => Box::pin(install::program(&shared, *runtime, &request)).await,
        UpdateOf::Image { engine, image } => pull(&shared, of, engine, image).await,
    };
    if let UpdatePhase::Failed { why } = &phase {
        tracing::warn!(?of, %why, "an update did not come about");
    }
    shared.change(|state| {
        state.updates.set(of, phase);
        state.hold();
    });
}

/// Waits until an update is to end before its time.
async fn cut_short(shared: &Shared, of: &UpdateOf) -> CutShort {
    shared
        .until(|state| {
            let called_off = state.updates.of(of).is_none_or(|update| update.called_off);
            match (state.closing, called_off, state.offline) {
                (true, _, _) => Ok(CutShort::Closing),
                (_, true, _) => Ok(CutShort::CalledOff),
                (_, _, true) => Ok(CutShort::Offline),
                _ => Err(None),
            }
        })
        .await
}

/// Tells how far an update is.
fn step(shared: &Shared, of: &UpdateOf, progress: Option<f64>, step: &str) {
    let step = Some(step.to_owned()).filter(|step| !step.is_empty());
    shared.change(|state| state.updates.set(of, UpdatePhase::Running { progress, step }));
}

/// Stops all servers that run what is updated, and waits for their ends.
async fn stop_servers(shared: &Shared, of: &UpdateOf) {
    let concerned = |state: &mut State, each: &mut dyn FnMut(&mut super::Server)| {
        state.servers.iter_mut().filter(|server| runs(&server.settings, of)).for_each(each);
    };
    shared.change(|state| {
        concerned(state, &mut |server| {
            if server.lives() {
                server.log.note(&format!("Stopped, as {} is brought up to date", name(of)));
            }
            server.stop(Halt::Changed);
        });
    });
    shared
        .until(|state| {
            let mut lives = false;
            concerned(state, &mut |server| lives |= server.lives());
            if lives { Err(None) } else { Ok(()) }
        })
        .await;
}

/// Brings an image anew.
async fn pull(
    shared: &Arc<Shared>,
    of: &UpdateOf,
    engine: &aicockpit_protocol::EngineId,
    image: &str,
) -> UpdatePhase {
    let what = name(of);
    let Some(containers) = shared.options.containers.clone() else {
        return UpdatePhase::Failed { why: format!("{what} cannot be updated: there is no engine") };
    };
    let told = |progress: Option<f64>, words: &str| step(shared, of, progress, words);
    let updated = async {
        stop_servers(shared, of).await;
        containers.update(engine, image, &told).await
    };
    tokio::select! {
        biased;
        cut = cut_short(shared, of) => match cut {
            CutShort::CalledOff | CutShort::Closing => UpdatePhase::Cancelled,
            CutShort::Offline => UpdatePhase::Failed {
                why: format!("the update of {what} {}; the image is as it was", cut.why()),
            },
        },
        updated = updated => match updated {
            Ok(Updated { from, to }) => UpdatePhase::Done { from, to },
            Err(why) => UpdatePhase::Failed { why },
        },
    }
}

/// Tells of changes, one after the other, and never an older state after a newer one.
pub(super) async fn tell(shared: Weak<Shared>, mut changed: watch::Receiver<()>, told: UpdatesTold) {
    let mut last = Vec::new();
    while changed.changed().await.is_ok() {
        let Some(updates) = shared.upgrade().map(|shared| shared.lock().updates.shown()) else { return };
        if updates != last {
            last.clone_from(&updates);
            told(updates);
            tokio::time::sleep(TELL_APART).await;
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
