//! How a workspace's agent is reached.

use super::{Entry, Workspaces, labels, state};
use aicockpit_engine::{Engine, ExecSpec};
use aicockpit_protocol::workspace::WorkspaceState;
use aicockpit_protocol::{ApiError, ContainerId, ErrorCode, WorkspaceId};
use std::fmt;
use std::sync::Arc;

/// What it takes to reach an agent. Does not change while the container lives.
#[derive(Clone)]
pub struct AgentTarget {
    /// The engine.
    pub engine: Arc<dyn Engine>,
    /// The container.
    pub container: ContainerId,
    /// The program that joins its standard streams to the agent.
    pub exec: ExecSpec,
    /// First digits of that program's content hash.
    pub build: String,
}

impl fmt::Debug for AgentTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentTarget")
            .field("engine", self.engine.id())
            .field("container", &self.container)
            .field("exec", &self.exec)
            .finish()
    }
}

impl Workspaces {
    /// How to reach the agent of a running workspace.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidState`] when it does not run; [`ErrorCode::EngineUnavailable`] when its engine does not
    /// answer.
    pub fn target(&self, id: &WorkspaceId) -> Result<AgentTarget, ApiError> {
        let entry = self.entry(id)?;
        let engine = self.engines.ready(&entry.engine)?;
        let (name, state) = {
            let record = entry.record();
            (record.name.clone(), record.state)
        };
        match state {
            WorkspaceState::Running => self.target_of(&entry, engine),
            WorkspaceState::Creating | WorkspaceState::Starting => {
                Err(ApiError::new(ErrorCode::InvalidState, format!("“{name}” is not ready yet."))
                    .hint("It will be in a moment."))
            }
            WorkspaceState::Stranded => Err(ApiError::new(
                ErrorCode::InvalidState,
                format!("“{name}” cannot be reached: its machine does not answer."),
            )
            .hint("It comes back with its machine. Where that is gone for good, let it go.")),
            other => Err(ApiError::new(
                ErrorCode::InvalidState,
                format!("“{name}” does not run: it is {}.", state::adjective(other)),
            )
            .hint("Open or start it first.")),
        }
    }

    pub(crate) fn target_of(&self, entry: &Entry, engine: Arc<dyn Engine>) -> Result<AgentTarget, ApiError> {
        let record = entry.record();
        let container = record.container.clone().ok_or_else(|| {
            ApiError::new(ErrorCode::InvalidState, format!("“{}” has no container yet.", record.name))
        })?;
        let folder = record.agent_folder.clone().unwrap_or_else(|| labels::FOLDER.to_owned());
        let command =
            [self.plans.agent.program(), "connect".to_owned(), "--folder".to_owned(), folder].to_vec();
        Ok(AgentTarget {
            engine,
            container,
            exec: ExecSpec { command, ..ExecSpec::default() },
            build: self.plans.agent.build().to_owned(),
        })
    }
}
