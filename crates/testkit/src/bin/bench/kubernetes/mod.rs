//! The aims on a Kubernetes cluster, each beside kubectl: P15, and as K3, K4 and K13 what P3, P4 and P13 are, by the
//! exec link. K9 is the list and the watch of many workspaces.

mod create;
mod files;
mod many;
mod pty;
mod terminal;
mod told;
mod transfer;

use crate::create::engine_ready;
use crate::host::{Host, container};
use crate::peer;
use crate::report::Report;
use aicockpit_engine::Endpoint;
use aicockpit_engine_kubernetes::{context_of, discover_in};
use aicockpit_protocol::WorkspaceId;
use aicockpit_protocol::api::{Empty, SettingsGet, SettingsPut};
use aicockpit_protocol::engine::ClusterSettings;
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use tokio::process::Command;

/// Every aim of the group.
pub(crate) const AIMS: [&str; 5] = ["P15", "K3", "K4", "K9", "K13"];

/// Measures one of them; where no cluster is given that is noted, and no failure.
pub(crate) async fn measure(aim: &'static str, image: &str, runs: usize, report: &mut Report) -> Result<()> {
    let Some(kubeconfig) = std::env::var_os("AICOCKPIT_TEST_KUBECONFIG").map(PathBuf::from) else {
        report.note(aim, "AICOCKPIT_TEST_KUBECONFIG names no cluster: not measured");
        return Ok(());
    };
    let cluster = Cluster::begin(kubeconfig, image, aim).await?;
    let measured = cluster.measure(aim, runs, report).await;
    let ended = cluster.end().await;
    measured.and(ended)
}

/// A namespace of a cluster, and kubectl in it.
struct Cluster {
    kubeconfig: PathBuf,
    kubectl: OsString,
    endpoint: Endpoint,
    namespace: String,
    image: String,
}

impl Cluster {
    async fn begin(kubeconfig: PathBuf, image: &str, aim: &str) -> Result<Self> {
        let found =
            discover_in(&kubeconfig).with_context(|| format!("cannot read {}", kubeconfig.display()))?;
        let endpoint = found.into_iter().next().context("the kubeconfig has no context")?;
        let kubectl = std::env::var_os("AICOCKPIT_TEST_KUBECTL").unwrap_or_else(|| "kubectl".into());
        let namespace = format!("bench-{}-{}", std::process::id(), aim.to_lowercase());
        let cluster = Self { kubeconfig, kubectl, endpoint, namespace, image: image.to_owned() };
        cluster.kubectl(&["create", "namespace", &cluster.namespace]).await?;
        // No pod can be made before it is there.
        cluster.kubectl(&["wait", "--for=create", "--timeout=60s", "serviceaccount/default"]).await?;
        Ok(cluster)
    }

    /// Removes everything.
    async fn end(&self) -> Result<()> {
        self.kubectl(&["delete", "namespace", &self.namespace, "--timeout=600s"]).await.map(drop)
    }

    async fn measure(&self, aim: &str, runs: usize, report: &mut Report) -> Result<()> {
        let host = self.host(|_| {}).await?;
        match aim {
            "P15" => {
                create::measure(self, &host, runs.min(5), report).await?;
                drop(host);
                return told::measure(self, runs.min(5), report).await;
            }
            "K9" => return many::measure(self, host, runs.min(5), report).await,
            _ => {}
        }
        let workspace = host.create_workspace("bench-inside").await?;
        let measured = match aim {
            "K3" => files::measure(self, &host, &workspace, runs.min(5), report).await,
            "K4" => terminal::measure(self, &host, &workspace, runs.min(5), report).await,
            _ => transfer::measure(self, &host, &workspace, runs.min(3), report).await,
        };
        host.delete_workspace(&workspace).await?;
        measured
    }

    fn settings(&self) -> ClusterSettings {
        ClusterSettings {
            enabled: true,
            namespace: Some(self.namespace.clone()),
            base_image: self.image.clone(),
            storage_gib: 4,
            ..ClusterSettings::default()
        }
    }

    /// A host that uses the cluster, with settings changed.
    async fn host(&self, change: impl FnOnce(&mut ClusterSettings)) -> Result<Host> {
        let environment = vec![("KUBECONFIG", self.kubeconfig.clone().into_os_string())];
        let host = Host::start_with(self.endpoint.id.as_str(), &self.image, environment).await?;
        let mut cluster = self.settings();
        change(&mut cluster);
        let mut settings = host.client.call::<SettingsGet>(Empty {}).await?;
        let context = context_of(&self.endpoint).context("the cluster's context")?;
        settings.clusters.insert(context, cluster);
        host.client.call::<SettingsPut>(settings).await?;
        engine_ready(&host).await?;
        Ok(host)
    }

    fn flags(&self) -> [String; 3] {
        [
            format!("--kubeconfig={}", self.kubeconfig.display()),
            format!("--context={}", self.endpoint.name),
            format!("--namespace={}", self.namespace),
        ]
    }

    /// A kubectl to be started.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.args(self.flags()).args(arguments).kill_on_drop(true);
        command
    }

    /// Runs kubectl to its end; what it printed.
    async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let flags = self.flags();
        let all: Vec<&str> = flags.iter().map(String::as_str).chain(arguments.iter().copied()).collect();
        peer::output(&self.kubectl, &all).await
    }

    /// Runs kubectl to its end; how long that took.
    async fn timed(&self, arguments: &[&str]) -> Result<Duration> {
        let begin = std::time::Instant::now();
        self.kubectl(arguments).await?;
        Ok(begin.elapsed())
    }

    /// Runs a shell script in a workspace's container.
    async fn inside(&self, workspace: &WorkspaceId, script: &str) -> Result<String> {
        self.kubectl(&["exec", &pod(workspace), "--container=workspace", "--", "sh", "-c", script]).await
    }
}

/// The pod of a workspace.
fn pod(workspace: &WorkspaceId) -> String {
    format!("{}-0", container(workspace))
}
