//! Bringing the product's program into pods.
//!
//! A pod's init container waits until the program is there. Where the settings name an image that carries it that
//! container brings it itself; else it comes from here, through the API, whenever such a pod is seen waiting: after a
//! start that a person asked for, and after one that the cluster made by itself.

use crate::KubernetesEngine;
use crate::names::{AGENT, MAIN, PROGRAM};
use crate::pod::program_path;
use aicockpit_engine::{EngineError, ExecExit, Program, Result};
use aicockpit_protocol::ContainerId;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Takes `$2` bytes for the program `$1`, by way of `$3`. Counts them: a connection that is cut ends the input, too.
const TAKE: &str =
    "head -c \"$2\" >\"$3\" && [ \"$(wc -c <\"$3\")\" -eq \"$2\" ] && chmod 755 \"$3\" && mv \"$3\" \"$1\"";
/// Tries: an init container that has just begun may not take a program yet.
const TRIES: u32 = 5;
/// Wait between them.
const WAIT: Duration = Duration::from_millis(200);
/// Time for one try, on a slow way.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);
/// Bytes of a failed program's words that are kept.
const MAX_WORDS: u64 = 2048;

/// Pods that are being brought the program now, by uid.
#[derive(Default)]
pub(crate) struct Deliveries(Mutex<HashSet<String>>);

/// One of them; it ends with this.
struct UnderWay<'a> {
    all: &'a Deliveries,
    pod: String,
}

impl Deliveries {
    fn begin(&self, pod: &Pod) -> Option<UnderWay<'_>> {
        let pod = pod.uid().unwrap_or_default();
        let is_new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(pod.clone());
        is_new.then(|| UnderWay { all: self, pod })
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.pod);
    }
}

impl KubernetesEngine {
    /// Brings the program to a pod that waits for it. Nothing is done where that is under way already.
    pub(crate) async fn deliver(&self, pod: &Pod) -> Result<()> {
        if self.settings().agent_image.is_some_and(|image| !image.is_empty()) {
            return Ok(());
        }
        let Some(_under_way) = self.shared.deliveries.begin(pod) else { return Ok(()) };
        let (Some(program), Some(path)) = (&self.surroundings.program, pod.annotations().get(PROGRAM)) else {
            return Err(EngineError::Unsupported(format!(
                "there is no program for the pod {}",
                pod.name_any()
            )));
        };
        let part = format!("{path}.part");
        let length = program.len.to_string();
        let command = ["sh", "-c", TAKE, "sh", path, &length, &part].map(str::to_owned);
        let mut tries = 1;
        loop {
            match self.send_in_time(pod, AGENT, &command, program).await {
                Ok(()) => return Ok(()),
                Err(error) if tries == TRIES => return Err(error),
                Err(error) => {
                    tracing::info!(pod = %pod.name_any(), %error, "trying again to bring the program")
                }
            }
            tries += 1;
            tokio::time::sleep(WAIT).await;
            // The init container may have its program by now, from another cockpit.
            let now =
                self.api::<Pod>().await?.get(&pod.name_any()).await.map_err(crate::error::engine_error)?;
            if crate::state::of_pod(&now) != crate::state::PodState::NeedsProgram {
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
