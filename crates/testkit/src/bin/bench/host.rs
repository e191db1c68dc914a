//! A real host process, and workspaces on it.

use aicockpit_cockpit::socket::Client;
use aicockpit_protocol::api::{
    CreateWorkspace, Event, WorkspaceCreate, WorkspaceDelete, WorkspaceList, WorkspaceOpen, WorkspaceRef,
};
use aicockpit_protocol::workspace::{Image, Limits, Profile, Source, WorkspaceSpec, WorkspaceState};
use aicockpit_protocol::{EngineId, WorkspaceId};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(120);

/// `aicockpit serve`, and a client of it over its Unix socket.
pub(crate) struct Host {
    pub(crate) client: Client,
    pub(crate) engine: String,
    pub(crate) image: String,
    /// Ends with this value.
    _process: Child,
    _home: TempDir,
}

impl Host {
    /// Starts the host named by `AICOCKPIT_BIN` on a data folder of its own.
    pub(crate) async fn start(engine: &str, image: &str) -> Result<Self> {
        let program = std::env::var_os("AICOCKPIT_BIN")
            .context("AICOCKPIT_BIN does not name the program to measure")?;
        let home = tempfile::tempdir()?;
        let mut process = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("AICOCKPIT_HOME", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = process.stdout.take().context("the host's output")?;
        let mut lines = BufReader::new(stdout).lines();
        loop {
            match tokio::time::timeout(PATIENCE, lines.next_line()).await?? {
                Some(line) if line.contains("#token=") => break,
                Some(_) => {}
                None => bail!("the host ended before it printed its address"),
            }
        }
        // The host may print more; its pipe must not fill.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let client = Client::connect(&home.path().join("cockpit.sock")).await?;
        Ok(Self {
            client,
            engine: engine.to_owned(),
            image: image.to_owned(),
            _process: process,
            _home: home,
        })
    }

    /// The engine's own command.
    pub(crate) fn engine_command(&self) -> &'static str {
        if self.engine.starts_with("podman") { "podman" } else { "docker" }
    }

    /// Creates an empty workspace and waits until its agent answers.
    pub(crate) async fn create_workspace(&self, name: &str) -> Result<WorkspaceId> {
        let mut events = self.client.events();
        let spec = WorkspaceSpec {
            source: Source::Empty,
            image: Image::Reference { reference: self.image.clone() },
            profile: Profile::Standard,
            limits: Limits::default(),
            trust_host_certificates: false,
            gpu: false,
            published_ports: Vec::new(),
            env: BTreeMap::new(),
        };
        let engine = Some(EngineId::new(self.engine.clone()));
        let create = CreateWorkspace { name: Some(name.to_owned()), engine, spec };
        let id = self.client.call::<WorkspaceCreate>(create).await?.id;
        let ready = async {
            loop {
                let Event::Workspace { workspace } = events.recv().await? else { continue };
                if workspace.id == id {
                    match workspace.state {
                        WorkspaceState::Running => return anyhow::Ok(()),
                        WorkspaceState::Failed => bail!("creation failed: {:?}", workspace.message),
                        _ => {}
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, ready).await??;
        self.client.call::<WorkspaceOpen>(WorkspaceRef { workspace: id.clone() }).await?;
        Ok(id)
    }

    /// Deletes a workspace and waits until it is gone.
    pub(crate) async fn delete_workspace(&self, id: &WorkspaceId) -> Result<()> {
        self.client.call::<WorkspaceDelete>(WorkspaceRef { workspace: id.clone() }).await?;
        let gone = async {
            loop {
                let list = self.client.call::<WorkspaceList>(aicockpit_protocol::api::Empty {}).await?;
                if !list.iter().any(|workspace| workspace.id == *id) {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, gone).await?
    }
}
