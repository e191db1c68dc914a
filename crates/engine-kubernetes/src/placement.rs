//! What a cluster's settings say of pods, and how that reaches a pod template that is there.

use crate::merge::{difference, merge};
use crate::names::{AGENT, PROGRAM, UNDO};
use crate::pod::{WAIT, program_path, set};
use aicockpit_engine::Program;
use aicockpit_protocol::engine::ClusterSettings;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde_json::{Value, json};

/// The product's program in an image that carries it.
const CARRIED: &str = "/aicockpit-agent";

/// Says where a pod goes and what else it has by the settings, and takes away what they say no more. What undoes the
/// settings' pod template, where they have one: nothing else tells what it was merged over.
pub(crate) fn place(pod: &mut Value, settings: &ClusterSettings) -> Option<Value> {
    let named = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
    let (selector, tolerations) = (&settings.node_selector, &settings.tolerations);
    set(pod, "nodeSelector", (!selector.is_empty()).then(|| json!(selector)));
    set(pod, "tolerations", (!tolerations.is_empty()).then(|| json!(tolerations)));
    set(pod, "runtimeClassName", named(&settings.runtime_class).map(|name| json!(name)));
    set(pod, "serviceAccountName", named(&settings.service_account).map(|name| json!(name)));
    // The cluster's own copy of that, which it goes by where that is absent.
    set(pod, "serviceAccount", None);
    set(pod, "imagePullSecrets", named(&settings.pull_secret).map(|name| json!([{ "name": name }])));
    let template = settings.pod_template.as_ref()?;
    let without = pod.clone();
    merge(pod, template);
    Some(difference(pod, &without))
}

/// The image and the command of the init container after which the program is at `path`.
pub(crate) fn bringing<'a>(settings: &'a ClusterSettings, path: &str) -> (&'a str, Value) {
    match settings.agent_image.as_deref().filter(|image| !image.is_empty()) {
        Some(image) => (image, json!([CARRIED, "install", path])),
        None => (settings.base_image.as_str(), json!(["sh", "-c", WAIT, "sh", path])),
    }
}

/// Whether a pod's own image brings the program, whatever the settings say now.
pub(crate) fn brings_itself(pod: &Pod) -> bool {
    let mut init = pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten());
    let command = init.find(|container| container.name == AGENT).and_then(|agent| agent.command.as_ref());
    command.and_then(|command| command.first()).is_some_and(|first| first == CARRIED)
}

/// The merge patch by which a StatefulSet's next pod is of the settings and the program of now. It names only what
/// changes: lists are replaced whole, and other hands may have changed the rest.
pub(crate) fn renewal(set: &StatefulSet, settings: &ClusterSettings, program: Option<&Program>) -> Value {
    let mut patch = json!({});
    let Some(template) = set.spec.as_ref().map(|spec| &spec.template) else { return patch };
    let Ok(before) = serde_json::to_value(&template.spec) else { return patch };
    let mut pod = before.clone();
    let undo = set.annotations().get(UNDO);
    if let Some(undo) = undo.and_then(|text| serde_json::from_str(text).ok()) {
        merge(&mut pod, &undo);
    }
    let annotations = template.metadata.as_ref().and_then(|metadata| metadata.annotations.as_ref());
    let older = annotations.and_then(|annotations| annotations.get(PROGRAM));
    if let (Some(older), Some(program)) = (older, program) {
        let newer = bring_anew(&mut pod, older, settings, program);
        patch["spec"]["template"]["metadata"]["annotations"][PROGRAM] = json!(newer);
    }
    let undo = place(&mut pod, settings);
    patch["metadata"]["annotations"][UNDO] = json!(undo.map(|undo| undo.to_string()));
    patch["spec"]["template"]["spec"] = difference(&before, &pod);
    patch
}

/// Names the program of now where a pod names an older one, which could not be brought any more; its path.
fn bring_anew(pod: &mut Value, older: &str, settings: &ClusterSettings, program: &Program) -> String {
    let folder = older.rsplit_once('/').map_or("", |(folder, _)| folder);
    let newer = program_path(folder, &program.file_name);
    for container in pod["initContainers"].as_array_mut().into_iter().flatten() {
        if container["name"] == AGENT {
            let (image, command) = bringing(settings, &newer);
            (container["image"], container["command"]) = (json!(image), command);
        }
    }
    for container in pod["containers"].as_array_mut().into_iter().flatten() {
        for word in container["command"].as_array_mut().into_iter().flatten() {
            if word == older {
                *word = json!(newer);
            }
        }
    }
    newer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod;
    use aicockpit_engine::{ContainerSpec, Mount, MountSource};
    use std::collections::BTreeMap;

    fn program(file_name: &str) -> Program {
        Program { file_name: file_name.to_owned(), path: "/x".into(), len: 1 }
    }

    /// What the cluster keeps of a workspace that was made under these settings.
    fn made(settings: &ClusterSettings) -> Value {
        let mount = Mount { target: "/.aicockpit".to_owned(), read_only: true, source: MountSource::Program };
        let spec = ContainerSpec {
            name: "w".into(),
            image: "i".into(),
            entrypoint: Some(vec!["/.aicockpit/agent-1".into(), "init".into()]),
            mounts: vec![mount],
            self_healing: true,
            ..ContainerSpec::default()
        };
        let template = pod::template(&spec, settings, Some(&program("agent-1"))).unwrap();
        let mut set = json!({
            "metadata": { "name": "w" },
            "spec": {
                "serviceName": "w", "selector": {},
                "template": { "metadata": template.metadata, "spec": template.spec },
            },
        });
        if let Some(undo) = template.undo {
            set["metadata"]["annotations"][UNDO] = json!(undo.to_string());
        }
        set
    }

    fn patch(set: &Value, settings: &ClusterSettings) -> Value {
        renewal(&serde_json::from_value(set.clone()).unwrap(), settings, Some(&program("agent-1")))
    }

    fn started(mut set: Value, settings: &ClusterSettings) -> Value {
        let patch = patch(&set, settings);
        merge(&mut set, &patch);
        set
    }

    fn placed() -> ClusterSettings {
        ClusterSettings {
            node_selector: BTreeMap::from([("disk".to_owned(), "ssd".to_owned())]),
            tolerations: vec![json!({ "key": "dedicated", "operator": "Exists" })],
            runtime_class: Some("gvisor".into()),
            service_account: Some("person".into()),
            pull_secret: Some("registry".into()),
            agent_image: Some("agent:1".into()),
            pod_template: Some(json!({
                "priorityClassName": "low", "enableServiceLinks": null, "nodeSelector": { "zone": "a" },
                "securityContext": { "seccompProfile": { "type": "Unconfined" } },
            })),
            ..ClusterSettings::default()
        }
    }

    #[test]
    fn settings_reach_what_is_there_and_leave_it_again() {
        let (plain, placed) = (ClusterSettings::default(), placed());
        let pod = |set: &Value| set["spec"]["template"]["spec"].clone();
        let there = started(made(&plain), &placed);
        assert_eq!(pod(&there), pod(&made(&placed)), "as one that was made so");
        assert_eq!(pod(&there)["nodeSelector"], json!({ "disk": "ssd", "zone": "a" }));
        assert_eq!(pod(&there)["securityContext"]["seccompProfile"]["type"], "Unconfined");
        assert_eq!(pod(&started(there.clone(), &plain)), pod(&made(&plain)), "nothing of it stays");
        assert_eq!(pod(&started(made(&placed), &plain)), pod(&made(&plain)));
        let other = ClusterSettings { pod_template: Some(json!({ "hostNetwork": true })), ..placed };
        assert_eq!(pod(&started(there, &other)), pod(&made(&other)));
    }

    #[test]
    fn what_stays_is_not_named() {
        for settings in [ClusterSettings::default(), placed()] {
            let patch = patch(&made(&settings), &settings);
            assert_eq!(patch["spec"]["template"]["spec"], json!({}), "{patch}");
        }
    }

    #[test]
    fn what_others_set_stays_and_the_clusters_own_copy_does_not() {
        let mut set = made(&placed());
        set["spec"]["template"]["spec"]["nodeName"] = json!("node-1");
        set["spec"]["template"]["spec"]["serviceAccount"] = json!("person");
        let pod = started(set, &ClusterSettings::default())["spec"]["template"]["spec"].clone();
        assert_eq!(pod["nodeName"], "node-1");
        assert!(pod.get("serviceAccount").is_none() && pod.get("serviceAccountName").is_none(), "{pod}");
    }

    #[test]
    fn the_program_of_now_is_brought_the_way_of_now() {
        let settings = ClusterSettings::default();
        let (carried, set) = (placed(), serde_json::from_value(made(&settings)).unwrap());
        let patch = renewal(&set, &carried, Some(&program("agent-2")));
        let template = &patch["spec"]["template"];
        assert_eq!(template["metadata"]["annotations"][PROGRAM], "/.aicockpit/agent-2");
        assert_eq!(template["spec"]["containers"][0]["command"], json!(["/.aicockpit/agent-2", "init"]));
        let agent = &template["spec"]["initContainers"][0];
        assert_eq!(agent["image"], "agent:1");
        assert_eq!(agent["command"], json!([CARRIED, "install", "/.aicockpit/agent-2"]));
        assert_eq!(agent["volumeMounts"][0]["mountPath"], "/.aicockpit", "the rest of it is kept");
        let pod = |settings: &ClusterSettings| -> Pod {
            let template = made(settings)["spec"]["template"].clone();
            serde_json::from_value(json!({ "metadata": {}, "spec": template["spec"] })).unwrap()
        };
        assert!(brings_itself(&pod(&carried)) && !brings_itself(&pod(&settings)));
    }
}
