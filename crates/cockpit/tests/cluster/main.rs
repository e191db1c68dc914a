//! The cockpit on a real cluster.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod faults;
mod figures;
mod lost_machine;
mod main_job;
