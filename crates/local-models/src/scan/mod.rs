//! Models on this machine: the folders that programs keep them in, and those of the settings.

mod folders;
mod heads;
mod ollama;
mod walk;

use crate::estimate::{Wanted, estimate};
use crate::files::model::Facts;
use aicockpit_protocol::local_models::{Hardware, LocalModel, ModelFormat, Runtime};
pub(crate) use folders::Places;
pub(crate) use heads::Heads;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use walk::Walk;

/// Most models that are shown.
pub(crate) const MAX_MODELS: usize = 2000;
/// Most files and folders that are looked at.
const MAX_ENTRIES: usize = 300_000;
/// Folders in folders, from those that are named.
const MAX_DEPTH: usize = 6;

/// A model as found, before its files are read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    /// The first file, or the folder.
    pub(crate) path: PathBuf,
    /// Its name, where the place gives it one.
    pub(crate) name: Option<String>,
    pub(crate) files: Files,
}

/// What a model consists of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Files {
    /// Parts that are there, in order, and how many there should be.
    Gguf {
        parts: Vec<PathBuf>,
        count: u32,
    },
    Safetensors {
        parts: Vec<PathBuf>,
    },
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) models: Vec<LocalModel>,
    pub(crate) folders: Vec<String>,
    pub(crate) unreadable: Vec<String>,
}

/// Looks through all places. Blocks: for milliseconds where the heads are known, else for as long as the disk takes.
pub(crate) fn scan(places: &Places, named: &[String], heads: &mut Heads, hardware: &Hardware) -> Seen {
    let mut walk = Walk::new(MAX_DEPTH, MAX_ENTRIES, MAX_MODELS);
    let mut seen = Seen::default();
    for folder in named {
        let path = places.expand(folder);
        match walk.named(&path) {
            Ok(()) => seen.folders.push(path.to_string_lossy().into_owned()),
            Err(error) => seen.unreadable.push(format!("{folder}: {}", folder_error(&path, &error))),
        }
    }
    for (path, kind) in places.usual() {
        if path.is_dir() && walk.usual(&path, kind) {
            seen.folders.push(path.to_string_lossy().into_owned());
        }
    }
    if let Some(limit) = walk.limit() {
        seen.unreadable.push(limit);
    }
    let mut known = HashSet::new();
    for found in walk.into_found() {
        // One file under several names, as by links, is one model.
        let real = found.path.canonicalize().unwrap_or_else(|_| found.path.clone());
        if known.insert(real) {
            seen.models.extend(model(found, heads, hardware));
        }
    }
    seen.models.sort_by_cached_key(|model| (model.name.to_lowercase(), model.path.clone()));
    heads.forget_others();
    seen
}

fn folder_error(path: &Path, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => format!("there is no folder {}", path.display()),
        std::io::ErrorKind::NotADirectory => format!("{} is no folder", path.display()),
        _ => format!("it cannot be read: {error}"),
    }
}

/// Reads the heads of one model. `None` for what is no model of its own.
fn model(found: Found, heads: &mut Heads, hardware: &Hardware) -> Option<LocalModel> {
    let (format, runtime) = match found.files {
        Files::Gguf { .. } => (ModelFormat::Gguf, Runtime::LlamaCpp),
        Files::Safetensors { .. } => (ModelFormat::Safetensors, Runtime::Vllm),
    };
    let bytes =
        files(&found.files).iter().filter_map(|file| std::fs::metadata(file).ok()).map(|m| m.len()).sum();
    let (facts, problem) = match heads.facts(&found.path, &found.files) {
        Ok(facts) => (facts?, None),
        Err(problem) => (Facts::default(), Some(problem)),
    };
    let estimate = problem.is_none().then(|| estimate(&facts, &Wanted::new(runtime), hardware));
    let name = found.name.or(facts.name).unwrap_or_else(|| plain_name(&found.path));
    Some(LocalModel {
        path: found.path.to_string_lossy().into_owned(),
        name,
        format,
        bytes,
        architecture: facts.architecture,
        parameters: facts.parameters.filter(|count| *count > 0),
        quantization: facts.quantization,
        context_length: facts.context_length,
        chat: facts.chat,
        problem,
        estimate,
    })
}

fn files(files: &Files) -> &[PathBuf] {
    match files {
        Files::Gguf { parts, .. } | Files::Safetensors { parts } => parts,
    }
}

/// A file's name without its ending and its part, or a folder's.
fn plain_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let stem = crate::files::gguf::part(&name).map(|(prefix, _, _)| prefix);
    stem.or_else(|| name.strip_suffix(".gguf")).unwrap_or(&name).to_owned()
}

/// What the model at `path` is, as the settings of a server name it.
///
/// # Errors
/// A sentence saying why it cannot be served.
pub(crate) fn facts_at(path: &Path, runtime: Runtime) -> Result<Facts, String> {
    let files = walk::at(path, runtime)?;
    match Heads::default().facts(path, &files)? {
        Some(facts) => Ok(facts),
        None => {
            Err(format!("{} only helps a model and is none itself; choose the model's file", path.display()))
        }
    }
}

/// The files of weights of the model at `path`.
///
/// # Errors
/// A sentence saying why there is none.
pub(crate) fn parts_at(path: &Path, runtime: Runtime) -> Result<Vec<PathBuf>, String> {
    Ok(match walk::at(path, runtime)? {
        Files::Gguf { parts, .. } | Files::Safetensors { parts } => parts,
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
