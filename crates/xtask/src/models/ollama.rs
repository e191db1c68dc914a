//! Ollama, built from its Go module once: its makers give it out as archives that no registry of packages has.

use super::{LLAMA, Product, folder, python};
use crate::{cluster, paths, shell};
use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// Below the root.
const SOURCES: &str = "tests/models/ollama";
const FILES: [&str; 2] = ["go.mod", "go.sum"];
const MODULE: &str = "github.com/ollama/ollama";
/// It holds miniaudio.h.
const HEADER_MODULE: &str = "github.com/gen2brain/malgo";
/// What the tests' other llama.cpp takes, too. Without these instructions it is twenty times slower.
const PROCESSOR: &str = "-O2 -mavx2 -mfma -mf16c";

/// Real Ollama behind the broker.
pub(crate) fn test(product: Product) -> anyhow::Result<()> {
    let Some(binary) = binary()? else {
        println!(
            "LEFT OUT: Ollama is not in the cache, and CI's time does not allow to build it (some 4 minutes). Run \
             `cargo xtask test` without CI set, or name one with AICOCKPIT_TEST_OLLAMA."
        );
        return Ok(());
    };
    let programs = LLAMA.programs()?;
    python(&programs, "test_ollama.py", product).env("AICOCKPIT_TEST_OLLAMA", binary).show()
}

/// `AICOCKPIT_TEST_OLLAMA`, else the one in the cache, built where it is not there: some 4 minutes on two cores, which
/// CI, where nothing is kept from one run to the next, has not.
fn binary() -> anyhow::Result<Option<PathBuf>> {
    if let Some(given) = std::env::var_os("AICOCKPIT_TEST_OLLAMA").filter(|path| !path.is_empty()) {
        return Ok(Some(given.into()));
    }
    let (go, version) = cluster::go()?;
    let binary = folder().join(format!("ollama-{}", key(&version)?));
    if binary.is_file() {
        println!("{}: there", binary.display());
        return Ok(Some(binary));
    }
    if std::env::var_os("CI").is_some_and(|value| !value.is_empty()) {
        return Ok(None);
    }
    build(&go, &binary)?;
    Ok(Some(binary))
}

/// To another name first: a binary that is there is whole.
fn build(go: &Path, binary: &Path) -> anyhow::Result<()> {
    let sources = paths::root().join(SOURCES);
    let scratch = folder().join("ollama.unfinished");
    let headers = headers(go, &sources, &scratch)?;
    let unfinished = scratch.join("ollama");
    let version = module(go, &sources, "{{.Version}}", MODULE)?;
    shell::run(go)
        .dir(&sources)
        .env("CGO_ENABLED", "1")
        .env("CGO_CPPFLAGS", format!("-I{}", headers.display()))
        .env("CGO_CFLAGS", PROCESSOR)
        .env("CGO_CXXFLAGS", PROCESSOR)
        // Nothing but this build would use it again.
        .env("GOCACHE", scratch.join("go-build"))
        .args(["build", "-trimpath", "-buildvcs=false", "-ldflags"])
        .args([format!("-s -w -X {MODULE}/version.Version={}", version.trim_start_matches('v'))])
        .args(["-o".as_ref(), unfinished.as_os_str(), MODULE.as_ref()])
        .show()?;
    std::fs::rename(&unfinished, binary).with_context(|| format!("cannot move {}", unfinished.display()))?;
    std::fs::remove_dir_all(&scratch).with_context(|| format!("cannot remove {}", scratch.display()))
}

/// A folder with `miniaudio/miniaudio.h`. The other headers that Go's archive of the module lacks are Debian's.
fn headers(go: &Path, sources: &Path, scratch: &Path) -> anyhow::Result<PathBuf> {
    if scratch.exists() {
        std::fs::remove_dir_all(scratch).with_context(|| format!("cannot remove {}", scratch.display()))?;
    }
    let headers = scratch.join("headers");
    let folder = headers.join("miniaudio");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    shell::run(go).dir(sources).args(["mod", "download", HEADER_MODULE]).show()?;
    let module = PathBuf::from(module(go, sources, "{{.Dir}}", HEADER_MODULE)?);
    std::fs::copy(module.join("miniaudio.h"), folder.join("miniaudio.h"))
        .with_context(|| format!("cannot copy miniaudio.h from {}", module.display()))?;
    Ok(headers)
}

/// What Go says of a module.
fn module(go: &Path, sources: &Path, format: &str, name: &str) -> anyhow::Result<String> {
    let told = shell::run(go).dir(sources).args(["list", "-m", "-f", format, name]).output()?;
    Ok(told.trim().to_owned())
}

fn key(version: &str) -> anyhow::Result<String> {
    let mut hash = Sha256::new();
    hash.update(version);
    hash.update(PROCESSOR);
    for name in FILES {
        let path = paths::root().join(SOURCES).join(name);
        let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    Ok(format!("{:x}", hash.finalize())[..12].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_go_is_another_binary() {
        assert_eq!(key("go1.24").unwrap(), key("go1.24").unwrap());
        assert_ne!(key("go1.24").unwrap(), key("go1.25").unwrap());
    }

    #[test]
    fn the_module_that_is_built_is_the_one_that_go_mod_pins() {
        let text = std::fs::read_to_string(paths::root().join(SOURCES).join("go.mod")).unwrap();
        assert!(text.contains(&format!("tool {MODULE}\n")));
        assert!(text.contains(&format!("{MODULE} v")) && text.contains(&format!("{HEADER_MODULE} v")));
    }
}
