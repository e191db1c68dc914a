//! Clients of a cockpit: in the process, over the Unix socket, and such as break the rules. Needs no engine.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use aicockpit_cockpit::session::{MAX_REQUESTS, Session};
use aicockpit_cockpit::socket::{Client, FILE_NAME};
use aicockpit_cockpit::{Cockpit, CockpitError};
use aicockpit_protocol::api::{
    Empty, Event, HostInfo, SettingsGet, SettingsPut, TerminalList, Theme, WorkspaceList, WorkspaceRef,
};
use aicockpit_protocol::frame::{Frame, FrameKind};
use aicockpit_protocol::{ErrorCode, WorkspaceId};
use aicockpit_testkit::without_engines;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_second_process_is_a_client_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let cockpit = Cockpit::start(without_engines(folder.path())).await.unwrap();
    let socket = folder.path().join("data").join(FILE_NAME);
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let second = Cockpit::start(without_engines(folder.path())).await;
    assert!(matches!(second, Err(CockpitError::AlreadyRunning { .. })));

    let (here, there) = (Client::in_process(&cockpit), Client::connect(&socket).await.unwrap());
    let mut events = there.events();
    let mut settings = here.call::<SettingsGet>(Empty {}).await.unwrap();
    settings.theme = Theme::Dark;
    here.call::<SettingsPut>(settings.clone()).await.unwrap();
    let told = async {
        loop {
            if let Event::Settings { settings } = events.recv().await.unwrap() {
                return settings;
            }
        }
    };
    assert_eq!(tokio::time::timeout(SOON, told).await.unwrap(), settings);
    assert_eq!(there.call::<SettingsGet>(Empty {}).await.unwrap(), settings);

    let unknown = WorkspaceRef { workspace: WorkspaceId::new("aaaaaaaaaaaaaaaa") };
    let error = there.call::<TerminalList>(unknown).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);

    cockpit.shutdown().await;
    assert!(!socket.exists(), "the socket goes with the cockpit");
    let lost = tokio::time::timeout(SOON, there.call::<HostInfo>(Empty {})).await.unwrap();
    assert!(lost.is_err(), "its clients are told");
}

fn request(id: u32, json: &str) -> Vec<u8> {
    Frame { kind: FrameKind::Request, id, json, body: &[] }.encode()
}

/// The reply to a request, as its JSON text.
async fn ask(session: &Session, id: u32, json: &str) -> String {
    let reply = session.handle(request(id, json)).await.unwrap();
    let frame = Frame::decode(&reply).unwrap();
    assert_eq!((frame.kind, frame.id), (FrameKind::Reply, id));
    frame.json.to_owned()
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_or_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let cockpit = Cockpit::start(without_engines(folder.path())).await.unwrap();
    let (sink, _frames) = mpsc::channel(16);
    let session = cockpit.connect(sink);
    for json in ["", "{}", r#"{"op":"no.such","params":{}}"#, r#"{"op":"fs.stat","params":{"workspace":1}}"#]
    {
        let reply = ask(&session, 1, json).await;
        assert!(reply.contains("invalid_argument"), "{json}: {reply}");
    }
    assert_eq!(session.handle(vec![1, 2, 3]).await, None);
    for kind in [FrameKind::StreamData, FrameKind::StreamCredit, FrameKind::StreamEnd, FrameKind::Cancel] {
        let frame = Frame { kind, id: 99, json: "nonsense", body: b"x" }.encode();
        assert_eq!(session.handle(frame).await, None, "{kind:?} of a stream that is not there");
    }
    let reply = ask(&session, 2, r#"{"op":"workspace.list","params":{}}"#).await;
    assert_eq!(reply, r#"{"ok":[]}"#);
    cockpit.shutdown().await;
}

#[tokio::test]
async fn a_client_that_asks_without_end_and_reads_nothing_is_let_go_of() {
    let folder = tempfile::tempdir().unwrap();
    let cockpit = Cockpit::start(without_engines(folder.path())).await.unwrap();
    let (sink, frames) = mpsc::channel(1);
    let session = cockpit.connect(sink);
    for id in 0..MAX_REQUESTS as u32 * 2 {
        session.feed(&request(id, r#"{"op":"workspace.list","params":{}}"#));
    }
    tokio::time::timeout(SOON, session.ended()).await.expect("the session ends");
    drop(frames);
    let other = Client::in_process(&cockpit);
    assert!(other.call::<WorkspaceList>(Empty {}).await.is_ok(), "others are served on");
    cockpit.shutdown().await;
}

#[tokio::test]
async fn a_dropped_call_is_cancelled_and_the_connection_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let cockpit = Cockpit::start(without_engines(folder.path())).await.unwrap();
    let client = Client::in_process(&cockpit);
    for _ in 0..1000 {
        let call = client.call::<HostInfo>(Empty {});
        let _ = tokio::time::timeout(Duration::ZERO, call).await;
    }
    assert!(client.call::<HostInfo>(Empty {}).await.is_ok());
    cockpit.shutdown().await;
}

#[tokio::test]
async fn an_in_process_client_does_not_keep_a_cockpit_alive() {
    let folder = tempfile::tempdir().unwrap();
    let cockpit = Cockpit::start(without_engines(folder.path())).await.unwrap();
    let client = Client::in_process(&cockpit);
    client.call::<HostInfo>(Empty {}).await.unwrap();
    let held = Arc::downgrade(&cockpit);
    drop(client);
    cockpit.shutdown().await;
    drop(cockpit);
    let released = async {
        while held.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, released).await.expect("the cockpit is let go of");
}
