//! A way to a server that can be cut: a proxy on loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Bytes moved at once.
const PIECE: usize = 64 * 1024;

/// What the way is like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Open,
    /// Nothing passes and nobody is told, as where a cable is pulled.
    Silent,
}

/// A way to a server. Dropping it ends every connection.
pub struct CutProxy {
    address: SocketAddr,
    way: Arc<watch::Sender<Way>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl CutProxy {
    /// An open way to `server`, for instance `127.0.0.1:6443`.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
        let address = listener.local_addr().expect("an address");
        let way = Arc::new(watch::channel(Way::Open).0);
        let of_all = Arc::clone(&way);
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (server, way) = (server.clone(), of_all.subscribe());
                tokio::spawn(async move {
                    let mut way = way;
                    // Also a new connection gets nowhere while the way is cut.
                    if way.wait_for(|way| *way == Way::Open).await.is_err() {
                        return;
                    }
                    let Ok(far) = TcpStream::connect(&server).await else { return };
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    let up = pass(near_in, far_out, way.clone());
                    let down = pass(far_in, near_out, way);
                    tokio::select! {
                        () = up => {}
                        () = down => {}
                    }
                });
            }
        });
        Self { address, way, accepting }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets nothing through any more, without a word to anybody.
    pub fn cut(&self) {
        self.way.send_replace(Way::Silent);
    }

    /// Lets everything through again, what was held back first.
    pub fn mend(&self) {
        self.way.send_replace(Way::Open);
    }
}

impl Drop for CutProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut way: watch::Receiver<Way>) {
    let mut piece = vec![0; PIECE];
    while let Ok(count @ 1..) = from.read(&mut piece).await {
        // Fails when the proxy was dropped.
        if way.wait_for(|way| *way == Way::Open).await.is_err()
            || to.write_all(&piece[..count]).await.is_err()
        {
            return;
        }
    }
}
