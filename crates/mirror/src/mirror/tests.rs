//! A snapshot, fed to a fresh terminal, gives the same screen as the output that made it.

mod xterm;

use super::*;
use alacritty_terminal::grid::{Cursor, Grid};
use alacritty_terminal::term::cell::{Cell, Flags, Hyperlink};
use alacritty_terminal::vte::ansi::{Color, StandardCharset};
use proptest::prelude::*;

const SIZE: Size = Size { columns: 20, rows: 6 };

/// What counts as equal: how a blank came to be does not, nor does half a wide character.
#[derive(PartialEq, Debug)]
struct Look(String, Color, Color, Flags, Option<Color>, Option<Hyperlink>);

const SHOWN: Flags = Flags::all().difference(Flags::WRAPLINE).difference(Flags::LEADING_WIDE_CHAR_SPACER);

fn look(grid: &Grid<Cell>, line: i32, column: usize) -> Look {
    let row = &grid[Line(line)];
    let cell = &row[Column(column)];
    let mut flags = cell.flags & SHOWN;
    let last = grid.columns() - 1;
    let right = (column < last).then(|| row[Column(column + 1)].flags.contains(Flags::WIDE_CHAR_SPACER));
    let left = (column > 0).then(|| row[Column(column - 1)].flags.contains(Flags::WIDE_CHAR));
    let half = (flags.contains(Flags::WIDE_CHAR) && right != Some(true))
        || (flags.contains(Flags::WIDE_CHAR_SPACER) && left != Some(true));
    if half {
        flags.remove(Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER);
    }
    let mut text = String::from(if half || cell.c == '\t' { ' ' } else { cell.c });
    if !flags.contains(Flags::WIDE_CHAR_SPACER) {
        text.extend(cell.zerowidth().into_iter().flatten());
    }
    let wide_next = line + 1 < grid.screen_lines() as i32
        && grid[Line(line + 1)][Column(0)].flags.contains(Flags::WIDE_CHAR)
        && grid[Line(line + 1)][Column(1)].flags.contains(Flags::WIDE_CHAR_SPACER);
    if wide_next && cell.flags.contains(Flags::LEADING_WIDE_CHAR_SPACER) {
        // Whose attributes the column before a wide character has is nobody's business.
        let blank = Cell::default();
        return Look(" ".to_owned(), blank.fg, blank.bg, blank.flags, None, None);
    }
    Look(text, cell.fg, cell.bg, flags, cell.underline_color(), cell.hyperlink())
}

fn looks(grid: &Grid<Cell>) -> Vec<Vec<Look>> {
    (0..grid.screen_lines() as i32)
        .map(|line| (0..grid.columns()).map(|column| look(grid, line, column)).collect())
        .collect()
}

fn wraps(grid: &Grid<Cell>) -> Vec<bool> {
    (0..grid.screen_lines() as i32 - 1)
        .map(|line| grid[Line(line)][Column(grid.columns() - 1)].flags.contains(Flags::WRAPLINE))
        .collect()
}

fn charsets(cursor: &Cursor<Cell>) -> [StandardCharset; 4] {
    use alacritty_terminal::vte::ansi::CharsetIndex::{G0, G1, G2, G3};
    [G0, G1, G2, G3].map(|index| cursor.charsets[index])
}

fn history(mirror: &Mirror) -> Vec<String> {
    let mut lines = Vec::new();
    mirror
        .screen
        .history
        .for_each(|line| lines.push(String::from_utf8_lossy(line.text).trim_end().to_owned()));
    lines
}

fn mirror(size: Size, output: &[u8]) -> Mirror {
    let mut mirror = Mirror::new(size);
    mirror.advance(0, output, |_| {});
    mirror.draw_waiting();
    mirror
}

fn assert_same(a: &mut Mirror, b: &mut Mirror, context: &str) {
    assert_eq!(a.text(), b.text(), "text: {context}");
    let (old, new) = (a.screen.term.grid(), b.screen.term.grid());
    assert_eq!(looks(old), looks(new), "cells: {context}");
    assert_eq!(wraps(old), wraps(new), "wrapped lines: {context}");
    assert_eq!(old.cursor.point, new.cursor.point, "cursor: {context}");
    assert_eq!(old.cursor.template, new.cursor.template, "attributes: {context}");
    assert_eq!(old.cursor.input_needs_wrap, new.cursor.input_needs_wrap, "about to wrap: {context}");
    assert_eq!(charsets(&old.cursor), charsets(&new.cursor), "charsets: {context}");
    assert_eq!(old.saved_cursor.point, new.saved_cursor.point, "saved cursor: {context}");
    assert_eq!(old.saved_cursor.template, new.saved_cursor.template, "saved attributes: {context}");
    assert_eq!(a.screen.term.mode(), b.screen.term.mode(), "modes: {context}");
    assert_eq!(a.screen.region, b.screen.region, "scroll region: {context}");
    assert_eq!(a.screen.tabs, b.screen.tabs, "tabs: {context}");
    assert_eq!(a.screen.charset, b.screen.charset, "active charset: {context}");
    assert_eq!(a.screen.title, b.screen.title, "title: {context}");
    assert_eq!(a.screen.other_modes, b.screen.other_modes, "other modes: {context}");
    assert_eq!(a.screen.styled, b.screen.styled, "cursor style set: {context}");
    assert_eq!(a.screen.term.cursor_style(), b.screen.term.cursor_style(), "cursor style: {context}");
    assert_eq!(history(a), history(b), "history: {context}");
    if a.screen.in_alternate() {
        let primary = |mirror: &mut Mirror| {
            mirror.screen.with_primary(|grid| (looks(grid), grid.cursor.point, grid.cursor.template.clone()))
        };
        assert_eq!(primary(a), primary(b), "primary screen: {context}");
    }
}

fn check_at(size: Size, output: &[u8]) {
    let mut original = mirror(size, output);
    let offset = original.safe_offset(output.len() as u64, output) as usize;
    let snapshot = original.snapshot();
    let mut fresh = mirror(size, b"old content\x1b[31m\x1b[?1049h");
    fresh.advance(0, &snapshot, |_| {});
    fresh.advance(0, &output[offset..], |_| {});
    let context =
        format!("{:?}\nsnapshot {:?}", String::from_utf8_lossy(output), String::from_utf8_lossy(&snapshot));
    assert_same(&mut original, &mut fresh, &context);
    if has_halves(&mut original) {
        return;
    }
    // What comes next must be treated alike, too.
    let next = b"next \xe2\x94\x80q\t.\r\n\x1b[7mlast";
    original.advance(0, next, |_| {});
    fresh.advance(0, next, |_| {});
    assert_same(&mut original, &mut fresh, &format!("after more output: {context}"));
}

/// Halves of wide characters look blank but take part in what comes next as no blank does.
fn has_halves(mirror: &mut Mirror) -> bool {
    let halves = |grid: &Grid<Cell>| {
        looks(grid).iter().enumerate().any(|(line, looks)| {
            looks.iter().enumerate().any(|(column, look)| {
                let wide = Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER;
                grid[Line(line as i32)][Column(column)].flags & wide != look.3 & wide
            })
        })
    };
    halves(mirror.screen.term.grid()) || mirror.screen.with_primary(|grid| halves(grid))
}

fn check(output: &[u8]) {
    check_at(SIZE, output);
}

#[test]
fn plain_text_colours_and_wrapping_come_back() {
    check(b"");
    check(b"hello\r\n\x1b[1;31mred\x1b[0m and \x1b[48;2;1;2;3mback\x1b[4:3;58:2::9:8:7mcurl");
    check(b"a line that is longer than the twenty columns of this screen and wraps twice");
    check(b"\x1b[42mcoloured line that wraps around\r\nand then\x1b[0m some\r\n\r\n\r\n\r\nmore");
    check(b"exactly twenty chars\r\nexactly twenty chars");
    check(b"exactly twenty chars");
    check("wide 日本語 and combining e\u{301} and 🦀🦀🦀🦀🦀🦀 wraps".as_bytes());
    check("1234567890123456789日本".as_bytes());
    // The one that wrapped is half overwritten.
    check("1234567890123456789日\x1b[2;2H\x1b[X".as_bytes());
    check("\x1b[1m1234567890123456789日\x1b[2;2Hx\r\n\r\n\r\n\r\n\r\n\r\n".as_bytes());
    check(
        b"\x1b]8;;https://example.com/a;b\x1b\\link\x1b]8;;\x1b\\ no \x1b]8;id=x;https://e.org\x07link two",
    );
}

#[test]
fn scrollback_comes_back() {
    let mut output = Vec::new();
    for number in 0..200 {
        output.extend_from_slice(
            format!("\x1b[3{}mline {number} {}\x1b[0m\r\n", number % 8, "x".repeat(number % 50)).as_bytes(),
        );
    }
    check(&output);
    output.extend_from_slice(b"\x1b[2J\x1b[Hcleared");
    check(&output);
    output.extend_from_slice(b"\x1b[3J");
    assert!(history(&mirror(SIZE, &output)).is_empty());
    check(&output);
}

#[test]
fn full_screen_programs_come_back() {
    // What vim, htop and less do: alternate screen, scroll regions, attributes, modes.
    check(b"$ vim\r\n\x1b[?1049h\x1b[?1h\x1b=\x1b[?2004h\x1b[1;5r\x1b[?25l\x1b[2J\x1b[H~\r\n~\x1b[6;1H\x1b[7mstatus\x1b[0m\x1b[1;1H\x1b[?25h");
    check(b"$ vim\r\n\x1b[31m\x1b[?1049h\x1b[2Jin alt\x1b[?1049lback on the primary");
    check(b"\x1b[?1000h\x1b[?1002h\x1b[?1006h\x1b[?1004h\x1b(0lqqk\x1b(B\x1b[2;1Hbox \x1b)0\x0e");
    check(b"\x1b[?6h\x1b[2;4r\x1b[2;3Hin region");
    check(b"\x1b[3;10Hhere\x1b7\x1b[1;1Hthere\x1b[4h");
    check(b"\x1b[?7lno wrapping at the end of the line\x1b[20h");
    check(b"\x1b[3g\x1b[5G\x1bH\x1b[1Ga\tb\x1b[5 q");
    check(b"\x1b]2;a title; with more\x07\x1b[22;0t\x1b]0;other\x07\x1b[23;0t");
    check(b"\x1b[?47h old way\x1b[?66h\x1b[?1015h");
    check(b"\x1b]4;1;rgb:11/22/33\x07\x1b]10;#445566\x07colours");
    check(b"\x1b[44m\x1b[2J\x1b[3;3Hblue screen\x1b[K\x1b[1L\x1b[2M\x1b[3P\x1b[2@");
}

#[test]
fn an_unfinished_sequence_is_left_to_live_output() {
    check(b"text \x1b[3");
    check(b"text \x1b]2;tit");
    check("text ö".as_bytes());
    check(b"text \xe2\x94");
    check(b"text \x1b");
}

#[test]
fn sizes_down_to_one_cell_hold() {
    for (columns, rows) in [(1, 1), (2, 1), (2, 2), (3, 1), (200, 1), (1, 50)] {
        let mut mirror = mirror(
            Size { columns, rows },
            "wide 日本 e\u{301}\r\n\tx\x1b[?1049h日日日\x1b[5;5r\x1b[?1049l".as_bytes(),
        );
        mirror.resize(Size { columns: 80, rows: 24 });
        mirror.resize(Size { columns, rows });
        mirror.snapshot();
    }
}

#[test]
fn an_endless_command_is_cut_off_and_output_goes_on_after_it() {
    let mut mirror = Mirror::new(SIZE);
    mirror.advance(0, b"before\x1b]0;", |_| {});
    for _ in 0..1000 {
        mirror.advance(0, &[b'A'; 1000], |_| {});
    }
    mirror.advance(0, b"\x07 after", |_| {});
    assert_eq!(mirror.text(), "before after");
    assert!(mirror.title().unwrap_or_default().len() < 5000);
}

#[test]
fn combining_characters_do_not_pile_up_in_a_cell() {
    let mut mirror = mirror(SIZE, format!("e{}", "\u{301}".repeat(100_000)).as_bytes());
    assert!(mirror.text().chars().count() < 20);
}

#[test]
fn questions_are_answered() {
    let mut mirror = mirror(SIZE, b"ab\x1b[6n\x1b[c\x1b[?2004$p");
    let replies = String::from_utf8(mirror.take_replies()).unwrap();
    assert!(replies.starts_with("\x1b[1;3R\x1b[?"), "{replies:?}");
    assert!(replies.ends_with("\x1b[?2004;2$y"), "{replies:?}");
    assert!(mirror.take_replies().is_empty());
}

#[test]
fn growing_pulls_lines_down_from_the_history_and_shrinking_pushes_them_up() {
    let mut mirror = mirror(SIZE, b"one\r\ntwo\r\nthree\r\nfour\r\nfive\r\nsix\r\nseven\r\neight");
    assert_eq!(mirror.screen.history.len(), 2);
    mirror.resize(Size { columns: 20, rows: 10 });
    assert_eq!(mirror.text(), "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight");
    assert_eq!(mirror.screen.history.len(), 0);
    mirror.resize(Size { columns: 20, rows: 3 });
    assert_eq!(mirror.text(), "six\nseven\neight");
    assert_eq!(history(&mirror), ["one", "two", "three", "four", "five"]);
}

#[test]
fn a_narrower_screen_flows_lines_and_a_wider_one_joins_them_again() {
    let mut mirror = mirror(SIZE, b"0123456789abcdefghij0123456789\r\n$ ");
    mirror.resize(Size { columns: 10, rows: 6 });
    assert_eq!(mirror.text(), "0123456789\nabcdefghij\n0123456789\n$");
    mirror.resize(Size { columns: 40, rows: 6 });
    assert_eq!(mirror.text(), "0123456789abcdefghij0123456789\n$");
}

#[test]
fn a_resize_in_the_alternate_screen_keeps_the_primary_one() {
    let mut mirror = mirror(SIZE, b"one\r\ntwo\r\nthree\r\nfour\r\n\x1b[?1049halt");
    mirror.resize(Size { columns: 30, rows: 3 });
    mirror.resize(Size { columns: 20, rows: 6 });
    mirror.advance(0, b"\x1b[?1049l", |_| {});
    assert!(mirror.text().contains("four"));
    assert_eq!(history(&mirror).first().map(String::as_str), Some("one"));
}

fn sequence() -> impl Strategy<Value = Vec<u8>> {
    let number = 0u16..30;
    prop_oneof![
        4 => "[a-z0-9 ]{1,25}".prop_map(String::into_bytes),
        1 => "[日本語é🦀\u{301}\u{200d}]{1,8}".prop_map(String::into_bytes),
        3 => prop::sample::select(vec!["\r\n", "\r", "\n", "\t", "\x08", "\x1bM", "\x1bD", "\x1bE", "\x1b7", "\x1b8", "\x0e", "\x0f"])
            .prop_map(|text| text.as_bytes().to_vec()),
        3 => prop::sample::select(vec![0u16, 1, 2, 3, 4, 7, 8, 9, 22, 24, 27, 31, 39, 42, 49, 92, 103])
            .prop_map(|code| format!("\x1b[{code}m").into_bytes()),
        1 => (0u8..=255, 0u8..=255).prop_map(|(a, b)| format!("\x1b[38;5;{a};48;2;{b};{a};0m").into_bytes()),
        4 => (number.clone(), number.clone(), prop::sample::select(b"ABCDEFGHJKLMPSTX@fdrbIZ".to_vec()))
            .prop_map(|(a, b, end)| {
                // `J` and `K` know the modes 0 to 3.
                let a = if matches!(end, b'J' | b'K') { a % 4 } else { a };
                format!("\x1b[{a};{b}{}", char::from(end)).into_bytes()
            }),
        2 => (prop::sample::select(vec![1u16, 6, 7, 25, 47, 1000, 1002, 1003, 1004, 1005, 1006, 1007, 1049, 2004, 2026, 66]), any::<bool>())
            .prop_map(|(mode, set)| format!("\x1b[?{mode}{}", if set { 'h' } else { 'l' }).into_bytes()),
        1 => (prop::sample::select(vec![4u16, 20]), any::<bool>())
            .prop_map(|(mode, set)| format!("\x1b[{mode}{}", if set { 'h' } else { 'l' }).into_bytes()),
        1 => prop::sample::select(vec!["\x1b(0", "\x1b(B", "\x1b)0", "\x1b[3 q", "\x1b[g", "\x1b[3g", "\x1bH", "\x1b]2;t\x07", "\x1b]8;;u:x\x07", "\x1b]8;;\x07", "\x1bc", "\x1b#8"])
            .prop_map(|text| text.as_bytes().to_vec()),
    ]
}

/// States that no repaint can bring about; real programs do not rely on them.
fn is_out_of_reach(mirror: &mut Mirror) -> bool {
    // About to wrap on a cell that wrapped before: writing it again would make it the end of its line.
    let wrapped_already = |grid: &Grid<Cell>| {
        let last = &grid[grid.cursor.point.line][Column(grid.columns() - 1)];
        grid.cursor.input_needs_wrap && last.flags.contains(Flags::WRAPLINE)
    };
    if wrapped_already(mirror.screen.term.grid()) || mirror.screen.with_primary(|grid| wrapped_already(grid))
    {
        return true;
    }
    let mode = *mirror.screen.term.mode();
    let grid = mirror.screen.term.grid();
    let origin = mode.contains(alacritty_terminal::term::TermMode::ORIGIN);
    let row = grid.cursor.point.line.0;
    // Outside the scroll region in origin mode; about to wrap as restored from a saved cursor.
    (origin && !(mirror.screen.region.0..mirror.screen.region.1).contains(&row))
        || grid.saved_cursor.input_needs_wrap
        || (grid.cursor.input_needs_wrap && grid.cursor.point.column.0 + 1 != grid.columns())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_sequences_come_back(sequences in prop::collection::vec(sequence(), 0..60)) {
        let output = sequences.concat();
        let mut reached = mirror(SIZE, &output);
        prop_assume!(!is_out_of_reach(&mut reached));
        check(&output);
    }

    #[test]
    fn garbage_and_resizes_never_break_the_mirror(
        pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..200), 1u16..40, 1u16..12), 0..12),
    ) {
        let mut mirror = Mirror::new(SIZE);
        for (bytes, columns, rows) in pieces {
            mirror.advance(0, &bytes, |_| {});
            mirror.resize(Size { columns, rows });
            mirror.snapshot();
            mirror.text();
        }
    }
}

/// The mirror as it would be without any line passed on undrawn.
fn drawn_one_by_one(size: Size, output: &[u8]) -> Mirror {
    let mut mirror = Mirror::new(size);
    for (offset, byte) in output.iter().enumerate() {
        mirror.advance(offset as u64, &[*byte], |_| {});
        mirror.draw_waiting();
    }
    mirror
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => ("[a-z ]{0,30}", 1usize..60).prop_map(|(line, count)| format!("{line}\r\n").repeat(count).into_bytes()),
        3 => prop::collection::vec("[a-z \t]{0,50}\r\n", 0..40).prop_map(|lines| lines.concat().into_bytes()),
        // Links without an id get a new one each time.
        2 => sequence().prop_filter("no links", |bytes| !bytes.starts_with(b"\x1b]8")),
        1 => prop::sample::select(vec!["\x1b[2;4r", "\x1b[r", "\x1b[?7l", "\x1b[?7h", "\x1b[4h", "\x1b[4l", "\x1b[31m", "\x1b[m", "\x1b[5b"])
            .prop_map(|text| text.as_bytes().to_vec()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_rushes_past_undrawn_is_as_if_drawn(pieces in prop::collection::vec(piece(), 0..12), rows in 1u16..9) {
        let output = pieces.concat();
        let size = Size { columns: 20, rows };
        let mut passed = mirror(size, &output);
        let mut drawn = drawn_one_by_one(size, &output);
        assert_same(&mut drawn, &mut passed, &format!("{:?}", String::from_utf8_lossy(&output)));
        let continued = |mirror: &Mirror| {
            let mut lines = Vec::new();
            mirror.screen.history.for_each(|line| lines.push((line.text.to_vec(), line.continued, line.columns)));
            lines
        };
        prop_assert_eq!(continued(&drawn), continued(&passed));
    }
}

#[test]
fn a_flood_is_not_drawn_line_by_line() {
    let lines: String = (0..2_000).map(|number| format!("line {number}\r\n")).collect();
    let found = flood::plain_lines(lines.as_bytes(), 20);
    assert_eq!((found.len, found.rows), (lines.len(), 2_000));
    let mut mirror = Mirror::new(SIZE);
    mirror.advance(0, lines.as_bytes(), |_| {});
    assert_eq!(mirror.waiting.len(), lines.len(), "nobody has looked");
    assert_eq!(mirror.text(), "line 1995\nline 1996\nline 1997\nline 1998\nline 1999");
    assert_eq!(history(&mirror).len(), 1_995);
    assert!(mirror.waiting.is_empty());
}
