//! From a source to a terminal and back to nothing, on Podman. Docker's is in the folder `docker`.

use crate::common::*;
use aicockpit_engine::Endpoint;
use aicockpit_protocol::BytePath;
use aicockpit_protocol::api::{FsRead, FsWrite, In};
use aicockpit_protocol::fs::{ReadFile, WriteCondition, WriteFile};
use aicockpit_protocol::workspace::{Image, Source, StepKind, WorkspaceState};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

on_podman!(
    from_nothing_to_a_prompt_and_back_to_nothing,
    a_folder_of_the_host_keeps_its_owner,
    a_private_repository_of_the_host_is_cloned_into_the_base_image_where_sudo_installs_packages,
);

async fn from_nothing_to_a_prompt_and_back_to_nothing(engine: Endpoint) {
    let host = Host::start(engine).await;
    let id = host.create_running(spec(Source::Empty)).await;
    assert_eq!(
        host.output(&id, "id -u; id -un; pwd; stat -c %u /workspace ~").await,
        "1000\ndev\n/workspace\n1000\n1000"
    );
    let inside = host.cockpit.workspaces().open(&id).await.unwrap();
    assert_eq!((inside.uid, inside.user.as_str()), (1000, "dev"));
    let (_, mut prompt) = host.terminal(&id, &[]).await;
    read_until(&mut prompt, "$").await;
    type_line(&mut prompt, "echo $((6*7)) > answer; echo wrote$?", "wrote0").await;

    let path = BytePath::from("/workspace/answer");
    let read = async || {
        let args = ReadFile { path: path.clone(), offset: 0, length: 1000 };
        host.client.call_with::<FsRead>(In { workspace: id.clone(), args }, &[]).await.unwrap()
    };
    let first = read().await;
    assert_eq!(first.body, b"42\n");
    let condition = WriteCondition::Version { version: first.value.version };
    let args = WriteFile { path: path.clone(), condition, create_parents: false };
    host.client.call_with::<FsWrite>(In { workspace: id.clone(), args }, b"43\n").await.unwrap();

    let workspaces = host.cockpit.workspaces();
    workspaces.stop(&id).await.unwrap();
    assert_eq!(workspaces.get(&id).unwrap().state, WorkspaceState::Stopped);
    workspaces.start(&id).await.unwrap();
    workspaces.open(&id).await.unwrap();
    assert_eq!(read().await.body, b"43\n", "files survive");
    host.delete(&id).await;
    host.shutdown().await;
}

async fn a_folder_of_the_host_keeps_its_owner(engine: Endpoint) {
    let host = Host::start(engine).await;
    let folder = host.folder("project");
    std::fs::write(folder.join("kept"), "x").unwrap();
    // Root's engine serves everybody; a user's own only that user.
    let owner = match person(&host.endpoint) {
        (0, _) => (12345, 12346),
        person => person,
    };
    give(&folder, owner);
    let id = host.create_running(spec(Source::Folder { path: folder.display().to_string() })).await;
    let script =
        "id -u; id -g; id -un; cat kept; echo made > new; mkdir -p sub && touch sub/file ~/y; echo $HOME";
    let said = host.output(&id, script).await;
    assert_eq!(said, format!("{}\n{}\ndev\nx/home/dev", owner.0, owner.1));
    let (_, mut prompt) = host.terminal(&id, &["sh"]).await;
    type_line(&mut prompt, "touch by-terminal; echo touched$?", "touched0").await;
    for made in ["new", "sub", "sub/file", "by-terminal"] {
        let made = std::fs::metadata(folder.join(made)).unwrap();
        assert_eq!((made.uid(), made.gid()), owner, "outside it belongs to the folder's owner");
    }
    host.delete(&id).await;
    let kept = std::fs::metadata(folder.join("kept")).unwrap();
    assert_eq!((kept.uid(), kept.gid()), owner);
    assert!(folder.join("new").exists(), "deleting leaves the folder as it is");
    host.shutdown().await;
}

async fn a_private_repository_of_the_host_is_cloned_into_the_base_image_where_sudo_installs_packages(
    engine: Endpoint,
) {
    let host = Host::start(engine).await;
    let origin = host.folder("tool");
    repository(&origin);
    give(&origin, person(&host.endpoint));
    std::fs::set_permissions(&origin, std::fs::Permissions::from_mode(0o700)).unwrap();
    let url = format!("file://{}", origin.display());
    let mut asked = spec(Source::Git { url: url.clone(), branch: Some("other".to_owned()) });
    asked.image = Image::Base;
    // Built by the product, where it is not there yet.
    let id = host.create_running(asked).await;
    let script = "cat README; stat -c %u README .git/config; git config remote.origin.url; git branch --show-current; \
                  git status --short; git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x; echo $?";
    assert_eq!(host.output(&id, script).await, format!("hello\n1000\n1000\n{url}\nother\n0"));
    assert_eq!(host.objects(&id).await.len(), 3, "the clone's helper is gone");
    let log = host.cockpit.workspaces().plan_log(&id).await.unwrap();
    assert!(log.iter().any(|log| log.step == StepKind::Clone && !log.lines.is_empty()), "{log:?}");

    assert_eq!(host.output(&id, "sudo id -u").await, "0", "and sudo complains of nothing");
    // Brings a setgid program, a file capability and a service account.
    let script = "sudo apt-get update -qq && sudo apt-get install -y -qq --no-install-recommends iputils-ping tree at \
                  >/dev/null 2>/tmp/apt.log || { cat /tmp/apt.log; exit 1; }; tree --version && getcap $(which ping)";
    let said = host.output(&id, script).await;
    assert!(said.contains("tree v") && said.contains("cap_net_raw"), "{said}");
    host.delete(&id).await;
    assert!(origin.join("README").exists(), "the origin is untouched");
    host.shutdown().await;
}
