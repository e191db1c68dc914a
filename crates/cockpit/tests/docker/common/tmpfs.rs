//! A small file system of a test's own.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system in memory, gone when dropped.
pub(crate) struct Tmpfs(PathBuf);

impl Tmpfs {
    /// Mounts one at `path`, which is made. `None`, and a loud word, where this user may not mount.
    pub(crate) fn mount(path: &Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        if !nix::unistd::Uid::effective().is_root() {
            println!("NOT RUN: a file system of a test's own needs root");
            return None;
        }
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(path).status().unwrap();
        assert!(mounted.success(), "mount at {}", path.display());
        Some(Self(path.to_owned()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

/// Writes below `folder` until nothing more fits on its disk; the file that takes it all.
pub(crate) fn fill(folder: &Path) -> PathBuf {
    let filler = folder.join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    for piece in [1 << 20, 4096, 1] {
        let bytes = vec![b'x'; piece];
        while std::io::Write::write(&mut file, &bytes).is_ok_and(|count| count == piece) {}
    }
    filler
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: what a test that failed left open must not keep it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
