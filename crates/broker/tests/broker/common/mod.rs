//! A model server that does as a test says, over real sockets, and a broker before it.

pub(crate) mod client;
pub(crate) mod script;

use aicockpit_broker::{Backoff, Broker, Limits, Observer, Options, Outcome, SecretString, Secrets};
use aicockpit_protocol::broker::{BackendSettings, BrokerSettings, ModelAlias, Target};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// A bound for what must happen, far above what it takes.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Waits for what must happen.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.unwrap_or_else(|_| panic!("{what} did not happen"))
}

/// Keys of providers: each backend's is `sk-` and its id.
pub(crate) struct TestSecrets;

impl Secrets for TestSecrets {
    fn get(&self, backend: &str) -> Option<SecretString> {
        Some(format!("sk-{backend}").into())
    }
}

/// Hands outcomes to a test.
pub(crate) struct Told(mpsc::UnboundedSender<Outcome>);

impl Observer for Told {
    fn ended(&self, outcome: &Outcome) {
        let _ = self.0.send(outcome.clone());
    }
}

pub(crate) fn backend(id: &str, url: &str) -> BackendSettings {
    BackendSettings {
        id: id.to_owned(),
        name: id.to_owned(),
        url: url.to_owned(),
        kind: Default::default(),
        has_key: true,
        enabled: true,
        max_parallel: None,
    }
}

pub(crate) fn alias(name: &str, targets: &[(&str, &str, u8)]) -> ModelAlias {
    let targets = targets
        .iter()
        .map(|(backend, model, priority)| Target {
            backend: (*backend).to_owned(),
            model: (*model).to_owned(),
            priority: *priority,
        })
        .collect();
    ModelAlias { name: name.to_owned(), targets }
}

/// A broker that serves.
pub(crate) struct Serving {
    pub(crate) broker: Broker,
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
    pub(crate) outcomes: mpsc::UnboundedReceiver<Outcome>,
    pub(crate) stop: CancellationToken,
    pub(crate) ended: tokio::task::JoinHandle<()>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Serving {
    /// With an alias `m` to each of these servers, all of one priority.
    pub(crate) async fn before(servers: &[&script::Server]) -> Self {
        Self::with(settings(servers), Limits::default()).await
    }

    pub(crate) async fn with(settings: BrokerSettings, limits: Limits) -> Self {
        let backoff = Backoff { first: Duration::from_millis(20), most: Duration::from_millis(100) };
        Self::with_options(settings, Options { limits, backoff, ..Options::default() }).await
    }

    pub(crate) async fn with_options(settings: BrokerSettings, options: Options) -> Self {
        let (told, outcomes) = mpsc::unbounded_channel();
        let observer: Arc<dyn Observer> = Arc::new(Told(told));
        let broker = Broker::new(settings, Arc::new(TestSecrets), options, Some(observer)).expect("settings");
        let mut serving = Self::of(broker).await;
        serving.outcomes = outcomes;
        serving
    }

    /// A broker that tells nothing of outcomes.
    pub(crate) async fn of(broker: Broker) -> Self {
        let (_, outcomes) = mpsc::unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let key = broker.keys().issue("test").expect("a key");
        let ended = tokio::spawn({
            let (broker, stop) = (broker.clone(), stop.clone());
            async move { broker.serve(listener, stop, LONG).await.expect("served") }
        });
        Self { broker, address, key, outcomes, stop, ended }
    }

    /// The next request that has ended.
    pub(crate) async fn outcome(&mut self) -> Outcome {
        soon("the end of a request", self.outcomes.recv()).await.expect("an outcome")
    }

    /// Requests of ours that backends work on.
    pub(crate) async fn in_flight(&self) -> u32 {
        self.broker.backends().await.iter().map(|backend| backend.in_flight).sum()
    }
}

/// Settings with an alias `m` to each of these servers, all of one priority.
pub(crate) fn settings(servers: &[&script::Server]) -> BrokerSettings {
    let names: Vec<String> = (0..servers.len()).map(|at| format!("b{at}")).collect();
    let targets: Vec<(&str, &str, u8)> = names.iter().map(|name| (name.as_str(), "real", 0)).collect();
    BrokerSettings {
        backends: servers.iter().zip(&names).map(|(server, name)| backend(name, &server.url())).collect(),
        aliases: vec![alias("m", &targets)],
        first_byte_seconds: 10,
        idle_seconds: 10,
        ..BrokerSettings::default()
    }
}

/// An address of this machine that is not loopback: to the broker it is as far as any other.
pub(crate) fn own_address() -> std::net::IpAddr {
    let interfaces = nix::ifaddrs::getifaddrs().expect("interfaces");
    let mut addresses = interfaces.filter_map(|interface| Some(interface.address?.as_sockaddr_in()?.ip()));
    addresses.find(|address| !address.is_loopback()).expect("an interface besides loopback").into()
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    soon(what, async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Something that opens once.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Notify)>);

impl Gate {
    pub(crate) fn open(&self) {
        *self.0.0.lock().expect("unpoisoned") = true;
        self.0.1.notify_waiters();
    }

    pub(crate) async fn passed(&self) {
        loop {
            let notified = self.0.1.notified();
            let mut notified = std::pin::pin!(notified);
            notified.as_mut().enable();
            if *self.0.0.lock().expect("unpoisoned") {
                return;
            }
            notified.await;
        }
    }
}

/// As many descriptors as this process may have.
pub(crate) fn allow_many_descriptors() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("as many as we may");
}

/// Sockets of this process at one of these ports, on either side. Those that the system only remembers have no owner.
pub(crate) fn sockets(ports: &[u16]) -> usize {
    let own: HashSet<String> = std::fs::read_dir("/proc/self/fd")
        .expect("/proc")
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok()?.into_os_string().into_string().ok())
        .filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table = std::fs::read_to_string("/proc/self/net/tcp").expect("/proc");
    let at = |place: &str| place.rsplit_once(':').and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
    let lines = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let counts = |fields: &Vec<&str>| {
        let here = [fields[1], fields[2]].into_iter().filter_map(at).any(|port| ports.contains(&port));
        here && own.contains(fields[9])
    };
    lines.filter(counts).count()
}

/// Waits until no socket is left at these ports.
pub(crate) async fn until_closed(ports: &[u16]) {
    soon("the end of every connection", async {
        while sockets(ports) > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
