//! What the product asks itself.

use crate::common::script::{self, Act, Server, chunk, event, json_answer, send, whole_stream};
use crate::common::{Serving, soon};
use aicockpit_broker::End;
use futures::StreamExt as _;

#[tokio::test]
async fn a_question_of_our_own_goes_by_the_door_and_into_the_ledger() {
    let server = Server::start(|_| whole_stream()).await;
    let mut serving = Serving::before(&[&server]).await;
    let answer = serving.broker.ask("try", "m", "hello?").await.expect("an answer");
    let words: Vec<String> = answer.map(|piece| piece.expect("a piece")).collect().await;
    assert_eq!(words, ["one", "two"]);
    let came = &server.came()[0];
    assert_eq!(came.json()["messages"][0]["content"], "hello?");
    assert_eq!(came.header("authorization"), Some("Bearer sk-b0"), "the provider's key, not ours");
    let outcome = serving.outcome().await;
    assert_eq!((&*outcome.owner, outcome.end), ("try", End::Complete));
}

#[tokio::test]
async fn what_went_wrong_is_told_in_the_brokers_words() {
    let refusing = Server::start(|_| vec![send(json_answer(400, r#"{"error":"too long"}"#))]).await;
    let serving = Serving::before(&[&refusing]).await;
    let error = serving.broker.ask("try", "m", "hello?").await.err().expect("an error");
    assert_eq!(error.message, "`b0` answered 400 Bad Request: too long");
    let numbering = r#"{"error":{"code":400,"message":"no room","type":"invalid_request_error"}}"#;
    let numbered = Server::start(move |_| vec![send(json_answer(400, numbering))]).await;
    let counting = Serving::before(&[&numbered]).await;
    let error = counting.broker.ask("try", "m", "hello?").await.err().expect("an error");
    assert_eq!((error.message.as_str(), error.code), ("no room", None));
    let silent = Server::start(|_| vec![Act::Close]).await;
    let closed = Serving::before(&[&silent]).await;
    let error = closed.broker.ask("try", "m", "hello?").await.err().expect("an error");
    assert!(
        error.message.starts_with("`b0`") && error.code.is_some(),
        "a server's fault is a sentence too: {error:?}"
    );
    let error = serving.broker.ask("try", "nothing", "hello?").await.err().expect("an error");
    assert_eq!(error.code.as_deref(), Some("model_not_found"));

    let breaking =
        Server::start(|_| vec![send(script::STREAM), send(chunk(&event("one"))), Act::Close]).await;
    let serving = Serving::before(&[&breaking]).await;
    let answer = serving.broker.ask("try", "m", "hello?").await.expect("it begins");
    let pieces: Vec<_> = answer.collect().await;
    assert_eq!(pieces[0].as_deref(), Ok("one"));
    let error = pieces[1].as_ref().expect_err("an error");
    assert_eq!(error.code.as_deref(), Some("backend_closed"));
    assert!(error.message.contains("`b0`"), "{error}");
}

#[tokio::test]
async fn who_lets_the_answer_go_cancels_it() {
    let hanging = Server::start(|_| vec![send(script::STREAM), send(chunk(&event("one"))), Act::Hang]).await;
    let mut serving = Serving::before(&[&hanging]).await;
    let mut answer = serving.broker.ask("try", "m", "hello?").await.expect("it begins");
    assert_eq!(soon("a piece", answer.next()).await.expect("a piece").as_deref(), Ok("one"));
    drop(answer);
    assert_eq!(serving.outcome().await.end, End::Cancelled);
    soon("the end of the connection", hanging.until_open(0)).await;
}
