//! Limits of each owner and of all, over real sockets. What they reckon with is tested beside them.

use crate::common::client::{self, ask};
use crate::common::script::{self, Act, Server, chunk, event, json_answer, send};
use crate::common::{Gate, Serving, settings, until};
use aicockpit_broker::{Backoff, Broker, End, Limits, Options};
use aicockpit_protocol::broker::BrokerSettings;
use aicockpit_protocol::usage::{Budget, KeyLimits};

const CHAT: &str = "/v1/chat/completions";
const PLAIN: &str = r#"{"model":"m"}"#;
const STREAMED: &str = r#"{"model":"m","stream":true}"#;

fn limited(server: &Server, each: KeyLimits) -> BrokerSettings {
    let mut settings = settings(&[server]);
    settings.limits.each = each;
    settings
}

/// Each answer is four tokens.
async fn four_tokens() -> Server {
    Server::start(|_| vec![send(json_answer(200, script::COMPLETION))]).await
}

#[tokio::test]
async fn requests_a_minute_are_refused_beyond_and_told_in_headers() {
    let server = four_tokens().await;
    let each = KeyLimits { requests_per_minute: Some(2), ..KeyLimits::default() };
    let mut serving = Serving::with(limited(&server, each), Limits::default()).await;
    for left in ["1", "0"] {
        let answer = ask(&serving, CHAT, PLAIN).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("2"));
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some(left));
        assert!(answer.header("x-ratelimit-reset-requests").is_some_and(|reset| reset.ends_with('s')));
        serving.outcome().await;
    }
    let mut refused = ask(&serving, CHAT, PLAIN).await;
    assert_eq!(refused.status, 429);
    let seconds: u64 = refused.header("retry-after").expect("when").parse().expect("seconds");
    assert!((1..=30).contains(&seconds), "{seconds}");
    let body: serde_json::Value = serde_json::from_str(&refused.body().await).expect("JSON");
    assert_eq!(
        (&body["error"]["type"], &body["error"]["code"]),
        (&"rate_limit_error".into(), &"rate_limit_exceeded".into())
    );
    let message = body["error"]["message"].as_str().expect("a message");
    assert!(message.contains("`test`") && message.contains("Settings, Models, Limits"), "{message}");
    let outcome = serving.outcome().await;
    assert_eq!((outcome.end, outcome.status, outcome.attempts), (End::Refused, Some(429), 0));
    assert_eq!(server.asked(), 2, "what is refused reaches no backend");

    let other = serving.broker.keys().issue("other").expect("a key");
    serving.key = other;
    assert_eq!(ask(&serving, CHAT, PLAIN).await.status, 200, "another's limit is its own");
}

#[tokio::test]
async fn a_budget_ends_when_it_is_used_up_also_by_streams_that_are_left() {
    let text = "four".repeat(100);
    let server = Server::start(move |_| {
        vec![send(script::STREAM), send(chunk(&event(&text))), Act::Wait(Gate::default())]
    })
    .await;
    let each = KeyLimits { month: Budget { tokens: Some(150), cost: None }, ..KeyLimits::default() };
    let mut serving = Serving::with(limited(&server, each), Limits::default()).await;
    for _ in 0..2 {
        let mut answer = ask(&serving, CHAT, STREAMED).await;
        assert_eq!(answer.status, 200);
        answer.part().await.expect("the first event");
        drop(answer);
        assert_eq!(serving.outcome().await.end, End::Cancelled);
    }
    let mut refused = ask(&serving, CHAT, STREAMED).await;
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").expect("when").parse::<u64>().expect("seconds") > 0);
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    let body: serde_json::Value = serde_json::from_str(&refused.body().await).expect("JSON");
    assert_eq!(
        (&body["error"]["type"], &body["error"]["code"]),
        (&"insufficient_quota".into(), &"insufficient_quota".into())
    );
    let message = body["error"]["message"].as_str().expect("a message");
    assert!(
        message.starts_with("`test` has used up the budget of the month: 214 of 150 tokens."),
        "{message}"
    );

    // More is allowed, and what was used stays used.
    let more = KeyLimits { month: Budget { tokens: Some(215), cost: None }, ..KeyLimits::default() };
    serving.outcome().await;
    serving.broker.replace(limited(&server, more)).expect("settings");
    assert_eq!(ask(&serving, CHAT, STREAMED).await.status, 200);
    serving.outcome().await;
    let mut refused = ask(&serving, CHAT, STREAMED).await;
    assert!(refused.error().await.1.contains("of 215 tokens"));
}

#[tokio::test]
async fn requests_at_once_are_limited_and_counted_until_they_end() {
    let gate = Gate::default();
    let server = Server::start({
        let gate = gate.clone();
        move |_| vec![Act::Wait(gate.clone()), send(json_answer(200, script::COMPLETION))]
    })
    .await;
    let mut settings = settings(&[&server]);
    settings.limits.all = KeyLimits { parallel: Some(2), ..KeyLimits::default() };
    let mut serving = Serving::with(settings, Limits::default()).await;
    let first = client::open(&serving, CHAT, PLAIN).await;
    let _second = client::open(&serving, CHAT, PLAIN).await;
    until("both questions", || server.asked() == 2).await;
    let open = |serving: &Serving| serving.broker.owners()[0].open;
    assert_eq!(open(&serving), 2);
    let mut refused = ask(&serving, CHAT, PLAIN).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    assert!(refused.error().await.1.starts_with("All together have 2 requests on the way"));
    serving.outcome().await;
    drop(first);
    assert_eq!(serving.outcome().await.end, End::Cancelled);
    assert_eq!(open(&serving), 1);
    gate.open();
    assert_eq!(ask(&serving, CHAT, PLAIN).await.status, 200);
    for _ in 0..2 {
        assert_eq!(serving.outcome().await.end, End::Complete);
    }
    let owners = serving.broker.owners();
    let [owner] = owners.as_slice() else { panic!("{owners:?}") };
    assert_eq!((owner.owner.as_str(), owner.open), ("test", 0));
    assert_eq!((owner.day.requests, owner.day.refused, owner.day.cancelled), (4, 1, 1));
    assert_eq!((owner.day.output_tokens, owner.month.input_tokens), (2, 6 + 4), "four by an estimate");
}

#[tokio::test]
async fn what_was_used_before_a_start_counts_after_it() {
    let server = four_tokens().await;
    let each = KeyLimits { day: Budget { tokens: Some(4), cost: None }, ..KeyLimits::default() };
    let mut before = Serving::with(limited(&server, each), Limits::default()).await;
    assert_eq!(ask(&before, CHAT, PLAIN).await.status, 200);
    before.outcome().await;
    // The same ledger, another broker.
    let options =
        Options { backoff: Backoff::default(), ledger: before.broker.ledger().clone(), ..Options::default() };
    let after = Serving::with_options(limited(&server, each), options).await;
    let mut refused = ask(&after, CHAT, PLAIN).await;
    assert_eq!((refused.status, refused.error().await.0.as_str()), (429, "insufficient_quota"));
}

#[tokio::test]
async fn settings_that_mean_nothing_are_refused() {
    let server = four_tokens().await;
    let each = KeyLimits { parallel: Some(0), ..KeyLimits::default() };
    let said = aicockpit_broker::check(&limited(&server, each)).expect_err("refused").to_string();
    assert!(said.starts_with("`limits.each.parallel` must be 1 at least"), "{said}");
    let serving = Serving::before(&[&server]).await;
    assert!(serving.broker.replace(limited(&server, each)).is_err());
    assert_eq!(ask(&serving, CHAT, PLAIN).await.status, 200, "the old ones stay");
}

#[tokio::test]
async fn owners_of_side_doors_are_listed_while_they_have_keys() {
    let server = four_tokens().await;
    let serving = Serving::before(&[&server]).await;
    let keys = aicockpit_broker::Keys::default();
    keys.issue("ws").expect("a key");
    let names =
        |broker: &Broker| -> Vec<String> { broker.owners().into_iter().map(|owner| owner.owner).collect() };
    let _door = serving.broker.side_door(serving.address, keys.clone());
    assert_eq!(names(&serving.broker), ["test", "ws"]);
    keys.revoke_owner("ws");
    assert_eq!(names(&serving.broker), ["test"]);
}
