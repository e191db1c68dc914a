//! Plain HTTP/1 to servers of this machine, over loopback or a Unix socket: what most requests take, and where the
//! broker's own work shows.
//!
//! Ours and not `reqwest`'s, which is for all the rest: that one reads an address anew three times for a request, and
//! gives a connection back by a task of its own, which wakes another core each time. Both together were a third of the
//! work for a request.
//!
//! **Invariant:** leads to loopback or to a socket's file, and nowhere else. A connection is used again only after its
//! answer was read to the end; in all other cases it closes.

use crate::backend::told;
use crate::client::{CONNECT_WITHIN, MOST_IDLE};
use crate::offline::LOOPBACK;
use bytes::Bytes;
use http::{HeaderValue, Response, Uri, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use reqwest::{Body, Request, Url};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout};

/// How long connections are kept open and idle.
const IDLE_FOR: Duration = Duration::from_secs(90);

/// Speaks to one server.
pub(crate) struct Plain {
    place: Place,
    host: HeaderValue,
    idle: Arc<Idle>,
}

enum Place {
    Loopback(Vec<SocketAddr>),
    Socket(PathBuf),
}

impl Plain {
    /// For a server at an address that is near (see [`crate::offline::is_near`]); nothing where it asks for TLS.
    pub(crate) fn near(base: &Url) -> Option<Self> {
        let port = base.port_or_known_default().filter(|_| base.scheme() == "http")?;
        let addresses = match base.host()? {
            url::Host::Ipv4(address) => vec![(address, port).into()],
            url::Host::Ipv6(address) => vec![(address, port).into()],
            // Its name is asked of nobody.
            url::Host::Domain(_) => LOOPBACK.map(|address| (address.ip(), port).into()).to_vec(),
        };
        Self::at(Place::Loopback(addresses), base)
    }

    /// For a server that listens on a socket. The address is for the `Host` header alone.
    pub(crate) fn socket(path: &Path, base: &Url) -> Option<Self> {
        Self::at(Place::Socket(path.to_owned()), base)
    }

    fn at(place: Place, base: &Url) -> Option<Self> {
        let host = match base.port() {
            None => base.host_str()?.to_owned(),
            Some(port) => format!("{}:{port}", base.host_str()?),
        };
        Some(Self { place, host: host.try_into().ok()?, idle: Arc::default() })
    }

    /// Sends; the answer's body is still to come.
    ///
    /// # Errors
    /// Why not, as a fragment.
    pub(crate) async fn send(&self, request: Request) -> Result<Response<Body>, String> {
        let mut request = self.framed(request)?;
        loop {
            let (mut connection, is_new) = match self.idle.take() {
                Some(idle) => (idle, false),
                None => (self.connect().await?, true),
            };
            match (connection.ready().await, is_new) {
                (Ok(()), _) => {}
                // It was closed while it was idle.
                (Err(_), false) => continue,
                (Err(error), true) => return Err(told(&error)),
            }
            match connection.try_send_request(request).await {
                Ok(answer) => {
                    let back = Some((connection, Arc::clone(&self.idle)));
                    return Ok(answer.map(|body| Body::wrap(Answering { body, back })));
                }
                // The same, and nothing of the request was sent.
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) if !is_new => request = unsent,
                    _ => return Err(told(failed.error())),
                },
            }
        }
    }

    /// The request as it stands on the wire.
    fn framed(&self, mut request: Request) -> Result<http::Request<Body>, String> {
        let url = request.url();
        let uri = match url.query() {
            None => Uri::try_from(url.path()),
            Some(query) => Uri::try_from(format!("{}?{query}", url.path())),
        };
        let mut framed = http::Request::new(request.body_mut().take().unwrap_or_default());
        *framed.uri_mut() = uri.map_err(|error| error.to_string())?;
        *framed.method_mut() = request.method().clone();
        *framed.headers_mut() = std::mem::take(request.headers_mut());
        framed.headers_mut().insert(header::HOST, self.host.clone());
        framed.headers_mut().entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        Ok(framed)
    }

    async fn connect(&self) -> Result<SendRequest<Body>, String> {
        let connecting = async {
            match &self.place {
                Place::Loopback(addresses) => {
                    let stream = TcpStream::connect(&addresses[..]).await?;
                    stream.set_nodelay(true)?;
                    begin(stream).await
                }
                Place::Socket(path) => begin(UnixStream::connect(path).await?).await,
            }
        };
        match timeout(CONNECT_WITHIN, connecting).await {
            Ok(connected) => connected.map_err(|error| error.to_string()),
            Err(_) => Err(format!("it did not take the connection within {CONNECT_WITHIN:?}")),
        }
    }
}

/// Begins to speak on a connection, which closes when what is given back is dropped.
async fn begin<I>(stream: I) -> io::Result<SendRequest<Body>>
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // How it ends is told to who reads the answer.
    tokio::spawn(async move { connection.await.unwrap_or_default() });
    Ok(sender)
}

/// Connections that wait for a request, and since when; the last one for the shortest time.
#[derive(Default)]
struct Idle(Mutex<Vec<(SendRequest<Body>, Instant)>>);

impl Idle {
    fn held(&self) -> MutexGuard<'_, Vec<(SendRequest<Body>, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<SendRequest<Body>> {
        let mut held = self.held();
        while let Some((connection, since)) = held.pop() {
            if since.elapsed() > IDLE_FOR {
                held.clear();
            } else if !connection.is_closed() {
                return Some(connection);
            }
        }
        None
    }

    fn give(&self, connection: SendRequest<Body>) {
        let mut held = self.held();
        if held.len() < MOST_IDLE && !connection.is_closed() {
            held.push((connection, Instant::now()));
        }
    }
}

/// An answer's body. At its end the connection is idle again.
struct Answering {
    body: Incoming,
    back: Option<(SendRequest<Body>, Arc<Idle>)>,
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none()
            && let Some((connection, idle)) = self.back.take()
        {
            idle.give(connection);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::sync::Semaphore;

    /// Answers each request by `answer`. A connection closes when this lets it, and the count is of all that came.
    async fn server(answer: &'static str) -> (Plain, Url, Arc<Semaphore>, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url =
            format!("http://localhost:{}/v1/models?a=b", listener.local_addr().expect("an address").port());
        let url = Url::parse(&url).expect("an address");
        let (closes, came) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let (close, count) = (Arc::clone(&closes), Arc::clone(&came));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let close = Arc::clone(&close);
                tokio::spawn(async move {
                    let mut head = [0; 4096];
                    loop {
                        tokio::select! {
                            read = stream.read(&mut head) => match read {
                                Ok(0) | Err(_) => return,
                                Ok(length) => {
                                    assert!(head[..length].starts_with(b"GET /v1/models?a=b HTTP/1.1\r\n"));
                                    stream.write_all(answer.as_bytes()).await.expect("sent");
                                }
                            },
                            permit = close.acquire() => return permit.expect("open").forget(),
                        }
                    }
                });
            }
        });
        (Plain::near(&url).expect("plain"), url, closes, came)
    }

    fn get(url: &Url) -> Request {
        Request::new(http::Method::GET, url.clone())
    }

    #[tokio::test]
    async fn a_connection_is_used_again_until_it_closes() {
        let (plain, url, closes, came) = server("HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\nok").await;
        let ask = async || {
            let answer = plain.send(get(&url)).await.expect("an answer");
            assert_eq!(answer.into_body().collect().await.expect("a body").to_bytes(), "ok");
        };
        for _ in 0..3 {
            ask().await;
        }
        assert_eq!(came.load(Ordering::SeqCst), 1);
        closes.add_permits(1);
        while !plain.idle.held()[0].0.is_closed() {
            tokio::task::yield_now().await;
        }
        ask().await;
        assert_eq!(came.load(Ordering::SeqCst), 2, "one that was closed is not asked");
        // Two at once are two.
        tokio::join!(ask(), ask());
        assert_eq!((came.load(Ordering::SeqCst), plain.idle.held().len()), (3, 2));
    }

    #[tokio::test]
    async fn one_whose_answer_was_not_read_to_its_end_closes() {
        let (plain, url, _closes, came) = server("HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\npart").await;
        for _ in 0..2 {
            let mut body = plain.send(get(&url)).await.expect("an answer").into_body();
            assert!(body.frame().await.expect("a part").is_ok());
        }
        assert_eq!((came.load(Ordering::SeqCst), plain.idle.held().len()), (2, 0));
    }

    #[tokio::test]
    async fn one_that_nobody_takes_says_why() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = Url::parse(&format!("http://{}/", listener.local_addr().expect("an address")))
            .expect("an address");
        drop(listener);
        let plain = Plain::near(&url).expect("plain");
        assert!(plain.send(get(&url)).await.expect_err("refused").contains("refused"));
        let url = Url::parse("http://localhost/").expect("an address");
        let socket = Plain::socket(Path::new("/nowhere/a.sock"), &url).expect("plain");
        assert!(socket.send(get(&url)).await.expect_err("no socket").contains("No such file"));
        assert!(Plain::near(&Url::parse("https://localhost/").expect("an address")).is_none());
    }
}
