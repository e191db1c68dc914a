//! `list`.

use crate::output::{complain, json, table, word};
use aicockpit_cockpit::socket::Client;
use aicockpit_protocol::api::{Empty, WorkspaceList};
use aicockpit_protocol::workspace::{Image, Source, Workspace};

pub(crate) async fn run(client: &Client, as_json: bool) -> anyhow::Result<()> {
    let all = client.call::<WorkspaceList>(Empty {}).await?;
    if as_json {
        return json(&all);
    }
    if all.is_empty() {
        complain("There are no workspaces. `aicockpit create` makes one.");
        return Ok(());
    }
    let rows: Vec<_> = all.iter().map(row).collect();
    table(["ID", "NAME", "STATE", "ENGINE", "IMAGE", "SOURCE"], &rows)
}

fn row(workspace: &Workspace) -> [String; 6] {
    let image = match &workspace.spec.image {
        Image::Base => "base".to_owned(),
        Image::Reference { reference } => reference.clone(),
    };
    let source = match &workspace.spec.source {
        Source::Git { url, branch: Some(branch) } => format!("{url} ({branch})"),
        Source::Git { url, branch: None } => url.clone(),
        Source::Folder { path } => path.clone(),
        Source::Empty => "-".to_owned(),
    };
    [
        workspace.id.as_str().chars().take(8).collect(),
        workspace.name.clone(),
        word(&workspace.state),
        workspace.engine.to_string(),
        image,
        source,
    ]
}
