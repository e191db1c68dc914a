//! A real llama.cpp in containers of real engines. `AICOCKPIT_TEST_LLAMA_IMAGE` names an image with its server that
//! the engines have, and `AICOCKPIT_TEST_GGUF` a model.

use crate::common::{docker, endpoint_at};
use aicockpit_cockpit::engines::KnownEngine;
use aicockpit_cockpit::socket::Client;
use aicockpit_cockpit::{Cockpit, Config, EngineSelection};
use aicockpit_engine::Endpoint;
use aicockpit_protocol::api::{
    Empty, LocalModelsLog, LocalModelsScan, LocalModelsServers, LocalModelsStart, LocalModelsStop, ModelsTry,
    Settings, TryModel,
};
use aicockpit_protocol::engine::EngineKind;
use aicockpit_protocol::local_models::{
    LocalPhase, LocalServer, LocalServerRef, LocalServerSettings, Runtime, ServerContainer,
};
use aicockpit_protocol::{ApiError, EngineId, ErrorCode};
use aicockpit_testkit::{agent_binary, poll};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// How long any single thing may take where others use the processors too.
const PATIENCE: Duration = Duration::from_secs(240);
const FOLDER: &str = "AICOCKPIT_TEST_MODEL_SERVERS";

/// The image and the model.
fn real() -> Option<(String, String)> {
    let names = ["AICOCKPIT_TEST_LLAMA_IMAGE", "AICOCKPIT_TEST_GGUF"];
    let [Ok(image), Ok(model)] = names.map(std::env::var) else {
        println!("{} name no image and no model: not tested", names.join(" and "));
        return None;
    };
    Some((image, model))
}

fn podman_endpoint() -> Endpoint {
    let socket = std::env::var("AICOCKPIT_TEST_PODMAN_SOCKET").unwrap_or("/run/podman/podman.sock".into());
    let (id, kind) = (EngineId::new("podman"), EngineKind::Podman);
    Endpoint { id, kind, name: "Podman".into(), ..endpoint_at(&socket) }
}

/// An engine's own command line.
fn cli(engine: &KnownEngine, args: &[&str]) -> Result<String, String> {
    // One whose engine is gone waits for it for ever.
    let mut command = Command::new("timeout");
    command.arg("60");
    match engine.endpoint.kind {
        EngineKind::Podman => command.args(["podman", "--url", &engine.endpoint.address]),
        _ => command.arg("docker"),
    };
    let output = command.args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// A cockpit with one server in a container.
struct Machine {
    cockpit: Arc<Cockpit>,
    client: Client,
    engine: KnownEngine,
    server: String,
}

fn server(id: &str, engine: &KnownEngine, image: &str, model: &str) -> LocalServerSettings {
    let engine = engine.endpoint.id.clone();
    LocalServerSettings {
        id: id.into(),
        name: "small".into(),
        runtime: Runtime::LlamaCpp,
        container: Some(ServerContainer { engine, image: image.into(), gpu: None }),
        model: model.into(),
        context_length: Some(512),
        parallel: None,
        gpu_layers: None,
        // With two, it starves beside anything else on two cores.
        arguments: ["--threads", "1", "--no-warmup"].map(str::to_owned).to_vec(),
        idle_minutes: None,
        enabled: true,
    }
}

impl Machine {
    async fn start(
        data: &Path,
        engine: KnownEngine,
        settings: impl FnOnce(&KnownEngine) -> LocalServerSettings,
    ) -> Self {
        let config = Config {
            data_dir: data.to_owned(),
            agent_binary: agent_binary(),
            host_capabilities: Vec::new(),
            engines: EngineSelection::Explicit(vec![engine.clone()]),
        };
        let cockpit = Cockpit::start(config).await.unwrap();
        let server = settings(&engine);
        let machine =
            Self { client: Client::in_process(&cockpit), cockpit, engine, server: server.id.clone() };
        machine.set(|settings| settings.local_models.servers = vec![server]).await;
        machine
    }

    async fn set(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.cockpit.settings();
        change(&mut settings);
        self.cockpit.put_settings(settings).await.unwrap();
    }

    async fn now(&self) -> LocalServer {
        self.client.call::<LocalModelsServers>(Empty {}).await.unwrap().remove(0)
    }

    async fn until(&self, what: &str, wanted: impl Fn(&LocalServer) -> bool) -> LocalServer {
        let looked = poll(PATIENCE, what, async || Some(self.now().await).filter(&wanted));
        let Ok(now) = tokio::time::timeout(PATIENCE - Duration::from_secs(1), looked).await else {
            panic!("{what}: {:#?}\n{}", self.now().await, self.log().await)
        };
        now
    }

    async fn ready(&self, restarts: u32) -> LocalServer {
        let ready = |now: &LocalServer| {
            now.phase == LocalPhase::Ready && now.restarts == restarts && now.memory_bytes.is_some()
        };
        self.until("the server to be ready", ready).await
    }

    fn itself(&self) -> LocalServerRef {
        LocalServerRef { server: self.server.clone() }
    }

    async fn log(&self) -> String {
        self.client.call::<LocalModelsLog>(self.itself()).await.unwrap().join("\n")
    }

    /// Asks the model through the broker.
    async fn ask(&self) -> Result<Vec<u8>, ApiError> {
        let question = TryModel { model: "small".into(), prompt: "Say hello.".into() };
        let opened = self.client.call::<ModelsTry>(question).await?;
        self.client.stream(opened.stream).collect().await
    }

    fn cli(&self, args: &[&str]) -> String {
        cli(&self.engine, args).unwrap_or_else(|said| panic!("{args:?}: {said}"))
    }

    /// Its containers, running or not.
    fn containers(&self) -> Vec<String> {
        containers(&self.engine, &self.server)
    }
}

fn containers(engine: &KnownEngine, server: &str) -> Vec<String> {
    let label = format!("label=dev.aicockpit.model-server={server}");
    let listed = cli(engine, &["ps", "--all", "--filter", &label, "--format", "{{.Names}}"]).unwrap();
    listed.lines().map(str::to_owned).collect()
}

async fn answers(engine: KnownEngine, id: &str) {
    let Some((image, model)) = real() else { return };
    let data = tempfile::tempdir().unwrap();
    let machine = Machine::start(data.path(), engine, |engine| server(id, engine, &image, &model)).await;
    // What is there already needs no network.
    machine.set(|settings| settings.offline = true).await;
    let scan = machine.client.call::<LocalModelsScan>(Empty {}).await.unwrap();
    let found = scan.engines.iter().find(|one| one.engine == machine.engine.endpoint.id).unwrap();
    assert_eq!(found.problem, None);
    let is_ours = |one: &&aicockpit_protocol::local_models::ServerImage| one.image.ends_with(&image);
    let known = found.images.iter().find(is_ours).unwrap_or_else(|| panic!("{:?}", found.images));
    assert_eq!((known.runtime, known.bytes > Some(100 << 20)), (Runtime::LlamaCpp, true));

    let said = machine.ask().await;
    assert!(said.as_ref().is_ok_and(|said| !said.is_empty()), "{said:?}\n{}", machine.log().await);
    let now = machine.ready(0).await;
    let name = now.container.clone().expect("a container");
    assert_eq!(machine.containers(), [name.as_str()]);
    let command = std::fs::read_to_string(format!("/proc/{}/cmdline", now.pid.unwrap())).unwrap();
    assert!(command.contains("llama-server"), "a process of this machine: {command}");
    // Its weights alone are as much.
    assert!(now.memory_bytes > Some(90_000_000), "{now:?}");

    let inspect =
        |field: &str| machine.cli(&["inspect", &name, "--format", &format!("{{{{json {field}}}}}")]);
    assert_eq!(inspect(".HostConfig.NetworkMode"), "\"none\"");
    let mounts: serde_json::Value = serde_json::from_str(&inspect(".Mounts")).unwrap();
    let mut binds: Vec<_> = mounts.as_array().unwrap().iter().filter(|one| one["Type"] == "bind").collect();
    binds.sort_by_key(|one| one["Destination"].to_string());
    let shown: Vec<_> = binds.iter().map(|one| (one["Destination"].as_str().unwrap(), &one["RW"])).collect();
    assert_eq!(shown, [("/model/model.gguf", &false.into()), ("/run/aicockpit", &true.into())]);
    let inside = |script: &str| machine.cli(&["exec", &name, "sh", "-c", script]);
    let interfaces = inside("tail -n +3 /proc/net/dev | cut -d: -f1");
    assert_eq!(interfaces.trim(), "lo");
    let written = inside("(: >> /model/model.gguf) 2>&1; ls /run/aicockpit; id -u; cat /proc/1/status");
    assert!(written.contains("Read-only file system"), "{written}");
    assert!(written.contains(&format!("\ns.sock\n{}\n", nix::unistd::getuid())), "{written}");
    assert!(written.contains("CapEff:\t0000000000000000") && written.contains("NoNewPrivs:\t1"), "{written}");

    machine.client.call::<LocalModelsStop>(machine.itself()).await.unwrap();
    assert_eq!(machine.now().await.phase, LocalPhase::Asleep);
    assert_eq!(machine.containers(), [""; 0]);
    let sockets = data.path().join("models/run");
    assert_eq!(std::fs::read_dir(sockets).unwrap().count(), 0);
    // It is still there for the next one who asks.
    assert!(machine.ask().await.is_ok());
    machine.cockpit.shutdown().await;
    assert_eq!(machine.containers(), [""; 0]);
}

#[tokio::test]
async fn one_in_docker_answers_through_its_socket_without_a_network() {
    answers(docker(), "model-servers-1").await;
}

#[tokio::test]
async fn one_in_podman_answers_through_its_socket_without_a_network() {
    answers(KnownEngine::at(podman_endpoint()), "model-servers-2").await;
}

async fn comes_back(engine: KnownEngine, id: &str) {
    let Some((image, model)) = real() else { return };
    let data = tempfile::tempdir().unwrap();
    // As in Hugging Face's cache.
    let link = data.path().join("linked.gguf");
    std::os::unix::fs::symlink(&model, &link).unwrap();
    let model = link.to_str().unwrap();
    let machine = Machine::start(data.path(), engine, |engine| server(id, engine, &image, model)).await;
    machine.client.call::<LocalModelsStart>(machine.itself()).await.unwrap();
    let first = machine.ready(0).await.container.unwrap();
    machine.cli(&["kill", &first]);
    let second = machine.ready(1).await.container.unwrap();
    assert_ne!(first, second);
    assert_eq!(machine.containers(), [second.as_str()], "what has ended is removed");
    assert!(machine.log().await.contains("small was ended by signal 9"), "{}", machine.log().await);
    machine.cli(&["rm", "--force", &second]);
    let third = machine.ready(2).await.container.unwrap();
    assert_eq!(machine.containers(), [third.as_str()]);
    assert!(machine.ask().await.is_ok());
    machine.cockpit.shutdown().await;
    assert_eq!(machine.containers(), [""; 0]);
}

#[tokio::test]
async fn one_that_was_killed_from_outside_comes_back_in_docker() {
    comes_back(docker(), "model-servers-3").await;
}

#[tokio::test]
async fn one_that_was_killed_from_outside_comes_back_in_podman() {
    comes_back(KnownEngine::at(podman_endpoint()), "model-servers-4").await;
}

#[tokio::test]
async fn one_that_nobody_asks_for_a_minute_is_removed() {
    let Some((image, model)) = real() else { return };
    let data = tempfile::tempdir().unwrap();
    let idle = |engine: &KnownEngine| LocalServerSettings {
        idle_minutes: Some(1),
        ..server("model-servers-5", engine, &image, &model)
    };
    let machine = Machine::start(data.path(), docker(), idle).await;
    assert!(machine.ask().await.is_ok());
    let now = machine.ready(0).await;
    assert!(now.idle_in_ms.is_some_and(|idle| idle <= 60_000), "{now:?}");
    machine.until("the server to be unloaded", |now| now.phase == LocalPhase::Asleep).await;
    assert_eq!(machine.containers(), [""; 0]);
    machine.cockpit.shutdown().await;
}

#[tokio::test]
async fn an_image_that_cannot_be_had_is_told() {
    let data = tempfile::tempdir().unwrap();
    // Nothing listens there.
    let image = "127.0.0.1:1/aicockpit-test/none:1";
    let model = data.path().join("model.gguf");
    std::fs::write(&model, gguf()).unwrap();
    let model = model.to_str().unwrap();
    let machine =
        Machine::start(data.path(), docker(), |engine| server("model-servers-6", engine, image, model)).await;
    let refused = machine.ask().await.unwrap_err();
    assert!(refused.message.starts_with("small cannot be started: "), "{refused:?}");
    assert!(refused.message.contains(image), "{refused:?}");
    let failed = machine.now().await;
    assert!(matches!(failed.phase, LocalPhase::Failed { retry_in_ms: None, .. }), "{failed:?}");

    let elsewhere = server("model-servers-6", &machine.engine, "aicockpit-test/none:1", model);
    machine
        .set(|settings| {
            settings.offline = true;
            settings.local_models.servers = vec![elsewhere];
        })
        .await;
    let refused = machine.ask().await.unwrap_err();
    assert!(refused.message.starts_with("small cannot be started: "), "{refused:?}");
    assert!(refused.message.to_lowercase().contains("offline"), "{refused:?}");
    assert_eq!(machine.containers(), [""; 0]);

    // Nor an engine that is not there.
    let nowhere = LocalServerSettings {
        container: Some(ServerContainer { engine: EngineId::new("nowhere"), image: image.into(), gpu: None }),
        ..server("model-servers-6", &machine.engine, image, model)
    };
    machine.set(|settings| settings.local_models.servers = vec![nowhere]).await;
    let refused = machine.ask().await.unwrap_err();
    assert!(refused.message.contains("nowhere"), "{refused:?}");
    assert_ne!(refused.code, ErrorCode::Internal);
    machine.cockpit.shutdown().await;
}

/// The smallest file that is a model.
fn gguf() -> Vec<u8> {
    let text = |text: &str| [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
    let number = |number: u64| number.to_le_bytes().to_vec();
    let small = |number: u32| number.to_le_bytes().to_vec();
    let head = [b"GGUF\x03\0\0\0".to_vec(), number(1), number(1)].concat();
    let architecture = [text("general.architecture"), small(8), text("llama")].concat();
    let tensor = [text("t"), small(1), number(1), small(0), number(0)].concat();
    let mut bytes = [head, architecture, tensor].concat();
    bytes.resize(bytes.len().next_multiple_of(32) + 4, 0);
    bytes
}

/// Not a test of its own: the cockpit that the next test kills.
#[tokio::test]
#[ignore = "run by a_killed_cockpits_container_is_gone_after_the_next_start in a process of its own"]
async fn child_that_is_killed() {
    let (Some((image, model)), Some(data)) = (real(), std::env::var_os(FOLDER)) else { return };
    let settings = |engine: &KnownEngine| server("model-servers-7", engine, &image, &model);
    let machine = Machine::start(Path::new(&data), docker(), settings).await;
    machine.client.call::<LocalModelsStart>(machine.itself()).await.unwrap();
    println!("\ncontainer {}", machine.ready(0).await.container.unwrap());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_cockpits_container_is_gone_after_the_next_start() {
    let Some((image, model)) = real() else { return };
    let data = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "model_servers::child_that_is_killed", "--ignored", "--nocapture"])
        .env(FOLDER, data.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let name = lines.map_while(Result::ok).find_map(|line| Some(line.strip_prefix("container ")?.to_owned()));
    child.kill().unwrap();
    child.wait().unwrap();
    let (name, engine) = (name.expect("the child came so far"), docker());
    assert_eq!(cli(&engine, &["inspect", &name, "--format", "{{.State.Running}}"]).unwrap(), "true");

    let settings = |engine: &KnownEngine| server("model-servers-7", engine, &image, &model);
    let machine = Machine::start(data.path(), engine, settings).await;
    poll(PATIENCE, "it to be removed", async || machine.containers().is_empty().then_some(())).await;
    assert!(machine.ask().await.is_ok());
    assert_ne!(machine.now().await.container.as_ref(), Some(&name));
    machine.cockpit.shutdown().await;
    assert_eq!(machine.containers(), [""; 0]);
}
