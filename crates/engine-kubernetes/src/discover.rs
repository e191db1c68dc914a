//! The contexts of the kubeconfig.

use aicockpit_engine::Endpoint;
use aicockpit_protocol::EngineId;
use aicockpit_protocol::engine::EngineKind;
use kube::config::Kubeconfig;
use std::path::{Path, PathBuf};

/// Scheme of a cluster's address: `kubernetes://CONTEXT`, with `?kubeconfig=PATH` where that is not the usual one.
const SCHEME: &str = "kubernetes://";
/// What precedes the path of a kubeconfig of its own.
const FILE: &str = "?kubeconfig=";

/// The contexts of the usual kubeconfig: the files that `KUBECONFIG` names, else `~/.kube/config`. None where it is
/// not there or cannot be read: then there is nothing that a person could have meant.
pub fn discover() -> Vec<Endpoint> {
    match Kubeconfig::read() {
        Ok(config) => endpoints(&config, None),
        Err(error) => {
            tracing::debug!(%error, "no kubeconfig");
            Vec::new()
        }
    }
}

/// The contexts of one kubeconfig.
///
/// # Errors
/// When it cannot be read.
pub fn discover_in(file: &Path) -> std::io::Result<Vec<Endpoint>> {
    let config = Kubeconfig::read_from(file).map_err(std::io::Error::other)?;
    Ok(endpoints(&config, Some(file)))
}

/// The context that an endpoint stands for: the key of its settings.
pub fn context_of(endpoint: &Endpoint) -> Option<String> {
    parse(&endpoint.address).map(|(context, _)| context)
}

/// The context and, where it is not the usual one, the kubeconfig of an address.
pub(crate) fn parse(address: &str) -> Option<(String, Option<PathBuf>)> {
    let rest = address.strip_prefix(SCHEME)?;
    let (context, file) = match rest.split_once(FILE) {
        Some((context, file)) => (context, Some(PathBuf::from(file))),
        None => (rest, None),
    };
    (!context.is_empty()).then(|| (context.to_owned(), file))
}

fn endpoints(config: &Kubeconfig, file: Option<&Path>) -> Vec<Endpoint> {
    let mut found: Vec<Endpoint> = Vec::new();
    for context in config.contexts.iter().map(|context| context.name.as_str()).filter(|name| !name.is_empty())
    {
        let id = unused(&format!("kubernetes-{}", slug(context)), &found);
        let file = file.map(|file| format!("{FILE}{}", file.display())).unwrap_or_default();
        found.push(Endpoint {
            id: EngineId::new(id),
            kind: EngineKind::Kubernetes,
            name: context.to_owned(),
            address: format!("{SCHEME}{context}{file}"),
            of_user: true,
        });
    }
    found
}

/// Two contexts may differ in nothing but characters that an id does not have.
fn unused(id: &str, taken: &[Endpoint]) -> String {
    let is_taken = |id: &str| taken.iter().any(|endpoint| endpoint.id.as_str() == id);
    let numbered = (2..).map(|number| format!("{id}-{number}"));
    std::iter::once(id.to_owned()).chain(numbered).find(|id| !is_taken(id)).unwrap_or_default()
}

fn slug(context: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    context.chars().map(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "
apiVersion: v1
kind: Config
contexts:
- name: me@home
  context: { cluster: home, user: me, namespace: mine }
- name: me_home
  context: { cluster: home, user: me }
";

    #[test]
    fn every_context_is_an_engine_of_its_own() {
        let config = Kubeconfig::from_yaml(CONFIG).unwrap();
        let found = endpoints(&config, None);
        let ids: Vec<_> = found.iter().map(|endpoint| endpoint.id.as_str()).collect();
        assert_eq!(ids, ["kubernetes-me-home", "kubernetes-me-home-2"]);
        assert_eq!(context_of(&found[0]).as_deref(), Some("me@home"));
        let elsewhere = endpoints(&config, Some(Path::new("/some where/config")));
        assert_eq!(
            parse(&elsewhere[1].address),
            Some(("me_home".to_owned(), Some("/some where/config".into())))
        );
        assert_eq!(parse("unix:///run/docker.sock"), None);
    }
}
