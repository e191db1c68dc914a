//! Servers of this machine are told apart by what they answer.

use aicockpit_broker::discover;
use aicockpit_protocol::broker::BackendKind;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A server with these documents; its port.
async fn server(documents: &[(&'static str, Value)]) -> u16 {
    let mut router = Router::new();
    for (path, document) in documents {
        let document = document.clone();
        router = router.route(path, get(move || async move { Json(document) }));
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

fn models(owned_by: &str) -> (&'static str, Value) {
    ("/v1/models", json!({"object": "list", "data": [{"id": "m", "object": "model", "owned_by": owned_by}]}))
}

#[tokio::test]
async fn each_kind_is_known_at_any_port() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let ports = [
        server(&[models("library"), ("/api/tags", json!({"models": []}))]).await,
        server(&[models("llamacpp"), ("/api/tags", json!({"models": []}))]).await,
        server(&[models("organization_owner"), ("/api/v0/models", json!({"object": "list", "data": []}))])
            .await,
        server(&[models("vllm")]).await,
        server(&[models("somebody")]).await,
        server(&[models("vllm")]).await,
        server(&[("/", json!({"hello": "world"}))]).await,
        server(&[("/v1/models", json!({"pages": 3}))]).await,
        silent.local_addr().expect("an address").port(),
    ];
    let found = discover(&ports).await;
    let kinds: Vec<(BackendKind, &str)> =
        found.iter().map(|found| (found.kind, found.name.as_str())).collect();
    let second = format!("vllm-{}", ports[5]);
    assert_eq!(
        kinds,
        [
            (BackendKind::Ollama, "ollama"),
            (BackendKind::LlamaCpp, "llama-cpp"),
            (BackendKind::LmStudio, "lm-studio"),
            (BackendKind::Vllm, "vllm"),
            (BackendKind::OpenAi, "local"),
            (BackendKind::Vllm, second.as_str()),
        ]
    );
    assert_eq!(found[0].url, format!("http://127.0.0.1:{}/v1", ports[0]));
}
