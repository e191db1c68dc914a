//! How far a plan is, and what it said.

use super::job::Job;
use crate::now_ms;
use crate::workspaces::{Entry, Workspaces};
use aicockpit_engine::Progress;
use aicockpit_protocol::ApiError;
use aicockpit_protocol::api::{Event, PlanLogLines};
use aicockpit_protocol::workspace::{PlanStep, StepKind, StepState, WorkspaceState};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Lines kept for each step; the oldest go.
const MAX_LOG_LINES: usize = 5_000;
/// Lines told in one event.
const LINES_PER_EVENT: usize = 500;
/// Lines that come within this are told together.
const GATHER_FOR: Duration = Duration::from_millis(30);

/// What the steps of a plan said.
#[derive(Default)]
pub struct PlanLog(Vec<(StepKind, VecDeque<String>)>);

impl PlanLog {
    fn append(&mut self, step: StepKind, lines: &[String]) {
        let at = match self.0.iter().position(|(kind, _)| *kind == step) {
            Some(at) => at,
            None => {
                self.0.push((step, VecDeque::new()));
                self.0.len() - 1
            }
        };
        let log = &mut self.0[at].1;
        log.extend(lines.iter().cloned());
        let excess = log.len().saturating_sub(MAX_LOG_LINES);
        log.drain(..excess);
    }

    fn clear(&mut self, step: StepKind) {
        self.0.retain(|(kind, _)| *kind != step);
    }

    /// All lines, by step.
    pub fn lines(&self) -> Vec<PlanLogLines> {
        self.0
            .iter()
            .map(|(step, lines)| PlanLogLines { step: *step, lines: lines.iter().cloned().collect() })
            .collect()
    }
}

impl Job {
    /// Runs one step: notes that it begins, runs it, notes how it ended. A step that an earlier run of the plan has
    /// done is run again without being shown: it only makes sure that its object is still there.
    pub(super) async fn step<T>(
        &self,
        kind: StepKind,
        work: impl AsyncFnOnce(&Progress) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        if self.stop.is_cancelled() {
            return Err(super::cancelled());
        }
        let was_done = self.step_state(kind) == Some(StepState::Done);
        let begun = Instant::now();
        if !was_done {
            self.entry.plan_log().clear(kind);
            self.change_step(kind, |step| {
                step.state = StepState::Running;
                step.started_ms = Some(now_ms());
                step.duration_ms = None;
                step.note = None;
            })
            .await;
        }
        let (sender, lines) = mpsc::unbounded_channel();
        let teller = tokio::spawn(tell(self.clone(), kind, lines));
        let progress = Progress::new(sender);
        let result = work(&progress).await;
        if let Err(error) = &result {
            progress.line(error.message.clone());
            for line in error.detail.iter().flat_map(|detail| detail.lines()) {
                progress.line(line);
            }
        }
        drop(progress);
        // Ends once the last line is told: every sender is gone.
        let _ = teller.await;
        if !was_done || result.is_err() {
            self.change_step(kind, |step| {
                step.state = if result.is_ok() { StepState::Done } else { StepState::Failed };
                step.duration_ms = Some(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
            })
            .await;
        }
        if result.is_err() {
            self.keep_log(kind).await;
        }
        result
    }

    /// Notes that a step is not for this plan to do, and who does it.
    pub(super) async fn leave(&self, kind: StepKind, note: &str) {
        self.change_step(kind, |step| {
            step.state = StepState::Skipped;
            step.note = Some(note.to_owned());
        })
        .await;
    }

    /// Says in one line what a step is doing or found.
    pub(super) async fn step_note(&self, kind: StepKind, note: impl Into<String>) {
        let note = note.into();
        self.change_step(kind, |step| step.note = Some(note)).await;
    }

    pub(super) fn step_state(&self, kind: StepKind) -> Option<StepState> {
        let record = self.entry.record();
        record.plan.as_ref()?.steps.iter().find(|step| step.kind == kind).map(|step| step.state)
    }

    async fn change_step(&self, kind: StepKind, change: impl FnOnce(&mut PlanStep)) {
        change_step(&self.workspaces, &self.entry, kind, change).await;
    }

    async fn keep_log(&self, kind: StepKind) {
        let lines = self.entry.plan_log().lines().into_iter().find(|log| log.step == kind);
        if let Some(PlanLogLines { lines, .. }) = lines
            && let Err(error) = self.workspaces.store.put_plan_log(self.entry.id.clone(), kind, lines).await
        {
            tracing::warn!(%error, "could not keep a plan's log");
        }
    }
}

/// Says in one line what a step that is under way waits for.
pub(crate) async fn note_step(workspaces: &Workspaces, entry: &Entry, kind: StepKind, note: &str) {
    let change = |step: &mut PlanStep| {
        if step.state == StepState::Running {
            step.note = Some(note.to_owned());
        }
    };
    change_step(workspaces, entry, kind, change).await;
}

async fn change_step(
    workspaces: &Workspaces,
    entry: &Entry,
    kind: StepKind,
    change: impl FnOnce(&mut PlanStep),
) {
    let record = {
        let mut record = entry.record();
        // Being deleted: what the plan still does is of no interest.
        if record.state != WorkspaceState::Creating {
            return;
        }
        let Some(step) =
            record.plan.as_mut().and_then(|plan| plan.steps.iter_mut().find(|step| step.kind == kind))
        else {
            return;
        };
        change(step);
        record.clone()
    };
    if let Some(plan) = record.plan.clone() {
        workspaces.events().send(Event::Plan { workspace: entry.id.clone(), plan });
    }
    workspaces.keep(record).await;
}

async fn tell(job: Job, step: StepKind, mut lines: mpsc::UnboundedReceiver<String>) {
    let mut batch = Vec::new();
    while lines.recv_many(&mut batch, LINES_PER_EVENT).await > 0 {
        job.entry.plan_log().append(step, &batch);
        let log = PlanLogLines { step, lines: std::mem::take(&mut batch) };
        job.workspaces.events().send(Event::PlanLog { workspace: job.entry.id.clone(), log });
        if !lines.is_closed() {
            tokio::time::sleep(GATHER_FOR).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_keeps_its_newest_lines() {
        let mut log = PlanLog::default();
        let lines: Vec<_> = (0..MAX_LOG_LINES + 10).map(|number| number.to_string()).collect();
        log.append(StepKind::Image, &lines[..100]);
        log.append(StepKind::Image, &lines[100..]);
        log.append(StepKind::Clone, &["x".to_owned()]);
        let kept = log.lines();
        assert_eq!(kept[0].lines.len(), MAX_LOG_LINES);
        assert_eq!((kept[0].lines[0].as_str(), kept[0].lines.last().unwrap().as_str()), ("10", "5009"));
        log.clear(StepKind::Image);
        assert_eq!(log.lines().len(), 1);
    }
}
