//! Where programs keep their models.

use std::ffi::OsString;
use std::path::PathBuf;

/// How a folder is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Layout {
    Plain,
    /// Hugging Face's cache.
    Hub,
    Ollama,
}

/// The person's home, and what the environment says of folders.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    home: Option<PathBuf>,
    environment: fn(&str) -> Option<OsString>,
}

impl Places {
    pub(crate) fn of_this_process() -> Self {
        Self { home: dirs::home_dir(), environment: |name| std::env::var_os(name) }
    }

    #[cfg(test)]
    pub(crate) fn below(home: &std::path::Path, environment: fn(&str) -> Option<OsString>) -> Self {
        Self { home: Some(home.to_owned()), environment }
    }

    fn variable(&self, name: &str) -> Option<PathBuf> {
        (self.environment)(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    fn at_home(&self, below: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(below))
    }

    /// A path as a person writes it, with `~`.
    pub(crate) fn expand(&self, path: &str) -> PathBuf {
        match (path.strip_prefix('~'), &self.home) {
            (Some(""), Some(home)) => home.clone(),
            (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
            _ => PathBuf::from(path),
        }
    }

    /// The usual folders, whether they are there or not.
    pub(crate) fn usual(&self) -> Vec<(PathBuf, Layout)> {
        let cache = self.variable("XDG_CACHE_HOME").or_else(|| self.at_home(".cache"));
        let in_cache = |below: &str| cache.as_ref().map(|cache| cache.join(below));
        let hub = self
            .variable("HF_HUB_CACHE")
            .or_else(|| self.variable("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| self.variable("HF_HOME").map(|home| home.join("hub")))
            .or_else(|| in_cache("huggingface/hub"));
        let llama = self.variable("LLAMA_CACHE").or_else(|| in_cache("llama.cpp"));
        let ollama = self.variable("OLLAMA_MODELS").or_else(|| self.at_home(".ollama/models"));
        let places = [
            (hub, Layout::Hub),
            (llama, Layout::Plain),
            (ollama, Layout::Ollama),
            // Where Linux packages of Ollama keep them, for a user of its own.
            (Some(PathBuf::from("/usr/share/ollama/.ollama/models")), Layout::Ollama),
            (self.at_home(".lmstudio/models"), Layout::Plain),
            (self.at_home(".cache/lm-studio/models"), Layout::Plain),
            (self.at_home("models"), Layout::Plain),
        ];
        places.into_iter().filter_map(|(path, layout)| Some((path?, layout))).collect()
    }
}
