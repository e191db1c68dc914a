//! Model servers of this machine, found by asking the ports they use. What a server is, is told by its answers: any of
//! them can be set to any port.

use aicockpit_protocol::broker::{BackendKind, BackendSettings};
use http_body_util::{BodyExt as _, Limited};
use reqwest::{Client, Url};
use serde::Deserialize;
use std::time::Duration;

/// Ports that servers use where nobody says otherwise: Ollama, llama.cpp, LM Studio, vLLM.
pub const USUAL_PORTS: [u16; 4] = [11434, 8080, 1234, 8000];
/// Time a server has for each answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// Most bytes of an answer.
const MOST_TOLD: usize = 4 << 20;

/// Looks for servers at these ports of this machine. Settings of each that answers, in the order of the ports.
pub async fn discover(ports: &[u16]) -> Vec<BackendSettings> {
    let Ok(client) = crate::backend::loopback_client() else { return Vec::new() };
    let looked = ports.iter().map(|port| {
        let client = client.clone();
        async move { (*port, kind(&client, *port).await) }
    });
    let mut found: Vec<BackendSettings> = Vec::new();
    for (port, kind) in futures::future::join_all(looked).await {
        let Some(kind) = kind else { continue };
        let name = match found.iter().any(|other| other.kind == kind) {
            true => format!("{}-{port}", short(kind)),
            false => short(kind).to_owned(),
        };
        found.push(BackendSettings {
            id: name.clone(),
            name,
            url: format!("http://127.0.0.1:{port}/v1"),
            kind,
            has_key: false,
            enabled: true,
            max_parallel: None,
        });
    }
    found
}

fn short(kind: BackendKind) -> &'static str {
    match kind {
        BackendKind::OpenAi => "local",
        BackendKind::LlamaCpp => "llama-cpp",
        BackendKind::Ollama => "ollama",
        BackendKind::LmStudio => "lm-studio",
        BackendKind::Vllm => "vllm",
    }
}

/// What answers at a port; none where it is no model server, or none that we may ask.
async fn kind(client: &Client, port: u16) -> Option<BackendKind> {
    #[derive(Deserialize)]
    struct List {
        object: Option<String>,
        data: Vec<Listed>,
    }
    #[derive(Deserialize)]
    struct Listed {
        owned_by: Option<String>,
    }
    // Only what lists models as OpenAI does is a model server, whatever else it answers.
    let list: List = serde_json::from_slice(&get(client, port, "v1/models").await?).ok()?;
    if list.object.as_deref() != Some("list") {
        return None;
    }
    let owned_by = |name: &str| list.data.iter().any(|model| model.owned_by.as_deref() == Some(name));
    if owned_by("llamacpp") {
        return Some(BackendKind::LlamaCpp);
    }
    if owned_by("vllm") {
        return Some(BackendKind::Vllm);
    }
    let has = async |path: &str, field: &str| {
        let told = get(client, port, path).await;
        let told = told.and_then(|told| serde_json::from_slice::<serde_json::Value>(&told).ok());
        told.is_some_and(|told| told.get(field).is_some())
    };
    if has("api/tags", "models").await {
        return Some(BackendKind::Ollama);
    }
    if has("api/v0/models", "data").await {
        return Some(BackendKind::LmStudio);
    }
    if has("props", "default_generation_settings").await {
        return Some(BackendKind::LlamaCpp);
    }
    Some(BackendKind::OpenAi)
}

async fn get(client: &Client, port: u16, path: &str) -> Option<Vec<u8>> {
    let url = Url::parse(&format!("http://127.0.0.1:{port}/{path}")).ok()?;
    let read = async {
        let answer = client.get(url).send().await.ok()?.error_for_status().ok()?;
        let body = Limited::new(reqwest::Body::from(answer), MOST_TOLD).collect().await.ok()?;
        Some(body.to_bytes().to_vec())
    };
    tokio::time::timeout(ANSWER_WITHIN, read).await.ok()?
}
