//! Images that the tests run.

use crate::paths;
use crate::shell::{self, Run};
use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// The image from which the base image is made.
pub(crate) const DEBIAN: &str = "debian:bookworm";
/// How long, in seconds, a registry may take to give it before it counts as out of reach.
const PULL_LIMIT: &str = "120";

/// The Debian image on both engines: pulled, or made from Debian's packages where no registry is in reach.
pub(crate) fn debian_image() -> anyhow::Result<()> {
    let on_docker = || shell::run("docker").args(["image", "inspect", DEBIAN]).succeeds();
    if !on_docker() && !shell::run("timeout").args([PULL_LIMIT, "docker", "pull", DEBIAN]).succeeds() {
        println!("no registry gives {DEBIAN}: making it from Debian's packages");
        let archive = bookworm_archive()?;
        shell::run("docker").args(["import"]).args([archive.as_os_str()]).args([DEBIAN]).show()?;
    }
    hand_on(DEBIAN, || shell::run("podman"))?;
    println!("{DEBIAN}: there");
    Ok(())
}

/// Gives Docker's images that the tests run to the Podman that `podman` begins a command line for.
pub(super) fn all_for(podman: impl Fn() -> Run) -> anyhow::Result<()> {
    hand_on(DEBIAN, &podman)?;
    let (reference, _) = base_recipe()?;
    hand_on(&reference, &podman)
}

/// Gives one of Docker's images to the Podman that `podman` begins a command line for, where it has it not.
pub(crate) fn hand_on(image: &str, podman: impl Fn() -> Run) -> anyhow::Result<()> {
    if podman().args(["image", "exists", image]).succeeds() {
        return Ok(());
    }
    let archive = paths::cache().join("images/handed-on.tar");
    std::fs::create_dir_all(paths::cache().join("images")).context("cannot make the cache for images")?;
    shell::run("docker").args(["save", image, "--output"]).args([archive.as_os_str()]).show()?;
    let file = std::fs::File::open(&archive).with_context(|| format!("cannot read {}", archive.display()))?;
    // By standard input: another user may not read the cache.
    podman().args(["load", "--quiet"]).input(file).show()?;
    std::fs::remove_file(&archive).with_context(|| format!("cannot remove {}", archive.display()))
}

/// The product's base image on Docker, so that no workspace waits for its making. The name is the one that the product
/// looks for: tests that create workspaces prove it.
pub(crate) fn base_image() -> anyhow::Result<()> {
    let (reference, text) = base_recipe()?;
    if shell::run("docker").args(["image", "inspect", &reference]).succeeds() {
        println!("{reference}: there");
        return Ok(());
    }
    let context = paths::target().join("xtask/base-image");
    std::fs::create_dir_all(&context).context("cannot make a folder for the base image")?;
    std::fs::write(context.join("Dockerfile"), text).context("cannot write the base image's Dockerfile")?;
    let certificates = Path::new("/etc/ssl/certs/ca-certificates.crt");
    std::fs::write(context.join("host-ca.crt"), std::fs::read(certificates).unwrap_or_default())
        .context("cannot write the host's certificates")?;
    shell::run("docker")
        // Debian's engine has no BuildKit component of its own.
        .env("DOCKER_BUILDKIT", "0")
        .args(["build", "--tag", &reference, "."])
        .dir(&context)
        .show()
}

/// The base image's name.
pub(crate) fn base_reference() -> anyhow::Result<String> {
    base_recipe().map(|(reference, _)| reference)
}

/// The base image's name and Dockerfile.
fn base_recipe() -> anyhow::Result<(String, Vec<u8>)> {
    let folder = paths::root().join("crates/cockpit/image");
    let text = std::fs::read(folder.join("Dockerfile")).context("cannot read the base image's Dockerfile")?;
    Ok((format!("aicockpit/base:{}", &format!("{:x}", Sha256::digest(&text))[..12]), text))
}

fn bookworm_archive() -> anyhow::Result<PathBuf> {
    let folder = paths::cache().join("images");
    let archive = folder.join("bookworm.tar");
    if archive.is_file() {
        return Ok(archive);
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let unfinished = folder.join("bookworm.unfinished.tar");
    shell::run("mmdebstrap")
        .args(["--variant=minbase", "--include=ca-certificates", "bookworm"])
        .args([unfinished.as_os_str()])
        .show()?;
    std::fs::rename(&unfinished, &archive)
        .with_context(|| format!("cannot move {}", unfinished.display()))?;
    Ok(archive)
}
