//! Offline: not a byte off this machine. Enforced where sockets are opened, and where connections that are open already
//! are used; nothing is looked up either.
//!
//! **Invariant:** once [`Gate::set`] has returned, nothing new is sent to a server that is not near: no name is looked
//! up, no socket opened, no open one used for another request. What was on its way there is given up, and its
//! connections close, as soon as their tasks run, whether a client reads or not. Near is what needs no network: this
//! machine's loopback by number or by the names that mean nothing else, and Unix sockets.

use crate::refusal::Refusal;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::StatusCode;
use http_body::{Body as _, Frame};
use reqwest::{Body, Url};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::{BoxError, Layer, Service};

/// Loopback, for names that mean it. The port is the one of the address.
pub(crate) const LOOPBACK: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0),
];

/// True where the way to a server leaves this machine under no circumstances.
pub(crate) fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => is_loopbacks_name(name),
        None => false,
    }
}

/// RFC 6761, section 6.3: `localhost` and what ends in `.localhost` mean loopback, and are asked of nobody.
fn is_loopbacks_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or(name);
    last.eq_ignore_ascii_case("localhost")
}

/// What is said of a server that is not near.
pub(crate) fn sentence(name: &str) -> String {
    format!(
        "`{name}` is not on this machine, and AiCockpit is offline. Switch offline off in the status bar or use a \
         local model."
    )
}

pub(crate) fn refusal(name: &str) -> Refusal {
    Refusal::backend(StatusCode::SERVICE_UNAVAILABLE, "offline", sentence(name))
}

/// The switch, as everything that sends sees it. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Inner>);

struct Inner {
    offline: watch::Sender<bool>,
    state: Mutex<State>,
    /// Times that a way off this machine was asked for and not given.
    refused: AtomicU64,
    /// Connections off this machine that were begun.
    opened: AtomicU64,
}

#[derive(Default)]
struct State {
    is_offline: bool,
    /// Ends what is on its way, when the switch is set.
    until: CancellationToken,
    leashes: HashMap<u64, Weak<Leash>>,
    last: u64,
}

impl Gate {
    pub(crate) fn new(is_offline: bool) -> Self {
        let inner = Inner {
            offline: watch::Sender::new(is_offline),
            state: Mutex::new(State { is_offline, ..State::default() }),
            refused: AtomicU64::new(0),
            opened: AtomicU64::new(0),
        };
        Self(Arc::new(inner))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_offline(&self) -> bool {
        *self.0.offline.borrow()
    }

    pub(crate) fn refused(&self) -> u64 {
        self.0.refused.load(Relaxed)
    }

    #[cfg(test)]
    fn opened(&self) -> u64 {
        self.0.opened.load(Relaxed)
    }

    /// Sets the switch. Set to offline, it ends everything that is on its way off this machine.
    pub(crate) fn set(&self, offline: bool) {
        let mut state = self.state();
        state.is_offline = offline;
        let cut = match offline {
            true => {
                state.until.cancel();
                std::mem::take(&mut state.leashes)
            }
            false => {
                if state.until.is_cancelled() {
                    state.until = CancellationToken::new();
                }
                HashMap::new()
            }
        };
        self.0.offline.send_replace(offline);
        drop(state);
        for leash in cut.values().filter_map(Weak::upgrade) {
            leash.cut();
        }
    }

    /// Comes back when the switch is not set to offline.
    pub(crate) async fn until_online(&self) {
        // The sender lives as long as this gate.
        let _ = self.0.offline.subscribe().wait_for(|offline| !offline).await;
    }

    /// Leave to send off this machine, until it is cancelled.
    fn pass(&self) -> Option<CancellationToken> {
        let state = self.state();
        if state.is_offline {
            self.0.refused.fetch_add(1, Relaxed);
            return None;
        }
        Some(state.until.child_token())
    }

    /// Does what sends off this machine; nothing where that may not be, or is cut off.
    pub(crate) async fn while_online<T>(&self, sends: impl Future<Output = T>) -> Option<T> {
        self.pass()?.run_until_cancelled(sends).await
    }

    /// Takes an answer on the leash; nothing where it is too late for that.
    pub(crate) fn leash(&self, body: Body) -> Option<Arc<Leash>> {
        let mut state = self.state();
        if state.is_offline {
            return None;
        }
        state.last += 1;
        let id = state.last;
        let held = Mutex::new(Held { body: Some(body), waker: None });
        let leash = Arc::new(Leash { gate: self.clone(), id, held });
        state.leashes.insert(id, Arc::downgrade(&leash));
        Some(leash)
    }
}

/// An answer from off this machine, which can be cut off also while nobody reads it.
pub(crate) struct Leash {
    gate: Gate,
    id: u64,
    held: Mutex<Held>,
}

struct Held {
    /// Absent once it was cut off.
    body: Option<Body>,
    waker: Option<Waker>,
}

/// Another piece of an answer, or that it was cut off.
pub(crate) enum Pulled {
    Frame(Option<reqwest::Result<Frame<Bytes>>>),
    Cut,
}

impl Leash {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self) {
        let (body, waker) = {
            let mut held = self.held();
            (held.body.take(), held.waker.take())
        };
        // Closes the connection.
        drop(body);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Pulled> {
        let mut held = self.held();
        let Some(body) = &mut held.body else { return Poll::Ready(Pulled::Cut) };
        match Pin::new(body).poll_frame(cx) {
            Poll::Ready(frame) => Poll::Ready(Pulled::Frame(frame)),
            Poll::Pending => {
                if !held.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                    held.waker = Some(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.gate.state().leashes.remove(&self.id);
    }
}

/// Opens no socket while the switch is set: wraps what connects a client that leads off this machine.
#[derive(Clone)]
pub(crate) struct Guard(pub(crate) Gate);

/// What [`Guard`] makes of a connector.
#[derive(Clone)]
pub(crate) struct Guarded<S> {
    inner: S,
    gate: Gate,
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, gate: self.0.clone() }
    }
}

impl<S, R> Service<R> for Guarded<S>
where
    S: Service<R, Error = BoxError>,
    S::Response: Send + 'static,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let Some(pass) = self.gate.pass() else {
            return Box::pin(async { Err("AiCockpit is offline".into()) });
        };
        self.gate.0.opened.fetch_add(1, Relaxed);
        // Names are looked up in here.
        let connecting = self.inner.call(request);
        Box::pin(async move {
            let connected = pass.run_until_cancelled(connecting).await;
            connected.unwrap_or_else(|| Err("AiCockpit is offline".into()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Backoff;
    use crate::backend::{Backend, Means};
    use aicockpit_protocol::broker::BackendSettings;
    use std::time::Duration;
    use tokio::net::TcpListener;

    #[test]
    fn near_is_what_needs_no_network() {
        for (url, wanted) in [
            ("http://127.0.0.1:1/v1", true),
            ("http://127.9.9.9/v1", true),
            ("http://[::1]:1/v1", true),
            ("http://localhost/v1", true),
            ("http://LocalHost./v1", true),
            ("http://models.localhost/v1", true),
            ("http://0x7f.1/v1", true),
            ("http://0.0.0.0/v1", false),
            ("http://[::]/v1", false),
            ("http://[::ffff:127.0.0.1]/v1", false),
            ("http://10.0.0.1/v1", false),
            ("http://localhost.example/v1", false),
            ("http://notlocalhost/v1", false),
            ("https://api.example/v1", false),
        ] {
            assert_eq!(is_near(&Url::parse(url).expect("an address")), wanted, "{url}");
        }
    }

    /// An address of this machine that is not loopback: packets to it leave by the way of all others.
    fn own_address() -> Option<IpAddr> {
        let interfaces = nix::ifaddrs::getifaddrs().expect("interfaces");
        let addresses = interfaces.filter_map(|interface| Some(interface.address?.as_sockaddr_in()?.ip()));
        addresses.filter(|address| !address.is_loopback()).map(IpAddr::V4).next()
    }

    fn backend(gate: &Gate, url: &str) -> Arc<Backend> {
        let settings: BackendSettings =
            serde_json::from_value(serde_json::json!({"id": "far", "name": "far", "url": url}))
                .expect("settings");
        let means = Means { backoff: Backoff::default(), gate: gate.clone(), on_demand: None };
        Arc::new(Backend::new(settings, None, &means).expect("a backend"))
    }

    /// Asks for a document, and why it did not come.
    async fn asked(backend: &Backend) -> Option<String> {
        backend.read(backend.below("models"), Duration::from_secs(20)).await.err()
    }

    #[tokio::test]
    async fn while_offline_no_connection_is_begun_and_no_name_is_looked_up() {
        let address = own_address().expect("this test needs an interface besides loopback");
        let listener = TcpListener::bind((address, 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let gate = Gate::new(true);
        let far = backend(&gate, &format!("http://{address}:{port}/v1"));
        let named = backend(&gate, "http://aicockpit-offline-test.invalid/v1");
        for backend in [&far, &named] {
            assert_eq!(asked(backend).await, Some(sentence("far")));
        }
        // Without the check before it, what opens sockets refuses by itself.
        for url in [far.below("models"), named.below("models")] {
            let request = far.request(http::Method::GET, url.expect("an address"));
            let error = far.client().execute(request).await.expect_err("refused");
            assert_eq!(crate::backend::told(&error), "AiCockpit is offline");
        }
        // The look-up of a name is a part of connecting, and none was begun.
        assert_eq!((gate.opened(), gate.refused()), (0, 4));

        gate.set(false);
        let (asking, accepted) = tokio::join!(asked(&far), async {
            // Also the first connection that ever came: none was waiting.
            let accepted = listener.accept().await.expect("a connection");
            drop(listener);
            accepted.1
        });
        assert!(asking.is_some() && accepted.ip() == address);
        assert!(gate.opened() > 0);
        let why = asked(&named).await.expect("there is no such name");
        assert!(!why.contains("offline"), "{why}");
    }

    #[tokio::test]
    async fn names_of_loopback_are_resolved_by_ourselves() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let gate = Gate::new(true);
        for host in ["localhost", "models.localhost", "a.b.localhost"] {
            let near = backend(&gate, &format!("http://{host}:{port}/v1"));
            let (why, _) =
                tokio::join!(asked(&near), async { drop(listener.accept().await.expect("a connection")) });
            assert!(!why.expect("it closed").contains("offline"), "{host}");
        }
        assert_eq!(gate.refused(), 0);
    }
}
