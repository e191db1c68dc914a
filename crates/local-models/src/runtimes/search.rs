//! Where programs are looked for.

use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

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

    pub(super) fn expand(&self, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(path),
        }
    }

    fn at_home(&self, below: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(below))
    }

    pub(super) fn llama(&self) -> Option<PathBuf> {
        self.find("llama-server", self.at_home("llama.cpp/build/bin").into_iter())
    }

    pub(super) fn vllm(&self) -> Option<PathBuf> {
        let homes = [".venv", "venv"].iter().filter_map(|name| self.at_home(name));
        let environments = self.environments.iter().cloned().chain(homes).map(|folder| folder.join("bin"));
        self.find("vllm", environments)
    }

    /// uv, for the environment of this Python.
    pub(super) fn uv(&self, python: &Path) -> Option<PathBuf> {
        let beside = python.parent().map(Path::to_owned);
        self.find("uv", beside.into_iter().chain(self.at_home(".cargo/bin")))
    }

    /// On PATH, else in these folders, else where installers of one user or of all put programs.
    fn find(&self, program: &str, folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
        let local = self.at_home(".local/bin");
        let all = self.path.iter().cloned().chain(folders).chain(local).chain(self.usual.iter().cloned());
        all.map(|folder| folder.join(program)).find(|path| executable(path))
    }
}

pub(super) fn executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|one| one.is_file() && one.permissions().mode() & 0o111 != 0)
}

/// The Python of a command that pip or uv made: in its first line, or in its second where the path is long.
pub(super) fn python_of(script: &Path) -> Option<PathBuf> {
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

pub(super) fn is_python(path: &Path) -> bool {
    path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with("python"))
}
