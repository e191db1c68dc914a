//! Where servers listen: one Unix socket each, in a directory that only this user can enter.

use sha2::{Digest as _, Sha256};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Longest path of a socket: `sun_path` has 108 bytes with the zero at its end, and 104 on other systems.
const MAX_PATH: usize = 103;
/// Length of a socket's name.
const NAME: usize = "/0123456789ab.sock".len();

/// The folder of the sockets.
#[derive(Debug)]
pub(super) struct Sockets {
    folder: PathBuf,
}

impl Sockets {
    /// Below the state directory, or where that has too long a path, where the system keeps such things.
    pub(super) fn new(state: &Path) -> Self {
        let own = state.join("run");
        let folder = if own.as_os_str().len() + NAME <= MAX_PATH {
            own
        } else {
            let uid = nix::unistd::getuid();
            let base =
                std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
            let base = base.filter(|path| path.as_os_str().len() + 40 <= MAX_PATH);
            base.unwrap_or_else(|| PathBuf::from("/tmp"))
                .join(format!("aicockpit-{uid}-{}", short(own.as_os_str())))
        };
        Self { folder }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The socket of one server.
    pub(super) fn of(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{}.sock", short(id.as_ref())))
    }

    /// Makes the folder, and refuses one of somebody else.
    pub(super) fn make(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        self.ours()?;
        fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o700))
    }

    /// Refuses a link, and a folder of another user.
    fn ours(&self) -> io::Result<()> {
        let metadata = fs::symlink_metadata(&self.folder)?;
        if metadata.is_dir() && metadata.uid() == nix::unistd::geteuid().as_raw() {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to somebody else"))
    }

    /// Removes what a life before has left.
    pub(super) fn clear(&self) {
        if self.ours().is_err() {
            return;
        }
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|ending| ending == "sock") {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn short(text: &std::ffi::OsStr) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    Sha256::digest(text.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_user_reaches_them_and_stale_ones_go() {
        let state = tempfile::tempdir().unwrap();
        let sockets = Sockets::new(state.path());
        sockets.make().unwrap();
        let mode = sockets.folder().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let _listener = std::os::unix::net::UnixListener::bind(sockets.of("one")).unwrap();
        sockets.clear();
        assert!(!sockets.of("one").exists());
        assert_ne!(sockets.of("one"), sockets.of("two"));
    }

    #[test]
    fn paths_are_short_enough_wherever_the_state_is() {
        let deep = Path::new("/home").join("long/".repeat(40));
        let socket = Sockets::new(&deep).of(&"id".repeat(100));
        assert!(socket.as_os_str().len() <= MAX_PATH, "{}", socket.display());
        assert_ne!(socket, Sockets::new(&deep.join("other")).of(&"id".repeat(100)));
    }

    #[test]
    fn a_link_in_its_place_is_refused() {
        let state = tempfile::tempdir().unwrap();
        let elsewhere = state.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("x.sock"), "").unwrap();
        std::os::unix::fs::symlink(&elsewhere, state.path().join("run")).unwrap();
        let sockets = Sockets::new(state.path());
        assert!(sockets.make().is_err());
        sockets.clear();
        assert!(elsewhere.join("x.sock").exists());
    }
}
