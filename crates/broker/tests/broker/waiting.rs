//! Where every server is full, requests wait in order.

use crate::common::client::{self, Answer, ask};
use crate::common::script::{self, Act, Came, Server, json_answer, send};
use crate::common::{Gate, Serving, settings, soon, until};
use aicockpit_broker::{End, Limits};
use aicockpit_protocol::broker::BrokerSettings;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpStream;

const CHAT: &str = "/v1/chat/completions";

/// A server that answers each question when the test lets it.
struct Slow {
    server: Server,
    gates: Arc<Mutex<Vec<Gate>>>,
}

impl Slow {
    async fn start() -> Self {
        let gates = Arc::new(Mutex::new(Vec::new()));
        let server = Server::start({
            let gates = Arc::clone(&gates);
            move |_: &Came| {
                let gate = Gate::default();
                gates.lock().expect("unpoisoned").push(gate.clone());
                vec![Act::Wait(gate), send(json_answer(200, script::COMPLETION))]
            }
        })
        .await;
        Self { server, gates }
    }

    async fn until_asked(&self, times: usize) {
        until("a question", || self.server.asked() == times).await;
    }

    async fn answer(&self, which: usize) {
        let gate = || self.gates.lock().expect("unpoisoned").get(which).cloned();
        until("the question", || gate().is_some()).await;
        gate().expect("it is there").open();
    }

    /// What the questions said, in the order in which they came.
    fn said(&self) -> Vec<i64> {
        self.server.came().iter().map(|came| came.json()["n"].as_i64().expect("a number")).collect()
    }
}

fn narrow(servers: &[&Slow]) -> BrokerSettings {
    let servers: Vec<&Server> = servers.iter().map(|slow| &slow.server).collect();
    let mut settings = settings(&servers);
    for backend in &mut settings.backends {
        backend.max_parallel = Some(1);
    }
    settings
}

async fn open(serving: &Serving, number: usize) -> TcpStream {
    client::open(serving, CHAT, &format!(r#"{{"model":"m","n":{number}}}"#)).await
}

async fn until_queued(serving: &Serving, backend: usize, wanted: u32) {
    soon("the queue", async {
        while serving.broker.backends().await[backend].queued != wanted {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn status(stream: TcpStream) -> u16 {
    soon("an answer", Answer::read(stream)).await.expect("an answer").status
}

#[tokio::test]
async fn those_who_wait_are_served_in_order_and_who_leaves_is_not() {
    let slow = Slow::start().await;
    let mut serving = Serving::with(narrow(&[&slow]), Limits::default()).await;
    let mut streams = Vec::new();
    for number in 0..5 {
        streams.push(Some(open(&serving, number).await));
        match number {
            0 => slow.until_asked(1).await,
            _ => until_queued(&serving, 0, number as u32).await,
        }
    }
    assert_eq!((serving.in_flight().await, slow.server.asked()), (1, 1));
    // The second one leaves the queue at once.
    drop(streams[2].take());
    let gone = serving.outcome().await;
    assert_eq!((gone.end, gone.attempts, gone.estimate), (End::Cancelled, 0, None));
    until_queued(&serving, 0, 3).await;
    for (at, number) in [0, 1, 3, 4].into_iter().enumerate() {
        slow.answer(at).await;
        assert_eq!(status(streams[number].take().expect("open")).await, 200);
        let outcome = serving.outcome().await;
        assert_eq!(outcome.end, End::Complete);
        assert_eq!(outcome.queued > Duration::ZERO, number > 0, "{:?}", outcome.queued);
        assert!(outcome.queued <= outcome.before);
        if at < 3 {
            slow.until_asked(at + 2).await;
        }
    }
    assert_eq!(slow.said(), [0, 1, 3, 4]);
    assert_eq!(serving.in_flight().await, 0);
}

#[tokio::test]
async fn the_first_place_at_any_server_is_taken() {
    let slow = [Slow::start().await, Slow::start().await];
    let mut serving = Serving::with(narrow(&[&slow[0], &slow[1]]), Limits::default()).await;
    let held = [open(&serving, 0).await, open(&serving, 1).await];
    until("both questions", || slow.iter().all(|slow| slow.server.asked() == 1)).await;
    let waits = open(&serving, 2).await;
    until_queued(&serving, 0, 1).await;
    until_queued(&serving, 1, 1).await;
    slow[1].answer(0).await;
    slow[1].until_asked(2).await;
    until_queued(&serving, 0, 0).await;
    slow[1].answer(1).await;
    assert_eq!(status(waits).await, 200);
    slow[0].answer(0).await;
    for stream in held {
        assert_eq!(status(stream).await, 200);
    }
    for _ in 0..3 {
        assert_eq!(serving.outcome().await.end, End::Complete);
    }
    assert_eq!(slow.each_ref().map(|slow| slow.server.asked()), [1, 2]);
}

#[tokio::test]
async fn who_waits_too_long_is_refused() {
    let slow = Slow::start().await;
    let mut settings = narrow(&[&slow]);
    settings.queue_seconds = 1;
    let mut serving = Serving::with(settings, Limits::default()).await;
    let held = open(&serving, 0).await;
    slow.until_asked(1).await;
    let mut refused = ask(&serving, CHAT, r#"{"model":"m","n":1}"#).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    let (code, message) = refused.error().await;
    assert!(code == "rate_limit_exceeded" && message.contains("none ended within 1 seconds"), "{message}");
    let outcome = serving.outcome().await;
    assert_eq!((outcome.end, outcome.attempts), (End::Refused, 0));
    assert!(outcome.queued >= Duration::from_secs(1));
    slow.answer(0).await;
    assert_eq!(status(held).await, 200);
    until_queued(&serving, 0, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_wait_than_may() {
    const MOST: usize = 1024;
    crate::common::allow_many_descriptors();
    let slow = Slow::start().await;
    let serving = Serving::with(narrow(&[&slow]), Limits::default()).await;
    let held = open(&serving, 0).await;
    slow.until_asked(1).await;
    let mut waiting = Vec::new();
    for number in 1..=MOST {
        waiting.push(open(&serving, number).await);
    }
    until_queued(&serving, 0, MOST as u32).await;
    let mut refused = ask(&serving, CHAT, r#"{"model":"m","n":0}"#).await;
    assert_eq!(refused.status, 429);
    assert!(refused.error().await.1.contains("1024 requests wait already"));
    drop(waiting);
    until_queued(&serving, 0, 0).await;
    let next = open(&serving, 1).await;
    until_queued(&serving, 0, 1).await;
    slow.answer(0).await;
    slow.until_asked(2).await;
    slow.answer(1).await;
    assert_eq!((status(held).await, status(next).await), (200, 200));
}
