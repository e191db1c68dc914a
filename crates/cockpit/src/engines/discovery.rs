//! Which engines are used.

use aicockpit_engine::{Endpoint, Engine};
use aicockpit_engine_docker::DockerEngine;
use aicockpit_engine_podman::PodmanEngine;
use aicockpit_protocol::engine::EngineKind;
use std::sync::Arc;

/// An engine and where it is.
#[derive(Clone)]
pub struct KnownEngine {
    /// Where it is.
    pub endpoint: Endpoint,
    /// The way to it.
    pub engine: Arc<dyn Engine>,
}

/// Which engines a cockpit uses.
#[derive(Clone)]
pub enum EngineSelection {
    /// Those of this machine, by the engines' own rules (`DOCKER_HOST`, contexts, sockets).
    Discover,
    /// These and no others.
    Explicit(Vec<KnownEngine>),
}

impl EngineSelection {
    pub(super) fn engines(&self) -> Vec<KnownEngine> {
        match self {
            Self::Explicit(engines) => engines.clone(),
            Self::Discover => aicockpit_engine_docker::discover()
                .into_iter()
                .chain(aicockpit_engine_podman::discover())
                .map(KnownEngine::at)
                .collect(),
        }
    }
}

impl KnownEngine {
    /// The engine that is expected at `endpoint`.
    pub fn at(endpoint: Endpoint) -> Self {
        let engine: Arc<dyn Engine> = match endpoint.kind {
            EngineKind::Docker => Arc::new(DockerEngine::new(endpoint.clone())),
            EngineKind::Podman => Arc::new(PodmanEngine::new(endpoint.clone())),
        };
        Self { endpoint, engine }
    }
}
