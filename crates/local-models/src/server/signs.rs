//! Whether a server that runs has hung: while it loads, by what it does; once it is ready, by whether it answers.
//!
//! Time is the machine's own, as that is what servers live in.

use super::process::Used;
use std::time::{Duration, Instant};

/// Fewer looks than this tell nothing: we may have been stopped ourselves.
const LEAST_LOOKS: u32 = 3;
/// Bytes that count as reading: a process that sleeps is woken by some now and then.
const LEAST_BYTES: u64 = 64 << 10;
/// Part of the time, in parts of a hundred, that counts as work: being asked takes some too.
const LEAST_PERCENT: u32 = 1;

/// What a server that loads has done so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Done {
    /// Lines that it wrote.
    pub(super) lines: usize,
    pub(super) used: Used,
}

/// Watches a server that loads.
#[derive(Debug)]
pub(super) struct Loading {
    limit: Duration,
    last: Done,
    since: Instant,
    looks: u32,
}

impl Loading {
    /// `limit`: how long it may do nothing.
    pub(super) fn new(limit: Duration, now: Instant) -> Self {
        Self { limit, last: Done::default(), since: now, looks: 0 }
    }

    /// True where it has done nothing for too long.
    pub(super) fn has_hung(&mut self, done: Done, now: Instant) -> bool {
        let (new, old) = (&done.used, &self.last.used);
        let bytes = |of: fn(&Used) -> u64| of(new).abs_diff(of(old)) >= LEAST_BYTES;
        let is_at_work = new.busy < old.busy || new.busy - old.busy >= share(self.limit);
        let does = done.lines != self.last.lines
            || is_at_work
            || bytes(|used| used.read)
            || bytes(|used| used.fetched)
            || bytes(|used| used.resident);
        if does {
            (self.last, self.since, self.looks) = (done, now, 0);
            return false;
        }
        self.looks = self.looks.saturating_add(1);
        self.looks >= LEAST_LOOKS && now.saturating_duration_since(self.since) >= self.limit
    }
}

/// Watches a server that is ready.
#[derive(Debug)]
pub(super) struct Answers {
    limit: Duration,
    since: Instant,
    missing: u32,
    /// Time on processors at the last look, and when that was.
    busy: Option<(Duration, Instant)>,
}

impl Answers {
    /// `limit`: how long it may not answer.
    pub(super) fn new(limit: Duration, now: Instant) -> Self {
        Self { limit, since: now, missing: 0, busy: None }
    }

    /// True where it has not answered for too long. `busy` is its time on processors, where that is known and requests
    /// are under way: one that works on them may have nobody left to say that it is well.
    pub(super) fn has_hung(&mut self, answered: bool, busy: Option<Duration>, now: Instant) -> bool {
        let before = std::mem::replace(&mut self.busy, busy.map(|busy| (busy, now)));
        let works = busy.zip(before).is_some_and(|(busy, (before, at))| {
            busy.saturating_sub(before) > share(now.saturating_duration_since(at))
        });
        if answered || works {
            (self.since, self.missing) = (now, 0);
            return false;
        }
        self.missing = self.missing.saturating_add(1);
        self.missing >= LEAST_LOOKS && now.saturating_duration_since(self.since) >= self.limit
    }
}

fn share(time: Duration) -> Duration {
    time * LEAST_PERCENT / 100
}

/// A time for people.
pub(super) fn shown(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 120.. => format!("{} minutes", seconds / 60),
        1 => "1 second".to_owned(),
        seconds => format!("{seconds} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(300);

    /// What is decided every ten seconds of half an hour, for a server that has done this by then.
    fn loads(done: impl Fn(u64) -> Done) -> Option<u64> {
        let begun = Instant::now();
        let mut loading = Loading::new(LIMIT, begun);
        let hung = |second: &u64| loading.has_hung(done(*second), begun + Duration::from_secs(*second));
        (0..1800).step_by(10).find(hung)
    }

    fn used(read: u64, busy_ms: u64) -> Done {
        let busy = Duration::from_millis(busy_ms);
        Done { lines: 3, used: Used { read, busy, resident: 1 << 20, ..Used::default() } }
    }

    #[test]
    fn one_that_does_nothing_for_five_minutes_has_hung() {
        assert_eq!(loads(|_| used(7, 7)), Some(300));
        assert_eq!(loads(|second| used(second.min(600) << 20, 7)), Some(900), "from the last that it read");
        assert_eq!(loads(|_| Done::default()), Some(300));
    }

    #[test]
    fn being_asked_and_woken_is_no_work() {
        assert_eq!(loads(|second| used(second * 8, second * 2)), Some(300));
    }

    #[test]
    fn a_slow_disk_a_line_and_work_are_signs_of_life() {
        assert_eq!(loads(|second| used(second * 4096, 0)), None, "four kilobytes in a second");
        assert_eq!(loads(|second| used(0, second * 50)), None);
        assert_eq!(loads(|second| Done { lines: second as usize / 250, ..used(0, 0) }), None);
        let paged = |second: u64| Used { fetched: second * 4096, ..Used::default() };
        assert_eq!(loads(|second| Done { lines: 0, used: paged(second) }), None);
        // A child that has ended is no longer counted.
        assert_eq!(loads(|second| used(0, if second < 290 { 9000 } else { 100 })), Some(590));
    }

    fn answers(answered: impl Fn(u64) -> bool, busy_ms: impl Fn(u64) -> Option<u64>) -> Option<u64> {
        let begun = Instant::now();
        let mut answers = Answers::new(Duration::from_secs(60), begun);
        let hung = |second: &u64| {
            let busy = busy_ms(*second).map(Duration::from_millis);
            answers.has_hung(answered(*second), busy, begun + Duration::from_secs(*second))
        };
        (10..600).step_by(10).find(hung)
    }

    #[test]
    fn one_that_does_not_answer_for_a_minute_has_hung() {
        assert_eq!(answers(|_| true, |_| None), None);
        assert_eq!(answers(|second| second <= 100, |_| None), Some(160));
        assert_eq!(answers(|second| second % 60 == 0, |_| None), None, "now and then is enough");
        assert_eq!(answers(|_| false, |_| Some(5000)), Some(60), "it works on none of them");
        assert_eq!(answers(|_| false, |second| Some(second * 900)), None, "it works on requests");
        assert_eq!(answers(|_| false, |second| (second < 200).then_some(second * 900)), Some(250));
    }

    #[test]
    fn who_was_stopped_meanwhile_looks_again() {
        let begun = Instant::now();
        let mut answers = Answers::new(Duration::from_secs(60), begun);
        let later = begun + Duration::from_secs(3600);
        assert!(!answers.has_hung(false, None, later));
        assert!(!answers.has_hung(true, None, later));
        let mut loading = Loading::new(LIMIT, begun);
        assert!(!loading.has_hung(used(0, 0), begun));
        assert!(!loading.has_hung(used(0, 0), later));
    }

    #[test]
    fn times_are_shown_for_people() {
        assert_eq!(shown(Duration::from_secs(60)), "60 seconds");
        assert_eq!(shown(LIMIT), "5 minutes");
        assert_eq!(shown(Duration::from_millis(1200)), "1 second");
    }
}
