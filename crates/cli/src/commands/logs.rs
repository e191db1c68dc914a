//! `logs`.

use crate::{find, output};
use aicockpit_cockpit::socket::Client;
use aicockpit_protocol::api::{StreamEnd, WorkspaceLogs, WorkspaceRef};

pub(crate) async fn run(client: &Client, name: &str) -> anyhow::Result<()> {
    let workspace = find::workspace(client, name).await?;
    let opened = client.call::<WorkspaceLogs>(WorkspaceRef { workspace: workspace.id }).await?;
    let mut stream = client.stream(opened.stream);
    while let Some(bytes) = stream.next().await {
        output::write(&bytes)?;
    }
    match stream.end() {
        Some(StreamEnd::Failed { error }) => Err(error.clone().into()),
        _ => Ok(()),
    }
}
