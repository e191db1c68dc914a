//! Connecting, and asking the engine who it is.

use crate::error::engine_error;
use crate::{DockerEngine, Known, ORDINARY, QUICK};
use aicockpit_engine::{EngineError, EngineVersion, Result, abilities_of_this_machine};
use aicockpit_protocol::engine::EngineCapabilities;
use bollard::models::{SystemInfo, SystemInfoCgroupDriverEnum};
use bollard::{API_DEFAULT_VERSION, Docker};
use std::time::Duration;

/// The oldest API that is used: Docker 20.10.
const OLDEST_API: (usize, usize) = (1, 41);

impl DockerEngine {
    /// The client, with the time that ordinary calls may take.
    pub(crate) async fn client(&self) -> Result<Docker> {
        let present = self.client.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        match present {
            Some(client) => Ok(client),
            None => self.connect().await,
        }
    }

    /// The client, for a call that may take `time` until it begins to answer.
    pub(crate) async fn client_for(&self, time: Duration) -> Result<Docker> {
        Ok(self.client().await?.with_timeout(time))
    }

    async fn connect(&self) -> Result<Docker> {
        let socket = self.endpoint.socket()?;
        let Some(path) = socket.to_str() else {
            return Err(EngineError::Unsupported(format!("{} is not a plain text path", socket.display())));
        };
        let client =
            Docker::connect_with_unix(path, QUICK.as_secs(), API_DEFAULT_VERSION).map_err(engine_error)?;
        let client = client.negotiate_version().await.map_err(engine_error)?.with_timeout(ORDINARY);
        *self.client.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(client.clone());
        Ok(client)
    }

    pub(crate) async fn probe_engine(&self) -> Result<EngineVersion> {
        let client = self.connect().await?.with_timeout(QUICK);
        let spoken = client.client_version();
        let info = client.info().await.map_err(engine_error)?;
        let version = info.server_version.clone().unwrap_or_default();
        if (spoken.major_version, spoken.minor_version) < OLDEST_API {
            return Err(EngineError::TooOld { found: version, needed: "20.10".to_owned() });
        }
        let capabilities = capabilities(&info);
        let memory_total = info.mem_total.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
        *self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
            Known { capabilities: capabilities.clone(), memory_total };
        let architecture = oci_architecture(info.architecture.as_deref().unwrap_or_default());
        Ok(EngineVersion { version, architecture: architecture.to_owned(), capabilities, notes: Vec::new() })
    }
}

fn capabilities(info: &SystemInfo) -> EngineCapabilities {
    let rootless = info.security_options.iter().flatten().any(|option| option.contains("name=rootless"));
    // A rootless engine without delegated cgroups can neither limit nor measure nor freeze.
    let cgroups = info.cgroup_driver != Some(SystemInfoCgroupDriverEnum::NONE);
    EngineCapabilities {
        pause: cgroups,
        commit: true,
        memory_limit: cgroups && info.memory_limit.unwrap_or(false),
        cpu_limit: cgroups && info.cpu_cfs_period.unwrap_or(false) && info.cpu_cfs_quota.unwrap_or(false),
        pids_limit: cgroups && info.pids_limit.unwrap_or(false),
        stats: cgroups,
        gpu: has_gpu(info),
        rootless,
        keep_id: false,
        custom_subnet: true,
        ..abilities_of_this_machine()
    }
}

fn has_gpu(info: &SystemInfo) -> bool {
    let runtime = info.runtimes.iter().flatten().any(|(name, _)| name == "nvidia");
    let device = info
        .discovered_devices
        .iter()
        .flatten()
        .any(|device| device.id.as_deref().is_some_and(|id| id.contains("/gpu")));
    runtime || device
}

/// The kernel's name of an architecture in OCI's terms.
fn oci_architecture(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "i386" | "i686" => "386",
        "armv7l" | "armv6l" => "arm",
        other => other,
    }
}
