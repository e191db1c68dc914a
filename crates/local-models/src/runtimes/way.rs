//! How a program is brought up to date: by its installer, or by the person.

use super::ask::{Asker, Question};
use super::python::{Environment, is_in_conda};
use super::search::executable;
use aicockpit_protocol::local_models::UpdateWay;
use nix::unistd::{AccessFlags, access};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a question for a file's owner may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// pip tells how far it is in a form for programs since then.
const RAW_PROGRESS: (u32, u32) = (24, 1);

/// How.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    Here(Installer),
    /// A sentence that tells how.
    ByHand(String),
}

impl Way {
    pub(super) fn shown(&self) -> UpdateWay {
        match self {
            // Homebrew has one version of a formula.
            Self::Here(installer) => {
                UpdateWay::Here { versions: !matches!(installer, Installer::Brew { .. }) }
            }
            Self::ByHand(how) => UpdateWay::ByHand { how: how.clone() },
        }
    }
}

/// A program that brings another one up to date.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Installer {
    /// Into the environment of this Python, where the package has this name.
    Pip {
        python: PathBuf,
        package: String,
        raw_progress: bool,
    },
    Uv {
        uv: PathBuf,
        python: PathBuf,
        package: String,
    },
    Brew {
        brew: PathBuf,
        formula: String,
    },
}

impl Installer {
    /// Program and arguments that install this version, or the newest.
    pub(crate) fn call(&self, version: Option<&str>) -> (PathBuf, Vec<OsString>) {
        let wanted = |package: &str| match version {
            Some(version) => format!("{package}=={version}"),
            None => package.to_owned(),
        };
        let mut arguments: Vec<OsString> = Vec::new();
        let mut add = |words: &[&str]| arguments.extend(words.iter().map(OsString::from));
        let program = match self {
            Self::Pip { python, package, raw_progress } => {
                add(&["-m", "pip", "install"]);
                if *raw_progress {
                    add(&["--progress-bar", "raw"]);
                }
                if version.is_none() {
                    add(&["--upgrade"]);
                }
                add(&[&wanted(package)]);
                python
            }
            Self::Uv { uv, python, package } => {
                add(&["pip", "install", "--python", &python.to_string_lossy()]);
                if version.is_none() {
                    // As pip does it: what it depends on stays where that will do.
                    add(&["--upgrade-package", package]);
                }
                add(&[&wanted(package)]);
                uv
            }
            Self::Brew { brew, formula } => {
                add(&["upgrade", formula]);
                brew
            }
        };
        (program.clone(), arguments)
    }

    /// The same for people.
    pub(crate) fn line(&self, version: Option<&str>) -> String {
        let (program, arguments) = self.call(version);
        let raw = ["--progress-bar", "raw"];
        let words =
            arguments.iter().map(|word| word.to_string_lossy()).filter(|word| !raw.contains(&&**word));
        let line = words.fold(program.to_string_lossy().into_owned(), |line, word| line + " " + &word);
        format!("`{line}`")
    }

    /// The Python whose packages it changes.
    pub(crate) fn python(&self) -> Option<&Path> {
        match self {
            Self::Pip { python, .. } | Self::Uv { python, .. } => Some(python),
            Self::Brew { .. } => None,
        }
    }
}

/// For vLLM in a Python environment.
pub(super) fn of_python(python: &Path, environment: &Environment, uv: Option<PathBuf>) -> Way {
    let shown = python.display();
    let prefix = environment.prefix.display();
    let Some(package) = environment.name.clone().filter(|name| is_package(name)) else {
        return Way::ByHand(format!(
            "vLLM at {prefix} belongs to no package: update it in the way it came there, from its sources for instance"
        ));
    };
    let version = environment.version.clone().unwrap_or_default();
    if environment.own_source {
        return Way::ByHand(format!(
            "vLLM came to {prefix} from an address or a folder, not from an index of packages: install a newer one from \
             there, with `{shown} -m pip install ADDRESS`"
        ));
    }
    if let Some((_, build)) = version.split_once('+') {
        return Way::ByHand(format!(
            "vLLM {version} is built for `{build}`, and the index of packages has others: install a newer one from where \
             this one came, see https://docs.vllm.ai/en/latest/getting_started/installation/"
        ));
    }
    if environment.is_condas(&package) {
        return Way::ByHand(format!(
            "conda manages vLLM at {prefix}: run `conda update --prefix {prefix} {package}`"
        ));
    }
    if environment.has("uv-receipt.toml") {
        return Way::ByHand(format!("uv manages vLLM as a tool: run `uv tool upgrade {package}`"));
    }
    if environment.has("pipx_metadata.json") {
        return Way::ByHand(format!("pipx manages vLLM: run `pipx upgrade {package}`"));
    }
    if environment.system {
        return Way::ByHand(format!(
            "{prefix} is the system's Python, which only the system's packages may change: make an environment for vLLM \
             (`python3 -m venv ~/venv && ~/venv/bin/pip install {package}`)"
        ));
    }
    let by_hand = format!("{shown} -m pip install --upgrade {package}");
    if !environment.writable {
        let site = environment.site.display();
        return Way::ByHand(format!("{site} may not be written to by you: let its owner run `{by_hand}`"));
    }
    let python = python.to_owned();
    match (uv, &environment.pip) {
        (Some(uv), pip) if pip.is_none() || environment.by_uv || environment.installer == "uv" => {
            Way::Here(Installer::Uv { uv, python, package })
        }
        (_, Some(pip)) => Way::Here(Installer::Pip { python, package, raw_progress: has_raw_progress(pip) }),
        (_, None) => Way::ByHand(format!(
            "{prefix} has no pip, and uv is not found: run `{shown} -m ensurepip`, then `{by_hand}`"
        )),
    }
}

/// Names that packages may have. It becomes an argument.
fn is_package(name: &str) -> bool {
    let sound = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.len() <= 100 && name.chars().all(sound)
}

fn has_raw_progress(pip: &str) -> bool {
    let mut numbers = pip.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= RAW_PROGRESS
}

/// For a vLLM that is started by a program of somebody's own.
pub(super) fn of_wrapper(path: &Path) -> Way {
    Way::ByHand(format!(
        "{} is no command that pip or uv made: update what it starts, or name vLLM's Python in the settings",
        path.display()
    ))
}

/// For llama-server, by where it is.
pub(super) async fn of_llama(path: &Path, asker: &Asker) -> Way {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if let Some(way) = brewed(&real).or_else(|| of_conda(&real)).or_else(|| by_place(&real)) {
        return way;
    }
    if let Some(way) = owned(path, &real, asker).await {
        return way;
    }
    Way::ByHand(built(&real).unwrap_or_else(|| {
        let folder = real.parent().unwrap_or(&real).display();
        format!(
            "download a newer release from https://github.com/ggml-org/llama.cpp/releases and unpack it over {folder}"
        )
    }))
}

/// Below a checkout, in its folder of builds.
fn built(real: &Path) -> Option<String> {
    let is_checkout = |folder: &&Path| folder.join(".git").exists() && folder.join("CMakeLists.txt").exists();
    let sources = real.ancestors().skip(1).find(is_checkout)?;
    let build = sources.join(real.strip_prefix(sources).ok()?.iter().next()?);
    let (sources, build) = (sources.display(), build.display());
    Some(format!(
        "llama.cpp was built from its sources: run `git -C {sources} pull && cmake --build {build} --config Release -j`"
    ))
}

/// `PREFIX/Cellar/FORMULA/VERSION/bin/llama-server`.
fn brewed(real: &Path) -> Option<Way> {
    let cellar = real.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "Cellar"))?;
    let formula = real.strip_prefix(cellar).ok()?.iter().next()?.to_str()?.to_owned();
    let brew = cellar.parent()?.join("bin/brew");
    if !is_package(&formula) || !executable(&brew) {
        return Some(Way::ByHand(format!("Homebrew manages llama.cpp: run `brew upgrade {formula}`")));
    }
    if access(cellar, AccessFlags::W_OK).is_err() {
        let cellar = cellar.display();
        return Some(Way::ByHand(format!(
            "{cellar} may not be written to by you: let its owner run `brew upgrade {formula}`"
        )));
    }
    Some(Way::Here(Installer::Brew { brew, formula }))
}

fn of_conda(real: &Path) -> Option<Way> {
    let prefix = real.parent()?.parent()?;
    is_in_conda(prefix, "llama.cpp").then(|| {
        let prefix = prefix.display();
        Way::ByHand(format!("conda manages llama.cpp: run `conda update --prefix {prefix} llama.cpp`"))
    })
}

fn by_place(real: &Path) -> Option<Way> {
    let how = if real.starts_with("/nix/store") {
        "Nix manages llama.cpp: update it in your profile or configuration (`nix profile upgrade llama-cpp`)"
    } else if real.starts_with("/snap") || real.starts_with("/var/lib/snapd") {
        "snap manages llama.cpp: run `sudo snap refresh`"
    } else {
        return None;
    };
    Some(Way::ByHand(how.to_owned()))
}

/// A system's list of packages: what is asked for a file's owner, and how that is updated.
struct List {
    program: &'static str,
    arguments: &'static [&'static str],
    update: &'static str,
}

const LISTS: [List; 4] = [
    List {
        program: "/usr/bin/dpkg-query",
        arguments: &["--search"],
        update: "sudo apt install --only-upgrade",
    },
    List {
        program: "/usr/bin/rpm",
        arguments: &["-qf", "--queryformat", "%{NAME}"],
        update: "sudo dnf upgrade",
    },
    List { program: "/usr/bin/pacman", arguments: &["-Qqo"], update: "sudo pacman -Syu" },
    List { program: "/sbin/apk", arguments: &["info", "--who-owns"], update: "sudo apk upgrade" },
];

/// By the system's package that a file below `/usr` belongs to.
async fn owned(path: &Path, real: &Path, asker: &Asker) -> Option<Way> {
    if !real.starts_with("/usr") || real.starts_with("/usr/local") {
        return None;
    }
    for list in LISTS.iter().filter(|list| executable(Path::new(list.program))) {
        // A link in /usr/bin may belong to nobody, as with alternatives.
        for file in [real, path] {
            let file = file.to_string_lossy();
            let arguments = [list.arguments, &[&*file]].concat();
            let question =
                Question { program: Path::new(list.program), arguments: &arguments, patience: PATIENCE };
            let Ok(said) = asker.ask(question).await else { continue };
            if let Some(package) = owner(&said.out).filter(|name| is_package(name)) {
                let update = list.update;
                return Some(Way::ByHand(format!(
                    "the system's packages manage llama.cpp: run `{update} {package}`"
                )));
            }
        }
    }
    None
}

/// The package in "llama.cpp:amd64: /usr/bin/llama-server", "/usr/bin/x is owned by llama.cpp-1.0-r0" or "llama-cpp".
fn owner(said: &str) -> Option<&str> {
    let line = said.lines().next()?.trim();
    match line.split_once(" is owned by ") {
        Some((_, package)) => Some(package.rsplitn(3, '-').last()?),
        None => line.split([':', ',', ' ']).next(),
    }
}

#[cfg(test)]
#[path = "way_tests.rs"]
mod tests;
