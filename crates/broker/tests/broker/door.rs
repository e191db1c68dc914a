//! Who may come in, and with what: case 20, and bodies that are too large, too deep, too slow or no JSON.

use crate::common::client::{self, ask, head, raw};
use crate::common::script::{self, Act, Server, json_answer, send};
use crate::common::{Gate, Serving, settings, soon, until};
use aicockpit_broker::Limits;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

const CHAT: &str = "/v1/chat/completions";
const PLAIN: &str = r#"{"model":"m"}"#;

async fn serving(limits: Limits) -> (Server, Serving) {
    let server = Server::start(|_| vec![send(json_answer(200, script::COMPLETION))]).await;
    let serving = Serving::with(settings(&[&server]), limits).await;
    (server, serving)
}

#[tokio::test]
async fn who_has_no_key_or_does_not_mean_us_is_refused() {
    let (server, serving) = serving(Limits::default()).await;
    let (key, address) = (serving.key.clone(), serving.address);
    let revoked = serving.broker.keys().issue("other").expect("a key");
    assert!(serving.broker.keys().revoke(&revoked));
    let own = format!("host: {address}\r\n");
    let signed = format!("authorization: Bearer {key}\r\n");
    let cases = [
        (format!("{own}{signed}"), 200, ""),
        (format!("host: localhost:{}\r\n{signed}", address.port()), 200, ""),
        (own.clone(), 401, "invalid_api_key"),
        (format!("{own}authorization: Bearer {key}x\r\n"), 401, "invalid_api_key"),
        (format!("{own}authorization: Bearer {revoked}\r\n"), 401, "invalid_api_key"),
        (format!("{own}authorization: Bearer sk-b0\r\n"), 401, "invalid_api_key"),
        (format!("{own}authorization: Basic {key}\r\n"), 401, "invalid_api_key"),
        (format!("{own}{signed}{signed}"), 401, "invalid_api_key"),
        (format!("{own}{signed}origin: https://evil.example\r\n"), 403, "wrong_origin"),
        (format!("{own}{signed}origin: null\r\n"), 403, "wrong_origin"),
        (format!("{own}{signed}origin: http://{address}\r\n"), 403, "wrong_origin"),
        (format!("host: evil.example\r\n{signed}"), 403, "wrong_host"),
        (format!("host: evil.example:{}\r\n{signed}", address.port()), 403, "wrong_host"),
        (format!("{own}host: evil.example\r\n{signed}"), 403, "wrong_host"),
        (signed.clone(), 403, "wrong_host"),
    ];
    for (headers, status, code) in cases {
        let request =
            format!("POST {CHAT} HTTP/1.1\r\n{headers}content-length: {}\r\n\r\n{PLAIN}", PLAIN.len());
        let mut answer = raw(&serving, request.as_bytes()).await;
        assert_eq!(answer.status, status, "{headers}");
        assert!(answer.header("x-request-id").is_some());
        assert!(answer.header("access-control-allow-origin").is_none());
        if status != 200 {
            assert_eq!(answer.error().await.0, code, "{headers}");
        }
    }
    assert_eq!(server.asked(), 2, "what is refused reaches no backend");
}

#[tokio::test]
async fn paths_and_methods_that_are_not_ours_are_refused_in_openais_shape() {
    let (_server, serving) = serving(Limits::default()).await;
    let cases = [
        ("GET", "/", 404, "unknown_path"),
        ("POST", "/v1/images/generations", 404, "unknown_path"),
        ("GET", CHAT, 405, "wrong_method"),
        ("DELETE", "/v1/models", 405, "wrong_method"),
        ("GET", "/v1/responses/resp_1", 404, "response_not_found"),
        ("DELETE", "/v1/responses/resp_1", 404, "response_not_found"),
        ("GET", "/v1/models/%ff%fe", 400, ""),
    ];
    for (method, path, status, code) in cases {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\r\n",
            serving.address, serving.key
        );
        let mut answer = raw(&serving, request.as_bytes()).await;
        assert_eq!(answer.status, status, "{method} {path}");
        if status == 405 {
            assert!(answer.header("allow").is_some(), "{method} {path}: {}", answer.head);
        }
        if !code.is_empty() {
            assert_eq!(answer.error().await.0, code, "{method} {path}");
        } else {
            answer.error().await;
        }
    }
    let health = format!("GET /health HTTP/1.1\r\nhost: {}\r\n\r\n", serving.address);
    assert_eq!(raw(&serving, health.as_bytes()).await.status, 200, "health needs no key");
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_named() {
    let (server, serving) = serving(Limits::default()).await;
    let deep = format!("{{\"model\":\"m\",\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let cases: [(&[u8], &str); 10] = [
        (b"", "invalid_json"),
        (b"[]", "invalid_json"),
        (b"{\"model\":\"m\"", "invalid_json"),
        (b"{\"model\":\"m\",}", "invalid_json"),
        (b"{\"model\":\"\xff\xfe\"}", "invalid_utf8"),
        (deep.as_bytes(), "nested_too_deep"),
        (b"{}", "missing_model"),
        (b"{\"model\":null}", "missing_model"),
        (b"{\"model\":7}", "invalid_type"),
        (b"{\"model\":\"m\",\"stream\":\"yes\"}", "invalid_type"),
    ];
    for (body, code) in cases {
        let length = format!("content-length: {}\r\n", body.len());
        let request = [head(serving.address, &serving.key, CHAT, &length).as_bytes(), body].concat();
        let mut answer = raw(&serving, &request).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        assert_eq!(answer.status, 400, "{shown}");
        assert_eq!(answer.error().await.0, code, "{shown}");
    }
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn a_body_of_100_mb_is_refused_and_not_kept() {
    let (server, serving) = serving(Limits::default()).await;
    const SIZE: usize = 100 << 20;
    let megabyte = vec![b' '; 1 << 20];
    for chunked in [false, true] {
        let length = match chunked {
            true => "transfer-encoding: chunked\r\n".to_owned(),
            false => format!("content-length: {SIZE}\r\n"),
        };
        let mut stream = TcpStream::connect(serving.address).await.expect("connected");
        stream.write_all(head(serving.address, &serving.key, CHAT, &length).as_bytes()).await.expect("sent");
        for _ in 0..SIZE / megabyte.len() {
            if chunked {
                stream.write_all(b"100000\r\n").await.expect("sent");
            }
            stream.write_all(&megabyte).await.expect("sent");
            if chunked {
                stream.write_all(b"\r\n").await.expect("sent");
            }
        }
        if chunked {
            stream.write_all(b"0\r\n\r\n").await.expect("sent");
        }
        let mut answer = soon("an answer", client::Answer::read(stream)).await.expect("an answer");
        assert_eq!((answer.status, answer.error().await.0.as_str()), (413, "body_too_large"));
    }
    let asks_first = format!("content-length: {SIZE}\r\nexpect: 100-continue\r\n");
    let answer = raw(&serving, head(serving.address, &serving.key, CHAT, &asks_first).as_bytes()).await;
    assert_eq!(answer.status, 413, "who asks first need not send it");
    assert_eq!(server.asked(), 0);
    assert_eq!(ask(&serving, CHAT, PLAIN).await.status, 200);
}

#[tokio::test]
async fn a_body_that_trickles_is_given_up() {
    let limits = Limits { body_within: Duration::from_millis(300), ..Limits::default() };
    let (server, serving) = serving(limits).await;
    let mut stream = TcpStream::connect(serving.address).await.expect("connected");
    let head = head(serving.address, &serving.key, CHAT, "content-length: 1000\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    let (read, mut write) = stream.into_split();
    let trickle = tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        loop {
            tick.tick().await;
            if write.write_all(b" ").await.is_err() {
                return write;
            }
        }
    });
    read.readable().await.expect("an answer");
    trickle.abort();
    let mut text = vec![0; 4096];
    let count = read.try_read(&mut text).expect("an answer");
    let text = String::from_utf8_lossy(&text[..count]).into_owned();
    assert!(text.starts_with("HTTP/1.1 408") && text.contains("body_too_slow"), "{text}");
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn a_body_of_the_largest_size_passes() {
    let limits = Limits { max_body: 4 << 20, ..Limits::default() };
    let (server, serving) = serving(limits).await;
    let body = |size: usize| format!("{{\"model\":\"m\",\"x\":\"{}\"}}", "y".repeat(size - 20));
    let fits = body(4 << 20);
    assert_eq!(fits.len(), 4 << 20);
    assert_eq!(ask(&serving, CHAT, &fits).await.status, 200);
    assert_eq!(server.came()[0].body.len(), fits.len() + "real".len() - "m".len());
    assert_eq!(ask(&serving, CHAT, &body((4 << 20) + 1)).await.status, 413);
}

#[tokio::test]
async fn all_bodies_together_are_bounded_and_small_ones_always_fit() {
    let limits = Limits { max_body: 1 << 20, max_bodies: 0, body_within: Duration::from_secs(5) };
    let gate = Gate::default();
    let server = Server::start({
        let gate = gate.clone();
        move |_| vec![Act::Wait(gate.clone()), send(json_answer(200, script::COMPLETION))]
    })
    .await;
    let serving = Serving::with(settings(&[&server]), limits).await;
    let large = format!("{{\"model\":\"m\",\"x\":\"{}\"}}", "y".repeat(900_000));
    let held = client::open(&serving, CHAT, &large).await;
    until("the first one at the backend", || server.asked() == 1).await;
    let mut refused = ask(&serving, CHAT, &large).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("3")));
    let (code, message) = refused.error().await;
    assert!(code == "overloaded" && message.contains("has no room for this one"), "{message}");
    let small = client::open(&serving, CHAT, PLAIN).await;
    until("the small one at the backend", || server.asked() == 2).await;
    gate.open();
    for stream in [held, small] {
        assert_eq!(soon("an answer", client::Answer::read(stream)).await.expect("an answer").status, 200);
    }
    assert_eq!(ask(&serving, CHAT, &large).await.status, 200, "its room is free again");
}
