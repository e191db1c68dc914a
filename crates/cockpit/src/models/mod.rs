//! The models: the broker, told of the settings, and a door for each workspace's programs.
//!
//! **Invariant:** a workspace's key opens the door of its own link and no other. It is made new at each connection.

mod door;

pub(crate) use door::Door;

use crate::secrets::Secrets;
use aicockpit_broker::{Broker, Options, SecretString, SettingsError, USUAL_PORTS};
use aicockpit_protocol::broker::{BackendSettings, BackendState, BrokerSettings};
use aicockpit_protocol::{ApiError, ErrorCode, WorkspaceId};
use std::sync::Arc;
use tokio::sync::watch;
use url::Url;

/// The models of this cockpit. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Models {
    broker: Broker,
    settings: watch::Sender<BrokerSettings>,
    secrets: Arc<Secrets>,
}

/// How the broker asks for keys.
struct Keys(Arc<Secrets>);

impl aicockpit_broker::Secrets for Keys {
    fn get(&self, backend: &str) -> Option<SecretString> {
        self.0.get(&secret_name(backend)).unwrap_or_else(|error| {
            tracing::warn!(backend, %error, "a model server's key cannot be read");
            None
        })
    }
}

fn secret_name(backend: &str) -> String {
    format!("models/{backend}")
}

impl Models {
    /// Begins with these settings; with none where they cannot be used, which is logged.
    pub(crate) fn new(settings: BrokerSettings, secrets: Arc<Secrets>) -> Self {
        let keys: Arc<dyn aicockpit_broker::Secrets> = Arc::new(Keys(Arc::clone(&secrets)));
        let begin = |settings| Broker::new(settings, Arc::clone(&keys), Options::default(), None);
        let (broker, settings) = match begin(settings.clone()) {
            Ok(broker) => (broker, settings),
            Err(error) => {
                tracing::error!(%error, "the settings of models cannot be used");
                // No settings cannot be wrong.
                match begin(BrokerSettings::default()) {
                    Ok(broker) => (broker, BrokerSettings::default()),
                    Err(error) => unreachable!("{error}"),
                }
            }
        };
        Self { broker, settings: watch::channel(settings).0, secrets }
    }

    /// Refuses settings that could not be taken up.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`], saying what is wrong.
    pub(crate) fn check(settings: &BrokerSettings) -> Result<(), ApiError> {
        aicockpit_broker::check(settings).map_err(unusable)
    }

    /// Takes up other settings; forgets the keys of servers that are no longer among them.
    ///
    /// # Errors
    /// As [`Models::check`].
    pub(crate) async fn take_up(&self, settings: BrokerSettings) -> Result<(), ApiError> {
        let is_known = *self.settings.borrow() == settings;
        if is_known { Ok(()) } else { self.apply(settings).await }
    }

    /// As [`Models::take_up`], also where only a key has changed.
    pub(crate) async fn apply(&self, settings: BrokerSettings) -> Result<(), ApiError> {
        let gone: Vec<String> = {
            let before = self.settings.borrow();
            let stays = |id: &str| settings.backends.iter().any(|backend| backend.id == id);
            let with_key = before.backends.iter().filter(|backend| backend.has_key);
            with_key.filter(|backend| !stays(&backend.id)).map(|backend| backend.id.clone()).collect()
        };
        let (broker, secrets, next) = (self.broker.clone(), Arc::clone(&self.secrets), settings.clone());
        blocking(move || {
            broker.replace(next).map_err(unusable)?;
            for backend in gone {
                if let Err(error) = secrets.put(&secret_name(&backend), None) {
                    tracing::warn!(backend, %error, "a model server's key could not be forgotten");
                }
            }
            Ok(())
        })
        .await?;
        self.settings.send_replace(settings);
        Ok(())
    }

    /// Keeps or forgets the key of a server.
    ///
    /// # Errors
    /// [`ErrorCode::Internal`] where neither keyring nor file takes it.
    pub(crate) async fn put_key(&self, backend: &str, key: Option<SecretString>) -> Result<(), ApiError> {
        let (secrets, name) = (Arc::clone(&self.secrets), secret_name(backend));
        blocking(move || {
            secrets.put(&name, key.as_ref()).map_err(|error| {
                ApiError::new(ErrorCode::Internal, format!("The key could not be kept: {error}.")).hint(
                    "Unlock the system's keyring and try again. Where nobody can, start AiCockpit with \
                         AICOCKPIT_NO_KEYRING=1: it keeps keys in an encrypted file then.",
                )
            })
        })
        .await
    }

    /// Every enabled server as it is now.
    pub async fn backends(&self) -> Vec<BackendState> {
        self.broker.backends().await
    }

    /// Asks an enabled server now, whatever is known of it; then all as they are.
    pub async fn check_backend(&self, id: &str) -> Vec<BackendState> {
        self.broker.check_backend(id).await;
        self.broker.backends().await
    }

    /// Servers of this machine that are not among the settings.
    pub async fn discover(&self) -> Vec<BackendSettings> {
        let found = aicockpit_broker::discover(&USUAL_PORTS).await;
        let known = self.settings.borrow().backends.clone();
        found
            .into_iter()
            .filter(|one| !known.iter().any(|known| is_same_place(&known.url, &one.url)))
            .map(|mut one| {
                // Ids never change, names may have been given to others meanwhile.
                let taken = |name: &str| known.iter().any(|known| known.id == name || known.name == name);
                let free = (2..).map(|number| format!("{}-{number}", one.name)).find(|name| !taken(name));
                if taken(&one.name)
                    && let Some(free) = free
                {
                    (one.id, one.name) = (free.clone(), free);
                }
                one
            })
            .collect()
    }

    /// The door of a workspace's link.
    pub(crate) fn door(&self, workspace: &WorkspaceId) -> Door {
        Door::new(self.broker.clone(), self.settings.subscribe(), workspace.clone())
    }
}

fn unusable(error: SettingsError) -> ApiError {
    ApiError::new(ErrorCode::InvalidArgument, format!("The settings of models cannot be used: {error}."))
}

/// Whether two addresses lead to one server: loopback has several names.
fn is_same_place(one: &str, other: &str) -> bool {
    let place = |url: &str| {
        let url = Url::parse(url).ok()?;
        let host = match url.host_str()? {
            "localhost" | "[::1]" | "127.0.0.1" => "loopback".to_owned(),
            host => host.to_owned(),
        };
        Some((host, url.port_or_known_default()))
    };
    place(one).is_some_and(|one| Some(one) == place(other))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(ApiError::new(
            ErrorCode::Internal,
            format!("The settings of models could not be changed: {error}."),
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_several_names() {
        assert!(is_same_place("http://localhost:8080/v1", "http://127.0.0.1:8080/v1/"));
        assert!(!is_same_place("http://localhost:8080/v1", "http://127.0.0.1:8081/v1"));
        assert!(!is_same_place("http://gateway:8080/v1", "http://127.0.0.1:8080/v1"));
        assert!(!is_same_place("nonsense", "nonsense"));
    }
}
