//! The door for programs of this machine: a port of its loopback, and a key.

use super::keys;
use crate::secrets::Secrets;
use aicockpit_broker::{Broker, SecretString};
use aicockpit_protocol::api::OwnAccess;
use aicockpit_protocol::{ApiError, ErrorCode};
use secrecy::ExposeSecret as _;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Whose key it is, in the ledger and the limits.
pub(crate) const OWNER: &str = "this-machine";
/// Name of the secret that the key is kept as.
const SECRET: &str = "models/this-machine";
/// Time that answers have to end once the port is given up.
const GRACE: Duration = Duration::from_secs(5);

/// The door for programs of this machine. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct Access {
    broker: Broker,
    secrets: Arc<Secrets>,
    open: Arc<Mutex<Option<Open>>>,
}

/// A port that is listened on, until this is dropped.
struct Open {
    port: u16,
    stop: CancellationToken,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Access {
    pub(super) fn new(broker: Broker, secrets: Arc<Secrets>) -> Self {
        Self { broker, secrets, open: Arc::default() }
    }

    /// Listens on another port, or on none. The key that was told stays good.
    ///
    /// # Errors
    /// [`ErrorCode::PortInUse`] where another program has the port; then the one before stays.
    pub(super) async fn listen(&self, port: Option<u16>) -> Result<(), ApiError> {
        if self.port() == port {
            return Ok(());
        }
        let Some(port) = port else {
            self.close();
            return Ok(());
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
            ApiError::new(
                ErrorCode::PortInUse,
                format!(
                    "Programs of this machine do not reach the models: port {port} cannot be had ({error})."
                ),
            )
            .hint("Choose another port, or end the program that uses it.")
        })?;
        self.admit_kept().await;
        let (broker, stop) = (self.broker.clone(), CancellationToken::new());
        *self.lock() = Some(Open { port, stop: stop.clone() });
        tokio::spawn(async move {
            if let Err(error) = broker.serve(listener, stop, GRACE).await {
                tracing::warn!(%error, "the door for programs of this machine is closed");
            }
        });
        Ok(())
    }

    /// Address and a new key. The one told before ends.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidState`] where no port is listened on; [`ErrorCode::Internal`] where the key cannot be kept.
    pub(crate) async fn new_key(&self) -> Result<OwnAccess, ApiError> {
        let Some(port) = self.port() else {
            return Err(ApiError::new(
                ErrorCode::InvalidState,
                "Programs of this machine do not reach the models: no port is listened on.",
            )
            .hint("Give a port in Settings, Models."));
        };
        self.broker.keys().revoke_owner(OWNER);
        let key =
            self.broker.keys().issue(OWNER).map_err(|error| {
                ApiError::new(ErrorCode::Internal, format!("No key could be made: {error}."))
            })?;
        keys::put(&self.secrets, SECRET.to_owned(), Some(SecretString::from(key.clone()))).await?;
        Ok(OwnAccess { url: format!("http://127.0.0.1:{port}/v1"), key })
    }

    /// Lets nobody in any more.
    pub(super) fn close(&self) {
        self.lock().take();
    }

    fn port(&self) -> Option<u16> {
        self.lock().as_ref().map(|open| open.port)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets those in who were told a key by an earlier cockpit.
    async fn admit_kept(&self) {
        let secrets = Arc::clone(&self.secrets);
        let kept = tokio::task::spawn_blocking(move || secrets.get(SECRET)).await;
        match kept {
            Ok(Ok(Some(key))) => self.broker.keys().admit(OWNER, key.expose_secret()),
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the key of this machine's programs cannot be read"),
            Err(error) => tracing::warn!(%error, "the key of this machine's programs cannot be read"),
        }
    }
}
