//! One request to one backend: sent, and its answer looked at until it has begun.

use crate::backend::{Backend, told};
use crate::envelope::{self, Envelope};
use crate::estimate;
use crate::fleet::Target;
use crate::flight::{End, Endpoint, Flight};
use crate::forward::{Patience, Question};
use crate::infill::{self, Rewrite};
use crate::refusal::{self, Refusal, Said};
use crate::{headers, health, lines, models, offline, quirks, stream_options};
use aicockpit_protocol::broker::BackendKind;
use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// Most bytes of an answer that are gathered to see that it is whole. A larger one passes as it comes.
const MOST_GATHERED: usize = 4 << 20;
/// Most bytes of an error's text.
const MOST_SAID: usize = 1 << 20;
/// Longest pause that a backend may ask for and get, where no other has the model.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Pause before the only backend is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// An attempt without an answer.
pub(crate) struct Failed {
    /// What the client is told where nobody else answers.
    pub(crate) said: Box<Said>,
    /// The same backend may be asked again after this; none where that would be no use.
    pub(crate) again: Option<Duration>,
    /// How the request ends with it.
    pub(crate) end: End,
}

/// An attempt that nobody else is asked after.
pub(crate) enum Answered {
    /// Events, the first of which have come.
    Events { head: Head, body: reqwest::Body, first: Bytes, rewrite: Option<Rewrite>, hides_usage: bool },
    /// Too much to be gathered.
    Bytes { head: Head, body: reqwest::Body, first: Bytes },
    /// All of it.
    Whole { head: Head, data: Bytes },
    /// No, for a reason that would be the same elsewhere, or too late to ask elsewhere.
    Refused(Failed),
}

/// What stands before an answer's body.
pub(crate) struct Head {
    status: StatusCode,
    headers: HeaderMap,
}

impl Head {
    pub(crate) fn with(self, body: Body) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

impl Failed {
    pub(crate) fn new(refusal: Refusal) -> Self {
        Self { end: refusal.end(), said: Box::new(refusal.into()), again: None }
    }
}

/// Asks one target.
pub(crate) async fn attempt(
    target: &Target,
    question: &Question,
    passing: &HeaderMap,
    flight: &mut Flight,
    patience: Patience,
) -> Result<Answered, Failed> {
    let backend = &target.backend;
    // Apart: each future that holds another has room for it twice.
    let asking = Box::pin(ask(target, question, passing, flight, patience));
    match backend.while_allowed(asking).await {
        Some(answered) => answered,
        None => {
            let failed = Failed::new(offline::refusal(&backend.settings.name));
            match flight.has_begun() {
                true => Ok(Answered::Refused(Failed { end: End::Cut, ..failed })),
                false => Err(failed),
            }
        }
    }
}

async fn ask(
    target: &Target,
    question: &Question,
    passing: &HeaderMap,
    flight: &mut Flight,
    patience: Patience,
) -> Result<Answered, Failed> {
    let backend = &target.backend;
    wake(backend, flight, patience).await?;
    if quirks::may_refuse(backend.settings.kind)
        && question.about.is_none()
        && let Some(refusal) = Box::pin(is_refused(target, question, flight, patience)).await
    {
        return Ok(Answered::Refused(Failed::new(refusal)));
    }
    let mut asks_usage = question.usage.is_some() && !backend.hides_usage();
    let mut was_blamed = false;
    loop {
        let (request, rewrite) =
            request(target, question, passing, flight.endpoint(), asks_usage).map_err(Failed::new)?;
        let deadline = Instant::now() + patience.first_byte;
        flight.sent();
        let answer = match timeout_at(deadline, backend.send(request)).await {
            Ok(Some(Ok(answer))) => answer,
            Ok(Some(Err(why))) => return Err(unreachable(backend, why)),
            Ok(None) => return Err(Failed::new(offline::refusal(&backend.settings.name))),
            Err(_) => return Err(silent(backend, patience)),
        };
        let status = answer.status();
        let (parts, mut body) = answer.into_parts();
        if status.is_success() {
            if was_blamed {
                backend.refused_usage();
            }
            let hides_usage = question.usage.is_some() && (asks_usage || rewrite.is_some());
            let may_be_empty = question.about.is_some();
            let begun = Begun { status, headers: parts.headers, body, rewrite, hides_usage, may_be_empty };
            return begin(backend, begun, deadline, flight, patience).await;
        }
        let said = timeout_at(deadline, gather(&mut body, BytesMut::new(), MOST_SAID)).await;
        let said = said.ok().and_then(Result::ok).map(|(said, _)| said).unwrap_or_default();
        // The client did not ask for what the backend does not know. It is asked again without.
        let is_fault = matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY);
        if asks_usage && rewrite.is_none() && is_fault && stream_options::is_blamed(&said) {
            (asks_usage, was_blamed) = (false, true);
            continue;
        }
        return refused(backend, status, &parts.headers, said, flight.request());
    }
}

/// Starts a server that sleeps, and keeps it from being stopped.
async fn wake(backend: &Backend, flight: &mut Flight, patience: Patience) -> Result<(), Failed> {
    let Some(on_demand) = backend.on_demand() else { return Ok(()) };
    let name = &backend.settings.name;
    let began = Instant::now();
    let woken = timeout(patience.first_byte, on_demand.ready(&backend.settings.id)).await;
    // A model that loads is no work of ours.
    flight.queued(began.elapsed());
    let why = match woken {
        Ok(Ok(in_use)) => {
            flight.uses(in_use);
            return Ok(());
        }
        Ok(Err(why)) => why,
        Err(_) => format!("`{name}` did not start within {:?}.", patience.first_byte),
    };
    tracing::info!(backend = name, why, "a server did not start");
    Err(Failed::new(Refusal::backend(StatusCode::SERVICE_UNAVAILABLE, "backend_not_started", why)))
}

/// Why the question is not passed on to this backend, which would answer another one.
async fn is_refused(
    target: &Target,
    question: &Question,
    flight: &mut Flight,
    patience: Patience,
) -> Option<Refusal> {
    let asking = quirks::refusal(&target.backend, &target.model, flight.endpoint(), &question.body);
    let began = Instant::now();
    let refusal = timeout(patience.first_byte, asking).await.ok().flatten();
    flight.queued(began.elapsed());
    refusal
}

/// A backend's yes.
struct Begun {
    status: StatusCode,
    headers: HeaderMap,
    body: reqwest::Body,
    rewrite: Option<Rewrite>,
    hides_usage: bool,
    /// Nothing is an answer too: a stream that is resumed behind its last event.
    may_be_empty: bool,
}

/// Waits for the first of an answer.
async fn begin(
    backend: &Arc<Backend>,
    begun: Begun,
    deadline: Instant,
    flight: &mut Flight,
    patience: Patience,
) -> Result<Answered, Failed> {
    let Begun { status, headers, mut body, rewrite, hides_usage, may_be_empty } = begun;
    // A stream's head says nothing yet: some servers send it before they know whether they can answer.
    let first = loop {
        match timeout_at(deadline, body.frame()).await {
            Err(_) => return Err(silent(backend, patience)),
            Ok(None) if may_be_empty => {
                backend.health.well();
                flight.answered(status.as_u16(), false);
                let head = Head { status, headers: headers::to_client(&headers, flight.request()) };
                return Ok(Answered::Whole { head, data: Bytes::new() });
            }
            Ok(None) => return Err(empty(backend)),
            Ok(Some(Err(error))) => return Err(unreachable(backend, told(&error))),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) if !data.is_empty() => break data,
                _ => {}
            },
        }
    };
    let streamed = is_events(&headers);
    backend.health.well();
    models::meet(backend);
    flight.answered(status.as_u16(), streamed);
    let mut head = Head { status, headers: headers::to_client(&headers, flight.request()) };
    if streamed {
        // Proxies between us and the client must not gather events.
        head.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        head.headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        return Ok(Answered::Events { head, body, first, rewrite, hides_usage });
    }
    Ok(whole(backend, head, body, first, flight, patience, rewrite).await)
}

/// An answer that is no stream: gathered, so that one that breaks off is an error and not half an answer.
async fn whole(
    backend: &Backend,
    head: Head,
    mut body: reqwest::Body,
    first: Bytes,
    flight: &mut Flight,
    patience: Patience,
    rewrite: Option<Rewrite>,
) -> Answered {
    let name = &backend.settings.name;
    let (end, refusal) = match gather_patiently(&mut body, first, patience.idle).await {
        Ok((data, true)) => {
            flight.received(data.len());
            let data = match &rewrite {
                Some(rewrite) => rewrite.whole(data),
                None => data,
            };
            match lines::usage(&data) {
                Some(usage) => flight.used(usage),
                None => flight.told(estimate::text(flight.endpoint(), false, &data)),
            }
            return Answered::Whole { head, data };
        }
        Ok((data, false)) => return Answered::Bytes { head, body, first: data },
        Err(Some(why)) => {
            let message = format!("`{name}` broke off its answer ({why}). Nothing of it is passed on.");
            (End::Cut, Refusal::backend(StatusCode::BAD_GATEWAY, "backend_closed", message))
        }
        Err(None) => {
            let message = format!("`{name}` stopped in the middle of its answer for {:?}.", patience.idle);
            (End::Stalled, Refusal::backend(StatusCode::GATEWAY_TIMEOUT, "backend_stalled", message))
        }
    };
    Answered::Refused(Failed { end, ..Failed::new(refusal) })
}

/// The request as this target gets it, and what turns its answer back.
fn request(
    target: &Target,
    question: &Question,
    passing: &HeaderMap,
    endpoint: Endpoint,
    asks_usage: bool,
) -> Result<(reqwest::Request, Option<Rewrite>), Refusal> {
    let backend = &target.backend;
    if let Some(about) = &question.about {
        let request = backend.request(about.method.clone(), about.url(backend)?);
        return Ok((with_headers(request, passing, &question.body), None));
    }
    let rewrite = question.infill.as_ref().filter(|_| backend.settings.kind == BackendKind::LlamaCpp);
    let (url, body, rewrite) = match rewrite.and_then(|rewrite| Some((rewrite, backend.beside("infill")?))) {
        Some((rewrite, url)) => {
            let envelope = Envelope::read(&question.body)?;
            (url, infill::question(&envelope, &target.model)?, Some(rewrite.clone()))
        }
        None => {
            let addition = question.usage.as_ref().filter(|_| asks_usage);
            let body = envelope::with_edits(&question.body, &question.model, &target.model, addition);
            (backend.url(endpoint), body, None)
        }
    };
    let request = backend.request(Method::POST, url);
    Ok((with_headers(request, passing, &body), rewrite))
}

/// The client's headers, with the backend's key, and the body where there is one.
fn with_headers(mut request: reqwest::Request, passing: &HeaderMap, body: &Bytes) -> reqwest::Request {
    let key = request.headers_mut().remove(header::AUTHORIZATION);
    *request.headers_mut() = passing.clone();
    if let Some(key) = key {
        request.headers_mut().insert(header::AUTHORIZATION, key);
    }
    if !body.is_empty() {
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().entry(header::CONTENT_TYPE).or_insert(json);
    }
    if request.method() == Method::POST {
        *request.body_mut() = Some(body.clone().into());
    }
    request
}

fn is_events(headers: &HeaderMap) -> bool {
    // One that is packed although nobody asked for it cannot be looked at.
    if headers.contains_key(header::CONTENT_ENCODING) {
        return false;
    }
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.get(..17).is_some_and(|start| start.eq_ignore_ascii_case(b"text/event-stream"))
}

/// Gathers up to `most` bytes; true where that is all.
async fn gather(body: &mut reqwest::Body, mut data: BytesMut, most: usize) -> reqwest::Result<(Bytes, bool)> {
    while data.len() < most {
        match body.frame().await.transpose()? {
            None => return Ok((data.freeze(), true)),
            Some(frame) => {
                if let Ok(more) = frame.into_data() {
                    data.extend_from_slice(&more);
                }
            }
        }
    }
    Ok((data.freeze(), false))
}

/// The same for an answer, as long as something comes. The error is why it broke off; none for silence.
async fn gather_patiently(
    body: &mut reqwest::Body,
    first: Bytes,
    idle: Duration,
) -> Result<(Bytes, bool), Option<String>> {
    // Most answers come in one piece, which is then not copied.
    let mut data = first;
    loop {
        if data.len() >= MOST_GATHERED {
            return Ok((data, false));
        }
        match timeout(idle, body.frame()).await {
            Err(_) => return Err(None),
            Ok(None) => return Ok((data, true)),
            Ok(Some(Err(error))) => return Err(Some(told(&error))),
            Ok(Some(Ok(frame))) => {
                if let Ok(more) = frame.into_data() {
                    let mut joined = data.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
                    joined.extend_from_slice(&more);
                    data = joined.freeze();
                }
            }
        }
    }
}

fn unreachable(backend: &Arc<Backend>, why: String) -> Failed {
    let name = &backend.settings.name;
    let message =
        format!("`{name}` cannot be reached at {}: {why}. See whether it runs.", backend.settings.url);
    health::failed(backend, why, Duration::ZERO);
    let refusal = Refusal::backend(StatusCode::BAD_GATEWAY, "backend_unreachable", message);
    Failed { again: Some(PAUSE), ..Failed::new(refusal) }
}

fn silent(backend: &Arc<Backend>, patience: Patience) -> Failed {
    let name = &backend.settings.name;
    let message = format!("`{name}` did not begin to answer within {:?}.", patience.first_byte);
    health::failed(backend, "it did not begin to answer in time".to_owned(), Duration::ZERO);
    Failed::new(Refusal::backend(StatusCode::GATEWAY_TIMEOUT, "backend_stalled", message))
}

fn empty(backend: &Backend) -> Failed {
    let message = format!("`{}` gave an empty answer.", backend.settings.name);
    let refusal = Refusal::backend(StatusCode::BAD_GATEWAY, "backend_closed", message);
    Failed { again: Some(PAUSE), ..Failed::new(refusal) }
}

/// An answer that says no. What another backend might answer otherwise is a failed attempt; the rest is the client's.
fn refused(
    backend: &Arc<Backend>,
    status: StatusCode,
    headers: &HeaderMap,
    said: Bytes,
    request: &str,
) -> Result<Answered, Failed> {
    let name = &backend.settings.name;
    let wait = refusal::retry_after(headers);
    let (again, end) = match status.as_u16() {
        429 => (wait.filter(|wait| *wait <= LONGEST_PAUSE), End::Refused),
        // A fault of its own program, which often comes again with the same question; another kind of server may do.
        500 => (None, End::Failed),
        // It has no such path: llama.cpp says so of embeddings that it was not started for. For the rest it is well.
        501 => {
            backend.health.well();
            (None, End::Failed)
        }
        502..=599 => {
            health::failed(backend, format!("it answered {status}"), wait.unwrap_or_default());
            (Some(PAUSE), End::Failed)
        }
        400..=499 => {
            backend.health.well();
            (None, End::Refused)
        }
        _ => {
            let message =
                format!("`{name}` answered {status}; the broker follows no redirects. Correct its address.");
            return Err(Failed::new(Refusal::backend(StatusCode::BAD_GATEWAY, "backend_error", message)));
        }
    };
    let mut headers = headers::to_client(headers, request);
    headers.remove(header::CONTENT_ENCODING);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let said = Box::new(Said { status, headers, body: refusal::translate(status, said, name) });
    let failed = Failed { said, again, end };
    match status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
        true => Ok(Answered::Refused(failed)),
        false => Err(failed),
    }
}
