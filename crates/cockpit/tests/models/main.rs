//! Models, as a client of the cockpit sees them. Needs no engine.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod access;
mod common;
mod keys;
mod local;
mod usage;
