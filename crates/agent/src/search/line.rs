//! A matching line as the interface shows it: text, cut where it is long, with offsets in UTF-16.

use aicockpit_protocol::search::{LineMatch, MatchRange};
use std::ops::Range;

/// Characters of a line that are shown.
const MAX_CHARS: usize = 400;
/// Characters shown before the first match of a line that is cut.
const BEFORE: usize = 100;

/// The line, with those of its matches that lie in the part shown. `matches` are in order, in bytes.
pub(super) fn line_match(number: u64, line: &[u8], matches: &[Range<usize>]) -> LineMatch {
    let window = window(line, matches.first().map_or(0, |first| first.start));
    let shown = &line[window.clone()];
    let text = String::from_utf8_lossy(shown).into_owned();
    let ranges = matches
        .iter()
        .filter(|found| found.start < window.end || window.is_empty() || found.start == line.len())
        .map(|found| {
            let within = |at: usize| at.clamp(window.start, window.end) - window.start;
            MatchRange {
                start: utf16_length(&shown[..within(found.start)]),
                end: utf16_length(&shown[..within(found.end)]),
            }
        })
        .collect();
    LineMatch { line: number, column: utf16_length(&line[..window.start]), text, ranges }
}

/// How far from the first match another one may begin and still be shown, in bytes.
pub(super) const REACH: usize = MAX_CHARS * 4;

fn window(line: &[u8], first: usize) -> Range<usize> {
    if line.len() <= MAX_CHARS || (line.len() <= REACH && forward(line, 0, MAX_CHARS) == line.len()) {
        return 0..line.len();
    }
    let start = back(line, first, BEFORE);
    let end = forward(line, start, MAX_CHARS);
    let start = if end == line.len() { back(line, end, MAX_CHARS) } else { start };
    start..end
}

fn continues(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// The position `count` characters before `at`; invalid bytes count roughly.
fn back(line: &[u8], at: usize, count: usize) -> usize {
    let mut at = at.min(line.len());
    for _ in 0..count {
        let lowest = at.saturating_sub(4);
        at = at.saturating_sub(1);
        while at > lowest && line.get(at).copied().is_some_and(continues) {
            at -= 1;
        }
    }
    at
}

/// The position `count` characters after `at`.
fn forward(line: &[u8], at: usize, count: usize) -> usize {
    let mut at = at;
    for _ in 0..count {
        if at >= line.len() {
            break;
        }
        let highest = at + 4;
        at += 1;
        while at < highest && line.get(at).copied().is_some_and(continues) {
            at += 1;
        }
    }
    at.min(line.len())
}

/// Length of the text that these bytes show as, in UTF-16 code units.
fn utf16_length(bytes: &[u8]) -> u32 {
    if bytes.is_ascii() {
        return u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    }
    let units = bytes.utf8_chunks().map(|chunk| {
        let valid: usize = chunk.valid().chars().map(char::len_utf16).sum();
        valid + usize::from(!chunk.invalid().is_empty())
    });
    u32::try_from(units.sum::<usize>()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::slice::from_ref;

    fn marked(line: &LineMatch) -> Vec<String> {
        let units: Vec<u16> = line.text.encode_utf16().collect();
        line.ranges
            .iter()
            .map(|range| String::from_utf16_lossy(&units[range.start as usize..range.end as usize]))
            .collect()
    }

    fn find(line: &str, needle: &str) -> LineMatch {
        let matches: Vec<_> =
            line.match_indices(needle).map(|(start, text)| start..start + text.len()).collect();
        line_match(1, line.as_bytes(), &matches)
    }

    #[test]
    fn offsets_count_utf16_units() {
        let found = find("😀 größe = größe; // ä", "größe");
        assert_eq!(found.ranges[0], MatchRange { start: 3, end: 8 });
        assert_eq!(marked(&found), ["größe", "größe"]);
        assert_eq!(found.column, 0);
    }

    #[test]
    fn invalid_bytes_are_replaced_and_counted() {
        let found = line_match(1, b"caf\xe9 \xff\xfe here", from_ref(&(8..12)));
        assert_eq!(found.text, "caf\u{fffd} \u{fffd}\u{fffd} here");
        assert_eq!(marked(&found), ["here"]);
    }

    #[test]
    fn long_lines_are_cut_around_the_first_match() {
        let line = format!("{}needle{}needle", "ä".repeat(5000), "b".repeat(5000));
        let found = find(&line, "needle");
        assert_eq!(found.text.chars().count(), MAX_CHARS);
        assert_eq!(found.column, 4900);
        assert_eq!(marked(&found), ["needle"], "the second one is not shown");

        let at_end = find(&format!("{}needle", "x".repeat(5000)), "needle");
        assert_eq!(at_end.text.chars().count(), MAX_CHARS, "the room is used");
        assert_eq!(at_end.column, 5006 - 400);
    }

    proptest! {
        #[test]
        fn any_line_and_match_gives_ranges_within_the_text(
            line in proptest::collection::vec(any::<u8>(), 0..3000),
            at in any::<prop::sample::Index>(),
            length in 0..600usize,
        ) {
            let start = at.index(line.len() + 1);
            let found = line_match(7, &line, from_ref(&(start..(start + length).min(line.len()))));
            let units = found.text.encode_utf16().count();
            // A cut through an invalid sequence may show it as up to three characters.
            prop_assert!(found.text.chars().count() <= MAX_CHARS * 4);
            for range in &found.ranges {
                prop_assert!(range.start <= range.end);
                prop_assert!(range.end as usize <= units + 3);
            }
        }

        #[test]
        fn valid_lines_show_exactly_the_match(before in "\\PC{0,600}", after in "\\PC{0,600}") {
            let line = format!("{before}\u{1}needle\u{1}{after}");
            let start = before.len();
            let found = line_match(1, line.as_bytes(), from_ref(&(start..start + 8)));
            prop_assert_eq!(marked(&found), ["\u{1}needle\u{1}"]);
            prop_assert!(found.text.chars().count() <= MAX_CHARS);
            let shown_before = found.text.find('\u{1}').unwrap();
            let cut = before.len() - shown_before;
            prop_assert_eq!(found.column as usize, before[..cut].encode_utf16().count());
        }
    }
}
