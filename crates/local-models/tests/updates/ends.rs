//! Updates end with the cockpit, also where it is killed.

use crate::{Machine, Place, Tool, VLLM, inside, lives, until_gone};
use aicockpit_protocol::local_models::UpdatePhase;
use std::process::Command;

fn prepared(place: &Place) {
    place.package(&["wheel", "vllm", "1.0"]);
    place.install(Tool::Pip, &["vllm"]);
    place.package(&["source", "1.2"]);
}

#[tokio::test]
async fn an_update_ends_at_shutdown() {
    let Some(place) = inside("ends::an_update_ends_at_shutdown") else { return };
    prepared(&place);
    let machine = Machine::new(&place);
    machine.begin(None);
    let (build, parent) = place.build_begins().await;
    machine.models.shutdown().await;
    assert!(!lives(build) && !lives(parent));
    assert_eq!(machine.models.updates()[0].phase, UpdatePhase::Cancelled);
}

const KILLED: &str = "AICOCKPIT_TEST_UPDATES_KILLED";

/// Not a test of its own: the cockpit that the test below kills.
#[tokio::test]
async fn a_cockpit_that_is_killed() {
    if std::env::var_os(KILLED).is_none() {
        return;
    }
    let Some(place) = inside("ends::a_cockpit_that_is_killed") else { return };
    let machine = Machine::new(&place);
    machine.begin(None);
    machine.ended(&VLLM).await;
}

#[tokio::test]
async fn no_installer_outlives_a_cockpit_that_is_killed() {
    let Some(place) = inside("ends::no_installer_outlives_a_cockpit_that_is_killed") else { return };
    prepared(&place);
    let mut cockpit = Command::new(std::env::current_exe().unwrap());
    cockpit.args(["--exact", "ends::a_cockpit_that_is_killed", "--nocapture"]).env(KILLED, "1");
    let mut cockpit = place.environment(&mut cockpit).spawn().unwrap();
    let (build, pip) = place.build_begins().await;
    assert!(lives(build) && lives(pip));
    cockpit.kill().unwrap();
    cockpit.wait().unwrap();
    until_gone(pip).await;
    // What the installer started is ended at the next start.
    let machine = Machine::new(&place);
    until_gone(build).await;
    assert_eq!(machine.version().await.as_deref(), Some("1.0"));
}
