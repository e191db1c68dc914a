//! Flow control of one stream between the cockpit and a client: bytes that may still be sent each way.

use aicockpit_protocol::frame::INITIAL_STREAM_CREDIT;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// Most credit a client may pile up, in bytes.
const MAX_CREDIT: u64 = 64 * 1024 * 1024;
/// Consumed bytes are told in pieces of this size, not one by one.
const TELL_EVERY: u32 = INITIAL_STREAM_CREDIT / 4;

/// What may be sent to the client.
pub(super) struct Outgoing {
    left: Mutex<u64>,
    more: Notify,
}

impl Default for Outgoing {
    fn default() -> Self {
        Self { left: Mutex::new(u64::from(INITIAL_STREAM_CREDIT)), more: Notify::new() }
    }
}

impl Outgoing {
    /// Waits until something may be sent, then takes up to `wanted` bytes. Only one caller at a time.
    pub(super) async fn take(&self, wanted: usize) -> usize {
        loop {
            {
                let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
                if *left > 0 {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(wanted);
                    *left -= taken as u64;
                    return taken;
                }
            }
            self.more.notified().await;
        }
    }

    /// The client consumed. False where it claims more than is sane.
    pub(super) fn add(&self, bytes: u32) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left += u64::from(bytes);
        let sane = *left <= MAX_CREDIT;
        drop(left);
        self.more.notify_one();
        sane
    }
}

/// What the client may send.
pub(super) struct Incoming(Mutex<(u32, u32)>);

impl Default for Incoming {
    fn default() -> Self {
        Self(Mutex::new((INITIAL_STREAM_CREDIT, 0)))
    }
}

impl Incoming {
    /// The client sent. False where it sent more than it was allowed to.
    pub(super) fn received(&self, bytes: usize) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match u32::try_from(bytes).ok().and_then(|bytes| state.0.checked_sub(bytes)) {
            Some(left) => {
                state.0 = left;
                true
            }
            None => false,
        }
    }

    /// We consumed; the credit to tell the client of, if it is time to.
    pub(super) fn consumed(&self, bytes: usize) -> Option<u32> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Never more than was received, which fits.
        state.1 += u32::try_from(bytes).unwrap_or(u32::MAX - state.1);
        if state.1 < TELL_EVERY {
            return None;
        }
        let told = std::mem::take(&mut state.1);
        state.0 += told;
        Some(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[tokio::test]
    async fn sending_stops_at_the_end_of_credit_and_goes_on_with_more() {
        let credit = Outgoing::default();
        let all = INITIAL_STREAM_CREDIT as usize;
        assert_eq!(credit.take(all + 5).await, all);
        assert!(futures::FutureExt::now_or_never(credit.take(1)).is_none());
        assert!(credit.add(3));
        assert_eq!(credit.take(10).await, 3);
    }

    #[test]
    fn a_client_that_claims_endless_credit_is_found_out() {
        let credit = Outgoing::default();
        assert!(!(0..20).all(|_| credit.add(u32::MAX / 2)));
    }

    proptest! {
        #[test]
        fn a_client_within_its_credit_is_never_refused_nor_stuck(sizes in proptest::collection::vec(1usize..200_000, 1..60)) {
            let credit = Incoming::default();
            let mut allowed = INITIAL_STREAM_CREDIT as usize;
            for size in sizes {
                let size = size.min(allowed);
                prop_assert!(credit.received(size));
                allowed -= size;
                allowed += credit.consumed(size).unwrap_or(0) as usize;
                prop_assert!(allowed > 0, "everything consumed, yet nothing may be sent");
            }
        }
    }
}
