//! `ports`.

use crate::arguments::Ports;
use crate::connect::Connection;
use crate::find;
use crate::output::{complain, json, say, table};
use aicockpit_protocol::WorkspaceId;
use aicockpit_protocol::api::{In, PortClose, PortForward, PortList, WorkspaceRef};
use aicockpit_protocol::port::{ForwardTarget, PortEntry};

pub(crate) async fn run(connection: &Connection, ports: Ports, as_json: bool) -> anyhow::Result<()> {
    let client = &connection.client;
    let workspace = find::workspace(client, &ports.workspace).await?.id;
    for (host, port) in ports.close {
        let args = ForwardTarget { host, port };
        client.call::<PortClose>(In { workspace: workspace.clone(), args }).await?;
    }
    let mut opened = Vec::new();
    for (host, port) in ports.forward {
        let args = ForwardTarget { host, port };
        opened.push(client.call::<PortForward>(In { workspace: workspace.clone(), args }).await?);
    }
    if opened.is_empty() {
        return list(connection, workspace, as_json).await;
    }
    if as_json {
        json(&opened)?;
    } else {
        for forward in &opened {
            let target = &forward.target;
            say(&format!(
                "{}:{} → 127.0.0.1:{}  {}",
                target.host, target.port, forward.local_port, forward.url
            ))?;
        }
    }
    if connection.is_own() {
        complain("Forwarding until Ctrl-C. A running AiCockpit would keep it open by itself.");
        tokio::signal::ctrl_c().await?;
    }
    Ok(())
}

async fn list(connection: &Connection, workspace: WorkspaceId, as_json: bool) -> anyhow::Result<()> {
    let entries = connection.client.call::<PortList>(WorkspaceRef { workspace }).await?;
    if as_json {
        return json(&entries);
    }
    let rows: Vec<_> = entries.iter().map(row).collect();
    table(["PORT", "PROGRAM", "FORWARDED TO", "ADDRESS"], &rows)
}

fn row(entry: &PortEntry) -> [String; 4] {
    let target = &entry.target;
    let port = match target.host.as_str() {
        "localhost" => target.port.to_string(),
        host => format!("{host}:{}", target.port),
    };
    let program = entry.listening.as_ref().and_then(|listening| listening.process.clone());
    let (local, url) = match &entry.forward {
        Some(forward) => (format!("127.0.0.1:{}", forward.local_port), forward.url.clone()),
        None => ("-".to_owned(), "-".to_owned()),
    };
    [port, program.unwrap_or_else(|| "-".to_owned()), local, url]
}
