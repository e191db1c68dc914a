//! Waiting for a place at a server: in order at each, for the first that is free at any.

use crate::backend::Slot;
use crate::fleet::Target;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

/// Requests that wait, over all servers.
pub(crate) const MOST_WAITING: usize = 1024;

/// Everybody who waits. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct Queue(Arc<Semaphore>);

/// Why there is no place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoPlace {
    /// As many wait as may.
    TooMany,
    /// None became free in time.
    TooLate,
}

impl Default for Queue {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_WAITING)))
    }
}

impl Queue {
    /// Waits for the first place at one of these. Dropped, it waits no more, and a place that was just given to it goes
    /// to the next one.
    pub(crate) async fn wait(&self, targets: &[&Target], until: Instant) -> Result<(usize, Slot), NoPlace> {
        let Ok(_waiting) = self.0.try_acquire() else { return Err(NoPlace::TooMany) };
        let places =
            targets.iter().enumerate().map(|(at, target)| async move { (at, target.backend.wait().await) });
        let mut places: FuturesUnordered<_> = places.collect();
        match timeout_at(until, places.next()).await {
            Ok(Some(place)) => Ok(place),
            Ok(None) | Err(_) => Err(NoPlace::TooLate),
        }
    }
}
