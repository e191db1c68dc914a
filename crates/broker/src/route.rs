//! Where a model's name leads, and who is asked first.

use crate::fleet::{Fleet, Target};
use crate::models;
use crate::offline;
use crate::refusal::Refusal;
use crate::responses::{Found, Home};
use http::StatusCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Names told where the one asked for is unknown.
const NEAR_NAMES: usize = 5;
/// How like two names must be to be near, from 0 to 1.
const NEAR: f64 = 0.75;

/// Everything that a name may lead to, in the order to ask.
///
/// # Errors
/// OpenAI's `model_not_found` with names that are near, or that a backend which may have it does not answer.
pub(crate) async fn find(fleet: &Fleet, model: &str) -> Result<Vec<Target>, Refusal> {
    if let Some(targets) = fleet.aliases.get(model) {
        return match targets.is_empty() {
            true => Err(not_found(model, "every backend that it leads to is switched off")),
            false => Ok(order(fleet, targets.clone())),
        };
    }
    if let Some((name, rest)) = model.split_once('/')
        && let Some(backend) = fleet.backend(name)
        && !rest.is_empty()
    {
        return Ok(vec![Target { backend: Arc::clone(backend), model: rest.into(), priority: 0 }]);
    }
    models::known(&fleet.backends).await;
    let mut targets = listed(fleet, model);
    if targets.is_empty() {
        models::known_anew(&fleet.backends).await;
        targets = listed(fleet, model);
    }
    if targets.is_empty() {
        return Err(unknown(fleet, model));
    }
    Ok(order(fleet, targets))
}

/// The backend that stores a response, for what is asked about it; and how it was asked for.
///
/// # Errors
/// `response_not_found`: nobody knows where it is, or the backend is gone.
pub(crate) fn home(fleet: &Fleet, id: &str, found: Found) -> Result<(Target, Home), Refusal> {
    let not_found = |message| Refusal::client(StatusCode::NOT_FOUND, "response_not_found", message);
    let Found::Here(home) = found else {
        let message = format!(
            "The broker does not know the response `{id}`: it was made with another key, was not stored, or the broker \
             was started since. Ask again, and send the whole conversation."
        );
        return Err(not_found(message));
    };
    match fleet.backend(&home.backend) {
        Some(backend) => {
            Ok((Target { backend: Arc::clone(backend), model: Arc::clone(&home.model), priority: 0 }, home))
        }
        None => Err(not_found(gone(id, &home))),
    }
}

/// Where a request goes that follows on a response: to the backend that stores it, by no means to another.
///
/// # Errors
/// As [`find`]; OpenAI's `previous_response_not_found` where nobody knows the response, its backend is gone, or the
/// name leads only to others.
pub(crate) async fn follow(
    fleet: &Fleet,
    model: &str,
    id: &str,
    found: Found,
) -> Result<Vec<Target>, Refusal> {
    let refusal = |message: String| {
        Refusal::invalid("previous_response_not_found", message).about("previous_response_id")
    };
    let home = match found {
        Found::Here(home) => home,
        Found::Others => return Err(refusal(format!("The response `{id}` is not there."))),
        Found::Unknown => {
            let targets = find(fleet, model).await?;
            let is_one = targets.iter().all(|target| Arc::ptr_eq(&target.backend, &targets[0].backend));
            return match is_one {
                true => Ok(targets),
                false => Err(refusal(format!(
                    "The broker does not know which backend stores the response `{id}`: it was started since, or the \
                     response was made with another key. `{model}` leads to several. Ask for the model as \
                     BACKEND/MODEL, or send the whole conversation without `previous_response_id`."
                ))),
            };
        }
    };
    let Some(backend) = fleet.backend(&home.backend) else { return Err(refusal(gone(id, &home))) };
    if home.asked == model {
        return Ok(vec![Target { backend: Arc::clone(backend), model: home.model, priority: 0 }]);
    }
    let mut targets = find(fleet, model).await?;
    targets.retain(|target| Arc::ptr_eq(&target.backend, backend));
    if targets.iter().any(|target| target.model == home.model) {
        targets.retain(|target| target.model == home.model);
    }
    match targets.is_empty() {
        false => Ok(targets),
        true => Err(refusal(format!(
            "The response `{id}` is stored by `{}`, and `{model}` does not lead there. Ask for `{}` again, or send the \
             whole conversation without `previous_response_id`.",
            home.name, home.asked
        ))),
    }
}

fn gone(id: &str, home: &Home) -> String {
    format!(
        "The response `{id}` is stored by `{}`, which is not among the backends any more, or is switched off. Switch it \
         on again, or send the whole conversation in a new request.",
        home.name
    )
}

/// Every backend that lists this model.
fn listed(fleet: &Fleet, model: &str) -> Vec<Target> {
    fleet
        .backends
        .iter()
        .filter(|backend| backend.told().models.iter().any(|listed| listed.id == model))
        .map(|backend| Target { backend: Arc::clone(backend), model: model.into(), priority: 0 })
        .collect()
}

/// Those that answer before those that fail; then by priority, then by how busy they are, then in turn.
fn order(fleet: &Fleet, mut targets: Vec<Target>) -> Vec<Target> {
    if targets.len() > 1 {
        let turn = fleet.turn.fetch_add(1, Ordering::Relaxed) % targets.len();
        targets.rotate_left(turn);
        // Equals stay as they were turned.
        targets.sort_by_cached_key(|target| {
            (target.backend.health.is_failing(), target.priority, target.backend.load())
        });
    }
    for target in &targets {
        models::measure(&target.backend);
    }
    targets
}

fn not_found(model: &str, why: &str) -> Refusal {
    let message = format!("The model `{model}` is not here: {why}.");
    Refusal::client(StatusCode::NOT_FOUND, "model_not_found", message).about("model")
}

fn unknown(fleet: &Fleet, model: &str) -> Refusal {
    if fleet.backends.is_empty() {
        return not_found(model, "no model server is set up; add one to the broker");
    }
    let silent: Vec<String> = fleet
        .backends
        .iter()
        .filter(|backend| backend.can_be_asked() && backend.told().listed.is_none())
        .map(|backend| format!("`{}`", backend.settings.name))
        .collect();
    if !silent.is_empty() {
        let message = format!(
            "The model `{model}` is not known, and {} did not answer, which may have it. See whether it runs.",
            silent.join(", ")
        );
        return Refusal::backend(StatusCode::SERVICE_UNAVAILABLE, "backend_unreachable", message)
            .about("model");
    }
    let shut_out =
        fleet.backends.iter().find(|backend| backend.is_shut_out() && backend.told().listed.is_none());
    if let Some(backend) = shut_out {
        let mut refusal = offline::refusal(&backend.settings.name);
        refusal.body.message =
            format!("The model `{model}` is not known on this machine. {}", refusal.body.message);
        return refusal.about("model");
    }
    let near = near(fleet, model);
    match near.is_empty() {
        true => not_found(model, "no backend has it; `/v1/models` lists what there is"),
        false => not_found(model, &format!("did you mean {}?", near.join(", "))),
    }
}

fn near(fleet: &Fleet, model: &str) -> Vec<String> {
    let wanted = model.to_lowercase();
    let told: Vec<_> = fleet.backends.iter().map(|backend| backend.told().models).collect();
    let names = fleet
        .aliases
        .keys()
        .map(String::as_str)
        .chain(told.iter().flat_map(|models| models.iter().map(|model| model.id.as_str())));
    let mut scored: Vec<(f64, &str)> = names
        .map(|name| (strsim::jaro_winkler(&wanted, &name.to_lowercase()), name))
        .filter(|(score, _)| *score >= NEAR)
        .collect();
    scored.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
    scored.dedup_by_key(|(_, name)| *name);
    scored.into_iter().take(NEAR_NAMES).map(|(_, name)| format!("`{name}`")).collect()
}
