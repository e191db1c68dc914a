//! The main job on a cluster: from a repository to a terminal and back to nothing.

use crate::common::{Host, Namespace, PATIENCE, type_line};
use aicockpit_protocol::BytePath;
use aicockpit_protocol::api::{Event, FsRead, FsWrite, SearchTextStart};
use aicockpit_protocol::fs::{ReadFile, WriteCondition, WriteFile};
use aicockpit_protocol::search::{SearchMessage, SearchText};
use aicockpit_protocol::workspace::{Image, Profile, Source, StepKind, WorkspaceSpec, WorkspaceState};
use aicockpit_testkit::{read_until, wait_for};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const SERVER: &str = "perl -e 'use IO::Socket::INET; my $s = IO::Socket::INET->new(Listen => 5, LocalAddr => \
     \"127.0.0.1\", LocalPort => 48123) or die; print \"up\\n\"; while (my $c = $s->accept) { my $l = <$c>; \
     print $c \"got $l\"; close $c }' &";

#[tokio::test(flavor = "multi_thread")]
async fn from_a_repository_to_a_terminal_and_back_to_nothing() {
    let namespace = Namespace::new();
    let url = namespace.repository();
    let host = Host::start(&namespace).await;
    let id = host.create_running(Source::Git { url: url.clone(), branch: None }).await;
    let log = host.cockpit.workspaces().plan_log(&id).await.unwrap();
    assert!(log.iter().any(|log| log.step == StepKind::Clone && !log.lines.is_empty()), "{log:?}");
    let inside = host.cockpit.workspaces().open(&id).await.unwrap();
    assert_eq!((inside.uid, inside.folder), (1000, BytePath::from("/workspace")));

    // Edit.
    let path = BytePath::from("/workspace/README");
    let read = async |host: &Host| {
        let args = ReadFile { path: path.clone(), offset: 0, length: 1000 };
        host.client.call_with::<FsRead>(host.of(&id, args), &[]).await.unwrap()
    };
    let first = read(&host).await;
    assert_eq!(first.body, b"hello\n");
    let condition = WriteCondition::Version { version: first.value.version };
    let args = WriteFile { path: path.clone(), condition, create_parents: false };
    host.client.call_with::<FsWrite>(host.of(&id, args), b"a needle\n").await.unwrap();

    // Search.
    assert_eq!(search(&host, &id, "needle").await, 1);

    // Terminal, and a forward of what it serves.
    let (terminal, mut prompt) = host.terminal(&id).await;
    type_line(&mut prompt, "git status --short; echo in-$((6*7))", "in-42").await;
    let mut events = host.client.events();
    prompt.sender().send(format!("{SERVER}\r").as_bytes()).await.unwrap();
    let port = wait_for(&mut events, PATIENCE, "the port to be forwarded", |event| match event {
        Event::Ports { workspace, ports } if workspace == id => {
            Some(ports.into_iter().find(|entry| entry.target.port == 48123)?.forward?.local_port)
        }
        _ => None,
    })
    .await;
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    tcp.write_all(b"hello\n").await.unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "got hello\n");
    drop(prompt);

    // The cockpit goes and comes back; terminals live on.
    let host = host.restart().await;
    host.cockpit.workspaces().open(&id).await.unwrap();
    let mut prompt = host.attach(&id, terminal).await;
    read_until(&mut prompt, PATIENCE, "in-42").await;
    type_line(&mut prompt, "echo still-$((6*7))", "still-42").await;
    drop(prompt);

    // Stop, start: the files are there.
    let workspaces = host.cockpit.workspaces();
    workspaces.stop(&id).await.unwrap();
    assert_eq!(workspaces.get(&id).unwrap().state, WorkspaceState::Stopped);
    workspaces.start(&id).await.unwrap();
    workspaces.open(&id).await.unwrap();
    assert_eq!(read(&host).await.body, b"a needle\n");
    let timeline = workspaces.timeline(&id).await.unwrap();
    assert!(timeline.iter().any(|entry| entry.text.contains("Successfully assigned")), "{timeline:?}");

    workspaces.delete(&id).await.unwrap();
    assert_eq!(namespace.objects(), Vec::<String>::new(), "left over");
    host.cockpit.shutdown().await;
}

async fn search(host: &Host, id: &aicockpit_protocol::WorkspaceId, pattern: &str) -> u64 {
    let search = SearchText {
        root: BytePath::from("/workspace"),
        pattern: pattern.to_owned(),
        regex: false,
        case_sensitive: true,
        whole_word: true,
        include: Vec::new(),
        exclude: Vec::new(),
        include_ignored: false,
        max_matches: 100,
    };
    let opened = host.client.call::<SearchTextStart>(host.of(id, search)).await.unwrap();
    let text = host.client.stream(opened.stream).collect().await.unwrap();
    let last = text.split(|&byte| byte == b'\n').rfind(|line| !line.is_empty()).unwrap();
    match serde_json::from_slice(last).unwrap() {
        SearchMessage::Done { matches, .. } => matches,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cluster_cannot_do_is_said_before_anything_is_made() {
    let namespace = Namespace::new();
    let host = Host::start(&namespace).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    for source in [Source::Folder { path: path.clone() }, Source::Git { url: path, branch: None }] {
        let request = aicockpit_protocol::api::CreateWorkspace {
            name: None,
            engine: None,
            spec: aicockpit_protocol::workspace::WorkspaceSpec { source, ..aicockpit_testkit::empty_spec() },
        };
        let refused = host.cockpit.workspaces().create(request).await.unwrap_err();
        assert!(refused.hint.is_some() && refused.message.contains("folders"), "{refused:?}");
    }
    let id = host.create_running(Source::Empty).await;
    let refused = host.cockpit.workspaces().pause(&id).await.unwrap_err();
    assert!(refused.message.contains("freeze"), "{refused:?}");
    host.cockpit.workspaces().delete(&id).await.unwrap();
    assert_eq!(namespace.objects(), Vec::<String>::new(), "left over");
    host.cockpit.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_workspace_is_off_the_network_or_is_not_made() {
    let namespace = Namespace::new();
    let host = Host::start(&namespace).await;
    let spec =
        WorkspaceSpec { source: Source::Empty, profile: Profile::Locked, ..aicockpit_testkit::empty_spec() };
    let spec = WorkspaceSpec { image: Image::Base, ..spec };
    let made = host.create_with(spec).await;
    match made.state {
        WorkspaceState::Running => {
            let details = host.cockpit.workspaces().open(&made.id).await.unwrap();
            assert!(!details.sudo);
        }
        WorkspaceState::Failed => {
            let error = made.plan.unwrap().error.unwrap();
            assert!(error.message.contains("does not enforce network policies"), "{error:?}");
            let pods = namespace.kubectl(&["get", "pods", "--output=name"]);
            assert_eq!(pods, "", "what was begun does not run on");
        }
        other => panic!("{other:?}"),
    }
    host.cockpit.workspaces().delete(&made.id).await.unwrap();
    assert_eq!(namespace.objects(), Vec::<String>::new(), "left over");
    host.cockpit.shutdown().await;
}
