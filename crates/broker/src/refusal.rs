//! Errors in OpenAI's shape. Clients of OpenAI read nothing else.

use crate::flight::End;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// OpenAI's word for a budget that is used up.
const QUOTA: &str = "insufficient_quota";

/// An error as OpenAI writes it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct ErrorBody {
    /// For people: what happened, to what, what to do.
    pub(crate) message: String,
    /// The family that it belongs to.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// The field of the request that it is about.
    pub(crate) param: Option<String>,
    /// For programs.
    pub(crate) code: Option<&'static str>,
}

#[derive(Serialize)]
struct Enveloped<'a> {
    error: &'a ErrorBody,
}

/// A request that is not answered as it was asked.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) body: ErrorBody,
    /// When to come back.
    pub(crate) retry_after: Option<Duration>,
}

impl Refusal {
    fn new(status: StatusCode, kind: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        let body = ErrorBody { message: message.into(), kind, param: None, code: Some(code) };
        Self { status, body, retry_after: None }
    }

    /// The request is not as it must be.
    pub(crate) fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", code, message)
    }

    /// Any other fault of the client's.
    pub(crate) fn client(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self::new(status, "invalid_request_error", code, message)
    }

    /// Too much at once.
    pub(crate) fn busy(message: impl Into<String>, retry_after: Duration) -> Self {
        let refusal =
            Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", "rate_limit_exceeded", message);
        Self { retry_after: Some(retry_after), ..refusal }
    }

    /// A budget is used up; trying again is no use before it is renewed.
    pub(crate) fn quota(message: impl Into<String>, retry_after: Duration) -> Self {
        let refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, QUOTA, QUOTA, message);
        Self { retry_after: Some(retry_after), ..refusal }
    }

    /// Too much for this broker at the moment.
    pub(crate) fn overloaded(message: impl Into<String>, retry_after: Duration) -> Self {
        let refusal = Self::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", "overloaded", message);
        Self { retry_after: Some(retry_after), ..refusal }
    }

    /// A backend's fault.
    pub(crate) fn backend(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self::new(status, "server_error", code, message)
    }

    /// How a request ends that is refused so.
    pub(crate) fn end(&self) -> End {
        match self.status.is_server_error() {
            true => End::Failed,
            false => End::Refused,
        }
    }

    /// Names the field that it is about.
    pub(crate) fn about(mut self, param: impl Into<String>) -> Self {
        self.body.param = Some(param.into());
        self
    }
}

impl ErrorBody {
    /// `{"error":{…}}`.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string(&Enveloped { error: self }).unwrap_or_default()
    }
}

/// What a client is told, not put together yet.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl From<Refusal> for Said {
    fn from(refusal: Refusal) -> Self {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(after) = refusal.retry_after {
            headers.insert(header::RETRY_AFTER, seconds(after));
        }
        if refusal.body.kind == QUOTA {
            // OpenAI's clients ask again by themselves, and heed this.
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
        if refusal.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Self { status: refusal.status, headers, body: refusal.body.json().into() }
    }
}

impl IntoResponse for Said {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        Said::from(self).into_response()
    }
}

/// Whole seconds, rounded up: who comes back earlier is refused again.
fn seconds(after: Duration) -> HeaderValue {
    HeaderValue::from(after.as_millis().div_ceil(1000).max(1) as u64)
}

/// The error of a backend in OpenAI's shape: untouched where it has it already, else its words inside ours.
pub(crate) fn translate(status: StatusCode, body: Bytes, backend: &str) -> Bytes {
    #[derive(Deserialize)]
    struct Shaped {
        #[serde(rename = "error")]
        _error: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        #[serde(rename = "message")]
        _message: String,
    }
    if serde_json::from_slice::<Shaped>(&body).is_ok() {
        return body;
    }
    let (kind, code) = match status.as_u16() {
        401 | 403 => ("invalid_request_error", Some("backend_refused_key")),
        404 => ("invalid_request_error", Some("not_found")),
        429 => ("rate_limit_error", Some("rate_limit_exceeded")),
        400..=499 => ("invalid_request_error", None),
        _ => ("server_error", Some("backend_error")),
    };
    let words = words(&body);
    let message = match words.is_empty() {
        true => format!("`{backend}` answered {status} without a word."),
        false => format!("`{backend}` answered {status}: {words}"),
    };
    ErrorBody { message, kind, param: None, code }.json().into()
}

/// What servers say when they do not speak OpenAI's language: `{"error":"…"}` (Ollama), `{"message":"…"}` (vLLM's
/// older releases), `{"detail":…}` (FastAPI), plain text or HTML.
fn words(body: &[u8]) -> String {
    const MOST: usize = 2000;
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let said =
        json.as_ref().and_then(|json| ["error", "message", "detail"].iter().find_map(|key| json.get(key)));
    let text = match said {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::from_utf8_lossy(body).trim().to_owned(),
    };
    text.chars().take(MOST).collect()
}

/// How long a server asks to be left alone, in seconds or as OpenAI's milliseconds. A date is not understood: servers
/// of models send none.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let duration = |seconds: f64| Duration::try_from_secs_f64(seconds).ok();
    number("retry-after-ms")
        .and_then(|ms| duration(ms / 1000.0))
        .or_else(|| number("retry-after").and_then(duration))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_all_four_fields() {
        let refusal = Refusal::invalid("bad", "No.").about("model");
        assert_eq!(
            refusal.body.json(),
            r#"{"error":{"message":"No.","type":"invalid_request_error","param":"model","code":"bad"}}"#
        );
    }

    #[test]
    fn a_backends_words_survive() {
        let check = |body: &'static str, wanted: &str| {
            let body = translate(StatusCode::BAD_REQUEST, Bytes::from_static(body.as_bytes()), "box");
            let json: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
            assert_eq!(json["error"]["message"], wanted);
        };
        check(r#"{"error":{"message":"too long","code":400}}"#, "too long");
        check(r#"{"error":"model 'x' not found"}"#, "`box` answered 400 Bad Request: model 'x' not found");
        check(r#"{"detail":[{"loc":["a"]}]}"#, r#"`box` answered 400 Bad Request: [{"loc":["a"]}]"#);
        check("<h1>Bad</h1>", "`box` answered 400 Bad Request: <h1>Bad</h1>");
        check("", "`box` answered 400 Bad Request without a word.");
    }

    #[test]
    fn waiting_times_are_read() {
        let with = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            retry_after(&headers)
        };
        assert_eq!(with("retry-after", "2"), Some(Duration::from_secs(2)));
        assert_eq!(with("retry-after", "0.5"), Some(Duration::from_millis(500)));
        assert_eq!(with("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        assert_eq!(with("retry-after", "-1"), None);
        assert_eq!(with("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"), None);
        assert_eq!(seconds(Duration::from_millis(1200)), HeaderValue::from(2));
    }
}
