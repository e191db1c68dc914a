//! What the *running* container may do, asked of the engine and of the kernel inside.

use crate::common::*;
use aicockpit_cockpit::hardening::{DEFAULT_PIDS, STANDARD_CAPABILITIES};
use aicockpit_protocol::workspace::{Image, Limits, Profile, Source};
use aicockpit_protocol::{ErrorCode, WorkspaceId};
use std::collections::BTreeMap;

/// `/proc/1/status` inside, by key.
fn status(id: &WorkspaceId) -> BTreeMap<String, String> {
    let (code, text) = inside(id, "cat /proc/1/status");
    assert_eq!(code, 0, "{text}");
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
        .collect()
}

/// The kernel's numbers of capabilities, as in `linux/capability.h`.
fn mask(names: &[&str]) -> u64 {
    let number = |name: &str| match name {
        "CHOWN" => 0,
        "DAC_OVERRIDE" => 1,
        "FOWNER" => 3,
        "FSETID" => 4,
        "KILL" => 5,
        "SETGID" => 6,
        "SETUID" => 7,
        "NET_BIND_SERVICE" => 10,
        "SYS_CHROOT" => 18,
        "AUDIT_WRITE" => 29,
        "SETFCAP" => 31,
        other => panic!("{other} has no number here"),
    };
    names.iter().fold(0, |mask, name| mask | 1u64 << number(name))
}

fn hex(status: &BTreeMap<String, String>, key: &str) -> u64 {
    u64::from_str_radix(&status[key], 16).unwrap()
}

#[tokio::test]
async fn a_standard_workspace_holds_the_listed_capabilities_for_sudo_alone() {
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(data.path(), docker()).await;
    let mut asked = spec(Source::Empty);
    asked.limits = Limits { memory_bytes: Some(300 << 20), cpu_millis: Some(500), pids: None };
    let workspace = create_running(&cockpit, asked).await;
    let id = &workspace.id;
    let status = status(id);
    assert!(status["Uid"].split_whitespace().all(|uid| uid == "1000"), "{status:?}");
    assert_eq!(hex(&status, "CapEff"), 0, "the user itself holds none");
    assert_eq!(hex(&status, "CapPrm"), 0);
    let listed: Vec<_> = STANDARD_CAPABILITIES.iter().map(|(name, _)| *name).collect();
    assert_eq!(hex(&status, "CapBnd"), mask(&listed), "the bounding set is the list");
    assert_eq!(status["NoNewPrivs"], "0", "or sudo could not work");
    assert_eq!(status["Seccomp"], "2", "the engine's filter is on");

    assert_eq!(inspect(id, ".HostConfig.Privileged"), false);
    assert_eq!(inspect(id, ".HostConfig.PidsLimit"), DEFAULT_PIDS);
    assert_eq!(inspect(id, ".HostConfig.Memory"), 300 << 20);
    // Half a core, in whichever of Docker's two ways it was asked for.
    let nano = inspect(id, ".HostConfig.NanoCpus") == 500_000_000;
    let quota = inspect(id, ".HostConfig.CpuQuota") == 50_000;
    assert!(nano || quota, "{}", inspect(id, ".HostConfig"));
    assert_eq!(inspect(id, ".HostConfig.PidMode"), "");
    assert_eq!(inspect(id, ".HostConfig.NetworkMode"), format!("aicockpit-{id}"));
    let mounts = inspect(id, ".Mounts");
    let mut targets: Vec<_> = mounts
        .as_array()
        .unwrap()
        .iter()
        .map(|mount| {
            format!(
                "{} {} {}",
                mount["Type"].as_str().unwrap(),
                mount["Destination"].as_str().unwrap(),
                mount["RW"]
            )
        })
        .collect();
    targets.sort();
    assert_eq!(targets, ["volume /.aicockpit false", "volume /workspace true"], "no mounts of the host");
    let (code, said) =
        inside(id, "mount -t tmpfs none /mnt; echo x > /.aicockpit/x; ls /var/run/docker.sock");
    assert_ne!(code, 0, "{said}");
    cockpit.workspaces().delete(id).await.unwrap();
    cockpit.shutdown().await;
}

#[tokio::test]
async fn a_locked_workspace_can_do_next_to_nothing_and_is_still_usable() {
    for image in [Image::Reference { reference: IMAGE.to_owned() }, Image::Base] {
        let data = tempfile::tempdir().unwrap();
        let cockpit = start(data.path(), docker()).await;
        let mut asked = spec(Source::Empty);
        asked.profile = Profile::Locked;
        asked.image = image;
        let workspace = create_running(&cockpit, asked).await;
        let id = &workspace.id;
        let status = status(id);
        assert!(status["Uid"].split_whitespace().all(|uid| uid == "1000"), "{status:?}");
        for set in ["CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"] {
            assert_eq!(hex(&status, set), 0, "{set}");
        }
        assert_eq!(status["NoNewPrivs"], "1");
        assert_eq!(status["Seccomp"], "2");
        assert_eq!(inspect(id, ".HostConfig.ReadonlyRootfs"), true);
        assert_eq!(inside(id, "ls /sys/class/net"), (0, "lo".to_owned()), "no network");
        let writable = "echo x > ~/x && echo x > /tmp/x && echo x > /workspace/x && echo $HOME";
        assert_eq!(inside(id, writable), (0, "/home/dev".to_owned()));
        assert_ne!(inside(id, "touch /etc/x").0, 0, "the root is read-only");
        assert!(cockpit.workspaces().open(id).await.is_ok());
        cockpit.workspaces().delete(id).await.unwrap();
        assert_nothing_left(id);
        cockpit.shutdown().await;
    }
}

#[tokio::test]
async fn sudo_installs_packages_in_the_base_image() {
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(data.path(), docker()).await;
    let mut asked = spec(Source::Empty);
    asked.image = Image::Base;
    let workspace = create_running(&cockpit, asked).await;
    // Brings a setgid program, a file capability and a service account.
    let script = "sudo apt-get update -qq && sudo apt-get install -y -qq --no-install-recommends iputils-ping tree at \
                  && tree --version && getcap $(which ping)";
    let (code, said) = inside(&workspace.id, script);
    assert_eq!(code, 0, "{said}");
    cockpit.workspaces().delete(&workspace.id).await.unwrap();
    cockpit.shutdown().await;
}

#[tokio::test]
async fn the_hosts_certificates_are_passed_on_when_asked() {
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(data.path(), docker()).await;
    let mut asked = spec(Source::Empty);
    asked.trust_host_certificates = true;
    asked.env.insert("MINE".to_owned(), "a b=c".to_owned());
    let workspace = create_running(&cockpit, asked).await;
    let script = "head -c 27 \"$SSL_CERT_FILE\"; test \"$SSL_CERT_FILE\" = \"$GIT_SSL_CAINFO\" && echo \"$MINE\"; \
                  touch \"$SSL_CERT_FILE\" 2>/dev/null && echo writable";
    let (_, said) = inside(&workspace.id, script);
    assert!(said.starts_with("-----BEGIN CERTIFICATE-----") && said.ends_with("a b=c"), "{said}");
    cockpit.workspaces().delete(&workspace.id).await.unwrap();
    cockpit.shutdown().await;
}

#[tokio::test]
async fn what_would_give_the_host_away_is_refused_before_anything_is_made() {
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(data.path(), docker()).await;
    for path in ["/", "/etc", "/var/run", "/proc"] {
        let error = cockpit
            .workspaces()
            .create(request(spec(Source::Folder { path: path.to_owned() })))
            .await
            .unwrap_err();
        assert_eq!(error.code, ErrorCode::PermissionDenied, "{path}: {error}");
    }
    let mut gpu = spec(Source::Empty);
    gpu.gpu = !cockpit.engines().capabilities(&aicockpit_protocol::EngineId::new("docker")).gpu;
    if gpu.gpu {
        let error = cockpit.workspaces().create(request(gpu)).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Unsupported, "{error}");
    }
    cockpit.shutdown().await;
}
