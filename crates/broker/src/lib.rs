//! The AI broker: one local door that speaks OpenAI's protocol, and behind it every model that a person has.
//!
//! **Invariant:** runs alone, and keeps nothing of what passes. Questions and answers go through byte for byte, but for
//! the model's name; every error has OpenAI's shape; nothing is asked twice once an answer has begun; a client that
//! leaves takes its connection to the backend with it.
//!
//! - `door`: who may come in, and OpenAI's paths.
//! - `route`, `fleet`: where a model's name leads, and who is asked first.
//! - `forward`, `stream`, `lines`: to the backend and back.
//! - `backend`, `health`, `models`, `quirks`: each model server, and what is known of it.

mod backend;
mod discover;
mod door;
mod envelope;
mod fleet;
mod flight;
mod forward;
mod headers;
mod health;
mod infill;
mod keys;
mod lines;
mod models;
mod quirks;
mod refusal;
mod route;
mod stream;

pub use discover::{USUAL_PORTS, discover};
pub use door::Limits;
pub use fleet::SettingsError;
pub use flight::{Counts, End, Endpoint, Observer, Outcome, Usage};
pub use health::Backoff;
pub use keys::{Keys, PREFIX};
pub use secrecy::SecretString;

use aicockpit_protocol::broker::{BackendState, BrokerSettings};
use axum::Router;
use door::{Door, Names};
use fleet::Fleet;
use flight::Ledger;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Where the keys of providers are kept.
pub trait Secrets: Send + Sync {
    /// The key of a backend, by its id. May block for a moment; it is asked when settings are taken up, not for each
    /// request.
    fn get(&self, backend: &str) -> Option<SecretString>;
}

/// What can be set besides the settings.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What a request may be.
    pub limits: Limits,
    /// How long failing backends are left alone.
    pub backoff: Backoff,
    /// More names by which clients call this server, besides loopback's and the address it listens on.
    pub names: Vec<String>,
}

/// The settings alive, as all parts see them.
#[derive(Clone)]
pub(crate) struct Live(Arc<RwLock<Arc<Fleet>>>);

impl Live {
    pub(crate) fn fleet(&self) -> Arc<Fleet> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Refuses settings that could not be taken up.
///
/// # Errors
/// See [`SettingsError`].
pub fn check(settings: &BrokerSettings) -> Result<(), SettingsError> {
    struct NoKeys;
    impl Secrets for NoKeys {
        fn get(&self, _backend: &str) -> Option<SecretString> {
            None
        }
    }
    Fleet::new(settings.clone(), &NoKeys, Backoff::default(), None).map(drop)
}

/// A door that no port leads to. Cheap to clone.
#[derive(Clone)]
pub struct SideDoor(Router);

impl SideDoor {
    /// Serves one client until it has left, or `stop`; then an answer that has begun goes on to its end.
    pub async fn serve<I>(&self, io: I, stop: CancellationToken)
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        door::serve::connection(io, self.0.clone(), stop).await;
    }
}

/// The broker. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Broker {
    live: Live,
    secrets: Arc<dyn Secrets>,
    keys: Keys,
    ledger: Ledger,
    options: Arc<Options>,
}

impl Broker {
    /// A broker with these settings. Nothing is asked of any backend yet. `observer` is told of every request.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn new(
        settings: BrokerSettings,
        secrets: Arc<dyn Secrets>,
        options: Options,
        observer: Option<Arc<dyn Observer>>,
    ) -> Result<Self, SettingsError> {
        let fleet = Fleet::new(settings, &*secrets, options.backoff, None)?;
        Ok(Self {
            live: Live(Arc::new(RwLock::new(Arc::new(fleet)))),
            secrets,
            keys: Keys::default(),
            ledger: Ledger { observer, ..Ledger::default() },
            options: Arc::new(options),
        })
    }

    /// Takes up other settings. Requests on their way go on with the old ones; a backend that stays as it was keeps its
    /// health, and its count of requests.
    ///
    /// # Errors
    /// See [`SettingsError`]; then the old ones stay.
    pub fn replace(&self, settings: BrokerSettings) -> Result<(), SettingsError> {
        // The secrets are read without the lock: requests go on meanwhile.
        let fleet = Fleet::new(settings, &*self.secrets, self.options.backoff, Some(&self.live.fleet()))?;
        *self.live.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fleet);
        Ok(())
    }

    /// The keys of the door.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Sums since the start.
    pub fn counts(&self) -> Counts {
        self.ledger.counters.read()
    }

    /// Every enabled backend as it is now. Those that nobody has asked for yet are asked for their models.
    pub async fn backends(&self) -> Vec<BackendState> {
        let fleet = self.live.fleet();
        models::known(&fleet.backends).await;
        fleet.backends.iter().map(|backend| backend.state()).collect()
    }

    /// Asks an enabled backend for its models now, also where it fails and would be asked later.
    pub async fn check_backend(&self, id: &str) {
        let fleet = self.live.fleet();
        if let Some(backend) = fleet.backends.iter().find(|backend| backend.settings.id == id) {
            models::check(backend).await;
        }
    }

    /// The door, for a server that is reached at `address`.
    pub fn router(&self, address: SocketAddr) -> Router {
        self.router_with(address, self.keys.clone())
    }

    /// A door with keys of its own, for clients who come by a way of their own and call it `address`.
    pub fn side_door(&self, address: SocketAddr, keys: Keys) -> SideDoor {
        SideDoor(self.router_with(address, keys))
    }

    fn router_with(&self, address: SocketAddr, keys: Keys) -> Router {
        door::router(Door {
            live: self.live.clone(),
            keys,
            names: Names::new(address, &self.options.names),
            ledger: self.ledger.clone(),
            limits: self.options.limits,
        })
    }

    /// Serves until `stop`; then answers that have begun have `grace` to end.
    ///
    /// # Errors
    /// The listener has no address.
    pub async fn serve(
        &self,
        listener: TcpListener,
        stop: CancellationToken,
        grace: Duration,
    ) -> std::io::Result<()> {
        let router = self.router(listener.local_addr()?);
        door::serve::serve(listener, router, stop, grace).await;
        Ok(())
    }
}
