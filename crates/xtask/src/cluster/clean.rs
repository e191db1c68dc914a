//! What the cluster leaves on a machine when its parts have ended, however they ended.

use super::{configuration, folder, images_folder, network, run_folder};
use crate::engines;
use anyhow::Context as _;
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::{Path, PathBuf};
use std::time::Duration;

const KILL_LIMIT: Duration = Duration::from_secs(10);

/// Cleans up after parts that ended otherwise than by `down`. containerd's notes then tell of containers that are gone:
/// the images go with them.
pub(super) fn leftovers() -> anyhow::Result<()> {
    if !run_folder().exists() {
        return Ok(());
    }
    println!("cleaning up after a cluster that was not stopped");
    machine()?;
    remove(&images_folder())
}

/// Removes monitors of containers, mounts, rules of the packet filter, groups of processes, and the run folder.
pub(super) fn machine() -> anyhow::Result<()> {
    monitors()?;
    unmount(&folder())?;
    network::remove();
    process_groups();
    remove(&run_folder())
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// containerd's monitors outlive it, each with its containers as children. They are told from others' by the socket of
/// ours, which is one of their arguments.
fn monitors() -> anyhow::Result<()> {
    let socket = configuration::containerd_socket();
    let monitors: Vec<i32> = processes()?
        .into_iter()
        .filter(|pid| has_argument(*pid, socket.as_os_str().as_encoded_bytes(), b"shim"))
        .collect();
    let mut all: Vec<i32> = monitors.iter().flat_map(|pid| children(*pid)).collect();
    all.extend(&monitors);
    for pid in &all {
        // Only fails where it has ended already.
        let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
    }
    engines::until(KILL_LIMIT, || all.iter().all(|pid| !Path::new(&format!("/proc/{pid}/root/.")).exists()))
        .with_context(|| format!("containers of the cluster do not end: processes {all:?}"))
}

fn processes() -> anyhow::Result<Vec<i32>> {
    let entries = std::fs::read_dir("/proc").context("cannot read /proc")?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect())
}

fn has_argument(pid: i32, argument: &[u8], program: &[u8]) -> bool {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words = line.split(|byte| *byte == 0);
    let is_program =
        words.next().is_some_and(|word| word.windows(program.len()).any(|window| window == program));
    is_program && words.any(|word| word == argument)
}

fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>())
        .collect()
}

fn unmount(folder: &Path) -> anyhow::Result<()> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").context("cannot read the mounts")?;
    for path in mounts_below(&table, folder) {
        // Lazily: what still holds it is ours and is about to end.
        umount2(&path, MntFlags::MNT_DETACH).with_context(|| format!("cannot unmount {}", path.display()))?;
    }
    Ok(())
}

/// Mounts below a folder, those upon others first.
fn mounts_below(table: &str, folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = table
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(|path| PathBuf::from(path.replace("\\040", " ")))
        .filter(|path| path.starts_with(folder))
        .collect();
    found.reverse();
    found
}

/// kubelet's groups of processes, in each of the kernel's hierarchies. Those that still hold a process stay.
fn process_groups() {
    let Ok(hierarchies) = std::fs::read_dir("/sys/fs/cgroup") else { return };
    let roots = hierarchies.flatten().map(|entry| entry.path()).chain([PathBuf::from("/sys/fs/cgroup")]);
    for root in roots {
        remove_groups(&root.join("kubepods"));
    }
}

fn remove_groups(group: &Path) {
    let Ok(entries) = std::fs::read_dir(group) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove_groups(&entry.path());
    }
    let _ = std::fs::remove_dir(group);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_upon_others_come_first_and_neighbours_are_left_alone() {
        let table = "1 0 0:1 / / rw - ext4 a rw\n2 1 0:2 / /c/run/a rw - tmpfs t rw\n\
                     3 2 0:3 / /c/run/a/b\\040c rw - tmpfs t rw\n4 1 0:4 / /c/runner rw - tmpfs t rw\n";
        let found = mounts_below(table, Path::new("/c/run"));
        assert_eq!(found, [PathBuf::from("/c/run/a/b c"), PathBuf::from("/c/run/a")]);
    }
}
