//! Servers that run and do nothing any more: ended, and started again.

use crate::children::{Children, IMAGE};
use crate::{Machine, PATIENCE, ask, lives, options, server, settings};
use aicockpit_local_models::Patience;
use aicockpit_protocol::EngineId;
use aicockpit_protocol::local_models::{LocalPhase, LocalServer, ServerContainer};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::Pid;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Short enough for a test, and long enough that a busy machine is not taken for a server that has hung.
fn patience() -> Patience {
    Patience {
        every: Duration::from_millis(200),
        unanswered: Duration::from_secs(2),
        loading: Duration::from_secs(3),
    }
}

fn stop(pid: u32) {
    kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGSTOP).unwrap();
}

fn again(now: &LocalServer, before: u32) -> bool {
    now.phase == LocalPhase::Ready && now.restarts > 0 && now.pid.is_some_and(|pid| pid != before)
}

/// Stops the server `a` while it is asked, and sees that it comes back.
async fn hangs_and_comes_back(machine: &Machine) {
    let held = timeout(PATIENCE, machine.models.ready("id-a")).await.unwrap().unwrap();
    let pid =
        machine.until("a", |now| now.phase == LocalPhase::Ready && now.pid.is_some()).await.pid.unwrap();
    let socket = machine.models.endpoints().remove(0).socket;
    assert!(ask(&socket).await.unwrap().contains("/x"));
    stop(pid);
    // A request that is under way ends with it.
    let answer = timeout(PATIENCE, ask(&socket)).await.expect("its socket is closed");
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.is_empty()));
    drop(held);
    machine.until("a", |now| again(now, pid)).await;
    assert!(!lives(pid));
    let log = machine.log("a");
    assert!(log.contains("a has hung: it ran, but did not answer for 2 seconds, and was ended"), "{log}");
    let idle = machine.until("a", |now| now.idle_in_ms.is_some()).await;
    assert!(idle.restarts > 0, "nobody uses it: {idle:?}");
    drop(timeout(PATIENCE, machine.models.ready("id-a")).await.unwrap().unwrap());
    assert!(ask(&socket).await.unwrap().contains("/x"));
}

#[tokio::test]
async fn one_that_does_not_answer_any_more_is_ended_and_comes_back() {
    let machine = Machine::of(
        |folder| settings(vec![server(folder, "a", &[])]),
        |folder| options(folder).with_patience(patience()),
    );
    hangs_and_comes_back(&machine).await;
}

#[tokio::test]
async fn so_is_one_in_a_container() {
    let children = Children::new();
    let containers = Arc::clone(&children);
    let machine = Machine::of(
        |folder| {
            let mut one = server(folder, "a", &[]);
            let engine = EngineId::new("children");
            one.container = Some(ServerContainer { engine, image: IMAGE.into(), gpu: None });
            settings(vec![one])
        },
        |folder| options(folder).with_patience(patience()).with_containers(containers),
    );
    hangs_and_comes_back(&machine).await;
    assert_eq!(children.removed()[0], "container-1");
    assert!(machine.now("a").container.is_some());
}

#[tokio::test]
async fn one_that_is_stopped_by_hand_while_it_hangs_stays_stopped() {
    let machine = Machine::of(
        |folder| settings(vec![server(folder, "a", &[])]),
        |folder| options(folder).with_patience(patience()),
    );
    drop(timeout(PATIENCE, machine.models.ready("id-a")).await.unwrap().unwrap());
    let pid =
        machine.until("a", |now| now.phase == LocalPhase::Ready && now.pid.is_some()).await.pid.unwrap();
    stop(pid);
    timeout(PATIENCE, machine.models.stop("id-a")).await.unwrap().unwrap();
    assert_eq!(machine.now("a").phase, LocalPhase::Asleep);
    assert!(!lives(pid));
}

#[tokio::test]
async fn one_that_does_nothing_while_it_loads_is_ended() {
    let machine = Machine::of(
        |folder| {
            let pipe = folder.join("pipe");
            nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
            settings(vec![server(folder, "a", &["--after", pipe.to_str().unwrap()])])
        },
        |folder| options(folder).with_patience(patience()),
    );
    machine.models.start("id-a").unwrap();
    let failed = machine.until("a", |now| matches!(now.phase, LocalPhase::Failed { .. })).await;
    let LocalPhase::Failed { why, .. } = failed.phase else { panic!("{failed:?}") };
    assert!(
        why.starts_with(
            "a has hung while it loaded: for 3 seconds it wrote no line, read no file and used no"
        ),
        "{why}"
    );
    assert_eq!(failed.pid, None);
    assert!(failed.restarts >= 1);
}

#[tokio::test]
async fn a_slow_disk_is_waited_for() {
    let machine = Machine::of(
        |folder| {
            let slow = Path::new("/dev/zero").to_str().unwrap();
            // Three times as long as one may do nothing.
            settings(vec![server(folder, "a", &["--read", slow, "--for", "9"])])
        },
        |folder| options(folder).with_patience(patience()),
    );
    drop(timeout(PATIENCE, machine.models.ready("id-a")).await.unwrap().unwrap());
    assert_eq!(machine.now("a").restarts, 0, "{}", machine.log("a"));
}
