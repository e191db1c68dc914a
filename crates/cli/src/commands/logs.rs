//! `logs`.

use crate::arguments::Logs;
use crate::{find, output};
use aicockpit_cockpit::socket::Client;
use aicockpit_protocol::api::{ReadLogs, StreamEnd, WorkspaceLogs};

pub(crate) async fn run(client: &Client, asked: &Logs) -> anyhow::Result<()> {
    let workspace = find::workspace(client, &asked.workspace).await?;
    let read = ReadLogs { workspace: workspace.id, tail: Some(asked.tail), follow: Some(asked.follow) };
    let opened = client.call::<WorkspaceLogs>(read).await?;
    let mut stream = client.stream(opened.stream);
    while let Some(bytes) = stream.next().await {
        output::write(&bytes)?;
    }
    match stream.end() {
        Some(StreamEnd::Failed { error }) => Err(error.clone().into()),
        _ => Ok(()),
    }
}
