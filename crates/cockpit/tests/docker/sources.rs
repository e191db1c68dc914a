//! Where files come from: Git repositories and folders of the host.

use crate::common::*;
use aicockpit_protocol::ErrorCode;
use aicockpit_protocol::workspace::{Source, StepKind, StepState, WorkspaceState};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn git(url: &str) -> Source {
    Source::Git { url: url.to_owned(), branch: None }
}

#[tokio::test]
async fn a_local_repository_is_cloned_into_a_volume_with_its_origin_kept() {
    let data = tempfile::tempdir().unwrap();
    let repository = repository(data.path());
    let cockpit = start(&data.path().join("data"), docker()).await;
    let url = format!("file://{}", repository.display());
    let source = Source::Git { url: url.clone(), branch: Some("other".to_owned()) };
    let workspace = create_running(&cockpit, spec(source)).await;
    assert_eq!(workspace.name, "tool");
    let script = "cat README; stat -c %u README .git/config; grep url .git/config; cat .git/HEAD";
    let expected = format!("hello\n1000\n1000\nurl = {url}\nref: refs/heads/other");
    let (status, output) = inside(&workspace.id, script);
    assert_eq!((status, output.replace('\t', "")), (0, expected));
    assert_eq!(objects(&workspace.id).len(), 3, "the helper is gone: {:?}", objects(&workspace.id));
    let log = cockpit.workspaces().plan_log(&workspace.id).await.unwrap();
    assert!(log.iter().any(|log| log.step == StepKind::Clone && !log.lines.is_empty()), "{log:?}");
    cockpit.workspaces().delete(&workspace.id).await.unwrap();
    assert_nothing_left(&workspace.id);
    assert!(repository.join("README").exists(), "the origin is untouched");
    cockpit.shutdown().await;
}

#[tokio::test]
async fn what_is_not_a_repository_or_a_branch_is_told_and_leaves_nothing_behind() {
    let data = tempfile::tempdir().unwrap();
    let repository = repository(data.path());
    let plain = data.path().join("plain");
    std::fs::create_dir(&plain).unwrap();
    let cockpit = start(&data.path().join("data"), docker()).await;
    let no_branch = Source::Git { url: repository.display().to_string(), branch: Some("none".to_owned()) };
    for (source, sentence) in [
        (git(plain.to_str().unwrap()), "is not a Git repository"),
        (no_branch, "has no branch of that name"),
        (git("https://127.0.0.1:1/a.git"), "cannot be reached"),
    ] {
        let workspace = create(&cockpit, spec(source)).await;
        assert_eq!(workspace.state, WorkspaceState::Failed);
        let plan = workspace.plan.unwrap();
        let error = plan.error.unwrap();
        assert_eq!(error.code, ErrorCode::GitFailed, "{error:?}");
        assert!(error.message.contains(sentence), "{error:?}");
        assert!(error.detail.is_some(), "Git's own words: {error:?}");
        let step = plan.steps.iter().find(|step| step.kind == StepKind::Clone).unwrap();
        assert_eq!(step.state, StepState::Failed);
        assert!(!objects(&workspace.id).iter().any(|name| name.starts_with("container")), "no helper stays");
        cockpit.workspaces().delete(&workspace.id).await.unwrap();
        assert_nothing_left(&workspace.id);
    }
    let missing = cockpit.workspaces().create(request(spec(git("/no/such/repository")))).await.unwrap_err();
    assert_eq!(missing.code, ErrorCode::NotFound, "told before anything is made");
    cockpit.shutdown().await;
}

#[tokio::test]
async fn a_server_that_asks_for_credentials_is_told_as_such() {
    // A container reaches this machine by any of its addresses; this asks the kernel for one, without sending.
    let probe = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    probe.connect("192.0.2.1:9").unwrap();
    let gateway = probe.local_addr().unwrap().ip();
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let answer = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = stream.write_all(answer).await;
        }
    });
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(data.path(), docker()).await;
    let workspace = create(&cockpit, spec(git(&format!("http://{gateway}:{port}/team/private.git")))).await;
    let error = workspace.plan.unwrap().error.unwrap();
    assert_eq!(error.code, ErrorCode::GitCredentials, "{error:?}");
    cockpit.workspaces().delete(&workspace.id).await.unwrap();
    assert_nothing_left(&workspace.id);
    server.abort();
    cockpit.shutdown().await;
}

#[tokio::test]
async fn a_folder_of_the_host_is_used_as_its_owner_and_never_changed() {
    let data = tempfile::tempdir().unwrap();
    // The container's user must be able to walk there.
    std::fs::set_permissions(data.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let folder = data.path().join("project");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("kept"), "x").unwrap();
    for path in [folder.clone(), folder.join("kept")] {
        std::os::unix::fs::chown(path, Some(12345), Some(12346)).unwrap();
    }
    let cockpit = start(&data.path().join("data"), docker()).await;
    let workspace =
        create_running(&cockpit, spec(Source::Folder { path: folder.display().to_string() })).await;
    let script = "id -u; id -g; id -un; echo made > new && cat kept && echo $HOME && touch ~/y";
    assert_eq!(inside(&workspace.id, script), (0, "12345\n12346\ndev\nx/home/dev".to_owned()));
    let made = std::fs::metadata(folder.join("new")).unwrap();
    assert_eq!((made.uid(), made.gid()), (12345, 12346));
    let preview = cockpit.workspaces().delete_preview(&workspace.id).await.unwrap();
    assert_eq!((preview.volume, preview.kept_folder.as_deref()), (false, folder.to_str()));
    cockpit.workspaces().delete(&workspace.id).await.unwrap();
    assert_nothing_left(&workspace.id);
    let owner = std::fs::metadata(folder.join("kept")).unwrap();
    assert_eq!((owner.uid(), owner.gid(), owner.mode() & 0o777), (12345, 12346, 0o644));
    cockpit.shutdown().await;
}
