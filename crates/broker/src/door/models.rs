//! `/v1/models`: aliases first, then what the backends have.

use super::Door;
use crate::fleet::Fleet;
use crate::models;
use crate::refusal::Refusal;
use aicockpit_protocol::broker::ModelInfo;
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Serialize;
use std::collections::HashMap;

#[derive(Serialize)]
pub(super) struct List {
    object: &'static str,
    data: Vec<Model>,
}

#[derive(Serialize)]
pub(super) struct Model {
    id: String,
    object: &'static str,
    created: i64,
    owned_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_length: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

impl Model {
    fn new(id: String, owned_by: &str, info: Option<&ModelInfo>) -> Self {
        Self {
            id,
            object: "model",
            created: info.map_or(0, |info| info.created),
            owned_by: owned_by.to_owned(),
            context_length: info.and_then(|info| info.context_length),
            description: info.and_then(|info| info.note.clone()),
        }
    }
}

pub(super) async fn list(State(door): State<Door>) -> Json<List> {
    let fleet = door.live.fleet();
    models::known(&fleet.backends).await;
    Json(List { object: "list", data: all(&fleet) })
}

pub(super) async fn one(
    State(door): State<Door>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Model>, Refusal> {
    let Path(id) = id.map_err(|error| Refusal::invalid("invalid_path", format!("{error}.")))?;
    let fleet = door.live.fleet();
    models::known(&fleet.backends).await;
    all(&fleet).into_iter().find(|model| model.id == id).map(Json).ok_or_else(|| {
        let message = format!("The model `{id}` is not here; `/v1/models` lists what there is.");
        Refusal::client(StatusCode::NOT_FOUND, "model_not_found", message).about("model")
    })
}

/// Every name that can be asked for. A model that several backends have stands once under its own name, where any of
/// them may answer, and once for each backend.
fn all(fleet: &Fleet) -> Vec<Model> {
    let mut aliases: Vec<&String> = fleet.aliases.keys().collect();
    aliases.sort_unstable();
    let told: Vec<_> =
        fleet.backends.iter().map(|backend| (&backend.settings, backend.told().models)).collect();
    let mut had: HashMap<&str, usize> = HashMap::new();
    for info in told.iter().flat_map(|(_, models)| models.iter()) {
        *had.entry(&info.id).or_default() += 1;
    }
    let mut data = Vec::new();
    for alias in aliases {
        let first = fleet.aliases[alias].first();
        let models = first.map(|target| target.backend.told().models);
        let info = first
            .zip(models.as_ref())
            .and_then(|(target, models)| models.iter().find(|model| model.id == *target.model));
        data.push(Model::new(alias.clone(), "aicockpit", info));
    }
    for (settings, models) in &told {
        for info in models.iter() {
            let is_taken = fleet.aliases.contains_key(&info.id);
            match had.get_mut(info.id.as_str()) {
                Some(1) if !is_taken => data.push(Model::new(info.id.clone(), &settings.name, Some(info))),
                times => {
                    // The name alone, at the first backend that has it.
                    if let Some(times) = times.filter(|times| **times > 1) {
                        *times = 0;
                        if !is_taken {
                            data.push(Model::new(info.id.clone(), "aicockpit", Some(info)));
                        }
                    }
                    let id = format!("{}/{}", settings.name, info.id);
                    data.push(Model::new(id, &settings.name, Some(info)));
                }
            }
        }
    }
    data
}
