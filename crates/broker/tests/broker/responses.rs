//! Responses that backends store: whoever made one comes back to the same backend, and nobody else does.

use crate::common::client::{Answer, ask, call};
use crate::common::script::{self, Act, Came, Server, chunk, json_answer, send};
use crate::common::{Gate, Serving, alias, own_address, settings, soon, until};
use aicockpit_broker::{End, Limits};
use aicockpit_protocol::broker::BrokerSettings;
use aicockpit_protocol::usage::{Budget, KeyLimits, RequestsQuery, UsageBy, UsageQuery, UsageStep};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

const RESPONSES: &str = "/v1/responses";

/// A response of the backend `of`.
fn response(of: &str, number: usize, more: Value) -> String {
    let mut response = json!({
        "id": format!("resp_{of}_{number}"), "object": "response", "created_at": 1, "status": "completed",
        "model": "real", "output": [],
        "usage": {"input_tokens": 40, "output_tokens": 8, "total_tokens": 48},
    });
    for (name, value) in more.as_object().expect("an object") {
        response[name] = value.clone();
    }
    response.to_string()
}

/// Makes responses with ids of its own, and says which errand it was sent on.
async fn storing(of: &'static str) -> Server {
    let made = AtomicUsize::new(0);
    Server::start(move |came| {
        if came.path == RESPONSES {
            let number = made.fetch_add(1, Ordering::SeqCst);
            return vec![send(json_answer(200, &response(of, number, json!({}))))];
        }
        let said = json!({ "by": of, "method": came.method, "path": came.path, "status": "completed" });
        vec![send(json_answer(200, &said.to_string()))]
    })
    .await
}

async fn json_of(mut answer: Answer) -> Value {
    serde_json::from_str(&answer.body().await).expect("JSON")
}

/// Asks for a response; its id.
async fn make(serving: &Serving, body: Value) -> String {
    let answer = ask(serving, RESPONSES, &body.to_string()).await;
    assert_eq!(answer.status, 200);
    json_of(answer).await["id"].as_str().expect("an id").to_owned()
}

fn paths(server: &Server) -> Vec<String> {
    server.came().iter().map(|came| format!("{} {}", came.method, came.path)).collect()
}

#[tokio::test]
async fn whatever_is_asked_about_a_response_reaches_the_backend_that_stores_it() {
    let servers = [storing("one").await, storing("two").await];
    let serving = Serving::before(&[&servers[0], &servers[1]]).await;
    for _ in 0..4 {
        let id = make(&serving, json!({ "model": "m" })).await;
        let at = usize::from(id.contains("two"));
        let before = servers[1 - at].asked();
        for (method, path) in [
            ("GET", format!("{RESPONSES}/{id}?include[]=reasoning.encrypted_content&include[]=x")),
            ("GET", format!("{RESPONSES}/{id}/input_items?limit=2&order=asc&after=msg_1")),
            ("POST", format!("{RESPONSES}/{id}/cancel")),
            ("DELETE", format!("{RESPONSES}/{id}")),
        ] {
            let answer = call(&serving, method, &path).await;
            assert_eq!(answer.status, 200, "{method} {path}");
            assert!(answer.header("x-request-id").is_some_and(|id| id.starts_with("req_")));
            let said = json_of(answer).await;
            assert_eq!((&said["method"], &said["path"]), (&json!(method), &json!(path)));
            let came = servers[at].came().pop().expect("a request");
            assert_eq!(came.header("authorization"), Some(&*format!("Bearer sk-b{at}")), "the backend's key");
            assert_eq!(came.header("host"), Some(&*servers[at].address.to_string()));
            assert!(came.body.is_empty());
        }
        assert_eq!(servers[1 - at].asked(), before, "the other one is asked nothing");
        let mut gone = call(&serving, "GET", &format!("{RESPONSES}/{id}")).await;
        assert_eq!(
            (gone.status, gone.error().await.0.as_str()),
            (404, "response_not_found"),
            "it was deleted"
        );
    }
    assert!(servers.iter().all(|server| server.asked() > 0), "load was spread over both");
}

#[tokio::test]
async fn what_follows_on_a_response_goes_to_its_backend_and_model() {
    let servers = [storing("one").await, storing("two").await];
    let mut settings = settings(&[&servers[0], &servers[1]]);
    settings.aliases = vec![
        alias("m", &[("b0", "small", 0), ("b0", "large", 0), ("b1", "small", 0)]),
        alias("second", &[("b1", "other", 0)]),
        alias("wide", &[("b1", "any", 0), ("b0", "any", 3)]),
    ];
    let serving = Serving::with(settings, Limits::default()).await;
    let model = |came: &Came| came.json()["model"].as_str().expect("a model").to_owned();
    for _ in 0..3 {
        let mut id = make(&serving, json!({ "model": "m" })).await;
        let at = usize::from(id.contains("two"));
        let wanted = model(servers[at].came().last().expect("a request"));
        for _ in 0..4 {
            id = make(&serving, json!({ "model": "m", "previous_response_id": id })).await;
            assert_eq!(usize::from(id.contains("two")), at);
            let came = servers[at].came().pop().expect("a request");
            assert_eq!(model(&came), wanted);
            assert!(came.json()["previous_response_id"].is_string());
        }
    }
    // Another name is heeded where it leads to that backend, whatever its order, and refused where it does not.
    let id = make(&serving, json!({ "model": "b0/small" })).await;
    make(&serving, json!({ "model": "wide", "previous_response_id": id })).await;
    assert_eq!(model(servers[0].came().last().expect("a request")), "any");
    let asked = [servers[0].asked(), servers[1].asked()];
    let body = json!({ "model": "second", "previous_response_id": id }).to_string();
    let mut refused = ask(&serving, RESPONSES, &body).await;
    assert_eq!(refused.status, 400);
    let (code, message) = refused.error().await;
    assert_eq!(code, "previous_response_not_found");
    assert!(message.contains("is stored by `b0`, and `second` does not lead there"), "{message}");
    assert_eq!([servers[0].asked(), servers[1].asked()], asked);
    // One that fails is not replaced by another, which knows nothing of it.
    servers[0].refuse(true);
    servers[0].kill_connections();
    let body = json!({ "model": "wide", "previous_response_id": id }).to_string();
    let mut refused = ask(&serving, RESPONSES, &body).await;
    assert_eq!((refused.status, refused.error().await.0.as_str()), (502, "backend_unreachable"));
    assert_eq!(servers[1].asked(), asked[1]);
}

#[tokio::test]
async fn another_key_finds_nothing() {
    let server = storing("one").await;
    let mut serving = Serving::before(&[&server]).await;
    let id = make(&serving, json!({ "model": "m" })).await;
    let same = serving.broker.keys().issue("test").expect("a key");
    let other = serving.broker.keys().issue("other").expect("a key");
    serving.key = other;
    let asked = server.asked();
    for (method, path) in [
        ("GET", format!("{RESPONSES}/{id}")),
        ("GET", format!("{RESPONSES}/{id}?stream=true")),
        ("GET", format!("{RESPONSES}/{id}/input_items")),
        ("POST", format!("{RESPONSES}/{id}/cancel")),
        ("DELETE", format!("{RESPONSES}/{id}")),
    ] {
        let mut refused = call(&serving, method, &path).await;
        assert_eq!(
            (refused.status, refused.error().await.0.as_str()),
            (404, "response_not_found"),
            "{method}"
        );
    }
    // Also where its name leads to one backend only, which would answer.
    let body = json!({ "model": "b0/real", "previous_response_id": id }).to_string();
    let mut refused = ask(&serving, RESPONSES, &body).await;
    assert_eq!((refused.status, refused.error().await.0.as_str()), (400, "previous_response_not_found"));
    assert_eq!(server.asked(), asked);
    serving.key = same;
    assert_eq!(
        call(&serving, "GET", &format!("{RESPONSES}/{id}")).await.status,
        200,
        "its owner's other key"
    );
}

#[tokio::test]
async fn an_unknown_response_is_followed_only_where_one_backend_can_have_it() {
    let servers = [storing("one").await, storing("two").await];
    let serving = Serving::before(&[&servers[0], &servers[1]]).await;
    let unstored = make(&serving, json!({ "model": "b0/real", "store": false })).await;
    for id in ["resp_of_another_run", &*unstored, "..%2Fmodels"] {
        let mut refused = call(&serving, "GET", &format!("{RESPONSES}/{id}")).await;
        assert_eq!(refused.status, 404);
        let (code, message) = refused.error().await;
        assert_eq!(code, "response_not_found");
        assert!(message.contains("send the whole conversation"), "{message}");
    }
    let body = json!({ "model": "m", "previous_response_id": "resp_of_another_run" }).to_string();
    let mut refused = ask(&serving, RESPONSES, &body).await;
    assert_eq!(refused.status, 400);
    let error = json_of_error(&mut refused).await;
    assert_eq!(
        (&error["code"], &error["param"]),
        (&json!("previous_response_not_found"), &json!("previous_response_id"))
    );
    assert!(error["message"].as_str().is_some_and(|message| message.contains("BACKEND/MODEL")));
    assert_eq!([servers[0].asked(), servers[1].asked()], [1, 0]);
    make(&serving, json!({ "model": "b1/real", "previous_response_id": "resp_of_another_run" })).await;
    assert_eq!(servers[1].asked(), 1);
    for wrong in [json!(7), json!(["x"])] {
        let body = json!({ "model": "m", "previous_response_id": wrong }).to_string();
        let mut refused = ask(&serving, RESPONSES, &body).await;
        assert_eq!((refused.status, refused.error().await.0.as_str()), (400, "invalid_type"));
    }
    let twice = r#"{"model":"b1/real","previous_response_id":"a","previous_response_id":"b"}"#;
    let mut refused = ask(&serving, RESPONSES, twice).await;
    assert_eq!((refused.status, refused.error().await.0.as_str()), (400, "duplicate_field"));
}

async fn json_of_error(answer: &mut Answer) -> Value {
    serde_json::from_str::<Value>(&answer.body().await).expect("JSON")["error"].clone()
}

#[tokio::test]
async fn a_backend_that_is_gone_or_far_away_is_named() {
    let server = Server::start_at(own_address(), |came| {
        let body = if came.path == RESPONSES { response("far", 0, json!({})) } else { "{}".to_owned() };
        vec![send(json_answer(200, &body))]
    })
    .await;
    let near = storing("near").await;
    let all = settings(&[&server, &near]);
    let serving = Serving::with(all.clone(), Limits::default()).await;
    let id = make(&serving, json!({ "model": "b0/real" })).await;
    let follow = json!({ "model": "m", "previous_response_id": id }).to_string();
    serving.broker.set_offline(true);
    let asked = server.asked();
    for (method, path) in [("GET", format!("{RESPONSES}/{id}")), ("DELETE", format!("{RESPONSES}/{id}"))] {
        let mut refused = call(&serving, method, &path).await;
        assert_eq!(refused.status, 503);
        let (code, message) = refused.error().await;
        assert!(code == "offline" && message.starts_with("`b0` is not on this machine"), "{message}");
    }
    let mut refused = ask(&serving, RESPONSES, &follow).await;
    assert_eq!((refused.status, refused.error().await.0.as_str()), (503, "offline"));
    assert_eq!((server.asked(), near.asked()), (asked, 0), "the one on this machine does not take its place");
    serving.broker.set_offline(false);

    let mut without = all.clone();
    without.backends[0].enabled = false;
    serving.broker.replace(without).expect("settings");
    let mut refused = call(&serving, "GET", &format!("{RESPONSES}/{id}")).await;
    assert_eq!(refused.status, 404);
    let (code, message) = refused.error().await;
    assert!(
        code == "response_not_found" && message.contains("stored by `b0`, which is not among"),
        "{message}"
    );
    let mut refused = ask(&serving, RESPONSES, &follow).await;
    assert_eq!((refused.status, refused.error().await.0.as_str()), (400, "previous_response_not_found"));
    assert_eq!((server.asked(), near.asked()), (asked, 0));
    // Made anew, it is the same backend.
    let mut other = all;
    other.backends[0].max_parallel = Some(9);
    serving.broker.replace(other).expect("settings");
    assert_eq!(call(&serving, "GET", &format!("{RESPONSES}/{id}")).await.status, 200);
}

/// An event of the Responses API.
fn event(number: u64, kind: &str, more: Value) -> String {
    let mut event = json!({ "type": format!("response.{kind}"), "sequence_number": number });
    for (name, value) in more.as_object().expect("an object") {
        event[name] = value.clone();
    }
    format!("event: response.{kind}\ndata: {event}\n\n")
}

fn stored(status: &str, usage: Value) -> Value {
    json!({ "response": { "id": "resp_1", "object": "response", "status": status, "usage": usage } })
}

/// Streams four events, and goes on from any of them; the last is behind a gate.
fn resumable(gate: Gate) -> impl Fn(&Came) -> Vec<Act> + Send + Sync + 'static {
    move |came| {
        let query = came.path.split_once('?').map_or("", |(_, query)| query);
        let after = query.split('&').find_map(|part| part.strip_prefix("starting_after="));
        let from = after.map_or(0, |number| number.parse::<u64>().expect("a number") + 1);
        let usage = json!({ "input_tokens": 1000, "output_tokens": 500 });
        let events = [
            event(0, "created", stored("in_progress", Value::Null)),
            event(1, "output_text.delta", json!({ "delta": "one" })),
            event(2, "output_text.delta", json!({ "delta": "two" })),
            event(3, "completed", stored("completed", usage)),
        ];
        let mut acts = vec![send(script::STREAM)];
        for (number, event) in (0u64..).zip(&events).filter(|(number, _)| *number >= from) {
            if number == 3 {
                acts.push(Act::Wait(gate.clone()));
            }
            acts.push(send(chunk(event)));
        }
        acts.push(send(script::END));
        acts
    }
}

#[tokio::test]
async fn a_stream_is_left_and_resumed_and_its_tokens_are_charged_once() {
    let gate = Gate::default();
    let server = Server::start(resumable(gate.clone())).await;
    let mut serving = Serving::before(&[&server]).await;
    let body = r#"{"model":"m","stream":true,"background":true}"#;
    let mut left = ask(&serving, RESPONSES, body).await;
    assert!(left.part().await.expect("an event").contains("response.created"));
    // Its id is known while it streams.
    let mut second = call(&serving, "GET", &format!("{RESPONSES}/resp_1?stream=true&starting_after=1")).await;
    assert_eq!(second.header("content-type"), Some("text/event-stream"));
    assert_eq!(second.header("cache-control"), Some("no-cache"));
    assert!(second.part().await.expect("an event").contains("two"), "it comes although the end does not");
    drop(left);
    let outcome = serving.outcome().await;
    let estimate = outcome.estimate.expect("an estimate");
    assert_eq!((outcome.end, outcome.usage), (End::Cancelled, None));
    gate.open();
    let rest = second.body().await;
    assert!(rest.contains("response.completed") && !rest.contains("event: error"), "{rest}");
    let outcome = serving.outcome().await;
    let usage = outcome.usage.expect("tokens");
    assert_eq!(usage.input_tokens + estimate.input_tokens, 1000, "what was charged is not charged again");
    assert_eq!(usage.output_tokens + estimate.output_tokens, 500);
    assert_eq!((outcome.model.as_str(), outcome.first_byte), ("m", None));
    // Behind the last event there is nothing, and that is no error.
    let mut nothing =
        call(&serving, "GET", &format!("{RESPONSES}/resp_1?stream=true&starting_after=3")).await;
    assert_eq!((nothing.status, nothing.body().await.as_str()), (200, ""));
    let mut again = call(&serving, "GET", &format!("{RESPONSES}/resp_1?stream=true")).await;
    assert!(again.body().await.contains("response.completed"));
    let wanted = ["POST /v1/responses", "GET /v1/responses/resp_1?stream=true&starting_after=1"];
    assert_eq!(paths(&server)[..2], wanted);
    // Each request that was charged is in the ledger; those that only read are not.
    let ledger = serving.broker.ledger().clone();
    let entries = tokio::task::spawn_blocking(move || ledger.requests(&RequestsQuery::default()));
    let entries = entries.await.expect("entries");
    assert_eq!(entries.len(), 2);
    assert_eq!(entries.iter().filter_map(|entry| entry.output_tokens).sum::<u64>(), 500);
    until("nothing to be open", || serving.broker.counts().open == 0).await;
    let owner = serving.broker.owners().remove(0);
    assert_eq!((owner.open, owner.day.input_tokens, owner.day.output_tokens), (0, 1000, 500));
}

#[tokio::test]
async fn work_in_the_background_is_charged_when_its_tokens_are_known() {
    let is_done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let server = Server::start({
        let is_done = std::sync::Arc::clone(&is_done);
        move |came| {
            let more = match came.path != RESPONSES && is_done.load(Ordering::SeqCst) {
                true => json!({}),
                false => json!({ "status": "queued", "usage": null }),
            };
            vec![send(json_answer(200, &response("one", 0, more)))]
        }
    })
    .await;
    let mut settings = settings(&[&server]);
    settings.backends[0].max_parallel = Some(1);
    settings.limits.each =
        KeyLimits { day: Budget { tokens: Some(48), cost: None }, parallel: Some(1), ..KeyLimits::default() };
    let mut serving = Serving::with(settings, Limits::default()).await;
    let id = make(&serving, json!({ "model": "m", "background": true })).await;
    let path = format!("{RESPONSES}/{id}");
    serving.outcome().await;
    for _ in 0..3 {
        assert_eq!(json_of(call(&serving, "GET", &path).await).await["status"], "queued");
    }
    is_done.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(json_of(call(&serving, "GET", &path).await).await["status"], "completed");
    }
    serving.outcome().await;
    assert!(serving.outcomes.try_recv().is_err(), "one is told of them");
    let day = serving.broker.owners().remove(0).day;
    assert_eq!((day.input_tokens, day.output_tokens, day.requests), (40, 8, 2));
    let refused = ask(&serving, RESPONSES, r#"{"model":"m"}"#).await;
    assert_eq!(refused.status, 429, "the budget is used up");
    assert_eq!(call(&serving, "GET", &path).await.status, 200, "what is there can still be fetched");
    assert_eq!(call(&serving, "DELETE", &path).await.status, 200);
    let ledger = serving.broker.ledger().clone();
    let query = UsageQuery { from_ms: 0, to_ms: i64::MAX, by: UsageBy::Model, step: UsageStep::Day };
    let report = tokio::task::spawn_blocking(move || ledger.report(&query, "USD")).await.expect("a report");
    assert_eq!(
        (report.total.requests, report.total.output_tokens, report.groups[0].name.as_str()),
        (3, 8, "m")
    );
}

#[tokio::test]
async fn errands_count_as_requests_and_take_no_place_at_a_full_backend() {
    let gate = Gate::default();
    let server = Server::start({
        let gate = gate.clone();
        move |came| match came.path.contains("cancel") {
            true => vec![send(json_answer(200, &response("one", 0, json!({ "status": "cancelled" }))))],
            false => resumable(gate.clone())(came),
        }
    })
    .await;
    let mut settings = BrokerSettings { queue_seconds: 0, ..settings(&[&server]) };
    settings.backends[0].max_parallel = Some(1);
    settings.limits.each =
        KeyLimits { requests_per_minute: Some(4), parallel: Some(1), ..KeyLimits::default() };
    let serving = Serving::with(settings, Limits::default()).await;
    let mut running = ask(&serving, RESPONSES, r#"{"model":"m","stream":true}"#).await;
    running.part().await.expect("an event");
    // A second stream is one too many; cancelling the first is not.
    let second = call(&serving, "GET", &format!("{RESPONSES}/resp_1?stream=true")).await;
    assert_eq!(second.status, 429);
    let cancelled = call(&serving, "POST", &format!("{RESPONSES}/resp_1/cancel")).await;
    assert_eq!(cancelled.status, 200);
    assert_eq!(cancelled.header("x-ratelimit-remaining-requests"), Some("2"));
    gate.open();
    running.body().await;
    // Also guesses count.
    for wanted in [404, 404, 429] {
        assert_eq!(call(&serving, "GET", &format!("{RESPONSES}/guess")).await.status, wanted);
    }
}

#[tokio::test]
async fn a_backends_no_is_passed_back_and_one_that_goes_away_is_asked_again() {
    let server = Server::start(|came| match (came.method.as_str(), came.path.as_str()) {
        ("POST", RESPONSES) => vec![send(json_answer(200, &response("one", 0, json!({}))))],
        ("POST", _) => vec![send(json_answer(
            400,
            r#"{"error":{"message":"Cannot cancel a completed response.","type":"x","param":null,"code":null}}"#,
        ))],
        ("DELETE", _) => vec![send(json_answer(404, r#"{"detail":"Not Found"}"#))],
        _ => vec![Act::Close],
    })
    .await;
    let serving = Serving::before(&[&server]).await;
    let id = make(&serving, json!({ "model": "m" })).await;
    let mut refused = call(&serving, "POST", &format!("{RESPONSES}/{id}/cancel")).await;
    assert_eq!(
        (refused.status, refused.error().await.1.as_str()),
        (400, "Cannot cancel a completed response.")
    );
    let mut refused = call(&serving, "DELETE", &format!("{RESPONSES}/{id}")).await;
    assert_eq!((refused.status, refused.error().await.0.as_str()), (404, "not_found"));
    let asked = server.asked();
    let mut refused = call(&serving, "GET", &format!("{RESPONSES}/{id}")).await;
    assert_eq!((refused.status, refused.error().await.0.as_str()), (502, "backend_unreachable"));
    assert!(server.asked() > asked + 1, "it was tried again");
}

#[tokio::test]
async fn a_response_too_large_to_be_gathered_is_found_too() {
    let server = Server::start(|came| {
        if came.path != RESPONSES {
            return vec![send(json_answer(200, r#"{"deleted":true}"#))];
        }
        let text = "x".repeat(5 << 20);
        match came.json()["stream"] == true {
            false => vec![send(json_answer(200, &response("one", 0, json!({ "text": text }))))],
            true => {
                let mut created = json!({ "response": { "id": "resp_long", "object": "response" } });
                created["response"]["text"] = text.into();
                let events =
                    [event(0, "created", created), event(1, "completed", stored("completed", Value::Null))];
                vec![send(script::STREAM), send(chunk(&events.concat())), send(script::END)]
            }
        }
    })
    .await;
    let serving = Serving::before(&[&server]).await;
    for (stream, id) in [(false, "resp_one_0"), (true, "resp_long")] {
        let mut answer =
            ask(&serving, RESPONSES, &json!({ "model": "m", "stream": stream }).to_string()).await;
        assert!(soon("the whole answer", answer.body()).await.len() > 5 << 20);
        assert_eq!(call(&serving, "DELETE", &format!("{RESPONSES}/{id}")).await.status, 200, "{id}");
    }
}

#[tokio::test]
async fn a_door_of_its_own_leads_to_the_same_responses() {
    let server = storing("one").await;
    let serving = Serving::before(&[&server]).await;
    let id = make(&serving, json!({ "model": "m" })).await;
    let again = Serving::of(serving.broker.clone()).await;
    assert_eq!(call(&again, "GET", &format!("{RESPONSES}/{id}")).await.status, 200);
}
