//! The state machine of a workspace.
//!
//! [`WorkspaceState::allows`] says what a person may ask in a state; [`may_become`] which state may follow which.
//! Every change of state passes [`may_become`]. `Unreachable` is no state of the machine: it is how any state that
//! depends on the engine is shown while the engine does not answer.

use aicockpit_engine::ContainerState;
use aicockpit_protocol::engine::EngineHealth;
use aicockpit_protocol::workspace::{WorkspaceAction, WorkspaceState};
use aicockpit_protocol::{ApiError, ErrorCode};

/// Whether `to` may follow `from`.
pub fn may_become(from: WorkspaceState, to: WorkspaceState) -> bool {
    use WorkspaceState as S;
    match to {
        S::Creating => matches!(from, S::Failed | S::Lost),
        S::Failed => from == S::Creating,
        // From Stopping: the container refused to stop. From Lost: somebody brought it back under the same name.
        S::Running => !matches!(from, S::Failed | S::Deleting | S::Unreachable),
        // Also by the engine itself, from any state in which there may be a container.
        S::Starting => {
            matches!(from, S::Stopped | S::Stopping | S::Running | S::Paused | S::Lost | S::Stranded)
        }
        S::Stopping => matches!(from, S::Running | S::Paused | S::Starting | S::Stranded),
        // From Creating: its container was being made anew, which was cancelled.
        S::Lost if from == S::Creating => true,
        S::Paused | S::Stopped | S::Lost | S::Stranded => matches!(
            from,
            S::Running | S::Paused | S::Stopped | S::Lost | S::Stranded | S::Starting | S::Stopping
        ),
        S::Deleting => from != S::Unreachable,
        S::Unreachable => false,
    }
}

/// What people see of `state` while the engine is in `health`.
pub fn shown(state: WorkspaceState, health: Option<EngineHealth>) -> WorkspaceState {
    use WorkspaceState as S;
    let reachable = matches!(health, Some(EngineHealth::Ready | EngineHealth::Checking));
    match state {
        S::Creating | S::Failed | S::Deleting => state,
        _ if reachable => state,
        _ => S::Unreachable,
    }
}

/// The state that a container's own state stands for.
pub fn of_container(state: ContainerState) -> WorkspaceState {
    match state {
        ContainerState::Running => WorkspaceState::Running,
        ContainerState::Starting => WorkspaceState::Starting,
        ContainerState::Paused => WorkspaceState::Paused,
        ContainerState::Stranded => WorkspaceState::Stranded,
        ContainerState::Created | ContainerState::Exited | ContainerState::Other => WorkspaceState::Stopped,
    }
}

/// Refuses an action that does not apply.
///
/// # Errors
/// [`ErrorCode::InvalidState`] with the state and what can be done.
pub fn check_allows(name: &str, state: WorkspaceState, action: WorkspaceAction) -> Result<(), ApiError> {
    use WorkspaceState as S;
    if state.allows(action) {
        return Ok(());
    }
    let hint = match state {
        S::Creating => "Wait until it is created, or cancel that.",
        S::Failed => "Retry its creation, or delete it.",
        S::Starting | S::Stopping => "Wait a moment, then try again.",
        S::Running => "It runs already.",
        S::Paused => "Resume it first.",
        S::Stopped => "Start it first.",
        S::Lost => "Its container is gone: recreate it, or delete what is left.",
        S::Stranded => "It comes back with its machine. Where that is gone for good, let it go.",
        S::Unreachable => "Start its engine, or switch it on; the workspace comes back by itself.",
        S::Deleting => "It is being deleted.",
    };
    Err(ApiError::new(
        ErrorCode::InvalidState,
        format!("Cannot {} “{name}” while it is {}.", verb(action), adjective(state)),
    )
    .hint(hint))
}

fn verb(action: WorkspaceAction) -> &'static str {
    match action {
        WorkspaceAction::Open => "open",
        WorkspaceAction::Start => "start",
        WorkspaceAction::Stop => "stop",
        WorkspaceAction::Restart => "restart",
        WorkspaceAction::Pause => "pause",
        WorkspaceAction::Unpause => "resume",
        WorkspaceAction::Retry => "retry the creation of",
        WorkspaceAction::Recreate => "recreate",
        WorkspaceAction::LetGo => "let go of",
        WorkspaceAction::Cancel => "cancel the creation of",
        WorkspaceAction::Delete => "delete",
    }
}

/// A state in a sentence: “it is …”.
pub(super) fn adjective(state: WorkspaceState) -> &'static str {
    match state {
        WorkspaceState::Creating => "being created",
        WorkspaceState::Failed => "not created, because that failed",
        WorkspaceState::Starting => "starting",
        WorkspaceState::Running => "running",
        WorkspaceState::Paused => "paused",
        WorkspaceState::Stopping => "stopping",
        WorkspaceState::Stopped => "stopped",
        WorkspaceState::Lost => "without its container",
        WorkspaceState::Stranded => "on a machine that does not answer",
        WorkspaceState::Unreachable => "out of reach",
        WorkspaceState::Deleting => "being deleted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use WorkspaceState as S;

    const ALL: [S; 11] = [
        S::Creating,
        S::Failed,
        S::Starting,
        S::Running,
        S::Paused,
        S::Stopping,
        S::Stopped,
        S::Lost,
        S::Stranded,
        S::Unreachable,
        S::Deleting,
    ];

    #[test]
    fn delete_leads_out_of_every_state_and_nothing_out_of_deleting() {
        for from in ALL {
            if from != S::Unreachable {
                assert!(may_become(from, S::Deleting), "{from:?}");
            }
            if from != S::Deleting {
                assert!(from.allows(WorkspaceAction::Delete), "{from:?}");
                assert!(!may_become(S::Deleting, from), "{from:?}");
            }
        }
    }

    #[test]
    fn every_transient_state_can_end() {
        for from in ALL.into_iter().filter(|state| state.is_transient() && *state != S::Deleting) {
            let ends = ALL.into_iter().filter(|to| !to.is_transient() && may_become(from, *to)).count();
            assert!(ends >= 2, "{from:?} must be able to succeed and to fail");
        }
    }

    #[test]
    fn a_workspace_is_out_of_reach_only_while_its_engine_is() {
        for state in [S::Running, S::Paused, S::Stopped, S::Starting, S::Stopping, S::Lost, S::Stranded] {
            assert_eq!(shown(state, Some(EngineHealth::Stopped)), S::Unreachable, "{state:?}");
            assert_eq!(shown(state, None), S::Unreachable, "{state:?}");
            assert_eq!(shown(state, Some(EngineHealth::Ready)), state);
        }
        for state in [S::Creating, S::Failed, S::Deleting] {
            assert_eq!(shown(state, Some(EngineHealth::Stopped)), state);
        }
    }

    #[test]
    fn an_engine_may_start_a_workspace_anew_by_itself() {
        assert_eq!(of_container(ContainerState::Starting), S::Starting);
        for from in [S::Running, S::Stopped, S::Stopping, S::Paused, S::Lost] {
            assert!(may_become(from, S::Starting), "{from:?}");
        }
        for from in [S::Creating, S::Failed, S::Deleting] {
            assert!(!may_become(from, S::Starting), "{from:?}");
        }
        for to in [S::Running, S::Stopped, S::Lost, S::Stopping, S::Deleting] {
            assert!(may_become(S::Starting, to), "{to:?}");
        }
    }

    #[test]
    fn a_workspace_on_a_silent_machine_comes_back_is_stopped_or_let_go() {
        assert_eq!(of_container(ContainerState::Stranded), S::Stranded);
        for from in [S::Running, S::Starting, S::Stopping, S::Stopped] {
            assert!(may_become(from, S::Stranded), "{from:?}");
            assert!(!from.allows(WorkspaceAction::LetGo), "{from:?}");
        }
        for to in [S::Running, S::Starting, S::Stopping, S::Stopped, S::Lost, S::Deleting] {
            assert!(may_become(S::Stranded, to), "{to:?}");
        }
        assert!(!may_become(S::Creating, S::Stranded), "its plan says how it goes");
        assert!(S::Stranded.allows(WorkspaceAction::LetGo) && S::Stranded.allows(WorkspaceAction::Stop));
        assert!(!S::Stranded.allows(WorkspaceAction::Start), "whether it runs is not known");
    }

    #[test]
    fn workspaces_of_an_engine_that_is_off_are_out_of_reach() {
        assert_eq!(shown(S::Running, Some(EngineHealth::Off)), S::Unreachable);
        assert_eq!(shown(S::Creating, Some(EngineHealth::Off)), S::Creating);
    }

    #[test]
    fn a_refusal_names_the_action_the_state_and_the_way_out() {
        let error = check_allows("tool", S::Stopped, WorkspaceAction::Pause).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidState);
        assert_eq!(error.message, "Cannot pause “tool” while it is stopped.");
        assert!(error.hint.is_some());
    }
}
