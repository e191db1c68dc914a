//! What a cluster's settings may be: what is refused here would else fail only when a workspace is made.

use super::image;
use aicockpit_protocol::engine::ClusterSettings;
use aicockpit_protocol::{ApiError, ErrorCode};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Size of a workspace's volume, GiB.
const STORAGE_GIB: RangeInclusive<u32> = 1..=65_536;
/// Longest DNS label, and longest value of a Kubernetes label.
const MAX_LABEL_LEN: usize = 63;
/// Longest name of most Kubernetes objects.
const MAX_NAME_LEN: usize = 253;
/// Labels that AiCockpit gives its own meaning.
const OWN_LABELS: &str = "dev.aicockpit";

/// Refuses settings that no cluster takes.
///
/// # Errors
/// [`ErrorCode::InvalidArgument`], naming the context, the setting and what it may be.
pub(super) fn check(context: &str, cluster: &ClusterSettings) -> Result<(), ApiError> {
    let refused = |what: String, hint: &str| {
        let message = format!("The settings of the cluster “{context}” cannot be used: {what}.");
        Err(ApiError::new(ErrorCode::InvalidArgument, message).hint(hint))
    };
    if !STORAGE_GIB.contains(&cluster.storage_gib) {
        let what = format!("{} GiB is no size for a volume", cluster.storage_gib);
        return refused(what, "Choose a size from 1 to 65536 GiB.");
    }
    image(&cluster.base_image)?;
    cluster.agent_image.as_deref().map(image).transpose()?;
    if let Some(namespace) = cluster.namespace.as_ref().filter(|name| !is_dns_label(name)) {
        let what = format!("“{}” is no name of a namespace", namespace.escape_debug());
        return refused(what, "Use at most 63 lower-case letters, digits and hyphens, or leave it out.");
    }
    let names = [
        ("storage class", &cluster.storage_class),
        ("runtime class", &cluster.runtime_class),
        ("secret", &cluster.pull_secret),
        ("service account", &cluster.service_account),
    ];
    for (kind, name) in names {
        if let Some(name) = name.as_ref().filter(|name| !is_object_name(name)) {
            let what = format!("“{}” is no name of a {kind}", name.escape_debug());
            return refused(what, "Use lower-case letters, digits, hyphens and dots, or leave it out.");
        }
    }
    if let Some(label) = wrong_label(&cluster.node_selector).or_else(|| wrong_label(&cluster.labels)) {
        let what = format!("“{}” cannot be a label", label.escape_debug());
        return refused(what, "Give a label's name and value as `kubectl label` takes them.");
    }
    if let Some(label) = cluster.labels.keys().find(|label| label.starts_with(OWN_LABELS)) {
        return refused(format!("“{label}” is AiCockpit's own label"), "Choose another name for it.");
    }
    if !is_label_name(&cluster.gpu_resource) {
        let what = format!("“{}” is no name of a resource", cluster.gpu_resource.escape_debug());
        return refused(what, "Give it as a pod's limits name it, for instance nvidia.com/gpu.");
    }
    if cluster.tolerations.iter().any(|toleration| !toleration.is_object()) {
        return refused("a toleration is not an object".to_owned(), "Give each as in a pod's specification.");
    }
    if cluster.pod_template.as_ref().is_some_and(|template| !template.is_object()) {
        let what = "what is added to the pods' specification is not an object".to_owned();
        return refused(what, "Give it as the `spec` of a pod, as JSON, or leave it out.");
    }
    Ok(())
}

fn is_dns_label(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_LABEL_LEN).contains(&name.len())
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// A DNS subdomain: labels between dots.
fn is_object_name(name: &str) -> bool {
    name.len() <= MAX_NAME_LEN && name.split('.').all(is_dns_label)
}

/// Letters, digits and `-_.`, a letter or digit at both ends.
fn is_label_text(text: &str) -> bool {
    let at_end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    text.len() <= MAX_LABEL_LEN
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        && at_end(text.bytes().next())
        && at_end(text.bytes().last())
}

fn is_label_name(name: &str) -> bool {
    match name.split_once('/') {
        Some((prefix, name)) => is_object_name(prefix) && is_label_text(name),
        None => is_label_text(name),
    }
}

fn wrong_label(labels: &BTreeMap<String, String>) -> Option<&str> {
    let is_right = |(name, value): &(&String, &String)| {
        is_label_name(name) && (value.is_empty() || is_label_text(value))
    };
    labels.iter().find(|label| !is_right(label)).map(|(name, _)| name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn with(change: impl FnOnce(&mut ClusterSettings)) -> Result<(), ApiError> {
        let mut cluster = ClusterSettings::default();
        change(&mut cluster);
        check("staging", &cluster)
    }

    fn pair(name: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn what_a_cluster_takes_passes() {
        with(|_| {}).unwrap();
        with(|cluster| {
            cluster.namespace = Some("team-1".to_owned());
            cluster.agent_image = Some("registry.example:5000/agent@sha256:00".to_owned());
            cluster.storage_class = Some("fast.example".to_owned());
            cluster.storage_gib = 65_536;
            cluster.node_selector = pair("kubernetes.io/arch", "amd64");
            cluster.labels = pair("team", "");
            cluster.tolerations = vec![json!({"operator": "Exists"})];
            cluster.pod_template = Some(json!({"priorityClassName": "low"}));
        })
        .unwrap();
    }

    #[test]
    fn what_no_cluster_takes_is_refused_with_its_name_and_a_way_out() {
        type Change = fn(&mut ClusterSettings);
        let cases: [(&str, Change); 13] = [
            ("0 GiB", |cluster| cluster.storage_gib = 0),
            ("65537 GiB", |cluster| cluster.storage_gib = 65_537),
            ("not the name of an image", |cluster| cluster.base_image = String::new()),
            ("not the name of an image", |cluster| cluster.agent_image = Some("a b".to_owned())),
            ("namespace", |cluster| cluster.namespace = Some(String::new())),
            ("Team", |cluster| cluster.namespace = Some("Team".to_owned())),
            ("a.b", |cluster| cluster.namespace = Some("a.b".to_owned())),
            ("service account", |cluster| cluster.service_account = Some("-x".to_owned())),
            ("a b", |cluster| cluster.node_selector = pair("a b", "c")),
            ("dev.aicockpit.owner", |cluster| cluster.labels = pair("dev.aicockpit.owner", "me")),
            ("resource", |cluster| cluster.gpu_resource = String::new()),
            ("toleration", |cluster| cluster.tolerations = vec![json!("all")]),
            ("specification", |cluster| cluster.pod_template = Some(json!([]))),
        ];
        for (words, change) in cases {
            let error = with(change).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidArgument, "{words}");
            assert!(error.message.contains(words) && error.hint.is_some(), "{words}: {error:?}");
        }
    }
}
