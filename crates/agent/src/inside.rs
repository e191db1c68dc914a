//! What a workspace is like from within.

use crate::account::{Account, installed_shells, is_program};
use aicockpit_protocol::BytePath;
use aicockpit_protocol::workspace::WorkspaceInside;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Describes the inside.
pub(crate) fn describe(account: &Account, folder: &Path) -> WorkspaceInside {
    let mut shells = installed_shells();
    if let Some(own) = &account.shell
        && !shells.contains(own)
    {
        shells.insert(0, own.clone());
    }
    WorkspaceInside {
        folder: BytePath::new(folder.as_os_str().as_bytes()),
        user: account.name.to_string_lossy().into_owned(),
        uid: account.uid,
        home: BytePath::new(account.home.as_os_str().as_bytes()),
        shell: account.shell.as_ref().map(|shell| shell.to_string_lossy().into_owned()),
        shells: shells.iter().map(|shell| shell.to_string_lossy().into_owned()).collect(),
        sudo: in_path("sudo")
            && may_gain_privileges(&fs::read_to_string("/proc/self/status").unwrap_or_default()),
        git: in_path("git"),
        os: fs::read_to_string("/etc/os-release").ok().and_then(|release| os_name(&release)),
    }
}

fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    std::env::split_paths(&path).any(|folder| is_program(&folder.join(program)))
}

/// Whether a set-uid program would run as its owner.
fn may_gain_privileges(status: &str) -> bool {
    let barred = status.lines().find_map(|line| line.strip_prefix("NoNewPrivs:"));
    barred.is_none_or(|value| value.trim() == "0")
}

fn os_name(release: &str) -> Option<String> {
    let value = |key: &str| {
        let text = release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(text.trim().trim_matches('"').to_owned())
    };
    value("PRETTY_NAME").or_else(|| value("NAME"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_system_is_found() {
        assert_eq!(os_name("NAME=\"Alpine Linux\"\nID=alpine\n").as_deref(), Some("Alpine Linux"));
        assert_eq!(os_name("NAME=x\nPRETTY_NAME=\"Debian 12\"\n").as_deref(), Some("Debian 12"));
        assert_eq!(os_name("ID=none"), None);
    }

    #[test]
    fn barred_privileges_are_seen() {
        assert!(!may_gain_privileges("Name:\tx\nNoNewPrivs:\t1\n"));
        assert!(may_gain_privileges("NoNewPrivs:\t0\n"));
        assert!(may_gain_privileges(""));
    }
}
