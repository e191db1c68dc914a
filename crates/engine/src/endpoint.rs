//! Where an engine may be reached, and what is known of this machine when it cannot.

use crate::EngineError;
use aicockpit_protocol::EngineId;
use aicockpit_protocol::engine::EngineKind;
use std::path::{Path, PathBuf};

/// An address at which an engine was found or is expected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// Stable across restarts, for instance `docker` or `podman-rootless`.
    pub id: EngineId,
    /// What is expected there.
    pub kind: EngineKind,
    /// Name for people.
    pub name: String,
    /// The address as a URL, for instance `unix:///var/run/docker.sock`.
    pub address: String,
    /// The socket belongs to this user, not to the system.
    pub of_user: bool,
}

impl Endpoint {
    /// The socket's path.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] when the address is not a `unix://` socket with an absolute path.
    pub fn socket(&self) -> Result<&Path, EngineError> {
        match self.address.strip_prefix("unix://") {
            Some(path) if path.starts_with('/') => Ok(Path::new(path)),
            _ => Err(EngineError::Unsupported(format!(
                "{} is not a local socket; engines are reached by unix:// addresses only",
                self.address
            ))),
        }
    }

    /// Looks at this machine: is the socket there, is the engine installed.
    pub fn facts(&self) -> Facts {
        let programs: &[&str] = match self.kind {
            EngineKind::Docker => &["dockerd", "docker"],
            EngineKind::Podman => &["podman"],
            EngineKind::Kubernetes => &[],
        };
        Facts {
            socket: self.socket().map(Path::to_owned).unwrap_or_default(),
            socket_exists: self.socket().is_ok_and(Path::exists),
            installed: programs.iter().any(|program| on_path(program)),
            systemd: Path::new("/run/systemd/system").exists(),
            of_user: self.of_user,
        }
    }
}

/// What [`diagnose`](crate::diagnose) needs to know of this machine.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// The expected socket.
    pub socket: PathBuf,
    /// Something is there.
    pub socket_exists: bool,
    /// The engine's program is on the search path.
    pub installed: bool,
    /// systemd runs this machine.
    pub systemd: bool,
    /// The socket belongs to this user, not to the system.
    pub of_user: bool,
}

fn on_path(program: &str) -> bool {
    // A desktop session's PATH often lacks the system administrator's folders, where dockerd is.
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(address: &str) -> Endpoint {
        Endpoint {
            id: EngineId::new("docker"),
            kind: EngineKind::Docker,
            name: "Docker".into(),
            address: address.into(),
            of_user: false,
        }
    }

    #[test]
    fn only_local_sockets_are_reached() {
        assert_eq!(endpoint("unix:///run/x.sock").socket(), Ok(Path::new("/run/x.sock")));
        for address in ["tcp://10.0.0.1:2375", "ssh://me@host", "unix://relative", "/run/x.sock", ""] {
            assert!(
                matches!(endpoint(address).socket(), Err(EngineError::Unsupported(_))),
                "{address} must be declined"
            );
        }
    }
}
