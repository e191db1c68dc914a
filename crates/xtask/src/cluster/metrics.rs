//! The metrics API of the cluster: metrics-server runs beside the API server, which hands requests on to it.

use super::network::NODE_ADDRESS;
use super::{START_LIMIT, certificates, parts, run_folder};
use crate::engines;
use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Where metrics-server listens.
pub(super) const PORT: u16 = 14443;
/// The name by which the API server knows it: its Service's.
pub(super) const HOST: &str = "metrics-server.kube-system.svc";
/// The user as which it asks.
pub(super) const USER: &str = "metrics-server";
const API: &str = "v1beta1.metrics.k8s.io";

/// What metrics-server's own manifests give it, and who may read what it measures.
const RIGHTS: &str = r#"apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: system:metrics-server
rules:
- apiGroups: [""]
  resources: ["nodes/metrics"]
  verbs: ["get"]
- apiGroups: [""]
  resources: ["pods", "nodes"]
  verbs: ["get", "list", "watch"]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: system:metrics-server
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:metrics-server" }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: User, name: metrics-server }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: metrics-server:system:auth-delegator
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:auth-delegator" }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: User, name: metrics-server }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: system:aggregated-metrics-reader
  labels:
    rbac.authorization.k8s.io/aggregate-to-view: "true"
    rbac.authorization.k8s.io/aggregate-to-edit: "true"
    rbac.authorization.k8s.io/aggregate-to-admin: "true"
rules:
- apiGroups: ["metrics.k8s.io"]
  resources: ["pods", "nodes"]
  verbs: ["get", "list", "watch"]
"#;

/// Gives metrics-server its rights, which it needs from its start.
pub(super) fn permit() -> anyhow::Result<()> {
    parts::apply("metrics-rights.yaml", RIGHTS)
}

/// Tells the API server where the metrics API is. Not before metrics-server answers: while an API that is told of does
/// not, no namespace can be deleted.
pub(super) fn register() -> anyhow::Result<()> {
    let path = certificates::folder().join("ca.crt");
    let authority = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    parts::apply("metrics-api.yaml", &api(&STANDARD.encode(authority)))
}

/// A Service that selects no pods: the process is none. `authority` is base64 of PEM.
fn api(authority: &str) -> String {
    format!(
        r#"apiVersion: v1
kind: Service
metadata: {{ name: metrics-server, namespace: kube-system }}
spec:
  ports: [{{ name: https, port: 443, targetPort: {PORT} }}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: metrics-server
  namespace: kube-system
  labels: {{ kubernetes.io/service-name: metrics-server }}
addressType: IPv4
ports: [{{ name: https, port: {PORT} }}]
endpoints: [{{ addresses: ["{NODE_ADDRESS}"], conditions: {{ ready: true }} }}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {{ name: {API} }}
spec:
  group: metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  service: {{ name: metrics-server, namespace: kube-system }}
  caBundle: {authority}
"#
    )
}

/// Waits until the API answers; its first figures come half a minute later.
pub(super) fn wait_for_api() -> anyhow::Result<()> {
    let condition = r#"jsonpath={.status.conditions[?(@.type=="Available")].status}"#;
    let available = || {
        let answer = parts::kubectl().args(["get", "apiservice", API, "--output", condition]).output();
        answer.is_ok_and(|status| status == "True")
    };
    if engines::until(START_LIMIT, available).is_err() {
        bail!("the metrics API does not answer; see {}", run_folder().join("metrics-server.log").display());
    }
    println!("the metrics API answers");
    Ok(())
}
