//! What passes, and how.

use crate::common::client::{self, ask};
use crate::common::script::{self, Act, Server, chunk, event, json_answer, send, whole_stream};
use crate::common::{Gate, Serving, alias, backend, settings, soon};
use aicockpit_broker::{End, Limits, Usage};

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn a_question_and_its_answer_pass_byte_for_byte_but_for_the_model() {
    let server = Server::start(|_| {
        let headers = [
            ("content-type", "application/json"),
            ("x-request-id", "theirs"),
            ("set-cookie", "a=b"),
            ("openai-version", "1"),
        ];
        vec![send(script::answer(200, &headers, script::COMPLETION))]
    })
    .await;
    let mut serving = Serving::before(&[&server]).await;
    let body = "{ \"x\": 1.0e400, \"model\" : \"m\",\n\t\"messages\":[{\"role\":\"user\",\"content\":\"h\\u00e9\",\"z\":[1,2.50]}],\"tools\":[ ],\"unknown\":{\"a\":9007199254740993}}";
    let mut answer = ask(&serving, CHAT, body).await;
    assert_eq!((answer.status, answer.body().await.as_str()), (200, script::COMPLETION));
    assert_eq!(answer.header("x-backend-request-id"), Some("theirs"));
    assert!(answer.header("x-request-id").is_some_and(|id| id.starts_with("req_")));
    assert_eq!((answer.header("openai-version"), answer.header("set-cookie")), (Some("1"), None));

    let came = server.came().remove(0);
    assert_eq!(came.path, CHAT);
    assert_eq!(String::from_utf8(came.body.clone()).expect("text"), body.replacen("\"m\"", "\"real\"", 1));
    assert_eq!(came.header("authorization"), Some("Bearer sk-b0"));
    assert!(came.headers.iter().all(|(_, value)| !value.contains(&serving.key)), "our key is not sent on");

    let outcome = serving.outcome().await;
    assert_eq!((outcome.end, outcome.status, outcome.attempts), (End::Complete, Some(200), 1));
    assert_eq!(outcome.usage, Some(Usage { input_tokens: 3, output_tokens: 1, cached_tokens: 0 }));
    assert_eq!((&*outcome.owner, outcome.model.as_str(), outcome.streamed), ("test", "m", false));
}

#[tokio::test]
async fn events_reach_the_client_while_the_backend_holds_the_next_one() {
    let gate = Gate::default();
    let server = Server::start({
        let gate = gate.clone();
        move |_| {
            vec![
                send(script::STREAM),
                send(chunk(&event("one"))),
                Act::Wait(gate.clone()),
                send(chunk(&event("two"))),
                send(chunk(script::LAST)),
                send(chunk(script::DONE)),
                send(script::END),
            ]
        }
    })
    .await;
    let mut serving = Serving::before(&[&server]).await;
    let mut answer = ask(&serving, CHAT, r#"{"model":"m","stream":true}"#).await;
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(answer.part().await.as_deref(), Some(event("one").as_str()));
    gate.open();
    assert_eq!(answer.body().await, [event("two").as_str(), script::LAST, script::DONE].concat());
    let outcome = serving.outcome().await;
    assert_eq!((outcome.end, outcome.streamed), (End::Complete, true));
    assert_eq!(outcome.usage, Some(Usage { input_tokens: 3, output_tokens: 2, cached_tokens: 0 }));
    assert!(outcome.first_byte.expect("a time") <= outcome.total);
}

#[tokio::test]
async fn a_stream_in_single_bytes_passes_unchanged() {
    let whole = [event("one").as_str(), &event("zwei ü"), script::LAST, script::DONE].concat();
    let server = Server::start({
        let whole = whole.clone();
        move |_| {
            let mut acts = vec![send(script::STREAM)];
            acts.extend(
                whole.as_bytes().iter().map(|byte| send([b"1\r\n".as_slice(), &[*byte], b"\r\n"].concat())),
            );
            acts.push(send(script::END));
            acts
        }
    })
    .await;
    let mut serving = Serving::before(&[&server]).await;
    let mut answer = ask(&serving, CHAT, r#"{"model":"m","stream":true}"#).await;
    assert_eq!(answer.body().await, whole);
    assert_eq!(serving.outcome().await.end, End::Complete);
}

#[tokio::test]
async fn connections_to_a_backend_are_used_again() {
    let server = Server::start(|_| whole_stream()).await;
    let mut serving = Serving::before(&[&server]).await;
    for _ in 0..20 {
        ask(&serving, CHAT, r#"{"model":"m","stream":true}"#).await.body().await;
        serving.outcome().await;
    }
    assert_eq!((server.asked(), server.open()), (20, 1));
}

#[tokio::test]
async fn load_goes_where_least_is() {
    let gate = Gate::default();
    let slow = |gate: Gate| {
        move |_: &script::Came| vec![Act::Wait(gate.clone()), send(json_answer(200, script::COMPLETION))]
    };
    let servers = [
        Server::start(slow(gate.clone())).await,
        Server::start(slow(gate.clone())).await,
        Server::start(slow(gate.clone())).await,
    ];
    let mut serving = Serving::before(&[&servers[0], &servers[1], &servers[2]]).await;
    let mut open = Vec::new();
    for sent in 1..=12 {
        open.push(client::open(&serving, CHAT, r#"{"model":"m"}"#).await);
        soon("the question at a backend", async {
            while servers.iter().map(Server::asked).sum::<usize>() < sent {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    assert_eq!(servers.each_ref().map(Server::asked), [4, 4, 4]);
    assert_eq!(serving.in_flight().await, 12);
    gate.open();
    for _ in 0..12 {
        assert_eq!(serving.outcome().await.end, End::Complete);
    }
    assert_eq!(serving.in_flight().await, 0);
}

#[tokio::test]
async fn a_lower_priority_is_asked_only_where_the_higher_has_no_place() {
    let gate = Gate::default();
    let first = Server::start({
        let gate = gate.clone();
        move |_| vec![Act::Wait(gate.clone()), send(json_answer(200, script::COMPLETION))]
    })
    .await;
    let second = Server::start(|_| vec![send(json_answer(200, script::COMPLETION))]).await;
    let mut settings = settings(&[&first, &second]);
    settings.backends[0].max_parallel = Some(1);
    settings.queue_seconds = 0;
    settings.aliases =
        vec![alias("m", &[("b0", "real", 0), ("b1", "other", 1)]), alias("one", &[("b0", "real", 0)])];
    let mut serving = Serving::with(settings, Limits::default()).await;
    let held = client::open(&serving, CHAT, r#"{"model":"m"}"#).await;
    soon("the question at the first", async {
        while first.asked() < 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(ask(&serving, CHAT, r#"{"model":"m"}"#).await.status, 200);
    assert_eq!(second.came()[0].json()["model"], "other");
    let mut full = ask(&serving, CHAT, r#"{"model":"one"}"#).await;
    assert_eq!((full.status, full.header("retry-after")), (429, Some("1")));
    assert_eq!(full.error().await.0, "rate_limit_exceeded");
    gate.open();
    drop(held);
    for _ in 0..3 {
        serving.outcome().await;
    }
    assert_eq!(first.asked(), 1);
}

#[tokio::test]
async fn models_are_named_by_alias_by_backend_and_alone() {
    let server = Server::start(|_| vec![send(json_answer(200, script::COMPLETION))]).await;
    let other = Server::start(|_| vec![send(json_answer(200, script::COMPLETION))]).await;
    let serving = Serving::before(&[&server, &other]).await;
    for name in ["m", "b0/real", "b1/anything/else", "real"] {
        assert_eq!(ask(&serving, CHAT, &format!("{{\"model\":\"{name}\"}}")).await.status, 200, "{name}");
    }
    assert!(other.came().iter().any(|came| came.json()["model"] == "anything/else"));
    let mut unknown = ask(&serving, CHAT, r#"{"model":"reel"}"#).await;
    assert_eq!(unknown.status, 404);
    let (code, message) = unknown.error().await;
    assert!(code == "model_not_found" && message.contains("`real`"), "{message}");

    let key = &serving.key;
    let get = async |path: &str| {
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {key}\r\n\r\n",
            serving.address
        );
        client::raw(&serving, request.as_bytes()).await
    };
    let list: serde_json::Value = serde_json::from_str(&get("/v1/models").await.body().await).expect("JSON");
    let names: Vec<&str> =
        list["data"].as_array().expect("a list").iter().filter_map(|model| model["id"].as_str()).collect();
    assert_eq!(names, ["m", "real", "b0/real", "b1/real"]);
    assert_eq!(
        (&list["data"][0]["context_length"], &list["data"][2]["owned_by"]),
        (&4096.into(), &"b0".into())
    );
    let mut one = get("/v1/models/b1/real").await;
    assert_eq!(one.status, 200);
    assert!(one.body().await.contains("\"b1/real\""));
    assert_eq!(get("/v1/models/none").await.status, 404);
}

#[tokio::test]
async fn settings_change_under_running_requests() {
    let gate = Gate::default();
    let server = Server::start({
        let gate = gate.clone();
        move |_| vec![Act::Wait(gate.clone()), send(json_answer(200, script::COMPLETION))]
    })
    .await;
    let mut serving = Serving::before(&[&server]).await;
    let running = client::open(&serving, CHAT, r#"{"model":"m"}"#).await;
    soon("the question", async {
        while server.asked() < 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut changed = settings(&[&server]);
    changed.aliases = vec![alias("n", &[("b0", "real", 0)])];
    serving.broker.replace(changed.clone()).expect("settings");
    assert_eq!(serving.in_flight().await, 1, "the same backend goes on");
    changed.backends.push(backend("b0", "http://127.0.0.1:1/v1"));
    assert!(serving.broker.replace(changed).is_err(), "two backends of one name");
    gate.open();
    let mut answer = client::Answer::read(running).await.expect("an answer");
    assert_eq!((answer.status, answer.body().await.as_str()), (200, script::COMPLETION));
    assert_eq!(ask(&serving, CHAT, r#"{"model":"n"}"#).await.status, 200);
    assert_eq!(serving.outcome().await.end, End::Complete);
}

#[tokio::test]
async fn it_ends_after_the_answers_that_have_begun() {
    let gate = Gate::default();
    let server = Server::start({
        let gate = gate.clone();
        move |_| {
            let mut acts = whole_stream();
            acts.insert(2, Act::Wait(gate.clone()));
            acts
        }
    })
    .await;
    let mut serving = Serving::before(&[&server]).await;
    let mut answer = ask(&serving, CHAT, r#"{"model":"m","stream":true}"#).await;
    answer.part().await;
    serving.stop.cancel();
    soon("no new connection", async {
        while tokio::net::TcpStream::connect(serving.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!serving.ended.is_finished());
    gate.open();
    assert!(answer.body().await.ends_with(script::DONE));
    soon("its end", &mut serving.ended).await.expect("no panic");
}
