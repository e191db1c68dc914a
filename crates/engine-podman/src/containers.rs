//! Containers: made, started, stopped, listed, filled.

use crate::error::within;
use crate::wire::{self, Call, label_filter, pairs, text};
use crate::{LONG, ORDINARY, PodmanEngine, spec};
use aicockpit_engine::{
    ContainerDetails, ContainerSpec, ContainerState, ContainerSummary, EngineError, ImageReference,
    MountSource, PortBinding, Result, check_name,
};
use aicockpit_protocol::ContainerId;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use hyper::Method;
use serde_json::Value;
use std::time::Duration;

/// Tries to remove a container: Podman gives up where a process ends that it was about to look at.
const REMOVE_TRIES: u32 = 3;

impl PodmanEngine {
    pub(crate) async fn create(&self, spec: &ContainerSpec) -> Result<ContainerId> {
        check_name(&spec.name)?;
        spec.check_mounts_of_files_at_rest()?;
        ImageReference::parse(&spec.image)?;
        let known = self.probed().await?;
        if spec.gpu && !known.capabilities.gpu {
            let message = "Podman has no description of a GPU here (nvidia-ctk cdi generate makes one)";
            return Err(EngineError::Unsupported(message.to_owned()));
        }
        let root = self.runs_as_root(spec).await?;
        let body = spec::body(spec, &known, root);
        let mapping = match spec.keep_id {
            Some(_) => Some(self.mapping.lock().await),
            None => None,
        };
        let made = self.value(Call::post("/containers/create").json(&body)).await?;
        drop(mapping);
        let id = ContainerId::new(text(&made["Id"]));
        if let Err(error) = self.open_tmpfs(&id, spec).await {
            // What went wrong before is told.
            let _ = self.remove(&id).await;
            return Err(error);
        }
        Ok(id)
    }

    /// runc gives a tmpfs the mode of the directory beneath it, whatever is asked for; and Podman takes no owner. So
    /// those directories are opened to everybody in the container's own layer, where nobody sees them.
    async fn open_tmpfs(&self, id: &ContainerId, spec: &ContainerSpec) -> Result<()> {
        let targets: Vec<&str> = spec
            .mounts
            .iter()
            .filter(|mount| matches!(mount.source, MountSource::Tmpfs(_)))
            .map(|mount| mount.target.trim_start_matches('/'))
            .collect();
        if targets.is_empty() {
            return Ok(());
        }
        let archive = open_directories(&targets)
            .map_err(|error| EngineError::Unsupported(format!("a directory cannot be packed: {error}")))?;
        self.upload(id, "/", archive).await
    }

    async fn runs_as_root(&self, spec: &ContainerSpec) -> Result<bool> {
        let user = match &spec.user {
            Some(user) => user.clone(),
            None => self.image(&spec.image).await?.user,
        };
        Ok(matches!(user.split(':').next().unwrap_or_default(), "" | "0" | "root"))
    }

    pub(crate) async fn start(&self, id: &ContainerId) -> Result<()> {
        let name = check_name(id.as_str())?;
        // podman-api takes "not modified", the answer for a running container, for a failure.
        self.done(Call::post(format!("/containers/{name}/start"))).await
    }

    pub(crate) async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<()> {
        let name = check_name(id.as_str())?;
        let call = Call::post(format!("/containers/{name}/stop"))
            .query("timeout", &grace.as_secs().to_string())
            .time(grace.saturating_add(ORDINARY));
        match self.done(call).await {
            // One that was never started has nothing to stop.
            Err(EngineError::Conflict(message)) => match self.inspect(id).await?.state {
                ContainerState::Created | ContainerState::Exited => Ok(()),
                _ => Err(EngineError::Conflict(message)),
            },
            other => other,
        }
    }

    pub(crate) async fn pause(&self, id: &ContainerId) -> Result<()> {
        let name = check_name(id.as_str())?;
        within(ORDINARY, self.api()?.containers().get(name).pause()).await
    }

    pub(crate) async fn unpause(&self, id: &ContainerId) -> Result<()> {
        let name = check_name(id.as_str())?;
        within(ORDINARY, self.api()?.containers().get(name).unpause()).await
    }

    pub(crate) async fn remove(&self, id: &ContainerId) -> Result<()> {
        let name = check_name(id.as_str())?;
        let mut tries = REMOVE_TRIES;
        loop {
            let call = Call::new(Method::DELETE, format!("/containers/{name}"))
                .query("force", "true")
                .query("v", "true")
                .query("timeout", "0");
            match self.done(call).await {
                Err(EngineError::NotFound(_)) => return Ok(()),
                Err(EngineError::Engine(why)) if why.contains("no such process") && tries > 1 => tries -= 1,
                other => return other,
            }
        }
    }

    pub(crate) async fn inspect(&self, id: &ContainerId) -> Result<ContainerDetails> {
        let name = check_name(id.as_str())?;
        Ok(details(&self.value(Call::get(format!("/containers/{name}/json"))).await?))
    }

    pub(crate) async fn list(&self, labels: &[(&str, &str)]) -> Result<Vec<ContainerSummary>> {
        let call = Call::get("/containers/json").query("all", "true").query("filters", &label_filter(labels));
        let answer = self.value(call).await?;
        let containers = answer.as_array().into_iter().flatten();
        Ok(containers
            .map(|container| ContainerSummary {
                id: ContainerId::new(text(&container["Id"])),
                name: text(&container["Names"][0]),
                image: text(&container["Image"]),
                state: state(&container["State"]),
                labels: pairs(&container["Labels"]),
            })
            .collect())
    }

    pub(crate) async fn upload(&self, id: &ContainerId, path: &str, tar: Bytes) -> Result<()> {
        let name = check_name(id.as_str())?;
        // Podman makes a missing folder up; the trait's other engines say that it is missing.
        let look = Call::new(Method::HEAD, format!("/containers/{name}/archive")).query("path", path);
        self.done(look).await?;
        let call = Call::new(Method::PUT, format!("/containers/{name}/archive"))
            .query("path", path)
            // Else everything is given to the container's user.
            .query("copyUIDGID", "false")
            .tar(tar)
            .time(LONG);
        self.done(call).await
    }

    pub(crate) async fn download(
        &self,
        id: &ContainerId,
        path: &str,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        let name = check_name(id.as_str())?;
        let call = Call::get(format!("/containers/{name}/archive")).query("path", path).time(LONG);
        Ok(wire::bytes(self.send(call).await?).boxed())
    }
}

/// An archive of directories of root's that everybody may write to.
fn open_directories(paths: &[&str]) -> std::io::Result<Bytes> {
    let mut archive = tar::Builder::new(Vec::new());
    for path in paths {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o1777);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        archive.append_data(&mut header, path, std::io::empty())?;
    }
    Ok(Bytes::from(archive.into_inner()?))
}

fn state(value: &Value) -> ContainerState {
    match value.as_str().unwrap_or_default() {
        // "configured" and "initialized" are on the way from created to running.
        "created" | "configured" | "initialized" => ContainerState::Created,
        "running" => ContainerState::Running,
        "paused" => ContainerState::Paused,
        // "stopped" is exited before Podman has tidied up.
        "exited" | "stopped" => ContainerState::Exited,
        _ => ContainerState::Other,
    }
}

fn details(answer: &Value) -> ContainerDetails {
    let now = &answer["State"];
    let named = state(&now["Status"]);
    let bound = &answer["NetworkSettings"]["Ports"];
    let asked = &answer["HostConfig"]["PortBindings"];
    let running = matches!(named, ContainerState::Running | ContainerState::Paused);
    ContainerDetails {
        id: ContainerId::new(text(&answer["Id"])),
        name: text(&answer["Name"]),
        image: text(&answer["Image"]),
        image_reference: text(&answer["ImageName"]),
        working_directory: text(&answer["Config"]["WorkingDir"]),
        state: named,
        exit_status: now["ExitCode"].as_i64().filter(|_| named == ContainerState::Exited),
        out_of_memory: now["OOMKilled"].as_bool().unwrap_or(false),
        pid: now["Pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0),
        started_at: text(&now["StartedAt"]),
        labels: pairs(&answer["Config"]["Labels"]),
        user: text(&answer["Config"]["User"]),
        ports: bindings(if running && bound.is_object() { bound } else { asked }),
        reason: None,
    }
}

fn bindings(ports: &Value) -> Vec<PortBinding> {
    let entries = ports.as_object().into_iter().flatten();
    let mut bindings: Vec<_> = entries
        .filter_map(|(inside, hosts)| {
            let container = inside.strip_suffix("/tcp")?.parse().ok()?;
            let host = hosts.as_array()?.iter().find_map(|host| host["HostPort"].as_str()?.parse().ok());
            Some(PortBinding { container, host: host.filter(|port| *port != 0) })
        })
        .collect();
    bindings.sort_by_key(|binding| binding.container);
    bindings
}
