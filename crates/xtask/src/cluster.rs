//! A real Kubernetes cluster of one node, for the tests: `cargo xtask cluster up|down|status`.
//!
//! **Invariant:** everything it writes lies below [`folder`], everything it starts has its process id there, and `down`
//! leaves nothing of it on the machine but the binary and the images. Where `KUBECONFIG` is set, that cluster is meant,
//! and nothing is started or changed.

mod build;
mod certificates;
mod clean;
mod configuration;
mod images;
mod metrics;
mod network;
mod parts;
mod process;
mod storage;

pub(crate) use build::go;

use crate::{paths, shell};
use anyhow::{Context as _, bail};
use process::State;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a part may take until it answers. The first start of all of them at once is slow on two cores.
const START_LIMIT: Duration = Duration::from_secs(120);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Starts what does not run yet, and leaves it running.
    Up,
    /// Stops everything and removes what it left on the machine; the binary and the images are kept.
    Down,
    /// Says what runs, and where the kubeconfig is.
    Status,
}

/// Runs one of the commands.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Up => {
            crate::packages::install(&[crate::packages::Purpose::Cluster], true)?;
            let cluster = up()?;
            println!("\nexport KUBECONFIG={}", cluster.kubeconfig.display());
            cluster.keep();
            Ok(())
        }
        Command::Down => down(),
        Command::Status => status(),
    }
}

/// The cluster that tests use. What was started for it ends when this is dropped, unless it is kept.
pub(crate) struct Cluster {
    kubeconfig: PathBuf,
    ours: bool,
}

impl Cluster {
    /// Lets it run on.
    pub(crate) fn keep(mut self) {
        self.ours = false;
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = down()
        {
            println!("{error:#}");
        }
    }
}

/// The cluster for tests, where this process may have one: without root and without `KUBECONFIG` there is none.
pub(crate) fn for_tests() -> anyhow::Result<Option<Cluster>> {
    if given().is_none() && !shell::is_root() {
        println!(
            "no cluster: one of our own needs root, and KUBECONFIG names no other; its tests are left out"
        );
        return Ok(None);
    }
    up().map(Some)
}

/// Makes sure that a cluster answers: the one of `KUBECONFIG`, otherwise our own.
pub(crate) fn up() -> anyhow::Result<Cluster> {
    if let Some(kubeconfig) = given() {
        println!("KUBECONFIG is set: using {}", kubeconfig.display());
        return Ok(Cluster { kubeconfig, ours: false });
    }
    if !shell::is_root() {
        bail!(
            "a cluster of our own needs root: repeat as root, or set KUBECONFIG to a cluster that is there"
        );
    }
    let binary = build::binary()?;
    let ours = process::none_runs(parts::NAMES);
    if ours {
        // What a crash or a restart of the machine left.
        clean::leftovers()?;
    }
    prepare()?;
    start(&binary)?;
    Ok(Cluster { kubeconfig: kubeconfig(), ours })
}

/// An administrator's kubeconfig of the cluster that tests use; absent where there is none.
pub(crate) fn kubeconfig_of_tests() -> Option<PathBuf> {
    given().or_else(|| process::all_run(parts::NAMES).then(kubeconfig))
}

/// Tells tests of the cluster, where there is one: an administrator's kubeconfig, and a kubectl.
pub(crate) fn tell(run: shell::Run) -> shell::Run {
    let Some(kubeconfig) = kubeconfig_of_tests() else { return run };
    let run = run.env("AICOCKPIT_TEST_KUBECONFIG", kubeconfig);
    match Some(build::kubectl()).filter(|path| path.exists()).or_else(|| shell::which("kubectl")) {
        Some(kubectl) => run.env("AICOCKPIT_TEST_KUBECTL", kubectl),
        None => run,
    }
}

fn prepare() -> anyhow::Result<()> {
    for folder in [run_folder(), volumes(), images_folder()] {
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    certificates::write()?;
    configuration::write()?;
    network::bridge()
}

fn start(binary: &Path) -> anyhow::Result<()> {
    for part in parts::parts(binary) {
        process::start(&part)?;
        match part.name {
            // What a pod needs must be there before the node takes one.
            "containerd" => images::load()?,
            "kube-apiserver" => {
                storage::class()?;
                metrics::permit()?;
            }
            "metrics-server" => metrics::register()?,
            _ => {}
        }
    }
    parts::wait_for_node()?;
    metrics::wait_for_api()
}

/// Stops everything and cleans up.
fn down() -> anyhow::Result<()> {
    if let Some(kubeconfig) = given() {
        println!("KUBECONFIG is set: leaving the cluster of {} alone", kubeconfig.display());
        return Ok(());
    }
    if !run_folder().exists() {
        println!("cluster: not there");
        return Ok(());
    }
    for name in parts::NAMES.iter().rev().filter(|name| **name != "containerd") {
        process::stop(name)?;
    }
    images::remove_containers();
    process::stop("containerd")?;
    clean::machine()?;
    println!("cluster: stopped, {} removed", run_folder().display());
    Ok(())
}

fn status() -> anyhow::Result<()> {
    if let Some(kubeconfig) = given() {
        println!("KUBECONFIG is set: {}", kubeconfig.display());
        return Ok(());
    }
    let mut runs = true;
    for name in parts::NAMES {
        let state = process::state(name);
        runs &= matches!(state, State::Runs(_));
        println!("{name:24} {state}");
    }
    println!("{:24} {}", "logs", run_folder().display());
    println!("{:24} {}", "kubeconfig", kubeconfig().display());
    if !runs {
        bail!("the cluster does not run as a whole: `cargo xtask cluster up` starts what is missing");
    }
    Ok(())
}

fn given() -> Option<PathBuf> {
    std::env::var_os("KUBECONFIG").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Where the binary, the images and what runs are kept.
fn folder() -> PathBuf {
    paths::cache().join("cluster")
}

/// What is there only while the cluster runs: keys, data, logs, process ids, command lines.
fn run_folder() -> PathBuf {
    folder().join("run")
}

/// containerd's own, kept between runs for its images.
fn images_folder() -> PathBuf {
    folder().join("images")
}

/// The folders behind persistent volumes.
fn volumes() -> PathBuf {
    run_folder().join("volumes")
}

/// The administrator's kubeconfig.
fn kubeconfig() -> PathBuf {
    run_folder().join("admin.kubeconfig")
}
