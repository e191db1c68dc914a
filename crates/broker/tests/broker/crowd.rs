//! Many at once: nothing is left behind.

use crate::common::client::ask;
use crate::common::script::{self, Act, Server};
use crate::common::{Gate, Serving, allow_many_descriptors, sockets, soon, until_closed};

const CHAT: &str = "/v1/chat/completions";
const STREAMED: &str = r#"{"model":"m","stream":true}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_streams_at_once_come_whole_and_leave_nothing() {
    const MANY: usize = 1000;
    allow_many_descriptors();
    let gate = Gate::default();
    let server = Server::start({
        let gate = gate.clone();
        move |_| {
            let mut acts = script::whole_stream();
            acts.insert(2, Act::Wait(gate.clone()));
            acts
        }
    })
    .await;
    let serving = Serving::before(&[&server]).await;
    let mut answers = Vec::new();
    for _ in 0..MANY {
        let mut answer = ask(&serving, CHAT, STREAMED).await;
        answer.part().await.expect("the first event");
        answers.push(answer);
    }
    assert_eq!((serving.in_flight().await, serving.broker.counts().open), (MANY as u32, MANY as u64));
    let ports = [serving.address.port(), server.address.port()];
    assert!(sockets(&ports) >= 4 * MANY, "both ends of both connections of each are ours: the count counts");
    gate.open();
    for answer in &mut answers {
        assert!(answer.body().await.ends_with(script::DONE));
    }
    drop(answers);
    soon("the end of each request", async {
        while serving.broker.counts().open > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let counts = serving.broker.counts();
    assert_eq!(counts.complete, MANY as u64);
    assert_eq!((counts.input_tokens, counts.output_tokens), (3 * MANY as u64, 2 * MANY as u64));
    assert_eq!(serving.in_flight().await, 0);
    drop((serving, server));
    until_closed(&ports).await;
}
