//! The fuzz targets of `tests/fuzz`, each for a few seconds: long enough to catch what has just been broken.

use crate::{paths, shell};
use anyhow::{Context as _, bail};
use serde::Deserialize;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Stdio};

/// Seconds that each target runs; all run side by side.
const SECONDS: u32 = 10;
/// Memory that a target may take, in MiB: more is a fault of the parser.
const MEMORY_MIB: u32 = 1024;
/// Bytes of a target's words that are shown when it fails.
const SHOWN: usize = 6000;

/// A target that runs.
struct Running {
    name: String,
    child: Child,
    log: PathBuf,
}

/// Builds the targets and runs them from their committed inputs, side by side.
pub(crate) fn run() -> anyhow::Result<()> {
    let folder = paths::root().join("tests/fuzz");
    // In its own folder, whose configuration has the compiler's flags.
    shell::run("cargo").args(["build", "--release", "--locked"]).dir(&folder).show()?;
    let names = targets(&folder)?;
    println!("{} targets, {SECONDS} s each, side by side: {}", names.len(), names.join(", "));
    let running = names.into_iter().map(start).collect::<anyhow::Result<Vec<_>>>()?;
    let failed: Vec<_> = running.into_iter().map(finish).collect::<anyhow::Result<Vec<_>>>()?;
    let failed: Vec<_> = failed.into_iter().flatten().collect();
    if failed.is_empty() {
        return Ok(());
    }
    bail!(
        "found by {}. The words above name the input's file; `cargo run --release --bin TARGET -- FILE` in tests/fuzz \
         repeats it. Keep the file under tests/fuzz/corpus/TARGET once it is mended",
        failed.join(", ")
    )
}

fn targets(folder: &std::path::Path) -> anyhow::Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        targets: Vec<Target>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
        kind: Vec<String>,
    }
    let arguments = ["metadata", "--no-deps", "--format-version=1", "--locked"];
    let json = shell::run("cargo").args(arguments).dir(folder).output()?;
    let metadata: Metadata =
        serde_json::from_str(&json).context("cannot read the output of cargo metadata")?;
    let all = metadata.packages.into_iter().flat_map(|package| package.targets);
    Ok(all.filter(|target| target.kind == ["bin"]).map(|target| target.name).collect())
}

fn start(name: String) -> anyhow::Result<Running> {
    let built = paths::target().join("fuzz");
    let (found, artifacts) = (built.join("found").join(&name), built.join("artifacts").join(&name));
    for folder in [&found, &artifacts] {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let log = artifacts.join("log");
    let words = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let child = shell::run(built.join(paths::AGENT_TARGET).join("release").join(&name))
        .args([format!("-max_total_time={SECONDS}"), format!("-rss_limit_mb={MEMORY_MIB}")])
        .args([format!("-artifact_prefix={}/", artifacts.display())])
        // What it finds goes to the first folder; the committed inputs are only read.
        .args([found, paths::root().join("tests/fuzz/corpus").join(&name)])
        .command()
        .stdout(Stdio::null())
        .stderr(words)
        .spawn()
        .with_context(|| format!("cannot start the fuzz target {name}"))?;
    Ok(Running { name, child, log })
}

/// Waits for a target's end; its name where it found something.
fn finish(mut running: Running) -> anyhow::Result<Option<String>> {
    let status = running.child.wait().context("a fuzz target did not end")?;
    if status.success() {
        return Ok(None);
    }
    let words = std::fs::read(&running.log).unwrap_or_default();
    let words = String::from_utf8_lossy(&words[words.len().saturating_sub(SHOWN)..]).into_owned();
    println!("── {} ended with {status}:\n{words}", running.name);
    Ok(Some(running.name))
}
