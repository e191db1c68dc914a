//! Images, made in every way.

use super::case::{Case, Failure, Outcome, Verdict, declined, ensure, ensure_eq, ensure_error};
use super::registry::Registry;
use crate::{ContainerState, EngineError, ImageBuild, ImageId, Progress};
use bytes::Bytes;
use futures::StreamExt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// A build context of one Dockerfile and one file.
pub(super) fn context(dockerfile: &str) -> Result<Bytes, Failure> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, text) in [("Dockerfile", dockerfile), ("note.txt", "from the context\n")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, text.as_bytes())?;
    }
    Ok(archive.into_inner()?.into())
}

/// Builds on the fixture's image.
pub(super) async fn build(case: &Case, reference: &str, context: Bytes) -> Result<ImageId, Failure> {
    let build = description(case, reference, context);
    Ok(case.engine.build_image(&build, &Progress::ignored()).await?)
}

fn description(case: &Case, reference: &str, context: Bytes) -> ImageBuild {
    ImageBuild {
        reference: reference.to_owned(),
        context,
        arguments: vec![("BASE".to_owned(), case.image.clone()), ("WORD".to_owned(), "a b".to_owned())],
        labels: vec![("built-by".to_owned(), "conformance".to_owned())],
    }
}

const DOCKERFILE: &str = "ARG BASE\nFROM $BASE\nARG WORD\nCOPY note.txt /note.txt\n\
    RUN echo \"the word is $WORD\"; echo \"$WORD\" >/word\nENV COLOUR=blue\nUSER 1000:1000\nWORKDIR /srv\n\
    ENTRYPOINT [\"cat\"]\nCMD [\"/word\", \"/note.txt\"]\n";

pub(super) async fn an_image_is_built_with_progress_and_listed(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().images {
        return declined("store of images");
    }
    let reference = case.reference("built");
    let (sender, mut lines) = mpsc::unbounded_channel();
    let build = description(&case, &reference, context(DOCKERFILE)?);
    let id = case.engine.build_image(&build, &Progress::new(sender)).await?;
    let mut output = Vec::new();
    while let Ok(line) = lines.try_recv() {
        output.push(line);
    }
    ensure!(
        output.iter().any(|line| line.ends_with("the word is a b")),
        "a step's output is told: {output:?}"
    );

    let image = case.engine.inspect_image(&reference).await?;
    ensure_eq!(image.id, id, "id");
    ensure_eq!(image.user, "1000:1000", "user");
    ensure_eq!(image.entrypoint, ["cat"], "entry point");
    ensure_eq!(image.command, ["/word", "/note.txt"], "arguments");
    ensure_eq!(image.working_directory, "/srv", "folder");
    ensure!(image.env.contains(&("COLOUR".to_owned(), "blue".to_owned())), "variables: {:?}", image.env);
    ensure!(
        image.labels.contains(&("built-by".to_owned(), "conformance".to_owned())),
        "labels: {:?}",
        image.labels
    );
    let base = case.engine.inspect_image(&case.image).await?;
    ensure_eq!(image.architecture, base.architecture, "architecture");
    let listed = case.engine.list_images().await?;
    let listed = listed.iter().find(|listed| listed.references.contains(&reference));
    ensure!(
        listed.is_some_and(|listed| listed.id == id
            && listed.size > 0
            && listed.created_ms > 1_700_000_000_000),
        "in the list: {listed:?}"
    );

    let mut spec = case.idle("of-built");
    (spec.image, spec.entrypoint) = (reference, None);
    let container = case.start(&spec).await?;
    case.wait_for(&container, ContainerState::Exited).await?;
    case.eventually(async || {
        let said = super::observe::all_logs(&case, &container).await?;
        ensure_eq!(said, "a b\nfrom the context\n", "the image's own program prints");
        Ok(())
    })
    .await?;
    Ok(Verdict::Passed)
}

pub(super) async fn a_failing_build_tells_its_last_lines_and_leaves_nothing(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().images {
        return declined("store of images");
    }
    // A label of the image is also on the containers that run its steps.
    let (key, value) = case.label();
    let dockerfile = format!("ARG BASE\nFROM $BASE\nLABEL {key}={value}\nRUN echo about to fail; exit 9\n");
    let build = description(&case, &case.reference("broken"), context(&dockerfile)?);
    match case.engine.build_image(&build, &Progress::ignored()).await {
        Err(EngineError::BuildFailed(said)) => {
            ensure!(said.contains("about to fail"), "the last lines are told: {said}");
        }
        other => return Err(Failure(format!("gave {other:?}, expected BuildFailed"))),
    }
    ensure_error!(case.engine.inspect_image(&build.reference).await, EngineError::ImageNotFound(_));
    ensure_eq!(case.engine.list_containers(&[case.label()]).await?, [], "containers left behind");
    Ok(Verdict::Passed)
}

pub(super) async fn a_build_on_a_missing_base_names_the_image(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().images {
        return declined("store of images");
    }
    let build = description(
        &case,
        &case.reference("baseless"),
        context("FROM localhost:1/no/such/base:none\nRUN true\n")?,
    );
    match case.engine.build_image(&build, &Progress::ignored()).await {
        Err(EngineError::ImageNotFound(_) | EngineError::RegistryUnavailable(_)) => Ok(Verdict::Passed),
        other => Err(Failure(format!("gave {other:?}, expected a missing image"))),
    }
}

pub(super) async fn an_archive_is_imported_and_its_container_runs(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().images {
        return declined("store of images");
    }
    // The fixture's own root file system, by way of a container that never ran.
    let source = case.engine.create_container(&case.idle("source")).await?;
    let archive = case.engine.download_archive(&source, "/").await?;
    let archive = archive.map(|piece| piece.map_err(std::io::Error::other)).boxed();
    let reference = case.reference("imported");
    let id = case.engine.import_image(&reference, archive).await?;
    let image = case.engine.inspect_image(&reference).await?;
    ensure_eq!(image.id, id, "id");
    ensure!(image.entrypoint.is_empty() && image.command.is_empty(), "an import has no program: {image:?}");
    let mut spec = case.idle("of-import");
    spec.image = reference;
    let container = case.start(&spec).await?;
    ensure_eq!(case.shell(&container, "echo works").await?, "works", "output");
    Ok(Verdict::Passed)
}

pub(super) async fn a_container_is_committed(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().images {
        return declined("store of images");
    }
    if !case.engine.capabilities().commit {
        return declined("commit");
    }
    let id = case.start(&case.idle("original")).await?;
    case.shell(&id, "echo changed >/root/mark").await?;
    let reference = case.reference("committed");
    let image = case.engine.commit(&id, &reference).await?;
    ensure_eq!(case.engine.inspect_image(&reference).await?.id, image, "id");
    ensure_eq!(
        case.engine.inspect_container(&id).await?.state,
        ContainerState::Running,
        "state after commit"
    );
    let mut spec = case.idle("copy");
    spec.image = reference;
    let copy = case.start(&spec).await?;
    ensure_eq!(case.shell(&copy, "cat /root/mark").await?, "changed", "file");
    Ok(Verdict::Passed)
}

pub(super) async fn removing_an_image_twice_succeeds(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().images {
        return declined("store of images");
    }
    let reference = case.reference("short-lived");
    build(&case, &reference, context("ARG BASE\nFROM $BASE\nENV A=b\n")?).await?;
    let mut spec = case.idle("user-of-it");
    spec.image = reference.clone();
    let user = case.engine.create_container(&spec).await?;
    ensure_error!(case.engine.remove_image(&reference).await, EngineError::Conflict(_));
    case.engine.remove_container(&user).await?;
    case.engine.remove_image(&reference).await?;
    case.engine.remove_image(&reference).await?;
    ensure_error!(case.engine.inspect_image(&reference).await, EngineError::ImageNotFound(_));
    Ok(Verdict::Passed)
}

pub(super) async fn an_image_is_pulled_from_a_registry(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().images {
        return declined("store of images");
    }
    let architecture = case.engine.inspect_image(&case.image).await?.architecture;
    let registry = Registry::serve(&architecture).await?;
    let reference = format!("{}/{}:1", registry.address(), case.name("pulled"));
    let (sender, mut lines) = mpsc::unbounded_channel();
    let id = case.engine.pull_image(&reference, &Progress::new(sender)).await?;
    ensure_eq!(case.engine.inspect_image(&reference).await?.id, id, "id");
    ensure!(lines.try_recv().is_ok(), "progress is told");
    let mut spec = case.idle("of-pulled");
    spec.image = reference;
    let container = case.engine.create_container(&spec).await?;
    let file = case.engine.download_archive(&container, "/pulled.txt").await?.next().await;
    ensure!(matches!(file, Some(Ok(_))), "the layer's file is in the container");
    Ok(Verdict::Passed)
}

pub(super) async fn pulling_what_does_not_exist_is_told(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().images {
        return declined("store of images");
    }
    let registry = Registry::serve("amd64").await?;
    let reference = format!("{}/no/such/image:none", registry.address());
    ensure_error!(
        case.engine.pull_image(&reference, &Progress::ignored()).await,
        EngineError::ImageNotFound(_)
    );
    ensure_error!(
        case.engine.pull_image("Not A Reference", &Progress::ignored()).await,
        EngineError::ImageNotFound(_)
    );
    Ok(Verdict::Passed)
}

pub(super) async fn pulling_from_where_nobody_answers_is_told(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().images {
        return declined("store of images");
    }
    let begun = Instant::now();
    ensure_error!(
        case.engine.pull_image("localhost:1/no/such/image:none", &Progress::ignored()).await,
        EngineError::RegistryUnavailable(_)
    );
    ensure!(begun.elapsed() < Duration::from_secs(60), "told only after {:?}", begun.elapsed());
    Ok(Verdict::Passed)
}
