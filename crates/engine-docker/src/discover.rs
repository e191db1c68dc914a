//! Where Docker may be: the environment, the command line's contexts, the usual sockets.

use crate::DockerEndpoint;
use crate::config::{self, Context, DockerConfig};
use aicockpit_protocol::EngineId;
use aicockpit_protocol::engine::EngineKind;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The socket of an ordinary installation.
const SYSTEM_SOCKET: &str = "/var/run/docker.sock";

/// Finds Docker's addresses: `DOCKER_HOST` or the current context first, then the system's socket (listed also when
/// nothing is there, so that a person can be told what is missing), the user's own sockets, the other contexts.
/// Every address is listed once.
pub fn discover() -> Vec<DockerEndpoint> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let folder = config::folder();
    let config = folder.as_deref().map(DockerConfig::read).unwrap_or_default();
    candidates(&Surroundings {
        host: variable("DOCKER_HOST"),
        context: variable("DOCKER_CONTEXT").or(config.current_context),
        contexts: folder.as_deref().map(config::contexts).unwrap_or_default(),
        runtime_folder: variable("XDG_RUNTIME_DIR").map(PathBuf::from),
        home: variable("HOME").map(PathBuf::from),
        is_podman: |path| std::fs::canonicalize(path).is_ok_and(|real| real.ends_with("podman/podman.sock")),
        exists: Path::exists,
    })
}

/// What discovery looks at.
struct Surroundings {
    host: Option<String>,
    context: Option<String>,
    contexts: Vec<Context>,
    runtime_folder: Option<PathBuf>,
    home: Option<PathBuf>,
    /// The socket is a link to Podman's, as the package `podman-docker` makes it.
    is_podman: fn(&Path) -> bool,
    exists: fn(&Path) -> bool,
}

fn candidates(around: &Surroundings) -> Vec<DockerEndpoint> {
    let mut found = Vec::new();
    let user_socket = |folder: &Option<PathBuf>, file: &str| {
        let path = folder.as_ref()?.join(file);
        (around.exists)(&path).then(|| format!("unix://{}", path.display()))
    };
    let system = format!("unix://{SYSTEM_SOCKET}");
    if !(around.is_podman)(Path::new(SYSTEM_SOCKET)) {
        found.push(endpoint("docker", "Docker", &system, false));
    }
    if let Some(address) = user_socket(&around.runtime_folder, "docker.sock") {
        found.push(endpoint("docker-rootless", "Docker (rootless)", &address, true));
    }
    if let Some(address) = user_socket(&around.home, ".docker/desktop/docker.sock") {
        found.push(endpoint("docker-desktop", "Docker Desktop", &address, true));
    }
    for context in &around.contexts {
        // A context for an address that is listed already adds only another name for it.
        if !found.iter().any(|known| same(&known.address, &context.host)) {
            let id = format!("docker-{}", slug(&context.name));
            found.push(endpoint(&id, &format!("Docker ({})", context.name), &context.host, false));
        }
    }
    let chosen = match (&around.host, &around.context) {
        (Some(host), _) => Some(host.clone()),
        (None, Some(context)) => {
            around.contexts.iter().find(|known| known.name == *context).map(|known| known.host.clone())
        }
        (None, None) => None,
    };
    if let Some(address) = chosen {
        let first = match found.iter().position(|known| same(&known.address, &address)) {
            Some(at) => found.remove(at),
            None => endpoint(&address_id(&address), "Docker (DOCKER_HOST)", &address, false),
        };
        found.insert(0, first);
    }
    found
}

fn endpoint(id: &str, name: &str, address: &str, of_user: bool) -> DockerEndpoint {
    DockerEndpoint {
        id: EngineId::new(id),
        kind: EngineKind::Docker,
        name: name.to_owned(),
        address: address.to_owned(),
        of_user,
    }
}

/// `/run` and `/var/run` are one folder on every Linux of today.
fn same(one: &str, other: &str) -> bool {
    let plain = |address: &str| address.replacen("unix:///var/run/", "unix:///run/", 1);
    plain(one) == plain(other)
}

/// The same address has the same id in every shell, whatever else is set there.
fn address_id(address: &str) -> String {
    let hash = Sha256::digest(address.as_bytes());
    format!("docker-{:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3])
}

fn slug(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare() -> Surroundings {
        Surroundings {
            host: None,
            context: None,
            contexts: Vec::new(),
            runtime_folder: Some("/run/user/1000".into()),
            home: Some("/home/me".into()),
            is_podman: |_| false,
            exists: |_| false,
        }
    }

    fn ids(around: &Surroundings) -> Vec<String> {
        candidates(around).iter().map(|endpoint| endpoint.id.to_string()).collect()
    }

    fn context(name: &str, host: &str) -> Context {
        Context { name: name.into(), host: host.into() }
    }

    #[test]
    fn a_machine_without_docker_still_lists_the_system_s_socket() {
        assert_eq!(ids(&bare()), ["docker"]);
    }

    #[test]
    fn the_user_s_sockets_are_listed_where_they_exist() {
        let around = Surroundings { exists: |_| true, ..bare() };
        assert_eq!(ids(&around), ["docker", "docker-rootless", "docker-desktop"]);
    }

    #[test]
    fn the_current_context_comes_first_and_an_address_is_listed_once() {
        let around = Surroundings {
            exists: |path| path.starts_with("/run/user"),
            context: Some("Far Away".into()),
            contexts: vec![
                context("Far Away", "ssh://me@far"),
                context("rootless", "unix:///run/user/1000/docker.sock"),
            ],
            ..bare()
        };
        assert_eq!(ids(&around), ["docker-far-away", "docker", "docker-rootless"]);
        assert!(candidates(&around)[0].socket().is_err(), "ssh is listed, and declined with a sentence");
    }

    #[test]
    fn docker_host_beats_the_context_and_keeps_the_id_of_a_known_address() {
        let mut around = Surroundings {
            host: Some("unix:///run/docker.sock".into()),
            context: Some("b".into()),
            contexts: vec![context("b", "unix:///b.sock")],
            ..bare()
        };
        assert_eq!(ids(&around), ["docker", "docker-b"]);
        around.host = Some("unix:///tmp/other.sock".into());
        let found = ids(&around);
        assert_eq!(found.len(), 3);
        assert!(found[0].starts_with("docker-"), "{found:?}");
        assert_eq!(found, ids(&around), "the same in every run");
    }

    #[test]
    fn podman_behind_docker_s_socket_is_not_listed_as_docker() {
        assert!(ids(&Surroundings { is_podman: |_| true, ..bare() }).is_empty());
    }

    #[test]
    fn contexts_are_read_from_the_command_line_s_folder() {
        let folder = tempfile::tempdir().unwrap();
        for (name, host) in [("b", "unix:///b.sock"), ("a", "tcp://a:2375")] {
            let meta = folder.path().join("contexts/meta").join(name);
            std::fs::create_dir_all(&meta).unwrap();
            let text = format!(
                r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}"}}}}}}"#
            );
            std::fs::write(meta.join("meta.json"), text).unwrap();
        }
        std::fs::create_dir_all(folder.path().join("contexts/meta/broken")).unwrap();
        std::fs::write(folder.path().join("contexts/meta/broken/meta.json"), "{").unwrap();
        assert_eq!(
            config::contexts(folder.path()),
            [context("a", "tcp://a:2375"), context("b", "unix:///b.sock")]
        );
    }
}
