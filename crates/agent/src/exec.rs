//! A program without a terminal: its three pipes travel over one stream.

use crate::models::Models;
use aicockpit_link::{LinkError, LinkStream, read_frame, write_frame};
use aicockpit_protocol::process::{Exec, ExecFrame};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

/// Bytes of output in one frame, at most.
const FRAME_LEN: usize = 64 * 1024;
/// Longest frame of input.
const MAX_INPUT_LEN: usize = 1024 * 1024 + 1;
/// How long output is still read after the program has ended, where others hold its pipes.
const BACKGROUND_TIME: Duration = Duration::from_millis(300);

/// Runs a program until it has ended. Where the client lets go before, its whole process group is killed.
///
/// # Errors
/// Where the client breaks the protocol or the link ends.
pub(crate) async fn serve(
    exec: Exec,
    folder: &Path,
    models: &Models,
    stream: LinkStream,
) -> Result<(), LinkError> {
    let (input, mut output) = tokio::io::split(stream);
    let mut child = match start(&exec, folder, models) {
        Ok(child) => child,
        Err(reason) => {
            write_frame(&mut output, &frame(ExecFrame::Failed, reason.as_bytes())).await?;
            return finish(output).await;
        }
    };
    let mut group = Group(child.id());
    let stdin = child.stdin.take();
    // One place writes frames; the pipes wait for it.
    let (frames, mut written) = mpsc::channel::<Vec<u8>>(2);
    let stdout = pass_on(child.stdout.take(), ExecFrame::Data, frames.clone());
    let stderr = pass_on(child.stderr.take(), ExecFrame::Stderr, frames.clone());
    let run = async {
        let pipes = async { tokio::join!(stdout, stderr) };
        tokio::pin!(pipes);
        let mut drained = false;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status.map_or(-1, code),
                _ = &mut pipes, if !drained => drained = true,
            }
        };
        if !drained {
            // What it left running in the background may hold the pipes for ever.
            let _ = tokio::time::timeout(BACKGROUND_TIME, pipes).await;
        }
        // The receiver is gone only where the link is.
        let _ = frames.send(frame(ExecFrame::Exit, &status.to_le_bytes())).await;
        std::future::pending::<()>().await;
    };
    let send = async {
        while let Some(frame) = written.recv().await {
            write_frame(&mut output, &frame).await?;
            if frame[0] == ExecFrame::Exit as u8 {
                return output.shutdown().await.map_err(LinkError::from);
            }
        }
        Ok(())
    };
    let result = tokio::select! {
        () = run => Ok(()),
        sent = send => sent,
        error = feed(input, stdin) => Err(error),
    };
    if result.is_ok() {
        group.0 = None;
    }
    result
}

async fn finish(mut output: WriteHalf<LinkStream>) -> Result<(), LinkError> {
    output.shutdown().await?;
    Ok(())
}

fn start(exec: &Exec, folder: &Path, models: &Models) -> Result<Child, String> {
    let (program, arguments) = exec.command.split_first().ok_or("no program was named")?;
    let directory = exec.directory.as_ref().map_or(folder, |directory| directory.as_path());
    let directory = if exec.directory.is_none() && !directory.is_dir() { Path::new("/") } else { directory };
    let mut env: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    env.extend(exec.env.iter().map(|(name, value)| (name.into(), value.into())));
    env.insert("AICOCKPIT".into(), "1".into());
    models.tell(&mut env);
    Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .envs(env)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| match directory.is_dir() {
            true if error.raw_os_error() == Some(nix::libc::EAGAIN) => {
                format!("{program} cannot be started: the workspace has as many processes as it may")
            }
            true => format!("{program} cannot be started: {error}"),
            false => format!("{} is not a directory one can work in", directory.display()),
        })
}

/// A program's process group, killed when dropped: nothing that it started outlives it holding the pipes.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0.and_then(|id| i32::try_from(id).ok()) {
            // An empty group is no fault.
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }
}

async fn pass_on(pipe: Option<impl AsyncRead + Unpin>, kind: ExecFrame, frames: mpsc::Sender<Vec<u8>>) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; FRAME_LEN];
    while let Ok(count) = pipe.read(&mut buffer).await {
        if count == 0 || frames.send(frame(kind, &buffer[..count])).await.is_err() {
            break;
        }
    }
}

/// Writes the client's input to the program. Returns only where the client lets go.
async fn feed(mut input: ReadHalf<LinkStream>, mut stdin: Option<ChildStdin>) -> LinkError {
    loop {
        match read_frame(&mut input, MAX_INPUT_LEN).await {
            Ok(Some(frame)) => match frame.split_first() {
                Some((&kind, bytes)) if kind == ExecFrame::Data as u8 => {
                    let Some(pipe) = &mut stdin else { continue };
                    // A program that does not read its input is no fault.
                    if bytes.is_empty() || pipe.write_all(bytes).await.is_err() {
                        stdin = None;
                    }
                }
                _ => return LinkError::Protocol("an exec frame of an unknown kind".to_owned()),
            },
            // The client has no more input, but waits for the output.
            Ok(None) => {
                drop(stdin.take());
                std::future::pending::<()>().await;
            }
            Err(error) => return error,
        }
    }
}

fn frame(kind: ExecFrame, bytes: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(1 + bytes.len());
    frame.push(kind as u8);
    frame.extend_from_slice(bytes);
    frame
}

fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}
