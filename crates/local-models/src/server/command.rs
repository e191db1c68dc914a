//! How a program is called to serve a model.

use crate::estimate::{Plan, Wanted};
use crate::runtimes::Program;
use aicockpit_protocol::local_models::{Fit, LocalServerSettings, Runtime};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Marks all processes of a server and names its socket: by it what it left behind is found, also after this process
/// was killed.
pub(super) const MARK: &str = "AICOCKPIT_MODEL_SERVERS";

/// A call: program, arguments and what its environment has besides ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Call {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Vec<(&'static str, OsString)>,
}

/// What a call is made of. Paths are as the program sees them.
pub(super) struct Parts<'a> {
    pub(super) settings: &'a LocalServerSettings,
    pub(super) model: &'a Path,
    pub(super) plan: &'a Plan,
    pub(super) socket: &'a Path,
    pub(super) key: &'a str,
    pub(super) offline: bool,
}

/// What is wanted of a server, with what its arguments say of memory.
pub(super) fn wanted(settings: &LocalServerSettings) -> Wanted {
    let gpus =
        value(&settings.arguments, &["--tensor-parallel-size", "-tp"]).and_then(|text| text.parse().ok());
    Wanted {
        runtime: settings.runtime,
        context: settings.context_length,
        parallel: settings.parallel,
        gpu_layers: settings.gpu_layers,
        gpu_share: value(&settings.arguments, &["--gpu-memory-utilization"])
            .and_then(|text| text.parse().ok())
            .filter(|share: &f64| (0.0..=1.0).contains(share)),
        gpus: gpus.unwrap_or(1),
    }
}

fn value<'a>(arguments: &'a [String], names: &[&str]) -> Option<&'a str> {
    let at = arguments.iter().rposition(|one| names.contains(&one.split('=').next().unwrap_or_default()))?;
    match arguments.get(at)?.split_once('=') {
        Some((_, value)) => Some(value),
        None => arguments.get(at + 1).map(String::as_str),
    }
}

/// Values among the arguments that nobody should read in a log.
pub(super) fn secrets(arguments: &[String]) -> Vec<String> {
    let secret = |name: &str| ["key", "token", "password", "secret"].iter().any(|word| name.contains(word));
    let mut secrets = Vec::new();
    for (index, argument) in arguments.iter().enumerate() {
        let (name, value) = argument.split_once('=').map_or((argument.as_str(), None), |(n, v)| (n, Some(v)));
        if name.starts_with('-') && secret(&name.to_lowercase()) {
            secrets.extend(value.or(arguments.get(index + 1).map(String::as_str)).map(str::to_owned));
        }
    }
    secrets
}

/// The call of a program of this machine that serves a model.
pub(super) fn call(parts: &Parts<'_>, program: &Program) -> Call {
    let (arguments, environment) = words(parts);
    let (program, mut before): (_, Vec<OsString>) = match (parts.settings.runtime, program) {
        (Runtime::LlamaCpp, Program::Binary(path) | Program::Python { python: path, .. }) => {
            (path, vec!["--model".into()])
        }
        (Runtime::Vllm, Program::Binary(path)) => (path, vec!["serve".into()]),
        (Runtime::Vllm, Program::Python { python, named_vllm: true }) => {
            (python, ["-m", "vllm.entrypoints.cli.main", "serve"].map(OsString::from).to_vec())
        }
        // The command looks for a distribution called vllm; CPU builds have another name.
        (Runtime::Vllm, Program::Python { python, named_vllm: false }) => {
            (python, ["-m", VLLM_SERVER, "--model"].map(OsString::from).to_vec())
        }
    };
    before.push(parts.model.into());
    Call { program: program.clone(), arguments: [before, arguments].concat(), environment }
}

/// vLLM's server as a module, which there is in all its versions.
pub(super) const VLLM_SERVER: &str = "vllm.entrypoints.openai.api_server";

pub(super) type Environment = Vec<(&'static str, OsString)>;

/// What comes after the model, however the program is called.
pub(super) fn words(parts: &Parts<'_>) -> (Vec<OsString>, Environment) {
    match parts.settings.runtime {
        Runtime::LlamaCpp => llama(parts),
        Runtime::Vllm => vllm(parts),
    }
}

struct Arguments(Vec<OsString>);

impl Arguments {
    fn add(&mut self, name: &str, value: impl Into<OsString>) {
        self.0.push(name.into());
        self.0.push(value.into());
    }
}

fn llama(parts: &Parts<'_>) -> (Vec<OsString>, Environment) {
    let (settings, plan) = (parts.settings, parts.plan);
    let mut arguments = Arguments(Vec::new());
    // A host that ends in .sock is a Unix socket.
    arguments.add("--host", parts.socket);
    arguments.add("--alias", &settings.name);
    // All requests share what is named here.
    let tokens = plan.need.context.saturating_mul(settings.parallel.unwrap_or(1));
    arguments.add("--ctx-size", tokens.to_string());
    if let Some(parallel) = settings.parallel {
        arguments.add("--parallel", parallel.to_string());
    }
    if let Some(layers) = plan.gpu_layers {
        arguments.add("--n-gpu-layers", layers.to_string());
    }
    arguments.0.push("--metrics".into());
    arguments.0.extend(settings.arguments.iter().map(OsString::from));
    let mut environment: Environment = vec![
        ("LLAMA_API_KEY", parts.key.into()),
        // By the environment, as the argument's name differs between versions.
        ("LLAMA_ARG_NO_WEBUI", "1".into()),
        ("LLAMA_ARG_NO_UI", "1".into()),
    ];
    if parts.offline {
        environment.push(("LLAMA_ARG_OFFLINE", "1".into()));
    }
    (arguments.0, environment)
}

fn vllm(parts: &Parts<'_>) -> (Vec<OsString>, Environment) {
    let (settings, plan) = (parts.settings, parts.plan);
    let mut arguments = Arguments(Vec::new());
    arguments.add("--uds", parts.socket);
    arguments.add("--served-model-name", &settings.name);
    arguments.add("--max-model-len", plan.need.context.to_string());
    if let Some(parallel) = settings.parallel {
        arguments.add("--max-num-seqs", parallel.to_string());
    }
    if let Some(share) = plan.gpu_share {
        arguments.add("--gpu-memory-utilization", share.to_string());
    }
    arguments.0.extend(settings.arguments.iter().map(OsString::from));
    let mut environment: Environment = vec![
        ("VLLM_API_KEY", parts.key.into()),
        ("VLLM_NO_USAGE_STATS", "1".into()),
        // The model is here: nothing is to be looked up.
        ("HF_HUB_OFFLINE", "1".into()),
        ("PYTHONUNBUFFERED", "1".into()),
    ];
    if plan.fit != Fit::Gpu && plan.gpu_bytes == 0 {
        let gib = plan.need.cache.div_ceil(1 << 30).max(1);
        environment.push(("VLLM_CPU_KVCACHE_SPACE", gib.to_string().into()));
    }
    if parts.offline {
        // It has no address but loopback's.
        environment.push(("VLLM_HOST_IP", "127.0.0.1".into()));
    }
    (arguments.0, environment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::Need;
    use crate::settings::tests::server;

    fn settings(runtime: Runtime, arguments: &[&str]) -> LocalServerSettings {
        LocalServerSettings {
            runtime,
            parallel: Some(2),
            arguments: arguments.iter().map(|one| (*one).to_owned()).collect(),
            ..server("1", "qwen")
        }
    }

    fn called(settings: &LocalServerSettings, program: &Program, plan: &Plan) -> (String, Call) {
        let (model, socket) = (Path::new("/m/model"), Path::new("/run/x.sock"));
        let call = call(&Parts { settings, model, plan, socket, key: "the-key", offline: false }, program);
        let words: Vec<_> = call.arguments.iter().map(|word| word.to_string_lossy()).collect();
        (words.join(" "), call)
    }

    fn plan(fit: Fit, gpu_layers: Option<u32>) -> Plan {
        let need = Need { context: 4096, weights: 1, cache: 3 << 30, other: 1 };
        Plan { fit, need, gpu_bytes: u64::from(fit == Fit::Gpu), main_bytes: 1, gpu_layers, gpu_share: None }
    }

    #[test]
    fn llama_server_gets_its_context_for_all_requests_and_its_key_by_the_environment() {
        let program = Program::Binary("/bin/llama-server".into());
        let settings = settings(Runtime::LlamaCpp, &["--threads", "4"]);
        let (line, call) = called(&settings, &program, &plan(Fit::Gpu, Some(999)));
        assert_eq!(
            line,
            "--model /m/model --host /run/x.sock --alias qwen --ctx-size 8192 --parallel 2 --n-gpu-layers 999 \
             --metrics --threads 4"
        );
        assert!(call.environment.contains(&("LLAMA_API_KEY", "the-key".into())));
    }

    #[test]
    fn vllm_is_called_as_its_distribution_allows() {
        let python = |named_vllm| Program::Python { python: "/venv/bin/python".into(), named_vllm };
        let settings = settings(Runtime::Vllm, &[]);
        let rest = "--uds /run/x.sock --served-model-name qwen --max-model-len 4096 --max-num-seqs 2";
        let (line, call) = called(&settings, &python(false), &plan(Fit::Memory, None));
        assert_eq!(line, format!("-m vllm.entrypoints.openai.api_server --model /m/model {rest}"));
        assert!(call.environment.contains(&("VLLM_CPU_KVCACHE_SPACE", "3".into())), "{call:?}");
        assert!(call.environment.contains(&("HF_HUB_OFFLINE", "1".into())));
        let (line, call) = called(&settings, &python(true), &plan(Fit::Gpu, None));
        assert_eq!(line, format!("-m vllm.entrypoints.cli.main serve /m/model {rest}"));
        assert!(!call.environment.iter().any(|(name, _)| *name == "VLLM_CPU_KVCACHE_SPACE"));
        let (line, _) = called(&settings, &Program::Binary("/bin/vllm".into()), &plan(Fit::Gpu, None));
        assert!(line.starts_with("serve /m/model --uds"), "{line}");
    }

    #[test]
    fn arguments_tell_of_memory_and_secrets() {
        let settings =
            settings(Runtime::Vllm, &["--gpu-memory-utilization=0.5", "-tp", "2", "--hf-token", "hf_abc"]);
        let wanted = wanted(&settings);
        assert_eq!((wanted.gpu_share, wanted.gpus, wanted.parallel), (Some(0.5), 2, Some(2)));
        assert_eq!(secrets(&settings.arguments), ["hf_abc"]);
    }
}
