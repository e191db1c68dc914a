//! Every message that AiCockpit's parts exchange, and nothing that sends one.
//!
//! **Invariant:** no I/O, no clock, no async runtime. Types here are wire types: changing one changes what an
//! older agent or an open browser tab understands, so fields are added with a default and never reused.
//!
//! - [`api`]: the registry of operations between the UI and the cockpit, and the events pushed back.
//! - [`broker`]: model servers, names of models, and how they fare.
//! - [`usage`]: limits, prices, and the ledger of what models were used for.
//! - [`local_models`]: model servers that are started on this machine.
//! - [`frame`]: the binary frames that carry them over WebSocket or Tauri.
//! - [`agent`]: the messages between the cockpit and the agent inside a workspace.
//! - [`typescript`]: the TypeScript client types, generated from the registry.

pub mod agent;
pub mod api;
pub mod broker;
pub mod engine;
pub mod error;
pub mod frame;
pub mod fs;
pub mod ids;
pub mod local_models;
pub mod metrics;
pub mod models;
pub mod path;
pub mod port;
pub mod process;
pub mod search;
pub mod terminal;
pub mod typescript;
pub mod usage;
pub mod workspace;

pub use error::{ApiError, ErrorCode};
pub use ids::{ContainerId, EngineId, StreamId, TerminalId, WorkspaceId};
pub use path::BytePath;
