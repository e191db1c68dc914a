//! Starting and stopping the whole, and the use-cases that belong to no part of it.

use crate::agent::Agents;
use crate::engines::{Clusters, EngineSelection, Engines};
use crate::metrics::{Metrics, Running};
use crate::models::{Models, ServerContainers};
use crate::plan::{AgentBinary, PlanResources};
use crate::secrets::Secrets;
use crate::settings::CurrentSettings;
use crate::socket::SocketServer;
use crate::store::Store;
use crate::workspaces::{Workspaces, WorkspacesParts};
use crate::{CockpitError, EventBus, Onlooker};
use aicockpit_protocol::api::{BackendKey, Event, Host, HostCapability, Settings};
use aicockpit_protocol::workspace::WorkspaceState;
use aicockpit_protocol::{ApiError, ErrorCode};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Longest key of the UI's state, in characters.
const MAX_STATE_KEY_LEN: usize = 200;
/// Largest value of the UI's state, in bytes of JSON.
const MAX_STATE_LEN: usize = 1024 * 1024;

/// What a cockpit is started with.
#[derive(Clone)]
pub struct Config {
    /// Where the store and its lock are; made when it is not there. One cockpit at a time owns it.
    pub data_dir: PathBuf,
    /// The agent's binary, by [`crate::resources::agent_binary`].
    pub agent_binary: PathBuf,
    /// What this host can do for its UI.
    pub host_capabilities: Vec<HostCapability>,
    /// Which engines are used.
    pub engines: EngineSelection,
}

/// The running application.
pub struct Cockpit {
    config: Config,
    store: Arc<Store>,
    events: EventBus,
    engines: Arc<Engines>,
    agents: Arc<Agents>,
    metrics: Arc<Metrics>,
    models: Models,
    settings: Arc<CurrentSettings>,
    workspaces: Arc<Workspaces>,
    socket: Mutex<Option<SocketServer>>,
    stop: CancellationToken,
}

impl Cockpit {
    /// Opens the store and begins to look at the engines. Plans and deletions that an earlier process left
    /// unfinished go on as soon as their engine answers.
    ///
    /// # Errors
    /// When the data directory is in use or unusable, or the agent's binary cannot be read.
    pub async fn start(config: Config) -> Result<Arc<Self>, CockpitError> {
        let (directory, binary) = (config.data_dir.clone(), config.agent_binary.clone());
        let opened = tokio::task::spawn_blocking(move || {
            Ok::<_, CockpitError>((Store::open(&directory)?, AgentBinary::load(&binary)?))
        });
        let (store, agent) = opened.await.map_err(|error| CockpitError::DataDirectory {
            path: config.data_dir.clone(),
            source: std::io::Error::other(error),
        })??;
        let store = Arc::new(store);
        let events = EventBus::default();
        let value = store.settings().await?;
        let settings = Arc::new(CurrentSettings::new(Arc::clone(&store), events.clone(), value));
        let (stored, tombstones) = (store.workspaces().await?, store.tombstones().await?);
        let secrets = Arc::new(Secrets::new(store.owner(), &config.data_dir));
        let clusters = Clusters::new(settings.subscribe(), Some(agent.as_program()));
        let seen = events.subscribe();
        let (engines, news) = Engines::start(config.engines.clone(), clusters, events.clone());
        let containers =
            ServerContainers::new(Arc::clone(&engines), Arc::clone(&settings), store.owner(), seen);
        let models = {
            let (settings, directory, events) = (settings.get(), config.data_dir.clone(), events.clone());
            // The ledger is read for what the budgets have left.
            let begun = tokio::task::spawn_blocking(move || {
                Models::new(&settings, secrets, &directory, &events, containers)
            });
            begun.await.map_err(|error| CockpitError::DataDirectory {
                path: config.data_dir.clone(),
                source: std::io::Error::other(error),
            })?
        };
        let agents = Arc::new(Agents::new(events.clone(), models.clone()));
        agents.set_auto_forward(settings.get().auto_forward);
        let metrics = Arc::new(Metrics::default());
        let parts = WorkspacesParts {
            store: Arc::clone(&store),
            engines: Arc::clone(&engines),
            agents: Arc::clone(&agents),
            metrics: Arc::clone(&metrics),
            settings: Arc::clone(&settings),
            plans: PlanResources::new(agent),
            events: events.clone(),
        };
        let workspaces = Workspaces::new(parts, stored, tombstones);
        let stop = CancellationToken::new();
        let cockpit = Arc::new(Self {
            config,
            store,
            events,
            engines,
            agents,
            metrics,
            models,
            settings,
            workspaces,
            socket: Mutex::default(),
            stop,
        });
        tokio::spawn({
            let workspaces = Arc::clone(&cockpit.workspaces);
            async move { workspaces.follow(news).await }
        });
        cockpit.spawn_sampling();
        cockpit.listen_for_commands();
        Ok(cockpit)
    }

    /// Stops everything of this process: connections are closed, plans come to rest (and go on at the next start),
    /// the store is written out. Workspaces run on.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.socket.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.agents.close_all();
        self.workspaces.shutdown().await;
        self.models.shutdown().await;
        self.engines.stop();
        self.store.close();
    }

    /// Has running workspaces measured while the answer lives.
    pub fn look(&self) -> Onlooker {
        self.events.look()
    }

    /// Events from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// What this host is.
    pub fn host(&self) -> Host {
        let machine = nix::sys::utsname::uname().map(|names| names.nodename().to_string_lossy().into_owned());
        Host {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine: machine.unwrap_or_default(),
            capabilities: self.config.host_capabilities.clone(),
        }
    }

    /// The settings.
    pub fn settings(&self) -> Settings {
        self.settings.get()
    }

    /// Replaces the settings. For which model servers a key is kept is ours to say: a client may not know yet.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for a value out of range; [`ErrorCode::PortInUse`] where the port for programs of
    /// this machine cannot be had; the store's errors. Then the settings before stay.
    pub async fn put_settings(&self, mut settings: Settings) -> Result<(), ApiError> {
        let before = self.settings.get().models;
        for one in &mut settings.models.backends {
            one.has_key = before.backends.iter().any(|known| known.id == one.id && known.has_key);
        }
        let (auto_forward, taken) = (settings.auto_forward, settings.clone());
        self.settings.check(&settings)?;
        // What another program may have is had before anything is said to be so.
        self.models.listen(settings.models.listen_port).await?;
        if let Err(error) = self.settings.put(settings).await {
            // The port before was ours a moment ago; where it is not any more, that error says less than this one.
            let _ = self.models.listen(before.listen_port).await;
            return Err(error);
        }
        self.models.take_up(&taken).await?;
        self.engines.settings_changed();
        self.agents.set_auto_forward(auto_forward);
        Ok(())
    }

    /// The models.
    pub fn models(&self) -> &Models {
        &self.models
    }

    /// Keeps or forgets the key of a model server, and says so in the settings.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`] for a server that is not among the settings; [`ErrorCode::Internal`] where the key cannot
    /// be kept; the store's errors.
    pub async fn put_backend_key(&self, BackendKey { backend, key }: BackendKey) -> Result<(), ApiError> {
        let mut settings = self.settings.get();
        let Some(known) = settings.models.backends.iter_mut().find(|one| one.id == backend) else {
            return Err(ApiError::new(
                ErrorCode::NotFound,
                format!("There is no model server “{backend}” among the settings."),
            )
            .hint("Add it first."));
        };
        known.has_key = key.is_some();
        let models = settings.models.clone();
        self.models.put_key(&backend, key.map(Into::into)).await?;
        self.settings.put(settings).await?;
        self.models.apply(models).await
    }

    /// A value of the UI's own state; null where there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn ui_state(&self, key: String) -> Result<serde_json::Value, ApiError> {
        Ok(self.store.ui_state(key).await?)
    }

    /// Keeps a value of the UI's own state; null removes it.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] and [`ErrorCode::TooLarge`] beyond the limits; the store's errors.
    pub async fn put_ui_state(&self, key: String, value: serde_json::Value) -> Result<(), ApiError> {
        if key.is_empty() || key.chars().count() > MAX_STATE_KEY_LEN {
            return Err(ApiError::new(
                ErrorCode::InvalidArgument,
                "The key of a state has 1 to 200 characters.",
            ));
        }
        if value.to_string().len() > MAX_STATE_LEN {
            return Err(ApiError::new(
                ErrorCode::TooLarge,
                format!("The state “{key}” is larger than 1 MiB."),
            ));
        }
        Ok(self.store.put_ui_state(key, value).await?)
    }

    /// Where the store is.
    pub fn data_directory(&self) -> &Path {
        &self.config.data_dir
    }

    /// The engines.
    pub fn engines(&self) -> &Arc<Engines> {
        &self.engines
    }

    /// The workspaces.
    pub fn workspaces(&self) -> &Arc<Workspaces> {
        &self.workspaces
    }

    /// The connections to agents.
    pub fn agents(&self) -> &Arc<Agents> {
        &self.agents
    }

    /// The store, for drafts.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Opens the socket by which commands of other processes come. Without it (a path that is too long, a file system
    /// that has no sockets) everything else works.
    fn listen_for_commands(self: &Arc<Self>) {
        let path = self.config.data_dir.join(crate::socket::FILE_NAME);
        match crate::socket::listen(self, &path) {
            Ok(server) => *self.socket.lock().unwrap_or_else(PoisonError::into_inner) = Some(server),
            Err(error) => tracing::warn!(%error, path = %path.display(), "no socket for commands"),
        }
    }

    fn spawn_sampling(&self) {
        let (metrics, engines, events) =
            (Arc::clone(&self.metrics), Arc::clone(&self.engines), self.events.clone());
        let agents = Arc::clone(&self.agents);
        let (workspaces, stop) = (Arc::clone(&self.workspaces), self.stop.clone());
        tokio::spawn(async move {
            let running = || {
                let all = workspaces.all();
                all.iter()
                    .filter_map(|entry| {
                        let record = entry.record();
                        let container = record.container.clone()?;
                        (record.state == WorkspaceState::Running).then(|| Running {
                            workspace: entry.id.clone(),
                            engine: entry.engine.clone(),
                            container,
                        })
                    })
                    .collect()
            };
            stop.run_until_cancelled(metrics.sample(events, &engines, &agents, running)).await;
        });
    }
}
