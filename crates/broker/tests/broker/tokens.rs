//! Tokens of streams are known also where the client does not ask for them, and what they cost.

use crate::common::client::{self, Answer, ask};
use crate::common::script::{self, Act, Came, Server, chunk, event, json_answer, send};
use crate::common::{Gate, Serving, settings, soon};
use aicockpit_broker::{End, Limits, Usage};
use aicockpit_protocol::usage::Price;
use tokio::io::AsyncReadExt as _;

const CHAT: &str = "/v1/chat/completions";
const STREAMED: &str = r#"{"model":"m","stream":true}"#;
const STOP: &str = "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n";
const TOKENS: &str = "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":2,\"prompt_tokens_details\":{\"cached_tokens\":600}}}\n\n";

fn asks_for_tokens(came: &Came) -> bool {
    came.json()["stream_options"]["include_usage"] == true
}

/// A server as OpenAI's: it tells the tokens where it is asked to.
fn stream(came: &Came) -> Vec<Act> {
    let mut acts = vec![send(script::STREAM), send(chunk(&event("one"))), send(chunk(STOP))];
    if asks_for_tokens(came) {
        acts.push(send(chunk(TOKENS)));
    }
    acts.extend([send(chunk(script::DONE)), send(script::END)]);
    acts
}

fn told() -> Option<Usage> {
    Some(Usage { input_tokens: 1000, output_tokens: 2, cached_tokens: 600 })
}

fn priced(servers: &[&Server]) -> aicockpit_protocol::broker::BrokerSettings {
    let mut settings = settings(servers);
    settings.prices = vec![Price {
        backend: "b0".to_owned(),
        model: "re*".to_owned(),
        input: 10.0,
        output: 100.0,
        cached_input: Some(1.0),
    }];
    settings
}

#[tokio::test]
async fn a_client_that_does_not_ask_for_tokens_sees_none_and_they_are_known() {
    let server = Server::start(stream).await;
    let mut serving = Serving::with(priced(&[&server]), Limits::default()).await;
    let body = "{ \"x\": 1.50e+3, \"model\" : \"m\",\n\"stream\":true,\"stream_options\":{\"a\":[1,2.50]}}";
    let got = ask(&serving, CHAT, body).await.body().await;
    assert_eq!(got, [event("one").as_str(), STOP, script::DONE].concat());
    let outcome = serving.outcome().await;
    assert_eq!((outcome.usage, outcome.estimate, outcome.end), (told(), None, End::Complete));
    assert!((outcome.cost - (400.0 * 10.0 + 600.0 + 200.0) / 1e6).abs() < 1e-12, "{}", outcome.cost);
    let sent = String::from_utf8(server.came().remove(0).body).expect("text");
    let wanted = body.replacen("\"m\"", "\"real\"", 1).replacen("{\"a\"", "{\"include_usage\":true,\"a\"", 1);
    assert_eq!(sent, wanted, "the rest goes through byte for byte");
}

#[tokio::test]
async fn a_client_that_asks_for_tokens_gets_everything_untouched() {
    let server = Server::start(stream).await;
    let mut serving = Serving::before(&[&server]).await;
    let body = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#;
    let got = ask(&serving, CHAT, body).await.body().await;
    assert_eq!(got, [event("one").as_str(), STOP, TOKENS, script::DONE].concat());
    assert_eq!(serving.outcome().await.usage, told());
    assert_eq!(server.came()[0].body, body.replacen("\"m\"", "\"real\"", 1).as_bytes());
    // What is no stream, or tells its tokens by itself, is not touched either.
    for (path, body) in
        [(CHAT, r#"{"model":"real"}"#), ("/v1/responses", r#"{"model":"real","stream":true}"#)]
    {
        ask(&serving, path, body).await.body().await;
        assert_eq!(server.came().pop().expect("a question").body, body.as_bytes());
    }
}

#[tokio::test]
async fn tokens_are_hidden_however_the_stream_is_cut_into_pieces() {
    let whole = [event("one").as_str(), STOP, TOKENS, script::DONE].concat().replace("\n\n", "\r\n\r\n");
    let server = Server::start({
        let whole = whole.clone();
        move |_| {
            let mut acts = vec![send(script::STREAM)];
            let bytes = whole.as_bytes().iter();
            acts.extend(bytes.map(|byte| send([b"1\r\n".as_slice(), &[*byte], b"\r\n"].concat())));
            acts.push(send(script::END));
            acts
        }
    })
    .await;
    let mut serving = Serving::before(&[&server]).await;
    let got = ask(&serving, CHAT, STREAMED).await.body().await;
    assert_eq!(got, whole.replace(&TOKENS.replace("\n\n", "\r\n\r\n"), ""));
    assert_eq!(serving.outcome().await.usage, told());
}

#[tokio::test]
async fn a_backend_that_knows_no_stream_options_is_asked_without_and_remembered() {
    let refusal = r#"{"detail":[{"loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}"#;
    let server = Server::start(move |came| match came.json().get("stream_options") {
        Some(_) => vec![send(json_answer(400, refusal))],
        None => stream(came),
    })
    .await;
    let mut serving = Serving::before(&[&server]).await;
    // A client's own options are its own fault, and teach nothing.
    let own = r#"{"model":"m","stream":true,"stream_options":{"a":1}}"#;
    let mut refused = ask(&serving, CHAT, own).await;
    assert_eq!((refused.status, server.asked()), (400, 2));
    refused.error().await;
    serving.outcome().await;
    for (attempts, asked) in [(2, 4), (1, 5)] {
        let mut answer = ask(&serving, CHAT, STREAMED).await;
        assert_eq!((answer.status, answer.body().await.ends_with(script::DONE)), (200, true));
        let outcome = serving.outcome().await;
        assert_eq!((outcome.attempts, outcome.end, server.asked()), (attempts, End::Complete, asked));
        let estimate = outcome.estimate.expect("nobody told");
        assert_eq!((estimate.input_tokens, estimate.output_tokens), (STREAMED.len().div_ceil(4) as u64, 1));
    }
}

#[tokio::test]
async fn a_stream_that_the_client_leaves_is_charged_by_an_estimate() {
    let text = "four".repeat(1000);
    let server = Server::start({
        let text = text.clone();
        move |_| vec![send(script::STREAM), send(chunk(&event(&text))), Act::Wait(Gate::default())]
    })
    .await;
    let mut serving = Serving::with(priced(&[&server]), Limits::default()).await;
    let question = format!(r#"{{"model":"m","stream":true,"messages":"{}"}}"#, "word".repeat(2000));
    let mut answer = ask(&serving, CHAT, &question).await;
    answer.part().await.expect("the first event");
    drop(answer);
    let outcome = serving.outcome().await;
    assert_eq!((outcome.end, outcome.usage), (End::Cancelled, None));
    let estimate = outcome.estimate.expect("the backend did work");
    assert_eq!((estimate.input_tokens, estimate.output_tokens), (question.len().div_ceil(4) as u64, 1000));
    assert!(outcome.cost > 0.1, "{}", outcome.cost);

    // One that leaves before the answer begins is charged for the question.
    let silent = Server::start(|_| vec![Act::Wait(Gate::default())]).await;
    let mut serving = Serving::with(priced(&[&silent]), Limits::default()).await;
    let stream = client::open(&serving, CHAT, &question).await;
    crate::common::until("the question", || silent.asked() == 1).await;
    drop(stream);
    let estimate = serving.outcome().await.estimate.expect("the backend did work");
    assert_eq!((estimate.input_tokens, estimate.output_tokens), (question.len().div_ceil(4) as u64, 0));
}

#[tokio::test]
async fn a_client_that_leaves_at_the_end_was_answered() {
    let gate = Gate::default();
    let server = Server::start({
        let gate = gate.clone();
        move |came| {
            let mut acts = stream(came);
            acts.insert(5, Act::Wait(gate.clone()));
            acts
        }
    })
    .await;
    let mut serving = Serving::before(&[&server]).await;
    let mut stream = client::open(&serving, CHAT, STREAMED).await;
    let mut came = Vec::new();
    soon("the end", async {
        while !came.windows(6).any(|window| window == b"[DONE]") {
            assert_ne!(stream.read_buf(&mut came).await.expect("read"), 0);
        }
    })
    .await;
    drop(stream);
    let outcome = serving.outcome().await;
    assert_eq!((outcome.end, outcome.usage), (End::Complete, told()));
}

#[tokio::test]
async fn what_a_backend_refused_costs_nothing() {
    let server = Server::start(|_| vec![send(json_answer(422, "{\"detail\":\"no\"}"))]).await;
    let mut serving = Serving::with(priced(&[&server]), Limits::default()).await;
    let answer: Answer = ask(&serving, CHAT, STREAMED).await;
    assert_eq!(answer.status, 422);
    let outcome = serving.outcome().await;
    assert_eq!((outcome.end, outcome.estimate, outcome.cost), (End::Refused, None, 0.0));
}
