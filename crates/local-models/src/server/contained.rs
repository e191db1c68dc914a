//! How a container is called to serve a model, and what of this machine it sees: its socket's folder, the model's
//! files, and files that its arguments name.

use super::command::{Parts, VLLM_SERVER, words};
use super::sockets;
use crate::containers::ContainerCall;
use crate::scan::parts_at;
use aicockpit_protocol::local_models::{Runtime, ServerContainer};
use std::fs;
use std::path::{Path, PathBuf};

/// Where a container has the folder of its socket.
const SOCKETS: &str = "/run/aicockpit";
/// Where it has the model.
const MODEL: &str = "/model";
/// Where it has files that its arguments name.
const FILES: &str = "/files";
/// Most files that are mounted one by one.
const MAX_FILES: usize = 2000;
/// Folders in a model's folder.
const MAX_DEPTH: usize = 8;
/// vLLM's processes hand tensors to each other by it.
const VLLM_SHARED: u64 = 8 << 30;
/// What engines give if not told.
const SHARED: u64 = 64 << 20;
/// The user inside has no entry among the container's users, and no home: programs keep what they make in `/tmp`, and
/// ask for no name.
const HOMELESS: [(&str, &str); 12] = [
    ("HOME", "/tmp"),
    ("USER", "aicockpit"),
    ("LOGNAME", "aicockpit"),
    ("XDG_CACHE_HOME", "/tmp/.cache"),
    ("XDG_CONFIG_HOME", "/tmp/.config"),
    ("HF_HOME", "/tmp/.cache/huggingface"),
    ("LLAMA_CACHE", "/tmp/.cache/llama.cpp"),
    ("VLLM_CACHE_ROOT", "/tmp/.cache/vllm"),
    ("VLLM_CONFIG_ROOT", "/tmp/.config/vllm"),
    ("TORCHINDUCTOR_CACHE_DIR", "/tmp/.cache/torchinductor"),
    ("TRITON_CACHE_DIR", "/tmp/.cache/triton"),
    // There is loopback alone, and no name of the machine leads to it.
    ("GLOO_SOCKET_IFNAME", "lo"),
];

/// Something of this machine, and where a container has it.
type Mount = (PathBuf, String);

/// What a container sees of this machine to be read only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Seen {
    /// The model's path inside.
    pub(super) model: PathBuf,
    /// The arguments, with the paths of files as they are inside.
    pub(super) arguments: Vec<String>,
    mounts: Vec<Mount>,
}

/// The path of the socket inside.
pub(super) fn socket() -> PathBuf {
    Path::new(SOCKETS).join(sockets::NAME)
}

/// Finds what is to be seen. Blocks for as long as the disk takes.
///
/// # Errors
/// A sentence saying why the model cannot be seen inside.
pub(super) fn look(model: &Path, runtime: Runtime, arguments: &[String]) -> Result<Seen, String> {
    let (inside, mut mounts) = match runtime {
        Runtime::LlamaCpp => gguf(&parts_at(model, runtime)?)?,
        Runtime::Vllm => (PathBuf::from(MODEL), folder(model)?),
    };
    let argument = |argument: &String| {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) if name.starts_with('-') => (Some(name), value),
            _ => (None, argument.as_str()),
        };
        let Some(path) = file(value) else { return argument.clone() };
        let inside = format!("{FILES}/{}-{}", mounts.len(), plain(value));
        mounts.push((path, inside.clone()));
        name.map_or(inside.clone(), |name| format!("{name}={inside}"))
    };
    let arguments = arguments.iter().map(argument).collect();
    Ok(Seen { model: inside, arguments, mounts })
}

/// The parts of a model, each by itself: nothing else of their folder is seen, and links are of no matter. llama.cpp
/// finds the other parts by the first one's name.
fn gguf(parts: &[PathBuf]) -> Result<(PathBuf, Vec<Mount>), String> {
    let name = |index: usize| match parts.len() {
        0 | 1 => format!("{MODEL}/model.gguf"),
        count => format!("{MODEL}/model-{:05}-of-{count:05}.gguf", index + 1),
    };
    let mount = |(index, part): (usize, &PathBuf)| Ok((real(part)?, name(index)));
    let mounts = parts.iter().enumerate().map(mount).collect::<Result<_, String>>()?;
    Ok((PathBuf::from(name(0)), mounts))
}

/// A folder as it is; where there are links in it, as in Hugging Face's cache, each of its files by itself.
fn folder(model: &Path) -> Result<Vec<Mount>, String> {
    let (mut files, mut has_links) = (Vec::new(), false);
    let mut folders = vec![(model.to_owned(), MODEL.to_owned(), 0)];
    while let Some((folder, inside, depth)) = folders.pop() {
        let unreadable = |error| format!("the folder {} cannot be read: {error}", folder.display());
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // Nothing that a server reads; Git's own folder may be large.
            if name.starts_with('.') {
                continue;
            }
            has_links |= entry.file_type().is_ok_and(|kind| kind.is_symlink());
            let (path, inside) = (entry.path(), format!("{inside}/{name}"));
            // A link to nothing is left out.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            if metadata.is_file() {
                files.push((path, inside));
            } else if metadata.is_dir() && depth < MAX_DEPTH {
                folders.push((path, inside, depth + 1));
            }
            if has_links && files.len() > MAX_FILES {
                return Err(format!(
                    "the folder {} has links among more than {MAX_FILES} files; copy the model into a folder of its own",
                    model.display()
                ));
            }
        }
    }
    if !has_links {
        return Ok(vec![(real(model)?, MODEL.to_owned())]);
    }
    files.sort();
    files.into_iter().map(|(path, inside)| Ok((real(&path)?, inside))).collect()
}

fn real(path: &Path) -> Result<PathBuf, String> {
    path.canonicalize().map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

/// A file of this machine that an argument names by its whole path.
fn file(value: &str) -> Option<PathBuf> {
    let path = Path::new(value);
    let is_file = path.is_absolute() && path.metadata().is_ok_and(|one| one.is_file());
    path.canonicalize().ok().filter(|_| is_file)
}

/// A file's name with letters that no engine takes for its own; programs tell kinds of files by their endings.
fn plain(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
}

/// The call of a container. `parts` are as they are inside, `socket` is as it is outside.
pub(super) fn call(
    parts: &Parts<'_>,
    container: &ServerContainer,
    seen: &Seen,
    socket: &Path,
    gpu: bool,
) -> ContainerCall {
    let (after, environment) = words(parts);
    let runtime = parts.settings.runtime;
    let entrypoint = match runtime {
        // Its images have it at different places.
        Runtime::LlamaCpp => None,
        // Older images' own is this, newer ones' is `vllm serve`.
        Runtime::Vllm => Some(["python3", "-m", VLLM_SERVER].map(str::to_owned).to_vec()),
    };
    let mut arguments = vec!["--model".to_owned(), parts.model.to_string_lossy().into_owned()];
    arguments.extend(after.iter().map(|word| word.to_string_lossy().into_owned()));
    let told =
        environment.into_iter().map(|(name, value)| (name.to_owned(), value.to_string_lossy().into_owned()));
    let homeless = HOMELESS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let own = socket.parent().map(|folder| (folder.to_owned(), SOCKETS.to_owned(), false));
    let read_only = seen.mounts.iter().map(|(path, inside)| (path.clone(), inside.clone(), true));
    ContainerCall {
        engine: container.engine.clone(),
        image: container.image.clone(),
        runtime,
        server: parts.settings.id.clone(),
        entrypoint,
        arguments,
        environment: told.chain(homeless).collect(),
        mounts: own.into_iter().chain(read_only).collect(),
        gpu,
        shared_memory: if runtime == Runtime::Vllm { VLLM_SHARED } else { SHARED },
    }
}

#[cfg(test)]
#[path = "contained_tests.rs"]
mod tests;
