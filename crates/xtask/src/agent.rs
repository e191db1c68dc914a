//! The static agent.

use crate::{paths, shell};
use anyhow::bail;

/// Builds the agent and makes sure that it is static.
pub(crate) fn build() -> anyhow::Result<()> {
    shell::run("cargo")
        .args(["build", "--package", "aicockpit-agent", "--profile", "agent", "--locked"])
        .args(["--target", paths::AGENT_TARGET, "--target-dir"])
        .args([paths::target().join("agent").as_os_str()])
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .show()?;
    let binary = paths::agent_binary();
    let size = std::fs::metadata(&binary)?.len();
    println!("{}: {:.1} MB", binary.display(), size as f64 / 1e6);
    refuse_dynamic(&binary)?;
    Ok(())
}

/// A workspace's image may have no loader and no library at all.
fn refuse_dynamic(binary: &std::path::Path) -> anyhow::Result<()> {
    let headers = shell::run("readelf").args(["--program-headers"]).args([binary.as_os_str()]).output()?;
    if headers.contains("INTERP") {
        bail!("{} asks for a loader; it must be static", binary.display());
    }
    Ok(())
}
