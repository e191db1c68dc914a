//! Images with next to nothing in them.

use crate::common::*;
use aicockpit_engine::{Endpoint, Engine};
use aicockpit_protocol::api::{FsRead, FsWrite, In, TerminalCreate, TerminalCreateAsRoot};
use aicockpit_protocol::fs::{ReadFile, WriteCondition, WriteFile};
use aicockpit_protocol::workspace::{Image, Profile, Source};
use aicockpit_protocol::{BytePath, ErrorCode, WorkspaceId};
use bytes::Bytes;
use futures::StreamExt as _;
use std::path::Path;

on_every_engine!(
    nothing_but_one_static_program_is_enough,
    a_bare_image_without_packages_bash_or_sudo_is_a_workspace_like_any_other,
);

/// A static program that is many.
fn busybox() -> Vec<u8> {
    let found = ["/usr/bin/busybox", "/bin/busybox"].iter().map(Path::new).find(|path| path.is_file());
    let found = found.unwrap_or_else(|| panic!("install the package busybox-static"));
    std::fs::read(found).unwrap()
}

struct Root(tar::Builder<Vec<u8>>);

impl Root {
    fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    fn entry(&mut self, kind: tar::EntryType, path: &str, mode: u32, content: &[u8]) {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        self.0.append_data(&mut header, path, content).unwrap();
    }

    fn link(&mut self, path: &str, target: &str) {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_mode(0o777);
        header.set_size(0);
        self.0.append_link(&mut header, path, target).unwrap();
    }

    /// Makes it an image of the engine, under a name of this test's own.
    async fn import(self, engine: &dyn Engine, name: &str) -> String {
        let reference = format!("localhost/aicockpit-test-{name}-{}:1", std::process::id());
        let tar = Bytes::from(self.0.into_inner().unwrap());
        let stream = futures::stream::iter([Ok(tar)]).boxed();
        engine.import_image(&reference, stream).await.unwrap();
        reference
    }
}

/// Writes a file by the agent and reads it back.
async fn files_work(host: &Host, id: &WorkspaceId) {
    let path = BytePath::from("/workspace/notes/a.txt");
    let args = WriteFile { path: path.clone(), condition: WriteCondition::Missing, create_parents: true };
    host.client.call_with::<FsWrite>(In { workspace: id.clone(), args }, b"kept").await.unwrap();
    let args = ReadFile { path, offset: 0, length: 100 };
    let read = host.client.call_with::<FsRead>(In { workspace: id.clone(), args }, &[]).await.unwrap();
    assert_eq!(read.body, b"kept");
}

async fn nothing_but_one_static_program_is_enough(engine: Endpoint) {
    let host = Host::start(engine).await;
    let mut root = Root::new();
    root.entry(tar::EntryType::Regular, "busybox", 0o755, &busybox());
    let image = root.import(&*host.engine, "scratch").await;
    for profile in [Profile::Standard, Profile::Locked] {
        let mut asked = spec(Source::Empty);
        asked.image = Image::Reference { reference: image.clone() };
        asked.profile = profile;
        let id = host.create_running(asked).await;
        assert_eq!(host.run(&id, &["/busybox", "id", "-u"]).await, (0, "1000".to_owned()), "{profile:?}");
        let inside = host.cockpit.workspaces().open(&id).await.unwrap();
        assert_eq!((inside.uid, inside.shell), (1000, None), "{profile:?}");
        files_work(&host, &id).await;
        let args = create_terminal(&[]);
        let refused =
            host.client.call::<TerminalCreate>(In { workspace: id.clone(), args }).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::NotFound, "{refused}");
        assert!(refused.message.contains("no shell"), "{refused}");
        let (_, mut terminal) = host.terminal(&id, &["/busybox", "sh"]).await;
        type_line(&mut terminal, "echo $((6*7))-made > made; /busybox cat made", "42-made").await;
        let root_is_read_only = host.run(&id, &["/busybox", "touch", "/x"]).await;
        assert_ne!(root_is_read_only.0, 0, "{profile:?}: {}", root_is_read_only.1);
        if profile == Profile::Locked {
            let touch = ["/busybox", "touch", "/run/x", "/tmp/x", "/var/tmp/x", "/home/dev/x"];
            assert_eq!(host.run(&id, &touch).await, (0, String::new()));
        } else {
            let args = create_terminal(&["/busybox", "sh", "-c", "/busybox id -u; /busybox touch /of-root"]);
            let made =
                host.client.call::<TerminalCreateAsRoot>(In { workspace: id.clone(), args }).await.unwrap();
            read_until(&mut host.attach(&id, made.id).await, "0\r\n").await;
        }
        host.cockpit.workspaces().restart(&id).await.unwrap();
        assert_eq!(host.run(&id, &["/busybox", "cat", "/workspace/made"]).await, (0, "42-made".to_owned()));
        host.delete(&id).await;
    }
    host.engine.remove_image(&image).await.unwrap();
    host.shutdown().await;
}

/// As Alpine is laid out: busybox for everything, musl's or no libc at all, no bash, no sudo, no apt.
fn alpine_like() -> Root {
    let mut root = Root::new();
    for directory in ["bin", "etc", "root", "home", "var", "usr", "usr/bin"] {
        root.entry(tar::EntryType::Directory, directory, 0o755, &[]);
    }
    root.entry(tar::EntryType::Directory, "tmp", 0o1777, &[]);
    root.entry(tar::EntryType::Regular, "bin/busybox", 0o755, &busybox());
    for program in ["sh", "ash", "cat", "id", "ls", "touch", "grep", "sed", "stat", "mkdir", "env"] {
        root.link(&format!("bin/{program}"), "/bin/busybox");
    }
    root.entry(tar::EntryType::Regular, "etc/passwd", 0o644, b"root:x:0:0:root:/root:/bin/ash\n");
    root.entry(tar::EntryType::Regular, "etc/group", 0o644, b"root:x:0:\n");
    root
}

async fn a_bare_image_without_packages_bash_or_sudo_is_a_workspace_like_any_other(engine: Endpoint) {
    let host = Host::start(engine).await;
    let image = alpine_like().import(&*host.engine, "bare").await;
    for profile in [Profile::Standard, Profile::Locked] {
        let mut asked = spec(Source::Empty);
        asked.image = Image::Reference { reference: image.clone() };
        asked.profile = profile;
        asked.trust_host_certificates = true;
        let id = host.create_running(asked).await;
        let inside = host.cockpit.workspaces().open(&id).await.unwrap();
        assert_eq!((inside.uid, inside.home.to_text().as_str()), (1000, "/home/dev"), "{profile:?}");
        files_work(&host, &id).await;
        let (_, mut prompt) = host.terminal(&id, &[]).await;
        read_until(&mut prompt, "$").await;
        let said =
            type_line(&mut prompt, "echo $0-$HOME-$((6*7)); touch ~/x /tmp/x; echo end$?", "end0").await;
        assert!(said.contains("-/home/dev-42"), "{profile:?}: {said}");
        let certificates =
            host.output(&id, "head -c 27 \"$SSL_CERT_FILE\" || busybox head -c 27 $SSL_CERT_FILE").await;
        assert!(certificates.ends_with("-----BEGIN CERTIFICATE-----"), "{certificates}");
        if profile == Profile::Standard {
            assert_eq!(host.output(&id, "id -un").await, "dev");
            let args = create_terminal(&[]);
            let made =
                host.client.call::<TerminalCreateAsRoot>(In { workspace: id.clone(), args }).await.unwrap();
            let mut prompt = host.attach(&id, made.id).await;
            read_until(&mut prompt, "#").await;
            type_line(&mut prompt, "touch /usr/bin/of-root; echo end$?", "end0").await;
        } else {
            let (status, said) = host.inside(&id, "touch /usr/bin/x").await;
            assert!(status != 0 && said.contains("Read-only file system"), "{said}");
        }
        host.delete(&id).await;
    }
    host.engine.remove_image(&image).await.unwrap();
    host.shutdown().await;
}
