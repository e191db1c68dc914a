//! Makes an agent's connection when it is wanted, makes it again when it breaks, and lets go when no one needs it.

use super::connection::{ConnectError, Connection};
use super::handle::{Phase, Shared};
use super::models;
use super::news::AgentNews;
use aicockpit_protocol::agent::{Answer, Call};
use aicockpit_protocol::fs::FilesChanged;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// First and longest wait between two tries.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// A connection that lived shorter than this does not count as a success: its end does not reset the waits.
const STEADY_AFTER: Duration = Duration::from_secs(5);
/// Time an agent without terminals has to end.
const RETIRED_WITHIN: Duration = Duration::from_secs(2);
/// How long an unused connection is kept.
pub(super) const LINGER: Duration = Duration::from_secs(60);

/// Runs until the handle is closed.
pub(super) async fn drive(shared: Arc<Shared>) {
    let stop = shared.stop.clone();
    stop.run_until_cancelled(async {
        let mut tries = 0;
        let mut may_replace = true;
        loop {
            shared.wanted.notified().await;
            shared.enter(Phase::Connecting);
            let end = serve(&shared, &mut tries, &mut may_replace).await;
            shared.enter(end);
            // Someone may have come while the connection was let go of.
            if matches!(*shared.phase.borrow(), Phase::Idle) && *shared.users.borrow() > 0 {
                shared.wanted.notify_one();
            }
        }
    })
    .await;
}

/// From the first try until no one needs the connection ([`Phase::Idle`]) or it cannot be made ([`Phase::Failed`]).
async fn serve(shared: &Arc<Shared>, tries: &mut u64, may_replace: &mut bool) -> Phase {
    let mut attempt = 0;
    let mut was_connected = false;
    loop {
        *tries += 1;
        let reason = match connect(shared, may_replace).await {
            Ok(connection) => {
                let begin = Instant::now();
                models::begin(shared, &connection).await;
                shared.enter(Phase::Connected(Arc::clone(&connection)));
                tokio::spawn(catch_up(Arc::clone(shared), Arc::clone(&connection), was_connected));
                was_connected = true;
                match hold(shared, &connection).await {
                    ControlFlow::Break(()) => return Phase::Idle,
                    ControlFlow::Continue(reason) => {
                        if begin.elapsed() >= STEADY_AFTER {
                            attempt = 0;
                        }
                        reason
                    }
                }
            }
            Err(ConnectError { error, fatal: true }) => {
                return Phase::Failed { error, at: Instant::now(), try_number: *tries };
            }
            Err(ConnectError { error, fatal: false }) => error.message,
        };
        attempt += 1;
        tracing::debug!(attempt, reason, "agent connection broke");
        shared.enter(Phase::Reconnecting { attempt, reason });
        let wait = BACKOFF.0.saturating_mul(1 << (attempt - 1).min(10)).min(BACKOFF.1);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shared.wanted.notified() => {}
        }
        if *shared.users.borrow() == 0 {
            return Phase::Idle;
        }
    }
}

async fn connect(shared: &Arc<Shared>, may_replace: &mut bool) -> Result<Arc<Connection>, ConnectError> {
    let connection = connect_once(shared).await?;
    if !connection.is_outdated() || !*may_replace {
        return Ok(connection);
    }
    match ask(shared, &connection, Call::Terminals).await {
        Some(Answer::Terminals(terminals)) if terminals.is_empty() => {}
        _ => return Ok(connection),
    }
    // At most once: two cockpits with different agents must not replace each other's for ever.
    *may_replace = false;
    let _ = ask(shared, &connection, Call::Retire).await;
    if tokio::time::timeout(RETIRED_WITHIN, connection.ended()).await.is_err() {
        // Somebody has just opened a terminal in it.
        return Ok(connection);
    }
    tracing::info!("an older agent was replaced");
    connect_once(shared).await
}

async fn connect_once(shared: &Arc<Shared>) -> Result<Arc<Connection>, ConnectError> {
    let pipe = (shared.connect)().await?;
    let news = shared.news.clone();
    Connection::establish(pipe, Arc::clone(&shared.ids), move |notice| news.tell(notice.into())).await
}

/// Until the connection breaks (with the reason), or has not been used for a while.
async fn hold(shared: &Shared, connection: &Connection) -> ControlFlow<(), String> {
    let mut users = shared.users.subscribe();
    let unused = async {
        loop {
            if users.wait_for(|users| *users == 0).await.is_err() {
                return;
            }
            let used_again = users.wait_for(|users| *users > 0);
            if tokio::time::timeout(LINGER, used_again).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        reason = connection.ended() => ControlFlow::Continue(reason),
        () = unused => {
            connection.close("no one needs it");
            ControlFlow::Break(())
        }
    }
}

/// Notices were not heard while there was no connection: asks for what they would have told.
async fn catch_up(shared: Arc<Shared>, connection: Arc<Connection>, again: bool) {
    if let Some(all) = shared.watches.all() {
        let _ = ask(&shared, &connection, Call::Watch(all)).await;
        if again {
            shared.news.tell(AgentNews::Files(FilesChanged { directories: Vec::new(), rescan: true }));
        }
    }
    if let Some(Answer::Terminals(terminals)) = ask(&shared, &connection, Call::Terminals).await {
        shared.news.tell(AgentNews::Terminals(terminals));
    }
    if let Some(Answer::Ports(ports)) = ask(&shared, &connection, Call::Ports).await {
        shared.news.tell(AgentNews::Ports(ports));
    }
}

/// Asks on this very connection; nothing where it broke, since the next one catches up anew.
pub(super) async fn ask(shared: &Shared, connection: &Connection, call: Call) -> Option<Answer> {
    let kind = super::check::CallKind::of(&call);
    let id = shared.ids.fetch_add(1, Ordering::Relaxed);
    let request = super::connection::encode_request(id, call).ok()?;
    let answer = connection.call(id, request).await.ok()?.ok()?;
    super::check::answer(kind, answer).ok()
}
