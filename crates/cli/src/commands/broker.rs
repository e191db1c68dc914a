//! `broker`: the AI broker by itself, without a cockpit.

use crate::arguments::BrokerArguments;
use crate::output::{complain, json, say};
use aicockpit_broker::{
    Broker, InspectionListener, Limits, Options, SecretString, Secrets, USUAL_PORTS, UsageLedger, discover,
};
use aicockpit_protocol::broker::{BackendKind, BackendSettings, BrokerSettings, ModelAlias, Target};
use anyhow::{Context as _, bail, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Time that answers have to end, once we are told to.
const GRACE: Duration = Duration::from_secs(20);
/// Whose key it is that is printed.
const OWNER: &str = "command line";

/// Keys of backends, by the backend's id; read once from the environment.
#[derive(Default)]
struct FromEnvironment(HashMap<String, SecretString>);

impl Secrets for FromEnvironment {
    fn get(&self, backend: &str) -> Option<SecretString> {
        self.0.get(backend).cloned()
    }
}

pub(crate) async fn run(options: BrokerArguments, as_json: bool) -> anyhow::Result<ExitCode> {
    for address in [Some(options.listen), options.metrics].into_iter().flatten() {
        ensure!(
            address.ip().is_loopback() || options.allow_remote,
            "{address} can be reached by other machines, and neither keys nor answers are encrypted on the way. Use a \
             loopback address, or add --allow-remote where the network is trusted or something before it encrypts."
        );
    }
    let (mut settings, secrets) = settings(&options).await?;
    settings.keep_prompts |= options.keep_prompts;
    let names: Vec<String> = settings.backends.iter().map(|backend| backend.name.clone()).collect();
    let limits = Limits { max_body: options.max_body, ..Limits::default() };
    let ledger = UsageLedger::open(options.ledger);
    let offline = options.offline;
    let broker_options = Options { limits, names: options.host, ledger, offline, ..Options::default() };
    let broker = Broker::new(settings, Arc::new(secrets), broker_options, None)?;
    let key = key(&broker, options.key_file.as_deref())?;
    more_descriptors();
    let listener = listen(options.listen).await?;
    let address = listener.local_addr()?;
    let metrics = match options.metrics {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let metrics_address = metrics.as_ref().map(TcpListener::local_addr).transpose()?;
    let inspection = match &options.inspect {
        Some(path) => {
            let listening = InspectionListener::bind(path).await;
            Some(listening.with_context(|| format!("cannot listen on {}", path.display()))?)
        }
        None => None,
    };
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    tokio::spawn(stop_on_signal(stop.clone())?);
    tell(address, &key, options.key_file.as_deref(), &names, metrics_address, as_json)?;
    if let Some(metrics) = metrics {
        let (broker, stop) = (broker.clone(), stop.clone());
        tokio::spawn(async move { broker.serve_metrics(metrics, stop).await });
    }
    // With the socket's file, which goes with it.
    let inspecting = inspection.map(|listener| {
        let (broker, stop) = (broker.clone(), stop.clone());
        tokio::spawn(async move { broker.serve_inspection(listener, stop).await })
    });
    broker.serve(listener, stop, GRACE).await?;
    if let Some(inspecting) = inspecting {
        inspecting.await?;
    }
    // What was used is written down before the end.
    let ledger = broker.ledger().clone();
    if !tokio::task::spawn_blocking(move || ledger.flush()).await? {
        complain("The last requests could not be written into the ledger.");
    }
    Ok(ExitCode::SUCCESS)
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// A second signal does not wait for answers.
fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminated = signal(SignalKind::terminate()).context("signals cannot be heard")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("signals cannot be heard")?;
    Ok(async move {
        for first in [true, false] {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = interrupted.recv() => {}
            }
            match first {
                true => stop.cancel(),
                false => std::process::exit(130),
            }
        }
    })
}

async fn settings(options: &BrokerArguments) -> anyhow::Result<(BrokerSettings, FromEnvironment)> {
    let mut settings = match &options.config {
        None => BrokerSettings::default(),
        Some(file) => {
            let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            serde_json::from_slice(&text)
                .with_context(|| format!("{} is no configuration", file.display()))?
        }
    };
    let mut secrets = FromEnvironment::default();
    for text in &options.backend {
        let (backend, variable) = backend(text)?;
        if let Some(variable) = variable {
            let key = std::env::var(&variable).with_context(|| {
                format!("{variable} is to hold the key of `{}` and cannot be read", backend.name)
            })?;
            secrets.0.insert(backend.id.clone(), key.into());
        }
        settings.backends.push(backend);
    }
    for text in &options.key_env {
        let (backend, variable) = text.split_once('=').context("give --key-env as BACKEND=VARIABLE")?;
        let key = std::env::var(variable)
            .with_context(|| format!("{variable} is to hold the key of `{backend}` and cannot be read"))?;
        let known = settings.backends.iter_mut().find(|known| known.name == backend || known.id == backend);
        let known =
            known.with_context(|| format!("--key-env names `{backend}`, which is not among the backends"))?;
        known.has_key = true;
        secrets.0.insert(known.id.clone(), key.into());
    }
    if settings.backends.is_empty() {
        settings.backends = discover(&USUAL_PORTS).await;
    }
    for text in &options.alias {
        settings.aliases.push(alias(text)?);
    }
    Ok((settings, secrets))
}

/// `NAME=URL[,kind=…][,key-env=…][,max-parallel=…]`; the variable that holds its key.
fn backend(text: &str) -> anyhow::Result<(BackendSettings, Option<String>)> {
    let (name, rest) =
        text.split_once('=').with_context(|| format!("`{text}` is not of the form NAME=URL"))?;
    ensure!(
        !name.is_empty() && !name.contains('/'),
        "`{name}` is no name of a backend; use one without a slash"
    );
    let mut parts = rest.split(',');
    let mut backend = BackendSettings {
        id: name.to_owned(),
        name: name.to_owned(),
        url: parts.next().unwrap_or_default().to_owned(),
        kind: BackendKind::OpenAi,
        has_key: false,
        enabled: true,
        max_parallel: None,
    };
    let mut variable = None;
    for part in parts {
        match part.split_once('=') {
            Some(("kind", kind)) => backend.kind = self::kind(kind)?,
            Some(("key-env", name)) => variable = Some(name.to_owned()),
            Some(("max-parallel", count)) => {
                let count = count.parse().ok().filter(|count| *count > 0);
                backend.max_parallel =
                    Some(count.with_context(|| format!("`{part}` must name a number from 1"))?);
            }
            _ => bail!("`{part}` of `{text}` is not known; there are kind, key-env and max-parallel"),
        }
    }
    backend.has_key = variable.is_some();
    Ok((backend, variable))
}

fn kind(text: &str) -> anyhow::Result<BackendKind> {
    Ok(match text {
        "openai" => BackendKind::OpenAi,
        "llama-cpp" => BackendKind::LlamaCpp,
        "ollama" => BackendKind::Ollama,
        "lm-studio" => BackendKind::LmStudio,
        "vllm" => BackendKind::Vllm,
        _ => bail!("`{text}` is no kind of server; there are openai, llama-cpp, ollama, lm-studio and vllm"),
    })
}

/// `NAME=BACKEND/MODEL[,BACKEND/MODEL]…`: those that come later are asked where those before fail.
fn alias(text: &str) -> anyhow::Result<ModelAlias> {
    let (name, rest) =
        text.split_once('=').with_context(|| format!("`{text}` is not of the form NAME=BACKEND/MODEL"))?;
    let targets = rest.split(',').enumerate().map(|(at, target)| {
        let (backend, model) =
            target.split_once('/').with_context(|| format!("`{target}` is not of the form BACKEND/MODEL"))?;
        let priority = u8::try_from(at).context("an alias has 256 targets at most")?;
        Ok(Target { backend: backend.to_owned(), model: model.to_owned(), priority })
    });
    Ok(ModelAlias { name: name.to_owned(), targets: targets.collect::<anyhow::Result<_>>()? })
}

/// The key for clients: the file's, else a new one, which is written into the file where one is named.
fn key(broker: &Broker, file: Option<&Path>) -> anyhow::Result<String> {
    let Some(file) = file else { return Ok(broker.keys().issue(OWNER)?) };
    match std::fs::read_to_string(file) {
        Ok(text) => {
            let key = text.trim();
            ensure!(
                key.len() >= 32 && key.bytes().all(|byte| byte.is_ascii_graphic()),
                "{} holds no key: one line of 32 characters at least; remove it and a new key is made",
                file.display()
            );
            broker.keys().admit(OWNER, key);
            Ok(key.to_owned())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = broker.keys().issue(OWNER)?;
            let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
            made.and_then(|mut made| std::io::Write::write_all(&mut made, format!("{key}\n").as_bytes()))
                .with_context(|| format!("cannot write the key into {}", file.display()))?;
            Ok(key)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

/// Each stream takes two descriptors, and many systems allow 1,024 until they are asked for more.
fn more_descriptors() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

fn tell(
    address: SocketAddr,
    key: &str,
    key_file: Option<&Path>,
    backends: &[String],
    metrics: Option<SocketAddr>,
    as_json: bool,
) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Told<'a> {
        base_url: &'a str,
        api_key: &'a str,
        backends: &'a [String],
        #[serde(skip_serializing_if = "Option::is_none")]
        metrics_url: Option<&'a str>,
    }
    let base_url = format!("http://{address}/v1");
    let metrics_url = metrics.map(|address| format!("http://{address}/metrics"));
    if as_json {
        let metrics_url = metrics_url.as_deref();
        return json(&Told { base_url: &base_url, api_key: key, backends, metrics_url });
    }
    say(&format!("OPENAI_BASE_URL={base_url}"))?;
    match key_file {
        // Who keeps the key in a file wants it nowhere else.
        Some(file) => complain(&format!("The key is in {}.", file.display())),
        None => say(&format!("OPENAI_API_KEY={key}"))?,
    }
    if let Some(url) = metrics_url {
        complain(&format!("Figures for Prometheus: {url}"));
    }
    match backends {
        [] => complain(
            "No model server was given and none was found on this machine. Start one and this command again, or \
             name one with --backend NAME=URL.",
        ),
        _ => complain(&format!("Backends: {}. Ctrl-C ends.", backends.join(", "))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_are_read() {
        let (read, variable) =
            backend("box=http://127.0.0.1:8080/v1,kind=llama-cpp,key-env=BOX_KEY,max-parallel=4")
                .expect("a backend");
        assert_eq!((read.name.as_str(), read.url.as_str()), ("box", "http://127.0.0.1:8080/v1"));
        assert_eq!((read.kind, read.has_key, read.max_parallel), (BackendKind::LlamaCpp, true, Some(4)));
        assert_eq!(variable.as_deref(), Some("BOX_KEY"));
        for wrong in [
            "box",
            "=http://a",
            "a/b=http://a",
            "a=http://b,kind=x",
            "a=http://b,key=sk",
            "a=http://b,max-parallel=0",
        ] {
            assert!(backend(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn aliases_are_read_in_order() {
        let read = alias("fast=box/qwen,cloud/org/model").expect("an alias");
        let targets: Vec<_> = read
            .targets
            .iter()
            .map(|target| (target.backend.as_str(), target.model.as_str(), target.priority))
            .collect();
        assert_eq!(targets, [("box", "qwen", 0), ("cloud", "org/model", 1)]);
        assert!(alias("fast").is_err() && alias("fast=box").is_err());
    }
}
