//! Where servers listen: one Unix socket each, in a folder of its own, in a directory that only this user can enter.
//!
//! A server in a container gets its folder, and so no other server's socket.

use sha2::{Digest as _, Sha256};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Longest path of a socket: `sun_path` has 108 bytes with the zero at its end, and 104 on other systems.
const MAX_PATH: usize = 103;
/// A socket's name in its folder. llama-server takes a host that ends in .sock for a Unix socket.
pub(super) const NAME: &str = "s.sock";
/// Length of a socket's path below the folder of all.
const LENGTH: usize = "/0123456789ab/s.sock".len();

/// The folder of the sockets.
#[derive(Debug)]
pub(super) struct Sockets {
    folder: PathBuf,
}

impl Sockets {
    /// Below the state directory, or where that has too long a path, where the system keeps such things.
    pub(super) fn new(state: &Path) -> Self {
        let own = state.join("run");
        let folder = if own.as_os_str().len() + LENGTH <= MAX_PATH {
            own
        } else {
            let uid = nix::unistd::getuid();
            let base =
                std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
            let base = base.filter(|path| path.as_os_str().len() + 42 <= MAX_PATH);
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
        self.folder.join(short(id.as_ref())).join(NAME)
    }

    /// Makes an empty folder for the socket of one server. Refuses a folder of all that is somebody else's.
    pub(super) fn make(&self, socket: &Path) -> io::Result<()> {
        let private = || {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder
        };
        private().create(&self.folder)?;
        self.ours()?;
        fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o700))?;
        remove(socket);
        socket.parent().map_or(Ok(()), |own| private().create(own))
    }

    /// Refuses a link, and a folder of another user.
    fn ours(&self) -> io::Result<()> {
        let metadata = fs::symlink_metadata(&self.folder)?;
        if metadata.is_dir() && metadata.uid() == nix::unistd::geteuid().as_raw() {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to somebody else"))
    }

    /// Removes what a life before has left. Versions before had the sockets themselves in this folder.
    pub(super) fn clear(&self) {
        if self.ours().is_err() {
            return;
        }
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_socket = path.extension().is_some_and(|ending| ending == "sock");
            if is_socket {
                let _ = fs::remove_file(path);
            } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                remove(&path.join(NAME));
            }
        }
    }
}

/// Removes a server's folder with all that is in it: what runs in a container may have put more there.
pub(super) fn remove(socket: &Path) {
    if let Some(own) = socket.parent() {
        let _ = fs::remove_dir_all(own);
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
        let one = sockets.of("one");
        sockets.make(&one).unwrap();
        for folder in [sockets.folder(), one.parent().unwrap()] {
            let mode = folder.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
        let _listener = std::os::unix::net::UnixListener::bind(&one).unwrap();
        let _older = std::os::unix::net::UnixListener::bind(sockets.folder().join("x.sock")).unwrap();
        sockets.clear();
        assert_eq!(fs::read_dir(sockets.folder()).unwrap().count(), 0);
        assert_ne!(one.parent(), sockets.of("two").parent());
    }

    #[test]
    fn what_a_container_has_put_beside_its_socket_goes_with_it_and_links_are_not_followed() {
        let state = tempfile::tempdir().unwrap();
        let (sockets, kept) = (Sockets::new(state.path()), state.path().join("kept"));
        fs::write(&kept, "").unwrap();
        let one = sockets.of("one");
        sockets.make(&one).unwrap();
        fs::write(one.with_file_name("more"), "").unwrap();
        std::os::unix::fs::symlink(&kept, &one).unwrap();
        sockets.make(&one).unwrap();
        assert_eq!(fs::read_dir(one.parent().unwrap()).unwrap().count(), 0);
        assert!(kept.exists());
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
        assert!(sockets.make(&sockets.of("one")).is_err());
        sockets.clear();
        assert!(elsewhere.join("x.sock").exists());
    }
}
