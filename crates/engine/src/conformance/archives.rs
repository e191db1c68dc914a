//! Archives in and out.

use super::case::{Case, Failure, Outcome, Verdict, declined, ensure, ensure_eq, ensure_error};
use crate::{EngineError, Mount, MountSource};
use bytes::Bytes;
use futures::StreamExt;
use std::io::Read;
use std::sync::Arc;

/// A folder with an owner and a program in it, and 3 MB of content.
fn archive() -> Result<Bytes, Failure> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut folder = tar::Header::new_gnu();
    folder.set_entry_type(tar::EntryType::Directory);
    folder.set_mode(0o750);
    folder.set_uid(1234);
    folder.set_gid(4321);
    folder.set_size(0);
    archive.append_data(&mut folder, "folder/", &[][..])?;
    for (name, mode, bytes) in [
        ("folder/program", 0o755, b"#!/bin/sh\necho runs\n".to_vec()),
        ("folder/large", 0o644, vec![7; 3_000_000]),
    ] {
        let mut file = tar::Header::new_gnu();
        file.set_mode(mode);
        file.set_uid(0);
        file.set_gid(0);
        file.set_size(bytes.len() as u64);
        archive.append_data(&mut file, name, &bytes[..])?;
    }
    Ok(archive.into_inner()?.into())
}

pub(super) async fn an_archive_reaches_a_volume_through_a_container_that_never_ran(
    case: Arc<Case>,
) -> Outcome {
    if !case.engine.capabilities().files_at_rest {
        return declined("files in a container at rest");
    }
    let volume = case.name("filled");
    case.engine.create_volume(&volume, &case.labels()).await?;
    let mut spec = case.spec("helper", &["/nothing/runs/here"]);
    spec.mounts = vec![Mount {
        target: "/.filled".to_owned(),
        read_only: false,
        source: MountSource::Volume(volume.clone()),
    }];
    let helper = case.engine.create_container(&spec).await?;
    case.engine.upload_archive(&helper, "/.filled", archive()?).await?;
    case.engine.remove_container(&helper).await?;

    let mut spec = case.idle("reader");
    spec.read_only_root = true;
    spec.mounts =
        vec![Mount { target: "/.filled".to_owned(), read_only: true, source: MountSource::Volume(volume) }];
    let id = case.start(&spec).await?;
    let folder = case.shell(&id, "stat -c '%u:%g:%a' /.filled/folder").await?;
    ensure_eq!(folder, "1234:4321:750", "the folder's owner, group and mode");
    // Root without capabilities may not enter that folder: the owner may.
    let mut spec =
        super::case::command(&["sh", "-c", "/.filled/folder/program; wc -c </.filled/folder/large"]);
    spec.user = Some("1234:4321".to_owned());
    let output = case.run(&id, spec, Vec::new()).await?;
    ensure_eq!(
        String::from_utf8_lossy(&output.stdout),
        "runs\n3000000\n",
        "program and size of the large file"
    );
    Ok(Verdict::Passed)
}

pub(super) async fn an_archive_is_unpacked_in_a_running_container(case: Arc<Case>) -> Outcome {
    let mut spec = case.idle("running");
    // What an archiver inside needs to give files to their owners.
    spec.capabilities = ["DAC_OVERRIDE", "CHOWN", "FOWNER"].map(str::to_owned).to_vec();
    let id = case.start(&spec).await?;
    case.engine.upload_archive(&id, "/srv", archive()?).await?;
    let seen =
        case.shell(&id, "stat -c '%u:%g:%a' /srv/folder /srv/folder/program; /srv/folder/program").await?;
    ensure_eq!(seen, "1234:4321:750\n0:0:755\nruns", "owners, modes and the program");
    Ok(Verdict::Passed)
}

pub(super) async fn a_path_is_downloaded_and_a_missing_one_is_not_found(case: Arc<Case>) -> Outcome {
    let id = case.start(&case.idle("source")).await?;
    case.shell(&id, "mkdir -p /srv/out; printf 'one\\000two' >/srv/out/file; ln -s file /srv/out/link")
        .await?;
    let mut pieces = case.engine.download_archive(&id, "/srv/out").await?;
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        bytes.extend_from_slice(&piece?);
    }
    let mut found = Vec::new();
    let mut content = Vec::new();
    for entry in tar::Archive::new(&bytes[..]).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().trim_end_matches('/').to_owned();
        if path == "out/file" {
            entry.read_to_end(&mut content)?;
        }
        found.push(path);
    }
    found.sort();
    ensure_eq!(found, ["out", "out/file", "out/link"], "entries");
    ensure_eq!(content, b"one\0two", "content");
    ensure!(
        matches!(case.engine.download_archive(&id, "/no/such").await, Err(EngineError::NotFound(_))),
        "a missing path is not found"
    );
    ensure_error!(case.engine.upload_archive(&id, "/no/such", archive()?).await, EngineError::NotFound(_));
    Ok(Verdict::Passed)
}
