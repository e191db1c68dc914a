//! Programs inside a workspace ask models through the agent's link: without a network, with a key of their own.

use crate::common::inside::{Inside, until};
use crate::common::*;
use aicockpit_cockpit::Cockpit;
use aicockpit_protocol::WorkspaceId;
use aicockpit_protocol::broker::{BackendKind, BackendSettings, BrokerSettings, ModelAlias, Target};
use aicockpit_protocol::fs::WriteCondition;
use aicockpit_protocol::workspace::{Profile, Source};
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Asks a model with nothing but bash. `$1` stands in for the key that the program was given.
const ASK: &[u8] = br#"
port=${OPENAI_BASE_URL#http://127.0.0.1:}; port=${port%/v1}
body='{"model":"fast","messages":[{"role":"user","content":"hello"}]}'
exec 3<>"/dev/tcp/127.0.0.1/$port"
printf 'POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' \
  "$port" "${1:-$OPENAI_API_KEY}" "${#body}" "$body" >&3
cat <&3
"#;

/// A model server that answers every question with the name of the model it was asked for, and the key it was given.
async fn model_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(answer(tcp));
        }
    });
    format!("http://{address}/v1")
}

async fn answer(tcp: TcpStream) {
    let mut tcp = BufReader::new(tcp);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let from = head.len();
            if tcp.read_line(&mut head).await.unwrap_or(0) == 0 {
                return;
            }
            let line = head[from..].to_ascii_lowercase();
            length = line.strip_prefix("content-length:").map_or(length, |text| text.trim().parse().unwrap());
        }
        let mut body = vec![0; length];
        tcp.read_exact(&mut body).await.unwrap();
        let said = match head.starts_with("GET") {
            true => serde_json::json!({ "object": "list", "data": [{ "id": "tiny", "object": "model" }] }),
            false => {
                let asked: serde_json::Value = serde_json::from_slice(&body).unwrap();
                let is_ours = head.to_ascii_lowercase().contains("aic-");
                let content =
                    format!("I am {}, asked with a key of the workspace: {is_ours}", asked["model"]);
                serde_json::json!({ "choices": [{ "message": { "role": "assistant", "content": content } }] })
            }
        };
        let said = said.to_string();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{said}",
            said.len()
        );
        if tcp.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn models(url: &str) -> BrokerSettings {
    let backend = BackendSettings {
        id: "one".into(),
        name: "one".into(),
        url: url.to_owned(),
        kind: BackendKind::OpenAi,
        has_key: false,
        enabled: true,
        max_parallel: None,
    };
    let target = Target { backend: "one".into(), model: "tiny".into(), priority: 0 };
    let alias = ModelAlias { name: "fast".into(), targets: vec![target] };
    BrokerSettings { backends: vec![backend], aliases: vec![alias], ..BrokerSettings::default() }
}

async fn set(cockpit: &Cockpit, models: BrokerSettings) {
    let mut settings = cockpit.settings();
    settings.models = models;
    cockpit.put_settings(settings).await.unwrap();
}

/// What programs that are started now are told.
async fn told(inside: &Inside) -> String {
    inside.sh("echo \"$OPENAI_BASE_URL|$OPENAI_API_KEY\"").await.unwrap().1.trim().to_owned()
}

/// Waits until the agent was told of a change of the settings: the next program is told another thing.
async fn retold(inside: &Inside, before: &str) -> String {
    let waiting = async {
        loop {
            let now = told(inside).await;
            if now != before {
                return now;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("programs are told of the change")
}

async fn open(cockpit: &Arc<Cockpit>, workspace: &WorkspaceId) -> Inside {
    let inside = Inside::open(cockpit, workspace).await;
    inside.write("/workspace/ask", ASK, WriteCondition::Any).await.unwrap();
    inside
}

#[tokio::test]
async fn programs_without_a_network_reach_models_with_a_key_of_their_own() {
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(data.path(), docker()).await;
    let locked = || {
        let mut locked = spec(Source::Empty);
        locked.profile = Profile::Locked;
        locked
    };
    let (first, second) =
        (create_running(&cockpit, locked()).await.id, create_running(&cockpit, locked()).await.id);
    let (one, other) = (open(&cockpit, &first).await, open(&cockpit, &second).await);
    assert_eq!(told(&one).await, "|", "nothing stands in the way of a tool's own settings");

    set(&cockpit, models(&model_server().await)).await;
    let given = retold(&one, "|").await;
    let (url, key) = given.split_once('|').unwrap();
    assert!(
        url.starts_with("http://127.0.0.1:") && url.ends_with("/v1") && key.starts_with("aic-"),
        "{given}"
    );
    let (status, said) = one.sh("bash /workspace/ask").await.unwrap();
    assert_eq!(status, 0, "{said}");
    assert!(
        said.contains("200 OK")
            && said.contains(r#"I am \"tiny\", asked with a key of the workspace: false"#),
        "{said}"
    );

    let elsewhere = retold(&other, "|").await;
    assert_ne!(elsewhere.split_once('|').unwrap().1, key, "each workspace has a key of its own");
    let (_, refused) = other.sh(&format!("bash /workspace/ask {key}")).await.unwrap();
    assert!(refused.contains("401") && refused.contains("invalid_api_key"), "{refused}");
    let configured = inspect(&first, ".Config.Env").to_string();
    assert!(!configured.contains("aic-"), "keys are no part of the container: {configured}");

    // A program that runs on under the next cockpit goes on with the key that it has.
    let terminal = one.terminal().await.unwrap();
    let mut view = one.attach(terminal).await;
    view.sender().send(b"echo told-$((40+2))\n").await.unwrap();
    until(&mut view, "told-42").await;
    drop((one, other, view));
    cockpit.shutdown().await;
    drop(cockpit);
    let cockpit = start(data.path(), docker()).await;
    cockpit.engines().settled().await;
    becomes(&cockpit, &first, aicockpit_protocol::workspace::WorkspaceState::Running).await;
    let one = Inside::open(&cockpit, &first).await;
    let renewed = told(&one).await;
    assert!(renewed.starts_with(url) && !renewed.ends_with(key), "a new key at each connection: {renewed}");
    let mut view = one.attach(terminal).await;
    view.sender().send(b"bash /workspace/ask | grep -o 'I am .*tiny'\n").await.unwrap();
    until(&mut view, "I am \\\"tiny").await;

    set(&cockpit, BrokerSettings::default()).await;
    assert_eq!(retold(&one, &renewed).await, "|");
    drop((one, view));
    for workspace in [&first, &second] {
        cockpit.workspaces().delete(workspace).await.unwrap();
        assert_nothing_left(workspace);
    }
    cockpit.shutdown().await;
}
