//! Where Podman may be: the environment, the user's own service, the system's.

use crate::PodmanEndpoint;
use aicockpit_protocol::EngineId;
use aicockpit_protocol::engine::EngineKind;
use std::path::{Path, PathBuf};

/// The socket of the system's service.
const SYSTEM_SOCKET: &str = "/run/podman/podman.sock";

/// Finds Podman's addresses: `CONTAINER_HOST` first, then this user's own service (rootless), then the system's. The
/// one that this user would start is listed also when nothing is there, so that a person can be told what is missing.
pub fn discover() -> Vec<PodmanEndpoint> {
    let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    candidates(
        variable("CONTAINER_HOST"),
        variable("XDG_RUNTIME_DIR").map(PathBuf::from),
        std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0),
        Path::exists,
    )
}

fn candidates(
    host: Option<String>,
    runtime_folder: Option<PathBuf>,
    is_root: bool,
    exists: fn(&Path) -> bool,
) -> Vec<PodmanEndpoint> {
    let mut found = Vec::new();
    if let Some(folder) = runtime_folder {
        let path = folder.join("podman/podman.sock");
        if !is_root || exists(&path) {
            let address = format!("unix://{}", path.display());
            found.push(endpoint("podman-rootless", "Podman (rootless)", &address, true));
        }
    }
    if is_root || found.is_empty() || exists(Path::new(SYSTEM_SOCKET)) {
        found.push(endpoint("podman", "Podman", &format!("unix://{SYSTEM_SOCKET}"), false));
    }
    if let Some(address) = host {
        let first = match found.iter().position(|known| known.address == address) {
            Some(at) => found.remove(at),
            None => endpoint("podman-host", "Podman (CONTAINER_HOST)", &address, true),
        };
        found.insert(0, first);
    }
    found
}

fn endpoint(id: &str, name: &str, address: &str, of_user: bool) -> PodmanEndpoint {
    PodmanEndpoint {
        id: EngineId::new(id),
        kind: EngineKind::Podman,
        name: name.to_owned(),
        address: address.to_owned(),
        of_user,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(
        host: Option<&str>,
        folder: Option<&str>,
        is_root: bool,
        exists: fn(&Path) -> bool,
    ) -> Vec<String> {
        let found = candidates(host.map(str::to_owned), folder.map(PathBuf::from), is_root, exists);
        found.iter().map(|endpoint| endpoint.id.to_string()).collect()
    }

    #[test]
    fn a_user_s_own_service_comes_before_the_system_s() {
        let folder = Some("/run/user/1000");
        assert_eq!(ids(None, folder, false, |_| true), ["podman-rootless", "podman"]);
        assert_eq!(ids(None, folder, false, |_| false), ["podman-rootless"], "where nothing runs");
        assert_eq!(ids(None, folder, true, |_| false), ["podman"], "root has the system's");
        assert_eq!(ids(None, None, false, |_| false), ["podman"], "without a session");
    }

    #[test]
    fn container_host_comes_first_and_an_address_is_listed_once() {
        let system = Some("unix:///run/podman/podman.sock");
        assert_eq!(ids(system, None, true, |_| true), ["podman"]);
        assert_eq!(ids(Some("tcp://far:1"), None, true, |_| true), ["podman-host", "podman"]);
    }
}
