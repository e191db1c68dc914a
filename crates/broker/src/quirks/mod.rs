//! What each kind of server says of itself, and where.

mod llama_cpp;
mod lm_studio;
mod ollama;
mod vllm;

use crate::backend::Backend;
use crate::flight::Endpoint;
use crate::refusal::Refusal;
use aicockpit_protocol::broker::{BackendAbilities, BackendKind, BackendLoad, ModelInfo};
use bytes::Bytes;
use serde::Deserialize;
use std::time::Duration;

/// Time a server has to tell its models. One that loads a model may be slow to answer anything.
const LIST_WITHIN: Duration = Duration::from_secs(10);
/// Time it has to tell the rest.
const TELL_WITHIN: Duration = Duration::from_secs(3);
/// Most models taken from one server.
const MOST_MODELS: usize = 10_000;

/// The models of a server and what it can do.
///
/// # Errors
/// Why its models cannot be listed, as a fragment. What else it does not say is left out.
pub(crate) async fn survey(backend: &Backend) -> Result<(Vec<ModelInfo>, BackendAbilities), String> {
    let mut models = listed(backend).await?;
    let abilities = match backend.settings.kind {
        BackendKind::OpenAi => BackendAbilities::default(),
        BackendKind::LlamaCpp => llama_cpp::survey(backend, &mut models).await,
        BackendKind::Ollama => ollama::survey(backend, &mut models).await,
        BackendKind::LmStudio => lm_studio::survey(backend, &mut models).await,
        BackendKind::Vllm => vllm::survey(backend, &models).await,
    };
    Ok((models, abilities))
}

/// True for kinds that would answer another question than was asked.
pub(crate) fn may_refuse(kind: BackendKind) -> bool {
    kind == BackendKind::Ollama
}

/// Why a question is not passed on to a server of such a kind.
pub(crate) async fn refusal(
    backend: &Backend,
    model: &str,
    endpoint: Endpoint,
    body: &Bytes,
) -> Option<Refusal> {
    ollama::prompt::refusal(backend, model, endpoint, body).await
}

/// True for kinds that say how busy they are.
pub(crate) fn tells_load(kind: BackendKind) -> bool {
    matches!(kind, BackendKind::LlamaCpp | BackendKind::Vllm)
}

/// How busy a server says it is.
pub(crate) async fn load(backend: &Backend) -> Option<BackendLoad> {
    let metrics = backend.read(backend.beside("metrics"), TELL_WITHIN).await.ok()?;
    let metrics = String::from_utf8_lossy(&metrics);
    match backend.settings.kind {
        BackendKind::LlamaCpp => llama_cpp::load(&metrics),
        BackendKind::Vllm => vllm::load(&metrics),
        _ => None,
    }
}

/// `GET /models`, with the words that llama.cpp and vLLM add to it.
async fn listed(backend: &Backend) -> Result<Vec<ModelInfo>, String> {
    #[derive(Deserialize)]
    struct List {
        data: Option<Vec<serde_json::Value>>,
    }
    let list: List = backend.read_json(backend.below("models"), LIST_WITHIN).await?;
    let models = list.data.unwrap_or_default();
    Ok(models.iter().filter_map(model).take(MOST_MODELS).collect())
}

fn model(told: &serde_json::Value) -> Option<ModelInfo> {
    let context =
        ["max_model_len", "context_length", "context_window"].iter().find_map(|name| told.get(name));
    Some(ModelInfo {
        id: told.get("id")?.as_str()?.to_owned(),
        created: told.get("created").and_then(serde_json::Value::as_i64).unwrap_or(0),
        context_length: context.and_then(serde_json::Value::as_u64).and_then(|length| length.try_into().ok()),
        note: None,
    })
}

/// The sum of a Prometheus metric over its labels.
fn metric(text: &str, name: &str) -> Option<f64> {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = match rest.as_bytes().first()? {
            b'{' => rest.rsplit_once('}')?.1,
            b' ' | b'\t' => rest,
            _ => return None,
        };
        value.split_whitespace().next()?.parse::<f64>().ok().filter(|value| value.is_finite())
    });
    values.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}

/// The same as a count.
fn count(text: &str, name: &str) -> Option<u32> {
    metric(text, name).map(|value| value.clamp(0.0, f64::from(u32::MAX)) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read() {
        let text = "# HELP a b\n# TYPE a gauge\na{x=\"} 9\",y=\"2\"} 3.0\na{x=\"2\"} 1 1700000000\nab 9\nc 0.5\nd NaN\n";
        assert_eq!(metric(text, "a"), Some(4.0));
        assert_eq!(metric(text, "c"), Some(0.5));
        assert_eq!(metric(text, "d"), None);
        assert_eq!(metric(text, "e"), None);
        assert_eq!(count(text, "a"), Some(4));
    }

    #[test]
    fn models_are_read_with_what_servers_add() {
        let told = serde_json::json!({"id":"m","object":"model","created":5,"max_model_len":4096});
        let read = model(&told).expect("a model");
        assert_eq!((read.id.as_str(), read.created, read.context_length), ("m", 5, Some(4096)));
        assert!(model(&serde_json::json!({"name":"m"})).is_none());
    }
}
