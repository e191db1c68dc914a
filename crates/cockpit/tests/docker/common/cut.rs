//! A Unix socket in front of the engine's own that can be cut: to the cockpit this is an engine that went away.

use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) struct Cuttable {
    pub(crate) path: PathBuf,
    target: PathBuf,
    stop: CancellationToken,
    relay: Option<tokio::task::JoinHandle<()>>,
}

impl Cuttable {
    pub(crate) fn new(path: &Path, target: &str) -> Self {
        let mut cuttable = Self {
            path: path.to_owned(),
            target: target.into(),
            stop: CancellationToken::new(),
            relay: None,
        };
        cuttable.mend();
        cuttable
    }

    /// Ends all connections; nobody listens any more.
    pub(crate) async fn cut(&mut self) {
        self.stop.cancel();
        if let Some(relay) = self.relay.take() {
            relay.await.unwrap();
        }
        std::fs::remove_file(&self.path).unwrap();
    }

    /// Listens again.
    pub(crate) fn mend(&mut self) {
        self.stop = CancellationToken::new();
        let listener = UnixListener::bind(&self.path).unwrap();
        let (target, stop) = (self.target.clone(), self.stop.clone());
        self.relay = Some(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = stop.cancelled() => break,
                };
                let (mut client, _) = accepted.unwrap();
                let target = target.clone();
                connections.spawn(async move {
                    let Ok(mut engine) = UnixStream::connect(target).await else { return };
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut engine).await;
                });
            }
            connections.shutdown().await;
        }));
    }
}
