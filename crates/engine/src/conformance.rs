//! The suite that every engine passes against the real engine.

use crate::Engine;
use std::sync::Arc;

/// What the suite runs on.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// A present image with `/bin/sh` and the usual tools.
    pub image: String,
    /// Distinguishes this run's objects; everything made carries it in its name and is removed at the end.
    pub prefix: String,
}

/// What the suite did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConformanceReport {
    /// Names of cases that passed.
    pub passed: Vec<String>,
    /// Names of cases declined by capability, with the reason.
    pub declined: Vec<(String, String)>,
    /// Names of cases that failed, with what happened.
    pub failed: Vec<(String, String)>,
}

/// Runs every case.
pub async fn conformance(_engine: Arc<dyn Engine>, _fixture: &Fixture) -> ConformanceReport {
    ConformanceReport::default()
}
