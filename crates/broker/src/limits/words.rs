//! What is said where a limit is reached.

use crate::refusal::Refusal;
use std::fmt;
use std::time::Duration;

/// Where limits are changed.
const CHANGE: &str =
    "Limits are changed in Settings, Models, Limits; those of `aicockpit broker` in its configuration file.";

/// Whose limit it is.
#[derive(Clone, Copy)]
pub(super) enum Whose<'a> {
    Owner(&'a str),
    All,
}

impl fmt::Display for Whose<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner(owner) => write!(formatter, "`{owner}` has"),
            Self::All => formatter.write_str("All together have"),
        }
    }
}

/// When a budget begins anew.
pub(super) struct Renewal {
    pub(super) at: String,
    pub(super) left: Duration,
}

pub(super) fn parallel(whose: Whose<'_>, most: u32) -> Refusal {
    let message = format!(
        "{whose} {most} {} on the way, the most at once. Try again when one of them has ended. {CHANGE}",
        if most == 1 { "request" } else { "requests" }
    );
    Refusal::busy(message, Duration::from_secs(1))
}

pub(super) fn requests(whose: Whose<'_>, most: u32, next: Duration) -> Refusal {
    let message = format!(
        "{whose} reached the limit of {most} requests a minute. The next one is let in after {}. {CHANGE}",
        long(next)
    );
    Refusal::busy(message, next)
}

pub(super) fn tokens(whose: Whose<'_>, most: u32, paid: Duration) -> Refusal {
    let message = format!(
        "{whose} used more than the limit of {most} tokens a minute. The next request is let in after {}. {CHANGE}",
        long(paid)
    );
    Refusal::busy(message, paid)
}

pub(super) fn budget(whose: Whose<'_>, period: &str, used: &str, renewal: &Renewal) -> Refusal {
    let message = format!(
        "{whose} used up the budget {period}: {used}. It is renewed at {}, in {}. {CHANGE}",
        renewal.at,
        long(renewal.left)
    );
    Refusal::quota(message, renewal.left)
}

/// A time for people, rounded up.
fn long(time: Duration) -> String {
    let seconds = time.as_millis().div_ceil(1000).max(1);
    match seconds {
        1 => "1 second".to_owned(),
        2..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds.div_ceil(60)),
        7200..172_800 => format!("{} hours", seconds.div_ceil(3600)),
        _ => format!("{} days", seconds.div_ceil(86_400)),
    }
}

/// A time as OpenAI writes it into headers: `20ms`, `1s`, `6m0s`. Rounded up.
pub(super) fn short(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        return format!("{}ms", time.as_micros().div_ceil(1000));
    }
    let seconds = time.as_millis().div_ceil(1000);
    match seconds / 60 {
        0 => format!("{seconds}s"),
        minutes => format!("{minutes}m{}s", seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_and_programs_read_them() {
        for (ms, people, programs) in [
            (0, "1 second", "0ms"),
            (20, "1 second", "20ms"),
            (1_001, "2 seconds", "2s"),
            (119_000, "119 seconds", "1m59s"),
            (360_000, "6 minutes", "6m0s"),
            (7_200_000, "2 hours", "120m0s"),
            (400_000_000, "5 days", "6666m40s"),
        ] {
            let time = Duration::from_millis(ms);
            assert_eq!((long(time).as_str(), short(time).as_str()), (people, programs));
        }
    }
}
