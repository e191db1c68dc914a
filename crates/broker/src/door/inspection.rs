//! The door for who runs the broker: what was used, and what is kept of questions and answers. A socket that only the
//! user who runs it gets an answer from; no port leads to it, and no key of a client opens it.
//!
//! Each path is an operation's name, asked by `POST` with its parameters as JSON.

use super::serve;
use crate::Broker;
use crate::backend::told;
use aicockpit_protocol::usage::{
    KeptRequest, RequestEntry, RequestRef, RequestsQuery, UsageQuery, UsageReport,
};
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

const USAGE: &str = "/models.usage";
const REQUESTS: &str = "/models.requests";
const REQUEST: &str = "/models.request";

/// Pause after `accept` failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

fn router(broker: Broker) -> Router {
    Router::new()
        .route(USAGE, post(usage))
        .route(REQUESTS, post(requests))
        .route(REQUEST, post(request))
        .with_state(broker)
}

async fn usage(
    State(broker): State<Broker>,
    Json(query): Json<UsageQuery>,
) -> Result<Json<UsageReport>, StatusCode> {
    blocking(move || broker.ledger().report(&query, &broker.currency())).await
}

async fn requests(
    State(broker): State<Broker>,
    Json(query): Json<RequestsQuery>,
) -> Result<Json<Vec<RequestEntry>>, StatusCode> {
    blocking(move || broker.requests(&query)).await
}

async fn request(State(broker): State<Broker>, Json(wanted): Json<RequestRef>) -> Json<Option<KeptRequest>> {
    Json(broker.kept().get(&wanted.request))
}

/// The ledger is read from a disk.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<Json<T>, StatusCode> {
    let read = tokio::task::spawn_blocking(read).await;
    read.map(Json).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

/// A socket's file, gone when dropped.
struct File(PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        // It may have been removed.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Listens on a socket for [`Broker::serve_inspection`].
#[derive(Debug)]
pub struct InspectionListener {
    listener: UnixListener,
    path: PathBuf,
}

impl InspectionListener {
    /// Listens. What a broker that was killed has left there is removed.
    ///
    /// # Errors
    /// Somebody listens there, or there is another file, or none can be made.
    pub async fn bind(path: &Path) -> io::Result<Self> {
        let bind = || UnixListener::bind(path);
        let listener = match bind() {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                match UnixStream::connect(path).await {
                    Err(refused) if refused.kind() == io::ErrorKind::ConnectionRefused => {}
                    _ => return Err(error),
                }
                std::fs::remove_file(path)?;
                bind()?
            }
            bound => bound?,
        };
        Ok(Self { listener, path: path.to_owned() })
    }
}

/// Serves until `stop`, to this user and the system's.
pub(crate) async fn serve(broker: Broker, listener: InspectionListener, stop: CancellationToken) {
    let InspectionListener { listener, path } = listener;
    let file = File(path);
    let router = router(broker);
    let own = std::fs::metadata(&file.0).map(|file| std::os::unix::fs::MetadataExt::uid(&file));
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let peer = stream.peer_cred().map(|peer| peer.uid());
                    let is_known = match (&own, peer) {
                        (Ok(own), Ok(peer)) => peer == *own || peer == 0,
                        _ => false,
                    };
                    if is_known {
                        tokio::spawn(serve::connection(stream, router.clone(), stop.clone()));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the broker could not accept on its socket");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    stop.run_until_cancelled(accepting).await;
}

/// A broker that runs cannot be asked what it was used for.
#[derive(Debug, thiserror::Error)]
#[error("the broker at {path} cannot be asked: {why}")]
pub struct InspectionError {
    path: PathBuf,
    why: String,
}

/// A broker that runs, by the socket that it was started with.
#[derive(Clone, Debug)]
pub struct Inspection(PathBuf);

impl Inspection {
    /// Nothing is opened yet.
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Sums of what models were used for.
    ///
    /// # Errors
    /// No broker of this user's answers there.
    pub async fn usage(&self, query: &UsageQuery) -> Result<UsageReport, InspectionError> {
        self.ask(USAGE, query).await
    }

    /// Single requests, the newest first.
    ///
    /// # Errors
    /// As [`Inspection::usage`].
    pub async fn requests(&self, query: &RequestsQuery) -> Result<Vec<RequestEntry>, InspectionError> {
        self.ask(REQUESTS, query).await
    }

    /// What was asked and answered, where it is kept.
    ///
    /// # Errors
    /// As [`Inspection::usage`].
    pub async fn request(&self, wanted: &RequestRef) -> Result<Option<KeptRequest>, InspectionError> {
        self.ask(REQUEST, wanted).await
    }

    async fn ask<A: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> Result<A, InspectionError> {
        let failed = |why: String| InspectionError { path: self.0.clone(), why };
        let asked = async {
            let stream = UnixStream::connect(&self.0).await.map_err(|error| error.to_string())?;
            let (mut sender, connection) =
                handshake(TokioIo::new(stream)).await.map_err(|error| told(&error))?;
            // How it ends shows in the answer.
            tokio::spawn(connection);
            let body = serde_json::to_vec(query).map_err(|error| error.to_string())?;
            let request = Request::post(path)
                .header(header::HOST, "localhost")
                .header(header::CONTENT_TYPE, "application/json")
                .body(Full::new(Bytes::from(body)))
                .map_err(|error| error.to_string())?;
            let answer = sender.send_request(request).await.map_err(|error| told(&error))?;
            let status = answer.status();
            let body = answer.into_body().collect().await.map_err(|error| told(&error))?.to_bytes();
            match status.is_success() {
                true => {
                    serde_json::from_slice(&body).map_err(|error| format!("its answer is another: {error}"))
                }
                false => Err(format!("it answered {status}: {}", String::from_utf8_lossy(&body))),
            }
        };
        asked.await.map_err(failed)
    }
}
