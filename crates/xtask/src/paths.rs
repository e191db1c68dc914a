//! Where things are.

use std::path::{Path, PathBuf};

/// Target triple of the agent: static glibc, see ARCHITECTURE.md.
pub(crate) const AGENT_TARGET: &str = "x86_64-unknown-linux-gnu";

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    // crates/xtask is two below it.
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_owned()
}

/// The UI's folder.
pub(crate) fn ui() -> PathBuf {
    root().join("ui")
}

/// Cargo's output folder.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |path| root().join(path))
}

/// The static agent as `cargo xtask` builds it.
pub(crate) fn agent_binary() -> PathBuf {
    target().join("agent").join(AGENT_TARGET).join("agent/aicockpit-agent")
}

/// What is kept between checkouts: tools, images, logs. `AICOCKPIT_CACHE`, else `aicockpit` in the user's cache.
pub(crate) fn cache() -> PathBuf {
    if let Some(path) = std::env::var_os("AICOCKPIT_CACHE").filter(|path| !path.is_empty()) {
        return path.into();
    }
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    std::env::var_os("XDG_CACHE_HOME")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .or_else(home)
        .unwrap_or_else(|| std::env::temp_dir().join("aicockpit-cache"))
        .join("aicockpit")
}
