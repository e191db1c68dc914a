//! Which engines are used.

use super::Clusters;
use aicockpit_engine::{Endpoint, Engine};
use aicockpit_engine_docker::DockerEngine;
use aicockpit_engine_kubernetes::KubernetesEngine;
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
    /// Those of this machine, by the engines' own rules (`DOCKER_HOST`, contexts, sockets), and the clusters of the
    /// kubeconfig's contexts. A cluster is not spoken to before the settings switch it on.
    Discover,
    /// Those at these addresses and no others, clusters with the cockpit's own settings. All of them are on.
    At(Vec<Endpoint>),
    /// These and no others. All of them are on.
    Explicit(Vec<KnownEngine>),
}

impl EngineSelection {
    pub(super) fn engines(&self, clusters: &Clusters) -> Vec<KnownEngine> {
        let at = |endpoint| KnownEngine::with(endpoint, clusters);
        match self {
            Self::Explicit(engines) => engines.clone(),
            Self::At(endpoints) => endpoints.iter().cloned().map(at).collect(),
            Self::Discover => aicockpit_engine_docker::discover()
                .into_iter()
                .chain(aicockpit_engine_podman::discover())
                .chain(aicockpit_engine_kubernetes::discover())
                .map(at)
                .collect(),
        }
    }

    /// Whether the settings say which clusters are on.
    pub(super) fn has_switches(&self) -> bool {
        matches!(self, Self::Discover)
    }
}

impl KnownEngine {
    /// The engine that is expected at `endpoint`; a cluster with the default settings, without an agent to bring.
    pub fn at(endpoint: Endpoint) -> Self {
        Self::with(endpoint, &Clusters::default())
    }

    /// The engine that is expected at `endpoint`; a cluster with these settings.
    pub fn with(endpoint: Endpoint, clusters: &Clusters) -> Self {
        let engine: Arc<dyn Engine> = match endpoint.kind {
            EngineKind::Docker => Arc::new(DockerEngine::new(endpoint.clone())),
            EngineKind::Podman => Arc::new(PodmanEngine::new(endpoint.clone())),
            EngineKind::Kubernetes => {
                let surroundings = clusters.surroundings(&endpoint);
                Arc::new(KubernetesEngine::new(endpoint.clone(), surroundings))
            }
        };
        Self { endpoint, engine }
    }
}
