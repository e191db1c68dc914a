//! Brings a request to the backends that its model's name leads to, and an answer back; before the answer's first byte,
//! to the next one where that fails. Where all are full, it waits for the first place at any.

use crate::attempt::{self, Answered, Failed};
use crate::backend::Slot;
use crate::fleet::Target;
use crate::flight::{End, Flight};
use crate::infill::Rewrite;
use crate::queue::{MOST_WAITING, NoPlace, Queue};
use crate::refusal::{Refusal, Said};
use crate::responses::Asked;
use crate::stream::Answer;
use crate::stream_options::Addition;
use crate::{headers, offline};
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use std::ops::Range;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

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
    /// Set for a stream whose client did not ask for its tokens: how we do.
    pub(crate) usage: Option<Addition>,
    /// Set where nothing is asked of a model, but something about a response that the backend stores.
    pub(crate) about: Option<Asked>,
    /// What the body takes of the memory for all bodies, as long as it is kept.
    pub(crate) _room: Option<OwnedSemaphorePermit>,
}

/// Longest waits.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) first_byte: Duration,
    pub(crate) idle: Duration,
    /// For a place.
    pub(crate) queue: Duration,
}

/// Those that are asked, and why others were not.
struct Course<'a> {
    left: Vec<&'a Target>,
    /// The only one may be asked again, once.
    again: bool,
    last: Option<Failed>,
    full: Option<Failed>,
    shut_out: Option<Failed>,
}

/// Asks one target after the other.
pub(crate) async fn forward(
    targets: &[Target],
    question: Question,
    mut flight: Flight,
    patience: Patience,
    queue: &Queue,
) -> Response {
    let passing = headers::to_backend(&question.headers);
    let mut course = Course::new(targets);
    let mut until = None;
    while !course.left.is_empty() {
        let (at, slot) = match course.free(&question) {
            Some(place) => place,
            None => {
                let until = *until.get_or_insert_with(|| Instant::now() + patience.queue);
                match wait(&course.left, patience, queue, until, &mut flight).await {
                    Ok(place) => place,
                    Err(why) => {
                        course.full = Some(full(&course.left, why, patience));
                        break;
                    }
                }
            }
        };
        let target = course.left.remove(at);
        flight.take(slot, &target.model);
        match attempt::attempt(target, &question, &passing, &mut flight, patience).await {
            Ok(answered) => return answer(answered, flight, &target.backend.settings.name, patience),
            Err(failed) => {
                flight.leave();
                let pause = failed.again.filter(|_| std::mem::take(&mut course.again));
                course.last = Some(failed);
                if let Some(pause) = pause {
                    tokio::time::sleep(pause).await;
                    course.left.push(target);
                }
            }
        }
    }
    let Failed { said, end, .. } = course.reason();
    land(*said, end, flight)
}

impl<'a> Course<'a> {
    fn new(targets: &'a [Target]) -> Self {
        let (shut_out, left): (Vec<&Target>, Vec<&Target>) =
            targets.iter().partition(|target| target.backend.is_shut_out());
        let shut_out =
            shut_out.first().map(|target| Failed::new(offline::refusal(&target.backend.settings.name)));
        Self { again: left.len() == 1, left, last: None, full: None, shut_out }
    }

    /// The first that has a place. What is no work for a model needs none: the answer that holds the last place can
    /// still be cancelled.
    fn free(&self, question: &Question) -> Option<(usize, Slot)> {
        let slot = |target: &&Target| match question.about {
            Some(_) => Some(target.backend.aside()),
            None => target.backend.slot(),
        };
        self.left.iter().enumerate().find_map(|(at, target)| Some((at, slot(target)?)))
    }

    /// Why there is no answer.
    fn reason(self) -> Failed {
        self.last.or(self.full).or(self.shut_out).unwrap_or_else(|| {
            let message = "The name of this model leads to no backend.";
            Failed::new(Refusal::backend(StatusCode::SERVICE_UNAVAILABLE, "backend_unreachable", message))
        })
    }
}

async fn wait(
    targets: &[&Target],
    patience: Patience,
    queue: &Queue,
    until: Instant,
    flight: &mut Flight,
) -> Result<(usize, Slot), NoPlace> {
    if patience.queue.is_zero() {
        return Err(NoPlace::TooLate);
    }
    let began = Instant::now();
    let place = queue.wait(targets, until).await;
    flight.queued(began.elapsed());
    place
}

fn full(targets: &[&Target], why: NoPlace, patience: Patience) -> Failed {
    let mut names: Vec<String> =
        targets.iter().map(|target| format!("`{}`", target.backend.settings.name)).collect();
    names.dedup();
    let names = names.join(", ");
    let message = match why {
        NoPlace::TooMany => {
            format!(
                "{names} has as many requests as it may have at once, and {MOST_WAITING} requests wait already. Try again soon."
            )
        }
        NoPlace::TooLate if patience.queue.is_zero() => {
            format!("{names} has as many requests as it may have at once. Try again soon.")
        }
        NoPlace::TooLate => format!(
            "{names} has as many requests as it may have at once, and none ended within {} seconds. Try again soon.",
            patience.queue.as_secs()
        ),
    };
    Failed::new(Refusal::busy(message, COME_BACK))
}

/// The answer goes out, and the flight with it.
fn answer(answered: Answered, mut flight: Flight, backend: &str, patience: Patience) -> Response {
    match answered {
        Answered::Events { head, body, first, rewrite, hides_usage } => {
            let body = Answer::events(body, first, flight, backend, patience.idle, rewrite, hides_usage);
            head.with(Body::new(body))
        }
        Answered::Bytes { head, body, first } => {
            head.with(Body::new(Answer::bytes(body, first, flight, backend, patience.idle)))
        }
        Answered::Whole { head, data } => {
            flight.piece(&data);
            flight.land(End::Complete, None);
            head.with(Body::from(data))
        }
        Answered::Refused(Failed { said, end, .. }) => land(*said, end, flight),
    }
}

/// Refuses a request that goes to no backend.
pub(crate) fn refuse(refusal: Refusal, flight: Flight) -> Response {
    land(Said::from(refusal.clone()), refusal.end(), flight)
}

fn land(mut said: Said, end: End, mut flight: Flight) -> Response {
    headers::name_request(&mut said.headers, flight.request());
    flight.piece(&said.body);
    flight.land(end, Some(said.status.as_u16()));
    said.into_response()
}
