//! The StorageClass of the cluster: folders of this machine, made and removed by our provisioner in `tests/cluster`.

use super::parts;

const CLASS: &str = r#"apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: standard
  annotations:
    storageclass.kubernetes.io/is-default-class: "true"
provisioner: aicockpit.test/folder
reclaimPolicy: Delete
allowVolumeExpansion: true
volumeBindingMode: WaitForFirstConsumer
"#;

/// Makes the default class, unless it is there.
pub(super) fn class() -> anyhow::Result<()> {
    parts::apply("storage.yaml", CLASS)
}
