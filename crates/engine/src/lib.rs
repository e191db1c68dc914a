//! What AiCockpit needs of a container engine.
//!
//! An engine creates, starts, stops, removes and measures containers, and gives a byte stream to the agent inside
//! one. Nothing that happens *inside* a workspace (files, terminals, search) is asked of an engine.
//!
//! **Invariant:** no engine's own types appear here, and an ability that an engine lacks is declined by
//! [`EngineError::Unsupported`] and by its capabilities, never imitated.

mod answer;
mod conformance;
mod endpoint;
mod error;
mod health;
mod lines;
mod names;
mod spec;
mod stream;

pub use answer::{error_from_answer, error_from_connection};
pub use conformance::{ConformanceReport, Fixture, conformance, conformance_of};
pub use endpoint::{Endpoint, Facts};
pub use error::{EngineError, Result};
pub use health::{Diagnosis, diagnose};
pub use lines::Lines;
pub use names::{ImageReference, check_name};
pub use spec::*;
pub use stream::{ByteStream, ExecExit, Progress};

use aicockpit_protocol::engine::{EngineCapabilities, EngineKind};
use aicockpit_protocol::{ContainerId, EngineId};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::time::Duration;

/// A container engine. All calls may be dropped at any moment; what the engine had begun by then may complete.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// Its id within this cockpit.
    fn id(&self) -> &EngineId;
    /// What it is.
    fn kind(&self) -> EngineKind;

    /// Asks the engine who it is and what it can do here. Quick (one or two small requests); the way to learn
    /// whether it is healthy.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`], [`EngineError::NotPermitted`] or [`EngineError::TooOld`] name the health state.
    async fn probe(&self) -> Result<EngineVersion>;
    /// The capabilities found by the last [`Engine::probe`]; all false before the first.
    fn capabilities(&self) -> EngineCapabilities;

    /// Creates a container without starting it. With `images`, the image must be present.
    async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId>;
    /// Starts a created or stopped container, and returns when it runs or an error says why it does not. Starting a
    /// running one succeeds. May take as long as the engine's machines take to pull an image; what it waits for is told
    /// by events meanwhile.
    async fn start_container(&self, id: &ContainerId) -> Result<()>;
    /// SIGTERM (or the image's stop signal), then SIGKILL after `grace`. Stopping a stopped one succeeds.
    async fn stop_container(&self, id: &ContainerId, grace: Duration) -> Result<()>;
    /// Freezes every process. Needs `capabilities().pause`.
    async fn pause_container(&self, id: &ContainerId) -> Result<()>;
    /// Thaws.
    async fn unpause_container(&self, id: &ContainerId) -> Result<()>;
    /// Kills and removes, with its anonymous volumes. Removing one that is gone succeeds.
    async fn remove_container(&self, id: &ContainerId) -> Result<()>;
    /// Forgets what runs of a container that is [`ContainerState::Stranded`], without knowing that its programs have
    /// ended: on a machine that is only cut off they go on, and two may write to the same volume from then on. Only
    /// after a person was warned.
    async fn let_go(&self, _id: &ContainerId) -> Result<()> {
        Err(EngineError::Unsupported("containers are on this engine's own machine".to_owned()))
    }
    /// The container's state and what it really runs with.
    async fn inspect_container(&self, id: &ContainerId) -> Result<ContainerDetails>;
    /// Containers, running or not. With `labels`, only those that carry all of them.
    async fn list_containers(&self, labels: &[(&str, &str)]) -> Result<Vec<ContainerSummary>>;

    /// Runs a program in a running container, without a terminal, its three streams open.
    async fn exec(&self, id: &ContainerId, spec: &ExecSpec) -> Result<ByteStream>;
    /// Makes sure that a running container which mounts [`MountSource::Program`] has the product's program of now: it
    /// may have been started with an older one. Only for engines without `files_at_rest`.
    async fn bring_program(&self, _id: &ContainerId) -> Result<()> {
        Err(EngineError::Unsupported("programs are brought by volumes here".to_owned()))
    }
    /// Whether a running container without a network, which mounts [`MountSource::Program`], really reaches nothing. To
    /// be asked only of engines without `no_network`: the others cut it off themselves.
    async fn is_cut_off(&self, _id: &ContainerId) -> Result<bool> {
        Ok(true)
    }
    /// Puts a tar archive's files below `path` of a container; with `files_at_rest` it may never have been started.
    async fn upload_archive(&self, id: &ContainerId, path: &str, tar: Bytes) -> Result<()>;
    /// A tar archive of `path`.
    async fn download_archive(
        &self,
        id: &ContainerId,
        path: &str,
    ) -> Result<BoxStream<'static, Result<Bytes>>>;

    /// What happens to containers from now on. The stream ends, or yields an error last, when the connection breaks.
    async fn events(&self) -> Result<BoxStream<'static, Result<ContainerEvent>>>;
    /// One measurement. `cpu_total` is a counter: percentages are the caller's work.
    async fn stats(&self, id: &ContainerId) -> Result<ContainerStats>;
    /// The container's own output: the last `tail` lines, then live while `follow`.
    async fn logs(
        &self,
        id: &ContainerId,
        tail: u32,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<LogChunk>>>;
    /// Saves the container's file system as an image. Needs `capabilities().commit`.
    async fn commit(&self, id: &ContainerId, reference: &str) -> Result<ImageId>;

    /// Builds an image from a context archive with a `Dockerfile` at its root; output goes to `progress`.
    async fn build_image(&self, build: &ImageBuild, progress: &Progress) -> Result<ImageId>;
    /// Pulls an image from its registry.
    async fn pull_image(&self, reference: &str, progress: &Progress) -> Result<ImageId>;
    /// Makes an image of one layer from a root file system's tar archive.
    async fn import_image(
        &self,
        reference: &str,
        tar: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<ImageId>;
    /// Present images.
    async fn list_images(&self) -> Result<Vec<ImageSummary>>;
    /// A present image's configuration; [`EngineError::ImageNotFound`] when it is not here.
    async fn inspect_image(&self, reference: &str) -> Result<ImageDetails>;
    /// Removes a name, and the image when that was its last. Removing one that is gone succeeds.
    async fn remove_image(&self, reference: &str) -> Result<()>;

    /// Creates a named volume; succeeds when it exists.
    async fn create_volume(&self, name: &str, labels: &[(String, String)]) -> Result<()>;
    /// Volumes that carry all labels.
    async fn list_volumes(&self, labels: &[(&str, &str)]) -> Result<Vec<String>>;
    /// Removes a volume. Removing one that is gone succeeds.
    async fn remove_volume(&self, name: &str) -> Result<()>;

    /// Creates a bridge network. [`EngineError::SubnetInUse`] asks for another subnet.
    async fn create_network(&self, spec: &NetworkSpec) -> Result<()>;
    /// Networks with their subnets (all of the engine's, so that free ranges can be found).
    async fn list_networks(&self) -> Result<Vec<NetworkSummary>>;
    /// Removes a network. Removing one that is gone succeeds.
    async fn remove_network(&self, name: &str) -> Result<()>;
}
