//! The image of a workspace: the product's own, or the person's.

use super::archive::{Archive, ROOT};
use super::job::Job;
use super::shared;
use crate::hardening;
use aicockpit_engine::{Engine, EngineError, ImageBuild, ImageDetails, Progress};
use aicockpit_protocol::engine::{ClusterSettings, EngineCapabilities};
use aicockpit_protocol::workspace::{Image, Source, StepKind};
use aicockpit_protocol::{ApiError, ErrorCode};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use std::io;

/// The base image's recipe.
const DOCKERFILE: &str = include_str!("../../image/Dockerfile");
/// Label of images that were built from it.
const BASE_LABEL: &str = "dev.aicockpit.base";

/// What to do about an image that this machine may have and the cluster's machines cannot get.
const REACHABLE: &str = "The cluster's machines pull images themselves, by their own network and credentials: push it \
    to a registry that they reach, name the registry's secret in the cluster's settings, or load it onto the machines.";

/// Why a container was not started, `what` being what was done. An image that is missing there is not this machine's
/// to pull.
pub(crate) fn start_error(error: &EngineError, what: &str, capabilities: &EngineCapabilities) -> ApiError {
    let told = error.to_api(what);
    match error {
        EngineError::ImageNotFound(_) | EngineError::RegistryUnavailable(_) if !capabilities.images => {
            told.hint(REACHABLE)
        }
        _ => told,
    }
}

/// An image that containers can be made from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ReadyImage {
    /// Its name.
    pub(super) reference: String,
    /// The engine's id of it; empty where the engine's machines pull it when they need it.
    pub(super) id: String,
    /// It is the product's own.
    pub(super) base: bool,
}

/// Name of the base image built upon `from`: it changes with everything that goes into the image.
pub fn base_image_reference(from: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(DOCKERFILE);
    // The starting point that the Dockerfile itself names is in the hash already.
    if !DOCKERFILE.lines().any(|line| line.strip_prefix("ARG BASE=") == Some(from)) {
        hash.update([0]);
        hash.update(from);
    }
    let hash: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("aicockpit/base:{hash}")
}

/// Builds the base image upon `from`, whether or not it is there.
///
/// # Errors
/// The engine's; [`EngineError::BuildFailed`] carries the last lines.
pub async fn build_base_image(
    engine: &dyn Engine,
    from: &str,
    progress: &Progress,
) -> aicockpit_engine::Result<String> {
    let reference = base_image_reference(from);
    let context = build_context().map_err(|error| {
        EngineError::Unsupported(format!("the build's files cannot be put together: {error}"))
    })?;
    let build = ImageBuild {
        reference: reference.clone(),
        context,
        arguments: vec![("BASE".to_owned(), from.to_owned())],
        labels: vec![(BASE_LABEL.to_owned(), from.to_owned())],
    };
    engine.build_image(&build, progress).await?;
    Ok(reference)
}

/// The Dockerfile, and the host's certificates for package sources that need them.
fn build_context() -> io::Result<Bytes> {
    let mut context = Archive::timeless();
    context.file("Dockerfile", 0o644, ROOT, DOCKERFILE.as_bytes())?;
    let bundle = match hardening::host_certificates() {
        Some(path) => std::fs::read(path)?,
        None => Vec::new(),
    };
    context.file("host-ca.crt", 0o644, ROOT, &bundle)?;
    context.finish()
}

/// Makes sure that the workspace's image is there, and the base image where a clone needs it.
pub(super) async fn ensure(job: &Job, progress: &Progress) -> Result<ReadyImage, ApiError> {
    let spec = job.spec();
    match &spec.image {
        Image::Base => base(job, progress).await,
        Image::Reference { reference } => {
            if matches!(spec.source, Source::Git { .. }) {
                base(job, progress).await?;
            }
            of_person(job, reference, progress).await
        }
    }
}

/// The workspace's image where the engine has no store of them.
pub(super) fn of_cluster(job: &Job) -> Option<ReadyImage> {
    let has_store = job.engine.capabilities().images;
    let settings = || job.workspaces.engines.cluster_settings(job.engine.id());
    (!has_store).then(|| pulled_elsewhere(&job.spec().image, &settings()))
}

/// Nothing can be asked of an image, and none be built, where there is no store of them.
fn pulled_elsewhere(image: &Image, settings: &ClusterSettings) -> ReadyImage {
    let reference = match image {
        Image::Base => &settings.base_image,
        Image::Reference { reference } => reference,
    };
    ReadyImage { reference: reference.clone(), id: String::new(), base: false }
}

/// The image of a container that clones.
pub(super) async fn for_clone(job: &Job, progress: &Progress) -> Result<ReadyImage, ApiError> {
    if job.engine.capabilities().images {
        return base(job, progress).await;
    }
    Ok(pulled_elsewhere(&Image::Base, &job.workspaces.engines.cluster_settings(job.engine.id())))
}

/// The base image, built when it is not there.
async fn base(job: &Job, progress: &Progress) -> Result<ReadyImage, ApiError> {
    let from = job.workspaces.settings.get().base_image_from;
    let reference = base_image_reference(&from);
    let builds = shared(&job.workspaces.plans.builds, job.engine.id());
    let details = match job.engine.inspect_image(&reference).await {
        Ok(details) => details,
        Err(EngineError::ImageNotFound(_)) => {
            let _one_at_a_time =
                job.until_cancelled(async { Ok(builds.lock().await) }, |error: ApiError| error).await?;
            // Another plan may have built it while this one waited.
            match job.engine.inspect_image(&reference).await {
                Ok(details) => details,
                Err(_) => {
                    job.step_note(StepKind::Image, format!("Building the base image from {from}")).await;
                    let to_api = |error: EngineError| error.to_api("build the base image");
                    let build =
                        async { build_base_image(&*job.engine, &from, progress).await.map_err(to_api) };
                    job.fetch("Building the base image", build).await?;
                    job.engine.inspect_image(&reference).await.map_err(to_api)?
                }
            }
        }
        Err(error) => return Err(error.to_api("look for the base image")),
    };
    Ok(ReadyImage { reference, id: details.id.0, base: true })
}

/// The person's image, pulled when it is not there.
async fn of_person(job: &Job, reference: &str, progress: &Progress) -> Result<ReadyImage, ApiError> {
    let to_api = |error: EngineError| error.to_api(&format!("get the image {reference}"));
    let details = match job.engine.inspect_image(reference).await {
        Ok(details) => details,
        Err(EngineError::ImageNotFound(_)) => {
            job.step_note(StepKind::Image, format!("Pulling {reference}")).await;
            let pull = async { job.engine.pull_image(reference, progress).await.map_err(to_api) };
            job.until_cancelled(job.workspaces.settings.pulling(reference, pull), |error| error).await?;
            job.engine.inspect_image(reference).await.map_err(to_api)?
        }
        Err(error) => return Err(to_api(error)),
    };
    check_architecture(reference, &details)?;
    Ok(ReadyImage { reference: reference.to_owned(), id: details.id.0, base: false })
}

/// Refuses an image whose programs do not run on this machine.
///
/// # Errors
/// [`ErrorCode::WrongArchitecture`].
pub(crate) fn check_architecture(reference: &str, details: &ImageDetails) -> Result<(), ApiError> {
    let machine = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    if details.architecture.is_empty() || details.architecture == machine {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::WrongArchitecture,
        format!("The image {reference} is made for {}, this machine is {machine}.", details.architecture),
    )
    .hint(format!("Use an image made for {machine}; many names lead to one for each architecture.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_images_name_changes_with_what_it_is_built_upon() {
        let one = base_image_reference("debian:bookworm");
        assert_eq!(one.len(), "aicockpit/base:".len() + 12);
        assert_ne!(one, base_image_reference("debian:trixie"));
        assert!(DOCKERFILE.contains("ARG BASE=debian:bookworm\n"), "the default of the settings");
    }

    #[test]
    fn without_a_store_the_person_s_image_or_the_cluster_s_own_is_named() {
        let settings = ClusterSettings { base_image: "registry.example/tools".into(), ..Default::default() };
        let of = |image| pulled_elsewhere(&image, &settings).reference;
        assert_eq!(of(Image::Base), "registry.example/tools");
        assert_eq!(of(Image::Reference { reference: "debian:trixie".to_owned() }), "debian:trixie");
    }

    #[test]
    fn a_pull_that_failed_elsewhere_says_how_the_image_becomes_reachable() {
        let missing = EngineError::ImageNotFound("team/dev:1".to_owned());
        let far = EngineError::RegistryUnavailable("registry.example: no such host".to_owned());
        let hint = |error: &EngineError, images: bool| {
            let capabilities = EngineCapabilities { images, ..Default::default() };
            start_error(error, "start the container", &capabilities).hint.unwrap()
        };
        assert_eq!(hint(&missing, false), REACHABLE);
        assert_eq!(hint(&far, false), REACHABLE);
        assert_ne!(hint(&missing, true), REACHABLE);
        assert_ne!(hint(&EngineError::NoSpace("disk".to_owned()), false), REACHABLE);
    }

    #[test]
    fn the_build_context_holds_the_recipe() {
        let context = build_context().unwrap();
        let mut archive = tar::Archive::new(&context[..]);
        let names: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect();
        assert_eq!(names, ["Dockerfile", "host-ca.crt"]);
    }
}
