//! What the workspace uses, from its cgroup, else from /proc.

use aicockpit_protocol::metrics::Sample;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Limits above this are what cgroup v1 says where none is set.
const NO_LIMIT: u64 = 1 << 60;

/// Measures; CPU use is that since the measurement before.
#[derive(Debug, Default)]
pub(crate) struct Sampler {
    before: Mutex<Option<(Instant, u64)>>,
}

impl Sampler {
    pub(crate) fn sample(&self) -> Sample {
        let root = Path::new("/sys/fs/cgroup");
        let use_now = if root.join("cgroup.controllers").exists() { unified(root) } else { legacy(root) };
        let (network_received_bytes, network_sent_bytes) =
            network(&fs::read_to_string("/proc/net/dev").unwrap_or_default());
        let at_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as i64);
        Sample {
            at_ms,
            cpu_percent: use_now.cpu_us.map_or(0.0, |used| self.cpu_percent(used)),
            memory_bytes: use_now.memory.unwrap_or(0),
            memory_limit_bytes: use_now.memory_limit,
            network_received_bytes,
            network_sent_bytes,
            disk_read_bytes: use_now.disk_read,
            disk_written_bytes: use_now.disk_written,
            pids: use_now.pids.unwrap_or_else(count_processes),
        }
    }

    fn cpu_percent(&self, used_us: u64) -> f64 {
        let now = Instant::now();
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let percent = match *before {
            Some((at, old)) if now > at => {
                used_us.saturating_sub(old) as f64 / (now - at).as_micros().max(1) as f64 * 100.0
            }
            _ => 0.0,
        };
        *before = Some((now, used_us));
        percent
    }
}

#[derive(Debug, Default, PartialEq)]
struct Use {
    cpu_us: Option<u64>,
    memory: Option<u64>,
    memory_limit: Option<u64>,
    disk_read: u64,
    disk_written: u64,
    pids: Option<u64>,
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The number behind `key` in a file of `key value` lines.
fn field(path: &Path, key: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

fn unified(root: &Path) -> Use {
    let io = fs::read_to_string(root.join("io.stat")).unwrap_or_default();
    let io_sum = |key: &str| {
        let values =
            io.split_ascii_whitespace().filter_map(|word| word.strip_prefix(key)?.parse::<u64>().ok());
        values.sum()
    };
    let cache = field(&root.join("memory.stat"), "inactive_file").unwrap_or(0);
    Use {
        cpu_us: field(&root.join("cpu.stat"), "usage_usec"),
        memory: number(&root.join("memory.current")).map(|bytes| bytes.saturating_sub(cache)),
        memory_limit: number(&root.join("memory.max")),
        disk_read: io_sum("rbytes="),
        disk_written: io_sum("wbytes="),
        pids: number(&root.join("pids.current")),
    }
}

fn legacy(root: &Path) -> Use {
    let memory = root.join("memory");
    let cache = field(&memory.join("memory.stat"), "total_inactive_file").unwrap_or(0);
    let io = fs::read_to_string(root.join("blkio/blkio.throttle.io_service_bytes")).unwrap_or_default();
    let io_sum = |kind: &str| {
        let of_kind = io.lines().filter_map(|line| {
            let mut words = line.split_ascii_whitespace().skip(1);
            (words.next()? == kind).then(|| words.next()?.parse::<u64>().ok()).flatten()
        });
        of_kind.sum()
    };
    let cpu = number(&root.join("cpuacct/cpuacct.usage"))
        .or_else(|| number(&root.join("cpu,cpuacct/cpuacct.usage")));
    Use {
        cpu_us: cpu.map(|nanoseconds| nanoseconds / 1000),
        memory: number(&memory.join("memory.usage_in_bytes")).map(|bytes| bytes.saturating_sub(cache)),
        memory_limit: number(&memory.join("memory.limit_in_bytes")).filter(|limit| *limit < NO_LIMIT),
        disk_read: io_sum("Read"),
        disk_written: io_sum("Write"),
        pids: number(&root.join("pids/pids.current")),
    }
}

/// Bytes received and sent over all interfaces but loopback.
fn network(table: &str) -> (u64, u64) {
    let mut sums = (0, 0);
    for line in table.lines() {
        let Some((name, values)) = line.split_once(':') else { continue };
        if name.trim() == "lo" {
            continue;
        }
        let values: Vec<u64> =
            values.split_ascii_whitespace().map(|value| value.parse().unwrap_or(0)).collect();
        if let (Some(received), Some(sent)) = (values.first(), values.get(8)) {
            sums.0 += received;
            sums.1 += sent;
        }
    }
    sums
}

fn count_processes() -> u64 {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok())).count()
        as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn both_kinds_of_cgroup_are_read() {
        let expected = Use {
            cpu_us: Some(5_000),
            memory: Some(900),
            memory_limit: Some(4096),
            disk_read: 30,
            disk_written: 12,
            pids: Some(7),
        };
        let v2 = tree(&[
            ("cpu.stat", "usage_usec 5000\nuser_usec 1\n"),
            ("memory.current", "1000\n"),
            ("memory.max", "4096\n"),
            ("memory.stat", "anon 5\ninactive_file 100\n"),
            ("io.stat", "8:0 rbytes=10 wbytes=5 rios=1\n8:16 rbytes=20 wbytes=7\n"),
            ("pids.current", "7\n"),
        ]);
        assert_eq!(unified(v2.path()), expected);
        let v1 = tree(&[
            ("cpuacct/cpuacct.usage", "5000000\n"),
            ("memory/memory.usage_in_bytes", "1000\n"),
            ("memory/memory.limit_in_bytes", "4096\n"),
            ("memory/memory.stat", "cache 5\ntotal_inactive_file 100\n"),
            ("blkio/blkio.throttle.io_service_bytes", "8:0 Read 10\n8:0 Write 12\n8:16 Read 20\nTotal 42\n"),
            ("pids/pids.current", "7\n"),
        ]);
        assert_eq!(legacy(v1.path()), expected);
    }

    #[test]
    fn no_limit_is_no_limit() {
        let v2 = tree(&[("memory.max", "max\n")]);
        assert_eq!(unified(v2.path()), Use::default());
        let v1 = tree(&[("memory/memory.limit_in_bytes", "9223372036854771712\n")]);
        assert_eq!(legacy(v1.path()), Use::default());
    }

    #[test]
    fn traffic_of_the_loopback_does_not_count() {
        let table = "Inter-|   Receive  |  Transmit\n face |bytes\n    lo: 99 1 0 0 0 0 0 0 99 1\n  eth0: 10 1 0 0 0 0 0 0 20 2\n  eth1:1 1 0 0 0 0 0 0 2 2\n";
        assert_eq!(network(table), (11, 22));
    }
}
