//! What happens to containers: events, measurements, output.

use crate::PodmanEngine;
use crate::frames::FrameDecoder;
use crate::wire::{self, Call, text};
use aicockpit_engine::{
    ContainerEvent, ContainerEventKind, ContainerStats, EngineError, LogChunk, Result, check_name,
};
use aicockpit_protocol::ContainerId;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use hyper::header::DATE;
use serde_json::{Value, json};
use std::io;
use std::path::Path;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio_util::codec::FramedRead;
use tokio_util::io::StreamReader;

/// Most lines of a log that are asked for: Podman takes eight bytes for each before it has read any.
const MOST_LINES: u32 = 1_000_000;
/// The events that are asked for: without this the agent's execs and health checks would flood the stream.
const EVENTS: &[&str] = &["create", "start", "died", "pause", "unpause", "oom", "remove"];

impl PodmanEngine {
    pub(crate) async fn event_stream(&self) -> Result<BoxStream<'static, Result<ContainerEvent>>> {
        // Podman answers before it listens. Asking from the service's own time on closes the gap until then.
        let answer = self.send(Call::get("/_ping")).await?;
        let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok()).unwrap_or_default();
        let since = since(date)?.to_string();
        let filters = json!({ "type": ["container"], "event": EVENTS }).to_string();
        let call =
            Call::get("/events").query("stream", "true").query("since", &since).query("filters", &filters);
        let events = self.values(call).await?;
        Ok(events
            .filter_map(async |event| match event {
                Ok(event) => translate(&event).map(Ok),
                Err(error) => Some(Err(error)),
            })
            .boxed())
    }

    pub(crate) async fn measure(&self, id: &ContainerId) -> Result<ContainerStats> {
        let name = check_name(id.as_str())?;
        let inspected = self.value(Call::get(format!("/containers/{name}/json"))).await?;
        if inspected["State"]["Running"] != true {
            return Err(EngineError::Conflict(format!("{name} is not running")));
        }
        let call = Call::get("/containers/stats").query("containers", name).query("stream", "false");
        let answer = self.value(call).await?;
        if let Some(problem) = answer["Error"].as_object() {
            return Err(EngineError::Engine(Value::from(problem.clone()).to_string()));
        }
        let Some(stats) = answer["Stats"].as_array().and_then(|all| all.first()) else {
            return Err(EngineError::Conflict(format!("{name} has no statistics")));
        };
        let cache = page_cache(inspected["State"]["CgroupPath"].as_str().unwrap_or_default());
        let total = self.known().memory_total;
        let number = |key: &str| stats[key].as_u64().unwrap_or_default();
        Ok(ContainerStats {
            cpu_total_ns: number("CPUNano"),
            memory_bytes: number("MemUsage").saturating_sub(cache),
            memory_limit_bytes: stats["MemLimit"].as_u64().filter(|limit| *limit > 0 && *limit < total),
            network_received_bytes: number("NetInput"),
            network_sent_bytes: number("NetOutput"),
            disk_read_bytes: number("BlockInput"),
            disk_written_bytes: number("BlockOutput"),
            pids: number("PIDs"),
            cpu_and_memory_only: false,
        })
    }

    pub(crate) async fn log_stream(
        &self,
        id: &ContainerId,
        tail: u32,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<LogChunk>>> {
        let name = check_name(id.as_str())?;
        let call = Call::get(format!("/containers/{name}/logs"))
            .query("stdout", "true")
            .query("stderr", "true")
            .query("follow", if follow { "true" } else { "false" })
            .query("tail", &tail.min(MOST_LINES).to_string());
        let reader = StreamReader::new(wire::bytes(self.send(call).await?).map_err(io::Error::other));
        let chunks = FramedRead::new(reader, FrameDecoder::default());
        Ok(chunks.map_err(|error| EngineError::Unavailable(error.to_string())).boxed())
    }
}

/// An HTTP date as seconds since 1970.
fn since(date: &str) -> Result<i64> {
    OffsetDateTime::parse(date, &Rfc2822)
        .map(OffsetDateTime::unix_timestamp)
        .map_err(|error| EngineError::Engine(format!("its time `{date}` is not understood: {error}")))
}

fn translate(event: &Value) -> Option<ContainerEvent> {
    let actor = &event["Actor"];
    let attributes = wire::pairs(&actor["Attributes"]);
    let status = attributes.iter().find(|(key, _)| key == "containerExitCode");
    let kind = match event["Action"].as_str()? {
        "create" => ContainerEventKind::Created,
        "start" => ContainerEventKind::Started,
        "died" => ContainerEventKind::Died(status.and_then(|(_, status)| status.parse().ok())),
        "pause" => ContainerEventKind::Paused,
        "unpause" => ContainerEventKind::Unpaused,
        "oom" => ContainerEventKind::OutOfMemory,
        "remove" => ContainerEventKind::Removed,
        _ => return None,
    };
    let own = ["name", "image", "containerExitCode", "podId"];
    let labels = attributes.into_iter().filter(|(key, _)| !own.contains(&key.as_str())).collect();
    Some(ContainerEvent { container: ContainerId::new(text(&actor["ID"])), labels, kind })
}

/// Page cache that the kernel would give back first. Podman counts it as used; the container's cgroup on this machine
/// tells it apart.
fn page_cache(cgroup: &str) -> u64 {
    let relative = cgroup.trim_start_matches('/');
    if relative.is_empty() || relative.split('/').any(|part| part == "..") {
        return 0;
    }
    let root = Path::new("/sys/fs/cgroup");
    let (v2, v1) = (root.join(relative), root.join("memory").join(relative));
    [(v2, "inactive_file "), (v1, "total_inactive_file ")]
        .iter()
        .find_map(|(folder, key)| {
            let stat = std::fs::read_to_string(folder.join("memory.stat")).ok()?;
            stat.lines().find_map(|line| line.strip_prefix(key)?.parse().ok())
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_s_dates_are_understood() {
        assert_eq!(since("Sun, 22 Nov 2026 13:00:00 GMT").unwrap(), 1_795_352_400);
        assert!(since("").is_err());
    }
}
