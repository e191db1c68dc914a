//! A cockpit on a real cluster, in a namespace of the test's own.

use aicockpit_cockpit::plan::base_image_reference;
use aicockpit_cockpit::socket::{Client, ClientStream};
use aicockpit_cockpit::{Cockpit, Config, EngineSelection};
use aicockpit_engine::Endpoint;
use aicockpit_engine_kubernetes::{context_of, discover_in};
use aicockpit_protocol::api::{CreateWorkspace, In, TerminalAttach, TerminalCreate};
use aicockpit_protocol::engine::{ClusterSettings, EngineHealth};
use aicockpit_protocol::terminal::{AttachTerminal, CreateTerminal};
use aicockpit_protocol::workspace::{Image, Source, Workspace, WorkspaceSpec, WorkspaceState};
use aicockpit_protocol::{EngineId, TerminalId, WorkspaceId};
use aicockpit_testkit::{agent_binary, empty_spec, kubeconfig, poll};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// How long any single thing may take on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
static COUNT: AtomicU32 = AtomicU32::new(0);

/// Image of workspaces and helpers: one with a shell and Git that the cluster's machines have or can pull.
fn image() -> String {
    std::env::var("AICOCKPIT_TEST_CLUSTER_IMAGE").unwrap_or_else(|_| base_image_reference("debian:bookworm"))
}

/// Runs `kubectl` on the test cluster; its output.
pub(crate) fn kubectl(arguments: &[&str], input: Option<&str>) -> String {
    use std::io::Write as _;
    let program = std::env::var_os("AICOCKPIT_TEST_KUBECTL").unwrap_or_else(|| "kubectl".into());
    let mut child = Command::new(&program)
        .arg("--kubeconfig")
        .arg(kubeconfig())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    child.stdin.take().unwrap().write_all(input.unwrap_or_default().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "kubectl {arguments:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A namespace; it goes with all that is in it.
pub(crate) struct Namespace(pub(crate) String);

impl Namespace {
    pub(crate) fn new() -> Self {
        let name = format!("cockpit-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        kubectl(&["create", "namespace", &name], None);
        Self(name)
    }

    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        kubectl(&[&["--namespace", &self.0], arguments].concat(), None)
    }

    /// Everything that is left of workspaces.
    pub(crate) fn objects(&self) -> Vec<String> {
        const KINDS: &str = "statefulsets,pods,services,secrets,persistentvolumeclaims,networkpolicies";
        let listed = self.kubectl(&[
            "get",
            KINDS,
            "--output=name",
            "--selector=app.kubernetes.io/managed-by=aicockpit",
        ]);
        listed.lines().map(str::to_owned).collect()
    }

    /// Serves a repository with one commit inside the cluster; its address.
    pub(crate) fn repository(&self) -> String {
        let script = "git init -q -b main /srv/tool && cd /srv/tool && echo hello >README && git add . && \
             git -c user.name=a -c user.email=a@b commit -q -m first && \
             exec git daemon --export-all --base-path=/srv --reuseaddr /srv";
        let pod = serde_json::json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "git" },
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [{
                    "name": "git", "image": image(), "imagePullPolicy": "IfNotPresent",
                    "command": ["sh", "-c", script], "securityContext": { "runAsUser": 0 },
                    "readinessProbe": { "tcpSocket": { "port": 9418 }, "periodSeconds": 1 },
                }],
            },
        });
        kubectl(&["--namespace", &self.0, "apply", "--filename=-"], Some(&pod.to_string()));
        self.kubectl(&["wait", "--for=condition=Ready", "--timeout=120s", "pod/git"]);
        let address = self.kubectl(&["get", "pod", "git", "--output=jsonpath={.status.podIP}"]);
        format!("git://{address}/tool")
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        kubectl(&["delete", "namespace", &self.0, "--wait=false"], None);
    }
}

/// A cockpit and one cluster.
pub(crate) struct Host {
    pub(crate) cockpit: Arc<Cockpit>,
    pub(crate) client: Client,
    pub(crate) engine: EngineId,
    endpoint: Endpoint,
    data: Data,
}

/// Where a cockpit keeps what it knows.
pub(crate) enum Data {
    Own(TempDir),
    /// Another process' that was killed.
    Of(PathBuf),
}

impl Data {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Own(folder) => folder.path(),
            Self::Of(path) => path,
        }
    }
}

impl Host {
    pub(crate) async fn start(namespace: &Namespace) -> Self {
        Self::start_at(namespace, discover_in(&kubeconfig()).unwrap().remove(0), |_| {}).await
    }

    /// At another address of the cluster, with other settings.
    pub(crate) async fn start_at(
        namespace: &Namespace,
        endpoint: Endpoint,
        change: impl FnOnce(&mut ClusterSettings),
    ) -> Self {
        let data = tempfile::tempdir().unwrap();
        // A copy: the agent may be built anew while a test runs, and another content is another agent.
        std::fs::copy(agent_binary(), data.path().join("agent")).unwrap();
        let mut cluster = ClusterSettings {
            enabled: true,
            namespace: Some(namespace.0.clone()),
            base_image: image(),
            storage_gib: 1,
            ..ClusterSettings::default()
        };
        change(&mut cluster);
        let cockpit = start_cockpit(data.path(), &endpoint).await;
        let mut settings = cockpit.settings();
        settings.clusters.insert(context_of(&endpoint).unwrap(), cluster);
        cockpit.put_settings(settings).await.unwrap();
        let host = Self {
            client: Client::in_process(&cockpit),
            cockpit,
            engine: endpoint.id.clone(),
            endpoint,
            data: Data::Own(data),
        };
        host.ready().await;
        host
    }

    /// Runs the real command line on this cockpit, as a script does: with nobody to ask. Its exit status and words.
    pub(crate) async fn command_line(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = tokio::process::Command::new(command_line_binary());
        command.args(arguments).env("AICOCKPIT_HOME", self.data.path().join("data")).stdin(Stdio::null());
        let output = command.output().await.unwrap();
        let words = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&words).into_owned())
    }

    /// Waits until the cluster can be used.
    pub(crate) async fn ready(&self) {
        let health =
            async || (self.cockpit.engines().health(&self.engine) == Some(EngineHealth::Ready)).then_some(());
        poll(PATIENCE, "the cluster to be ready", health).await;
    }

    /// As after a crash and a new start of the product.
    pub(crate) async fn restart(self) -> Self {
        let (data, endpoint) = self.stop().await;
        Self::resume(data, endpoint).await
    }

    pub(crate) async fn stop(self) -> (Data, Endpoint) {
        let Self { cockpit, client, endpoint, data, .. } = self;
        drop(client);
        cockpit.shutdown().await;
        (data, endpoint)
    }

    /// A new cockpit on what another one left.
    pub(crate) async fn resume(data: Data, endpoint: Endpoint) -> Self {
        let engine = endpoint.id.clone();
        let cockpit = start_cockpit(data.path(), &endpoint).await;
        let host = Self { client: Client::in_process(&cockpit), cockpit, engine, endpoint, data };
        host.ready().await;
        host
    }

    /// Creates and waits for the end of the plan.
    pub(crate) async fn create(&self, source: Source) -> Workspace {
        self.create_with(WorkspaceSpec { source, image: Image::Base, ..empty_spec() }).await
    }

    pub(crate) async fn create_with(&self, spec: WorkspaceSpec) -> Workspace {
        let request = CreateWorkspace { name: None, engine: None, spec };
        let created = self.cockpit.workspaces().create(request).await.unwrap();
        self.cockpit.workspaces().settled(&created.id).await;
        self.cockpit.workspaces().get(&created.id).unwrap()
    }

    /// Creates a workspace that must run.
    pub(crate) async fn create_running(&self, source: Source) -> WorkspaceId {
        let workspace = self.create(source).await;
        assert_eq!(workspace.state, WorkspaceState::Running, "{:?}", workspace.plan);
        workspace.id
    }

    pub(crate) async fn state(&self, id: &WorkspaceId, wanted: WorkspaceState) {
        let reached = async || {
            let workspace = self.cockpit.workspaces().get(id).unwrap();
            (workspace.state == wanted).then_some(())
        };
        poll(PATIENCE, &format!("the state {wanted:?}"), reached).await;
    }

    pub(crate) fn of<T: ts_rs::TS>(&self, workspace: &WorkspaceId, args: T) -> In<T> {
        In { workspace: workspace.clone(), args }
    }

    pub(crate) async fn terminal(&self, id: &WorkspaceId) -> (TerminalId, ClientStream) {
        let command = vec!["bash".to_owned(), "--norc".to_owned()];
        let args = CreateTerminal { command, directory: None, columns: 120, rows: 30 };
        let made = self.client.call::<TerminalCreate>(self.of(id, args)).await.unwrap();
        (made.id, self.attach(id, made.id).await)
    }

    pub(crate) async fn attach(&self, id: &WorkspaceId, terminal: TerminalId) -> ClientStream {
        let args = AttachTerminal { terminal, from: None };
        let attached = self.client.call::<TerminalAttach>(self.of(id, args)).await.unwrap();
        self.client.stream(attached.stream)
    }
}

/// `AICOCKPIT_BIN`, else what was built beside the tests.
fn command_line_binary() -> PathBuf {
    if let Some(path) = std::env::var_os("AICOCKPIT_BIN") {
        return PathBuf::from(path);
    }
    let tests = std::env::current_exe().unwrap();
    let path = tests.ancestors().nth(2).unwrap().join("aicockpit");
    let missing = "is missing: run `cargo build --bin aicockpit`, or set AICOCKPIT_BIN";
    assert!(path.is_file(), "{} {missing}", path.display());
    path
}

async fn start_cockpit(data: &Path, endpoint: &Endpoint) -> Arc<Cockpit> {
    let config = Config {
        data_dir: data.join("data"),
        agent_binary: data.join("agent"),
        host_capabilities: Vec::new(),
        engines: EngineSelection::At(vec![endpoint.clone()]),
    };
    let cockpit = Cockpit::start(config).await.unwrap();
    cockpit.engines().settled().await;
    cockpit
}

/// Types a line and reads until `wanted` comes; all that came.
pub(crate) async fn type_line(stream: &mut ClientStream, line: &str, wanted: &str) -> String {
    stream.sender().send(format!("{line}\r").as_bytes()).await.unwrap();
    aicockpit_testkit::read_until(stream, PATIENCE, wanted).await
}
