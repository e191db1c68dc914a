//! Parts of the cluster, the way to it, the pod and the cockpit go away under an open terminal and a person who saves.
//! What was acknowledged is there afterwards.

use crate::common::{Data, Host, Namespace, PATIENCE, kubectl, type_line};
use aicockpit_engine_kubernetes::discover_in;
use aicockpit_protocol::api::{FsRead, FsWrite};
use aicockpit_protocol::fs::{ReadFile, WriteCondition, WriteFile};
use aicockpit_protocol::workspace::{Source, WorkspaceState};
use aicockpit_protocol::{BytePath, WorkspaceId};
use aicockpit_testkit::{ClusterPart, CutProxy, kubeconfig, poll, read_until};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A state on the screen may be older than this only where it says so.
const STALE_AFTER: Duration = Duration::from_secs(5);
/// What is allowed for on a loaded machine on top.
const LOAD: Duration = Duration::from_secs(3);

fn notes() -> BytePath {
    BytePath::from("/workspace/notes")
}

/// Saves a number; whether that was acknowledged.
async fn save(host: &Host, id: &WorkspaceId, number: u32) -> bool {
    let args = WriteFile { path: notes(), condition: WriteCondition::Any, create_parents: false };
    let text = number.to_string();
    let saving = host.client.call_with::<FsWrite>(host.of(id, args), text.as_bytes());
    matches!(tokio::time::timeout(Duration::from_secs(20), saving).await, Ok(Ok(_)))
}

/// Saves the next numbers until one is acknowledged; that one.
async fn save_until_acknowledged(host: &Host, id: &WorkspaceId, after: u32) -> u32 {
    let mut number = after;
    let saved = poll(PATIENCE, "a save to be acknowledged", || {
        number += 1;
        let number = number;
        async move { save(host, id, number).await.then_some(number) }
    });
    saved.await
}

/// The number that is in the file.
async fn saved(host: &Host, id: &WorkspaceId) -> u32 {
    let args = ReadFile { path: notes(), offset: 0, length: 100 };
    let read = host.client.call_with::<FsRead>(host.of(id, args), &[]).await.unwrap();
    String::from_utf8(read.body.to_vec()).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_the_cluster_are_killed_under_a_terminal_and_saves() {
    if ClusterPart::find("kubelet").is_none() {
        println!("NOT RUN: only parts of a cluster of our own are killed");
        return;
    }
    let namespace = Namespace::new();
    let host = Host::start(&namespace).await;
    let id = host.create_running(Source::Empty).await;
    host.cockpit.workspaces().open(&id).await.unwrap();
    let (terminal, mut prompt) = host.terminal(&id).await;
    type_line(&mut prompt, "count=1; echo first-$((6*7))", "first-42").await;
    let mut last = save_until_acknowledged(&host, &id, 0).await;
    for (index, name) in ["kube-apiserver", "kubelet", "containerd"].into_iter().enumerate() {
        let part = ClusterPart::find(name).unwrap();
        part.kill();
        // In the middle of it: acknowledged or not, nothing may be lost.
        let during = save(&host, &id, last + 1).await;
        part.start();
        if during {
            last += 1;
        }
        let now = save_until_acknowledged(&host, &id, last + 1).await;
        assert_eq!(saved(&host, &id).await, now, "after {name}");
        last = now;
        let mut again = host.attach(&id, terminal).await;
        read_until(&mut again, PATIENCE, "first-42").await;
        type_line(&mut again, "count=$((count+1)); echo after-$count-", &format!("after-{}-", index + 2))
            .await;
        host.ready().await;
        host.state(&id, WorkspaceState::Running).await;
    }
    // Delete works although the cluster was restarted in parts.
    host.cockpit.workspaces().delete(&id).await.unwrap();
    assert_eq!(namespace.objects(), Vec::<String>::new(), "left over");
    host.cockpit.shutdown().await;
}

/// Saves number after number, and says which were acknowledged, until it is killed.
///
/// Not a test of its own: the process that the next test kills.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the next test in a process of its own"]
async fn child_that_saves_until_it_is_killed() {
    let Some(data) = std::env::var_os("AICOCKPIT_TEST_DATA") else { return };
    let id = WorkspaceId::new(std::env::var("AICOCKPIT_TEST_WORKSPACE").unwrap());
    let first: u32 = std::env::var("AICOCKPIT_TEST_FIRST").unwrap().parse().unwrap();
    let endpoint = discover_in(&kubeconfig()).unwrap().remove(0);
    let host = Host::resume(Data::Of(data.into()), endpoint).await;
    host.cockpit.workspaces().open(&id).await.unwrap();
    for number in first.. {
        assert!(save(&host, &id, number).await);
        let mut out = std::io::stdout().lock();
        writeln!(out, "acknowledged {number}").unwrap();
        out.flush().unwrap();
    }
}

/// Lets the child save on from `first` and kills it at once after `rounds` saves; the last one acknowledged.
fn save_and_kill(data: &Data, id: &WorkspaceId, first: u32, rounds: u32) -> u32 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "faults::child_that_saves_until_it_is_killed", "--ignored", "--nocapture"])
        .env("AICOCKPIT_TEST_DATA", data.path())
        .env("AICOCKPIT_TEST_WORKSPACE", id.as_str())
        .env("AICOCKPIT_TEST_FIRST", first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut last = None;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        if let Some((_, number)) = line.unwrap().split_once("acknowledged ") {
            last = Some(number.parse().unwrap());
            if last >= Some(first + rounds) {
                // On Unix this is SIGKILL. What it says after this was acknowledged as well.
                let _ = child.kill();
            }
        }
    }
    child.wait().unwrap();
    last.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_killed_cockpit() {
    let namespace = Namespace::new();
    let host = Host::start(&namespace).await;
    let id = host.create_running(Source::Empty).await;
    host.cockpit.workspaces().open(&id).await.unwrap();
    let (terminal, mut prompt) = host.terminal(&id).await;
    type_line(&mut prompt, "echo first-$((6*7))", "first-42").await;
    drop(prompt);
    let (mut data, mut endpoint) = host.stop().await;
    let mut first = 1;
    for rounds in [0, 7, 20] {
        let last = save_and_kill(&data, &id, first, rounds);
        let host = Host::resume(data, endpoint).await;
        host.cockpit.workspaces().open(&id).await.unwrap();
        let now = saved(&host, &id).await;
        assert!(now == last || now == last + 1, "{now} is there, {last} was acknowledged");
        let mut prompt = host.attach(&id, terminal).await;
        read_until(&mut prompt, PATIENCE, "first-42").await;
        drop(prompt);
        first = now + 1;
        if rounds == 20 {
            host.cockpit.workspaces().delete(&id).await.unwrap();
            assert_eq!(namespace.objects(), Vec::<String>::new(), "left over");
        }
        (data, endpoint) = host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_lost_ends_its_terminals_and_keeps_its_files() {
    let namespace = Namespace::new();
    let host = Host::start(&namespace).await;
    let id = host.create_running(Source::Empty).await;
    host.cockpit.workspaces().open(&id).await.unwrap();
    let (_, mut prompt) = host.terminal(&id).await;
    type_line(&mut prompt, "echo first-$((6*7))", "first-42").await;
    let last = save_until_acknowledged(&host, &id, 0).await;
    namespace.kubectl(&[
        "delete",
        "pods",
        "--selector=app.kubernetes.io/managed-by=aicockpit",
        "--grace-period=1",
    ]);
    // The terminal ends, and the workspace comes back by itself with what was saved.
    while prompt.next().await.is_some() {}
    let open = async || host.cockpit.workspaces().open(&id).await.ok();
    poll(PATIENCE, "the workspace to come back", open).await;
    assert_eq!(saved(&host, &id).await, last);
    let (_, mut prompt) = host.terminal(&id).await;
    type_line(&mut prompt, "echo again-$((6*7))", "again-42").await;
    let timeline = host.cockpit.workspaces().timeline(&id).await.unwrap();
    assert!(timeline.len() > 2, "{timeline:?}");
    host.cockpit.workspaces().delete(&id).await.unwrap();
    assert_eq!(namespace.objects(), Vec::<String>::new(), "left over");
    host.cockpit.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_is_cut_for_thirty_seconds_is_told_within_five_and_loses_nothing() {
    let namespace = Namespace::new();
    let server =
        kubectl(&["config", "view", "--minify", "--output=jsonpath={.clusters[0].cluster.server}"], None);
    let address = server.trim_start_matches("https://").to_owned();
    let proxy = CutProxy::to(address.clone()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubeconfig");
    let text = std::fs::read_to_string(kubeconfig()).unwrap();
    // The certificate names the cluster's own address.
    let host_name = address.rsplit_once(':').unwrap().0;
    let by_proxy = format!("server: https://{}\n    tls-server-name: {host_name}", proxy.address());
    std::fs::write(&file, text.replace(&format!("server: {server}"), &by_proxy)).unwrap();
    let endpoint = discover_in(&file).unwrap().remove(0);
    let host = Host::start_at(&namespace, endpoint, |_| {}).await;
    let id = host.create_running(Source::Empty).await;
    host.cockpit.workspaces().open(&id).await.unwrap();
    let (terminal, mut prompt) = host.terminal(&id).await;
    type_line(&mut prompt, "echo first-$((6*7))", "first-42").await;
    let last = save_until_acknowledged(&host, &id, 0).await;

    proxy.cut();
    let cut = Instant::now();
    host.state(&id, WorkspaceState::Unreachable).await;
    let told = cut.elapsed();
    println!("told after {told:?}");
    assert!(told < STALE_AFTER + LOAD, "told only after {told:?}");
    assert!(!save(&host, &id, last + 1).await, "nothing is acknowledged that did not arrive");
    tokio::time::sleep(Duration::from_secs(30).saturating_sub(cut.elapsed())).await;
    proxy.mend();
    host.ready().await;
    host.state(&id, WorkspaceState::Running).await;
    let now = save_until_acknowledged(&host, &id, last + 1).await;
    assert_eq!(saved(&host, &id).await, now);
    let mut prompt = host.attach(&id, terminal).await;
    read_until(&mut prompt, PATIENCE, "first-42").await;
    type_line(&mut prompt, "echo still-$((6*7))", "still-42").await;
    host.cockpit.workspaces().delete(&id).await.unwrap();
    assert_eq!(namespace.objects(), Vec::<String>::new(), "left over");
    host.cockpit.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_being_deleted_is_told_and_its_workspaces_can_be_forgotten() {
    let namespace = Namespace::new();
    let host = Host::start(&namespace).await;
    let id = host.create_running(Source::Empty).await;
    kubectl(&["delete", "namespace", &namespace.0, "--wait=true", "--timeout=120s"], None);
    let gone = async || {
        let state = host.cockpit.workspaces().get(&id).unwrap().state;
        matches!(state, WorkspaceState::Lost | WorkspaceState::Unreachable).then_some(())
    };
    poll(PATIENCE, "the workspace to be shown as gone", gone).await;
    host.cockpit.workspaces().delete(&id).await.unwrap();
    assert!(host.cockpit.workspaces().list().is_empty());
    kubectl(&["create", "namespace", &namespace.0], None);
    host.cockpit.shutdown().await;
}
