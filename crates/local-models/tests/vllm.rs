//! The real vLLM: `AICOCKPIT_TEST_VLLM` names a Python that has it and `AICOCKPIT_TEST_VLLM_MODEL` a small model.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod real;

use aicockpit_local_models::{LocalModels, Options};
use aicockpit_protocol::local_models::{LocalModelSettings, LocalPhase, LocalServerSettings, Runtime};
use hyper::StatusCode;
use real::{PATIENCE, chat, until};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::timeout;

/// One thread, bound to nothing: with more it starves beside anything else on two cores.
const THREADS: [(&str, &str); 2] = [("OMP_NUM_THREADS", "1"), ("VLLM_CPU_OMP_THREADS_BIND", "nobind")];
const NAME: &str = "real_vllm_is_started_asked_and_stopped_without_a_network";

#[tokio::test]
async fn real_vllm_is_started_asked_and_stopped_without_a_network() {
    let names = ["AICOCKPIT_TEST_VLLM", "AICOCKPIT_TEST_VLLM_MODEL"];
    let [Some(python), Some(model)] = names.map(|name| std::env::var_os(name).map(PathBuf::from)) else {
        eprintln!("{} name no Python and no model: not tested", names.join(" and "));
        return;
    };
    if std::env::var_os(THREADS[1].0).is_none() {
        // A server has our environment, and that cannot be changed while threads run.
        let mut again = tokio::process::Command::new(std::env::current_exe().unwrap());
        let ran = again.args(["--exact", NAME, "--nocapture"]).envs(THREADS).kill_on_drop(true).status();
        assert!(timeout(PATIENCE, ran).await.unwrap().unwrap().success());
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let server = LocalServerSettings {
        id: "one".into(),
        name: "tiny".into(),
        runtime: Runtime::Vllm,
        container: None,
        model: model.to_str().unwrap().into(),
        context_length: Some(512),
        parallel: Some(2),
        gpu_layers: None,
        arguments: ["--dtype", "bfloat16", "--enforce-eager"].map(str::to_owned).to_vec(),
        idle_minutes: None,
        enabled: true,
    };
    let settings = LocalModelSettings {
        vllm: Some(python.to_str().unwrap().into()),
        folders: vec![model.parent().unwrap().to_str().unwrap().into()],
        servers: vec![server],
        ..Default::default()
    };
    let (sender, mut told) = watch::channel(Vec::new());
    let tell = move |servers| drop(sender.send(servers));
    let models = LocalModels::new(settings, Options::new(state.path()), Arc::new(tell));
    let scan = models.scan().await;
    assert!(scan.runtimes[1].version.is_some() && scan.runtimes[1].problem.is_none(), "{:?}", scan.runtimes);
    let found = scan
        .models
        .iter()
        .find(|found| model.as_path() == Path::new(&found.path))
        .expect("the model is found");
    assert_eq!((found.problem.as_deref(), found.architecture.as_deref()), (None, Some("llama")));

    models.set_offline(true);
    let held = timeout(PATIENCE, models.ready("one")).await.unwrap();
    let held = held.unwrap_or_else(|why| panic!("{why}\n{:#?}", models.log("one").unwrap()));
    let endpoint = models.endpoints().remove(0);
    let (status, answer) = chat(&endpoint, &endpoint.key).await;
    assert_eq!((status, answer["model"].as_str()), (StatusCode::OK, Some("tiny")), "{answer}");
    assert_eq!(chat(&endpoint, "another key").await.0, StatusCode::UNAUTHORIZED);
    assert!(!models.log("one").unwrap().join("\n").contains(&endpoint.key));
    let used =
        until(&mut told, |now| now.phase == LocalPhase::Ready && now.memory_bytes > Some(500 << 20)).await;
    eprintln!("{} MB are used", used.memory_bytes.unwrap() / 1_000_000);
    drop(held);
    timeout(PATIENCE, models.stop("one")).await.unwrap().unwrap();
    assert_eq!(models.servers()[0].phase, LocalPhase::Asleep);
    let left = std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let socket = endpoint.socket.to_str().unwrap();
        String::from_utf8_lossy(&environment).contains(&format!("AICOCKPIT_MODEL_SERVERS={socket}"))
    });
    assert_eq!(left.count(), 0, "its workers end with it");
}
