//! The application: every use-case once, as plain async functions.
//!
//! Shells (the desktop window, the loopback server, the command line) only wire this crate up; none of them talks
//! to an engine, an agent or the store.
//!
//! **Invariant:** nothing here knows how a client is connected. A client is a sink of frames and a caller of
//! [`session`].
//!
//! - [`store`]: SQLite, one writer, owned by one process.
//! - [`engines`]: which engines there are, their health, what their containers do.
//! - [`workspaces`]: the state machine of each workspace and the actions on it.
//! - [`plan`]: the resumable creation plan.
//! - [`models`](Models): the broker, and each workspace's door to it.
//! - [`agent`], [`forward`], [`session`], [`socket`]: what happens inside a workspace, and the clients.

pub mod agent;
mod clock;
mod cockpit;
pub mod engines;
mod error;
mod events;
pub mod forward;
pub mod hardening;
pub mod metrics;
mod models;
pub mod plan;
pub mod resources;
mod secrets;
pub mod session;
pub mod settings;
pub mod socket;
pub mod store;
pub mod workspaces;

pub use clock::now_ms;
pub use cockpit::{Cockpit, Config};
pub use engines::EngineSelection;
pub use error::CockpitError;
pub use events::{EventBus, Onlooker};
pub use models::Models;
pub use workspaces::AgentTarget;
