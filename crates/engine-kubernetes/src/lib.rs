//! The engine trait on one namespace of a Kubernetes cluster.
//!
//! A *container* of the trait that heals itself is a StatefulSet of no or one replica; any other is a bare pod that
//! runs once. Both have the trait's name, and beside them a secret for their variables and files. Volumes are
//! PersistentVolumeClaims, networks NetworkPolicies. No custom resource and no right outside the namespace is needed:
//! `role.yaml` is the least Role that works.
//!
//! The product's program comes into a pod by an init container and a volume that lives as long as the pod: from an
//! image of its own where one is set, else through the API from this machine, whenever such a pod starts.
//!
//! **Invariant:** what is written is written under the field manager [`names::MANAGER`] and carries its label; nothing
//! without that label is ever changed or removed.

mod archives;
mod containers;
mod delivery;
mod discover;
mod error;
mod events;
mod exec;
mod merge;
mod names;
mod networks;
mod observe;
mod placement;
mod pod;
mod probe;
mod quantity;
mod reach;
mod start;
mod state;
mod stop;
mod volumes;

pub use discover::{context_of, discover, discover_in};
pub use probe::ROLE;

use aicockpit_engine::{
    ByteStream, ContainerDetails, ContainerEvent, ContainerSpec, ContainerStats, ContainerSummary, Endpoint,
    Engine, EngineError, EngineVersion, ExecSpec, ImageBuild, ImageDetails, ImageId, ImageSummary, LogChunk,
    NetworkSpec, NetworkSummary, Program, Progress, Result,
};
use aicockpit_protocol::engine::{ClusterSettings, EngineCapabilities, EngineKind};
use aicockpit_protocol::{ContainerId, EngineId};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What the engine is told by whoever uses it.
#[derive(Clone)]
pub struct Surroundings {
    /// The settings of this cluster as they are now.
    pub settings: Arc<dyn Fn() -> ClusterSettings + Send + Sync>,
    /// The product's own program; absent where no container mounts it.
    pub program: Option<Program>,
}

/// A namespace of a cluster. Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct KubernetesEngine {
    endpoint: Endpoint,
    surroundings: Surroundings,
    shared: Arc<reach::Shared>,
}

impl fmt::Debug for KubernetesEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubernetesEngine").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl KubernetesEngine {
    /// The cluster at `endpoint`, which [`discover`] has found. Nothing is sent before the first call.
    pub fn new(endpoint: Endpoint, surroundings: Surroundings) -> Self {
        Self { endpoint, surroundings, shared: Arc::default() }
    }

    fn settings(&self) -> ClusterSettings {
        (self.surroundings.settings)()
    }
}

/// The error of everything that takes a store of images.
fn no_images<T>() -> Result<T> {
    Err(EngineError::Unsupported(
        "a cluster has no store of images; its machines pull them from a registry".to_owned(),
    ))
}

#[async_trait]
impl Engine for KubernetesEngine {
    fn id(&self) -> &EngineId {
        &self.endpoint.id
    }

    fn kind(&self) -> EngineKind {
        EngineKind::Kubernetes
    }

    async fn probe(&self) -> Result<EngineVersion> {
        self.probe_cluster().await
    }

    fn capabilities(&self) -> EngineCapabilities {
        self.shared.known().map(|known| known.capabilities).unwrap_or_default()
    }

    async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId> {
        Box::pin(self.create(spec)).await
    }

    async fn start_container(&self, id: &ContainerId) -> Result<()> {
        Box::pin(self.start(id)).await
    }

    async fn stop_container(&self, id: &ContainerId, grace: Duration) -> Result<()> {
        Box::pin(self.stop(id, grace)).await
    }

    async fn pause_container(&self, _id: &ContainerId) -> Result<()> {
        Err(EngineError::Unsupported("Kubernetes cannot freeze a pod".to_owned()))
    }

    async fn unpause_container(&self, _id: &ContainerId) -> Result<()> {
        Err(EngineError::Unsupported("Kubernetes cannot freeze a pod".to_owned()))
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<()> {
        Box::pin(self.remove(id)).await
    }

    async fn let_go(&self, id: &ContainerId) -> Result<()> {
        self.forget_pod(id).await
    }

    async fn inspect_container(&self, id: &ContainerId) -> Result<ContainerDetails> {
        self.inspect(id).await
    }

    async fn list_containers(&self, labels: &[(&str, &str)]) -> Result<Vec<ContainerSummary>> {
        self.list(labels).await
    }

    async fn exec(&self, id: &ContainerId, spec: &ExecSpec) -> Result<ByteStream> {
        self.exec_in(id, spec).await
    }

    async fn bring_program(&self, id: &ContainerId) -> Result<()> {
        self.refresh_program(id).await
    }

    async fn is_cut_off(&self, id: &ContainerId) -> Result<bool> {
        self.reaches_nothing(id).await
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
        self.follow_events().await
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
        self.read_logs(id, tail, follow).await
    }

    async fn commit(&self, _id: &ContainerId, _reference: &str) -> Result<ImageId> {
        Err(EngineError::Unsupported("Kubernetes cannot save a pod as an image".to_owned()))
    }

    async fn build_image(&self, _build: &ImageBuild, _progress: &Progress) -> Result<ImageId> {
        no_images()
    }

    async fn pull_image(&self, _reference: &str, _progress: &Progress) -> Result<ImageId> {
        no_images()
    }

    async fn import_image(
        &self,
        _reference: &str,
        _tar: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<ImageId> {
        no_images()
    }

    async fn list_images(&self) -> Result<Vec<ImageSummary>> {
        no_images()
    }

    async fn inspect_image(&self, _reference: &str) -> Result<ImageDetails> {
        no_images()
    }

    async fn remove_image(&self, _reference: &str) -> Result<()> {
        no_images()
    }

    async fn create_volume(&self, name: &str, labels: &[(String, String)]) -> Result<()> {
        self.make_volume(name, labels).await
    }

    async fn list_volumes(&self, labels: &[(&str, &str)]) -> Result<Vec<String>> {
        self.volumes_with(labels).await
    }

    async fn remove_volume(&self, name: &str) -> Result<()> {
        self.drop_volume(name).await
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<()> {
        self.make_network(spec).await
    }

    async fn list_networks(&self) -> Result<Vec<NetworkSummary>> {
        self.networks().await
    }

    async fn remove_network(&self, name: &str) -> Result<()> {
        self.drop_network(name).await
    }
}
