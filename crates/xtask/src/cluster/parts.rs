//! The cluster's parts: their command lines, in the order of their start, and how to see that they answer.

use super::certificates::{FRONT_PROXY, folder as keys, kubeconfig};
use super::configuration::{self, API_PORT};
use super::network::{NODE, NODE_ADDRESS, PODS, SERVICES};
use super::process::Part;
use super::{START_LIMIT, build, metrics, run_folder, volumes};
use crate::engines;
use crate::shell::{self, Run};
use anyhow::{Context as _, bail};
use std::path::Path;

const ETCD_PORT: u16 = 12379;
const ETCD_PEER_PORT: u16 = 12380;
/// Where parts tell that they are well.
const CONTROLLERS_PORT: u16 = 11257;
const SCHEDULER_PORT: u16 = 11259;
pub(super) const KUBELET_PORT: u16 = 11248;
const PROXY_PORT: u16 = 11256;
const PROXY_METRICS_PORT: u16 = 11249;

/// In the order of their start.
pub(super) const NAMES: &[&str] = &[
    "containerd",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "provisioner",
    "kubelet",
    "kube-proxy",
    "metrics-server",
];

/// All parts, in the order of [`NAMES`].
pub(super) fn parts(binary: &Path) -> Vec<Part> {
    vec![
        containerd(),
        etcd(),
        api_server(binary),
        controllers(binary),
        scheduler(binary),
        provisioner(binary),
        kubelet(binary),
        proxy(binary),
        metrics_server(binary),
    ]
}

/// Begins a kubectl command as the administrator.
pub(super) fn kubectl() -> Run {
    shell::run(build::kubectl()).quiet().args(["--kubeconfig"]).args([super::kubeconfig()])
}

/// Makes what a manifest describes, unless it is there. `name` is the file's, in the run folder.
pub(super) fn apply(name: &str, manifest: &str) -> anyhow::Result<()> {
    let path = run_folder().join(name);
    std::fs::write(&path, manifest).with_context(|| format!("cannot write {}", path.display()))?;
    let apply = kubectl().args(["apply", "--filename"]).args([&path]);
    print!("{}", apply.output().with_context(|| format!("cannot make what {} describes", path.display()))?);
    Ok(())
}

/// Begins a command of containerd's client.
pub(super) fn ctr() -> Run {
    let socket = configuration::containerd_socket();
    shell::run("ctr").quiet().args(["--address"]).args([socket]).args(["--namespace", "k8s.io"])
}

/// Waits until the node takes pods.
pub(super) fn wait_for_node() -> anyhow::Result<()> {
    let condition = r#"jsonpath={.status.conditions[?(@.type=="Ready")].status}"#;
    let ready = || {
        let answer = kubectl().args(["get", "node", NODE, "--output", condition]).output();
        answer.is_ok_and(|status| status == "True")
    };
    if engines::until(START_LIMIT, ready).is_err() {
        bail!("the node did not become ready; see {}", run_folder().join("kubelet.log").display());
    }
    // Without this account no pod is taken; a controller makes it a moment after the namespace.
    let account =
        || kubectl().args(["get", "serviceaccount", "default", "--namespace", "default"]).succeeds();
    if engines::until(START_LIMIT, account).is_err() {
        bail!(
            "the namespace `default` got no service account; see {}",
            run_folder().join("kube-controller-manager.log").display()
        );
    }
    println!("the node is ready");
    Ok(())
}

fn containerd() -> Part {
    let configuration = configuration::containerd_path().display().to_string();
    Part {
        name: "containerd",
        command: words("/usr/bin/containerd", &["--config".to_owned(), configuration]),
        answers: Box::new(|| ctr().args(["version"]).succeeds()),
    }
}

fn etcd() -> Part {
    let (client, peer) =
        (format!("http://127.0.0.1:{ETCD_PORT}"), format!("http://127.0.0.1:{ETCD_PEER_PORT}"));
    let arguments = [
        format!("--data-dir={}", run_folder().join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        // Nobody needs these data after a power cut.
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ];
    Part {
        name: "etcd",
        command: words("/usr/bin/etcd", &arguments),
        answers: Box::new(|| answers(&format!("http://127.0.0.1:{ETCD_PORT}/health"))),
    }
}

fn api_server(binary: &Path) -> Part {
    let keys = keys().display().to_string();
    let arguments = [
        format!("--bind-address={NODE_ADDRESS}"),
        format!("--advertise-address={NODE_ADDRESS}"),
        format!("--secure-port={API_PORT}"),
        format!("--etcd-servers=http://127.0.0.1:{ETCD_PORT}"),
        format!("--service-cluster-ip-range={SERVICES}"),
        "--authorization-mode=Node,RBAC".to_owned(),
        "--anonymous-auth=true".to_owned(),
        "--allow-privileged=true".to_owned(),
        format!("--client-ca-file={keys}/ca.crt"),
        format!("--tls-cert-file={keys}/kube-apiserver.crt"),
        format!("--tls-private-key-file={keys}/kube-apiserver.key"),
        format!("--kubelet-certificate-authority={keys}/ca.crt"),
        format!("--kubelet-client-certificate={keys}/kubelet-client.crt"),
        format!("--kubelet-client-key={keys}/kubelet-client.key"),
        // Otherwise exec looks the node's name up.
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={keys}/service-accounts.pub"),
        format!("--service-account-signing-key-file={keys}/service-accounts.key"),
        // The metrics API is another process's: requests are handed on, with the asker's name in headers.
        "--enable-aggregator-routing=true".to_owned(),
        format!("--proxy-client-cert-file={keys}/{FRONT_PROXY}.crt"),
        format!("--proxy-client-key-file={keys}/{FRONT_PROXY}.key"),
        format!("--requestheader-client-ca-file={keys}/front-proxy-ca.crt"),
        format!("--requestheader-allowed-names={FRONT_PROXY}"),
        "--requestheader-username-headers=X-Remote-User".to_owned(),
        "--requestheader-group-headers=X-Remote-Group".to_owned(),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
    ];
    Part {
        name: "kube-apiserver",
        command: part(binary, "kube-apiserver", &arguments),
        answers: Box::new(|| answers(&format!("https://{NODE_ADDRESS}:{API_PORT}/readyz"))),
    }
}

fn controllers(binary: &Path) -> Part {
    let keys = keys().display().to_string();
    let arguments = [
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={CONTROLLERS_PORT}"),
        "--leader-elect=false".to_owned(),
        "--use-service-account-credentials=true".to_owned(),
        format!("--kubeconfig={}", kubeconfig("kube-controller-manager").display()),
        format!("--service-account-private-key-file={keys}/service-accounts.key"),
        format!("--root-ca-file={keys}/ca.crt"),
    ];
    Part {
        name: "kube-controller-manager",
        command: part(binary, "kube-controller-manager", &arguments),
        answers: Box::new(|| answers(&format!("https://127.0.0.1:{CONTROLLERS_PORT}/healthz"))),
    }
}

fn scheduler(binary: &Path) -> Part {
    let arguments = [
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={SCHEDULER_PORT}"),
        "--leader-elect=false".to_owned(),
        format!("--kubeconfig={}", kubeconfig("kube-scheduler").display()),
    ];
    Part {
        name: "kube-scheduler",
        command: part(binary, "kube-scheduler", &arguments),
        answers: Box::new(|| answers(&format!("https://127.0.0.1:{SCHEDULER_PORT}/healthz"))),
    }
}

fn provisioner(binary: &Path) -> Part {
    let arguments = [
        format!("--kubeconfig={}", kubeconfig("admin").display()),
        format!("--root={}", volumes().display()),
        format!("--node={NODE}"),
    ];
    // It has no address; a claim waits until it is there.
    Part { name: "provisioner", command: part(binary, "provisioner", &arguments), answers: Box::new(|| true) }
}

fn kubelet(binary: &Path) -> Part {
    let arguments = [
        format!("--config={}", configuration::kubelet_path().display()),
        format!("--kubeconfig={}", kubeconfig("kubelet").display()),
        format!("--root-dir={}", run_folder().join("kubelet").display()),
        format!("--hostname-override={NODE}"),
        format!("--node-ip={NODE_ADDRESS}"),
    ];
    Part {
        name: "kubelet",
        command: part(binary, "kubelet", &arguments),
        answers: Box::new(|| answers(&format!("http://127.0.0.1:{KUBELET_PORT}/healthz"))),
    }
}

fn proxy(binary: &Path) -> Part {
    let arguments = [
        format!("--kubeconfig={}", kubeconfig("kube-proxy").display()),
        format!("--hostname-override={NODE}"),
        format!("--cluster-cidr={PODS}"),
        "--proxy-mode=iptables".to_owned(),
        "--bind-address=127.0.0.1".to_owned(),
        "--nodeport-addresses=127.0.0.0/8".to_owned(),
        format!("--healthz-bind-address=127.0.0.1:{PROXY_PORT}"),
        format!("--metrics-bind-address=127.0.0.1:{PROXY_METRICS_PORT}"),
        // The machine's own limits stay as they are.
        "--conntrack-max-per-core=0".to_owned(),
        "--conntrack-tcp-timeout-established=0".to_owned(),
        "--conntrack-tcp-timeout-close-wait=0".to_owned(),
    ];
    Part {
        name: "kube-proxy",
        command: part(binary, "kube-proxy", &arguments),
        answers: Box::new(|| answers(&format!("http://127.0.0.1:{PROXY_PORT}/healthz"))),
    }
}

fn metrics_server(binary: &Path) -> Part {
    let (keys, account) = (keys().display().to_string(), kubeconfig("metrics-server").display().to_string());
    let arguments = [
        format!("--kubeconfig={account}"),
        format!("--authentication-kubeconfig={account}"),
        format!("--authorization-kubeconfig={account}"),
        "--authentication-skip-lookup=true".to_owned(),
        format!("--requestheader-client-ca-file={keys}/front-proxy-ca.crt"),
        format!("--requestheader-allowed-names={FRONT_PROXY}"),
        format!("--bind-address={NODE_ADDRESS}"),
        format!("--secure-port={}", metrics::PORT),
        format!("--tls-cert-file={keys}/metrics-server.crt"),
        format!("--tls-private-key-file={keys}/metrics-server.key"),
        format!("--kubelet-certificate-authority={keys}/ca.crt"),
        "--metric-resolution=15s".to_owned(),
    ];
    Part {
        name: "metrics-server",
        command: part(binary, "metrics-server", &arguments),
        answers: Box::new(|| answers(&format!("https://{NODE_ADDRESS}:{}/livez", metrics::PORT))),
    }
}

fn part(binary: &Path, name: &str, arguments: &[String]) -> Vec<String> {
    let mut command = vec![binary.display().to_string(), name.to_owned()];
    command.extend_from_slice(arguments);
    command
}

fn words(program: &str, arguments: &[String]) -> Vec<String> {
    let mut command = vec![program.to_owned()];
    command.extend_from_slice(arguments);
    command
}

/// Whether an address answers with success. Certificates do not matter for that.
fn answers(address: &str) -> bool {
    shell::run("curl")
        .args(["--silent", "--fail", "--insecure", "--noproxy", "*", "--max-time", "2", address])
        .succeeds()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_start_in_the_order_in_which_they_are_named() {
        let names: Vec<_> = parts(Path::new("/kubernetes")).iter().map(|part| part.name).collect();
        assert_eq!(names, NAMES);
    }
}
