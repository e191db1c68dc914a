//! One container from its making to its removal.

use super::{Live, lock};
use crate::workspaces::labels;
use aicockpit_engine::{ContainerDetails, ContainerEventKind, ContainerState, Engine, EngineError};
use aicockpit_local_models::{ContainerEnd, RunningContainer};
use aicockpit_protocol::ContainerId;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, stream};
use std::sync::Arc;
use std::time::Duration;

/// How long it has to end once it is asked to.
const GRACE: Duration = Duration::from_secs(10);
/// How long an engine that does not answer is left alone.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How often it is looked at besides what the engine tells.
const LOOK: Duration = Duration::from_secs(30);
/// Lines that it may have written before its log is followed. Podman makes room for as many as it is asked for.
const LINES_BEFORE: u32 = 10_000;

/// A container of a name. Dropped, it is removed, made whole or not.
pub(super) struct Running {
    engine: Arc<dyn Engine>,
    name: String,
    id: ContainerId,
    pid: Option<u32>,
    live: Live,
    is_removed: bool,
}

impl Running {
    /// Of one that is about to be made.
    pub(super) fn of(engine: Arc<dyn Engine>, name: &str, live: &Live) -> Self {
        lock(live).insert(name.to_owned());
        let id = labels::by_name(name);
        Self { engine, name: name.to_owned(), id, pid: None, live: Arc::clone(live), is_removed: false }
    }

    /// It has been started.
    pub(super) async fn started(mut self, id: ContainerId) -> Self {
        self.id = id;
        self.pid = self.engine.inspect_container(&self.id).await.ok().and_then(|details| details.pid);
        self
    }

    /// How it ended; none while it runs or its engine does not say.
    async fn look(&self) -> Option<ContainerEnd> {
        match self.engine.inspect_container(&self.id).await {
            Ok(details) => end_of(details),
            Err(EngineError::NotFound(_)) => Some(ContainerEnd {
                status: None,
                out_of_memory: false,
                reason: Some("its container was removed".to_owned()),
            }),
            Err(_) => None,
        }
    }
}

/// How a container ended, where it did.
fn end_of(details: ContainerDetails) -> Option<ContainerEnd> {
    let has_ended = matches!(details.state, ContainerState::Exited | ContainerState::Other);
    has_ended.then(|| ContainerEnd {
        status: details.exit_status,
        out_of_memory: details.out_of_memory,
        reason: details.reason.filter(|reason| !reason.is_empty()),
    })
}

impl RunningContainer for Running {
    fn name(&self) -> &str {
        &self.name
    }

    fn pid(&self) -> Option<u32> {
        self.pid
    }

    fn output(&mut self) -> BoxStream<'static, (u8, Bytes)> {
        let (engine, id) = (Arc::clone(&self.engine), self.id.clone());
        let chunks = async move { engine.logs(&id, LINES_BEFORE, true).await };
        let chunks = chunks.into_stream().flat_map(|begun| match begun {
            Ok(chunks) => chunks,
            Err(error) => stream::once(async { Err(error) }).boxed(),
        });
        chunks
            .map(|chunk| match chunk {
                Ok(chunk) => (if chunk.stderr { 2 } else { 1 }, chunk.bytes),
                Err(error) => (2, Bytes::from(format!("Its log cannot be read any further: {error}\n"))),
            })
            .boxed()
    }

    fn ended(&self) -> BoxFuture<'_, ContainerEnd> {
        async {
            loop {
                // The events first, so that none is missed after the look.
                let events = self.engine.events().await;
                if let Some(end) = self.look().await {
                    return end;
                }
                let Ok(mut events) = events else {
                    tokio::time::sleep(ASK_AGAIN).await;
                    continue;
                };
                loop {
                    match tokio::time::timeout(LOOK, events.next()).await {
                        Ok(Some(Ok(event))) if event.container == self.id => {
                            let ends = matches!(
                                event.kind,
                                ContainerEventKind::Died(_) | ContainerEventKind::Removed
                            );
                            if ends && let Some(end) = self.look().await {
                                return end;
                            }
                        }
                        Ok(Some(Ok(_))) => {}
                        // Cut: followed anew.
                        Ok(_) => break,
                        Err(_) => {
                            if let Some(end) = self.look().await {
                                return end;
                            }
                        }
                    }
                }
                tokio::time::sleep(ASK_AGAIN).await;
            }
        }
        .boxed()
    }

    fn memory(&self) -> BoxFuture<'_, Option<u64>> {
        async {
            if !self.engine.capabilities().stats {
                return None;
            }
            self.engine.stats(&self.id).await.ok().map(|stats| stats.memory_bytes)
        }
        .boxed()
    }

    fn end(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        async move {
            let _ = self.engine.stop_container(&self.id, GRACE).await;
            // Else it is tried again as this is dropped.
            self.is_removed = self.engine.remove_container(&self.id).await.is_ok();
        }
        .boxed()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let (live, name) = (Arc::clone(&self.live), std::mem::take(&mut self.name));
        if self.is_removed {
            lock(&live).remove(&name);
            return;
        }
        let engine = Arc::clone(&self.engine);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            // By name: it may be there although making it failed.
            if let Err(error) = engine.remove_container(&labels::by_name(&name)).await {
                tracing::warn!(container = name, %error, "a model server's container cannot be removed");
            }
            lock(&live).remove(&name);
        });
    }
}
