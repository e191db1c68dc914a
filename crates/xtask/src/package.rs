//! The .deb package.

use crate::steps::Steps;
use crate::{agent, paths, setup, shell, ui};
use anyhow::{Context as _, bail};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only make the package; do not install it to see that it starts.
    #[arg(long)]
    no_install: bool,
    /// Install missing system packages without asking.
    #[arg(long, short)]
    yes: bool,
}

/// Builds everything with optimisations, packs it, and as root installs it and starts what was installed.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut steps = Steps::default();
    setup::for_running(&mut steps, true, arguments.yes)?.keep();
    steps.step("packager", || ui::packages("src-tauri"))?;
    steps.step("user interface", ui::build)?;
    steps.step("agent", agent::build)?;
    steps.step("programs and package", || {
        shell::run(paths::root().join("src-tauri/node_modules/.bin/tauri"))
            .args(["build", "--bundles", "deb", "--ci", "--"])
            // Both programs in one go: most of what they are made of is the same.
            .args(["--locked", "--package", "aicockpit-desktop", "--package", "aicockpit-cli"])
            .show()
    })?;
    let package = newest()?;
    steps.step("compression", || compress(&package))?;
    let size = std::fs::metadata(&package)?.len();
    println!("{}: {:.1} MB", package.display(), size as f64 / 1e6);
    if arguments.no_install {
        return Ok(());
    }
    if !shell::is_root() {
        println!("install it with `sudo apt install {}`", package.display());
        return Ok(());
    }
    steps.step("install and start", || install(&package))
}

/// Packs the package anew as Debian packs its own: the packager knows gzip alone, which makes it half as large again.
fn compress(package: &Path) -> anyhow::Result<()> {
    let folder = paths::target().join("xtask/deb");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let run = || shell::run("dpkg-deb");
    run().args(["--raw-extract"]).args([package.as_os_str(), folder.as_os_str()]).show()?;
    run()
        .args(["--root-owner-group", "-Zxz", "--build"])
        .args([folder.as_os_str(), package.as_os_str()])
        .show()
}

fn newest() -> anyhow::Result<PathBuf> {
    let folder = paths::target().join("release/bundle/deb");
    let mut packages: Vec<_> = std::fs::read_dir(&folder)
        .with_context(|| format!("no package in {}", folder.display()))?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
        .collect();
    packages.sort();
    packages.pop().map(|(_, path)| path).with_context(|| format!("no package in {}", folder.display()))
}

fn install(package: &Path) -> anyhow::Result<()> {
    shell::run("apt-get")
        .args(["install", "-y", "-q", "--no-install-recommends", "--reinstall"])
        .args([package.as_os_str()])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .show()?;
    for file in [
        "/usr/bin/aicockpit",
        "/usr/bin/aicockpit-desktop",
        "/usr/lib/aicockpit/agent-x86_64",
        "/usr/share/aicockpit/ui/index.html",
    ] {
        if !Path::new(file).is_file() {
            bail!("the package does not hold {file}");
        }
    }
    let version = shell::run("/usr/bin/aicockpit").args(["--version"]).output()?;
    println!("installed: {}", version.trim());
    shell::run("/usr/bin/aicockpit").args(["doctor"]).show()
}
