//! A workspace's container: a StatefulSet with a volume, whose agent is brought by the engine.

use crate::common::{TestNamespace, event, program, shell, workspace};
use aicockpit_engine::{ContainerEventKind as Kind, ContainerState, Engine, EngineError};
use aicockpit_protocol::engine::ClusterSettings;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use kube::api::DeleteParams;
use std::time::Duration;

const AGENT: &str = "/.aicockpit/agent-of-now --version";

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_lives_and_leaves_nothing_behind() {
    let namespace = TestNamespace::new(&[]).await;
    let before = namespace.left_over().await;
    let engine = namespace.ready().await;
    let network = aicockpit_engine::NetworkSpec { name: "w1".into(), subnet: None, labels: Vec::new() };
    engine.create_network(&network).await.unwrap();
    engine.create_volume("w1", &[]).await.unwrap();
    let mut spec = workspace("w1");
    spec.network = Some("w1".to_owned());
    let id = engine.create_container(&spec).await.unwrap();
    assert_eq!(engine.inspect_container(&id).await.unwrap().state, ContainerState::Created);
    engine.start_container(&id).await.unwrap();
    assert!(shell(&*engine, &id, AGENT).await.starts_with("aicockpit-agent "));
    let seen =
        shell(&*engine, &id, "id -u; pwd; echo \"$HOME $SECRET\"; echo kept >note; echo gone >/tmp/x").await;
    assert_eq!(seen, "1000\n/workspace\n/home/dev a = b");

    engine.stop_container(&id, Duration::from_secs(10)).await.unwrap();
    assert_eq!(engine.inspect_container(&id).await.unwrap().state, ContainerState::Exited);
    engine.start_container(&id).await.unwrap();
    assert_eq!(shell(&*engine, &id, "cat note; ls /tmp").await, "kept", "the volume stays, all else goes");
    let listed = engine.list_containers(&[("dev.aicockpit.workspace", "w1")]).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.state).collect::<Vec<_>>(), [ContainerState::Running]);

    engine.remove_container(&id).await.unwrap();
    engine.remove_network("w1").await.unwrap();
    engine.remove_volume("w1").await.unwrap();
    assert_eq!(namespace.left_over().await, before, "left behind");
    namespace.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_lost_comes_back_by_itself_with_its_agent() {
    let namespace = TestNamespace::new(&[]).await;
    let engine = namespace.ready().await;
    engine.create_volume("w2", &[]).await.unwrap();
    let mut events = engine.events().await.unwrap();
    let id = engine.create_container(&workspace("w2")).await.unwrap();
    engine.start_container(&id).await.unwrap();
    event(&mut events, "the start", |event| (event.kind == Kind::Started).then_some(())).await;
    shell(&*engine, &id, "echo kept >note").await;
    let pods: Api<Pod> = Api::namespaced(namespace.client.clone(), &namespace.name);
    pods.delete("w2-0", &DeleteParams::default().grace_period(1)).await.unwrap();
    event(&mut events, "the end", |event| matches!(event.kind, Kind::Died(_)).then_some(())).await;
    // Nobody asked for this one: only the events brought it its agent.
    event(&mut events, "the second start", |event| (event.kind == Kind::Started).then_some(())).await;
    assert_eq!(shell(&*engine, &id, "cat note").await, "kept");
    engine.remove_container(&id).await.unwrap();
    namespace.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_agent_reaches_a_running_pod_and_the_next_start() {
    let namespace = TestNamespace::new(&[]).await;
    let older = namespace.ready().await;
    older.create_volume("w3", &[]).await.unwrap();
    let id = older.create_container(&workspace("w3")).await.unwrap();
    older.start_container(&id).await.unwrap();
    let newer = namespace.ready_with(namespace.settings(), Some(program("agent-of-tomorrow"))).await;
    newer.bring_program(&id).await.unwrap();
    newer.bring_program(&id).await.unwrap();
    assert!(
        shell(&*newer, &id, "/.aicockpit/agent-of-tomorrow --version").await.starts_with("aicockpit-agent ")
    );
    newer.stop_container(&id, Duration::from_secs(10)).await.unwrap();
    newer.start_container(&id).await.unwrap();
    assert_eq!(
        shell(&*newer, &id, "ls /.aicockpit; tr '\\0' ' ' </proc/1/cmdline").await.lines().next(),
        Some("agent-of-tomorrow")
    );
    newer.remove_container(&id).await.unwrap();
    namespace.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restricted_namespace_takes_workspaces_without_sudo() {
    let namespace = TestNamespace::new(&[("pod-security.kubernetes.io/enforce", "restricted")]).await;
    let engine = namespace.ready().await;
    assert!(!engine.capabilities().sudo);
    let notes = engine.probe().await.unwrap().notes;
    assert!(notes.iter().any(|note| note.contains("restricted")), "{notes:?}");
    engine.create_volume("w4", &[]).await.unwrap();
    let mut spec = workspace("w4");
    (spec.no_new_privileges, spec.capabilities) = (false, vec!["SETUID".to_owned()]);
    match engine.create_container(&spec).await {
        Err(EngineError::NotPermitted(why)) => assert!(why.contains("PodSecurity"), "{why}"),
        other => panic!("gave {other:?}"),
    }
    let mut spec = workspace("w4");
    spec.read_only_root = true;
    let id = engine.create_container(&spec).await.unwrap();
    engine.start_container(&id).await.unwrap();
    let seen =
        shell(&*engine, &id, "grep -E '^(NoNewPrivs|CapBnd|Seccomp):' /proc/1/status; touch /x 2>&1 || :")
            .await;
    for words in ["NoNewPrivs:\t1", "CapBnd:\t0000000000000000", "Seccomp:\t2", "Read-only file system"] {
        assert!(seen.contains(words), "{words} in {seen}");
    }
    engine.remove_container(&id).await.unwrap();
    namespace.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_grows_with_the_settings_at_the_next_start() {
    let namespace = TestNamespace::new(&[]).await;
    let engine = namespace.ready().await;
    engine.create_volume("w5", &[]).await.unwrap();
    let id = engine.create_container(&workspace("w5")).await.unwrap();
    engine.start_container(&id).await.unwrap();
    engine.stop_container(&id, Duration::from_secs(5)).await.unwrap();
    let larger = ClusterSettings { storage_gib: 2, ..namespace.settings() };
    let engine = namespace.ready_with(larger, Some(program("agent-of-now"))).await;
    engine.start_container(&id).await.unwrap();
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(namespace.client.clone(), &namespace.name);
    let asked = claims.get("w5").await.unwrap().spec.unwrap().resources.unwrap().requests.unwrap();
    assert_eq!(asked["storage"].0, "2Gi");
    // A claim never shrinks; the smaller setting is simply met.
    engine.stop_container(&id, Duration::from_secs(5)).await.unwrap();
    let engine = namespace.ready().await;
    engine.start_container(&id).await.unwrap();
    engine.remove_container(&id).await.unwrap();
    namespace.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_without_a_network_gets_a_policy_and_is_looked_at_from_inside() {
    let namespace = TestNamespace::new(&[]).await;
    let engine = namespace.ready().await;
    engine.create_volume("w6", &[]).await.unwrap();
    let id = engine.create_container(&workspace("w6")).await.unwrap();
    let policies: Api<NetworkPolicy> = Api::namespaced(namespace.client.clone(), &namespace.name);
    let rules = policies.get("w6-none").await.unwrap().spec.unwrap();
    assert_eq!(rules.policy_types, Some(vec!["Ingress".to_owned(), "Egress".to_owned()]));
    assert!(rules.ingress.is_none() && rules.egress.is_none(), "nothing is let in or out: {rules:?}");
    engine.start_container(&id).await.unwrap();
    let pods: Api<Pod> = Api::namespaced(namespace.client.clone(), &namespace.name);
    let labels = pods.get("w6-0").await.unwrap().metadata.labels.unwrap();
    let selected = rules.pod_selector.unwrap().match_labels.unwrap();
    assert!(selected.iter().all(|pair| labels.contains_key(pair.0) && &labels[pair.0] == pair.1));
    // Both clusters are right: one that enforces the policy, and one that does not and is found out.
    let reached = shell(
        &*engine,
        &id,
        "timeout 5 bash -c 'echo >/dev/tcp/$KUBERNETES_SERVICE_HOST/$KUBERNETES_SERVICE_PORT' 2>/dev/null && echo yes || echo no",
    );
    assert_eq!(engine.is_cut_off(&id).await.unwrap(), reached.await == "no");
    engine.remove_container(&id).await.unwrap();
    namespace.remove().await;
}
