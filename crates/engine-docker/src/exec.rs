//! A byte stream to a program in a container.

use crate::DockerEngine;
use crate::error::engine_error;
use aicockpit_engine::{ByteStream, EngineError, ExecExit, ExecSpec, LogChunk, Result, check_name};
use aicockpit_protocol::ContainerId;
use bollard::Docker;
use bollard::container::LogOutput;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use futures::{FutureExt, StreamExt};
use std::io;
use std::time::Duration;

/// Buffer for output: several of Docker's 32 KiB frames at once.
const OUTPUT_CAPACITY: usize = 256 * 1024;
/// The engine notes a program's end a moment after its output ended: how often and how long it is asked.
const EXIT_POLLS: u32 = 50;
const EXIT_POLL_PAUSE: Duration = Duration::from_millis(10);

impl DockerEngine {
    pub(crate) async fn run_exec(&self, id: &ContainerId, spec: &ExecSpec) -> Result<ByteStream> {
        let container = check_name(id.as_str())?;
        let client = self.client().await?;
        let config = ExecConfig {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            // With a terminal bollard takes output for frame headers; terminals are the agent's work.
            tty: Some(false),
            cmd: Some(spec.command.clone()),
            user: spec.user.clone(),
            env: Some(spec.env.iter().map(|(key, value)| format!("{key}={value}")).collect()),
            working_dir: spec.working_directory.clone(),
            ..ExecConfig::default()
        };
        let exec = client.create_exec(container, config).await.map_err(engine_error)?.id;
        let options = StartExecOptions { detach: false, tty: false, output_capacity: Some(OUTPUT_CAPACITY) };
        match client.start_exec(&exec, Some(options)).await.map_err(engine_error)? {
            StartExecResults::Attached { output, input } => {
                let frames = output.map(|frame| frame.map(chunk).map_err(io::Error::other));
                Ok(ByteStream::from_frames(input, frames, exit(client, exec).boxed()))
            }
            StartExecResults::Detached => {
                Err(EngineError::Engine("the program runs, but without its streams".to_owned()))
            }
        }
    }
}

/// One piece of output, with where it came from.
pub(crate) fn chunk(output: LogOutput) -> LogChunk {
    let stderr = matches!(output, LogOutput::StdErr { .. });
    LogChunk { stderr, bytes: output.into_bytes() }
}

async fn exit(client: Docker, exec: String) -> Result<ExecExit> {
    for _ in 0..EXIT_POLLS {
        match client.inspect_exec(&exec).await.map_err(engine_error) {
            Ok(answer) if answer.running == Some(false) => {
                return Ok(answer.exit_code.map_or(ExecExit::Unknown, ExecExit::Exited));
            }
            Ok(_) => tokio::time::sleep(EXIT_POLL_PAUSE).await,
            Err(EngineError::NotFound(_)) => return Ok(ExecExit::Unknown),
            Err(error) => return Err(error),
        }
    }
    Ok(ExecExit::StillRunning)
}
