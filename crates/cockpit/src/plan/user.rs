//! The workspace's user inside an image that does not know it.
//!
//! A container runs as a number. In an image without an account of that number a shell has no name and no home, and
//! `sudo` refuses; so the account, a home and the right to `sudo` are added to the *container* before it first
//! starts. The image itself is not touched.

use super::archive::{Archive, Owner, ROOT};
use super::image::ReadyImage;
use super::job::Job;
use super::shared;
use crate::hardening::WORKSPACE_UID;
use crate::workspaces::labels;
use aicockpit_engine::{Engine, EngineError};
use aicockpit_protocol::{ApiError, ContainerId, ErrorCode};
use bytes::Bytes;
use futures::StreamExt as _;
use std::io::{self, Read as _};
use tokio::sync::OnceCell;

/// Account that is added.
const USER_NAME: &str = "dev";
/// Its home, and the home of every Locked workspace.
pub(super) const HOME: &str = "/home/dev";
/// The largest account file that is read: it comes from an image, which may be anything.
pub(super) const MAX_ACCOUNTS_LEN: usize = 1024 * 1024;

/// What has to be put into a container of one image.
#[derive(Default)]
pub(super) struct UserFiles(OnceCell<Bytes>);

/// Puts the user into a container that was never started and whose root is writable.
///
/// `owns_folder`: the workspace's folder is a volume. A folder of the host is never touched.
pub(super) async fn prepare(
    job: &Job,
    container: &ContainerId,
    image: &ReadyImage,
    user: Owner,
    owns_folder: bool,
) -> Result<(), ApiError> {
    // The base image has the account, and its folder's owner passes on to a new volume.
    if image.base && user.uid == WORKSPACE_UID {
        return Ok(());
    }
    let key = format!("{} {}:{} {owns_folder}", image.id, user.uid, user.gid);
    let files = shared(&job.workspaces.plans.users, &key);
    let archive = files
        .0
        .get_or_try_init(|| user_files(&*job.engine, container, image.base, user, owns_folder))
        .await
        .map_err(|error| error.to_api("look at the image's accounts"))?;
    let uploaded = job.engine.upload_archive(container, "/", archive.clone()).await;
    uploaded.map_err(|error| error.to_api("add the workspace's user to the container"))
}

/// An archive that gives directories of volumes to the user: `/workspace`, and a home.
pub(super) fn owned_directories(user: Owner) -> Result<Bytes, ApiError> {
    let build = || {
        let mut archive = Archive::now();
        archive.directory(labels::FOLDER.trim_start_matches('/'), 0o755, user)?;
        archive.directory(HOME.trim_start_matches('/'), 0o755, user)?;
        archive.finish()
    };
    build().map_err(|error: io::Error| {
        ApiError::new(ErrorCode::Internal, format!("Could not pack an archive: {error}."))
    })
}

async fn user_files(
    engine: &dyn Engine,
    container: &ContainerId,
    base: bool,
    user: Owner,
    owns_folder: bool,
) -> Result<Bytes, EngineError> {
    let passwd = read_file(engine, container, "/etc/passwd").await?;
    let group = read_file(engine, container, "/etc/group").await?;
    let bash = read_file(engine, container, "/bin/bash").await?.is_some();
    let sudoers = read_file(engine, container, "/etc/sudoers").await?.is_some();
    let image = Accounts { passwd, group, bash, sudoers };
    archive(&image, base, user, owns_folder)
        .map_err(|error| EngineError::Unsupported(format!("the account cannot be packed: {error}")))
}

/// What an image says of its accounts.
struct Accounts {
    /// Absent in an image from scratch.
    passwd: Option<Vec<u8>>,
    group: Option<Vec<u8>>,
    bash: bool,
    sudoers: bool,
}

fn archive(image: &Accounts, base: bool, user: Owner, owns_folder: bool) -> io::Result<Bytes> {
    let mut archive = Archive::now();
    if owns_folder {
        archive.directory(labels::FOLDER.trim_start_matches('/'), 0o755, user)?;
    }
    if let Some(passwd) = &image.passwd {
        let accounts = String::from_utf8_lossy(passwd);
        let mut name = accounts
            .lines()
            .find(|line| field(line, 2) == Some(&user.uid.to_string()))
            .and_then(|line| field(line, 0))
            .map(str::to_owned);
        if name.is_none() {
            let shell = if image.bash { "/bin/bash" } else { "/bin/sh" };
            let line = format!("{USER_NAME}:x:{}:{}::{HOME}:{shell}", user.uid, user.gid);
            // The base image's own account moves to the folder's owner; any other account of that name gives way.
            let others = accounts.lines().filter(|line| field(line, 0) != Some(USER_NAME));
            archive.file("etc/passwd", 0o644, ROOT, &joined(others, &line))?;
            archive.directory(HOME.trim_start_matches('/'), 0o755, user)?;
            name = Some(USER_NAME.to_owned());
        }
        let groups = String::from_utf8_lossy(image.group.as_deref().unwrap_or_default());
        if !groups.lines().any(|line| field(line, 2) == Some(&user.gid.to_string())) {
            let group = if groups.lines().any(|line| field(line, 0) == Some(USER_NAME)) {
                "folder"
            } else {
                USER_NAME
            };
            archive.file(
                "etc/group",
                0o644,
                ROOT,
                &joined(groups.lines(), &format!("{group}:x:{}:", user.gid)),
            )?;
        }
        if let Some(name) = name.filter(|_| image.sudoers && !base) {
            // Without the right to report to the kernel's audit log sudo complains at every run, unless it is told not to.
            let rule = format!("Defaults !log_allowed, !log_denied\n{name} ALL=(ALL) NOPASSWD: ALL\n");
            archive.file("etc/sudoers.d/aicockpit", 0o440, ROOT, rule.as_bytes())?;
        }
    }
    archive.finish()
}

fn field(line: &str, index: usize) -> Option<&str> {
    line.split(':').nth(index)
}

fn joined<'a>(lines: impl Iterator<Item = &'a str>, last: &'a str) -> Vec<u8> {
    lines
        .filter(|line| !line.is_empty())
        .chain([last])
        .map(|line| format!("{line}\n"))
        .collect::<String>()
        .into_bytes()
}

/// A small file of a container; the beginning of a large one; absent when it is not there.
pub(super) async fn read_file(
    engine: &dyn Engine,
    container: &ContainerId,
    path: &str,
) -> Result<Option<Vec<u8>>, EngineError> {
    let mut stream = match engine.download_archive(container, path).await {
        Ok(stream) => stream,
        Err(EngineError::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    while bytes.len() < MAX_ACCOUNTS_LEN {
        match stream.next().await {
            Some(Ok(more)) => bytes.extend_from_slice(&more),
            Some(Err(EngineError::NotFound(_))) => return Ok(None),
            Some(Err(error)) => return Err(error),
            None => break,
        }
    }
    let mut archive = tar::Archive::new(&bytes[..]);
    let Some(Ok(mut entry)) = archive.entries().ok().and_then(|mut entries| entries.next()) else {
        return Ok(None);
    };
    let mut content = Vec::new();
    // A file cut at the limit ends with an error; what was read of it is kept.
    let _ = entry.read_to_end(&mut content);
    Ok(Some(content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const USER: Owner = Owner { uid: 1000, gid: 1000 };

    fn unpack(bytes: Bytes) -> BTreeMap<String, (u64, String)> {
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(&bytes[..]).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            files.insert(path, (entry.header().uid().unwrap(), text));
        }
        files
    }

    fn accounts(passwd: &str, group: &str) -> Accounts {
        Accounts {
            passwd: Some(passwd.as_bytes().to_vec()),
            group: Some(group.as_bytes().to_vec()),
            bash: true,
            sudoers: true,
        }
    }

    #[test]
    fn an_unknown_user_gets_an_account_a_home_and_sudo() {
        let files = unpack(
            archive(&accounts("root:x:0:0:root:/root:/bin/sh\n", "root:x:0:\n"), false, USER, true).unwrap(),
        );
        assert_eq!(
            files["etc/passwd"].1,
            "root:x:0:0:root:/root:/bin/sh\ndev:x:1000:1000::/home/dev:/bin/bash\n"
        );
        assert_eq!(files["etc/group"].1, "root:x:0:\ndev:x:1000:\n");
        let (owner, rule) = &files["etc/sudoers.d/aicockpit"];
        assert!(*owner == 0 && rule.ends_with("\ndev ALL=(ALL) NOPASSWD: ALL\n"), "{rule}");
        assert_eq!(files["home/dev"].0, 1000);
        assert_eq!(files["workspace"].0, 1000);
    }

    #[test]
    fn a_known_user_is_left_as_it_is() {
        let image = accounts("node:x:1000:1000::/home/node:/bin/bash\n", "node:x:1000:\n");
        let files = unpack(archive(&image, false, USER, true).unwrap());
        assert_eq!(files.keys().collect::<Vec<_>>(), ["etc/sudoers.d/aicockpit", "workspace"]);
        assert!(files["etc/sudoers.d/aicockpit"].1.contains("\nnode ALL"));
    }

    #[test]
    fn an_image_without_accounts_gets_none() {
        let image = Accounts { passwd: None, group: None, bash: false, sudoers: false };
        assert_eq!(
            unpack(archive(&image, false, USER, true).unwrap()).keys().collect::<Vec<_>>(),
            ["workspace"]
        );
    }

    #[test]
    fn the_base_images_account_moves_to_the_folders_owner() {
        let owner = Owner { uid: 1234, gid: 55 };
        let image =
            accounts("root:x:0:0::/root:/bin/sh\ndev:x:1000:1000::/home/dev:/bin/bash\n", "dev:x:1000:\n");
        let files = unpack(archive(&image, true, owner, false).unwrap());
        assert!(files["etc/passwd"].1.ends_with("\ndev:x:1234:55::/home/dev:/bin/bash\n"), "{files:?}");
        assert_eq!(files["etc/passwd"].1.lines().filter(|line| line.starts_with("dev:")).count(), 1);
        assert!(files["etc/group"].1.contains("folder:x:55:"));
        assert_eq!(files["home/dev"].0, 1234);
        assert!(!files.contains_key("workspace"), "a folder of the host is never touched");
        assert!(!files.contains_key("etc/sudoers.d/aicockpit"), "the base image has a rule for dev");
    }
}
