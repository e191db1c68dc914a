//! Whether a backend answers: learned from what requests meet, and while it fails, by asking now and then.

use crate::backend::Backend;
use aicockpit_protocol::broker::BackendHealth;
use rand::RngExt as _;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// How long a failing backend is left alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// After the first failure; doubled by each that follows.
    pub first: Duration,
    /// At most.
    pub most: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), most: Duration::from_secs(60) }
    }
}

impl Backoff {
    /// After so many failures in a row, from 1. With a part of chance, so that many do not return at once.
    fn after(self, failures: u32) -> Duration {
        let doubled =
            self.first.saturating_mul(1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
        doubled.min(self.most).mul_f64(rand::rng().random_range(0.8..1.2))
    }
}

#[derive(Debug, Default)]
enum Condition {
    #[default]
    Unknown,
    Ready,
    Failing {
        failures: u32,
        until: Instant,
        why: String,
    },
}

/// A backend's health.
#[derive(Debug)]
pub(crate) struct Health {
    /// With it, whether a task looks after the backend.
    condition: Mutex<(Condition, bool)>,
    backoff: Backoff,
}

impl Health {
    pub(crate) fn new(backoff: Backoff) -> Self {
        Self { condition: Mutex::default(), backoff }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Condition, &mut bool) -> T) -> T {
        let mut held = self.condition.lock().unwrap_or_else(PoisonError::into_inner);
        let (condition, looked_after) = &mut *held;
        change(condition, looked_after)
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.change(|condition, _| matches!(condition, Condition::Failing { .. }))
    }

    pub(crate) fn state(&self) -> BackendHealth {
        self.change(|condition, _| match condition {
            Condition::Unknown => BackendHealth::Unknown,
            Condition::Ready => BackendHealth::Ready,
            Condition::Failing { until, why, .. } => BackendHealth::Failing {
                why: why.clone(),
                retry_in_ms: until.saturating_duration_since(Instant::now()).as_millis() as u64,
            },
        })
    }

    /// It answered.
    pub(crate) fn well(&self) {
        self.change(|condition, _| {
            if !matches!(condition, Condition::Ready) {
                *condition = Condition::Ready;
            }
        });
    }

    /// It failed. True where nobody looks after it yet.
    fn failed(&self, why: String, at_least: Duration) -> bool {
        self.change(|condition, looked_after| {
            let before = match condition {
                Condition::Failing { failures, .. } => *failures,
                _ => 0,
            };
            let failures = before.saturating_add(1);
            let until = Instant::now() + self.backoff.after(failures).max(at_least);
            *condition = Condition::Failing { failures, until, why };
            !std::mem::replace(looked_after, true)
        })
    }

    /// It failed when somebody looked who was not due. Where it fails already that changes nothing but the reason: who
    /// looks often must not make it be left alone for longer.
    fn noticed(&self, why: String) -> bool {
        let is_new = self.change(|condition, _| match condition {
            Condition::Failing { why: known, .. } => {
                known.clone_from(&why);
                false
            }
            _ => true,
        });
        is_new && self.failed(why, Duration::ZERO)
    }

    /// Nothing is known of it any more.
    pub(crate) fn forget(&self) {
        self.change(|condition, _| *condition = Condition::Unknown);
    }

    /// When to look again; none where it is well, and then nobody looks after it any more.
    fn next_look(&self) -> Option<Instant> {
        self.change(|condition, looked_after| match condition {
            Condition::Failing { until, .. } => Some(*until),
            _ => {
                *looked_after = false;
                None
            }
        })
    }
}

/// Notes a failure, and looks after the backend until it answers. `at_least` is how long it asked to be left alone.
pub(crate) fn failed(backend: &Arc<Backend>, why: String, at_least: Duration) {
    tracing::info!(backend = %backend.settings.name, why, "a backend fails");
    if backend.health.failed(why, at_least) {
        tokio::spawn(look_after(Arc::downgrade(backend)));
    }
}

/// Notes a failure that a look at it met which was not due.
pub(crate) fn noticed(backend: &Arc<Backend>, why: String) {
    if backend.health.noticed(why) {
        tokio::spawn(look_after(Arc::downgrade(backend)));
    }
}

/// Ends when the backend answers, or is no longer among the settings.
async fn look_after(backend: Weak<Backend>) {
    loop {
        let Some(until) = backend.upgrade().and_then(|backend| backend.health.next_look()) else { return };
        tokio::time::sleep_until(until).await;
        let Some(gate) = backend.upgrade().map(|backend| backend.gate().cloned()) else { return };
        if let Some(gate) = gate {
            gate.until_online().await;
        }
        let Some(backend) = backend.upgrade() else { return };
        if backend.is_on_demand() {
            // It may sleep again, and must not be woken to be looked at.
            backend.health.forget();
            continue;
        }
        match crate::models::list(&backend).await {
            Ok(()) => {
                tracing::info!(backend = %backend.settings.name, "a backend answers again");
                backend.health.well();
            }
            Err(why) => {
                backend.health.failed(why, Duration::ZERO);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_doubles_up_to_a_bound() {
        let backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60) };
        for (failures, wanted) in [(1, 1.0), (2, 2.0), (4, 8.0), (7, 60.0), (40, 60.0), (u32::MAX, 60.0)] {
            let seconds = backoff.after(failures).as_secs_f64();
            assert!((wanted * 0.8..=wanted * 1.2).contains(&seconds), "{failures}: {seconds}");
        }
    }

    #[tokio::test]
    async fn failures_add_up_until_it_answers() {
        let health = Health::new(Backoff::default());
        assert!(health.failed("refused".to_owned(), Duration::ZERO), "nobody looks after it");
        assert!(!health.failed("refused".to_owned(), Duration::ZERO), "somebody does");
        assert!(health.is_failing());
        let BackendHealth::Failing { why, retry_in_ms } = health.state() else { panic!("it fails") };
        assert!(why == "refused" && (1_000..=2_400).contains(&retry_in_ms), "{retry_in_ms}");
        health.well();
        assert_eq!(health.state(), BackendHealth::Ready);
        assert!(health.next_look().is_none());
        assert!(health.failed("again".to_owned(), Duration::from_secs(30)));
        let BackendHealth::Failing { retry_in_ms, .. } = health.state() else { panic!("it fails") };
        assert!(retry_in_ms > 29_000, "as long as it asked for: {retry_in_ms}");
    }
    #[tokio::test]
    async fn who_looks_often_does_not_lengthen_the_pause() {
        let health = Health::new(Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60) });
        assert!(health.noticed("refused".to_owned()), "nobody looks after it");
        for look in 0..20 {
            assert!(!health.noticed(format!("look {look}")));
        }
        let BackendHealth::Failing { why, retry_in_ms } = health.state() else { panic!("it fails") };
        assert!(why == "look 19" && retry_in_ms <= 1_200, "{why} {retry_in_ms}");
        health.failed("due".to_owned(), Duration::ZERO);
        let BackendHealth::Failing { retry_in_ms, .. } = health.state() else { panic!("it fails") };
        assert!((1_500..=2_400).contains(&retry_in_ms), "{retry_in_ms}");
    }
}
