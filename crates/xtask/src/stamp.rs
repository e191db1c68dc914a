//! Skips work whose inputs have not changed.

use crate::{paths, shell};
use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// Runs `work` unless it ran before with the same inputs and its `output` is still there.
///
/// `inputs` are paths below the repository's root; files that Git ignores do not count. `also` is anything else that
/// decides (a tool's version).
pub(crate) fn unless_unchanged(
    name: &str,
    inputs: &[&str],
    also: &str,
    output: &Path,
    work: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let stamp = paths::target().join("xtask").join(format!("{name}.stamp"));
    let now = hash(&files(inputs)?, also)?;
    if output.exists() && std::fs::read_to_string(&stamp).is_ok_and(|before| before == now) {
        println!("{name}: unchanged");
        return Ok(());
    }
    work()?;
    if let Some(parent) = stamp.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    std::fs::write(&stamp, now).with_context(|| format!("cannot write {}", stamp.display()))
}

fn files(inputs: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
    let listed = shell::run("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z", "--"])
        .args(inputs)
        .output()?;
    let mut files: Vec<PathBuf> =
        listed.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect();
    files.sort();
    files.dedup();
    Ok(files)
}

fn hash(files: &[PathBuf], also: &str) -> anyhow::Result<String> {
    let mut hasher = Sha256::new();
    hasher.update(also);
    for file in files {
        // A file that Git still lists but that is gone counts by its absence.
        let Ok(content) = std::fs::read(paths::root().join(file)) else { continue };
        hasher.update(file.as_os_str().as_encoded_bytes());
        hasher.update((content.len() as u64).to_le_bytes());
        hasher.update(&content);
    }
    Ok(format!("{:x}", hasher.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_tells_contents_names_and_tools_apart() {
        let one = hash(&["Cargo.toml".into()], "").unwrap();
        assert_eq!(one, hash(&["Cargo.toml".into()], "").unwrap());
        assert_ne!(one, hash(&["Cargo.toml".into()], "node 22").unwrap());
        assert_ne!(one, hash(&["Cargo.toml".into(), "rustfmt.toml".into()], "").unwrap());
    }
}
