//! The cockpit for a browser: sign-in, one WebSocket that carries the protocol's frames, and the UI's files.
//!
//! **Invariant:** serves on loopback only, and every request must prove that it means this server: its `Host` names
//! loopback and our port (a page that rebinds its name to 127.0.0.1 does not pass), its `Origin`, where a browser
//! sends one, is our own. Nobody is signed in by a cookie, because cookies ignore ports: the bearer lives in the
//! page's memory and comes with each connection.

mod guard;
mod http;
mod sign_in;
mod socket;
mod ui;

pub use guard::OriginPolicy;
pub use sign_in::{SIGN_IN_WITHIN, SignIn};

use aicockpit_cockpit::Cockpit;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Largest body of an ordinary request, in bytes. Files travel by the WebSocket.
const MAX_BODY: usize = 16 * 1024;

/// How to serve.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// A loopback address; port 0 for any free one.
    pub listen: SocketAddr,
    /// The UI's folder, the one that holds `index.html`.
    pub ui: PathBuf,
}

/// Why it cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is not loopback. There is no encryption, so no other network may see it.
    #[error(
        "{0} is not a loopback address; use 127.0.0.1 or [::1], and a tunnel (ssh -L) from another machine"
    )]
    NotLoopback(SocketAddr),
    /// The port cannot be opened.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// A running server. It stops when dropped.
pub struct Served {
    /// Where it listens.
    pub address: SocketAddr,
    sign_in: Arc<SignIn>,
    stop: CancellationToken,
    _stop: DropGuard,
}

impl Served {
    /// An address that signs a browser in: once, within [`SIGN_IN_WITHIN`]. Each call makes another one.
    pub fn sign_in_url(&self) -> String {
        format!("http://{}/#token={}", self.address, self.sign_in.new_token())
    }

    /// Stops serving and disconnects everyone.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until it has stopped.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }
}

/// What every request handler knows.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) cockpit: Arc<Cockpit>,
    pub(crate) sign_in: Arc<SignIn>,
    pub(crate) origins: OriginPolicy,
    pub(crate) stop: CancellationToken,
}

/// Serves `cockpit`.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(cockpit: Arc<Cockpit>, options: ServeOptions) -> Result<Served, ServeError> {
    if !options.listen.ip().is_loopback() {
        return Err(ServeError::NotLoopback(options.listen));
    }
    let failed = |source| ServeError::Listen { address: options.listen, source };
    let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let stop = CancellationToken::new();
    let sign_in = Arc::new(SignIn::default());
    let shared = Shared {
        cockpit,
        sign_in: Arc::clone(&sign_in),
        origins: OriginPolicy::new(address),
        stop: stop.clone(),
    };
    tokio::spawn(http::accept(listener, router(shared, &options), stop.clone()));
    Ok(Served { address, sign_in, stop: stop.clone(), _stop: stop.drop_guard() })
}

fn router(shared: Shared, options: &ServeOptions) -> Router {
    Router::new()
        .route("/api/sign-in", post(sign_in::sign_in))
        .route("/api/socket", get(socket::connect))
        .fallback_service(ui::files(&options.ui))
        .layer(axum::middleware::from_fn_with_state(shared.clone(), guard::check))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(shared)
}
