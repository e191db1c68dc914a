//! A client: raw TCP too, so that it sees every byte when it comes, and can misbehave.

use super::{Serving, soon};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An answer's head, and the connection its body is still to come on.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    stream: TcpStream,
    held: Vec<u8>,
    chunked: bool,
    left: usize,
}

/// Sends a request and waits for the head of its answer.
pub(crate) async fn ask(serving: &Serving, path: &str, body: &str) -> Answer {
    let stream = open(serving, path, body).await;
    soon("an answer", Answer::read(stream)).await.expect("an answer")
}

/// The same by another method, without a body.
pub(crate) async fn call(serving: &Serving, method: &str, path: &str) -> Answer {
    let head = head(serving.address, &serving.key, path, "content-length: 0\r\n");
    raw(serving, head.replacen("POST", method, 1).as_bytes()).await
}

/// Sends a request, and does not wait.
pub(crate) async fn open(serving: &Serving, path: &str, body: &str) -> TcpStream {
    let head = head(serving.address, &serving.key, path, &format!("content-length: {}\r\n", body.len()));
    let mut stream = TcpStream::connect(serving.address).await.expect("connected");
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream.write_all(body.as_bytes()).await.expect("sent");
    stream
}

/// The head of a request.
pub(crate) fn head(address: SocketAddr, key: &str, path: &str, more: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n{more}\r\n"
    )
}

/// Sends what is given, byte for byte.
pub(crate) async fn raw(serving: &Serving, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(serving.address).await.expect("connected");
    // What is refused early may not be taken whole.
    let _ = stream.write_all(bytes).await;
    soon("an answer", Answer::read(stream)).await.expect("an answer")
}

impl Answer {
    pub(crate) async fn read(mut stream: TcpStream) -> Option<Self> {
        let mut held = Vec::new();
        let end = loop {
            if let Some(end) = held.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            if stream.read_buf(&mut held).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8_lossy(&held[..end]).to_ascii_lowercase();
        held.drain(..end + 4);
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let left = length.map_or(0, |length| length.parse().expect("a length"));
        let chunked = head.contains("transfer-encoding: chunked");
        Some(Self { status, head, stream, held, chunked, left })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The next part of the body; none at its end. Panics where it breaks off.
    pub(crate) async fn part(&mut self) -> Option<String> {
        soon("a part of the answer", async {
            if !self.chunked {
                if self.left == 0 {
                    return None;
                }
                while self.held.len() < self.left {
                    assert_ne!(self.stream.read_buf(&mut self.held).await.expect("read"), 0, "broken off");
                }
                let whole = self.held.drain(..std::mem::take(&mut self.left)).collect();
                return Some(String::from_utf8(whole).expect("text"));
            }
            loop {
                if let Some(end) = self.held.windows(2).position(|window| window == b"\r\n") {
                    let size = std::str::from_utf8(&self.held[..end]).expect("a size");
                    let size = usize::from_str_radix(size, 16).expect("a size");
                    if self.held.len() >= end + 2 + size + 2 {
                        let part = self.held.drain(..end + 2 + size + 2).collect::<Vec<u8>>();
                        let part = String::from_utf8(part[end + 2..end + 2 + size].to_vec()).expect("text");
                        return (size > 0).then_some(part);
                    }
                }
                assert_ne!(self.stream.read_buf(&mut self.held).await.expect("read"), 0, "broken off");
            }
        })
        .await
    }

    pub(crate) async fn body(&mut self) -> String {
        let mut whole = String::new();
        while let Some(part) = self.part().await {
            whole.push_str(&part);
        }
        whole
    }

    /// The body as OpenAI's error: its code and message.
    pub(crate) async fn error(&mut self) -> (String, String) {
        let body = self.body().await;
        let json: serde_json::Value =
            serde_json::from_str(&body).unwrap_or_else(|_| panic!("no JSON: {body}"));
        let error = json.get("error").unwrap_or_else(|| panic!("no error: {body}"));
        for field in ["message", "type", "param", "code"] {
            assert!(error.get(field).is_some(), "`{field}` is missing: {body}");
        }
        let text = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
        (text("code"), text("message"))
    }
}

/// The data of the last event of a stream, as OpenAI's error.
pub(crate) fn last_error(stream: &str) -> Option<serde_json::Value> {
    let last = stream.trim_end().rsplit_once("\n\n").map_or(stream, |(_, last)| last);
    let data = last.lines().find_map(|line| line.strip_prefix("data: "))?;
    let json: serde_json::Value = serde_json::from_str(data).ok()?;
    json.get("error").cloned()
}
