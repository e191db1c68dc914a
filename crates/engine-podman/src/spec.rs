//! A container as libpod wants to be told it.

use crate::Known;
use aicockpit_engine::{ContainerSpec, Mount, MountSource};
use serde_json::{Map, Value, json};

/// The kernel's usual scheduling period, microseconds.
const CPU_PERIOD: u64 = 100_000;
/// A workspace that prints without end must not fill the engine's disk.
const LOG_BYTES: u64 = 10 << 20;

/// The body of a request to create a container.
pub(crate) fn body(spec: &ContainerSpec, known: &Known, root: bool) -> Value {
    let mut body = json!({
        "name": spec.name,
        "image": spec.image,
        "env": object(&spec.env),
        "labels": object(&spec.labels),
        "mounts": spec.mounts.iter().filter_map(mount).collect::<Vec<_>>(),
        "volumes": spec.mounts.iter().filter_map(volume).collect::<Vec<_>>(),
        "no_new_privileges": spec.no_new_privileges,
        "read_only_filesystem": spec.read_only_root,
        "resource_limits": limits(spec),
        "log_configuration": { "driver": "k8s-file", "size": LOG_BYTES },
        // Podman takes a program called `init` for systemd and mounts and signals it accordingly.
        "systemd": "false",
    });
    let (dropped, added) = capabilities(spec, known, root);
    body["cap_drop"] = json!(dropped);
    body["cap_add"] = json!(added);
    match &spec.network {
        Some(network) => {
            body["netns"] = json!({ "nsmode": "bridge" });
            body["Networks"] = json!({ network: {} });
        }
        None => body["netns"] = json!({ "nsmode": "none" }),
    }
    let ports = spec.ports.iter().map(|port| {
        json!({
            "container_port": port.container,
            "host_port": port.host.unwrap_or(0),
            "host_ip": "127.0.0.1",
            "protocol": "tcp",
        })
    });
    body["portmappings"] = ports.collect();
    let optional = [
        ("entrypoint", spec.entrypoint.as_ref().map(|parts| json!(parts))),
        ("command", spec.command.as_ref().map(|parts| json!(parts))),
        ("user", spec.user.as_ref().map(|user| json!(user))),
        ("work_dir", spec.working_directory.as_ref().map(|folder| json!(folder))),
        ("hostname", spec.hostname.as_ref().map(|name| json!(name))),
        ("devices", spec.gpu.then(|| json!([{ "path": "nvidia.com/gpu=all" }]))),
        (
            "userns",
            spec.keep_id
                .filter(|_| known.capabilities.keep_id)
                .map(|(uid, gid)| json!({ "nsmode": "keep-id", "value": format!("uid={uid},gid={gid}") })),
        ),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            body[key] = value;
        }
    }
    body
}

/// What is dropped and what is added to arrive at the spec's list. Dropping all and adding the list would come to the
/// same for root, but Podman hands what was *added* to any other user as ambient capabilities: the user would hold
/// them without sudo. So a user other than root gets nothing added, and its root lacks what Podman does not give by
/// itself.
fn capabilities(spec: &ContainerSpec, known: &Known, root: bool) -> (Vec<String>, Vec<String>) {
    let defaults = known.default_capabilities.as_deref().unwrap_or_default();
    let wanted = &spec.capabilities;
    if wanted.is_empty() {
        return (vec!["ALL".to_owned()], Vec::new());
    }
    let dropped = defaults.iter().filter(|name| !wanted.contains(name)).cloned().collect();
    let added = wanted.iter().filter(|name| root && !defaults.contains(name)).cloned().collect();
    (dropped, added)
}

fn object(pairs: &[(String, String)]) -> Value {
    pairs.iter().map(|(key, value)| (key.clone(), json!(value))).collect::<Map<_, _>>().into()
}

fn access(mount: &Mount) -> &'static str {
    if mount.read_only { "ro" } else { "rw" }
}

fn mount(mount: &Mount) -> Option<Value> {
    match &mount.source {
        MountSource::Volume(_)
        | MountSource::VolumeFolder { .. }
        | MountSource::Program
        | MountSource::File(_) => None,
        MountSource::Bind(path) => Some(json!({
            "type": "bind",
            "source": path,
            "destination": mount.target,
            "options": ["rbind", "rprivate", "nosuid", "nodev", access(mount)],
        })),
        MountSource::Tmpfs(size) => Some(json!({
            "type": "tmpfs",
            "source": "tmpfs",
            "destination": mount.target,
            "options": [
                access(mount),
                "exec",
                "nosuid",
                "nodev",
                // Else the image's files at that place are copied into memory.
                "notmpcopyup",
                "mode=1777",
                format!("size={size}"),
            ],
        })),
    }
}

fn volume(mount: &Mount) -> Option<Value> {
    let MountSource::Volume(name) = &mount.source else { return None };
    Some(json!({ "Name": name, "Dest": mount.target, "Options": [access(mount), "exec"] }))
}

fn limits(spec: &ContainerSpec) -> Value {
    let mut limits = json!({});
    if let Some(bytes) = spec.memory_bytes {
        // Memory and swap together: no swap beyond the limit.
        limits["memory"] = json!({ "limit": bytes, "swap": bytes });
    }
    if let Some(millis) = spec.cpu_millis {
        limits["cpu"] = json!({ "period": CPU_PERIOD, "quota": millis.saturating_mul(CPU_PERIOD) / 1000 });
    }
    if let Some(pids) = spec.pids {
        limits["pids"] = json!({ "limit": pids });
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_reached_from_the_engine_s_own_list() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let known =
            Known { default_capabilities: Some(names(&["CHOWN", "KILL", "SETUID"])), ..Known::default() };
        let of = |wanted: &[&str], root| {
            let spec = ContainerSpec { capabilities: names(wanted), ..ContainerSpec::default() };
            capabilities(&spec, &known, root)
        };
        assert_eq!(of(&[], true), (names(&["ALL"]), names(&[])));
        assert_eq!(of(&["CHOWN", "NET_RAW"], true), (names(&["KILL", "SETUID"]), names(&["NET_RAW"])));
        assert_eq!(of(&["CHOWN", "NET_RAW"], false), (names(&["KILL", "SETUID"]), names(&[])));
    }
}
