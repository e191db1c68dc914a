//! What every request must pass, and the headers of every response.

use crate::Shared;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::SocketAddr;
use std::sync::Arc;

/// The names by which this server may be called.
#[derive(Clone, Debug)]
pub struct OriginPolicy {
    hosts: Arc<[String]>,
}

/// Why a request is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// The `Host` is not ours: the name that the browser asked for leads here by a trick.
    Host,
    /// The `Origin` is another page's.
    Origin,
}

impl OriginPolicy {
    /// For a server at `address`: loopback's names with its port.
    pub fn new(address: SocketAddr) -> Self {
        let port = address.port();
        let hosts = ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}"));
        Self { hosts: Arc::new(hosts) }
    }

    /// The request's own host, where it is one of ours.
    fn host<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return None };
        let host = host.to_str().ok()?;
        self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host)).then_some(host)
    }

    /// Checks a request. `changes` means that it may change something: then a browser sends its `Origin`, and we ask
    /// for one.
    pub(crate) fn check<'a>(&self, headers: &'a HeaderMap, changes: bool) -> Result<&'a str, Refusal> {
        let host = self.host(headers).ok_or(Refusal::Host)?;
        let mut origins = headers.get_all(header::ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) if !changes => Ok(host),
            (Some(origin), None) if origin.to_str().is_ok_and(|origin| is_own(origin, host)) => Ok(host),
            _ => Err(Refusal::Origin),
        }
    }
}

fn is_own(origin: &str, host: &str) -> bool {
    origin.strip_prefix("http://").is_some_and(|of| of.eq_ignore_ascii_case(host))
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let text = match self {
            Self::Host => {
                "This address is not AiCockpit's. Use the address that `aicockpit serve` printed.\n"
            }
            Self::Origin => "This request comes from another page.\n",
        };
        (StatusCode::FORBIDDEN, text).into_response()
    }
}

/// Refuses what is not meant for us; adds the headers that keep the UI's page to itself.
pub(crate) async fn check(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let api = request.uri().path().starts_with("/api/");
    let changes = api || !matches!(*request.method(), Method::GET | Method::HEAD);
    let host = match shared.origins.check(request.headers(), changes) {
        Ok(host) => host.to_owned(),
        Err(refusal) => {
            tracing::info!(?refusal, path = request.uri().path(), "request refused");
            return harden(refusal.into_response(), None, true);
        }
    };
    harden(next.run(request).await, Some(&host), api)
}

fn harden(mut response: Response, host: Option<&str>, api: bool) -> Response {
    // WebKit does not take 'self' for a WebSocket, so the host is named.
    let sockets = host.map(|host| format!(" ws://{host}")).unwrap_or_default();
    let policy = format!(
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
         worker-src 'self' blob:; font-src 'self' data:; connect-src 'self'{sockets}; object-src 'none'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    let fixed: [(HeaderName, &str); 5] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if api {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_and_origins_pass() {
        let policy = OriginPolicy::new(SocketAddr::from(([127, 0, 0, 1], 4000)));
        // host, origin, may change something → outcome
        let cases = [
            ("127.0.0.1:4000", None, false, Ok(())),
            ("localhost:4000", None, false, Ok(())),
            ("LOCALHOST:4000", Some("http://localhost:4000"), true, Ok(())),
            ("[::1]:4000", Some("http://[::1]:4000"), true, Ok(())),
            ("127.0.0.1:4000", None, true, Err(Refusal::Origin)),
            ("127.0.0.1:4000", Some("http://localhost:4000"), true, Err(Refusal::Origin)),
            ("127.0.0.1:4000", Some("https://127.0.0.1:4000"), true, Err(Refusal::Origin)),
            ("127.0.0.1:4000", Some("http://127.0.0.1:5000"), false, Err(Refusal::Origin)),
            ("127.0.0.1:4000", Some("null"), true, Err(Refusal::Origin)),
            ("127.0.0.1:4000", Some("http://127.0.0.1:4000.evil.example"), true, Err(Refusal::Origin)),
            ("127.0.0.1", None, false, Err(Refusal::Host)),
            ("127.0.0.1:5000", None, false, Err(Refusal::Host)),
            ("abcdefghijklmnop.localhost:4000", None, false, Err(Refusal::Host)),
            ("evil.example:4000", Some("http://evil.example:4000"), true, Err(Refusal::Host)),
        ];
        for (host, origin, changes, wanted) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            assert_eq!(policy.check(&headers, changes).map(drop), wanted, "{host} {origin:?} {changes}");
        }
    }

    #[test]
    fn a_second_host_header_is_refused() {
        let policy = OriginPolicy::new(SocketAddr::from(([127, 0, 0, 1], 4000)));
        let mut headers = HeaderMap::new();
        headers.append(header::HOST, HeaderValue::from_static("127.0.0.1:4000"));
        headers.append(header::HOST, HeaderValue::from_static("evil.example"));
        assert_eq!(policy.check(&headers, false), Err(Refusal::Host));
    }
}
