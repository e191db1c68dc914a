//! Volumes: PersistentVolumeClaims.

use crate::containers::manager;
use crate::error::{engine_error, found};
use crate::names::{self, MANAGER};
use crate::quantity::quantity;
use crate::{KubernetesEngine, pod};
use aicockpit_engine::{EngineError, Result};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, PodSpec};
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;

impl KubernetesEngine {
    pub(crate) async fn make_volume(&self, name: &str, labels: &[(String, String)]) -> Result<()> {
        let name = names::check(name)?;
        let settings = self.settings();
        let claims = self.api::<PersistentVolumeClaim>().await?;
        if let Some(claim) = found(claims.get(name).await)? {
            return match claim.metadata.deletion_timestamp {
                Some(_) => Err(EngineError::Conflict(format!("the volume claim {name} is being deleted"))),
                None => Ok(()),
            };
        }
        let mut spec = json!({
            "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": { "storage": format!("{}Gi", settings.storage_gib.max(1)) } },
        });
        if let Some(class) = settings.storage_class.as_ref().filter(|class| !class.is_empty()) {
            spec["storageClassName"] = json!(class);
        }
        let claim = json!({
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {
                "name": name,
                "labels": names::labels(labels, &settings.labels),
                "annotations": { names::LABELS: names::annotation(labels) },
            },
            "spec": spec,
        });
        claims
            .patch(name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(claim))
            .await
            .map(drop)
            .map_err(engine_error)
    }

    /// Lets the claims of a container that are smaller than the settings' size grow to it. Where the cluster refuses,
    /// the container's timeline says so: it works as it is.
    pub(crate) async fn grow_volumes(&self, container: &str, template: Option<&PodSpec>) -> Result<()> {
        let volumes = template.and_then(|spec| spec.volumes.as_ref()).into_iter().flatten();
        let names = volumes.filter_map(|volume| Some(&volume.persistent_volume_claim.as_ref()?.claim_name));
        let wanted = format!("{}Gi", self.settings().storage_gib.max(1));
        let claims = self.api::<PersistentVolumeClaim>().await?;
        for name in names {
            let Some(claim) = found(claims.get(name).await)? else { continue };
            let is_bound = claim.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound");
            // One that no volume stands behind yet cannot be changed.
            if !is_bound || asked(&claim) >= quantity(&wanted, 1.0) {
                continue;
            }
            let size = json!({ "spec": { "resources": { "requests": { "storage": wanted } } } });
            if let Err(error) = claims.patch(name, &manager(), &Patch::Merge(size)).await {
                let why = engine_error(error);
                self.shared.tell(container, format!("The volume could not grow to {wanted}: {why}."));
            }
        }
        Ok(())
    }

    pub(crate) async fn volumes_with(&self, labels: &[(&str, &str)]) -> Result<Vec<String>> {
        let wanted = ListParams::default().labels(&names::selector(labels));
        let claims = self.api::<PersistentVolumeClaim>().await?.list(&wanted).await.map_err(engine_error)?;
        Ok(claims
            .into_iter()
            .filter(|claim| names::carries(&claim.metadata, labels))
            .map(|claim| claim.name_any())
            .collect())
    }

    pub(crate) async fn drop_volume(&self, name: &str) -> Result<()> {
        let name = names::check(name)?;
        let claims = self.api::<PersistentVolumeClaim>().await?;
        let Some(claim) = found(claims.get(name).await)? else { return Ok(()) };
        if !names::is_ours(&claim.metadata) {
            return Ok(());
        }
        // Kubernetes would put the deletion off until the last pod is gone, without a word.
        if let Some(user) = self.user_of_volume(name).await? {
            return Err(EngineError::Conflict(format!("volume is in use by {user}")));
        }
        found(claims.delete(name, &DeleteParams::default()).await)?;
        pod::gone(&claims, name, pod::GONE_WITHIN).await
    }

    async fn user_of_volume(&self, claim: &str) -> Result<Option<String>> {
        let ours = ListParams::default().labels(&names::selector(&[]));
        let mounts = |spec: Option<&PodSpec>| {
            spec.and_then(|spec| spec.volumes.as_ref()).into_iter().flatten().any(|volume| {
                volume.persistent_volume_claim.as_ref().is_some_and(|source| source.claim_name == claim)
            })
        };
        let sets = self.api::<StatefulSet>().await?.list(&ours).await.map_err(engine_error)?;
        let of_set =
            |set: &&StatefulSet| mounts(set.spec.as_ref().and_then(|spec| spec.template.spec.as_ref()));
        if let Some(set) = sets.items.iter().find(of_set) {
            return Ok(Some(set.name_any()));
        }
        let pods = self.api::<Pod>().await?.list(&ours).await.map_err(engine_error)?;
        Ok(pods.items.iter().find(|pod| mounts(pod.spec.as_ref())).map(|pod| pod.name_any()))
    }
}

/// Bytes that a claim asks for.
fn asked(claim: &PersistentVolumeClaim) -> Option<u64> {
    let requests = claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?;
    quantity(&requests.get("storage")?.0, 1.0)
}
