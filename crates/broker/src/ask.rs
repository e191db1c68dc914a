//! Questions of the product's own. They come in by the door as everybody's do: with a key, under its limits, into the
//! ledger; only that no socket lies between.

use crate::{Broker, Keys};
use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use async_openai::types::chat::{
    ChatCompletionRequestUserMessage, CreateChatCompletionRequest, CreateChatCompletionStreamResponse,
};
use axum::Router;
use axum::body::Body;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use http::{HeaderValue, header};
use std::net::{Ipv4Addr, SocketAddr};
use tower::ServiceExt as _;

/// What the door is called by. No port of this number is opened.
const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 80);

/// Why a question has no answer, or no more of it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct AskError {
    /// What happened, for people.
    pub message: String,
    /// For programs, as OpenAI names it.
    pub code: Option<String>,
}

impl Broker {
    /// Asks a model as `owner`, for instance the person at the window. The answer's text comes as the model writes it;
    /// who drops the stream cancels the request.
    ///
    /// # Errors
    /// [`AskError`] where no answer begins; later ones come with the stream.
    pub async fn ask(
        &self,
        owner: &str,
        model: &str,
        question: &str,
    ) -> Result<BoxStream<'static, Result<String, AskError>>, AskError> {
        let keys = Keys::default();
        let key = keys.issue(owner).map_err(|error| AskError { message: error.to_string(), code: None })?;
        let config = OpenAIConfig::new().with_api_key(key).with_api_base(format!("http://{ADDRESS}/v1"));
        let door = self.router_with(ADDRESS, keys);
        // Nothing goes out by this client: the service below takes its place. It only has to be there.
        let unused = crate::backend::loopback_client().map_err(|message| AskError { message, code: None })?;
        let client = Client::build(unused, config).with_http_service(tower::service_fn(
            move |request: HttpRequestFactory| by_the_door(door.clone(), request),
        ));
        let message = ChatCompletionRequestUserMessage { content: question.into(), ..Default::default() };
        let request = CreateChatCompletionRequest {
            model: model.to_owned(),
            messages: vec![message.into()],
            ..Default::default()
        };
        let pieces = client.chat().create_stream(request).await.map_err(told)?;
        Ok(pieces.try_filter_map(async |piece| Ok(text(piece))).map_err(told).boxed())
    }
}

async fn by_the_door(door: Router, request: HttpRequestFactory) -> Result<reqwest::Response, OpenAIError> {
    let request = http::Request::<reqwest::Body>::try_from(request.build().await?)?;
    let mut request = request.map(Body::new);
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("127.0.0.1"));
    let answer = match door.oneshot(request).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    };
    Ok(answer.map(|body| reqwest::Body::wrap_stream(body.into_data_stream())).into())
}

/// What a piece adds to the answer's text.
fn text(piece: CreateChatCompletionStreamResponse) -> Option<String> {
    piece.choices.into_iter().next()?.delta.content.filter(|text| !text.is_empty())
}

fn told(error: OpenAIError) -> AskError {
    match error {
        // Of a server's error the client hands the whole body on as its message.
        OpenAIError::ApiError(answer) => sentence(&answer.api_error.message)
            .unwrap_or(AskError { message: answer.api_error.message, code: answer.api_error.code }),
        // Also an error in the middle of a stream, which is an event of another shape.
        OpenAIError::JSONDeserialize(error, content) => sentence(&content).unwrap_or_else(|| AskError {
            message: format!("The answer cannot be read: {error}."),
            code: None,
        }),
        other => AskError { message: other.to_string(), code: None },
    }
}

/// The error inside a body. Some servers number their codes, which OpenAI never does.
fn sentence(body: &str) -> Option<AskError> {
    #[derive(serde::Deserialize)]
    struct Told {
        error: Inner,
    }
    #[derive(serde::Deserialize)]
    struct Inner {
        message: String,
        code: Option<serde_json::Value>,
    }
    let Told { error: Inner { message, code } } = serde_json::from_str(body).ok()?;
    Some(AskError { message, code: code.and_then(|code| code.as_str().map(str::to_owned)) })
}
