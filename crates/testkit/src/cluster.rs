//! The test cluster of `cargo xtask cluster`: where it is, and its parts, which can be killed and started again.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The kubeconfig of the test cluster: `AICOCKPIT_TEST_KUBECONFIG`, else `KUBECONFIG`.
///
/// # Panics
/// Where there is neither: there is no silent skip.
pub fn kubeconfig() -> PathBuf {
    let path = std::env::var_os("AICOCKPIT_TEST_KUBECONFIG").or_else(|| std::env::var_os("KUBECONFIG"));
    path.map(PathBuf::from)
        .expect("a cluster: run `cargo xtask cluster up` and set AICOCKPIT_TEST_KUBECONFIG to its kubeconfig")
}

/// Builds an image from a folder with a Dockerfile, on Docker, and puts it onto the cluster's machine; false where the
/// cluster is none of ours.
///
/// # Panics
/// When Docker or containerd refuses.
pub fn load_image(reference: &str, context: &Path) -> bool {
    let socket = kubeconfig().with_file_name("containerd.sock");
    if !socket.exists() {
        return false;
    }
    let run = |command: &mut Command| {
        let output = command.output().expect("it runs");
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let archive = context.join("image.tar");
    run(Command::new("docker").args(["build", "--quiet", "--tag", reference]).arg(context));
    run(Command::new("docker").args(["save", reference, "--output"]).arg(&archive));
    run(Command::new("ctr")
        .arg("--address")
        .arg(&socket)
        .args(["--namespace", "k8s.io", "images", "import"])
        .arg(&archive));
    run(Command::new("docker").args(["image", "rm", reference]));
    true
}

/// A part of the cluster, such as `kube-apiserver`, by the files that lie beside its kubeconfig.
pub struct ClusterPart {
    name: String,
    folder: PathBuf,
}

impl ClusterPart {
    /// The part of that name; absent where the cluster is none of ours.
    pub fn find(name: &str) -> Option<Self> {
        let folder = kubeconfig().parent().map(Path::to_owned)?;
        let part = Self { name: name.to_owned(), folder };
        part.file("cmd").is_file().then_some(part)
    }

    fn file(&self, kind: &str) -> PathBuf {
        self.folder.join(format!("{}.{kind}", self.name))
    }

    /// Ends it without a warning.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&self) {
        let pid = std::fs::read_to_string(self.file("pid")).expect("its process id");
        let pid = Pid::from_raw(pid.trim().parse().expect("a process id"));
        kill(pid, Signal::SIGKILL).expect("it runs");
        // Until the kernel has taken it away its port is in use.
        while Path::new(&format!("/proc/{pid}/fd")).read_dir().is_ok_and(|mut files| files.next().is_some()) {
            std::thread::yield_now();
        }
    }

    /// Starts it again as it was.
    ///
    /// # Panics
    /// When it cannot be started.
    #[expect(clippy::zombie_processes, reason = "it outlives the test")]
    pub fn start(&self) {
        let command = std::fs::read_to_string(self.file("cmd")).expect("its command line");
        let command: Vec<String> = serde_json::from_str(&command).expect("a command line");
        let log = std::fs::OpenOptions::new().append(true).open(self.file("log")).expect("its log");
        let mut started = Command::new(&command[0]);
        let kept = ["PATH", "HOME"].map(|name| (name, std::env::var_os(name).unwrap_or_default()));
        started.env_clear().envs(kept);
        started.args(&command[1..]).current_dir("/").stdin(Stdio::null()).process_group(0);
        started.stdout(log.try_clone().expect("its log")).stderr(log);
        let child = started.spawn().expect("it starts");
        std::fs::write(self.file("pid"), child.id().to_string()).expect("its process id can be written");
    }
}
