//! HTTP and WebSocket clients, as a browser would speak them.

use aicockpit_cockpit::socket::Client;
use futures::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Sends one request on a connection of its own.
pub(crate) async fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> Response<Bytes> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

/// A request with these headers.
pub(crate) fn request(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(Bytes::from(body.to_owned()))).unwrap()
}

/// The host and the origin of a page that this server delivered.
pub(crate) fn own(address: SocketAddr) -> (String, String) {
    (address.to_string(), format!("http://{address}"))
}

/// Exchanges a token as the page does.
pub(crate) async fn sign_in(address: SocketAddr, token: &str) -> Result<String, StatusCode> {
    let (host, origin) = own(address);
    let headers = [("host", &*host), ("origin", &*origin), ("content-type", "application/json")];
    let body = format!("{{\"token\":\"{token}\"}}");
    let response = send(address, request("POST", "/api/sign-in", &headers, &body)).await;
    if response.status() != StatusCode::OK {
        return Err(response.status());
    }
    let answer: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    Ok(answer["bearer"].as_str().unwrap().to_owned())
}

/// Asks for the WebSocket with these headers; the status where it is refused.
pub(crate) async fn socket(
    address: SocketAddr,
    headers: &[(&str, &str)],
) -> Result<WebSocketStream<TcpStream>, StatusCode> {
    let mut request = format!("ws://{address}/api/socket").into_client_request().unwrap();
    for (name, value) in headers {
        let name = hyper::header::HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    match client_async(request, stream).await {
        Ok((socket, response)) => {
            assert_eq!(response.headers()["sec-websocket-protocol"], "aicockpit.v1");
            Ok(socket)
        }
        Err(Error::Http(response)) => Err(StatusCode::from_u16(response.status().as_u16()).unwrap()),
        Err(other) => panic!("{other}"),
    }
}

/// A signed-in client over the WebSocket.
pub(crate) async fn client(address: SocketAddr, bearer: &str) -> Client {
    let (host, origin) = own(address);
    let protocols = format!("aicockpit.v1, bearer.{bearer}");
    let headers = [("host", &*host), ("origin", &*origin), ("sec-websocket-protocol", &*protocols)];
    let (mut sender, mut receiver) = socket(address, &headers).await.unwrap().split();
    let (outgoing, mut frames) = mpsc::channel::<Vec<u8>>(64);
    let (arrived, incoming) = mpsc::channel(64);
    tokio::spawn(async move {
        while let Some(frame) = frames.recv().await {
            if sender.send(Message::Binary(frame.into())).await.is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some(Ok(message)) = receiver.next().await {
            if let Message::Binary(frame) = message
                && arrived.send(frame.to_vec()).await.is_err()
            {
                return;
            }
        }
    });
    Client::over(outgoing, incoming)
}

/// The token of a printed address.
pub(crate) fn token(url: &str) -> &str {
    url.split_once("#token=").unwrap().1
}
