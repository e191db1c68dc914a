//! What happened, told to every client.

use aicockpit_protocol::api::Event;
use std::sync::Arc;
use tokio::sync::{Notify, broadcast};

/// Events a slow client may lag behind before it is told to ask for everything again.
const EVENT_BACKLOG: usize = 4096;

/// Carries events from where they happen to every subscriber. Cheap to clone.
#[derive(Clone, Debug)]
pub struct EventBus {
    sender: broadcast::Sender<Event>,
    subscribed: Arc<Notify>,
}

impl Default for EventBus {
    fn default() -> Self {
        Self { sender: broadcast::channel(EVENT_BACKLOG).0, subscribed: Arc::default() }
    }
}

impl EventBus {
    /// Tells everyone. Without subscribers the event is dropped.
    pub fn send(&self, event: Event) {
        let _ = self.sender.send(event);
    }

    /// Events from now on. A receiver that lags is told so and should ask for everything again.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        let receiver = self.sender.subscribe();
        self.subscribed.notify_waiters();
        receiver
    }

    /// Waits until there is a subscriber.
    pub(crate) async fn wanted(&self) {
        loop {
            let subscribed = self.subscribed.notified();
            if self.sender.receiver_count() > 0 {
                return;
            }
            subscribed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiting_for_a_subscriber_ends_with_the_first_one() {
        let bus = EventBus::default();
        let waiting = tokio::spawn({
            let bus = bus.clone();
            async move { bus.wanted().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        let mut subscriber = bus.subscribe();
        waiting.await.unwrap();
        bus.send(Event::Resync);
        assert_eq!(subscriber.recv().await, Ok(Event::Resync));
    }
}
