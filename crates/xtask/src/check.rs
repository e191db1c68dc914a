//! What no compiler checks: arrows between crates, the generated file, the repository's top level.

use crate::arrows::{self, Crate};
use crate::{generate, paths, shell};
use anyhow::{Context as _, bail};
use serde::Deserialize;

/// What may stand at the top level, dot-files aside.
const TOP_LEVEL: &[&str] = &[
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "crates",
    "deny.toml",
    "icons",
    "rustfmt.toml",
    "src-tauri",
    "tauri.conf.json",
    "tests",
    "ui",
];
/// What our crates' names begin with.
const OURS: &str = "aicockpit-";

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

/// Runs every check and tells all breaches at once.
pub(crate) fn run() -> anyhow::Result<()> {
    generate::run(true)?;
    let mut found = arrows::breaches(&crates()?);
    found.extend(strangers(&top_level()?));
    if !found.is_empty() {
        bail!("{} to mend:\n  {}", found.len(), found.join("\n  "));
    }
    println!(
        "crates depend on each other as ARCHITECTURE.md says; nothing stands at the top level that should not"
    );
    Ok(())
}

fn crates() -> anyhow::Result<Vec<Crate>> {
    let json =
        shell::run("cargo").args(["metadata", "--no-deps", "--format-version=1", "--locked"]).output()?;
    let metadata: Metadata =
        serde_json::from_str(&json).context("cannot read the output of cargo metadata")?;
    Ok(metadata.packages.into_iter().map(read).collect())
}

fn read(package: Package) -> Crate {
    let shipped = package.dependencies.into_iter().filter(|dependency| dependency.kind.is_none());
    let (ours, others): (Vec<_>, Vec<_>) =
        shipped.map(|dependency| dependency.name).partition(|name| name.starts_with(OURS));
    let short = |name: String| name.trim_start_matches(OURS).to_owned();
    Crate { name: short(package.name), ours: ours.into_iter().map(short).collect(), others }
}

/// Names at the top level that Git tracks or would track, and that are still there.
fn top_level() -> anyhow::Result<Vec<String>> {
    let files =
        shell::run("git").args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]).output()?;
    let mut names: Vec<String> = files
        .split('\0')
        .filter_map(|file| file.split('/').next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    names.retain(|name| paths::root().join(name).exists());
    Ok(names)
}

fn strangers(names: &[String]) -> Vec<String> {
    names
        .iter()
        .filter(|name| !name.starts_with('.') && !TOP_LEVEL.contains(&name.as_str()))
        .map(|name| {
            format!("`{name}` does not belong at the top level; put it into the folder it belongs to")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_at_the_top_level_are_named_and_dot_files_are_not() {
        let names = [".gitignore".to_owned(), "Cargo.toml".to_owned(), "docker".to_owned()];
        let found = strangers(&names);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("`docker`"), "{}", found[0]);
    }
}
