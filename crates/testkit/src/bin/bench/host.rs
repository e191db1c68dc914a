//! A real host process, and workspaces on it.

use crate::peer;
use aicockpit_cockpit::socket::Client;
use aicockpit_protocol::api::{
    CreateWorkspace, Empty, Event, WorkspaceCreate, WorkspaceDelete, WorkspaceList, WorkspaceOpen,
    WorkspaceRef,
};
use aicockpit_protocol::workspace::{Image, Limits, Profile, Source, WorkspaceSpec, WorkspaceState};
use aicockpit_protocol::{EngineId, WorkspaceId};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// `aicockpit serve`, and a client of it over its Unix socket.
pub(crate) struct Host {
    pub(crate) client: Client,
    pub(crate) engine: String,
    pub(crate) image: String,
    /// Variables of its environment.
    environment: Vec<(&'static str, OsString)>,
    /// Ends with this value.
    process: Child,
    pub(crate) home: TempDir,
}

impl Host {
    /// Starts the host named by `AICOCKPIT_BIN` on a data folder of its own.
    pub(crate) async fn start(engine: &str, image: &str) -> Result<Self> {
        Self::start_with(engine, image, Vec::new()).await
    }

    /// With these variables in its environment.
    pub(crate) async fn start_with(
        engine: &str,
        image: &str,
        environment: Vec<(&'static str, OsString)>,
    ) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let (process, client) = spawn(&home, &environment).await?;
        let (engine, image) = (engine.to_owned(), image.to_owned());
        Ok(Self { client, engine, image, environment, process, home })
    }

    /// Id of its process.
    pub(crate) fn process(&self) -> Result<u32> {
        self.process.id().context("the host has ended by itself")
    }

    /// Ends the host and starts it anew on the same data.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        self.go_on().await
    }

    /// Starts it again after it was stopped.
    pub(crate) async fn go_on(&mut self) -> Result<()> {
        (self.process, self.client) = spawn(&self.home, &self.environment).await?;
        Ok(())
    }

    /// Ends the host as a person does who presses Ctrl-C.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        peer::run("kill", &["-INT", &self.process()?.to_string()]).await?;
        tokio::time::timeout(PATIENCE, self.process.wait()).await??;
        Ok(())
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.home.path().join("cockpit.sock")
    }

    /// The id of its store, which containers carry as a label.
    pub(crate) fn owner(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.home.path().join("owner"))?.trim().to_owned())
    }

    /// The engine's own command.
    pub(crate) fn engine_command(&self) -> &'static str {
        if self.engine.starts_with("podman") { "podman" } else { "docker" }
    }

    /// Runs a shell script in a workspace's container, by the engine's own command and as the workspace's user.
    pub(crate) async fn inside(&self, workspace: &WorkspaceId, script: &str) -> Result<String> {
        peer::output(self.engine_command(), &["exec", &container(workspace), "sh", "-c", script]).await
    }

    /// Creates an empty workspace of the usual image and waits until its agent answers.
    pub(crate) async fn create_workspace(&self, name: &str) -> Result<WorkspaceId> {
        self.create_workspace_of(name, &self.image).await
    }

    /// Creates an empty workspace and waits until its agent answers.
    pub(crate) async fn create_workspace_of(&self, name: &str, image: &str) -> Result<WorkspaceId> {
        create_workspace(&self.client, &self.engine, name, image).await
    }

    /// Deletes a workspace and waits until it is gone.
    pub(crate) async fn delete_workspace(&self, id: &WorkspaceId) -> Result<()> {
        delete_workspace(&self.client, id).await
    }
}

/// Name of a workspace's container.
pub(crate) fn container(workspace: &WorkspaceId) -> String {
    format!("aicockpit-{workspace}")
}

/// What a workspace of the benchmarks is made from.
pub(crate) fn spec(image: &str) -> WorkspaceSpec {
    WorkspaceSpec {
        source: Source::Empty,
        image: Image::Reference { reference: image.to_owned() },
        profile: Profile::Standard,
        limits: Limits::default(),
        trust_host_certificates: false,
        gpu: false,
        published_ports: Vec::new(),
        env: BTreeMap::new(),
    }
}

pub(crate) async fn create_workspace(
    client: &Client,
    engine: &str,
    name: &str,
    image: &str,
) -> Result<WorkspaceId> {
    let mut events = client.events();
    let engine = Some(EngineId::new(engine.to_owned()));
    let create = CreateWorkspace { name: Some(name.to_owned()), engine, spec: spec(image) };
    let id = client.call::<WorkspaceCreate>(create).await?.id;
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
    client.call::<WorkspaceOpen>(WorkspaceRef { workspace: id.clone() }).await?;
    Ok(id)
}

pub(crate) async fn delete_workspace(client: &Client, id: &WorkspaceId) -> Result<()> {
    client.call::<WorkspaceDelete>(WorkspaceRef { workspace: id.clone() }).await?;
    let gone = async {
        loop {
            let list = client.call::<WorkspaceList>(Empty {}).await?;
            if !list.iter().any(|workspace| workspace.id == *id) {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await?
}

async fn spawn(home: &TempDir, environment: &[(&'static str, OsString)]) -> Result<(Child, Client)> {
    let program =
        std::env::var_os("AICOCKPIT_BIN").context("AICOCKPIT_BIN does not name the program to measure")?;
    let mut process = Command::new(program)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("AICOCKPIT_HOME", home.path())
        .envs(environment.iter().map(|(name, value)| (name, value)))
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
    Ok((process, client))
}
