//! Bringing the product's program into pods.
//!
//! A pod's init container waits until the program is there. Where the settings name an image that carries it that
//! container brings it itself; else it comes from here, through the API, whenever such a pod is seen waiting: after a
//! start that a person asked for, and after one that the cluster made by itself. The cluster tells a second late that
//! a container runs, so whoever waits for a start tries before it does.

use crate::KubernetesEngine;
use crate::error::found;
use crate::names::{AGENT, MAIN, PROGRAM};
use crate::placement::brings_itself;
use crate::pod::program_path;
use crate::state::{self, PodState};
use aicockpit_engine::{EngineError, ExecExit, Program, Result};
use aicockpit_protocol::ContainerId;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Takes `$2` bytes for the program `$1`, by way of `$3`. Counts them: a connection that is cut ends the input, too.
const TAKE: &str =
    "head -c \"$2\" >\"$3\" && [ \"$(wc -c <\"$3\")\" -eq \"$2\" ] && chmod 755 \"$3\" && mv \"$3\" \"$1\"";
/// Tries, once the cluster says that the init container runs: one that has just begun may not take a program yet.
const TRIES: u32 = 5;
/// Wait between tries at first, and at most: an image may take long to come.
const WAIT: Duration = Duration::from_millis(100);
const MAX_WAIT: Duration = Duration::from_secs(2);
/// Time for one try, on a slow way.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);
/// Bytes of a failed program's words that are kept.
const MAX_WORDS: u64 = 2048;
/// Pods that have their program and are remembered: the cluster may say for a moment that they still wait.
const REMEMBERED: usize = 256;

/// What is known of pods that wait for the program, by uid.
#[derive(Default)]
pub(crate) struct Deliveries(Mutex<Known>);

#[derive(Default)]
struct Known {
    under_way: HashSet<String>,
    done: VecDeque<String>,
}

/// A delivery that is under way; it ends with this.
struct UnderWay<'a> {
    all: &'a Deliveries,
    pod: String,
}

impl Deliveries {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing where one is under way or done.
    fn begin(&self, pod: &Pod) -> Option<UnderWay<'_>> {
        let pod = pod.uid().unwrap_or_default();
        let mut known = self.known();
        if known.done.contains(&pod) || !known.under_way.insert(pod.clone()) {
            return None;
        }
        Some(UnderWay { all: self, pod })
    }
}

impl UnderWay<'_> {
    fn done(self) {
        let mut known = self.all.known();
        known.done.truncate(REMEMBERED - 1);
        known.done.push_front(self.pod.clone());
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.all.known().under_way.remove(&self.pod);
    }
}

impl KubernetesEngine {
    /// Brings the program to a pod that waits for it, or will. Nothing is done where that is under way or done.
    pub(crate) async fn deliver(&self, pod: &Pod) -> Result<()> {
        // It may have been made under other settings.
        if brings_itself(pod) {
            return Ok(());
        }
        let Some(under_way) = self.shared.deliveries.begin(pod) else { return Ok(()) };
        let (Some(program), Some(path)) = (&self.surroundings.program, pod.annotations().get(PROGRAM)) else {
            return Err(EngineError::Unsupported(format!(
                "there is no program for the pod {}",
                pod.name_any()
            )));
        };
        let part = format!("{path}.part");
        let length = program.len.to_string();
        let command = ["sh", "-c", TAKE, "sh", path, &length, &part].map(str::to_owned);
        let (mut tries, mut wait) = (0, WAIT);
        let mut seen = state::of_pod(pod);
        loop {
            tries += u32::from(seen == PodState::NeedsProgram);
            match self.send_in_time(pod, AGENT, &command, program).await {
                Ok(()) => {
                    under_way.done();
                    return Ok(());
                }
                Err(error) if tries == TRIES => return Err(error),
                Err(error) => {
                    tracing::debug!(pod = %pod.name_any(), %error, "trying again to bring the program")
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 3 / 2).min(MAX_WAIT);
            let now = found(self.api::<Pod>().await?.get(&pod.name_any()).await)?;
            seen = match now.filter(|now| now.uid() == pod.uid()) {
                Some(now) => state::of_pod(&now),
                None => return Ok(()),
            };
            // It may have its program by now, from another cockpit, or be beyond help.
            if !matches!(seen, PodState::NeedsProgram | PodState::Starting(_)) {
                return Ok(());
            }
        }
    }

    /// Brings the program of now to a pod that was started with an older one, with that one's help: the image may hold
    /// nothing that could take a file.
    pub(crate) async fn refresh_program(&self, id: &ContainerId) -> Result<()> {
        let pod = self.running_pod(id).await?;
        let (Some(program), Some(older)) = (&self.surroundings.program, pod.annotations().get(PROGRAM))
        else {
            return Ok(());
        };
        let Some((folder, name)) = older.rsplit_once('/') else { return Ok(()) };
        if name == program.file_name {
            return Ok(());
        }
        let path = program_path(folder, &program.file_name);
        let command = [older.as_str(), "receive", &path, &program.len.to_string()].map(str::to_owned);
        self.send_in_time(&pod, MAIN, &command, program).await
    }

    async fn send_in_time(
        &self,
        pod: &Pod,
        container: &str,
        command: &[String],
        program: &Program,
    ) -> Result<()> {
        match tokio::time::timeout(TAKEN_WITHIN, self.send_program(pod, container, command, program)).await {
            Ok(sent) => sent,
            Err(_) => Err(EngineError::TimedOut(format!(
                "the pod {} did not take the program within {TAKEN_WITHIN:?}",
                pod.name_any()
            ))),
        }
    }

    async fn send_program(
        &self,
        pod: &Pod,
        container: &str,
        command: &[String],
        program: &Program,
    ) -> Result<()> {
        let mut file = tokio::fs::File::open(&program.path).await.map_err(|error| {
            EngineError::Unsupported(format!(
                "the program {} cannot be read: {error}",
                program.path.display()
            ))
        })?;
        let mut stream = self.exec_program(pod, container, command).await?;
        let (mut words, mut nothing) = (String::new(), String::new());
        let write = async {
            // A program that ends early says why.
            let _ = tokio::io::copy(&mut file, &mut stream.stdin).await;
            let _ = stream.stdin.flush().await;
        };
        let mut stderr = stream.stderr.take(MAX_WORDS);
        let (_, _, ()) = tokio::join!(
            stream.stdout.read_to_string(&mut nothing),
            stderr.read_to_string(&mut words),
            write
        );
        match stream.exit.await? {
            ExecExit::Exited(0) => Ok(()),
            ExecExit::Exited(status) => Err(EngineError::Engine(format!(
                "the pod {} did not take the program (status {status}): {}",
                pod.name_any(),
                words.trim()
            ))),
            ExecExit::StillRunning | ExecExit::Unknown => {
                Err(EngineError::Unavailable(format!("the way to the pod {} was cut", pod.name_any())))
            }
        }
    }
}
