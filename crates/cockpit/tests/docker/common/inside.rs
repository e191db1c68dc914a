//! One workspace, as a client uses it.

use super::PATIENCE;
use aicockpit_cockpit::Cockpit;
use aicockpit_cockpit::socket::{Client, ClientStream};
use aicockpit_protocol::api::{
    FsRead, FsWrite, In, ProcessExec, TerminalAttach, TerminalClose, TerminalCreate, WorkspaceOpen,
    WorkspaceRef,
};
use aicockpit_protocol::fs::{FileStat, ReadFile, WriteCondition, WriteFile};
use aicockpit_protocol::process::{Exec, ExecFrame};
use aicockpit_protocol::terminal::{AttachTerminal, CloseTerminal, CreateTerminal};
use aicockpit_protocol::{ApiError, BytePath, TerminalId, WorkspaceId};
use std::sync::Arc;

pub(crate) struct Inside {
    pub(crate) client: Client,
    pub(crate) workspace: WorkspaceId,
}

/// Stands for the status of a program that could not be started.
pub(crate) const NOT_STARTED: i32 = -1000;

/// How a program ended: its status, and all that it wrote.
pub(crate) type Ran = (i32, String);

impl Inside {
    /// Opens the workspace, as a window does.
    pub(crate) async fn open(cockpit: &Arc<Cockpit>, workspace: &WorkspaceId) -> Self {
        let inside = Self { client: Client::in_process(cockpit), workspace: workspace.clone() };
        inside.client.call::<WorkspaceOpen>(inside.itself()).await.unwrap();
        inside
    }

    pub(crate) fn itself(&self) -> WorkspaceRef {
        WorkspaceRef { workspace: self.workspace.clone() }
    }

    pub(crate) async fn start(&self, command: &[&str]) -> Result<ClientStream, ApiError> {
        let command = command.iter().map(|&part| part.to_owned()).collect();
        let args = Exec { command, directory: None, env: Default::default() };
        let opened = self.client.call::<ProcessExec>(In { workspace: self.workspace.clone(), args }).await?;
        Ok(self.client.stream(opened.stream))
    }

    /// Runs a shell command to its end, or says why it could not be started.
    pub(crate) async fn sh(&self, script: &str) -> Result<Ran, ApiError> {
        let mut stream = self.start(&["sh", "-c", script]).await?;
        let (mut output, mut status) = (Vec::new(), None);
        while let Some(frame) = stream.next().await {
            match frame.split_first() {
                Some((&kind, bytes)) if kind == ExecFrame::Exit as u8 => {
                    status = Some(i32::from_le_bytes(bytes.try_into().unwrap()));
                }
                Some((&kind, bytes)) if kind == ExecFrame::Failed as u8 => {
                    return Ok((NOT_STARTED, String::from_utf8_lossy(bytes).into_owned()));
                }
                Some((_, bytes)) => output.extend_from_slice(bytes),
                None => panic!("an empty frame"),
            }
        }
        let output = String::from_utf8_lossy(&output).into_owned();
        Ok((status.unwrap_or_else(|| panic!("{:?} after {output:?}", stream.end())), output))
    }

    pub(crate) async fn write(
        &self,
        path: &str,
        content: &[u8],
        condition: WriteCondition,
    ) -> Result<FileStat, ApiError> {
        let args = WriteFile { path: BytePath::from(path), condition, create_parents: false };
        let args = In { workspace: self.workspace.clone(), args };
        self.client.call_with::<FsWrite>(args, content).await.map(|reply| reply.value)
    }

    pub(crate) async fn read(&self, path: &str) -> Result<Vec<u8>, ApiError> {
        let args = ReadFile { path: BytePath::from(path), offset: 0, length: 1 << 20 };
        let args = In { workspace: self.workspace.clone(), args };
        self.client.call_with::<FsRead>(args, &[]).await.map(|reply| reply.body)
    }

    /// A terminal with a shell that prints no prompt of its own.
    pub(crate) async fn terminal(&self) -> Result<TerminalId, ApiError> {
        let command = ["sh".to_owned()].to_vec();
        let args = CreateTerminal { command, directory: None, columns: 80, rows: 24 };
        let args = In { workspace: self.workspace.clone(), args };
        self.client.call::<TerminalCreate>(args).await.map(|terminal| terminal.id)
    }

    pub(crate) async fn attach(&self, terminal: TerminalId) -> ClientStream {
        let args = AttachTerminal { terminal, from: None };
        let args = In { workspace: self.workspace.clone(), args };
        let attached = self.client.call::<TerminalAttach>(args).await.unwrap();
        self.client.stream(attached.stream)
    }

    /// Everything that a person needs works: files, programs, a terminal.
    pub(crate) async fn is_usable(&self) {
        let work = async {
            self.write("/workspace/usable", b"yes", WriteCondition::Any).await.unwrap();
            assert_eq!(self.read("/workspace/usable").await.unwrap(), b"yes");
            assert_eq!(self.sh("echo runs").await.unwrap(), (0, "runs\n".to_owned()));
            let terminal = self.terminal().await.unwrap();
            let mut shell = self.attach(terminal).await;
            shell.sender().send(b"echo typed-$((40+2))\n").await.unwrap();
            until(&mut shell, "typed-42").await;
            // Whoever looks again and again must not run into the number that may be open.
            self.client
                .call::<TerminalClose>(In {
                    workspace: self.workspace.clone(),
                    args: CloseTerminal { terminal },
                })
                .await
                .unwrap();
        };
        tokio::time::timeout(PATIENCE, work).await.expect("the workspace answers");
    }
}

/// Reads a terminal until it shows `wanted`; what is before the last screenful is let go of.
pub(crate) async fn until(stream: &mut ClientStream, wanted: &str) -> u64 {
    match until_or_end(stream, wanted).await {
        Ok(total) => total,
        Err(last) => panic!("ended ({:?}) before {wanted:?}: {last:?}", stream.end()),
    }
}

/// The same; at the stream's end, what came last.
pub(crate) async fn until_or_end(stream: &mut ClientStream, wanted: &str) -> Result<u64, String> {
    let (mut total, mut tail) = (0, Vec::new());
    let reading = async {
        while !tail.windows(wanted.len()).any(|window| window == wanted.as_bytes()) {
            let Some(bytes) = stream.next().await else {
                return false;
            };
            total += bytes.len() as u64;
            let keep = tail.len().min(wanted.len());
            tail.drain(..tail.len() - keep);
            tail.extend_from_slice(&bytes);
        }
        true
    };
    let came = tokio::time::timeout(PATIENCE * 2, reading).await;
    let last = || String::from_utf8_lossy(&tail).into_owned();
    let found = came.unwrap_or_else(|_| panic!("waited for {wanted:?}, last came {:?}", last()));
    if found { Ok(total) } else { Err(last()) }
}
