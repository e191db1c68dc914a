//! The connection to a cluster.

use crate::{KubernetesEngine, discover, error::engine_error};
use aicockpit_engine::{EngineError, Result};
use aicockpit_protocol::engine::EngineCapabilities;
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use k8s_openapi::NamespaceResourceScope;
use kube::client::retry::RetryPolicy;
use kube::client::{ClientBuilder, ConfigExt as _};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Resource};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::broadcast;
use tower::retry::RetryLayer;
use tower::{BoxError, ServiceBuilder};

/// Sentences held for those who follow the events.
const TOLD_AHEAD: usize = 64;
/// Time to reach a cluster that answers.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// What the clones of an engine share.
pub(crate) struct Shared {
    client: Mutex<Option<Connected>>,
    known: Mutex<Option<Known>>,
    /// What is to be told of a container beside what the cluster tells.
    pub(crate) told: broadcast::Sender<(String, String)>,
    pub(crate) deliveries: crate::delivery::Deliveries,
    pub(crate) counters: crate::observe::Counters,
}

#[derive(Clone)]
struct Connected {
    client: Client,
    /// The context's own namespace.
    namespace: String,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            client: Mutex::default(),
            known: Mutex::default(),
            told: broadcast::channel(TOLD_AHEAD).0,
            deliveries: Default::default(),
            counters: Default::default(),
        }
    }
}

/// What the last look at the cluster found.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) namespace: String,
    pub(crate) capabilities: EngineCapabilities,
    pub(crate) notes: Vec<String>,
    pub(crate) architecture: String,
    pub(crate) knows_events: bool,
    pub(crate) looked_at: Instant,
}

impl Shared {
    /// Tells those who follow the events something that went wrong with a container.
    pub(crate) fn tell(&self, container: &str, text: String) {
        tracing::warn!(container, text, "a container's engine tells");
        // Nobody may follow them.
        let _ = self.told.send((container.to_owned(), text));
    }

    pub(crate) fn known(&self) -> Option<Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn put_known(&self, known: Option<Known>) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// The next call reads the kubeconfig anew: credentials may have been renewed there.
    pub(crate) fn forget_client(&self) {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl KubernetesEngine {
    async fn connected(&self) -> Result<Connected> {
        let held = self.shared.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(connected) = held {
            return Ok(connected);
        }
        let connected = connect(&self.endpoint.address).await?;
        *self.shared.client.lock().unwrap_or_else(PoisonError::into_inner) = Some(connected.clone());
        Ok(connected)
    }

    pub(crate) async fn client(&self) -> Result<Client> {
        Ok(self.connected().await?.client)
    }

    /// The namespace of everything: the settings', else the context's.
    pub(crate) async fn namespace(&self) -> Result<String> {
        match self.settings().namespace.filter(|namespace| !namespace.is_empty()) {
            Some(namespace) => Ok(namespace),
            None => Ok(self.connected().await?.namespace),
        }
    }

    /// Objects of a kind in the namespace.
    pub(crate) async fn api<K>(&self) -> Result<Api<K>>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Ok(Api::namespaced(self.client().await?, &self.namespace().await?))
    }
}

async fn connect(address: &str) -> Result<Connected> {
    let (context, file) = discover::parse(address)
        .ok_or_else(|| EngineError::Unsupported(format!("{address} is not the address of a cluster")))?;
    let unusable = |error: &dyn std::fmt::Display| {
        EngineError::Unsupported(format!("the kubeconfig cannot be used: {error}"))
    };
    let kubeconfig = match file {
        Some(file) => Kubeconfig::read_from(file),
        None => Kubeconfig::read(),
    };
    let kubeconfig = kubeconfig.map_err(|error| unusable(&error))?;
    let options = KubeConfigOptions { context: Some(context), ..KubeConfigOptions::default() };
    let mut config =
        Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| unusable(&error))?;
    config.connect_timeout = Some(CONNECT_WITHIN);
    // Watches and execs are quiet for as long as nothing happens; whether the cluster lives is asked for apart.
    config.read_timeout = None;
    config.write_timeout = None;
    let namespace = config.default_namespace.clone();
    let client = match config.proxy_url {
        Some(_) => Client::try_from(config),
        None => prompt_client(config),
    };
    Ok(Connected { client: client.map_err(engine_error)?, namespace })
}

/// As kube's own client, but on connections that send what is small at once: kube leaves Nagle's algorithm on, so that
/// a keystroke written beside other bytes waits until the other side has confirmed those.
fn prompt_client(config: Config) -> kube::Result<Client> {
    let mut tcp = HttpConnector::new();
    // Its own would refuse https before the layer above it saw the address.
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(tcp)?);
    connector.set_connect_timeout(config.connect_timeout);
    let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.default_retry.then(|| RetryLayer::new(RetryPolicy::server_retry())))
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(ClientBuilder::new(service, config.default_namespace).build())
}
