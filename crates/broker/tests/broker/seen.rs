//! What can be seen of requests afterwards: the ledger, figures for Prometheus, and what is kept of them.

use crate::common::client::{self, ask};
use crate::common::script::{self, Server, chunk, event, json_answer, send, whole_stream};
use crate::common::{Serving, TestSecrets, settings, soon};
use aicockpit_broker::{Broker, Limits, Options, UsageLedger};
use aicockpit_protocol::broker::BrokerSettings;
use aicockpit_protocol::usage::{RequestEnd, RequestsQuery, UsageBy, UsageQuery, UsageStep};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const CHAT: &str = "/v1/chat/completions";

/// OpenMetrics, read strictly: the type of each family, and the value of each series.
fn parse(text: &str) -> (HashMap<String, String>, HashMap<String, f64>) {
    let (mut types, mut helps, mut series) = (HashMap::new(), HashMap::new(), HashMap::new());
    let mut lines = text.lines();
    for line in lines.by_ref() {
        if line == "# EOF" {
            break;
        }
        if let Some(rest) = line.strip_prefix("# ") {
            let (kind, rest) = rest.split_once(' ').expect("a kind");
            let (name, rest) = rest.split_once(' ').expect("a name");
            match kind {
                "HELP" => drop(helps.insert(name.to_owned(), rest.to_owned())),
                "TYPE" => {
                    assert!(["counter", "gauge", "histogram"].contains(&rest), "{line}");
                    assert_eq!(types.insert(name.to_owned(), rest.to_owned()), None, "{name} stands once");
                }
                "UNIT" => assert!(name.ends_with(rest), "{line}"),
                _ => panic!("{line}"),
            }
            continue;
        }
        let (labelled, value) = line.rsplit_once(' ').expect("a value");
        let value = value.parse().expect("a number");
        let name = labelled.split_once('{').map_or(labelled, |(name, _)| name);
        let family = ["_total", "_bucket", "_sum", "_count"]
            .iter()
            .filter_map(|end| name.strip_suffix(end))
            .find(|family| types.contains_key(*family))
            .unwrap_or(name);
        assert!(types.contains_key(family) && helps.contains_key(family), "{line} is of no family");
        if let Some((_, labels)) = labelled.split_once('{') {
            assert!(labels.ends_with("\"}"), "{line}");
        }
        assert_eq!(series.insert(labelled.to_owned(), value), None, "{labelled} stands once");
    }
    assert_eq!(lines.next(), None, "it ends with its end");
    (types, series)
}

#[tokio::test]
async fn figures_tell_of_real_requests() {
    let server = Server::start(|came| match came.json()["stream"].as_bool() {
        Some(true) => whole_stream(),
        _ => vec![send(json_answer(200, script::COMPLETION))],
    })
    .await;
    let mut serving = Serving::before(&[&server]).await;
    let (_, series) = parse(&serving.broker.metrics());
    // Now its list of models is known.
    serving.broker.backends().await;
    assert_eq!(series["aicockpit_broker_open_requests"], 0.0);
    for _ in 0..3 {
        ask(&serving, CHAT, r#"{"model":"m","stream":true}"#).await.body().await;
        serving.outcome().await;
    }
    ask(&serving, CHAT, r#"{"model":"m"}"#).await.body().await;
    serving.outcome().await;
    for number in 0..20 {
        // Names that clients make up are no labels.
        ask(&serving, CHAT, &format!(r#"{{"model":"b0/made up {number}"}}"#)).await.body().await;
        serving.outcome().await;
    }
    ask(&serving, CHAT, r#"{"model":"b0/real"}"#).await.body().await;
    serving.outcome().await;
    ask(&serving, CHAT, r#"{"model":"nowhere"}"#).await.body().await;
    serving.outcome().await;

    let (types, series) = parse(&serving.broker.metrics());
    assert_eq!(types["aicockpit_broker_requests"], "counter");
    let requests = |backend: &str, model: &str, end: &str| {
        let labels =
            format!(r#"endpoint="chat/completions",backend="{backend}",model="{model}",end="{end}""#);
        series.get(&format!("aicockpit_broker_requests_total{{{labels}}}")).copied()
    };
    assert_eq!(requests("b0", "m", "complete"), Some(4.0));
    assert_eq!(requests("b0", "other", "complete"), Some(20.0));
    assert_eq!(requests("b0", "real", "complete"), Some(1.0));
    assert_eq!(requests("", "other", "refused"), Some(1.0));
    let of = |name: &str, model: &str| {
        series[&format!(r#"aicockpit_broker_{name}{{backend="b0",model="{model}"}}"#)]
    };
    assert_eq!(of("input_tokens_total", "m"), 12.0);
    for histogram in ["request_duration_seconds", "overhead_seconds", "queue_wait_seconds"] {
        assert_eq!(types[&format!("aicockpit_broker_{histogram}")], "histogram");
        assert_eq!(of(&format!("{histogram}_count"), "m"), 4.0);
    }
    assert_eq!(of("time_to_first_token_seconds_count", "m"), 3.0, "streams only");
    let here = |name: &str| series[&format!(r#"aicockpit_broker_{name}{{backend="b0"}}"#)];
    assert_eq!((here("backend_up"), here("backend_requests_in_flight")), (1.0, 0.0));
    assert_eq!(series["aicockpit_broker_ledger_lost_requests_total"], 0.0);
    assert!(!serving.broker.metrics().contains("test"), "whose key it was is no label");
}

/// The status of a `GET`, and its body.
async fn get(address: std::net::SocketAddr, path: &str, headers: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let head = format!("GET {path} HTTP/1.1\r\n{headers}connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    soon("an answer", stream.read_to_string(&mut answer)).await.expect("read");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.split(' ').nth(1).expect("a status").parse().expect("a status"), body.to_owned())
}

#[tokio::test]
async fn figures_are_for_programs_that_mean_this_server() {
    let serving = Serving::with(BrokerSettings::default(), Limits::default()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let served = tokio::spawn({
        let (broker, stop) = (serving.broker.clone(), stop.clone());
        async move { broker.serve_metrics(listener, stop).await }
    });
    let own = format!("host: {address}\r\n");
    let (status, body) = get(address, "/metrics", &own).await;
    assert_eq!(status, 200);
    assert!(parse(&body).0.contains_key("aicockpit_broker_open_requests"));
    let refused = [
        ("/metrics", "host: evil.example\r\n".to_owned(), 403),
        ("/metrics", format!("{own}origin: http://evil.example\r\n"), 403),
        ("/metrics", format!("{own}origin: http://{address}\r\n"), 403),
        ("/v1/models", own.clone(), 404),
        ("/", own, 404),
    ];
    for (path, headers, wanted) in refused {
        let (status, body) = get(address, path, &headers).await;
        assert_eq!(status, wanted, "{path} {headers}");
        assert!(!body.contains("aicockpit_broker_"));
    }
    stop.cancel();
    soon("its end", served).await.expect("no panic").expect("served");
}

#[tokio::test]
async fn every_request_is_in_the_ledger_and_the_last_ones_can_be_looked_at() {
    let server = Server::start(|came| match came.json()["stream"].as_bool() {
        Some(true) => {
            let pieces = ["<ü", "€>"].map(|text| send(chunk(&event(text))));
            let mut acts = vec![send(script::STREAM)];
            acts.extend(pieces);
            acts.extend([send(chunk(script::LAST)), send(chunk(script::DONE)), send(script::END)]);
            acts
        }
        _ => vec![send(json_answer(400, r#"{"error":{"message":"no","type":"x"}}"#))],
    })
    .await;
    let mut settings = settings(&[&server]);
    settings.keep_prompts = true;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("usage.sqlite");
    let options = Options { ledger: UsageLedger::open(Some(path.clone())), ..Options::default() };
    let broker = Broker::new(settings.clone(), Arc::new(TestSecrets), options, None).expect("settings");
    let mut serving = Serving::of(broker).await;

    let question =
        r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"a secret question"}]}"#;
    let mut answer = ask(&serving, CHAT, question).await;
    let id = answer.header("x-request-id").expect("an id").to_owned();
    let whole = answer.body().await;
    let bad = ask(&serving, CHAT, r#"{"model":"m"}"#).await;
    assert_eq!(bad.status, 400);

    let broker = serving.broker.clone();
    let entries = move |query: RequestsQuery| {
        let broker = broker.clone();
        async move { tokio::task::spawn_blocking(move || broker.requests(&query)).await.expect("no panic") }
    };
    let found = soon("both requests in the ledger", async {
        loop {
            let found = entries(RequestsQuery::default()).await;
            if found.len() == 2 {
                return found;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!((found[1].request.as_str(), found[1].end), (id.as_str(), RequestEnd::Complete));
    assert_eq!((found[0].end, found[0].status), (RequestEnd::Refused, Some(400)));
    assert!(found.iter().all(|entry| entry.is_kept && entry.owner == "test"));
    assert!(found[1].total_ms >= found[1].before_ms + found[1].first_ms.expect("it began"));
    let kept = serving.broker.kept().get(&id).expect("it is kept");
    assert_eq!((kept.question.as_str(), kept.answer, kept.left_out), (question, whole, 0));

    let query = UsageQuery { from_ms: 0, to_ms: i64::MAX, by: UsageBy::Backend, step: UsageStep::Hour };
    let ledger = serving.broker.ledger().clone();
    let report = tokio::task::spawn_blocking(move || ledger.report(&query, "EUR")).await.expect("no panic");
    assert_eq!((report.total.requests, report.total.refused, report.total.output_tokens), (2, 1, 2));
    assert_eq!(report.groups[0].name, "b0");

    settings.keep_prompts = false;
    serving.broker.replace(settings).expect("settings");
    assert!(!serving.broker.kept().has(&id), "switched off, all is forgotten");
    assert!(entries(RequestsQuery::default()).await.iter().all(|entry| !entry.is_kept));
    ask(&serving, CHAT, question).await.body().await;
    serving.stop.cancel();
    soon("its end", &mut serving.ended).await.expect("no panic");
    drop(serving);
    let ledger = UsageLedger::open(Some(path));
    let found =
        soon("the ledger", tokio::task::spawn_blocking(move || ledger.requests(&RequestsQuery::default())));
    assert!(found.await.expect("no panic").len() >= 2);
    // Neither the file nor its log has a word of the question, the answer or the key.
    for file in std::fs::read_dir(folder.path()).expect("a folder") {
        let bytes = std::fs::read(file.expect("a file").path()).expect("read");
        for word in ["secret question", "€>", "sk-b0"] {
            assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word}");
        }
    }
}

/// Names and values of a span's fields.
#[derive(Default)]
struct Fields(HashMap<&'static str, String>);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

/// Hands the fields of each request's span to a test, once it is closed.
struct Spans(std::sync::mpsc::Sender<HashMap<&'static str, String>>);

impl<S> tracing_subscriber::Layer<S> for Spans
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    fn on_new_span(
        &self,
        attributes: &tracing::span::Attributes<'_>,
        id: &tracing::span::Id,
        context: tracing_subscriber::layer::Context<'_, S>,
    ) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        context.span(id).expect("a span").extensions_mut().insert(fields);
    }

    fn on_record(
        &self,
        id: &tracing::span::Id,
        values: &tracing::span::Record<'_>,
        context: tracing_subscriber::layer::Context<'_, S>,
    ) {
        let span = context.span(id).expect("a span");
        let mut extensions = span.extensions_mut();
        values.record(extensions.get_mut::<Fields>().expect("fields"));
    }

    fn on_close(&self, id: tracing::span::Id, context: tracing_subscriber::layer::Context<'_, S>) {
        let span = context.span(&id).expect("a span");
        let name = span.metadata().name();
        if let (true, Some(fields)) = (name == "request", span.extensions_mut().remove::<Fields>()) {
            let _ = self.0.send(fields.0);
        }
    }
}

#[tokio::test]
async fn each_request_is_a_span_and_traces_go_on_at_the_backend() {
    use tracing_subscriber::layer::SubscriberExt as _;
    let (told, spans) = std::sync::mpsc::channel();
    // This test's thread does all of its work.
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(Spans(told)));
    let server = Server::start(|_| vec![send(json_answer(200, script::COMPLETION))]).await;
    let mut serving = Serving::before(&[&server]).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let body = r#"{"model":"m"}"#;
    let more = format!("traceparent: {trace}\r\ntracestate: a=b\r\ncontent-length: {}\r\n", body.len());
    let head = client::head(serving.address, &serving.key, CHAT, &more);
    let mut answer = client::raw(&serving, [head.as_bytes(), body.as_bytes()].concat().as_slice()).await;
    let id = answer.header("x-request-id").expect("an id").to_owned();
    answer.body().await;
    serving.outcome().await;
    let came = server.came().remove(0);
    assert_eq!((came.header("traceparent"), came.header("tracestate")), (Some(trace), Some("a=b")));
    let span = spans.try_iter().find(|span| span.get("request") == Some(&id)).expect("its span has ended");
    let field = |name: &str| span.get(name).map(String::as_str);
    assert_eq!(
        (field("owner"), field("model"), field("endpoint")),
        (Some("test"), Some("m"), Some("\"chat/completions\""))
    );
    assert_eq!((field("backend"), field("backend_model")), (Some("\"b0\""), Some("\"real\"")));
    assert_eq!(
        (field("end"), field("status"), field("output_tokens")),
        (Some("\"complete\""), Some("200"), Some("1"))
    );
}
