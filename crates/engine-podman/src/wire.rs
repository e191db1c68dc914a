//! libpod's HTTP API where podman-api cannot be used: one connection a request, over the service's socket.

use crate::PodmanEngine;
use crate::error::engine_error;
use aicockpit_engine::{EngineError, Result, error_from_answer, error_from_connection};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyDataStream, BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use podman_api::Podman;
use serde_json::Value;
use std::io;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::io::StreamReader;
use url::form_urlencoded::Serializer;

/// The version that podman-api speaks, too.
const API: &str = "/v4.3.1/libpod";
/// A line of JSON longer than this is not one of Podman's.
const MAX_LINE: usize = 16 << 20;
/// An error's text longer than this is cut off.
const MAX_ERROR: usize = 64 << 10;

pub(crate) type Body = BoxBody<Bytes, io::Error>;

/// A request under way to the API.
pub(crate) struct Call {
    method: Method,
    api: &'static str,
    path: String,
    query: String,
    content: &'static str,
    body: Body,
    time: Duration,
}

impl Call {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            api: API,
            path: path.into(),
            query: String::new(),
            content: "application/json",
            body: full(Bytes::new()),
            time: crate::ORDINARY,
        }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// A question that services of every version answer.
    pub(crate) fn get_of_any_version(path: impl Into<String>) -> Self {
        Self { api: "", ..Self::get(path) }
    }

    pub(crate) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    pub(crate) fn query(mut self, key: &str, value: &str) -> Self {
        let encoded = Serializer::new(String::new()).append_pair(key, value).finish();
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        self.query.push_str(&encoded);
        self
    }

    pub(crate) fn json(mut self, value: &Value) -> Self {
        self.body = full(value.to_string().into());
        self
    }

    pub(crate) fn tar(mut self, tar: Bytes) -> Self {
        self.content = "application/x-tar";
        self.body = full(tar);
        self
    }

    pub(crate) fn tar_stream(mut self, tar: BoxStream<'static, io::Result<Bytes>>) -> Self {
        self.content = "application/x-tar";
        // The stream is only ever polled by the one connection, but a body has to be Sync.
        let tar = SyncStream(std::sync::Mutex::new(tar));
        self.body = BoxBody::new(StreamBody::new(tar.map_ok(Frame::data)));
        self
    }

    /// How long the answer's beginning may take.
    pub(crate) fn time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

struct SyncStream(std::sync::Mutex<BoxStream<'static, io::Result<Bytes>>>);

impl Stream for SyncStream {
    type Item = io::Result<Bytes>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner).poll_next_unpin(cx)
    }
}

impl PodmanEngine {
    /// podman-api's client.
    pub(crate) fn api(&self) -> Result<Podman> {
        Podman::new(format!("unix://{}", self.endpoint.socket()?.display())).map_err(engine_error)
    }

    /// Sends a request and gives a successful answer whose body is yet to come. "Not modified" counts as a success.
    pub(crate) async fn send(&self, call: Call) -> Result<Response<Incoming>> {
        let time = call.time;
        match tokio::time::timeout(time, self.exchange(call, false)).await {
            Ok(answer) => answer,
            Err(_) => Err(EngineError::TimedOut("Podman is slow to answer".to_owned())),
        }
    }

    pub(crate) async fn done(&self, call: Call) -> Result<()> {
        // The whole answer is read, so that the service has finished with the request.
        collect(self.send(call).await?).await.map(|_| ())
    }

    pub(crate) async fn value(&self, call: Call) -> Result<Value> {
        let bytes = collect(self.send(call).await?).await?;
        serde_json::from_slice(&bytes).map_err(not_understood)
    }

    /// The answer's lines, each a JSON value.
    pub(crate) async fn values(&self, call: Call) -> Result<BoxStream<'static, Result<Value>>> {
        let answer = self.send(call).await?;
        let reader = StreamReader::new(bytes(answer).map_err(io::Error::other));
        let lines = FramedRead::new(reader, LinesCodec::new_with_max_length(MAX_LINE));
        Ok(lines
            .filter_map(async |line| match line {
                Ok(line) if line.trim().is_empty() => None,
                Ok(line) => Some(serde_json::from_str(&line).map_err(not_understood)),
                Err(error) => Some(Err(EngineError::Unavailable(error.to_string()))),
            })
            .boxed())
    }

    /// Sends a request that turns the connection into a byte stream.
    pub(crate) async fn upgrade(&self, call: Call) -> Result<TokioIo<Upgraded>> {
        let time = call.time;
        let upgraded = async {
            let answer = self.exchange(call, true).await?;
            if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                return Err(EngineError::Engine("it gives no byte stream".to_owned()));
            }
            hyper::upgrade::on(answer).await.map(TokioIo::new).map_err(|error| error_from_connection(&error))
        };
        match tokio::time::timeout(time, upgraded).await {
            Ok(stream) => stream,
            Err(_) => Err(EngineError::TimedOut("Podman is slow to answer".to_owned())),
        }
    }

    async fn exchange(&self, call: Call, upgrade: bool) -> Result<Response<Incoming>> {
        let stream = UnixStream::connect(self.endpoint.socket()?)
            .await
            .map_err(|error| error_from_connection(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error_from_connection(&error))?;
        // The connection's own end is told by the body or the stream that it carries.
        tokio::spawn(async move { drop(connection.with_upgrades().await) });
        let mut request = Request::builder()
            .method(call.method)
            .uri(format!("{}{}{}", call.api, call.path, call.query))
            .header(HOST, "podman")
            .header(CONTENT_TYPE, call.content);
        if upgrade {
            request = request.header(CONNECTION, "Upgrade").header(UPGRADE, "tcp");
        }
        let request = request
            .body(call.body)
            .map_err(|error| EngineError::Engine(format!("the request cannot be made: {error}")))?;
        let answer = sender.send_request(request).await.map_err(|error| error_from_connection(&error))?;
        let status = answer.status();
        let good = status.is_success()
            || status == StatusCode::NOT_MODIFIED
            || status == StatusCode::SWITCHING_PROTOCOLS;
        if good { Ok(answer) } else { Err(refusal(answer).await) }
    }
}

/// The answer's body as it comes.
pub(crate) fn bytes(
    answer: Response<Incoming>,
) -> impl Stream<Item = Result<Bytes>> + Send + Unpin + 'static {
    BodyDataStream::new(answer.into_body()).map_err(|error| error_from_connection(&error))
}

async fn collect(answer: Response<Incoming>) -> Result<Bytes> {
    let body = answer.into_body().collect().await.map_err(|error| error_from_connection(&error))?;
    Ok(body.to_bytes())
}

async fn refusal(answer: Response<Incoming>) -> EngineError {
    let status = answer.status().as_u16();
    let body = http_body_util::Limited::new(answer.into_body(), MAX_ERROR).collect().await;
    let text = body.map(|body| body.to_bytes()).unwrap_or_default();
    let parsed: Option<Value> = serde_json::from_slice(&text).ok();
    let message = parsed.as_ref().and_then(|value| value["message"].as_str());
    error_from_answer(status, message.unwrap_or(&String::from_utf8_lossy(&text)))
}

fn not_understood(error: serde_json::Error) -> EngineError {
    EngineError::Engine(format!("an answer that is not understood ({error})"))
}

/// A JSON object's string values, in a stable order.
pub(crate) fn pairs(value: &Value) -> Vec<(String, String)> {
    let entries = value.as_object().into_iter().flatten();
    // serde_json keeps an object's keys in order.
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// A JSON array's strings.
pub(crate) fn strings(value: &Value) -> Vec<String> {
    let entries = value.as_array().into_iter().flatten();
    entries.filter_map(|entry| entry.as_str().map(str::to_owned)).collect()
}

/// A JSON string, empty where there is none.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The filter that matches objects which carry all of `labels`.
pub(crate) fn label_filter(labels: &[(&str, &str)]) -> String {
    let values: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    if values.is_empty() { "{}".to_owned() } else { serde_json::json!({ "label": values }).to_string() }
}
