//! Servers: started when they are asked for, watched, and ended when nobody asks any more.

mod command;
mod contained;
mod failure;
mod health;
mod isolation;
mod life;
mod log;
mod options;
mod process;
mod room;
mod run;
mod signs;
mod sockets;
mod start;
mod state;
mod update;

use crate::runtimes::{Asker, Runtimes, Search};
use crate::scan::{Heads, Places};
use aicockpit_protocol::local_models::{LocalModelSettings, LocalScan, LocalServer, Runtime};
pub(crate) use command::Call;
pub use options::{Options, Patience, Told};
pub(crate) use process::{SpawnError, Spawner};
use sockets::Sockets;
use state::{Answer, Halt, Server, State};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use update::Updates;
pub use update::{UpdateRefused, UpdatesTold};

/// Changes are told no closer than this.
const TELL_APART: Duration = Duration::from_millis(50);

/// Where a server is reached, running or not.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The server's id.
    pub id: String,
    /// The model's name that it answers to.
    pub name: String,
    /// What serves it.
    pub runtime: Runtime,
    /// The Unix socket that it listens on.
    pub socket: PathBuf,
    /// The key that it asks for. It stays the same while this process lives.
    pub key: String,
    /// Requests at once, where the settings name a number.
    pub parallel: Option<u32>,
    /// False where it is never started.
    pub enabled: bool,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, name, runtime, socket, key: _, parallel, enabled } = self;
        let mut shown = f.debug_struct("Endpoint");
        shown.field("id", id).field("name", name).field("runtime", runtime);
        shown.field("socket", socket).field("parallel", parallel).field("enabled", enabled);
        shown.finish_non_exhaustive()
    }
}

/// Why a server is not started or stopped.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RefusedError {
    /// The settings have none with this id.
    #[error("there is no model server `{id}`; it may have been removed from the settings")]
    NotFound {
        /// The id.
        id: String,
    },
    /// The settings say that it is not to be started.
    #[error("{name} is switched off in the settings; switch it on to start it")]
    Disabled {
        /// The model's name.
        name: String,
    },
    /// An update is not begun.
    #[error(transparent)]
    Update(UpdateRefused),
}

/// All that this crate knows while it runs.
struct Shared {
    options: Options,
    state: Mutex<State>,
    changed: watch::Sender<()>,
    spawner: Result<Spawner, String>,
    sockets: Sockets,
    runtimes: Runtimes,
    search: Search,
    places: Places,
    heads: Arc<Mutex<Heads>>,
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something, and lets all who wait look again.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.send_replace(());
        result
    }

    fn with_server<T>(&self, id: &str, change: impl FnOnce(&mut Server) -> T) -> Option<T> {
        self.change(|state| state.server(id).map(change))
    }

    /// Waits until `check` has something to say; it may name a time to look again. What `check` changes is not told.
    async fn until<T>(&self, mut check: impl FnMut(&mut State) -> Result<T, Option<Instant>>) -> T {
        let mut changed = self.changed.subscribe();
        loop {
            changed.borrow_and_update();
            let until = match check(&mut self.lock()) {
                Ok(found) => return found,
                Err(until) => until,
            };
            let time = async {
                match until {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // The sender is part of self.
                _ = changed.changed() => {}
                () = time => {}
            }
        }
    }

    fn new_server(&self, settings: aicockpit_protocol::local_models::LocalServerSettings) -> Server {
        let key = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
        let socket = self.sockets.of(&settings.id);
        Server::new(settings, key, socket)
    }

    fn replace(self: &Arc<Self>, settings: LocalModelSettings) {
        let added = self.change(|state| state.replace(settings, |one| self.new_server(one)));
        for id in added {
            tokio::spawn(life::attend(Arc::clone(self), id));
        }
    }

    fn close(&self) {
        self.change(|state| {
            state.closing = true;
            state.servers.iter_mut().for_each(|server| server.stop(Halt::Closing));
        });
    }
}

/// Ends all servers once nobody has a handle any more.
struct Owner(Arc<Shared>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Servers of models on this machine. Cheap to clone; all clones are one. With the last of them the servers end.
#[derive(Clone)]
pub struct LocalModels {
    shared: Arc<Shared>,
    _owner: Arc<Owner>,
}

impl fmt::Debug for LocalModels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalModels").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

impl LocalModels {
    /// Nothing is started yet; what a killed process has left is ended. `told` gets all servers after each change, from
    /// one task, and must not block. Blocks for some milliseconds.
    ///
    /// Settings are to have passed [`check`](crate::check()).
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn new(settings: LocalModelSettings, options: Options, told: Told) -> Self {
        let state_dir = std::path::absolute(&options.state_dir).unwrap_or_else(|_| options.state_dir.clone());
        let sockets = Sockets::new(&state_dir);
        let left = process::end_left_over(sockets.folder());
        if left > 0 {
            tracing::warn!(left, "processes of model servers that a killed AiCockpit has left were ended");
        }
        sockets.clear();
        let spawner = Spawner::new(tokio::runtime::Handle::current())
            .map_err(|error| format!("no thread can be started for model servers: {error}"));
        let state = State {
            settings: LocalModelSettings::default(),
            offline: false,
            closing: false,
            servers: Vec::new(),
            tickets: 0,
            updates: Updates::default(),
        };
        let asker = Asker::new(spawner.clone(), sockets.folder().join("question"));
        let updates_told = options.updates_told.clone();
        let shared = Arc::new(Shared {
            options,
            state: Mutex::new(state),
            changed: watch::Sender::new(()),
            spawner,
            sockets,
            runtimes: Runtimes::new(asker),
            search: Search::of_this_process(),
            places: Places::of_this_process(),
            heads: Arc::default(),
        });
        shared.replace(settings);
        tokio::spawn(tell(Arc::downgrade(&shared), shared.changed.subscribe(), told));
        if let Some(told) = updates_told {
            tokio::spawn(update::tell(Arc::downgrade(&shared), shared.changed.subscribe(), told));
        }
        Self { _owner: Arc::new(Owner(Arc::clone(&shared))), shared }
    }

    /// Takes up other settings. Servers that are gone from them or would run differently are stopped; the latter start
    /// again when they are asked for.
    pub fn replace(&self, settings: LocalModelSettings) {
        self.shared.replace(settings);
    }

    /// While offline, servers are started without a network. Those that have one are stopped, and start again when they
    /// are asked for.
    pub fn set_offline(&self, offline: bool) {
        self.shared.runtimes.set_offline(offline);
        self.shared.change(|state| {
            if std::mem::replace(&mut state.offline, offline) == offline {
                return;
            }
            for server in &mut state.servers {
                if !server.lives() || (offline && server.network) {
                    if server.lives() {
                        let why = match server.settings.container {
                            Some(_) => "its image was on its way",
                            None => "it had a network",
                        };
                        server.log.note(&format!("Stopped, as offline was switched on: {why}"));
                    }
                    server.stop(Halt::Offline);
                }
            }
        });
    }

    /// Models, programs and memory of this machine. May take seconds, the first time; ends early where it is dropped
    /// only as far as programs are asked.
    pub async fn scan(&self) -> LocalScan {
        let settings = self.shared.lock().settings.clone();
        let runtimes = self.shared.runtimes.all(&settings, &self.shared.search);
        let (places, heads) = (self.shared.places.clone(), Arc::clone(&self.shared.heads));
        let (probe, folders) = (Arc::clone(&self.shared.options.hardware), settings.folders.clone());
        let seen = tokio::task::spawn_blocking(move || {
            let hardware = probe();
            let mut heads = heads.lock().unwrap_or_else(PoisonError::into_inner);
            (crate::scan::scan(&places, &folders, &mut heads, &hardware), hardware)
        });
        let containers = self.shared.options.containers.clone();
        let engines = async {
            match &containers {
                Some(containers) => containers.engines().await,
                None => Vec::new(),
            }
        };
        let (runtimes, seen, engines) = tokio::join!(runtimes, seen, engines);
        let (seen, hardware) = seen.unwrap_or_else(|error| {
            tracing::error!(%error, "the look for models has failed");
            Default::default()
        });
        LocalScan {
            models: seen.models,
            folders: seen.folders,
            unreadable: seen.unreadable,
            runtimes,
            engines,
            hardware,
        }
    }

    /// All servers of the settings, in their order.
    pub fn servers(&self) -> Vec<LocalServer> {
        self.shared.lock().shown()
    }

    /// Where the servers are reached. A request to one is to hold what [`Self::ready`] returns.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let state = self.shared.lock();
        let endpoint = |server: &Server| Endpoint {
            id: server.settings.id.clone(),
            name: server.settings.name.clone(),
            runtime: server.settings.runtime,
            socket: server.socket.clone(),
            key: server.key.clone(),
            parallel: server.settings.parallel,
            enabled: server.settings.enabled,
        };
        state.servers.iter().filter(|server| !server.gone).map(endpoint).collect()
    }

    /// Starts one by hand. It is not waited for. Ends and waits before this are forgotten.
    ///
    /// # Errors
    /// See [`RefusedError`].
    pub fn start(&self, id: &str) -> Result<(), RefusedError> {
        self.shared.change(|state| {
            let server = found(state, id)?;
            if !server.settings.enabled {
                return Err(RefusedError::Disabled { name: server.settings.name.clone() });
            }
            if !server.ready() || server.halt.is_some() {
                server.start();
            }
            Ok(())
        })
    }

    /// Stops one and waits until it has ended; at most some ten seconds. Requests that wait for it fail, and the next
    /// one starts it again. Dropped early, the server still ends.
    ///
    /// # Errors
    /// [`RefusedError::NotFound`].
    pub async fn stop(&self, id: &str) -> Result<(), RefusedError> {
        let stops = self.shared.change(|state| {
            let server = found(state, id)?;
            server.stop(Halt::ByHand);
            Ok(server.stops)
        })?;
        self.shared
            .until(|state| match state.server(id) {
                Some(server) if server.lives() && server.halt.is_some() && server.stops == stops => Err(None),
                _ => Ok(()),
            })
            .await;
        Ok(())
    }

    /// The last lines that one wrote, in all its lives since this process began.
    ///
    /// # Errors
    /// [`RefusedError::NotFound`].
    pub fn log(&self, id: &str) -> Result<Vec<String>, RefusedError> {
        let log = Arc::clone(&found(&mut self.shared.lock(), id)?.log);
        Ok(log.lines())
    }

    /// Waits until one answers, and starts it for that. What is returned keeps it from being unloaded. Many may wait
    /// for one; each may be dropped at any time.
    ///
    /// # Errors
    /// A sentence for who asked: why it did not come up.
    pub async fn ready(&self, id: &str) -> Result<InUse, String> {
        let refused = |error: RefusedError| error.to_string();
        let stops = {
            let mut state = self.shared.lock();
            if state.closing {
                return Err("AiCockpit ends".to_owned());
            }
            let server = found(&mut state, id).map_err(refused)?;
            server.asked();
            if let Answer::Ready = server.answer(server.stops) {
                server.uses += 1;
                return Ok(InUse { shared: Arc::clone(&self.shared), id: id.to_owned() });
            }
            server.stops
        };
        let waiting = Waiting::new(&self.shared, id);
        self.shared
            .until(|state| {
                if state.closing {
                    return Ok(Err("AiCockpit ends".to_owned()));
                }
                let server = found(state, id).map_err(refused);
                match server.map(|server| (server.answer(stops), server)) {
                    Err(why) => Ok(Err(why)),
                    Ok((Answer::No(why), _)) => Ok(Err(why)),
                    Ok((Answer::Wait, _)) => Err(None),
                    Ok((Answer::Ready, server)) => {
                        server.uses += 1;
                        Ok(Ok(InUse { shared: Arc::clone(&waiting.shared), id: id.to_owned() }))
                    }
                }
            })
            .await
    }

    /// Ends all servers and updates, and waits for that. Nothing is started any more.
    pub async fn shutdown(&self) {
        self.shared.close();
        let lives = |state: &mut State| state.servers.iter().any(Server::lives) || state.updates.under_way();
        self.shared.until(|state| if lives(state) { Err(None) } else { Ok(()) }).await;
    }
}

fn found<'a>(state: &'a mut State, id: &str) -> Result<&'a mut Server, RefusedError> {
    let missing = || RefusedError::NotFound { id: id.to_owned() };
    state.server(id).filter(|server| !server.gone).ok_or_else(missing)
}

/// Keeps a server from being unloaded while a request is under way.
#[must_use = "the server may be unloaded once this is dropped"]
pub struct InUse {
    shared: Arc<Shared>,
    id: String,
}

impl fmt::Debug for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InUse").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let waited_for = {
            let mut state = self.shared.lock();
            let sought = state.servers.iter().any(|server| server.seeks.is_some());
            state.server(&self.id).is_some_and(|server| {
                server.uses = server.uses.saturating_sub(1);
                server.last_used = Instant::now();
                server.uses == 0 && sought
            })
        };
        if waited_for {
            self.shared.changed.send_replace(());
        }
    }
}

/// A request that waits for a server.
struct Waiting {
    shared: Arc<Shared>,
    id: String,
}

impl Waiting {
    fn new(shared: &Arc<Shared>, id: &str) -> Self {
        shared.with_server(id, |server| server.waiters += 1);
        Self { shared: Arc::clone(shared), id: id.to_owned() }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.shared.with_server(&self.id, |server| server.waiters = server.waiters.saturating_sub(1));
    }
}

/// Tells of changes, one after the other, and never an older state after a newer one.
async fn tell(shared: Weak<Shared>, mut changed: watch::Receiver<()>, told: Told) {
    let mut last = Vec::new();
    while changed.changed().await.is_ok() {
        let Some(servers) = shared.upgrade().map(|shared| shared.lock().shown()) else { return };
        // Time that goes by is no change.
        let plain = |servers: &[LocalServer]| {
            let mut servers = servers.to_vec();
            servers.iter_mut().for_each(|server| server.idle_in_ms = server.idle_in_ms.map(|_| 0));
            servers
        };
        if plain(&servers) != last {
            last = plain(&servers);
            told(servers);
            tokio::time::sleep(TELL_APART).await;
        }
    }
}

#[cfg(test)]
mod tests;
