//! Workspaces by what a person types, and waiting for their states.

use aicockpit_cockpit::socket::Client;
use aicockpit_protocol::api::{Empty, Event, WorkspaceList};
use aicockpit_protocol::workspace::{Workspace, WorkspaceState};
use aicockpit_protocol::{ApiError, ErrorCode, WorkspaceId};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// The workspace that `wanted` names: by name, by id, or by the first characters of its id.
///
/// # Errors
/// [`ErrorCode::NotFound`]; [`ErrorCode::InvalidArgument`] where it names more than one.
pub(crate) async fn workspace(client: &Client, wanted: &str) -> Result<Workspace, ApiError> {
    pick(client.call::<WorkspaceList>(Empty {}).await?, wanted)
}

fn pick(all: Vec<Workspace>, wanted: &str) -> Result<Workspace, ApiError> {
    if let Some(exact) =
        all.iter().find(|workspace| workspace.name == wanted || workspace.id.as_str() == wanted)
    {
        return Ok(exact.clone());
    }
    let mut matching =
        all.into_iter().filter(|workspace| !wanted.is_empty() && workspace.id.as_str().starts_with(wanted));
    match (matching.next(), matching.next()) {
        (Some(one), None) => Ok(one),
        (Some(one), Some(other)) => Err(ApiError::new(
            ErrorCode::InvalidArgument,
            format!(
                "`{wanted}` is the beginning of more than one id, for instance {} and {}.",
                one.id, other.id
            ),
        )
        .hint("Type more of it.")),
        (None, _) => Err(ApiError::new(ErrorCode::NotFound, format!("There is no workspace `{wanted}`."))
            .hint("`aicockpit list` shows all.")),
    }
}

/// Waits until a workspace is in a state that will not change by itself. `events` must have been subscribed to before
/// the change was asked for.
///
/// # Errors
/// [`ErrorCode::NotFound`] where it is gone.
pub(crate) async fn settled(
    client: &Client,
    events: &mut broadcast::Receiver<Event>,
    id: &WorkspaceId,
) -> Result<Workspace, ApiError> {
    loop {
        let all = client.call::<WorkspaceList>(Empty {}).await?;
        let now = all
            .into_iter()
            .find(|workspace| workspace.id == *id)
            .ok_or_else(|| ApiError::new(ErrorCode::NotFound, format!("The workspace {id} is gone.")))?;
        if !now.state.is_transient() {
            return Ok(now);
        }
        next_change(events, id).await?;
    }
}

/// Waits until something is said of this workspace, or events were lost.
async fn next_change(events: &mut broadcast::Receiver<Event>, id: &WorkspaceId) -> Result<(), ApiError> {
    loop {
        match events.recv().await {
            Ok(Event::Workspace { workspace }) if workspace.id == *id => return Ok(()),
            Ok(Event::WorkspaceGone { workspace }) if workspace == *id => return Ok(()),
            Ok(Event::Resync) | Err(RecvError::Lagged(_)) => return Ok(()),
            Ok(_) => {}
            Err(RecvError::Closed) => {
                return Err(ApiError::new(ErrorCode::Internal, "AiCockpit ended."));
            }
        }
    }
}

/// An error where a workspace did not end in the state that was asked for.
///
/// # Errors
/// [`ErrorCode::InvalidState`] with the workspace's own message.
pub(crate) fn expect_state(workspace: &Workspace, wanted: WorkspaceState) -> Result<(), ApiError> {
    if workspace.state == wanted {
        return Ok(());
    }
    if let Some(error) = workspace.plan.as_ref().and_then(|plan| plan.error.clone()) {
        return Err(error);
    }
    let state = crate::output::word(&workspace.state);
    let mut error =
        ApiError::new(ErrorCode::InvalidState, format!("The workspace “{}” is {state}.", workspace.name));
    if let Some(message) = &workspace.message {
        error = error.detail(message.clone());
    }
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aicockpit_protocol::EngineId;
    use aicockpit_protocol::workspace::{Image, Limits, Profile, Source, WorkspaceSpec};

    fn make(id: &str, name: &str) -> Workspace {
        Workspace {
            id: WorkspaceId::new(id),
            name: name.to_owned(),
            engine: EngineId::new("docker"),
            spec: WorkspaceSpec {
                source: Source::Empty,
                image: Image::Base,
                profile: Profile::Standard,
                limits: Limits::default(),
                trust_host_certificates: false,
                gpu: false,
                published_ports: Vec::new(),
                env: Default::default(),
            },
            state: WorkspaceState::Running,
            message: None,
            created_ms: 0,
            last_used_ms: None,
            plan: None,
            sample: None,
            branch: None,
            imported: false,
        }
    }

    #[test]
    fn a_name_goes_before_the_beginning_of_an_id() {
        let all = vec![
            make("abcdefghijklmnop", "web"),
            make("abzzzzzzzzzzzzzz", "abc"),
            make("webwebwebwebwebw", "x"),
        ];
        let found = |wanted: &str| {
            pick(all.clone(), wanted).map(|workspace| workspace.name).map_err(|error| error.code)
        };
        assert_eq!(found("web"), Ok("web".to_owned()));
        assert_eq!(found("webw"), Ok("x".to_owned()));
        assert_eq!(found("abc"), Ok("abc".to_owned()));
        assert_eq!(found("abcd"), Ok("web".to_owned()));
        assert_eq!(found("ab"), Err(ErrorCode::InvalidArgument));
        assert_eq!(found(""), Err(ErrorCode::NotFound));
        assert_eq!(found("none"), Err(ErrorCode::NotFound));
    }
}
