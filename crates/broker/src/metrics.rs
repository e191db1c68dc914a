//! Figures for Prometheus. Labels come from the settings and from what servers list, never from what clients make up,
//! and there is a bound to how many there are.

use crate::fleet::Fleet;
use crate::flight::{Counts, ENDS, Endpoint, Outcome};
use crate::ledger::row::end_name;
use aicockpit_protocol::broker::{BackendHealth, BackendState};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry, Unit};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

/// Before every name.
const PREFIX: &str = "aicockpit_broker";
/// Names of models and backends at most, also of those that were in settings before.
const MOST_NAMES: usize = 500;
/// A model that neither the settings nor a server name, and any name beyond those.
const OTHER: &str = "other";

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Ended {
    endpoint: &'static str,
    backend: String,
    model: String,
    end: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct At {
    backend: String,
    model: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Of {
    backend: String,
}

/// A histogram for each backend and model.
type Histograms = Family<At, Histogram, fn() -> Histogram>;
type Money = Counter<f64, AtomicU64>;

/// Money of two currencies is two figures.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Paid {
    backend: String,
    model: String,
    currency: String,
}

/// The figures of one backend and model, found once by their names and then kept at hand. What has not happened yet has
/// no figure, and so no line.
struct Series {
    at: At,
    ended: [[OnceLock<Counter>; ENDS]; Endpoint::ALL.len()],
    input_tokens: OnceLock<Counter>,
    output_tokens: OnceLock<Counter>,
    first: OnceLock<Histogram>,
    total: OnceLock<Histogram>,
    overhead: OnceLock<Histogram>,
    queued: OnceLock<Histogram>,
    speed: OnceLock<Histogram>,
}

/// By backend, then by model.
type All = HashMap<String, HashMap<String, Arc<Series>>>;

/// What is counted as requests end. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct Metrics {
    names: Arc<Mutex<HashSet<String>>>,
    series: Arc<RwLock<All>>,
    ended: Family<Ended, Counter>,
    input_tokens: Family<At, Counter>,
    output_tokens: Family<At, Counter>,
    cost: Family<Paid, Money>,
    first: Histograms,
    total: Histograms,
    overhead: Histograms,
    queued: Histograms,
    speed: Histograms,
}

impl Default for Metrics {
    fn default() -> Self {
        let histograms = |make: fn() -> Histogram| Histograms::new_with_constructor(make);
        Self {
            names: Arc::default(),
            series: Arc::default(),
            ended: Family::default(),
            input_tokens: Family::default(),
            output_tokens: Family::default(),
            cost: Family::default(),
            // 5 ms to 11 minutes.
            first: histograms(|| Histogram::new(exponential_buckets(0.005, 2.0, 18))),
            // 10 ms to 22 minutes.
            total: histograms(|| Histogram::new(exponential_buckets(0.01, 2.0, 18))),
            // 50 µs to 1.6 seconds.
            overhead: histograms(|| Histogram::new(exponential_buckets(0.000_05, 2.0, 16))),
            // 1 ms to 2 minutes.
            queued: histograms(|| Histogram::new(exponential_buckets(0.001, 2.0, 18))),
            // 1 to 2,000 tokens.
            speed: histograms(|| Histogram::new(exponential_buckets(1.0, 1.5, 20))),
        }
    }
}

/// The figure of a family that these names have.
fn kept<'a, M: Clone, C: MetricConstructor<M>>(
    cell: &'a OnceLock<M>,
    family: &Family<At, M, C>,
    at: &At,
) -> &'a M {
    cell.get_or_init(|| family.get_or_create_owned(at))
}

/// Where a request went, by names that are known: the backend's, and the model's.
fn names<'a>(outcome: &'a Outcome, fleet: &'a Fleet) -> (&'a str, &'a str) {
    let target = outcome.target.as_ref().map(|(id, model)| {
        let backend = fleet.backends.iter().find(|backend| backend.settings.id == *id);
        (backend, id, model)
    });
    let model = match target {
        _ if fleet.aliases.contains_key(&outcome.model) => &outcome.model,
        Some((Some(backend), _, model)) if backend.lists(model) => &**model,
        _ => OTHER,
    };
    let backend = match target {
        Some((Some(backend), ..)) => &backend.settings.name,
        Some((None, id, _)) => id.as_str(),
        None => "",
    };
    (backend, model)
}

impl Series {
    fn new(at: At) -> Self {
        Self {
            at,
            ended: Default::default(),
            input_tokens: OnceLock::new(),
            output_tokens: OnceLock::new(),
            first: OnceLock::new(),
            total: OnceLock::new(),
            overhead: OnceLock::new(),
            queued: OnceLock::new(),
            speed: OnceLock::new(),
        }
    }
}

impl Metrics {
    /// Counts a request that has ended.
    pub(crate) fn count(&self, outcome: &Outcome, fleet: &Fleet) {
        let (backend, model) = names(outcome, fleet);
        let series = self.series(backend, model);
        let at = &series.at;
        let ended = &series.ended[outcome.endpoint as usize][outcome.end as usize];
        ended.get_or_init(|| self.ended(at, outcome)).inc();
        if outcome.target.is_none() {
            return;
        }
        kept(&series.total, &self.total, at).observe(outcome.total.as_secs_f64());
        kept(&series.queued, &self.queued, at).observe(outcome.queued.as_secs_f64());
        // Attempts that failed before this one are no work of ours.
        if outcome.attempts == 1 {
            let own = outcome.before.saturating_sub(outcome.queued);
            kept(&series.overhead, &self.overhead, at).observe(own.as_secs_f64());
        }
        if let Some(usage) = outcome.usage {
            kept(&series.input_tokens, &self.input_tokens, at).inc_by(usage.input_tokens);
            kept(&series.output_tokens, &self.output_tokens, at).inc_by(usage.output_tokens);
        }
        if outcome.cost > 0.0 {
            let At { backend, model } = at.clone();
            let paid = Paid { backend, model, currency: outcome.currency.as_ref().to_owned() };
            self.cost.get_or_create(&paid).inc_by(outcome.cost);
        }
        let (true, Some(first)) = (outcome.streamed, outcome.first_byte) else { return };
        kept(&series.first, &self.first, at).observe((outcome.before + first).as_secs_f64());
        let rest = outcome.total.saturating_sub(outcome.before + first).as_secs_f64();
        if let Some(usage) = outcome.usage.filter(|usage| usage.output_tokens > 0 && rest > 0.0) {
            kept(&series.speed, &self.speed, at).observe(usage.output_tokens as f64 / rest);
        }
    }

    fn ended(&self, at: &At, outcome: &Outcome) -> Counter {
        let At { backend, model } = at.clone();
        let (endpoint, end) = (outcome.endpoint.path(), end_name(outcome.end));
        self.ended.get_or_create_owned(&Ended { endpoint, backend, model, end })
    }

    fn series(&self, backend: &str, model: &str) -> Arc<Series> {
        let series = self.series.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = series.get(backend).and_then(|of| of.get(model)) {
            return Arc::clone(found);
        }
        drop(series);
        let (backend, model) = (self.known(backend), self.known(model));
        let at = At { backend: backend.clone(), model: model.clone() };
        let mut series = self.series.write().unwrap_or_else(PoisonError::into_inner);
        let of = series.entry(backend).or_default();
        Arc::clone(of.entry(model).or_insert_with(|| Arc::new(Series::new(at))))
    }

    /// A name as a label. There is a bound to how many there are.
    fn known(&self, name: &str) -> String {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if !name.is_empty() && !names.contains(name) {
            if names.len() >= MOST_NAMES {
                return OTHER.to_owned();
            }
            names.insert(name.to_owned());
        }
        name.to_owned()
    }

    /// All figures, in the text format of Prometheus (OpenMetrics 1.0).
    pub(crate) fn text(&self, counts: &Counts, fleet: &Fleet, lost: u64) -> String {
        let mut registry = Registry::with_prefix(PREFIX);
        self.register(&mut registry);
        now(&mut registry, counts, lost);
        let backends: Vec<(String, BackendState)> =
            fleet.backends.iter().map(|one| (one.settings.name.clone(), one.state())).collect();
        backends_now(&mut registry, &backends);
        let mut told = String::new();
        // Writing into a string does not fail.
        let _ = text::encode(&mut told, &registry);
        told
    }

    fn register(&self, registry: &mut Registry) {
        registry.register("requests", "Requests that have ended", self.ended.clone());
        registry.register("input_tokens", "Tokens of questions", self.input_tokens.clone());
        registry.register("output_tokens", "Tokens of answers", self.output_tokens.clone());
        registry.register("cost", "Money, in the currency that the prices were in", self.cost.clone());
        let mut seconds = |name: &str, help: &str, histograms: &Histograms| {
            registry.register_with_unit(name, help, Unit::Seconds, histograms.clone());
        };
        seconds(
            "time_to_first_token",
            "From a request's last byte to the first piece of an answer that comes as events",
            &self.first,
        );
        seconds("request_duration", "From a request's last byte to its end", &self.total);
        seconds(
            "overhead",
            "The broker's own work before a request was sent, without waiting for a place",
            &self.overhead,
        );
        seconds("queue_wait", "Waiting for a place at a backend", &self.queued);
        registry.register(
            "output_tokens_per_second",
            "Speed of answers that come as events, from their first piece to their end",
            self.speed.clone(),
        );
    }
}

/// What is counted elsewhere.
fn now(registry: &mut Registry, counts: &Counts, lost: u64) {
    let counter = |value: u64| {
        let counter: Counter = Counter::default();
        counter.inc_by(value);
        counter
    };
    registry.register("retries", "Attempts after the first", counter(counts.retried));
    registry.register(
        "malformed_lines",
        "Lines of answers that no event stream should hold",
        counter(counts.malformed),
    );
    registry.register(
        "ledger_lost_requests",
        "Requests that could not be written into the usage ledger",
        counter(lost),
    );
    let open: Gauge = Gauge::default();
    open.set(i64::try_from(counts.open).unwrap_or(i64::MAX));
    registry.register("open_requests", "Requests on their way", open);
}

/// How backends are at this moment. What a server does not say has no line.
fn backends_now(registry: &mut Registry, backends: &[(String, BackendState)]) {
    type Gauges = Family<Of, Gauge<f64, AtomicU64>>;
    let gauges = |value: fn(&BackendState) -> Option<f64>| {
        let gauges = Gauges::default();
        for (backend, state) in backends {
            if let Some(value) = value(state) {
                gauges.get_or_create(&Of { backend: backend.clone() }).set(value);
            }
        }
        gauges
    };
    let mut register = |name: &str, help: &str, metric: Gauges| register(registry, name, help, metric);
    register(
        "backend_up",
        "1 where a backend answered last time, 0 where it did not",
        gauges(|state| match state.health {
            BackendHealth::Unknown => None,
            BackendHealth::Ready => Some(1.0),
            BackendHealth::Failing { .. } => Some(0.0),
        }),
    );
    register(
        "backend_requests_in_flight",
        "The broker's requests that a backend works on",
        gauges(|state| Some(state.in_flight.into())),
    );
    register(
        "backend_requests_queued",
        "The broker's requests that wait for a place at a backend",
        gauges(|state| Some(state.queued.into())),
    );
    register(
        "backend_server_running",
        "Requests that a backend says it works on, also those of others",
        gauges(|state| state.load.running.map(f64::from)),
    );
    register(
        "backend_server_waiting",
        "Requests that a backend says wait at it, also those of others",
        gauges(|state| state.load.waiting.map(f64::from)),
    );
    register(
        "backend_kv_cache_usage_ratio",
        "Part of a backend's KV cache in use, from 0 to 1",
        gauges(|state| state.load.kv_cache),
    );
}

fn register(registry: &mut Registry, name: &str, help: &str, metric: impl Metric) {
    registry.register(name, help, metric);
}
