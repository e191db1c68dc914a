//! So much a minute, by the generic cell rate algorithm: one number, changed without a lock.
//!
//! Ours and not the `governor` crate's, because tokens are charged when the answer has come: what was used may be more
//! than what is left, and is then owed. `governor` refuses to take more than there is.

use std::sync::atomic::{AtomicI64, Ordering};

/// Nanoseconds of a minute: what is used up is whole again after it, and a whole minute's worth may come at once.
const MINUTE: i64 = 60_000_000_000;

/// What is used, as the moment when it will all be given back. In nanoseconds of a clock that only goes on.
#[derive(Debug, Default)]
pub(super) struct Rate(AtomicI64);

/// How it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Standing {
    /// Left to use now.
    pub(super) left: u32,
    /// Nanoseconds until nothing is used any more.
    pub(super) whole_in: i64,
    /// Nanoseconds until one may be used; 0 for now. Negative never.
    pub(super) next_in: i64,
}

fn interval(per_minute: u32) -> i64 {
    (MINUTE / i64::from(per_minute.max(1))).max(1)
}

impl Rate {
    /// Uses one, where one is left.
    ///
    /// # Errors
    /// How it stands where none is.
    pub(super) fn take(&self, per_minute: u32, now: i64) -> Result<Standing, Standing> {
        let each = interval(per_minute);
        let taken = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |whole| {
            let next = whole.max(now) + each;
            (next - now <= MINUTE).then_some(next)
        });
        match taken {
            Ok(_) => Ok(self.standing(per_minute, now)),
            Err(_) => Err(self.standing(per_minute, now)),
        }
    }

    /// Gives one back that was not used after all.
    pub(super) fn give_back(&self, per_minute: u32) {
        self.0.fetch_sub(interval(per_minute), Ordering::AcqRel);
    }

    /// Uses so many, also more than are left.
    pub(super) fn charge(&self, count: u64, per_minute: u32, now: i64) {
        let time = interval(per_minute).saturating_mul(i64::try_from(count).unwrap_or(i64::MAX));
        // A hundred years are enough of a pause, and leave room to reckon.
        let time = time.min(MINUTE * 60 * 24 * 36_500);
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |whole| {
            Some(whole.max(now).saturating_add(time))
        });
    }

    /// Nanoseconds until nothing is owed; 0 where nothing is.
    pub(super) fn owed(&self, now: i64) -> i64 {
        (self.0.load(Ordering::Acquire) - now - MINUTE).max(0)
    }

    pub(super) fn standing(&self, per_minute: u32, now: i64) -> Standing {
        let each = interval(per_minute);
        let used = (self.0.load(Ordering::Acquire) - now).max(0);
        Standing {
            left: u32::try_from((MINUTE - used).max(0) / each).unwrap_or(u32::MAX).min(per_minute),
            whole_in: used,
            next_in: (used + each - MINUTE).max(0),
        }
    }

    /// Keeps what is used where so much a minute becomes another so much.
    pub(super) fn change(&self, before: u32, after: u32, now: i64) {
        let (before, after) = (interval(before), interval(after));
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |whole| {
            let used = i128::from((whole - now).max(0)) * i128::from(after) / i128::from(before);
            Some(now.saturating_add(i64::try_from(used).unwrap_or(i64::MAX / 2)))
        });
    }

    /// True where nothing is used.
    pub(super) fn is_whole(&self, now: i64) -> bool {
        self.0.load(Ordering::Acquire) <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn so_many_come_at_once_and_then_evenly() {
        let rate = Rate::default();
        for left in (0..6).rev() {
            assert_eq!(rate.take(6, 0).expect("one is left").left, left);
        }
        let refused = rate.take(6, 0).expect_err("none is left");
        assert_eq!((refused.left, refused.next_in, refused.whole_in), (0, 10 * SECOND, 60 * SECOND));
        assert!(rate.take(6, 10 * SECOND - 1).is_err());
        assert!(rate.take(6, 10 * SECOND).is_ok() && rate.take(6, 10 * SECOND).is_err());
        rate.give_back(6);
        assert!(rate.take(6, 10 * SECOND).is_ok());
        assert!(!rate.is_whole(69 * SECOND) && rate.is_whole(70 * SECOND));
    }

    #[test]
    fn what_is_owed_is_paid_off_by_time() {
        let rate = Rate::default();
        rate.charge(600, 600, 0);
        assert_eq!(rate.owed(0), 0, "what there was is no debt");
        rate.charge(300, 600, 0);
        assert_eq!(rate.owed(0), 30 * SECOND);
        assert_eq!((rate.owed(29 * SECOND), rate.owed(30 * SECOND)), (SECOND, 0));
        rate.charge(u64::MAX, 1, 30 * SECOND);
        rate.charge(u64::MAX, 1, 30 * SECOND);
        assert!(rate.owed(0) > 0, "no sum runs over");
    }

    #[test]
    fn another_rate_keeps_what_is_used() {
        let rate = Rate::default();
        rate.charge(30, 60, 0);
        assert_eq!(rate.standing(60, 0).left, 30);
        rate.change(60, 120, 0);
        assert_eq!(rate.standing(120, 0).left, 90);
        rate.change(120, 10, 0);
        assert_eq!((rate.standing(10, 0).left, rate.owed(0)), (0, 120 * SECOND));
    }
}
