//! The real llama.cpp: `AICOCKPIT_TEST_LLAMA_SERVER` names the program and `AICOCKPIT_TEST_GGUF` a model.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod real;

use aicockpit_local_models::{LocalModels, Options};
use aicockpit_protocol::local_models::{Fit, LocalModelSettings, LocalPhase, LocalServerSettings, Runtime};
use hyper::StatusCode;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use real::{PATIENCE, chat, until};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

#[tokio::test]
async fn the_real_server_is_started_asked_unloaded_killed_and_comes_back() {
    let names = ["AICOCKPIT_TEST_LLAMA_SERVER", "AICOCKPIT_TEST_GGUF"];
    let [Some(program), Some(model)] = names.map(|name| std::env::var_os(name).map(PathBuf::from)) else {
        eprintln!("{} name no program and no model: not tested", names.join(" and "));
        return;
    };
    let state = tempfile::tempdir().unwrap();
    let server = LocalServerSettings {
        id: "one".into(),
        name: "smollm2".into(),
        runtime: Runtime::LlamaCpp,
        container: None,
        model: model.to_str().unwrap().into(),
        context_length: None,
        parallel: Some(2),
        gpu_layers: None,
        // With two, it starves beside anything else on two cores.
        arguments: ["--threads", "1", "--no-warmup"].map(str::to_owned).to_vec(),
        idle_minutes: Some(1),
        enabled: true,
    };
    let settings = LocalModelSettings {
        llama_server: Some(program.to_str().unwrap().into()),
        folders: vec![model.parent().unwrap().to_str().unwrap().into()],
        servers: vec![server],
        ..Default::default()
    };
    let (sender, mut told) = watch::channel(Vec::new());
    let options = Options::new(state.path());
    let models = LocalModels::new(settings, options, Arc::new(move |servers| drop(sender.send(servers))));

    let scan = models.scan().await;
    let found = scan
        .models
        .iter()
        .find(|found| model.as_path() == Path::new(&found.path))
        .expect("the model is found");
    let estimate = found.estimate.clone().expect("an estimate");
    assert!(matches!(estimate.fit, Fit::Gpu | Fit::Memory), "{estimate:?}");
    assert_eq!((found.parameters, estimate.context_length), (Some(134_515_008), 8192));
    let runtime = &scan.runtimes[0];
    assert!(runtime.version.is_some() && runtime.problem.is_none(), "{runtime:?}");

    // No network: what the real program needs of it is loopback at most.
    models.set_offline(true);
    let held = timeout(PATIENCE, models.ready("one")).await.unwrap();
    let held = held.unwrap_or_else(|why| panic!("{why}\n{:#?}", models.log("one").unwrap()));
    let endpoint = models.endpoints().remove(0);
    let (status, answer) = chat(&endpoint, &endpoint.key).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["model"], "smollm2");
    assert_eq!(answer["choices"][0]["message"]["role"], "assistant");
    let (status, _) = chat(&endpoint, "another key").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(!models.log("one").unwrap().join("\n").contains(&endpoint.key));

    let used =
        until(&mut told, |now| now.phase == LocalPhase::Ready && now.memory_bytes > Some(100 << 20)).await;
    let (memory, estimated) =
        (used.memory_bytes.unwrap(), estimate.weights_bytes + estimate.cache_bytes + estimate.other_bytes);
    eprintln!(
        "{} MB are used; {} MB were estimated for one request at once",
        memory / 1_000_000,
        estimated / 1_000_000
    );

    // Killed, it comes back by itself.
    kill(Pid::from_raw(used.pid.unwrap().try_into().unwrap()), Signal::SIGKILL).unwrap();
    until(&mut told, |now| now.phase == LocalPhase::Ready && now.restarts == 1).await;
    let (status, _) = chat(&endpoint, &endpoint.key).await;
    assert_eq!(status, StatusCode::OK, "the same socket and key");

    // Nobody asks.
    drop(held);
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(61)).await;
    tokio::time::resume();
    until(&mut told, |now| now.phase == LocalPhase::Asleep).await;
    assert!(!endpoint.socket.exists());
    drop(timeout(PATIENCE, models.ready("one")).await.unwrap().unwrap());
    assert_eq!(chat(&endpoint, &endpoint.key).await.0, StatusCode::OK);
    models.shutdown().await;
    assert_eq!(models.servers()[0].phase, LocalPhase::Asleep);
}
