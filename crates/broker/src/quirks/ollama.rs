//! Ollama. Its OpenAI door cannot set the context's length (`num_ctx`), and cuts what does not fit without a word. So each
//! model says how long its context is as Ollama runs it and how that is changed, and [`prompt`] refuses what would be cut.

pub(super) mod prompt;

use super::TELL_WITHIN;
use crate::backend::Backend;
use aicockpit_protocol::broker::{BackendAbilities, ModelInfo};
use futures::StreamExt as _;
use futures::stream;
use http::{HeaderValue, Method, header};
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;
use std::collections::HashMap;

/// Models asked about at once.
const AT_ONCE: usize = 4;
/// Most models that are asked about; the others stay without a length.
const MOST_ASKED: usize = 200;
/// Most bytes said of one model. Its licence and template are among them.
const MOST_SHOWN: usize = 4 << 20;

#[derive(Deserialize)]
struct Running {
    models: Vec<RunningModel>,
}

#[derive(Deserialize)]
struct RunningModel {
    name: String,
    context_length: Option<u32>,
}

#[derive(Deserialize)]
struct Shown {
    /// The Modelfile's settings, one a line: `num_ctx    8192`.
    #[serde(default)]
    parameters: String,
    #[serde(default)]
    model_info: HashMap<String, serde_json::Value>,
    #[serde(default)]
    capabilities: Vec<String>,
}

pub(super) async fn survey(backend: &Backend, models: &mut [ModelInfo]) -> BackendAbilities {
    #[derive(Deserialize)]
    struct Version {
        version: String,
    }
    let version = backend.read_json::<Version>(backend.beside("api/version"), TELL_WITHIN).await;
    let running: HashMap<String, u32> =
        match backend.read_json::<Running>(backend.beside("api/ps"), TELL_WITHIN).await {
            Ok(running) => {
                let lengths = running.models.into_iter();
                lengths.filter_map(|model| Some((model.name, model.context_length?))).collect()
            }
            Err(_) => HashMap::new(),
        };
    let names: Vec<String> = models.iter().take(MOST_ASKED).map(|model| model.id.clone()).collect();
    let shown: HashMap<String, Shown> = stream::iter(names)
        .map(|name| async move { show(backend, &name).await.map(|shown| (name, shown)) })
        .buffer_unordered(AT_ONCE)
        .filter_map(|shown| async move { shown })
        .collect()
        .await;
    for model in models {
        let shown = shown.get(&model.id);
        describe(model, running.get(&model.id).copied(), shown);
    }
    let can = |ability: &str| {
        (!shown.is_empty())
            .then(|| shown.values().any(|shown| shown.capabilities.iter().any(|one| one == ability)))
    };
    BackendAbilities {
        version: version.ok().map(|version| version.version),
        tools: can("tools"),
        vision: can("vision"),
        ..BackendAbilities::default()
    }
}

async fn show(backend: &Backend, name: &str) -> Option<Shown> {
    let mut request = backend.request(Method::POST, backend.beside("api/show")?);
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *request.body_mut() = Some(serde_json::json!({ "model": name }).to_string().into());
    let read = async {
        let answer = backend.send(request).await?.ok().filter(|answer| answer.status().is_success())?;
        let body = Limited::new(answer.into_body(), MOST_SHOWN).collect().await.ok()?;
        serde_json::from_slice(&body.to_bytes()).ok()
    };
    tokio::time::timeout(TELL_WITHIN, backend.while_allowed(read)).await.ok()??
}

/// The length that counts is the one it runs with; else the one that its settings ask for. Without either it is
/// OLLAMA_CONTEXT_LENGTH, or Ollama's own choice by the memory of the machine's GPU.
fn describe(model: &mut ModelInfo, running: Option<u32>, shown: Option<&Shown>) {
    let set = shown.and_then(|shown| {
        shown.parameters.lines().find_map(|line| line.trim().strip_prefix("num_ctx")?.trim().parse().ok())
    });
    let trained = shown.and_then(|shown| {
        let (_, length) = shown.model_info.iter().find(|(name, _)| name.ends_with(".context_length"))?;
        u32::try_from(length.as_u64()?).ok()
    });
    model.context_length = running.or(set);
    let change = "To change it, set OLLAMA_CONTEXT_LENGTH for Ollama, or num_ctx in the model's Modelfile.";
    let trained = trained.map(|length| format!(" It was trained with {length} tokens.")).unwrap_or_default();
    let runs = match model.context_length {
        Some(length) => format!("Ollama runs it with {length} tokens of context"),
        None => "Ollama chooses its context when it loads it".to_owned(),
    };
    model.note =
        Some(format!("{runs}; a longer prompt is refused here, as Ollama would cut it.{trained} {change}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_that_counts_is_told() {
        let shown: Shown = serde_json::from_value(serde_json::json!({
            "parameters": "stop    \"<end>\"\nnum_ctx                        8192",
            "model_info": {"llama.context_length": 131072}, "capabilities": ["completion", "tools"],
        }))
        .expect("shown");
        let described = |running, shown| {
            let mut model = ModelInfo::default();
            describe(&mut model, running, shown);
            (model.context_length, model.note.expect("a note"))
        };
        assert_eq!(described(Some(4096), Some(&shown)).0, Some(4096));
        let (length, note) = described(None, Some(&shown));
        assert_eq!(length, Some(8192));
        assert!(note.contains("8192 tokens") && note.contains("trained with 131072"), "{note}");
        assert!(note.contains("refused here"), "{note}");
        let (length, note) = described(None, None);
        assert!(length.is_none() && note.contains("when it loads it"), "{note}");
    }
}
