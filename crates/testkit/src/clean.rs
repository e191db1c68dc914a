//! What a test left on an engine, by the label of its store.

use aicockpit_engine::Engine;

/// The label that names the store which made an object.
pub const LABEL_OWNER: &str = aicockpit_cockpit::workspaces::labels::OWNER;

/// Containers, volumes and networks that carry `owner`'s label, as `kind name`.
///
/// # Panics
/// When the engine does not answer.
pub async fn left_behind(engine: &dyn Engine, owner: &str) -> Vec<String> {
    let labels = [(LABEL_OWNER, owner)];
    let containers = engine.list_containers(&labels).await.expect("the engine lists containers");
    let volumes = engine.list_volumes(&labels).await.expect("the engine lists volumes");
    let networks = engine.list_networks().await.expect("the engine lists networks");
    let mut left: Vec<String> =
        containers.into_iter().map(|container| format!("container {}", container.name)).collect();
    left.extend(volumes.into_iter().map(|volume| format!("volume {volume}")));
    left.extend(
        networks
            .into_iter()
            .filter(|network| network.labels.iter().any(|(key, value)| key == LABEL_OWNER && value == owner))
            .map(|network| format!("network {}", network.name)),
    );
    left
}

/// Removes everything that carries `owner`'s label. What cannot be removed is left: a test that cares asks
/// [`left_behind`].
pub async fn remove_all(engine: &dyn Engine, owner: &str) {
    let labels = [(LABEL_OWNER, owner)];
    for container in engine.list_containers(&labels).await.unwrap_or_default() {
        let _ = engine.remove_container(&container.id).await;
    }
    for volume in engine.list_volumes(&labels).await.unwrap_or_default() {
        let _ = engine.remove_volume(&volume).await;
    }
    for network in engine.list_networks().await.unwrap_or_default() {
        if network.labels.iter().any(|(key, value)| key == LABEL_OWNER && value == owner) {
            let _ = engine.remove_network(&network.name).await;
        }
    }
}
