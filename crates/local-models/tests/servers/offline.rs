//! Offline: no server has a network, or it does not run.

use crate::{Machine, PATIENCE, server, settings};
use aicockpit_protocol::local_models::LocalPhase;
use std::net::{IpAddr, TcpListener, UdpSocket};
use tokio::time::timeout;

/// An address of this machine that is not loopback's.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: only the way is looked up.
    socket.connect("192.0.2.77:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
}

#[tokio::test]
async fn while_offline_a_server_reaches_nothing_but_itself() {
    let Some(ip) = own_address() else {
        eprintln!("this machine has no address besides loopback's: not tested");
        return;
    };
    let listener = TcpListener::bind((ip, 0)).unwrap();
    let reach = listener.local_addr().unwrap().to_string();
    let machine = Machine::with(|folder| settings(vec![server(folder, "a", &["--reach", &reach])]));
    let ready = || timeout(PATIENCE, machine.models.ready("id-a"));
    let _held = ready().await.unwrap().unwrap();
    assert!(machine.log("a").contains("reach: yes"), "{}", machine.log("a"));
    let online = machine.until("a", |now| now.pid.is_some()).await.pid;

    // What has a network ends at once, used or not.
    machine.models.set_offline(true);
    machine.until("a", |now| now.pid != online).await;
    let _again = ready().await.unwrap().unwrap();
    let log = machine.log("a");
    let after = log.split("Stopped, as offline was switched on").nth(1).expect("it is told in the log");
    assert!(after.contains("reach: no, [Errno 101]"), "{log}");
    assert!(after.contains("loopback: yes"), "{log}");

    // What has none may stay.
    let offline = machine.until("a", |now| now.phase == LocalPhase::Ready && now.pid.is_some()).await.pid;
    machine.models.set_offline(false);
    machine.models.set_offline(true);
    drop(ready().await.unwrap().unwrap());
    assert_eq!(machine.now("a").pid, offline);
}

const INSIDE: &str = "AICOCKPIT_TEST_NO_NAMESPACES";

#[tokio::test]
async fn where_the_kernel_refuses_that_no_server_is_started() {
    if std::env::var_os(INSIDE).is_none() {
        // A user namespace in which no network namespace may be made.
        let script = "echo 0 > /proc/sys/user/max_net_namespaces && exec \"$@\"";
        let exe = std::env::current_exe().unwrap();
        let ran = tokio::process::Command::new("unshare")
            .args(["--user", "--map-root-user", "sh", "-c", script, "sh"])
            .arg(exe)
            .args(["--exact", "offline::where_the_kernel_refuses_that_no_server_is_started", "--nocapture"])
            .env(INSIDE, "1")
            .output();
        let ran = timeout(PATIENCE, ran).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        if said.contains("unshare failed") {
            eprintln!("user namespaces are not allowed here: not tested");
            return;
        }
        assert!(ran.status.success() && said.contains("as it should be"), "{said}");
        return;
    }
    let machine = Machine::with(|folder| settings(vec![server(folder, "a", &[])]));
    machine.models.set_offline(true);
    let why = timeout(PATIENCE, machine.models.ready("id-a")).await.unwrap().unwrap_err();
    assert!(
        why.contains("offline is on, and the kernel does not let a server be started without a network"),
        "{why}"
    );
    assert!(!machine.log("a").contains("loading model"), "it must not have run");
    // Online again, it starts.
    machine.models.set_offline(false);
    drop(timeout(PATIENCE, machine.models.ready("id-a")).await.unwrap().unwrap());
    eprintln!("as it should be");
}
