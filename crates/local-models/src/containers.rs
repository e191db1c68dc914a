//! Containers that model servers run in. Whoever uses this crate has the engines; it asks them through [`Containers`].

use aicockpit_protocol::EngineId;
use aicockpit_protocol::local_models::{ContainerEngine, Runtime};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use std::fmt;
use std::path::PathBuf;

/// What an image is asked to do.
#[derive(Clone, PartialEq, Eq)]
pub struct ContainerCall {
    /// An engine of this machine.
    pub engine: EngineId,
    /// Its image, by reference.
    pub image: String,
    /// What is in it.
    pub runtime: Runtime,
    /// The server's id.
    pub server: String,
    /// Replaces the image's entry point; absent for the image's own.
    pub entrypoint: Option<Vec<String>>,
    /// Arguments.
    pub arguments: Vec<String>,
    /// Variables added to the image's.
    pub environment: Vec<(String, String)>,
    /// Folders and files of this machine: where, where inside, and whether they are read-only.
    pub mounts: Vec<(PathBuf, String, bool)>,
    /// It gets the GPUs.
    pub gpu: bool,
    /// Bytes of memory that its processes share, at `/dev/shm`.
    pub shared_memory: u64,
}

impl fmt::Debug for ContainerCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ContainerCall");
        shown.field("engine", &self.engine).field("image", &self.image).field("server", &self.server);
        // The environment holds the server's key.
        shown.field("arguments", &self.arguments).field("mounts", &self.mounts).finish_non_exhaustive()
    }
}

/// How a container ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContainerEnd {
    /// Exit status; absent where it is not known.
    pub status: Option<i64>,
    /// The kernel ended it as memory ran out.
    pub out_of_memory: bool,
    /// The engine's own words, where it says why.
    pub reason: Option<String>,
}

/// How far something is that takes long: the part that is done, from 0 to 1, where it can be told, and what is done.
pub type Progress<'a> = &'a (dyn Fn(Option<f64>, &str) + Send + Sync);

/// What was there before an update, and what is there after it, for people.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Updated {
    /// Before; absent where there was none.
    pub from: Option<String>,
    /// After.
    pub to: Option<String>,
}

/// Runs containers on the engines of this machine.
///
/// Their user inside owns what they make in mounted folders as this process's user does, they have no network, no
/// capabilities, and end with [`RunningContainer::end`]. Errors are sentences for people.
pub trait Containers: Send + Sync {
    /// Engines of this machine, with images that serve models.
    fn engines(&self) -> BoxFuture<'_, Vec<ContainerEngine>>;

    /// Whether containers of this engine are to get GPUs where the settings do not say.
    fn passes_gpus(&self, engine: &EngineId) -> bool;

    /// Brings the image where the engine has it not. While offline one that is not there is refused. Dropped early, it
    /// ends.
    fn bring<'a>(
        &'a self,
        engine: &'a EngineId,
        image: &'a str,
        told: Progress<'a>,
    ) -> BoxFuture<'a, Result<(), String>>;

    /// Makes the container of an image that is there, and starts it. Dropped early, nothing of it stays.
    fn run(&self, call: ContainerCall) -> BoxFuture<'_, Result<Box<dyn RunningContainer>, String>>;

    /// Brings the image anew. Containers that run keep theirs. Dropped early, the image stays as it was.
    fn update<'a>(
        &'a self,
        engine: &'a EngineId,
        image: &'a str,
        told: Progress<'a>,
    ) -> BoxFuture<'a, Result<Updated, String>>;
}

/// A container that runs. Dropped without [`Self::end`], it is removed as well, a moment later.
pub trait RunningContainer: Send + Sync {
    /// Its name.
    fn name(&self) -> &str;

    /// Process id of its first process on this machine, where the engine tells.
    fn pid(&self) -> Option<u32>;

    /// All that it writes, from its start: 1 for standard output, 2 for standard error. To be called once.
    fn output(&mut self) -> BoxStream<'static, (u8, Bytes)>;

    /// Waits until it has ended. Cancel-safe.
    fn ended(&self) -> BoxFuture<'_, ContainerEnd>;

    /// Bytes of main memory that it uses, where the engine tells.
    fn memory(&self) -> BoxFuture<'_, Option<u64>>;

    /// Asks it to end, gives it ten seconds, and removes it.
    fn end(self: Box<Self>) -> BoxFuture<'static, ()>;
}
