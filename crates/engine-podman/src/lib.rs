//! Podman, by libpod's API.
//!
//! The plain calls go through podman-api. Where it falls short — it misspells the field for no-new-privileges, its
//! streams borrow their handles, it reads a container's size with every inspection, it stops no sooner than after
//! ten seconds — the request is made by [`wire`] on the same API.
//!
//! **Invariant:** podman-api's types do not leave this crate.

mod containers;
mod discover;
mod error;
mod exec;
mod frames;
mod images;
mod networks;
mod observe;
mod spec;
mod system;
mod wire;

pub use aicockpit_engine::Endpoint as PodmanEndpoint;
pub use discover::discover;

use aicockpit_engine::{
    ByteStream, ContainerDetails, ContainerEvent, ContainerSpec, ContainerStats, ContainerSummary, Engine,
    EngineVersion, ExecSpec, ImageBuild, ImageDetails, ImageId, ImageSummary, LogChunk, NetworkSpec,
    NetworkSummary, Progress, Result,
};
use aicockpit_protocol::engine::{EngineCapabilities, EngineKind};
use aicockpit_protocol::{ContainerId, EngineId};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::sync::Mutex;
use std::time::Duration;

/// Time for an answer to a small question.
const QUICK: Duration = Duration::from_secs(10);
/// Time for an ordinary call.
const ORDINARY: Duration = Duration::from_secs(120);
/// Time until a long transfer (a build, a pull, an archive) begins to answer.
const LONG: Duration = Duration::from_secs(6 * 3600);

/// A Podman service. Connects anew for every call, so that it can be made for one that does not run.
#[derive(Debug)]
pub struct PodmanEngine {
    endpoint: PodmanEndpoint,
    known: Mutex<Known>,
    /// Held while a container with mapped users is made: libsubid is not safe to be used by two threads, and Podman
    /// 4.3 crashes whole when two such containers are made at once.
    mapping: tokio::sync::Mutex<()>,
}

/// What the last probe found.
#[derive(Clone, Debug, Default)]
struct Known {
    capabilities: EngineCapabilities,
    /// The capabilities (without `CAP_`) that containers get unless told otherwise; absent before the first probe.
    default_capabilities: Option<Vec<String>>,
    /// The machine's memory, bytes: the limit that the engine reports where none is set.
    memory_total: u64,
}

impl PodmanEngine {
    /// An engine at this address. Nothing is sent yet.
    pub fn new(endpoint: PodmanEndpoint) -> Self {
        Self { endpoint, known: Mutex::default(), mapping: tokio::sync::Mutex::default() }
    }

    /// Where it is reached.
    pub fn endpoint(&self) -> &PodmanEndpoint {
        &self.endpoint
    }

    fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Engine for PodmanEngine {
    fn id(&self) -> &EngineId {
        &self.endpoint.id
    }

    fn kind(&self) -> EngineKind {
        EngineKind::Podman
    }

    async fn probe(&self) -> Result<EngineVersion> {
        self.probe_engine().await
    }

    fn capabilities(&self) -> EngineCapabilities {
        self.known().capabilities
    }

    async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId> {
        self.create(spec).await
    }

    async fn start_container(&self, id: &ContainerId) -> Result<()> {
        self.start(id).await
    }

    async fn stop_container(&self, id: &ContainerId, grace: Duration) -> Result<()> {
        self.stop(id, grace).await
    }

    async fn pause_container(&self, id: &ContainerId) -> Result<()> {
        self.pause(id).await
    }

    async fn unpause_container(&self, id: &ContainerId) -> Result<()> {
        self.unpause(id).await
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<()> {
        self.remove(id).await
    }

    async fn inspect_container(&self, id: &ContainerId) -> Result<ContainerDetails> {
        self.inspect(id).await
    }

    async fn list_containers(&self, labels: &[(&str, &str)]) -> Result<Vec<ContainerSummary>> {
        self.list(labels).await
    }

    async fn exec(&self, id: &ContainerId, spec: &ExecSpec) -> Result<ByteStream> {
        self.run_exec(id, spec).await
    }

    async fn upload_archive(&self, id: &ContainerId, path: &str, tar: Bytes) -> Result<()> {
        self.upload(id, path, tar).await
    }

    async fn download_archive(
        &self,
        id: &ContainerId,
        path: &str,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.download(id, path).await
    }

    async fn events(&self) -> Result<BoxStream<'static, Result<ContainerEvent>>> {
        self.event_stream().await
    }

    async fn stats(&self, id: &ContainerId) -> Result<ContainerStats> {
        self.measure(id).await
    }

    async fn logs(
        &self,
        id: &ContainerId,
        tail: u32,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<LogChunk>>> {
        self.log_stream(id, tail, follow).await
    }

    async fn commit(&self, id: &ContainerId, reference: &str) -> Result<ImageId> {
        self.commit_image(id, reference).await
    }

    async fn build_image(&self, build: &ImageBuild, progress: &Progress) -> Result<ImageId> {
        self.build(build, progress).await
    }

    async fn pull_image(&self, reference: &str, progress: &Progress) -> Result<ImageId> {
        self.pull(reference, progress).await
    }

    async fn import_image(
        &self,
        reference: &str,
        tar: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<ImageId> {
        self.import(reference, tar).await
    }

    async fn list_images(&self) -> Result<Vec<ImageSummary>> {
        self.images().await
    }

    async fn inspect_image(&self, reference: &str) -> Result<ImageDetails> {
        self.image(reference).await
    }

    async fn remove_image(&self, reference: &str) -> Result<()> {
        self.forget_image(reference).await
    }

    async fn create_volume(&self, name: &str, labels: &[(String, String)]) -> Result<()> {
        self.make_volume(name, labels).await
    }

    async fn list_volumes(&self, labels: &[(&str, &str)]) -> Result<Vec<String>> {
        self.volumes(labels).await
    }

    async fn remove_volume(&self, name: &str) -> Result<()> {
        self.forget_volume(name).await
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<()> {
        self.make_network(spec).await
    }

    async fn list_networks(&self) -> Result<Vec<NetworkSummary>> {
        self.networks().await
    }

    async fn remove_network(&self, name: &str) -> Result<()> {
        self.forget_network(name).await
    }
}
