//! An image with llama.cpp's server in it, for the tests of servers in containers.

use crate::engines;
use crate::installed::uv;
use crate::{paths, shell};
use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use std::path::Path;

/// Without what tells one content from another.
const NAME: &str = "aicockpit-test/llama-server";
/// Below the root: what is copied into the image, and how.
const FILES: [&str; 2] = ["tests/models/image/Dockerfile", "tests/models/llama-server"];
/// The Python of the image's Debian.
const PYTHON: &str = "3.11";
const PLATFORM: &str = "x86_64-manylinux_2_28";

/// Makes the image on Docker and hands it to Podman, where they have it not; those of other contents go.
pub(crate) fn make() -> anyhow::Result<()> {
    let name = reference()?;
    let there = shell::run("docker").args(["image", "inspect", &name]).succeeds();
    if there {
        println!("{name}: there");
    } else {
        build(&name)?;
    }
    engines::hand_on(&name, || shell::run("podman"))?;
    if !there {
        ["docker", "podman"].iter().for_each(|engine| remove_others(engine, &name));
    }
    Ok(())
}

/// The image's name.
pub(super) fn reference() -> anyhow::Result<String> {
    let mut hash = Sha256::new();
    hash.update(requirement()?);
    hash.update(PYTHON);
    for file in FILES {
        let text = read(file)?;
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    Ok(format!("{NAME}:{}", &format!("{:x}", hash.finalize())[..12]))
}

fn build(name: &str) -> anyhow::Result<()> {
    let context = paths::target().join("xtask/llama-image");
    let python = context.join("python");
    if context.exists() {
        std::fs::remove_dir_all(&context).with_context(|| format!("cannot remove {}", context.display()))?;
    }
    std::fs::create_dir_all(&python).with_context(|| format!("cannot make {}", python.display()))?;
    for file in FILES {
        let from = paths::root().join(file);
        let to = context.join(Path::new(file).file_name().unwrap_or_default());
        std::fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    // For the image's Python, which is not the one here.
    shell::run(uv()?)
        .args(["pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"])
        .args(["--python-version", PYTHON, "--python-platform", PLATFORM, "--target"])
        .args([&python])
        .args([requirement()?])
        .env("UV_NO_CACHE", "1")
        .env("UV_SYSTEM_CERTS", "1")
        .show()?;
    shell::run("docker")
        // Debian's engine has no BuildKit component of its own.
        .env("DOCKER_BUILDKIT", "0")
        .args(["build", "--quiet", "--force-rm", "--tag", name, "."])
        .dir(&context)
        .show()?;
    std::fs::remove_dir_all(&context).with_context(|| format!("cannot remove {}", context.display()))
}

/// What some container still runs stays.
fn remove_others(engine: &str, name: &str) {
    let list = shell::run(engine).args(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).output();
    let others: Vec<String> = others(&list.unwrap_or_default(), name);
    if !others.is_empty() {
        shell::run(engine).args(["image", "rm"]).args(others).succeeds();
    }
}

/// Podman puts a registry before the name.
fn others(list: &str, name: &str) -> Vec<String> {
    let ours = |line: &&str| {
        let tag = line.split_once(NAME).and_then(|(_, rest)| rest.strip_prefix(':'));
        tag.is_some() && !line.ends_with(name)
    };
    list.lines().filter(ours).map(str::to_owned).collect()
}

/// The server, as the other tests have it.
fn requirement() -> anyhow::Result<String> {
    let text = String::from_utf8(read("tests/models/requirements.txt")?)?;
    let line = text.lines().find(|line| line.starts_with("xllamacpp=="));
    Ok(line.context("tests/models/requirements.txt names no xllamacpp")?.trim().to_owned())
}

fn read(file: &str) -> anyhow::Result<Vec<u8>> {
    let path = paths::root().join(file);
    std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_other_contents_are_told_from_this_one_and_from_strangers() {
        let name = format!("{NAME}:0123456789ab");
        let list = format!(
            "debian:bookworm\n{name}\ndocker.io/{name}\n{NAME}:ba9876543210\ndocker.io/{NAME}:ba9876543210\n\
             {NAME}-too:1\n"
        );
        let old = format!("{NAME}:ba9876543210");
        assert_eq!(others(&list, &name), [old.clone(), format!("docker.io/{old}")]);
    }

    #[test]
    fn the_name_tells_what_is_in_it() {
        let name = reference().unwrap();
        assert_eq!(name.split_once(':').map(|(name, tag)| (name, tag.len())), Some((NAME, 12)));
        assert!(requirement().unwrap().len() > "xllamacpp==".len());
    }
}
