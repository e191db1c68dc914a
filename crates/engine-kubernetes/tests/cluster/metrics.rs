//! What a workspace uses, by the cluster's own metrics API.

use crate::common::{TestNamespace, program, shell, workspace};
use crate::rights::{account, role};
use aicockpit_engine::{ContainerStats, Engine, EngineError};
use aicockpit_engine_kubernetes::{KubernetesEngine, Surroundings};
use aicockpit_protocol::ContainerId;
use serde_json::{Value, json};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A new pod's figures come with the second measurement, of which there is one a minute in the slowest clusters.
const PATIENCE: Duration = Duration::from_secs(150);
/// How much more CPU a busy loop must take at the least, however busy the machine is: a fifth of a core.
const BUSY: u64 = 200_000_000;

fn kubectl(arguments: &[&str]) -> Result<String, String> {
    let program = std::env::var_os("AICOCKPIT_TEST_KUBECTL").unwrap_or_else(|| "kubectl".into());
    let kubeconfig = aicockpit_testkit::kubeconfig();
    let output = Command::new(program).arg("--kubeconfig").arg(kubeconfig).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// Whether the cluster claims to have a metrics API; our own does.
fn has_metrics_api() -> bool {
    let named = ["get", "apiservice", "v1beta1.metrics.k8s.io", "--ignore-not-found", "--output=name"];
    !kubectl(&named).unwrap().is_empty()
}

/// What the metrics API itself says of a workspace's container.
#[derive(PartialEq, Clone, Debug)]
struct Told {
    timestamp: String,
    nanocores: u64,
    memory_bytes: u64,
}

fn told(namespace: &TestNamespace, id: &ContainerId) -> Told {
    let path = format!("/apis/metrics.k8s.io/v1beta1/namespaces/{}/pods/{id}-0", namespace.name);
    let answer: Value = serde_json::from_str(&kubectl(&["get", "--raw", &path]).unwrap()).unwrap();
    assert_eq!(answer["containers"].as_array().unwrap().len(), 1, "{answer}");
    let usage = |key: &str, suffixes: &[(&str, u64)]| -> u64 {
        let text = answer["containers"][0]["usage"][key].as_str().unwrap();
        let found = suffixes.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)));
        let (number, factor) = found.unwrap_or_else(|| panic!("{key} is {text}"));
        number.parse::<u64>().unwrap() * factor
    };
    Told {
        timestamp: answer["timestamp"].as_str().unwrap().to_owned(),
        nanocores: usage("cpu", &[("n", 1), ("u", 1_000), ("m", 1_000_000), ("", 1_000_000_000)]),
        memory_bytes: usage("memory", &[("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("", 1)]),
    }
}

/// Tries until it gives something.
async fn until<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = attempt().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// The engine's figures once there are some.
async fn measured(engine: &KubernetesEngine, id: &ContainerId) -> ContainerStats {
    until("the first figures", async || match engine.stats(id).await {
        Ok(stats) => Some(stats),
        Err(EngineError::Unsupported(why)) => {
            assert!(why.contains(&format!("no figures of {id}-0 yet")), "{why}");
            None
        }
        Err(error) => panic!("{error}"),
    })
    .await
}

/// The engine's figures twice, both of them of the one measurement that is given, too.
async fn compared(
    namespace: &TestNamespace,
    engine: &KubernetesEngine,
    id: &ContainerId,
) -> (Told, ContainerStats) {
    until("two figures of one measurement", async || {
        let before = told(namespace, id);
        let one = (Instant::now(), engine.stats(id).await.unwrap(), Instant::now());
        let two = (Instant::now(), engine.stats(id).await.unwrap(), Instant::now());
        if told(namespace, id) != before {
            return None;
        }
        let counted = u128::from(two.1.cpu_total_ns - one.1.cpu_total_ns);
        let at_rate = |time: Duration| time.as_nanos() * u128::from(before.nanocores) / 1_000_000_000;
        let (least, most) = (at_rate(two.0 - one.2), at_rate(two.2 - one.0));
        assert!(
            (least.saturating_sub(2)..=most + 2).contains(&counted),
            "{counted} ns counted at {before:?}, expected {least} to {most}"
        );
        Some((before, two.1))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_agree_with_the_metrics_api_and_rise_under_load() {
    let namespace = TestNamespace::new(&[]).await;
    let engine = namespace.ready().await;
    let notes = engine.probe().await.unwrap().notes;
    let said_to_be_absent = notes.iter().any(|note| note.contains("has no metrics API"));
    if !has_metrics_api() {
        assert!(said_to_be_absent && !engine.capabilities().stats, "{notes:?}");
        println!("NOT RUN: this cluster has no metrics API, and the engine says so");
        namespace.remove().await;
        return;
    }
    assert!(!said_to_be_absent && engine.capabilities().stats, "{notes:?}");
    engine.create_volume("m", &[]).await.unwrap();
    let mut spec = workspace("m");
    spec.memory_bytes = Some(512 << 20);
    let id = engine.create_container(&spec).await.unwrap();
    engine.start_container(&id).await.unwrap();

    measured(&engine, &id).await;
    let (idle, stats) = compared(&namespace, &engine, &id).await;
    assert_eq!(stats.memory_bytes, idle.memory_bytes);
    assert!((1 << 16..512 << 20).contains(&stats.memory_bytes), "{stats:?}");
    assert_eq!(stats.memory_limit_bytes, Some(512 << 20));
    assert!(stats.cpu_and_memory_only);

    shell(&*engine, &id, "(while :; do :; done) </dev/null >/dev/null 2>&1 &").await;
    until("figures of the busy loop", async || {
        (told(&namespace, &id).nanocores > idle.nanocores + BUSY).then_some(())
    })
    .await;
    let (busy, after) = compared(&namespace, &engine, &id).await;
    assert!(busy.timestamp > idle.timestamp, "{busy:?} after {idle:?}");
    assert!(after.cpu_total_ns > stats.cpu_total_ns, "{after:?} after {stats:?}");

    engine.stop_container(&id, Duration::from_secs(5)).await.unwrap();
    match engine.stats(&id).await {
        Err(EngineError::Conflict(why)) => assert!(why.contains("not running"), "{why}"),
        other => panic!("gave {other:?}"),
    }
    engine.remove_container(&id).await.unwrap();
    namespace.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_may_not_read_the_metrics_api_is_told_where_figures_come_from() {
    let namespace = TestNamespace::new(&[]).await;
    for may_read in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let mut role = role();
        role["rules"]
            .as_array_mut()
            .unwrap()
            .retain(|rule| may_read || rule["apiGroups"] != json!(["metrics.k8s.io"]));
        let person = if may_read { "reader" } else { "other" };
        let endpoint = account(&namespace, person, role, folder.path()).await;
        let settings = namespace.settings();
        let surroundings = Surroundings {
            settings: Arc::new(move || settings.clone()),
            program: Some(program("agent-of-now")),
        };
        let engine = KubernetesEngine::new(endpoint, surroundings);
        let notes = engine.probe().await.unwrap().notes;
        let from_agent = notes.iter().any(|note| note.contains("figures of use come from the agent"));
        let available = has_metrics_api() && may_read;
        assert_eq!((engine.capabilities().stats, from_agent), (available, !available), "{notes:?}");
    }
    namespace.remove().await;
}
