//! One process owns a data directory.

use crate::CockpitError;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// File name of the lock within the data directory.
const LOCK_FILE: &str = "cockpit.lock";

/// The lock on a data directory, held until dropped or the process ends. The file stays: removing it would race
/// with a process that has just opened it.
pub(super) struct StoreLock {
    _file: Flock<File>,
}

impl StoreLock {
    /// Makes the directory (for this user alone) where needed and locks it.
    pub(super) fn acquire(directory: &Path) -> Result<Self, CockpitError> {
        let failed = |source| CockpitError::DataDirectory { path: directory.to_owned(), source };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(directory.join(LOCK_FILE))
            .map_err(failed)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut file) => {
                // Only for the message of the process that comes second.
                let write = |file: &mut File| {
                    file.set_len(0)?;
                    file.rewind()?;
                    write!(file, "{}", std::process::id())
                };
                write(&mut file).map_err(failed)?;
                Ok(Self { _file: file })
            }
            Err((mut file, nix::errno::Errno::EWOULDBLOCK)) => {
                let mut pid = String::new();
                let read = file.read_to_string(&mut pid);
                Err(CockpitError::AlreadyRunning {
                    pid: read.ok().and_then(|_| pid.trim().parse().ok()),
                    path: directory.to_owned(),
                })
            }
            Err((_, errno)) => Err(failed(errno.into())),
        }
    }
}
