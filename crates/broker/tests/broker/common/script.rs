//! The model server: raw TCP, so that it can misbehave in every way that a socket allows.

use super::Gate;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// What the server does, in order, once a request has come.
#[derive(Clone)]
pub(crate) enum Act {
    /// Sends this.
    Send(Vec<u8>),
    /// Waits until a test lets it go on.
    Wait(Gate),
    /// Sends nothing any more, and keeps the connection open until the other side closes it.
    Hang,
    /// Closes without a word.
    Close,
    /// Resets the connection.
    Reset,
}

pub(crate) fn send(text: impl AsRef<[u8]>) -> Act {
    Act::Send(text.as_ref().to_vec())
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The head without its first line, in lower case names.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Came {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

type Script = Box<dyn Fn(&Came) -> Vec<Act> + Send + Sync>;

/// The server. It ends when dropped, its connections with it.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    inner: Arc<Inner>,
    _stop: DropGuard,
}

struct Inner {
    connections: AtomicUsize,
    script: Script,
    came: Mutex<Vec<Came>>,
    asked: AtomicUsize,
    open: watch::Sender<usize>,
    refuses: AtomicBool,
    cut: Mutex<CancellationToken>,
}

impl Server {
    /// Answers `GET` by itself (models) but for stored responses; these and everything else by `script`.
    pub(crate) async fn start(script: impl Fn(&Came) -> Vec<Act> + Send + Sync + 'static) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST.into(), script).await
    }

    /// The same at another address than loopback's.
    pub(crate) async fn start_at(
        address: IpAddr,
        script: impl Fn(&Came) -> Vec<Act> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((address, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let inner = Arc::new(Inner {
            connections: AtomicUsize::new(0),
            script: Box::new(script),
            came: Mutex::default(),
            asked: AtomicUsize::new(0),
            open: watch::Sender::new(0),
            refuses: AtomicBool::new(false),
            cut: Mutex::default(),
        });
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(accept(
            listener,
            Arc::clone(&inner),
            stop.clone(),
        )));
        Self { address, inner, _stop: stop.drop_guard() }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Closes new connections at once, as a server that has just been killed.
    pub(crate) fn refuse(&self, refuse: bool) {
        self.inner.refuses.store(refuse, Ordering::SeqCst);
    }

    /// Cuts every connection, as a killed server's are.
    pub(crate) fn kill_connections(&self) {
        std::mem::take(&mut *self.inner.cut.lock().expect("unpoisoned")).cancel();
    }

    /// Questions that have come, without those that the server answers by itself.
    pub(crate) fn came(&self) -> Vec<Came> {
        self.inner.came.lock().expect("unpoisoned").clone()
    }

    /// How many they are.
    pub(crate) fn asked(&self) -> usize {
        self.inner.asked.load(Ordering::SeqCst)
    }

    /// Connections that ever came.
    pub(crate) fn connections(&self) -> usize {
        self.inner.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn open(&self) -> usize {
        *self.inner.open.borrow()
    }

    /// Waits until so many connections are open.
    pub(crate) async fn until_open(&self, wanted: usize) {
        let mut open = self.inner.open.subscribe();
        super::soon(&format!("{wanted} open connections"), open.wait_for(|open| *open == wanted))
            .await
            .expect("the server runs");
    }
}

async fn accept(listener: TcpListener, inner: Arc<Inner>, stop: CancellationToken) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        inner.connections.fetch_add(1, Ordering::SeqCst);
        if inner.refuses.load(Ordering::SeqCst) {
            continue;
        }
        let _ = stream.set_nodelay(true);
        inner.open.send_modify(|open| *open += 1);
        let (cut, inner, stop) =
            (inner.cut.lock().expect("unpoisoned").clone(), Arc::clone(&inner), stop.clone());
        tokio::spawn(async move {
            let served = connection(stream, &inner);
            tokio::select! {
                _ = served => {}
                () = cut.cancelled() => {}
                () = stop.cancelled() => {}
            }
            inner.open.send_modify(|open| *open -= 1);
        });
    }
}

async fn connection(mut stream: TcpStream, inner: &Inner) -> std::io::Result<()> {
    let mut held = Vec::new();
    while let Some(came) = request(&mut stream, &mut held).await? {
        let acts = match came.method.as_str() {
            "GET" if !came.path.contains("/responses/") => vec![send(json_answer(200, MODELS))],
            _ => {
                inner.asked.fetch_add(1, Ordering::SeqCst);
                let acts = (inner.script)(&came);
                inner.came.lock().expect("unpoisoned").push(came);
                acts
            }
        };
        for act in acts {
            match act {
                Act::Send(bytes) => stream.write_all(&bytes).await?,
                Act::Wait(gate) => {
                    // Whoever waits sees the other side go, as a server that writes now and then does.
                    let mut byte = [0];
                    tokio::select! {
                        () = gate.passed() => {}
                        _ = stream.read(&mut byte) => return Ok(()),
                    }
                }
                Act::Hang => {
                    let mut byte = [0];
                    let _ = stream.read(&mut byte).await;
                    return Ok(());
                }
                Act::Close => return Ok(()),
                Act::Reset => {
                    stream.set_zero_linger()?;
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// A request, with a length or in chunks; none where the other side has closed.
async fn request(stream: &mut TcpStream, held: &mut Vec<u8>) -> std::io::Result<Option<Came>> {
    let head = loop {
        if let Some(end) = held.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&held[..end]).into_owned();
            held.drain(..end + 4);
            break head;
        }
        if stream.read_buf(held).await? == 0 {
            return Ok(None);
        }
    };
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, path) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().expect("a length"));
    while held.len() < length {
        if stream.read_buf(held).await? == 0 {
            return Ok(None);
        }
    }
    let body = held.drain(..length).collect();
    Ok(Some(Came { method: method.to_owned(), path: path.to_owned(), headers, body }))
}

const MODELS: &str = r#"{"object":"list","data":[{"id":"real","object":"model","created":7,"owned_by":"x","max_model_len":4096}]}"#;

/// A whole answer with a status.
pub(crate) fn json_answer(status: u16, body: &str) -> Vec<u8> {
    answer(status, &[("content-type", "application/json")], body)
}

pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// The head of a stream.
pub(crate) const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nx-request-id: theirs\r\n\r\n";
/// The end of a stream.
pub(crate) const END: &str = "0\r\n\r\n";

/// A part of a stream as one chunk.
pub(crate) fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// A piece of an answer as an event.
pub(crate) fn event(text: &str) -> String {
    let piece = serde_json::json!({
        "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "real",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": null}],
    });
    format!("data: {piece}\n\n")
}

pub(crate) const LAST: &str = "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"real\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\n";
pub(crate) const DONE: &str = "data: [DONE]\n\n";

/// A whole stream of two words.
pub(crate) fn whole_stream() -> Vec<Act> {
    vec![
        send(STREAM),
        send(chunk(&event("one"))),
        send(chunk(&event("two"))),
        send(chunk(LAST)),
        send(chunk(DONE)),
        send(END),
    ]
}

pub(crate) const COMPLETION: &str = r#"{"id":"c1","object":"chat.completion","created":1,"model":"real","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4},"system_fingerprint":"x","unknown":1.00}"#;
