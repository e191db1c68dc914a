//! What processes of this machine use.

use anyhow::{Context, Result};
use std::collections::HashMap;

/// The kernel counts a process's time in hundredths of a second.
const TICK_S: f64 = 0.01;

/// A process and all that descend from it.
pub(crate) fn family(root: u32) -> Vec<u32> {
    let mut parents: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // The program's name is in brackets and may hold anything.
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        parents.entry(parent.unwrap_or_default()).or_default().push(id);
    }
    let mut family = vec![root];
    let mut next = 0;
    while let Some(id) = family.get(next) {
        family.extend(parents.get(id).into_iter().flatten());
        next += 1;
    }
    family
}

/// Proportional set size of processes, MiB.
pub(crate) fn pss(processes: &[u32]) -> Result<f64> {
    let mut sum = 0.0;
    for id in processes {
        // One may have ended since it was listed.
        let Ok(text) = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup")) else { continue };
        sum += field(&text, "Pss:").context("no Pss in smaps_rollup")?;
    }
    Ok(sum)
}

/// A line's number of kB, as MiB.
pub(crate) fn field(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
}

/// CPU time of processes so far, seconds.
pub(crate) fn cpu_s(processes: &[u32]) -> f64 {
    let of = |id: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let fields: Vec<f64> = stat
            .rsplit_once(") ")
            .map(|(_, rest)| rest.split(' ').skip(11).take(2).filter_map(|tick| tick.parse().ok()).collect())
            .unwrap_or_default();
        fields.iter().sum::<f64>() * TICK_S
    };
    processes.iter().map(of).sum()
}
