//! How often to look for what nobody tells: often while something happens, seldom while all is quiet.

use std::time::Duration;
use tokio::sync::watch;

/// Pause between two looks while something happens, and the longest one while nothing does.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// Something happens in the workspace: a terminal's output or input, a client's request.
#[derive(Clone, Debug)]
pub(crate) struct Activity(watch::Sender<()>);

impl Activity {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    pub(crate) fn note(&self) {
        self.0.send_replace(());
    }

    pub(crate) fn pace(&self) -> Pace {
        Pace { activity: self.0.subscribe(), pause: PAUSES.0 }
    }
}

/// When to look again.
pub(crate) struct Pace {
    activity: watch::Receiver<()>,
    pause: Duration,
}

impl Pace {
    /// Waits until it is worth looking again: at most once a second, and at the latest after ten. Cancel-safe.
    pub(crate) async fn next(&mut self) {
        tokio::time::sleep(PAUSES.0).await;
        if self.activity.has_changed().unwrap_or(false) {
            self.activity.mark_unchanged();
            self.pause = PAUSES.0;
            return;
        }
        let rest = self.pause.saturating_sub(PAUSES.0);
        self.pause = (self.pause * 2).min(PAUSES.1);
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            // What has happened shows a moment later: a program that was started listens.
            _ = self.activity.changed() => self.pause = PAUSES.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    async fn seconds(pace: &mut Pace) -> u64 {
        let begin = Instant::now();
        pace.next().await;
        begin.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn it_slows_down_while_nothing_happens_and_wakes_up_when_something_does() {
        let activity = Activity::new();
        let mut pace = activity.pace();
        let mut pauses = Vec::new();
        for _ in 0..6 {
            pauses.push(seconds(&mut pace).await);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 10, 10]);
        activity.note();
        assert_eq!(seconds(&mut pace).await, 1);
        let waking = tokio::spawn({
            let activity = activity.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(3500)).await;
                activity.note();
            }
        });
        assert_eq!([seconds(&mut pace).await, seconds(&mut pace).await, seconds(&mut pace).await], [1, 2, 1]);
        waking.await.unwrap();
    }
}
