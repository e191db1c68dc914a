//! A small cockpit.

use super::PATIENCE;
use crate::Daemon;
use aicockpit_link::{Link, LinkStream, read_frame, write_frame};
use aicockpit_protocol::BytePath;
use aicockpit_protocol::agent::{
    AgentError, Answer, Call, FromAgent, MAX_MESSAGE_LEN, Notice, Open, PROTOCOL_VERSION, Request, decode,
    encode,
};
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::WriteHalf;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Result<Answer, AgentError>>>>>;

#[derive(Clone)]
pub(super) struct Client(Arc<Inner>);

struct Inner {
    folder: tempfile::TempDir,
    daemon: Arc<Daemon>,
    link: Link,
    output: AsyncMutex<WriteHalf<LinkStream>>,
    waiting: Waiting,
    next_id: AtomicU64,
    notices: AsyncMutex<mpsc::UnboundedReceiver<Notice>>,
}

/// A new link to a daemon.
pub(super) fn link_to(daemon: &Arc<Daemon>) -> Link {
    let (near, far) = tokio::io::duplex(256 * 1024);
    tokio::spawn(Arc::clone(daemon).serve(far));
    Link::client(near)
}

pub(super) async fn open(link: &Link, open: &Open) -> LinkStream {
    let mut stream = link.open().await.unwrap();
    write_frame(&mut stream, &encode(open).unwrap()).await.unwrap();
    stream
}

impl Client {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let daemon = Daemon::new(folder.path().to_path_buf(), "test".into(), 1, 2);
        let link = link_to(&daemon);
        let stream = open(&link, &Open::Control { version: PROTOCOL_VERSION }).await;
        let (mut input, output) = tokio::io::split(stream);
        let waiting = Waiting::default();
        let (tell, notices) = mpsc::unbounded_channel();
        let answered = Arc::clone(&waiting);
        tokio::spawn(async move {
            while let Ok(Some(frame)) = read_frame(&mut input, MAX_MESSAGE_LEN).await {
                match decode::<FromAgent>(&frame).unwrap() {
                    FromAgent::Welcome { version, build } => {
                        assert_eq!((version, &*build), (PROTOCOL_VERSION, "test"))
                    }
                    FromAgent::Reply { id, result } => {
                        let answer = answered.lock().unwrap().remove(&id).unwrap();
                        let _ = answer.send(result);
                    }
                    FromAgent::Notice(notice) => {
                        let _ = tell.send(notice);
                    }
                }
            }
        });
        let output = AsyncMutex::new(output);
        let (next_id, notices) = (AtomicU64::new(1), AsyncMutex::new(notices));
        Self(Arc::new(Inner { folder, daemon, link, output, waiting, next_id, notices }))
    }

    pub(super) fn folder(&self) -> BytePath {
        BytePath::new(self.0.folder.path().canonicalize().unwrap().as_os_str().as_bytes())
    }

    pub(super) fn daemon(&self) -> Arc<Daemon> {
        Arc::clone(&self.0.daemon)
    }

    pub(super) fn link(&self) -> &Link {
        &self.0.link
    }

    pub(super) async fn stream(&self, what: &Open) -> LinkStream {
        open(&self.0.link, what).await
    }

    pub(super) async fn ask(&self, call: Call) -> Result<Answer, AgentError> {
        let id = self.0.next_id.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.0.waiting.lock().unwrap().insert(id, answer);
        let frame = encode(&Request { id, call }).unwrap();
        write_frame(&mut *self.0.output.lock().await, &frame).await.unwrap();
        tokio::time::timeout(PATIENCE, answered).await.expect("an answer in time").unwrap()
    }

    /// Waits for a notice that `is` accepts.
    pub(super) async fn notice(&self, is: impl Fn(&Notice) -> bool) -> Notice {
        let mut notices = self.0.notices.lock().await;
        let found = async {
            loop {
                let notice = notices.recv().await.expect("the link is open");
                if is(&notice) {
                    return notice;
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("the notice comes in time")
    }
}
