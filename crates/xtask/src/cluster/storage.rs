//! The StorageClass of the cluster: folders of this machine, made and removed by our provisioner in `tests/cluster`.

use super::{parts, run_folder};
use anyhow::Context as _;

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
    let path = run_folder().join("storage.yaml");
    std::fs::write(&path, CLASS).with_context(|| format!("cannot write {}", path.display()))?;
    let apply = parts::kubectl().args(["apply", "--filename"]).args([path]);
    print!("{}", apply.output().context("cannot make the StorageClass")?);
    Ok(())
}
