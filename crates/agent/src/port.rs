//! Listening TCP ports, from /proc/net.

use crate::process::name_of;
use aicockpit_protocol::port::ListeningPort;
use nix::unistd::Uid;
use std::collections::{BTreeMap, HashMap};
use std::fs;

/// State of a listening socket in /proc/net/tcp.
const LISTEN: &str = "0A";
/// Docker's resolver inside each container: not a program of the workspace's.
const DOCKER_RESOLVER: [u8; 4] = [127, 0, 0, 11];

/// A listening socket.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Socket {
    port: u16,
    loopback: bool,
    inode: u64,
}

/// The listening ports. It remembers which program has which socket, so that looking again costs little.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    owners: HashMap<u64, Option<String>>,
}

impl Ports {
    /// All listening ports, by number; one that listens on loopback and elsewhere is listed once.
    pub(crate) fn list(&mut self) -> Vec<ListeningPort> {
        let mut sockets = Vec::new();
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            sockets
                .extend(fs::read_to_string(table).unwrap_or_default().lines().skip(1).filter_map(parse_line));
        }
        self.owners.retain(|inode, _| sockets.iter().any(|socket| socket.inode == *inode));
        if sockets.iter().any(|socket| !self.owners.contains_key(&socket.inode)) {
            let owners = socket_owners();
            for socket in &sockets {
                self.owners
                    .entry(socket.inode)
                    .or_insert_with(|| owners.get(&socket.inode).and_then(|pid| name_of(*pid)));
            }
        }
        let mut ports: BTreeMap<u16, ListeningPort> = BTreeMap::new();
        for socket in sockets {
            let process = self.owners.get(&socket.inode).cloned().flatten();
            let entry = ports.entry(socket.port).or_insert(ListeningPort {
                port: socket.port,
                loopback: true,
                process: None,
            });
            entry.loopback &= socket.loopback;
            entry.process = entry.process.take().or(process);
        }
        ports.into_values().collect()
    }
}

fn parse_line(line: &str) -> Option<Socket> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let local = fields.next()?;
    let state = fields.nth(1)?;
    let inode = fields.nth(5)?.parse().ok()?;
    if state != LISTEN {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok().filter(|port| *port != 0)?;
    if u32::from_str_radix(address, 16).is_ok_and(|word| word.to_ne_bytes() == DOCKER_RESOLVER) {
        return None;
    }
    Some(Socket { port, loopback: is_loopback(address)?, inode })
}

/// Whether an address of /proc/net/tcp is a loopback one: 32-bit words in the machine's byte order, in hex.
fn is_loopback(address: &str) -> Option<bool> {
    let mut words = Vec::new();
    for at in (0..address.len()).step_by(8) {
        words.push(u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    }
    match words[..] {
        [[first, ..]] => Some(first == 127),
        [a, b, c, d] => {
            let v6 = std::net::Ipv6Addr::from(<[u8; 16]>::try_from([a, b, c, d].concat()).ok()?);
            Some(v6.is_loopback() || v6.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback()))
        }
        _ => None,
    }
}

/// Which process has which socket, as far as it may be seen: those of our own user, or all as root.
fn socket_owners() -> HashMap<u64, u32> {
    let mut owners = HashMap::new();
    let own = Uid::current();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let visible = own.is_root()
            || entry.metadata().is_ok_and(|data| std::os::unix::fs::MetadataExt::uid(&data) == own.as_raw());
        if !visible {
            continue;
        }
        for descriptor in fs::read_dir(entry.path().join("fd")).into_iter().flatten().flatten() {
            let Ok(target) = fs::read_link(descriptor.path()) else { continue };
            let inode = target
                .to_str()
                .and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
            if let Some(inode) = inode {
                owners.entry(inode).or_insert(pid);
            }
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn lines_of_the_kernel_are_read() {
        let line = "   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0000000000000000 100 0 0 10 0";
        assert_eq!(parse_line(line), Some(Socket { port: 8080, loopback: true, inode: 4242 }));
        assert_eq!(parse_line(&line.replace(" 0A ", " 01 ")), None);
        assert_eq!(is_loopback("00000000"), Some(false));
        assert_eq!(is_loopback("00000000000000000000000001000000"), Some(true));
        assert_eq!(is_loopback("0000000000000000FFFF00000100007F"), Some(true));
        assert_eq!(is_loopback("00000000000000000000000000000000"), Some(false));
        assert_eq!(parse_line("garbage"), None);
        assert_eq!(parse_line(&line.replace("0100007F", "0B00007F")), None, "the engine's own resolver");
    }

    #[test]
    fn a_listener_shows_with_its_program_and_goes_when_it_closes() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut ports = Ports::default();
        let listed = ports.list().into_iter().find(|listed| listed.port == port).unwrap();
        assert!(listed.loopback);
        assert_eq!(listed.process, name_of(std::process::id()));
        drop(listener);
        assert!(ports.list().iter().all(|listed| listed.port != port));
    }
}
