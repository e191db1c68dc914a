//! The AI broker: one local door that speaks OpenAI's protocol, and behind it every model that a person has.
//!
//! **Invariant:** runs alone, and keeps nothing of what is said but where a person wants it, in memory. Questions and
//! answers go through byte for byte, but for the model's name, and for the tokens of a stream whose client did not ask
//! for them; every error has OpenAI's shape; nothing is asked twice once an answer has begun; a client that leaves takes
//! its connection to the backend with it.
//!
//! - `door`: who may come in, and OpenAI's paths.
//! - `route`, `fleet`: where a model's name leads, and who is asked first.
//! - `forward`, `queue`, `attempt`, `stream`, `lines`: to the backend and back.
//! - `responses`: which backend stores which response.
//! - `limits`, `prices`, `estimate`: what a request may use, and what it costs.
//! - `offline`, `on_demand`: what may be reached, and servers that are started when they are asked.
//! - `backend`, `client`, `plain`, `health`, `models`, `quirks`: each model server, and what is known of it.
//! - `observers`: what is seen of a request afterwards, in the `ledger`, the `metrics`, the `trace`, and in what is
//!   `kept` in memory while a person switches that on.

mod ask;
mod attempt;
mod backend;
mod client;
mod discover;
mod door;
mod envelope;
mod estimate;
mod fleet;
mod flight;
mod forward;
mod headers;
mod health;
mod infill;
mod kept;
mod keys;
mod ledger;
mod limits;
mod lines;
mod metrics;
mod models;
mod observers;
mod offline;
mod on_demand;
mod plain;
mod prices;
mod queue;
mod quirks;
mod refusal;
mod responses;
mod route;
mod stream;
mod stream_options;
mod sum;
mod trace;

pub use ask::AskError;
pub use discover::{USUAL_PORTS, discover};
pub use door::Limits;
pub use door::inspection::{Inspection, InspectionError, InspectionListener};
pub use fleet::SettingsError;
pub use flight::{Counts, End, Endpoint, Observer, Outcome, Usage};
pub use health::Backoff;
pub use kept::KeptRequests;
pub use keys::{Keys, PREFIX};
pub use ledger::{LedgerError, UsageLedger, report_of_file, requests_of_file};
pub use on_demand::{InUse, LocalBackend, OnDemand};
pub use secrecy::SecretString;

use aicockpit_protocol::broker::{BackendState, BrokerSettings};
use aicockpit_protocol::usage::{OwnerUsage, RequestEntry, RequestsQuery};
use axum::Router;
use backend::Means;
use door::{Door, Names, Room};
use fleet::{Fleet, Local};
use flight::Records;
use keys::WeakKeys;
use limits::Accounts;
use metrics::Metrics;
use observers::Observers;
use offline::Gate;
use responses::Responses;
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Where the keys of providers are kept.
pub trait Secrets: Send + Sync {
    /// The key of a backend, by its id. May block for a moment; it is asked when settings are taken up, not for each
    /// request.
    fn get(&self, backend: &str) -> Option<SecretString>;
}

/// What can be set besides the settings.
#[derive(Clone, Default)]
pub struct Options {
    /// What a request may be.
    pub limits: Limits,
    /// How long failing backends are left alone.
    pub backoff: Backoff,
    /// More names by which clients call this server, besides loopback's and the address it listens on.
    pub names: Vec<String>,
    /// Where requests are written down; in memory where nothing else is given.
    pub ledger: UsageLedger,
    /// Where questions and answers are kept while the settings say so.
    pub kept: KeptRequests,
    /// Nothing is sent off this machine from the beginning. See [`Broker::set_offline`].
    pub offline: bool,
    /// Starts the servers of this machine when they are asked; absent where they run anyhow.
    pub on_demand: Option<Arc<dyn OnDemand>>,
    /// The servers of this machine that there are from the beginning. See [`Broker::set_local`].
    pub local: Vec<LocalBackend>,
}

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limits, backoff, names, ledger, kept, offline, on_demand, local } = self;
        formatter
            .debug_struct("Options")
            .field("limits", limits)
            .field("backoff", backoff)
            .field("names", names)
            .field("ledger", ledger)
            .field("kept", kept)
            .field("offline", offline)
            .field("on_demand", &on_demand.is_some())
            .field("local", local)
            .finish()
    }
}

/// The settings alive, as all parts see them.
#[derive(Clone)]
pub(crate) struct Live(Arc<RwLock<Arc<Fleet>>>);

impl Live {
    pub(crate) fn fleet(&self) -> Arc<Fleet> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Refuses settings that could not be taken up.
///
/// # Errors
/// See [`SettingsError`].
pub fn check(settings: &BrokerSettings) -> Result<(), SettingsError> {
    check_beside(settings, &[])
}

/// The same where there are servers of this machine too, by their ids, to which an alias may lead.
///
/// # Errors
/// See [`SettingsError`].
pub fn check_beside(settings: &BrokerSettings, local: &[String]) -> Result<(), SettingsError> {
    struct NoKeys;
    impl Secrets for NoKeys {
        fn get(&self, _backend: &str) -> Option<SecretString> {
            None
        }
    }
    let means = Means { backoff: Backoff::default(), gate: Gate::new(true), on_demand: None };
    let local = Local { known: local.iter().cloned().collect(), ..Local::default() };
    Fleet::new(settings.clone(), &local, &NoKeys, &means, None).map(drop)
}

/// A door that no port leads to. Cheap to clone.
#[derive(Clone)]
pub struct SideDoor(Router);

impl SideDoor {
    /// Serves one client until it has left, or `stop`; then an answer that has begun goes on to its end.
    pub async fn serve<I>(&self, io: I, stop: CancellationToken)
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        door::serve::connection(io, self.0.clone(), stop).await;
    }
}

/// The broker. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Broker {
    live: Live,
    secrets: Arc<dyn Secrets>,
    keys: Keys,
    records: Records,
    metrics: Metrics,
    accounts: Accounts,
    room: Room,
    responses: Responses,
    means: Means,
    /// What the fleet is made of. Held while it is made anew.
    parts: Arc<Mutex<Parts>>,
    /// The keys of side doors.
    others: Arc<Mutex<Vec<WeakKeys>>>,
    options: Arc<Options>,
}

/// What the fleet is made of.
struct Parts {
    settings: BrokerSettings,
    local: Local,
}

fn limits_of(settings: &BrokerSettings) -> limits::Set {
    limits::Set { limits: settings.limits.clone(), currency: settings.currency.clone() }
}

impl Broker {
    /// A broker with these settings. Nothing is asked of any backend yet. `observer` is told of every request. Blocks
    /// while the ledger is read for what was used this day and this month.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn new(
        settings: BrokerSettings,
        secrets: Arc<dyn Secrets>,
        options: Options,
        observer: Option<Arc<dyn Observer>>,
    ) -> Result<Self, SettingsError> {
        let keep = settings.keep_prompts;
        let gate = Gate::new(options.offline);
        let means = Means { backoff: options.backoff, gate, on_demand: options.on_demand.clone() };
        let mut local = Local::default();
        local.set(options.local.clone());
        let fleet = Fleet::new(settings.clone(), &local, &*secrets, &means, None)?;
        let accounts = Accounts::new(limits_of(&settings));
        let (day, month) = accounts.began();
        let (ledger, currency) = (&options.ledger, &settings.currency);
        ledger.priced_in(currency);
        accounts.seed(ledger.sums_since(day, currency), ledger.sums_since(month, currency));
        options.kept.set_on(keep);
        let live = Live(Arc::new(RwLock::new(Arc::new(fleet))));
        let metrics = Metrics::default();
        let observers = Observers {
            live: live.clone(),
            ledger: options.ledger.clone(),
            kept: options.kept.clone(),
            metrics: metrics.clone(),
            other: observer,
        };
        Ok(Self {
            live,
            secrets,
            keys: Keys::default(),
            records: Records { observer: Some(Arc::new(observers)), ..Records::default() },
            metrics,
            accounts,
            room: Room::new(options.limits),
            responses: Responses::default(),
            means,
            parts: Arc::new(Mutex::new(Parts { settings, local })),
            others: Arc::default(),
            options: Arc::new(options),
        })
    }

    /// Takes up other settings. Requests on their way go on with the old ones; a backend that stays as it was keeps its
    /// health, and its count of requests. Blocks where the currency is another one, while the ledger is read for what was
    /// spent in it.
    ///
    /// # Errors
    /// See [`SettingsError`]; then the old ones stay.
    pub fn replace(&self, settings: BrokerSettings) -> Result<(), SettingsError> {
        let keep = settings.keep_prompts;
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let fleet = self.make(settings.clone(), &parts.local)?;
        if settings.currency == parts.settings.currency {
            self.accounts.replace(limits_of(&settings));
        } else {
            // Nothing new is priced in it until the fleet is taken up.
            let (ledger, (day, month)) = (&self.options.ledger, self.accounts.began());
            let spent = [day, month].map(|from| ledger.sums_since(from, &settings.currency));
            self.accounts.replace(limits_of(&settings));
            self.accounts.exchange(&spent[0], &spent[1]);
        }
        self.take_up(fleet);
        parts.settings = settings;
        drop(parts);
        self.options.kept.set_on(keep);
        Ok(())
    }

    /// Makes the fleet anew. The secrets are read without its lock: requests go on meanwhile.
    fn make(&self, settings: BrokerSettings, local: &Local) -> Result<Fleet, SettingsError> {
        Fleet::new(settings, local, &*self.secrets, &self.means, Some(&self.live.fleet()))
    }

    fn take_up(&self, fleet: Fleet) {
        *self.live.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fleet);
    }

    /// Says which servers of this machine there are besides those of the settings. One whose id is taken by a backend
    /// of the settings is left out.
    pub fn set_local(&self, local: Vec<LocalBackend>) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.local.set(local);
        match self.make(parts.settings.clone(), &parts.local) {
            Ok(fleet) => self.take_up(fleet),
            Err(error) => tracing::error!(%error, "the servers of this machine could not be taken up"),
        }
    }

    /// Switches offline on or off. On: nothing is sent off this machine any more, what is on its way there ends with an
    /// error, and connections there are closed. Servers of this machine are asked as ever.
    pub fn set_offline(&self, offline: bool) {
        // Made anew meanwhile, a backend would keep its connections.
        let _parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        self.means.gate.set(offline);
        if offline {
            self.live.fleet().backends.iter().for_each(|backend| backend.hang_up());
        }
    }

    /// Whether nothing is sent off this machine.
    pub fn is_offline(&self) -> bool {
        self.means.gate.is_offline()
    }

    /// Times since the start that something was not sent because of it.
    pub fn offline_refusals(&self) -> u64 {
        self.means.gate.refused()
    }

    /// What each owner has used, beside what it may: everybody who asks, holds a key, or has asked this month.
    pub fn owners(&self) -> Vec<OwnerUsage> {
        let mut keys: BTreeSet<Arc<str>> = self.keys.owners().into_iter().collect();
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        keys.extend(others.iter().filter_map(WeakKeys::get).flat_map(|keys| keys.owners()));
        drop(others);
        self.accounts.owners(keys)
    }

    /// The keys of the door.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Sums since the start.
    pub fn counts(&self) -> Counts {
        self.records.counters.read()
    }

    /// The ledger that requests are written into.
    pub fn ledger(&self) -> &UsageLedger {
        &self.options.ledger
    }

    /// Questions and answers that are kept.
    pub fn kept(&self) -> &KeptRequests {
        &self.options.kept
    }

    /// Requests of the ledger, the newest first, with what is kept of them marked. Blocks.
    pub fn requests(&self, query: &RequestsQuery) -> Vec<RequestEntry> {
        let mut entries = self.options.ledger.requests(query);
        for entry in &mut entries {
            entry.is_kept = self.options.kept.has(&entry.request);
        }
        entries
    }

    /// The currency of the prices.
    pub(crate) fn currency(&self) -> Arc<str> {
        Arc::clone(self.live.fleet().prices.currency())
    }

    /// All figures in the text format of Prometheus (OpenMetrics 1.0). Nothing is asked of any backend for it.
    pub fn metrics(&self) -> String {
        let (lost, _) = self.options.ledger.lost();
        self.metrics.text(&self.counts(), &self.live.fleet(), lost)
    }

    /// Every enabled backend as it is now. Those that nobody has asked for yet are asked for their models.
    pub async fn backends(&self) -> Vec<BackendState> {
        let fleet = self.live.fleet();
        models::known(&fleet.backends).await;
        fleet.backends.iter().map(|backend| backend.state()).collect()
    }

    /// Asks an enabled backend for its models now, also where it fails and would be asked later.
    pub async fn check_backend(&self, id: &str) {
        let fleet = self.live.fleet();
        if let Some(backend) = fleet.backends.iter().find(|backend| backend.settings.id == id) {
            models::check(backend).await;
        }
    }

    /// A door with keys of its own, for clients who come by a way of their own and call it `address`.
    pub fn side_door(&self, address: SocketAddr, keys: Keys) -> SideDoor {
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        others.retain(|other| other.get().is_some());
        others.push(keys.weak());
        drop(others);
        SideDoor(self.router_with(address, keys))
    }

    /// The door by itself.
    pub(crate) fn router_with(&self, address: SocketAddr, keys: Keys) -> Router {
        door::router(self.door(address, keys), Router::new())
    }

    fn door(&self, address: SocketAddr, keys: Keys) -> Door {
        Door {
            live: self.live.clone(),
            keys,
            names: Names::new(address, &self.options.names),
            records: self.records.clone(),
            limits: self.options.limits,
            accounts: self.accounts.clone(),
            room: self.room.clone(),
            responses: self.responses.clone(),
        }
    }

    /// Serves [`Broker::metrics`] at `/metrics` until `stop`, without a key, to programs that mean this server.
    ///
    /// # Errors
    /// The listener has no address.
    pub async fn serve_metrics(&self, listener: TcpListener, stop: CancellationToken) -> std::io::Result<()> {
        let names = Names::new(listener.local_addr()?, &self.options.names);
        let router = door::figures::router(self.clone(), names);
        door::serve::serve(listener, router, stop, Duration::ZERO).await;
        Ok(())
    }

    /// Answers [`Inspection`] until `stop`: this user alone, and without a key.
    pub async fn serve_inspection(&self, listener: InspectionListener, stop: CancellationToken) {
        door::inspection::serve(self.clone(), listener, stop).await;
    }

    /// Serves until `stop`, with [`Broker::metrics`] at `/metrics` under the same keys; then answers that have begun have `grace` to end.
    ///
    /// # Errors
    /// The listener has no address.
    pub async fn serve(
        &self,
        listener: TcpListener,
        stop: CancellationToken,
        grace: Duration,
    ) -> std::io::Result<()> {
        let door = self.door(listener.local_addr()?, self.keys.clone());
        let router = door::figures::beside(door, self.clone());
        door::serve::serve(listener, router, stop, grace).await;
        Ok(())
    }
}
