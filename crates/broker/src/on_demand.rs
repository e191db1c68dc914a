//! Servers of this machine that are started when somebody asks for their model.

use aicockpit_protocol::broker::{BackendKind, BackendSettings};
use futures::future::BoxFuture;
use secrecy::SecretString;
use std::any::Any;
use std::path::PathBuf;

/// A server of this machine that is reached over a Unix socket, besides those of the settings.
#[derive(Clone, Debug)]
pub struct LocalBackend {
    /// Its id, and before the slash in `id/model`.
    pub id: String,
    /// Its one model, also while it sleeps.
    pub model: String,
    /// What it is.
    pub kind: BackendKind,
    /// Where it listens.
    pub socket: PathBuf,
    /// The key that it asks for.
    pub key: Option<SecretString>,
    /// Most requests at once, from 1; absent for no limit.
    pub max_parallel: Option<u32>,
    /// False where it is known but not used.
    pub enabled: bool,
}

impl LocalBackend {
    /// As settings would name it.
    pub(crate) fn settings(&self) -> BackendSettings {
        BackendSettings {
            id: self.id.clone(),
            name: self.id.clone(),
            url: format!("unix:{}", self.socket.display()),
            kind: self.kind,
            has_key: self.key.is_some(),
            enabled: self.enabled,
            max_parallel: self.max_parallel,
        }
    }
}

/// What a request holds while it uses a server. The server must not be stopped before it is dropped.
pub type InUse = Box<dyn Any + Send + Sync>;

/// Starts servers when they are asked.
pub trait OnDemand: Send + Sync {
    /// Comes back when the server of this id answers. Dropped before, nobody waits for it any more.
    ///
    /// The error is a sentence: why it does not, and what to do.
    fn ready<'a>(&'a self, backend: &'a str) -> BoxFuture<'a, Result<InUse, String>>;
}
