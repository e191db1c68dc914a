//! Why a server ended, for people.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

/// Words of programs whose memory ran out.
const MEMORY: [&str; 9] = [
    "failed to allocate",
    "unable to allocate",
    "cannot allocate memory",
    "out of memory",
    "outofmemory",
    "cudamalloc failed",
    "bad_alloc",
    "no available memory for the cache",
    "larger than the available kv cache memory",
];
/// Words that tell what went wrong.
const TELLING: [&str; 8] = ["error", "fail", "invalid", "exception", "unknown", "cannot", "unable", "abort"];
/// Words of what another try does not mend.
const LASTING: [&str; 9] = [
    "invalid magic",
    "unknown model architecture",
    "unknown argument",
    "invalid argument",
    "unrecognized arguments",
    "not supported for now",
    "no such file",
    "is corrupted or incomplete",
    "failed to open gguf",
];
/// What only points to another line.
const POINTING: [&str; 4] = ["root cause above", "exiting due to", "error_code=", "traceback"];
/// Most characters of a line that is shown.
const MAX_LINE: usize = 300;

/// Why a server ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Failure {
    /// A sentence.
    pub(super) why: String,
    /// Another try would end the same way.
    pub(super) lasting: bool,
}

/// Reads it from how the process ended and what it wrote. `ready` where it had answered before.
pub(super) fn failure(name: &str, status: Option<ExitStatus>, lines: &[String], ready: bool) -> Failure {
    let lower: Vec<String> = lines.iter().map(|line| line.to_lowercase()).collect();
    let has = |line: &str, words: &[&str]| words.iter().any(|word| line.contains(word));
    let killed = status.and_then(|status| status.signal()) == Some(nix::libc::SIGKILL);
    let memory = lower.iter().rposition(|line| has(line, &MEMORY));
    let how = match status.map(|status| (status.code(), status.signal())) {
        Some((Some(code), _)) => format!("ended with exit code {code}"),
        Some((_, Some(signal))) => format!("was ended by signal {signal}"),
        _ => "ended".to_owned(),
    };
    let when = if ready { "" } else { " while it loaded" };
    if memory.is_some() || killed {
        let line = memory.and_then(|index| lines.get(index)).map(|line| format!(" ({})", shortened(line)));
        let likely = if memory.is_some() { "memory ran out" } else { "most likely as memory ran out" };
        let why = format!(
            "{name} {how}{when}: {likely}{}. Choose a shorter context or a smaller model, or end other programs",
            line.unwrap_or_default()
        );
        return Failure { why, lasting: false };
    }
    let telling = |line: &String| has(line, &TELLING) && !has(line, &POINTING);
    let index = lower.iter().rposition(telling).or_else(|| lower.len().checked_sub(1));
    let line = index.and_then(|index| lines.get(index)).map(|line| format!(": {}", shortened(line)));
    let lasting = !ready && lower.iter().any(|line| has(line, &LASTING));
    let why = format!("{name} {how}{when}{}. Its log tells more", line.unwrap_or_default());
    Failure { why, lasting }
}

fn shortened(line: &str) -> String {
    words(line).chars().take(MAX_LINE).collect::<String>().trim_end_matches('.').to_owned()
}

/// A line without the time, the level and the place in the program that stand before its words.
pub(super) fn words(line: &str) -> &str {
    let line = line.trim();
    // llama.cpp: "0.00.012.702 I srv    load_model: loading model".
    let first = line.split(' ').next().unwrap_or_default();
    if first.len() > 6 && first.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return line
            .get(first.len() + 1..)
            .and_then(|rest| rest.split_once(' '))
            .map_or(line, |(_, rest)| rest.trim());
    }
    // vLLM: "(EngineCore pid=7) INFO 11-23 06:38:24 [core.py:104] Initializing".
    let at = line.find(['[', ')']).filter(|_| line.contains(".py:"));
    match at.and_then(|_| line.split_once("] ")) {
        Some((_, rest)) if !rest.trim().is_empty() => rest.trim(),
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: i32, ready: bool, lines: &[&str]) -> Failure {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        failure("qwen", Some(ExitStatus::from_raw(status)), &lines, ready)
    }

    #[test]
    fn memory_that_ran_out_is_told_with_what_to_do() {
        let killed = of(9, true, &["all well"]);
        assert_eq!(
            killed.why,
            "qwen was ended by signal 9: most likely as memory ran out. Choose a shorter context or a smaller model, \
             or end other programs"
        );
        let line = "ggml_backend_cuda_buffer_type_alloc_buffer: cudaMalloc failed: out of memory";
        let allocated = of(1 << 8, false, &["x", line, "srv: exiting due to model loading error"]);
        assert!(
            allocated.why.contains("exit code 1 while it loaded: memory ran out (ggml"),
            "{}",
            allocated.why
        );
        assert!(!allocated.lasting);
        let torch =
            of(1 << 8, false, &["torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"]);
        assert!(torch.why.contains("shorter context"), "{}", torch.why);
    }

    #[test]
    fn the_last_line_that_tells_something_is_shown() {
        let lines = [
            "0.00.100.001 I srv    load_model: loading model 'x.gguf'",
            "0.00.100.123 E llama_model_load: error loading model: unknown model architecture: 'zeta'",
            "0.00.100.200 E srv  main: exiting due to model loading error",
        ];
        let failure = of(1 << 8, false, &lines);
        assert!(failure.why.contains("unknown model architecture: 'zeta'. Its log"), "{}", failure.why);
        assert!(failure.lasting);
        let vllm = [
            "(EngineCore pid=9) ValueError: Free memory on device is less than desired",
            "RuntimeError: Engine core initialization failed. See root cause above.",
        ];
        assert!(of(1 << 8, false, &vllm).why.contains("Free memory on device"));
        assert_eq!(of(0, true, &[]).why, "qwen ended with exit code 0. Its log tells more");
    }

    #[test]
    fn what_stands_before_the_words_is_left_out() {
        assert_eq!(
            words("0.00.012.702 I srv          init: loading model"),
            "srv          init: loading model"
        );
        assert_eq!(words("(EngineCore pid=7) INFO 11-23 06:38:24 [core.py:104] Starting up"), "Starting up");
        assert_eq!(words("1.5 GB of [memory] are used"), "1.5 GB of [memory] are used");
        assert_eq!(words(""), "");
    }
}
