//! The cockpit behind the window: in this process, or in another one that owns the store already.

use aicockpit_cockpit::session::Session;
use aicockpit_cockpit::socket::{self, Client, SocketServer};
use aicockpit_cockpit::{Cockpit, CockpitError, Config, EngineSelection, resources};
use aicockpit_protocol::api::{Host, HostCapability};
use aicockpit_protocol::frame::{Frame, FrameKind};
use serde_json::json;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// What a desktop adds to the abilities of a host.
const DESKTOP: [HostCapability; 3] =
    [HostCapability::Dialogs, HostCapability::Notifications, HostCapability::OpenExternal];
/// How a request for [`Host`] begins, as every client of ours writes it.
const HOST_INFO: &str = "{\"op\":\"host.info\"";
/// A process that has just taken the store's lock needs a moment until its socket answers.
const SOCKET_TRIES: u32 = 20;
/// How long the application's end may wait for the cockpit to come to rest.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(3);
/// Pause between these tries.
const SOCKET_PAUSE: Duration = Duration::from_millis(100);

/// The application's state.
pub(crate) struct Shell {
    runtime: tokio::runtime::Handle,
    own: tokio::sync::Mutex<Option<Own>>,
    page: Arc<Mutex<Page>>,
}

/// The page's connection.
#[derive(Default)]
struct Page {
    connection: Option<Connection>,
    /// Counts connections, so that the end of an old one does not clear its successor.
    generation: u64,
    /// Requests for [`Host`] under way.
    host_requests: HashSet<u32>,
}

/// This process's cockpit, and its door for the command line.
struct Own {
    cockpit: Arc<Cockpit>,
    _socket: Option<SocketServer>,
}

enum Connection {
    Session(Session),
    Socket(mpsc::UnboundedSender<Vec<u8>>),
}

enum Reached {
    Own(Arc<Cockpit>),
    Other(PathBuf),
}

impl Shell {
    pub(crate) fn new(runtime: tokio::runtime::Handle) -> Self {
        Self { runtime, own: tokio::sync::Mutex::default(), page: Arc::default() }
    }

    /// Starts the cockpit, unless another process owns the store: then that one is used.
    pub(crate) async fn start(&self) -> Result<(), CockpitError> {
        self.reach().await.map(drop)
    }

    /// Connects the page. `deliver` takes every frame for it and says whether it could; an empty one says that the
    /// connection ended.
    pub(crate) async fn subscribe(
        &self,
        deliver: impl Fn(Vec<u8>) -> bool + Send + 'static,
    ) -> Result<(), CockpitError> {
        let (connection, mut frames) = match self.reach().await? {
            Reached::Own(cockpit) => {
                let (sink, frames) = mpsc::channel(socket::SINK_LEN);
                (Connection::Session(cockpit.connect(sink)), frames)
            }
            Reached::Other(path) => {
                let (outgoing, frames) = connect(&path).await?;
                let (sender, mut waiting) = mpsc::unbounded_channel::<Vec<u8>>();
                tokio::spawn(async move {
                    while let Some(frame) = waiting.recv().await {
                        if outgoing.send(frame).await.is_err() {
                            return;
                        }
                    }
                });
                (Connection::Socket(sender), frames)
            }
        };
        let generation = {
            let mut page = lock(&self.page);
            page.generation += 1;
            page.connection = Some(connection);
            page.host_requests.clear();
            page.generation
        };
        let page = Arc::clone(&self.page);
        tokio::spawn(async move {
            while let Some(frame) = frames.recv().await {
                let frame = with_desktop_abilities(&page, frame);
                if !deliver(frame) {
                    break;
                }
            }
            let mut page = lock(&page);
            if page.generation == generation {
                page.connection = None;
                deliver(Vec::new());
            }
        });
        Ok(())
    }

    /// Passes one frame of the page on, in the order of the calls.
    pub(crate) fn send(&self, frame: &[u8]) -> Result<(), String> {
        let mut page = lock(&self.page);
        if let Ok(Frame { kind: FrameKind::Request, id, json, .. }) = Frame::decode(frame)
            && json.starts_with(HOST_INFO)
        {
            page.host_requests.insert(id);
        }
        match &page.connection {
            Some(Connection::Session(session)) => {
                let _runtime = self.runtime.enter();
                session.feed(frame);
                Ok(())
            }
            Some(Connection::Socket(sender)) => {
                sender.send(frame.to_vec()).map_err(|_| "the connection to the cockpit ended".to_owned())
            }
            None => Err("the page is not connected; subscribe first".to_owned()),
        }
    }

    /// A typed client, for what the desktop itself wants to know.
    pub(crate) async fn client(&self) -> Result<Client, CockpitError> {
        match self.reach().await? {
            Reached::Own(cockpit) => Ok(Client::in_process(&cockpit)),
            Reached::Other(path) => {
                let (outgoing, incoming) = connect(&path).await?;
                Ok(Client::over(outgoing, incoming))
            }
        }
    }

    /// Ends the page's connection and this process's cockpit, so that the store is closed in order.
    pub(crate) fn shut_down(&self) {
        lock(&self.page).connection = None;
        self.runtime.block_on(async {
            let own = self.own.lock().await.take();
            if let Some(own) = own
                && tokio::time::timeout(SHUTDOWN_LIMIT, own.cockpit.shutdown()).await.is_err()
            {
                // Nothing acknowledged is lost: the next start finds the store as after a kill.
                tracing::warn!("the cockpit did not come to rest in time");
            }
        });
    }

    async fn reach(&self) -> Result<Reached, CockpitError> {
        let mut own = self.own.lock().await;
        if let Some(own) = &*own {
            return Ok(Reached::Own(Arc::clone(&own.cockpit)));
        }
        let directory = resources::data_directory()?;
        let path = directory.join(socket::SOCKET_FILE);
        let config = Config {
            data_dir: directory,
            agent_binary: resources::agent_binary()?,
            host_capabilities: vec![HostCapability::LocalFolders],
            engines: EngineSelection::Discover,
        };
        match Cockpit::start(config).await {
            Ok(cockpit) => {
                let socket = socket::listen(&cockpit, &path)
                    .inspect_err(|error| tracing::warn!(%error, "the command line cannot reach this process"))
                    .ok();
                *own = Some(Own { cockpit: Arc::clone(&cockpit), _socket: socket });
                Ok(Reached::Own(cockpit))
            }
            Err(CockpitError::AlreadyRunning { .. }) => Ok(Reached::Other(path)),
            Err(error) => Err(error),
        }
    }
}

type Carrier = (mpsc::Sender<Vec<u8>>, mpsc::Receiver<Vec<u8>>);

async fn connect(path: &std::path::Path) -> Result<Carrier, CockpitError> {
    let mut tries = 0;
    loop {
        match socket::carry(path).await {
            Ok(carrier) => return Ok(carrier),
            Err(source) if tries == SOCKET_TRIES => {
                return Err(CockpitError::DataDirectory { path: path.to_owned(), source });
            }
            Err(_) => {
                tries += 1;
                tokio::time::sleep(SOCKET_PAUSE).await;
            }
        }
    }
}

fn lock(page: &Mutex<Page>) -> MutexGuard<'_, Page> {
    page.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds what the desktop can do to the answer of `host.info`; every other frame passes untouched.
fn with_desktop_abilities(page: &Mutex<Page>, bytes: Vec<u8>) -> Vec<u8> {
    match Frame::decode(&bytes) {
        Ok(frame) if frame.kind == FrameKind::Reply && lock(page).host_requests.remove(&frame.id) => {
            add_abilities(&frame).unwrap_or(bytes)
        }
        _ => bytes,
    }
}

/// `None` for an error or anything else that is no [`Host`].
fn add_abilities(frame: &Frame<'_>) -> Option<Vec<u8>> {
    let mut reply: serde_json::Value = serde_json::from_str(frame.json).ok()?;
    let mut host: Host = serde_json::from_value(reply.get_mut("ok")?.take()).ok()?;
    for ability in DESKTOP {
        if !host.capabilities.contains(&ability) {
            host.capabilities.push(ability);
        }
    }
    let json = json!({ "ok": host }).to_string();
    Some(Frame { json: &json, ..*frame }.encode())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(json: &str) -> Vec<u8> {
        Frame { kind: FrameKind::Reply, id: 7, json, body: &[] }.encode()
    }

    #[test]
    fn the_host_is_told_to_have_a_desktops_abilities_once_each() {
        let page = Mutex::new(Page { host_requests: [7].into(), ..Page::default() });
        let sent = r#"{"ok":{"version":"1","machine":"m","capabilities":["dialogs","local_folders"]}}"#;
        let bytes = with_desktop_abilities(&page, reply(sent));
        let text = Frame::decode(&bytes).unwrap().json.to_owned();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            value["ok"]["capabilities"],
            json!(["dialogs", "local_folders", "notifications", "open_external"]),
            "{text}"
        );
        assert!(lock(&page).host_requests.is_empty(), "the request is done with");
    }

    #[test]
    fn other_replies_and_errors_pass_untouched() {
        let page = Mutex::new(Page { host_requests: [7].into(), ..Page::default() });
        let failed = reply(r#"{"error":{"code":"internal","message":"x"}}"#);
        assert_eq!(with_desktop_abilities(&page, failed.clone()), failed);
        let host = reply(r#"{"ok":{"version":"1","machine":"m","capabilities":[]}}"#);
        assert_eq!(
            with_desktop_abilities(&page, host.clone()),
            host,
            "no request for it is under way any more"
        );
    }

    #[test]
    fn the_request_is_recognised_as_the_protocol_writes_it() {
        let request = aicockpit_protocol::api::Request::HostInfo(aicockpit_protocol::api::Empty {});
        let json = serde_json::to_string(&request).unwrap();
        assert!(json.starts_with(HOST_INFO), "{json}");
    }
}
