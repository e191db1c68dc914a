//! Which headers pass. What belongs to a connection, to a browser or to the client's sign-in ends here.

use http::HeaderMap;
use http::header::{self, HeaderName, HeaderValue};

/// RFC 9110, section 7.6.1: about this connection only.
const OF_THE_CONNECTION: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Of a request: the client's sign-in with us, what our own client sets, and what would make an answer unreadable for
/// us (compression). Organisation and project go with a key, and the key is another one.
const OF_THE_CLIENT: [&str; 20] = [
    "accept-encoding",
    "api-key",
    "authorization",
    "content-length",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "openai-organization",
    "openai-project",
    "origin",
    "proxy-connection",
    "referer",
    "via",
    "x-api-key",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
];

/// Of an answer: our server sets its own, and no page of a browser is meant to read it.
const OF_THE_BACKEND: [&str; 10] = [
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "alt-svc",
    "content-length",
    "date",
    "set-cookie",
    "strict-transport-security",
];

/// The id of a request, of ours and of the backend's.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const BACKEND_REQUEST_ID: HeaderName = HeaderName::from_static("x-backend-request-id");

/// A client's headers as a backend gets them.
pub(crate) fn to_backend(from: &HeaderMap) -> HeaderMap {
    passing(from, &OF_THE_CLIENT)
}

/// A backend's headers as the client gets them.
pub(crate) fn to_client(from: &HeaderMap, request: &str) -> HeaderMap {
    let mut headers = passing(from, &OF_THE_BACKEND);
    if let Some(theirs) = headers.remove(REQUEST_ID) {
        headers.insert(BACKEND_REQUEST_ID, theirs);
    }
    name_request(&mut headers, request);
    headers
}

/// Says which request an answer is for.
pub(crate) fn name_request(headers: &mut HeaderMap, request: &str) {
    if let Ok(request) = HeaderValue::from_str(request) {
        headers.insert(REQUEST_ID, request);
    }
}

fn passing(from: &HeaderMap, dropped: &[&str]) -> HeaderMap {
    let mut named: Vec<String> = Vec::new();
    for value in from.get_all(header::CONNECTION) {
        let names = value.to_str().unwrap_or_default().split(',');
        named.extend(names.map(|name| name.trim().to_ascii_lowercase()));
    }
    let stays = |name: &HeaderName| {
        OF_THE_CONNECTION.contains(name)
            || dropped.binary_search(&name.as_str()).is_ok()
            || named.iter().any(|named| named == name.as_str())
    };
    let mut headers = HeaderMap::with_capacity(from.len());
    for (name, value) in from.iter().filter(|(name, _)| !stays(name)) {
        headers.append(name.clone(), value.clone());
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn the_lists_are_sorted() {
        assert!(OF_THE_CLIENT.is_sorted() && OF_THE_BACKEND.is_sorted());
    }

    #[test]
    fn only_what_concerns_the_backend_passes() {
        let sent = to_backend(&map(&[
            ("Authorization", "Bearer aic-x"),
            ("Connection", "keep-alive, X-Mine"),
            ("X-Mine", "1"),
            ("Content-Type", "application/json"),
            ("X-Stainless-Lang", "python"),
            ("Accept-Encoding", "gzip"),
            ("X-Api-Key", "aic-x"),
        ]));
        let mut names: Vec<_> = sent.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "x-stainless-lang"]);
    }

    #[test]
    fn the_clients_answer_names_our_request() {
        let got = to_client(
            &map(&[
                ("x-request-id", "theirs"),
                ("access-control-allow-origin", "*"),
                ("x-ratelimit-remaining-requests", "5"),
                ("openai-processing-ms", "1"),
            ]),
            "ours",
        );
        assert_eq!(got["x-request-id"], "ours");
        assert_eq!(got["x-backend-request-id"], "theirs");
        assert!(
            got.contains_key("x-ratelimit-remaining-requests") && got.contains_key("openai-processing-ms")
        );
        assert!(!got.contains_key("access-control-allow-origin"));
    }
}
