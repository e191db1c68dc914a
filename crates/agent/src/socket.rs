//! Where the daemon listens: an abstract socket, which needs no file system, named after the user and the build.

use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;

/// Hex digits of the content hash in the binary's name and the socket's.
const TAG_LEN: usize = 16;

/// The address of the daemon of this build and user in this container.
///
/// Containers may share a network and with it the abstract names, hence the process namespace in the name.
///
/// # Errors
/// Where the binary cannot be read.
pub(crate) fn address() -> io::Result<SocketAddr> {
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let uid = nix::unistd::Uid::current();
    SocketAddr::from_abstract_name(format!("aicockpit-agent/{uid}/{}/{}", build_tag()?, namespace.display()))
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

/// The first digits of the content hash. The binary's name tells them (`agent-HASH-ARCHITECTURE`), else they are
/// worked out.
fn build_tag() -> io::Result<String> {
    let path = std::env::current_exe()?;
    match tag_in_name(&path) {
        Some(tag) => Ok(tag),
        None => Ok(build_hash()?[..TAG_LEN].to_owned()),
    }
}

fn tag_in_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_prefix("agent-")?;
    let tag = name.split('-').next()?;
    let is_tag = tag.len() == TAG_LEN && tag.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_tag.then(|| tag.to_owned())
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
    fn the_hash_is_taken_from_the_name_only_where_it_is_one() {
        let tag = |name: &str| tag_in_name(Path::new(name));
        assert_eq!(tag("/.aicockpit/agent-0123456789abcdef-x86_64").as_deref(), Some("0123456789abcdef"));
        assert_eq!(tag("/target/aicockpit-agent"), None);
        assert_eq!(tag("agent-0123-x86_64"), None);
        assert_eq!(tag("agent-zzzzzzzzzzzzzzzz-x86_64"), None);
    }
}
