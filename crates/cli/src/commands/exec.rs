//! `exec`.

use super::variables;
use crate::arguments::Exec;
use crate::{find, output};
use aicockpit_cockpit::socket::{Client, StreamSender};
use aicockpit_protocol::api::{In, ProcessExec, StreamEnd};
use aicockpit_protocol::process::{self, ExecFrame};
use aicockpit_protocol::{ApiError, BytePath, ErrorCode};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use tokio::io::AsyncReadExt;

/// Largest piece of standard input sent at once, in bytes.
const PIECE: usize = 32 * 1024;

pub(crate) async fn run(client: &Client, exec: Exec) -> anyhow::Result<ExitCode> {
    let workspace = find::workspace(client, &exec.workspace).await?;
    let args = process::Exec {
        command: exec.command,
        directory: exec.directory.map(|directory| BytePath::new(directory.as_bytes())),
        env: variables(&exec.env)?,
    };
    let opened = client.call::<ProcessExec>(In { workspace: workspace.id, args }).await?;
    let mut stream = client.stream(opened.stream);
    let input = tokio::spawn(send_input(stream.sender()));
    let mut status = None;
    while let Some(frame) = stream.next().await {
        match frame.split_first() {
            Some((&kind, bytes)) if kind == ExecFrame::Data as u8 => output::write(bytes)?,
            Some((&kind, bytes)) if kind == ExecFrame::Stderr as u8 => {
                let _ = std::io::stderr().lock().write_all(bytes);
            }
            Some((&kind, bytes)) if kind == ExecFrame::Exit as u8 => {
                status = bytes.try_into().ok().map(i32::from_le_bytes);
            }
            Some((_, reason)) => {
                let reason = String::from_utf8_lossy(reason).into_owned();
                let error =
                    ApiError::new(ErrorCode::NotFound, "The program could not be started.").detail(reason);
                return Err(error.into());
            }
            None => {}
        }
    }
    input.abort();
    match (status, stream.end()) {
        (Some(status), _) => Ok(ExitCode::from(u8::try_from(status & 0xFF).unwrap_or(1))),
        (None, Some(StreamEnd::Failed { error })) => Err(error.clone().into()),
        (None, _) => {
            Err(ApiError::new(ErrorCode::AgentUnavailable, "The program's end is not known.").into())
        }
    }
}

/// Standard input, as far as the program reads it.
async fn send_input(program: StreamSender) {
    let mut stdin = tokio::io::stdin();
    let mut frame = vec![0; PIECE + 1];
    frame[0] = ExecFrame::Data as u8;
    loop {
        // An end or an error is an empty frame, which closes the program's input.
        let count = stdin.read(&mut frame[1..]).await.unwrap_or(0);
        if program.send_whole(&frame[..=count]).await.is_err() || count == 0 {
            return;
        }
    }
}
