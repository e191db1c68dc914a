//! The cluster's addresses, and the bridge that its pods hang on.
//!
//! The node's own address is the bridge's: kubelet takes no loopback address, and so nothing listens on the machine's
//! real network.

use crate::shell;
use anyhow::Context as _;

/// The node's name.
pub(super) const NODE: &str = "aicockpit";
/// The bridge of all pods.
pub(super) const BRIDGE: &str = "aicockpit-k8s";
/// Where pods are.
pub(super) const PODS: &str = "10.244.0.0/24";
/// The node's address, on the bridge.
pub(super) const NODE_ADDRESS: &str = "10.244.0.1";
/// Where Services are.
pub(super) const SERVICES: &str = "10.96.0.0/24";
/// The API server's address as a Service.
pub(super) const SERVICE_ADDRESS: &str = "10.96.0.1";

/// Makes the bridge, unless it is there. CNI's plugin takes it as it is.
pub(super) fn bridge() -> anyhow::Result<()> {
    let ip = || shell::run("ip").quiet();
    if ip().args(["link", "show", BRIDGE]).succeeds() {
        return Ok(());
    }
    ip().args(["link", "add", BRIDGE, "type", "bridge"]).show()?;
    ip().args(["address", "add", &format!("{NODE_ADDRESS}/24"), "dev", BRIDGE]).show()?;
    ip().args(["link", "set", BRIDGE, "up"]).show()?;
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("cannot turn on forwarding for pods")
}

/// Removes the bridge and the packet filter's chains of Kubernetes and CNI.
pub(super) fn remove() {
    // Fails where it is gone already.
    shell::run("ip").args(["link", "delete", BRIDGE]).succeeds();
    for family in ["iptables", "ip6tables"] {
        let save = shell::which(&format!("{family}-save"));
        let Some(rules) = save.and_then(|program| shell::run(program).output().ok()) else { continue };
        if let Some(removal) = removal(&rules)
            && let Err(error) = restore(family, &removal)
        {
            println!("{error:#}");
        }
    }
}

fn restore(family: &str, removal: &str) -> anyhow::Result<()> {
    let path = super::run_folder().join(format!("{family}.removal"));
    std::fs::write(&path, removal).with_context(|| format!("cannot write {}", path.display()))?;
    let file = std::fs::File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
    shell::run(format!("{family}-restore")).args(["--noflush", "--wait"]).input(file).output().map(|_| ())
}

/// What `iptables-restore --noflush` must read to remove the chains of Kubernetes and CNI from what `iptables-save`
/// wrote, other rules left alone. Nothing where there are none.
fn removal(rules: &str) -> Option<String> {
    let is_ours = |chain: &str| chain.starts_with("KUBE-") || chain.starts_with("CNI-");
    let mut text = String::new();
    let mut found = false;
    let mut chains = Vec::new();
    for line in rules.lines() {
        if let Some(chain) = line.strip_prefix(':').and_then(|line| line.split(' ').next()) {
            if is_ours(chain) {
                // Naming a chain empties it.
                text.push_str(&format!(":{chain} - [0:0]\n"));
                chains.push(chain);
                found = true;
            }
        } else if let Some(rule) = line.strip_prefix("-A ") {
            let of_ours = rule.split(' ').next().is_some_and(is_ours);
            if !of_ours && rule.split(' ').any(is_ours) {
                text.push_str(&format!("-D {rule}\n"));
            }
        } else if line.starts_with('*') {
            text.push_str(&format!("{line}\n"));
        } else if line == "COMMIT" {
            for chain in chains.drain(..) {
                text.push_str(&format!("-X {chain}\n"));
            }
            text.push_str("COMMIT\n");
        }
    }
    found.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_of_kubernetes_and_cni_go_and_what_others_made_stays() {
        let rules = "# Generated\n*filter\n:FORWARD DROP [0:0]\n:DOCKER - [0:0]\n:KUBE-FORWARD - [0:0]\n\
                     :CNI-FORWARD - [0:0]\n-A FORWARD -j DOCKER\n\
                     -A FORWARD -m comment --comment \"a b\" -j KUBE-FORWARD\n-A KUBE-FORWARD -j CNI-FORWARD\nCOMMIT\n";
        let expected = "*filter\n:KUBE-FORWARD - [0:0]\n:CNI-FORWARD - [0:0]\n\
                        -D FORWARD -m comment --comment \"a b\" -j KUBE-FORWARD\n\
                        -X KUBE-FORWARD\n-X CNI-FORWARD\nCOMMIT\n";
        assert_eq!(removal(rules).as_deref(), Some(expected));
        assert_eq!(removal("*nat\n:DOCKER - [0:0]\n-A PREROUTING -j DOCKER\nCOMMIT\n"), None);
    }
}
