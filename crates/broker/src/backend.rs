//! One model server: how it is reached, how many of our requests it works on, and what it last said of itself.

use crate::flight::Endpoint;
use crate::health::{Backoff, Health};
use aicockpit_protocol::broker::{BackendAbilities, BackendLoad, BackendSettings, BackendState, ModelInfo};
use http::HeaderValue;
use http_body_util::{BodyExt as _, Limited};
use reqwest::{Client, Url};
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Time a server has to take a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Connections that are kept open and idle.
const MOST_IDLE: usize = 64;
/// Most bytes of what a server says of itself.
const MOST_TOLD: usize = 8 << 20;

/// What a server last said of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) models: Arc<Vec<ModelInfo>>,
    pub(crate) abilities: BackendAbilities,
    pub(crate) load: BackendLoad,
    /// When the models were last listed; absent where they never were.
    pub(crate) listed: Option<Instant>,
    /// When it last said how busy it is.
    pub(crate) measured: Option<Instant>,
}

/// A live model server.
pub(crate) struct Backend {
    pub(crate) settings: BackendSettings,
    pub(crate) health: Health,
    client: Client,
    /// Ends in a slash.
    base: Url,
    urls: [Url; Endpoint::ALL.len()],
    key: Option<HeaderValue>,
    in_flight: AtomicU32,
    told: Mutex<Told>,
    /// Held while it is asked about itself, so that it is asked once at a time.
    pub(crate) asking: tokio::sync::Mutex<()>,
}

impl Backend {
    /// Makes ready to speak to a server; nothing is sent.
    ///
    /// # Errors
    /// Why these settings cannot be used, as a sentence.
    pub(crate) fn new(
        settings: BackendSettings,
        key: Option<&SecretString>,
        backoff: Backoff,
    ) -> Result<Self, String> {
        let base = base(&settings.url)?;
        let urls = Endpoint::ALL.map(|endpoint| base.join(endpoint.path()));
        let [Ok(chat), Ok(completions), Ok(embeddings), Ok(responses)] = urls else {
            return Err(format!("`{}` is no base address", settings.url));
        };
        let key = key.map(bearer).transpose()?;
        let client = client(&base)?;
        Ok(Self {
            health: Health::new(backoff),
            client,
            base,
            urls: [chat, completions, embeddings, responses],
            key,
            in_flight: AtomicU32::new(0),
            told: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            settings,
        })
    }

    /// True where the same server would be reached the same way.
    pub(crate) fn is_same(&self, settings: &BackendSettings, key: Option<&SecretString>) -> bool {
        self.settings == *settings && self.key == key.and_then(|key| bearer(key).ok())
    }

    /// A request to the server, with its key.
    pub(crate) fn request(&self, method: http::Method, url: Url) -> reqwest::Request {
        let mut request = reqwest::Request::new(method, url);
        if let Some(key) = &self.key {
            request.headers_mut().insert(http::header::AUTHORIZATION, key.clone());
        }
        request
    }

    pub(crate) fn url(&self, endpoint: Endpoint) -> Url {
        let [chat, completions, embeddings, responses] = &self.urls;
        match endpoint {
            Endpoint::Chat => chat,
            Endpoint::Completions => completions,
            Endpoint::Embeddings => embeddings,
            Endpoint::Responses => responses,
        }
        .clone()
    }

    /// An address beside the base: `/props` of a server at `http://host/v1`.
    pub(crate) fn beside(&self, path: &str) -> Option<Url> {
        let root = match self.base.path().strip_suffix("v1/") {
            Some(root) => self.base.join(root).ok()?,
            None => self.base.clone(),
        };
        root.join(path.trim_start_matches('/')).ok()
    }

    /// An address below the base.
    pub(crate) fn below(&self, path: &str) -> Option<Url> {
        self.base.join(path).ok()
    }

    /// Sends; the answer's body is still to come.
    pub(crate) async fn send(&self, request: reqwest::Request) -> reqwest::Result<reqwest::Response> {
        self.client.execute(request).await
    }

    /// Reads a document of the server's.
    ///
    /// # Errors
    /// Why not, as a fragment.
    pub(crate) async fn read(&self, url: Option<Url>, within: Duration) -> Result<Vec<u8>, String> {
        let url = url.ok_or("its address has no root")?;
        let read = async {
            let answer =
                self.send(self.request(http::Method::GET, url)).await.map_err(|error| told(&error))?;
            let status = answer.status();
            if !status.is_success() {
                return Err(format!("it answered {status}"));
            }
            let body = Limited::new(reqwest::Body::from(answer), MOST_TOLD).collect().await;
            body.map(|body| body.to_bytes().to_vec()).map_err(|error| error.to_string())
        };
        match tokio::time::timeout(within, read).await {
            Ok(read) => read,
            Err(_) => Err(format!("it did not answer within {within:?}")),
        }
    }

    /// Reads a JSON document of the server's.
    ///
    /// # Errors
    /// Why not, as a fragment.
    pub(crate) async fn read_json<T: DeserializeOwned>(
        &self,
        url: Option<Url>,
        within: Duration,
    ) -> Result<T, String> {
        let body = self.read(url, within).await?;
        serde_json::from_slice(&body).map_err(|error| format!("its answer cannot be read: {error}"))
    }

    /// A place for one more request; none where `max_parallel` is reached.
    pub(crate) fn slot(self: &Arc<Self>) -> Option<Slot> {
        let most = self.settings.max_parallel.unwrap_or(u32::MAX);
        let more = |now: u32| (now < most).then(|| now + 1);
        self.in_flight.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Slot(Arc::clone(self)))
    }

    pub(crate) fn told(&self) -> Told {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// How long the next request would wait: ours that it has, and those of others that wait.
    pub(crate) fn load(&self) -> u32 {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        self.in_flight.load(Ordering::Acquire).saturating_add(told.load.waiting.unwrap_or(0))
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Acquire)
    }

    pub(crate) fn state(&self) -> BackendState {
        let told = self.told();
        BackendState {
            id: self.settings.id.clone(),
            health: self.health.state(),
            models: told.models.to_vec(),
            in_flight: self.in_flight(),
            load: told.load,
            abilities: told.abilities,
        }
    }
}

/// A request's place at a backend, free again when dropped.
pub(crate) struct Slot(Arc<Backend>);

impl Slot {
    pub(crate) fn backend(&self) -> &Arc<Backend> {
        &self.0
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What went wrong, down to its cause: "connection refused" rather than "error sending request".
pub(crate) fn told(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn base(text: &str) -> Result<Url, String> {
    let mut url = Url::parse(text).map_err(|error| format!("`{text}` is no address: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(format!("`{text}` must begin with http:// or https:// and name a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address must hold no password; give the key apart from it".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("`{text}` must end with its path, for instance /v1"));
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

fn bearer(key: &SecretString) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret().trim()))
        .map_err(|_| "its key holds characters that no key has".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// True for the machine itself.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

/// Redirects are not followed: a server of models has no reason to send our key elsewhere.
fn client(base: &Url) -> Result<Client, String> {
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls(base.scheme() == "https")?)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_WITHIN)
        .pool_max_idle_per_host(MOST_IDLE)
        .tcp_nodelay(true);
    if is_loopback(base) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| told(&error))
}

/// A client for servers of this machine.
pub(crate) fn loopback_client() -> Result<Client, String> {
    let base = Url::parse("http://127.0.0.1/").map_err(|error| error.to_string())?;
    client(&base)
}

/// The system's authorities are loaded only where they are needed: a container without any can still reach a server
/// beside it.
fn tls(needed: bool) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut config = match needed {
        false => builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
        true => {
            let verifier = rustls_platform_verifier::Verifier::new(provider)
                .map_err(|error| format!("this machine's certificate authorities cannot be read: {error}"))?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend(url: &str, max_parallel: Option<u32>) -> Result<Arc<Backend>, String> {
        let settings = BackendSettings {
            id: "a".to_owned(),
            name: "a".to_owned(),
            url: url.to_owned(),
            kind: Default::default(),
            has_key: false,
            enabled: true,
            max_parallel,
        };
        Backend::new(settings, None, Backoff::default()).map(Arc::new)
    }

    #[test]
    fn addresses_are_put_together() {
        for (given, chat, props) in [
            ("http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1/chat/completions", "http://127.0.0.1:1/props"),
            ("http://127.0.0.1:1/v1/", "http://127.0.0.1:1/v1/chat/completions", "http://127.0.0.1:1/props"),
            (
                "https://a.example/x/v1",
                "https://a.example/x/v1/chat/completions",
                "https://a.example/x/props",
            ),
            ("http://a.example", "http://a.example/chat/completions", "http://a.example/props"),
        ] {
            let backend = backend(given, None).expect("an address");
            assert_eq!(backend.url(Endpoint::Chat).as_str(), chat);
            assert_eq!(backend.beside("props").expect("a root").as_str(), props);
        }
    }

    #[test]
    fn addresses_that_cannot_be_used_are_refused() {
        for wrong in ["", "a", "ftp://a.example", "http://u:p@a.example/v1", "http://a.example/v1?x=1"] {
            assert!(backend(wrong, None).is_err(), "{wrong}");
        }
    }

    #[test]
    fn places_are_counted() {
        let backend = backend("http://127.0.0.1:1/v1", Some(2)).expect("an address");
        let first = backend.slot().expect("a place");
        let _second = backend.slot().expect("a place");
        assert!(backend.slot().is_none());
        drop(first);
        assert!(backend.slot().is_some());
        assert_eq!(backend.load(), 1);
    }
}
