//! Programs that serve models, found where their installers put them.

mod ask;
mod python;
mod search;
mod way;

use aicockpit_protocol::local_models::{LocalModelSettings, Runtime, RuntimeFound};
use ask::{AskError, Question};
use python::{Environment, PROBE, last_line};
use search::{executable, is_python, python_of};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

pub(crate) use ask::Asker;
pub(crate) use python::{SNAPSHOT_ARGUMENTS, Snapshot};
pub(crate) use search::Search;
pub(crate) use way::{Installer, Way};

/// How long a program may take to say its version. A Python on a slow disk takes long.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long all packages of an environment may take: there may be tens of thousands of files.
const PATIENCE_FOR_ALL: Duration = Duration::from_secs(120);
const NO_LLAMA: &str = "llama-server is not found. Install llama.cpp with the system's packages (`brew install llama.cpp`, \
     or `apt install llama.cpp` where it is packaged), or unpack a release from \
     https://github.com/ggml-org/llama.cpp/releases; without a network, copy the unpacked folder here. Then name the \
     path of llama-server in the settings if it is not on PATH";
const NO_VLLM: &str = "vLLM is not found. Install it in a Python environment of its own (`python3 -m venv ~/venv && \
     ~/venv/bin/pip install vllm`); without a network, copy wheels made with `pip download vllm` and install with `pip \
     install --no-index --find-links FOLDER vllm`. Then name the path of its Python in the settings if it is not in \
     ~/venv or ~/.venv";
/// How a program is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Program {
    /// Itself.
    Binary(PathBuf),
    /// A Python that has vLLM.
    Python {
        python: PathBuf,
        /// Its `vllm` command works: that looks for a distribution of this very name.
        named_vllm: bool,
    },
}

/// A program, with what is shown of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    pub(crate) program: Option<Program>,
    pub(crate) shown: RuntimeFound,
    /// How it is brought up to date, where it can be used.
    pub(crate) way: Option<Way>,
}

/// What programs said of themselves, by path, size and time.
#[derive(Debug)]
pub(crate) struct Runtimes {
    asker: Asker,
    known: Mutex<HashMap<PathBuf, Known>>,
}

#[derive(Debug)]
struct Known {
    stamp: Stamp,
    /// Where its packages are: that changes with each of them.
    site: Option<(PathBuf, Stamp)>,
    found: Found,
}

type Stamp = (u64, Option<SystemTime>);

fn stamp(path: &Path) -> Stamp {
    path.metadata().map(|one| (one.len(), one.modified().ok())).unwrap_or_default()
}

/// Where a program would be.
enum Place {
    At(PathBuf),
    Not(Found),
}

impl Runtimes {
    pub(crate) fn new(asker: Asker) -> Self {
        Self { asker, known: Mutex::default() }
    }

    /// While offline, programs are asked without a network.
    pub(crate) fn set_offline(&self, offline: bool) {
        self.asker.set_offline(offline);
    }

    /// Both programs, whether they are there or not.
    pub(crate) async fn all(&self, settings: &LocalModelSettings, search: &Search) -> Vec<RuntimeFound> {
        let llama = self.find(Runtime::LlamaCpp, settings, search);
        let vllm = self.find(Runtime::Vllm, settings, search);
        let (llama, vllm) = tokio::join!(llama, vllm);
        vec![llama.shown, vllm.shown]
    }

    /// One program. While offline it is asked without a network; where that cannot be, it is not asked and has no
    /// version.
    pub(crate) async fn find(
        &self,
        runtime: Runtime,
        settings: &LocalModelSettings,
        search: &Search,
    ) -> Found {
        let path = match place(runtime, settings, search) {
            Place::At(path) => path,
            Place::Not(found) => return found,
        };
        if let Some(found) = self.known(&path) {
            return found;
        }
        let stamp = stamp(&path);
        let (found, site) = match runtime {
            Runtime::LlamaCpp => (self.llama(&path).await, None),
            Runtime::Vllm => self.vllm(&path, search).await,
        };
        let site = site.map(|site| (site.clone(), self::stamp(&site)));
        // What failed may have been mended since, and what was not asked may be asked later.
        if found.program.is_some() && found.way.is_some() {
            self.lock().insert(path, Known { stamp, site, found: found.clone() });
        }
        found
    }

    /// One program as far as that is known without asking it; `None` where it is to be asked.
    pub(crate) fn glance(
        &self,
        runtime: Runtime,
        settings: &LocalModelSettings,
        search: &Search,
    ) -> Option<Found> {
        match place(runtime, settings, search) {
            Place::At(path) => self.known(&path),
            Place::Not(found) => Some(found),
        }
    }

    /// Asks all programs anew from now on.
    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    /// All packages of this Python's environment.
    pub(crate) async fn snapshot(&self, python: &Path) -> Option<Snapshot> {
        let arguments = &SNAPSHOT_ARGUMENTS;
        let question = Question { program: python, arguments, patience: PATIENCE_FOR_ALL };
        let said = self.asker.ask(question).await;
        Snapshot::read(&said.inspect_err(|error| tracing::warn!(%error, "packages are not told")).ok()?.out)
    }

    fn known(&self, path: &Path) -> Option<Found> {
        let known = self.lock();
        let known = known.get(path)?;
        let same_site = known.site.as_ref().is_none_or(|(site, before)| stamp(site) == *before);
        (known.stamp == stamp(path) && same_site).then(|| known.found.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, program: &Path, arguments: &[&str]) -> Result<ask::Said, AskError> {
        self.asker.ask(Question { program, arguments, patience: PATIENCE }).await
    }

    async fn llama(&self, path: &Path) -> Found {
        let binary = Program::Binary(path.to_owned());
        match self.ask(path, &["--version"]).await {
            Ok(said) => {
                // "version: 6123 (abcdef)", on standard error.
                let mut lines = said.out.lines().chain(said.errors.lines());
                let version = lines.find_map(|line| line.trim().strip_prefix("version:"));
                let version = version.map(|version| version.trim().to_owned());
                let way = way::of_llama(path, &self.asker).await;
                usable(Runtime::LlamaCpp, path, binary, version, Some(way))
            }
            Err(AskError::NotAlone) => usable(Runtime::LlamaCpp, path, binary, None, None),
            Err(AskError::Failed(why)) => {
                unusable(Runtime::LlamaCpp, path, format!("{} cannot be used: {why}", path.display()))
            }
        }
    }

    /// vLLM, with the folder of its packages.
    async fn vllm(&self, path: &Path, search: &Search) -> (Found, Option<PathBuf>) {
        let python = if is_python(path) { Some(path.to_owned()) } else { python_of(path) };
        let Some(python) = python else { return (self.wrapper(path).await, None) };
        let shown = python.display();
        let said = match self.ask(&python, &["-c", PROBE]).await {
            Ok(said) => said,
            Err(AskError::NotAlone) => {
                let program = Program::Python { python, named_vllm: true };
                return (usable(Runtime::Vllm, path, program, None, None), None);
            }
            Err(AskError::Failed(why)) => {
                let more =
                    format!("install it there with `{shown} -m pip install vllm`, or name another Python");
                return (
                    unusable(Runtime::Vllm, path, format!("{shown} cannot run vLLM: {why}; {more}")),
                    None,
                );
            }
        };
        let Some(environment) = last_line::<Environment>(&said.out) else {
            let problem =
                format!("{shown} cannot be used: it is no Python; name another one in the settings");
            return (unusable(Runtime::Vllm, path, problem), None);
        };
        let way = way::of_python(&python, &environment, search.uv(&python));
        let program = Program::Python { python, named_vllm: environment.name.as_deref() == Some("vllm") };
        let found = usable(Runtime::Vllm, path, program, environment.version, Some(way));
        (found, Some(environment.site))
    }

    /// A program of somebody's own that starts vLLM.
    async fn wrapper(&self, path: &Path) -> Found {
        let binary = Program::Binary(path.to_owned());
        match self.ask(path, &["--version"]).await {
            Ok(said) => {
                let mut lines = said.out.lines().chain(said.errors.lines());
                let version = lines.rfind(|line| !line.trim().is_empty()).map(|line| line.trim().to_owned());
                usable(Runtime::Vllm, path, binary, version, Some(way::of_wrapper(path)))
            }
            Err(AskError::NotAlone) => usable(Runtime::Vllm, path, binary, None, None),
            Err(AskError::Failed(why)) => {
                unusable(Runtime::Vllm, path, format!("{} cannot be used: {why}", path.display()))
            }
        }
    }
}

/// The path that the settings name, or where it is found.
fn place(runtime: Runtime, settings: &LocalModelSettings, search: &Search) -> Place {
    let (named, found) = match runtime {
        Runtime::LlamaCpp => (&settings.llama_server, Search::llama as fn(&Search) -> Option<PathBuf>),
        Runtime::Vllm => (&settings.vllm, Search::vllm as _),
    };
    let named =
        named.as_deref().map(str::trim).filter(|path| !path.is_empty()).map(|path| search.expand(path));
    let Some(path) = named.or_else(|| found(search)) else {
        let problem = if runtime == Runtime::LlamaCpp { NO_LLAMA } else { NO_VLLM };
        let problem = Some(problem.to_owned());
        let shown = RuntimeFound { runtime, path: None, version: None, problem, update: None };
        return Place::Not(Found { program: None, shown, way: None });
    };
    if executable(&path) {
        return Place::At(path);
    }
    let why = if path.is_dir() {
        "it is a folder; name the program in it"
    } else if path.exists() {
        "it may not be executed; make it so with chmod +x"
    } else {
        "there is no such file"
    };
    Place::Not(unusable(runtime, &path, format!("{} cannot be used: {why}", path.display())))
}

fn unusable(runtime: Runtime, path: &Path, problem: String) -> Found {
    let path = Some(path.to_string_lossy().into_owned());
    let shown = RuntimeFound { runtime, path, version: None, problem: Some(problem), update: None };
    Found { program: None, shown, way: None }
}

fn usable(
    runtime: Runtime,
    path: &Path,
    program: Program,
    version: Option<String>,
    way: Option<Way>,
) -> Found {
    let path = Some(path.to_string_lossy().into_owned());
    let update = way.as_ref().map(Way::shown);
    Found {
        program: Some(program),
        shown: RuntimeFound { runtime, path, version, problem: None, update },
        way,
    }
}

#[cfg(test)]
#[path = "runtimes_tests.rs"]
mod tests;
