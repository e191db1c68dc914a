//! The newest bytes of a terminal's output.

use std::collections::VecDeque;

/// Bytes kept for clients that come back.
pub(super) const KEPT: usize = 256 * 1024;

/// Bytes of a stream from some offset to its end.
#[derive(Debug, Default)]
pub(super) struct Ring {
    bytes: VecDeque<u8>,
    end: u64,
}

impl Ring {
    pub(super) fn start(&self) -> u64 {
        self.end - self.bytes.len() as u64
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        self.end += bytes.len() as u64;
    }

    /// Forgets what is older than [`KEPT`] bytes, except what lies behind `needed`.
    pub(super) fn trim(&mut self, needed: Option<u64>) {
        let by_size = self.bytes.len().saturating_sub(KEPT);
        let by_need = needed.map_or(usize::MAX, |offset| (offset.saturating_sub(self.start())) as usize);
        self.bytes.drain(..by_size.min(by_need));
        if self.bytes.capacity() > 2 * KEPT && self.bytes.len() <= KEPT {
            self.bytes.shrink_to(KEPT);
        }
    }

    /// Up to `limit` bytes from `offset` on; none where `offset` is at the end or was forgotten.
    pub(super) fn read(&self, offset: u64, limit: usize, out: &mut Vec<u8>) -> usize {
        if offset < self.start() || offset > self.end {
            return 0;
        }
        let from = (offset - self.start()) as usize;
        let count = limit.min(self.bytes.len() - from);
        let (head, tail) = self.bytes.as_slices();
        if from < head.len() {
            out.extend_from_slice(&head[from..head.len().min(from + count)]);
        }
        let in_tail = (from + count).saturating_sub(head.len());
        let skip = from.saturating_sub(head.len());
        out.extend_from_slice(&tail[skip.min(in_tail)..in_tail]);
        count
    }

    /// The last few bytes.
    pub(super) fn tail(&self) -> Vec<u8> {
        let mut tail = Vec::new();
        self.read(self.end.saturating_sub(4).max(self.start()), 4, &mut tail);
        tail
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_range_still_held_reads_as_written(pieces in prop::collection::vec(0usize..100_000, 1..12), from in any::<prop::sample::Index>(), limit in 0usize..100_000) {
            let mut ring = Ring::default();
            let mut all = Vec::new();
            for (number, len) in pieces.iter().enumerate() {
                let piece: Vec<u8> = (0..*len).map(|at| (at * 7 + number) as u8).collect();
                ring.push(&piece);
                all.extend_from_slice(&piece);
                ring.trim(None);
            }
            prop_assert!(ring.end() - ring.start() <= KEPT as u64);
            let span = (ring.end() - ring.start()) as usize;
            let offset = ring.start() as usize + from.index(span + 1);
            let mut read = Vec::new();
            let count = ring.read(offset as u64, limit, &mut read);
            prop_assert_eq!(count, read.len());
            prop_assert_eq!(&read[..], &all[offset..all.len().min(offset + limit)]);
        }
    }

    #[test]
    fn what_a_slow_reader_needs_is_kept() {
        let mut ring = Ring::default();
        ring.push(&[1; KEPT * 2]);
        ring.trim(Some(10));
        assert_eq!(ring.start(), 10);
        ring.trim(None);
        assert_eq!(ring.start(), KEPT as u64);
        assert_eq!(ring.read(0, 10, &mut Vec::new()), 0, "forgotten bytes are not read");
    }
}
