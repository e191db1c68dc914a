//! What the *running* container may do, asked of the kernel inside.

use crate::common::*;
use aicockpit_cockpit::hardening::{DEFAULT_PIDS, LOCKED_TMPFS, STANDARD_CAPABILITIES};
use aicockpit_engine::Endpoint;
use aicockpit_protocol::workspace::{Image, Limits, Profile, Source};
use aicockpit_protocol::{ErrorCode, WorkspaceId};
use std::collections::BTreeMap;

on_every_engine!(
    the_kernel_grants_a_standard_workspace_what_is_listed_and_its_user_nothing,
    a_locked_workspace_can_be_worked_in_and_changes_nothing_else,
    limits_hold_in_the_running_container_or_are_declined,
    a_gpu_is_passed_on_or_declined_with_a_sentence,
);

/// The kernel's numbers of capabilities, as in `linux/capability.h`.
fn mask() -> u64 {
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
        "SETFCAP" => 31,
        other => panic!("{other} has no number here"),
    };
    STANDARD_CAPABILITIES.iter().fold(0, |mask, (name, _)| mask | 1u64 << number(name))
}

/// `/proc/PID/status` inside, by key.
async fn status(host: &Host, id: &WorkspaceId, pid: &str) -> BTreeMap<String, String> {
    let text = host.output(id, &format!("cat /proc/{pid}/status")).await;
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.map(|(key, value)| (key.to_owned(), value.trim().to_owned())).collect()
}

fn hex(status: &BTreeMap<String, String>, key: &str) -> u64 {
    u64::from_str_radix(&status[key], 16).unwrap()
}

async fn the_kernel_grants_a_standard_workspace_what_is_listed_and_its_user_nothing(engine: Endpoint) {
    let host = Host::start(engine).await;
    let id = host.create_running(spec(Source::Empty)).await;
    // The first process, and one that was run later.
    for pid in ["1", "self"] {
        let status = status(&host, &id, pid).await;
        assert!(status["Uid"].split_whitespace().all(|uid| uid == "1000"), "{status:?}");
        for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
            assert_eq!(hex(&status, set), 0, "{set} of {pid}: the user itself holds none");
        }
        assert_eq!(hex(&status, "CapBnd"), mask(), "the bounding set is the list");
        assert_eq!(status["NoNewPrivs"], "0", "or sudo could not work");
        assert_eq!(status["Seccomp"], "2", "the engine's filter is on");
    }
    let (code, said) = host.inside(&id, "mount -t tmpfs none /mnt; echo x > /.aicockpit/x").await;
    assert_ne!(code, 0, "{said}");
    let sockets = host.output(&id, "find / -xdev -name '*.sock' 2>/dev/null; true").await;
    assert_eq!(sockets, "", "no engine's socket");
    host.delete(&id).await;
    host.shutdown().await;
}

async fn a_locked_workspace_can_be_worked_in_and_changes_nothing_else(engine: Endpoint) {
    let host = Host::start(engine).await;
    let mut asked = spec(Source::Empty);
    asked.profile = Profile::Locked;
    let id = host.create_running(asked).await;
    let status = status(&host, &id, "1").await;
    assert!(status["Uid"].split_whitespace().all(|uid| uid == "1000"), "{status:?}");
    for set in ["CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"] {
        assert_eq!(hex(&status, set), 0, "{set}");
    }
    assert_eq!((status["NoNewPrivs"].as_str(), status["Seccomp"].as_str()), ("1", "2"));
    assert_eq!(host.output(&id, "ls /sys/class/net").await, "lo", "no network");
    for directory in LOCKED_TMPFS.iter().chain(&["/home/dev", "/workspace"]) {
        let script = format!(
            "cd {directory} && mkdir made && printf '#!/bin/sh\\necho ran\\n' > made/p && chmod +x made/p && made/p"
        );
        assert_eq!(host.output(&id, &script).await, "ran", "{directory}");
    }
    let in_memory = host.output(&id, "stat -f -c %T /tmp /var/tmp /run").await;
    assert_eq!(in_memory, "tmpfs\ntmpfs\ntmpfs");
    for directory in ["/", "/etc", "/usr/bin", "/var/lib", "/opt", "/.aicockpit"] {
        let (code, said) = host.inside(&id, &format!("touch {directory}/x")).await;
        assert!(code != 0 && said.contains("Read-only file system"), "{directory}: {said}");
    }
    let (code, said) = host.inside(&id, "apt-get install -y tree").await;
    assert!(code != 0 && said.contains("are you root?"), "apt says why: {said}");
    // What it is for: looking, editing, a terminal.
    host.cockpit.workspaces().open(&id).await.unwrap();
    let (_, mut prompt) = host.terminal(&id, &[]).await;
    type_line(&mut prompt, "cd && echo home-$PWD", "home-/home/dev").await;
    // What lies in memory goes with the container, the home stays.
    host.cockpit.workspaces().stop(&id).await.unwrap();
    host.cockpit.workspaces().start(&id).await.unwrap();
    assert_eq!(host.output(&id, "ls -d ~/made /workspace/made").await, "/home/dev/made\n/workspace/made");
    assert_eq!(host.output(&id, "ls /tmp /run && touch /run/again").await, "/run:\n\n/tmp:");
    host.delete(&id).await;
    host.shutdown().await;
}

/// A limit, as the kernel keeps it for processes inside; by either version of cgroup.
const LIMIT: &str = r#"
limit() {
    if [ -f /sys/fs/cgroup/cgroup.controllers ]; then cat /sys/fs/cgroup/$1; else cat /sys/fs/cgroup/$2; fi
}
limit memory.max memory/memory.limit_in_bytes
limit pids.max pids/pids.max
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then cat /sys/fs/cgroup/cpu.max
else echo $(cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us); fi
"#;

async fn limits_hold_in_the_running_container_or_are_declined(engine: Endpoint) {
    let host = Host::start(engine).await;
    let able = host.engine.capabilities();
    let mut asked = spec(Source::Empty);
    asked.limits = Limits { memory_bytes: Some(300 << 20), cpu_millis: Some(500), pids: None };
    if able.memory_limit && able.cpu_limit && able.pids_limit {
        let id = host.create_running(asked).await;
        let expected = format!("{}\n{DEFAULT_PIDS}\n50000 100000", 300u64 << 20);
        assert_eq!(host.output(&id, LIMIT).await, expected);
        host.delete(&id).await;
    } else {
        let refused = create_refused(&host, asked).await;
        assert_eq!(refused.code, ErrorCode::Unsupported, "{refused}");
        assert!(refused.message.contains("This engine cannot limit"), "{refused}");
        assert!(refused.hint.is_some(), "{refused}");
    }
    host.shutdown().await;
}

async fn a_gpu_is_passed_on_or_declined_with_a_sentence(engine: Endpoint) {
    let host = Host::start(engine).await;
    let mut asked = spec(Source::Empty);
    asked.gpu = true;
    asked.image = Image::Reference { reference: IMAGE.to_owned() };
    if host.engine.capabilities().gpu {
        let id = host.create_running(asked).await;
        assert_ne!(host.output(&id, "ls /dev | grep nvidia").await, "");
        host.delete(&id).await;
    } else {
        let refused = create_refused(&host, asked).await;
        assert_eq!(refused.code, ErrorCode::Unsupported, "{refused}");
        assert_eq!(refused.message, "This engine cannot pass a GPU through on this machine.");
        assert_eq!(refused.hint.as_deref(), Some("Leave that out, or choose another engine."));
    }
    host.shutdown().await;
}

async fn create_refused(
    host: &Host,
    spec: aicockpit_protocol::workspace::WorkspaceSpec,
) -> aicockpit_protocol::ApiError {
    let request = aicockpit_protocol::api::CreateWorkspace { name: None, engine: None, spec };
    host.cockpit.workspaces().create(request).await.unwrap_err()
}
