//! What is installed once into the cache, outside the checkout: packages of npm, environments of Python.

use crate::{paths, shell};
use anyhow::{Context as _, ensure};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// Installs in seconds what pip takes minutes for, and lets requirements of packages be overridden.
const UV: &str = "0.13.9";

/// Makes `folder` by `work` unless it is there: an interrupted installation leaves another one behind.
pub(crate) fn once(folder: &Path, work: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<()> {
    if folder.is_dir() {
        println!("{}: there", folder.display());
        return Ok(());
    }
    let mut unfinished = folder.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished)
            .with_context(|| format!("cannot remove {}", unfinished.display()))?;
    }
    std::fs::create_dir_all(&unfinished).with_context(|| format!("cannot make {}", unfinished.display()))?;
    work(&unfinished)?;
    std::fs::rename(&unfinished, folder).with_context(|| format!("cannot move {}", unfinished.display()))
}

/// `npm install` of one package; `run` may be a program that runs npm.
pub(crate) fn npm(run: shell::Run, folder: &Path, package: &str) -> shell::Run {
    run.args(["npm", "install", "--no-audit", "--no-fund", "--omit=dev", "--prefix"])
        .args([folder.as_os_str()])
        .args([package])
        .env("npm_config_update_notifier", "false")
}

/// An environment of Python that tests run in.
pub(crate) struct Environment {
    /// Its name in the cache.
    pub(crate) name: &'static str,
    /// The Python that it takes, as uv asks for one.
    pub(crate) python: &'static str,
    /// Files of requirements below the root, each with more options for `uv pip install`. A path among the options is
    /// below the root, too.
    pub(crate) requirements: &'static [(&'static str, &'static [&'static str])],
}

impl Environment {
    /// Makes it where it is not there with just these requirements, and removes those that were made for others: some
    /// take gigabytes. Gives the folder of its programs.
    pub(crate) fn programs(&self) -> anyhow::Result<PathBuf> {
        let key = self.key()?;
        let all = paths::cache().join("models");
        let folder = all.join(format!("{}-{key}", self.name));
        let (programs, done) = (folder.join("bin"), folder.join("done"));
        if done.is_file() {
            println!("{}: there", folder.display());
            return Ok(programs);
        }
        let uv = uv()?;
        self.remove_others(&all)?;
        shell::run(&uv).args(["venv", "--clear", "--python", self.python]).args([&folder]).show()?;
        for (file, options) in self.requirements {
            shell::run(&uv)
                .args(["pip", "install", "--quiet", "--python"])
                .args([programs.join("python")])
                .args(*options)
                .args(["--requirement", file])
                // The packages lie in the environment; a second copy of gigabytes would help nobody.
                .env("UV_NO_CACHE", "1")
                // A company's proxy has certificates of its own.
                .env("UV_SYSTEM_CERTS", "1")
                .show()?;
        }
        std::fs::write(&done, "").with_context(|| format!("cannot write {}", done.display()))?;
        Ok(programs)
    }

    /// What decides what is in it.
    fn key(&self) -> anyhow::Result<String> {
        let mut hash = Sha256::new();
        hash.update(UV);
        hash.update(self.python);
        for (file, options) in self.requirements {
            let files = options.iter().filter(|option| option.ends_with(".txt"));
            for file in files.chain([file]) {
                let path = paths::root().join(file);
                hash.update(std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
            }
        }
        Ok(format!("{:x}", hash.finalize())[..12].to_owned())
    }

    fn remove_others(&self, all: &Path) -> anyhow::Result<()> {
        let Ok(entries) = std::fs::read_dir(all) else { return Ok(()) };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if is_of(name, self.name) {
                std::fs::remove_dir_all(&path)
                    .with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(())
    }
}

/// True for `NAME-KEY`.
fn is_of(folder: &str, name: &str) -> bool {
    let key = folder.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
    key.is_some_and(|key| key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// uv, from a Python environment of its own.
pub(crate) fn uv() -> anyhow::Result<PathBuf> {
    let folder = paths::cache().join("models").join(format!("uv-{UV}"));
    let program = folder.join("bin/uv");
    if !program.is_file() {
        shell::run("python3").args(["-m", "venv", "--clear"]).args([&folder]).show()?;
        shell::run(folder.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args([format!("uv=={UV}")])
            .show()?;
    }
    ensure!(program.is_file(), "uv was installed, and is not at {}", program.display());
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_told_from_others_by_its_name_and_its_key() {
        assert!(is_of("vllm-0123456789ab", "vllm"));
        assert!(!is_of("vllm-0123456789ab", "vl"));
        assert!(!is_of("vllm-gpu-0123456789ab", "vllm"));
        assert!(!is_of("vllm-model", "vllm"));
        assert!(!is_of("uv-0.13.9", "uv"));
    }

    #[test]
    fn other_requirements_make_another_environment() {
        let environment = |requirements| Environment { name: "x", python: "python3", requirements };
        let one = environment(&[("clippy.toml", &[])]).key().unwrap();
        assert_eq!(one, environment(&[("clippy.toml", &["--no-deps"])]).key().unwrap());
        assert_ne!(one, environment(&[("rustfmt.toml", &[])]).key().unwrap());
        assert!(environment(&[("no-such.txt", &[])]).key().is_err());
    }
}
