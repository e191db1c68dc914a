//! Events, measurements, output.

use super::case::{Case, Failure, Outcome, Verdict, declined, ensure, ensure_eq, ensure_error};
use crate::{ContainerEvent, ContainerEventKind as Kind, ContainerState, EngineError, LogChunk};
use aicockpit_protocol::ContainerId;
use futures::StreamExt;
use futures::stream::BoxStream;
use std::sync::Arc;
use std::time::Duration;

/// Time for something to be told.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads events of one container until it is removed.
async fn life(
    events: &mut BoxStream<'static, crate::Result<ContainerEvent>>,
    id: &ContainerId,
) -> Result<Vec<ContainerEvent>, Failure> {
    let mut seen = Vec::new();
    let reading = async {
        while let Some(event) = events.next().await {
            let event = event?;
            // What an engine says of its own accord is no part of a life.
            if event.container == *id && !matches!(event.kind, Kind::Told { .. }) {
                let last = event.kind == Kind::Removed;
                seen.push(event);
                if last {
                    return Ok(());
                }
            }
        }
        Err(Failure("the events ended".to_owned()))
    };
    match tokio::time::timeout(PATIENCE, reading).await {
        Ok(read) => read.map(|()| seen),
        Err(_) => Err(Failure(format!("no event of the removal in {PATIENCE:?}; before it {seen:?}"))),
    }
}

pub(super) async fn events_tell_a_container_s_life_in_order(case: Arc<Case>) -> Outcome {
    let mut events = case.engine.events().await?;
    let id = case.start(&case.spec("life", &["sh", "-c", "exit 3"])).await?;
    case.wait_for(&id, ContainerState::Exited).await?;
    case.engine.remove_container(&id).await?;
    let seen = life(&mut events, &id).await?;
    let kinds: Vec<Kind> = seen.iter().map(|event| event.kind.clone()).collect();
    ensure_eq!(kinds, [Kind::Created, Kind::Started, Kind::Died(Some(3)), Kind::Removed], "events");
    let (key, value) = case.label();
    let labelled =
        |event: &ContainerEvent| event.labels.iter().any(|label| (&*label.0, &*label.1) == (key, value));
    ensure!(seen.iter().take(3).all(labelled), "events carry the container's labels: {seen:?}");
    if case.engine.capabilities().pause {
        let id = case.start(&case.idle("frozen")).await?;
        case.engine.pause_container(&id).await?;
        case.engine.unpause_container(&id).await?;
        case.engine.remove_container(&id).await?;
        let kinds: Vec<Kind> = life(&mut events, &id).await?.iter().map(|event| event.kind.clone()).collect();
        ensure_eq!(kinds[1..4], [Kind::Started, Kind::Paused, Kind::Unpaused], "events of a pause");
    }
    Ok(Verdict::Passed)
}

pub(super) async fn events_can_be_read_by_several_at_once(case: Arc<Case>) -> Outcome {
    let (mut one, mut two) = (case.engine.events().await?, case.engine.events().await?);
    let id = case.engine.create_container(&case.idle("several")).await?;
    case.engine.remove_container(&id).await?;
    for events in [&mut one, &mut two] {
        let kinds: Vec<Kind> = life(events, &id).await?.iter().map(|event| event.kind.clone()).collect();
        ensure_eq!(kinds, [Kind::Created, Kind::Removed], "events");
    }
    Ok(Verdict::Passed)
}

pub(super) async fn stats_count_up(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().stats {
        return declined("stats");
    }
    let mut spec = case.idle("stats");
    let limit = 256 << 20;
    spec.memory_bytes = case.engine.capabilities().memory_limit.then_some(limit);
    let id = case.start(&spec).await?;
    // An engine's figures may come from what is measured now and then.
    let before = case.eventually(async || Ok(case.engine.stats(&id).await?)).await?;
    case.shell(&id, "n=0; while [ $n -lt 200000 ]; do n=$((n+1)); done").await?;
    let counted = async || {
        let after = case.engine.stats(&id).await?;
        ensure!(
            after.cpu_total_ns > before.cpu_total_ns + 10_000_000,
            "CPU time after a loop: {before:?}, then {after:?}"
        );
        Ok(after)
    };
    let after = case.eventually(counted).await?;
    ensure!(after.memory_bytes > 0 && after.memory_bytes < limit, "memory in use: {after:?}");
    ensure_eq!(after.memory_limit_bytes, spec.memory_bytes, "limit");
    ensure!(after.pids >= 1 || after.cpu_and_memory_only, "processes: {after:?}");
    case.engine.stop_container(&id, Duration::ZERO).await?;
    ensure_error!(case.engine.stats(&id).await, EngineError::Conflict(_));

    let unlimited = case.start(&case.idle("unlimited")).await?;
    let stats = case.eventually(async || Ok(case.engine.stats(&unlimited).await?)).await?;
    ensure_eq!(stats.memory_limit_bytes, None, "limit where none is set");
    Ok(Verdict::Passed)
}

/// Everything that a container printed, both outputs together.
pub(super) async fn all_logs(case: &Case, id: &ContainerId) -> Result<String, Failure> {
    let chunks = collect(case.engine.logs(id, u32::MAX, false).await?).await?;
    Ok(chunks.iter().map(|chunk| String::from_utf8_lossy(&chunk.bytes)).collect())
}

async fn collect(mut logs: BoxStream<'static, crate::Result<LogChunk>>) -> Result<Vec<LogChunk>, Failure> {
    let mut chunks = Vec::new();
    while let Some(chunk) = logs.next().await {
        chunks.push(chunk?);
    }
    Ok(chunks)
}

fn text(chunks: &[LogChunk], stderr: bool) -> String {
    let of_one = chunks.iter().filter(|chunk| chunk.stderr == stderr);
    of_one.map(|chunk| String::from_utf8_lossy(&chunk.bytes)).collect()
}

pub(super) async fn logs_give_the_last_lines_and_both_outputs(case: Arc<Case>) -> Outcome {
    let script = "for n in $(seq 20); do echo line $n; done; echo problem >&2";
    let id = case.start(&case.spec("logs", &["sh", "-c", script])).await?;
    case.wait_for(&id, ContainerState::Exited).await?;
    case.eventually(async || {
        let all = collect(case.engine.logs(&id, 1000, false).await?).await?;
        if case.engine.capabilities().split_logs {
            ensure_eq!(text(&all, false).lines().count(), 20, "lines of stdout");
            ensure_eq!(text(&all, true), "problem\n", "stderr");
        }
        ensure_eq!(text(&all, false).lines().count() + text(&all, true).lines().count(), 21, "lines of both");
        Ok(())
    })
    .await?;
    let last = collect(case.engine.logs(&id, 3, false).await?).await?;
    // Where stderr's line stands among the others is not certain: the two come by different pipes.
    let (out, err) = (text(&last, false), text(&last, true));
    ensure_eq!(out.lines().count() + err.lines().count(), 3, "lines of {out:?} and {err:?}");
    ensure!(out.replace("problem\n", "").ends_with("line 19\nline 20\n"), "the last lines are {out:?}");
    ensure_eq!(collect(case.engine.logs(&id, 0, false).await?).await?.len(), 0, "pieces of no line at all");
    Ok(Verdict::Passed)
}

pub(super) async fn logs_follow_a_running_container(case: Arc<Case>) -> Outcome {
    let script =
        "echo first; while [ ! -e /tmp/go ]; do sleep 0.05; done; printf 'half '; echo second; sleep 600";
    let id = case.start(&case.spec("follow", &["sh", "-c", script])).await?;
    let mut logs = case.engine.logs(&id, 10, true).await?;
    let mut seen = String::new();
    let reading = async {
        while !seen.contains("first\n") {
            seen.push_str(&String::from_utf8_lossy(&next(&mut logs).await?.bytes));
        }
        case.shell(&id, "touch /tmp/go").await?;
        while !seen.contains("second\n") {
            seen.push_str(&String::from_utf8_lossy(&next(&mut logs).await?.bytes));
        }
        case.engine.stop_container(&id, Duration::ZERO).await?;
        while let Some(chunk) = logs.next().await {
            seen.push_str(&String::from_utf8_lossy(&chunk?.bytes));
        }
        Ok::<_, Failure>(())
    };
    let in_time = tokio::time::timeout(PATIENCE, reading).await.is_ok_and(|read| read.is_ok());
    ensure!(in_time, "lines were missing, or the stream does not end with the container; seen {seen:?}");
    ensure_eq!(seen, "first\nhalf second\n", "output");
    Ok(Verdict::Passed)
}

async fn next(logs: &mut BoxStream<'static, crate::Result<LogChunk>>) -> Result<LogChunk, Failure> {
    match logs.next().await {
        Some(chunk) => Ok(chunk?),
        None => Err(Failure("the output ended early".to_owned())),
    }
}
