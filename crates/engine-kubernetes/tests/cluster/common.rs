//! A namespace of the test's own on the real cluster.

use aicockpit_engine::{
    ContainerEvent, ContainerSpec, Endpoint, Engine, ExecExit, ExecSpec, Mount, MountSource, Program,
};
use aicockpit_engine_kubernetes::{KubernetesEngine, Surroundings, discover_in};
use aicockpit_protocol::ContainerId;
use aicockpit_protocol::engine::ClusterSettings;
use aicockpit_testkit::kubeconfig;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt as _};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The image that everything runs on, unless `AICOCKPIT_TEST_IMAGE` names another.
const IMAGE: &str = "debian:bookworm";
/// How long anything of the cluster is waited for.
const PATIENCE: Duration = Duration::from_secs(90);
static COUNT: AtomicU32 = AtomicU32::new(0);

pub(crate) fn image() -> String {
    std::env::var("AICOCKPIT_TEST_IMAGE").unwrap_or_else(|_| IMAGE.to_owned())
}

pub(crate) fn endpoint() -> Endpoint {
    let found = discover_in(&kubeconfig()).expect("a kubeconfig");
    found.into_iter().next().expect("a context")
}

pub(crate) async fn client() -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig()).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    Client::try_from(config.expect("a usable kubeconfig")).expect("a client")
}

/// A namespace; it goes with all that is in it.
pub(crate) struct TestNamespace {
    pub(crate) name: String,
    pub(crate) client: Client,
}

impl TestNamespace {
    pub(crate) async fn new(labels: &[(&str, &str)]) -> Self {
        let name = format!("test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let client = client().await;
        let labels: serde_json::Map<_, _> =
            labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let namespace = json!({ "metadata": { "name": name, "labels": labels } });
        let namespace: Namespace = serde_json::from_value(namespace).expect("a namespace");
        let all: Api<Namespace> = Api::all(client.clone());
        all.create(&PostParams::default(), &namespace).await.expect("a namespace can be made");
        Self { name, client }
    }

    pub(crate) fn settings(&self) -> ClusterSettings {
        ClusterSettings {
            enabled: true,
            namespace: Some(self.name.clone()),
            base_image: image(),
            storage_gib: 1,
            ..ClusterSettings::default()
        }
    }

    /// Everything of ours that is left in the namespace, by kind and name.
    pub(crate) async fn left_over(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (version, kind, plural) in [
            ("apps/v1", "StatefulSet", "statefulsets"),
            ("v1", "Pod", "pods"),
            ("v1", "Service", "services"),
            ("v1", "Secret", "secrets"),
            ("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
            ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
        ] {
            let (group, version) = version.split_once('/').unwrap_or(("", version));
            let resource = ApiResource {
                group: group.to_owned(),
                version: version.to_owned(),
                api_version: [group, version].join("/").trim_start_matches('/').to_owned(),
                kind: kind.to_owned(),
                plural: plural.to_owned(),
            };
            let all: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.name, &resource);
            let all = all.list(&ListParams::default()).await.expect("objects can be listed");
            found.extend(all.items.iter().map(|object| format!("{kind} {}", object.name_any())));
        }
        found
    }

    pub(crate) fn engine(&self) -> Arc<KubernetesEngine> {
        self.engine_with(self.settings(), None)
    }

    pub(crate) fn engine_with(
        &self,
        settings: ClusterSettings,
        program: Option<Program>,
    ) -> Arc<KubernetesEngine> {
        let surroundings = Surroundings { settings: Arc::new(move || settings.clone()), program };
        Arc::new(KubernetesEngine::new(endpoint(), surroundings))
    }

    /// An engine that has looked at the cluster and brings the real agent.
    pub(crate) async fn ready(&self) -> Arc<KubernetesEngine> {
        self.ready_with(self.settings(), Some(program("agent-of-now"))).await
    }

    pub(crate) async fn ready_with(
        &self,
        settings: ClusterSettings,
        program: Option<Program>,
    ) -> Arc<KubernetesEngine> {
        let engine = self.engine_with(settings, program);
        engine.probe().await.expect("the cluster answers");
        engine
    }

    pub(crate) async fn remove(self) {
        let all: Api<Namespace> = Api::all(self.client.clone());
        all.delete(&self.name, &DeleteParams::default()).await.expect("the namespace can be removed");
    }
}

/// The real agent under a name.
pub(crate) fn program(file_name: &str) -> Program {
    let path = aicockpit_testkit::agent_binary();
    let len = std::fs::metadata(&path).expect("the agent is built").len();
    Program { file_name: file_name.to_owned(), path, len }
}

/// A workspace as the cockpit asks for it: one volume, its agent as first process.
pub(crate) fn workspace(name: &str) -> ContainerSpec {
    let folder = |target: &str, folder: &str| Mount {
        target: target.to_owned(),
        read_only: false,
        source: MountSource::VolumeFolder { volume: name.to_owned(), folder: folder.to_owned() },
    };
    ContainerSpec {
        name: name.to_owned(),
        image: image(),
        entrypoint: Some(
            ["/.aicockpit/agent-of-now", "init", "--folder", "/workspace"].map(str::to_owned).to_vec(),
        ),
        user: Some("1000:1000".to_owned()),
        env: vec![("HOME".to_owned(), "/home/dev".to_owned()), ("SECRET".to_owned(), "a = b".to_owned())],
        working_directory: Some("/workspace".to_owned()),
        labels: vec![("dev.aicockpit.workspace".to_owned(), name.to_owned())],
        mounts: vec![
            Mount { target: "/.aicockpit".to_owned(), read_only: true, source: MountSource::Program },
            folder("/workspace", "workspace"),
            folder("/home/dev", "home"),
        ],
        self_healing: true,
        no_new_privileges: true,
        ..ContainerSpec::default()
    }
}

/// Runs a shell script that must succeed, and gives its output without the last line end.
pub(crate) async fn shell(engine: &dyn Engine, id: &ContainerId, script: &str) -> String {
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    let mut stream = engine.exec(id, &ExecSpec { command, ..ExecSpec::default() }).await.expect("an exec");
    stream.stdin.shutdown().await.expect("no input");
    let (mut out, mut err) = (String::new(), String::new());
    let (read_out, read_err) =
        tokio::join!(stream.stdout.read_to_string(&mut out), stream.stderr.read_to_string(&mut err));
    read_out.expect("output");
    read_err.expect("errors");
    let exit = stream.exit.await.expect("an exit");
    assert_eq!(exit, ExecExit::Exited(0), "`{script}`: {err}");
    out.trim_end().to_owned()
}

/// Reads events until `wanted` takes one.
pub(crate) async fn event<T>(
    events: &mut BoxStream<'static, aicockpit_engine::Result<ContainerEvent>>,
    what: &str,
    mut wanted: impl FnMut(&ContainerEvent) -> Option<T>,
) -> T {
    let mut seen = Vec::new();
    let waiting = async {
        while let Some(event) = events.next().await {
            let event = event.expect("the events go on");
            if let Some(found) = wanted(&event) {
                return found;
            }
            seen.push(event);
        }
        panic!("the events ended before {what}: {seen:?}");
    };
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(found) => found,
        Err(_) => panic!("waited {PATIENCE:?} for {what}; came {seen:?}"),
    }
}
