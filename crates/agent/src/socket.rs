//! Where the daemon listens: an abstract socket, which needs no file system, named after the user and the protocol.

use aicockpit_protocol::agent::PROTOCOL_VERSION;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;

/// Hex digits of the content hash in the binary's name and the socket's.
const TAG_LEN: usize = 16;

/// The address of this user's daemon in this container. All builds that speak one protocol share it: after an update
/// of the product the terminals of the daemon that runs stay reachable, and it is replaced once nobody uses them.
///
/// Containers may share a network and with it the abstract names, hence the process namespace in the name.
///
/// # Errors
/// Where the binary cannot be read.
pub(crate) fn address() -> io::Result<SocketAddr> {
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let uid = nix::unistd::Uid::current();
    SocketAddr::from_abstract_name(format!("aicockpit-agent/{uid}/{}/{}", variant()?, namespace.display()))
}

/// Connects to the daemon.
///
/// # Errors
/// Where none listens.
pub(crate) fn connect(address: &SocketAddr) -> io::Result<UnixStream> {
    UnixStream::connect_addr(address)
}

/// Listens as the daemon.
///
/// # Errors
/// [`io::ErrorKind::AddrInUse`] where another one does.
pub(crate) fn listen(address: &SocketAddr) -> io::Result<UnixListener> {
    UnixListener::bind_addr(address)
}

/// A binary that a cockpit has put here is named `agent-HASH-ARCHITECTURE`. Any other keeps to its own build, so that
/// what is tried on a development machine meets no older daemon.
fn variant() -> io::Result<String> {
    if is_deployed(&std::env::current_exe()?) {
        return Ok(format!("v{PROTOCOL_VERSION}"));
    }
    Ok(build_hash()?[..TAG_LEN].to_owned())
}

fn is_deployed(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()?.strip_prefix("agent-"));
    let tag = name.and_then(|name| name.split('-').next()).unwrap_or_default();
    tag.len() == TAG_LEN && tag.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// SHA-256 of the running binary, hex.
///
/// # Errors
/// Where it cannot be read.
pub(crate) fn build_hash() -> io::Result<String> {
    let mut file = File::open("/proc/self/exe")?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_put_here_by_a_cockpit_is_known_by_its_name() {
        let deployed = |name: &str| is_deployed(Path::new(name));
        assert!(deployed("/.aicockpit/agent-0123456789abcdef-x86_64"));
        assert!(!deployed("/target/aicockpit-agent"));
        assert!(!deployed("agent-0123-x86_64"));
        assert!(!deployed("agent-zzzzzzzzzzzzzzzz-x86_64"));
    }
}
