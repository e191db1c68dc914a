//! Hours, days and months as this machine's clock has them.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan as _, Zoned};

pub(crate) const HOUR_MS: i64 = 3_600_000;

/// When the hour began that `ms` lies in. By the zone's clock, for zones whose hours are not UTC's.
pub(crate) fn hour(zone: &TimeZone, ms: i64) -> i64 {
    let offset = i64::from(zone.to_offset(timestamp(ms)).seconds()) * 1000;
    ms.saturating_sub((ms.rem_euclid(HOUR_MS) + offset).rem_euclid(HOUR_MS))
}

/// The first moment of the day that `ms` lies in.
pub(crate) fn day(zone: &TimeZone, ms: i64) -> i64 {
    let now = timestamp(ms).to_zoned(zone.clone());
    now.start_of_day().map_or(ms, |start| start.timestamp().as_millisecond())
}

/// The first moments of all days from the one that `from` lies in, up to but without `to`. `most` at most: the last.
pub(crate) fn days(zone: &TimeZone, from: i64, to: i64, most: i64) -> Vec<i64> {
    let longest = most.saturating_mul(24 * HOUR_MS);
    let first = day(zone, from.max(to.saturating_sub(longest)));
    let mut date = timestamp(first).to_zoned(zone.clone());
    let mut starts = vec![first];
    while let Some(next) = after(&date, 1.day()) {
        let start = next.timestamp().as_millisecond();
        if start >= to {
            break;
        }
        starts.push(start);
        date = next;
    }
    keep_last(starts, most)
}

/// The same for hours.
pub(crate) fn hours(zone: &TimeZone, from: i64, to: i64, most: i64) -> Vec<i64> {
    let longest = most.saturating_mul(HOUR_MS);
    let first = hour(zone, from.max(to.saturating_sub(longest)));
    let mut starts = vec![first];
    let mut start = first + HOUR_MS;
    while start < to {
        starts.push(start);
        start += HOUR_MS;
    }
    keep_last(starts, most)
}

fn keep_last(mut starts: Vec<i64>, most: i64) -> Vec<i64> {
    starts.drain(..starts.len().saturating_sub(usize::try_from(most).unwrap_or(0)));
    starts
}

/// Midnight after so many days; where a clock change leaves that hour out, the first moment after it.
fn after(date: &Zoned, span: Span) -> Option<Zoned> {
    date.checked_add(span).ok()?.start_of_day().ok()
}

fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).expect("a zone")
    }

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().expect("a time").as_millisecond()
    }

    #[test]
    fn days_are_as_long_as_the_clock_makes_them() {
        // The clock goes forward on the 29th of March 2026 and back on the 25th of October.
        let berlin = zone("Europe/Berlin");
        let starts = days(&berlin, ms("2026-03-28T12:00:00Z"), ms("2026-03-30T12:00:00Z"), 100);
        let wanted = ["2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"].map(ms);
        assert_eq!(starts, wanted, "the 29th has 23 hours");
        let starts = days(&berlin, ms("2026-10-24T12:00:00Z"), ms("2026-10-26T12:00:00Z"), 100);
        let wanted = ["2026-10-23T22:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"].map(ms);
        assert_eq!(starts, wanted, "the 25th has 25 hours");
    }

    #[test]
    fn a_day_without_midnight_begins_after_it() {
        // Beirut's clock jumps from midnight to one on the 29th of March 2026.
        let beirut = zone("Asia/Beirut");
        let starts = days(&beirut, ms("2026-03-28T12:00:00Z"), ms("2026-03-30T12:00:00Z"), 100);
        let wanted = ["2026-03-27T22:00:00Z", "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z"].map(ms);
        assert_eq!(starts, wanted);
    }

    #[test]
    fn hours_are_those_of_the_zone() {
        let kolkata = zone("Asia/Kolkata");
        assert_eq!(hour(&kolkata, ms("2026-01-01T00:10:00Z")), ms("2025-12-31T23:30:00Z"));
        assert_eq!(hour(&TimeZone::UTC, -1), -HOUR_MS);
        assert_eq!(day(&kolkata, ms("2026-01-01T00:10:00Z")), ms("2025-12-31T18:30:00Z"));
    }

    #[test]
    fn too_many_steps_keep_their_end() {
        let to = ms("2026-01-01T00:00:00Z");
        let starts = hours(&TimeZone::UTC, 0, to, 10);
        assert_eq!((starts.len(), starts.last().copied()), (10, Some(to - HOUR_MS)));
        let starts = days(&TimeZone::UTC, 0, to, 10);
        assert_eq!((starts.len(), starts.last().copied()), (10, Some(to - 24 * HOUR_MS)));
        assert_eq!(days(&TimeZone::UTC, to, to, 10), [to], "a range of nothing has the step that it lies in");
        assert!(!days(&TimeZone::UTC, i64::MIN, i64::MAX, 5).is_empty());
    }
}
