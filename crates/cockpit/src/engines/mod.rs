//! Which engines there are, whether they can be used, and what their containers do.
//!
//! Each engine has one task. It probes; while the engine is ready it follows the engine's event stream, whose end is
//! the news that the engine went away; else it tries again, every two seconds or, over a network, ever more rarely.
//! Nothing else asks an engine whether it lives. A cluster that the settings switch off is listed and left alone.

mod clusters;
mod discovery;
mod follow;

pub use clusters::Clusters;
pub use discovery::{EngineSelection, KnownEngine};

use crate::EventBus;
use crate::workspaces::labels;
use aicockpit_engine::{ContainerEvent, ContainerSummary, Endpoint, Engine};
use aicockpit_protocol::api::{Event, ForeignContainer, ImageInfo};
use aicockpit_protocol::engine::{ClusterSettings, EngineCapabilities, EngineHealth, EngineInfo, EngineKind};
use aicockpit_protocol::{ApiError, EngineId, ErrorCode};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// News of engines and their containers, in the order in which they happened.
#[derive(Debug)]
pub enum EngineNews {
    /// An engine became usable; these workspace containers are there.
    Ready {
        /// Which.
        engine: EngineId,
        /// The containers of workspaces, of any owner.
        containers: Vec<ContainerSummary>,
    },
    /// An engine went away.
    Lost {
        /// Which.
        engine: EngineId,
    },
    /// Something happened to a container.
    Container {
        /// Where.
        engine: EngineId,
        /// What.
        event: ContainerEvent,
    },
}

/// The engines of this cockpit.
pub struct Engines {
    selection: EngineSelection,
    clusters: Clusters,
    slots: RwLock<Vec<Arc<Slot>>>,
    events: EventBus,
    news: mpsc::UnboundedSender<EngineNews>,
    stop: CancellationToken,
}

/// One engine and what is known of it.
struct Slot {
    endpoint: Endpoint,
    engine: Arc<dyn Engine>,
    info: Mutex<EngineInfo>,
    /// Set once the first probe has an answer, and its containers are told.
    looked_at: watch::Sender<bool>,
    wake: Notify,
    /// The settings say whether it is used.
    has_switch: bool,
    /// The settings by which it was last looked at.
    settings: Mutex<ClusterSettings>,
}

impl Slot {
    fn info(&self) -> EngineInfo {
        self.info.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn settings_are(&self, now: ClusterSettings) {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Whether these are the settings by which it was last looked at.
    fn is_by(&self, now: &ClusterSettings) -> bool {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) == *now
    }
}

impl Engines {
    /// Starts to look at the selected engines. News go to the returned receiver.
    pub fn start(
        selection: EngineSelection,
        clusters: Clusters,
        events: EventBus,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<EngineNews>) {
        let (news, receiver) = mpsc::unbounded_channel();
        let engines = Arc::new(Self {
            selection,
            clusters,
            slots: RwLock::default(),
            events,
            news,
            stop: CancellationToken::new(),
        });
        engines.discover();
        (engines, receiver)
    }

    /// Ends all tasks; health stays as it was last known.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Every engine.
    pub fn list(&self) -> Vec<EngineInfo> {
        self.slots().iter().map(|slot| slot.info()).collect()
    }

    /// Looks for engines again and at each of them now; returns when every one has answered or failed.
    pub async fn refresh(&self) -> Vec<EngineInfo> {
        self.discover();
        for slot in self.slots() {
            slot.looked_at.send_if_modified(|looked_at| {
                // A ready engine is watched by its event stream: looking again would tell nothing.
                let again = slot.info().health != EngineHealth::Ready;
                *looked_at &= !again;
                again
            });
            slot.wake.notify_one();
        }
        self.settled().await;
        self.list()
    }

    /// The settings were changed: what is asked from now on waits until the clusters concerned were looked at anew.
    pub fn settings_changed(&self) {
        for slot in self.slots() {
            slot.looked_at.send_if_modified(|looked_at| {
                // Else its task has heard of it already.
                let again = !slot.is_by(&self.clusters.of(&slot.endpoint));
                *looked_at &= !again;
                again
            });
        }
    }

    /// Waits until every engine has been looked at once.
    pub async fn settled(&self) {
        for slot in self.slots() {
            self.looked_at(&slot).await;
        }
    }

    async fn looked_at(&self, slot: &Slot) {
        let mut looked_at = slot.looked_at.subscribe();
        tokio::select! {
            _ = looked_at.wait_for(|looked_at| *looked_at) => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// As [`Engines::ready`], and waits for the answer where the engine has not been looked at yet.
    ///
    /// # Errors
    /// As [`Engines::ready`].
    pub async fn when_ready(&self, id: &EngineId) -> Result<Arc<dyn Engine>, ApiError> {
        if let Some(slot) = self.slot(id) {
            self.looked_at(&slot).await;
        }
        self.ready(id)
    }

    /// An engine's health; absent for one that is not configured any more.
    pub fn health(&self, id: &EngineId) -> Option<EngineHealth> {
        self.slot(id).map(|slot| slot.info().health)
    }

    /// How a person wants an engine on a cluster used; the defaults for any other.
    pub fn cluster_settings(&self, id: &EngineId) -> ClusterSettings {
        self.slot(id).map(|slot| self.clusters.of(&slot.endpoint)).unwrap_or_default()
    }

    /// Whether its containers see another kernel's files and sockets than this machine's.
    pub fn is_in_a_machine_of_its_own(&self, id: &EngineId) -> bool {
        self.slot(id).is_some_and(|slot| slot.endpoint.address.ends_with("/.docker/desktop/docker.sock"))
    }

    /// What an engine can do.
    pub fn capabilities(&self, id: &EngineId) -> EngineCapabilities {
        self.slot(id).map(|slot| slot.info().capabilities).unwrap_or_default()
    }

    /// An engine that is ready.
    ///
    /// # Errors
    /// [`ErrorCode::EngineUnavailable`] with the engine's problem and what to do.
    pub fn ready(&self, id: &EngineId) -> Result<Arc<dyn Engine>, ApiError> {
        let slot = self.slot(id).ok_or_else(|| {
            ApiError::new(
                ErrorCode::EngineUnavailable,
                format!("The engine “{id}” is not configured on this machine."),
            )
            .hint("Choose another engine, or bring it back and refresh.")
        })?;
        let info = slot.info();
        match info.health {
            EngineHealth::Ready => Ok(Arc::clone(&slot.engine)),
            _ => Err(unavailable(&info)),
        }
    }

    /// The engine for a new workspace: the one asked for, else the preferred one where it is ready, else the first
    /// that is. Waits until each of those was looked at once.
    ///
    /// # Errors
    /// [`ErrorCode::EngineUnavailable`] when it, or none at all, is ready.
    pub async fn choose(
        &self,
        asked: Option<&EngineId>,
        preferred: Option<&EngineId>,
    ) -> Result<Arc<dyn Engine>, ApiError> {
        if let Some(id) = asked {
            return self.when_ready(id).await;
        }
        if let Some(id) = preferred
            && let Ok(engine) = self.when_ready(id).await
        {
            return Ok(engine);
        }
        // One by one: a cluster that does not answer comes last, and is not waited for where another is ready.
        for slot in self.slots() {
            if let Ok(engine) = self.when_ready(&slot.endpoint.id).await {
                return Ok(engine);
            }
        }
        let infos = self.list();
        // An installed engine that does not run is nearer to working than one that is missing or switched off.
        let is_near = |info: &&EngineInfo| !matches!(info.health, EngineHealth::Missing | EngineHealth::Off);
        let nearest = infos.iter().find(is_near).or(infos.first());
        Err(nearest.map(unavailable).unwrap_or_else(|| {
            ApiError::new(ErrorCode::EngineUnavailable, "No container engine was found on this machine.")
                .hint("Install Docker or Podman; it appears by itself.")
        }))
    }

    /// Containers that are no workspaces of a cockpit with this store: those of another one can be imported too.
    ///
    /// # Errors
    /// When the engine is not ready or refuses.
    pub async fn foreign_containers(
        &self,
        id: &EngineId,
        owner: &str,
    ) -> Result<Vec<ForeignContainer>, ApiError> {
        let engine = self.when_ready(id).await?;
        let all = engine.list_containers(&[]).await.map_err(|e| e.to_api("list the containers"))?;
        // A container that was not made for it has no place for the agent.
        let takes_agent = engine.capabilities().files_at_rest;
        Ok(all
            .into_iter()
            .filter(|container| match labels::get(&container.labels, labels::KIND) {
                None => takes_agent,
                Some(labels::KIND_WORKSPACE) => labels::get(&container.labels, labels::OWNER) != Some(owner),
                Some(_) => false,
            })
            .map(|container| ForeignContainer {
                running: container.state == aicockpit_engine::ContainerState::Running,
                id: container.id,
                name: container.name,
                image: container.image,
            })
            .collect())
    }

    /// Images on an engine; none where it has no store of them.
    ///
    /// # Errors
    /// When the engine is not ready or refuses.
    pub async fn images(&self, id: &EngineId) -> Result<Vec<ImageInfo>, ApiError> {
        let engine = self.when_ready(id).await?;
        if !engine.capabilities().images {
            return Ok(Vec::new());
        }
        let images = engine.list_images().await.map_err(|e| e.to_api("list the images"))?;
        Ok(images
            .into_iter()
            .map(|image| ImageInfo {
                id: image.id.0,
                references: image.references,
                size: image.size,
                created_ms: image.created_ms,
            })
            .collect())
    }

    fn slots(&self) -> Vec<Arc<Slot>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn slot(&self, id: &EngineId) -> Option<Arc<Slot>> {
        self.slots().into_iter().find(|slot| slot.endpoint.id == *id)
    }

    /// Adds engines that are new since the last look. One that is gone from the configuration stays as it is: its
    /// health says the rest.
    fn discover(&self) {
        let found = self.selection.engines(&self.clusters);
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        for KnownEngine { endpoint, engine } in found {
            if slots.iter().any(|slot| slot.endpoint.id == endpoint.id) {
                continue;
            }
            let info = EngineInfo {
                id: endpoint.id.clone(),
                kind: endpoint.kind,
                name: endpoint.name.clone(),
                endpoint: endpoint.address.clone(),
                health: EngineHealth::Checking,
                problem: None,
                remedy_command: None,
                version: None,
                architecture: None,
                capabilities: EngineCapabilities::default(),
                notes: Vec::new(),
            };
            let slot = Arc::new(Slot {
                has_switch: self.selection.has_switches() && endpoint.kind == EngineKind::Kubernetes,
                settings: Mutex::new(self.clusters.of(&endpoint)),
                endpoint,
                engine,
                info: Mutex::new(info.clone()),
                looked_at: watch::channel(false).0,
                wake: Notify::new(),
            });
            slots.push(Arc::clone(&slot));
            self.events.send(Event::Engine { engine: info });
            let follower = follow::Follower {
                slot,
                clusters: self.clusters.clone(),
                events: self.events.clone(),
                news: self.news.clone(),
            };
            let stop = self.stop.clone();
            tokio::spawn(async move { stop.run_until_cancelled(follower.run()).await });
        }
    }
}

fn unavailable(info: &EngineInfo) -> ApiError {
    let problem = info.problem.clone().unwrap_or_else(|| format!("{} is still being looked at.", info.name));
    let error = ApiError::new(ErrorCode::EngineUnavailable, problem);
    match &info.remedy_command {
        Some(command) => error.hint(format!("Run: {command}")),
        None => error,
    }
}
