//! What engines on clusters are told of this cockpit: how a person wants them used, and the agent to bring.

use aicockpit_engine::{Endpoint, Program};
use aicockpit_engine_kubernetes::{Surroundings, context_of};
use aicockpit_protocol::api::Settings;
use aicockpit_protocol::engine::ClusterSettings;
use std::sync::Arc;
use tokio::sync::watch;

/// The settings of clusters as they are now, and the agent. Cheap to clone.
#[derive(Clone)]
pub struct Clusters {
    settings: watch::Receiver<Settings>,
    program: Option<Program>,
}

impl Default for Clusters {
    /// The default settings for ever, and no agent to bring.
    fn default() -> Self {
        Self::new(watch::channel(Settings::default()).1, None)
    }
}

impl Clusters {
    /// Those of these settings.
    pub fn new(settings: watch::Receiver<Settings>, program: Option<Program>) -> Self {
        Self { settings, program }
    }

    /// The settings of the cluster at an address; the defaults for what is no cluster.
    pub(super) fn of(&self, endpoint: &Endpoint) -> ClusterSettings {
        of(&self.settings, context_of(endpoint).as_deref())
    }

    /// Waits until the settings of a cluster are others than `before`.
    pub(super) async fn changed(&self, endpoint: &Endpoint, before: &ClusterSettings) {
        let Some(context) = context_of(endpoint) else { return std::future::pending().await };
        let mut settings = self.settings.clone();
        let differs = |settings: &Settings| match settings.clusters.get(&context) {
            Some(now) => now != before,
            None => ClusterSettings::default() != *before,
        };
        // They never change any more once their owner is gone.
        if settings.wait_for(differs).await.is_err() {
            std::future::pending().await
        }
    }

    pub(super) fn surroundings(&self, endpoint: &Endpoint) -> Surroundings {
        let (settings, context) = (self.settings.clone(), context_of(endpoint));
        Surroundings {
            settings: Arc::new(move || of(&settings, context.as_deref())),
            program: self.program.clone(),
        }
    }
}

fn of(settings: &watch::Receiver<Settings>, context: Option<&str>) -> ClusterSettings {
    let settings = settings.borrow();
    context.and_then(|context| settings.clusters.get(context)).cloned().unwrap_or_default()
}
