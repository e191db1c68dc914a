//! Starts: by a request, by hand, shared, given up and refused.

use crate::{Machine, PATIENCE, ask, lives, options, server, settings};
use aicockpit_local_models::RefusedError;
use aicockpit_protocol::local_models::{Hardware, LocalPhase};
use nix::sys::stat::Mode;
use std::fs::OpenOptions;
use std::time::Duration;
use tokio::time::timeout;

#[tokio::test]
async fn a_request_starts_a_server_and_many_share_one_start() {
    let machine = Machine::with(|folder| settings(vec![server(folder, "a", &[])]));
    assert_eq!(machine.now("a").phase, LocalPhase::Asleep);
    let ready = || machine.models.ready("id-a");
    let (one, two, three) =
        timeout(PATIENCE, async { tokio::join!(ready(), ready(), ready()) }).await.unwrap();
    let (_one, _two, _three) = (one.unwrap(), two.unwrap(), three.unwrap());
    let now =
        machine.until("a", |now| now.phase == LocalPhase::Ready && now.memory_bytes > Some(1 << 20)).await;
    assert!(lives(now.pid.unwrap()) && now.restarts == 0, "{now:?}");
    assert_eq!(machine.now("a").idle_in_ms, None, "it is in use");
    assert_eq!(machine.log("a").matches("listening").count(), 1);

    let endpoint = machine.models.endpoints().remove(0);
    let answer = ask(&endpoint.socket).await.unwrap();
    assert!(answer.ends_with(r#"{"path":"/x","context":1024}"#), "{answer}");
    assert!(machine.log("a").contains("the key is ••••"), "{}", machine.log("a"));
    assert!(!machine.log("a").contains(&endpoint.key) && !format!("{endpoint:?}").contains(&endpoint.key));
}

#[tokio::test]
async fn what_a_server_says_while_it_loads_is_told() {
    let machine = Machine::with(|folder| {
        let pipe = folder.join("pipe");
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        settings(vec![server(folder, "a", &["--after", pipe.to_str().unwrap()])])
    });
    machine.models.start("id-a").unwrap();
    let step = |phase: &LocalPhase| match phase {
        LocalPhase::Loading { step: Some(step), .. } => step.starts_with("the key is"),
        _ => false,
    };
    let loading = machine.until("a", |now| step(&now.phase) && now.memory_bytes > Some(0)).await;
    assert!(loading.pid.is_some());
    // A request that gives up takes nothing from the others.
    let given_up = timeout(Duration::from_millis(1), machine.models.ready("id-a")).await;
    assert!(given_up.is_err());
    OpenOptions::new().write(true).open(machine.folder.path().join("pipe")).unwrap();
    machine.until("a", |now| now.phase == LocalPhase::Ready).await;
}

#[tokio::test]
async fn a_server_that_does_not_come_up_is_tried_five_times_and_then_left_alone() {
    let machine =
        Machine::with(|folder| settings(vec![server(folder, "a", &["--fail", "error: no such luck"])]));
    let why = timeout(PATIENCE, machine.models.ready("id-a")).await.unwrap().unwrap_err();
    assert!(why.starts_with("a ended with exit code 1 while it loaded: error: no such luck"), "{why}");
    assert!(why.ends_with("start it by hand"), "{why}");
    let now = machine.now("a");
    assert_eq!(now.restarts, 5);
    assert_eq!(now.phase, LocalPhase::Failed { why: why.clone(), retry_in_ms: None });
    assert_eq!(machine.models.ready("id-a").await.unwrap_err(), why, "no request starts it again");
    // A person does, once, as nobody waits.
    machine.models.start("id-a").unwrap();
    machine.until("a", |now| now.restarts == 1 && matches!(now.phase, LocalPhase::Failed { .. })).await;
    assert_eq!(
        machine.log("a").matches("error: no such luck").count(),
        6 * 2 + 6,
        "each told with its command"
    );
    // Settings that are mended are worth a try.
    let mut mended = settings(vec![server(machine.folder.path(), "a", &[])]);
    machine.models.replace(mended.clone());
    drop(timeout(PATIENCE, machine.models.ready("id-a")).await.unwrap().unwrap());
    mended.servers[0].enabled = false;
    machine.models.replace(mended);
    machine.asleep("a").await;
    assert!(machine.models.ready("id-a").await.unwrap_err().contains("switched off"));
    assert_eq!(machine.models.start("id-a"), Err(RefusedError::Disabled { name: "a".into() }));
    assert!(!machine.models.endpoints()[0].enabled);
}

#[tokio::test]
async fn what_cannot_be_started_is_told_at_once() {
    let machine = Machine::with(|folder| {
        let mut gone = server(folder, "gone", &[]);
        gone.model = folder.join("nothing.gguf").to_str().unwrap().into();
        let mut wrong = server(folder, "wrong", &[]);
        wrong.model = folder.to_str().unwrap().into();
        settings(vec![gone, wrong])
    });
    let why = timeout(PATIENCE, machine.models.ready("id-gone")).await.unwrap().unwrap_err();
    assert!(why.contains("nothing.gguf cannot be read"), "{why}");
    let why = timeout(PATIENCE, machine.models.ready("id-wrong")).await.unwrap().unwrap_err();
    assert!(why.contains("choose the file"), "{why}");
    let why = machine.models.ready("id-none").await.unwrap_err();
    assert!(why.contains("no model server `id-none`"), "{why}");
    assert!(machine.models.start("id-none").is_err() && machine.models.log("id-none").is_err());
    let mut without = settings(vec![server(machine.folder.path(), "gone", &[])]);
    without.llama_server = Some("/nowhere/llama-server".into());
    machine.models.replace(without);
    let why = timeout(PATIENCE, machine.models.ready("id-gone")).await.unwrap().unwrap_err();
    assert!(why.contains("/nowhere/llama-server cannot be used: there is no such file"), "{why}");
}

/// Memory for one of these servers, not for two.
fn small() -> Hardware {
    Hardware { memory_bytes: 220 << 20, available_bytes: 220 << 20, gpus: Vec::new() }
}

#[tokio::test]
async fn one_model_is_in_at_a_time_where_memory_asks_for_it() {
    let machine = Machine::of(
        |folder| settings(vec![server(folder, "a", &[]), server(folder, "b", &[])]),
        |folder| options(folder).with_hardware(small),
    );
    let ready = |name: &'static str| timeout(PATIENCE, machine.models.ready(name));
    let used = ready("id-a").await.unwrap().unwrap();
    // Somebody gives up waiting.
    let given_up = async {
        machine
            .until("b", |now| matches!(&now.phase, LocalPhase::Waiting { for_name } if for_name == "a"))
            .await;
    };
    tokio::select! {
        _ = machine.models.ready("id-b") => panic!("a server in use was unloaded"),
        () = given_up => {}
    }
    machine.asleep("b").await;
    // Somebody waits until the other is free.
    let waits = async {
        machine.until("b", |now| matches!(now.phase, LocalPhase::Waiting { .. })).await;
        assert_eq!(machine.now("a").phase, LocalPhase::Ready);
        drop(used);
    };
    let (other, ()) = tokio::join!(ready("id-b"), waits);
    let _other = other.unwrap().unwrap();
    machine.asleep("a").await;
    // By hand it waits too, until a person ends that.
    machine.models.start("id-a").unwrap();
    machine.until("a", |now| matches!(&now.phase, LocalPhase::Waiting { for_name } if for_name == "b")).await;
    timeout(PATIENCE, machine.models.stop("id-a")).await.unwrap().unwrap();
    assert_eq!(machine.now("a").phase, LocalPhase::Asleep);
    // Overcommitted, both are in.
    let folder = machine.folder.path();
    let mut both = settings(vec![server(folder, "a", &[]), server(folder, "b", &[])]);
    both.overcommit = true;
    machine.models.replace(both);
    let _first = ready("id-a").await.unwrap().unwrap();
    assert_eq!(machine.now("b").phase, LocalPhase::Ready);
}

#[tokio::test]
async fn an_idle_server_makes_room_at_once() {
    let machine = Machine::of(
        |folder| settings(vec![server(folder, "a", &[]), server(folder, "b", &[])]),
        |folder| options(folder).with_hardware(small),
    );
    for (name, other) in [("a", "b"), ("b", "a"), ("a", "b")] {
        let id = format!("id-{name}");
        drop(timeout(PATIENCE, machine.models.ready(&id)).await.unwrap().unwrap());
        assert_eq!(machine.now(other).phase, LocalPhase::Asleep);
    }
}
