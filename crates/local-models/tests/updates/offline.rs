//! Offline: nothing is updated, and nobody is asked for a version who could reach somebody.

use crate::{Machine, PATIENCE, Place, Tool, VLLM, inside, options, run_inside, why};
use aicockpit_local_models::{RefusedError, UpdateRefused};
use aicockpit_protocol::local_models::{LocalModelSettings, Runtime, UpdateRequest};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use tokio::time::timeout;

#[tokio::test]
async fn offline_refuses_an_update_and_ends_one() {
    let Some(place) = inside("offline::offline_refuses_an_update_and_ends_one") else { return };
    place.package(&["wheel", "vllm", "1.0"]);
    place.install(Tool::Pip, &["vllm"]);
    place.package(&["source", "1.2"]);
    let machine = Machine::new(&place);
    machine.models.set_offline(true);
    assert_eq!(machine.version().await.as_deref(), Some("1.0"), "its version is asked all the same");
    let refused = machine.models.update(&UpdateRequest { of: VLLM, version: None }).unwrap_err();
    assert!(matches!(&refused, RefusedError::Update(UpdateRefused::Offline { .. })), "{refused:?}");
    assert!(machine.models.updates().is_empty() && !place.at("builds").exists());

    machine.models.set_offline(false);
    machine.begin(None);
    place.build_begins().await;
    machine.models.set_offline(true);
    let told = why(machine.ended(&VLLM).await);
    let expected = "the update of vLLM was ended, as offline was switched on. vLLM is as it was";
    assert_eq!(told, expected);
    assert_eq!(machine.version().await.as_deref(), Some("1.0"));
}

/// A program of the settings that calls somebody before it says its version.
fn caller(place: &Place, listener: &TcpListener) -> LocalModelSettings {
    let program = place.at("llama-server");
    let address = listener.local_addr().unwrap();
    let script = format!(
        "#!/bin/sh\nexec {python} -c '\nimport socket\ntry:\n    socket.create_connection((\"{ip}\", {port}), 5).close()\n    \
         print(\"version: reached\")\nexcept OSError as error:\n    print(\"version: alone\", error)\n'\n",
        python = crate::python().display(),
        ip = address.ip(),
        port = address.port(),
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    LocalModelSettings { llama_server: Some(program.to_str().unwrap().into()), ..Default::default() }
}

fn listener() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

#[tokio::test]
async fn a_program_that_is_asked_for_its_version_reaches_nobody() {
    let Some(place) = inside("offline::a_program_that_is_asked_for_its_version_reaches_nobody") else {
        return;
    };
    let listener = listener();
    let machine = Machine::with(caller(&place, &listener), options(&place));
    machine.models.set_offline(true);
    let found = machine.found(Runtime::LlamaCpp).await;
    assert!(found.version.as_ref().unwrap().starts_with("alone"), "{found:?}");
    assert!(listener.accept().is_err(), "somebody was reached");

    // Online, it does as it pleases. It is asked anew, as it is another file.
    machine.models.set_offline(false);
    caller(&place, &listener);
    let found = machine.found(Runtime::LlamaCpp).await;
    assert_eq!(found.version.as_deref(), Some("reached"), "{found:?}");
    assert!(listener.accept().is_ok());
}

#[tokio::test]
async fn one_that_is_being_asked_when_offline_is_switched_on_is_asked_anew() {
    let Some(place) = inside("offline::one_that_is_being_asked_when_offline_is_switched_on_is_asked_anew")
    else {
        return;
    };
    let program = place.at("llama-server");
    let (gate, asked) = (place.at("gate"), place.at("asked"));
    // The first time it waits; a process of its own holds its pipes.
    let script = format!(
        "#!/bin/sh\nif [ ! -e {asked} ]; then echo $$ > {asked}; cat {gate} & wait; fi\necho 'version: 2' >&2\n",
        asked = asked.display(),
        gate = gate.display(),
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let settings =
        LocalModelSettings { llama_server: Some(program.to_str().unwrap().into()), ..Default::default() };
    let machine = Machine::with(settings, options(&place));
    let switched = async {
        let pid = loop {
            let pid = std::fs::read_to_string(&asked).unwrap_or_default();
            if pid.ends_with('\n') {
                break pid.trim().parse().unwrap();
            }
            tokio::task::yield_now().await;
        };
        machine.models.set_offline(true);
        crate::until_gone(pid).await;
    };
    let switched = async { timeout(PATIENCE, switched).await.expect("what has a network is ended") };
    let (found, ()) = tokio::join!(machine.found(Runtime::LlamaCpp), switched);
    assert_eq!(found.version.as_deref(), Some("2"), "{found:?}");
}

#[tokio::test]
async fn where_the_kernel_refuses_that_it_is_not_asked() {
    let name = "offline::where_the_kernel_refuses_that_it_is_not_asked";
    let script = "echo 0 > /proc/sys/user/max_net_namespaces && exec \"$@\"";
    if !std::process::Command::new("unshare").args(["-U", "-r", "true"]).status().is_ok_and(|s| s.success()) {
        eprintln!("user namespaces are not allowed here: not tested");
        return;
    }
    let by = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh"];
    let Some(place) = run_inside(name, &by, |_| {}) else { return };
    let listener = listener();
    let settings = caller(&place, &listener);
    let machine = Machine::with(settings.clone(), options(&place));
    machine.models.set_offline(true);
    let found = machine.found(Runtime::LlamaCpp).await;
    assert_eq!((found.path, found.version, found.problem), (settings.llama_server, None, None));
    assert!(listener.accept().is_err(), "somebody was reached");
    machine.models.set_offline(false);
    let found = machine.found(Runtime::LlamaCpp).await;
    assert_eq!(found.version.as_deref(), Some("reached"), "it is asked once that can be");
}
