//! Cargo tools that the tests need, at fixed versions, built once into the cache.

use crate::{paths, shell};
use anyhow::Context as _;
use std::path::PathBuf;

/// Name, version, and the program it installs.
const TOOLS: &[(&str, &str, &str)] = &[
    ("cargo-nextest", "0.9.151", "cargo-nextest"),
    ("cargo-deny", "0.20.2", "cargo-deny"),
    ("tauri-driver", "2.1.0", "tauri-driver"),
];

fn folder() -> PathBuf {
    paths::cache().join("tools")
}

/// Where the programs are.
pub(crate) fn bin() -> PathBuf {
    folder().join("bin")
}

/// Installs what is not there in its version.
pub(crate) fn install() -> anyhow::Result<()> {
    let installed = shell::run("cargo")
        .args(["install", "--list", "--root"])
        .args([folder().as_os_str()])
        .output()
        .unwrap_or_default();
    for (name, version, program) in TOOLS {
        if bin().join(program).is_file() && is_listed(&installed, name, version) {
            println!("{name} {version}: there");
            continue;
        }
        std::fs::create_dir_all(folder()).with_context(|| format!("cannot make {}", folder().display()))?;
        shell::run("cargo")
            .args(["install", "--locked", "--root"])
            .args([folder().as_os_str()])
            // All three share one build folder, and with it the crates they have in common.
            .env("CARGO_TARGET_DIR", paths::target().join("tools"))
            .args([&format!("{name}@{version}")])
            .show()?;
    }
    Ok(())
}

fn is_listed(list: &str, name: &str, version: &str) -> bool {
    list.lines().any(|line| {
        line.strip_prefix(name).is_some_and(|rest| rest.trim_end_matches(':').trim() == format!("v{version}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_counts_only_in_its_version() {
        let list = "cargo-deny v0.20.2:\n    cargo-deny\ncargo-nextest v0.9.100:\n    cargo-nextest\n";
        assert!(is_listed(list, "cargo-deny", "0.20.2"));
        assert!(!is_listed(list, "cargo-nextest", "0.9.151"));
        assert!(!is_listed(list, "tauri-driver", "2.1.0"));
    }
}
