//! `shell`: a workspace's terminal in this one.

use crate::arguments::OpenShell;
use crate::find;
use crate::output::{complain, write};
use crate::terminal::{RawMode, size};
use aicockpit_cockpit::socket::{Client, ClientStream};
use aicockpit_protocol::api::{
    Event, In, StreamEnd, TerminalAttach, TerminalClose, TerminalCreate, TerminalCreateAsRoot, TerminalList,
    TerminalResize, WorkspaceOpen, WorkspaceRef,
};
use aicockpit_protocol::terminal::{AttachTerminal, CloseTerminal, CreateTerminal, ResizeTerminal};
use aicockpit_protocol::{ApiError, ErrorCode, TerminalId, WorkspaceId};
use std::process::ExitCode;
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Ctrl-], which leaves the terminal running.
const DETACH: u8 = 0x1d;

/// How the stay in the terminal ended.
enum Left {
    Detached,
    Exited(i32),
    Closed,
}

pub(crate) async fn run(client: &Client, open: OpenShell) -> anyhow::Result<ExitCode> {
    let workspace = find::workspace(client, &open.workspace).await?;
    let id = workspace.id;
    client.call::<WorkspaceOpen>(WorkspaceRef { workspace: id.clone() }).await?;
    let raw = RawMode::enter()?;
    let events = client.events();
    let (columns, rows) = size();
    let terminal = match open.terminal {
        Some(number) => TerminalId(number),
        None => {
            let args = CreateTerminal { command: open.command, directory: None, columns, rows };
            let create = In { workspace: id.clone(), args };
            match open.root {
                true => client.call::<TerminalCreateAsRoot>(create).await?.id,
                false => client.call::<TerminalCreate>(create).await?.id,
            }
        }
    };
    let stay = Stay { client, workspace: id, terminal };
    let left = stay.run(events).await;
    drop(raw);
    match left? {
        Left::Detached => {
            complain(&format!(
                "\nDetached; the terminal runs on. Back to it: aicockpit shell {} --terminal {terminal}",
                open.workspace
            ));
            Ok(ExitCode::SUCCESS)
        }
        Left::Exited(status) => Ok(ExitCode::from(u8::try_from(status & 0xFF).unwrap_or(1))),
        Left::Closed => {
            complain("\nThe terminal was closed.");
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A stay in one terminal.
struct Stay<'a> {
    client: &'a Client,
    workspace: WorkspaceId,
    terminal: TerminalId,
}

impl Stay<'_> {
    async fn run(&self, mut events: broadcast::Receiver<Event>) -> anyhow::Result<Left> {
        let mut resized = signal(SignalKind::window_change())?;
        let mut stdin = tokio::io::stdin();
        let mut typed = vec![0; 16 * 1024];
        let mut stream = self.attach().await?;
        self.resize().await?;
        let mut status = self.status_now().await?;
        loop {
            if let Some(status) = status {
                return self.leave(stream, status).await;
            }
            tokio::select! {
                bytes = stream.next() => match bytes {
                    Some(bytes) => write(&bytes)?,
                    None => match stream.end() {
                        Some(StreamEnd::Resync) => stream = self.attach().await?,
                        Some(StreamEnd::Failed { error }) => return Err(error.clone().into()),
                        _ => return Ok(Left::Closed),
                    },
                },
                count = stdin.read(&mut typed) => {
                    let count = count?;
                    let (keys, detach) = until_detach(&typed[..count]);
                    stream.sender().send(keys).await?;
                    if detach || count == 0 {
                        return Ok(Left::Detached);
                    }
                }
                _ = changed(&mut resized) => self.resize().await?,
                exit = self.exit(&mut events) => status = exit?,
            }
        }
    }

    async fn attach(&self) -> Result<ClientStream, ApiError> {
        let args = AttachTerminal { terminal: self.terminal, from: None };
        let attached =
            self.client.call::<TerminalAttach>(In { workspace: self.workspace.clone(), args }).await?;
        Ok(self.client.stream(attached.stream))
    }

    async fn resize(&self) -> Result<(), ApiError> {
        let (columns, rows) = size();
        let args = ResizeTerminal { terminal: self.terminal, columns, rows };
        self.client.call::<TerminalResize>(In { workspace: self.workspace.clone(), args }).await.map(drop)
    }

    /// The program's exit status, where it has ended.
    async fn status_now(&self) -> Result<Option<i32>, ApiError> {
        let of = WorkspaceRef { workspace: self.workspace.clone() };
        let all = self.client.call::<TerminalList>(of).await?;
        let info = all.into_iter().find(|info| info.id == self.terminal).ok_or_else(|| {
            ApiError::new(ErrorCode::NotFound, format!("There is no terminal {}.", self.terminal))
        })?;
        Ok(info.exit.map(|exit| exit.status))
    }

    /// Waits for news of this terminal; the status, where its program ended.
    async fn exit(&self, events: &mut broadcast::Receiver<Event>) -> Result<Option<i32>, ApiError> {
        loop {
            match events.recv().await {
                Ok(Event::Terminals { workspace, terminals }) if workspace == self.workspace => {
                    let Some(info) = terminals.into_iter().find(|info| info.id == self.terminal) else {
                        continue;
                    };
                    if let Some(exit) = info.exit {
                        return Ok(Some(exit.status));
                    }
                }
                Ok(Event::Resync) | Err(RecvError::Lagged(_)) => return self.status_now().await,
                Ok(_) => {}
                Err(RecvError::Closed) => return Err(ApiError::new(ErrorCode::Internal, "AiCockpit ended.")),
            }
        }
    }

    /// The program ended: closes the terminal and shows the last of its output.
    async fn leave(&self, mut stream: ClientStream, status: i32) -> anyhow::Result<Left> {
        let args = CloseTerminal { terminal: self.terminal };
        self.client.call::<TerminalClose>(In { workspace: self.workspace.clone(), args }).await?;
        while let Some(bytes) = stream.next().await {
            write(&bytes)?;
        }
        Ok(Left::Exited(status))
    }
}

/// Waits for the next change of the window's size.
async fn changed(signal: &mut Signal) {
    if signal.recv().await.is_none() {
        std::future::pending().await
    }
}

/// The keys before Ctrl-], and whether it was there.
fn until_detach(typed: &[u8]) -> (&[u8], bool) {
    match typed.iter().position(|&key| key == DETACH) {
        Some(at) => (&typed[..at], true),
        None => (typed, false),
    }
}
