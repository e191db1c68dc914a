//! The Docker command line's own configuration folder: contexts and registry sign-ins are taken from it.

use serde::Deserialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What is read of `config.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct DockerConfig {
    pub(crate) current_context: Option<String>,
    pub(crate) auths: HashMap<String, StoredSignIn>,
    pub(crate) creds_store: Option<String>,
    pub(crate) cred_helpers: HashMap<String, String>,
}

/// A sign-in kept in the file itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StoredSignIn {
    /// Base64 of `user:password`.
    pub(crate) auth: Option<String>,
    pub(crate) identitytoken: Option<String>,
}

impl DockerConfig {
    /// Reads the file; one that is missing or not understood counts as empty, as nothing depends on it.
    pub(crate) fn read(folder: &Path) -> Self {
        let text = std::fs::read(folder.join("config.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }
}

/// The folder: `DOCKER_CONFIG`, else `~/.docker`.
pub(crate) fn folder() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("DOCKER_CONFIG").or_else(|| Some(variable("HOME")?.join(".docker")))
}

/// A named context.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Context {
    pub(crate) name: String,
    pub(crate) host: String,
}

/// The contexts that `docker context create` made, by name.
pub(crate) fn contexts(folder: &Path) -> Vec<Context> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Meta {
        name: String,
        endpoints: HashMap<String, MetaEndpoint>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct MetaEndpoint {
        #[serde(default)]
        host: String,
    }
    let Ok(entries) = std::fs::read_dir(folder.join("contexts/meta")) else { return Vec::new() };
    let mut contexts: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let text = std::fs::read(entry.path().join("meta.json")).ok()?;
            let mut meta: Meta = serde_json::from_slice(&text).ok()?;
            let host = meta.endpoints.remove("docker")?.host;
            (!host.is_empty()).then_some(Context { name: meta.name, host })
        })
        .collect();
    contexts.sort_by(|a, b| a.name.cmp(&b.name));
    contexts
}
