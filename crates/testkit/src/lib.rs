//! Real engines, data directories and cockpits for tests; cleans up after them.
//!
//! **Invariant:** never shipped, and never removes what it did not make: everything it cleans up carries the label of
//! its own store.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod clean;
mod cluster;
mod cockpit;
mod cut;
mod daemon;

pub use clean::{LABEL_OWNER, left_behind, remove_all};
pub use cluster::{ClusterPart, kubeconfig, load_image};
pub use cockpit::{CREATE_WITHIN, TestCockpit, agent_binary, empty_spec, image, without_engines};
pub use cut::CutProxy;
pub use daemon::PrivateDocker;

use aicockpit_protocol::api::Event;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// Waits for an event that `wanted` takes; panics with `what` when it does not come in time.
///
/// # Panics
/// After `within`, or when the cockpit ends.
pub async fn wait_for<T>(
    events: &mut Receiver<Event>,
    within: Duration,
    what: &str,
    mut wanted: impl FnMut(Event) -> Option<T>,
) -> T {
    let waiting = async {
        loop {
            match events.recv().await {
                Ok(event) => {
                    if let Some(found) = wanted(event) {
                        return found;
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => panic!("the cockpit ended while the test waited for {what}"),
            }
        }
    };
    match tokio::time::timeout(within, waiting).await {
        Ok(found) => found,
        Err(_) => panic!("waited {within:?} for {what}"),
    }
}

/// Asks again and again until `ask` gives something; for what no event tells.
///
/// # Panics
/// After `within`.
pub async fn poll<T, F: Future<Output = Option<T>>>(
    within: Duration,
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let polling = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    match tokio::time::timeout(within, polling).await {
        Ok(found) => found,
        Err(_) => panic!("waited {within:?} for {what}"),
    }
}

/// Reads a stream until its bytes so far hold `wanted`; gives all of them.
///
/// # Panics
/// After `within`, or at the stream's end.
pub async fn read_until(
    stream: &mut aicockpit_cockpit::socket::ClientStream,
    within: Duration,
    wanted: &str,
) -> String {
    let mut seen = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&seen).contains(wanted) {
            match stream.next().await {
                Some(bytes) => seen.extend_from_slice(&bytes),
                None => panic!(
                    "the stream ended ({:?}) before {wanted:?} came: {:?}",
                    stream.end(),
                    String::from_utf8_lossy(&seen)
                ),
            }
        }
    };
    let in_time = tokio::time::timeout(within, reading).await.is_ok();
    let text = String::from_utf8_lossy(&seen).into_owned();
    assert!(in_time, "waited {within:?} for {wanted:?}; came: {text:?}");
    text
}
