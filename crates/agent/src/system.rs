//! The one place with unsafe code: what file descriptors ask for and no library offers safely.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use tokio::io::unix::AsyncFd;

/// A descriptor of our own for the same open file as `fd`, closed on exec.
///
/// # Errors
/// Where the process has no more descriptors.
pub(crate) fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    #[expect(unsafe_code, reason = "portable-pty hands out its master only as a raw descriptor")]
    // SAFETY: the callers hold the terminal that owns `fd`, so it is open for the whole call; the borrow ends with it.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    borrowed.try_clone_to_owned()
}

/// Watches a descriptor for readiness. Must be called within a tokio runtime.
///
/// # Errors
/// Where the kernel does not watch it.
pub(crate) fn watched(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    #[expect(unsafe_code, reason = "tokio asks for a promise about descriptors in general")]
    // SAFETY: an `OwnedFd` always gives the same descriptor, which stays open until it is dropped with the `AsyncFd`.
    let watched = unsafe { AsyncFd::register(fd) };
    watched.map_err(io::Error::from)
}
