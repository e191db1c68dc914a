//! One model server: how it is reached, how many of our requests it works on, and what it last said of itself.

use crate::client;
pub(crate) use crate::client::loopback_client;
use crate::flight::Endpoint;
use crate::health::{Backoff, Health};
use crate::offline::{self, Gate};
use crate::on_demand::{LocalBackend, OnDemand};
use crate::plain::Plain;
use aicockpit_protocol::broker::{
    BackendAbilities, BackendHealth, BackendLoad, BackendSettings, BackendState, ModelInfo,
};
use http::{HeaderValue, Response};
use http_body_util::{BodyExt as _, Limited};
use reqwest::{Body, Client, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

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

/// What all backends have in common.
#[derive(Clone)]
pub(crate) struct Means {
    pub(crate) backoff: Backoff,
    pub(crate) gate: Gate,
    pub(crate) on_demand: Option<Arc<dyn OnDemand>>,
}

/// The way to a server.
enum Way {
    /// Off this machine, or by a name of which nobody knows where it leads.
    Far(Gate),
    /// Loopback.
    Near,
    /// A Unix socket; the server is started when it is asked.
    Socket(Option<Arc<dyn OnDemand>>),
}

/// What speaks to a server.
enum Speaker {
    Plain(Plain),
    /// Made anew to be rid of its idle connections.
    Any(RwLock<Client>),
}

impl Speaker {
    fn any(client: Client) -> Self {
        Self::Any(RwLock::new(client))
    }
}

/// A live model server.
pub(crate) struct Backend {
    pub(crate) settings: BackendSettings,
    pub(crate) health: Health,
    way: Way,
    speaker: Speaker,
    /// Ends in a slash.
    base: Url,
    urls: [Url; Endpoint::ALL.len()],
    key: Option<HeaderValue>,
    in_flight: AtomicU32,
    queued: AtomicU32,
    /// Absent where there is no limit.
    places: Option<Arc<Semaphore>>,
    /// It has refused to tell the tokens of a stream.
    hides_usage: AtomicBool,
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
        means: &Means,
    ) -> Result<Self, String> {
        let base = base(&settings.url)?;
        let (way, speaker) = match (offline::is_near(&base), Plain::near(&base)) {
            (true, Some(plain)) => (Way::Near, Speaker::Plain(plain)),
            (true, None) => (Way::Near, Speaker::any(client::near(&base)?)),
            (false, _) => (Way::Far(means.gate.clone()), Speaker::any(client::far(&base, &means.gate)?)),
        };
        Self::with(settings, base, key, way, speaker, means.backoff)
    }

    /// The same for a server of this machine.
    ///
    /// # Errors
    /// Why it cannot be used, as a sentence.
    pub(crate) fn on_socket(local: &LocalBackend, means: &Means) -> Result<Self, String> {
        // The name is for the `Host` header alone.
        let base = base("http://localhost/v1/")?;
        let way = Way::Socket(means.on_demand.clone());
        let plain = Plain::socket(&local.socket, &base).ok_or("its address has no host")?;
        let speaker = Speaker::Plain(plain);
        let made = Self::with(local.settings(), base, local.key.as_ref(), way, speaker, means.backoff)?;
        let model = ModelInfo { id: local.model.clone(), ..ModelInfo::default() };
        made.tell(|told| told.models = Arc::new(vec![model]));
        Ok(made)
    }

    fn with(
        settings: BackendSettings,
        base: Url,
        key: Option<&SecretString>,
        way: Way,
        speaker: Speaker,
        backoff: Backoff,
    ) -> Result<Self, String> {
        let urls = Endpoint::ALL.map(|endpoint| base.join(endpoint.path()));
        let [Ok(chat), Ok(completions), Ok(embeddings), Ok(responses)] = urls else {
            return Err(format!("`{}` is no base address", settings.url));
        };
        let key = key.map(bearer).transpose()?;
        let places = settings.max_parallel.map(|most| {
            Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)))
        });
        Ok(Self {
            health: Health::new(backoff),
            way,
            speaker,
            base,
            urls: [chat, completions, embeddings, responses],
            key,
            in_flight: AtomicU32::new(0),
            queued: AtomicU32::new(0),
            places,
            hides_usage: AtomicBool::new(false),
            told: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            settings,
        })
    }

    /// True where the same server would be reached the same way.
    pub(crate) fn is_same(&self, settings: &BackendSettings, key: Option<&SecretString>) -> bool {
        self.settings == *settings && self.key == key.and_then(|key| bearer(key).ok())
    }

    /// The same for a server of this machine.
    pub(crate) fn is_same_local(&self, local: &LocalBackend) -> bool {
        self.is_on_socket() && self.is_same(&local.settings(), local.key.as_ref()) && self.lists(&local.model)
    }

    /// A server of this machine besides those of the settings.
    pub(crate) fn is_on_socket(&self) -> bool {
        matches!(self.way, Way::Socket(_))
    }

    /// It sleeps until somebody asks it.
    pub(crate) fn is_on_demand(&self) -> bool {
        self.on_demand().is_some()
    }

    pub(crate) fn on_demand(&self) -> Option<&Arc<dyn OnDemand>> {
        match &self.way {
            Way::Socket(on_demand) => on_demand.as_ref(),
            Way::Far(_) | Way::Near => None,
        }
    }

    /// What stands before it; nothing before one that is near.
    pub(crate) fn gate(&self) -> Option<&Gate> {
        match &self.way {
            Way::Far(gate) => Some(gate),
            Way::Near | Way::Socket(_) => None,
        }
    }

    /// It is not near, and we are offline.
    pub(crate) fn is_shut_out(&self) -> bool {
        self.gate().is_some_and(Gate::is_offline)
    }

    /// It may be asked for its models: it is no server that sleeps, or that we must not reach.
    pub(crate) fn can_be_asked(&self) -> bool {
        !self.is_on_socket() && !self.is_shut_out()
    }

    /// Does what speaks to it; nothing where it is shut out, or comes to be meanwhile.
    pub(crate) async fn while_allowed<T>(&self, speaks: impl Future<Output = T>) -> Option<T> {
        match self.gate() {
            None => Some(speaks.await),
            Some(gate) => gate.while_online(speaks).await,
        }
    }

    /// Closes idle connections to one that is not near.
    pub(crate) fn hang_up(&self) {
        let (Way::Far(gate), Speaker::Any(client)) = (&self.way, &self.speaker) else { return };
        match client::far(&self.base, gate) {
            Ok(made) => *client.write().unwrap_or_else(PoisonError::into_inner) = made,
            Err(why) => {
                tracing::error!(backend = self.settings.name, why, "idle connections could not be closed");
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn client(&self) -> Client {
        let Speaker::Any(client) = &self.speaker else { panic!("it is near") };
        client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn hides_usage(&self) -> bool {
        self.hides_usage.load(Ordering::Relaxed)
    }

    /// It answers only where it is not asked for the tokens of a stream.
    pub(crate) fn refused_usage(&self) {
        self.hides_usage.store(true, Ordering::Relaxed);
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

    /// Sends; the answer's body is still to come. Nothing where we are offline, or come to be: see [`crate::offline`].
    pub(crate) async fn send(&self, request: reqwest::Request) -> Option<Result<Response<Body>, String>> {
        match &self.speaker {
            // It is near: nothing stands before it.
            Speaker::Plain(plain) => Some(plain.send(request).await),
            Speaker::Any(client) => {
                let client = client.read().unwrap_or_else(PoisonError::into_inner).clone();
                let sent = self.while_allowed(client.execute(request)).await?;
                Some(sent.map(Response::from).map_err(|error| told(&error)))
            }
        }
    }

    /// Reads a document of the server's.
    ///
    /// # Errors
    /// Why not, as a fragment.
    pub(crate) async fn read(&self, url: Option<Url>, within: Duration) -> Result<Vec<u8>, String> {
        let url = url.ok_or("its address has no root")?;
        let read = async {
            let sent = self.send(self.request(http::Method::GET, url)).await;
            let answer = sent.ok_or_else(|| offline::sentence(&self.settings.name))??;
            let status = answer.status();
            if !status.is_success() {
                return Err(format!("it answered {status}"));
            }
            let body = Limited::new(answer.into_body(), MOST_TOLD).collect().await;
            body.map(|body| body.to_bytes().to_vec()).map_err(|error| error.to_string())
        };
        match tokio::time::timeout(within, self.while_allowed(Box::pin(read))).await {
            Ok(Some(read)) => read,
            Ok(None) => Err(offline::sentence(&self.settings.name)),
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

    /// A place for one more request; none where `max_parallel` is reached, or others wait already.
    pub(crate) fn slot(self: &Arc<Self>) -> Option<Slot> {
        let place = match &self.places {
            None => None,
            Some(places) => Some(Arc::clone(places).try_acquire_owned().ok()?),
        };
        Some(Slot::new(self, place))
    }

    /// For a request that is no work for a model, and needs no place.
    pub(crate) fn aside(self: &Arc<Self>) -> Slot {
        Slot::new(self, None)
    }

    /// Waits for a place. Those who wait get theirs in order.
    pub(crate) async fn wait(self: &Arc<Self>) -> Slot {
        let _queued = Queued::new(self);
        let place = match &self.places {
            None => None,
            Some(places) => Arc::clone(places).acquire_owned().await.ok(),
        };
        Slot::new(self, place)
    }

    pub(crate) fn told(&self) -> Told {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True where it lists this model.
    pub(crate) fn lists(&self, model: &str) -> bool {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.models.iter().any(|listed| listed.id == model)
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
        let health = match self.is_shut_out() {
            true => BackendHealth::Failing { why: offline::sentence(&self.settings.name), retry_in_ms: 0 },
            false => self.health.state(),
        };
        BackendState {
            id: self.settings.id.clone(),
            health,
            models: told.models.to_vec(),
            in_flight: self.in_flight(),
            queued: self.queued.load(Ordering::Acquire),
            load: told.load,
            abilities: told.abilities,
        }
    }
}

/// A request's place at a backend, free again when dropped.
pub(crate) struct Slot {
    backend: Arc<Backend>,
    /// Given back after the count: there are never more requests than places.
    _place: Option<OwnedSemaphorePermit>,
}

impl Slot {
    fn new(backend: &Arc<Backend>, place: Option<OwnedSemaphorePermit>) -> Self {
        backend.in_flight.fetch_add(1, Ordering::AcqRel);
        Self { backend: Arc::clone(backend), _place: place }
    }

    pub(crate) fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.backend.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Counts one that waits.
struct Queued<'a>(&'a Backend);

impl<'a> Queued<'a> {
    fn new(backend: &'a Backend) -> Self {
        backend.queued.fetch_add(1, Ordering::AcqRel);
        Self(backend)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.queued.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What went wrong, down to its cause: "connection refused" rather than "error sending request".
pub(crate) fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
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
        let means = Means { backoff: Backoff::default(), gate: Gate::new(false), on_demand: None };
        Backend::new(settings, None, &means).map(Arc::new)
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
