//! What backends say of themselves, asked when somebody wants to know and the last answer is old. A broker that nobody
//! uses asks nothing.

use crate::backend::Backend;
use crate::{health, quirks};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A list of models older than this is asked for anew, in the background.
const LIST_AGES: Duration = Duration::from_secs(60);
/// One older than this is asked for anew before a name counts as unknown: a model may just have been added.
const UNKNOWN_AGES: Duration = Duration::from_secs(2);
/// Figures of load older than this are asked for anew while requests run.
const LOAD_AGES: Duration = Duration::from_secs(1);

fn is_older(than: Duration, at: Option<Instant>) -> bool {
    at.is_none_or(|at| at.elapsed() > than)
}

/// Asks a server for its models and abilities.
///
/// # Errors
/// Why it cannot be asked, as a fragment.
pub(crate) async fn list(backend: &Arc<Backend>) -> Result<(), String> {
    let _one = backend.asking.lock().await;
    let (models, abilities) = quirks::survey(backend).await?;
    backend.tell(|told| {
        told.models = Arc::new(models);
        told.abilities = abilities;
        told.listed = Some(Instant::now());
    });
    Ok(())
}

/// Asks a server for its models, unless it has been asked since.
async fn list_again(backend: Arc<Backend>, older_than: Duration) {
    // Only failing of itself: another's turn at it may have brought what is wanted.
    if !is_older(older_than, backend.told().listed) {
        return;
    }
    check(&backend).await;
}

/// Asks a server for its models now, whatever is known of it.
pub(crate) async fn check(backend: &Arc<Backend>) {
    match list(backend).await {
        Ok(()) => backend.health.well(),
        Err(why) => health::failed(backend, why, Duration::ZERO),
    }
}

/// Sees to it that each server's models are known as far as they can be.
pub(crate) async fn known(backends: &[Arc<Backend>]) {
    let mut asked = tokio::task::JoinSet::new();
    for backend in backends {
        let listed = backend.told().listed;
        if listed.is_none() && !backend.health.is_failing() {
            asked.spawn(list_again(Arc::clone(backend), LIST_AGES));
        } else if is_older(LIST_AGES, listed) && !backend.health.is_failing() {
            tokio::spawn(list_again(Arc::clone(backend), LIST_AGES));
        }
    }
    asked.join_all().await;
}

/// Asks all that answer anew, before a name counts as unknown.
pub(crate) async fn known_anew(backends: &[Arc<Backend>]) {
    let mut asked = tokio::task::JoinSet::new();
    for backend in backends.iter().filter(|backend| !backend.health.is_failing()) {
        if is_older(UNKNOWN_AGES, backend.told().listed) {
            asked.spawn(list_again(Arc::clone(backend), UNKNOWN_AGES));
        }
    }
    asked.join_all().await;
}

/// Asks a server how busy it is, in the background, where requests of ours run there and it can tell.
pub(crate) fn measure(backend: &Arc<Backend>) {
    if !quirks::tells_load(backend.settings.kind) || backend.in_flight() == 0 {
        return;
    }
    if !is_older(LOAD_AGES, backend.told().measured) {
        return;
    }
    // Noted before it is known, so that one request a second asks, and not each.
    backend.tell(|told| told.measured = Some(Instant::now()));
    let backend = Arc::clone(backend);
    tokio::spawn(async move {
        if let Some(load) = quirks::load(&backend).await {
            backend.tell(|told| told.load = load);
        }
    });
}
