//! Models for the programs inside a workspace, over streams that wait for them at the agent.

use super::connection::Connection;
use super::driver::ask;
use super::handle::{AgentHandle, Lease, Shared};
use crate::models::Door;
use aicockpit_broker::{Keys, SideDoor};
use aicockpit_link::read_frame;
use aicockpit_protocol::agent::{AgentError, Answer, Call, Open, decode};
use aicockpit_protocol::models::OfferModels;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Streams that wait for programs at a time. A program finds one without a round trip; of many at once, some wait for
/// the next ones.
const WAITING: usize = 4;
/// Connections of a workspace's programs at once, well below what a link carries.
const MAX_CONNECTIONS: usize = 128;
/// Time the agent has to answer to an offer, which whoever wants the connection waits for.
const OFFERED_WITHIN: Duration = Duration::from_secs(5);
/// How long after its last use the link is kept for programs that go on without anybody looking.
const KEPT_AFTER_USE: Duration = Duration::from_secs(3600);
/// Wait after a stream could not be had.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Largest answer to the opening of a stream.
const MAX_ANSWER: usize = 64 * 1024;

/// What became of a stream that waited.
enum News {
    /// A program has come.
    Taken,
    /// It ended before one came.
    Lost,
}

/// Offers models to the programs inside, before anybody can start one over this connection; then serves them for as
/// long as it lives.
pub(super) async fn begin(shared: &Arc<Shared>, connection: &Arc<Connection>) {
    // An agent that is older than we are may not know of models.
    let Some(door) = shared.models.clone().filter(|_| !connection.is_outdated()) else { return };
    let keys = Keys::default();
    let offered = offer(shared, connection, &door, &keys);
    match tokio::time::timeout(OFFERED_WITHIN, offered).await {
        Ok(Some(port)) => {
            tokio::spawn(serve(Arc::clone(shared), Arc::clone(connection), door, port, keys));
        }
        Ok(None) | Err(_) => tracing::warn!("a workspace's agent took no offer of models"),
    }
}

/// The agent's port for programs.
async fn offer(shared: &Shared, connection: &Connection, door: &Door, keys: &Keys) -> Option<u16> {
    let key = if door.is_open() { door.issue(keys) } else { None };
    match ask(shared, connection, Call::OfferModels(OfferModels { key })).await? {
        Answer::Models(offered) => {
            door.admit(keys, &offered.earlier);
            Some(offered.port)
        }
        _ => None,
    }
}

async fn serve(shared: Arc<Shared>, connection: Arc<Connection>, mut door: Door, port: u16, keys: Keys) {
    let side_door = door.at(port, keys.clone());
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let (news, mut told) = mpsc::channel(MAX_CONNECTIONS);
    let mut streams = JoinSet::new();
    let mut waiting = 0;
    let mut kept: Option<Lease> = None;
    loop {
        while waiting < WAITING && streams.len() < MAX_CONNECTIONS {
            waiting += 1;
            let one = stream(Arc::clone(&connection), side_door.clone(), news.clone(), stop.clone());
            streams.spawn(one);
        }
        tokio::select! {
            _ = connection.ended() => return,
            Some(news) = told.recv() => {
                waiting -= 1;
                match news {
                    News::Taken => kept = Some(AgentHandle(Arc::clone(&shared)).lease()),
                    News::Lost => tokio::time::sleep(RETRY_AFTER).await,
                }
            }
            Some(_) = streams.join_next() => {}
            () = tokio::time::sleep(KEPT_AFTER_USE), if kept.is_some() && streams.len() == waiting => kept = None,
            () = door.turned() => {
                if offer(&shared, &connection, &door, &keys).await.is_none() {
                    tracing::warn!("a workspace's agent took no offer of models");
                }
            }
        }
    }
}

/// Waits for a program's connection and serves it.
async fn stream(
    connection: Arc<Connection>,
    door: SideDoor,
    news: mpsc::Sender<News>,
    stop: CancellationToken,
) {
    let accepted = async {
        let mut stream = connection.open(&Open::AcceptModels).await.ok()?;
        let answer = read_frame(&mut stream, MAX_ANSWER).await.ok()??;
        decode::<Result<(), AgentError>>(&answer).ok()?.ok()?;
        Some(stream)
    };
    let Some(stream) = accepted.await else {
        let _ = news.send(News::Lost).await;
        return;
    };
    // The receiver is gone only where the connection is.
    if news.send(News::Taken).await.is_ok() {
        door.serve(stream, stop).await;
    }
}
