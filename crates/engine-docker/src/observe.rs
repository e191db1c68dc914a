//! What happens to containers: events, measurements, output.

use crate::error::engine_error;
use crate::exec::chunk;
use crate::{DockerEngine, sorted};
use aicockpit_engine::{
    ContainerEvent, ContainerEventKind, ContainerStats, EngineError, LogChunk, Result, check_name,
};
use aicockpit_protocol::ContainerId;
use bollard::models::{ContainerBlkioStats, ContainerMemoryStats, ContainerStatsResponse, EventMessage};
use bollard::query_parameters as query;
use futures::StreamExt;
use futures::stream::BoxStream;
use std::collections::HashMap;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The events that are asked for: without this the agent's execs and health checks would flood the stream.
const EVENTS: &[&str] = &["create", "start", "die", "pause", "unpause", "oom", "destroy"];

impl DockerEngine {
    pub(crate) async fn event_stream(&self) -> Result<BoxStream<'static, Result<ContainerEvent>>> {
        let client = self.client().await?;
        // bollard subscribes only when polled. Asking from the engine's own time on closes the gap until then.
        let info = client.info().await.map_err(engine_error)?;
        let since = since(info.system_time.as_deref().unwrap_or_default())?;
        let filters = HashMap::from([
            ("type".to_owned(), vec!["container".to_owned()]),
            ("event".to_owned(), EVENTS.iter().map(|event| (*event).to_owned()).collect()),
        ]);
        let options = query::EventsOptionsBuilder::new().since(&since).filters(&filters).build();
        let events = client.events(Some(options));
        Ok(events
            .filter_map(async |event| match event {
                Ok(event) => translate(event).map(Ok),
                Err(error) => Some(Err(engine_error(error))),
            })
            .boxed())
    }

    pub(crate) async fn measure(&self, id: &ContainerId) -> Result<ContainerStats> {
        let name = check_name(id.as_str())?;
        let options = query::StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        let client = self.client().await?;
        let mut answers = Box::pin(client.stats(name, Some(options)));
        let answer = match answers.next().await {
            Some(answer) => answer.map_err(engine_error)?,
            None => return Err(EngineError::Conflict(format!("{name} has no statistics"))),
        };
        // A container that does not run is answered with zeros and the first moment of the calendar.
        if answer.read.as_deref().is_none_or(|read| read.starts_with("0001-")) {
            return Err(EngineError::Conflict(format!("{name} is not running")));
        }
        Ok(stats(&answer, self.known().memory_total))
    }

    pub(crate) async fn log_stream(
        &self,
        id: &ContainerId,
        tail: u32,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<LogChunk>>> {
        let name = check_name(id.as_str())?;
        let client = self.client().await?;
        // bollard asks only when polled, and a silent container gives nothing to poll for.
        client.inspect_container(name, None::<query::InspectContainerOptions>).await.map_err(engine_error)?;
        let options = query::LogsOptionsBuilder::new()
            .stdout(true)
            .stderr(true)
            .follow(follow)
            .tail(&tail.to_string())
            .build();
        let pieces = client.logs(name, Some(options));
        Ok(pieces.map(|piece| piece.map(chunk).map_err(engine_error)).boxed())
    }
}

/// The engine's time in the form that its `since` parameter takes.
fn since(system_time: &str) -> Result<String> {
    let time = OffsetDateTime::parse(system_time, &Rfc3339).map_err(|error| {
        EngineError::Engine(format!("its time `{system_time}` is not understood: {error}"))
    })?;
    Ok(format!("{}.{:09}", time.unix_timestamp(), time.nanosecond()))
}

fn translate(event: EventMessage) -> Option<ContainerEvent> {
    let actor = event.actor?;
    let mut attributes = actor.attributes.unwrap_or_default();
    let exit_status = attributes.remove("exitCode").and_then(|status| status.parse().ok());
    let kind = match event.action?.as_str() {
        "create" => ContainerEventKind::Created,
        "start" => ContainerEventKind::Started,
        "die" => ContainerEventKind::Died(exit_status),
        "pause" => ContainerEventKind::Paused,
        "unpause" => ContainerEventKind::Unpaused,
        "oom" => ContainerEventKind::OutOfMemory,
        "destroy" => ContainerEventKind::Removed,
        _ => return None,
    };
    attributes.remove("name");
    attributes.remove("image");
    Some(ContainerEvent { container: ContainerId::new(actor.id?), labels: sorted(Some(attributes)), kind })
}

fn stats(answer: &ContainerStatsResponse, memory_total: u64) -> ContainerStats {
    let memory = answer.memory_stats.clone().unwrap_or_default();
    let networks = || answer.networks.iter().flatten().map(|(_, network)| network);
    let disks = answer.blkio_stats.clone().unwrap_or_default();
    ContainerStats {
        cpu_total_ns: answer
            .cpu_stats
            .as_ref()
            .and_then(|cpu| cpu.cpu_usage.as_ref()?.total_usage)
            .unwrap_or_default(),
        memory_bytes: memory_in_use(&memory),
        memory_limit_bytes: memory.limit.filter(|limit| *limit > 0 && *limit < memory_total),
        network_received_bytes: networks().filter_map(|network| network.rx_bytes).sum(),
        network_sent_bytes: networks().filter_map(|network| network.tx_bytes).sum(),
        disk_read_bytes: transferred(&disks, "read"),
        disk_written_bytes: transferred(&disks, "write"),
        pids: answer.pids_stats.as_ref().and_then(|pids| pids.current).unwrap_or_default(),
        cpu_and_memory_only: false,
    }
}

/// Usage without the page cache that the kernel would give back first: as `docker stats` counts it.
fn memory_in_use(memory: &ContainerMemoryStats) -> u64 {
    let usage = memory.usage.unwrap_or_default();
    let value = |key: &str| memory.stats.as_ref().and_then(|stats| stats.get(key).copied());
    // The first is cgroup v1's name, the second v2's.
    let cache = value("total_inactive_file").or_else(|| value("inactive_file")).unwrap_or_default();
    usage.saturating_sub(cache)
}

fn transferred(disks: &ContainerBlkioStats, direction: &str) -> u64 {
    disks
        .io_service_bytes_recursive
        .iter()
        .flatten()
        .filter(|entry| entry.op.as_deref().is_some_and(|op| op.eq_ignore_ascii_case(direction)))
        .filter_map(|entry| entry.value)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_leaves_the_page_cache_out_on_both_cgroup_versions() {
        for (key, expected) in [("total_inactive_file", 70), ("inactive_file", 70), ("rss", 100)] {
            let memory = ContainerMemoryStats {
                usage: Some(100),
                stats: Some(HashMap::from([(key.to_owned(), 30)])),
                ..ContainerMemoryStats::default()
            };
            assert_eq!(memory_in_use(&memory), expected, "{key}");
        }
    }

    #[test]
    fn the_engine_s_time_keeps_its_nanoseconds() {
        assert_eq!(since("2026-11-22T13:00:00.000000042Z").unwrap(), "1795352400.000000042");
        assert_eq!(since("2026-11-22T14:00:00.5+01:00").unwrap(), "1795352400.500000000");
        assert!(since("yesterday").is_err());
    }
}
