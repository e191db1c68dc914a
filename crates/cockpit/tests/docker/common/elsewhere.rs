//! Docker as an engine on other machines: it has no store of images, measures nothing, a start waits until there is
//! room, and it says what it waits for.

use aicockpit_cockpit::workspaces::labels;
use aicockpit_engine::*;
use aicockpit_protocol::engine::{EngineCapabilities, EngineKind};
use aicockpit_protocol::{ContainerId, EngineId, WorkspaceId};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{broadcast, watch};

/// What containers wait for.
pub(crate) const REASON: &str = "No machine has room.";

pub(crate) struct Elsewhere<E> {
    engine: E,
    machines: Arc<Machines>,
}

/// The machines that containers run on.
pub(crate) struct Machines {
    has_room: watch::Sender<bool>,
    events: broadcast::Sender<ContainerEvent>,
    /// Starts that wait.
    waiting: watch::Sender<usize>,
    /// They cannot get any image.
    lacks_image: AtomicBool,
}

impl Machines {
    pub(crate) fn room(&self, has_room: bool) {
        self.has_room.send_replace(has_room);
    }

    pub(crate) fn lack_image(&self, lacks: bool) {
        self.lacks_image.store(lacks, Ordering::SeqCst);
    }

    /// Waits until so many starts wait for room.
    pub(crate) async fn waiting(&self, count: usize) {
        self.waiting.subscribe().wait_for(|waiting| *waiting == count).await.unwrap();
    }

    /// The engine says something of a workspace's container.
    pub(crate) fn tell(&self, workspace: &WorkspaceId, kind: ContainerEventKind) {
        let labels = [(labels::WORKSPACE, workspace.as_str()), (labels::KIND, labels::KIND_WORKSPACE)];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        let container = labels::by_name(&labels::object_name(workspace));
        self.events.send(ContainerEvent { container, labels, kind }).unwrap();
    }
}

impl<E> Elsewhere<E> {
    pub(crate) fn new(engine: E) -> (Self, Arc<Machines>) {
        let machines = Arc::new(Machines {
            has_room: watch::channel(true).0,
            events: broadcast::channel(64).0,
            waiting: watch::channel(0).0,
            lacks_image: AtomicBool::new(false),
        });
        (Self { engine, machines: Arc::clone(&machines) }, machines)
    }
}

/// Counts a start that waits, also one that is given up.
struct Waits<'a>(&'a watch::Sender<usize>);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}

#[async_trait]
impl<E: Engine> Engine for Elsewhere<E> {
    fn id(&self) -> &EngineId {
        self.engine.id()
    }
    fn kind(&self) -> EngineKind {
        self.engine.kind()
    }
    async fn probe(&self) -> Result<EngineVersion> {
        let version = self.engine.probe().await?;
        Ok(EngineVersion { capabilities: self.capabilities(), ..version })
    }
    fn capabilities(&self) -> EngineCapabilities {
        EngineCapabilities { images: false, stats: false, ..self.engine.capabilities() }
    }
    async fn events(&self) -> Result<BoxStream<'static, Result<ContainerEvent>>> {
        let told = tokio_stream::wrappers::BroadcastStream::new(self.machines.events.subscribe());
        let told = told.map(|event| Ok(event.unwrap()));
        Ok(futures::stream::select(self.engine.events().await?, told).boxed())
    }
    async fn start_container(&self, id: &ContainerId) -> Result<()> {
        self.machines.waiting.send_modify(|waiting| *waiting += 1);
        let waits = Waits(&self.machines.waiting);
        self.machines.has_room.subscribe().wait_for(|has_room| *has_room).await.unwrap();
        drop(waits);
        if self.machines.lacks_image.load(Ordering::SeqCst) {
            return Err(EngineError::ImageNotFound("it was not found".to_owned()));
        }
        self.engine.start_container(id).await
    }
    async fn inspect_container(&self, id: &ContainerId) -> Result<ContainerDetails> {
        let details = self.engine.inspect_container(id).await?;
        let has_room = *self.machines.has_room.borrow();
        let waits = !has_room && matches!(details.state, ContainerState::Created | ContainerState::Running);
        Ok(match waits {
            true => {
                ContainerDetails { state: ContainerState::Starting, reason: Some(REASON.into()), ..details }
            }
            false => details,
        })
    }
    async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId> {
        self.engine.create_container(spec).await
    }
    async fn stop_container(&self, id: &ContainerId, grace: Duration) -> Result<()> {
        self.engine.stop_container(id, grace).await
    }
    async fn pause_container(&self, id: &ContainerId) -> Result<()> {
        self.engine.pause_container(id).await
    }
    async fn unpause_container(&self, id: &ContainerId) -> Result<()> {
        self.engine.unpause_container(id).await
    }
    async fn remove_container(&self, id: &ContainerId) -> Result<()> {
        self.engine.remove_container(id).await
    }
    async fn list_containers(&self, labels: &[(&str, &str)]) -> Result<Vec<ContainerSummary>> {
        self.engine.list_containers(labels).await
    }
    async fn exec(&self, id: &ContainerId, spec: &ExecSpec) -> Result<ByteStream> {
        self.engine.exec(id, spec).await
    }
    async fn upload_archive(&self, id: &ContainerId, path: &str, tar: Bytes) -> Result<()> {
        self.engine.upload_archive(id, path, tar).await
    }
    async fn download_archive(
        &self,
        id: &ContainerId,
        path: &str,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.engine.download_archive(id, path).await
    }
    async fn stats(&self, _: &ContainerId) -> Result<ContainerStats> {
        panic!("it does not measure")
    }
    async fn logs(
        &self,
        id: &ContainerId,
        tail: u32,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<LogChunk>>> {
        self.engine.logs(id, tail, follow).await
    }
    async fn commit(&self, id: &ContainerId, reference: &str) -> Result<ImageId> {
        self.engine.commit(id, reference).await
    }
    async fn build_image(&self, _: &ImageBuild, _: &Progress) -> Result<ImageId> {
        panic!("it has no store of images")
    }
    async fn pull_image(&self, _: &str, _: &Progress) -> Result<ImageId> {
        panic!("it has no store of images")
    }
    async fn import_image(&self, _: &str, _: BoxStream<'static, std::io::Result<Bytes>>) -> Result<ImageId> {
        panic!("it has no store of images")
    }
    async fn list_images(&self) -> Result<Vec<ImageSummary>> {
        panic!("it has no store of images")
    }
    async fn inspect_image(&self, _: &str) -> Result<ImageDetails> {
        panic!("it has no store of images")
    }
    async fn remove_image(&self, _: &str) -> Result<()> {
        panic!("it has no store of images")
    }
    async fn create_volume(&self, name: &str, labels: &[(String, String)]) -> Result<()> {
        self.engine.create_volume(name, labels).await
    }
    async fn list_volumes(&self, labels: &[(&str, &str)]) -> Result<Vec<String>> {
        self.engine.list_volumes(labels).await
    }
    async fn remove_volume(&self, name: &str) -> Result<()> {
        self.engine.remove_volume(name).await
    }
    async fn create_network(&self, spec: &NetworkSpec) -> Result<()> {
        self.engine.create_network(spec).await
    }
    async fn list_networks(&self) -> Result<Vec<NetworkSummary>> {
        self.engine.list_networks().await
    }
    async fn remove_network(&self, name: &str) -> Result<()> {
        self.engine.remove_network(name).await
    }
}
