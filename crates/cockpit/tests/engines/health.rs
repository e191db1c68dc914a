//! Engines that cannot be used: each cause is met for real and told in a sentence. (An engine too old is one that
//! answers as such a one does.)

use crate::common::{PATIENCE, docker, podman};
use aicockpit_cockpit::engines::{Clusters, Engines, KnownEngine};
use aicockpit_cockpit::{EngineSelection, EventBus};
use aicockpit_engine::Endpoint;
use aicockpit_protocol::ErrorCode;
use aicockpit_protocol::engine::{EngineHealth, EngineInfo};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener as StdListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;

/// Names the folder of sockets to the tests below that run in a process of their own.
const SOCKETS: &str = "AICOCKPIT_TEST_SOCKETS";
/// Any user but this one and root.
const NOBODY: u32 = 65534;

/// What is found at a socket; also that nothing can be created there, and why.
async fn look(mut endpoint: Endpoint, socket: &Path) -> EngineInfo {
    endpoint.address = format!("unix://{}", socket.display());
    let selection = EngineSelection::Explicit(vec![KnownEngine::at(endpoint)]);
    let (engines, _news) = Engines::start(selection, Clusters::default(), EventBus::default());
    tokio::time::timeout(PATIENCE, engines.settled()).await.unwrap();
    let info = engines.list().remove(0);
    let refused = engines.choose(None, None).await.err().unwrap();
    assert_eq!(refused.code, ErrorCode::EngineUnavailable, "{refused}");
    assert_eq!(Some(&refused.message), info.problem.as_ref());
    assert_eq!(refused.hint, info.remedy_command.as_ref().map(|command| format!("Run: {command}")));
    engines.stop();
    info
}

#[track_caller]
fn is_told(info: &EngineInfo, health: EngineHealth, words: &[&str], remedy: &str) {
    assert_eq!(info.health, health, "{info:?}");
    let problem = info.problem.as_deref().unwrap_or_default();
    assert!(words.iter().all(|word| problem.contains(word)) && problem.ends_with('.'), "{info:?}");
    assert!(info.remedy_command.as_deref().unwrap_or_default().contains(remedy), "{info:?}");
}

#[tokio::test]
async fn an_engine_that_does_not_run_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent.sock");
    let dead = folder.path().join("dead.sock");
    drop(StdListener::bind(&dead).unwrap());
    for socket in [&absent, &dead] {
        let shown = socket.to_str().unwrap();
        let info = look(docker(), socket).await;
        is_told(&info, EngineHealth::Stopped, &["Docker is installed but does not run", shown], "docker");
        let info = look(podman(), socket).await;
        is_told(&info, EngineHealth::Stopped, &["Podman is installed but does not run", shown], "podman");
    }
}

#[tokio::test]
async fn an_engine_too_old_is_told_with_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let docker_socket = folder.path().join("docker.sock");
    // Docker 19.03 speaks API 1.40.
    let old_docker = serve(&docker_socket, |path| match path {
        path if path.ends_with("/version") => {
            Some(r#"{"Version":"19.03.15","ApiVersion":"1.40","MinAPIVersion":"1.12"}"#)
        }
        path if path.ends_with("/info") => Some(r#"{"ServerVersion":"19.03.15"}"#),
        _ => None,
    });
    let info = look(docker(), &docker_socket).await;
    is_told(&info, EngineHealth::TooOld, &["Docker is version 19.03.15", "at least 20.10"], "docker.io");
    old_docker.abort();

    // Podman 3 takes any version in a path; one that took none but its own would still tell that.
    let by_info = |path: &str| path.ends_with("/libpod/info").then_some(r#"{"version":{"Version":"3.4.4"}}"#);
    let by_version =
        |path: &str| (path == "/version").then_some(r#"{"Version":"3.4.4","ApiVersion":"1.40"}"#);
    type Answer = fn(&str) -> Option<&'static str>;
    for (name, answer) in [("info.sock", by_info as Answer), ("version.sock", by_version as Answer)] {
        let socket = folder.path().join(name);
        let old_podman = serve(&socket, answer);
        let info = look(podman(), &socket).await;
        is_told(&info, EngineHealth::TooOld, &["Podman is version 3.4.4", "at least 4.3"], "podman");
        old_podman.abort();
    }
}

/// Answers as an engine of another time would; what it does not know is not found.
fn serve(
    socket: &Path,
    answer: impl Fn(&str) -> Option<&'static str> + Send + 'static,
) -> tokio::task::JoinHandle<()> {
    let listener = UnixListener::bind(socket).unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if !matches!(stream.read(&mut byte).await, Ok(1)) {
                    break;
                }
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default();
            let (status, body) = match answer(path.split('?').next().unwrap_or_default()) {
                Some(body) => ("200 OK", body),
                None => ("404 Not Found", r#"{"message":"page not found"}"#),
            };
            let reply = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            // One that has gone meanwhile asks again.
            let _ = stream.write_all(reply.as_bytes()).await;
        }
    })
}

/// Runs an ignored test of this file as a user without rights, in an environment of its own.
fn run_as_nobody(test: &str, sockets: &Path, path: &str) {
    // That user may not be able to walk to where this program lies.
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut command = Command::new(&program);
    command.args([test, "--exact", "--ignored", "--nocapture"]).current_dir("/");
    command.env(SOCKETS, sockets).env("PATH", path);
    if nix::unistd::Uid::effective().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let ran = command.output().unwrap();
    let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

fn sockets() -> std::path::PathBuf {
    std::env::var_os(SOCKETS).map(Into::into).unwrap()
}

#[tokio::test]
async fn an_engine_that_this_user_may_not_use_is_not_permitted() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let listeners = ["docker.sock", "podman.sock"].map(|name| {
        let socket = folder.path().join(name);
        let listener = StdListener::bind(&socket).unwrap();
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o000)).unwrap();
        listener
    });
    run_as_nobody("health::without_rights", folder.path(), "/usr/bin:/bin");
    drop(listeners);
}

#[tokio::test]
#[ignore = "run by the test above, as a user without rights"]
async fn without_rights() {
    let info = look(docker(), &sockets().join("docker.sock")).await;
    is_told(
        &info,
        EngineHealth::NotPermitted,
        &["may not use Docker's socket", "docker group"],
        "usermod -aG docker",
    );
    let info = look(podman(), &sockets().join("podman.sock")).await;
    is_told(&info, EngineHealth::NotPermitted, &["may not use Podman's socket", "rootless"], "podman.socket");
}

#[tokio::test]
async fn an_engine_that_is_not_installed_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    run_as_nobody("health::without_programs", folder.path(), "/no/such/folder");
}

#[tokio::test]
#[ignore = "run by the test above, where no program is found"]
async fn without_programs() {
    // Docker's daemon is looked for in the system's folders, too, and there it is: its sentence has a test of its own.
    let info = look(podman(), &sockets().join("podman.sock")).await;
    is_told(&info, EngineHealth::Missing, &["Podman is not installed"], "apt-get install -y podman");
}
