//! Updates by real pip and real uv, of packages that the tests make: `AICOCKPIT_TEST_UV` names uv.
//!
//! Each test runs in a process of its own, with a home and an index of packages of its own.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod ends;
mod images;
mod offline;
mod programs;
mod python;

use aicockpit_local_models::{LocalModels, Options};
use aicockpit_protocol::local_models::{
    Hardware, LocalModelSettings, LocalServerSettings, ProgramUpdate, Runtime, RuntimeFound, UpdateOf,
    UpdatePhase, UpdateRequest,
};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// Far more than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
const FOLDER: &str = "AICOCKPIT_TEST_UPDATES";
const PYTHON: &str = "AICOCKPIT_TEST_UPDATES_PYTHON";
pub(crate) const UV: &str = "AICOCKPIT_TEST_UV";
pub(crate) const VLLM: UpdateOf = UpdateOf::Program { runtime: Runtime::Vllm };

/// What installs packages into an environment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tool {
    Pip,
    Uv,
}

/// A place of a test's own.
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
}

/// Runs the test of this name in a process of its own, and gives its place there. `None` outside of it.
pub(crate) fn inside(name: &str) -> Option<Place> {
    run_inside(name, &[], |_| {})
}

/// The same, started by another program once the place is prepared.
pub(crate) fn run_inside(name: &str, by: &[&str], prepare: impl FnOnce(&Place)) -> Option<Place> {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return Some(Place { folder: folder.into() });
    }
    let folder = tempfile::tempdir().unwrap();
    let place = Place { folder: folder.path().to_owned() };
    for below in ["wheels", "home", "bin"] {
        std::fs::create_dir(place.at(below)).unwrap();
    }
    if let Some(uv) = std::env::var_os(UV) {
        std::os::unix::fs::symlink(uv, place.at("bin/uv")).unwrap();
    }
    let gate = place.at("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
    prepare(&place);
    let exe = std::env::current_exe().unwrap();
    let line: Vec<_> = by.iter().map(std::ffi::OsStr::new).chain([exe.as_os_str()]).collect();
    let mut command = Command::new(line[0]);
    command.args(&line[1..]).args(["--exact", name, "--nocapture", "--test-threads=1"]);
    let ran = place.environment(&mut command).output().unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&said));
    // What is said there is said here.
    eprint!("{}", String::from_utf8_lossy(&said));
    None
}

/// The Python of this machine: not a shim that looks for it at home.
fn python() -> PathBuf {
    if let Some(python) = std::env::var_os(PYTHON) {
        return python.into();
    }
    let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    PathBuf::from(String::from_utf8(asked.stdout).unwrap().trim())
}

fn ran(command: &mut Command) {
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

impl Place {
    pub(crate) fn at(&self, below: &str) -> PathBuf {
        self.folder.join(below)
    }

    /// What installers and searches go by.
    pub(crate) fn environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let path = std::env::join_paths([self.at("bin"), "/usr/bin".into(), "/bin".into()]).unwrap();
        let (wheels, cache) = (self.at("wheels"), self.at("cache"));
        command
            .env(PYTHON, python())
            .env(FOLDER, &self.folder)
            .env("HOME", self.at("home"))
            .env("PATH", path)
            .envs([("PIP_NO_INDEX", "1"), ("PIP_CONFIG_FILE", "/dev/null"), ("UV_NO_INDEX", "1")])
            .envs([("UV_OFFLINE", "1"), ("UV_NO_CONFIG", "1")])
            .env("PIP_FIND_LINKS", &wheels)
            .env("UV_FIND_LINKS", &wheels)
            .env("PIP_CACHE_DIR", &cache)
            .env("UV_CACHE_DIR", &cache)
            .env("AICOCKPIT_TEST_GATE", self.at("gate"))
            .env("AICOCKPIT_TEST_BUILDS", self.at("builds"))
            .env_remove("VIRTUAL_ENV")
            .env_remove("CONDA_PREFIX")
    }

    /// Makes packages: `wheel NAME VERSION …` or `source VERSION`.
    pub(crate) fn package(&self, words: &[&str]) {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/updates/wheel.py");
        let (kind, rest) = words.split_first().unwrap();
        ran(Command::new(python()).arg(script).arg(kind).arg(self.at("wheels")).args(rest));
    }

    pub(crate) fn python(&self) -> PathBuf {
        self.at("home/venv/bin/python")
    }

    /// Makes the environment where vLLM is looked for, with these packages.
    pub(crate) fn install(&self, tool: Tool, packages: &[&str]) {
        let venv = self.at("home/venv");
        let uv = || {
            let mut command = Command::new(self.at("bin/uv"));
            self.environment(&mut command);
            command
        };
        match tool {
            Tool::Pip => {
                ran(Command::new(python()).args(["-m", "venv"]).arg(&venv));
                let mut pip = Command::new(self.python());
                ran(self.environment(&mut pip).args(["-m", "pip", "install"]).args(packages));
            }
            Tool::Uv => {
                ran(uv().args(["venv", "--python"]).arg(python()).arg(&venv));
                ran(uv().args(["pip", "install", "--python"]).arg(self.python()).args(packages));
            }
        }
    }

    /// Waits until a build waits at the gate; gives its process and its parent's.
    pub(crate) async fn build_begins(&self) -> (u32, u32) {
        let begun = async {
            loop {
                let builds = std::fs::read_to_string(self.at("builds")).unwrap_or_default();
                let ids: Vec<u32> = builds.split_whitespace().map(|id| id.parse().unwrap()).collect();
                if builds.ends_with('\n')
                    && let [.., build, parent] = ids[..]
                {
                    return (build, parent);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, begun).await.expect("a build begins")
    }

    /// Lets a build go on.
    pub(crate) async fn open_gate(&self) {
        let gate = self.at("gate");
        tokio::task::spawn_blocking(move || drop(std::fs::File::options().write(true).open(gate)))
            .await
            .unwrap();
    }

    /// The smallest folder that vLLM could serve.
    pub(crate) fn model(&self) -> PathBuf {
        let folder = self.at("model");
        let head = br#"{"w":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]}}"#;
        let weights = [&(head.len() as u64).to_le_bytes()[..], head, &[0; 8]].concat();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("model.safetensors"), weights).unwrap();
        let config = br#"{"model_type":"llama","max_position_embeddings":2048}"#;
        std::fs::write(folder.join("config.json"), config).unwrap();
        folder
    }
}

/// Models of a place.
pub(crate) struct Machine {
    pub(crate) models: LocalModels,
    told: watch::Receiver<Vec<ProgramUpdate>>,
}

pub(crate) fn server(model: &Path) -> LocalServerSettings {
    LocalServerSettings {
        id: "one".into(),
        name: "tiny".into(),
        runtime: Runtime::Vllm,
        container: None,
        model: model.to_str().unwrap().into(),
        context_length: Some(1024),
        parallel: None,
        gpu_layers: None,
        arguments: Vec::new(),
        idle_minutes: None,
        enabled: true,
    }
}

pub(crate) fn options(place: &Place) -> Options {
    let memory = || Hardware { memory_bytes: 16 << 30, available_bytes: 16 << 30, gpus: Vec::new() };
    Options::new(place.at("state")).with_hardware(memory)
}

impl Machine {
    pub(crate) fn new(place: &Place) -> Self {
        Self::with(LocalModelSettings::default(), options(place))
    }

    pub(crate) fn with(settings: LocalModelSettings, options: Options) -> Self {
        let (sender, told) = watch::channel(Vec::new());
        let options = options.with_updates_told(Arc::new(move |updates| drop(sender.send(updates))));
        Self { models: LocalModels::new(settings, options, Arc::new(|_| {})), told }
    }

    pub(crate) async fn found(&self, runtime: Runtime) -> RuntimeFound {
        let scan = timeout(PATIENCE, self.models.scan()).await.unwrap();
        scan.runtimes.into_iter().find(|one| one.runtime == runtime).unwrap()
    }

    pub(crate) async fn version(&self) -> Option<String> {
        self.found(Runtime::Vllm).await.version
    }

    pub(crate) fn begin(&self, version: Option<&str>) {
        self.models.update(&UpdateRequest { of: VLLM, version: version.map(str::to_owned) }).unwrap();
    }

    /// Waits until an update is as wanted. All that it comes to is told.
    pub(crate) async fn until(&self, of: &UpdateOf, wanted: impl Fn(&UpdatePhase) -> bool) -> UpdatePhase {
        let mut told = self.told.clone();
        let found = async {
            loop {
                told.mark_unchanged();
                let all = self.models.updates();
                let phase = all.into_iter().find(|one| one.of == *of).map(|one| one.phase);
                match phase.filter(&wanted) {
                    Some(phase) => return phase,
                    None => told.changed().await.unwrap(),
                }
            }
        };
        timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("{:?}", self.models.updates()))
    }

    pub(crate) async fn ended(&self, of: &UpdateOf) -> UpdatePhase {
        let ended = self.until(of, |phase| !matches!(phase, UpdatePhase::Running { .. })).await;
        let mut told = self.told.clone();
        let is_it = |one: &ProgramUpdate| one.of == *of && one.phase == ended;
        let told = timeout(PATIENCE, told.wait_for(|all| all.iter().any(is_it))).await;
        told.expect("its end is told").unwrap();
        ended
    }

    /// Updates vLLM and waits for the end.
    pub(crate) async fn update(&self, version: Option<&str>) -> UpdatePhase {
        self.begin(version);
        self.ended(&VLLM).await
    }
}

pub(crate) fn done(from: &str, to: &str) -> UpdatePhase {
    UpdatePhase::Done { from: Some(from.to_owned()), to: Some(to.to_owned()) }
}

pub(crate) fn why(phase: UpdatePhase) -> String {
    let UpdatePhase::Failed { why } = phase else { panic!("{phase:?}") };
    why
}

pub(crate) fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie is dead.
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.trim().starts_with('Z'))
}

/// Waits until a process that is not our child is gone.
pub(crate) async fn until_gone(pid: u32) {
    let gone = async {
        while lives(pid) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap_or_else(|_| panic!("process {pid} still lives"));
}
