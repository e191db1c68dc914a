//! The real program: `connect` starts a daemon, and what runs in it outlives every `connect`.
//!
//! With `AICOCKPIT_AGENT_CONNECT` set to a command line that reaches an agent (say, `docker exec -i NAME
//! /.aicockpit/agent-… connect`), the same is tried there.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a fault is a failed test")]

use aicockpit_link::{Link, LinkStream, join, read_frame, write_frame};
use aicockpit_protocol::agent::{
    AgentError, Answer, Call, FromAgent, MAX_MESSAGE_LEN, Open, PROTOCOL_VERSION, Request, TERMINAL_DATA,
    decode, encode,
};
use aicockpit_protocol::terminal::{AttachTerminal, Attached, CloseTerminal, CreateTerminal};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

const PATIENCE: Duration = Duration::from_secs(30);

struct Connection {
    proxy: Child,
    link: Link,
    control: LinkStream,
    build: String,
    next_id: u64,
}

fn command(folder: &std::path::Path) -> Command {
    match std::env::var("AICOCKPIT_AGENT_CONNECT") {
        Ok(line) => {
            let mut words = line.split_whitespace();
            let mut command = Command::new(words.next().expect("a program"));
            command.args(words);
            command
        }
        Err(_) => {
            let mut command = Command::new(env!("CARGO_BIN_EXE_aicockpit-agent"));
            command.args(["connect", "--folder"]).arg(folder).args(["--first-terminal", "700"]);
            // The daemon must find both by itself.
            command.env_remove("SHELL").env_remove("HOME");
            command
        }
    }
}

impl Connection {
    async fn new(folder: &std::path::Path) -> Self {
        let mut command = command(folder);
        let mut proxy =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let link = Link::client(join(proxy.stdout.take().unwrap(), proxy.stdin.take().unwrap()));
        let mut control = link.open().await.unwrap();
        write_frame(&mut control, &encode(&Open::Control { version: PROTOCOL_VERSION }).unwrap())
            .await
            .unwrap();
        let welcome =
            tokio::time::timeout(PATIENCE, read_frame(&mut control, MAX_MESSAGE_LEN)).await.unwrap();
        let FromAgent::Welcome { build, .. } = decode(&welcome.unwrap().unwrap()).unwrap() else {
            panic!("no welcome")
        };
        Self { proxy, link, control, build, next_id: 1 }
    }

    async fn ask(&mut self, call: Call) -> Result<Answer, AgentError> {
        let asked = self.next_id;
        self.next_id += 1;
        write_frame(&mut self.control, &encode(&Request { id: asked, call }).unwrap()).await.unwrap();
        loop {
            let frame = tokio::time::timeout(PATIENCE, read_frame(&mut self.control, MAX_MESSAGE_LEN)).await;
            match decode(&frame.unwrap().unwrap().unwrap()).unwrap() {
                FromAgent::Reply { id, result } if id == asked => return result,
                _ => {}
            }
        }
    }

    async fn attach(&self, attach: AttachTerminal) -> (LinkStream, Attached) {
        let mut stream = self.link.open().await.unwrap();
        write_frame(&mut stream, &encode(&Open::Terminal(attach)).unwrap()).await.unwrap();
        let first = read_frame(&mut stream, MAX_MESSAGE_LEN).await.unwrap().unwrap();
        let attached = decode::<Result<Attached, AgentError>>(&first).unwrap().unwrap();
        (stream, attached)
    }
}

async fn type_in(stream: &mut LinkStream, text: &str) {
    write_frame(stream, &[&[TERMINAL_DATA], text.as_bytes()].concat()).await.unwrap();
}

async fn wait_for(stream: &mut LinkStream, text: &str) {
    let mut output = Vec::new();
    while !String::from_utf8_lossy(&output).contains(text) {
        let frame = tokio::time::timeout(PATIENCE, read_frame(stream, MAX_MESSAGE_LEN)).await;
        let frame = frame.unwrap_or_else(|_| panic!("no {text:?} in {:?}", String::from_utf8_lossy(&output)));
        output.extend_from_slice(&frame.unwrap().unwrap()[1..]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn terminals_and_daemon_outlive_a_killed_connection() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Connection::new(folder.path()).await;
    let Answer::Inside(inside) = first.ask(Call::Inside).await.unwrap() else { panic!("no description") };
    if inside.shell.is_none() {
        // An image without a shell: everything but a terminal works, and the reason is told.
        let create = CreateTerminal { command: vec![], directory: None, columns: 80, rows: 24 };
        let error = first.ask(Call::CreateTerminal(create)).await.unwrap_err();
        assert!(error.message.contains("no shell"), "{error}");
        return;
    }
    let create = CreateTerminal { command: vec!["sh".into()], directory: None, columns: 80, rows: 24 };
    let Answer::Terminal(info) = first.ask(Call::CreateTerminal(create)).await.unwrap() else {
        panic!("no terminal")
    };
    let (mut view, _) = first.attach(AttachTerminal { terminal: info.id, from: None }).await;
    type_in(&mut view, "kept=yes; echo home is $HOME, shell is $SHELL\n").await;
    wait_for(&mut view, &format!("home is {}, shell is {}", inside.home, inside.shell.unwrap())).await;
    first.proxy.kill().await.unwrap();
    first.link.closed().await;

    let mut second = Connection::new(folder.path()).await;
    assert_eq!((&second.build, second.build.len()), (&first.build, 64));
    let (mut view, attached) = second.attach(AttachTerminal { terminal: info.id, from: None }).await;
    assert!(attached.snapshot_len > 0);
    wait_for(&mut view, "home is").await;
    type_in(&mut view, "echo still $kept; exit 4\n").await;
    wait_for(&mut view, "still yes").await;
    second.ask(Call::CloseTerminal(CloseTerminal { terminal: info.id })).await.unwrap();
    second.ask(Call::Retire).await.unwrap();
    tokio::time::timeout(PATIENCE, second.link.closed()).await.expect("a retired daemon ends");
}
