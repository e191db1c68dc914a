//! What a pod's state means for its container.

use crate::names::{self, KEEP, MAIN, STARTED};
use aicockpit_engine::{ContainerDetails, ContainerState};
use aicockpit_protocol::ContainerId;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ContainerState as PodContainerState, ContainerStatus, Pod, PodSpec};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

/// Reasons for which an image could not be had.
const NO_IMAGE: &[&str] =
    &["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"];
/// Reasons for which a container could not be made or its program not be started.
const NO_START: &[&str] = &["CreateContainerConfigError", "CreateContainerError", "RunContainerError"];
/// Time after a pod's deadline at which it should have ended.
const OVERDUE: SignedDuration = SignedDuration::from_secs(25);
/// Reasons of a pod whose machine does not answer.
const UNKNOWN: &[&str] = &["NodeLost", "NodeStatusUnknown"];
/// Reasons that a terminated container has when its program never ran.
const NEVER_RAN: &[&str] = &["StartError", "ContainerCannotRun"];

/// What a pod does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum PodState {
    /// Waits to be let go.
    Gated,
    /// Is on its way; what it waits for, where that is known.
    Starting(Option<String>),
    /// Waits for the product's program.
    NeedsProgram,
    /// Runs.
    Running,
    /// Its machine does not answer.
    Stranded(String),
    /// Cannot run as it is: no image.
    NoImage(String),
    /// Cannot run as it is: the container could not be made or its program not be started.
    NoStart(String),
    /// Ended, or ends again and again.
    Ended {
        status: Option<i64>,
        out_of_memory: bool,
        /// The cluster's reason, where it is not the program's own end.
        reason: Option<String>,
    },
}

/// What is known of a pod's own container.
pub(crate) fn main_status(pod: &Pod) -> Option<&ContainerStatus> {
    pod.status.as_ref()?.container_statuses.iter().flatten().find(|one| one.name == MAIN)
}

/// Reads a pod.
pub(crate) fn of_pod(pod: &Pod) -> PodState {
    let status = pod.status.clone().unwrap_or_default();
    if pod
        .spec
        .as_ref()
        .is_some_and(|spec| spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty()))
    {
        return PodState::Gated;
    }
    let main = main_status(pod);
    let now = main.and_then(|main| main.state.clone()).unwrap_or_default();
    if let Some(ended) = &now.terminated {
        let reason = ended.reason.clone().unwrap_or_default();
        if NEVER_RAN.contains(&reason.as_str()) {
            return PodState::NoStart(ended.message.clone().unwrap_or(reason));
        }
        return ended_with(&now, pod);
    }
    if matches!(status.phase.as_deref(), Some("Failed" | "Succeeded")) {
        let reason = [status.reason, status.message].into_iter().flatten().collect::<Vec<_>>().join(": ");
        return PodState::Ended { status: None, out_of_memory: false, reason: Some(reason) };
    }
    if let Some(why) = stranded(pod, now.running.is_some()) {
        return PodState::Stranded(why);
    }
    if now.running.is_some() {
        return PodState::Running;
    }
    let init = status.init_container_statuses.iter().flatten();
    if let Some(problem) = init.clone().chain(main).find_map(problem) {
        return problem;
    }
    if main.is_some_and(is_crash_loop) {
        let last = main.and_then(|main| main.last_state.clone()).unwrap_or_default();
        return ended_with(&last, pod);
    }
    let needs_program = init.clone().any(|one| {
        one.name == names::AGENT && one.state.as_ref().is_some_and(|state| state.running.is_some())
    });
    if needs_program {
        return PodState::NeedsProgram;
    }
    PodState::Starting(waits_for(pod))
}

/// What is known of a machine that does not answer. The cluster leaves what the machine said last of a pod as it was,
/// but for its readiness, which loses no reason: no program was found not to be ready.
fn stranded(pod: &Pod, runs: bool) -> Option<String> {
    let node = pod.spec.as_ref()?.node_name.as_ref()?;
    let status = pod.status.as_ref()?;
    let is_unknown = |reason: &Option<String>| reason.as_deref().is_some_and(|one| UNKNOWN.contains(&one));
    let ready = status.conditions.iter().flatten().find(|one| one.type_ == "Ready");
    let silent = ready.filter(|ready| {
        let unsaid = ready.reason.as_deref().unwrap_or_default().is_empty();
        ready.status != "True" && (is_unknown(&ready.reason) || runs && unsaid)
    });
    if let Some(ready) = silent {
        let since = ready.last_transition_time.as_ref().map(|time| time.0.strftime("%H:%M UTC").to_string());
        let since = since.map(|since| format!(" since {since}")).unwrap_or_default();
        return Some(format!(
            "The machine {node} has not answered{since}: whether it still runs is not known."
        ));
    }
    let deadline = pod.metadata.deletion_timestamp.as_ref().map(|time| time.0);
    let overdue = deadline.is_some_and(|deadline| Timestamp::now().duration_since(deadline) >= OVERDUE);
    (overdue || is_unknown(&status.reason)).then(|| {
        format!("The machine {node} does not confirm that it ended: whether it still runs is not known.")
    })
}

fn ended_with(state: &PodContainerState, pod: &Pod) -> PodState {
    let ended = state.terminated.clone().unwrap_or_default();
    let reason = ended.reason.unwrap_or_default();
    let of_pod = pod.status.as_ref().and_then(|status| status.reason.clone());
    PodState::Ended {
        status: Some(i64::from(ended.exit_code)),
        out_of_memory: reason == "OOMKilled",
        reason: of_pod
            .or((!matches!(reason.as_str(), "Completed" | "Error" | "OOMKilled" | "")).then_some(reason)),
    }
}

fn is_crash_loop(status: &ContainerStatus) -> bool {
    waiting(status).is_some_and(|(reason, _)| reason == "CrashLoopBackOff")
}

fn waiting(status: &ContainerStatus) -> Option<(String, String)> {
    let waiting = status.state.as_ref()?.waiting.as_ref()?;
    Some((waiting.reason.clone().unwrap_or_default(), waiting.message.clone().unwrap_or_default()))
}

fn problem(status: &ContainerStatus) -> Option<PodState> {
    let (reason, message) = waiting(status)?;
    let text = if message.is_empty() { reason.clone() } else { message };
    if NO_IMAGE.contains(&reason.as_str()) {
        let text = if text.contains(&status.image) { text } else { format!("{}: {text}", status.image) };
        return Some(PodState::NoImage(text));
    }
    if NO_START.contains(&reason.as_str()) {
        return Some(PodState::NoStart(text));
    }
    // Its own program comes to an end again and again before the container's could begin.
    if status.name == names::AGENT && reason == "CrashLoopBackOff" {
        return Some(PodState::NoStart(format!("the image {} does not bring the agent", status.image)));
    }
    None
}

/// What a pod that does not run yet waits for: a machine.
fn waits_for(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let unplaced =
        status.conditions.iter().flatten().find(|one| one.type_ == "PodScheduled" && one.status == "False");
    unplaced?.message.clone()
}

/// A container's state: that of its pod, where it has one.
pub(crate) fn of_container(set: Option<&StatefulSet>, pod: Option<&Pod>) -> (ContainerState, PodState) {
    let wanted = set.is_none_or(|set| replicas(set) > 0);
    let was_started = set.is_none_or(|set| set.annotations().contains_key(STARTED));
    let state = pod.map(of_pod);
    let leaving = pod.is_some_and(|pod| pod.metadata.deletion_timestamp.is_some());
    let kept = pod.is_some_and(|pod| pod.finalizers().iter().any(|one| one == KEEP));
    let resting = if was_started { ContainerState::Exited } else { ContainerState::Created };
    let container = match &state {
        None if wanted => ContainerState::Starting,
        None => resting,
        Some(PodState::Gated) => ContainerState::Created,
        Some(PodState::Running) => ContainerState::Running,
        Some(PodState::Stranded(_)) => ContainerState::Stranded,
        // A StatefulSet's pod comes again; a bare one has ended for good.
        Some(PodState::Ended { .. }) if set.is_some() && wanted => ContainerState::Starting,
        Some(PodState::Ended { .. }) => ContainerState::Exited,
        Some(_) if leaving && kept => ContainerState::Exited,
        Some(_) => ContainerState::Starting,
    };
    (container, state.unwrap_or(PodState::Starting(None)))
}

pub(crate) fn replicas(set: &StatefulSet) -> i32 {
    set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
}

/// Everything that is known of a container.
pub(crate) fn details(set: Option<&StatefulSet>, pod: Option<&Pod>) -> Option<ContainerDetails> {
    let meta = set.map(|set| &set.metadata).or(pod.map(|pod| &pod.metadata))?;
    let template = set.and_then(|set| set.spec.as_ref()).and_then(|spec| spec.template.spec.as_ref());
    let spec: &PodSpec = pod.and_then(|pod| pod.spec.as_ref()).or(template)?;
    let main = spec.containers.iter().find(|container| container.name == MAIN)?;
    let (state, of_pod) = of_container(set, pod);
    let (exit_status, out_of_memory, reason) = match of_pod {
        PodState::Ended { status, out_of_memory, reason } if state == ContainerState::Starting => {
            (None, out_of_memory, Some(started_again(status, out_of_memory, reason)))
        }
        PodState::Ended { status, out_of_memory, reason } => (status, out_of_memory, reason),
        PodState::Starting(reason) => (None, false, reason),
        PodState::NoImage(why) | PodState::NoStart(why) | PodState::Stranded(why) => (None, false, Some(why)),
        PodState::Gated | PodState::NeedsProgram | PodState::Running => (None, false, None),
    };
    let status = pod.and_then(main_status);
    let running = status.and_then(|status| status.state.as_ref()).and_then(|state| state.running.as_ref());
    let name = meta.name.clone().unwrap_or_default();
    Some(ContainerDetails {
        id: ContainerId::new(name.clone()),
        name,
        image: status.map(|status| status.image_id.clone()).unwrap_or_default(),
        image_reference: main.image.clone().unwrap_or_default(),
        working_directory: main.working_dir.clone().unwrap_or_default(),
        state,
        exit_status: exit_status.filter(|_| state == ContainerState::Exited),
        out_of_memory,
        pid: None,
        started_at: running
            .and_then(|running| running.started_at.as_ref())
            .map(|time| time.0.to_string())
            .unwrap_or_default(),
        labels: names::labels_of(meta),
        user: user(spec),
        ports: Vec::new(),
        reason: reason.filter(|_| state != ContainerState::Running),
    })
}

/// Why a container that the cluster starts again ended.
fn started_again(status: Option<i64>, out_of_memory: bool, reason: Option<String>) -> String {
    let ended = match (reason, out_of_memory, status) {
        (Some(reason), ..) => format!("It ended ({reason})"),
        (None, true, _) => "It used more memory than its limit".to_owned(),
        (None, false, Some(status)) => format!("It ended with status {status}"),
        (None, false, None) => "It ended".to_owned(),
    };
    format!("{ended}; the cluster starts it again.")
}

fn user(spec: &PodSpec) -> String {
    let Some(context) = &spec.security_context else { return String::new() };
    match (context.run_as_user, context.run_as_group) {
        (Some(uid), Some(gid)) => format!("{uid}:{gid}"),
        (Some(uid), None) => uid.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use serde_json::{Value, json};

    fn pod(status: Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": { "name": "w-0" },
            "spec": { "containers": [{ "name": MAIN, "image": "i" }] },
            "status": status,
        }))
        .unwrap()
    }

    fn waiting(reason: &str, message: &str) -> Pod {
        pod(json!({ "phase": "Pending", "containerStatuses": [{
            "name": MAIN, "image": "i", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "waiting": { "reason": reason, "message": message } },
        }] }))
    }

    #[test]
    fn the_clusters_own_reason_is_told() {
        let unplaced = pod(json!({ "phase": "Pending", "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient memory.",
        }] }));
        assert_eq!(
            of_pod(&unplaced),
            PodState::Starting(Some("0/3 nodes are available: 3 Insufficient memory.".into()))
        );
        let missing = waiting("ErrImagePull", "i: not found");
        assert_eq!(of_pod(&missing), PodState::NoImage("i: not found".into()));
        assert_eq!(of_pod(&waiting("ImagePullBackOff", "")), PodState::NoImage("i: ImagePullBackOff".into()));
        let refused = waiting("CreateContainerConfigError", "secret \"w\" not found");
        assert_eq!(of_pod(&refused), PodState::NoStart("secret \"w\" not found".into()));
        assert_eq!(of_pod(&waiting("ContainerCreating", "")), PodState::Starting(None));
    }

    #[test]
    fn an_end_is_told_with_its_status() {
        let ended = |state: Value| {
            of_pod(&pod(json!({ "phase": "Failed", "containerStatuses": [{
                "name": MAIN, "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state,
            }] })))
        };
        let killed = ended(json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } }));
        assert_eq!(killed, PodState::Ended { status: Some(137), out_of_memory: true, reason: None });
        let missing = ended(json!({ "terminated": {
            "exitCode": 128, "reason": "StartError", "message": "exec: \"/no\": no such file or directory",
        } }));
        assert_eq!(missing, PodState::NoStart("exec: \"/no\": no such file or directory".into()));
        let evicted =
            of_pod(&pod(json!({ "phase": "Failed", "reason": "Evicted", "message": "low on disk" })));
        assert_eq!(
            evicted,
            PodState::Ended {
                status: None,
                out_of_memory: false,
                reason: Some("Evicted: low on disk".into())
            }
        );
    }

    #[test]
    fn a_machine_that_does_not_answer_leaves_its_pod_stranded() {
        let of = |ready: Value, deadline: Option<Timestamp>, reason: Option<&str>| {
            let mut pod = pod(json!({ "phase": "Running", "reason": reason, "conditions": [ready],
                "containerStatuses": [{
                    "name": MAIN, "image": "i", "imageID": "", "ready": true, "restartCount": 0,
                    "state": { "running": {} },
                }],
            }));
            pod.spec.as_mut().unwrap().node_name = Some("node-1".into());
            pod.metadata.deletion_timestamp = deadline.map(Time);
            pod
        };
        let ready = json!({ "type": "Ready", "status": "True" });
        let silent =
            json!({ "type": "Ready", "status": "False", "lastTransitionTime": "2026-01-02T03:04:05Z" });
        let PodState::Stranded(why) = of_pod(&of(silent.clone(), None, None)) else {
            panic!("it is stranded")
        };
        assert!(why.contains("The machine node-1 has not answered since 03:04 UTC"), "{why}");
        let probed = json!({ "type": "Ready", "status": "False", "reason": "ContainersNotReady" });
        assert_eq!(of_pod(&of(probed, None, None)), PodState::Running);
        assert_eq!(of_pod(&of(ready.clone(), Some(Timestamp::now()), None)), PodState::Running);
        let late = Timestamp::now() - OVERDUE * 2;
        let overdue = of(ready.clone(), Some(late), None);
        assert!(matches!(of_pod(&overdue), PodState::Stranded(_)));
        assert_eq!(details(None, Some(&overdue)).unwrap().state, ContainerState::Stranded);
        assert!(matches!(of_pod(&of(ready, None, Some("NodeLost"))), PodState::Stranded(_)));
        let mut ended = of(silent, Some(late), None);
        ended.status.as_mut().unwrap().phase = Some("Failed".into());
        assert!(matches!(of_pod(&ended), PodState::Ended { .. }), "its end is known");
    }

    #[test]
    fn a_set_without_a_pod_rests_or_starts() {
        let set = |replicas: i32, started: bool| -> StatefulSet {
            let annotations = if started { json!({ STARTED: "true" }) } else { json!({}) };
            serde_json::from_value(json!({
                "metadata": { "name": "w", "annotations": annotations },
                "spec": { "replicas": replicas, "selector": {}, "template": {}, "serviceName": "w" },
            }))
            .unwrap()
        };
        let state = |set: &StatefulSet| of_container(Some(set), None).0;
        assert_eq!(state(&set(0, false)), ContainerState::Created);
        assert_eq!(state(&set(0, true)), ContainerState::Exited);
        assert_eq!(state(&set(1, true)), ContainerState::Starting);
        let crashed = pod(json!({ "phase": "Running", "containerStatuses": [{
            "name": MAIN, "image": "i", "imageID": "", "ready": false, "restartCount": 3,
            "state": { "waiting": { "reason": "CrashLoopBackOff" } },
            "lastState": { "terminated": { "exitCode": 3, "reason": "Error" } },
        }] }));
        let details = details(Some(&set(1, true)), Some(&crashed)).unwrap();
        assert_eq!(details.state, ContainerState::Starting, "it comes again");
        assert_eq!(details.reason.as_deref(), Some("It ended with status 3; the cluster starts it again."));
        assert_eq!(of_container(Some(&set(0, true)), Some(&crashed)).0, ContainerState::Exited);
    }
}
