//! Sends a request to a backend and brings its answer back; before the answer's first byte, to the next one where that
//! fails.

use crate::backend::{Backend, told};
use crate::envelope::{self, Envelope};
use crate::fleet::Target;
use crate::flight::{End, Endpoint, Flight};
use crate::infill::{self, Rewrite};
use crate::refusal::{self, Refusal};
use crate::stream::Answer;
use crate::{headers, health, lines};
use aicockpit_protocol::broker::BackendKind;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt as _;
use std::ops::Range;
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
/// When to come back to backends that all have as many requests as they may.
const COME_BACK: Duration = Duration::from_secs(1);

/// What is asked.
pub(crate) struct Question {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Where the model's name stands in the body.
    pub(crate) model: Range<usize>,
    /// Set where llama.cpp answers it by `/infill`: how that answer is turned back.
    pub(crate) infill: Option<Rewrite>,
}

/// Longest waits.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) first_byte: Duration,
    pub(crate) idle: Duration,
}

/// An attempt without an answer.
struct Failed {
    /// What the client is told where nobody else answers.
    answer: Response,
    /// The same backend may be asked again after this; none where that would be no use.
    again: Option<Duration>,
    /// How the request ends with it.
    end: End,
}

/// Asks one target after the other.
pub(crate) async fn forward(
    targets: Vec<Target>,
    question: Question,
    mut flight: Flight,
    patience: Patience,
) -> Response {
    let passing = headers::to_backend(&question.headers);
    let alone = targets.len() == 1;
    let mut last: Option<Failed> = None;
    for target in &targets {
        let mut again = alone;
        loop {
            let Some(slot) = target.backend.slot() else { break };
            flight.sent(slot, Arc::clone(&target.model));
            match attempt(target, &question, &passing, flight, patience).await {
                Ok(answer) => return answer,
                Err(failed) => {
                    let (failed, back) = *failed;
                    flight = back;
                    flight.leave();
                    let pause = failed.again.filter(|_| std::mem::take(&mut again));
                    last = Some(failed);
                    match pause {
                        Some(pause) => tokio::time::sleep(pause).await,
                        None => break,
                    }
                }
            }
        }
    }
    let Failed { mut answer, end, .. } = last.unwrap_or_else(|| full(&targets));
    headers::name_request(answer.headers_mut(), flight.request());
    let status = answer.status().as_u16();
    flight.land(end, Some(status));
    answer
}

fn full(targets: &[Target]) -> Failed {
    let names: Vec<String> =
        targets.iter().map(|target| format!("`{}`", target.backend.settings.name)).collect();
    let message =
        format!("{} has as many requests as it may have at once. Try again soon.", names.join(", "));
    Failed { answer: Refusal::busy(message, COME_BACK).into_response(), again: None, end: End::Refused }
}

/// Sends to one target. Where that fails the flight comes back.
async fn attempt(
    target: &Target,
    question: &Question,
    passing: &HeaderMap,
    mut flight: Flight,
    patience: Patience,
) -> Result<Response, Box<(Failed, Flight)>> {
    let backend = &target.backend;
    let (request, rewrite) = match request(target, question, passing, flight.endpoint()) {
        Ok(made) => made,
        Err(refusal) => {
            let failed = Failed { answer: refusal.into_response(), again: None, end: End::Refused };
            return Err(Box::new((failed, flight)));
        }
    };
    let deadline = Instant::now() + patience.first_byte;
    let answer = match timeout_at(deadline, backend.send(request)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(Box::new((unreachable(backend, &error), flight))),
        Err(_) => return Err(Box::new((silent(backend, patience), flight))),
    };
    let status = answer.status();
    let (parts, mut body) = http::Response::<reqwest::Body>::from(answer).into_parts();
    if !status.is_success() {
        let said = timeout_at(deadline, gather(&mut body, BytesMut::new(), MOST_SAID)).await;
        let said = said.ok().and_then(Result::ok).map(|(said, _)| said).unwrap_or_default();
        return refused(backend, status, &parts.headers, said, flight);
    }
    // A stream's head says nothing yet: some servers send it before they know whether they can answer.
    let first = loop {
        match timeout_at(deadline, body.frame()).await {
            Err(_) => return Err(Box::new((silent(backend, patience), flight))),
            Ok(None) => break None,
            Ok(Some(Err(error))) => return Err(Box::new((unreachable(backend, &error), flight))),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) if !data.is_empty() => break Some(data),
                _ => {}
            },
        }
    };
    let streamed = is_events(&parts.headers);
    let Some(first) = first else { return Err(Box::new((empty(backend), flight))) };
    backend.health.well();
    flight.answered(status.as_u16(), streamed);
    let mut head = headers::to_client(&parts.headers, flight.request());
    if streamed {
        // Proxies between us and the client must not gather events.
        head.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        head.insert("x-accel-buffering", HeaderValue::from_static("no"));
        let name = &backend.settings.name;
        let body = Answer::events(body, first, flight, name, patience.idle, rewrite);
        return Ok(with_head(status, head, Body::new(body)));
    }
    Ok(whole(backend, status, head, body, first, flight, patience, rewrite).await)
}

/// An answer that is no stream: gathered, so that one that breaks off is an error and not half an answer.
#[expect(clippy::too_many_arguments, reason = "the second half of one function, with all that it knows")]
async fn whole(
    backend: &Backend,
    status: StatusCode,
    head: HeaderMap,
    mut body: reqwest::Body,
    first: Bytes,
    mut flight: Flight,
    patience: Patience,
    rewrite: Option<Rewrite>,
) -> Response {
    let name = &backend.settings.name;
    let gathered = gather_patiently(&mut body, first, patience.idle).await;
    let (end, refusal) = match gathered {
        Ok((data, true)) => {
            flight.received(data.len());
            let data = match &rewrite {
                Some(rewrite) => rewrite.whole(data),
                None => data,
            };
            if let Some(usage) = lines::usage(&data) {
                flight.used(usage);
            }
            flight.land(End::Complete, None);
            return with_head(status, head, Body::from(data));
        }
        Ok((data, false)) => {
            return with_head(
                status,
                head,
                Body::new(Answer::bytes(body, data, flight, name, patience.idle)),
            );
        }
        Err(Some(why)) => {
            let message = format!("`{name}` broke off its answer ({why}). Nothing of it is passed on.");
            (End::Cut, Refusal::backend(StatusCode::BAD_GATEWAY, "backend_closed", message))
        }
        Err(None) => {
            let message = format!("`{name}` stopped in the middle of its answer for {:?}.", patience.idle);
            (End::Stalled, Refusal::backend(StatusCode::GATEWAY_TIMEOUT, "backend_stalled", message))
        }
    };
    let mut answer = refusal.into_response();
    headers::name_request(answer.headers_mut(), flight.request());
    flight.land(end, Some(answer.status().as_u16()));
    answer
}

fn with_head(status: StatusCode, head: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = head;
    response
}

/// The request as this target gets it, and what turns its answer back.
fn request(
    target: &Target,
    question: &Question,
    passing: &HeaderMap,
    endpoint: Endpoint,
) -> Result<(reqwest::Request, Option<Rewrite>), Refusal> {
    let backend = &target.backend;
    let rewrite = question.infill.as_ref().filter(|_| backend.settings.kind == BackendKind::LlamaCpp);
    let (url, body, rewrite) = match rewrite.and_then(|rewrite| Some((rewrite, backend.beside("infill")?))) {
        Some((rewrite, url)) => {
            let envelope = Envelope::read(&question.body)?;
            (url, infill::question(&envelope, &target.model)?, Some(rewrite.clone()))
        }
        None => (
            backend.url(endpoint),
            envelope::with_model(&question.body, &question.model, &target.model),
            None,
        ),
    };
    let mut request = backend.request(Method::POST, url);
    let key = request.headers_mut().remove(header::AUTHORIZATION);
    *request.headers_mut() = passing.clone();
    request.headers_mut().entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    if let Some(key) = key {
        request.headers_mut().insert(header::AUTHORIZATION, key);
    }
    *request.body_mut() = Some(body.into());
    Ok((request, rewrite))
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

fn unreachable(backend: &Arc<Backend>, error: &reqwest::Error) -> Failed {
    let (name, why) = (&backend.settings.name, told(error));
    let message =
        format!("`{name}` cannot be reached at {}: {why}. See whether it runs.", backend.settings.url);
    health::failed(backend, why, Duration::ZERO);
    let refusal = Refusal::backend(StatusCode::BAD_GATEWAY, "backend_unreachable", message);
    Failed { answer: refusal.into_response(), again: Some(PAUSE), end: End::Failed }
}

fn silent(backend: &Arc<Backend>, patience: Patience) -> Failed {
    let name = &backend.settings.name;
    let message = format!("`{name}` did not begin to answer within {:?}.", patience.first_byte);
    health::failed(backend, "it did not begin to answer in time".to_owned(), Duration::ZERO);
    let refusal = Refusal::backend(StatusCode::GATEWAY_TIMEOUT, "backend_stalled", message);
    Failed { answer: refusal.into_response(), again: None, end: End::Failed }
}

fn empty(backend: &Backend) -> Failed {
    let message = format!("`{}` gave an empty answer.", backend.settings.name);
    let refusal = Refusal::backend(StatusCode::BAD_GATEWAY, "backend_closed", message);
    Failed { answer: refusal.into_response(), again: Some(PAUSE), end: End::Failed }
}

/// An answer that says no. What another backend might answer otherwise is a failed attempt; the rest is the client's.
fn refused(
    backend: &Arc<Backend>,
    status: StatusCode,
    headers: &HeaderMap,
    said: Bytes,
    flight: Flight,
) -> Result<Response, Box<(Failed, Flight)>> {
    let name = &backend.settings.name;
    let answer = |status: StatusCode, said: Bytes| {
        let mut head = headers::to_client(headers, flight.request());
        head.remove(header::CONTENT_ENCODING);
        head.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        with_head(status, head, Body::from(said))
    };
    let wait = refusal::retry_after(headers);
    let (answer, again, end) = match status.as_u16() {
        429 => {
            let again = wait.filter(|wait| *wait <= LONGEST_PAUSE);
            (answer(status, refusal::translate(status, said, name)), again, End::Refused)
        }
        // A fault of its own program, which often comes again with the same question; another kind of server may do.
        500 => (answer(status, refusal::translate(status, said, name)), None, End::Failed),
        501..=599 => {
            health::failed(backend, format!("it answered {status}"), wait.unwrap_or_default());
            (answer(status, refusal::translate(status, said, name)), Some(PAUSE), End::Failed)
        }
        400..=499 => {
            backend.health.well();
            let answer = answer(status, refusal::translate(status, said, name));
            flight.land(End::Refused, Some(status.as_u16()));
            return Ok(answer);
        }
        _ => {
            let message =
                format!("`{name}` answered {status}; the broker follows no redirects. Correct its address.");
            let refusal = Refusal::backend(StatusCode::BAD_GATEWAY, "backend_error", message);
            (refusal.into_response(), None, End::Failed)
        }
    };
    Err(Box::new((Failed { answer, again, end }, flight)))
}
