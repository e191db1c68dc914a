//! Servers that are started on this machine, as the broker and the clients see them.

use super::ServerContainers;
use crate::EventBus;
use aicockpit_broker::{LocalBackend, OnDemand, SecretString};
use aicockpit_local_models as servers;
use aicockpit_protocol::api::{Event, Settings};
use aicockpit_protocol::broker::BackendKind;
use aicockpit_protocol::local_models::{
    LocalModelSettings, LocalScan, LocalServer, ProgramUpdate, Runtime, UpdateOf, UpdateRequest,
};
use aicockpit_protocol::{ApiError, ErrorCode};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::any::Any;
use std::path::Path;
use std::sync::Arc;

/// Directory of sockets and logs, in the data directory.
const STATE_DIRECTORY: &str = "models";

/// Servers that are started here. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct LocalModels(servers::LocalModels);

impl LocalModels {
    /// Nothing is started yet.
    pub(super) fn new(
        settings: &Settings,
        directory: &Path,
        events: &EventBus,
        containers: Arc<ServerContainers>,
    ) -> Self {
        let bus = events.clone();
        let updates = Arc::new(move |updates| bus.send(Event::LocalModelUpdates { updates }));
        let options = servers::Options::new(directory.join(STATE_DIRECTORY))
            .with_containers(containers)
            .with_updates_told(updates);
        let bus = events.clone();
        let told = Arc::new(move |servers| bus.send(Event::LocalModels { servers }));
        let local = match Self::check(&settings.local_models) {
            Ok(()) => settings.local_models.clone(),
            Err(error) => {
                tracing::error!(%error, "the settings of this machine's models cannot be used");
                LocalModelSettings::default()
            }
        };
        let models = servers::LocalModels::new(local, options, told);
        models.set_offline(settings.offline);
        Self(models)
    }

    /// Refuses settings that could not be taken up.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`], saying what is wrong.
    pub(crate) fn check(settings: &LocalModelSettings) -> Result<(), ApiError> {
        servers::check(settings).map_err(|error| {
            ApiError::new(
                ErrorCode::InvalidArgument,
                format!("The settings of this machine's models cannot be used: {error}."),
            )
        })
    }

    pub(super) async fn take_up(&self, settings: &Settings) {
        self.0.set_offline(settings.offline);
        self.0.replace(settings.local_models.clone());
    }

    /// As the broker reaches them.
    pub(super) fn backends(&self) -> Vec<LocalBackend> {
        let backend = |one: servers::Endpoint| LocalBackend {
            id: one.id,
            model: one.name,
            kind: match one.runtime {
                Runtime::LlamaCpp => BackendKind::LlamaCpp,
                Runtime::Vllm => BackendKind::Vllm,
            },
            socket: one.socket,
            key: Some(SecretString::from(one.key)),
            max_parallel: one.parallel,
            enabled: one.enabled,
        };
        self.0.endpoints().into_iter().map(backend).collect()
    }

    /// Whether a request can start one.
    pub(super) fn is_any_enabled(&self) -> bool {
        self.0.endpoints().iter().any(|one| one.enabled)
    }

    /// Starts them as they are asked for.
    pub(super) fn on_demand(&self) -> Arc<dyn OnDemand> {
        Arc::new(self.clone())
    }

    /// Models, programs and memory of this machine.
    pub(crate) async fn scan(&self) -> LocalScan {
        self.0.scan().await
    }

    /// All as they are now.
    pub(crate) fn servers(&self) -> Vec<LocalServer> {
        self.0.servers()
    }

    /// Starts one.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`] for one that is not among the settings; [`ErrorCode::InvalidState`] where it may not be
    /// started.
    pub(crate) fn start(&self, id: &str) -> Result<(), ApiError> {
        self.0.start(id).map_err(refused)
    }

    /// Ends one.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`] for one that is not among the settings.
    pub(crate) async fn stop(&self, id: &str) -> Result<(), ApiError> {
        self.0.stop(id).await.map_err(refused)
    }

    /// What one wrote.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`] for one that is not among the settings.
    pub(crate) fn log(&self, id: &str) -> Result<Vec<String>, ApiError> {
        self.0.log(id).map_err(refused)
    }

    /// Begins an update.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`] for what is not there; [`ErrorCode::InvalidState`] where it cannot be brought up to date
    /// here.
    pub(crate) fn update(&self, request: &UpdateRequest) -> Result<(), ApiError> {
        self.0.update(request).map_err(refused)
    }

    /// Calls an update off.
    pub(crate) fn cancel_update(&self, of: &UpdateOf) {
        self.0.cancel_update(of);
    }

    /// All updates since the start.
    pub(crate) fn updates(&self) -> Vec<ProgramUpdate> {
        self.0.updates()
    }

    /// Ends all.
    pub(super) async fn shutdown(&self) {
        self.0.shutdown().await;
    }
}

impl OnDemand for LocalModels {
    fn ready<'a>(&'a self, backend: &'a str) -> BoxFuture<'a, Result<Box<dyn Any + Send + Sync>, String>> {
        let ready = self.0.ready(backend);
        async move { ready.await.map(|held| Box::new(held) as Box<dyn Any + Send + Sync>) }.boxed()
    }
}

fn refused(error: servers::RefusedError) -> ApiError {
    let code = match &error {
        servers::RefusedError::NotFound { .. } => ErrorCode::NotFound,
        servers::RefusedError::Disabled { .. } => ErrorCode::InvalidState,
        servers::RefusedError::Update(refused) => match refused {
            servers::UpdateRefused::NotFound(_) => ErrorCode::NotFound,
            servers::UpdateRefused::NoVersion { .. } => ErrorCode::InvalidArgument,
            _ => ErrorCode::InvalidState,
        },
    };
    ApiError::new(code, format!("{error}."))
}
