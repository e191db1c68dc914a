//! Limits, read back from inside the running container.

use super::case::{Case, Outcome, Verdict, command, declined, ensure, ensure_eq};
use crate::ContainerState;
use aicockpit_protocol::engine::EngineKind;
use std::sync::Arc;

const MEMORY: u64 = 96 << 20;

pub(super) async fn the_memory_limit_is_in_force(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().memory_limit {
        return declined("memory limit");
    }
    let mut spec = case.idle("memory");
    spec.memory_bytes = Some(MEMORY);
    let id = case.start(&spec).await?;
    let limit = case.shell(
        &id,
        "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes",
    );
    ensure_eq!(limit.await?, MEMORY.to_string(), "limit of the container's cgroup");
    Ok(Verdict::Passed)
}

pub(super) async fn a_container_over_its_memory_is_killed_and_it_is_told(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().memory_limit {
        return declined("memory limit");
    }
    // A line without an end is kept whole in memory.
    let mut spec = case.spec("hog", &["tail", "/dev/zero"]);
    spec.memory_bytes = Some(MEMORY);
    let id = case.start(&spec).await?;
    let details = case.wait_for(&id, ContainerState::Exited).await?;
    ensure_eq!(details.exit_status, Some(137), "status of a killed program");
    // conmon on cgroup v1 does not notice what the kernel did.
    if !details.out_of_memory && case.engine.kind() == EngineKind::Podman {
        return declined("cause of the kill (it was killed, though)");
    }
    ensure!(details.out_of_memory, "killed for memory, and not told");
    Ok(Verdict::Passed)
}

pub(super) async fn the_cpu_limit_is_in_force(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().cpu_limit {
        return declined("CPU limit");
    }
    let mut spec = case.idle("cpu");
    spec.cpu_millis = Some(500);
    let id = case.start(&spec).await?;
    let script = "cat /sys/fs/cgroup/cpu.max 2>/dev/null || \
        cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us";
    let text = case.shell(&id, script).await?;
    let numbers: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    ensure!(numbers.len() == 2 && numbers[0] * 2 == numbers[1], "quota and period of the cgroup: {text:?}");
    Ok(Verdict::Passed)
}

pub(super) async fn the_pids_limit_is_in_force(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().pids_limit {
        return declined("limit on processes");
    }
    let mut spec = case.idle("pids");
    spec.pids = Some(40);
    let id = case.start(&spec).await?;
    let limit =
        case.shell(&id, "cat /sys/fs/cgroup/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids/pids.max");
    ensure_eq!(limit.await?, "40", "limit of the container's cgroup");
    let fork = "for n in $(seq 100); do sleep 600 >/dev/null 2>&1 & done";
    let output = case.run(&id, command(&["sh", "-c", fork]), Vec::new()).await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(said.contains("fork"), "the 100th process is refused; {:?}: {said}", output.exit);
    Ok(Verdict::Passed)
}

pub(super) async fn a_container_with_every_limit_starts(case: Arc<Case>) -> Outcome {
    // Where the engine cannot enforce one, its capabilities say so; the container works all the same.
    let mut spec = case.idle("limited");
    (spec.memory_bytes, spec.cpu_millis, spec.pids) = (Some(MEMORY), Some(1500), Some(100));
    let id = case.start(&spec).await?;
    ensure_eq!(case.shell(&id, "echo works").await?, "works", "output");
    Ok(Verdict::Passed)
}
