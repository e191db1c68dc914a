//! LM Studio: `/api/v0/models` says more than `/v1/models`.

use super::TELL_WITHIN;
use crate::backend::Backend;
use aicockpit_protocol::broker::{BackendAbilities, ModelInfo};
use serde::Deserialize;

#[derive(Deserialize)]
struct List {
    data: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    id: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    max_context_length: Option<u32>,
    loaded_context_length: Option<u32>,
    #[serde(default)]
    capabilities: Vec<String>,
}

pub(super) async fn survey(backend: &Backend, models: &mut [ModelInfo]) -> BackendAbilities {
    match backend.read_json::<List>(backend.beside("api/v0/models"), TELL_WITHIN).await {
        Ok(list) => describe(models, &list.data),
        Err(_) => BackendAbilities::default(),
    }
}

fn describe(models: &mut [ModelInfo], told: &[Told]) -> BackendAbilities {
    for model in models {
        let Some(told) = told.iter().find(|told| told.id == model.id) else { continue };
        model.context_length = told.loaded_context_length.or(told.max_context_length);
        if told.loaded_context_length.is_none() && told.max_context_length.is_some() {
            model.note =
                Some("Not loaded yet; LM Studio may load it with less context than it can have.".to_owned());
        }
    }
    BackendAbilities {
        tools: Some(told.iter().any(|told| told.capabilities.iter().any(|one| one == "tool_use"))),
        vision: Some(told.iter().any(|told| told.kind.as_deref() == Some("vlm"))),
        ..BackendAbilities::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_loaded_counts() {
        let list: List = serde_json::from_value(serde_json::json!({"data": [
            {"id": "a", "type": "llm", "state": "loaded", "max_context_length": 32768, "loaded_context_length": 4096,
             "capabilities": ["tool_use"]},
            {"id": "b", "type": "vlm", "state": "not-loaded", "max_context_length": 8192},
        ]}))
        .expect("a list");
        let mut models = ["a", "b"].map(|id| ModelInfo { id: id.to_owned(), ..ModelInfo::default() });
        let abilities = describe(&mut models, &list.data);
        assert_eq!(models.each_ref().map(|model| model.context_length), [Some(4096), Some(8192)]);
        assert!(models[0].note.is_none() && models[1].note.is_some());
        assert_eq!((abilities.tools, abilities.vision), (Some(true), Some(true)));
    }
}
