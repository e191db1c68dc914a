//! The engine on a real cluster.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod conformance;
mod images;
mod metrics;
mod reasons;
mod rights;
mod settings;
mod workspace;
