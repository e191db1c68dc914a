//! Servers of this machine, over Unix sockets: started when they are asked, and kept as long as they are used.

use crate::common::client::{self, ask};
use crate::common::script::{COMPLETION, DONE, LAST, event};
use crate::common::{Gate, Serving, alias, settings, soon, until};
use aicockpit_broker::{End, InUse, LocalBackend, OnDemand, Options};
use aicockpit_protocol::broker::{BackendHealth, BackendKind, BrokerSettings};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::FutureExt as _;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::UnixListener;

const CHAT: &str = "/v1/chat/completions";
const PLAIN: &str = r#"{"model":"tiny"}"#;

/// Keys and bodies of questions.
type Questions = Arc<Mutex<Vec<(Option<String>, serde_json::Value)>>>;

/// Starts a real server on its socket when it is asked.
struct Machine {
    folder: tempfile::TempDir,
    /// It loads until this opens.
    loaded: Gate,
    /// A stream's end waits for this.
    ended: Gate,
    starts: AtomicUsize,
    /// Calls of `ready` that have not come back.
    waiting: Arc<AtomicUsize>,
    in_use: Arc<AtomicUsize>,
    broken: bool,
    asked: Questions,
}

/// Counts as long as it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Machine {
    fn new(is_loaded: bool, broken: bool) -> Arc<Self> {
        let machine = Self {
            folder: tempfile::tempdir().expect("a folder"),
            loaded: Gate::default(),
            ended: Gate::default(),
            starts: AtomicUsize::new(0),
            waiting: Arc::default(),
            in_use: Arc::default(),
            broken,
            asked: Arc::default(),
        };
        if is_loaded {
            machine.loaded.open();
        }
        Arc::new(machine)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("tiny.sock")
    }

    fn backend(&self) -> LocalBackend {
        LocalBackend {
            id: "local-1".to_owned(),
            model: "tiny".to_owned(),
            kind: BackendKind::LlamaCpp,
            socket: self.socket(),
            key: Some("sk-of-the-server".to_owned().into()),
            max_parallel: None,
            enabled: true,
        }
    }

    fn in_use(&self) -> usize {
        self.in_use.load(Ordering::SeqCst)
    }

    fn start(&self) {
        if self.starts.fetch_add(1, Ordering::SeqCst) > 0 {
            return;
        }
        let router = Router::new()
            .route("/v1/chat/completions", post(answer))
            .route("/v1/models", get(async || r#"{"object":"list","data":[{"id":"/m/tiny.gguf"}]}"#))
            .route(
                "/props",
                get(async || r#"{"default_generation_settings":{"n_ctx":2048},"total_slots":2}"#),
            )
            .with_state((Arc::clone(&self.asked), self.ended.clone()));
        let listener = UnixListener::bind(self.socket()).expect("a socket");
        tokio::spawn(async move { axum::serve(listener, router).await });
    }
}

async fn answer(
    State((asked, ended)): State<(Questions, Gate)>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let streams = body["stream"] == true;
    let key = headers.get(header::AUTHORIZATION).map(|key| key.to_str().expect("text").to_owned());
    asked.lock().expect("unpoisoned").push((key, body));
    if !streams {
        return ([(header::CONTENT_TYPE, "application/json")], COMPLETION).into_response();
    }
    let rest = async move {
        ended.passed().await;
        Ok::<_, std::io::Error>([LAST, DONE].concat())
    };
    let events = futures::stream::iter([Ok(event("one"))]).chain(futures::stream::once(rest));
    ([(header::CONTENT_TYPE, "text/event-stream")], axum::body::Body::from_stream(events)).into_response()
}

impl OnDemand for Machine {
    fn ready<'a>(&'a self, backend: &'a str) -> BoxFuture<'a, Result<InUse, String>> {
        async move {
            assert_eq!(backend, "local-1");
            let _waiting = Counted::new(&self.waiting);
            let in_use = Counted::new(&self.in_use);
            self.loaded.passed().await;
            if self.broken {
                return Err(
                    "`tiny` does not start: there is no such file as tiny.gguf. Choose another.".to_owned()
                );
            }
            self.start();
            Ok(Box::new(in_use) as InUse)
        }
        .boxed()
    }
}

async fn serving(machine: &Arc<Machine>, settings: BrokerSettings) -> Serving {
    let on_demand: Arc<dyn OnDemand> = Arc::<Machine>::clone(machine);
    let options = Options {
        on_demand: Some(on_demand),
        local: vec![machine.backend()],
        offline: true,
        ..Options::default()
    };
    Serving::with_options(settings, options).await
}

#[tokio::test]
async fn a_server_that_sleeps_is_started_when_it_is_asked_and_answers() {
    let machine = Machine::new(true, false);
    let settings = BrokerSettings {
        aliases: vec![alias("fast", &[("local-1", "tiny", 0)])],
        ..BrokerSettings::default()
    };
    let mut serving = serving(&machine, settings.clone()).await;
    let before = serving.broker.backends().await.remove(0);
    assert_eq!((before.health, before.models[0].id.as_str()), (BackendHealth::Unknown, "tiny"));
    assert_eq!(machine.starts.load(Ordering::SeqCst), 0, "looking at it does not wake it");
    for name in ["tiny", "local-1/tiny", "fast"] {
        let mut answer = ask(&serving, CHAT, &format!(r#"{{"model":"{name}"}}"#)).await;
        assert_eq!((answer.status, answer.body().await.as_str()), (200, COMPLETION), "{name}");
        let outcome = serving.outcome().await;
        assert_eq!((outcome.end, outcome.attempts), (End::Complete, 1));
        assert_eq!(outcome.target.expect("a target").0, "local-1");
        assert_eq!(machine.in_use(), 0);
    }
    let (key, question) = machine.asked.lock().expect("unpoisoned").remove(0);
    assert_eq!((key.as_deref(), &question["model"]), (Some("Bearer sk-of-the-server"), &"tiny".into()));
    // Once it has answered it is asked what it can do, and keeps the name that we gave it.
    soon("what it says of itself", async {
        while serving.broker.backends().await[0].models[0].context_length.is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let after = serving.broker.backends().await.remove(0);
    assert_eq!((after.models[0].id.as_str(), after.abilities.slots), ("tiny", Some(2)));

    // It stays itself through other settings, and an alias to one that has gone leads nowhere.
    serving.broker.replace(settings).expect("settings");
    assert_eq!(serving.broker.backends().await[0].health, BackendHealth::Ready);
    serving.broker.set_local(Vec::new());
    assert!(serving.broker.backends().await.is_empty());
    assert_eq!(ask(&serving, CHAT, r#"{"model":"fast"}"#).await.status, 404);
}

#[tokio::test]
async fn it_is_held_until_the_answer_has_ended() {
    let machine = Machine::new(false, false);
    let mut serving = serving(&machine, BrokerSettings::default()).await;
    let asked = client::open(&serving, CHAT, r#"{"model":"tiny","stream":true}"#).await;
    until("the wait for it", || machine.waiting.load(Ordering::SeqCst) == 1).await;
    machine.loaded.open();
    let mut answer = soon("an answer", client::Answer::read(asked)).await.expect("an answer");
    assert_eq!(answer.part().await, Some(event("one")));
    assert_eq!(machine.in_use(), 1);
    machine.ended.open();
    assert!(answer.body().await.ends_with(DONE));
    let outcome = serving.outcome().await;
    assert_eq!(outcome.end, End::Complete);
    assert!(
        outcome.queued > Duration::ZERO && outcome.queued <= outcome.before,
        "loading is no work of ours"
    );
    assert_eq!(machine.in_use(), 0);
}

#[tokio::test]
async fn one_that_does_not_start_says_why_and_another_is_asked() {
    let machine = Machine::new(true, true);
    let mut serving = serving(&machine, BrokerSettings::default()).await;
    let mut refused = ask(&serving, CHAT, PLAIN).await;
    assert_eq!(refused.status, 503);
    let (code, message) = refused.error().await;
    assert_eq!(code, "backend_not_started");
    assert_eq!(message, "`tiny` does not start: there is no such file as tiny.gguf. Choose another.");
    let outcome = serving.outcome().await;
    assert_eq!((outcome.end, outcome.attempts, machine.in_use()), (End::Failed, 0, 0));

    let well = crate::common::script::Server::start(|_| crate::common::script::whole_stream()).await;
    let mut both = settings(&[&well]);
    both.aliases = vec![alias("m", &[("local-1", "tiny", 0), ("b0", "real", 1)])];
    serving.broker.replace(both).expect("settings");
    assert_eq!(ask(&serving, CHAT, r#"{"model":"m","stream":true}"#).await.status, 200);
    assert_eq!(well.asked(), 1);
}

#[tokio::test]
async fn one_that_takes_too_long_is_given_up() {
    let machine = Machine::new(false, false);
    let settings = BrokerSettings { first_byte_seconds: 1, ..BrokerSettings::default() };
    let serving = serving(&machine, settings).await;
    let mut refused = ask(&serving, CHAT, PLAIN).await;
    assert_eq!(refused.status, 503);
    assert!(refused.error().await.1.contains("did not start within 1s"));
    assert_eq!(machine.in_use(), 0);
}

#[tokio::test]
async fn a_client_that_leaves_while_it_loads_waits_no_more() {
    let machine = Machine::new(false, false);
    let mut serving = serving(&machine, BrokerSettings::default()).await;
    let stream = client::open(&serving, CHAT, PLAIN).await;
    until("the wait for it", || machine.waiting.load(Ordering::SeqCst) == 1).await;
    assert_eq!((machine.in_use(), serving.in_flight().await), (1, 1));
    drop(stream);
    let outcome = serving.outcome().await;
    assert_eq!((outcome.end, outcome.attempts, outcome.estimate), (End::Cancelled, 0, None));
    assert_eq!((machine.waiting.load(Ordering::SeqCst), machine.in_use()), (0, 0));
    assert_eq!((serving.in_flight().await, machine.starts.load(Ordering::SeqCst)), (0, 0));
}
