//! The way to a cockpit: the one that runs, or one for the length of the command.

use aicockpit_cockpit::resources;
use aicockpit_cockpit::socket::{Client, FILE_NAME};
use aicockpit_cockpit::{Cockpit, CockpitError, Config, EngineSelection};
use aicockpit_protocol::api::HostCapability;
use std::sync::Arc;
use std::time::Duration;

/// How often and how long a cockpit that just starts is waited for.
const STARTING: (u32, Duration) = (30, Duration::from_millis(100));

/// A connection to a cockpit.
pub(crate) struct Connection {
    /// Its client.
    pub(crate) client: Client,
    own: Option<Arc<Cockpit>>,
}

impl Connection {
    /// Connects to the cockpit that owns the data directory, or starts one in this process.
    ///
    /// # Errors
    /// When neither is possible.
    pub(crate) async fn open() -> anyhow::Result<Self> {
        let socket = resources::data_directory()?.join(FILE_NAME);
        for _ in 0..STARTING.0 {
            if let Ok(client) = Client::connect(&socket).await {
                return Ok(Self { client, own: None });
            }
            match start().await {
                Ok(cockpit) => {
                    cockpit.engines().settled().await;
                    return Ok(Self { client: Client::in_process(&cockpit), own: Some(cockpit) });
                }
                // It owns the store but does not answer yet.
                Err(CockpitError::AlreadyRunning { .. }) => tokio::time::sleep(STARTING.1).await,
                Err(error) => return Err(error.into()),
            }
        }
        // The last word on why.
        Err(start()
            .await
            .err()
            .map_or_else(|| anyhow::anyhow!("the data directory changed hands"), Into::into))
    }

    /// Whether the cockpit ends with this command.
    pub(crate) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Ends the connection, and the cockpit where it was made for it.
    pub(crate) async fn close(self) {
        drop(self.client);
        if let Some(cockpit) = self.own {
            cockpit.shutdown().await;
        }
    }
}

/// A cockpit of this process.
///
/// # Errors
/// When it cannot start, for instance because another one owns the data directory.
pub(crate) async fn start() -> Result<Arc<Cockpit>, CockpitError> {
    Cockpit::start(Config {
        data_dir: resources::data_directory()?,
        agent_binary: resources::agent_binary()?,
        host_capabilities: vec![HostCapability::LocalFolders],
        engines: EngineSelection::Discover,
    })
    .await
}
