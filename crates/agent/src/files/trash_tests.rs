use super::*;
use std::ffi::OsStr;

const DAY: Duration = MAX_AGE;

fn at(path: &Path) -> BytePath {
    BytePath::from(path)
}

fn delete(paths: &[PathBuf], home: Option<&Path>, now: SystemTime) -> Result<String, AgentError> {
    let paths: Vec<_> = paths.iter().map(|path| at(path)).collect();
    trash_into(&paths, home, now).map(|trashed| trashed.token)
}

fn restore(token: &str) -> Result<(), AgentError> {
    restore_trash(&RestoreTrash { token: token.to_owned() })
}

#[test]
fn deleted_files_come_back_as_they_were() {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let home = folder.path().join("aicockpit/trash");
    let tree = folder.path().join(OsStr::from_bytes(b"tr\xe9e"));
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("inside"), "content").unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "other").unwrap();

    let token =
        delete(&[tree.clone(), tree.join("inside"), file.clone()], Some(&home), SystemTime::now()).unwrap();
    assert!(!tree.exists() && !file.exists());
    restore(&token).unwrap();
    assert_eq!(fs::read(tree.join("inside")).unwrap(), b"content");
    assert_eq!(fs::read(&file).unwrap(), b"other");
    assert_eq!(restore(&token).unwrap_err().code, ErrorCode::NotFound, "a second time there is nothing");
}

#[test]
fn restoring_makes_missing_parents_and_never_overwrites() {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let home = folder.path().join("aicockpit/trash");
    let (a, b) = (folder.path().join("sub/a"), folder.path().join("sub/b"));
    fs::create_dir(folder.path().join("sub")).unwrap();
    fs::write(&a, "a").unwrap();
    fs::write(&b, "b").unwrap();
    let token = delete(&[a.clone(), b.clone()], Some(&home), SystemTime::now()).unwrap();
    fs::write(&b, "new").unwrap();
    assert_eq!(restore(&token).unwrap_err().code, ErrorCode::AlreadyExists);
    assert!(!a.exists(), "all or nothing");
    assert_eq!(fs::read(&b).unwrap(), b"new");
    fs::remove_dir_all(folder.path().join("sub")).unwrap();
    restore(&token).unwrap();
    assert_eq!(fs::read(&a).unwrap(), b"a");
    assert_eq!(fs::read(&b).unwrap(), b"b");
}

#[test]
fn on_another_file_system_the_trash_hides_at_its_top() {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let home = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "content").unwrap();
    let token =
        delete(std::slice::from_ref(&file), Some(&home.path().join("aicockpit/trash")), SystemTime::now())
            .unwrap();
    let stored = folders_of(&token).unwrap().remove(0);
    let root = stored.parent().unwrap();
    assert!(root.ends_with(TRASH_NAME) && !root.starts_with(home.path()), "{root:?}");
    assert_eq!(fs::read_to_string(root.join(".gitignore")).unwrap(), "*\n");
    restore(&token).unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"content");
    let _ = fs::remove_dir_all(root);
}

#[test]
fn a_failed_deletion_takes_nothing() {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let home = folder.path().join("aicockpit/trash");
    let file = folder.path().join("file");
    fs::write(&file, "content").unwrap();
    // /proc is a mount point: it cannot be renamed.
    let error = delete(&[file.clone(), PathBuf::from("/proc/self/status")], Some(&home), SystemTime::now());
    assert!(error.is_err());
    assert_eq!(fs::read(&file).unwrap(), b"content");
    let missing = delete(&[folder.path().join("missing")], Some(&home), SystemTime::now()).unwrap_err();
    assert_eq!(missing.code, ErrorCode::NotFound);
    assert_eq!(
        delete(&[PathBuf::from("/")], Some(&home), SystemTime::now()).unwrap_err().code,
        ErrorCode::InvalidArgument
    );
    let left = fs::read_dir(&home).unwrap().count();
    assert_eq!(left, 0, "no folder of the failed deletion is left");
}

#[test]
fn old_and_surplus_deletions_are_purged_but_never_the_newest() {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let home = folder.path().join("aicockpit/trash");
    let start = SystemTime::now();
    let mut tokens = Vec::new();
    for step in 0..30 {
        let file = folder.path().join(format!("f{step}"));
        fs::write(&file, "x").unwrap();
        tokens.push(delete(&[file], Some(&home), start + Duration::from_secs(step)).unwrap());
    }
    purge(&home, start + Duration::from_secs(30));
    assert_eq!(fs::read_dir(&home).unwrap().count(), MAX_DELETIONS);
    assert!(restore(&tokens[9]).is_err());
    restore(&tokens[10]).unwrap();
    purge(&home, start + DAY + Duration::from_secs(1000));
    assert_eq!(fs::read_dir(&home).unwrap().count(), 1);
    restore(&tokens[29]).unwrap();
}

#[test]
fn tokens_that_name_no_trash_are_refused() {
    let elsewhere = token([PathBuf::from("/etc/passwd")].iter());
    for forged in ["zz", "2f", elsewhere.as_str()] {
        assert_eq!(restore(forged).unwrap_err().code, ErrorCode::InvalidArgument, "{forged}");
    }
}
