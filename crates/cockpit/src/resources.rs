//! Files that come with the product, and where its data lives.

use crate::CockpitError;
use std::path::{Path, PathBuf};

/// Architecture of the agent's binary, as it appears in file names.
pub const AGENT_ARCHITECTURE: &str = "x86_64";

/// The data directory: `AICOCKPIT_HOME`, else `aicockpit` in the platform's data directory.
///
/// # Errors
/// When the platform names no data directory (no home), and `AICOCKPIT_HOME` is not set.
pub fn data_directory() -> Result<PathBuf, CockpitError> {
    if let Some(path) = variable("AICOCKPIT_HOME") {
        return Ok(path);
    }
    dirs::data_dir().map(|path| path.join("aicockpit")).ok_or(CockpitError::MissingResource {
        what: "a directory for data",
        looked_at: Vec::new(),
        remedy: "Set HOME, or AICOCKPIT_HOME to a directory of your choice",
    })
}

/// The agent's binary: `AICOCKPIT_AGENT`, else beside the executable as it is installed.
///
/// # Errors
/// When there is none.
pub fn agent_binary() -> Result<PathBuf, CockpitError> {
    let file = format!("agent-{AGENT_ARCHITECTURE}");
    find(
        "AICOCKPIT_AGENT",
        &[&format!("../lib/aicockpit/{file}"), &file],
        Path::is_file,
        "the agent's binary",
        "Install AiCockpit again, or set AICOCKPIT_AGENT to the file",
    )
}

/// The folder of the browser UI: `AICOCKPIT_UI`, else beside the executable as it is installed.
///
/// # Errors
/// When there is none.
pub fn ui_directory() -> Result<PathBuf, CockpitError> {
    find(
        "AICOCKPIT_UI",
        &["../share/aicockpit/ui"],
        |path| path.join("index.html").is_file(),
        "the user interface",
        "Install AiCockpit again, or set AICOCKPIT_UI to the folder that holds its index.html",
    )
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn find(
    name: &str,
    beside_executable: &[&str],
    is_it: impl Fn(&Path) -> bool,
    what: &'static str,
    remedy: &'static str,
) -> Result<PathBuf, CockpitError> {
    let candidates = match variable(name) {
        // A wrong variable is an error to be told, not a reason to look elsewhere.
        Some(path) => vec![path],
        None => {
            let executable = std::env::current_exe().unwrap_or_default();
            let directory = executable.parent().unwrap_or(Path::new("."));
            beside_executable.iter().map(|relative| directory.join(relative)).collect()
        }
    };
    candidates.iter().find(|path| is_it(path)).cloned().ok_or(CockpitError::MissingResource {
        what,
        looked_at: candidates,
        remedy,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_told_with_the_places_and_a_remedy() {
        let error = find(
            "AICOCKPIT_NO_SUCH_VARIABLE",
            &["../lib/none", "none"],
            |_| false,
            "the thing",
            "Install it",
        )
        .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("the thing is missing")
                && text.contains("lib/none")
                && text.ends_with("Install it"),
            "{text}"
        );
    }
}
