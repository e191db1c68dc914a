//! The browser UI: its packages, checks and build.

use crate::{paths, shell, stamp};
use anyhow::{Context as _, bail};
use std::path::Path;

/// Oldest Node.js that the UI's tools run on.
const NODE: (u32, u32) = (20, 19);

/// Installs npm packages of `folder` (below the root) by its lock file, where that changed.
///
/// Not by `npm ci`: it refuses a lock file without the optional packages of other platforms, and not every registry
/// carries those. `--no-save` leaves manifest and lock file as they are.
pub(crate) fn packages(folder: &str) -> anyhow::Result<()> {
    let node = node_version()?;
    let lock = format!("{folder}/package-lock.json");
    let manifest = format!("{folder}/package.json");
    let path = paths::root().join(folder);
    let name = format!("npm-{}", folder.replace('/', "-"));
    stamp::unless_unchanged(&name, &[&lock, &manifest], &node, &path.join("node_modules"), || {
        npm(&path, &["install", "--no-save", "--no-audit", "--no-fund"])
    })
}

/// Builds `ui/dist`, where anything it is made of changed.
pub(crate) fn build() -> anyhow::Result<()> {
    let inputs = [
        "ui/src",
        "ui/index.html",
        "ui/public",
        "ui/package-lock.json",
        "ui/vite.config.ts",
        "ui/tsconfig.json",
    ];
    let inputs: Vec<_> = inputs.into_iter().filter(|input| paths::root().join(input).exists()).collect();
    stamp::unless_unchanged(
        "ui-build",
        &inputs,
        &node_version()?,
        &paths::ui().join("dist/index.html"),
        || npm(&paths::ui(), &["run", "build"]),
    )
}

/// One script of the package.json in `folder` (below the root).
pub(crate) fn script(folder: &str, name: &str) -> anyhow::Result<()> {
    npm(&paths::root().join(folder), &["run", name])
}

fn npm(folder: &Path, args: &[&str]) -> anyhow::Result<()> {
    shell::run("npm").args(args).dir(folder).env("npm_config_update_notifier", "false").show()
}

fn node_version() -> anyhow::Result<String> {
    let text = shell::run("node")
        .args(["--version"])
        .output()
        .context("Node.js is needed, version 20.19 or newer")?;
    let mut parts = text.trim().trim_start_matches('v').split('.').map(|part| part.parse().unwrap_or(0));
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if version < NODE {
        bail!("Node.js {} is too old: install {}.{} or newer", text.trim(), NODE.0, NODE.1);
    }
    Ok(text.trim().to_owned())
}
