//! System packages of Debian and Ubuntu: which are needed for what, and installing the missing ones.

use crate::shell;
use anyhow::bail;
use std::io::{BufRead as _, IsTerminal as _, Write as _};

/// What packages are wanted for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// Building headless crates.
    Build,
    /// Building the desktop window.
    Desktop,
    /// Running workspaces, where there is no engine.
    Engine,
    /// Running the tests: both engines, a browser, a display.
    Tests,
    /// The tests' Kubernetes cluster.
    Cluster,
    /// Load for the benchmarks.
    Bench,
}

struct Need {
    package: &'static str,
    purpose: Purpose,
    /// A program that makes the package unnecessary, wherever it came from.
    program: Option<&'static str>,
}

const fn package(purpose: Purpose, package: &'static str) -> Need {
    Need { package, purpose, program: None }
}

const fn program(purpose: Purpose, package: &'static str, program: &'static str) -> Need {
    Need { package, purpose, program: Some(program) }
}

const NEEDS: &[Need] = &[
    program(Purpose::Build, "gcc", "cc"),
    program(Purpose::Build, "git", "git"),
    package(Purpose::Build, "libc6-dev"),
    package(Purpose::Desktop, "libwebkit2gtk-4.1-dev"),
    package(Purpose::Desktop, "librsvg2-dev"),
    package(Purpose::Desktop, "libayatana-appindicator3-dev"),
    program(Purpose::Desktop, "pkg-config", "pkg-config"),
    program(Purpose::Engine, "docker.io", "dockerd"),
    program(Purpose::Engine, "iptables", "iptables"),
    program(Purpose::Tests, "docker.io", "dockerd"),
    program(Purpose::Tests, "iptables", "iptables"),
    program(Purpose::Tests, "podman", "podman"),
    program(Purpose::Tests, "runc", "runc"),
    package(Purpose::Tests, "netavark"),
    package(Purpose::Tests, "aardvark-dns"),
    program(Purpose::Tests, "slirp4netns", "slirp4netns"),
    program(Purpose::Tests, "fuse-overlayfs", "fuse-overlayfs"),
    program(Purpose::Tests, "uidmap", "newuidmap"),
    program(Purpose::Tests, "buildah", "buildah"),
    program(Purpose::Tests, "mmdebstrap", "mmdebstrap"),
    package(Purpose::Tests, "busybox-static"),
    program(Purpose::Tests, "openssl", "openssl"),
    program(Purpose::Tests, "iproute2", "ip"),
    // For Ollama, and Go where there is none.
    program(Purpose::Tests, "g++", "g++"),
    package(Purpose::Tests, "libstb-dev"),
    package(Purpose::Tests, "nlohmann-json3-dev"),
    program(Purpose::Tests, "python3-pip", "go"),
    program(Purpose::Tests, "chromium", "chromium"),
    program(Purpose::Tests, "xvfb", "Xvfb"),
    program(Purpose::Tests, "webkit2gtk-driver", "WebKitWebDriver"),
    program(Purpose::Tests, "dbus", "dbus-daemon"),
    program(Purpose::Tests, "gnome-keyring", "gnome-keyring-daemon"),
    package(Purpose::Tests, "python3-dbus"),
    package(Purpose::Tests, "python3-gi"),
    package(Purpose::Tests, "python3-venv"),
    package(Purpose::Tests, "python3-xlib"),
    program(Purpose::Tests, "zsh", "zsh"),
    program(Purpose::Tests, "fish", "fish"),
    program(Purpose::Cluster, "etcd-server", "etcd"),
    program(Purpose::Cluster, "containerd", "containerd"),
    package(Purpose::Cluster, "containernetworking-plugins"),
    package(Purpose::Cluster, "busybox-static"),
    program(Purpose::Cluster, "runc", "runc"),
    program(Purpose::Cluster, "conntrack", "conntrack"),
    program(Purpose::Cluster, "socat", "socat"),
    program(Purpose::Cluster, "iptables", "iptables"),
    program(Purpose::Cluster, "iproute2", "ip"),
    program(Purpose::Cluster, "curl", "curl"),
    // Installs Go where there is none.
    program(Purpose::Cluster, "python3-pip", "go"),
    program(Purpose::Bench, "wrk", "wrk"),
];

/// Installs what is missing for `purposes`: as root at once, otherwise through sudo and with consent.
///
/// # Errors
/// When something is missing and may not or cannot be installed; the message holds the command to run.
pub(crate) fn install(purposes: &[Purpose], yes: bool) -> anyhow::Result<()> {
    let missing = missing(purposes);
    if missing.is_empty() {
        println!("system packages: all there");
        return Ok(());
    }
    println!("missing system packages: {}", missing.join(" "));
    if shell::which("apt-get").is_none() {
        bail!("apt-get is not here: install what your system calls {}, then repeat", missing.join(", "));
    }
    let by_hand = format!("sudo apt-get install --no-install-recommends {}", missing.join(" "));
    if !shell::is_root() && !yes && !consent(&by_hand)? {
        bail!("not installed. Run `{by_hand}`, then repeat");
    }
    // Indexes may be absent or old on a fresh machine; one source that fails must not stop the others.
    if let Err(error) = apt().args(["update", "-q"]).show() {
        println!("{error}; going on with the indexes at hand");
    }
    let install = || apt().args(["install", "-y", "-q", "--no-install-recommends"]);
    install().args(&missing).show()?;
    // Newer releases have Docker's command in a package of its own, which older ones do not know.
    if missing.contains(&"docker.io") && shell::which("docker").is_none() {
        install().args(["docker-cli"]).show()?;
    }
    Ok(())
}

fn apt() -> shell::Run {
    let run = if shell::is_root() {
        shell::run("apt-get")
    } else {
        shell::run("sudo").args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).interactive()
    };
    run.env("DEBIAN_FRONTEND", "noninteractive")
}

fn missing(purposes: &[Purpose]) -> Vec<&'static str> {
    let mut missing: Vec<_> = NEEDS
        .iter()
        .filter(|need| purposes.contains(&need.purpose) && !is_met(need))
        .map(|need| need.package)
        .collect();
    missing.sort_unstable();
    missing.dedup();
    missing
}

fn is_met(need: &Need) -> bool {
    match need.program {
        Some(program) if shell::which(program).is_some() => true,
        _ => shell::run("dpkg-query")
            .args(["--show", "--showformat=${db:Status-Status}", need.package])
            .output()
            .is_ok_and(|status| status == "installed"),
    }
}

fn consent(command: &str) -> anyhow::Result<bool> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Ok(false);
    }
    print!("Run `{command}` now? [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    input.lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_from_elsewhere_makes_its_package_unnecessary() {
        assert!(is_met(&program(Purpose::Build, "no-such-package", "sh")));
        assert!(!is_met(&program(Purpose::Build, "no-such-package", "no-such-program")));
    }

    #[test]
    fn each_package_is_named_once_for_several_purposes() {
        let names: Vec<_> = NEEDS.iter().map(|need| need.package).collect();
        assert!(names.iter().filter(|name| **name == "docker.io").count() > 1, "the case exists");
        let all = missing(&[Purpose::Engine, Purpose::Tests, Purpose::Cluster]);
        let mut once = all.clone();
        once.dedup();
        assert_eq!(all, once);
    }
}
