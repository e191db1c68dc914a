//! What models are used for: limits and prices, the ledger of requests, and sums of it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use ts_rs::TS;

/// The currency of prices where the settings name none.
pub const CURRENCY: &str = "USD";
/// Seconds a request waits for a place at a busy model server, where the settings name none.
pub const QUEUE_SECONDS: u32 = 60;

/// What may be used within a day or a month. Absent: as much as one likes.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct Budget {
    /// Tokens, in and out together.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub tokens: Option<u64>,
    /// Money, in the currency of the prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub cost: Option<f64>,
}

/// How much may be asked. Absent: as much as one likes.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct KeyLimits {
    /// Requests a minute, from 1. That many may come at once; then they are let in evenly.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub requests_per_minute: Option<u32>,
    /// Tokens a minute, in and out together, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub tokens_per_minute: Option<u32>,
    /// Requests at once, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub parallel: Option<u32>,
    /// From midnight to midnight, by this machine's clock.
    pub day: Budget,
    /// From the month's first day to its last.
    pub month: Budget,
}

/// Limits of everybody who asks.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct LimitSettings {
    /// For each workspace, and each other owner of a key, that has none of its own.
    pub each: KeyLimits,
    /// For single ones, by owner: a workspace's id, or the name of another key.
    pub of: BTreeMap<String, KeyLimits>,
    /// For all together.
    pub all: KeyLimits,
}

/// What a model costs. The first entry that fits counts; without one a request costs nothing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, TS)]
pub struct Price {
    /// Id or name of the server; `*` for any.
    pub backend: String,
    /// The model's name there; `*` at its end stands for any rest.
    pub model: String,
    /// For a million tokens of questions.
    pub input: f64,
    /// For a million tokens of answers.
    pub output: f64,
    /// For a million tokens of questions that the server had cached; absent for the price of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub cached_input: Option<f64>,
}

/// Sums of requests.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, TS)]
pub struct UsageSum {
    /// Requests.
    pub requests: u64,
    /// Of these, the ones without a whole answer by somebody's fault but the client's.
    pub failed: u64,
    /// Of these, the ones refused by a limit or for the client's fault.
    pub refused: u64,
    /// Of these, the ones whose client went away.
    pub cancelled: u64,
    /// Tokens of questions.
    pub input_tokens: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// Money.
    pub cost: f64,
}

/// By what usage is told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum UsageBy {
    /// The model's name, as asked for.
    #[default]
    Model,
    /// The server that answered.
    Backend,
    /// Whose key it was.
    Owner,
}

/// Width of the bars of a chart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum UsageStep {
    /// An hour.
    Hour,
    /// A day, by this machine's clock.
    #[default]
    Day,
}

/// Which usage is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct UsageQuery {
    /// From here, milliseconds since 1970.
    pub from_ms: i64,
    /// Up to but without this, milliseconds since 1970.
    pub to_ms: i64,
    /// Told apart by this.
    #[serde(default)]
    pub by: UsageBy,
    /// In steps of this.
    #[serde(default)]
    pub step: UsageStep,
}

/// The usage of one model, server or owner.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, TS)]
pub struct UsageGroup {
    /// The model's name, the server's id, or the owner.
    pub name: String,
    /// All of it.
    pub sum: UsageSum,
    /// By step, in the order of [`UsageReport::steps`].
    pub series: Vec<UsageSum>,
    /// Median milliseconds to the first piece of an answer; absent where none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub first_ms: Option<f64>,
    /// Tokens of answers a second, from the first piece to the end, over all its streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub tokens_per_second: Option<f64>,
}

/// The ledger's sums.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, TS)]
pub struct UsageReport {
    /// The currency of all costs. What was priced in another one is not added to them.
    pub currency: String,
    /// Other currencies in which costs of this time are, which are not among these sums.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(optional, as = "Option<Vec<String>>")]
    pub other_currencies: Vec<String>,
    /// When each step begins, milliseconds since 1970. Steps without a request are there too.
    pub steps: Vec<i64>,
    /// All of it.
    pub total: UsageSum,
    /// Median milliseconds to the first piece of an answer, over all groups; absent where none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub first_ms: Option<f64>,
    /// Tokens of answers a second, from the first piece to the end, over all streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub tokens_per_second: Option<f64>,
    /// Most tokens first.
    pub groups: Vec<UsageGroup>,
    /// Requests since the start that could not be written down.
    pub lost: u64,
    /// Why they could not; absent where none was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub why_lost: Option<String>,
}

/// How a request ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum RequestEnd {
    /// The answer went out whole.
    Complete,
    /// The client's fault, or a limit: a status from 400 to 499.
    Refused,
    /// No server gave an answer.
    Failed,
    /// The server ended the answer before it was whole.
    Cut,
    /// The server sent nothing for too long, in the middle of an answer.
    Stalled,
    /// The server told of an error in the middle of an answer.
    ToldError,
    /// The client went away.
    Cancelled,
}

/// A request in the ledger.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, TS)]
pub struct RequestEntry {
    /// Its place in the ledger; a later one is higher.
    pub id: i64,
    /// The id that the client was told.
    pub request: String,
    /// When it came, milliseconds since 1970.
    pub at_ms: i64,
    /// Whose key it came with.
    pub owner: String,
    /// Its path after `/v1/`.
    pub endpoint: String,
    /// The model's name, as asked for.
    pub model: String,
    /// Id of the server that answered, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub backend: Option<String>,
    /// The model's name there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub backend_model: Option<String>,
    /// Times it was sent to a server.
    pub attempts: u32,
    /// The answer came as events.
    pub streamed: bool,
    /// Status that the client was given; absent where it left before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub status: Option<u16>,
    /// How it ended.
    pub end: RequestEnd,
    /// Tokens of the question, as the server told; where its answer was cut off, an estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub input_tokens: Option<u64>,
    /// Tokens of the answer, as the server told; where it was cut off, an estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub output_tokens: Option<u64>,
    /// Money.
    pub cost: f64,
    /// The currency that it was priced in; absent where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub currency: Option<String>,
    /// Milliseconds of waiting for a place at a server.
    pub queued_ms: f64,
    /// Milliseconds until it was sent to the server that answered: our own work, waiting, and attempts that failed.
    pub before_ms: f64,
    /// Milliseconds from then to the answer's first piece.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub first_ms: Option<f64>,
    /// Milliseconds from the request's last byte to the end.
    pub total_ms: f64,
    /// Question and answer are kept.
    pub is_kept: bool,
}

/// Which requests are asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct RequestsQuery {
    /// Only those before this place in the ledger; absent for the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub before: Option<i64>,
    /// Only those of this owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub owner: Option<String>,
    /// Only those that did not end complete.
    pub only_troubled: bool,
    /// At most this many, up to 500; 0 for 100.
    pub limit: u32,
}

/// Names a request of the ledger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct RequestRef {
    /// The id that its client was told.
    pub request: String,
}

/// What was asked and answered. Kept in memory alone, and only where the settings say so.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, TS)]
pub struct KeptRequest {
    /// The question's body, as it came.
    pub question: String,
    /// The answer's body, as it went out: JSON, or events.
    pub answer: String,
    /// Bytes of the question and the answer that were too many to keep.
    pub left_out: u64,
}

/// What one owner of keys has used, beside what it may.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, TS)]
pub struct OwnerUsage {
    /// A workspace's id, or the name of another key.
    pub owner: String,
    /// Its requests that are not at their end.
    pub open: u32,
    /// Since midnight.
    pub day: UsageSum,
    /// Since the month's first day.
    pub month: UsageSum,
    /// What it may.
    pub limits: KeyLimits,
}
