//! What goes wrong is told in the cluster's own words.

use crate::common::{TestNamespace, event, workspace};
use aicockpit_engine::{ContainerEventKind as Kind, ContainerState, Engine, EngineError};
use aicockpit_protocol::engine::ClusterSettings;
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use std::collections::BTreeMap;

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_does_not_exist_is_named() {
    let namespace = TestNamespace::new(&[]).await;
    let engine = namespace.ready().await;
    engine.create_volume("w", &[]).await.unwrap();
    let mut spec = workspace("w");
    spec.image = "localhost:1/no/such/image:none".to_owned();
    let id = engine.create_container(&spec).await.unwrap();
    match engine.start_container(&id).await {
        Err(EngineError::ImageNotFound(why) | EngineError::RegistryUnavailable(why)) => {
            assert!(why.contains("no/such/image"), "{why}");
        }
        other => panic!("gave {other:?}"),
    }
    // The cluster does not go on trying.
    let details = engine.inspect_container(&id).await.unwrap();
    assert!(matches!(details.state, ContainerState::Exited | ContainerState::Starting), "{details:?}");
    engine.remove_container(&id).await.unwrap();
    namespace.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_no_machine_takes_says_why_while_it_waits() {
    let namespace = TestNamespace::new(&[]).await;
    let settings = ClusterSettings {
        node_selector: BTreeMap::from([("no-such".to_owned(), "machine".to_owned())]),
        ..namespace.settings()
    };
    let engine = namespace.ready_with(settings, Some(crate::common::program("agent-of-now"))).await;
    engine.create_volume("w", &[]).await.unwrap();
    let mut events = engine.events().await.unwrap();
    let id = engine.create_container(&workspace("w")).await.unwrap();
    let starting = {
        let (engine, id) = (engine.clone(), id.clone());
        tokio::spawn(async move { engine.start_container(&id).await })
    };
    let text = event(&mut events, "the reason", |event| match &event.kind {
        Kind::Told { text, .. } if text.contains("0/1 nodes are available") => Some(text.clone()),
        _ => None,
    })
    .await;
    let details = engine.inspect_container(&id).await.unwrap();
    assert_eq!(details.state, ContainerState::Starting, "{text}");
    assert!(
        details.reason.as_ref().is_some_and(|reason| reason.contains("nodes are available")),
        "{details:?}"
    );
    assert!(!starting.is_finished(), "a machine may come yet");
    starting.abort();
    engine.remove_container(&id).await.unwrap();
    namespace.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_used_up_is_told_at_the_start() {
    let namespace = TestNamespace::new(&[]).await;
    let engine = namespace.ready().await;
    engine.create_volume("w", &[]).await.unwrap();
    let id = engine.create_container(&workspace("w")).await.unwrap();
    let quotas: Api<ResourceQuota> = Api::namespaced(namespace.client.clone(), &namespace.name);
    let quota = json!({ "metadata": { "name": "none" }, "spec": { "hard": { "pods": "0" } } });
    let quota = serde_json::from_value(quota).unwrap();
    quotas.create(&PostParams::default(), &quota).await.unwrap();
    match engine.start_container(&id).await {
        Err(EngineError::Quota(why)) => assert!(why.contains("exceeded quota: none"), "{why}"),
        other => panic!("gave {other:?}"),
    }
    engine.remove_container(&id).await.unwrap();
    namespace.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_class_that_does_not_exist_leaves_the_claim_waiting_and_it_is_told() {
    let namespace = TestNamespace::new(&[]).await;
    let settings = ClusterSettings { storage_class: Some("no-such-class".into()), ..namespace.settings() };
    let engine = namespace.ready_with(settings, Some(crate::common::program("agent-of-now"))).await;
    let mut events = engine.events().await.unwrap();
    engine.create_volume("w", &[]).await.unwrap();
    let id = engine.create_container(&workspace("w")).await.unwrap();
    let starting = {
        let (engine, id) = (engine.clone(), id.clone());
        tokio::spawn(async move { engine.start_container(&id).await })
    };
    event(&mut events, "the reason", |event| match &event.kind {
        Kind::Told { text, .. } if text.contains("no-such-class") => Some(()),
        _ => None,
    })
    .await;
    starting.abort();
    engine.remove_container(&id).await.unwrap();
    engine.remove_volume("w").await.unwrap();
    namespace.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_not_there_is_named() {
    let namespace = TestNamespace::new(&[]).await;
    let settings = ClusterSettings { namespace: Some("no-such-namespace".into()), ..namespace.settings() };
    let engine = namespace.engine_with(settings, None);
    match engine.probe().await {
        Err(error) => assert!(error.to_string().contains("no-such-namespace"), "{error}"),
        Ok(version) => panic!("gave {version:?}"),
    }
    namespace.remove().await;
}
