//! Backends that misbehave, and clients that leave: cases 21 and 22.

use crate::common::client::{self, ask, last_error};
use crate::common::script::{self, Act, Came, Server, answer, chunk, event, json_answer, send, whole_stream};
use crate::common::{Gate, Serving, settings, soon};
use aicockpit_broker::{End, Limits};
use aicockpit_protocol::broker::BackendHealth;

const CHAT: &str = "/v1/chat/completions";
const STREAMED: &str = r#"{"model":"m","stream":true}"#;
const PLAIN: &str = r#"{"model":"m"}"#;

fn good(_: &Came) -> Vec<Act> {
    vec![send(json_answer(200, script::COMPLETION))]
}

/// A stream that ends as `acts` say after its first event: what the client gets, and how it ended.
async fn ended_by(path: &str, acts: Vec<Act>) -> (String, End) {
    let server = Server::start(move |_| {
        [vec![send(script::STREAM), send(chunk(&event("one")))], acts.clone()].concat()
    })
    .await;
    let mut settings = settings(&[&server]);
    settings.idle_seconds = 1;
    let mut serving = Serving::with(settings, Limits::default()).await;
    let got = ask(&serving, path, STREAMED).await.body().await;
    let outcome = serving.outcome().await;
    assert_eq!(
        (outcome.attempts, server.asked()),
        (1, 1),
        "an answer that has begun is never asked for again"
    );
    assert_eq!(serving.in_flight().await, 0);
    assert!(got.starts_with(&event("one")), "what came is passed on: {got}");
    (got, outcome.end)
}

#[tokio::test]
async fn a_stream_that_is_not_whole_ends_with_an_error() {
    let partial = send(chunk("data: {\"choices\":[{\"delta\":{\"content\":\"tw"));
    let unended = send(chunk("data: {\"choices\":[]}\n"));
    let cases = [
        ("closed", vec![Act::Close], End::Cut, "backend_closed"),
        ("reset", vec![Act::Reset], End::Cut, "backend_closed"),
        ("closed in a line", vec![partial.clone(), Act::Close], End::Cut, "backend_closed"),
        ("closed in an event", vec![unended, Act::Close], End::Cut, "backend_closed"),
        ("ended without [DONE]", vec![send(script::END)], End::Cut, "backend_closed"),
        ("ended in a line", vec![partial, send(script::END)], End::Cut, "backend_closed"),
        ("broken chunk", vec![send("zz\r\n")], End::Cut, "backend_closed"),
        ("stalled", vec![Act::Hang], End::Stalled, "backend_stalled"),
    ];
    for (name, acts, wanted, code) in cases {
        let (got, end) = ended_by(CHAT, acts).await;
        assert_eq!(end, wanted, "{name}");
        let error = last_error(&got).unwrap_or_else(|| panic!("{name}: no error at the end of {got}"));
        assert_eq!((&error["code"], &error["type"]), (&code.into(), &"server_error".into()), "{name}");
        for event in got.split("\n\n").filter(|event| !event.trim().is_empty()) {
            let data = event.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
            serde_json::from_str::<serde_json::Value>(data).unwrap_or_else(|error| {
                panic!("{name}: no half event reaches the client: {error} in {data}")
            });
        }
    }
}

#[tokio::test]
async fn a_response_stream_that_is_not_whole_ends_with_its_own_error() {
    let (got, end) = ended_by("/v1/responses", vec![Act::Close]).await;
    assert_eq!(end, End::Cut);
    assert!(got.contains("event: error\n") && last_error(&got).is_some(), "{got}");
    let completed =
        "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\"}}\n\n";
    let (got, end) = ended_by("/v1/responses", vec![send(chunk(completed)), send(script::END)]).await;
    assert_eq!(end, End::Complete);
    assert!(got.ends_with(completed));
}

#[tokio::test]
async fn malformed_events_pass_and_are_noted() {
    let wrong = "nonsense\n\ndata: {\"cut\n\n";
    let server = Server::start(move |_| {
        let mut acts = whole_stream();
        acts.insert(2, send(chunk(wrong)));
        acts
    })
    .await;
    let mut serving = Serving::before(&[&server]).await;
    let got = ask(&serving, CHAT, STREAMED).await.body().await;
    assert!(got.contains(wrong) && got.ends_with(script::DONE));
    let outcome = serving.outcome().await;
    assert_eq!((outcome.end, outcome.malformed), (End::Complete, 2));
}

#[tokio::test]
async fn an_error_that_the_backend_tells_in_its_stream_is_the_last_word() {
    let told = "data: {\"error\":{\"message\":\"out of memory\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n";
    let (got, end) = ended_by(CHAT, vec![send(chunk(told)), Act::Close]).await;
    assert_eq!(end, End::ToldError);
    assert!(got.ends_with(told), "no second error: {got}");
}

#[tokio::test]
async fn a_backend_that_stays_after_done_does_not_hold_the_client() {
    let (got, end) =
        ended_by(CHAT, vec![send(chunk(script::LAST)), send(chunk(script::DONE)), Act::Hang]).await;
    assert_eq!(end, End::Complete);
    assert!(got.ends_with(script::DONE));
}

#[tokio::test]
async fn a_plain_answer_that_breaks_off_is_an_error_and_not_half_an_answer() {
    let server = Server::start(|_| {
        vec![send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"choices\""), Act::Close]
    })
    .await;
    let mut serving = Serving::before(&[&server]).await;
    let mut got = ask(&serving, CHAT, PLAIN).await;
    assert_eq!(got.status, 502);
    assert_eq!(got.error().await.0, "backend_closed");
    assert_eq!((serving.outcome().await.end, server.asked()), (End::Cut, 1));
}

#[tokio::test]
async fn a_fault_of_the_clients_passes_in_the_backends_words() {
    let too_long = r#"{"error":{"message":"maximum context length is 4096 tokens","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#;
    let cases = [
        (400, too_long, "context_length_exceeded", "maximum context length is 4096 tokens"),
        (400, r#"{"error":"model is gone"}"#, "", "`b0` answered 400 Bad Request: model is gone"),
        (401, "{\"detail\":\"no\"}", "backend_refused_key", "`b0` answered 401 Unauthorized: no"),
        (422, "plain words", "", "`b0` answered 422 Unprocessable Entity: plain words"),
    ];
    for (status, body, code, message) in cases {
        let server = Server::start(move |_| vec![send(json_answer(status, body))]).await;
        let other = Server::start(good).await;
        let mut serving = Serving::with(
            {
                let mut settings = settings(&[&server, &other]);
                settings.aliases[0].targets[1].priority = 1;
                settings
            },
            Limits::default(),
        )
        .await;
        let mut got = ask(&serving, CHAT, STREAMED).await;
        assert_eq!(got.status, status);
        assert_eq!(got.error().await, (code.to_owned(), message.to_owned()));
        assert_eq!((other.asked(), serving.outcome().await.end), (0, End::Refused));
    }
}

#[tokio::test]
async fn before_the_first_byte_the_next_backend_is_asked() {
    let cases: Vec<(&str, Vec<Act>)> = vec![
        ("closed", vec![Act::Close]),
        ("reset", vec![Act::Reset]),
        ("500", vec![send(json_answer(500, r#"{"error":"oh"}"#))]),
        ("503", vec![send(json_answer(503, "loading"))]),
        ("429 for long", vec![send(answer(429, &[("retry-after", "600")], "{}"))]),
        ("a redirect", vec![send(answer(302, &[("location", "http://127.0.0.1:1/")], ""))]),
        ("a stream without an event", vec![send(script::STREAM), Act::Close]),
        ("a stream with nothing in it", vec![send(script::STREAM), send(script::END)]),
        ("a stall", vec![Act::Hang]),
        ("a stall after the head", vec![send(script::STREAM), Act::Hang]),
        ("nonsense", vec![send("SSH-2.0-OpenSSH_9.9\r\n"), Act::Close]),
    ];
    for (name, acts) in cases {
        let bad = Server::start(move |_| acts.clone()).await;
        let well = Server::start(|_| whole_stream()).await;
        let mut settings = settings(&[&bad, &well]);
        settings.first_byte_seconds = 1;
        settings.aliases[0].targets[1].priority = 1;
        let mut serving = Serving::with(settings, Limits::default()).await;
        let mut got = ask(&serving, CHAT, STREAMED).await;
        assert_eq!(got.status, 200, "{name}");
        assert!(got.body().await.ends_with(script::DONE), "{name}");
        let outcome = serving.outcome().await;
        assert_eq!((outcome.end, outcome.attempts), (End::Complete, 2), "{name}");
        assert_eq!((bad.asked(), well.asked()), (1, 1), "{name}");
        assert_eq!(serving.in_flight().await, 0, "{name}");
    }
}

#[tokio::test]
async fn the_only_backend_is_asked_twice_where_that_may_help() {
    let once = |first: Vec<Act>| {
        let asked = std::sync::atomic::AtomicUsize::new(0);
        move |_: &Came| match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => first.clone(),
            _ => vec![send(json_answer(200, script::COMPLETION))],
        }
    };
    for (name, first, status, asked) in [
        ("closed", vec![Act::Close], 200, 2),
        ("503", vec![send(json_answer(503, "loading"))], 200, 2),
        ("429 for a moment", vec![send(answer(429, &[("retry-after", "0.01")], "{}"))], 200, 2),
        ("429 for long", vec![send(answer(429, &[("retry-after", "30")], "{}"))], 429, 1),
        ("500", vec![send(json_answer(500, "oh"))], 500, 1),
        ("501", vec![send(json_answer(501, "no such path"))], 501, 1),
    ] {
        let server = Server::start(once(first)).await;
        let serving = Serving::before(&[&server]).await;
        let mut got = ask(&serving, CHAT, PLAIN).await;
        assert_eq!((got.status, server.asked()), (status, asked), "{name}");
        if status == 429 {
            assert_eq!(got.header("retry-after"), Some("30"));
        }
        if status != 200 {
            assert!(got.error().await.1.contains("b0"), "{name}");
        }
        if name == "501" {
            let state = &serving.broker.backends().await[0];
            assert_eq!(state.health, BackendHealth::Ready, "what it does not know is no fault");
        }
    }
}

#[tokio::test]
async fn a_backend_that_is_not_there_is_named_and_asked_last_until_it_returns() {
    let dead = Server::start(good).await;
    let well = Server::start(good).await;
    dead.refuse(true);
    let mut serving = Serving::before(&[&dead, &well]).await;
    for _ in 0..10 {
        assert_eq!(ask(&serving, CHAT, PLAIN).await.status, 200);
        serving.outcome().await;
    }
    assert_eq!((dead.asked(), well.asked()), (0, 10));
    dead.refuse(false);
    soon("the backend's return", async {
        while dead.asked() == 0 {
            assert_eq!(ask(&serving, CHAT, PLAIN).await.status, 200);
        }
    })
    .await;

    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = format!("http://{}/v1", listener.local_addr().expect("an address"));
    drop(listener);
    let mut settings = settings(&[&dead]);
    settings.backends[0].url = nobody.clone();
    serving.broker.replace(settings).expect("settings");
    let mut got = ask(&serving, CHAT, PLAIN).await;
    assert_eq!(got.status, 502);
    let (code, message) = got.error().await;
    assert!(
        code == "backend_unreachable" && message.contains(&nobody) && message.contains("refused"),
        "{message}"
    );
    let mut unknown = ask(&serving, CHAT, r#"{"model":"other"}"#).await;
    assert_eq!((unknown.status, unknown.error().await.0.as_str()), (503, "backend_unreachable"));
}

#[tokio::test]
async fn a_client_that_leaves_takes_the_backends_connection_with_it() {
    // The backend waits at three places: before its head, after it, in the middle of the answer.
    let head = send(script::STREAM);
    let first = send(chunk(&event("one")));
    let cases: [(&str, Vec<Act>, bool); 4] = [
        ("before the head", vec![], false),
        ("after the head", vec![head.clone()], false),
        ("in the middle", vec![head, first], true),
        ("in a plain answer", vec![send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1234")], false),
    ];
    for (name, mut acts, begun) in cases {
        acts.push(Act::Wait(Gate::default()));
        let server = Server::start(move |_| acts.clone()).await;
        let mut serving = Serving::before(&[&server]).await;
        let stream = client::open(&serving, CHAT, STREAMED).await;
        if begun {
            let mut answer = client::Answer::read(stream).await.expect("a head");
            answer.part().await;
            assert_eq!(server.open(), 1, "{name}");
            drop(answer);
        } else {
            soon("the question", async {
                while server.asked() == 0 {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            drop(stream);
        }
        server.until_open(0).await;
        let outcome = serving.outcome().await;
        assert_eq!(outcome.end, End::Cancelled, "{name}");
        assert_eq!((serving.in_flight().await, serving.broker.counts().open), (0, 0), "{name}");
    }
}
