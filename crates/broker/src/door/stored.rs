//! `/v1/responses/{id}`: what is asked about a response that a backend stores goes to that backend.

use super::guard::{Owner, RequestId};
use super::{Door, body};
use crate::flight::{Boarding, Endpoint, Flight};
use crate::forward::{self, Patience, Question};
use crate::refusal::Refusal;
use crate::responses::{Asked, Stored};
use crate::route;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Extension, Router};
use http::Method;
use std::sync::Arc;

pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route("/v1/responses/{id}", about(MethodFilter::GET.or(MethodFilter::DELETE), None))
        .route("/v1/responses/{id}/cancel", about(MethodFilter::POST, Some("cancel")))
        .route("/v1/responses/{id}/input_items", about(MethodFilter::GET, Some("input_items")))
}

fn about(method: MethodFilter, part: Option<&'static str>) -> MethodRouter<Door> {
    on(
        method,
        async move |State(door): State<Door>,
                    Extension(RequestId(name)): Extension<RequestId>,
                    Extension(Owner(owner)): Extension<Owner>,
                    id: Result<Path<String>, PathRejection>,
                    request: Request| {
            let id = match id {
                Ok(Path(id)) => id,
                Err(error) => return Refusal::invalid("invalid_path", format!("{error}.")).into_response(),
            };
            // Of `HEAD` the answer's head is given.
            let method = match *request.method() {
                Method::HEAD => Method::GET,
                ref method => method.clone(),
            };
            let query = request.uri().query().map(str::to_owned);
            let asked = Asked { method, id, part, query };
            pass_on(&door, name, owner, asked, request).await.unwrap_or_else(Refusal::into_response)
        },
    )
}

/// Asks the backend. It counts as a request, and takes no tokens: what is asked of no model is not written down.
async fn pass_on(
    door: &Door,
    name: String,
    owner: Arc<str>,
    asked: Asked,
    request: Request,
) -> Result<Response, Refusal> {
    let mut pass = door.accounts.enter(&owner);
    let rates = pass.admit_errand(asked.streams())?;
    let fleet = door.live.fleet();
    let (target, home) = route::home(&fleet, &asked.id, door.responses.find(&asked.id, &owner))?;
    let (parts, body) = request.into_parts();
    let (body, room) = body::read(&parts.headers, body, door.limits, &door.room).await?;
    let boarding = Boarding {
        records: door.records.clone(),
        pass,
        prices: Arc::clone(&fleet.prices),
        request: name,
        owner,
        endpoint: Endpoint::Responses,
        model: home.asked,
        stored: Some(Stored::is_about(&door.responses, asked.id.clone(), asked.method == Method::DELETE)),
    };
    let flight = Flight::new(boarding, &body);
    let patience = Patience { first_byte: fleet.first_byte, idle: fleet.idle, queue: fleet.queue_for };
    let queue = fleet.queue.clone();
    drop(fleet);
    let question = Question {
        headers: parts.headers,
        body,
        model: 0..0,
        infill: None,
        usage: None,
        about: Some(asked),
        _room: room,
    };
    let mut answer = forward::forward(&[target], question, flight, patience, &queue).await;
    answer.headers_mut().extend(rates);
    Ok(answer)
}
