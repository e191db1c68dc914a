//! A backend killed under load: nothing is left behind.

use crate::common::client::{ask, last_error};
use crate::common::script::{self, Act, Server, chunk, event, send};
use crate::common::{Gate, Serving, allow_many_descriptors, until_closed};
use aicockpit_broker::{Counts, End};

const CHAT: &str = "/v1/chat/completions";
const STREAMED: &str = r#"{"model":"m","stream":true}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_killed_a_hundred_times_under_load_leaves_nothing() {
    const KILLS: usize = 100;
    const STREAMS: usize = 20;
    allow_many_descriptors();
    let server =
        Server::start(|_| vec![send(script::STREAM), send(chunk(&event("one"))), Act::Wait(Gate::default())])
            .await;
    let mut serving = Serving::before(&[&server]).await;
    for _ in 0..KILLS {
        let asked = futures::future::join_all((0..STREAMS).map(|_| async {
            let mut answer = ask(&serving, CHAT, STREAMED).await;
            assert_eq!(answer.part().await.as_deref(), Some(event("one").as_str()));
            answer
        }));
        let mut answers = asked.await;
        // A quarter of the clients leave at the same moment.
        answers.truncate(STREAMS * 3 / 4);
        server.kill_connections();
        for mut answer in answers {
            let rest = answer.body().await;
            assert_eq!(last_error(&rest).expect("an error")["code"], "backend_closed");
        }
        for _ in 0..STREAMS {
            let end = serving.outcome().await.end;
            assert!(matches!(end, End::Cut | End::Cancelled), "{end:?}");
        }
        assert_eq!(serving.in_flight().await, 0);
    }
    let Counts { open, cut, cancelled, .. } = serving.broker.counts();
    assert_eq!((open, cut + cancelled), (0, (KILLS * STREAMS) as u64));
    assert!(cut >= (KILLS * STREAMS * 3 / 4) as u64);
    let ports = [serving.address.port(), server.address.port()];
    drop((serving, server));
    until_closed(&ports).await;
}
