//! A cockpit on the real Docker, in a data directory of its own.

pub(crate) mod cut;
pub(crate) mod elsewhere;
pub(crate) mod faults;
pub(crate) mod inside;
pub(crate) mod tmpfs;

use aicockpit_cockpit::engines::KnownEngine;
use aicockpit_cockpit::{Cockpit, Config, EngineSelection};
use aicockpit_engine::{Endpoint, Engine};
use aicockpit_engine_docker::DockerEngine;
use aicockpit_protocol::api::CreateWorkspace;
use aicockpit_protocol::engine::EngineKind;
use aicockpit_protocol::workspace::{Image, Source, Workspace, WorkspaceSpec, WorkspaceState};
use aicockpit_protocol::{EngineId, WorkspaceId};
pub(crate) use aicockpit_testkit::agent_binary;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The image that is there on every test machine.
pub(crate) const IMAGE: &str = "debian:bookworm";
/// How long any single thing may take, on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn endpoint_at(socket: &str) -> Endpoint {
    Endpoint {
        id: EngineId::new("docker"),
        kind: EngineKind::Docker,
        name: "Docker".to_owned(),
        address: format!("unix://{socket}"),
        of_user: false,
    }
}

pub(crate) fn docker_at(socket: &str) -> KnownEngine {
    KnownEngine::at(endpoint_at(socket))
}

pub(crate) fn docker() -> KnownEngine {
    docker_at("/var/run/docker.sock")
}

pub(crate) fn docker_behind(wrap: impl FnOnce(DockerEngine) -> Arc<dyn Engine>) -> KnownEngine {
    let endpoint = endpoint_at("/var/run/docker.sock");
    KnownEngine { engine: wrap(DockerEngine::new(endpoint.clone())), endpoint }
}

pub(crate) async fn start(directory: &Path, engine: KnownEngine) -> Arc<Cockpit> {
    let config = Config {
        data_dir: directory.to_owned(),
        agent_binary: agent_binary(),
        host_capabilities: Vec::new(),
        engines: EngineSelection::Explicit(vec![engine]),
    };
    Cockpit::start(config).await.unwrap()
}

pub(crate) fn spec(source: Source) -> WorkspaceSpec {
    let image = Image::Reference { reference: IMAGE.to_owned() };
    WorkspaceSpec { source, image, ..aicockpit_testkit::empty_spec() }
}

pub(crate) fn request(spec: WorkspaceSpec) -> CreateWorkspace {
    CreateWorkspace { name: None, engine: None, spec }
}

/// Creates and waits for the end of the plan.
pub(crate) async fn create(cockpit: &Cockpit, spec: WorkspaceSpec) -> Workspace {
    let created = cockpit.workspaces().create(request(spec)).await.unwrap();
    cockpit.workspaces().settled(&created.id).await;
    cockpit.workspaces().get(&created.id).unwrap()
}

/// Creates a workspace that must run.
pub(crate) async fn create_running(cockpit: &Cockpit, spec: WorkspaceSpec) -> Workspace {
    let workspace = create(cockpit, spec).await;
    assert_eq!(workspace.state, WorkspaceState::Running, "{:?}", workspace.plan);
    workspace
}

/// Waits until the workspace is in a state, as people see it.
pub(crate) async fn becomes(cockpit: &Cockpit, id: &WorkspaceId, state: WorkspaceState) {
    let deadline = Instant::now() + PATIENCE;
    let mut events = cockpit.subscribe();
    loop {
        let now = cockpit.workspaces().get(id).map(|workspace| workspace.state);
        if now == Ok(state) {
            return;
        }
        assert!(Instant::now() < deadline, "{id} is {now:?}, wanted {state:?}");
        let _ = tokio::time::timeout(Duration::from_millis(500), events.recv()).await;
    }
}

pub(crate) fn docker_cli(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Runs a shell command in a workspace's container, as its user: status and output.
pub(crate) fn inside(id: &WorkspaceId, script: &str) -> (i32, String) {
    let output = Command::new("docker")
        .args(["exec", &format!("aicockpit-{id}"), "sh", "-c", script])
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).trim().to_owned())
}

/// A field of `docker inspect`, as JSON.
pub(crate) fn inspect(id: &WorkspaceId, field: &str) -> serde_json::Value {
    let format = format!("{{{{json {field}}}}}");
    serde_json::from_str(&docker_cli(&["inspect", &format!("aicockpit-{id}"), "--format", &format])).unwrap()
}

/// Everything on the engine that belongs to a workspace.
pub(crate) fn objects(id: &WorkspaceId) -> Vec<String> {
    let filter = format!("name=aicockpit-{id}");
    let lists: [&[&str]; 3] = [
        &["ps", "-a", "--filter", &filter, "--format", "container {{.Names}}"],
        &["volume", "ls", "--filter", &filter, "--format", "volume {{.Name}}"],
        &["network", "ls", "--filter", &filter, "--format", "network {{.Name}}"],
    ];
    lists.iter().flat_map(|args| docker_cli(args).lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[track_caller]
pub(crate) fn assert_nothing_left(id: &WorkspaceId) {
    let left = objects(id);
    assert!(left.is_empty(), "left over: {left:?}");
}

/// A Git repository with one commit, readable by its owner alone.
pub(crate) fn repository(directory: &Path) -> PathBuf {
    let path = directory.join("tool");
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("README"), "hello\n").unwrap();
    for args in [
        &["init", "-q", "-b", "main"][..],
        &["add", "."],
        &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "first"],
        &["branch", "other"],
    ] {
        let status = Command::new("git").args(args).current_dir(&path).status().unwrap();
        assert!(status.success(), "git {args:?}");
    }
    path
}
