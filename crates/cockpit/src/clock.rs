//! The wall clock, in the unit of the wire types.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970. A clock set before that reads as 0.
pub fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
