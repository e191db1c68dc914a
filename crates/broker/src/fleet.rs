//! The settings alive: backends, and where each name of a model leads.

use crate::Secrets;
use crate::backend::{Backend, Means};
use crate::on_demand::LocalBackend;
use crate::prices::Prices;
use crate::queue::Queue;
use aicockpit_protocol::broker::BrokerSettings;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

/// Why settings cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettingsError {
    /// A backend's cannot.
    #[error("the backend `{name}` cannot be used: {why}")]
    Backend {
        /// Its name.
        name: String,
        /// Why not.
        why: String,
    },
    /// Two backends have one id or name.
    #[error("two backends are called `{0}`; give each its own name")]
    TwoBackends(String),
    /// Two aliases have one name.
    #[error("the alias `{0}` is given twice")]
    TwoAliases(String),
    /// An alias leads nowhere.
    #[error("the alias `{0}` leads to no backend; give it one target at least")]
    NoTarget(String),
    /// An alias leads to a backend that is not there.
    #[error("the alias `{alias}` leads to `{backend}`, which is not among the backends")]
    UnknownBackend {
        /// The alias.
        alias: String,
        /// What it names.
        backend: String,
    },
    /// A value means nothing.
    #[error("`{setting}` {why}")]
    Value {
        /// The setting's name.
        setting: String,
        /// What it must be.
        why: &'static str,
    },
}

/// The servers of this machine, besides those of the settings.
#[derive(Clone, Default)]
pub(crate) struct Local {
    pub(crate) now: Vec<LocalBackend>,
    /// The ids of all that there ever were. An alias may go on leading to one that is no longer there.
    pub(crate) known: BTreeSet<String>,
}

impl Local {
    pub(crate) fn set(&mut self, now: Vec<LocalBackend>) {
        self.known.extend(now.iter().map(|local| local.id.clone()));
        self.now = now;
    }
}

/// Those of this machine, with their names beside the others'. One that cannot be used is left out, and logged: it was
/// not made by a person's settings.
fn of_this_machine(
    local: &Local,
    names: &mut HashMap<String, Option<Arc<Backend>>>,
    means: &Means,
    before: Option<&Fleet>,
) -> Vec<Arc<Backend>> {
    let mut backends = Vec::new();
    for one in &local.now {
        if names.contains_key(&one.id) {
            tracing::error!(backend = one.id, "another backend has the name of a server of this machine");
            continue;
        }
        if !one.enabled {
            names.insert(one.id.clone(), None);
            continue;
        }
        let alive = before.and_then(|before| before.backends.iter().find(|alive| alive.is_same_local(one)));
        let backend = match alive.cloned().map_or_else(|| Backend::on_socket(one, means).map(Arc::new), Ok) {
            Ok(backend) => backend,
            Err(why) => {
                tracing::error!(backend = one.id, why, "a server of this machine cannot be used");
                continue;
            }
        };
        names.insert(one.id.clone(), Some(Arc::clone(&backend)));
        backends.push(backend);
    }
    for id in &local.known {
        names.entry(id.clone()).or_insert(None);
    }
    backends
}

/// A model on a backend.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) backend: Arc<Backend>,
    pub(crate) model: Arc<str>,
    pub(crate) priority: u8,
}

/// Backends and names, as one set of settings says.
pub(crate) struct Fleet {
    /// Those that are enabled.
    pub(crate) backends: Vec<Arc<Backend>>,
    /// Of disabled backends nothing is left in them.
    pub(crate) aliases: HashMap<String, Vec<Target>>,
    pub(crate) first_byte: Duration,
    pub(crate) idle: Duration,
    /// Time that a request waits for a place.
    pub(crate) queue_for: Duration,
    /// Everybody who waits, whatever the settings were then.
    pub(crate) queue: Queue,
    pub(crate) prices: Arc<Prices>,
    /// Whose turn it is among equals.
    pub(crate) turn: AtomicUsize,
}

impl Fleet {
    /// Makes the settings live. What `before` has alive already is taken over, with its health and running requests.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub(crate) fn new(
        settings: BrokerSettings,
        local: &Local,
        secrets: &dyn Secrets,
        means: &Means,
        before: Option<&Self>,
    ) -> Result<Self, SettingsError> {
        crate::limits::check(&settings)?;
        let mut names: HashMap<String, Option<Arc<Backend>>> = HashMap::new();
        let mut backends = Vec::new();
        for one in settings.backends {
            let key = if one.has_key { secrets.get(&one.id) } else { None };
            let (id, name, enabled) = (one.id.clone(), one.name.clone(), one.enabled);
            let alive = before
                .and_then(|before| before.backends.iter().find(|alive| alive.is_same(&one, key.as_ref())))
                .cloned();
            let backend = match alive {
                Some(alive) => alive,
                None => Backend::new(one, key.as_ref(), means)
                    .map(Arc::new)
                    .map_err(|why| SettingsError::Backend { name: name.clone(), why })?,
            };
            let known = enabled.then(|| Arc::clone(&backend));
            if names.insert(id.clone(), known.clone()).is_some() {
                return Err(SettingsError::TwoBackends(id));
            }
            if name != id && names.insert(name.clone(), known).is_some() {
                return Err(SettingsError::TwoBackends(name));
            }
            if enabled {
                backends.push(backend);
            }
        }
        backends.extend(of_this_machine(local, &mut names, means, before));
        let mut aliases = HashMap::new();
        for alias in settings.aliases {
            if alias.targets.is_empty() {
                return Err(SettingsError::NoTarget(alias.name));
            }
            let mut targets = Vec::with_capacity(alias.targets.len());
            for target in alias.targets {
                match names.get(&target.backend) {
                    None => {
                        return Err(SettingsError::UnknownBackend {
                            alias: alias.name,
                            backend: target.backend,
                        });
                    }
                    Some(None) => {}
                    Some(Some(backend)) => targets.push(Target {
                        backend: Arc::clone(backend),
                        model: target.model.into(),
                        priority: target.priority,
                    }),
                }
            }
            if aliases.insert(alias.name.clone(), targets).is_some() {
                return Err(SettingsError::TwoAliases(alias.name));
            }
        }
        Ok(Self {
            backends,
            aliases,
            first_byte: Duration::from_secs(settings.first_byte_seconds.max(1).into()),
            idle: Duration::from_secs(settings.idle_seconds.max(1).into()),
            queue_for: Duration::from_secs(settings.queue_seconds.into()),
            queue: before.map(|before| before.queue.clone()).unwrap_or_default(),
            prices: Arc::new(Prices::new(settings.prices, &settings.currency)),
            turn: AtomicUsize::new(0),
        })
    }

    /// The backend of this name or id.
    pub(crate) fn backend(&self, name: &str) -> Option<&Arc<Backend>> {
        self.backends.iter().find(|backend| backend.settings.name == name || backend.settings.id == name)
    }
}
