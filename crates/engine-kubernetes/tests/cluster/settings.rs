//! A cluster's settings on its machine, by what the cluster says of the pods that run.

use crate::common::{TestNamespace, image, program, shell, workspace};
use crate::images;
use aicockpit_engine::Engine;
use aicockpit_engine_kubernetes::KubernetesEngine;
use aicockpit_protocol::ContainerId;
use aicockpit_protocol::engine::ClusterSettings;
use aicockpit_testkit::{load_image, poll};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod, PodSpec, Secret, ServiceAccount};
use k8s_openapi::api::node::v1::RuntimeClass;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long anything of the cluster is waited for.
const PATIENCE: Duration = Duration::from_secs(90);
const GRACE: Duration = Duration::from_secs(5);
/// Stands for a GPU.
const GPU: &str = "aicockpit.test/gpu";

/// What a test changed of the whole cluster goes with this, also when an assertion fails.
struct Undo(Option<BoxFuture<'static, kube::Result<()>>>);

impl Undo {
    fn by(undo: impl Future<Output = kube::Result<()>> + Send + 'static) -> Self {
        Self(Some(undo.boxed()))
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        if let Some(undo) = self.0.take() {
            let undone = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(undo));
            // A test that fails already says why.
            if !std::thread::panicking() {
                undone.expect("the cluster is as it was before");
            }
        }
    }
}

/// Changes the cluster's only machine, or its status, until the test ends.
async fn change_machine(client: &Client, in_status: bool, change: Value, back: Value) -> Undo {
    let nodes: Api<Node> = Api::all(client.clone());
    let machine = nodes.list(&ListParams::default()).await.unwrap().items.remove(0).name_any();
    let change_by = async move |change: Value| {
        let (by, change) = (PatchParams::default(), Patch::Merge(change));
        match in_status {
            true => nodes.patch_status(&machine, &by, &change).await.map(drop),
            false => nodes.patch(&machine, &by, &change).await.map(drop),
        }
    };
    change_by(change).await.unwrap();
    Undo::by(async move { change_by(back).await })
}

async fn make<K>(api: &Api<K>, object: Value)
where
    K: Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    let object: K = serde_json::from_value(object).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap();
}

/// Settings of where pods go and what they have, and all that they name.
async fn everything(namespace: &TestNamespace) -> (ClusterSettings, [Undo; 2]) {
    let (client, name) = (&namespace.client, &namespace.name);
    let key = format!("aicockpit.test/{name}");
    let label = |value: Value| json!({ "metadata": { "labels": { &key: value } } });
    let labelled = change_machine(client, false, label(json!("here")), label(Value::Null)).await;
    let classes: Api<RuntimeClass> = Api::all(client.clone());
    make(&classes, json!({ "metadata": { "name": name }, "handler": "runc" })).await;
    let class = name.clone();
    let classified =
        Undo::by(async move { classes.delete(&class, &DeleteParams::default()).await.map(drop) });
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), name);
    make(&accounts, json!({ "metadata": { "name": "person" } })).await;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), name);
    let credentials = json!({ "auths": { "registry.invalid": { "username": "a", "password": "b" } } });
    let secret = json!({
        "metadata": { "name": "registry" }, "type": "kubernetes.io/dockerconfigjson",
        "stringData": { ".dockerconfigjson": credentials.to_string() },
    });
    make(&secrets, secret).await;
    let settings = ClusterSettings {
        node_selector: BTreeMap::from([(key, "here".to_owned())]),
        tolerations: vec![json!({ "key": "aicockpit.test/dedicated", "operator": "Exists" })],
        runtime_class: Some(name.clone()),
        pull_secret: Some("registry".to_owned()),
        service_account: Some("person".to_owned()),
        labels: BTreeMap::from([("team".to_owned(), "blue".to_owned())]),
        pod_template: Some(json!({
            "hostAliases": [{ "ip": "192.0.2.1", "hostnames": ["registry.test"] }],
            "terminationGracePeriodSeconds": 3,
        })),
        ..namespace.settings()
    };
    (settings, [labelled, classified])
}

async fn pod(namespace: &TestNamespace, name: &str) -> Pod {
    let pods: Api<Pod> = Api::namespaced(namespace.client.clone(), &namespace.name);
    pods.get(name).await.unwrap()
}

/// The part of a pod that the settings of [`everything`] are about.
fn placement(spec: PodSpec) -> Value {
    let tolerations: Vec<_> = spec.tolerations.into_iter().flatten().filter_map(|one| one.key).collect();
    json!({
        "selector": spec.node_selector.unwrap_or_default(),
        "tolerates": tolerations.iter().any(|key| key == "aicockpit.test/dedicated"),
        "class": spec.runtime_class_name,
        "secrets": spec.image_pull_secrets.into_iter().flatten().map(|one| one.name).collect::<Vec<_>>(),
        "account": spec.service_account_name,
        "aliases": spec.host_aliases.into_iter().flatten().map(|one| one.ip).collect::<Vec<_>>(),
        "grace": spec.termination_grace_period_seconds,
    })
}

fn placed(namespace: &TestNamespace) -> Value {
    json!({
        "selector": { format!("aicockpit.test/{}", namespace.name): "here" },
        "tolerates": true, "class": namespace.name, "secrets": ["registry"], "account": "person",
        "aliases": ["192.0.2.1"], "grace": 3,
    })
}

fn unplaced() -> Value {
    json!({
        "selector": {}, "tolerates": false, "class": null, "secrets": [], "account": "default", "aliases": [],
        "grace": 10,
    })
}

async fn under(namespace: &TestNamespace, settings: ClusterSettings) -> Arc<KubernetesEngine> {
    namespace.ready_with(settings, Some(program("agent-of-now"))).await
}

/// Waits until the cluster says why a container does not start.
async fn reason(engine: &KubernetesEngine, id: &ContainerId, wanted: &str) {
    let told = async || {
        let reason = engine.inspect_container(id).await.unwrap().reason;
        reason.filter(|reason| reason.contains(wanted))
    };
    poll(PATIENCE, &format!("“{wanted}” as the reason"), told).await;
}

fn start(
    engine: &Arc<KubernetesEngine>,
    id: &ContainerId,
) -> tokio::task::JoinHandle<aicockpit_engine::Result<()>> {
    let (engine, id) = (Arc::clone(engine), id.clone());
    tokio::spawn(async move { engine.start_container(&id).await })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_settings_name_is_what_the_running_pod_has() {
    let namespace = TestNamespace::new(&[]).await;
    let (settings, _undo) = everything(&namespace).await;
    let engine = under(&namespace, settings).await;
    engine.create_volume("w", &[]).await.unwrap();
    let id = engine.create_container(&workspace("w")).await.unwrap();
    engine.start_container(&id).await.unwrap();
    let running = pod(&namespace, "w-0").await;
    assert_eq!(running.status.unwrap().phase.as_deref(), Some("Running"));
    assert_eq!(placement(running.spec.unwrap()), placed(&namespace));
    let seen = shell(
        &*engine,
        &id,
        "getent hosts registry.test; test -e /var/run/secrets/kubernetes.io || echo no token",
    );
    let seen = seen.await;
    assert!(seen.contains("192.0.2.1") && seen.contains("no token"), "{seen}");
    let sets: Api<StatefulSet> = Api::namespaced(namespace.client.clone(), &namespace.name);
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(namespace.client.clone(), &namespace.name);
    let labels = [
        running.metadata.labels,
        sets.get("w").await.unwrap().metadata.labels,
        claims.get("w").await.unwrap().metadata.labels,
    ];
    for labels in labels {
        assert_eq!(labels.as_ref().and_then(|labels| labels.get("team")).map(String::as_str), Some("blue"));
    }
    engine.remove_container(&id).await.unwrap();
    namespace.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_reach_a_workspace_at_its_next_start_and_leave_it_at_another() {
    let namespace = TestNamespace::new(&[]).await;
    let (settings, _undo) = everything(&namespace).await;
    let plain = namespace.ready().await;
    plain.create_volume("w", &[]).await.unwrap();
    let id = plain.create_container(&workspace("w")).await.unwrap();
    plain.start_container(&id).await.unwrap();
    assert_eq!(placement(pod(&namespace, "w-0").await.spec.unwrap()), unplaced());
    let first = pod(&namespace, "w-0").await.uid();

    let engine = under(&namespace, settings.clone()).await;
    engine.start_container(&id).await.unwrap();
    assert_eq!(pod(&namespace, "w-0").await.uid(), first, "a pod that runs is let run");
    engine.stop_container(&id, GRACE).await.unwrap();
    engine.start_container(&id).await.unwrap();
    assert_eq!(placement(pod(&namespace, "w-0").await.spec.unwrap()), placed(&namespace));
    engine.stop_container(&id, GRACE).await.unwrap();

    // A label that the machine has with another value.
    let mut elsewhere = settings;
    elsewhere.node_selector.values_mut().for_each(|value| *value = "elsewhere".to_owned());
    elsewhere.pod_template = Some(json!({ "terminationGracePeriodSeconds": 4 }));
    let engine = under(&namespace, elsewhere).await;
    let starting = start(&engine, &id);
    reason(&engine, &id, "didn't match Pod's node affinity/selector").await;
    let waiting = pod(&namespace, "w-0").await.spec.unwrap();
    assert_eq!(waiting.termination_grace_period_seconds, Some(4));
    assert!(waiting.host_aliases.is_none(), "the pod template of before is taken back: {waiting:?}");
    starting.abort();
    engine.stop_container(&id, GRACE).await.unwrap();

    plain.start_container(&id).await.unwrap();
    assert_eq!(placement(pod(&namespace, "w-0").await.spec.unwrap()), unplaced());
    assert_eq!(shell(&*plain, &id, "echo works").await, "works");
    plain.remove_container(&id).await.unwrap();
    namespace.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gpu_is_the_resource_that_the_settings_name_and_is_waited_for() {
    let namespace = TestNamespace::new(&[]).await;
    let gpus =
        |count: Value| json!({ "status": { "capacity": { GPU: count }, "allocatable": { GPU: count } } });
    let _undo = change_machine(&namespace.client, true, gpus(json!("1")), gpus(Value::Null)).await;
    let settings = ClusterSettings { gpu_resource: GPU.to_owned(), ..namespace.settings() };
    let engine = under(&namespace, settings).await;
    let mut ids = Vec::new();
    for name in ["one", "other"] {
        engine.create_volume(name, &[]).await.unwrap();
        let mut spec = workspace(name);
        spec.gpu = true;
        ids.push(engine.create_container(&spec).await.unwrap());
    }
    engine.start_container(&ids[0]).await.unwrap();
    let limits = pod(&namespace, "one-0").await.spec.unwrap().containers.remove(0).resources.unwrap().limits;
    assert_eq!(limits.unwrap()[GPU].0, "1");
    let starting = start(&engine, &ids[1]);
    reason(&engine, &ids[1], &format!("Insufficient {GPU}")).await;
    assert!(!starting.is_finished());
    engine.remove_container(&ids[0]).await.unwrap();
    // Its GPU is free now.
    starting.await.unwrap().unwrap();
    engine.remove_container(&ids[1]).await.unwrap();
    namespace.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_image_reaches_what_was_made_without_one() {
    let folder = tempfile::tempdir().unwrap();
    images::context(folder.path(), "FROM scratch\nCOPY aicockpit-agent /aicockpit-agent\n");
    if !load_image("aicockpit.test/agent:2", folder.path()) {
        println!("NOT RUN: images are loaded onto a cluster of our own only");
        return;
    }
    let namespace = TestNamespace::new(&[]).await;
    let plain = namespace.ready().await;
    plain.create_volume("w", &[]).await.unwrap();
    let id = plain.create_container(&workspace("w")).await.unwrap();
    let settings =
        ClusterSettings { agent_image: Some("aicockpit.test/agent:2".into()), ..namespace.settings() };
    // A file that is not there could not be brought from here.
    let mut absent = program("agent-of-now");
    absent.path = "/no/such/file".into();
    let engine = namespace.ready_with(settings, Some(absent)).await;
    engine.start_container(&id).await.unwrap();
    let said = shell(&*engine, &id, "/.aicockpit/agent-of-now --version").await;
    assert!(said.starts_with("aicockpit-agent "), "{said}");
    engine.stop_container(&id, GRACE).await.unwrap();
    plain.start_container(&id).await.unwrap();
    let agent = pod(&namespace, "w-0").await.spec.unwrap().init_containers.unwrap().remove(0);
    assert_eq!(agent.image, Some(image()));
    plain.remove_container(&id).await.unwrap();
    namespace.remove().await;
}
