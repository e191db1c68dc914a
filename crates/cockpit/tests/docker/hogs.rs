//! A workspace that takes all it can get: its limits hold, others do not notice, and it comes back.

use crate::common::inside::{Inside, NOT_STARTED, until};
use crate::common::tmpfs::Tmpfs;
use crate::common::*;
use aicockpit_cockpit::Cockpit;
use aicockpit_engine::Engine;
use aicockpit_engine_docker::DockerEngine;
use aicockpit_protocol::api::{Event, LinkState, TerminalList};
use aicockpit_protocol::fs::WriteCondition;
use aicockpit_protocol::workspace::{Limits, Profile, Source, WorkspaceState};
use aicockpit_protocol::{ContainerId, ErrorCode, WorkspaceId};
use std::sync::Arc;
use tempfile::TempDir;

/// A workspace that is about to misbehave, and one beside it.
struct Pair {
    cockpit: Arc<Cockpit>,
    hog: Inside,
    other: Inside,
    data: TempDir,
}

impl Pair {
    async fn new(limits: Limits, profile: Profile, source: impl FnOnce(&TempDir) -> Source) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut asked = spec(source(&data));
        (asked.limits, asked.profile) = (limits, profile);
        let cockpit = start(&data.path().join("data"), docker()).await;
        let (hog, other) =
            tokio::join!(create_running(&cockpit, asked), create_running(&cockpit, spec(Source::Empty)));
        let (hog, other) = (Inside::open(&cockpit, &hog.id).await, Inside::open(&cockpit, &other.id).await);
        Self { cockpit, hog, other, data }
    }

    /// Does something while the other workspace is used on and on.
    async fn beside<T>(&self, work: impl Future<Output = T>) -> T {
        let mut used = 0;
        let using = async {
            loop {
                self.other.is_usable().await;
                used += 1;
            }
        };
        let done = tokio::select! {
            done = tokio::time::timeout(PATIENCE, work) => done.expect("it ends"),
            () = using => unreachable!(),
        };
        self.other.is_usable().await;
        println!("the other workspace was used {used} times meanwhile");
        done
    }

    async fn end(self) {
        let workspaces = self.cockpit.workspaces();
        for id in [&self.hog.workspace, &self.other.workspace] {
            assert_eq!(workspaces.get(id).unwrap().state, WorkspaceState::Running);
            workspaces.delete(id).await.unwrap();
            assert_nothing_left(id);
        }
        self.cockpit.shutdown().await;
        drop(self.data);
    }
}

/// Processes and threads in a workspace, as the engine counts them.
async fn processes(engine: &DockerEngine, id: &WorkspaceId) -> u64 {
    engine.stats(&ContainerId::new(format!("aicockpit-{id}"))).await.unwrap().pids
}

/// Waits until the link broke and was made again.
async fn reconnected(events: &mut tokio::sync::broadcast::Receiver<Event>, id: &WorkspaceId) {
    let mut broken = false;
    let waiting = async {
        loop {
            match events.recv().await {
                Ok(Event::Link { workspace, link }) if workspace == *id => match link {
                    LinkState::Reconnecting { .. } => broken = true,
                    LinkState::Connected if broken => return,
                    _ => {}
                },
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the agent is reached again");
}

#[tokio::test]
async fn a_fork_bomb_stays_in_its_workspace_which_a_restart_brings_back() {
    const PIDS: u64 = 100;
    let limits = Limits { pids: Some(PIDS), cpu_millis: Some(500), ..Limits::default() };
    let pair = Pair::new(limits, Profile::Standard, |_| Source::Empty).await;
    let (hog, engine) = (&pair.hog, DockerEngine::new(endpoint_at("/var/run/docker.sock")));
    engine.probe().await.unwrap();
    hog.write("/workspace/kept", b"kept", WriteCondition::Any).await.unwrap();
    let terminal = hog.terminal().await.unwrap();
    let shell = hog.attach(terminal).await;
    shell.sender().send(b"perl -e 'fork while 1'\n").await.unwrap();
    pair.beside(async {
        // Full: what is free for a moment another one takes at once.
        while processes(&engine, &hog.workspace).await < PIDS - 5 {}
    })
    .await;
    assert!(processes(&engine, &hog.workspace).await <= PIDS, "the limit holds");
    // The agent needs no new process for this, and has its share of the processor.
    pair.beside(async { assert_eq!(hog.read("/workspace/kept").await.unwrap(), b"kept") }).await;
    // Nor does it fall over where it would need one: it says what was not possible.
    let (status, said) = pair.beside(hog.sh("true")).await.unwrap();
    assert!(status == 0 || (status == NOT_STARTED && said.contains("sh cannot be started")), "{said}");

    pair.beside(async { pair.cockpit.workspaces().restart(&hog.workspace).await.unwrap() }).await;
    hog.is_usable().await;
    assert_eq!(hog.read("/workspace/kept").await.unwrap(), b"kept");
    assert!(processes(&engine, &hog.workspace).await < PIDS / 2, "the bomb is gone");
    pair.end().await;
}

#[tokio::test]
async fn a_memory_hog_ends_alone() {
    let limits = Limits { memory_bytes: Some(128 << 20), ..Limits::default() };
    let pair = Pair::new(limits, Profile::Standard, |_| Source::Empty).await;
    let hog = &pair.hog;
    let terminal = hog.terminal().await.unwrap();
    let mut shell = hog.attach(terminal).await;
    for _ in 0..3 {
        let ended = pair
            .beside(hog.sh("perl -e 'my @all; push @all, \"x\" x (1 << 20) while 1'; echo status $?"))
            .await
            .unwrap();
        assert!(ended.1.contains("status 137"), "the kernel ends it: {ended:?}");
    }
    shell.sender().send(b"echo alive-$((40+2))\n").await.unwrap();
    until(&mut shell, "alive-42").await;
    hog.is_usable().await;
    pair.end().await;
}

#[tokio::test]
async fn a_full_tmp_of_a_locked_workspace_is_a_full_disk_and_a_new_start_frees_it() {
    let limits = Limits { memory_bytes: Some(128 << 20), ..Limits::default() };
    let pair = Pair::new(limits, Profile::Locked, |_| Source::Empty).await;
    let hog = &pair.hog;
    hog.write("/workspace/kept", b"kept", WriteCondition::Any).await.unwrap();
    for place in ["/tmp", "/var/tmp"] {
        let fill = format!("head -c 1G /dev/zero > {place}/filler || echo failed");
        let (_, said) = pair.beside(hog.sh(&fill)).await.unwrap();
        assert!(said.contains("No space left on device"), "{place}: {said}");
    }
    assert_eq!(inspect(&hog.workspace, ".State.Running"), true);
    pair.beside(async { pair.cockpit.workspaces().restart(&hog.workspace).await.unwrap() }).await;
    hog.is_usable().await;
    assert_eq!(hog.read("/workspace/kept").await.unwrap(), b"kept");
    assert_eq!(
        hog.sh("ls /tmp /var/tmp").await.unwrap().1,
        "/tmp:\n\n/var/tmp:\n",
        "the files in memory are gone"
    );
    pair.end().await;
}

#[tokio::test]
async fn a_full_disk_refuses_writes_without_harm_and_takes_them_again_once_there_is_room() {
    let mut disk = None;
    let folder = |data: &TempDir| {
        let path = data.path().join("project");
        disk = Tmpfs::mount(&path, "size=8m,mode=0777");
        Source::Folder { path: path.display().to_string() }
    };
    let pair = Pair::new(Limits::default(), Profile::Standard, folder).await;
    let Some(disk) = disk else { return };
    let hog = &pair.hog;
    let before = hog.write("/workspace/kept", b"kept", WriteCondition::Any).await.unwrap();
    let (status, said) =
        pair.beside(hog.sh("cat /dev/zero > /workspace/filler || echo failed")).await.unwrap();
    assert!(status == 0 && said.contains("No space left on device"), "{said}");
    let condition = WriteCondition::Version { version: before.version };
    let big = vec![b'n'; 1 << 20];
    let refused = pair.beside(hog.write("/workspace/kept", &big, condition.clone())).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::NoSpace, "{refused:?}");
    assert!(refused.message.contains("/workspace/kept"), "{refused}");
    assert_eq!(hog.read("/workspace/kept").await.unwrap(), b"kept", "what was there is untouched");
    let mut names: Vec<_> =
        std::fs::read_dir(disk.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["filler", "kept"], "no unfinished file stays");
    hog.sh("rm /workspace/filler").await.unwrap();
    hog.write("/workspace/kept", &big, condition).await.unwrap();
    hog.is_usable().await;
    pair.end().await;
}

#[tokio::test]
async fn kill_9_of_everything_inside_brings_the_agent_back() {
    let pair = Pair::new(Limits::default(), Profile::Standard, |_| Source::Empty).await;
    let hog = &pair.hog;
    hog.write("/workspace/kept", b"kept", WriteCondition::Any).await.unwrap();
    // First by the user from a terminal, then by root from outside the agent.
    for by_root in [false, true] {
        let terminal = hog.terminal().await.unwrap();
        let mut shell = hog.attach(terminal).await;
        let mut events = hog.client.events();
        if by_root {
            let name = format!("aicockpit-{}", hog.workspace);
            let killer = ["exec", "-u", "0", &name, "sh", "-c", "kill -9 -1"];
            let _ = std::process::Command::new("docker").args(killer).status().unwrap();
        } else {
            shell.sender().send(b"kill -9 -1\n").await.unwrap();
        }
        pair.beside(reconnected(&mut events, &hog.workspace)).await;
        let rest = async { while shell.next().await.is_some() {} };
        tokio::time::timeout(PATIENCE, rest).await.expect("whoever watched the terminal is told");
        hog.is_usable().await;
        assert_eq!(hog.read("/workspace/kept").await.unwrap(), b"kept");
        let listed = hog.client.call::<TerminalList>(hog.itself()).await.unwrap();
        assert!(listed.iter().all(|info| info.id != terminal), "no number comes twice: {listed:?}");
        assert!(inspect(&hog.workspace, ".State.Running").as_bool().unwrap(), "the container never ended");
    }
    pair.end().await;
}
