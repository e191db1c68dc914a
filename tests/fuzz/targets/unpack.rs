//! A tar archive from a stranger: whatever it holds, nothing lands beside the folder that it is unpacked into, and
//! what lies there is not changed.
#![no_main]

use aicockpit_agent::files::upload;
use aicockpit_protocol::BytePath;
use aicockpit_protocol::agent::Upload;
use aicockpit_protocol::fs::WriteCondition;
use libfuzzer_sys::fuzz_target;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

/// In memory where the machine has that: each run makes and removes files.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// No devices, pipes or privileges below.
fn check(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        let kind = metadata.file_type();
        assert!(kind.is_file() || kind.is_dir() || kind.is_symlink(), "{}", path.display());
        assert!(!kind.is_fifo() && metadata.permissions().mode() & 0o7000 == 0, "{}", path.display());
        if kind.is_dir() {
            check(&path);
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let outer = folder();
    let inner = outer.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(outer.path().join("kept"), "kept").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let request = Upload { path: BytePath::from(&*inner), archive: true, condition: WriteCondition::Any };
    let _ = runtime.block_on(upload(request, with_sums(bytes).as_slice()));
    let mut names: Vec<_> =
        std::fs::read_dir(outer.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["inner", "kept"]);
    assert_eq!(std::fs::read(outer.path().join("kept")).unwrap(), b"kept");
    assert_eq!(
        std::fs::symlink_metadata(outer.path().join("kept")).unwrap().permissions().mode() & 0o7777,
        mode()
    );
    check(&inner);
});

/// Mode of a file that is made here: the process's own mask decides.
fn mode() -> u32 {
    static MODE: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *MODE.get_or_init(|| {
        let folder = folder();
        let path = folder.path().join("probe");
        std::fs::write(&path, "").unwrap();
        std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
    })
}

/// Puts the right sum into every block that could be a header: chance alone would never find one.
fn with_sums(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for block in bytes.chunks_exact_mut(512) {
        if &block[257..262] == b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    bytes
}
