//! A workspace's door to the models.

use aicockpit_broker::{Broker, Keys, SideDoor};
use aicockpit_protocol::WorkspaceId;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::sync::watch;

/// A workspace's door. Its keys are those of one link: at another's they open nothing.
#[derive(Clone)]
pub(crate) struct Door {
    broker: Broker,
    /// Whether there is any server.
    any: watch::Receiver<bool>,
    workspace: WorkspaceId,
}

impl Door {
    pub(super) fn new(broker: Broker, any: watch::Receiver<bool>, workspace: WorkspaceId) -> Self {
        Self { broker, any, workspace }
    }

    /// Whether programs are told of models: where there are none, that would only stand in the way of what they are
    /// told otherwise.
    pub(crate) fn is_open(&self) -> bool {
        *self.any.borrow()
    }

    /// Waits until it is open where it was not, or the other way round. Never, once the models have ended.
    pub(crate) async fn turned(&mut self) {
        let before = self.is_open();
        if self.any.wait_for(|any| *any != before).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Makes a key for programs that are started from now on.
    pub(crate) fn issue(&self, keys: &Keys) -> Option<String> {
        let key = keys.issue(self.workspace.as_str());
        key.inspect_err(|error| tracing::error!(%error, "no key for models could be made")).ok()
    }

    /// Lets those in whose programs were started earlier.
    pub(crate) fn admit(&self, keys: &Keys, earlier: &[String]) {
        for key in earlier {
            keys.admit(self.workspace.as_str(), key);
        }
    }

    /// The door for programs that call it by this port of theirs.
    pub(crate) fn at(&self, port: u16, keys: Keys) -> SideDoor {
        self.broker.side_door(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), keys)
    }
}
