use super::*;
use crate::files::inspect::stat;
use aicockpit_protocol::BytePath;
use aicockpit_protocol::fs::{FileKind, Stat};
use proptest::prelude::*;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

fn at(path: &Path) -> BytePath {
    BytePath::from(path)
}

fn put(path: &Path, condition: WriteCondition, content: &[u8]) -> Result<FileStat, AgentError> {
    write(&WriteFile { path: at(path), condition, create_parents: false }, content)
}

fn get(path: &Path, offset: u64, length: u32) -> Result<Chunk, AgentError> {
    read(&ReadFile { path: at(path), offset, length })
}

fn seen(stat: &FileStat) -> WriteCondition {
    WriteCondition::Version { version: stat.version.clone() }
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn assert_alone(folder: &Path, names: &[&str]) {
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, names, "nothing temporary is left");
}

#[test]
fn ranges_are_read_up_to_the_end() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "0123456789").unwrap();
    let chunk = get(file.path(), 3, 4).unwrap();
    assert_eq!(chunk.content, b"3456");
    assert_eq!((chunk.stat.size, chunk.stat.kind), (10, FileKind::File));
    assert_eq!(get(file.path(), 8, 100).unwrap().content, b"89");
    assert_eq!(get(file.path(), 50, 100).unwrap().content, b"");
    assert!(
        !get(Path::new("/proc/self/status"), 0, 100_000).unwrap().content.is_empty(),
        "files without a size"
    );
}

#[test]
fn reading_refuses_what_is_no_file_and_never_waits() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert_eq!(get(&pipe, 0, 1).unwrap_err().code, ErrorCode::InvalidState);
    assert_eq!(get(folder.path(), 0, 1).unwrap_err().code, ErrorCode::IsADirectory);
    assert_eq!(put(folder.path(), WriteCondition::Any, b"").unwrap_err().code, ErrorCode::IsADirectory);
    assert_eq!(put(&pipe, WriteCondition::Any, b"").unwrap_err().code, ErrorCode::InvalidState);
    let too_much = u32::try_from(MAX_FILE_CHUNK).unwrap() + 1;
    assert_eq!(get(&pipe, 0, too_much).unwrap_err().code, ErrorCode::InvalidArgument);
}

#[test]
fn a_new_file_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(OsStr::from_bytes(b"n\xe4u"));
    let made = put(&path, WriteCondition::Missing, b"one").unwrap();
    assert_eq!(made, stat(&Stat { path: at(&path) }).unwrap());
    assert_eq!(put(&path, WriteCondition::Missing, b"two").unwrap_err().code, ErrorCode::Conflict);
    assert_eq!(fs::read(&path).unwrap(), b"one");
}

#[test]
fn parents_are_made_only_on_request_and_for_new_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/file");
    assert_eq!(put(&path, WriteCondition::Any, b"x").unwrap_err().code, ErrorCode::NotFound);
    let condition = WriteCondition::Version { version: "1".to_owned() };
    let mut request = WriteFile { path: at(&path), condition, create_parents: true };
    assert_eq!(write(&request, b"x").unwrap_err().code, ErrorCode::Conflict);
    assert_alone(folder.path(), &[]);
    request.condition = WriteCondition::Missing;
    write(&request, b"x").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"x");
}

#[test]
fn a_version_that_passed_is_a_conflict_and_a_retry_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let first = put(&path, WriteCondition::Any, b"one").unwrap();
    let second = put(&path, seen(&first), b"two").unwrap();
    assert_ne!(first.version, second.version);

    let conflict = put(&path, seen(&first), b"three").unwrap_err();
    assert_eq!(conflict.code, ErrorCode::Conflict);
    assert_eq!(fs::read(&path).unwrap(), b"two");

    let retried = put(&path, seen(&first), b"two").unwrap();
    assert_eq!(retried, second, "the content is there already: nothing was written again");

    fs::remove_file(&path).unwrap();
    assert_eq!(put(&path, seen(&second), b"three").unwrap_err().code, ErrorCode::Conflict);
    assert_alone(folder.path(), &[]);
}

#[test]
fn a_rewrite_of_the_same_size_and_time_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let first = put(&path, WriteCondition::Any, b"one").unwrap();
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "two").unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    assert_eq!(put(&path, seen(&first), b"three").unwrap_err().code, ErrorCode::Conflict);
}

#[test]
fn permissions_and_attributes_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.sh");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o751)).unwrap();
    let attributes = xattr::set(&path, "user.test", b"value").is_ok();
    let before = inode(&path);
    let written = put(&path, WriteCondition::Any, b"new").unwrap();
    assert_ne!(inode(&path), before, "replaced by rename");
    assert_eq!((mode(&path), written.mode), (0o751, 0o751));
    if attributes {
        assert_eq!(xattr::get(&path, "user.test").unwrap().as_deref(), Some(&b"value"[..]));
    }
    assert_alone(folder.path(), &["run.sh"]);
}

#[test]
fn hard_links_stay_together() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    fs::write(&a, "the old and longer content").unwrap();
    fs::hard_link(&a, &b).unwrap();
    let before = inode(&a);
    let first = stat(&Stat { path: at(&a) }).unwrap();
    put(&a, seen(&first), b"new").unwrap();
    assert_eq!((inode(&a), inode(&b)), (before, before));
    assert_eq!(fs::read(&b).unwrap(), b"new");
    assert_eq!(put(&a, seen(&first), b"other").unwrap_err().code, ErrorCode::Conflict);
}

#[test]
fn links_are_followed_and_stay_links() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    let (link, chain) = (folder.path().join("link"), folder.path().join("chain"));
    symlink("sub/file", &link).unwrap();
    symlink("link", &chain).unwrap();
    assert_eq!(put(&chain, WriteCondition::Missing, b"x").unwrap_err().code, ErrorCode::Conflict);
    let made = put(&chain, WriteCondition::Any, b"made").unwrap();
    assert_eq!((made.kind, made.target_kind), (FileKind::Symlink, Some(FileKind::File)));
    put(&chain, seen(&made), b"written").unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(folder.path().join("sub/file")).unwrap(), b"written");
    symlink("loop", folder.path().join("loop")).unwrap();
    let error = put(&folder.path().join("loop"), WriteCondition::Any, b"").unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidArgument);
}

/// Runs with the rights of an ordinary user, where the test itself runs as root. `setfsuid` is the one change of
/// user that the kernel keeps to a single thread.
fn unprivileged<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    if !geteuid().is_root() {
        return work();
    }
    let dropped = || {
        nix::unistd::setfsgid(Gid::from_raw(12_345));
        nix::unistd::setfsuid(Uid::from_raw(12_345));
        work()
    };
    std::thread::scope(|scope| scope.spawn(dropped).join().unwrap())
}

fn hand_over(path: &Path) {
    if geteuid().is_root() {
        std::os::unix::fs::chown(path, Some(12_345), Some(12_345)).unwrap();
    }
}

#[test]
fn in_a_folder_that_is_not_writable_files_are_written_in_place_and_none_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "the old content").unwrap();
    hand_over(&path);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let before = inode(&path);
    unprivileged(|| {
        let first = put(&path, WriteCondition::Any, b"new").unwrap();
        put(&path, seen(&first), b"newer").unwrap();
        assert_eq!(put(&path, seen(&first), b"newest").unwrap_err().code, ErrorCode::Conflict);
        let refused = put(&folder.path().join("other"), WriteCondition::Any, b"x").unwrap_err();
        assert_eq!(refused.code, ErrorCode::PermissionDenied);
    });
    assert_eq!(inode(&path), before);
    assert_eq!(fs::read(&path).unwrap(), b"newer");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_alone(folder.path(), &["file"]);
}

#[test]
fn a_file_of_another_owner_keeps_him() {
    if !geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "old").unwrap();
    hand_over(folder.path());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    unprivileged(|| put(&path, WriteCondition::Any, b"new").unwrap());
    assert_eq!(fs::metadata(&path).unwrap().uid(), 0);
    assert_eq!(fs::read(&path).unwrap(), b"new");

    hand_over(&path);
    put(&path, WriteCondition::Any, b"newer").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().uid(), 12_345, "root replaces it and gives it back");
    assert_alone(folder.path(), &["file"]);
}

#[test]
fn a_file_that_cannot_be_made_is_named_and_leaves_nothing() {
    let error = put(Path::new("/proc/new-file"), WriteCondition::Any, b"x").unwrap_err();
    assert!(error.message.contains("/proc/new-file"), "{}", error.message);
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("n".repeat(256));
    assert_eq!(put(&long, WriteCondition::Any, b"x").unwrap_err().code, ErrorCode::InvalidArgument);
    assert_alone(folder.path(), &[]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Two editors and their retries: a write goes through exactly if its editor saw the last content, or the
    /// content is there already.
    #[test]
    fn writes_by_version_are_compare_and_swap(
        steps in proptest::collection::vec((0..2usize, any::<bool>(), 0..4u8), 1..20),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let first = put(&path, WriteCondition::Any, b"start").unwrap();
        let mut known = [first.clone(), first];
        let mut content = b"start".to_vec();
        for (editor, refresh, value) in steps {
            if refresh {
                known[editor] = get(&path, 0, 100).unwrap().stat;
            }
            let current = stat(&Stat { path: at(&path) }).unwrap();
            let fresh = known[editor].version == current.version;
            let wanted = vec![value; 3];
            match put(&path, seen(&known[editor]), &wanted) {
                Ok(written) => {
                    prop_assert!(fresh || wanted == content);
                    content = wanted;
                    known[editor] = written;
                }
                Err(error) => {
                    prop_assert_eq!(error.code, ErrorCode::Conflict);
                    prop_assert!(!fresh && wanted != content);
                }
            }
            prop_assert_eq!(&fs::read(&path).unwrap(), &content);
            prop_assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }
}
