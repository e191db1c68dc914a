//! Why a server ended, for people.

use crate::containers::ContainerEnd;
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
const POINTING: [&str; 5] = ["root cause above", "exiting due to", "error_code=", "traceback", " raise "];
/// Most characters of a line that is shown.
const MAX_LINE: usize = 300;

/// When a server that failed is tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Again {
    /// After a wait, as long as somebody wants it.
    ByItself,
    /// By the next request. Those that wait are told.
    WhenAsked,
    /// By a person: another try would end the same way.
    ByHand,
}

/// Why a server ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Failure {
    /// A sentence.
    pub(super) why: String,
    pub(super) again: Again,
}

/// How a process or a container ended.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct End {
    code: Option<i64>,
    signal: Option<i64>,
    /// Whoever ran it knows that memory ran out.
    out_of_memory: bool,
    /// The engine's words.
    reason: Option<String>,
}

impl From<ExitStatus> for End {
    fn from(status: ExitStatus) -> Self {
        Self { code: status.code().map(i64::from), signal: status.signal().map(i64::from), ..Self::default() }
    }
}

impl From<ContainerEnd> for End {
    fn from(end: ContainerEnd) -> Self {
        // Engines tell a signal as shells do.
        let signal = end.status.map(|status| status - 128).filter(|signal| (1..=64).contains(signal));
        let code = end.status.filter(|_| signal.is_none());
        Self { code, signal, out_of_memory: end.out_of_memory, reason: end.reason }
    }
}

/// Reads it from how the server ended and what it wrote. `ready` where it had answered before.
pub(super) fn failure(name: &str, end: &End, lines: &[String], ready: bool) -> Failure {
    let lower: Vec<String> = lines.iter().map(|line| line.to_lowercase()).collect();
    let has = |line: &str, words: &[&str]| words.iter().any(|word| line.contains(word));
    let killed = end.signal == Some(i64::from(nix::libc::SIGKILL)) && end.reason.is_none();
    let memory = lower.iter().rposition(|line| has(line, &MEMORY));
    let how = match (end.code, end.signal) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (_, Some(signal)) => format!("was ended by signal {signal}"),
        _ => "ended".to_owned(),
    };
    let when = if ready { "" } else { " while it loaded" };
    if memory.is_some() || killed || end.out_of_memory {
        let line = memory.and_then(|index| lines.get(index)).map(|line| format!(" ({})", shortened(line)));
        let is_sure = memory.is_some() || end.out_of_memory;
        let likely = if is_sure { "memory ran out" } else { "most likely as memory ran out" };
        let why = format!(
            "{name} {how}{when}: {likely}{}. Choose a shorter context or a smaller model, or end other programs",
            line.unwrap_or_default()
        );
        return Failure { why, again: Again::ByItself };
    }
    if let Some(reason) = &end.reason {
        let why = format!("{name} {how}{when}: {}. Its log tells more", shortened(reason));
        return Failure { why, again: Again::ByItself };
    }
    let telling = |line: &String| has(line, &TELLING) && !has(line, &POINTING);
    let thrown = |line: &String| telling(line) && names_exception(line);
    let index = lower.iter().rposition(thrown).or_else(|| lower.iter().rposition(telling));
    let index = index.or_else(|| lower.len().checked_sub(1));
    let line = index.and_then(|index| lines.get(index)).map(|line| format!(": {}", shortened(line)));
    let lasting = !ready && lower.iter().any(|line| has(line, &LASTING));
    let why = format!("{name} {how}{when}{}. Its log tells more", line.unwrap_or_default());
    Failure { why, again: if lasting { Again::ByHand } else { Again::ByItself } }
}

/// Whether a line in small letters ends a Python traceback: `valueerror: …`.
fn names_exception(line: &str) -> bool {
    let mut words = line.split_whitespace().filter_map(|word| word.strip_suffix(':'));
    words.any(|word| {
        ["error", "exception"].iter().any(|kind| word.strip_suffix(kind).is_some_and(|name| !name.is_empty()))
    })
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
        failure("qwen", &ExitStatus::from_raw(status).into(), &lines, ready)
    }

    #[test]
    fn what_an_engine_tells_of_a_containers_end_is_told() {
        let of = |status: i64, out_of_memory: bool, reason: Option<&str>| {
            let reason = reason.map(str::to_owned);
            let end = ContainerEnd { status: Some(status), out_of_memory, reason };
            failure("qwen", &end.into(), &[], true).why
        };
        assert!(of(137, true, None).starts_with("qwen was ended by signal 9: memory ran out. Choose"));
        assert!(of(137, false, None).contains("signal 9: most likely as memory ran out"));
        assert_eq!(of(143, false, None), "qwen was ended by signal 15. Its log tells more");
        assert_eq!(of(255, false, None), "qwen ended with exit code 255. Its log tells more");
        let gone = ContainerEnd { status: None, out_of_memory: false, reason: Some("it was removed".into()) };
        assert_eq!(
            failure("qwen", &gone.into(), &["fine".into()], true).why,
            "qwen ended: it was removed. Its log tells more"
        );
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
        assert_eq!(allocated.again, Again::ByItself);
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
        assert_eq!(failure.again, Again::ByHand);
        let vllm = [
            "(EngineCore pid=9) ValueError: Free memory on device is less than desired",
            "RuntimeError: Engine core initialization failed. See root cause above.",
        ];
        assert!(of(1 << 8, false, &vllm).why.contains("Free memory on device"));
        let traceback = [
            "(EngineCore pid=9) ERROR 11-23 06:38:24 [core.py:104] AttributeError: '_OpNamespace' has no 'init'",
            "(EngineCore pid=9) Process EngineCore failed to end",
            "(APIServer pid=1)     raise RuntimeError(",
            "(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above.",
        ];
        let why = of(1 << 8, false, &traceback).why;
        assert!(why.ends_with("AttributeError: '_OpNamespace' has no 'init'. Its log tells more"), "{why}");
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
