//! A started cockpit on real Docker, with a data directory of its own.

use crate::clean::{left_behind, remove_all};
use aicockpit_cockpit::socket::Client;
use aicockpit_cockpit::{Cockpit, Config, EngineSelection, engines::KnownEngine};
use aicockpit_engine::Engine;
use aicockpit_protocol::api::{CreateWorkspace, Event, HostCapability, WorkspaceCreate};
use aicockpit_protocol::engine::EngineKind;
use aicockpit_protocol::workspace::{
    Image, Limits, Profile, Source, Workspace, WorkspaceSpec, WorkspaceState,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Time a workspace may take to be created from a present image on a busy machine.
pub const CREATE_WITHIN: Duration = Duration::from_secs(120);

/// Name of the agent's copy in a test's data directory.
const AGENT: &str = "agent-under-test";

/// The static agent: `AICOCKPIT_AGENT`, else where `cargo xtask agent` builds it.
///
/// # Panics
/// With what to do, when it is not there.
pub fn agent_binary() -> PathBuf {
    if let Some(path) = std::env::var_os("AICOCKPIT_AGENT") {
        return PathBuf::from(path);
    }
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate lies two folders deep");
    let path = root.join("target/agent/x86_64-unknown-linux-gnu/agent/aicockpit-agent");
    assert!(
        path.is_file(),
        "the static agent is not built: {} is missing. Run `cargo xtask agent`, or set AICOCKPIT_AGENT.",
        path.display()
    );
    path
}

/// A cockpit below `folder` that looks at no engine, for tests that make no workspace.
///
/// # Panics
/// When the stand-in for the agent, which is never run, cannot be written.
pub fn without_engines(folder: &Path) -> Config {
    let agent_binary = folder.join("agent");
    std::fs::write(&agent_binary, "never run here").expect("a file can be written");
    Config {
        data_dir: folder.join("data"),
        agent_binary,
        host_capabilities: Vec::new(),
        engines: EngineSelection::Explicit(Vec::new()),
    }
}

/// The image that tests run: `AICOCKPIT_TEST_IMAGE`, else one that is made by the set-up.
pub fn image() -> String {
    std::env::var("AICOCKPIT_TEST_IMAGE").unwrap_or_else(|_| "debian:bookworm".to_owned())
}

/// A cockpit for one test. Dropped, it removes what it made on the engine.
pub struct TestCockpit {
    data: TempDir,
    engine: KnownEngine,
    cockpit: Option<Arc<Cockpit>>,
    owner: String,
}

impl TestCockpit {
    /// Starts one on this machine's Docker and waits until the engine was looked at.
    ///
    /// # Panics
    /// When there is no Docker or no agent.
    pub async fn start() -> Self {
        let endpoint = aicockpit_engine_docker::discover()
            .into_iter()
            .find(|endpoint| endpoint.kind == EngineKind::Docker)
            .expect("Docker is known on this machine");
        let data = tempfile::tempdir().expect("a temporary directory can be made");
        let engine = KnownEngine::at(endpoint);
        engine.engine.probe().await.expect("Docker answers; start dockerd before these tests");
        // A copy: the agent may be built anew while a test runs, and another content is another agent.
        std::fs::copy(agent_binary(), data.path().join(AGENT)).expect("the agent can be copied");
        let cockpit = start(data.path(), &engine).await;
        let owner = cockpit.store().owner().to_owned();
        Self { data, engine, cockpit: Some(cockpit), owner }
    }

    /// The cockpit.
    ///
    /// # Panics
    /// Between [`TestCockpit::stop`] and the next start.
    pub fn cockpit(&self) -> &Arc<Cockpit> {
        self.cockpit.as_ref().expect("the cockpit runs")
    }

    /// A client in this process.
    pub fn client(&self) -> Client {
        Client::in_process(self.cockpit())
    }

    /// The engine, to look at what the cockpit did.
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine.engine
    }

    /// The data directory.
    pub fn data_directory(&self) -> &Path {
        self.data.path()
    }

    /// Shuts down; what the workspaces run goes on.
    ///
    /// # Panics
    /// When something still holds the cockpit after a while: the store would stay locked.
    pub async fn stop(&mut self) {
        let Some(cockpit) = self.cockpit.take() else { return };
        cockpit.shutdown().await;
        let held = Arc::downgrade(&cockpit);
        drop(cockpit);
        crate::poll(Duration::from_secs(10), "the cockpit to be let go of", || async {
            (held.strong_count() == 0).then_some(())
        })
        .await;
    }

    /// Shuts down and starts again on the same data.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.cockpit = Some(start(self.data.path(), &self.engine).await);
    }

    /// Creates a workspace from [`image`] with an empty volume and waits until it runs.
    ///
    /// # Panics
    /// When it is not created within [`CREATE_WITHIN`].
    pub async fn create(&self, name: &str) -> Workspace {
        self.create_from(CreateWorkspace { name: Some(name.to_owned()), engine: None, spec: empty_spec() })
            .await
    }

    /// Creates a workspace and waits until it runs.
    ///
    /// # Panics
    /// When it is not created within [`CREATE_WITHIN`].
    pub async fn create_from(&self, create: CreateWorkspace) -> Workspace {
        let client = self.client();
        let mut events = client.events();
        let begun = client.call::<WorkspaceCreate>(create).await.expect("creation begins");
        crate::wait_for(&mut events, CREATE_WITHIN, "the workspace to run", |event| match event {
            Event::Workspace { workspace } if workspace.id == begun.id => {
                assert_ne!(workspace.state, WorkspaceState::Failed, "creation failed: {workspace:?}");
                (workspace.state == WorkspaceState::Running).then_some(workspace)
            }
            _ => None,
        })
        .await
    }

    /// What this test has on the engine now.
    pub async fn left_behind(&self) -> Vec<String> {
        left_behind(&*self.engine.engine, &self.owner).await
    }
}

/// An empty workspace from [`image`].
pub fn empty_spec() -> WorkspaceSpec {
    WorkspaceSpec {
        source: Source::Empty,
        image: Image::Reference { reference: image() },
        profile: Profile::Standard,
        limits: Limits::default(),
        trust_host_certificates: false,
        gpu: false,
        published_ports: Vec::new(),
        env: Default::default(),
    }
}

async fn start(data: &Path, engine: &KnownEngine) -> Arc<Cockpit> {
    let config = Config {
        data_dir: data.to_owned(),
        agent_binary: data.join(AGENT),
        host_capabilities: vec![HostCapability::LocalFolders],
        engines: EngineSelection::Explicit(vec![engine.clone()]),
    };
    let cockpit = Cockpit::start(config).await.expect("the cockpit starts");
    cockpit.engines().settled().await;
    cockpit
}

impl Drop for TestCockpit {
    fn drop(&mut self) {
        let cockpit = self.cockpit.take();
        let (engine, owner) = (Arc::clone(&self.engine.engine), self.owner.clone());
        // A test's own runtime may be single-threaded or on its way out.
        let cleaning = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                runtime.block_on(async {
                    if let Some(cockpit) = cockpit {
                        cockpit.shutdown().await;
                    }
                    remove_all(&*engine, &owner).await;
                });
            }
        });
        let _ = cleaning.join();
    }
}
