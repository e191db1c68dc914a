//! A span for each request, from its last byte to its end, at debug level: a subscriber of `tracing` can send it on, for
//! instance to OpenTelemetry. Where nobody listens it costs one look at a flag.
//!
//! A client's `traceparent` reaches the backend as it came (`headers`).

use crate::flight::Outcome;
use crate::ledger::row::end_name;
use tracing::Span;
use tracing::field::Empty;

/// A request has come.
pub(crate) fn begin(outcome: &Outcome) -> Span {
    tracing::debug_span!(
        "request",
        request = %outcome.request,
        owner = %outcome.owner,
        endpoint = outcome.endpoint.path(),
        model = %outcome.model,
        backend = Empty,
        backend_model = Empty,
        attempts = Empty,
        status = Empty,
        end = Empty,
        input_tokens = Empty,
        output_tokens = Empty,
    )
}

/// It has ended.
pub(crate) fn finish(span: &Span, outcome: &Outcome) {
    if span.is_disabled() {
        return;
    }
    if let Some((backend, model)) = &outcome.target {
        span.record("backend", backend.as_str()).record("backend_model", &**model);
    }
    if let Some(status) = outcome.status {
        span.record("status", status);
    }
    if let Some(usage) = outcome.usage {
        span.record("input_tokens", usage.input_tokens).record("output_tokens", usage.output_tokens);
    }
    span.record("attempts", outcome.attempts).record("end", end_name(outcome.end));
}
