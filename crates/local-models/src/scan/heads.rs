//! Heads of files that were read before, so that the next look is quick.

use super::Files;
use crate::files::model::Facts;
use crate::files::{HeadError, chat, gguf, safetensors};
use aicockpit_protocol::local_models::ChatTemplate;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

#[derive(Clone, Debug)]
enum Head {
    Gguf(Arc<gguf::Head>),
    Safetensors(Arc<safetensors::Head>),
    Chat(Option<ChatTemplate>),
}

/// Where a folder of safetensors has its chat template. Servers take the first that is there; all are of one mind.
const TEMPLATES: [&str; 3] = ["chat_template.jinja", "chat_template.json", "tokenizer_config.json"];
/// Templates for other ways of use.
const MORE_TEMPLATES: &str = "additional_chat_templates";
/// Most of these that are read.
const MAX_TEMPLATES: usize = 32;

#[derive(Debug)]
struct Known {
    size: u64,
    modified: Option<SystemTime>,
    /// The head, or what is wrong with the file.
    head: Result<Head, String>,
}

/// Heads by file. A file of another size or time is read again.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    known: HashMap<PathBuf, Known>,
    used: HashSet<PathBuf>,
    /// Files that were read, for tests of how little is.
    pub(super) read: usize,
}

impl Heads {
    /// Forgets files that were not asked for since the last call.
    pub(super) fn forget_others(&mut self) {
        let used = std::mem::take(&mut self.used);
        self.known.retain(|path, _| used.contains(path));
    }

    /// What a model's files tell; `None` where they are no model of their own.
    ///
    /// # Errors
    /// A sentence saying what is wrong with which file.
    pub(super) fn facts(&mut self, path: &Path, files: &Files) -> Result<Option<Facts>, String> {
        match files {
            Files::Gguf { parts, count } => self.gguf(parts, *count),
            Files::Safetensors { parts } => self.safetensors(path, parts).map(Some),
        }
    }

    fn gguf(&mut self, parts: &[PathBuf], count: u32) -> Result<Option<Facts>, String> {
        let mut heads = Vec::new();
        for part in parts {
            match self.head(part, |path| gguf::read(path).map(|head| Head::Gguf(Arc::new(head))))? {
                Head::Gguf(head) => heads.push(head),
                Head::Safetensors(_) | Head::Chat(_) => {}
            }
        }
        if parts.len() < usize::try_from(count).unwrap_or(usize::MAX) {
            let missing = u64::from(count).saturating_sub(parts.len() as u64);
            return Err(format!("{missing} of its {count} parts are missing; download them too"));
        }
        let Some((first, others)) = heads.split_first() else { return Err("it has no file".to_owned()) };
        // The first of several parts may hold only words.
        if others.is_empty() && first.is_helper() {
            return Ok(None);
        }
        let others: Vec<_> = others.iter().map(|head| gguf::Head::clone(head)).collect();
        Ok(Some(first.facts(&others)))
    }

    fn safetensors(&mut self, folder: &Path, parts: &[PathBuf]) -> Result<Facts, String> {
        let json = |name: &str| {
            let path = folder.join(name);
            safetensors::read_json::<serde_json::Value>(&path).map_err(|error| told(&path, &error))
        };
        let config = json("config.json")?;
        if folder.join("model.safetensors.index.json").exists() {
            let there =
                parts.iter().filter_map(|part| part.file_name()?.to_str().map(str::to_owned)).collect();
            let missing = safetensors::missing(&json("model.safetensors.index.json")?, &there);
            if let Some(first) = missing.first() {
                let count = missing.len();
                return Err(format!(
                    "{count} of its parts are missing, {first} among them; download them too"
                ));
            }
        }
        let mut heads = Vec::new();
        for part in parts {
            let read = |path: &Path| safetensors::read(path).map(|head| Head::Safetensors(Arc::new(head)));
            match self.head(part, read)? {
                Head::Safetensors(head) => heads.push(safetensors::Head::clone(&head)),
                Head::Gguf(_) | Head::Chat(_) => {}
            }
        }
        Ok(Facts { chat: self.chat(folder), ..safetensors::facts(&config, &heads) })
    }

    /// What the folder's chat templates provide for. One that cannot be read is as good as none.
    fn chat(&mut self, folder: &Path) -> Option<ChatTemplate> {
        let more = std::fs::read_dir(folder.join(MORE_TEMPLATES)).into_iter().flatten().flatten();
        let more = more.map(|entry| entry.path()).filter(|path| is_template(path)).take(MAX_TEMPLATES);
        let files = TEMPLATES.iter().map(|name| folder.join(name)).chain(more);
        files.fold(None, |chat, file| {
            let read = |path: &Path| match is_template(path) {
                true => Ok(Head::Chat(Some(chat::read(path)?))),
                false => safetensors::read_chat(path).map(Head::Chat),
            };
            match self.head(&file, read) {
                Ok(Head::Chat(one)) => chat::both(chat, one),
                _ => chat,
            }
        })
    }

    fn head(&mut self, path: &Path, read: impl Fn(&Path) -> Result<Head, HeadError>) -> Result<Head, String> {
        let metadata = std::fs::metadata(path).map_err(|error| told(path, &HeadError::Io(error)))?;
        let (size, modified) = (metadata.len(), metadata.modified().ok());
        self.used.insert(path.to_owned());
        if let Some(known) = self.known.get(path)
            && known.size == size
            && known.modified == modified
        {
            return known.head.clone();
        }
        self.read += 1;
        let head = read(path).map_err(|error| told(path, &error));
        self.known.insert(path.to_owned(), Known { size, modified, head: head.clone() });
        head
    }
}

fn is_template(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "jinja")
}

fn told(path: &Path, error: &HeadError) -> String {
    format!("{}: {error}", path.file_name().unwrap_or(path.as_os_str()).to_string_lossy())
}
