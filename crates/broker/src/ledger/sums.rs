//! What requests come to: the sums that are kept of each hour, and of anything else that is added up.

use crate::sum;
use aicockpit_protocol::usage::{RequestEntry, UsageSum};
use std::collections::BTreeMap;

/// Bytes of one bucket in the database: which, and how many.
const BUCKET_BYTES: usize = 5;

/// Sums of requests, and what medians and speeds are made from.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sums {
    pub(super) sum: UsageSum,
    /// Tokens of the answers that came as events, of which both tokens and time are known.
    pub(super) stream_tokens: u64,
    /// How long those took from their first piece to their end.
    pub(super) stream_ms: f64,
    pub(super) firsts: Firsts,
}

impl Sums {
    /// Adds one request.
    pub(super) fn count(&mut self, entry: &RequestEntry) {
        let (input, output) = (entry.input_tokens.unwrap_or(0), entry.output_tokens.unwrap_or(0));
        sum::add(&mut self.sum, &sum::one(entry.end, input, output, entry.cost));
        let Some(first) = entry.first_ms else { return };
        self.firsts.add(first);
        let rest = entry.total_ms - entry.before_ms - first;
        if let (true, Some(tokens)) = (entry.streamed && rest > 0.0, entry.output_tokens) {
            self.stream_tokens = self.stream_tokens.saturating_add(tokens);
            self.stream_ms += rest;
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        sum::add(&mut self.sum, &other.sum);
        self.stream_tokens = self.stream_tokens.saturating_add(other.stream_tokens);
        self.stream_ms += other.stream_ms;
        self.firsts.merge(&other.firsts);
    }

    pub(super) fn tokens_per_second(&self) -> Option<f64> {
        (self.stream_ms > 0.0).then(|| self.stream_tokens as f64 * 1000.0 / self.stream_ms)
    }
}

/// How often the first piece came after how long. Eight buckets for each doubling: a median is off by 5 % at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Firsts(BTreeMap<u8, u32>);

impl Firsts {
    /// Buckets for each doubling.
    const FINE: f64 = 8.0;
    /// Milliseconds at which buckets begin.
    const LEAST: f64 = 0.05;

    fn add(&mut self, ms: f64) {
        // A cast to a smaller type ends at its bounds: what is too long is in the last bucket.
        let bucket = ((ms.max(Self::LEAST) / Self::LEAST).log2() * Self::FINE) as u8;
        let count = self.0.entry(bucket).or_default();
        *count = count.saturating_add(1);
    }

    fn merge(&mut self, other: &Self) {
        for (bucket, more) in &other.0 {
            let count = self.0.entry(*bucket).or_default();
            *count = count.saturating_add(*more);
        }
    }

    pub(super) fn median(&self) -> Option<f64> {
        let all: u64 = self.0.values().map(|count| u64::from(*count)).sum();
        let mut seen = 0;
        for (bucket, count) in &self.0 {
            seen += u64::from(*count);
            if seen * 2 >= all {
                return Some(Self::LEAST * ((f64::from(*bucket) + 0.5) / Self::FINE).exp2());
            }
        }
        None
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * BUCKET_BYTES);
        for (bucket, count) in &self.0 {
            bytes.push(*bucket);
            bytes.extend_from_slice(&count.to_le_bytes());
        }
        bytes
    }

    /// What [`Firsts::bytes`] gave.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let one = |bytes: &[u8; BUCKET_BYTES]| {
            let [bucket, count @ ..] = *bytes;
            (bucket, u32::from_le_bytes(count))
        };
        Self(bytes.as_chunks::<BUCKET_BYTES>().0.iter().map(one).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn firsts(all: &[f64]) -> Firsts {
        let mut firsts = Firsts::default();
        all.iter().for_each(|ms| firsts.add(*ms));
        firsts
    }

    #[test]
    fn anything_has_a_bucket() {
        assert_eq!(Firsts::default().median(), None);
        for odd in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert!(firsts(&[odd]).median().is_some_and(f64::is_finite), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn a_median_is_off_by_little(mut all in proptest::collection::vec(0.1f64..1e6, 1..200)) {
            let median = firsts(&all).median().expect("there are some");
            all.sort_by(f64::total_cmp);
            let exact = all[(all.len() - 1) / 2];
            prop_assert!((median / exact - 1.0).abs() < 0.05, "{median} for {exact}");
        }

        #[test]
        fn what_is_written_is_read(one in proptest::collection::vec(0.1f64..1e6, 0..50),
                                   other in proptest::collection::vec(0.1f64..1e6, 0..50)) {
            let (mut merged, both) = (firsts(&one), firsts(&[one, other.clone()].concat()));
            merged.merge(&firsts(&other));
            prop_assert_eq!(&merged, &both);
            prop_assert_eq!(Firsts::read(&both.bytes()), both);
        }
    }
}
