//! An answer on its way out. Events pass as they come; an answer that ends too early ends with an error, so that no
//! client takes a part for the whole.

use crate::flight::{End, Endpoint, Flight};
use crate::infill::Rewrite;
use crate::lines::{Lines, Piece, Watch};
use crate::offline::{self, Leash, Pulled};
use crate::refusal::ErrorBody;
use axum::BoxError;
use bytes::Bytes;
use http_body::{Body, Frame};
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// Time a backend has to close after it said that it has ended. Then we do, and the connection is not used again.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// What is known of an answer that comes as events.
struct Events {
    lines: Lines,
    watch: Watch,
    rewrite: Option<Rewrite>,
}

/// Where an answer comes from.
enum Upstream {
    /// It has come to its end.
    Ended,
    Near(reqwest::Body),
    /// From off this machine. It can be cut off from outside.
    Far(Arc<Leash>),
    /// It was cut off before it could be read on.
    Cut,
}

impl Upstream {
    /// Of a backend's. What came before the switch was set to offline is not read on after it.
    fn new(body: reqwest::Body, flight: &Flight) -> Self {
        match flight.gate() {
            None => Self::Near(body),
            Some(gate) => gate.leash(body).map_or(Self::Cut, Self::Far),
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Pulled> {
        match self {
            Self::Ended => Poll::Ready(Pulled::Frame(None)),
            Self::Near(body) => Pin::new(body).poll_frame(cx).map(Pulled::Frame),
            Self::Far(leash) => leash.poll_frame(cx),
            Self::Cut => Poll::Ready(Pulled::Cut),
        }
    }
}

/// The body of an answer. Dropping it closes the connection to the backend, unless it was read to its end.
pub(crate) struct Answer {
    upstream: Upstream,
    /// Absent for an answer that passes as bytes, because it is too large to be looked at.
    events: Option<Events>,
    /// What came before this body was made.
    first: Option<Bytes>,
    /// Wakes where nothing comes for too long. Set anew only when it rings, not at each piece.
    alarm: Pin<Box<Sleep>>,
    idle: Duration,
    /// Since when nothing has come although we asked. A client that does not read for a while is not the backend's
    /// silence.
    waiting: Option<Instant>,
    backend: String,
    flight: Option<Flight>,
}

impl Answer {
    /// Events, the first piece of which has come.
    pub(crate) fn events(
        upstream: reqwest::Body,
        first: Bytes,
        flight: Flight,
        backend: &str,
        idle: Duration,
        rewrite: Option<Rewrite>,
        hides_usage: bool,
    ) -> Self {
        let watch = Watch::new(flight.endpoint(), hides_usage);
        let events = Events { lines: Lines::default(), watch, rewrite };
        Self::new(upstream, first, flight, backend, idle, Some(events))
    }

    /// Any other answer, the first part of which has come.
    pub(crate) fn bytes(
        upstream: reqwest::Body,
        first: Bytes,
        flight: Flight,
        backend: &str,
        idle: Duration,
    ) -> Self {
        Self::new(upstream, first, flight, backend, idle, None)
    }

    fn new(
        upstream: reqwest::Body,
        first: Bytes,
        flight: Flight,
        backend: &str,
        idle: Duration,
        events: Option<Events>,
    ) -> Self {
        Self {
            upstream: Upstream::new(upstream, &flight),
            events,
            first: Some(first),
            alarm: Box::pin(tokio::time::sleep(idle)),
            idle,
            waiting: None,
            backend: backend.to_owned(),
            flight: Some(flight),
        }
    }

    fn is_whole(&self) -> bool {
        self.events.as_ref().is_some_and(|events| events.watch.seen.whole)
    }

    /// What of a piece goes out now, told to who listens.
    fn take(&mut self, came: Bytes) -> Option<Bytes> {
        let out = self.read(came);
        if let (Some(flight), Some(out)) = (&mut self.flight, &out) {
            flight.piece(out);
        }
        out
    }

    /// What of a piece goes out now; nothing where it ends inside of a line.
    fn read(&mut self, came: Bytes) -> Option<Bytes> {
        if let Some(flight) = &mut self.flight {
            flight.received(came.len());
        }
        let Some(Events { lines, watch, rewrite }) = &mut self.events else { return Some(came) };
        match lines.push(came)? {
            Piece::Lines(whole) => {
                let whole = match rewrite {
                    None => whole,
                    Some(rewrite) => rewrite.lines(&whole),
                };
                let out = watch.pass(whole);
                (!out.is_empty()).then_some(out)
            }
            Piece::Overlong(part) => {
                watch.seen.malformed += 1;
                rewrite.is_none().then_some(part)
            }
        }
    }

    /// The backend is through with it, in whatever way; the words that go out last.
    fn end(&mut self, how: Ended) -> Result<Option<Bytes>, BoxError> {
        self.upstream = Upstream::Ended;
        let Some(mut flight) = self.flight.take() else { return Ok(None) };
        let Some(Events { lines, watch, .. }) = &mut self.events else {
            flight.told(flight.bytes_of_text());
            let (end, _, message) = how.words(self.idle, &self.backend);
            let is_whole = matches!(how, Ended::Closed);
            flight.land(if is_whole { End::Complete } else { end }, None);
            return if is_whole { Ok(None) } else { Err(message.into()) };
        };
        // `data: [DONE]` without the end of its line is still an end.
        let rest = watch.pass(lines.rest());
        let seen = watch.seen;
        for _ in 0..seen.malformed {
            flight.malformed();
        }
        if let Some(usage) = seen.usage {
            flight.used(usage);
        }
        flight.told(watch.text);
        if seen.whole || seen.error {
            let last = (!rest.is_empty()).then(|| Bytes::from([&rest[..], b"\n\n"].concat()));
            if let Some(last) = &last {
                flight.piece(last);
            }
            flight.land(if seen.error { End::ToldError } else { End::Complete }, None);
            return Ok(last);
        }
        let (end, code, message) = how.words(self.idle, &self.backend);
        tracing::info!(request = flight.request(), message, "an answer was not whole");
        let event = Bytes::from(event(flight.endpoint(), code, message));
        flight.piece(&event);
        flight.land(end, None);
        Ok(Some(event))
    }
}

/// How a backend leaves.
enum Ended {
    Closed,
    Broken(String),
    Silent,
    /// We are offline now.
    CutOff,
}

impl Ended {
    /// How the request ends with it, and what the client is told.
    fn words(&self, idle: Duration, backend: &str) -> (End, &'static str, String) {
        let (end, code, what) = match self {
            Self::CutOff => {
                let message = format!("The answer was cut off: {}", offline::sentence(backend));
                return (End::Cut, "offline", message);
            }
            Self::Closed => (End::Cut, "backend_closed", "ended the answer before it was whole".to_owned()),
            Self::Broken(why) => (End::Cut, "backend_closed", format!("broke off the answer ({why})")),
            Self::Silent => {
                (End::Stalled, "backend_stalled", format!("sent nothing for {} seconds", idle.as_secs_f32()))
            }
        };
        (end, code, format!("`{backend}` {what}; what came before is not the whole answer."))
    }
}

/// An error as the last event of a stream. The empty line before it ends an event that lacks its own.
fn event(endpoint: Endpoint, code: &'static str, message: String) -> String {
    let body = ErrorBody { message, kind: "server_error", param: None, code: Some(code) };
    match endpoint {
        Endpoint::Responses => {
            // Where the Responses API says it, and as the clients of chat find it.
            let error = serde_json::json!({
                "type": "error", "code": code, "message": body.message, "param": null, "sequence_number": 0,
                "error": body,
            });
            format!("\nevent: error\ndata: {error}\n\n")
        }
        _ => format!("\ndata: {}\n\n", body.json()),
    }
}

impl Drop for Answer {
    /// The client has left. What has come so far is what it is charged for; one that has seen the end was answered.
    fn drop(&mut self) {
        let Some(mut flight) = self.flight.take() else { return };
        let Some(Events { watch, .. }) = &self.events else { return flight.told(flight.bytes_of_text()) };
        flight.told(watch.text);
        for _ in 0..watch.seen.malformed {
            flight.malformed();
        }
        if let Some(usage) = watch.seen.usage {
            flight.used(usage);
        }
        if watch.seen.whole {
            flight.land(if watch.seen.error { End::ToldError } else { End::Complete }, None);
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if let Some(first) = this.first.take()
            && let Some(out) = this.take(first)
        {
            return Poll::Ready(Some(Ok(Frame::data(out))));
        }
        loop {
            if matches!(this.upstream, Upstream::Ended) {
                return Poll::Ready(None);
            }
            let how = match this.upstream.poll_frame(cx) {
                Poll::Ready(Pulled::Frame(Some(Ok(frame)))) => {
                    this.waiting = None;
                    let Ok(came) = frame.into_data() else { continue };
                    match this.take(came) {
                        Some(out) => return Poll::Ready(Some(Ok(Frame::data(out)))),
                        None => continue,
                    }
                }
                Poll::Ready(Pulled::Frame(Some(Err(error)))) => Ended::Broken(crate::backend::told(&error)),
                Poll::Ready(Pulled::Frame(None)) => Ended::Closed,
                Poll::Ready(Pulled::Cut) => Ended::CutOff,
                Poll::Pending => {
                    let most = if this.is_whole() { CLOSE_WITHIN.min(this.idle) } else { this.idle };
                    let due = *this.waiting.get_or_insert_with(Instant::now) + most;
                    // It may be set for what came before; then it rings too early and is set again.
                    if this.alarm.deadline() > due || this.alarm.is_elapsed() {
                        this.alarm.as_mut().reset(due);
                    }
                    ready!(this.alarm.as_mut().poll(cx));
                    if Instant::now() < due {
                        continue;
                    }
                    Ended::Silent
                }
            };
            return Poll::Ready(this.end(how).transpose().map(|last| last.map(Frame::data)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_events_that_both_families_of_clients_know() {
        let chat = event(Endpoint::Chat, "backend_closed", "gone".to_owned());
        assert!(chat.starts_with("\ndata: {\"error\":{\"message\":\"gone\"") && chat.ends_with("\n\n"));
        let responses = event(Endpoint::Responses, "backend_closed", "gone".to_owned());
        let data = responses.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
        let json: serde_json::Value = serde_json::from_str(data).expect("JSON");
        assert_eq!((&json["type"], &json["error"]["message"]), (&"error".into(), &"gone".into()));
    }
}
