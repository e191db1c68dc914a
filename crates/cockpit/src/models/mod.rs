//! The models: the broker, told of the settings, servers that are started on this machine, and a door for each
//! workspace's programs.
//!
//! **Invariant:** a workspace's key opens the door of its own link and no other. It is made new at each connection.

mod access;
mod containers;
mod door;
mod keys;
mod local;
mod trying;
mod usage;

pub(crate) use containers::ServerContainers;
pub(crate) use door::Door;
pub(crate) use local::LocalModels;

use crate::EventBus;
use crate::secrets::Secrets;
use access::Access;
use aicockpit_broker::{Broker, Options, SecretString, SettingsError, USUAL_PORTS, UsageLedger};
use aicockpit_protocol::api::Settings;
use aicockpit_protocol::broker::{BackendSettings, BackendState, BrokerSettings};
use aicockpit_protocol::{ApiError, ErrorCode, WorkspaceId};
use keys::{Keys, secret_name};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use url::Url;
use usage::News;

/// File of the ledger of requests, in the data directory.
const LEDGER_FILE: &str = "usage.db";

/// How long who looks at servers waits for a keyring that asks to be unlocked.
const KEYS_WITHIN: Duration = Duration::from_secs(3);

/// The models of this cockpit. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Models {
    broker: Broker,
    settings: watch::Sender<BrokerSettings>,
    /// Whether there is any server that may be asked.
    any: watch::Sender<bool>,
    secrets: Arc<Secrets>,
    local: LocalModels,
    access: Access,
    /// Whether the keys of servers were asked for.
    has_keys: watch::Sender<bool>,
    /// One change of the settings at a time.
    changing: Arc<tokio::sync::Mutex<()>>,
}

impl Models {
    /// Begins with these settings; with none where they cannot be used, which is logged. Servers with a key are used
    /// a moment later: the keyring may ask the person to unlock it, and nothing else waits for that. May block for the
    /// ledger's file.
    pub(crate) fn new(
        settings: &Settings,
        secrets: Arc<Secrets>,
        directory: &Path,
        events: &EventBus,
        containers: Arc<ServerContainers>,
    ) -> Self {
        let local = LocalModels::new(settings, directory, events, containers);
        let ledger = UsageLedger::open(Some(directory.join(LEDGER_FILE)));
        let keys: Arc<dyn aicockpit_broker::Secrets> = Arc::new(Keys(Arc::clone(&secrets)));
        let begin = |servers| {
            let options = Options {
                ledger: ledger.clone(),
                on_demand: Some(local.on_demand()),
                offline: settings.offline,
                local: local.backends(),
                ..Options::default()
            };
            Broker::new(servers, Arc::clone(&keys), options, Some(Arc::new(News::new(events.clone()))))
        };
        let wanted = match Self::check(settings) {
            Ok(()) => settings.models.clone(),
            Err(error) => {
                tracing::error!(%error, "the settings of models cannot be used");
                BrokerSettings::default()
            }
        };
        let broker = match begin(keys::without_keyed(&wanted)).or_else(|_| begin(BrokerSettings::default())) {
            Ok(broker) => broker,
            // No settings cannot be wrong.
            Err(error) => unreachable!("{error}"),
        };
        let access = Access::new(broker.clone(), Arc::clone(&secrets));
        let models = Self {
            broker,
            settings: watch::channel(wanted.clone()).0,
            any: watch::channel(false).0,
            secrets,
            local,
            access,
            has_keys: watch::channel(false).0,
            changing: Arc::default(),
        };
        models.look_for_any();
        tokio::spawn({
            let models = models.clone();
            async move { models.begin_with_keys(wanted).await }
        });
        models
    }

    /// What takes a look at the keyring.
    async fn begin_with_keys(&self, settings: BrokerSettings) {
        let _one_at_a_time = self.changing.lock().await;
        let is_still = *self.settings.borrow() == settings;
        if is_still && settings.backends.iter().any(|backend| backend.has_key) {
            let (broker, settings) = (self.broker.clone(), settings.clone());
            if let Err(error) = blocking(move || broker.replace(settings).map_err(unusable)).await {
                tracing::error!(%error, "the model servers with keys cannot be used");
            }
        }
        self.has_keys.send_replace(true);
        if !is_still {
            return;
        }
        if let Err(error) = self.access.listen(settings.listen_port).await {
            tracing::warn!(%error, "programs of this machine do not reach the models");
        }
    }

    /// Tells the doors whether there is any server.
    fn look_for_any(&self) {
        let elsewhere = self.settings.borrow().backends.iter().any(|backend| backend.enabled);
        let any = elsewhere || self.local.is_any_enabled();
        self.any.send_if_modified(|known| std::mem::replace(known, any) != any);
    }

    /// Refuses settings that could not be taken up.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`], saying what is wrong.
    pub(crate) fn check(settings: &Settings) -> Result<(), ApiError> {
        // A name may lead to a server that is started here.
        let local: Vec<String> =
            settings.local_models.servers.iter().map(|server| server.id.clone()).collect();
        aicockpit_broker::check_beside(&settings.models, &local).map_err(unusable)
    }

    /// Takes up other settings; forgets the keys of servers that are no longer among them.
    ///
    /// # Errors
    /// As [`Models::check`].
    pub(crate) async fn take_up(&self, settings: &Settings) -> Result<(), ApiError> {
        // First: what is begun from here on is local.
        self.broker.set_offline(settings.offline);
        self.local.take_up(settings).await;
        self.broker.set_local(self.local.backends());
        self.look_for_any();
        let is_known = *self.settings.borrow() == settings.models;
        if is_known { Ok(()) } else { self.apply(settings.models.clone()).await }
    }

    /// As [`Models::take_up`] of the broker's settings, also where only a key has changed.
    pub(crate) async fn apply(&self, settings: BrokerSettings) -> Result<(), ApiError> {
        let _one_at_a_time = self.changing.lock().await;
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
        self.look_for_any();
        Ok(())
    }

    /// Listens for programs of this machine at a port, or at none.
    ///
    /// # Errors
    /// [`ErrorCode::PortInUse`] where another program has it; then the one before stays.
    pub(crate) async fn listen(&self, port: Option<u16>) -> Result<(), ApiError> {
        let _one_at_a_time = self.changing.lock().await;
        self.access.listen(port).await
    }

    /// Keeps or forgets the key of a server.
    ///
    /// # Errors
    /// [`ErrorCode::Internal`] where neither keyring nor file takes it.
    pub(crate) async fn put_key(&self, backend: &str, key: Option<SecretString>) -> Result<(), ApiError> {
        keys::put(&self.secrets, secret_name(backend), key).await
    }

    /// Every enabled server as it is now.
    pub async fn backends(&self) -> Vec<BackendState> {
        // Right after the start those with a key are a moment late. A keyring that nobody unlocks keeps the others
        // from nobody.
        let _ = tokio::time::timeout(KEYS_WITHIN, self.has_keys.subscribe().wait_for(|known| *known)).await;
        self.broker.backends().await
    }

    /// Asks an enabled server now, whatever is known of it; then all as they are.
    pub async fn check_backend(&self, id: &str) -> Vec<BackendState> {
        self.broker.check_backend(id).await;
        self.broker.backends().await
    }

    /// The servers that are started on this machine.
    pub(crate) fn local(&self) -> &LocalModels {
        &self.local
    }

    /// The door for programs of this machine.
    pub(crate) fn access(&self) -> &Access {
        &self.access
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
        Door::new(self.broker.clone(), self.any.subscribe(), workspace.clone())
    }

    /// Ends the servers that were started here, and writes the ledger out.
    pub(crate) async fn shutdown(&self) {
        self.access.close();
        self.local.shutdown().await;
        let ledger = self.broker.ledger().clone();
        // Nothing is lost by not waiting for it: it is written out when the last clone goes.
        let _ = tokio::task::spawn_blocking(move || ledger.flush()).await;
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
        Err(ApiError::new(ErrorCode::Internal, format!("A question about models failed: {error}.")))
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
