//! Names and labels of objects.
//!
//! Labels of the trait may have any value, Kubernetes' own may not: all of them are kept word for word in one
//! annotation, and those that Kubernetes takes are labels, too, so that it can select by them.

use aicockpit_engine::{EngineError, Result};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// Our field manager, and the value of [`MANAGED_BY`].
pub(crate) const MANAGER: &str = "aicockpit";
/// Label of every object of ours.
pub(crate) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Label of a container's pod: the container's name.
pub(crate) const CONTAINER: &str = "aicockpit.dev/container";
/// Label of a pod in a network: the network's name.
pub(crate) const NETWORK: &str = "aicockpit.dev/network";
/// Annotation: the trait's labels, a JSON object.
pub(crate) const LABELS: &str = "aicockpit.dev/labels";
/// Annotation: the container was started at least once.
pub(crate) const STARTED: &str = "aicockpit.dev/started";
/// Annotation of a pod: the file name of the product's program that it waits for.
pub(crate) const PROGRAM: &str = "aicockpit.dev/program";
/// Annotation of a StatefulSet: the merge patch that takes the settings' pod template out of its own again.
pub(crate) const UNDO: &str = "aicockpit.dev/undo-template";
/// Finalizer that keeps a stopped pod's exit status until it is removed.
pub(crate) const KEEP: &str = "aicockpit.dev/exit-status";
/// Name of a workspace's container within its pod.
pub(crate) const MAIN: &str = "workspace";
/// Name of the init container that waits for the product's program.
pub(crate) const AGENT: &str = "agent";

/// Longest value of a label, and longest name of an object that has pods.
const MAX_LABEL: usize = 63;

/// Passes a name on that an object can have.
///
/// # Errors
/// [`EngineError::NotFound`]: nothing can have such a name.
pub(crate) fn check(name: &str) -> Result<&str> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends = name.bytes().next().is_some_and(inner) && name.bytes().last().is_some_and(inner);
    if ends && name.len() <= MAX_LABEL && name.bytes().all(|b| inner(b) || b == b'-') {
        Ok(name)
    } else {
        Err(EngineError::NotFound(format!("`{}` is not a valid name in a cluster", name.escape_default())))
    }
}

/// Whether Kubernetes takes this pair for a label.
fn is_label(key: &str, value: &str) -> bool {
    let word = |text: &str| {
        let ends = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
        text.len() <= MAX_LABEL
            && ends(text.bytes().next())
            && ends(text.bytes().last())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    word(key) && (value.is_empty() || word(value))
}

/// The labels of an object: ours, those of the trait that Kubernetes takes, the settings' own.
pub(crate) fn labels(own: &[(String, String)], more: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut all = more.clone();
    all.extend(own.iter().filter(|(key, value)| is_label(key, value)).cloned());
    all.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    all
}

/// The trait's labels as the annotation's value.
pub(crate) fn annotation(own: &[(String, String)]) -> String {
    let map: BTreeMap<&str, &str> = own.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    serde_json::to_string(&map).unwrap_or_default()
}

/// The trait's labels of an object, sorted.
pub(crate) fn labels_of(meta: &ObjectMeta) -> Vec<(String, String)> {
    let text = meta.annotations.as_ref().and_then(|annotations| annotations.get(LABELS));
    let map: BTreeMap<String, String> =
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    map.into_iter().collect()
}

/// A selector for our objects that carry the labels, as far as Kubernetes can select by them.
pub(crate) fn selector(wanted: &[(&str, &str)]) -> String {
    let mut selector = format!("{MANAGED_BY}={MANAGER}");
    for (key, value) in wanted.iter().filter(|(key, value)| is_label(key, value)) {
        selector.push_str(&format!(",{key}={value}"));
    }
    selector
}

/// Whether an object carries all of the labels.
pub(crate) fn carries(meta: &ObjectMeta, wanted: &[(&str, &str)]) -> bool {
    let has = labels_of(meta);
    wanted.iter().all(|(key, value)| has.iter().any(|(k, v)| k == key && v == value))
}

/// Whether an object is ours to change and to remove.
pub(crate) fn is_ours(meta: &ObjectMeta) -> bool {
    meta.labels.as_ref().and_then(|labels| labels.get(MANAGED_BY)).is_some_and(|by| by == MANAGER)
}

/// What the name of a StatefulSet's only pod adds to its own.
const FIRST: &str = "-0";

/// The pod of a StatefulSet.
pub(crate) fn pod_of_set(name: &str) -> String {
    format!("{name}{FIRST}")
}

/// The StatefulSet that a pod would be of, by its name.
pub(crate) fn set_of_pod(pod: &str) -> Option<&str> {
    pod.strip_suffix(FIRST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_kubernetes_does_not_take_are_kept_all_the_same() {
        let own = [
            ("dev.aicockpit.workspace".to_owned(), "w-1".to_owned()),
            ("dev.aicockpit.spec".to_owned(), "{\"a\":\"ä\\n\"}".to_owned()),
            ("dev.aicockpit.name".to_owned(), "my tool".to_owned()),
        ];
        let settings = BTreeMap::from([("team".to_owned(), "blue".to_owned())]);
        let labels = labels(&own, &settings);
        assert_eq!(
            labels.into_iter().collect::<Vec<_>>(),
            [
                (MANAGED_BY.to_owned(), MANAGER.to_owned()),
                ("dev.aicockpit.workspace".to_owned(), "w-1".to_owned()),
                ("team".to_owned(), "blue".to_owned()),
            ]
        );
        let meta = ObjectMeta {
            annotations: Some(BTreeMap::from([(LABELS.to_owned(), annotation(&own))])),
            ..ObjectMeta::default()
        };
        assert!(carries(
            &meta,
            &[("dev.aicockpit.spec", "{\"a\":\"ä\\n\"}"), ("dev.aicockpit.name", "my tool")]
        ));
        assert!(!carries(&meta, &[("dev.aicockpit.name", "tool")]));
        assert_eq!(
            selector(&[("dev.aicockpit.workspace", "w-1"), ("dev.aicockpit.name", "my tool")]),
            "app.kubernetes.io/managed-by=aicockpit,dev.aicockpit.workspace=w-1"
        );
    }

    #[test]
    fn names_are_those_of_dns() {
        assert!(check("aicockpit-w1").is_ok());
        for name in ["", "-a", "a-", "A", "a.b", "a/b", "a?x", &"a".repeat(64)] {
            assert!(check(name).is_err(), "{name:?} must be refused");
        }
    }
}
