//! A model server of one model, and settings with it.

use aicockpit_protocol::api::Settings;
use aicockpit_protocol::broker::BackendSettings;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A server with one model, `tiny`, and the heads of what it is asked. It answers every question with two words.
pub(crate) async fn server() -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let (told, asked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let Some(head) = head_of(&mut tcp).await else { continue };
            let answer = match head.starts_with("POST") {
                true => answer(),
                false => models(),
            };
            let _ = told.send(head);
            let _ = tcp.write_all(answer.as_bytes()).await;
        }
    });
    (url, asked)
}

/// A request's head, once its body has come too.
async fn head_of(tcp: &mut TcpStream) -> Option<String> {
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = tcp.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        if body.len() >= length.unwrap_or(0) {
            return Some(format!("{head}\r\n"));
        }
    }
}

fn models() -> String {
    let body = r#"{"object":"list","data":[{"id":"tiny","object":"model"}]}"#;
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A stream of two words, and what they took.
fn answer() -> String {
    let chunk = |choices: &str, usage: &str| {
        format!(
            r#"data: {{"id":"c","object":"chat.completion.chunk","created":1,"model":"tiny","choices":[{choices}]{usage}}}"#
        ) + "\n\n"
    };
    let word = |text: &str| {
        chunk(&format!(r#"{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}"#), "")
    };
    let body = [
        word("two "),
        word("words"),
        chunk(r#"{"index":0,"delta":{},"finish_reason":"stop"}"#, ""),
        chunk("", r#","usage":{"prompt_tokens":1000,"completion_tokens":500,"total_tokens":1500}"#),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{body}")
}

pub(crate) fn with_backend(mut settings: Settings, url: &str, has_key: bool) -> Settings {
    settings.models.backends = vec![BackendSettings {
        id: "one".into(),
        name: "one".into(),
        url: url.to_owned(),
        kind: Default::default(),
        has_key,
        enabled: true,
        max_parallel: None,
    }];
    settings
}
