//! Days and months, by this machine's clock and time zone.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Zoned};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// What time it is. Milliseconds since 1970.
pub(crate) type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The day and the month that are now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Periods {
    pub(super) day: Range<i64>,
    pub(super) month: Range<i64>,
}

/// Says which day it is.
pub(super) struct Calendar {
    clock: Clock,
    zone: TimeZone,
    last: Mutex<Periods>,
}

impl Calendar {
    pub(super) fn new(clock: Clock, zone: TimeZone) -> Self {
        let last = Mutex::new(Periods { day: 0..0, month: 0..0 });
        Self { clock, zone, last }
    }

    /// The machine's own.
    pub(super) fn system() -> Self {
        Self::new(Arc::new(|| Timestamp::now().as_millisecond()), TimeZone::system())
    }

    pub(super) fn now(&self) -> i64 {
        (self.clock)()
    }

    /// The day and the month of now. Reckoned once a day.
    pub(super) fn periods(&self) -> Periods {
        let now = self.now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if !last.day.contains(&now) {
            *last = self.reckon(now).unwrap_or_else(|_| plain(now));
        }
        last.clone()
    }

    fn reckon(&self, now: i64) -> Result<Periods, jiff::Error> {
        let now = Timestamp::from_millisecond(now)?.to_zoned(self.zone.clone());
        let at = |zoned: &Zoned| zoned.timestamp().as_millisecond();
        let day = now.start_of_day()?;
        let month = now.first_of_month()?.start_of_day()?;
        // Midnight may not be there where clocks are changed, so the day after begins as it begins.
        let tomorrow = day.checked_add(1.day())?.start_of_day()?;
        let next = month.checked_add(1.month())?.start_of_day()?;
        Ok(Periods { day: at(&day)..at(&tomorrow), month: at(&month)..at(&next) })
    }

    /// A moment for people: `2026-11-24 00:00`.
    pub(super) fn say(&self, at: i64) -> String {
        match Timestamp::from_millisecond(at) {
            Ok(at) => at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(),
            Err(_) => "the end of time".to_owned(),
        }
    }
}

/// Days of a clock that stands outside of every calendar.
fn plain(now: i64) -> Periods {
    const DAY: i64 = 86_400_000;
    let day = now.div_euclid(DAY).saturating_mul(DAY);
    let days = day..day.saturating_add(DAY);
    Periods { month: days.clone(), day: days }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().expect("a time").as_millisecond()
    }

    #[test]
    fn days_and_months_are_those_of_the_zone() {
        let now = Arc::new(AtomicI64::new(ms("2026-03-28T23:30:00Z")));
        let clock = Arc::clone(&now);
        let zone = TimeZone::get("Europe/Berlin").expect("a zone");
        let calendar = Calendar::new(Arc::new(move || clock.load(Ordering::SeqCst)), zone);
        // In Berlin it is the 29th, the day on which the clocks are put forward: 23 hours.
        let periods = calendar.periods();
        assert_eq!(periods.day, ms("2026-03-28T23:00:00Z")..ms("2026-03-29T22:00:00Z"));
        assert_eq!(periods.month, ms("2026-02-28T23:00:00Z")..ms("2026-03-31T22:00:00Z"));
        now.store(ms("2026-03-29T21:59:59Z"), Ordering::SeqCst);
        assert_eq!(calendar.periods(), periods);
        now.store(ms("2026-12-31T23:00:00Z"), Ordering::SeqCst);
        assert_eq!(calendar.periods().month, ms("2026-12-31T23:00:00Z")..ms("2027-01-31T23:00:00Z"));
        assert_eq!(calendar.say(ms("2026-12-31T23:00:00Z")), "2027-01-01 00:00");
        now.store(i64::MAX, Ordering::SeqCst);
        assert!(calendar.periods().day.start > 0, "a clock that is out of its mind ends nothing");
    }
}
