//! What a case works with.

use crate::{
    ContainerDetails, ContainerSpec, ContainerState, Engine, EngineError, ExecExit, ExecSpec, NetworkSpec,
    Subnet,
};
use aicockpit_protocol::ContainerId;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The label that everything made by the suite carries; its value is the case's prefix.
const LABEL: &str = "dev.aicockpit.conformance";
/// How long a state is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a case ended well.
pub(super) enum Verdict {
    Passed,
    /// The engine says that it lacks the ability.
    Declined(String),
}

/// Why a case failed.
#[derive(Debug)]
pub(super) struct Failure(pub(super) String);

pub(super) type Outcome = Result<Verdict, Failure>;

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Fails the case unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::conformance::case::Failure(format!($($message)+)));
        }
    };
}

/// Fails the case unless the two are equal.
macro_rules! ensure_eq {
    ($found:expr, $expected:expr, $($message:tt)+) => {{
        let (found, expected) = (&$found, &$expected);
        if found != expected {
            let what = format!($($message)+);
            return Err($crate::conformance::case::Failure(format!("{what}: {found:?}, expected {expected:?}")));
        }
    }};
}

/// Fails the case unless the call failed in the given way.
macro_rules! ensure_error {
    ($call:expr, $kind:pat) => {
        match $call {
            Err($kind) => {}
            Err(other) => {
                return Err($crate::conformance::case::Failure(format!(
                    "failed with {other:?}, expected {}",
                    stringify!($kind)
                )));
            }
            Ok(_) => {
                return Err($crate::conformance::case::Failure(format!(
                    "succeeded, expected {}",
                    stringify!($kind)
                )));
            }
        }
    };
}

pub(super) use {ensure, ensure_eq, ensure_error};

/// What a program gave.
pub(super) struct Output {
    pub(super) exit: ExecExit,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// One case's engine, image and names.
pub(super) struct Case {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) image: String,
    prefix: String,
}

impl Case {
    pub(super) fn new(engine: Arc<dyn Engine>, image: String, prefix: String) -> Self {
        Self { engine, image, prefix }
    }

    /// A name of this case's own.
    pub(super) fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.prefix)
    }

    /// An image reference of this case's own.
    pub(super) fn reference(&self, what: &str) -> String {
        format!("localhost/{}-{what}:test", self.prefix)
    }

    pub(super) fn labels(&self) -> Vec<(String, String)> {
        vec![(LABEL.to_owned(), self.prefix.clone())]
    }

    pub(super) fn label(&self) -> (&str, &str) {
        (LABEL, &self.prefix)
    }

    /// A container that runs `command` and has nothing else.
    pub(super) fn spec(&self, what: &str, command: &[&str]) -> ContainerSpec {
        ContainerSpec {
            name: self.name(what),
            image: self.image.clone(),
            entrypoint: Some(command.iter().map(|part| (*part).to_owned()).collect()),
            labels: self.labels(),
            ..ContainerSpec::default()
        }
    }

    /// A container that does nothing.
    pub(super) fn idle(&self, what: &str) -> ContainerSpec {
        self.spec(what, &["sleep", "600"])
    }

    pub(super) async fn start(&self, spec: &ContainerSpec) -> Result<ContainerId, Failure> {
        let id = self.engine.create_container(spec).await?;
        self.engine.start_container(&id).await?;
        Ok(id)
    }

    /// Runs a program with `input` to its end.
    pub(super) async fn run(
        &self,
        id: &ContainerId,
        spec: ExecSpec,
        input: Vec<u8>,
    ) -> Result<Output, Failure> {
        let mut stream = self.engine.exec(id, &spec).await?;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let write = async {
            // A program may end before it has read everything; its exit status tells.
            let _ = stream.stdin.write_all(&input).await;
            let _ = stream.stdin.shutdown().await;
        };
        let (read_out, read_err, ()) = tokio::join!(
            stream.stdout.read_to_end(&mut stdout),
            stream.stderr.read_to_end(&mut stderr),
            write
        );
        read_out?;
        read_err?;
        Ok(Output { exit: stream.exit.await?, stdout, stderr })
    }

    /// Runs a shell script that must succeed, and gives its output without the last line end.
    pub(super) async fn shell(&self, id: &ContainerId, script: &str) -> Result<String, Failure> {
        let output = self.run(id, command(&["sh", "-c", script]), Vec::new()).await?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.exit == ExecExit::Exited(0), "`{script}` ended with {:?}: {stderr}", output.exit);
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// Waits until the container is in `state`.
    pub(super) async fn wait_for(
        &self,
        id: &ContainerId,
        state: ContainerState,
    ) -> Result<ContainerDetails, Failure> {
        let begun = Instant::now();
        loop {
            let details = self.engine.inspect_container(id).await?;
            if details.state == state {
                return Ok(details);
            }
            ensure!(begun.elapsed() < PATIENCE, "still {:?}, expected {state:?}", details.state);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Tries until it succeeds, and gives the last failure when it does not in time.
    pub(super) async fn eventually<T>(
        &self,
        mut attempt: impl AsyncFnMut() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let begun = Instant::now();
        loop {
            match attempt().await {
                Ok(value) => return Ok(value),
                Err(failure) if begun.elapsed() > PATIENCE => return Err(failure),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// A network of this case's own, in a range that no other network of the engine uses.
    pub(super) async fn network(&self, what: &str) -> Result<NetworkSpec, Failure> {
        let taken: Vec<Subnet> =
            self.engine.list_networks().await?.into_iter().flat_map(|network| network.subnets).collect();
        for number in 0..=255 {
            let subnet = Subnet { address: Ipv4Addr::new(10, 213, number, 0), prefix: 28 };
            let spec = NetworkSpec { name: self.name(what), subnet: Some(subnet), labels: self.labels() };
            if taken.iter().any(|other| subnet.overlaps(*other)) {
                continue;
            }
            match self.engine.create_network(&spec).await {
                Ok(()) => return Ok(spec),
                // Used by something that is not this engine's.
                Err(EngineError::SubnetInUse(_)) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(Failure("no free range for a network".to_owned()))
    }

    /// Podman lists the steps of a failed build as images without a name; the label tells whose they are.
    async fn sweep_nameless(&self, id: &str) -> crate::Result<()> {
        let (key, value) = self.label();
        match self.engine.inspect_image(id).await {
            Ok(image) if image.labels.iter().any(|label| (&*label.0, &*label.1) == (key, value)) => {
                self.engine.remove_image(id).await
            }
            // Gone meanwhile, or somebody else's.
            Ok(_) | Err(EngineError::ImageNotFound(_)) => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// Removes everything that this case made.
    pub(super) async fn sweep(&self) -> crate::Result<()> {
        let labels = [self.label()];
        for container in self.engine.list_containers(&labels).await? {
            self.engine.remove_container(&container.id).await?;
        }
        for volume in self.engine.list_volumes(&labels).await? {
            self.engine.remove_volume(&volume).await?;
        }
        let own = format!("{}-", self.prefix);
        for network in self.engine.list_networks().await? {
            if network.name.starts_with(&own) {
                self.engine.remove_network(&network.name).await?;
            }
        }
        if !self.engine.capabilities().images {
            return Ok(());
        }
        for image in self.engine.list_images().await? {
            for reference in image.references.iter().filter(|reference| reference.contains(&own)) {
                self.engine.remove_image(reference).await?;
            }
            if image.references.is_empty() {
                self.sweep_nameless(&image.id.0).await?;
            }
        }
        Ok(())
    }
}

/// A program with its arguments.
pub(super) fn command(parts: &[&str]) -> ExecSpec {
    ExecSpec { command: parts.iter().map(|part| (*part).to_owned()).collect(), ..ExecSpec::default() }
}

/// Declines a case for want of an ability.
pub(super) fn declined(ability: &str) -> Outcome {
    Ok(Verdict::Declined(format!("the engine reports no {ability} here")))
}
