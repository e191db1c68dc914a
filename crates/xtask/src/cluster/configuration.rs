//! The files that the cluster's parts read.

use super::network::{BRIDGE, NODE_ADDRESS, PODS};
use super::{certificates, images, images_folder, parts, run_folder};
use anyhow::Context as _;
use std::path::{Path, PathBuf};

/// The API server's port.
pub(super) const API_PORT: u16 = 16443;

/// Where containerd listens.
pub(super) fn containerd_socket() -> PathBuf {
    run_folder().join("containerd.sock")
}

/// containerd's configuration.
pub(super) fn containerd_path() -> PathBuf {
    run_folder().join("containerd.toml")
}

/// kubelet's configuration.
pub(super) fn kubelet_path() -> PathBuf {
    run_folder().join("kubelet.yaml")
}

/// Writes all of them.
pub(super) fn write() -> anyhow::Result<()> {
    let cni = run_folder().join("cni");
    std::fs::create_dir_all(&cni).with_context(|| format!("cannot make {}", cni.display()))?;
    write_file(&cni.join("10-bridge.conflist"), &network(&run_folder().join("addresses")))?;
    write_file(&containerd_path(), &containerd(&cni))?;
    write_file(&kubelet_path(), &kubelet())
}

fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The `firewall` plugin lets pods out where the packet filter forwards nothing by default, as Docker sets it.
fn network(addresses: &Path) -> String {
    format!(
        r#"{{
  "cniVersion": "1.0.0",
  "name": "{BRIDGE}",
  "plugins": [
    {{
      "type": "bridge", "bridge": "{BRIDGE}", "isGateway": true, "ipMasq": true, "hairpinMode": true,
      "ipam": {{
        "type": "host-local", "dataDir": "{}",
        "ranges": [[{{ "subnet": "{PODS}" }}]], "routes": [{{ "dst": "0.0.0.0/0" }}]
      }}
    }},
    {{ "type": "portmap", "capabilities": {{ "portMappings": true }} }},
    {{ "type": "firewall", "backend": "iptables" }}
  ]
}}
"#,
        addresses.display()
    )
}

/// Everything is its own, so that Docker's containerd is left alone. Namespaces of pods lie below the run folder, where
/// they can be told from others'.
fn containerd(cni: &Path) -> String {
    format!(
        r#"version = 2
root = "{root}"
state = "{state}"
oom_score = 0
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]

[grpc]
address = "{socket}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{sandbox}"
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
stream_server_address = "127.0.0.1"
stream_server_port = "0"

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{cni}"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
"#,
        root = images_folder().display(),
        state = run_folder().join("containerd").display(),
        socket = containerd_socket().display(),
        sandbox = images::SANDBOX,
        cni = cni.display(),
    )
}

/// Made for a machine that has both cgroup versions, swap, little room and no right to adjust the order in which
/// processes are killed for memory.
fn kubelet() -> String {
    let keys = certificates::folder();
    format!(
        r#"apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: {NODE_ADDRESS}
healthzBindAddress: 127.0.0.1
healthzPort: {port}
authentication:
  anonymous: {{ enabled: false }}
  webhook: {{ enabled: true }}
  x509: {{ clientCAFile: "{keys}/ca.crt" }}
authorization: {{ mode: Webhook }}
tlsCertFile: "{keys}/kubelet.crt"
tlsPrivateKeyFile: "{keys}/kubelet.key"
containerRuntimeEndpoint: "unix://{socket}"
podLogsDir: "{run}/pods"
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
maxOpenFiles: 20000
enforceNodeAllocatable: []
localStorageCapacityIsolation: false
evictionHard: {{ memory.available: "100Mi", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%" }}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
"#,
        port = parts::KUBELET_PORT,
        keys = keys.display(),
        socket = containerd_socket().display(),
        run = run_folder().display(),
    )
}

/// A kubeconfig that needs no other file. All three are base64 of PEM.
pub(super) fn kubeconfig(authority: &str, certificate: &str, key: &str) -> String {
    format!(
        r#"apiVersion: v1
kind: Config
clusters:
- name: aicockpit-test
  cluster:
    server: https://{NODE_ADDRESS}:{API_PORT}
    certificate-authority-data: {authority}
users:
- name: aicockpit-test
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
contexts:
- name: aicockpit-test
  context:
    cluster: aicockpit-test
    user: aicockpit-test
current-context: aicockpit-test
"#
    )
}
