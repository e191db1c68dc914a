//! `start`, `stop`, `recreate`, `let-go`, `rm`.

use crate::arguments::{LetGo, Remove};
use crate::find;
use crate::output::{complain, say};
use aicockpit_cockpit::socket::Client;
use aicockpit_protocol::api::{
    Operation, WorkspaceDelete, WorkspaceDeletePreview, WorkspaceLetGo, WorkspaceRecreate, WorkspaceRef,
    WorkspaceStart, WorkspaceStop,
};
use aicockpit_protocol::workspace::{DeletePreview, Workspace, WorkspaceAction, WorkspaceState};
use aicockpit_protocol::{ApiError, ErrorCode};
use std::io::{BufRead, IsTerminal};

pub(crate) async fn start(client: &Client, names: &[String]) -> anyhow::Result<()> {
    change::<WorkspaceStart>(client, names, WorkspaceState::Running).await
}

pub(crate) async fn stop(client: &Client, names: &[String]) -> anyhow::Result<()> {
    change::<WorkspaceStop>(client, names, WorkspaceState::Stopped).await
}

pub(crate) async fn recreate(client: &Client, names: &[String]) -> anyhow::Result<()> {
    change::<WorkspaceRecreate>(client, names, WorkspaceState::Running).await
}

async fn change<O>(client: &Client, names: &[String], wanted: WorkspaceState) -> anyhow::Result<()>
where
    O: Operation<Params = WorkspaceRef>,
{
    for name in names {
        let workspace = find::workspace(client, name).await?;
        if workspace.state != wanted {
            let mut events = client.events();
            client.call::<O>(of(&workspace)).await?;
            let settled = find::settled(client, &mut events, &workspace.id).await?;
            find::expect_state(&settled, wanted)?;
        }
        say(&workspace.name)?;
    }
    Ok(())
}

pub(crate) async fn let_go(client: &Client, let_go: &LetGo) -> anyhow::Result<()> {
    for name in &let_go.workspaces {
        let workspace = find::workspace(client, name).await?;
        if !let_go.yes && workspace.state.allows(WorkspaceAction::LetGo) {
            complain(&format!(
                "What runs of “{name}” on its machine may still run there, and write to the volume. Unsaved work in \
                 its terminals is lost. Let it go only when that machine is really gone.",
                name = workspace.name
            ));
            confirm(&workspace, "let go", "--yes")?;
        }
        client.call::<WorkspaceLetGo>(of(&workspace)).await?;
        say(&workspace.name)?;
    }
    Ok(())
}

pub(crate) async fn remove(client: &Client, remove: &Remove) -> anyhow::Result<()> {
    for name in &remove.workspaces {
        let workspace = find::workspace(client, name).await?;
        if !remove.force {
            let preview = client.call::<WorkspaceDeletePreview>(of(&workspace)).await?;
            let losses = losses(&preview);
            if !losses.is_empty() {
                complain(&format!("Deleting “{}” loses {}.", workspace.name, losses.join(", ")));
                confirm(&workspace, "deleted", "--force")?;
            }
        }
        let mut events = client.events();
        client.call::<WorkspaceDelete>(of(&workspace)).await?;
        match find::settled(client, &mut events, &workspace.id).await {
            Err(error) if error.code == ErrorCode::NotFound => {}
            Err(error) => return Err(error.into()),
            Ok(left) => {
                let mut error =
                    ApiError::new(ErrorCode::InvalidState, format!("“{}” was not deleted.", left.name));
                error.detail = left.message;
                return Err(error.into());
            }
        }
        say(&workspace.name)?;
    }
    Ok(())
}

fn of(workspace: &Workspace) -> WorkspaceRef {
    WorkspaceRef { workspace: workspace.id.clone() }
}

/// Asks before work may be lost; without a terminal to ask on, that is an error. `done` says what would be.
fn confirm(workspace: &Workspace, done: &str, option: &str) -> anyhow::Result<()> {
    if !std::io::stdin().is_terminal() {
        let why = format!("Nothing was {done}, since nobody can be asked here.");
        let refused = ApiError::new(ErrorCode::InvalidState, why);
        return Err(refused.hint(format!("Add {option} to do it all the same.")).into());
    }
    complain(&format!("Type its name, and it is {done}:"));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() != workspace.name {
        return Err(ApiError::new(ErrorCode::Cancelled, format!("Nothing was {done}.")).into());
    }
    Ok(())
}

fn losses(preview: &DeletePreview) -> Vec<String> {
    let count = |number: u32, one: &str, more: &str| match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {more}"),
    };
    let mut losses = Vec::new();
    match preview.uncommitted_files {
        Some(0) => {}
        Some(files) => losses.push(count(files, "uncommitted file", "uncommitted files")),
        None if preview.volume => losses.push("its files".to_owned()),
        None => {}
    }
    if let Some(commits @ 1..) = preview.unpushed_commits {
        losses.push(count(commits, "unpushed commit", "unpushed commits"));
    }
    if preview.busy_terminals > 0 {
        losses.push(count(preview.busy_terminals, "running command", "running commands"));
    }
    losses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_said_and_nothing_else() {
        let preview = |files, commits, busy, volume| DeletePreview {
            volume,
            kept_folder: None,
            uncommitted_files: files,
            unpushed_commits: commits,
            busy_terminals: busy,
        };
        assert_eq!(losses(&preview(Some(0), Some(0), 0, true)), Vec::<String>::new());
        assert_eq!(losses(&preview(None, None, 0, true)), ["its files"]);
        assert_eq!(losses(&preview(None, None, 0, false)), Vec::<String>::new());
        assert_eq!(
            losses(&preview(Some(1), Some(2), 3, true)),
            ["1 uncommitted file", "2 unpushed commits", "3 running commands"]
        );
    }
}
