//! The door: OpenAI's paths. Whatever comes in, what goes out has OpenAI's shape.

mod awake;
mod body;
pub(crate) mod figures;
mod guard;
pub(crate) mod inspection;
mod models;
mod reader;
pub(crate) mod serve;
mod stored;

pub(crate) use body::Room;
pub(crate) use guard::Names;

use crate::envelope::Envelope;
use crate::flight::{Boarding, Endpoint, Flight, Records};
use crate::forward::{self, Patience, Question};
use crate::infill::{self, Rewrite};
use crate::keys::Keys;
use crate::limits::Accounts;
use crate::refusal::Refusal;
use crate::responses::{Responses, Stored};
use crate::{Live, route, stream_options};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use guard::{Owner, RequestId};
use http::StatusCode;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// What a request may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Largest body, in bytes.
    pub max_body: usize,
    /// Time that a body has to arrive.
    pub body_within: Duration,
    /// Most bytes of all bodies at once that are larger than 64 KiB.
    pub max_bodies: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_body: 32 << 20, body_within: Duration::from_secs(60), max_bodies: 512 << 20 }
    }
}

/// What the handlers know.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) live: Live,
    pub(crate) keys: Keys,
    pub(crate) names: Names,
    pub(crate) records: Records,
    pub(crate) limits: Limits,
    pub(crate) accounts: Accounts,
    pub(crate) room: Room,
    pub(crate) responses: Responses,
}

/// OpenAI's paths, and `more` under the same rules.
pub(crate) fn router(door: Door, more: Router) -> Router {
    Router::new()
        .route("/v1/chat/completions", ask(Endpoint::Chat))
        .route("/v1/completions", ask(Endpoint::Completions))
        .route("/v1/embeddings", ask(Endpoint::Embeddings))
        .route("/v1/responses", ask(Endpoint::Responses))
        .merge(stored::routes())
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*id}", get(models::one))
        .route("/health", get(|| async { axum::Json(serde_json::json!({ "status": "ok" })) }))
        .fallback(nothing)
        .method_not_allowed_fallback(not_so)
        .with_state(door.clone())
        .merge(more)
        .layer(axum::middleware::from_fn_with_state(door, guard::check))
}

fn ask(endpoint: Endpoint) -> axum::routing::MethodRouter<Door> {
    post(
        async move |State(door): State<Door>,
                    Extension(RequestId(id)): Extension<RequestId>,
                    Extension(Owner(owner)): Extension<Owner>,
                    request: Request| {
            let Asked { name, previous, is_stored, question } =
                match read(&door, endpoint, &id, request).await {
                    Ok(asked) => asked,
                    Err(refusal) => return refusal.into_response(),
                };
            let fleet = door.live.fleet();
            let boarding = Boarding {
                records: door.records.clone(),
                pass: door.accounts.enter(&owner),
                prices: Arc::clone(&fleet.prices),
                request: id,
                owner: Arc::clone(&owner),
                endpoint,
                model: name,
                stored: is_stored.then(|| Stored::makes(&door.responses)),
            };
            let mut flight = Flight::new(boarding, &question.body);
            let rates = match flight.admit() {
                Ok(rates) => rates,
                Err(refusal) => return forward::refuse(refusal, flight),
            };
            let found = match &previous {
                None => route::find(&fleet, flight.model()).await,
                Some(id) => {
                    let found = door.responses.find(id, &owner);
                    route::follow(&fleet, flight.model(), id, found).await
                }
            };
            let targets = match found {
                Ok(targets) => targets,
                Err(refusal) => return forward::refuse(refusal, flight),
            };
            let patience =
                Patience { first_byte: fleet.first_byte, idle: fleet.idle, queue: fleet.queue_for };
            let queue = fleet.queue.clone();
            drop(fleet);
            let mut answer = forward::forward(&targets, question, flight, patience, &queue).await;
            answer.headers_mut().extend(rates);
            answer
        },
    )
}

/// What is asked of a model, as far as it is read at all.
struct Asked {
    /// The model's name.
    name: String,
    /// The response that this one follows on.
    previous: Option<String>,
    /// The answer may be stored by the backend.
    is_stored: bool,
    question: Question,
}

async fn read(door: &Door, endpoint: Endpoint, id: &str, request: Request) -> Result<Asked, Refusal> {
    let (parts, body) = request.into_parts();
    let (body, room) = body::read(&parts.headers, body, door.limits, &door.room).await?;
    let envelope = Envelope::read(&body)?;
    let name = envelope.text("model")?.filter(|model| !model.is_empty());
    let (Some(name), Some(model)) = (name, envelope.range("model")) else {
        let message = "`model` is missing. `/v1/models` lists what there is.";
        return Err(Refusal::invalid("missing_model", message).about("model"));
    };
    let name = name.into_owned();
    let streams = envelope.flag("stream")?;
    // A response tells its tokens by itself, and embeddings do not stream.
    let usage = match streams && matches!(endpoint, Endpoint::Chat | Endpoint::Completions) {
        true => stream_options::addition(&envelope),
        false => None,
    };
    let is_response = endpoint == Endpoint::Responses;
    let previous = match is_response {
        true => envelope.text("previous_response_id")?.map(Cow::into_owned),
        false => None,
    };
    let is_stored = is_response && envelope.get("store")?.is_none_or(|store| store.get() != "false");
    let infill = match endpoint == Endpoint::Completions && infill::applies(&envelope)? {
        true => Some(Rewrite::new(id, &name, &envelope)?),
        false => None,
    };
    let infill = infill.map(|infill| if usage.is_some() { infill.telling_usage() } else { infill });
    drop(envelope);
    let question = Question { headers: parts.headers, body, model, infill, usage, about: None, _room: room };
    Ok(Asked { name, previous, is_stored, question })
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
