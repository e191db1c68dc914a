//! A workspace's whole life through the browser's WebSocket, on real Docker with the real agent.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use aicockpit_cockpit::socket::{Client, ClientStream};
use aicockpit_protocol::api::{
    DownloadFile, Event, FsDownload, FsRead, FsStat, FsUpload, FsWrite, In, LinkState, PortList, ProcessExec,
    SearchTextStart, StreamEnd, TerminalAttach, TerminalCreate, TerminalList, UploadFile, WorkspaceDelete,
    WorkspaceOpen, WorkspaceRef,
};
use aicockpit_protocol::fs::{ReadFile, Stat, WriteCondition, WriteFile};
use aicockpit_protocol::process::{Exec, ExecFrame};
use aicockpit_protocol::search::{SearchMessage, SearchText};
use aicockpit_protocol::terminal::{AttachTerminal, CreateTerminal};
use aicockpit_protocol::{BytePath, ContainerId, ErrorCode, TerminalId, WorkspaceId};
use aicockpit_remote::{ServeOptions, Served, serve};
use aicockpit_testkit::{TestCockpit, poll, read_until, wait_for};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SOON: Duration = Duration::from_secs(30);

async fn serve_for(test: &TestCockpit) -> (Served, Client) {
    let ui = test.data_directory().join("ui");
    std::fs::create_dir_all(&ui).unwrap();
    std::fs::write(ui.join("index.html"), "").unwrap();
    let options = ServeOptions { listen: "127.0.0.1:0".parse().unwrap(), ui };
    let served = serve(Arc::clone(test.cockpit()), options).await.unwrap();
    let url = served.sign_in_url();
    let bearer = common::sign_in(served.address, common::token(&url)).await.unwrap();
    let client = common::client(served.address, &bearer).await;
    (served, client)
}

/// One workspace, as the steps of the test use it.
struct Inside<'a> {
    client: &'a Client,
    workspace: WorkspaceId,
}

impl Inside<'_> {
    fn of<T: ts_rs::TS>(&self, args: T) -> In<T> {
        In { workspace: self.workspace.clone(), args }
    }

    fn itself(&self) -> WorkspaceRef {
        WorkspaceRef { workspace: self.workspace.clone() }
    }

    async fn open(&self) {
        let inside = self.client.call::<WorkspaceOpen>(self.itself()).await.unwrap();
        assert_eq!(inside.folder, BytePath::from("/workspace"));
    }

    async fn attach(&self, terminal: TerminalId) -> ClientStream {
        let args = AttachTerminal { terminal, from: None };
        let attached = self.client.call::<TerminalAttach>(self.of(args)).await.unwrap();
        self.client.stream(attached.stream)
    }

    async fn new_terminal(&self) -> (TerminalId, ClientStream) {
        let args = CreateTerminal { command: Vec::new(), directory: None, columns: 100, rows: 30 };
        let terminal = self.client.call::<TerminalCreate>(self.of(args)).await.unwrap().id;
        let mut stream = self.attach(terminal).await;
        read_until(&mut stream, SOON, "$").await;
        (terminal, stream)
    }

    async fn write(&self, content: &[u8], condition: WriteCondition) -> Result<String, ErrorCode> {
        let write =
            WriteFile { path: BytePath::from("/workspace/notes.txt"), condition, create_parents: false };
        let written = self.client.call_with::<FsWrite>(self.of(write), content).await;
        written.map(|reply| reply.value.version).map_err(|error| error.code)
    }

    async fn uploads(&self) {
        let upload = async |path: &str| {
            let args =
                UploadFile { path: BytePath::from(path), condition: WriteCondition::Missing, archive: false };
            self.client.stream(self.client.call::<FsUpload>(self.of(args)).await.unwrap().stream)
        };
        let half = upload("/workspace/half").await;
        half.sender().send(b"only the beginning").await.unwrap();
        drop(half);
        let content: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
        let mut whole = upload("/workspace/whole").await;
        whole.sender().send(&content).await.unwrap();
        whole.sender().finish().await.unwrap();
        assert_eq!(whole.next().await, None);
        let Some(StreamEnd::Finished { stat: Some(stat) }) = whole.end() else { panic!("{:?}", whole.end()) };
        assert_eq!(stat.size, 3_000_000);
        let args = DownloadFile { path: BytePath::from("/workspace/whole") };
        let opened = self.client.call::<FsDownload>(self.of(args)).await.unwrap();
        let back = self.client.stream(opened.stream).collect().await.unwrap();
        assert!(back == content, "{} bytes came back", back.len());
        let missing = Stat { path: BytePath::from("/workspace/half") };
        let error = self.client.call::<FsStat>(self.of(missing)).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound, "what was broken off is not there");
    }

    async fn files(&self) {
        let first = self.write(b"a needle in hay\n", WriteCondition::Missing).await.unwrap();
        assert_eq!(self.write(b"x", WriteCondition::Missing).await, Err(ErrorCode::Conflict));
        let second = WriteCondition::Version { version: first.clone() };
        self.write(b"two needles\nneedle\n", second.clone()).await.unwrap();
        assert_eq!(self.write(b"three", second).await, Err(ErrorCode::Conflict), "the version is gone");
        let read = ReadFile { path: BytePath::from("/workspace/notes.txt"), offset: 4, length: 1000 };
        let reply = self.client.call_with::<FsRead>(self.of(read), &[]).await.unwrap();
        assert_eq!(reply.body, b"needles\nneedle\n");
    }

    async fn search(&self) {
        let search = SearchText {
            root: BytePath::from("/workspace"),
            pattern: "needle".to_owned(),
            regex: false,
            case_sensitive: true,
            whole_word: true,
            include: Vec::new(),
            exclude: Vec::new(),
            include_ignored: false,
            max_matches: 100,
        };
        let opened = self.client.call::<SearchTextStart>(self.of(search)).await.unwrap();
        let text = self.client.stream(opened.stream).collect().await.unwrap();
        let messages: Vec<SearchMessage> = text
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        let Some(SearchMessage::Done { matches, .. }) = messages.last() else { panic!("{messages:?}") };
        assert_eq!(*matches, 1);
    }

    /// A program's output, and its exit status.
    async fn exec(&self, command: &[&str]) -> (String, i32) {
        let mut stream = self.start(command).await;
        let mut output = Vec::new();
        while let Some(frame) = stream.next().await {
            match frame[0] {
                kind if kind == ExecFrame::Exit as u8 => {
                    let status = i32::from_le_bytes(frame[1..5].try_into().unwrap());
                    return (String::from_utf8(output).unwrap(), status);
                }
                kind if kind == ExecFrame::Failed as u8 => panic!("{}", String::from_utf8_lossy(&frame[1..])),
                _ => output.extend_from_slice(&frame[1..]),
            }
        }
        panic!("the stream ended with {:?}", stream.end());
    }

    async fn start(&self, command: &[&str]) -> ClientStream {
        let command = command.iter().map(|&part| part.to_owned()).collect();
        let exec = Exec { command, directory: None, env: Default::default() };
        let opened = self.client.call::<ProcessExec>(self.of(exec)).await.unwrap();
        self.client.stream(opened.stream)
    }

    async fn forward(&self) {
        const SERVER: &str = "use IO::Socket::INET; my $s = IO::Socket::INET->new(Listen => 5, \
            LocalAddr => '127.0.0.1', LocalPort => 48123) or die; \
            while (my $c = $s->accept) { my $l = <$c>; print $c \"got $l\"; close $c }";
        let mut events = self.client.events();
        let server = self.start(&["perl", "-e", SERVER]).await;
        let local_port = wait_for(&mut events, SOON, "the port to be forwarded", |event| match event {
            Event::Ports { workspace, ports } if workspace == self.workspace => {
                let entry = ports.into_iter().find(|entry| entry.target.port == 48123)?;
                let forward = entry.forward?;
                assert_eq!(forward.url, format!("http://{workspace}.localhost:{}/", forward.local_port));
                Some(forward.local_port)
            }
            _ => None,
        })
        .await;
        let mut tcp = TcpStream::connect(("127.0.0.1", local_port)).await.unwrap();
        tcp.write_all(b"hello\n").await.unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "got hello\n");
        drop(server);
        poll(SOON, "the forward to close with its program", async || {
            let ports = self.client.call::<PortList>(self.itself()).await.unwrap();
            ports.iter().all(|entry| entry.target.port != 48123).then_some(())
        })
        .await;
        assert!(TcpStream::connect(("127.0.0.1", local_port)).await.is_err());
    }
}

/// The proxies of the agent's connections in a container, as this machine sees them.
fn proxies(container_pid: u32) -> Vec<u32> {
    let namespace = |pid: &Path| std::fs::read_link(pid.join("ns/pid")).ok();
    let wanted = namespace(Path::new(&format!("/proc/{container_pid}"))).unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes
        .filter(|process| namespace(&process.path()).as_ref() == Some(&wanted))
        .filter(|process| {
            let command = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            command.split(|&byte| byte == 0).nth(1) == Some(b"connect")
        })
        .filter_map(|process| process.file_name().to_str()?.parse().ok())
        .collect()
}

fn kill_9(pid: u32) {
    assert!(std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_lives_through_cuts_and_restarts_and_leaves_nothing() {
    let mut test = TestCockpit::start().await;
    let workspace = test.create("session-test-life").await.id;
    let terminal = {
        let (served, client) = serve_for(&test).await;
        let inside = Inside { client: &client, workspace: workspace.clone() };
        inside.open().await;
        let (terminal, mut stream) = inside.new_terminal().await;
        stream.sender().send(b"echo one-$((40+2))\n").await.unwrap();
        read_until(&mut stream, SOON, "one-42").await;
        inside.files().await;
        inside.uploads().await;
        inside.search().await;
        assert_eq!(inside.exec(&["sh", "-c", "echo out; exit 7"]).await, ("out\n".to_owned(), 7));
        inside.forward().await;

        let name = ContainerId::new(format!("aicockpit-{workspace}"));
        let pid = test.engine().inspect_container(&name).await.unwrap().pid.unwrap();
        let mut events = client.events();
        let killed = proxies(pid);
        assert_eq!(killed.len(), 1, "one connection serves everything");
        kill_9(killed[0]);
        wait_for(&mut events, SOON, "the link to break and to be made again", |event| match event {
            Event::Link { workspace: of, link: LinkState::Connected } if of == workspace => Some(()),
            _ => None,
        })
        .await;
        stream.sender().send(b"echo two-$((40+2))\n").await.unwrap();
        read_until(&mut stream, SOON, "two-42").await;
        drop(stream);
        drop(client);
        served.stop();
        terminal
    };

    test.restart().await;
    let (served, client) = serve_for(&test).await;
    let inside = Inside { client: &client, workspace: workspace.clone() };
    inside.open().await;
    let terminals = client.call::<TerminalList>(inside.itself()).await.unwrap();
    assert_eq!(terminals.iter().map(|info| info.id).collect::<Vec<_>>(), [terminal]);
    let mut stream = inside.attach(terminal).await;
    let screen = read_until(&mut stream, SOON, "two-42").await;
    assert!(screen.contains("one-42"), "the screen from before: {screen:?}");
    stream.sender().send(b"echo three-$((40+2))\n").await.unwrap();
    read_until(&mut stream, SOON, "three-42").await;

    let mut events = client.events();
    client.call::<WorkspaceDelete>(inside.itself()).await.unwrap();
    wait_for(&mut events, Duration::from_secs(60), "the workspace to be gone", |event| match event {
        Event::WorkspaceGone { workspace: of } if of == workspace => Some(()),
        _ => None,
    })
    .await;
    assert_eq!(test.left_behind().await, Vec::<String>::new());
    served.stop();
}
