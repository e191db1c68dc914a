//! The door: OpenAI's paths. Whatever comes in, what goes out has OpenAI's shape.

mod body;
mod guard;
mod models;
mod reader;
pub(crate) mod serve;

pub(crate) use guard::Names;

use crate::envelope::Envelope;
use crate::flight::{Endpoint, Flight, Ledger};
use crate::forward::{self, Patience, Question};
use crate::infill::{self, Rewrite};
use crate::keys::Keys;
use crate::refusal::Refusal;
use crate::{Live, route};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use guard::{Owner, RequestId};
use http::StatusCode;
use std::time::Duration;

/// What a request may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Largest body, in bytes.
    pub max_body: usize,
    /// Time that a body has to arrive.
    pub body_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_body: 32 << 20, body_within: Duration::from_secs(60) }
    }
}

/// What the handlers know.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) live: Live,
    pub(crate) keys: Keys,
    pub(crate) names: Names,
    pub(crate) ledger: Ledger,
    pub(crate) limits: Limits,
}

pub(crate) fn router(door: Door) -> Router {
    Router::new()
        .route("/v1/chat/completions", ask(Endpoint::Chat))
        .route("/v1/completions", ask(Endpoint::Completions))
        .route("/v1/embeddings", ask(Endpoint::Embeddings))
        .route("/v1/responses", ask(Endpoint::Responses))
        .route("/v1/responses/{id}", get(stored).delete(stored))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*id}", get(models::one))
        .route("/health", get(|| async { axum::Json(serde_json::json!({ "status": "ok" })) }))
        .fallback(nothing)
        .method_not_allowed_fallback(not_so)
        .layer(axum::middleware::from_fn_with_state(door.clone(), guard::check))
        .with_state(door)
}

fn ask(endpoint: Endpoint) -> axum::routing::MethodRouter<Door> {
    post(
        async move |State(door): State<Door>,
                    Extension(RequestId(id)): Extension<RequestId>,
                    Extension(Owner(owner)): Extension<Owner>,
                    request: Request| {
            let (parts, body) = request.into_parts();
            let asked = async {
                let body = body::read(&parts.headers, body, door.limits).await?;
                let envelope = Envelope::read(&body)?;
                let name = envelope.text("model")?.filter(|model| !model.is_empty());
                let (Some(name), Some(place)) = (name, envelope.range("model")) else {
                    let message = "`model` is missing. `/v1/models` lists what there is.";
                    return Err(Refusal::invalid("missing_model", message).about("model"));
                };
                envelope.flag("stream")?;
                let name = name.into_owned();
                let infill = match endpoint == Endpoint::Completions && infill::applies(&envelope)? {
                    true => Some(Rewrite::new(&id, &name, &envelope)?),
                    false => None,
                };
                drop(envelope);
                Ok((name, Question { headers: parts.headers, body, model: place, infill }))
            };
            let (name, question) = match asked.await {
                Ok(asked) => asked,
                Err(refusal) => return refusal.into_response(),
            };
            let fleet = door.live.fleet();
            let flight = Flight::new(door.ledger.clone(), id, owner, endpoint, name);
            let targets = match route::find(&fleet, flight.model()).await {
                Ok(targets) => targets,
                Err(refusal) => {
                    flight.land(refusal.end(), Some(refusal.status.as_u16()));
                    return refusal.into_response();
                }
            };
            let patience = Patience { first_byte: fleet.first_byte, idle: fleet.idle };
            drop(fleet);
            forward::forward(targets, question, flight, patience).await
        },
    )
}

async fn stored() -> Refusal {
    Refusal::client(
        StatusCode::NOT_FOUND,
        "response_not_found",
        "The broker keeps no responses, and does not know which backend may have stored this one. Send the whole \
         conversation with `\"store\": false` instead.",
    )
}

async fn nothing(request: Request) -> Refusal {
    let path = request.uri().path();
    let message = format!(
        "There is nothing at {} {path}. The base URL ends in /v1; the broker has /v1/chat/completions, \
         /v1/completions, /v1/embeddings, /v1/responses and /v1/models.",
        request.method()
    );
    Refusal::client(StatusCode::NOT_FOUND, "unknown_path", message)
}

async fn not_so(request: Request) -> Response {
    let message = format!("{} cannot be asked by {}.", request.uri().path(), request.method());
    Refusal::client(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", message).into_response()
}
