//! Fill in the middle at a llama.cpp server, and only there.

use crate::common::client::{ask, last_error};
use crate::common::script::{self, Act, Server, chunk, json_answer, send};
use crate::common::{Serving, settings};
use aicockpit_broker::{End, Limits, Usage};
use aicockpit_protocol::broker::BackendKind;

const PATH: &str = "/v1/completions";
const ASKED: &str = r#"{"model":"m","prompt":"fn ","suffix":"}","max_tokens":4,"top_k":3}"#;
const STREAMED: &str =
    r#"{"model":"m","prompt":"fn ","suffix":"}","stream":true,"stream_options":{"include_usage":true}}"#;
const FIRST: &str = "data: {\"content\":\"main\",\"stop\":false,\"tokens\":[1]}\n\n";
const LAST: &str = "data: {\"content\":\"\",\"stop\":true,\"stop_type\":\"eos\",\"tokens_predicted\":2,\"tokens_evaluated\":3}\n\n";

async fn serving(server: &Server, kind: BackendKind) -> Serving {
    let mut settings = settings(&[server]);
    settings.backends[0].kind = kind;
    Serving::with(settings, Limits::default()).await
}

#[tokio::test]
async fn a_completion_with_a_suffix_is_asked_by_infill() {
    let answer =
        r#"{"content":"main() {","stop":true,"stop_type":"limit","tokens_predicted":4,"tokens_evaluated":3}"#;
    let server = Server::start(move |_| vec![send(json_answer(200, answer))]).await;
    let mut serving = serving(&server, BackendKind::LlamaCpp).await;
    let mut got = ask(&serving, PATH, ASKED).await;
    let got: serde_json::Value = serde_json::from_str(&got.body().await).expect("JSON");
    assert_eq!((&got["object"], &got["model"]), (&"text_completion".into(), &"m".into()));
    assert_eq!(
        (&got["choices"][0]["text"], &got["choices"][0]["finish_reason"]),
        (&"main() {".into(), &"length".into())
    );
    assert_eq!(
        serving.outcome().await.usage,
        Some(Usage { input_tokens: 3, output_tokens: 4, cached_tokens: 0 })
    );
    let came = server.came().remove(0);
    assert_eq!(came.path, "/infill");
    let asked = came.json();
    assert_eq!((&asked["input_prefix"], &asked["input_suffix"]), (&"fn ".into(), &"}".into()));
    assert_eq!((&asked["n_predict"], &asked["top_k"]), (&4.into(), &3.into()));
}

#[tokio::test]
async fn its_stream_is_openais_and_one_that_breaks_off_is_an_error() {
    for (end, wanted) in
        [(vec![send(chunk(LAST)), send(script::END)], End::Complete), (vec![Act::Close], End::Cut)]
    {
        let server =
            Server::start(move |_| [vec![send(script::STREAM), send(chunk(FIRST))], end.clone()].concat())
                .await;
        let mut serving = serving(&server, BackendKind::LlamaCpp).await;
        let got = ask(&serving, PATH, STREAMED).await.body().await;
        let outcome = serving.outcome().await;
        assert_eq!(outcome.end, wanted);
        assert!(got.starts_with("data: {\"id\":\"cmpl-") && got.contains("\"text\":\"main\""), "{got}");
        match wanted {
            End::Complete => {
                assert!(got.ends_with(script::DONE));
                assert_eq!(
                    outcome.usage,
                    Some(Usage { input_tokens: 3, output_tokens: 2, cached_tokens: 0 })
                );
            }
            _ => assert!(last_error(&got).is_some()),
        }
    }
}

#[tokio::test]
async fn everything_else_goes_the_common_way() {
    let server = Server::start(|_| vec![send(json_answer(200, script::COMPLETION))]).await;
    for (kind, body) in
        [(BackendKind::Vllm, ASKED), (BackendKind::LlamaCpp, r#"{"model":"m","prompt":"fn "}"#)]
    {
        let serving = serving(&server, kind).await;
        assert_eq!(ask(&serving, PATH, body).await.status, 200);
        assert_eq!(server.came().pop().expect("a question").path, PATH);
    }
    let serving = serving(&server, BackendKind::LlamaCpp).await;
    let mut refused = ask(&serving, PATH, r#"{"model":"m","prompt":["a","b"],"suffix":"c"}"#).await;
    assert_eq!((refused.status, refused.error().await.0.as_str()), (400, "unsupported"));
}
