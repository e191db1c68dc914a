//! Model servers in containers, on the engines of this machine.
//!
//! **Invariant:** a container made here has no network and no capabilities, and of this machine it sees what the call
//! mounts. Those that a killed cockpit has left are removed when their engine is first seen.

mod images;
mod running;

use crate::engines::Engines;
use crate::plan::check_architecture;
use crate::settings::CurrentSettings;
use crate::workspaces::labels;
use aicockpit_engine::{ContainerSpec, Engine, EngineError, ImageDetails, Mount, MountSource};
use aicockpit_local_models::{ContainerCall, Containers, Progress, RunningContainer, Updated};
use aicockpit_protocol::api::Event;
use aicockpit_protocol::engine::{EngineCapabilities, EngineHealth, EngineInfo, EngineKind};
use aicockpit_protocol::local_models::ContainerEngine;
use aicockpit_protocol::{ApiError, EngineId};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use running::Running;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};

/// How long who looks for engines waits for one that does not answer.
const SETTLED_WITHIN: Duration = Duration::from_secs(3);
/// What keeps Docker Desktop's engine from being used.
const OTHER_KERNEL: &str =
    "It runs in a machine of its own, whose sockets cannot be reached. Use Docker Engine or Podman.";

/// Runs model servers on the cockpit's engines.
pub(crate) struct ServerContainers {
    engines: Arc<Engines>,
    settings: Arc<CurrentSettings>,
    /// Whose containers they are.
    owner: String,
    /// Engines on which nothing of an earlier process is left. Held for a sweep: one at a time.
    swept: tokio::sync::Mutex<HashSet<EngineId>>,
    /// Names of containers that are made, run or end.
    live: Live,
}

type Live = Arc<Mutex<HashSet<String>>>;

impl ServerContainers {
    /// Removes what an earlier process has left, as the engines come up.
    pub(crate) fn new(
        engines: Arc<Engines>,
        settings: Arc<CurrentSettings>,
        owner: &str,
        events: broadcast::Receiver<Event>,
    ) -> Arc<Self> {
        let containers = Arc::new(Self {
            engines,
            settings,
            owner: owner.to_owned(),
            swept: tokio::sync::Mutex::default(),
            live: Live::default(),
        });
        tokio::spawn(Self::sweep_as_they_come(Arc::downgrade(&containers), events));
        containers
    }

    async fn sweep_as_they_come(this: std::sync::Weak<Self>, mut events: broadcast::Receiver<Event>) {
        loop {
            let ready: Vec<EngineId> = match events.recv().await {
                Ok(Event::Engine { engine }) if engine.health == EngineHealth::Ready => vec![engine.id],
                Ok(_) => continue,
                Err(broadcast::error::RecvError::Lagged(_)) => match this.upgrade() {
                    Some(this) => {
                        let ready = |one: &EngineInfo| one.health == EngineHealth::Ready;
                        this.engines.list().into_iter().filter(ready).map(|one| one.id).collect()
                    }
                    None => return,
                },
                Err(broadcast::error::RecvError::Closed) => return,
            };
            for id in ready {
                let Some(this) = this.upgrade() else { return };
                if let Ok(engine) = this.engines.ready(&id)
                    && why_not(&this.engines, &id, &engine.capabilities()).is_none()
                    && let Err(error) = this.sweep(&*engine).await
                {
                    tracing::warn!(engine = %id, %error, "model servers that were left cannot be removed");
                }
            }
        }
    }

    /// Removes what an earlier process has left, once.
    async fn sweep(&self, engine: &dyn Engine) -> Result<(), EngineError> {
        let mut swept = self.swept.lock().await;
        if swept.contains(engine.id()) {
            return Ok(());
        }
        let wanted = [(labels::KIND, labels::KIND_MODEL_SERVER), (labels::OWNER, self.owner.as_str())];
        for one in engine.list_containers(&wanted).await? {
            if !lock(&self.live).contains(&one.name) {
                tracing::warn!(container = one.name, "a model server that was left is removed");
                engine.remove_container(&one.id).await?;
            }
        }
        swept.insert(engine.id().clone());
        Ok(())
    }

    /// An engine that can run them.
    async fn engine(&self, id: &EngineId) -> Result<Arc<dyn Engine>, String> {
        let engine = self.engines.when_ready(id).await.map_err(|error| sentence(&error))?;
        match why_not(&self.engines, id, &engine.capabilities()) {
            Some(why) => Err(format!("The engine {id} cannot run model servers. {why}")),
            None => Ok(engine),
        }
    }

    /// The image, brought where the engine has it not.
    async fn image(&self, engine: &dyn Engine, image: &str, told: Progress<'_>) -> Result<(), ApiError> {
        let to_api = |error: EngineError| error.to_api(&format!("get the image {image}"));
        let details = match engine.inspect_image(image).await {
            Err(EngineError::ImageNotFound(_)) => self.pull(engine, image, told).await?,
            details => details.map_err(to_api)?,
        };
        check_architecture(image, &details)
    }

    async fn pull(
        &self,
        engine: &dyn Engine,
        image: &str,
        told: Progress<'_>,
    ) -> Result<ImageDetails, ApiError> {
        let to_api = |error: EngineError| error.to_api(&format!("get the image {image}"));
        told(None, &format!("Pulling {image}"));
        let (sender, mut lines) = mpsc::unbounded_channel();
        let progress = aicockpit_engine::Progress::new(sender);
        let pull = async move { engine.pull_image(image, &progress).await.map_err(to_api) };
        let mut pull = std::pin::pin!(self.settings.pulling(image, pull));
        loop {
            tokio::select! {
                biased;
                pulled = &mut pull => {
                    pulled?;
                    return engine.inspect_image(image).await.map_err(to_api);
                }
                Some(line) = lines.recv() => told(None, &line),
            }
        }
    }
}

impl Containers for ServerContainers {
    fn engines(&self) -> BoxFuture<'_, Vec<ContainerEngine>> {
        async {
            let _ = tokio::time::timeout(SETTLED_WITHIN, self.engines.settled()).await;
            let of_this_machine = |one: &EngineInfo| one.kind != EngineKind::Kubernetes;
            let mut found = Vec::new();
            for info in self.engines.list().into_iter().filter(of_this_machine) {
                if info.health == EngineHealth::Missing {
                    continue;
                }
                let mut one = ContainerEngine {
                    engine: info.id.clone(),
                    name: info.name,
                    gpu: info.capabilities.gpu,
                    images: images::usual(info.capabilities.gpu),
                    problem: info.problem,
                };
                if info.health == EngineHealth::Ready {
                    one.problem = why_not(&self.engines, &info.id, &info.capabilities);
                    match self.engines.images(&info.id).await {
                        Ok(known) => one.images = images::with_usual(&known, info.capabilities.gpu),
                        Err(error) => one.problem = one.problem.or_else(|| Some(sentence(&error))),
                    }
                }
                found.push(one);
            }
            found
        }
        .boxed()
    }

    fn passes_gpus(&self, engine: &EngineId) -> bool {
        self.engines.capabilities(engine).gpu
    }

    fn bring<'a>(
        &'a self,
        engine: &'a EngineId,
        image: &'a str,
        told: Progress<'a>,
    ) -> BoxFuture<'a, Result<(), String>> {
        async move {
            let engine = self.engine(engine).await?;
            self.image(&*engine, image, told).await.map_err(|error| sentence(&error))
        }
        .boxed()
    }

    fn run(&self, call: ContainerCall) -> BoxFuture<'_, Result<Box<dyn RunningContainer>, String>> {
        async move {
            let engine = self.engine(&call.engine).await?;
            let failed = |error: &EngineError, what: &str| sentence(&error.to_api(what));
            self.sweep(&*engine).await.map_err(|error| failed(&error, "look for model servers"))?;
            let what = format!("start a container of {}", call.image);
            let name = format!("aicockpit-model-{:016x}", rand::random::<u64>());
            let user = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
            let spec = spec(&name, &self.owner, user, call, &engine.capabilities());
            let container = Running::of(Arc::clone(&engine), &name, &self.live);
            let id = engine.create_container(&spec).await.map_err(|error| failed(&error, &what))?;
            engine.start_container(&id).await.map_err(|error| failed(&error, &what))?;
            Ok(Box::new(container.started(id).await) as Box<dyn RunningContainer>)
        }
        .boxed()
    }

    fn update<'a>(
        &'a self,
        engine: &'a EngineId,
        image: &'a str,
        told: Progress<'a>,
    ) -> BoxFuture<'a, Result<Updated, String>> {
        async move {
            let engine = self.engine(engine).await?;
            let before = engine.inspect_image(image).await.ok();
            let after = self.pull(&*engine, image, told).await.map_err(|error| sentence(&error))?;
            check_architecture(image, &after).map_err(|error| sentence(&error))?;
            Ok(Updated {
                from: before.map(|image| images::version(&image)),
                to: Some(images::version(&after)),
            })
        }
        .boxed()
    }
}

/// `ours`: user and group of this process.
fn spec(
    name: &str,
    owner: &str,
    ours: (u32, u32),
    call: ContainerCall,
    known: &EngineCapabilities,
) -> ContainerSpec {
    // A rootless engine that cannot map users: container root *is* the person.
    let (uid, gid) = if known.rootless && !known.keep_id { (0, 0) } else { ours };
    let shared = Mount {
        target: "/dev/shm".to_owned(),
        read_only: false,
        source: MountSource::Tmpfs(call.shared_memory),
    };
    let mounted = call.mounts.into_iter().map(|(path, target, read_only)| Mount {
        target,
        read_only,
        source: MountSource::Bind(path.to_string_lossy().into_owned()),
    });
    let labels = [
        (labels::KIND, labels::KIND_MODEL_SERVER),
        (labels::OWNER, owner),
        (labels::MODEL_SERVER, &call.server),
    ];
    ContainerSpec {
        name: name.to_owned(),
        image: call.image,
        entrypoint: call.entrypoint,
        command: Some(call.arguments),
        user: Some(format!("{uid}:{gid}")),
        env: call.environment,
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec(),
        mounts: mounted.chain([shared]).collect(),
        no_new_privileges: true,
        gpu: call.gpu,
        keep_id: known.keep_id.then_some(ours),
        ..ContainerSpec::default()
    }
}

/// Why an engine cannot run model servers.
fn why_not(engines: &Engines, id: &EngineId, known: &EngineCapabilities) -> Option<String> {
    if engines.is_in_a_machine_of_its_own(id) {
        return Some(OTHER_KERNEL.to_owned());
    }
    let is_able = known.host_folders && known.no_network && known.images;
    (!is_able).then(|| "It cannot give a container a folder of this machine and no network.".to_owned())
}

fn sentence(error: &ApiError) -> String {
    match &error.hint {
        Some(hint) => format!("{} {hint}", error.message),
        None => error.message.clone(),
    }
}

fn lock(live: &Live) -> std::sync::MutexGuard<'_, HashSet<String>> {
    live.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aicockpit_protocol::local_models::Runtime;

    fn made(known: &EngineCapabilities) -> ContainerSpec {
        let call = ContainerCall {
            engine: EngineId::new("docker"),
            image: "vllm".to_owned(),
            runtime: Runtime::Vllm,
            server: "one".to_owned(),
            entrypoint: None,
            arguments: vec!["--model".to_owned(), "/model".to_owned()],
            environment: vec![("VLLM_API_KEY".to_owned(), "key".to_owned())],
            mounts: vec![("/home/a/model".into(), "/model".to_owned(), true)],
            gpu: false,
            shared_memory: 1 << 30,
        };
        spec("aicockpit-model-1", "store", (1000, 1001), call, known)
    }

    #[test]
    fn a_server_sees_what_it_is_called_with_and_no_network() {
        let made = made(&EngineCapabilities::default());
        assert_eq!((&made.network, &made.ports, &made.capabilities), (&None, &Vec::new(), &Vec::new()));
        assert!(made.no_new_privileges && !made.gpu && !made.self_healing);
        let mounts: Vec<_> = made.mounts.iter().map(|one| (one.target.as_str(), one.read_only)).collect();
        assert_eq!(mounts, [("/model", true), ("/dev/shm", false)]);
        assert_eq!(labels::get(&made.labels, labels::OWNER), Some("store"));
        assert_ne!(labels::get(&made.labels, labels::KIND), Some(labels::KIND_WORKSPACE));
    }

    #[test]
    fn its_user_owns_its_socket_as_the_person_does() {
        let user = |rootless, keep_id| {
            let made = made(&EngineCapabilities { rootless, keep_id, ..Default::default() });
            (made.user.unwrap(), made.keep_id)
        };
        assert_eq!(user(false, false), ("1000:1001".to_owned(), None));
        assert_eq!(user(true, false), ("0:0".to_owned(), None), "container root is the person");
        assert_eq!(user(true, true), ("1000:1001".to_owned(), Some((1000, 1001))));
    }
}
