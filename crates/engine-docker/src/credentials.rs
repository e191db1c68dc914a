//! Registry sign-ins, from where `docker login` put them. They go to the engine for one pull and are kept nowhere.

use crate::config::{self, DockerConfig};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use serde::Deserialize;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// The key under which the Docker command line keeps Docker Hub's sign-in.
const HUB: &str = "https://index.docker.io/v1/";
/// A credential helper may ask the person to unlock a key ring.
const HELPER_TIME: Duration = Duration::from_secs(60);

/// The sign-in for an image's registry, where there is one.
pub(crate) async fn for_image(repository: &str) -> Option<DockerCredentials> {
    let config = DockerConfig::read(&config::folder()?);
    let registry = registry(repository);
    match config.cred_helpers.get(registry).or(config.creds_store.as_ref()) {
        Some(helper) => ask_helper(helper, registry).await,
        None => stored(&config, registry),
    }
}

/// A first part with a dot or a colon is a registry; all else is on Docker Hub.
fn registry(repository: &str) -> &str {
    match repository.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => HUB,
    }
}

fn stored(config: &DockerConfig, registry: &str) -> Option<DockerCredentials> {
    let sign_in = config.auths.get(registry)?;
    let text = String::from_utf8(STANDARD.decode(sign_in.auth.as_ref()?).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    Some(DockerCredentials {
        username: Some(username.to_owned()),
        password: Some(password.to_owned()),
        identitytoken: sign_in.identitytoken.clone(),
        serveraddress: Some(registry.to_owned()),
        ..DockerCredentials::default()
    })
}

async fn ask_helper(helper: &str, registry: &str) -> Option<DockerCredentials> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        username: String,
        secret: String,
    }
    let mut child = tokio::process::Command::new(format!("docker-credential-{helper}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(registry.as_bytes()).await.ok()?;
    let output = tokio::time::timeout(HELPER_TIME, child.wait_with_output()).await.ok()?.ok()?;
    let answer: Answer = serde_json::from_slice(&output.stdout).ok()?;
    let mut credentials =
        DockerCredentials { serveraddress: Some(registry.to_owned()), ..DockerCredentials::default() };
    // The helpers' way of saying that the secret is a token.
    if answer.username == "<token>" {
        credentials.identitytoken = Some(answer.secret);
    } else {
        credentials.username = Some(answer.username);
        credentials.password = Some(answer.secret);
    }
    Some(credentials)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_s_registry_is_read_from_its_name() {
        let cases = [
            ("debian", HUB),
            ("library/debian", HUB),
            ("ghcr.io/a/b", "ghcr.io"),
            ("localhost/a", "localhost"),
            ("localhost:5000/a", "localhost:5000"),
        ];
        for (repository, expected) in cases {
            assert_eq!(registry(repository), expected, "{repository}");
        }
    }

    #[test]
    fn a_stored_sign_in_is_decoded() {
        let text = r#"{"auths": {"ghcr.io": {"auth": "bWU6c2VjOnJldA=="}, "empty.io": {}}}"#;
        let config: DockerConfig = serde_json::from_str(text).unwrap();
        let found = stored(&config, "ghcr.io").unwrap();
        assert_eq!((found.username.as_deref(), found.password.as_deref()), (Some("me"), Some("sec:ret")));
        assert_eq!(stored(&config, "empty.io"), None);
        assert_eq!(stored(&config, "other.io"), None);
    }
}
