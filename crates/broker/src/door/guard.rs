//! Who may come in: who means this server, is no page of a browser, and has a key.

use super::Door;
use crate::headers;
use crate::refusal::Refusal;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, Uri, header};
use std::net::SocketAddr;
use std::sync::Arc;

/// Open to all: it says nothing but that we run.
const HEALTH: &str = "/health";
/// Loopback's names.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Whose key a request came with.
#[derive(Clone, Debug)]
pub(crate) struct Owner(pub(crate) Arc<str>);

/// A request's id.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

/// The names by which this server may be called.
#[derive(Clone, Debug)]
pub(crate) struct Names(Arc<[String]>);

impl Names {
    /// For a server at `address`: loopback's names, the address itself, and `more`, each with its port. A name of
    /// `more` that has a port is taken as it is.
    pub(crate) fn new(address: SocketAddr, more: &[String]) -> Self {
        let port = address.port();
        let mut names: Vec<String> = LOOPBACK.iter().map(|name| format!("{name}:{port}")).collect();
        if !address.ip().is_unspecified() {
            names.push(address.to_string());
        }
        for name in more {
            names.push(format!("{name}:{port}"));
            names.push(name.clone());
        }
        // Browsers and clients leave HTTP's own port away.
        if port == 80 {
            names.extend(LOOPBACK.map(str::to_owned));
        }
        Self(names.into())
    }

    fn own(&self, host: &str) -> bool {
        self.0.iter().any(|own| own.eq_ignore_ascii_case(host))
    }

    /// True where a request means this server. A page that rebinds its name to our address does not know ours.
    pub(super) fn are_meant(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let by_header = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().is_ok_and(|host| self.own(host)),
            (None, None) => uri.authority().is_some(),
            _ => false,
        };
        by_header && uri.authority().is_none_or(|authority| self.own(authority.as_str()))
    }
}

fn refusal(door: &Door, request: &Request) -> Result<Option<Arc<str>>, Refusal> {
    let headers = request.headers();
    if !door.names.are_meant(headers, request.uri()) {
        let message = "This address is not the broker's. Use the base URL that it was started with.";
        return Err(Refusal::client(StatusCode::FORBIDDEN, "wrong_host", message));
    }
    if headers.contains_key(header::ORIGIN) {
        let message = "This request comes from a page in a browser. The broker answers programs only.";
        return Err(Refusal::client(StatusCode::FORBIDDEN, "wrong_origin", message));
    }
    if request.uri().path() == HEALTH {
        return Ok(None);
    }
    let Some(key) = bearer(headers) else {
        let message =
            "No key was given. Send the broker's key as `Authorization: Bearer …` (OPENAI_API_KEY).";
        return Err(Refusal::client(StatusCode::UNAUTHORIZED, "invalid_api_key", message));
    };
    match door.keys.owner(key) {
        Some(owner) => Ok(Some(owner)),
        None => {
            let message = "This key is not one of the broker's, or not any more. Set OPENAI_API_KEY to the key that \
                           the broker gave; a provider's own key does not belong here.";
            Err(Refusal::client(StatusCode::UNAUTHORIZED, "invalid_api_key", message))
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else { return None };
    let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
}

/// Refuses what may not come in; names the request.
pub(crate) async fn check(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let id = format!("req_{:032x}", rand::random::<u128>());
    let mut response = match refusal(&door, &request) {
        Ok(owner) => {
            request.extensions_mut().insert(RequestId(id.clone()));
            if let Some(owner) = owner {
                request.extensions_mut().insert(Owner(owner));
            }
            next.run(request).await
        }
        Err(refusal) => {
            tracing::info!(code = refusal.body.code, path = request.uri().path(), "a request was refused");
            refusal.into_response()
        }
    };
    headers::name_request(response.headers_mut(), &id);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn only_our_own_names_are_meant() {
        let names = Names::new(SocketAddr::from(([127, 0, 0, 1], 4000)), &["broker.internal".to_owned()]);
        let cases = [
            (&["127.0.0.1:4000"][..], "/", true),
            (&["LOCALHOST:4000"], "/", true),
            (&["[::1]:4000"], "/", true),
            (&["broker.internal"], "/", true),
            (&["broker.internal:4000"], "/", true),
            (&["127.0.0.1:4000"], "http://127.0.0.1:4000/", true),
            (&[], "http://127.0.0.1:4000/", true),
            (&["127.0.0.1"], "/", false),
            (&["127.0.0.1:5000"], "/", false),
            (&["evil.example:4000"], "/", false),
            (&["x.localhost:4000"], "/", false),
            (&["127.0.0.1:4000"], "http://evil.example/", false),
            (&["127.0.0.1:4000", "evil.example"], "/", false),
            (&[], "/", false),
        ];
        for (hosts, uri, wanted) in cases {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, HeaderValue::from_static(host));
            }
            let uri = Uri::from_static(uri);
            assert_eq!(names.are_meant(&headers, &uri), wanted, "{hosts:?} {uri}");
        }
    }

    #[test]
    fn one_bearer_is_read() {
        let given = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
            }
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(given(&["Bearer a"]).as_deref(), Some("a"));
        assert_eq!(given(&["bearer  a "]).as_deref(), Some("a"));
        for none in [&["Basic a"][..], &["Bearer "], &["a"], &[], &["Bearer a", "Bearer b"]] {
            assert_eq!(given(none), None, "{none:?}");
        }
    }
}
