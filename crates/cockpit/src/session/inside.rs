//! Operations on the inside of a workspace: one agent call or stream each.

use super::frames::Answer as Reply;
use super::{Inner, Outcome, transfer};
use crate::agent::mismatch;
use aicockpit_link::LinkStream;
use aicockpit_protocol::agent::{Answer, Call, Chunk, Download, Open, Upload};
use aicockpit_protocol::api::{DownloadFile, StreamOpened, UploadFile};
use aicockpit_protocol::fs::{
    Copy, FileStat, GitState, GitStatus, ListDirectory, Listing, MAX_FILE_CHUNK, MakeDirectory, ReadFile,
    Rename, RestoreTrash, Stat, TrashFiles, Trashed, WatchDirectories, WriteFile,
};
use aicockpit_protocol::port::PortEntry;
use aicockpit_protocol::process::{Exec, ProcessInfo, SignalProcess};
use aicockpit_protocol::search::{FindFiles, FoundFiles, ReplaceOutcome, ReplaceText, SearchText};
use aicockpit_protocol::{ApiError, ErrorCode, WorkspaceId};
use std::sync::Arc;

pub(super) type Result<T> = std::result::Result<T, ApiError>;

/// Takes the one kind of answer that a call has.
macro_rules! answered {
    ($answer:expr, $kind:ident) => {
        match $answer {
            Answer::$kind(value) => Ok(value),
            other => Err(mismatch(&other)),
        }
    };
}

pub(super) use answered;

impl Inner {
    async fn call(&self, workspace: &WorkspaceId, call: Call) -> Result<Answer> {
        self.handle_of(workspace)?.call(call).await
    }

    async fn act(&self, workspace: &WorkspaceId, call: Call) -> Result<()> {
        match self.call(workspace, call).await? {
            Answer::Unit => Ok(()),
            other => Err(mismatch(&other)),
        }
    }

    pub(super) async fn stat(&self, workspace: &WorkspaceId, args: Stat) -> Result<FileStat> {
        answered!(self.call(workspace, Call::Stat(args)).await?, Stat)
    }

    pub(super) async fn list(&self, workspace: &WorkspaceId, args: ListDirectory) -> Result<Listing> {
        answered!(self.call(workspace, Call::List(args)).await?, Listing)
    }

    pub(super) async fn read(&self, workspace: &WorkspaceId, args: ReadFile) -> Result<Chunk> {
        if args.length as usize > MAX_FILE_CHUNK {
            return Err(ApiError::new(
                ErrorCode::InvalidArgument,
                format!("{} bytes are too many for one read; the limit is {MAX_FILE_CHUNK}.", args.length),
            ));
        }
        answered!(self.call(workspace, Call::Read(args)).await?, Chunk)
    }

    pub(super) async fn write(
        &self,
        workspace: &WorkspaceId,
        write: WriteFile,
        content: Vec<u8>,
    ) -> Result<FileStat> {
        answered!(self.call(workspace, Call::Write { write, content }).await?, Stat)
    }

    pub(super) async fn make_directory(&self, workspace: &WorkspaceId, args: MakeDirectory) -> Result<()> {
        self.act(workspace, Call::MakeDirectory(args)).await
    }

    pub(super) async fn rename(&self, workspace: &WorkspaceId, args: Rename) -> Result<()> {
        self.act(workspace, Call::Rename(args)).await
    }

    pub(super) async fn copy(&self, workspace: &WorkspaceId, args: Copy) -> Result<()> {
        self.act(workspace, Call::Copy(args)).await
    }

    pub(super) async fn trash(&self, workspace: &WorkspaceId, args: TrashFiles) -> Result<Trashed> {
        answered!(self.call(workspace, Call::Trash(args)).await?, Trashed)
    }

    pub(super) async fn restore_trash(&self, workspace: &WorkspaceId, args: RestoreTrash) -> Result<()> {
        self.act(workspace, Call::RestoreTrash(args)).await
    }

    pub(super) async fn watch(&self, workspace: &WorkspaceId, args: WatchDirectories) -> Result<()> {
        let agent = self.handle_of(workspace)?;
        // Before the agent is told, so that no change is filtered away in between.
        if let Some(used) = self.used().get_mut(workspace) {
            used.watched = args.paths.iter().cloned().collect();
        }
        agent.watch(self.id, args.paths).await
    }

    pub(super) async fn git_status(
        &self,
        workspace: &WorkspaceId,
        args: GitStatus,
    ) -> Result<Option<GitState>> {
        answered!(self.call(workspace, Call::GitStatus(args)).await?, Git)
    }

    pub(super) async fn find_files(&self, workspace: &WorkspaceId, args: FindFiles) -> Result<FoundFiles> {
        answered!(self.call(workspace, Call::FindFiles(args)).await?, Found)
    }

    pub(super) async fn replace(&self, workspace: &WorkspaceId, args: ReplaceText) -> Result<ReplaceOutcome> {
        answered!(self.call(workspace, Call::Replace(args)).await?, Replaced)
    }

    pub(super) async fn processes(&self, workspace: &WorkspaceId) -> Result<Vec<ProcessInfo>> {
        answered!(self.call(workspace, Call::Processes).await?, Processes)
    }

    pub(super) async fn signal_process(&self, workspace: &WorkspaceId, args: SignalProcess) -> Result<()> {
        self.act(workspace, Call::SignalProcess(args)).await
    }

    pub(super) async fn ports(&self, workspace: &WorkspaceId) -> Result<Vec<PortEntry>> {
        let agent = self.agent(workspace)?;
        let listening = answered!(agent.handle.call(Call::Ports).await?, Ports)?;
        agent.forwards.listening(listening).await;
        Ok(agent.forwards.list())
    }

    pub(super) async fn search(
        self: &Arc<Self>,
        workspace: &WorkspaceId,
        args: SearchText,
    ) -> Result<Outcome> {
        let agent = self.handle_of(workspace)?;
        let (stream, input, output) = self.streams.open()?;
        let from = agent.open(Open::Search(args)).await?;
        opened(stream, transfer::search(agent.lease(), from, input, output))
    }

    pub(super) async fn exec(self: &Arc<Self>, workspace: &WorkspaceId, args: Exec) -> Result<Outcome> {
        if args.command.is_empty() {
            return Err(ApiError::new(ErrorCode::InvalidArgument, "The command is empty."));
        }
        let agent = self.handle_of(workspace)?;
        let (stream, input, output) = self.streams.open()?;
        let program = agent.open(Open::Exec(args)).await?;
        opened(stream, transfer::exec(agent.lease(), program, input, output))
    }

    pub(super) async fn upload(
        self: &Arc<Self>,
        workspace: &WorkspaceId,
        args: UploadFile,
    ) -> Result<Outcome> {
        let agent = self.handle_of(workspace)?;
        let (stream, input, output) = self.streams.open()?;
        let UploadFile { path, condition, archive } = args;
        let to = agent.open(Open::Upload(Upload { path, archive, condition })).await?;
        opened(stream, transfer::upload(agent.lease(), to, input, output))
    }

    pub(super) async fn download(
        self: &Arc<Self>,
        workspace: &WorkspaceId,
        args: DownloadFile,
    ) -> Result<Outcome> {
        let agent = self.handle_of(workspace)?;
        let (stream, input, output) = self.streams.open()?;
        let wanted = Download { path: args.path, archive: false };
        let mut from: LinkStream = agent.open(Open::Download(wanted)).await?;
        transfer::read_stat(&mut from).await?;
        opened(stream, transfer::download(agent.lease(), from, input, output))
    }
}

fn opened(
    stream: aicockpit_protocol::StreamId,
    work: impl Future<Output = ()> + Send + 'static,
) -> Result<Outcome> {
    Ok(Outcome { answer: Reply::new(&StreamOpened { stream })?, afterwards: Some(Box::pin(work)) })
}
