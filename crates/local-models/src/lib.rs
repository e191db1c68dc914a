//! Models of this machine: files found, memory weighed, servers started and watched.
//!
//! [`LocalModels`] starts `llama-server` and vLLM when a model is asked for, tells how far they are, and ends them when
//! nobody asks any more. Each listens on a Unix socket of its own that only this user can reach, and asks for a key.
//!
//! **Invariant:** no server outlives this process, also where it is killed: the kernel ends them with the thread that
//! started them, and what they started themselves is ended at the next start.
//!
//! **Invariant:** while offline, no server has a network: each is started in a network namespace of its own, with
//! nothing but loopback. Where the kernel refuses that, it is not started.
//!
//! **Invariant:** a server in a container (see [`Containers`]) has no network, online or not, and of this machine it
//! sees the folder of its socket, and, to be read only, the model's files and those that its arguments name.
//!
//! **Invariant:** of a model's files only the heads are read here, and no file makes the reader panic or take memory
//! by its own words.
//!
//! **Invariant:** a server in use is not unloaded to make room for another; it is waited for.

mod containers;
mod estimate;
mod files;
mod hardware;
mod runtimes;
mod scan;
mod server;
mod settings;

pub use containers::{ContainerCall, ContainerEnd, Containers, Progress, RunningContainer, Updated};
pub use server::{
    Endpoint, InUse, LocalModels, Options, Patience, RefusedError, Told, UpdateRefused, UpdatesTold,
};
pub use settings::{SettingsError, check};
