//! Memory of this machine: main memory within the limits of our control group, and that of NVIDIA's GPUs.

use aicockpit_protocol::local_models::{Gpu, Hardware};
use nvml_wrapper::Nvml;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// Limits above this are none: version 1 of control groups writes a very large number for "no limit".
const NO_LIMIT: u64 = 1 << 60;

/// What there is now. Blocks for some milliseconds; where there is a GPU that sleeps, for longer.
pub(crate) fn probe() -> Hardware {
    let (memory_bytes, available_bytes) = memory(Path::new("/proc"), Path::new("/sys/fs/cgroup"));
    Hardware { memory_bytes, available_bytes, gpus: gpus() }
}

fn gpus() -> Vec<Gpu> {
    // The second name is there where only the driver is installed.
    let opened = Nvml::init()
        .or_else(|_| Nvml::builder().lib_path(OsStr::new("/usr/lib/wsl/lib/libnvidia-ml.so.1")).init());
    let Ok(nvml) = opened else { return Vec::new() };
    let count = nvml.device_count().unwrap_or(0);
    let gpu = |index| {
        let device = nvml.device_by_index(index).ok()?;
        let memory = device.memory_info().ok()?;
        let name = device.name().unwrap_or_else(|_| format!("GPU {index}"));
        Some(Gpu { name, total_bytes: memory.total, free_bytes: memory.free })
    };
    (0..count).filter_map(gpu).collect()
}

/// All of main memory, and what of it can still be had.
fn memory(proc: &Path, cgroups: &Path) -> (u64, u64) {
    let meminfo = fs::read_to_string(proc.join("meminfo")).unwrap_or_default();
    let total = meminfo_bytes(&meminfo, "MemTotal").unwrap_or(0);
    let available = meminfo_bytes(&meminfo, "MemAvailable").unwrap_or(0);
    limits(&fs::read_to_string(proc.join("self/cgroup")).unwrap_or_default(), cgroups).into_iter().fold(
        (total, available),
        |(total, available), limit| {
            (total.min(limit.most), available.min(limit.most.saturating_sub(limit.used)))
        },
    )
}

fn meminfo_bytes(meminfo: &str, name: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

struct Limit {
    most: u64,
    /// Without what the kernel would drop.
    used: u64,
}

/// Limits of our group and of those above it.
fn limits(own: &str, root: &Path) -> Vec<Limit> {
    let mut limits = Vec::new();
    for line in own.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        if controllers.is_empty() {
            let at = |folder: &Path| limit(folder, ["memory.max", "memory.current"], "inactive_file");
            limits.extend(folders(root, path).iter().filter_map(|folder| at(folder)));
        } else if controllers.split(',').any(|one| one == "memory") {
            let at = |folder: &Path| {
                limit(folder, ["memory.limit_in_bytes", "memory.usage_in_bytes"], "total_inactive_file")
            };
            limits.extend(folders(&root.join("memory"), path).iter().filter_map(|folder| at(folder)));
        }
    }
    limits
}

/// The group's folder and those above it. In a container the path may be the host's, of which only the root is there.
fn folders(root: &Path, path: &str) -> Vec<PathBuf> {
    let mut folders = vec![root.to_path_buf()];
    for name in path.split('/').filter(|name| !matches!(*name, "" | "." | "..")) {
        let next = folders.last().map(|folder| folder.join(name)).filter(|folder| folder.is_dir());
        let Some(next) = next else { break };
        folders.push(next);
    }
    folders
}

fn limit(folder: &Path, [most, used]: [&str; 2], droppable: &str) -> Option<Limit> {
    let number = |name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let most = number(most).filter(|most| *most < NO_LIMIT)?;
    let statistics = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let droppable =
        statistics.lines().find_map(|line| line.strip_prefix(droppable)?.trim().parse::<u64>().ok());
    Some(Limit { most, used: number(used).unwrap_or(0).saturating_sub(droppable.unwrap_or(0)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str =
        "MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:    8000000 kB\n";

    fn machine(cgroup: &str, files: &[(&str, &str)]) -> (u64, u64) {
        let folder = tempfile::tempdir().unwrap();
        let (proc, groups) = (folder.path().join("proc"), folder.path().join("groups"));
        fs::create_dir_all(proc.join("self")).unwrap();
        fs::write(proc.join("meminfo"), MEMINFO).unwrap();
        fs::write(proc.join("self/cgroup"), cgroup).unwrap();
        for (name, text) in files {
            let path = groups.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        memory(&proc, &groups)
    }

    #[test]
    fn without_limits_it_is_the_machines() {
        assert_eq!(machine("0::/user.slice\n", &[]), (16_384_000_000, 8_192_000_000));
        assert_eq!(machine("", &[("user.slice/memory.max", "max")]), (16_384_000_000, 8_192_000_000));
    }

    #[test]
    fn the_limit_of_a_group_above_counts() {
        let files = [
            ("a/memory.max", "4000000000\n"),
            ("a/memory.current", "3000000000\n"),
            ("a/memory.stat", "anon 1\ninactive_file 500000000\n"),
            ("a/b/memory.max", "max\n"),
        ];
        assert_eq!(machine("0::/a/b\n", &files), (4_000_000_000, 1_500_000_000));
    }

    #[test]
    fn limits_of_version_1_count_too_and_its_no_limit_does_not() {
        let files = [
            ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory/x/memory.limit_in_bytes", "2000000000\n"),
            ("memory/x/memory.usage_in_bytes", "500000000\n"),
            ("memory/x/memory.stat", "total_inactive_file 100000000\n"),
        ];
        assert_eq!(machine("4:memory:/x/not-here\n0::/\n", &files), (2_000_000_000, 1_600_000_000));
    }

    #[test]
    fn this_machine_has_memory() {
        let hardware = probe();
        assert!(
            hardware.available_bytes > 0 && hardware.available_bytes <= hardware.memory_bytes,
            "{hardware:?}"
        );
    }
}
