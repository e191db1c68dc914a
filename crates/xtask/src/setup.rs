//! What the machine needs.

use crate::cluster::{self, Cluster};
use crate::packages::{self, Purpose};
use crate::steps::Steps;
use crate::{engines, models, shell, tools, ui};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Also what the tests need: both engines, a cluster, a browser, a display, tools.
    #[arg(long)]
    tests: bool,
    /// Leave the desktop window out.
    #[arg(long)]
    headless: bool,
    /// Install missing system packages without asking.
    #[arg(long, short)]
    yes: bool,
}

/// Sets up and leaves the engines running.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut steps = Steps::default();
    if arguments.tests {
        for_tests(&mut steps, Need::Cluster)?.keep();
        return Ok(());
    }
    for_running(&mut steps, !arguments.headless, arguments.yes)?.keep();
    Ok(())
}

/// What building and running takes.
pub(crate) fn for_running(steps: &mut Steps, desktop: bool, yes: bool) -> anyhow::Result<engines::Started> {
    steps.step("system packages", || {
        let mut purposes = vec![Purpose::Build];
        if desktop {
            purposes.push(Purpose::Desktop);
        }
        if !has_engine() {
            purposes.push(Purpose::Engine);
        }
        packages::install(&purposes, yes)
    })?;
    let started = steps.step("engine", || {
        let mut started = engines::Started::default();
        // Whichever engine is there will do; the product itself says how to mend one that is not well.
        match engines::docker(&mut started) {
            Err(error) if shell::which("podman").is_some() => {
                println!("{error}\nPodman is there: going on with it")
            }
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        Ok(started)
    })?;
    steps.step("npm packages", || ui::packages("ui"))?;
    Ok(started)
}

/// What something is run against; each holds those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Need {
    Nothing,
    /// Docker and Podman, with the images that tests run.
    Engines,
    /// The cluster, whose node gets its images from Docker.
    Cluster,
}

/// What tests run against. Dropping it stops what was started for it; the cluster first, as it was started last.
pub(crate) struct Surroundings {
    cluster: Option<Cluster>,
    engines: engines::Started,
}

impl Surroundings {
    /// Lets everything run on.
    pub(crate) fn keep(self) {
        if let Some(cluster) = self.cluster {
            cluster.keep();
        }
        self.engines.keep();
    }
}

/// What the tests take, as far as it is needed.
pub(crate) fn for_tests(steps: &mut Steps, need: Need) -> anyhow::Result<Surroundings> {
    let mut surroundings = Surroundings { cluster: None, engines: engines::Started::default() };
    steps.step("system packages", || {
        let mut purposes = vec![Purpose::Build, Purpose::Desktop, Purpose::Tests];
        if need >= Need::Cluster {
            purposes.push(Purpose::Cluster);
        }
        packages::install(&purposes, true)
    })?;
    if need >= Need::Engines {
        steps.step("engines", || {
            engines::docker(&mut surroundings.engines)?;
            engines::podman(&mut surroundings.engines)
        })?;
        steps.step("Debian image", engines::debian_image)?;
        steps.step("base image", engines::base_image)?;
        steps.step("image of a model server", models::image::make)?;
    }
    if need >= Need::Cluster {
        surroundings.cluster = steps.step("cluster", cluster::for_tests)?;
    }
    steps.step("tools", tools::install)?;
    steps.step("npm packages", || {
        ui::packages("ui")?;
        ui::packages("tests/e2e")
    })?;
    Ok(surroundings)
}

fn has_engine() -> bool {
    std::env::var_os("DOCKER_HOST").is_some()
        || ["dockerd", "docker", "podman"].iter().any(|name| shell::which(name).is_some())
}
