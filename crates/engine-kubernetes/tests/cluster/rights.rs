//! The least Role is enough, and what is missing is named.

use crate::common::{TestNamespace, program, shell, workspace};
use aicockpit_engine::{Endpoint, Engine, EngineError};
use aicockpit_engine_kubernetes::{KubernetesEngine, ROLE, Surroundings, discover_in};
use aicockpit_testkit::kubeconfig;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Api;
use kube::api::PostParams;
use kube::config::Kubeconfig;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;

async fn make<K>(namespace: &TestNamespace, object: Value)
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned
        + serde::Serialize,
{
    let all: Api<K> = Api::namespaced(namespace.client.clone(), &namespace.name);
    let object: K = serde_json::from_value(object).unwrap();
    all.create(&PostParams::default(), &object).await.unwrap();
}

/// A kubeconfig of an account that has `role` in the namespace and nothing else.
pub(crate) async fn account(
    namespace: &TestNamespace,
    person: &str,
    mut role: Value,
    folder: &std::path::Path,
) -> Endpoint {
    make::<ServiceAccount>(namespace, json!({ "metadata": { "name": person } })).await;
    role["metadata"]["name"] = json!(person);
    make::<Role>(namespace, role).await;
    let binding = json!({
        "metadata": { "name": person },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": person },
        "subjects": [{ "kind": "ServiceAccount", "name": person, "namespace": namespace.name }],
    });
    make::<RoleBinding>(namespace, binding).await;
    let accounts: Api<ServiceAccount> = Api::namespaced(namespace.client.clone(), &namespace.name);
    let request: TokenRequest = serde_json::from_value(json!({ "spec": { "audiences": [] } })).unwrap();
    let token = accounts.create_token_request(person, &PostParams::default(), &request).await.unwrap();
    let mut config = serde_json::to_value(Kubeconfig::read_from(kubeconfig()).unwrap()).unwrap();
    let user = config["users"][0]["name"].clone();
    config["users"] = json!([{ "name": user, "user": { "token": token.status.unwrap().token } }]);
    let file = folder.join("kubeconfig");
    // JSON is YAML.
    std::fs::write(&file, config.to_string()).unwrap();
    discover_in(&file).unwrap().remove(0)
}

pub(crate) fn role() -> Value {
    serde_yaml_ng::from_str(ROLE).unwrap()
}

fn engine(namespace: &TestNamespace, endpoint: Endpoint) -> KubernetesEngine {
    let settings = namespace.settings();
    let settings = Arc::new(move || settings.clone());
    KubernetesEngine::new(endpoint, Surroundings { settings, program: Some(program("agent-of-now")) })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_least_role_is_enough_for_a_workspaces_life() {
    let namespace = TestNamespace::new(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(&namespace, account(&namespace, "person", role(), folder.path()).await);
    let version = engine.probe().await.unwrap();
    assert!(
        version.notes.iter().any(|note| note.contains("may not look at the cluster's machines")),
        "{version:?}"
    );
    let before = namespace.left_over().await;
    let _events = engine.events().await.unwrap();
    engine.create_volume("w", &[]).await.unwrap();
    let id = engine.create_container(&workspace("w")).await.unwrap();
    engine.start_container(&id).await.unwrap();
    assert_eq!(shell(&engine, &id, "echo works").await, "works");
    engine.logs(&id, 10, false).await.map(drop).unwrap();
    engine.stop_container(&id, std::time::Duration::from_secs(5)).await.unwrap();
    engine.remove_container(&id).await.unwrap();
    engine.remove_volume("w").await.unwrap();
    assert_eq!(namespace.left_over().await, before, "left behind");
    namespace.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_right_that_is_missing_is_named_before_anything_is_made() {
    let namespace = TestNamespace::new(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let mut role = role();
    // Without its first rule, which is about StatefulSets, and without exec.
    role["rules"].as_array_mut().unwrap().retain(|rule| {
        rule["resources"] != json!(["statefulsets"]) && rule["resources"] != json!(["pods/exec"])
    });
    let engine = engine(&namespace, account(&namespace, "person", role, folder.path()).await);
    match engine.probe().await {
        Err(EngineError::NotPermitted(why)) => {
            for words in
                [&namespace.name, "get, list, watch, create, patch, delete statefulsets", "create pods/exec"]
            {
                assert!(why.contains(words), "{words} in {why}");
            }
        }
        other => panic!("gave {other:?}"),
    }
    namespace.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_not_accepted_are_told() {
    let namespace = TestNamespace::new(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let endpoint = account(&namespace, "person", role(), folder.path()).await;
    let file = folder.path().join("kubeconfig");
    let mut config: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    config["users"][0]["user"] = json!({ "token": "expired" });
    std::fs::write(&file, config.to_string()).unwrap();
    let engine = engine(&namespace, endpoint.clone());
    match engine.probe().await {
        Err(EngineError::NotPermitted(why)) => assert!(why.contains("sign in again"), "{why}"),
        other => panic!("gave {other:?}"),
    }
    // A credential plugin that fails says so, too, and its words are kept.
    config["users"][0]["user"] = json!({ "exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
        "command": "sh", "args": ["-c", "echo please sign in >&2; exit 3"],
    } });
    std::fs::write(&file, config.to_string()).unwrap();
    match engine.probe().await {
        Err(EngineError::NotPermitted(why)) => assert!(why.contains("please sign in"), "{why}"),
        other => panic!("gave {other:?}"),
    }
    namespace.remove().await;
}
