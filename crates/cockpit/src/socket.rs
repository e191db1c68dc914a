//! Clients of the running cockpit in other processes: the same frames as everywhere, each behind its length
//! (u32 LE), over a Unix socket that only this user may open. And [`Client`], which speaks them from Rust.

mod client;
mod stream;

pub use client::{Client, Reply, carry};
pub use stream::{ClientStream, StreamSender};

use crate::Cockpit;
use aicockpit_link::{read_frame, write_frame};
use aicockpit_protocol::frame::MAX_FRAME_LEN;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

/// File name of the socket within the data directory.
pub const SOCKET_FILE: &str = "cockpit.sock";
/// The socket's name in the data directory.
pub const FILE_NAME: &str = "cockpit.sock";
/// Clients connected at once.
const MAX_CLIENTS: usize = 64;
/// Frames waiting to be written to one client.
pub const SINK_LEN: usize = 64;
/// Pause after `accept` failed, which happens when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Listens until it is dropped; then the socket's file is gone, and clients are disconnected.
pub struct SocketServer {
    path: PathBuf,
    _stop: DropGuard,
}

impl Drop for SocketServer {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Serves `cockpit` at `path`, where a file left behind by a killed process is replaced: the caller owns the store's
/// lock, so nobody else serves there. The server does not keep the cockpit alive.
///
/// # Errors
/// When the socket cannot be made.
pub fn listen(cockpit: &Arc<Cockpit>, path: &Path) -> io::Result<SocketServer> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    let stop = CancellationToken::new();
    tokio::spawn(stop.clone().run_until_cancelled_owned(accept(
        listener,
        Arc::downgrade(cockpit),
        stop.clone(),
    )));
    Ok(SocketServer { path: path.to_owned(), _stop: stop.drop_guard() })
}

async fn accept(listener: UnixListener, cockpit: Weak<Cockpit>, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(MAX_CLIENTS));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the command socket could not accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // The file's mode says so already; this holds also where the file system ignores modes.
        let own = nix::unistd::geteuid().as_raw();
        if !stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0) {
            continue;
        }
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let Some(cockpit) = cockpit.upgrade() else { return };
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
            let _place = place;
            serve(&cockpit, stream).await;
        }));
    }
}

async fn serve(cockpit: &Arc<Cockpit>, stream: UnixStream) {
    let (mut reader, mut writer) = stream.into_split();
    let (sink, mut frames) = mpsc::channel::<Vec<u8>>(SINK_LEN);
    let session = cockpit.connect(sink);
    let reading = async {
        while let Ok(Some(frame)) = read_frame(&mut reader, MAX_FRAME_LEN).await {
            session.feed(&frame);
        }
    };
    let writing = async {
        while let Some(frame) = frames.recv().await {
            if write_frame(&mut writer, &frame).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
        () = session.ended() => {}
    }
}
