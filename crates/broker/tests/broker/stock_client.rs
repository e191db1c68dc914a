//! A stock client of OpenAI against the broker, unchanged.

use crate::common::Serving;
use crate::common::script::{self, Act, Came, Server, chunk, event, json_answer, send, whole_stream};
use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::traits::RequestOptionsBuilder as _;
use async_openai::types::chat::{
    ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequest, CreateChatCompletionRequestArgs,
};
use async_openai::types::embeddings::CreateEmbeddingRequestArgs;
use async_openai::types::responses::{CreateResponseArgs, ListInputItemsQuery, ResponseStreamEvent};
use futures::StreamExt as _;

const EMBEDDING: &str = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-0.25]}],"model":"real","usage":{"prompt_tokens":2,"total_tokens":2}}"#;
const RESPONSE: &str = r#"{"id":"resp_1","object":"response","created_at":1,"status":"completed","error":null,"incomplete_details":null,"instructions":null,"model":"real","output":[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"hello","annotations":[],"logprobs":[]}]}],"parallel_tool_calls":true,"temperature":1.0,"tool_choice":"auto","tools":[],"top_p":1.0,"metadata":{},"usage":{"input_tokens":4,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":6}}"#;

const ITEMS: &str = r#"{"object":"list","data":[{"type":"message","id":"msg_0","status":"completed","role":"user","content":[{"type":"input_text","text":"hello"}]}],"first_id":"msg_0","last_id":"msg_0","has_more":false}"#;

fn answer(came: &Came) -> Vec<Act> {
    if let Some(part) = came.path.strip_prefix("/v1/responses/resp_1") {
        return match (came.method.as_str(), part) {
            ("DELETE", "") => {
                vec![send(json_answer(200, r#"{"id":"resp_1","object":"response","deleted":true}"#))]
            }
            ("GET", "/input_items?limit=1") => vec![send(json_answer(200, ITEMS))],
            ("GET", "?stream=true") => {
                let event = |kind: &str| {
                    format!(
                        "event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":0,\"response\":{RESPONSE}}}\n\n"
                    )
                };
                let events = [event("response.created"), event("response.completed")].concat();
                vec![send(script::STREAM), send(chunk(&events)), send(script::END)]
            }
            ("GET", "") | ("POST", "/cancel") => vec![send(json_answer(200, RESPONSE))],
            _ => vec![send(json_answer(404, "{}"))],
        };
    }
    match came.path.as_str() {
        "/v1/embeddings" => vec![send(json_answer(200, EMBEDDING))],
        "/v1/responses" => vec![send(json_answer(200, RESPONSE))],
        _ if came.json()["stream"] == true => whole_stream(),
        _ => vec![send(json_answer(200, script::COMPLETION))],
    }
}

fn client(serving: &Serving) -> Client<OpenAIConfig> {
    // The client's own; the broker needs no provider of the process. Whoever comes second finds it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = OpenAIConfig::new()
        .with_api_base(format!("http://{}/v1", serving.address))
        .with_api_key(&serving.key);
    Client::with_config(config)
}

fn question() -> CreateChatCompletionRequest {
    let message =
        ChatCompletionRequestUserMessageArgs::default().content("hello").build().expect("a message");
    CreateChatCompletionRequestArgs::default()
        .model("m")
        .messages([message.into()])
        .build()
        .expect("a question")
}

#[tokio::test]
async fn async_openai_asks_everything() {
    let server = Server::start(answer).await;
    let serving = Serving::before(&[&server]).await;
    let client = client(&serving);

    let answer = client.chat().create(question()).await.expect("an answer");
    assert_eq!(answer.choices[0].message.content.as_deref(), Some("hello"));

    let mut stream = client.chat().create_stream(question()).await.expect("a stream");
    let mut words = Vec::new();
    while let Some(piece) = stream.next().await {
        let piece = piece.expect("a piece");
        words.extend(piece.choices.into_iter().filter_map(|choice| choice.delta.content));
    }
    assert_eq!(words, ["one", "two"]);

    let request =
        CreateEmbeddingRequestArgs::default().model("m").input("hello").build().expect("a question");
    let embedding = client.embeddings().create(request).await.expect("an embedding");
    assert_eq!(embedding.data[0].embedding, [0.5, -0.25]);

    let request = CreateResponseArgs::default().model("m").input("hello").build().expect("a question");
    let response = client.responses().create(request).await.expect("a response");
    assert_eq!(response.output_text().as_deref(), Some("hello"));

    come_back(&client, &server).await;

    let models = client.models().list().await.expect("models");
    assert!(models.data.iter().any(|model| model.id == "m"));
    assert_eq!(client.models().retrieve("m").await.expect("a model").owned_by, "aicockpit");
}

/// For the response that was made.
async fn come_back(client: &Client<OpenAIConfig>, server: &Server) {
    let responses = client.responses();
    assert_eq!(
        responses.retrieve("resp_1").await.expect("a response").output_text().as_deref(),
        Some("hello")
    );
    let stream = responses.retrieve_stream("resp_1").await.expect("a stream");
    let last = stream.collect::<Vec<_>>().await.pop().expect("an event").expect("an event");
    assert!(matches!(last, ResponseStreamEvent::ResponseCompleted(_)), "{last:?}");
    let query = ListInputItemsQuery { limit: Some(1), ..ListInputItemsQuery::default() };
    let items = responses.query(&query).expect("a query").list_input_items("resp_1").await.expect("items");
    assert_eq!(items.data.len(), 1);
    let request = CreateResponseArgs::default()
        .model("m")
        .previous_response_id("resp_1")
        .input("and now?")
        .build()
        .expect("a question");
    client.responses().create(request).await.expect("a response");
    assert_eq!(server.came().last().expect("a request").json()["previous_response_id"], "resp_1");
    assert_eq!(client.responses().cancel("resp_1").await.expect("a response").id, "resp_1");
    assert!(client.responses().delete("resp_1").await.expect("deleted").deleted);
    let error = client.responses().retrieve("resp_1").await.expect_err("gone");
    assert!(error.to_string().contains("does not know the response `resp_1`"), "{error}");
}

#[tokio::test]
async fn async_openai_sees_errors_as_errors() {
    let server = Server::start(|_| vec![send(script::STREAM), send(chunk(&event("one"))), Act::Close]).await;
    let serving = Serving::before(&[&server]).await;
    let mut stream = client(&serving).chat().create_stream(question()).await.expect("a stream");
    assert!(stream.next().await.expect("a piece").is_ok());
    let error = stream.next().await.expect("an end that is told").expect_err("an error");
    assert!(error.to_string().contains("whole answer"), "{error}");

    let stranger =
        OpenAIConfig::new().with_api_base(format!("http://{}/v1", serving.address)).with_api_key("sk-x");
    let error = Client::with_config(stranger).chat().create(question()).await.expect_err("refused");
    assert!(error.to_string().contains("not one of the broker's"), "{error}");
}
