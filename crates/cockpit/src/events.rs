//! What happened, told to every client.

use aicockpit_protocol::api::Event;
use tokio::sync::{broadcast, watch};

/// Events a slow client may lag behind before it is told to ask for everything again.
const EVENT_BACKLOG: usize = 4096;

/// Carries events from where they happen to every subscriber. Cheap to clone.
#[derive(Clone, Debug)]
pub struct EventBus {
    sender: broadcast::Sender<Event>,
    /// How many look at what workspaces use.
    onlookers: watch::Sender<usize>,
}

/// Somebody looks at what workspaces use, until this is dropped.
#[derive(Debug)]
pub struct Onlooker(watch::Sender<usize>);

impl Drop for Onlooker {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Default for EventBus {
    fn default() -> Self {
        Self { sender: broadcast::channel(EVENT_BACKLOG).0, onlookers: watch::channel(0).0 }
    }
}

impl EventBus {
    /// Tells everyone. Without subscribers the event is dropped.
    pub fn send(&self, event: Event) {
        let _ = self.sender.send(event);
    }

    /// Events from now on. A receiver that lags is told so and should ask for everything again.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.sender.subscribe()
    }

    /// Asks for [`Event::Samples`].
    pub fn look(&self) -> Onlooker {
        self.onlookers.send_modify(|count| *count += 1);
        Onlooker(self.onlookers.clone())
    }

    /// Waits until somebody looks.
    pub(crate) async fn looked_at(&self) {
        // The sender is ours: it is not closed.
        let _ = self.onlookers.subscribe().wait_for(|count| *count > 0).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_measured_once_the_last_onlooker_is_gone() {
        let bus = EventBus::default();
        let is_looked_at = || futures::FutureExt::now_or_never(bus.looked_at()).is_some();
        let _deaf = bus.subscribe();
        assert!(!is_looked_at(), "following events is no looking");
        let (first, second) = (bus.look(), bus.look());
        assert!(is_looked_at());
        drop(first);
        assert!(is_looked_at());
        drop(second);
        assert!(!is_looked_at());
    }
}
