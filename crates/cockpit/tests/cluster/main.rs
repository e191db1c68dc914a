//! The cockpit on a real cluster.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod faults;
mod main_job;
