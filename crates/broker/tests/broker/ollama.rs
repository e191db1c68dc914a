//! Ollama cuts what is too long for it. What may be too long is shown to its own door first.

use crate::common::client::ask;
use crate::common::script::{self, Came, Server, json_answer, send};
use crate::common::{Serving, settings};
use aicockpit_broker::{End, Limits};
use aicockpit_protocol::broker::BackendKind;

const CHAT: &str = "/v1/chat/completions";
const TOO_LONG: &str = r#"{"error":"the input length exceeds the context length"}"#;

/// An Ollama that runs its model with 64 tokens, and says this of prompts.
async fn ollama(status: u16, said: &'static str) -> (Server, Serving) {
    let server = Server::start(move |came: &Came| {
        vec![send(match came.path.as_str() {
            "/api/show" => json_answer(200, r#"{"parameters":"num_ctx 64","capabilities":["completion"]}"#),
            "/api/chat" => json_answer(status, said),
            _ => json_answer(200, script::COMPLETION),
        })]
    })
    .await;
    let mut settings = settings(&[&server]);
    settings.backends[0].kind = BackendKind::Ollama;
    let serving = Serving::with(settings, Limits::default()).await;
    serving.broker.check_backend("b0").await;
    (server, serving)
}

fn paths(server: &Server) -> Vec<String> {
    let came = server.came().into_iter().map(|came| came.path);
    came.filter(|path| path != "/api/show").collect()
}

fn body(content: &str) -> String {
    serde_json::json!({"model": "m", "messages": [{"role": "user", "content": content}]}).to_string()
}

#[tokio::test]
async fn what_is_too_long_is_refused_and_not_cut() {
    let (server, mut serving) = ollama(400, TOO_LONG).await;
    let mut refused = ask(&serving, CHAT, &body(&"word ".repeat(100))).await;
    assert_eq!(refused.status, 400);
    let (code, message) = refused.error().await;
    assert_eq!(code, "context_length_exceeded");
    assert!(message.contains("64 tokens") && message.contains("OLLAMA_CONTEXT_LENGTH"), "{message}");
    let outcome = serving.outcome().await;
    assert_eq!((outcome.end, outcome.attempts), (End::Refused, 0));
    assert_eq!(paths(&server), ["/api/chat"]);
    let shown = server.came().pop().expect("a question").json();
    assert_eq!((&shown["model"], &shown["truncate"]), (&"real".into(), &false.into()));
    assert_eq!(serving.in_flight().await, 0);
}

#[tokio::test]
async fn what_fits_is_asked_as_it_was_and_what_is_short_is_not_looked_at() {
    let (server, serving) = ollama(200, "{}").await;
    let asked = body(&"word ".repeat(20));
    assert_eq!(ask(&serving, CHAT, &asked).await.status, 200);
    assert_eq!(paths(&server), ["/api/chat", CHAT]);
    let passed = server.came().pop().expect("a question").json();
    assert_eq!(passed["messages"][0]["content"], "word ".repeat(20));
    assert_eq!(ask(&serving, CHAT, r#"{"model":"m"}"#).await.status, 200);
    assert_eq!(paths(&server), ["/api/chat", CHAT, CHAT]);
}

#[tokio::test]
async fn where_ollama_does_not_tell_its_own_answer_counts() {
    for (status, said) in
        [(400, r#"{"error":"does not support tools"}"#), (404, "404 page not found"), (500, TOO_LONG)]
    {
        let (server, serving) = ollama(status, said).await;
        assert_eq!(ask(&serving, CHAT, &body(&"word ".repeat(100))).await.status, 200, "{said}");
        assert_eq!(paths(&server), ["/api/chat", CHAT]);
    }
}
