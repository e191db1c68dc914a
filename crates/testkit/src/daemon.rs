//! A Docker daemon of a test's own, to be killed, or to be given a disk that fills up. It has its own folders, its own
//! containerd and its own network namespace, so the machine's daemon and its bridge are left alone.

use aicockpit_engine::{ContainerSpec, Endpoint, Engine};
use aicockpit_engine_docker::{DockerEngine, discover};
use aicockpit_protocol::EngineId;
use aicockpit_protocol::engine::EngineKind;
use futures::StreamExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Time a daemon may take to answer after its start, on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A daemon below a folder; gone with it. Needs root.
pub struct PrivateDocker {
    folder: TempDir,
    process: Child,
}

impl PrivateDocker {
    /// Whether this user may have one.
    pub fn is_possible() -> bool {
        std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
    }

    /// Starts one. With `disk`, all that it keeps lies in memory within that many MiB.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(disk: Option<u32>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        std::fs::create_dir(&data).expect("a folder for its data");
        if let Some(mebibytes) = disk {
            let options = format!("size={mebibytes}m");
            let mounted =
                Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(&data).status();
            assert!(mounted.expect("mount can be run").success(), "a file system in memory");
        }
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

    /// How it is reached.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            id: EngineId::new("docker-test"),
            kind: EngineKind::Docker,
            name: "Docker".to_owned(),
            address: format!("unix://{}", self.folder.path().join("docker.sock").display()),
            of_user: false,
        }
    }

    /// A client of it.
    pub fn engine(&self) -> DockerEngine {
        DockerEngine::new(self.endpoint())
    }

    /// Where it keeps images, containers and volumes.
    pub fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// Waits until it answers.
    ///
    /// # Panics
    /// With its own words, when it takes too long.
    pub async fn ready(&self) {
        let engine = self.engine();
        let answered = async {
            while engine.probe().await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let in_time = tokio::time::timeout(READY_WITHIN, answered).await.is_ok();
        let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        assert!(in_time, "the daemon does not answer: {}", log());
    }

    /// Copies the machine's test image over, under this name.
    ///
    /// # Panics
    /// When the machine's Docker does not have it.
    pub async fn copy_image(&self, reference: &str) {
        let machine =
            DockerEngine::new(discover().into_iter().next().expect("discovery always lists an address"));
        let own = self.folder.path().file_name().unwrap_or_default().to_string_lossy().replace('.', "");
        let name = format!("aicockpit-test-copy-{own}");
        let spec = ContainerSpec {
            name,
            image: crate::image(),
            entrypoint: Some(vec!["true".to_owned()]),
            ..ContainerSpec::default()
        };
        let source = machine.create_container(&spec).await.expect("the machine's Docker has the test image");
        let archive = machine.download_archive(&source, "/").await.expect("its files");
        let archive = archive.map(|piece| piece.map_err(std::io::Error::other)).boxed();
        let imported = self.engine().import_image(reference, archive).await;
        machine.remove_container(&source).await.expect("the copy's source is removed");
        imported.expect("the image is imported");
    }

    /// SIGKILL. Its containers' processes go on.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self) {
        self.process.kill().expect("the daemon runs");
        self.process.wait().expect("the daemon ends");
    }

    /// Starts it again after [`PrivateDocker::kill`].
    pub fn restart(&mut self) {
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
}

impl Drop for PrivateDocker {
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
