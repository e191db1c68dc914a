//! Case 23: offline, nothing leaves this machine. Checked at a listener on an address that is not loopback's.

use crate::common::client::{ask, last_error};
use crate::common::script::{self, Act, Server, chunk, event, json_answer, send};
use crate::common::{Gate, Serving, own_address, settings, until};
use aicockpit_broker::{End, Limits, Options};
use aicockpit_protocol::broker::BackendHealth;

const CHAT: &str = "/v1/chat/completions";
const PLAIN: &str = r#"{"model":"m"}"#;
const STREAMED: &str = r#"{"model":"m","stream":true}"#;

async fn far(script: impl Fn(&script::Came) -> Vec<Act> + Send + Sync + 'static) -> Server {
    Server::start_at(own_address(), script).await
}

fn good(_: &script::Came) -> Vec<Act> {
    vec![send(json_answer(200, script::COMPLETION))]
}

#[tokio::test]
async fn what_is_not_near_is_refused_with_a_sentence_and_gets_no_connection() {
    let server = far(good).await;
    let mut settings = settings(&[&server]);
    settings.backends[0].name = "gateway".to_owned();
    let mut serving = Serving::with_options(settings, Options { offline: true, ..Options::default() }).await;
    assert!(serving.broker.is_offline());
    for (name, says) in [
        ("m", "`gateway` is not on this machine, and AiCockpit is offline. Switch offline off"),
        ("gateway/any", "`gateway` is not on this machine"),
        (
            "never-listed",
            "The model `never-listed` is not known on this machine. `gateway` is not on this machine",
        ),
    ] {
        let mut refused = ask(&serving, CHAT, &format!(r#"{{"model":"{name}"}}"#)).await;
        assert_eq!(refused.status, 503);
        let (code, message) = refused.error().await;
        assert_eq!(code, "offline");
        assert!(message.starts_with(says), "{message}");
        let outcome = serving.outcome().await;
        assert_eq!((outcome.end, outcome.attempts), (End::Failed, 0));
    }
    // Nothing else asks it either.
    serving.broker.check_backend("b0").await;
    let state = serving.broker.backends().await.remove(0);
    assert!(matches!(state.health, BackendHealth::Failing { why, .. } if why.contains("is offline")));
    assert_eq!(server.connections(), 0);
    assert!(serving.broker.offline_refusals() > 0, "the list of models was asked for, and refused");

    serving.broker.set_offline(false);
    assert_eq!(ask(&serving, CHAT, PLAIN).await.status, 200, "nothing of it is remembered as a failure");
    assert!(server.connections() > 0, "the listener would have seen it");
    assert_eq!(serving.broker.backends().await[0].health, BackendHealth::Ready);
}

#[tokio::test]
async fn models_of_this_machine_take_the_place_of_others() {
    let (gateway, local) = (far(good).await, Server::start(good).await);
    let mut settings = settings(&[&gateway, &local]);
    settings.aliases[0].targets[1].priority = 1;
    settings.backends[1].url = settings.backends[1].url.replace("127.0.0.1", "models.localhost");
    let mut serving = Serving::with(settings, Limits::default()).await;
    assert_eq!(ask(&serving, CHAT, PLAIN).await.status, 200);
    serving.outcome().await;
    assert_eq!((gateway.asked(), local.asked()), (1, 0));
    serving.broker.set_offline(true);
    // The connection that was kept for the next request is closed.
    gateway.until_open(0).await;
    let connections = gateway.connections();
    for _ in 0..3 {
        assert_eq!(ask(&serving, CHAT, PLAIN).await.status, 200);
        assert_eq!(serving.outcome().await.attempts, 1);
    }
    assert_eq!((gateway.asked(), local.asked(), gateway.connections()), (1, 3, connections));
}

#[tokio::test]
async fn a_stream_from_elsewhere_ends_at_once_and_a_local_one_goes_on() {
    let gate = Gate::default();
    let script = |gate: Gate| {
        move |_: &script::Came| {
            let mut acts = script::whole_stream();
            acts.insert(2, Act::Wait(gate.clone()));
            acts
        }
    };
    let (gateway, local) = (far(script(Gate::default())).await, Server::start(script(gate.clone())).await);
    let mut serving = Serving::with(settings(&[&gateway, &local]), Limits::default()).await;
    let mut from_far = ask(&serving, CHAT, r#"{"model":"b0/real","stream":true}"#).await;
    let mut from_near = ask(&serving, CHAT, r#"{"model":"b1/real","stream":true}"#).await;
    assert_eq!(from_far.part().await, Some(event("one")));
    assert_eq!(from_near.part().await, Some(event("one")));
    serving.broker.set_offline(true);
    gateway.until_open(0).await;
    let error = last_error(&from_far.body().await).expect("an error at the end");
    assert_eq!(error["code"], "offline");
    assert!(error["message"].as_str().is_some_and(|message| message.contains("`b0` is not on this machine")));
    assert_eq!(serving.outcome().await.end, End::Cut);
    gate.open();
    assert!(from_near.body().await.ends_with(script::DONE));
    assert_eq!(serving.outcome().await.end, End::Complete);
}

#[tokio::test]
async fn a_request_on_its_way_elsewhere_ends_at_once() {
    let gateway = far(|_| vec![Act::Wait(Gate::default())]).await;
    let mut serving = Serving::with(settings(&[&gateway]), Limits::default()).await;
    let (mut refused, ()) = tokio::join!(ask(&serving, CHAT, PLAIN), async {
        until("the question", || gateway.asked() == 1).await;
        serving.broker.set_offline(true);
    });
    assert_eq!((refused.status, refused.error().await.0.as_str()), (503, "offline"));
    gateway.until_open(0).await;
    assert_eq!(serving.outcome().await.end, End::Failed);
}

#[tokio::test]
async fn a_stream_that_nobody_reads_is_closed_too() {
    // Far more than the buffers between us and the client hold.
    let line = event(&"x".repeat(60_000));
    let gateway = far(move |_| {
        let mut acts = vec![send(script::STREAM)];
        acts.extend((0..2000).map(|_| send(chunk(&line))));
        acts.push(Act::Hang);
        acts
    })
    .await;
    let serving = Serving::with(settings(&[&gateway]), Limits::default()).await;
    let answer = ask(&serving, CHAT, STREAMED).await;
    let port = gateway.address.port();
    until("the stream to stand still", || unread(port) > 50_000).await;
    assert_eq!(gateway.open(), 1);
    serving.broker.set_offline(true);
    gateway.until_open(0).await;
    drop(answer);
}

/// Bytes that have come from this port and that nobody has read.
fn unread(port: u16) -> u64 {
    let table = std::fs::read_to_string("/proc/self/net/tcp").expect("/proc");
    let waiting = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, from) = fields.get(2)?.split_once(':')?;
        let is_from = u16::from_str_radix(from, 16).ok()? == port;
        is_from.then(|| u64::from_str_radix(fields[4].split_once(':')?.1, 16).ok())?
    };
    table.lines().skip(1).filter_map(waiting).sum()
}
