//! Images: built, pulled, imported, committed, listed, removed.

use crate::error::engine_error;
use crate::{DockerEngine, LONG, sorted};
use aicockpit_engine::{
    EngineError, ImageBuild, ImageDetails, ImageId, ImageReference, ImageSummary, Lines, Progress, Result,
    check_name,
};
use aicockpit_protocol::ContainerId;
use bollard::models::{BuildInfo, ContainerConfig, CreateImageInfo};
use bollard::query_parameters as query;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use std::collections::HashMap;

impl DockerEngine {
    pub(crate) async fn build(&self, build: &ImageBuild, progress: &Progress) -> Result<ImageId> {
        ImageReference::parse(&build.reference)?;
        let client = self.client_for(LONG).await?;
        let options = query::BuildImageOptionsBuilder::new()
            .t(&build.reference)
            .buildargs(&build.arguments.iter().cloned().collect::<HashMap<_, _>>())
            .labels(&build.labels.iter().cloned().collect::<HashMap<_, _>>())
            .rm(true)
            // Else a failed step leaves its container behind.
            .forcerm(true)
            .version(query::BuilderVersion::BuilderV1)
            .build();
        let context = bollard::body_full(build.context.clone());
        let mut output = Box::pin(client.build_image(options, None, Some(context)));
        let mut lines = Lines::new(progress);
        let mut made = None;
        while let Some(piece) = output.next().await {
            match piece {
                Ok(piece) => report_build(piece, &mut lines, &mut made),
                Err(error) => {
                    lines.end_line();
                    return Err(build_error(error, &lines));
                }
            }
        }
        lines.end_line();
        match made {
            Some(id) => Ok(id),
            None => Ok(self.image(&build.reference).await?.id),
        }
    }

    pub(crate) async fn pull(&self, reference: &str, progress: &Progress) -> Result<ImageId> {
        let parsed = ImageReference::parse(reference)?;
        let options = query::CreateImageOptionsBuilder::new();
        let options = match parsed.digest {
            Some(digest) => options.from_image(&format!("{}@{digest}", parsed.repository)),
            // Without a tag the engine would pull every tag of the repository.
            None => options.from_image(parsed.repository).tag(parsed.tag_or_latest()),
        };
        let credentials = crate::credentials::for_image(parsed.repository).await;
        let client = self.client_for(LONG).await?;
        let mut output = client.create_image(Some(options.build()), None, credentials).boxed();
        let mut lines = Lines::new(progress);
        while let Some(piece) = output.next().await {
            report_pull(&piece.map_err(engine_error)?, &mut lines);
        }
        Ok(self.image(reference).await?.id)
    }

    pub(crate) async fn import(
        &self,
        reference: &str,
        tar: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<ImageId> {
        let parsed = ImageReference::parse(reference)?;
        let options = query::CreateImageOptionsBuilder::new()
            .from_src("-")
            .repo(parsed.repository)
            .tag(parsed.tag_or_latest())
            .build();
        let client = self.client_for(LONG).await?;
        let body = bollard::body_try_stream(tar);
        let mut output = client.create_image(Some(options), Some(body), None).boxed();
        while let Some(piece) = output.next().await {
            piece.map_err(engine_error)?;
        }
        Ok(self.image(reference).await?.id)
    }

    pub(crate) async fn commit_image(&self, id: &ContainerId, reference: &str) -> Result<ImageId> {
        let parsed = ImageReference::parse(reference)?;
        let options = query::CommitContainerOptionsBuilder::new()
            .container(check_name(id.as_str())?)
            .repo(parsed.repository)
            .tag(parsed.tag_or_latest())
            .pause(true)
            .build();
        let client = self.client_for(LONG).await?;
        let made =
            client.commit_container(options, ContainerConfig::default()).await.map_err(engine_error)?;
        Ok(ImageId(made.id))
    }

    pub(crate) async fn images(&self) -> Result<Vec<ImageSummary>> {
        let options = query::ListImagesOptionsBuilder::new().build();
        let answer = self.client().await?.list_images(Some(options)).await.map_err(engine_error)?;
        Ok(answer
            .into_iter()
            .map(|image| ImageSummary {
                id: ImageId(image.id),
                references: image.repo_tags.into_iter().filter(|tag| !tag.contains("<none>")).collect(),
                size: u64::try_from(image.size).unwrap_or(0),
                created_ms: image.created.saturating_mul(1000),
            })
            .collect())
    }

    pub(crate) async fn image(&self, reference: &str) -> Result<ImageDetails> {
        ImageReference::parse(reference)?;
        let answer = self
            .client()
            .await?
            .inspect_image(reference)
            .await
            .map_err(|error| image_error(error, reference))?;
        let config = answer.config.unwrap_or_default();
        Ok(ImageDetails {
            id: ImageId(answer.id.unwrap_or_default()),
            architecture: answer.architecture.unwrap_or_default(),
            user: config.user.unwrap_or_default(),
            env: config
                .env
                .unwrap_or_default()
                .iter()
                .map(|variable| variable.split_once('=').unwrap_or((variable, "")))
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            entrypoint: config.entrypoint.unwrap_or_default(),
            command: config.cmd.unwrap_or_default(),
            working_directory: config.working_dir.unwrap_or_default(),
            labels: sorted(config.labels),
        })
    }

    pub(crate) async fn forget_image(&self, reference: &str) -> Result<()> {
        ImageReference::parse(reference)?;
        let options = None::<query::RemoveImageOptions>;
        match self.client().await?.remove_image(reference, options, None).await {
            Ok(_) => Ok(()),
            Err(error) => match image_error(error, reference) {
                EngineError::ImageNotFound(_) => Ok(()),
                other => Err(other),
            },
        }
    }
}

/// At an image's own address "not found" can only mean the image.
fn image_error(error: bollard::errors::Error, reference: &str) -> EngineError {
    match engine_error(error) {
        EngineError::NotFound(_) => EngineError::ImageNotFound(reference.to_owned()),
        other => other,
    }
}

fn report_build(piece: BuildInfo, lines: &mut Lines<'_>, made: &mut Option<ImageId>) {
    if let Some(text) = piece.stream {
        lines.push(&text);
    }
    if let Some(status) = piece.status {
        lines.push(&status);
        lines.end_line();
    }
    if let Some(id) = piece.aux.and_then(|aux| aux.id) {
        *made = Some(ImageId(id));
    }
}

/// Layers count up hundreds of times; only their state changes are worth a line.
fn report_pull(piece: &CreateImageInfo, lines: &mut Lines<'_>) {
    let counting = piece.progress_detail.as_ref().is_some_and(|detail| detail.current.is_some());
    let Some(status) = piece.status.as_ref().filter(|_| !counting) else { return };
    match &piece.id {
        Some(layer) => lines.push(&format!("{layer}: {status}")),
        None => lines.push(status),
    }
    lines.end_line();
}

/// A build fails for its own reasons, told by its last lines, unless the engine names another cause.
fn build_error(error: bollard::errors::Error, lines: &Lines<'_>) -> EngineError {
    match engine_error(error) {
        EngineError::Engine(message) | EngineError::NotFound(message) | EngineError::Conflict(message) => {
            let last = lines.last();
            EngineError::BuildFailed(if last.is_empty() { message } else { format!("{message}\n{last}") })
        }
        other => other,
    }
}
