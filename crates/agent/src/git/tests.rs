use super::*;
use aicockpit_protocol::ErrorCode;
use aicockpit_protocol::fs::GitChange;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

/// A repository with one commit, or `None` where this machine has no Git.
fn repository() -> Option<(tempfile::TempDir, PathBuf)> {
    let folder = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(folder.path()).unwrap();
    if Command::new("git").arg("--version").output().is_err() {
        return None;
    }
    git(&root, &["init", "--quiet", "--initial-branch=main"]);
    for name in ["kept", "edited", "removed", "moved", "with space"] {
        fs::write(root.join(name), format!("the content of {name}\n").repeat(5)).unwrap();
    }
    git(&root, &["add", "."]);
    git(&root, &["commit", "--quiet", "--message=first"]);
    Some((folder, root))
}

fn git(root: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .current_dir(root)
        .args(["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "protocol.file.allow=always"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn state(path: &Path) -> GitState {
    status(&GitStatus { path: BytePath::from(path) }).unwrap().expect("a repository")
}

fn changes(state: &GitState) -> BTreeMap<String, GitChange> {
    let relative = |entry: &aicockpit_protocol::fs::GitEntry| {
        let path = entry.path.as_path().strip_prefix(state.root.as_path()).unwrap().to_owned();
        (BytePath::from(path.as_path()).to_text(), entry.change)
    };
    state.entries.iter().map(relative).collect()
}

#[test]
fn every_kind_of_change_is_told() {
    let Some((_folder, root)) = repository() else { return };
    fs::write(root.join(".gitignore"), "target/\n").unwrap();
    fs::write(root.join("edited"), "other").unwrap();
    fs::remove_file(root.join("removed")).unwrap();
    git(&root, &["mv", "moved", "renamed"]);
    fs::write(root.join("with space"), "x").unwrap();
    fs::write(root.join("added"), "x").unwrap();
    git(&root, &["add", "added"]);
    fs::create_dir_all(root.join("new/sub")).unwrap();
    fs::write(root.join("new/sub/file"), "x").unwrap();
    fs::create_dir(root.join("target")).unwrap();
    fs::write(root.join("target/out"), "x").unwrap();
    fs::write(root.join(OsStr::from_bytes(b"caf\xe9")), "x").unwrap();

    let found = state(&root.join("new"));
    assert_eq!(found.root, BytePath::from(root.as_path()));
    assert_eq!((found.branch.as_deref(), found.ahead, found.behind), (Some("main"), 0, 0));
    let expected = [
        (".gitignore", GitChange::Untracked),
        ("added", GitChange::Added),
        ("caf\u{f7e9}", GitChange::Untracked),
        ("edited", GitChange::Modified),
        ("new", GitChange::Untracked),
        ("removed", GitChange::Deleted),
        ("renamed", GitChange::Renamed),
        ("target", GitChange::Ignored),
        ("with space", GitChange::Modified),
    ];
    assert_eq!(changes(&found), expected.map(|(path, change)| (path.to_owned(), change)).into());
}

#[test]
fn conflicts_and_the_distance_to_the_upstream_are_told() {
    let Some((folder, root)) = repository() else { return };
    let clone = folder.path().join("clone");
    git(&root, &["clone", "--quiet", ".", "clone"]);
    fs::write(clone.join("edited"), "ours").unwrap();
    git(&clone, &["commit", "--quiet", "--all", "--message=ours"]);
    fs::write(root.join("edited"), "theirs").unwrap();
    git(&root, &["commit", "--quiet", "--all", "--message=theirs"]);
    git(&clone, &["fetch", "--quiet"]);
    let merge = Command::new("git").current_dir(&clone).args(["merge", "origin/main"]).output().unwrap();
    assert!(!merge.status.success());
    let found = state(&clone);
    assert_eq!((found.ahead, found.behind), (1, 1));
    assert_eq!(changes(&found), [("edited".to_owned(), GitChange::Conflicted)].into());
}

#[test]
fn outside_of_a_repository_and_without_git_there_is_no_state() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert_eq!(status(&GitStatus { path: BytePath::from(path) }).unwrap(), None);
    let deadline = Instant::now() + TIME_LIMIT;
    assert_eq!(status_with(OsStr::new("/nowhere/git"), path, deadline).unwrap(), None);
    let missing = status(&GitStatus { path: BytePath::from(path.join("missing").as_path()) });
    assert_eq!(missing.unwrap_err().code, ErrorCode::NotFound);
}

#[test]
fn nothing_that_the_repository_configures_is_run() {
    let Some((folder, root)) = repository() else { return };
    let marker = folder.path().join(".git/ran");
    let script = folder.path().join(".git/script");
    fs::write(&script, format!("#!/bin/sh\ntouch {}\ncat\n", marker.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let script = script.to_str().unwrap();
    for key in [
        "core.fsmonitor",
        "filter.evil.clean",
        "filter.evil.process",
        "filter.lfs.clean",
        "core.pager",
        "diff.external",
    ] {
        git(&root, &["config", key, script]);
    }
    fs::create_dir_all(root.join(".git/hooks")).unwrap();
    for hook in ["post-index-change", "fsmonitor-watchman"] {
        fs::copy(script, root.join(".git/hooks").join(hook)).unwrap();
    }
    fs::write(root.join(".gitattributes"), "edited filter=evil\nkept filter=lfs\n").unwrap();
    // Changed times make Git look into the files, through their filters.
    for name in ["edited", "kept"] {
        let content = fs::read(root.join(name)).unwrap();
        fs::write(root.join(name), content).unwrap();
    }
    let found = state(&root);
    assert!(!marker.exists(), "a program of the repository ran");
    assert_eq!(changes(&found), [(".gitattributes".to_owned(), GitChange::Untracked)].into());
}

#[test]
fn git_lfs_keeps_its_filters() {
    let config = b"filter.lfs.clean\ngit-lfs clean -- %f\0filter.lfs.process\ngit-lfs filter-process\0\
        filter.lfs.required\ntrue\0filter.x.y.clean\nrun this\0";
    let off = without_filters(config);
    assert!(off.iter().all(|setting| setting.as_bytes().starts_with(b"filter.x.y.")), "{off:?}");
    assert_eq!(off.len(), 4);
    assert_eq!(without_filters(b"filter.lfs.clean\nrun this\0").len(), 4);
}

#[test]
fn a_git_that_hangs_is_killed_with_all_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("git");
    // The grandchild holds the pipe as well.
    fs::write(&script, "#!/bin/sh\nsleep 1000 & sleep 1000\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let deadline = Instant::now() + Duration::from_millis(100);
    let error = status_with(script.as_os_str(), folder.path(), deadline).unwrap_err();
    assert_eq!(error.code, ErrorCode::TimedOut, "{}", error.message);
}

#[test]
fn a_git_without_end_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("git");
    let lines = "case \"$*\" in *rev-parse*) echo /w;; *config*) ;; *) exec yes '? a';; esac";
    fs::write(&script, format!("#!/bin/sh\n{lines}\n")).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let state = status_with(script.as_os_str(), folder.path(), Instant::now() + TIME_LIMIT).unwrap();
    assert_eq!(state.unwrap().entries, [], "there was no whole record in it");
}
