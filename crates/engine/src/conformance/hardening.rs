//! What the running container may do: read from the kernel, not from the request.

use super::case::{Case, Failure, Outcome, Verdict, command, ensure, ensure_eq};
use crate::{ExecExit, Mount, MountSource};
use aicockpit_protocol::ContainerId;
use std::sync::Arc;

/// A field of the first process's `/proc/1/status`.
async fn status(case: &Case, id: &ContainerId, field: &str) -> Result<String, Failure> {
    let text = case.shell(id, "cat /proc/1/status").await?;
    let found = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    found.map(|value| value.trim().to_owned()).ok_or_else(|| Failure(format!("no {field} in {text}")))
}

pub(super) async fn all_capabilities_are_dropped_but_the_listed(case: Arc<Case>) -> Outcome {
    let none = case.start(&case.idle("none")).await?;
    for field in ["CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"] {
        ensure_eq!(status(&case, &none, field).await?, "0000000000000000", "{field} with no capability");
    }
    let mut spec = case.idle("some");
    spec.capabilities = vec!["CHOWN".to_owned(), "SETUID".to_owned(), "NET_BIND_SERVICE".to_owned()];
    let some = case.start(&spec).await?;
    // Bits 0, 7 and 10 of linux/capability.h.
    for field in ["CapEff", "CapBnd"] {
        ensure_eq!(status(&case, &some, field).await?, "0000000000000481", "{field} with three capabilities");
    }
    // A program run later has no more.
    let exec = case.shell(&some, "sed -n 's/^CapEff:\\t//p' /proc/self/status").await?;
    ensure_eq!(exec, "0000000000000481", "CapEff of an exec");
    Ok(Verdict::Passed)
}

pub(super) async fn a_user_other_than_root_holds_no_capability(case: Arc<Case>) -> Outcome {
    let mut spec = case.idle("user");
    spec.user = Some("1000:1000".to_owned());
    // The last is none that engines give by themselves.
    spec.capabilities = ["CHOWN", "SETUID", "SYS_CHROOT", "SYS_NICE"].map(str::to_owned).to_vec();
    let id = case.start(&spec).await?;
    for field in ["CapEff", "CapPrm", "CapAmb"] {
        ensure_eq!(status(&case, &id, field).await?, "0000000000000000", "{field} of user 1000");
    }
    // What a setuid program may gain: bits 0, 7 and 18. An engine may leave the last one of the list out here.
    let bounding = u64::from_str_radix(&status(&case, &id, "CapBnd").await?, 16)?;
    ensure_eq!(bounding & !(1 << 23), 0x40081, "bounding set");
    let exec = case.shell(&id, "sed -n 's/^CapEff:\\t//p' /proc/self/status").await?;
    ensure_eq!(exec, "0000000000000000", "CapEff of an exec");
    Ok(Verdict::Passed)
}

pub(super) async fn no_new_privileges_and_seccomp_hold_in_the_running_container(case: Arc<Case>) -> Outcome {
    let mut spec = case.idle("locked");
    spec.no_new_privileges = true;
    let locked = case.start(&spec).await?;
    ensure_eq!(status(&case, &locked, "NoNewPrivs").await?, "1", "no-new-privileges");
    ensure_eq!(status(&case, &locked, "Seccomp").await?, "2", "seccomp mode (2 is a filter)");
    let exec = case.shell(&locked, "sed -n 's/^NoNewPrivs:\\t//p' /proc/self/status").await?;
    ensure_eq!(exec, "1", "no-new-privileges of an exec");
    let open = case.start(&case.idle("open")).await?;
    ensure_eq!(status(&case, &open, "NoNewPrivs").await?, "0", "no-new-privileges where it is not asked for");
    ensure_eq!(status(&case, &open, "Seccomp").await?, "2", "seccomp mode there");
    Ok(Verdict::Passed)
}

pub(super) async fn a_read_only_root_with_a_writable_tmpfs(case: Arc<Case>) -> Outcome {
    let mut spec = case.idle("read-only");
    spec.read_only_root = true;
    // In the image the second belongs to root alone, the first is not there.
    spec.mounts = ["/home/me", "/run"]
        .map(|target| Mount {
            target: target.to_owned(),
            read_only: false,
            source: MountSource::Tmpfs(16 << 20),
        })
        .to_vec();
    spec.user = Some("1000:1000".to_owned());
    let id = case.start(&spec).await?;
    for path in ["/x", "/etc/x", "/usr/x"] {
        let mut touch = command(&["touch", path]);
        touch.user = case.engine.capabilities().exec_options.then(|| "0:0".to_owned());
        let output = case.run(&id, touch, Vec::new()).await?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(said.contains("Read-only file system"), "{path}: {:?}, {said}", output.exit);
    }
    for directory in ["/home/me", "/run"] {
        let script = format!(
            "cd {directory} && printf '#!/bin/sh\\necho ran\\n' >p && chmod +x p && ./p && rm p && ls -A"
        );
        ensure_eq!(
            case.shell(&id, &script).await?,
            "ran",
            "a program in the tmpfs {directory}, empty at first"
        );
    }
    let fill =
        case.run(&id, command(&["sh", "-c", "head -c 20000000 /dev/zero >/home/me/big"]), Vec::new()).await?;
    ensure!(fill.exit != ExecExit::Exited(0), "the tmpfs is larger than asked for");
    Ok(Verdict::Passed)
}

pub(super) async fn the_user_is_as_asked(case: Arc<Case>) -> Outcome {
    let mut spec = case.idle("user");
    spec.user = Some("1000:1000".to_owned());
    let id = case.start(&spec).await?;
    ensure_eq!(status(&case, &id, "Uid").await?, "1000\t1000\t1000\t1000", "user of the first process");
    ensure_eq!(status(&case, &id, "Gid").await?, "1000\t1000\t1000\t1000", "its group");
    ensure_eq!(case.engine.inspect_container(&id).await?.user, "1000:1000", "configured user");
    ensure_eq!(case.shell(&id, "id -u").await?, "1000", "user of an exec");
    Ok(Verdict::Passed)
}
