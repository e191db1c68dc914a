//! The UI's protocol types.

use crate::paths;
use anyhow::{Context as _, bail};

/// The generated file, below the repository's root.
pub(crate) const FILE: &str = "ui/src/protocol/generated.ts";

/// Writes the file, or with `check` fails where it is not up to date.
pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    let path = paths::root().join(FILE);
    let wanted = aicockpit_protocol::typescript::generate();
    let current = std::fs::read_to_string(&path).unwrap_or_default();
    if current == wanted {
        println!("{FILE} is up to date");
        return Ok(());
    }
    if check {
        bail!("{FILE} does not match crates/protocol; run `cargo xtask generate`");
    }
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    std::fs::write(&path, wanted).with_context(|| format!("cannot write {}", path.display()))?;
    println!("wrote {FILE}");
    Ok(())
}
