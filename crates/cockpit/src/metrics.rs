//! What running workspaces use, sampled while somebody looks.
//!
//! Engines measure their containers. What one cannot measure, or not yet, the agent is asked for, in so far as it is
//! connected to.
//!
//! **Invariant:** while nobody looks nothing is sampled and nothing wakes up.

use crate::EventBus;
use crate::agent::Agents;
use crate::engines::Engines;
use crate::now_ms;
use aicockpit_engine::{ContainerStats, EngineError};
use aicockpit_protocol::agent::{Answer, Call};
use aicockpit_protocol::api::{Event, WorkspaceSample};
use aicockpit_protocol::metrics::{HISTORY_LEN, SAMPLE_SECONDS, Sample};
use aicockpit_protocol::{ContainerId, EngineId, WorkspaceId};
use futures::StreamExt as _;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Measurements under way at once: an engine takes some milliseconds for each.
const AT_ONCE: usize = 8;
/// Time for one measurement.
const MEASURE_WITHIN: Duration = Duration::from_secs(5);

/// Samples of all workspaces.
#[derive(Default)]
pub struct Metrics(Mutex<HashMap<WorkspaceId, Series>>);

#[derive(Default)]
struct Series {
    samples: VecDeque<Sample>,
    /// The counter and when it was read, for the next percentage.
    last: Option<(Instant, u64)>,
}

impl Series {
    fn keep(&mut self, sample: Sample) {
        if self.samples.len() == HISTORY_LEN {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }
}

/// A running workspace to measure.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) workspace: WorkspaceId,
    pub(crate) engine: EngineId,
    pub(crate) container: ContainerId,
}

impl Metrics {
    /// The newest sample.
    pub fn newest(&self, workspace: &WorkspaceId) -> Option<Sample> {
        self.lock().get(workspace)?.samples.back().cloned()
    }

    /// All samples, oldest first.
    pub fn history(&self, workspace: &WorkspaceId) -> Vec<Sample> {
        self.lock().get(workspace).map(|series| series.samples.iter().cloned().collect()).unwrap_or_default()
    }

    pub(crate) fn forget(&self, workspace: &WorkspaceId) {
        self.lock().remove(workspace);
    }

    /// Samples what `running` names every two seconds while somebody looks. Runs until dropped.
    pub(crate) async fn sample(
        &self,
        events: EventBus,
        engines: &Engines,
        agents: &Agents,
        running: impl Fn() -> Vec<Running>,
    ) {
        let mut tick = tokio::time::interval(Duration::from_secs(SAMPLE_SECONDS));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            events.looked_at().await;
            tick.tick().await;
            let samples: Vec<WorkspaceSample> = futures::stream::iter(running())
                .map(|one| self.measure(engines, agents, one))
                .buffer_unordered(AT_ONCE)
                .filter_map(|sample| async { sample })
                .collect()
                .await;
            if !samples.is_empty() {
                events.send(Event::Samples { samples });
            }
        }
    }

    async fn measure(&self, engines: &Engines, agents: &Agents, running: Running) -> Option<WorkspaceSample> {
        let engine = engines.ready(&running.engine).ok()?;
        let mut stats = None;
        if engine.capabilities().stats {
            stats = match tokio::time::timeout(MEASURE_WITHIN, engine.stats(&running.container)).await {
                Ok(Ok(stats)) => Some(stats),
                // A container that has just ended has none: the next event says so.
                Ok(Err(EngineError::Conflict(_) | EngineError::NotFound(_))) => return None,
                // A cluster has none in a pod's first minute.
                Ok(Err(_)) | Err(_) => None,
            };
        }
        let told = match &stats {
            Some(stats) if !stats.cpu_and_memory_only => None,
            _ => ask(agents, &running.workspace).await,
        };
        let sample = match stats {
            Some(stats) => self.record(&running.workspace, Instant::now(), now_ms(), stats, told),
            None => self.record_told(&running.workspace, now_ms(), told?),
        };
        Some(WorkspaceSample { workspace: running.workspace, sample })
    }

    fn record(
        &self,
        workspace: &WorkspaceId,
        at: Instant,
        at_ms: i64,
        stats: ContainerStats,
        told: Option<Sample>,
    ) -> Sample {
        let mut all = self.lock();
        let series = all.entry(workspace.clone()).or_default();
        // An agent that is away for a moment must not make counters begin anew.
        let before = || series.samples.back().filter(|_| stats.cpu_and_memory_only).cloned();
        let inside = told.or_else(before);
        let cpu_percent = match series.last {
            // The counter begins anew with the container.
            Some((before, total)) if stats.cpu_total_ns >= total && at > before => {
                let used = Duration::from_nanos(stats.cpu_total_ns - total).as_secs_f64();
                used / at.duration_since(before).as_secs_f64() * 100.0
            }
            _ => inside.as_ref().map_or(0.0, told_percent),
        };
        series.last = Some((at, stats.cpu_total_ns));
        let rest = inside.unwrap_or(Sample {
            network_received_bytes: stats.network_received_bytes,
            network_sent_bytes: stats.network_sent_bytes,
            disk_read_bytes: stats.disk_read_bytes,
            disk_written_bytes: stats.disk_written_bytes,
            pids: stats.pids,
            ..Sample::default()
        });
        let sample = Sample {
            at_ms,
            cpu_percent,
            memory_bytes: stats.memory_bytes,
            memory_limit_bytes: stats.memory_limit_bytes,
            ..rest
        };
        series.keep(sample.clone());
        sample
    }

    /// Keeps what an agent measured. It says what it likes, but by our clock, and a number.
    fn record_told(&self, workspace: &WorkspaceId, at_ms: i64, told: Sample) -> Sample {
        let sample = Sample { at_ms, cpu_percent: told_percent(&told), ..told };
        let mut all = self.lock();
        let series = all.entry(workspace.clone()).or_default();
        // The engine's counter says nothing of the time that the agent measured.
        series.last = None;
        series.keep(sample.clone());
        sample
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<WorkspaceId, Series>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the agent inside measures, where it is connected to.
async fn ask(agents: &Agents, workspace: &WorkspaceId) -> Option<Sample> {
    let agent = agents.get(workspace)?.handle;
    let asked = agent.call_where_connected(Call::Sample);
    match tokio::time::timeout(MEASURE_WITHIN, asked).await.ok()?? {
        Answer::Sample(told) => Some(told),
        _ => None,
    }
}

fn told_percent(told: &Sample) -> f64 {
    if told.cpu_percent.is_finite() { told.cpu_percent.max(0.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(cpu_total_ns: u64) -> ContainerStats {
        ContainerStats { cpu_total_ns, ..ContainerStats::default() }
    }

    #[test]
    fn percentages_come_from_the_counter_and_begin_anew_with_the_container() {
        let metrics = Metrics::default();
        let id = WorkspaceId::new("aaaaaaaaaaaaaaaa");
        let begin = Instant::now();
        let percent = |seconds: u64, cpu_ms: u64| {
            let at = begin + Duration::from_secs(seconds);
            metrics.record(&id, at, 0, stats(cpu_ms * 1_000_000), None).cpu_percent.round()
        };
        assert_eq!(percent(0, 5_000), 0.0, "the first has nothing to compare with");
        assert_eq!(percent(2, 8_000), 150.0);
        assert_eq!(percent(4, 100), 0.0, "the container was started anew");
        assert_eq!(percent(6, 1_100), 50.0);
    }

    #[test]
    fn a_wall_clock_that_jumps_changes_no_rate_and_no_order() {
        let metrics = Metrics::default();
        let id = WorkspaceId::new("aaaaaaaaaaaaaaaa");
        let begin = Instant::now();
        // An hour ahead, back by a day, back to before 1970, on to the far end.
        let jumps = [0, 3_600_000, -86_400_000, i64::MIN, i64::MAX];
        let percents: Vec<f64> = (0u64..)
            .zip(jumps)
            .map(|(n, at_ms)| {
                let at = begin + Duration::from_secs(n * 2);
                metrics.record(&id, at, at_ms, stats(n * 1_000_000_000), None).cpu_percent.round()
            })
            .collect();
        assert_eq!(percents, [0.0, 50.0, 50.0, 50.0, 50.0]);
        let told: Vec<i64> = metrics.history(&id).iter().map(|sample| sample.at_ms).collect();
        assert_eq!(told, jumps, "in the order in which it was measured");
    }

    #[test]
    fn what_an_agent_measured_is_kept_by_our_clock_and_as_a_number() {
        let metrics = Metrics::default();
        let id = WorkspaceId::new("aaaaaaaaaaaaaaaa");
        for (told, kept) in [(12.5, 12.5), (f64::NAN, 0.0), (f64::INFINITY, 0.0), (-1.0, 0.0)] {
            let told = Sample { at_ms: 1, cpu_percent: told, memory_bytes: 9, ..Sample::default() };
            let sample = metrics.record_told(&id, 7, told);
            assert_eq!((sample.at_ms, sample.cpu_percent, sample.memory_bytes), (7, kept, 9));
        }
        assert_eq!(metrics.history(&id).len(), 4);
    }

    #[test]
    fn what_a_cluster_does_not_measure_comes_from_the_agent_and_stays_while_that_is_away() {
        let metrics = Metrics::default();
        let id = WorkspaceId::new("aaaaaaaaaaaaaaaa");
        let begin = Instant::now();
        let cluster = |cpu_ms: u64| ContainerStats {
            memory_bytes: 7,
            cpu_and_memory_only: true,
            ..stats(cpu_ms * 1_000_000)
        };
        let told = |received: u64| Sample {
            cpu_percent: 30.0,
            memory_bytes: 1,
            network_received_bytes: received,
            pids: 3,
            ..Sample::default()
        };
        metrics.record_told(&id, 0, told(100));
        let mut seen = Vec::new();
        for (seconds, cpu_ms, told) in
            [(2, 0, Some(told(200))), (4, 1_000, Some(told(300))), (6, 2_000, None)]
        {
            let sample = metrics.record(&id, begin + Duration::from_secs(seconds), 0, cluster(cpu_ms), told);
            let percent = sample.cpu_percent.round();
            seen.push((percent, sample.memory_bytes, sample.network_received_bytes, sample.pids));
        }
        assert_eq!(seen, [(30.0, 7, 200, 3), (50.0, 7, 300, 3), (50.0, 7, 300, 3)]);
    }

    #[test]
    fn ten_minutes_are_kept() {
        let metrics = Metrics::default();
        let id = WorkspaceId::new("aaaaaaaaaaaaaaaa");
        for at_ms in 0..HISTORY_LEN as i64 + 5 {
            metrics.record(&id, Instant::now(), at_ms, stats(0), None);
        }
        let history = metrics.history(&id);
        assert_eq!((history.len(), history[0].at_ms), (HISTORY_LEN, 5));
        metrics.forget(&id);
        assert!(metrics.history(&id).is_empty());
    }
}
