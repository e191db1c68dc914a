//! Root's terminals: for images in which the user cannot become root by `sudo`.

use super::{AgentTarget, Workspaces};
use aicockpit_protocol::workspace::Profile;
use aicockpit_protocol::{ApiError, ErrorCode, TerminalId, WorkspaceId};

/// Numbers that root's terminals are spread over.
const NUMBERS: i64 = 1 << 30;

impl AgentTarget {
    /// How root's agent in the same container is reached. It ends with its last terminal; by the time of its start no
    /// number comes twice.
    pub(crate) fn of_root(&self, now_ms: i64) -> Self {
        let mut target = self.clone();
        let spread = u32::try_from((now_ms / 1000).rem_euclid(NUMBERS)).unwrap_or(0);
        let first = TerminalId::FIRST_OF_ROOT + spread;
        target.exec.user = Some("0:0".to_owned());
        target.exec.command.extend(["--first-terminal".to_owned(), first.to_string()]);
        target
    }
}

impl Workspaces {
    /// Refuses root's terminals where nothing may run as root, or the engine runs programs as the container's user
    /// only.
    ///
    /// # Errors
    /// [`ErrorCode::Unsupported`] by the engine; [`ErrorCode::PermissionDenied`] in the Locked profile.
    pub(crate) fn check_allows_root(&self, id: &WorkspaceId) -> Result<(), ApiError> {
        let entry = self.entry(id)?;
        if !self.engines.ready(&entry.engine)?.capabilities().exec_options {
            return Err(ApiError::new(
                ErrorCode::Unsupported,
                "This engine runs programs in a workspace only as its own user, never as root.",
            )
            .hint("Put what needs root into the workspace's image."));
        }
        let record = entry.record();
        match record.spec.profile {
            Profile::Standard => Ok(()),
            Profile::Locked => Err(ApiError::new(
                ErrorCode::PermissionDenied,
                format!("“{}” is locked: nothing in it may run as root.", record.name),
            )
            .hint("Once you trust what is in it, create a workspace from it with the Standard profile.")),
        }
    }

    /// Remembers whether root's agent may have terminals, so that it is asked for them after a restart of the cockpit
    /// and never started in vain. Where this cannot be kept, terminals work all the same.
    pub(crate) async fn note_root_terminals(&self, id: &WorkspaceId, any: bool) {
        if let Err(error) = self.store.put_root_terminals(id.clone(), any).await {
            tracing::warn!(%error, workspace = %id, "could not note root's terminals");
        }
    }

    /// Whether root's agent may have terminals.
    pub(crate) async fn may_have_root_terminals(&self, id: &WorkspaceId) -> bool {
        let engine = self.entry(id).map(|entry| entry.engine.clone());
        if engine.is_ok_and(|engine| !self.engines.capabilities(&engine).exec_options) {
            return false;
        }
        self.store.has_root_terminals(id.clone()).await.unwrap_or(true)
    }
}
