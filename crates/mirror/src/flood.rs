//! Plain text that rushes past: lines that will have left the screen by the end of a piece of output go to the
//! history as they are, without being drawn first.

use crate::history::{HistoryLine, Next};
use crate::screen::Screen;
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Line, Point};
use alacritty_terminal::term::TermMode;
use alacritty_terminal::term::cell::Cell;
use alacritty_terminal::vte::ansi::StandardCharset;

/// Columns between two of the tab stops that a terminal begins with.
const TAB: usize = 8;

/// Lines of printable ASCII and tabs that each end with `\r\n`.
pub(crate) struct PlainLines {
    /// Bytes of all of them.
    pub(crate) len: usize,
    /// Rows that they take on the screen.
    pub(crate) rows: usize,
}

/// The plain lines at the begin of `bytes`, which begins a line, up to the first that is not plain or not whole.
pub(crate) fn plain_lines(bytes: &[u8], columns: usize) -> PlainLines {
    let mut found = PlainLines { len: 0, rows: 0 };
    while let Some(end) = memchr::memchr(b'\n', &bytes[found.len..]) {
        match rows_of(&bytes[found.len..found.len + end], columns) {
            Some(rows) => found.rows += rows,
            None => break,
        }
        found.len += end + 1;
    }
    found
}

/// The rows that a line takes; `line` goes up to its `\n`. None where it is not plain.
fn rows_of(line: &[u8], columns: usize) -> Option<usize> {
    let (b'\r', text) = line.split_last()? else { return None };
    let mut tabs = false;
    let mut odd = false;
    for &byte in text {
        tabs |= byte == b'\t';
        odd |= !matches!(byte, 0x20..=0x7E | b'\t');
    }
    if odd {
        return None;
    }
    if tabs {
        // Where the last columns are, tabs stop being plain.
        return (expanded_len(text) < columns).then_some(1);
    }
    Some(text.len().div_ceil(columns).max(1))
}

fn expanded_len(text: &[u8]) -> usize {
    text.iter().fold(0, |column, &byte| if byte == b'\t' { (column / TAB + 1) * TAB } else { column + 1 })
}

/// Where the last lines of `lines` begin that together fill `rows` rows or more.
pub(crate) fn tail_start(lines: &[u8], rows: usize, columns: usize) -> usize {
    let mut start = lines.len();
    let mut filled = 0;
    while filled < rows && start > 0 {
        let end = start - 1;
        start = memchr::memrchr(b'\n', &lines[..end]).map_or(0, |at| at + 1);
        filled += rows_of(&lines[start..end], columns).unwrap_or(1);
    }
    start
}

impl Screen {
    /// Whether lines may be put into the history undrawn: nothing but their text decides how they look.
    pub(crate) fn draws_plainly(&self) -> bool {
        let grid = self.term.grid();
        let mode = self.term.mode();
        let rows = grid.screen_lines() as i32;
        let charset = grid.cursor.charsets[self.charset];
        mode.contains(TermMode::LINE_WRAP)
            && !mode.intersects(TermMode::INSERT | TermMode::ALT_SCREEN)
            && self.region == (0, rows)
            && grid.cursor.template == Cell::default()
            && charset == StandardCharset::Ascii
            && self.tabs.iter().enumerate().all(|(column, &stop)| stop == (column % TAB == 0))
    }

    /// Lets the screen, whose cursor is at the begin of its fresh last row, and `lines` after it pass into the history.
    /// The screen is empty afterwards, the cursor at its top.
    pub(crate) fn pass(&mut self, lines: &[u8]) {
        self.keep_rows_above_cursor();
        let columns = self.term.columns();
        let mut expanded = Vec::new();
        let mut rest = lines;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let text = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
            self.keep_text(text, columns, &mut expanded);
            rest = &rest[end + 1..];
        }
        let grid = self.term.grid_mut();
        grid.reset_region(..);
        grid.cursor.point = Point::new(Line(0), Column(0));
    }

    fn keep_text(&mut self, text: &[u8], columns: usize, expanded: &mut Vec<u8>) {
        let text = if memchr::memchr(b'\t', text).is_some() {
            expanded.clear();
            for &byte in text {
                match byte {
                    b'\t' => expanded.resize((expanded.len() / TAB + 1) * TAB, b' '),
                    byte => expanded.push(byte),
                }
            }
            expanded.as_slice()
        } else {
            text
        };
        let width = u16::try_from(columns).unwrap_or(u16::MAX);
        let mut rest = text;
        loop {
            let continued = self.history.continues(false);
            let goes_on = rest.len() > columns;
            let (row, after) = rest.split_at(rest.len().min(columns));
            let row = if goes_on { row } else { without_blanks(row, usize::from(continued)) };
            let next = if goes_on { Next::GoesOn } else { Next::Breaks };
            self.history.push(HistoryLine { text: row, continued, columns: width }, next);
            if !goes_on {
                return;
            }
            rest = after;
        }
    }
}

/// Without the blanks at its end, but at least `least` columns.
fn without_blanks(row: &[u8], least: usize) -> &[u8] {
    let used = row.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last + 1);
    &row[..used.max(least).min(row.len())]
}
