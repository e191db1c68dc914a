//! Servers in containers. The engine here runs programs; real ones are asked in the cockpit's own tests.

use crate::children::{Children, IMAGE};
use crate::{Machine, PATIENCE, ask, kill_hard, lives, options, server, settings};
use aicockpit_local_models::ContainerEnd;
use aicockpit_protocol::EngineId;
use aicockpit_protocol::local_models::{
    Gpu, Hardware, LocalPhase, LocalServer, LocalServerSettings, ServerContainer,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::timeout;

fn contained(folder: &Path, image: &str, arguments: &[&str]) -> LocalServerSettings {
    let container = ServerContainer { engine: EngineId::new("children"), image: image.into(), gpu: None };
    LocalServerSettings { container: Some(container), ..server(folder, "a", arguments) }
}

/// One server in a container of this image, on a machine that has no program for it.
fn machine(children: &Arc<Children>, image: &str, arguments: &[&str]) -> Machine {
    let containers = Arc::clone(children);
    Machine::of(
        |folder| {
            let mut settings = settings(vec![contained(folder, image, arguments)]);
            settings.llama_server = Some("/nowhere/llama-server".into());
            settings
        },
        |folder| options(folder).with_containers(containers),
    )
}

async fn ready(machine: &Machine) -> LocalServer {
    drop(timeout(PATIENCE, machine.models.ready("id-a")).await.unwrap().unwrap());
    machine.until("a", |now| now.phase == LocalPhase::Ready && now.memory_bytes.is_some()).await
}

#[tokio::test]
async fn a_server_in_a_container_answers_on_its_socket_and_sees_its_model_alone() {
    let children = Children::new();
    let machine = machine(&children, IMAGE, &[]);
    let scan = machine.models.scan().await;
    assert_eq!((scan.engines.len(), scan.engines[0].images[0].image.as_str()), (1, IMAGE));
    let now = ready(&machine).await;
    assert_eq!(now.container.as_deref(), Some("container-1"));
    assert!(now.pid.is_some() && now.memory_bytes > Some(1 << 20), "{now:?}");
    let endpoint = machine.models.endpoints().remove(0);
    assert!(ask(&endpoint.socket).await.unwrap().ends_with(r#"{"path":"/x","context":1024}"#));
    let log = machine.log("a");
    assert!(log.contains(&format!("$ in a container of {IMAGE}: --model /model/model.gguf --host")), "{log}");
    assert!(log.contains("the key is ••••") && !log.contains(&endpoint.key), "{log}");

    let call = children.calls.lock().unwrap()[0].clone();
    let folder = machine.folder.path().canonicalize().unwrap();
    let own = endpoint.socket.parent().unwrap().to_owned();
    let expected = [
        (own.clone(), "/run/aicockpit".to_owned(), false),
        (folder.join("model.gguf"), "/model/model.gguf".to_owned(), true),
    ];
    assert_eq!((call.mounts.as_slice(), call.entrypoint), (expected.as_slice(), None));
    assert_eq!((call.server.as_str(), call.engine), ("id-a", EngineId::new("children")));

    // It has no network that could be taken from it.
    machine.models.set_offline(true);
    assert_eq!(machine.now("a").phase, LocalPhase::Ready);
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(16 * 60)).await;
    tokio::time::resume();
    machine.asleep("a").await;
    assert_eq!(children.removed(), ["container-1"]);
    assert!(!lives(now.pid.unwrap()) && !own.exists());
    assert_eq!(machine.now("a").container, None);

    let pid = ready(&machine).await.pid.unwrap();
    timeout(PATIENCE, machine.models.stop("id-a")).await.unwrap().unwrap();
    assert_eq!(children.removed().len(), 2);
    assert!(!lives(pid));
}

#[tokio::test]
async fn a_container_that_was_killed_comes_back_and_what_the_engine_says_is_told() {
    let children = Children::new();
    let machine = machine(&children, IMAGE, &[]);
    let first = ready(&machine).await;
    kill_hard(first.pid.unwrap());
    let again = machine.until("a", |now| now.phase == LocalPhase::Ready && now.restarts == 1).await;
    assert_eq!(again.container.as_deref(), Some("container-2"));
    assert_eq!(children.removed(), ["container-1"]);
    assert!(machine.log("a").contains("a was ended by signal 9: most likely"), "{}", machine.log("a"));

    let says = ContainerEnd { status: Some(137), out_of_memory: true, reason: None };
    *children.says.lock().unwrap() = Some(says);
    kill_hard(machine.until("a", |now| now.pid.is_some()).await.pid.unwrap());
    machine.until("a", |now| now.phase == LocalPhase::Ready && now.restarts == 2 && now.pid.is_some()).await;
    let says = ContainerEnd { status: None, out_of_memory: false, reason: Some("It was removed.".into()) };
    *children.says.lock().unwrap() = Some(says);
    kill_hard(machine.now("a").pid.unwrap());
    machine.until("a", |now| now.phase == LocalPhase::Ready && now.restarts == 3 && now.pid.is_some()).await;
    kill_hard(machine.now("a").pid.unwrap());
    machine.until("a", |now| now.phase == LocalPhase::Ready && now.restarts == 4).await;
    let log = machine.log("a");
    assert!(log.contains("a was ended by signal 9: memory ran out. Choose"), "{log}");
    assert!(log.contains("a ended: It was removed. Its log tells more"), "{log}");
}

#[tokio::test]
async fn an_image_is_brought_first_and_how_far_it_is_is_told() {
    let children = Children::new();
    let machine = machine(&children, "test/other:1", &[]);
    machine.models.start("id-a").unwrap();
    let step = |part: f64| {
        move |now: &LocalServer| match &now.phase {
            LocalPhase::Loading { progress, step: Some(step) } => {
                *progress == Some(part) && step == "Pulling test/other:1"
            }
            _ => false,
        }
    };
    let now = machine.until("a", step(0.0)).await;
    assert_eq!((now.pid, now.container), (None, None));
    children.brought.send_replace(0.5);
    machine.until("a", step(0.5)).await;
    // A person calls it off.
    timeout(PATIENCE, machine.models.stop("id-a")).await.unwrap().unwrap();
    machine.asleep("a").await;
    assert_eq!(children.given_up.load(Ordering::SeqCst), 1);

    // Offline is switched on while it is brought: it ends at once, and who waits is told.
    let waits = async {
        machine.until("a", step(0.5)).await;
        children.online.store(false, Ordering::SeqCst);
        machine.models.set_offline(true);
    };
    let (refused, ()) = tokio::join!(timeout(PATIENCE, machine.models.ready("id-a")), waits);
    assert_eq!(
        refused.unwrap().unwrap_err(),
        "a cannot be started: Offline is on, and the image test/other:1 is not here. Switch offline off"
    );
    assert_eq!(children.given_up.load(Ordering::SeqCst), 2);
    let failed = machine.now("a");
    assert!(matches!(failed.phase, LocalPhase::Failed { retry_in_ms: None, .. }), "{failed:?}");

    // The next request is worth a try, without a person.
    children.online.store(true, Ordering::SeqCst);
    children.brought.send_replace(1.0);
    let now = ready(&machine).await;
    assert_eq!(now.container.as_deref(), Some("container-1"));
    timeout(PATIENCE, machine.models.shutdown()).await.unwrap();
    assert_eq!(children.removed(), ["container-1"]);
}

#[tokio::test]
async fn an_engine_that_fails_again_and_again_is_still_asked_by_the_next_request() {
    let children = Children::new();
    children.online.store(false, Ordering::SeqCst);
    let machine = machine(&children, "test/other:1", &[]);
    for _ in 0..7 {
        let why = timeout(PATIENCE, machine.models.ready("id-a")).await.unwrap().unwrap_err();
        assert!(why.ends_with("Switch offline off"), "{why}");
    }
    children.online.store(true, Ordering::SeqCst);
    children.brought.send_replace(1.0);
    ready(&machine).await;
}

#[tokio::test]
async fn without_a_process_id_the_engine_tells_of_memory() {
    let children = Children::new();
    children.hides.store(true, Ordering::SeqCst);
    let machine = machine(&children, IMAGE, &[]);
    let now = ready(&machine).await;
    assert_eq!((now.pid, now.memory_bytes), (None, Some(123_456_789)));
}

#[tokio::test]
async fn files_that_arguments_name_are_mounted_and_a_container_may_do_without_a_gpu() {
    let children = Children::new();
    let containers = Arc::clone(&children);
    let hardware = || {
        let gpu = Gpu { name: "GPU".into(), total_bytes: 16 << 30, free_bytes: 16 << 30 };
        Hardware { memory_bytes: 16 << 30, available_bytes: 16 << 30, gpus: vec![gpu] }
    };
    let machine = Machine::of(
        |folder| {
            let template = folder.join("template.jinja");
            std::fs::write(&template, "").unwrap();
            settings(vec![contained(folder, IMAGE, &["--read", template.to_str().unwrap(), "--for", "0"])])
        },
        |folder| options(folder).with_containers(containers).with_hardware(hardware),
    );
    ready(&machine).await;
    let call = |index: usize| children.calls.lock().unwrap()[index].clone();
    let (first, folder) = (call(0), machine.folder.path().canonicalize().unwrap());
    let template: PathBuf = folder.join("template.jinja");
    assert_eq!(first.mounts[2], (template, "/files/1-template.jinja".to_owned(), true));
    assert!(first.arguments.join(" ").ends_with("--metrics --read /files/1-template.jinja --for 0"));
    assert!(first.gpu && first.arguments.contains(&"--n-gpu-layers".to_owned()), "{first:?}");
    // The same server runs differently now, and without the GPU it is in main memory.
    let other = without_gpu(&machine);
    machine.models.replace(settings(vec![other]));
    machine.asleep("a").await;
    ready(&machine).await;
    let second = call(1);
    assert!(!second.gpu && !second.arguments.contains(&"--n-gpu-layers".to_owned()), "{second:?}");
    // Another program on this machine is of no matter to it.
    let mut again = settings(vec![without_gpu(&machine)]);
    again.llama_server = Some("/nowhere".into());
    machine.models.replace(again);
    assert_eq!(machine.now("a").phase, LocalPhase::Ready);
    // Out of the container.
    machine.models.replace(settings(vec![server(machine.folder.path(), "a", &[])]));
    machine.asleep("a").await;
    assert_eq!(ready(&machine).await.container, None);
    assert_eq!(children.removed(), ["container-1", "container-2"]);
}

fn without_gpu(machine: &Machine) -> LocalServerSettings {
    let mut same = contained(machine.folder.path(), IMAGE, &[]);
    same.gpu_layers = Some(7);
    same.container.as_mut().unwrap().gpu = Some(false);
    same
}

#[tokio::test]
async fn where_nothing_runs_containers_that_is_told() {
    let machine = Machine::with(|folder| settings(vec![contained(folder, IMAGE, &[])]));
    let why = timeout(PATIENCE, machine.models.ready("id-a")).await.unwrap().unwrap_err();
    assert_eq!(why, "a cannot be started: there is nothing here that runs containers");
    assert!(machine.models.scan().await.engines.is_empty());
}
