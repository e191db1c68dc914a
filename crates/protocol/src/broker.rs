//! The broker: which model servers there are, under which names their models are asked for, and how they fare.

use crate::usage::{CURRENCY, LimitSettings, Price, QUEUE_SECONDS};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Seconds until the first byte of an answer, where the settings name none. A large prompt on a small machine is slow.
pub const FIRST_BYTE_SECONDS: u32 = 300;
/// Seconds between two pieces of an answer, where the settings name none.
pub const IDLE_SECONDS: u32 = 120;

/// What kind of server a backend is. Each has its own ways to say what it can do and how busy it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum BackendKind {
    /// Anything that speaks OpenAI's protocol, also OpenAI itself.
    #[default]
    OpenAi,
    /// llama.cpp's server.
    LlamaCpp,
    /// Ollama.
    Ollama,
    /// LM Studio.
    LmStudio,
    /// vLLM.
    Vllm,
}

/// A model server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct BackendSettings {
    /// Its id, which never changes; secrets are kept under it.
    pub id: String,
    /// Its name for people, and before the slash in `name/model`.
    pub name: String,
    /// The base address, which ends before `/chat/completions`: `http://127.0.0.1:8080/v1`.
    pub url: String,
    /// What it is.
    #[serde(default)]
    pub kind: BackendKind,
    /// True where a key for it is kept. The key itself is never part of the settings.
    #[serde(default)]
    pub has_key: bool,
    /// False where it is known but not used.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Most requests at once, from 1; absent for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub max_parallel: Option<u32>,
}

/// Where a model's name leads.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct Target {
    /// Id or name of the backend.
    pub backend: String,
    /// The model's name there.
    pub model: String,
    /// Lower ones are asked first; among equals the least busy one.
    #[serde(default)]
    pub priority: u8,
}

/// A name of a model, and where it leads.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct ModelAlias {
    /// The name that clients ask for.
    pub name: String,
    /// Where it leads; one at least.
    pub targets: Vec<Target>,
}

/// Everything the broker is told.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, TS)]
pub struct BrokerSettings {
    /// The model servers.
    #[serde(default)]
    pub backends: Vec<BackendSettings>,
    /// Names of models.
    #[serde(default)]
    pub aliases: Vec<ModelAlias>,
    /// Seconds until the first byte of an answer, from 1.
    #[serde(default = "first_byte_seconds")]
    pub first_byte_seconds: u32,
    /// Seconds between two pieces of an answer, from 1.
    #[serde(default = "idle_seconds")]
    pub idle_seconds: u32,
    /// Seconds that a request waits for a place where all its servers are busy; 0 to refuse it at once.
    #[serde(default = "queue_seconds")]
    pub queue_seconds: u32,
    /// How much may be asked.
    #[serde(default)]
    pub limits: LimitSettings,
    /// What models cost.
    #[serde(default)]
    pub prices: Vec<Price>,
    /// The currency of prices and budgets, as ISO 4217 writes it.
    #[serde(default = "currency")]
    pub currency: String,
    /// Questions and answers of the last requests are kept in memory, to be looked at.
    #[serde(default)]
    pub keep_prompts: bool,
    /// Port on this machine's loopback by which its own programs reach the models; absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub listen_port: Option<u16>,
}

impl Default for BrokerSettings {
    fn default() -> Self {
        Self {
            backends: Vec::new(),
            aliases: Vec::new(),
            first_byte_seconds: FIRST_BYTE_SECONDS,
            idle_seconds: IDLE_SECONDS,
            queue_seconds: QUEUE_SECONDS,
            limits: LimitSettings::default(),
            prices: Vec::new(),
            currency: currency(),
            keep_prompts: false,
            listen_port: None,
        }
    }
}

/// Whether a backend answers.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum BackendHealth {
    /// Not asked yet.
    #[default]
    Unknown,
    /// It answered last time.
    Ready,
    /// It did not, and is asked last until it does.
    Failing {
        /// What happened.
        why: String,
        /// When it is looked at again, in milliseconds from now.
        retry_in_ms: u64,
    },
}

/// A model as its server describes it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, TS)]
pub struct ModelInfo {
    /// Its name on that server.
    pub id: String,
    /// When it was made, in seconds since 1970; 0 where the server does not say.
    #[serde(default)]
    pub created: i64,
    /// Tokens that fit into its context as the server runs it, where the server says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub context_length: Option<u32>,
    /// What a person should know about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub note: Option<String>,
}

/// What a server says it can do. Absent: it does not say.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, TS)]
pub struct BackendAbilities {
    /// Its version or build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub version: Option<String>,
    /// Requests that it works on at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub slots: Option<u32>,
    /// Tokens of one request's context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub context_length: Option<u32>,
    /// The chat template knows tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub tools: Option<bool>,
    /// Pictures are understood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub vision: Option<bool>,
}

/// How busy a server says it is. Absent: it does not say.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, TS)]
pub struct BackendLoad {
    /// Requests being worked on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub running: Option<u32>,
    /// Requests waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub waiting: Option<u32>,
    /// Part of the KV cache in use, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub kv_cache: Option<f64>,
}

/// A backend as it is now.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, TS)]
pub struct BackendState {
    /// Which.
    pub id: String,
    /// Whether it answers.
    pub health: BackendHealth,
    /// Its models, as last seen.
    pub models: Vec<ModelInfo>,
    /// Our requests to it that are not at their end.
    pub in_flight: u32,
    /// Our requests that wait for a place at it.
    #[serde(default)]
    pub queued: u32,
    /// How busy it says it is.
    pub load: BackendLoad,
    /// What it says it can do.
    pub abilities: BackendAbilities,
}

fn yes() -> bool {
    true
}

fn first_byte_seconds() -> u32 {
    FIRST_BYTE_SECONDS
}

fn idle_seconds() -> u32 {
    IDLE_SECONDS
}

fn queue_seconds() -> u32 {
    QUEUE_SECONDS
}

fn currency() -> String {
    CURRENCY.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_its_default() {
        let settings: BrokerSettings = serde_json::from_str(
            r#"{"backends":[{"id":"a","name":"a","url":"http://127.0.0.1:8080/v1"}],
                "aliases":[{"name":"fast","targets":[{"backend":"a","model":"m"}]}]}"#,
        )
        .expect("settings");
        let backend = &settings.backends[0];
        assert!(backend.enabled && !backend.has_key);
        assert_eq!((backend.kind, backend.max_parallel), (BackendKind::OpenAi, None));
        assert_eq!((settings.first_byte_seconds, settings.idle_seconds), (FIRST_BYTE_SECONDS, IDLE_SECONDS));
        assert_eq!(settings.aliases[0].targets[0].priority, 0);
        let empty: BrokerSettings = serde_json::from_str("{}").expect("settings");
        assert_eq!(empty, BrokerSettings::default());
    }
}
