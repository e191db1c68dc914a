//! A byte stream to a program in a container.

use crate::error::within;
use crate::frames::FrameDecoder;
use crate::wire::Call;
use crate::{ORDINARY, PodmanEngine};
use aicockpit_engine::{ByteStream, EngineError, ExecExit, ExecSpec, Result, check_name};
use aicockpit_protocol::ContainerId;
use futures::FutureExt;
use podman_api::Podman;
use serde_json::json;
use std::time::Duration;
use tokio_util::codec::FramedRead;

/// Buffer for output: many of Podman's frames at once.
const OUTPUT_CAPACITY: usize = 256 * 1024;
/// The engine notes a program's end a moment after its output ended: how often and how long it is asked.
const EXIT_POLLS: u32 = 50;
const EXIT_POLL_PAUSE: Duration = Duration::from_millis(10);

impl PodmanEngine {
    pub(crate) async fn run_exec(&self, id: &ContainerId, spec: &ExecSpec) -> Result<ByteStream> {
        let container = check_name(id.as_str())?;
        let env: Vec<String> = spec.env.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let mut body = json!({
            "AttachStdin": true,
            "AttachStdout": true,
            "AttachStderr": true,
            "Tty": false,
            "Cmd": spec.command,
            "Env": env,
        });
        if let Some(user) = &spec.user {
            body["User"] = json!(user);
        }
        if let Some(folder) = &spec.working_directory {
            body["WorkingDir"] = json!(folder);
        }
        let made = self.value(Call::post(format!("/containers/{container}/exec")).json(&body)).await?;
        let exec = made["Id"].as_str().unwrap_or_default().to_owned();
        let start = Call::post(format!("/exec/{}/start", check_name(&exec)?));
        let stream = self.upgrade(start.json(&json!({ "Detach": false, "Tty": false }))).await?;
        let (output, input) = tokio::io::split(stream);
        let frames = FramedRead::with_capacity(output, FrameDecoder::default(), OUTPUT_CAPACITY);
        Ok(ByteStream::from_frames(input, frames, exit(self.api()?, exec).boxed()))
    }
}

async fn exit(api: Podman, exec: String) -> Result<ExecExit> {
    for _ in 0..EXIT_POLLS {
        match within(ORDINARY, api.execs().get(exec.as_str()).inspect()).await {
            Ok(answer) if answer["Running"] == false => {
                return Ok(answer["ExitCode"].as_i64().map_or(ExecExit::Unknown, ExecExit::Exited));
            }
            Ok(_) => tokio::time::sleep(EXIT_POLL_PAUSE).await,
            Err(EngineError::NotFound(_)) => return Ok(ExecExit::Unknown),
            Err(error) => return Err(error),
        }
    }
    Ok(ExecExit::StillRunning)
}
