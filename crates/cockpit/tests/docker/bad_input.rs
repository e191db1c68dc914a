//! What people get wrong, or what is wrong where they are: each gives a sentence that says what happened and what to
//! do, and leaves nothing behind.

use crate::common::*;
use aicockpit_cockpit::Cockpit;
use aicockpit_protocol::api::CreateWorkspace;
use aicockpit_protocol::workspace::{
    Image, Limits, Profile, PublishedPort, Source, WorkspaceSpec, WorkspaceState,
};
use aicockpit_protocol::{ApiError, EngineId, ErrorCode};
use sha2::{Digest as _, Sha256};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

/// A sentence, and what to do about it.
#[track_caller]
fn check(what: &str, error: &ApiError, code: ErrorCode, said: &str, hint: &str) {
    println!("{what}: {} — {}", error.message, error.hint.as_deref().unwrap_or("nothing to do"));
    assert_eq!(error.code, code, "{what}: {error:?}");
    assert!(error.message.contains(said) && error.message.ends_with('.'), "{what}: {error:?}");
    let found = error.hint.as_deref().unwrap_or_default();
    assert!(found.contains(hint) && found.ends_with('.'), "{what}: {error:?}");
}

/// Nothing may have been made at all.
async fn refused(cockpit: &Cockpit, request: CreateWorkspace) -> ApiError {
    let error = cockpit.workspaces().create(request).await.unwrap_err();
    assert!(cockpit.workspaces().list().is_empty(), "{error:?}");
    error
}

fn with(change: impl FnOnce(&mut WorkspaceSpec)) -> WorkspaceSpec {
    let mut asked = spec(Source::Empty);
    change(&mut asked);
    asked
}

fn git(url: &str) -> WorkspaceSpec {
    spec(Source::Git { url: url.to_owned(), branch: None })
}

#[tokio::test]
async fn what_cannot_work_is_refused_before_anything_is_made() {
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(&data.path().join("data"), docker()).await;
    let file = data.path().join("file");
    std::fs::write(&file, "").unwrap();
    let folder = |path: &Path| spec(Source::Folder { path: path.display().to_string() });
    let image = |reference: &str| {
        let reference = reference.to_owned();
        with(|spec| spec.image = Image::Reference { reference })
    };
    let port = |container, host| with(|spec| spec.published_ports = vec![PublishedPort { container, host }]);
    let (invalid, no_image) = (ErrorCode::InvalidArgument, ErrorCode::ImageNotFound);
    for (what, asked, code, said, hint) in [
        (
            "a folder that is not there",
            folder(Path::new("/no/such")),
            ErrorCode::NotFound,
            "/no/such",
            "path",
        ),
        ("a file for a folder", folder(&file), ErrorCode::NotADirectory, "not a folder", "folder"),
        ("half a path", folder(Path::new("project")), invalid, "not an absolute path", "beginning with /"),
        ("no address", git(" "), invalid, "not the address of a Git repository", "https://"),
        ("an option for an address", git("--upload-pack=x"), invalid, "not the address", "https://"),
        ("a program for an address", git("ext::sh -c x"), invalid, "would run a program", "https://"),
        ("a repository that is not there", git("/no/such"), ErrorCode::NotFound, "no folder", "path"),
        ("an image's name in capitals", image("Debian Bookworm"), no_image, "not a valid", "name"),
        ("no image", image(""), no_image, "not a valid", "name"),
        ("port 0", port(0, None), invalid, "Port 0", "1 to 65535"),
        (
            "too little memory",
            with(|spec| spec.limits = Limits { memory_bytes: Some(1 << 20), ..Limits::default() }),
            invalid,
            "memory limit",
            "64 MiB",
        ),
        (
            "a variable without a name",
            with(|spec| drop(spec.env.insert("A=B".to_owned(), String::new()))),
            invalid,
            "variable",
            "=",
        ),
    ] {
        let error = refused(&cockpit, request(asked)).await;
        check(what, &error, code, said, hint);
    }
    let unknown =
        CreateWorkspace { engine: Some(EngineId::new("kubernetes")), ..request(spec(Source::Empty)) };
    let error = refused(&cockpit, unknown).await;
    check("an engine that is not there", &error, ErrorCode::EngineUnavailable, "not configured", "another");
    cockpit.shutdown().await;
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(data.path(), docker()).await;
    let named = || CreateWorkspace { name: Some("taken".to_owned()), ..request(spec(Source::Empty)) };
    let first = cockpit.workspaces().create(named()).await.unwrap();
    let error = cockpit.workspaces().create(named()).await.unwrap_err();
    check("a name that is taken", &error, ErrorCode::AlreadyExists, "taken", "another");
    assert_eq!(cockpit.workspaces().list().len(), 1);
    cockpit.workspaces().settled(&first.id).await;
    cockpit.workspaces().delete(&first.id).await.unwrap();
    assert_nothing_left(&first.id);
    cockpit.shutdown().await;
}

/// An image that says it is made for another machine, loaded as a registry would give it. Gone when dropped.
struct Foreign(String);

impl Foreign {
    fn load(folder: &Path, architecture: &str) -> Self {
        let name = format!("aicockpit-test/foreign:{}", std::process::id());
        let mut layer = tar::Builder::new(Vec::new());
        append(&mut layer, "file", b"content");
        let layer = layer.into_inner().unwrap();
        let digest: String = Sha256::digest(&layer).iter().map(|byte| format!("{byte:02x}")).collect();
        let config = serde_json::json!({
            "architecture": architecture,
            "os": "linux",
            "config": { "Cmd": ["/file"] },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{digest}")] },
        });
        let manifest =
            serde_json::json!([{ "Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"] }]);
        let mut image = tar::Builder::new(Vec::new());
        append(&mut image, "config.json", config.to_string().as_bytes());
        append(&mut image, "layer.tar", &layer);
        append(&mut image, "manifest.json", manifest.to_string().as_bytes());
        let file = folder.join("image.tar");
        std::fs::write(&file, image.into_inner().unwrap()).unwrap();
        docker_cli(&["load", "-q", "-i", file.to_str().unwrap()]);
        assert_eq!(docker_cli(&["image", "inspect", "-f", "{{.Architecture}}", &name]), architecture);
        Self(name)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let mut remove = Command::new("docker");
        let _ = remove.args(["rmi", "-f", &self.0]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

fn append(archive: &mut tar::Builder<Vec<u8>>, name: &str, content: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    archive.append_data(&mut header, name, content).unwrap();
}

#[tokio::test]
async fn what_turns_out_wrong_is_told_by_the_plan_and_nothing_stays() {
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(&data.path().join("data"), docker()).await;
    let (repository, plain) = (repository(data.path()), data.path().join("plain"));
    std::fs::create_dir(&plain).unwrap();
    // A repository whose objects are gone.
    let broken = data.path().join("broken");
    let copied = Command::new("cp").arg("-r").args([&repository, &broken]).status().unwrap();
    assert!(copied.success());
    std::fs::remove_dir_all(broken.join(".git/objects")).unwrap();
    std::fs::create_dir(broken.join(".git/objects")).unwrap();
    let foreign = Foreign::load(data.path(), "arm64");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = Some(taken.local_addr().unwrap().port());
    let image = |reference: &str| {
        let reference = reference.to_owned();
        with(|spec| spec.image = Image::Reference { reference })
    };
    let branch = Source::Git { url: repository.display().to_string(), branch: Some("none".to_owned()) };
    let git_failed = ErrorCode::GitFailed;
    for (what, asked, code, said, hint) in [
        ("not a repository", git(plain.to_str().unwrap()), git_failed, "is not a Git repository", "Folder"),
        ("no such branch", spec(branch), git_failed, "has no branch of that name", "branch"),
        ("a broken repository", git(broken.to_str().unwrap()), git_failed, "failed", "log"),
        ("a dead server", git("https://127.0.0.1:1/a.git"), git_failed, "cannot be reached", "network"),
        (
            "a server without a name",
            git("https://no-such-host.invalid/a.git"),
            git_failed,
            "cannot be reached",
            "network",
        ),
        (
            "no such image",
            image("127.0.0.1:1/aicockpit-test/none:1"),
            ErrorCode::ImageNotFound,
            "127.0.0.1:1/aicockpit-test/none:1",
            "network",
        ),
        (
            "an image for another machine",
            image(&foreign.0),
            ErrorCode::WrongArchitecture,
            "is made for arm64, this machine is amd64",
            "amd64",
        ),
        (
            "a port that is taken",
            with(|spec| spec.published_ports = vec![PublishedPort { container: 80, host }]),
            ErrorCode::PortInUse,
            "in use",
            "another port",
        ),
    ] {
        for profile in [Profile::Standard, Profile::Locked] {
            let mut asked = asked.clone();
            // Without a network there is nothing to publish.
            if profile == Profile::Locked && !asked.published_ports.is_empty() {
                continue;
            }
            asked.profile = profile;
            let workspace = create(&cockpit, asked).await;
            assert_eq!(workspace.state, WorkspaceState::Failed, "{what}");
            let error = workspace.plan.unwrap().error.unwrap();
            check(what, &error, code, said, hint);
            assert_eq!(workspace.message.as_deref(), Some(error.message.as_str()), "{what}");
            cockpit.workspaces().delete(&workspace.id).await.unwrap();
            assert_nothing_left(&workspace.id);
        }
    }
    cockpit.shutdown().await;
}

/// Safety case 28: what a repository or a forged request asks for beyond what a person chose is not done.
#[tokio::test]
async fn neither_a_repository_nor_a_request_gets_hold_of_the_host() {
    let data = tempfile::tempdir().unwrap();
    let repository = repository(data.path());
    std::fs::create_dir(repository.join(".devcontainer")).unwrap();
    let wanted = r#"{ "privileged": true, "runArgs": ["--network=host", "--pid=host", "--device=/dev/null"],
        "capAdd": ["SYS_ADMIN"], "securityOpt": ["seccomp=unconfined"], "initializeCommand": "touch /tmp/owned",
        "mounts": ["source=/var/run/docker.sock,target=/var/run/docker.sock,type=bind"] }"#;
    std::fs::write(repository.join(".devcontainer/devcontainer.json"), wanted).unwrap();
    let compose = "services: { x: { privileged: true, volumes: ['/:/host'], network_mode: host } }";
    std::fs::write(repository.join("docker-compose.yml"), compose).unwrap();
    for args in [&["add", "."][..], &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "more"]] {
        assert!(Command::new("git").args(args).current_dir(&repository).status().unwrap().success());
    }
    let cockpit = start(&data.path().join("data"), docker()).await;
    let mut forged = serde_json::to_value(git(repository.to_str().unwrap())).unwrap();
    for (name, value) in [
        ("privileged", serde_json::json!(true)),
        ("network", serde_json::json!("host")),
        ("pid_mode", serde_json::json!("host")),
        ("devices", serde_json::json!(["/dev/kmsg"])),
        ("mounts", serde_json::json!(["/:/host", "/var/run/docker.sock:/var/run/docker.sock"])),
        ("capabilities", serde_json::json!(["SYS_ADMIN"])),
    ] {
        forged[name] = value;
    }
    let workspace = create_running(&cockpit, serde_json::from_value(forged).unwrap()).await;
    let id = &workspace.id;
    assert_eq!(inside(id, "ls .devcontainer").1, "devcontainer.json", "it is there, and only read");
    let host = |field: &str| inspect(id, &format!(".HostConfig.{field}"));
    assert_eq!(host("Privileged"), false);
    assert_eq!((host("PidMode"), host("UTSMode"), host("UsernsMode")), ("".into(), "".into(), "".into()));
    assert!(["private", "shareable"].contains(&host("IpcMode").as_str().unwrap()), "{}", host("IpcMode"));
    assert_eq!(host("NetworkMode"), format!("aicockpit-{id}"));
    assert!(host("Devices").as_array().is_none_or(Vec::is_empty), "{}", host("Devices"));
    assert!(host("DeviceRequests").as_array().is_none_or(Vec::is_empty));
    assert!(host("Binds").as_array().is_none_or(Vec::is_empty), "{}", host("Binds"));
    assert!(
        host("SecurityOpt").as_array().is_none_or(Vec::is_empty),
        "seccomp stays: {}",
        host("SecurityOpt")
    );
    assert!(!host("CapAdd").to_string().contains("SYS_ADMIN"), "{}", host("CapAdd"));
    let kinds: Vec<_> =
        inspect(id, ".Mounts").as_array().unwrap().iter().map(|mount| mount["Type"].clone()).collect();
    assert_eq!(kinds, ["volume", "volume"], "nothing of the host");
    assert_ne!(inside(id, "ls /var/run/docker.sock || ls /host").0, 0);
    assert!(!Path::new("/tmp/owned").exists(), "no command of the repository ran here");
    cockpit.workspaces().delete(id).await.unwrap();
    assert_nothing_left(id);

    // And as a folder, whichever way it is spelled.
    let (link, with_socket) = (data.path().join("link"), data.path().join("with-socket"));
    symlink("/var/run", &link).unwrap();
    std::fs::create_dir(&with_socket).unwrap();
    symlink("/var/run/docker.sock", with_socket.join("docker.sock")).unwrap();
    for path in [
        "/",
        "/etc/../",
        "/proc/self/cwd/../../../../../../../..",
        "/dev",
        "/sys/fs/cgroup",
        "/var/lib/docker/volumes",
        "/root",
        link.to_str().unwrap(),
        with_socket.to_str().unwrap(),
    ] {
        let error = refused(&cockpit, request(spec(Source::Folder { path: path.to_owned() }))).await;
        check(path, &error, ErrorCode::PermissionDenied, "not given to a workspace", "below it");
    }
    let socket = Source::Folder { path: "/var/run/docker.sock".to_owned() };
    assert_eq!(refused(&cockpit, request(spec(socket))).await.code, ErrorCode::NotADirectory);
    cockpit.shutdown().await;
}
