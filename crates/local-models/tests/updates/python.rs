//! vLLM in a Python environment, by pip and by uv.

use crate::{
    Machine, PATIENCE, Place, Tool, UV, VLLM, done, inside, lives, options, run_inside, server, why,
};
use aicockpit_local_models::{RefusedError, UpdateRefused};
use aicockpit_protocol::local_models::{
    LocalModelSettings, LocalPhase, Runtime, UpdatePhase, UpdateRequest, UpdateWay,
};
use std::time::Duration;
use tokio::time::timeout;

fn has_uv() -> bool {
    let there = std::env::var_os(UV).is_some();
    if !there {
        eprintln!("{UV} names no uv: not tested");
    }
    there
}

#[tokio::test]
async fn pip_updates_and_goes_back() {
    let Some(place) = inside("python::pip_updates_and_goes_back") else { return };
    updates_and_goes_back(&place, Tool::Pip).await;
}

#[tokio::test]
async fn uv_updates_and_goes_back() {
    if !has_uv() {
        return;
    }
    let Some(place) = inside("python::uv_updates_and_goes_back") else { return };
    updates_and_goes_back(&place, Tool::Uv).await;
    assert!(!place.at("home/venv/bin/pip").exists(), "there is no pip that could have done it");
}

async fn updates_and_goes_back(place: &Place, tool: Tool) {
    place.package(&["wheel", "vllm", "1.0"]);
    place.install(tool, &["vllm"]);
    let machine = Machine::new(place);
    let found = machine.found(Runtime::Vllm).await;
    assert_eq!(found.path.as_deref(), place.at("home/venv/bin/vllm").to_str());
    assert_eq!(
        (found.version.as_deref(), found.update),
        (Some("1.0"), Some(UpdateWay::Here { versions: true }))
    );

    assert_eq!(machine.update(None).await, done("1.0", "1.0"), "there is nothing newer");
    place.package(&["wheel", "vllm", "1.1"]);
    assert_eq!(machine.update(None).await, done("1.0", "1.1"));
    assert_eq!(machine.version().await.as_deref(), Some("1.1"));
    assert_eq!(machine.update(Some("1.0")).await, done("1.1", "1.0"));
    assert_eq!(machine.version().await.as_deref(), Some("1.0"));

    let told = why(machine.update(Some("7.7")).await);
    assert!(told.starts_with("the update of vLLM failed: No ") && told.contains("vllm==7.7"), "{told}");
    assert!(told.ends_with("vLLM is as it was"), "{told}");
    assert_eq!(machine.models.updates().len(), 1, "the last one of vLLM");
}

#[tokio::test]
async fn pip_is_called_off_with_all_it_started() {
    let Some(place) = inside("python::pip_is_called_off_with_all_it_started") else { return };
    is_called_off(&place, Tool::Pip).await;
}

#[tokio::test]
async fn uv_is_called_off_with_all_it_started() {
    if !has_uv() {
        return;
    }
    let Some(place) = inside("python::uv_is_called_off_with_all_it_started") else { return };
    is_called_off(&place, Tool::Uv).await;
}

async fn is_called_off(place: &Place, tool: Tool) {
    place.package(&["wheel", "vllm", "1.0"]);
    place.install(tool, &["vllm"]);
    place.package(&["source", "1.2"]);
    let machine = Machine::new(place);
    machine.begin(None);
    let (build, parent) = place.build_begins().await;
    let refused = machine.models.update(&UpdateRequest { of: VLLM, version: None }).unwrap_err();
    assert!(matches!(refused, RefusedError::Update(UpdateRefused::UnderWay { .. })), "{refused:?}");
    let running = machine.models.updates().remove(0).phase;
    assert!(matches!(running, UpdatePhase::Running { step: Some(_), .. }), "{running:?}");
    machine.models.cancel_update(&VLLM);
    assert_eq!(machine.ended(&VLLM).await, UpdatePhase::Cancelled);
    assert!(!lives(build) && !lives(parent));
    assert_eq!(machine.version().await.as_deref(), Some("1.0"));
    // It can be had later.
    machine.begin(Some("1.2"));
    place.open_gate().await;
    assert_eq!(machine.ended(&VLLM).await, done("1.0", "1.2"));
}

#[tokio::test]
async fn servers_are_stopped_first_and_requests_wait() {
    let Some(place) = inside("python::servers_are_stopped_first_and_requests_wait") else { return };
    place.package(&["wheel", "vllm", "1.0"]);
    place.install(Tool::Pip, &["vllm"]);
    place.package(&["source", "1.2"]);
    let settings = LocalModelSettings { servers: vec![server(&place.model())], ..Default::default() };
    let machine = Machine::with(settings, options(&place));
    let phase = || machine.models.servers().remove(0).phase;
    let ready = async || match timeout(PATIENCE, machine.models.ready("one")).await {
        Ok(ready) => drop(ready.unwrap()),
        Err(_) => panic!("{:?} {:#?}", machine.models.servers(), machine.models.log("one")),
    };
    ready().await;
    let pid = machine.models.servers()[0].pid.unwrap();
    machine.begin(None);
    place.build_begins().await;
    assert!(!lives(pid));
    assert_eq!(phase(), LocalPhase::Asleep);

    let mut asked = Box::pin(machine.models.ready("one"));
    machine.models.start("one").unwrap();
    // A moment in which it would have been started.
    assert!(timeout(Duration::from_millis(500), &mut asked).await.is_err());
    assert_eq!(phase(), LocalPhase::Asleep, "it waits for the update");
    place.open_gate().await;
    drop(asked.await.unwrap());
    ready().await;
    assert_eq!(machine.ended(&VLLM).await, done("1.0", "1.2"));
    let log = machine.models.log("one").unwrap();
    let serving: Vec<_> =
        log.iter().filter(|line| line.starts_with("serving") || line.contains("brought")).collect();
    let told = ["serving with vllm 1.0", "Stopped, as vLLM is brought up to date", "serving with vllm 1.2"];
    assert_eq!(serving, told);
}

#[tokio::test]
async fn what_stopped_halfway_is_told_with_how_to_mend_it() {
    let Some(place) = inside("python::what_stopped_halfway_is_told_with_how_to_mend_it") else { return };
    place.package(&["wheel", "vllm", "1.0", "needs:helper==1.0"]);
    place.package(&["wheel", "helper", "1.0"]);
    place.install(Tool::Pip, &["vllm"]);
    place.package(&["wheel", "vllm", "1.1", "needs:helper==1.1", "file:in_the_way"]);
    place.package(&["wheel", "helper", "1.1"]);
    // Where a file of the package is to be, there is a folder.
    let lib = place.at("home/venv/lib");
    let site = std::fs::read_dir(&lib).unwrap().next().unwrap().unwrap().path().join("site-packages");
    std::fs::create_dir(site.join("in_the_way")).unwrap();
    let machine = Machine::new(&place);
    let told = why(machine.update(None).await);
    let python = place.python();
    let python = python.display();
    assert!(
        told.contains("in_the_way") && told.contains(". It stopped halfway: helper 1.0 became 1.1;"),
        "{told}"
    );
    assert!(
        told.contains(&format!("Update again, or run `{python} -m pip install --upgrade vllm`")),
        "{told}"
    );
    assert!(told.ends_with(&format!("To go back, run `{python} -m pip install vllm==1.0`")), "{told}");
    std::fs::remove_dir(site.join("in_the_way")).unwrap();
    assert_eq!(machine.update(None).await, done("1.0", "1.1"));
}

#[tokio::test]
async fn what_cannot_be_updated_here_is_refused_with_how_it_can() {
    // The same environment, which nobody may write to.
    let script = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec \"$@\"";
    let name = "python::what_cannot_be_updated_here_is_refused_with_how_it_can";
    let venv = std::env::temp_dir().join(format!("aicockpit-read-only-{}", std::process::id()));
    let by = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, venv.to_str().unwrap()];
    if !std::process::Command::new("unshare")
        .args(["-U", "-r", "-m", "true"])
        .status()
        .is_ok_and(|s| s.success())
    {
        eprintln!("user namespaces are not allowed here: not tested");
        return;
    }
    let prepare = |place: &Place| {
        place.package(&["wheel", "vllm", "1.0"]);
        place.install(Tool::Pip, &["vllm"]);
        // The script has the path before the place has one.
        std::os::unix::fs::symlink(place.at("home/venv"), &venv).unwrap();
    };
    let place = run_inside(name, &by, prepare);
    let _ = std::fs::remove_file(&venv);
    let Some(place) = place else { return };
    let machine = Machine::new(&place);
    let found = machine.found(Runtime::Vllm).await;
    let Some(UpdateWay::ByHand { how }) = found.update else { panic!("{found:?}") };
    assert!(how.contains("may not be written to by you"), "{how}");
    let refused = machine.models.update(&UpdateRequest { of: VLLM, version: None }).unwrap_err();
    assert!(matches!(&refused, RefusedError::Update(UpdateRefused::ByHand { .. })), "{refused:?}");
    assert!(refused.to_string().contains("-m pip install --upgrade vllm"), "{refused}");
    assert!(machine.models.updates().is_empty());
}

#[tokio::test]
async fn what_is_not_there_and_what_is_no_version_are_refused() {
    let Some(place) = inside("python::what_is_not_there_and_what_is_no_version_are_refused") else { return };
    let machine = Machine::new(&place);
    let refused = |version: Option<&str>| {
        let request = UpdateRequest { of: VLLM, version: version.map(str::to_owned) };
        let RefusedError::Update(refused) = machine.models.update(&request).unwrap_err() else { panic!() };
        refused
    };
    assert!(matches!(refused(None), UpdateRefused::NotFound(why) if why.starts_with("vLLM is not found")));
    assert!(matches!(refused(Some("--pre")), UpdateRefused::NoVersion { .. }));
    machine.models.shutdown().await;
}
