//! Engines for the product and the tests: found, or started where this process may.

mod images;
mod podman;

pub(crate) use images::{DEBIAN, base_image, base_reference, debian_image, hand_on};
pub(crate) use podman::{podman, rootless_podman};

use crate::paths;
use crate::shell::{self, Run};
use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// How long a started engine may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long an engine that was asked to end may take.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Engines that this process started. Dropping it stops them, unless [`Started::keep`] was called.
#[derive(Default)]
pub(crate) struct Started {
    children: Vec<(&'static str, Child)>,
}

impl Started {
    /// Lets them run on.
    pub(crate) fn keep(mut self) {
        self.children.clear();
    }

    /// Starts a program that outlives a Ctrl-C meant for us, its process id beside its log, and waits until `answers`.
    fn start(&mut self, name: &'static str, run: Run, answers: impl Fn() -> bool) -> anyhow::Result<()> {
        let log = log_file(name)?;
        println!("starting {name}, log in {}", log.display());
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let errors = file.try_clone().context("cannot share a log")?;
        // Podman's conmon leaves an empty file where it was started when a container runs out of memory.
        let mut command = run.dir("/").command();
        command.stdin(Stdio::null()).stdout(file).stderr(errors).process_group(0);
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        std::fs::write(log.with_extension("pid"), child.id().to_string())
            .with_context(|| format!("cannot write the process id of {name}"))?;
        let answered = until(START_LIMIT, || answers() || ended(&mut child));
        let gone = ended(&mut child);
        self.children.push((name, child));
        if answered.is_err() || gone {
            bail!("{name} did not start; see {}", log.display());
        }
        Ok(())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        for (name, mut child) in self.children.drain(..).rev() {
            println!("stopping {name}");
            let Ok(pid) = i32::try_from(child.id()) else { continue };
            // Only fails where it has ended already.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            if until(STOP_LIMIT, || matches!(child.try_wait(), Ok(Some(_)))).is_err() {
                println!("{name} did not end within {STOP_LIMIT:?}; its process is {pid}");
            }
        }
    }
}

/// Makes sure that Docker answers, starting it as root.
pub(crate) fn docker(started: &mut Started) -> anyhow::Result<()> {
    if docker_answers() {
        println!("Docker: {}", docker_version()?);
        return Ok(());
    }
    let Some(dockerd) = shell::which("dockerd") else {
        bail!("Docker is not installed: `sudo apt-get install docker.io`, or install Podman");
    };
    if !shell::is_root() {
        bail!(
            "Docker does not answer. Start it with `sudo systemctl start docker`; where it runs and is not permitted, \
             add yourself to its group with `sudo usermod -aG docker $USER` and sign in again"
        );
    }
    started.start("dockerd", shell::run(dockerd), docker_answers)?;
    println!("Docker: {}", docker_version()?);
    Ok(())
}

fn docker_answers() -> bool {
    shell::run("docker").args(["version", "--format", "{{.Server.Version}}"]).succeeds()
}

fn docker_version() -> anyhow::Result<String> {
    let version = shell::run("docker").args([
        "version",
        "--format",
        "{{.Server.Version}} (API {{.Server.APIVersion}})",
    ]);
    Ok(version.output()?.trim().to_owned())
}

fn log_file(name: &str) -> anyhow::Result<PathBuf> {
    let folder = paths::cache().join("engines");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder.join(format!("{name}.log")))
}

/// Whether a child has ended.
pub(crate) fn ended(child: &mut Child) -> bool {
    matches!(child.try_wait(), Ok(Some(_)) | Err(_))
}

/// Polls until `ready`, at most `limit`.
pub(crate) fn until(limit: Duration, mut ready: impl FnMut() -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + limit;
    while !ready() {
        if Instant::now() > deadline {
            bail!("not ready after {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
