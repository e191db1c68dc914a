//! `start`, `stop`, `recreate`, `rm`.

use crate::arguments::Remove;
use crate::find;
use crate::output::{complain, say};
use aicockpit_cockpit::socket::Client;
use aicockpit_protocol::api::{
    Operation, WorkspaceDelete, WorkspaceDeletePreview, WorkspaceRecreate, WorkspaceRef, WorkspaceStart,
    WorkspaceStop,
};
use aicockpit_protocol::workspace::{DeletePreview, Workspace, WorkspaceState};
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

pub(crate) async fn remove(client: &Client, remove: &Remove) -> anyhow::Result<()> {
    for name in &remove.workspaces {
        let workspace = find::workspace(client, name).await?;
        if !remove.force {
            let preview = client.call::<WorkspaceDeletePreview>(of(&workspace)).await?;
            confirm(&workspace, &preview)?;
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

/// Asks where work would be lost; without a terminal to ask on, that is an error.
fn confirm(workspace: &Workspace, preview: &DeletePreview) -> anyhow::Result<()> {
    let losses = losses(preview);
    if losses.is_empty() {
        return Ok(());
    }
    complain(&format!("Deleting “{}” loses {}.", workspace.name, losses.join(", ")));
    if !std::io::stdin().is_terminal() {
        let refused =
            ApiError::new(ErrorCode::InvalidState, "Nothing was deleted, since nobody can be asked here.");
        return Err(refused.hint("Add --force to delete all the same.").into());
    }
    complain("Type its name to delete it:");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() != workspace.name {
        return Err(ApiError::new(ErrorCode::Cancelled, "Nothing was deleted.").into());
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
