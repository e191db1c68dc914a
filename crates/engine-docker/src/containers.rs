//! Containers: made, started, stopped, listed, filled.

use crate::error::engine_error;
use crate::{DockerEngine, LONG, ORDINARY, label_filter, sorted};
use aicockpit_engine::{
    ContainerDetails, ContainerSpec, ContainerState, ContainerSummary, EngineError, Mount, MountSource,
    PortBinding, Result, check_name,
};
use aicockpit_protocol::ContainerId;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerStateStatusEnum, ContainerSummaryStateEnum,
    DeviceRequest, HostConfig, HostConfigLogConfig, Mount as DockerMount, MountType,
    PortBinding as DockerPort, PortMap,
};
use bollard::query_parameters as query;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use std::collections::HashMap;
use std::time::Duration;

impl DockerEngine {
    pub(crate) async fn create(&self, spec: &ContainerSpec) -> Result<ContainerId> {
        check_name(&spec.name)?;
        spec.check_mounts_of_files_at_rest()?;
        if spec.gpu && !self.known().capabilities.gpu {
            return Err(EngineError::Unsupported("Docker has no NVIDIA runtime here, so no GPU".to_owned()));
        }
        let options = query::CreateContainerOptionsBuilder::new().name(&spec.name).build();
        let client = self.client().await?;
        let made = client.create_container(Some(options), create_body(spec)).await.map_err(engine_error)?;
        Ok(ContainerId::new(made.id))
    }

    pub(crate) async fn start(&self, id: &ContainerId) -> Result<()> {
        let name = check_name(id.as_str())?;
        // A running container answers 304, which is a success.
        let options = None::<query::StartContainerOptions>;
        self.client().await?.start_container(name, options).await.map_err(engine_error)
    }

    pub(crate) async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<()> {
        let name = check_name(id.as_str())?;
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        let options = query::StopContainerOptionsBuilder::new().t(seconds).build();
        let client = self.client_for(grace.saturating_add(ORDINARY)).await?;
        client.stop_container(name, Some(options)).await.map_err(engine_error)
    }

    pub(crate) async fn pause(&self, id: &ContainerId) -> Result<()> {
        let name = check_name(id.as_str())?;
        self.client().await?.pause_container(name).await.map_err(engine_error)
    }

    pub(crate) async fn unpause(&self, id: &ContainerId) -> Result<()> {
        let name = check_name(id.as_str())?;
        self.client().await?.unpause_container(name).await.map_err(engine_error)
    }

    pub(crate) async fn remove(&self, id: &ContainerId) -> Result<()> {
        let name = check_name(id.as_str())?;
        let options = query::RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match self.client().await?.remove_container(name, Some(options)).await.map_err(engine_error) {
            Err(EngineError::NotFound(_)) => Ok(()),
            // Somebody else's removal is under way: wait until the engine has forgotten it.
            Err(EngineError::Conflict(message)) if message.contains("already in progress") => {
                self.wait_until_gone(name, message).await
            }
            other => other,
        }
    }

    async fn wait_until_gone(&self, name: &str, message: String) -> Result<()> {
        let client = self.client().await?;
        for _ in 0..200 {
            let options = None::<query::InspectContainerOptions>;
            match client.inspect_container(name, options).await.map_err(engine_error) {
                Err(EngineError::NotFound(_)) => return Ok(()),
                Err(other) => return Err(other),
                Ok(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        Err(EngineError::Conflict(message))
    }

    pub(crate) async fn inspect(&self, id: &ContainerId) -> Result<ContainerDetails> {
        let name = check_name(id.as_str())?;
        let options = None::<query::InspectContainerOptions>;
        let answer = self.client().await?.inspect_container(name, options).await.map_err(engine_error)?;
        Ok(details(answer))
    }

    pub(crate) async fn list(&self, labels: &[(&str, &str)]) -> Result<Vec<ContainerSummary>> {
        let filters = label_filter(labels);
        let options = query::ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let answer = self.client().await?.list_containers(Some(options)).await.map_err(engine_error)?;
        Ok(answer
            .into_iter()
            .map(|container| ContainerSummary {
                id: ContainerId::new(container.id.unwrap_or_default()),
                // The first name is the container's own; links add others.
                name: container
                    .names
                    .unwrap_or_default()
                    .iter()
                    .map(|name| name.trim_start_matches('/').to_owned())
                    .find(|name| !name.contains('/'))
                    .unwrap_or_default(),
                image: container.image.unwrap_or_default(),
                state: summary_state(container.state),
                labels: sorted(container.labels),
            })
            .collect())
    }

    pub(crate) async fn upload(&self, id: &ContainerId, path: &str, tar: Bytes) -> Result<()> {
        let name = check_name(id.as_str())?;
        let options = query::UploadToContainerOptionsBuilder::new().path(path).build();
        let client = self.client_for(LONG).await?;
        client.upload_to_container(name, Some(options), bollard::body_full(tar)).await.map_err(engine_error)
    }

    pub(crate) async fn download(
        &self,
        id: &ContainerId,
        path: &str,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        let name = check_name(id.as_str())?;
        let options = query::DownloadFromContainerOptionsBuilder::new().path(path).build();
        let client = self.client_for(LONG).await?;
        let mut chunks = client
            .download_from_container(name, Some(options))
            .map(|chunk| chunk.map_err(engine_error))
            .boxed();
        // bollard asks only when polled: the first piece tells whether there is such a path.
        match chunks.next().await {
            Some(Err(error)) => Err(error),
            Some(Ok(first)) => Ok(futures::stream::iter([Ok(first)]).chain(chunks).boxed()),
            None => Ok(futures::stream::empty().boxed()),
        }
    }
}

fn create_body(spec: &ContainerSpec) -> ContainerCreateBody {
    let ports: Vec<String> = spec.ports.iter().map(|port| format!("{}/tcp", port.container)).collect();
    ContainerCreateBody {
        hostname: spec.hostname.clone(),
        user: spec.user.clone(),
        exposed_ports: Some(ports),
        env: Some(spec.env.iter().map(|(key, value)| format!("{key}={value}")).collect()),
        cmd: spec.command.clone(),
        entrypoint: spec.entrypoint.clone(),
        image: Some(spec.image.clone()),
        working_dir: spec.working_directory.clone(),
        labels: Some(spec.labels.iter().cloned().collect()),
        host_config: Some(host_config(spec)),
        ..ContainerCreateBody::default()
    }
}

fn host_config(spec: &ContainerSpec) -> HostConfig {
    let memory = spec.memory_bytes.map(signed);
    HostConfig {
        memory,
        // Memory and swap together: no swap beyond the limit.
        memory_swap: memory,
        nano_cpus: spec.cpu_millis.map(|millis| signed(millis.saturating_mul(1_000_000))),
        pids_limit: spec.pids.map(signed),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(spec.capabilities.clone()),
        security_opt: spec.no_new_privileges.then(|| vec!["no-new-privileges".to_owned()]),
        readonly_rootfs: Some(spec.read_only_root),
        network_mode: Some(spec.network.clone().unwrap_or_else(|| "none".to_owned())),
        port_bindings: Some(spec.ports.iter().map(port_binding).collect::<PortMap>()),
        mounts: Some(spec.mounts.iter().filter_map(mount).collect()),
        tmpfs: Some(spec.mounts.iter().filter_map(|mount| tmpfs(mount, spec.user.as_deref())).collect()),
        device_requests: spec.gpu.then(|| {
            vec![DeviceRequest {
                count: Some(-1),
                capabilities: Some(vec![vec!["gpu".to_owned()]]),
                ..DeviceRequest::default()
            }]
        }),
        // A workspace that prints without end must not fill the engine's disk.
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(HashMap::from([
                ("max-size".to_owned(), "10m".to_owned()),
                ("max-file".to_owned(), "2".to_owned()),
            ])),
        }),
        ..HostConfig::default()
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn port_binding(port: &PortBinding) -> (String, Option<Vec<DockerPort>>) {
    let host_port = port.host.map(|host| host.to_string()).unwrap_or_default();
    let binding = DockerPort { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(host_port) };
    (format!("{}/tcp", port.container), Some(vec![binding]))
}

fn mount(mount: &Mount) -> Option<DockerMount> {
    let (typ, source) = match &mount.source {
        MountSource::Volume(name) => (MountType::VOLUME, name),
        MountSource::Bind(path) => (MountType::BIND, path),
        MountSource::Tmpfs(_)
        | MountSource::VolumeFolder { .. }
        | MountSource::Program
        | MountSource::File(_) => return None,
    };
    Some(DockerMount {
        target: Some(mount.target.clone()),
        source: Some(source.clone()),
        typ: Some(typ),
        read_only: Some(mount.read_only),
        ..DockerMount::default()
    })
}

/// As an option string: the structured form can say neither `exec` nor an owner. runc gives a tmpfs the mode of the
/// directory beneath it, whatever is asked for; as its owner the user can write there all the same.
fn tmpfs(mount: &Mount, user: Option<&str>) -> Option<(String, String)> {
    let MountSource::Tmpfs(size) = mount.source else { return None };
    let access = if mount.read_only { "ro" } else { "rw" };
    let mut options = format!("{access},exec,mode=1777,size={size}");
    let (uid, gid) = user.and_then(|user| user.split_once(':')).unwrap_or_default();
    for (name, id) in [("uid", uid), ("gid", gid)] {
        if let Ok(id) = id.parse::<u32>() {
            options.push_str(&format!(",{name}={id}"));
        }
    }
    Some((mount.target.clone(), options))
}

fn summary_state(state: Option<ContainerSummaryStateEnum>) -> ContainerState {
    match state {
        Some(ContainerSummaryStateEnum::CREATED) => ContainerState::Created,
        Some(ContainerSummaryStateEnum::RUNNING) => ContainerState::Running,
        Some(ContainerSummaryStateEnum::PAUSED) => ContainerState::Paused,
        Some(ContainerSummaryStateEnum::EXITED) => ContainerState::Exited,
        _ => ContainerState::Other,
    }
}

fn details(answer: ContainerInspectResponse) -> ContainerDetails {
    let state = answer.state.unwrap_or_default();
    let config = answer.config.unwrap_or_default();
    let named = match state.status {
        Some(ContainerStateStatusEnum::CREATED) => ContainerState::Created,
        Some(ContainerStateStatusEnum::RUNNING) => ContainerState::Running,
        Some(ContainerStateStatusEnum::PAUSED) => ContainerState::Paused,
        Some(ContainerStateStatusEnum::EXITED) => ContainerState::Exited,
        _ => ContainerState::Other,
    };
    let bound = answer.network_settings.and_then(|settings| settings.ports).filter(|ports| !ports.is_empty());
    let asked = answer.host_config.and_then(|config| config.port_bindings);
    ContainerDetails {
        id: ContainerId::new(answer.id.unwrap_or_default()),
        name: answer.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        image: answer.image.unwrap_or_default(),
        image_reference: config.image.unwrap_or_default(),
        working_directory: config.working_dir.unwrap_or_default(),
        state: named,
        exit_status: state.exit_code.filter(|_| named == ContainerState::Exited),
        out_of_memory: state.oom_killed.unwrap_or(false),
        pid: state.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0),
        started_at: state.started_at.unwrap_or_default(),
        labels: sorted(config.labels),
        user: config.user.unwrap_or_default(),
        ports: bindings(bound.or(asked).unwrap_or_default()),
        reason: None,
    }
}

fn bindings(ports: PortMap) -> Vec<PortBinding> {
    let mut bindings: Vec<_> = ports
        .into_iter()
        .filter_map(|(inside, hosts)| {
            let container = inside.strip_suffix("/tcp")?.parse().ok()?;
            let host = hosts?.into_iter().find_map(|host| host.host_port?.parse().ok());
            Some(PortBinding { container, host: host.filter(|port| *port != 0) })
        })
        .collect();
    bindings.sort_by_key(|binding| binding.container);
    bindings
}
