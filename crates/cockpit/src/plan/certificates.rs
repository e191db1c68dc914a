//! The host's certificate authorities inside a workspace that trusts them.
//!
//! The bundle is mounted read-only, and variables name it to programs that keep authorities of their own (Python,
//! Node.js, Cargo, Git). All others look into the image's own store, also what runs by `sudo`, which passes few
//! variables on: so, before the container first starts, that store is extended, and what would be lost by installing
//! or updating `ca-certificates` is put where that finds it. Where an engine takes no files into a container at rest
//! there are the bundle and the variables alone.

use super::archive::{Archive, ROOT};
use super::user::{MAX_ACCOUNTS_LEN, read_file};
use crate::hardening::{self, CERTIFICATE_VARIABLES, CERTIFICATES_TARGET};
use aicockpit_engine::{Engine, EngineError, Mount, MountSource};
use aicockpit_protocol::engine::EngineCapabilities;
use aicockpit_protocol::{ApiError, ContainerId, ErrorCode};
use bytes::Bytes;
use std::io;

/// The store of Debian, Ubuntu, Alpine and their relatives.
const STORE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// What `update-ca-certificates` adds to the store.
const ADDITION: &str = "usr/local/share/ca-certificates/aicockpit-host.crt";
/// apt, where there is no store yet.
const APT: &str = "etc/apt/apt.conf.d/90aicockpit-certificates";
/// `sudo` passes the variables on.
const SUDO: &str = "etc/sudoers.d/aicockpit-certificates";

/// The largest bundle that an engine carries to machines that do not see this one's folders.
const MAX_CARRIED_LEN: usize = 512 * 1024;

/// The host's certificate bundle, read-only.
pub(super) fn mount(capabilities: &EngineCapabilities) -> Result<Mount, ApiError> {
    let bundle = hardening::host_certificates().ok_or_else(|| {
        ApiError::new(
            ErrorCode::NotFound,
            "This machine has no bundle of certificate authorities to pass on.",
        )
        .hint("Install the package ca-certificates, or create the workspace without trusting the host's.")
    })?;
    let source = match capabilities.host_folders {
        true => MountSource::Bind(bundle.display().to_string()),
        false => carried(std::fs::read(&bundle).map_err(unreadable)?)?,
    };
    Ok(Mount { target: CERTIFICATES_TARGET.to_owned(), read_only: true, source })
}

fn carried(bundle: Vec<u8>) -> Result<MountSource, ApiError> {
    if bundle.len() <= MAX_CARRIED_LEN {
        return Ok(MountSource::File(bundle.into()));
    }
    let message = format!(
        "This machine's bundle of certificate authorities has {} KiB; a cluster takes at most {} KiB.",
        bundle.len().div_ceil(1024),
        MAX_CARRIED_LEN / 1024
    );
    Err(ApiError::new(ErrorCode::TooLarge, message)
        .hint("Let SSL_CERT_FILE name a smaller bundle, or leave trusting the host's certificates out."))
}

fn unreadable(error: io::Error) -> ApiError {
    ApiError::new(ErrorCode::NotFound, format!("The host's certificates cannot be read: {error}."))
        .hint("Check the file that SSL_CERT_FILE names, or the package ca-certificates.")
}

/// Extends the store of a container that was never started and whose root is writable.
pub(super) async fn install(engine: &dyn Engine, container: &ContainerId) -> Result<(), ApiError> {
    let to_api = |error: EngineError| error.to_api("bring the host's certificates into the container");
    let look = async |path: &str| read_file(engine, container, path).await.map_err(to_api);
    let image = Image {
        store: look(STORE).await?,
        apt: look("/etc/apt/apt.conf.d").await?.is_some(),
        sudo: look("/etc/sudoers").await?.is_some(),
    };
    let bundle = match hardening::host_certificates() {
        Some(path) => tokio::fs::read(path).await.map_err(unreadable)?,
        None => return Ok(()),
    };
    let archive = archive(&image, &bundle).map_err(unreadable)?;
    engine.upload_archive(container, "/", archive).await.map_err(to_api)
}

/// What an image has.
struct Image {
    store: Option<Vec<u8>>,
    apt: bool,
    sudo: bool,
}

fn archive(image: &Image, bundle: &[u8]) -> io::Result<Bytes> {
    let mut archive = Archive::now();
    archive.file(ADDITION, 0o644, ROOT, bundle)?;
    // One that was not read whole is left as it is.
    if let Some(own) = image.store.as_ref().filter(|own| own.len() < MAX_ACCOUNTS_LEN / 2) {
        archive.file(STORE.trim_start_matches('/'), 0o644, ROOT, &[own, &b"\n"[..], bundle].concat())?;
    }
    if image.apt {
        let line = format!("Acquire::https::CaInfo \"{CERTIFICATES_TARGET}\";\n");
        archive.file(APT, 0o644, ROOT, line.as_bytes())?;
    }
    if image.sudo {
        let line = format!("Defaults env_keep += \"{}\"\n", CERTIFICATE_VARIABLES.join(" "));
        archive.file(SUDO, 0o440, ROOT, line.as_bytes())?;
    }
    archive.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn paths(image: &Image) -> Vec<(String, String)> {
        let bytes = archive(image, b"HOST\n").unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            (entry.path().unwrap().display().to_string(), text)
        });
        entries.collect()
    }

    #[test]
    fn the_images_own_authorities_stay_and_only_what_is_there_is_told() {
        let bare = paths(&Image { store: None, apt: false, sudo: false });
        assert_eq!(bare, [(ADDITION.to_owned(), "HOST\n".to_owned())]);
        let whole = paths(&Image { store: Some(b"OWN".to_vec()), apt: true, sudo: true });
        let names: Vec<_> = whole.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(names, [ADDITION, STORE.trim_start_matches('/'), APT, SUDO]);
        assert_eq!(whole[1].1, "OWN\nHOST\n");
        assert!(whole[2].1.contains(CERTIFICATES_TARGET), "{whole:?}");
        assert!(whole[3].1.contains("SSL_CERT_FILE"), "{whole:?}");
    }

    #[test]
    fn a_bundle_is_carried_up_to_a_size() {
        assert_eq!(carried(b"HOST".to_vec()), Ok(MountSource::File(Bytes::from_static(b"HOST"))));
        let error = carried(vec![b'x'; MAX_CARRIED_LEN + 1]).unwrap_err();
        assert_eq!(error.code, ErrorCode::TooLarge);
        assert!(error.message.contains("513 KiB") && error.hint.is_some(), "{error:?}");
    }

    #[test]
    fn a_store_too_large_to_be_read_whole_is_left_alone() {
        let large = paths(&Image { store: Some(vec![b'x'; MAX_ACCOUNTS_LEN]), apt: false, sudo: false });
        assert_eq!(large.len(), 1, "{:?}", large.iter().map(|(path, _)| path).collect::<Vec<_>>());
    }
}
