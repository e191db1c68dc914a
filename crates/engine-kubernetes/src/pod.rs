//! From a container's description to a pod's.

use crate::error::found;
use crate::names::{self, AGENT, CONTAINER, LABELS, MAIN, NETWORK, PROGRAM};
use crate::placement::{bringing, place};
use crate::{KubernetesEngine, networks};
use aicockpit_engine::{ContainerSpec, EngineError, Mount, MountSource, Program, Result};
use aicockpit_protocol::engine::ClusterSettings;
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Time an object that was deleted has to be gone.
pub(crate) const GONE_WITHIN: Duration = Duration::from_secs(60);
/// Seconds that a pod's programs have at the end of it, where nobody says otherwise.
const GRACE_SECONDS: u64 = 10;
/// What a pod asks for beside its limits, so that it is placed by what it needs and not by what it may use.
const REQUESTED_MEMORY: u64 = 256 << 20;
const REQUESTED_MILLIS: u64 = 100;
/// The longest file that a secret is trusted with.
const MAX_FILE: usize = 512 * 1024;
/// Waits for the product's program, which comes through the API.
pub(crate) const WAIT: &str = "until [ -x \"$1\" ]; do sleep 0.05; done";

/// A pod's metadata, specification, and what its secret holds.
pub(crate) struct PodTemplate {
    pub(crate) metadata: Value,
    pub(crate) spec: Value,
    /// Empty where it needs no secret.
    pub(crate) secret: Map<String, Value>,
    /// What takes the settings' own pod template out of the specification again.
    pub(crate) undo: Option<Value>,
}

/// The file of the product's program in a container that mounts it at `target`.
pub(crate) fn program_path(target: &str, file_name: &str) -> String {
    format!("{}/{file_name}", target.trim_end_matches('/'))
}

/// # Errors
/// [`EngineError::Unsupported`] for what a pod cannot have.
pub(crate) fn template(
    spec: &ContainerSpec,
    settings: &ClusterSettings,
    program: Option<&Program>,
) -> Result<PodTemplate> {
    check(spec)?;
    let mut parts = Parts::default();
    for (index, mount) in spec.mounts.iter().enumerate() {
        parts.add(index, mount, &spec.name, settings, program)?;
    }
    let (uid, gid) = user(spec.user.as_deref())?;
    let env: Map<String, Value> = spec.env.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let resources = resources(spec, settings);
    let mut main = json!({
        "name": MAIN,
        "image": spec.image,
        "imagePullPolicy": "IfNotPresent",
        "resources": resources,
        "volumeMounts": parts.mounts,
        "securityContext": {
            "allowPrivilegeEscalation": !spec.no_new_privileges,
            "readOnlyRootFilesystem": spec.read_only_root,
            "capabilities": { "drop": ["ALL"], "add": spec.capabilities },
        },
    });
    set(&mut main, "command", spec.entrypoint.as_ref().map(|parts| json!(parts)));
    set(&mut main, "args", spec.command.as_ref().map(|parts| json!(parts)));
    set(&mut main, "workingDir", spec.working_directory.as_ref().map(|path| json!(path)));
    if !env.is_empty() {
        main["envFrom"] = json!([{ "secretRef": { "name": spec.name } }]);
    }
    for init in &mut parts.init {
        init["resources"] = resources.clone();
    }
    let mut security = json!({ "seccompProfile": { "type": "RuntimeDefault" } });
    set(&mut security, "runAsUser", uid.map(|uid| json!(uid)));
    set(&mut security, "runAsGroup", gid.map(|gid| json!(gid)));
    set(&mut security, "runAsNonRoot", uid.filter(|uid| *uid != 0).map(|_| json!(true)));
    if let Some(gid) = gid.filter(|gid| *gid != 0) {
        security["fsGroup"] = json!(gid);
        security["fsGroupChangePolicy"] = json!("OnRootMismatch");
    }
    let mut pod = json!({
        "containers": [main],
        "initContainers": parts.init,
        "volumes": parts.volumes,
        "securityContext": security,
        "restartPolicy": if spec.self_healing { "Always" } else { "Never" },
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
    });
    set(&mut pod, "hostname", spec.hostname.as_ref().map(|name| json!(name)));
    let undo = place(&mut pod, settings);
    let mut secret = env;
    secret.extend(parts.files);
    Ok(PodTemplate { metadata: metadata(spec, settings, &parts.program), spec: pod, secret, undo })
}

fn metadata(spec: &ContainerSpec, settings: &ClusterSettings, program: &Option<String>) -> Value {
    let mut labels = names::labels(&spec.labels, &settings.labels);
    labels.insert(CONTAINER.to_owned(), spec.name.clone());
    let network = spec.network.clone().unwrap_or_else(|| networks::none_of(&spec.name));
    labels.insert(NETWORK.to_owned(), network);
    let mut annotations = BTreeMap::from([(LABELS.to_owned(), names::annotation(&spec.labels))]);
    if let Some(program) = program {
        annotations.insert(PROGRAM.to_owned(), program.clone());
    }
    json!({ "labels": labels, "annotations": annotations })
}

fn check(spec: &ContainerSpec) -> Result<()> {
    let cannot = |what: &str| Err(EngineError::Unsupported(what.to_owned()));
    if !spec.ports.is_empty() {
        return cannot("a cluster publishes no port on this machine; forwarded ports work on every engine");
    }
    if spec.keep_id.is_some() {
        return cannot("a cluster does not map users");
    }
    if let Some((name, _)) = spec.env.iter().find(|(name, _)| !is_key(name)) {
        return cannot(&format!("a variable cannot be called {name:?} in a cluster"));
    }
    Ok(())
}

/// Whether a secret can have such a key.
fn is_key(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn user(user: Option<&str>) -> Result<(Option<u32>, Option<u32>)> {
    let Some(user) = user else { return Ok((None, None)) };
    let (uid, gid) = user.split_once(':').unwrap_or((user, user));
    let number = |text: &str| {
        text.parse::<u32>().map(Some).map_err(|_| {
            EngineError::Unsupported(format!("a cluster takes users by number only, not `{user}`"))
        })
    };
    Ok((number(uid)?, number(gid)?))
}

fn resources(spec: &ContainerSpec, settings: &ClusterSettings) -> Value {
    let (mut limits, mut requests) = (json!({}), json!({}));
    if let Some(bytes) = spec.memory_bytes {
        limits["memory"] = json!(bytes.to_string());
        requests["memory"] = json!(bytes.min(REQUESTED_MEMORY).to_string());
    }
    if let Some(millis) = spec.cpu_millis {
        limits["cpu"] = json!(format!("{millis}m"));
        requests["cpu"] = json!(format!("{}m", millis.min(REQUESTED_MILLIS)));
    }
    if spec.gpu {
        limits[&settings.gpu_resource] = json!("1");
    }
    json!({ "limits": limits, "requests": requests })
}

/// Gives an object a field, or takes it away.
pub(crate) fn set(target: &mut Value, key: &str, value: Option<Value>) {
    match (value, target.as_object_mut()) {
        (Some(value), Some(object)) => drop(object.insert(key.to_owned(), value)),
        (None, Some(object)) => drop(object.remove(key)),
        (_, None) => {}
    }
}

/// What the mounts of a container become.
#[derive(Default)]
struct Parts {
    volumes: Vec<Value>,
    mounts: Vec<Value>,
    init: Vec<Value>,
    files: Map<String, Value>,
    program: Option<String>,
}

impl Parts {
    fn add(
        &mut self,
        index: usize,
        mount: &Mount,
        container: &str,
        settings: &ClusterSettings,
        program: Option<&Program>,
    ) -> Result<()> {
        let name = format!("mount-{index}");
        let mut at = json!({ "name": name, "mountPath": mount.target, "readOnly": mount.read_only });
        match &mount.source {
            MountSource::Volume(claim) => {
                at["name"] = json!(self.claim(claim));
            }
            MountSource::VolumeFolder { volume, folder } => {
                at["name"] = json!(self.claim(volume));
                at["subPath"] = json!(folder);
            }
            MountSource::Tmpfs(bytes) => {
                let memory = json!({ "medium": "Memory", "sizeLimit": bytes.to_string() });
                self.volumes.push(json!({ "name": name, "emptyDir": memory }));
            }
            MountSource::Program => {
                let program = program.ok_or_else(|| {
                    EngineError::Unsupported("there is no program to bring into the container".to_owned())
                })?;
                let path = program_path(&mount.target, &program.file_name);
                self.volumes.push(json!({ "name": name, "emptyDir": {} }));
                self.init.push(agent(settings, &name, &mount.target, &path));
                // A newer one may have to come while the pod lives.
                at["readOnly"] = json!(false);
                self.program = Some(path);
            }
            MountSource::File(content) => {
                if content.len() > MAX_FILE {
                    return Err(EngineError::Unsupported(format!(
                        "{} is larger than the {MAX_FILE} bytes that a secret is trusted with",
                        mount.target
                    )));
                }
                let key = format!("file-{index}");
                let text = std::str::from_utf8(content)
                    .map_err(|_| EngineError::Unsupported(format!("{} is not text", mount.target)))?;
                self.files.insert(key.clone(), json!(text));
                let items = json!([{ "key": key, "path": key }]);
                let secret = json!({ "secretName": container, "items": items, "defaultMode": 0o444 });
                self.volumes.push(json!({ "name": name, "secret": secret }));
                (at["subPath"], at["readOnly"]) = (json!(key), json!(true));
            }
            MountSource::Bind(path) => {
                return Err(EngineError::Unsupported(format!(
                    "a cluster does not see this machine's folders, so not {path}"
                )));
            }
        }
        self.mounts.push(at);
        Ok(())
    }

    /// The pod's volume of a claim; one for all mounts of it.
    fn claim(&mut self, claim: &str) -> String {
        let source = json!({ "claimName": claim });
        let known = self.volumes.iter().find(|volume| volume["persistentVolumeClaim"] == source);
        if let Some(name) = known.and_then(|volume| volume["name"].as_str()) {
            return name.to_owned();
        }
        let name = format!("claim-{}", self.volumes.len());
        self.volumes.push(json!({ "name": name, "persistentVolumeClaim": source }));
        name
    }
}

/// The init container after which the program is there.
fn agent(settings: &ClusterSettings, volume: &str, target: &str, path: &str) -> Value {
    let (image, command) = bringing(settings, path);
    json!({
        "name": AGENT,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "volumeMounts": [{ "name": volume, "mountPath": target }],
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        },
    })
}

impl KubernetesEngine {
    /// What a container becomes under the settings of now.
    pub(crate) fn pod_template(&self, spec: &ContainerSpec) -> Result<PodTemplate> {
        template(spec, &self.settings(), self.surroundings.program.as_ref())
    }
}

/// Waits until an object that is being deleted is gone.
pub(crate) async fn gone<K>(api: &Api<K>, name: &str, within: Duration) -> Result<()>
where
    K: Resource + Clone + std::fmt::Debug + DeserializeOwned + Send + 'static,
    K::DynamicType: Default,
{
    let Some(object) = found(api.get(name).await)? else { return Ok(()) };
    let uid = object.uid().unwrap_or_default();
    let gone = await_condition(api.clone(), name, conditions::is_deleted(&uid));
    match tokio::time::timeout(within, gone).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(EngineError::Unavailable(error.to_string())),
        Err(_) => Err(EngineError::TimedOut(format!("{name} is still being deleted after {within:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn program() -> Program {
        Program { file_name: "agent-1".to_owned(), path: "/x".into(), len: 1 }
    }

    fn mount(target: &str, source: MountSource) -> Mount {
        Mount { target: target.to_owned(), read_only: false, source }
    }

    #[test]
    fn one_claim_serves_several_folders() {
        let folder = |folder: &str| MountSource::VolumeFolder { volume: "w".into(), folder: folder.into() };
        let spec = ContainerSpec {
            name: "w".into(),
            mounts: vec![
                mount("/.aicockpit", MountSource::Program),
                mount("/workspace", folder("workspace")),
                mount("/home/dev", folder("home")),
                mount("/etc/ca.crt", MountSource::File(Bytes::from_static(b"CA"))),
            ],
            env: vec![("A".into(), "b".into())],
            user: Some("1000:1000".into()),
            ..ContainerSpec::default()
        };
        let settings = ClusterSettings::default();
        let template = template(&spec, &settings, Some(&program())).unwrap();
        let claims: Vec<_> = template.spec["volumes"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|volume| volume["persistentVolumeClaim"]["claimName"] == "w")
            .collect();
        assert_eq!(claims.len(), 1, "{}", template.spec);
        let main = &template.spec["containers"][0];
        assert_eq!(main["volumeMounts"][1]["subPath"], "workspace");
        assert_eq!(main["volumeMounts"][1]["name"], main["volumeMounts"][2]["name"]);
        assert_eq!(template.secret["A"], "b");
        assert_eq!(template.secret["file-3"], "CA");
        assert_eq!(template.metadata["annotations"][PROGRAM], "/.aicockpit/agent-1");
        assert_eq!(template.spec["initContainers"][0]["command"][4], "/.aicockpit/agent-1");
        assert_eq!(template.metadata["labels"][NETWORK], "w-none", "no network asked for: none given");
    }

    #[test]
    fn what_a_pod_cannot_have_is_declined_by_name() {
        let bind = ContainerSpec {
            mounts: vec![mount("/x", MountSource::Bind("/home/me".into()))],
            ..ContainerSpec::default()
        };
        let named = ContainerSpec { user: Some("dev".into()), ..ContainerSpec::default() };
        let variable = ContainerSpec { env: vec![("a b".into(), "c".into())], ..ContainerSpec::default() };
        for (spec, word) in [(bind, "/home/me"), (named, "dev"), (variable, "a b")] {
            let refused = template(&spec, &ClusterSettings::default(), None).err();
            assert!(
                matches!(&refused, Some(EngineError::Unsupported(why)) if why.contains(word)),
                "{word}: {refused:?}"
            );
        }
    }

    #[test]
    fn the_settings_place_the_pod_and_their_patch_has_the_last_word() {
        let settings = ClusterSettings {
            node_selector: BTreeMap::from([("disk".to_owned(), "ssd".to_owned())]),
            pull_secret: Some("registry".into()),
            runtime_class: Some(String::new()),
            pod_template: Some(json!({ "priorityClassName": "low", "enableServiceLinks": null })),
            ..ClusterSettings::default()
        };
        let pod = template(&ContainerSpec::default(), &settings, None).unwrap().spec;
        assert_eq!(pod["nodeSelector"]["disk"], "ssd");
        assert_eq!(pod["imagePullSecrets"][0]["name"], "registry");
        assert!(pod.get("runtimeClassName").is_none(), "an empty field is no field");
        assert_eq!(pod["priorityClassName"], "low");
        assert!(pod.get("enableServiceLinks").is_none());
    }
}
