//! What a workspace uses: by the cluster's metrics API, which knows nothing of a pod's first minute, and by the agent.

use crate::common::{Host, Namespace, PATIENCE, kubectl};
use aicockpit_protocol::WorkspaceId;
use aicockpit_protocol::api::Event;
use aicockpit_protocol::metrics::Sample;
use aicockpit_protocol::workspace::Source;
use aicockpit_testkit::wait_for;

fn sample_of(event: Event, id: &WorkspaceId) -> Option<Sample> {
    let Event::Samples { samples } = event else { return None };
    samples.into_iter().find(|one| one.workspace == *id).map(|one| one.sample)
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_come_at_once_and_are_the_cluster_s_as_soon_as_it_has_some() {
    let namespace = Namespace::new();
    let host = Host::start(&namespace).await;
    let _onlooker = host.cockpit.look();
    let mut events = host.cockpit.subscribe();
    let id = host.create_running(Source::Empty).await;
    host.cockpit.workspaces().open(&id).await.unwrap();
    let first = wait_for(&mut events, PATIENCE, "the first figures", |event| sample_of(event, &id)).await;
    assert!(first.memory_bytes > 0 && first.pids >= 1, "{first:?}");
    let named = ["get", "apiservice", "v1beta1.metrics.k8s.io", "--ignore-not-found", "--output=name"];
    if kubectl(&named, None).is_empty() {
        println!("NOT RUN: this cluster has no metrics API");
    } else {
        let pod = format!("aicockpit-{id}-0");
        let told = || {
            let memory = "--output=jsonpath={.containers[0].usage.memory}";
            let memory =
                namespace.kubectl(&["get", "pods.metrics.k8s.io", &pod, "--ignore-not-found", memory]);
            Some(memory.strip_suffix("Ki")?.parse::<u64>().ok()? << 10)
        };
        // What the agent tells besides goes on.
        let both = wait_for(&mut events, PATIENCE, "the cluster's figures", |event| {
            let sample = sample_of(event, &id)?;
            (told() == Some(sample.memory_bytes)).then_some(sample)
        });
        let both = both.await;
        assert!(both.pids >= 1 && both.network_received_bytes >= first.network_received_bytes, "{both:?}");
    }
    host.cockpit.workspaces().delete(&id).await.unwrap();
    host.stop().await;
}
