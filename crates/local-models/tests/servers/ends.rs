//! Ends: idle, by hand, by other settings, by themselves, with the cockpit and without it.

use crate::{Machine, PATIENCE, kill_hard, lives, options, server, settings, until_gone};
use aicockpit_local_models::LocalModels;
use aicockpit_protocol::local_models::{LocalPhase, LocalServer};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::timeout;

async fn ready(machine: &Machine, name: &str) -> LocalServer {
    let id = format!("id-{name}");
    drop(timeout(PATIENCE, machine.models.ready(&id)).await.unwrap().unwrap());
    machine.until(name, |now| now.phase == LocalPhase::Ready && now.pid.is_some()).await
}

#[tokio::test]
async fn a_server_that_nobody_asks_is_unloaded_and_one_in_use_is_not() {
    let machine = Machine::with(|folder| {
        let mut never = server(folder, "never", &[]);
        never.idle_minutes = Some(0);
        settings(vec![server(folder, "a", &[]), never])
    });
    let used = timeout(PATIENCE, machine.models.ready("id-a")).await.unwrap().unwrap();
    assert_eq!(ready(&machine, "never").await.idle_in_ms, None);
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(20 * 60)).await;
    assert_eq!(machine.now("a").phase, LocalPhase::Ready);
    drop(used);
    tokio::time::sleep(Duration::from_secs(14 * 60)).await;
    let now = machine.now("a");
    assert_eq!(now.phase, LocalPhase::Ready);
    assert!((1..=60_000).contains(&now.idle_in_ms.unwrap()), "{now:?}");
    let pid = now.pid.unwrap();
    tokio::time::sleep(Duration::from_secs(61)).await;
    tokio::time::resume();
    machine.asleep("a").await;
    assert!(!lives(pid));
    assert_eq!(machine.now("never").phase, LocalPhase::Ready);
}

#[tokio::test]
async fn a_server_that_was_killed_comes_back_by_itself() {
    let machine = Machine::with(|folder| settings(vec![server(folder, "a", &[])]));
    let first = ready(&machine, "a").await.pid.unwrap();
    kill_hard(first);
    let again = machine.until("a", |now| now.phase == LocalPhase::Ready && now.restarts == 1).await;
    assert_ne!(again.pid, Some(first));
    assert!(
        machine.log("a").contains("a was ended by signal 9: most likely as memory ran out"),
        "{}",
        machine.log("a")
    );
    // A person who ends it ends it.
    timeout(PATIENCE, machine.models.stop("id-a")).await.unwrap().unwrap();
    assert_eq!(machine.now("a").phase, LocalPhase::Asleep);
    assert!(!lives(again.pid.unwrap()));
    ready(&machine, "a").await;
}

#[tokio::test]
async fn a_server_that_ends_again_and_again_is_left_alone() {
    let machine = Machine::with(|folder| settings(vec![server(folder, "a", &[])]));
    for restarts in 0..5 {
        let wanted = |now: &LocalServer| {
            now.phase == LocalPhase::Ready && now.restarts == restarts && now.pid.is_some()
        };
        if restarts == 0 {
            ready(&machine, "a").await;
        }
        kill_hard(machine.until("a", wanted).await.pid.unwrap());
    }
    let failed =
        machine.until("a", |now| matches!(now.phase, LocalPhase::Failed { .. }) && now.restarts == 5).await;
    let LocalPhase::Failed { why, retry_in_ms: None } = failed.phase else { panic!("{failed:?}") };
    assert!(why.contains("5 times within ten minutes"), "{why}");
    machine.models.start("id-a").unwrap();
    machine.until("a", |now| now.phase == LocalPhase::Ready && now.restarts == 0).await;
}

#[tokio::test]
async fn one_that_does_not_end_when_asked_is_ended_with_all_it_started() {
    let machine = Machine::with(|folder| {
        settings(vec![server(folder, "a", &["--stubborn", "--leave-behind"]), server(folder, "b", &[])])
    });
    let pid = ready(&machine, "a").await.pid.unwrap();
    let left = machine
        .log("a")
        .split("left: ")
        .nth(1)
        .and_then(|rest| rest.lines().next())
        .unwrap()
        .parse()
        .unwrap();
    let socket = machine.models.endpoints().remove(0).socket;
    assert!(lives(left));
    tokio::time::pause();
    machine.models.stop("id-a").await.unwrap();
    tokio::time::resume();
    assert!(!lives(pid) && !socket.exists());
    until_gone(left).await;
    let waits = async {
        // By hand, while somebody waits.
        machine.until("b", |now| matches!(now.phase, LocalPhase::Loading { .. })).await;
        machine.models.stop("id-b").await.unwrap();
    };
    let (told, ()) = tokio::join!(machine.models.ready("id-b"), waits);
    assert_eq!(told.unwrap_err(), "b was stopped by hand");
}

#[tokio::test]
async fn other_settings_end_what_would_run_differently() {
    let machine = Machine::with(|folder| {
        settings(vec![server(folder, "a", &[]), server(folder, "b", &[]), server(folder, "c", &[])])
    });
    let folder = machine.folder.path();
    let (a, b, c) = (ready(&machine, "a").await, ready(&machine, "b").await, ready(&machine, "c").await);
    let mut longer = server(folder, "a", &[]);
    longer.idle_minutes = Some(120);
    let mut wider = server(folder, "b", &[]);
    wider.context_length = Some(2048);
    machine.models.replace(settings(vec![wider, longer]));
    until_gone(b.pid.unwrap()).await;
    until_gone(c.pid.unwrap()).await;
    assert_eq!(machine.now("a").pid, a.pid, "how long it may idle changes nothing of it");
    assert_eq!(ready(&machine, "b").await.restarts, 0);
    assert!(machine.log("b").contains("--ctx-size 2048"));
    assert!(machine.models.ready("id-c").await.is_err());
    let shown: Vec<_> = machine.models.servers().into_iter().map(|one| one.id).collect();
    assert_eq!(shown, ["id-b", "id-a"], "in the order of the settings");
    // It comes back as another one.
    machine.models.replace(settings(vec![server(folder, "c", &[])]));
    ready(&machine, "c").await;
}

#[tokio::test]
async fn servers_end_with_the_last_handle_and_at_shutdown() {
    let machine = Machine::with(|folder| settings(vec![server(folder, "a", &[])]));
    let pid = ready(&machine, "a").await.pid.unwrap();
    machine.models.shutdown().await;
    assert!(!lives(pid));
    assert_eq!(machine.models.ready("id-a").await.unwrap_err(), "AiCockpit ends");

    let machine = Machine::with(|folder| settings(vec![server(folder, "a", &["--stubborn"])]));
    let pid = ready(&machine, "a").await.pid.unwrap();
    let Machine { folder: _folder, models, .. } = machine;
    drop(models);
    until_gone(pid).await;
}

const FOLDER: &str = "AICOCKPIT_TEST_LOCAL_MODELS";
const OFFLINE: &str = "AICOCKPIT_TEST_LOCAL_MODELS_OFFLINE";

/// Not a test of its own: the cockpit that the test below kills.
#[tokio::test]
async fn a_cockpit_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER).map(std::path::PathBuf::from) else { return };
    let servers = settings(vec![server(&folder, "a", &["--leave-behind"])]);
    let models = LocalModels::new(servers, options(&folder), Arc::new(|_| {}));
    models.set_offline(std::env::var_os(OFFLINE).is_some());
    let _held = models.ready("id-a").await.unwrap();
    let left = models.log("id-a").unwrap().into_iter().find(|line| line.starts_with("left: ")).unwrap();
    eprintln!("\nserver: {}\n{left}", models.servers()[0].pid.unwrap());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn nothing_outlives_a_cockpit_that_is_killed() {
    nothing_outlives(false).await;
}

/// The kernel forgets the tie where rights change, as they do in a namespace of users.
#[tokio::test]
async fn nothing_outlives_it_offline_either() {
    nothing_outlives(true).await;
}

async fn nothing_outlives(offline: bool) {
    let machine = Machine::with(|_| settings(Vec::new()));
    let folder = machine.folder.path();
    let mut cockpit = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ends::a_cockpit_that_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .envs(offline.then_some((OFFLINE, "1")))
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(cockpit.stderr.take().unwrap()).lines();
    let mut said = async |what: &str| loop {
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().expect("a line");
        if let Some(pid) = line.strip_prefix(what) {
            return pid.parse::<u32>().unwrap();
        }
    };
    let (server_pid, left) = (said("server: ").await, said("left: ").await);
    assert!(lives(server_pid) && lives(left));
    cockpit.kill().await.unwrap();
    until_gone(server_pid).await;
    assert!(lives(left), "what the server started itself is ended only at the next start");
    let sockets = folder.join("state/run");
    assert_eq!(std::fs::read_dir(&sockets).unwrap().count(), 1);
    let _next = LocalModels::new(settings(Vec::new()), options(folder), Arc::new(|_| {}));
    until_gone(left).await;
    assert_eq!(std::fs::read_dir(&sockets).unwrap().count(), 0);
}
