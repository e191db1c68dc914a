//! A cockpit on one real engine, in a data directory of its own. All is asked by the engine trait, so that each test
//! is the same on every engine.

use aicockpit_cockpit::engines::KnownEngine;
use aicockpit_cockpit::socket::{Client, ClientStream};
use aicockpit_cockpit::workspaces::labels;
use aicockpit_cockpit::{Cockpit, Config, EngineSelection};
use aicockpit_engine::{Endpoint, Engine, ExecExit, ExecSpec};
use aicockpit_protocol::api::{CreateWorkspace, In, TerminalAttach, TerminalCreate};
use aicockpit_protocol::engine::EngineKind;
use aicockpit_protocol::terminal::{AttachTerminal, CreateTerminal};
use aicockpit_protocol::workspace::{Image, Source, Workspace, WorkspaceSpec, WorkspaceState};
use aicockpit_protocol::{ContainerId, EngineId, TerminalId, WorkspaceId};
use aicockpit_testkit::agent_binary;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The image that is there on every test machine.
pub(crate) const IMAGE: &str = "debian:bookworm";
/// How long any single thing may take on a loaded machine, the installation of a package included.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// Makes of each case one test for each engine.
macro_rules! on_every_engine {
    ($($case:ident),+ $(,)?) => {
        mod docker {
            $( #[tokio::test] async fn $case() { super::$case(crate::common::docker()).await } )+
        }
        on_podman!($($case),+);
    };
}

/// Makes of each case a test on Podman: what the folder `docker` tests there.
macro_rules! on_podman {
    ($($case:ident),+ $(,)?) => {
        mod podman {
            $( #[tokio::test] async fn $case() { super::$case(crate::common::podman()).await } )+
        }
    };
}

pub(crate) use {on_every_engine, on_podman};

fn endpoint(kind: EngineKind, name: &str, address: String) -> Endpoint {
    Endpoint { id: EngineId::new(name), kind, name: name.to_owned(), address, of_user: false }
}

pub(crate) fn docker() -> Endpoint {
    endpoint(EngineKind::Docker, "docker", "unix:///var/run/docker.sock".to_owned())
}

pub(crate) fn podman() -> Endpoint {
    match std::env::var("AICOCKPIT_TEST_PODMAN_SOCKET") {
        Ok(socket) => endpoint(EngineKind::Podman, "podman", format!("unix://{socket}")),
        Err(_) => aicockpit_engine_podman::discover().into_iter().next().unwrap(),
    }
}

/// The user whose engine it is: the owner of its socket.
pub(crate) fn person(endpoint: &Endpoint) -> (u32, u32) {
    let socket = std::fs::metadata(endpoint.socket().unwrap()).unwrap();
    (socket.uid(), socket.gid())
}

/// A cockpit and one engine.
pub(crate) struct Host {
    pub(crate) cockpit: Arc<Cockpit>,
    pub(crate) client: Client,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) endpoint: Endpoint,
    data: TempDir,
}

impl Host {
    pub(crate) async fn start(endpoint: Endpoint) -> Self {
        let data = tempfile::tempdir().unwrap();
        // An engine of another user must be able to walk to folders below.
        std::fs::set_permissions(data.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        // A copy: the agent may be built anew while a test runs, and another content is another agent.
        std::fs::copy(agent_binary(), data.path().join("agent")).unwrap();
        let known = KnownEngine::at(endpoint.clone());
        let engine = Arc::clone(&known.engine);
        engine.probe().await.unwrap_or_else(|error| panic!("{}: {error}", endpoint.address));
        let cockpit = start_cockpit(data.path(), known).await;
        Self { client: Client::in_process(&cockpit), cockpit, engine, endpoint, data }
    }

    /// As after a crash and a new start of the product.
    pub(crate) async fn restart(self) -> Self {
        let Self { cockpit, client, engine, endpoint, data } = self;
        drop(client);
        cockpit.shutdown().await;
        drop(cockpit);
        let known = KnownEngine { endpoint: endpoint.clone(), engine: Arc::clone(&engine) };
        let cockpit = start_cockpit(data.path(), known).await;
        Self { client: Client::in_process(&cockpit), cockpit, engine, endpoint, data }
    }

    /// A folder that the engine's user may walk to.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.data.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        folder
    }

    /// Creates and waits for the end of the plan.
    pub(crate) async fn create(&self, spec: WorkspaceSpec) -> Workspace {
        let request = CreateWorkspace { name: None, engine: None, spec };
        let created = self.cockpit.workspaces().create(request).await.unwrap();
        self.cockpit.workspaces().settled(&created.id).await;
        self.cockpit.workspaces().get(&created.id).unwrap()
    }

    /// Creates a workspace that must run.
    pub(crate) async fn create_running(&self, spec: WorkspaceSpec) -> WorkspaceId {
        let workspace = self.create(spec).await;
        assert_eq!(workspace.state, WorkspaceState::Running, "{:?}", workspace.plan);
        workspace.id
    }

    /// Runs a shell command in a workspace's container, as its user: status and output.
    pub(crate) async fn inside(&self, id: &WorkspaceId, script: &str) -> (i64, String) {
        self.run(id, &["sh", "-c", script]).await
    }

    /// Runs a shell command that must succeed; its output.
    pub(crate) async fn output(&self, id: &WorkspaceId, script: &str) -> String {
        let (status, said) = self.inside(id, script).await;
        assert_eq!(status, 0, "{script}: {said}");
        said
    }

    /// Runs a program in a workspace's container, as its user: status and output.
    pub(crate) async fn run(&self, id: &WorkspaceId, command: &[&str]) -> (i64, String) {
        self.run_in(&labels::by_name(&labels::object_name(id)), None, command).await
    }

    /// Runs a program in a container: status and output.
    pub(crate) async fn run_in(
        &self,
        container: &ContainerId,
        user: Option<&str>,
        command: &[&str],
    ) -> (i64, String) {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        let spec = ExecSpec { command, user: user.map(str::to_owned), ..ExecSpec::default() };
        let mut stream = self.engine.exec(container, &spec).await.unwrap();
        stream.stdin.shutdown().await.unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let (read_out, read_err) =
            tokio::join!(stream.stdout.read_to_end(&mut out), stream.stderr.read_to_end(&mut err));
        read_out.unwrap();
        read_err.unwrap();
        let ExecExit::Exited(status) = stream.exit.await.unwrap() else { panic!("no exit status") };
        (status, String::from_utf8_lossy(&[out, err].concat()).trim().to_owned())
    }

    /// Everything on the engine that belongs to a workspace.
    pub(crate) async fn objects(&self, id: &WorkspaceId) -> Vec<String> {
        let label = [(labels::WORKSPACE, id.as_str())];
        let containers = self.engine.list_containers(&label).await.unwrap();
        let volumes = self.engine.list_volumes(&label).await.unwrap();
        let networks = self.engine.list_networks().await.unwrap();
        let containers = containers.into_iter().map(|found| format!("container {}", found.name));
        let networks = networks.into_iter().filter(|found| found.name.contains(id.as_str()));
        containers
            .chain(volumes.into_iter().map(|found| format!("volume {found}")))
            .chain(networks.map(|found| format!("network {}", found.name)))
            .collect()
    }

    /// Deletes a workspace, whose objects must all be gone then.
    pub(crate) async fn delete(&self, id: &WorkspaceId) {
        self.cockpit.workspaces().delete(id).await.unwrap();
        let left = self.objects(id).await;
        assert!(left.is_empty(), "left over: {left:?}");
    }

    pub(crate) async fn terminal(&self, id: &WorkspaceId, command: &[&str]) -> (TerminalId, ClientStream) {
        let args = create_terminal(command);
        let made = self.client.call::<TerminalCreate>(In { workspace: id.clone(), args }).await.unwrap();
        (made.id, self.attach(id, made.id).await)
    }

    pub(crate) async fn attach(&self, id: &WorkspaceId, terminal: TerminalId) -> ClientStream {
        let args = AttachTerminal { terminal, from: None };
        let attached = self.client.call::<TerminalAttach>(In { workspace: id.clone(), args }).await.unwrap();
        self.client.stream(attached.stream)
    }

    pub(crate) async fn shutdown(self) {
        self.cockpit.shutdown().await;
    }
}

async fn start_cockpit(data: &Path, known: KnownEngine) -> Arc<Cockpit> {
    let config = Config {
        data_dir: data.join("data"),
        agent_binary: data.join("agent"),
        host_capabilities: Vec::new(),
        engines: EngineSelection::Explicit(vec![known]),
    };
    let cockpit = Cockpit::start(config).await.unwrap();
    cockpit.engines().settled().await;
    cockpit
}

pub(crate) fn create_terminal(command: &[&str]) -> CreateTerminal {
    let command = command.iter().map(|word| (*word).to_owned()).collect();
    CreateTerminal { command, directory: None, columns: 120, rows: 30 }
}

pub(crate) fn spec(source: Source) -> WorkspaceSpec {
    let image = Image::Reference { reference: IMAGE.to_owned() };
    WorkspaceSpec { source, image, ..aicockpit_testkit::empty_spec() }
}

/// Types a line and reads until `wanted` comes; all that came.
pub(crate) async fn type_line(stream: &mut ClientStream, line: &str, wanted: &str) -> String {
    stream.sender().send(format!("{line}\r").as_bytes()).await.unwrap();
    read_until(stream, wanted).await
}

/// Reads until `wanted` comes; all that came.
pub(crate) async fn read_until(stream: &mut ClientStream, wanted: &str) -> String {
    let mut seen = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&seen).contains(wanted) {
            match stream.next().await {
                Some(bytes) => seen.extend_from_slice(&bytes),
                None => break,
            }
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, reading).await.is_ok();
    let text = String::from_utf8_lossy(&seen).into_owned();
    assert!(in_time && text.contains(wanted), "{wanted:?} did not come ({:?}): {text:?}", stream.end());
    text
}

/// Gives a tree to a user.
pub(crate) fn give(path: &Path, (uid, gid): (u32, u32)) {
    let owner = format!("{uid}:{gid}");
    let status = Command::new("chown").args(["-R", &owner]).arg(path).status().unwrap();
    assert!(status.success(), "chown {owner} {}", path.display());
}

/// A Git repository with one commit on `main` and a branch `other`.
pub(crate) fn repository(path: &Path) {
    std::fs::write(path.join("README"), "hello\n").unwrap();
    for args in [
        &["init", "-q", "-b", "main"][..],
        &["add", "."],
        &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "first"],
        &["branch", "other"],
    ] {
        let status = Command::new("git").args(args).current_dir(path).status().unwrap();
        assert!(status.success(), "git {args:?}");
    }
}
