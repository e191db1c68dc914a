//! Operations on terminals: the user's, and root's, which live in an agent of their own.

use super::frames::Answer as Reply;
use super::inside::{Result, answered};
use super::{Inner, Outcome, terminal};
use crate::agent::{AgentHandle, OpenAgent, Whose, mismatch};
use aicockpit_protocol::agent::{Answer, Call};
use aicockpit_protocol::api::{Event, TerminalAttached};
use aicockpit_protocol::terminal::{
    AttachTerminal, CloseTerminal, CreateTerminal, RenameTerminal, ResizeTerminal, SIZE_RANGE,
    SignalTerminal, TerminalInfo,
};
use aicockpit_protocol::{ApiError, ErrorCode, TerminalId, WorkspaceId};
use std::sync::Arc;

/// What a root terminal is called until a person names it.
const ROOT_NAME: &str = "root";

impl Inner {
    pub(super) async fn terminals(&self, workspace: &WorkspaceId) -> Result<Vec<TerminalInfo>> {
        let agent = self.agent(workspace)?;
        let users = answered!(agent.handle.call(Call::Terminals).await?, Terminals)?;
        let all = agent.terminals_told(Whose::User, users);
        if !self.may_have_root_terminals(workspace, &agent).await {
            return Ok(all);
        }
        match agent.root.call(Call::Terminals).await {
            Ok(Answer::Terminals(roots)) => {
                let all = agent.terminals_told(Whose::Root, roots);
                if !agent.has_root_terminals() {
                    self.end_root(workspace, &agent).await;
                }
                Ok(all)
            }
            Ok(other) => Err(mismatch(&other)),
            // The user's are of use all the same.
            Err(error) => {
                tracing::warn!(%error, %workspace, "root's agent does not tell its terminals");
                Ok(all)
            }
        }
    }

    pub(super) async fn create_terminal(
        &self,
        workspace: &WorkspaceId,
        args: CreateTerminal,
    ) -> Result<TerminalInfo> {
        check_size(args.columns, args.rows)?;
        let agent = self.agent(workspace)?;
        let info = answered!(agent.handle.call(Call::CreateTerminal(args)).await?, Terminal)?;
        checked(Whose::User, info)
    }

    /// Starts root's agent where it does not run. It ends with its last terminal.
    pub(super) async fn create_terminal_as_root(
        &self,
        workspace: &WorkspaceId,
        args: CreateTerminal,
    ) -> Result<TerminalInfo> {
        check_size(args.columns, args.rows)?;
        self.cockpit.workspaces().check_allows_root(workspace)?;
        let agent = self.agent(workspace)?;
        // One connection for all of this, however quickly the agent ends.
        let lease = agent.root.lease();
        self.cockpit.workspaces().note_root_terminals(workspace, true).await;
        let created = lease.agent().call(Call::CreateTerminal(args)).await;
        // Also where there is none: then it ends at once.
        let retired = lease.agent().call(Call::Retire).await;
        let mut info = checked(Whose::Root, answered!(created?, Terminal)?)?;
        retired?;
        let name = RenameTerminal { terminal: info.id, name: ROOT_NAME.to_owned() };
        if lease.agent().call(Call::RenameTerminal(name)).await.is_ok() {
            info.name = Some(ROOT_NAME.to_owned());
        }
        Ok(info)
    }

    pub(super) async fn resize_terminal(&self, workspace: &WorkspaceId, args: ResizeTerminal) -> Result<()> {
        check_size(args.columns, args.rows)?;
        self.act_on(workspace, args.terminal, Call::ResizeTerminal(args)).await
    }

    pub(super) async fn rename_terminal(&self, workspace: &WorkspaceId, args: RenameTerminal) -> Result<()> {
        self.act_on(workspace, args.terminal, Call::RenameTerminal(args)).await
    }

    pub(super) async fn signal_terminal(&self, workspace: &WorkspaceId, args: SignalTerminal) -> Result<()> {
        self.act_on(workspace, args.terminal, Call::SignalTerminal(args)).await
    }

    pub(super) async fn close_terminal(&self, workspace: &WorkspaceId, args: CloseTerminal) -> Result<()> {
        let terminal = args.terminal;
        self.act_on(workspace, terminal, Call::CloseTerminal(args)).await?;
        if terminal.is_of_root() {
            // Root's agent may end before it tells.
            let agent = self.agent(workspace)?;
            let terminals = agent.terminal_closed(terminal);
            self.cockpit
                .workspaces()
                .events()
                .send(Event::Terminals { workspace: workspace.clone(), terminals });
            if !agent.has_root_terminals() {
                self.cockpit.workspaces().note_root_terminals(workspace, false).await;
            }
        }
        Ok(())
    }

    pub(super) async fn attach(
        self: &Arc<Self>,
        workspace: &WorkspaceId,
        args: AttachTerminal,
    ) -> Result<Outcome> {
        let terminal = args.terminal;
        let agent = self.agent_of(workspace, terminal).await?;
        let (stream, input, output) = self.streams.open()?;
        let attachment = terminal::attach(&agent, args).await?;
        let answer = Reply::new(&TerminalAttached { stream, attached: attachment.attached.clone() })?;
        let carried = terminal::carry(agent.lease(), terminal, attachment, input, output);
        Ok(Outcome { answer, afterwards: Some(Box::pin(carried)) })
    }

    async fn act_on(&self, workspace: &WorkspaceId, terminal: TerminalId, call: Call) -> Result<()> {
        match self.agent_of(workspace, terminal).await?.call(call).await? {
            Answer::Unit => Ok(()),
            other => Err(mismatch(&other)),
        }
    }

    /// The agent that has a terminal of this number, if any has. Never starts root's in vain.
    async fn agent_of(&self, workspace: &WorkspaceId, terminal: TerminalId) -> Result<AgentHandle> {
        let agent = self.agent(workspace)?;
        if !terminal.is_of_root() {
            return Ok(agent.handle);
        }
        if self.may_have_root_terminals(workspace, &agent).await {
            return Ok(agent.root);
        }
        Err(ApiError::new(ErrorCode::NotFound, "There is no such terminal.")
            .hint("It was closed, or its container was stopped."))
    }

    async fn may_have_root_terminals(&self, workspace: &WorkspaceId, agent: &OpenAgent) -> bool {
        agent.has_root_terminals() || self.cockpit.workspaces().may_have_root_terminals(workspace).await
    }

    /// Root's agent was started, or went on, without terminals: for instance because the container was restarted.
    async fn end_root(&self, workspace: &WorkspaceId, agent: &OpenAgent) {
        self.cockpit.workspaces().note_root_terminals(workspace, false).await;
        if let Err(error) = agent.root.call(Call::Retire).await {
            tracing::debug!(%error, %workspace, "root's agent was not told to end");
        }
    }
}

/// Neither agent may pass its terminals off as the other's.
fn checked(whose: Whose, info: TerminalInfo) -> Result<TerminalInfo> {
    if whose.may_have(info.id) {
        return Ok(info);
    }
    Err(ApiError::new(ErrorCode::Protocol, "The workspace's agent gave a terminal a number that it may not."))
}

fn check_size(columns: u16, rows: u16) -> Result<()> {
    if SIZE_RANGE.contains(&columns) && SIZE_RANGE.contains(&rows) {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::InvalidArgument,
        format!("{columns}×{rows} is no size for a terminal; each must be from 1 to 2000."),
    ))
}
