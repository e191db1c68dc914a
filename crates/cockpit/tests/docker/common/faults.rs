//! An engine whose Nth call goes wrong, or any call by a seed.

use aicockpit_engine::*;
use aicockpit_protocol::engine::{EngineCapabilities, EngineKind};
use aicockpit_protocol::{ContainerId, EngineId};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What happens at the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// The call answers an error without having done anything.
    Before,
    /// The call does its work and answers an error all the same.
    After,
    /// The process is killed before the call.
    Kill,
    /// The engine does not answer, until the call gives up.
    Hang,
    /// Somebody removes every container that was made so far, then the call is made.
    Steal,
    /// Any call may fail, before or after its work, as the seed has it.
    Seeded,
}

/// How long the call waits before it gives up: the engines' clients do after two minutes, which no test has.
const HANGS_FOR: Duration = Duration::from_millis(500);
/// Of so many calls one fails, by a seed.
const ONE_IN: u32 = 6;

/// Delegates to an engine; one call goes wrong. Probes, events, lists and inspections of the follower count as well:
/// the fault may hit anything.
pub(crate) struct Faulty<E> {
    engine: E,
    fault: Fault,
    /// Calls left until the fault; `u64::MAX` when disarmed.
    left: Arc<AtomicU64>,
    random: Arc<Mutex<Option<StdRng>>>,
    /// Names of the containers that were asked for.
    made: Mutex<Vec<String>>,
}

/// Arms and disarms a [`Faulty`] engine.
#[derive(Clone)]
pub(crate) struct Trigger {
    left: Arc<AtomicU64>,
    random: Arc<Mutex<Option<StdRng>>>,
}

impl Trigger {
    /// Lets the `nth` call from now (from 1) go wrong.
    pub(crate) fn arm(&self, nth: u64) {
        self.left.store(nth, Ordering::SeqCst);
    }

    /// Lets calls go wrong as this seed has it.
    pub(crate) fn seed(&self, seed: u64) {
        *self.random.lock().unwrap() = Some(StdRng::seed_from_u64(seed));
    }

    /// No fault from now on; whether one has happened since it was armed.
    pub(crate) fn disarm(&self) -> bool {
        *self.random.lock().unwrap() = None;
        self.left.swap(u64::MAX, Ordering::SeqCst) == 0
    }
}

impl<E> Faulty<E> {
    pub(crate) fn new(engine: E, fault: Fault) -> (Self, Trigger) {
        let (left, random) = (Arc::new(AtomicU64::new(u64::MAX)), Arc::default());
        let trigger = Trigger { left: Arc::clone(&left), random: Arc::clone(&random) };
        (Self { engine, fault, left, random, made: Mutex::default() }, trigger)
    }

    /// What goes wrong with this call.
    fn fault(&self) -> Option<Fault> {
        if self.fault == Fault::Seeded {
            let mut random = self.random.lock().unwrap();
            let random = random.as_mut()?;
            let fault = if random.random_bool(0.5) { Fault::Before } else { Fault::After };
            return random.random_ratio(1, ONE_IN).then_some(fault);
        }
        let count = |left: u64| (left != u64::MAX && left != 0).then(|| left - 1);
        let hit = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count) == Ok(1);
        hit.then_some(self.fault)
    }

    async fn call<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let failed = || Err(EngineError::Engine("an injected fault".to_owned()));
        match self.fault() {
            None => call.await,
            Some(Fault::Before | Fault::Seeded) => failed(),
            Some(Fault::After) => {
                let _ = call.await;
                failed()
            }
            Some(Fault::Kill) => {
                let own = nix::unistd::getpid();
                nix::sys::signal::kill(own, nix::sys::signal::Signal::SIGKILL).unwrap();
                failed()
            }
            Some(Fault::Hang) => {
                tokio::time::sleep(HANGS_FOR).await;
                Err(EngineError::TimedOut("Docker is slow to answer".to_owned()))
            }
            Some(Fault::Steal) => {
                self.steal();
                call.await
            }
        }
    }

    fn steal(&self) {
        for name in std::mem::take(&mut *self.made.lock().unwrap()) {
            let mut remove = Command::new("docker");
            remove.args(["rm", "-f", &name]).stdout(Stdio::null()).stderr(Stdio::null());
            assert!(remove.status().unwrap().code().is_some());
        }
    }
}

#[async_trait]
impl<E: Engine> Engine for Faulty<E> {
    fn id(&self) -> &EngineId {
        self.engine.id()
    }
    fn kind(&self) -> EngineKind {
        self.engine.kind()
    }
    // Health is another matter: these two tell of it, and always work.
    async fn probe(&self) -> Result<EngineVersion> {
        self.engine.probe().await
    }
    async fn events(&self) -> Result<BoxStream<'static, Result<ContainerEvent>>> {
        self.engine.events().await
    }
    fn capabilities(&self) -> EngineCapabilities {
        self.engine.capabilities()
    }
    async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId> {
        let made = self.call(self.engine.create_container(spec)).await;
        self.made.lock().unwrap().push(spec.name.clone());
        made
    }
    async fn start_container(&self, id: &ContainerId) -> Result<()> {
        self.call(self.engine.start_container(id)).await
    }
    async fn stop_container(&self, id: &ContainerId, grace: Duration) -> Result<()> {
        self.call(self.engine.stop_container(id, grace)).await
    }
    async fn pause_container(&self, id: &ContainerId) -> Result<()> {
        self.call(self.engine.pause_container(id)).await
    }
    async fn unpause_container(&self, id: &ContainerId) -> Result<()> {
        self.call(self.engine.unpause_container(id)).await
    }
    async fn remove_container(&self, id: &ContainerId) -> Result<()> {
        self.call(self.engine.remove_container(id)).await
    }
    async fn inspect_container(&self, id: &ContainerId) -> Result<ContainerDetails> {
        self.call(self.engine.inspect_container(id)).await
    }
    async fn list_containers(&self, labels: &[(&str, &str)]) -> Result<Vec<ContainerSummary>> {
        self.call(self.engine.list_containers(labels)).await
    }
    async fn exec(&self, id: &ContainerId, spec: &ExecSpec) -> Result<ByteStream> {
        self.call(self.engine.exec(id, spec)).await
    }
    async fn upload_archive(&self, id: &ContainerId, path: &str, tar: Bytes) -> Result<()> {
        self.call(self.engine.upload_archive(id, path, tar)).await
    }
    async fn download_archive(
        &self,
        id: &ContainerId,
        path: &str,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.call(self.engine.download_archive(id, path)).await
    }
    async fn stats(&self, id: &ContainerId) -> Result<ContainerStats> {
        self.engine.stats(id).await
    }
    async fn logs(
        &self,
        id: &ContainerId,
        tail: u32,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<LogChunk>>> {
        self.call(self.engine.logs(id, tail, follow)).await
    }
    async fn commit(&self, id: &ContainerId, reference: &str) -> Result<ImageId> {
        self.call(self.engine.commit(id, reference)).await
    }
    async fn build_image(&self, build: &ImageBuild, progress: &Progress) -> Result<ImageId> {
        self.call(self.engine.build_image(build, progress)).await
    }
    async fn pull_image(&self, reference: &str, progress: &Progress) -> Result<ImageId> {
        self.call(self.engine.pull_image(reference, progress)).await
    }
    async fn import_image(
        &self,
        reference: &str,
        tar: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<ImageId> {
        self.call(self.engine.import_image(reference, tar)).await
    }
    async fn list_images(&self) -> Result<Vec<ImageSummary>> {
        self.call(self.engine.list_images()).await
    }
    async fn inspect_image(&self, reference: &str) -> Result<ImageDetails> {
        self.call(self.engine.inspect_image(reference)).await
    }
    async fn remove_image(&self, reference: &str) -> Result<()> {
        self.call(self.engine.remove_image(reference)).await
    }
    async fn create_volume(&self, name: &str, labels: &[(String, String)]) -> Result<()> {
        self.call(self.engine.create_volume(name, labels)).await
    }
    async fn list_volumes(&self, labels: &[(&str, &str)]) -> Result<Vec<String>> {
        self.call(self.engine.list_volumes(labels)).await
    }
    async fn remove_volume(&self, name: &str) -> Result<()> {
        self.call(self.engine.remove_volume(name)).await
    }
    async fn create_network(&self, spec: &NetworkSpec) -> Result<()> {
        self.call(self.engine.create_network(spec)).await
    }
    async fn list_networks(&self) -> Result<Vec<NetworkSummary>> {
        self.call(self.engine.list_networks()).await
    }
    async fn remove_network(&self, name: &str) -> Result<()> {
        self.call(self.engine.remove_network(name)).await
    }
}
