//! Case 23 seen from outside: what `aicockpit broker --offline` sends is counted at the other end of its only cable.
//!
//! The test runs itself twice more: as the far end, in a network namespace that holds one end of a pair of virtual
//! cards and captures every frame, and as the near end, in another with the broker.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, setsockopt, socket};
use nix::sys::time::TimeVal;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

/// What this process is.
const ROLE: &str = "AICOCKPIT_TEST_END";
/// Told to the near end.
const OFFLINE: &str = "AICOCKPIT_TEST_OFFLINE";
const TEST: &str = "offline_the_broker_sends_not_one_packet";
/// Addresses of the far end, of those that nobody has: a model server and a name server, both closed.
const SERVER: &str = "198.51.100.7:8000";
const NAME_SERVER: &str = "198.51.100.53";
const NAME: &str = "models.elsewhere.test";
/// What the near end says last.
const LAST: &[u8] = b"that was all";
/// A bound for what must come, in seconds.
const PATIENCE: i64 = 60;

/// Each has its neighbour's address from the start: nothing needs to be asked for on the cable.
const FAR: &str = "set -e
for name in all default; do
    file=/proc/sys/net/ipv6/conf/$name/disable_ipv6
    if [ -e $file ]; then echo 1 > $file; fi
done
ip link add \"$2\" address 02:00:00:00:00:01 type veth peer name near address 02:00:00:00:00:02
ip link set near netns \"$1\"
for address in 192.0.2.1/24 198.51.100.7/32 198.51.100.53/32; do ip address add $address dev \"$2\"; done
ip link set \"$2\" up
ip neighbour add 192.0.2.2 lladdr 02:00:00:00:00:02 dev \"$2\" nud permanent
";
const NEAR: &str = "set -e
for name in all default; do
    file=/proc/sys/net/ipv6/conf/$name/disable_ipv6
    if [ -e $file ]; then echo 1 > $file; fi
done
mount --bind \"$1/resolv.conf\" /etc/resolv.conf
mount --bind \"$1/nsswitch.conf\" /etc/nsswitch.conf
ip link set lo up
echo ready
read -r _
ip address add 192.0.2.2/24 dev near
ip link set near up
ip neighbour add 192.0.2.1 lladdr 02:00:00:00:00:01 dev near nud permanent
ip route add default via 192.0.2.1
shift
exec \"$@\"
";

/// This test again, as another.
fn again(command: &mut Command, role: &str) {
    command
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(ROLE, role)
        .env("AICOCKPIT_BIN", env!("CARGO_BIN_EXE_aicockpit"));
}

#[test]
fn offline_the_broker_sends_not_one_packet() {
    match std::env::var(ROLE).as_deref() {
        Ok("far") => return far_end(),
        Ok("near") => return near_end(),
        _ => {}
    }
    let mut command = Command::new("unshare");
    if !nix::unistd::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--net", "--mount"]);
    again(&mut command, "far");
    let ran = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    if said.contains("unshare failed") || said.contains("unshare: cannot") {
        eprintln!("network namespaces are not allowed here: not tested ({})", said.trim());
        return;
    }
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stdout));
    assert!(said.contains("the far end is content"), "{said}");
}

fn far_end() {
    let offline = frames(true);
    assert!(offline.is_empty(), "sent although offline: {offline:#?}");

    // The same without the switch, or nothing is known of what is seen here.
    let online = frames(false);
    let asks = |frame: &Frame| frame.is(UDP, &format!("{NAME_SERVER}:53"));
    assert!(
        online.iter().any(|frame| asks(frame) && frame.holds(b"\x06models\x09elsewhere\x04test")),
        "{online:#?}"
    );
    assert!(online.iter().any(|frame| frame.is(TCP, SERVER) && frame.is_syn()), "{online:#?}");
    eprintln!("the far end is content: {} frames online", online.len());
}

/// What was on the cable before the near end's last word.
fn frames(offline: bool) -> Vec<Frame> {
    let socket =
        socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll).unwrap();
    setsockopt(&socket, ReceiveTimeout, &TimeVal::new(PATIENCE, 0)).unwrap();
    let files = tempfile::tempdir().unwrap();
    std::fs::write(
        files.path().join("resolv.conf"),
        format!("nameserver {NAME_SERVER}\noptions timeout:1 attempts:1\n"),
    )
    .unwrap();
    std::fs::write(files.path().join("nsswitch.conf"), "hosts: files dns\n").unwrap();
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "sh", "-c", NEAR, "sh"]).arg(files.path());
    again(&mut command, "near");
    command.env(OFFLINE, if offline { "yes" } else { "no" });
    let mut near = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(near.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    // By another name each time: the kernel takes its time to clear a namespace and its card away.
    let card = if offline { "far0" } else { "far1" };
    let linked = Command::new("sh").args(["-c", FAR, "sh", &near.id().to_string(), card]).status().unwrap();
    assert!(linked.success(), "a pair of virtual cards cannot be made here");
    near.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(near.wait().unwrap().success(), "the near end failed: {rest}");

    let mut frames = Vec::new();
    let mut bytes = [0; 2048];
    loop {
        let length = recv(socket.as_raw_fd(), &mut bytes, MsgFlags::empty()).unwrap();
        let frame = Frame(bytes[..length].to_vec());
        if frame.holds(LAST) {
            // It goes with the near end, but when the kernel finds time.
            Command::new("ip").args(["link", "delete", card]).stderr(Stdio::null()).status().unwrap();
            return frames;
        }
        frames.push(frame);
    }
}

fn near_end() {
    let offline = std::env::var(OFFLINE).unwrap() == "yes";
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::var("AICOCKPIT_BIN").unwrap());
    command
        .args(["--json", "broker", "--listen=127.0.0.1:0"])
        .arg(format!("--backend=by-name=http://{NAME}:8000/v1"))
        .arg(format!("--backend=by-address=http://{SERVER}/v1"))
        .args(["--alias=either=by-name/model,by-address/model"])
        .args(offline.then_some("--offline"))
        .env("AICOCKPIT_HOME", home.path());
    let mut broker = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let told =
        serde_json::Deserializer::from_reader(broker.stdout.take().unwrap()).into_iter::<Value>().next();
    let told = told.unwrap().unwrap();
    ask(&told, "GET /v1/models", "");
    for model in ["by-name/model", "by-address/model", "either", "unknown"] {
        let body = serde_json::json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});
        let answer = ask(&told, "POST /v1/chat/completions", &body.to_string());
        assert_eq!(answer.contains(r#""code":"offline""#), offline, "{model}: {answer}");
    }
    Command::new("kill").arg(broker.id().to_string()).status().unwrap();
    assert!(broker.wait().unwrap().success());
    let last = UdpSocket::bind("0.0.0.0:0").unwrap();
    last.send_to(LAST, SERVER).unwrap();
}

fn ask(told: &Value, what: &str, body: &str) -> String {
    let address =
        told["base_url"].as_str().unwrap().strip_prefix("http://").unwrap().strip_suffix("/v1").unwrap();
    let key = told["api_key"].as_str().unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "{what} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

const TCP: u8 = 6;
const UDP: u8 = 17;

/// A frame of Ethernet.
struct Frame(Vec<u8>);

impl Frame {
    /// The packet in it, where it is one of IPv4.
    fn packet(&self) -> Option<&[u8]> {
        self.0.get(14..).filter(|packet| self.0[12..14] == [8, 0] && packet.len() >= 20)
    }

    /// Its protocol, where it goes to, and what is in it.
    fn told(&self) -> Option<(u8, String, &[u8])> {
        let packet = self.packet()?;
        let inside = packet.get(usize::from(packet[0] & 15) * 4..)?;
        let port = inside.get(2..4).map_or(0, |port| u16::from_be_bytes([port[0], port[1]]));
        let to = Ipv4Addr::new(packet[16], packet[17], packet[18], packet[19]);
        Some((packet[9], format!("{to}:{port}"), inside))
    }

    fn is(&self, protocol: u8, to: &str) -> bool {
        self.told().is_some_and(|(own, at, _)| own == protocol && at == to)
    }

    /// It begins a connection.
    fn is_syn(&self) -> bool {
        self.told().is_some_and(|(_, _, inside)| inside.get(13).is_some_and(|flags| flags & 0x12 == 2))
    }

    fn holds(&self, wanted: &[u8]) -> bool {
        self.0.windows(wanted.len()).any(|window| window == wanted)
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.told() {
            Some((protocol, to, inside)) => {
                write!(f, "protocol {protocol} to {to}: {}", inside.escape_ascii())
            }
            None => write!(f, "{}", self.0.escape_ascii()),
        }
    }
}
