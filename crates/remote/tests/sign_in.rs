//! Who may connect, by real HTTP and WebSocket clients. Needs no engine.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use aicockpit_cockpit::Cockpit;
use aicockpit_protocol::api::{Empty, HostInfo};
use aicockpit_remote::{ServeError, ServeOptions, Served, serve};
use aicockpit_testkit::without_engines;
use common::{client, own, request, send, sign_in, socket, token};
use futures::{SinkExt, StreamExt};
use hyper::StatusCode;
use std::sync::Arc;
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Message;

struct Server {
    served: Served,
    cockpit: Arc<Cockpit>,
    folder: TempDir,
}

async fn server() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let ui = folder.path().join("ui");
    std::fs::create_dir_all(ui.join("assets")).unwrap();
    std::fs::write(ui.join("index.html"), "<title>page</title>").unwrap();
    std::fs::write(ui.join("assets/app-0a1b.js"), "run()").unwrap();
    let cockpit = Cockpit::start(without_engines(folder.path())).await.unwrap();
    let options = ServeOptions { listen: "127.0.0.1:0".parse().unwrap(), ui };
    let served = serve(Arc::clone(&cockpit), options).await.unwrap();
    Server { served, cockpit, folder }
}

#[tokio::test]
async fn a_token_opens_the_socket_once() {
    let server = server().await;
    let url = server.served.sign_in_url();
    let address = server.served.address;
    let bearer = sign_in(address, token(&url)).await.unwrap();
    let host = client(address, &bearer).await.call::<HostInfo>(Empty {}).await.unwrap();
    assert_eq!(host.version, env!("CARGO_PKG_VERSION"));
    assert_eq!(sign_in(address, token(&url)).await, Err(StatusCode::UNAUTHORIZED), "a replayed token");
    assert_eq!(sign_in(address, "").await, Err(StatusCode::UNAUTHORIZED));
    assert!(sign_in(address, token(&server.served.sign_in_url())).await.is_ok(), "another address works");
}

#[tokio::test]
async fn the_socket_asks_for_the_bearer_the_host_and_the_origin() {
    let server = server().await;
    let address = server.served.address;
    let bearer = sign_in(address, token(&server.served.sign_in_url())).await.unwrap();
    let (host, origin) = own(address);
    let good = format!("aicockpit.v1, bearer.{bearer}");
    let swapped = format!("bearer.{bearer}");
    let rebound = format!("evil.example:{}", address.port());
    // host, origin, subprotocols → outcome
    let cases: [(&str, &str, &str, StatusCode); 7] = [
        (&host, &origin, "aicockpit.v1", StatusCode::UNAUTHORIZED),
        (&host, &origin, "aicockpit.v1, bearer.", StatusCode::UNAUTHORIZED),
        (&host, &origin, "aicockpit.v1, bearer.wrong", StatusCode::UNAUTHORIZED),
        (&host, &origin, &swapped, StatusCode::UNAUTHORIZED),
        (&host, "http://evil.example", &good, StatusCode::FORBIDDEN),
        (&host, "null", &good, StatusCode::FORBIDDEN),
        (&rebound, &format!("http://{rebound}"), &good, StatusCode::FORBIDDEN),
    ];
    for (host, origin, protocols, wanted) in cases {
        let headers = [("host", host), ("origin", origin), ("sec-websocket-protocol", protocols)];
        let refused = socket(address, &headers).await.map(drop);
        assert_eq!(refused, Err(wanted), "{host} {origin} {protocols}");
    }
    let no_origin = [("host", &*host), ("sec-websocket-protocol", &*good)];
    assert_eq!(socket(address, &no_origin).await.map(drop), Err(StatusCode::FORBIDDEN));
}

#[tokio::test]
async fn what_is_no_frame_does_not_harm_and_text_ends_the_socket() {
    let server = server().await;
    let address = server.served.address;
    let bearer = sign_in(address, token(&server.served.sign_in_url())).await.unwrap();
    let (host, origin) = own(address);
    let protocols = format!("aicockpit.v1, bearer.{bearer}");
    let headers = [("host", &*host), ("origin", &*origin), ("sec-websocket-protocol", &*protocols)];
    let mut socket = socket(address, &headers).await.unwrap();
    socket.send(Message::Binary(vec![0xFF; 40].into())).await.unwrap();
    socket.send(Message::Text("hello".into())).await.unwrap();
    let ended = async {
        loop {
            match socket.next().await {
                None | Some(Err(_) | Ok(Message::Close(_))) => break,
                Some(Ok(_)) => {}
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), ended).await.expect("the server ends it");
    assert!(client(address, &bearer).await.call::<HostInfo>(Empty {}).await.is_ok(), "the server lives on");
}

#[tokio::test]
async fn pages_are_served_to_our_own_name_only_and_cannot_be_framed() {
    let server = server().await;
    let address = server.served.address;
    let (host, _) = own(address);
    let get = async |path: &str, host: &str| send(address, request("GET", path, &[("host", host)], "")).await;

    let page = get("/", &host).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.body(), "<title>page</title>");
    assert_eq!(page.headers()["cache-control"], "no-cache");
    assert_eq!(page.headers()["x-content-type-options"], "nosniff");
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("frame-ancestors 'none'") && policy.contains(&format!("ws://{host}")),
        "{policy}"
    );
    assert!(!policy.contains("script-src 'self' 'unsafe"), "{policy}");

    let route = get("/workspace/abc", &host).await;
    assert_eq!(route.body(), "<title>page</title>", "the page's own routes are the page");
    assert_eq!(route.status(), StatusCode::OK);
    let asset = get("/assets/app-0a1b.js", &host).await;
    assert_eq!(asset.body(), "run()");
    assert!(asset.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    assert_eq!(get("/assets/gone.js", &host).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(
        get("/../data/store.sqlite", &host).await.body(),
        "<title>page</title>",
        "nothing beside the folder"
    );
    assert_eq!(get("/", "evil.example").await.status(), StatusCode::FORBIDDEN);
    let rebound = format!("evil.example:{}", address.port());
    assert_eq!(get("/", &rebound).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_sign_in_that_is_too_large_or_malformed_is_refused() {
    let server = server().await;
    let address = server.served.address;
    let (host, origin) = own(address);
    let headers = [("host", &*host), ("origin", &*origin), ("content-type", "application/json")];
    let huge = format!("{{\"token\":\"{}\"}}", "x".repeat(100_000));
    for body in [&*huge, "", "[]", "{\"token\":1}"] {
        let response = send(address, request("POST", "/api/sign-in", &headers, body)).await;
        assert!(response.status().is_client_error(), "{}: {}", body.len(), response.status());
    }
    let foreign = [("host", &*host), ("origin", "http://evil.example"), ("content-type", "application/json")];
    let url = server.served.sign_in_url();
    let body = format!("{{\"token\":\"{}\"}}", token(&url));
    let response = send(address, request("POST", "/api/sign-in", &foreign, &body)).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(sign_in(address, token(&url)).await.is_ok(), "another page did not use the token up");
}

#[tokio::test]
async fn only_loopback_is_served() {
    let server = server().await;
    let ui = server.folder.path().join("ui");
    let options = ServeOptions { listen: "0.0.0.0:0".parse().unwrap(), ui };
    let refused = serve(Arc::clone(&server.cockpit), options).await;
    assert!(matches!(refused, Err(ServeError::NotLoopback(_))));
}
