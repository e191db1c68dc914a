//! A machine of the cluster stops answering: that is told, and the workspace on it can be let go of.

use crate::common::{Host, Namespace, PATIENCE, kubectl, type_line};
use aicockpit_protocol::workspace::{Source, WorkspaceState};
use aicockpit_protocol::{ErrorCode, WorkspaceId};
use aicockpit_testkit::{ClusterPart, poll};

/// The machine comes back whatever becomes of the test: the cluster has no other.
struct Back(ClusterPart);

impl Drop for Back {
    fn drop(&mut self) {
        self.0.start();
    }
}

async fn message(host: &Host, id: &WorkspaceId, wanted: &str) {
    let told = async || {
        let message = host.cockpit.workspaces().get(id).unwrap().message;
        message.filter(|message| message.contains(wanted))
    };
    poll(PATIENCE, &format!("“{wanted}” in the workspace's message"), told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_on_a_machine_that_does_not_answer_is_let_go_and_keeps_its_files() {
    let Some(kubelet) = ClusterPart::find("kubelet") else {
        println!("NOT RUN: only parts of a cluster of our own are killed");
        return;
    };
    let namespace = Namespace::new();
    let host = Host::start(&namespace).await;
    let id = host.create_running(Source::Empty).await;
    let workspaces = host.cockpit.workspaces();
    workspaces.open(&id).await.unwrap();
    let (_, mut prompt) = host.terminal(&id).await;
    type_line(&mut prompt, "echo kept >/workspace/kept; sync; echo done-$((6*7))", "done-42").await;
    let node = namespace.kubectl(&["get", "pods", "--output=jsonpath={.items[0].spec.nodeName}"]);
    let refused = workspaces.let_go(&id).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidState, "its machine answers: {refused:?}");
    let (status, said) = host.command_line(&["let-go", "--yes", id.as_str()]).await;
    assert_eq!(status, Some(4), "the same from the command line: {said}");

    kubelet.kill();
    let back = Back(kubelet);
    // Long before the cluster itself has given the machine up.
    let late = workspaces.stop(&id).await.unwrap_err();
    assert_eq!(late.code, ErrorCode::TimedOut, "{late:?}");
    assert!(late.message.contains(&format!("on the machine {node}")), "{late:?}");
    assert!(late.hint.as_deref().unwrap_or_default().contains("let it go"), "{late:?}");
    host.state(&id, WorkspaceState::Stranded).await;
    // Then the cluster says so itself.
    message(&host, &id, &format!("The machine {node} has not answered since")).await;
    let (status, said) = host.command_line(&["let-go", id.as_str()]).await;
    assert_eq!(status, Some(4), "{said}");
    assert!(said.contains("may still run there") && said.contains("--yes"), "{said}");
    assert_eq!(workspaces.get(&id).unwrap().state, WorkspaceState::Stranded, "nobody was asked");
    let (status, said) = host.command_line(&["let-go", "--yes", id.as_str()]).await;
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(workspaces.get(&id).unwrap().state, WorkspaceState::Stopped);

    drop(back);
    kubectl(&["wait", "--for=condition=Ready", "--timeout=120s", &format!("node/{node}")], None);
    workspaces.start(&id).await.unwrap();
    host.state(&id, WorkspaceState::Running).await;
    workspaces.open(&id).await.unwrap();
    let (_, mut prompt) = host.terminal(&id).await;
    type_line(&mut prompt, "cat /workspace/kept; echo read-$((6*7))", "kept").await;
    let timeline = workspaces.timeline(&id).await.unwrap();
    assert!(timeline.iter().any(|entry| entry.text.starts_with("Let go")), "{timeline:?}");
    workspaces.delete(&id).await.unwrap();
    assert_eq!(namespace.objects(), Vec::<String>::new(), "left over");
    host.cockpit.shutdown().await;
}
