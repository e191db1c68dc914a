//! What the tests of real programs share.

use aicockpit_local_models::Endpoint;
use aicockpit_protocol::local_models::LocalServer;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// vLLM takes a minute and more to come up where others use the processors.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// Asks for a few words over the socket.
pub(crate) async fn chat(endpoint: &Endpoint, key: &str) -> (StatusCode, serde_json::Value) {
    let stream = tokio::net::UnixStream::connect(&endpoint.socket).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let question = serde_json::json!({
        "model": endpoint.name, "max_tokens": 8, "messages": [{"role": "user", "content": "Say hello."}],
    });
    let request = Request::post("/v1/chat/completions")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {key}"))
        .body(Full::new(Bytes::from(question.to_string())))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

/// Waits until what is told of the only server is as wanted.
pub(crate) async fn until(
    told: &mut watch::Receiver<Vec<LocalServer>>,
    wanted: impl Fn(&LocalServer) -> bool,
) -> LocalServer {
    let found = timeout(PATIENCE, told.wait_for(|all| all.first().is_some_and(&wanted))).await;
    found.expect("it comes to that").unwrap()[0].clone()
}
