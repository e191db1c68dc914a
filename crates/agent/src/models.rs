//! The way from programs inside the workspace to the models outside: a port on loopback, whose connections are handed
//! to streams that the cockpit keeps waiting. It needs no network of the workspace's.
//!
//! **Invariant:** what travels is not read here. Whoever has no key is refused at the other end.

use aicockpit_link::{LinkError, LinkStream, write_frame};
use aicockpit_protocol::ErrorCode;
use aicockpit_protocol::agent::{AgentError, encode};
use aicockpit_protocol::models::{ModelsOffered, OfferModels};
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, oneshot};

/// Connections of programs at once; further ones wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 256;
/// How long a connection waits for a stream: a link that broke is made again meanwhile.
const STREAM_WITHIN: Duration = Duration::from_secs(15);
/// Time for a refused program to read why.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);
/// Keys that are remembered for programs which were started with them.
const MAX_KEYS: usize = 64;
const BUFFER_LEN: usize = 16 * 1024;
/// The variables by which OpenAI's own clients, and all that follow them, are told.
const BASE_URL: &str = "OPENAI_BASE_URL";
const API_KEY: &str = "OPENAI_API_KEY";

/// What programs are told, and the streams that wait for their connections.
#[derive(Default)]
pub(crate) struct Models {
    offer: Mutex<Offer>,
    waiting: Mutex<VecDeque<oneshot::Sender<TcpStream>>>,
    came: Notify,
}

#[derive(Default)]
struct Offer {
    port: Option<u16>,
    key: Option<String>,
    earlier: VecDeque<String>,
}

impl Models {
    fn offered(&self) -> MutexGuard<'_, Offer> {
        self.offer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The port that it listens on: the agent's own, and none of the workspace's.
    pub(crate) fn port(&self) -> Option<u16> {
        self.offered().port
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<oneshot::Sender<TcpStream>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a key for the programs to come. Listens from the first one on. Must be called within a tokio runtime.
    pub(crate) fn offer(self: &Arc<Self>, offer: OfferModels) -> Result<ModelsOffered, AgentError> {
        let mut now = self.offered();
        let port = match now.port {
            Some(port) => port,
            None => {
                let port = self.listen().map_err(|error| {
                    AgentError::new(
                        ErrorCode::Internal,
                        format!("no port for models could be opened in the workspace: {error}"),
                    )
                })?;
                *now.port.insert(port)
            }
        };
        if now.key != offer.key {
            let before = std::mem::replace(&mut now.key, offer.key);
            now.earlier.extend(before);
            let too_many = now.earlier.len().saturating_sub(MAX_KEYS);
            now.earlier.drain(..too_many);
        }
        Ok(ModelsOffered { port, earlier: now.earlier.iter().cloned().collect() })
    }

    fn listen(self: &Arc<Self>) -> std::io::Result<u16> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        tokio::spawn(Arc::clone(self).accept(TcpListener::from_std(listener)?));
        Ok(port)
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
            let Ok((tcp, _)) = listener.accept().await else {
                // Too many open files, for instance: others may close some.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let models = Arc::clone(&self);
            tokio::spawn(async move {
                let _slot = slot;
                // Small messages matter more than full packets here.
                let _ = tcp.set_nodelay(true);
                models.hand_on(tcp).await;
            });
        }
    }

    /// Gives a program's connection to a stream that waits.
    async fn hand_on(&self, tcp: TcpStream) {
        let mut tcp = Some(tcp);
        let handed = async {
            loop {
                // Before the look: a stream that comes after it wakes us.
                let came = self.came.notified();
                while let Some(stream) = self.waiting().pop_front() {
                    match tcp.take().map(|tcp| stream.send(tcp)) {
                        // Its link has ended meanwhile.
                        Some(Err(back)) => tcp = Some(back),
                        Some(Ok(())) | None => return,
                    }
                }
                came.await;
            }
        };
        if tokio::time::timeout(STREAM_WITHIN, handed).await.is_err()
            && let Some(tcp) = tcp
        {
            refuse(tcp).await;
        }
    }

    /// Waits on a stream of the cockpit's for a program's connection and passes bytes both ways until both sides have
    /// ended.
    ///
    /// # Errors
    /// Where the link ends.
    pub(crate) async fn serve(&self, mut stream: LinkStream) -> Result<(), LinkError> {
        let (sender, receiver) = oneshot::channel();
        self.waiting().push_back(sender);
        self.came.notify_waiters();
        let mut byte = [0; 1];
        let mut tcp = tokio::select! {
            tcp = receiver => match tcp {
                Ok(tcp) => tcp,
                Err(_) => return Ok(()),
            },
            // The cockpit says nothing before its answer: whatever comes is its end.
            _ = stream.read(&mut byte) => return Ok(()),
        };
        let answer: Result<(), AgentError> = Ok(());
        let message = encode(&answer).map_err(|error| LinkError::Io(error.message))?;
        write_frame(&mut stream, &message).await?;
        tokio::io::copy_bidirectional_with_sizes(&mut stream, &mut tcp, BUFFER_LEN, BUFFER_LEN).await?;
        Ok(())
    }

    /// Tells a program's environment of models, unless it was told of others.
    pub(crate) fn tell(&self, env: &mut BTreeMap<OsString, OsString>) {
        let offer = self.offered();
        let (Some(port), Some(key)) = (offer.port, &offer.key) else { return };
        let (url, secret) = (OsString::from(BASE_URL), OsString::from(API_KEY));
        if env.contains_key(&url) || env.contains_key(&secret) {
            return;
        }
        env.insert(url, format!("http://127.0.0.1:{port}/v1").into());
        env.insert(secret, key.into());
    }
}

/// Says in the shape that OpenAI's clients read why there is no answer.
async fn refuse(mut tcp: TcpStream) {
    const WHY: &str = "{\"error\":{\"message\":\"AiCockpit is not connected to this workspace. Open the workspace in \
                       AiCockpit, then try again.\",\"type\":\"server_error\",\"param\":null,\
                       \"code\":\"not_connected\"}}";
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         retry-after: 5\r\nconnection: close\r\n\r\n{WHY}",
        WHY.len()
    );
    let told = async {
        tcp.write_all(answer.as_bytes()).await?;
        tcp.shutdown().await?;
        // Closing with unread bytes would take the answer back.
        tokio::io::copy(&mut tcp, &mut tokio::io::sink()).await
    };
    // A program that does not read it has gone.
    let _ = tokio::time::timeout(REFUSED_WITHIN, told).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use aicockpit_link::{Incoming, Link, read_frame};
    use aicockpit_protocol::agent::decode;

    fn offer(models: &Arc<Models>, key: &str) -> ModelsOffered {
        models.offer(OfferModels { key: Some(key.to_owned()) }).unwrap()
    }

    #[tokio::test]
    async fn programs_are_told_the_newest_key_and_older_ones_are_remembered() {
        let models = Arc::new(Models::default());
        let mut env = BTreeMap::new();
        models.tell(&mut env);
        assert!(env.is_empty(), "nothing was offered");
        let first = offer(&models, "one");
        assert!(first.earlier.is_empty());
        let second = offer(&models, "two");
        assert_eq!((second.port, second.earlier), (first.port, vec!["one".to_owned()]));
        models.tell(&mut env);
        assert_eq!(env[&OsString::from(API_KEY)], "two");
        assert_eq!(env[&OsString::from(BASE_URL)], *format!("http://127.0.0.1:{}/v1", first.port));
        let none = models.offer(OfferModels { key: None }).unwrap();
        assert_eq!(none.earlier, ["one", "two"], "programs that run know them");
        let mut later = BTreeMap::new();
        models.tell(&mut later);
        assert!(later.is_empty());
    }

    #[tokio::test]
    async fn a_program_told_of_other_models_keeps_them() {
        let models = Arc::new(Models::default());
        offer(&models, "ours");
        let own = BTreeMap::from([(OsString::from(API_KEY), OsString::from("own"))]);
        let mut env = own.clone();
        models.tell(&mut env);
        assert_eq!(env, own);
    }

    #[tokio::test]
    async fn connections_go_to_streams_that_wait_and_wait_for_streams() {
        let models = Arc::new(Models::default());
        let port = offer(&models, "key").port;
        let (near, far) = tokio::io::duplex(1 << 16);
        let link = Link::client(near);
        let mut incoming = Incoming::server(far);
        let served = Arc::clone(&models);
        tokio::spawn(async move {
            while let Some(mut stream) = incoming.accept().await {
                let models = Arc::clone(&served);
                tokio::spawn(async move {
                    read_frame(&mut stream, 16).await.unwrap();
                    models.serve(stream).await
                });
            }
        });
        // The first comes before any stream, and one of the streams has ended before its turn.
        let mut program = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        program.write_all(b"ping").await.unwrap();
        let park = async || {
            let mut stream = link.open().await.unwrap();
            write_frame(&mut stream, b"open").await.unwrap();
            stream
        };
        drop(park().await);
        let mut stream = park().await;
        let answer = read_frame(&mut stream, 64).await.unwrap().unwrap();
        decode::<Result<(), AgentError>>(&answer).unwrap().unwrap();
        let mut said = [0; 4];
        stream.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"ping");
        stream.write_all(b"pong").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut heard = Vec::new();
        program.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"pong");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_cockpit_a_program_is_told_so() {
        let models = Arc::new(Models::default());
        let port = offer(&models, "key").port;
        let mut program = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        program.write_all(b"POST /v1/chat/completions HTTP/1.1\r\n\r\n").await.unwrap();
        program.shutdown().await.unwrap();
        let mut heard = String::new();
        program.read_to_string(&mut heard).await.unwrap();
        assert!(heard.starts_with("HTTP/1.1 503 "), "{heard}");
        assert!(heard.contains("not_connected"), "{heard}");
    }
}
