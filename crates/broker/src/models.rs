//! What backends say of themselves, asked when somebody wants to know and the last answer is old. A broker that nobody
//! uses asks nothing.

use crate::backend::Backend;
use crate::{health, quirks};
use aicockpit_protocol::broker::ModelInfo;
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
        told.models = match backend.is_on_socket() {
            // It has one model, by the name that we gave it.
            true => Arc::new(renamed(&told.models, models)),
            false => Arc::new(models),
        };
        told.abilities = abilities;
        told.listed = Some(Instant::now());
    });
    Ok(())
}

/// What a server says of its model, under the name that we know it by.
fn renamed(known: &[ModelInfo], told: Vec<ModelInfo>) -> Vec<ModelInfo> {
    let told = told.into_iter().next().unwrap_or_default();
    known.iter().map(|model| ModelInfo { id: model.id.clone(), ..told.clone() }).collect()
}

/// Asks a server that is started on demand about itself, in the background, once it has answered.
pub(crate) fn meet(backend: &Arc<Backend>) {
    if backend.is_on_socket() && backend.told().listed.is_none() {
        // Noted before it is known, so that it is asked once.
        backend.tell(|told| told.listed = Some(Instant::now()));
        let backend = Arc::clone(backend);
        tokio::spawn(async move { list(&backend).await });
    }
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
        // It sleeps, or nothing was asked of it.
        Err(_) if !backend.can_be_asked() => {}
        Err(why) => health::noticed(backend, why),
    }
}

/// Sees to it that each server's models are known as far as they can be.
pub(crate) async fn known(backends: &[Arc<Backend>]) {
    let mut asked = tokio::task::JoinSet::new();
    for backend in backends.iter().filter(|backend| backend.can_be_asked()) {
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
    let asked_now = |backend: &&Arc<Backend>| backend.can_be_asked() && !backend.health.is_failing();
    for backend in backends.iter().filter(asked_now) {
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
