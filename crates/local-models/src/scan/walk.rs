//! The walk through folders, bounded in depth and number. Links are followed, and no folder is gone through twice.

use super::folders::Layout;
use super::{Files, Found, ollama};
use crate::files::gguf;
use aicockpit_protocol::local_models::Runtime;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Parts of one model, at most.
const MAX_PARTS: usize = 1000;

pub(super) struct Walk {
    depth: usize,
    /// Entries that may still be looked at.
    entries: usize,
    most_entries: usize,
    most_models: usize,
    /// Folders by device and inode.
    visited: HashSet<(u64, u64)>,
    found: Vec<Found>,
    cut: Option<PathBuf>,
}

#[derive(Default)]
struct Folder {
    folders: Vec<PathBuf>,
    gguf: Vec<PathBuf>,
    safetensors: Vec<PathBuf>,
    config: bool,
    adapter: bool,
}

impl Walk {
    pub(super) fn new(depth: usize, entries: usize, models: usize) -> Self {
        Self {
            depth,
            entries,
            most_entries: entries,
            most_models: models,
            visited: HashSet::new(),
            found: Vec::new(),
            cut: None,
        }
    }

    /// What was found, in the order of the walk.
    pub(super) fn into_found(self) -> Vec<Found> {
        self.found
    }

    /// What was left out, for people.
    pub(super) fn limit(&self) -> Option<String> {
        let folder = self.cut.as_ref()?.display();
        let (entries, models) = (self.most_entries, self.most_models);
        Some(format!(
            "{folder} and what comes after it: left out, as only the first {entries} files and {models} models are \
             looked at; name folders that hold only models"
        ))
    }

    /// Goes through a folder of the settings.
    pub(super) fn named(&mut self, path: &Path) -> io::Result<()> {
        fs::read_dir(path)?;
        self.plain(path, self.depth, None);
        Ok(())
    }

    /// Goes through a usual folder; false where that was done before.
    pub(super) fn usual(&mut self, path: &Path, layout: Layout) -> bool {
        let before = self.visited.len();
        match layout {
            Layout::Plain => self.plain(path, self.depth, None),
            Layout::Hub => self.hub(path),
            Layout::Ollama => self.ollama(path),
        }
        self.visited.len() > before
    }

    fn full(&mut self, path: &Path) -> bool {
        let full = self.entries == 0 || self.found.len() >= self.most_models;
        if full && self.cut.is_none() {
            self.cut = Some(path.to_owned());
        }
        full
    }

    /// Entries of a folder, sorted by name. Empty for one that was gone through, and where the limit is reached.
    fn entries(&mut self, path: &Path) -> Vec<PathBuf> {
        let first =
            fs::metadata(path).is_ok_and(|one| one.is_dir() && self.visited.insert((one.dev(), one.ino())));
        if !first || self.full(path) {
            return Vec::new();
        }
        let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
        let mut paths = Vec::new();
        for entry in entries.flatten() {
            if self.entries == 0 {
                self.full(path);
                break;
            }
            self.entries -= 1;
            paths.push(entry.path());
        }
        paths.sort();
        paths
    }

    fn plain(&mut self, path: &Path, depth: usize, name: Option<&str>) {
        let folder = sort(self.entries(path));
        for next in &folder.folders {
            if depth > 0 {
                // Hugging Face's cache may lie inside a folder that a person names.
                match repository(next) {
                    Some(name) if next.join("snapshots").is_dir() => self.snapshots(next, &name),
                    _ => self.plain(next, depth - 1, name),
                }
            }
        }
        self.models(path, folder, name);
    }

    fn models(&mut self, path: &Path, folder: Folder, name: Option<&str>) {
        let name = || name.map(str::to_owned);
        if folder.config && !folder.adapter && !folder.safetensors.is_empty() && !self.full(path) {
            let files = Files::Safetensors { parts: weights(folder.safetensors) };
            self.found.push(Found { path: path.to_owned(), name: name(), files });
        }
        for (path, files) in group(folder.gguf) {
            if self.full(&path) {
                return;
            }
            self.found.push(Found { path, name: name(), files });
        }
    }

    fn hub(&mut self, path: &Path) {
        for entry in self.entries(path) {
            if let Some(name) = repository(&entry) {
                self.snapshots(&entry, &name);
            }
        }
    }

    /// The newest snapshot of one repository: the one that `refs/main` names, else the one that changed last.
    fn snapshots(&mut self, repository: &Path, name: &str) {
        let main = fs::read_to_string(repository.join("refs/main")).unwrap_or_default();
        let snapshots: Vec<_> =
            self.entries(&repository.join("snapshots")).into_iter().filter(|path| path.is_dir()).collect();
        let newest =
            snapshots.iter().find(|path| path.file_name().is_some_and(|name| name == main.trim())).or_else(
                || snapshots.iter().max_by_key(|path| fs::metadata(path).and_then(|one| one.modified()).ok()),
            );
        if let Some(newest) = newest {
            self.plain(newest, 2, Some(name));
        }
    }

    fn ollama(&mut self, store: &Path) {
        let manifests = store.join("manifests");
        let mut folders = vec![(manifests.clone(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            for entry in self.entries(&folder) {
                if self.full(&entry) {
                    return;
                }
                if entry.is_dir() {
                    // Host, namespace, model; a Hugging Face model has one more.
                    if depth < 5 {
                        folders.push((entry, depth + 1));
                    }
                } else if let Some(blob) = ollama::blob(store, &entry) {
                    let files = Files::Gguf { parts: vec![blob.clone()], count: 1 };
                    self.found.push(Found { path: blob, name: ollama::name(&manifests, &entry), files });
                }
            }
        }
    }
}

/// `owner/name` of a folder `models--owner--name`.
fn repository(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_prefix("models--")?;
    Some(name.replacen("--", "/", 1))
}

fn sort(entries: Vec<PathBuf>) -> Folder {
    let mut folder = Folder::default();
    for path in entries {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.ends_with(".gguf") && !path.is_dir() {
            // What reads pictures for a model is no model.
            if !name.starts_with("mmproj") {
                folder.gguf.push(path);
            }
        } else if name.ends_with(".safetensors") {
            folder.safetensors.push(path);
        } else if name == "config.json" {
            folder.config = true;
        } else if name == "adapter_config.json" {
            folder.adapter = true;
        } else if !name.starts_with('.') && path.is_dir() {
            folder.folders.push(path);
        }
    }
    folder
}

/// The parts that are served: beside `model-00001-of-00002.safetensors` others' formats may lie.
fn weights(mut parts: Vec<PathBuf>) -> Vec<PathBuf> {
    let is_model = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("model"))
    };
    if parts.iter().any(is_model) {
        parts.retain(is_model);
    }
    parts.truncate(MAX_PARTS);
    parts
}

/// Files, with those that are parts of one model together.
fn group(files: Vec<PathBuf>) -> Vec<(PathBuf, Files)> {
    let mut models = Vec::new();
    let mut split: BTreeMap<(PathBuf, u32), Vec<PathBuf>> = BTreeMap::new();
    for path in files {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match gguf::part(&name) {
            Some((prefix, _, count)) if count > 1 => {
                let parts = split.entry((path.with_file_name(prefix), count)).or_default();
                if parts.len() < MAX_PARTS {
                    parts.push(path);
                }
            }
            _ => models.push((path.clone(), Files::Gguf { parts: vec![path], count: 1 })),
        }
    }
    for ((_, count), parts) in split {
        if let Some(first) = parts.first() {
            models.push((first.clone(), Files::Gguf { parts: parts.clone(), count }));
        }
    }
    models
}

/// The files of the model at `path`.
///
/// # Errors
/// A sentence saying why there is none.
pub(super) fn at(path: &Path, runtime: Runtime) -> Result<Files, String> {
    let shown = path.display();
    let metadata =
        fs::metadata(path).map_err(|error| format!("the model {shown} cannot be read: {error}"))?;
    match runtime {
        Runtime::LlamaCpp if metadata.is_dir() => {
            Err(format!("{shown} is a folder, and llama.cpp serves a GGUF file; choose the file"))
        }
        Runtime::LlamaCpp => {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let Some((prefix, _, count)) = gguf::part(&name).filter(|(_, _, count)| *count > 1) else {
                return Ok(Files::Gguf { parts: vec![path.to_owned()], count: 1 });
            };
            let part = |number| path.with_file_name(format!("{prefix}-{number:05}-of-{count:05}.gguf"));
            let most = u32::try_from(MAX_PARTS).unwrap_or(u32::MAX);
            let parts = (1..=count.min(most)).map(part).filter(|part| part.exists()).collect();
            Ok(Files::Gguf { parts, count })
        }
        Runtime::Vllm if metadata.is_dir() => {
            let entries =
                fs::read_dir(path).map_err(|error| format!("the folder {shown} cannot be read: {error}"))?;
            let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).take(100_000).collect();
            paths.sort();
            Ok(Files::Safetensors { parts: weights(sort(paths).safetensors) })
        }
        Runtime::Vllm => {
            Err(format!("{shown} is a file, and vLLM serves a folder with config.json; choose the folder"))
        }
    }
}
