//! What installers say.

/// Most characters of a step that is shown.
const MAX_STEP: usize = 200;
/// Most characters of a failure's words.
const MAX_FAILURE: usize = 400;
/// How lines begin that tell why: pip's, Homebrew's and uv's.
const ERRORS: [&str; 3] = ["ERROR: ", "Error: ", "error: "];
/// How older versions of uv draw a tree of reasons.
const REASONS: [char; 4] = ['×', '╰', '├', '│'];

/// Makes steps of lines.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// What is downloaded.
    download: Option<String>,
}

impl Steps {
    /// What a line says, for people. `None` for one that says nothing.
    pub(super) fn of(&mut self, line: &str) -> Option<String> {
        if let Some(percent) = percent(line) {
            let what = self.download.as_deref().unwrap_or("Downloading");
            return Some(format!("{what}: {percent} %"));
        }
        let words: Vec<_> = line.split_whitespace().collect();
        let text: String = words.join(" ").chars().take(MAX_STEP).collect();
        if words.first() == Some(&"Downloading") {
            self.download = Some(text.clone());
        }
        Some(text).filter(|text| text.chars().any(char::is_alphanumeric))
    }
}

/// pip's "Progress 1048576 of 4194304".
fn percent(line: &str) -> Option<u64> {
    let (done, whole) = line.trim().strip_prefix("Progress ")?.split_once(" of ")?;
    let (done, whole): (u64, u64) = (done.parse().ok()?, whole.parse().ok()?);
    done.min(whole).checked_mul(100)?.checked_div(whole)
}

/// Why an installer failed, in its own words.
pub(super) fn failure(lines: &[String], status: &str) -> String {
    let lines: Vec<_> = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    let is_reason = |line: &&&str| line.starts_with(REASONS);
    let words = if lines.iter().any(|line| is_reason(&line)) {
        let reasons =
            lines.iter().skip_while(|line| !is_reason(line)).take_while(|line| !line.starts_with("hint:"));
        let plain =
            |line: &&str| line.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '`').to_owned();
        reasons.map(plain).collect::<Vec<_>>().join(" ")
    } else {
        let error = |line: &&str| ERRORS.iter().any(|start| line.starts_with(start));
        let at = lines.iter().rposition(error).or(lines.len().checked_sub(1));
        let last = at.and_then(|at| lines.get(at)).copied().unwrap_or(status);
        let causes =
            lines.iter().skip(at.map_or(0, |at| at + 1)).filter_map(|line| line.strip_prefix("cause: "));
        let words = ERRORS.iter().find_map(|start| last.strip_prefix(start)).unwrap_or(last).to_owned();
        causes.fold(words, |words, cause| format!("{words}: {cause}"))
    };
    let words: String = words.chars().take(MAX_FAILURE).collect();
    words.trim_end_matches(['.', ':', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(lines: &[&str]) -> String {
        let lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
        failure(&lines, "exit status: 1")
    }

    #[test]
    fn steps_tell_how_far_a_download_is() {
        let mut steps = Steps::default();
        assert_eq!(steps.of("Progress 1 of 4").as_deref(), Some("Downloading: 25 %"));
        let whole = steps.of("  Downloading torch-2.9.1-cp312.whl (821 MB)");
        assert_eq!(whole.as_deref(), Some("Downloading torch-2.9.1-cp312.whl (821 MB)"));
        let part = steps.of("Progress 450 of 1000");
        assert_eq!(part.as_deref(), Some("Downloading torch-2.9.1-cp312.whl (821 MB): 45 %"));
        assert_eq!(steps.of("Progress 5 of 0").as_deref(), Some("Progress 5 of 0"));
        assert_eq!(steps.of("Progress 99999999999999999999 of 1").unwrap().len(), 34);
        assert_eq!(steps.of(" ----- "), None);
        assert_eq!(steps.of(&"ä".repeat(1000)).unwrap().chars().count(), MAX_STEP);
    }

    #[test]
    fn failures_are_told_in_the_installers_words() {
        let pip = failed(&[
            "ERROR: Could not find a version that satisfies the requirement vllm==9 (from versions: 1.0)",
            "ERROR: No matching distribution found for vllm==9",
            "",
        ]);
        assert_eq!(pip, "No matching distribution found for vllm==9");
        let uv = failed(&[
            "Using Python 3.11.7 environment at: /venv",
            "  × No solution found when resolving dependencies:",
            "  ╰─▶ Because there is no version of vllm==9 and you require vllm==9, we",
            "      can conclude that your requirements are unsatisfiable.",
        ]);
        assert!(uv.starts_with("No solution found when resolving dependencies: Because there is no"), "{uv}");
        assert!(uv.ends_with("your requirements are unsatisfiable"), "{uv}");
        let newer = failed(&[
            "Using Python 3.11.7",
            "error: No solution found",
            "  cause: Because vllm==9 is not there.",
        ]);
        assert_eq!(newer, "No solution found: Because vllm==9 is not there");
        assert_eq!(failed(&["Error: Permission denied @ dir_s_mkdir"]), "Permission denied @ dir_s_mkdir");
        assert_eq!(failed(&["one", "the last one."]), "the last one");
        assert_eq!(failed(&[]), "exit status: 1");
    }
}
