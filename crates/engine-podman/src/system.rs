//! Asking the engine who it is.

use crate::wire::Call;
use crate::{Known, PodmanEngine, QUICK};
use aicockpit_engine::{EngineError, EngineVersion, Result, abilities_of_this_machine};
use aicockpit_protocol::engine::EngineCapabilities;
use serde_json::Value;
use std::path::Path;

/// The oldest version that is used: the first whose keep-id takes a user.
const OLDEST: (u32, u32) = (4, 3);

impl PodmanEngine {
    pub(crate) async fn probe_engine(&self) -> Result<EngineVersion> {
        let info = match self.value(Call::get("/info").time(QUICK)).await {
            Ok(info) => info,
            // An older service does not know this version of the API.
            Err(EngineError::NotFound(_) | EngineError::Engine(_)) => self.old_version().await?,
            Err(other) => return Err(other),
        };
        let version = info["version"]["Version"].as_str().unwrap_or_default().to_owned();
        if number(&version) < OLDEST {
            return Err(EngineError::TooOld { found: version, needed: "4.3".to_owned() });
        }
        let capabilities = capabilities(&info["host"], gpu_is_described());
        let listed = info["host"]["security"]["capabilities"].as_str().unwrap_or_default();
        let defaults = listed.split(',').map(|name| name.trim_start_matches("CAP_").to_owned()).collect();
        *self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Known {
            capabilities: capabilities.clone(),
            default_capabilities: Some(defaults),
            memory_total: info["host"]["memTotal"].as_u64().unwrap_or(0),
        };
        let architecture = info["host"]["arch"].as_str().unwrap_or_default().to_owned();
        Ok(EngineVersion { version, architecture, capabilities, notes: Vec::new() })
    }

    /// A service that does not speak our version of the API still tells its own.
    async fn old_version(&self) -> Result<Value> {
        let version = self.value(Call::get_of_any_version("/version").time(QUICK)).await?;
        Ok(serde_json::json!({ "version": { "Version": version["Version"] } }))
    }

    /// What the last probe found; probes when there was none.
    pub(crate) async fn probed(&self) -> Result<Known> {
        if self.known().default_capabilities.is_none() {
            self.probe_engine().await?;
        }
        Ok(self.known())
    }
}

fn number(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

fn capabilities(host: &Value, gpu: bool) -> EngineCapabilities {
    let rootless = host["security"]["rootless"].as_bool().unwrap_or(false);
    // Without root, cgroup v1 lets nobody limit, freeze or measure.
    let cgroups = !rootless || host["cgroupVersion"] == "v2";
    let controller = |name: &str| {
        let listed = host["cgroupControllers"].as_array();
        cgroups && listed.is_some_and(|all| all.iter().any(|controller| controller == name))
    };
    EngineCapabilities {
        pause: cgroups,
        commit: true,
        memory_limit: controller("memory"),
        cpu_limit: controller("cpu"),
        pids_limit: controller("pids"),
        stats: cgroups,
        gpu,
        rootless,
        keep_id: rootless,
        custom_subnet: true,
        ..abilities_of_this_machine()
    }
}

/// Podman passes GPUs on by their description (Container Device Interface) on this machine.
fn gpu_is_described() -> bool {
    ["/etc/cdi", "/var/run/cdi"].iter().any(|folder| {
        let entries = std::fs::read_dir(Path::new(folder)).into_iter().flatten().flatten();
        entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("nvidia"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rootless_on_cgroup_v1_can_neither_limit_nor_measure() {
        let host = |rootless: bool, version: &str| {
            json!({
                "security": { "rootless": rootless },
                "cgroupVersion": version,
                "cgroupControllers": ["memory", "pids"],
            })
        };
        let bare = capabilities(&host(true, "v1"), false);
        assert!(!bare.memory_limit && !bare.pids_limit && !bare.stats && !bare.pause && bare.keep_id);
        let delegated = capabilities(&host(true, "v2"), false);
        assert!(delegated.memory_limit && delegated.pids_limit && !delegated.cpu_limit && delegated.stats);
        let root = capabilities(&host(false, "v1"), false);
        assert!(root.memory_limit && root.pause && !root.keep_id && !root.rootless);
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(number("4.10.0") > number("4.3.1") && number("3.4.4") < OLDEST && number("5.0-rc1") > OLDEST);
    }
}
