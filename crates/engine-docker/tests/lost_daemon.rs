//! A Docker daemon that is killed under a running workspace. The daemon is one of the test's own: it has its own
//! folders, its own containerd and its own network namespace, so the machine's daemon and its bridge are left alone.
//! Needs root.

#![expect(clippy::expect_used, reason = "a test's helpers fail the test")]

use aicockpit_engine::{ContainerSpec, ContainerState, Engine, EngineError, ExecSpec, diagnose};
use aicockpit_engine_docker::{DockerEndpoint, DockerEngine, discover};
use aicockpit_protocol::EngineId;
use aicockpit_protocol::engine::{EngineHealth, EngineKind};
use futures::StreamExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;

const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon below a folder; gone with it.
struct Daemon {
    folder: TempDir,
    process: Child,
}

impl Daemon {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let process = Self::spawn(folder.path());
        Self { folder, process }
    }

    fn spawn(folder: &Path) -> Child {
        let log = std::fs::File::options().create(true).append(true).open(folder.join("log")).expect("a log");
        let flag = |name: &str, file: &str| format!("--{name}={}", folder.join(file).display());
        Command::new("unshare")
            .args(["--net", "dockerd", "--containerd-namespace=aicockpit-test"])
            .args([flag("data-root", "data"), flag("exec-root", "exec"), flag("pidfile", "pid")])
            .arg(format!("--host=unix://{}", folder.join("docker.sock").display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("unshare and dockerd can be started")
    }

    fn engine(&self) -> DockerEngine {
        DockerEngine::new(DockerEndpoint {
            id: EngineId::new("docker-test"),
            kind: EngineKind::Docker,
            name: "Docker".to_owned(),
            address: format!("unix://{}", self.folder.path().join("docker.sock").display()),
            of_user: false,
        })
    }

    fn kill(&mut self) {
        self.process.kill().expect("the daemon runs");
        self.process.wait().expect("the daemon ends");
    }

    fn restart(&mut self) {
        // A killed daemon leaves its files that say who runs. Its containerd dies with it, but may stay as a zombie,
        // which a new daemon would wait for.
        self.end_containerd();
        let _ = std::fs::remove_file(self.folder.path().join("pid"));
        self.process = Self::spawn(self.folder.path());
    }

    fn end_containerd(&self) {
        let file = self.folder.path().join("exec/containerd/containerd.pid");
        if let Ok(pid) = std::fs::read_to_string(&file) {
            let _ = Command::new("kill").args(["-9", pid.trim()]).stderr(Stdio::null()).status();
            let _ = std::fs::remove_file(&file);
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Asked politely the daemon takes its containerd along.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
        self.end_containerd();
        // Its namespaces' and containers' mounts would keep the folder busy.
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let own = self.folder.path().to_string_lossy().into_owned();
        for mount in
            mounts.lines().filter_map(|line| line.split(' ').nth(1)).filter(|path| path.starts_with(&own))
        {
            let _ = Command::new("umount").args(["-l", mount]).status();
        }
    }
}

async fn ready(engine: &DockerEngine, daemon: &Daemon) {
    let begun = Instant::now();
    while let Err(error) = engine.probe().await {
        assert!(begun.elapsed() < PATIENCE, "the daemon does not answer: {error}\n{}", daemon.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Copies the machine's test image over to the new daemon.
async fn copy_image(to: &DockerEngine, reference: &str) {
    let machine =
        DockerEngine::new(discover().into_iter().next().expect("discovery always lists an address"));
    let image = std::env::var("AICOCKPIT_TEST_IMAGE").unwrap_or_else(|_| "debian:bookworm".to_owned());
    let name = format!("aicockpit-test-copy-{}", std::process::id());
    let spec =
        ContainerSpec { name, image, entrypoint: Some(vec!["true".to_owned()]), ..ContainerSpec::default() };
    let source = machine.create_container(&spec).await.expect("the machine's Docker has the test image");
    let archive = machine.download_archive(&source, "/").await.expect("its files");
    let archive = archive.map(|piece| piece.map_err(std::io::Error::other)).boxed();
    let imported = to.import_image(reference, archive).await;
    machine.remove_container(&source).await.expect("the copy's source is removed");
    imported.expect("the image is imported");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_daemon_is_told_apart_from_an_ended_program_and_comes_back() {
    let uid = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").expect("proc"));
    if uid != 0 {
        println!("not run: a daemon of its own needs root");
        return;
    }
    let mut daemon = Daemon::start();
    let engine = daemon.engine();
    ready(&engine, &daemon).await;
    copy_image(&engine, "aicockpit-test:lost").await;
    let spec = ContainerSpec {
        name: "survivor".to_owned(),
        image: "aicockpit-test:lost".to_owned(),
        entrypoint: Some(vec!["sleep".to_owned(), "600".to_owned()]),
        ..ContainerSpec::default()
    };
    let id = engine.create_container(&spec).await.expect("created");
    engine.start_container(&id).await.expect("started");
    let mut events = engine.events().await.expect("events");
    let command = ["sh", "-c", "echo up; exec cat"].map(str::to_owned).to_vec();
    let mut stream =
        engine.exec(&id, &ExecSpec { command, ..ExecSpec::default() }).await.expect("a program runs");
    let mut word = [0; 3];
    stream.stdout.read_exact(&mut word).await.expect("its first word");
    let watching = tokio::spawn(async move {
        // To the end of the stream, or to the error that is its last item.
        while let Some(Ok(_)) = events.next().await {}
    });

    daemon.kill();
    let mut rest = Vec::new();
    let end = tokio::time::timeout(PATIENCE, stream.stdout.read_to_end(&mut rest)).await;
    end.expect("the stream ends with the daemon").ok();
    tokio::time::timeout(PATIENCE, watching)
        .await
        .expect("the events end with the daemon")
        .expect("no panic");
    let exit = stream.exit.await;
    assert!(matches!(exit, Err(EngineError::Unavailable(_))), "no end of the program is made up: {exit:?}");
    let error = engine.probe().await.expect_err("nobody answers");
    let facts = engine.endpoint().facts();
    assert_eq!(
        diagnose(EngineKind::Docker, &error, &facts).health,
        EngineHealth::Stopped,
        "{error}, {facts:?}"
    );

    daemon.restart();
    ready(&engine, &daemon).await;
    let details = engine.inspect_container(&id).await.expect("the container is known");
    assert_eq!(details.state, ContainerState::Exited, "Docker stops containers when it starts anew");
    engine.start_container(&id).await.expect("it starts again");
    engine.remove_container(&id).await.expect("and is removed");
}
