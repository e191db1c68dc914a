//! Who starts, who waits and who makes room, without processes.

use super::process::Used;
use super::room::{FAIR_WAIT, Room, decide, give_up};
use super::state::{Halt, Server, State};
use crate::estimate::{Need, Plan};
use crate::settings;
use aicockpit_protocol::local_models::{Fit, Gpu, Hardware, LocalModelSettings, LocalPhase};
use std::collections::HashMap;
use std::time::Duration;

const GB: u64 = 1_000_000_000;

fn plan(main: u64, gpu: u64) -> Plan {
    let need = Need { context: 1024, weights: (main + gpu) * GB, cache: 0, other: 0 };
    Plan {
        fit: Fit::Memory,
        need,
        gpu_bytes: gpu * GB,
        main_bytes: main * GB,
        gpu_layers: None,
        gpu_share: None,
    }
}

fn machine(available: u64, gpu: u64) -> Hardware {
    let gpu = Gpu { name: "GPU".into(), total_bytes: 24 * GB, free_bytes: gpu * GB };
    Hardware { memory_bytes: 16 * GB, available_bytes: available * GB, gpus: vec![gpu] }
}

fn state(names: &[&str]) -> State {
    let server = |name: &&str| {
        Server::new(settings::tests::server(name, &name.to_uppercase()), "key".into(), "/socket".into())
    };
    State {
        settings: LocalModelSettings::default(),
        offline: false,
        closing: false,
        servers: names.iter().map(server).collect(),
        tickets: 0,
        updates: Default::default(),
    }
}

fn none() -> HashMap<u32, Used> {
    HashMap::new()
}

/// Starts one with nothing in its way.
fn run(state: &mut State, id: &str, plan: Plan) {
    let space = Hardware { memory_bytes: 900 * GB, available_bytes: 900 * GB, ..machine(0, 900) };
    assert_eq!(decide(state, id, plan, &space, &none()), Room::Start);
    state.server(id).unwrap().came_up();
}

fn waits_for(state: &mut State, id: &str) -> String {
    match state.server(id).unwrap().phase() {
        LocalPhase::Waiting { for_name } => for_name.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_one_that_was_longest_not_used_makes_room() {
    let mut state = state(&["a", "b", "c"]);
    run(&mut state, "b", plan(4, 0));
    tokio::time::advance(Duration::from_secs(1)).await;
    run(&mut state, "a", plan(4, 0));
    // Their weights are mapped files: the kernel says that all is available.
    let room = decide(&mut state, "c", plan(10, 0), &machine(15, 0), &none());
    assert_eq!(room, Room::Wait(None));
    assert_eq!(waits_for(&mut state, "c"), "B");
    assert_eq!(state.server("b").unwrap().halt, Some(Halt::MakeRoom));
    assert_eq!(state.server("a").unwrap().halt, None, "one after the other");
}

#[tokio::test]
async fn what_a_server_has_already_is_not_counted_twice() {
    let mut state = state(&["a", "b"]);
    run(&mut state, "a", plan(6, 0));
    state.server("a").unwrap().pid = Some(7);
    let used = HashMap::from([(7, Used { resident: 6 * GB, anonymous: 6 * GB, ..Used::default() })]);
    // 16 GB less 6 that are no file's: 10 are available.
    assert_eq!(decide(&mut state, "b", plan(9, 0), &machine(10, 0), &used), Room::Start);
    let mut state = super::tests::state(&["a", "b"]);
    run(&mut state, "a", plan(6, 0));
    assert_eq!(decide(&mut state, "b", plan(9, 0), &machine(10, 0), &none()), Room::Wait(None));
}

#[tokio::test]
async fn only_what_helps_is_ended() {
    let mut state = state(&["a", "b", "c"]);
    run(&mut state, "a", plan(4, 0));
    run(&mut state, "b", plan(0, 10));
    let room = decide(&mut state, "c", plan(0, 20), &machine(12, 13), &none());
    assert_eq!((room, waits_for(&mut state, "c").as_str()), (Room::Wait(None), "B"));
    assert_eq!(state.server("a").unwrap().halt, None);
    // With nothing of ours in the way, the estimate is not believed: it is tried.
    let mut alone = super::tests::state(&["a", "b"]);
    run(&mut alone, "a", plan(4, 0));
    assert_eq!(decide(&mut alone, "b", plan(0, 20), &machine(12, 13), &none()), Room::Start);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_always_in_use_is_held_back_after_a_while() {
    let mut state = state(&["a", "b"]);
    run(&mut state, "a", plan(10, 0));
    state.server("a").unwrap().uses = 1;
    let Room::Wait(Some(until)) = decide(&mut state, "b", plan(10, 0), &machine(15, 0), &none()) else {
        panic!("it is to look again")
    };
    assert_eq!(until, tokio::time::Instant::now() + FAIR_WAIT);
    tokio::time::advance(FAIR_WAIT).await;
    decide(&mut state, "b", plan(10, 0), &machine(15, 0), &none());
    let server = state.server("a").unwrap();
    assert_eq!((server.held_back.as_deref(), server.halt), (Some("b"), None));
    // New requests wait, and the last of the old ones lets it go.
    server.waiters = 3;
    server.uses = 0;
    decide(&mut state, "b", plan(10, 0), &machine(15, 0), &none());
    assert_eq!(state.server("a").unwrap().halt, Some(Halt::MakeRoom));
    give_up(&mut state, "b");
    assert_eq!(state.server("a").unwrap().held_back, None);
}

#[tokio::test]
async fn who_came_first_starts_first() {
    let mut state = state(&["a", "b", "c"]);
    run(&mut state, "a", plan(10, 0));
    state.server("a").unwrap().uses = 1;
    assert!(matches!(decide(&mut state, "b", plan(10, 0), &machine(15, 0), &none()), Room::Wait(_)));
    // Its memory is given back; the later one must not take it.
    let server = state.server("a").unwrap();
    server.uses = 0;
    server.holds = None;
    server.set(LocalPhase::Asleep);
    assert!(matches!(decide(&mut state, "c", plan(10, 0), &machine(15, 0), &none()), Room::Wait(None)));
    assert_eq!(waits_for(&mut state, "c"), "B");
    assert_eq!(decide(&mut state, "b", plan(10, 0), &machine(15, 0), &none()), Room::Start);
    // Something small fits beside both.
    assert_eq!(decide(&mut state, "a", plan(1, 0), &machine(15, 0), &none()), Room::Start);
}

#[tokio::test]
async fn one_that_loads_will_take_what_it_was_given() {
    let mut state = state(&["a", "b"]);
    assert_eq!(decide(&mut state, "a", plan(0, 15), &machine(12, 20), &none()), Room::Start);
    state.server("a").unwrap().set(LocalPhase::Loading { progress: None, step: None });
    assert!(matches!(decide(&mut state, "b", plan(0, 10), &machine(12, 20), &none()), Room::Wait(_)));
    assert_eq!(waits_for(&mut state, "b"), "A");
    assert_eq!(state.server("a").unwrap().halt, None, "it is waited for");
    state.settings.overcommit = true;
    assert_eq!(decide(&mut state, "b", plan(0, 10), &machine(12, 20), &none()), Room::Start);
}
