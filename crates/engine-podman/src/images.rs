//! Images: built, pulled, imported, committed, listed, removed.

use crate::error::within;
use crate::wire::{Call, pairs, strings, text};
use crate::{LONG, ORDINARY, PodmanEngine};
use aicockpit_engine::{
    EngineError, ImageBuild, ImageDetails, ImageId, ImageReference, ImageSummary, Lines, Progress, Result,
    check_name, error_from_answer,
};
use aicockpit_protocol::ContainerId;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::{Map, Value, json};

impl PodmanEngine {
    pub(crate) async fn build(&self, build: &ImageBuild, progress: &Progress) -> Result<ImageId> {
        ImageReference::parse(&build.reference)?;
        let call = Call::post("/build")
            .query("t", &build.reference)
            .query("dockerfile", "Dockerfile")
            .query("buildargs", &object(&build.arguments))
            .query("labels", &object(&build.labels))
            .query("rm", "true")
            // Else a failed step leaves its container behind.
            .query("forcerm", "true")
            .query("layers", "true")
            .tar(build.context.clone())
            .time(LONG);
        let mut output = self.values(call).await?;
        let mut lines = Lines::new(progress);
        while let Some(piece) = output.next().await {
            let piece = piece?;
            if let Some(text) = piece["stream"].as_str() {
                lines.push(text);
            }
            if let Some(message) = piece["error"].as_str() {
                lines.end_line();
                return Err(build_error(message, &lines));
            }
        }
        lines.end_line();
        Ok(self.image(&build.reference).await?.id)
    }

    pub(crate) async fn pull(&self, reference: &str, progress: &Progress) -> Result<ImageId> {
        let parsed = ImageReference::parse(reference)?;
        let full = qualified(&parsed);
        let call = Call::post("/images/pull")
            .query("reference", &full)
            // As Docker does: a registry on this machine needs no certificate.
            .query("tlsVerify", if is_loopback(&full) { "false" } else { "true" })
            .time(LONG);
        let mut output = self.values(call).await?;
        let mut lines = Lines::new(progress);
        while let Some(piece) = output.next().await {
            let piece = piece?;
            if let Some(text) = piece["stream"].as_str() {
                lines.push(text);
            }
            if let Some(message) = piece["error"].as_str() {
                return Err(error_from_answer(0, message));
            }
        }
        lines.end_line();
        Ok(self.image(&full).await?.id)
    }

    pub(crate) async fn import(
        &self,
        reference: &str,
        tar: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<ImageId> {
        let parsed = ImageReference::parse(reference)?;
        let full = format!("{}:{}", parsed.repository, parsed.tag_or_latest());
        let call = Call::post("/images/import").query("reference", &full).tar_stream(tar).time(LONG);
        let made = self.value(call).await?;
        Ok(image_id(&made["Id"]))
    }

    pub(crate) async fn commit_image(&self, id: &ContainerId, reference: &str) -> Result<ImageId> {
        let parsed = ImageReference::parse(reference)?;
        let call = Call::post("/commit")
            .query("container", check_name(id.as_str())?)
            .query("repo", parsed.repository)
            .query("tag", parsed.tag_or_latest())
            .query("pause", if self.probed().await?.capabilities.pause { "true" } else { "false" })
            .time(LONG);
        let made = self.value(call).await?;
        Ok(image_id(&made["Id"]))
    }

    pub(crate) async fn images(&self) -> Result<Vec<ImageSummary>> {
        let answer = self.value(Call::get("/images/json")).await?;
        let images = answer.as_array().into_iter().flatten();
        Ok(images
            .map(|image| ImageSummary {
                id: image_id(&image["Id"]),
                references: strings(&image["Names"]),
                size: image["Size"].as_u64().unwrap_or(0),
                created_ms: image["Created"].as_i64().unwrap_or(0).saturating_mul(1000),
            })
            .collect())
    }

    pub(crate) async fn image(&self, reference: &str) -> Result<ImageDetails> {
        ImageReference::parse(reference)?;
        let answer = self.value(Call::get(format!("/images/{reference}/json"))).await;
        let answer = answer.map_err(|error| image_error(error, reference))?;
        let config = &answer["Config"];
        let env = strings(&config["Env"]);
        Ok(ImageDetails {
            id: image_id(&answer["Id"]),
            architecture: text(&answer["Architecture"]),
            user: text(&config["User"]),
            env: env
                .iter()
                .map(|variable| variable.split_once('=').unwrap_or((variable, "")))
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            entrypoint: strings(&config["Entrypoint"]),
            command: strings(&config["Cmd"]),
            working_directory: text(&config["WorkingDir"]),
            labels: pairs(&answer["Labels"]),
        })
    }

    pub(crate) async fn forget_image(&self, reference: &str) -> Result<()> {
        ImageReference::parse(reference)?;
        let removed = within(ORDINARY, self.api()?.images().get(reference).delete()).await;
        match removed.map_err(|error| image_error(error, reference)) {
            Err(EngineError::ImageNotFound(_)) => Ok(()),
            other => other,
        }
    }
}

/// Podman sends ids with and without the name of their hash.
fn image_id(value: &Value) -> ImageId {
    ImageId(value.as_str().unwrap_or_default().trim_start_matches("sha256:").to_owned())
}

/// At an image's own address "not found" can only mean the image.
fn image_error(error: EngineError, reference: &str) -> EngineError {
    match error {
        EngineError::NotFound(_) => EngineError::ImageNotFound(reference.to_owned()),
        other => other,
    }
}

fn object(pairs: &[(String, String)]) -> String {
    let map: Map<String, Value> = pairs.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    Value::from(map).to_string()
}

/// The reference with its registry: as with Docker, a plain name is on Docker Hub.
fn qualified(parsed: &ImageReference<'_>) -> String {
    let repository = parsed.repository;
    let repository = match repository.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => repository.to_owned(),
        Some(_) => format!("docker.io/{repository}"),
        None => format!("docker.io/library/{repository}"),
    };
    match parsed.digest {
        Some(digest) => format!("{repository}@{digest}"),
        None => format!("{repository}:{}", parsed.tag_or_latest()),
    }
}

fn is_loopback(full: &str) -> bool {
    let host = full.split(['/', ':']).next().unwrap_or_default();
    host == "localhost" || host.starts_with("127.")
}

/// A build fails for its own reasons, told by its last lines, unless the engine names another cause.
fn build_error(message: &str, lines: &Lines<'_>) -> EngineError {
    match error_from_answer(0, message) {
        EngineError::Engine(message) | EngineError::NotFound(message) | EngineError::Conflict(message) => {
            let last = lines.last();
            EngineError::BuildFailed(if last.is_empty() { message } else { format!("{message}\n{last}") })
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_docker_hub_s() {
        let cases = [
            ("debian", "docker.io/library/debian:latest"),
            ("debian:bookworm", "docker.io/library/debian:bookworm"),
            ("a/b:c", "docker.io/a/b:c"),
            ("ghcr.io/a/b", "ghcr.io/a/b:latest"),
            ("localhost/a:1", "localhost/a:1"),
            ("localhost:5000/a", "localhost:5000/a:latest"),
            ("debian@sha256:0f", "docker.io/library/debian@sha256:0f"),
        ];
        for (reference, expected) in cases {
            assert_eq!(qualified(&ImageReference::parse(reference).unwrap()), expected, "{reference}");
        }
        assert!(is_loopback("localhost:5000/a") && is_loopback("127.0.0.1:5000/a"));
        assert!(!is_loopback("localhost.example.org/a") && !is_loopback("docker.io/a"));
    }
}
