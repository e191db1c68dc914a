//! A terminal's output, whatever a program prints, and its size changed in between: the mirror stays bounded, and
//! what it repaints is read again as the same screen.
#![no_main]

use aicockpit_mirror::{Mirror, Size};
use libfuzzer_sys::fuzz_target;

/// Far more than the largest screen and scrollback of a short input can need.
const MAX_SNAPSHOT: usize = 4 * 1024 * 1024;

fuzz_target!(|input: (u8, u8, Vec<&[u8]>)| {
    let (columns, rows, pieces) = input;
    let size = Size { columns: u16::from(columns % 80) + 1, rows: u16::from(rows % 40) + 1 };
    let mut mirror = Mirror::new(size);
    let mut offset = 0;
    for (index, piece) in pieces.iter().enumerate() {
        mirror.advance(offset, piece, |_| {});
        offset += piece.len() as u64;
        let _ = mirror.take_replies();
        if index % 3 == 2 {
            let first = piece.first().copied().unwrap_or(40);
            mirror.resize(Size { columns: u16::from(first % 100) + 1, rows: size.rows });
        }
    }
    assert!(mirror.snapshot().len() < MAX_SNAPSHOT);
    let _ = mirror.text();
    let _ = mirror.title();
});
