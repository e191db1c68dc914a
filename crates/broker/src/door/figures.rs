//! The door for Prometheus: one page, for programs that mean this server. It says what is used, not what is said.

use super::Door;
use super::guard::Names;
use crate::Broker;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{StatusCode, header};

/// What Prometheus calls this format.
const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(crate) fn router(broker: Broker, names: Names) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .fallback(async || (StatusCode::NOT_FOUND, "There is only /metrics.\n"))
        .layer(axum::middleware::from_fn_with_state(names, check))
        .with_state(broker)
}

async fn metrics(State(broker): State<Broker>) -> Response {
    ([(header::CONTENT_TYPE, FORMAT)], broker.metrics()).into_response()
}

/// The same beside a door, under its rules: whoever has a key of it.
pub(crate) fn beside(door: Door, broker: Broker) -> Router {
    super::router(door, Router::new().route("/metrics", get(metrics)).with_state(broker))
}

/// A page of a browser has no business here, by whatever name it found us.
async fn check(State(names): State<Names>, request: Request, next: Next) -> Response {
    if !names.are_meant(request.headers(), request.uri()) {
        let why = "This address is not the broker's. Use the one that it was started with.\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    if request.headers().contains_key(header::ORIGIN) {
        let why = "This request comes from a page in a browser. The broker answers programs only.\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    next.run(request).await
}
