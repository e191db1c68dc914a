//! Images that hold nothing but what they are for. They are put onto the machine of a cluster of our own.

use crate::common::{TestNamespace, program, shell, workspace};
use aicockpit_engine::{ContainerState, Engine, ExecExit, ExecSpec};
use aicockpit_protocol::engine::ClusterSettings;
use aicockpit_testkit::{agent_binary, load_image};
use std::path::Path;
use tokio::io::AsyncReadExt as _;

pub(crate) fn context(folder: &Path, dockerfile: &str) {
    std::fs::write(folder.join("Dockerfile"), dockerfile).unwrap();
    std::fs::copy(agent_binary(), folder.join("aicockpit-agent")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_carries_the_agent_brings_it_without_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    context(folder.path(), "FROM scratch\nCOPY aicockpit-agent /aicockpit-agent\n");
    if !load_image("aicockpit.test/agent:1", folder.path()) {
        println!("NOT RUN: images are loaded onto a cluster of our own only");
        return;
    }
    let namespace = TestNamespace::new(&[("pod-security.kubernetes.io/enforce", "restricted")]).await;
    let settings =
        ClusterSettings { agent_image: Some("aicockpit.test/agent:1".into()), ..namespace.settings() };
    // A file that is not there could not be brought from here.
    let mut absent = program("agent-of-now");
    absent.path = "/no/such/file".into();
    let engine = namespace.ready_with(settings, Some(absent)).await;
    engine.create_volume("w", &[]).await.unwrap();
    let id = engine.create_container(&workspace("w")).await.unwrap();
    engine.start_container(&id).await.unwrap();
    let said = shell(&*engine, &id, "/.aicockpit/agent-of-now --version").await;
    assert!(said.starts_with("aicockpit-agent "), "{said}");
    engine.remove_container(&id).await.unwrap();
    namespace.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_image_needs_no_shell_no_tar_and_no_libc() {
    let folder = tempfile::tempdir().unwrap();
    // A layer of some kind is needed; this one is no program.
    context(folder.path(), "FROM scratch\nCOPY Dockerfile /nothing\n");
    if !load_image("aicockpit.test/nothing:1", folder.path()) {
        println!("NOT RUN: images are loaded onto a cluster of our own only");
        return;
    }
    let namespace = TestNamespace::new(&[("pod-security.kubernetes.io/enforce", "restricted")]).await;
    let engine = namespace.ready().await;
    engine.create_volume("w", &[]).await.unwrap();
    let mut spec = workspace("w");
    (spec.image, spec.read_only_root) = ("aicockpit.test/nothing:1".to_owned(), true);
    let id = engine.create_container(&spec).await.unwrap();
    engine.start_container(&id).await.unwrap();
    assert_eq!(engine.inspect_container(&id).await.unwrap().state, ContainerState::Running);
    let command = ["/.aicockpit/agent-of-now", "--version"].map(str::to_owned).to_vec();
    let mut stream = engine.exec(&id, &ExecSpec { command, ..ExecSpec::default() }).await.unwrap();
    let mut said = String::new();
    stream.stdout.read_to_string(&mut said).await.unwrap();
    assert!(said.starts_with("aicockpit-agent "), "{said}");
    assert_eq!(stream.exit.await.unwrap(), ExecExit::Exited(0));
    engine.remove_container(&id).await.unwrap();
    namespace.remove().await;
}
