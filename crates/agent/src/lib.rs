//! The agent: one small static program inside every workspace that does everything which happens there.
//!
//! - [`init`]: the container's first process. - [`Daemon`]: serves links. - [`connect`]: the proxy that an engine's
//!   exec runs.
//!
//! **Invariant:** it writes nothing into the workspace that was not asked for, needs nothing of the image it runs in,
//! and holds no state that a file of its own would have to keep.

mod account;
pub mod connect;
mod control;
mod daemon;
mod exec;
pub mod files;
mod forward;
pub mod git;
pub mod init;
mod inside;
mod models;
mod pace;
pub mod place;
mod port;
mod process;
pub mod reach;
mod run;
mod sample;
pub mod search;
mod socket;
mod system;
mod terminal;

pub use daemon::Daemon;
pub use run::daemon;

/// Status with which a daemon ends that a newer one has replaced; it is not started again.
pub const RETIRED: u8 = 80;

/// Says something to whoever reads the container's log.
pub fn report(message: std::fmt::Arguments<'_>) {
    eprintln!("aicockpit-agent: {message}");
}

#[cfg(test)]
mod tests;
