//! Turns the mirrored screen into escape sequences that repaint it in a fresh terminal.

use crate::history::Next;
use crate::screen::Screen;
use alacritty_terminal::Term;
use alacritty_terminal::event::VoidListener;
use alacritty_terminal::grid::{Cursor, Dimensions, Grid, Row};
use alacritty_terminal::index::{Column, Line, Point};
use alacritty_terminal::term::cell::{Cell, Flags, Hyperlink};
use alacritty_terminal::term::{Config, TermMode};
use alacritty_terminal::vte::ansi::{
    CharsetIndex, Color, CursorShape, NamedColor, Processor, StandardCharset, Timeout,
};
use std::io::Write;
use std::time::Duration;

/// Attributes that SGR sets; the other flags say how a cell came to be.
const STYLE: Flags = Flags::INVERSE
    .union(Flags::BOLD_ITALIC)
    .union(Flags::ALL_UNDERLINES)
    .union(Flags::DIM)
    .union(Flags::HIDDEN)
    .union(Flags::STRIKEOUT);

const CHARSETS: [(CharsetIndex, char); 4] =
    [(CharsetIndex::G0, '('), (CharsetIndex::G1, ')'), (CharsetIndex::G2, '*'), (CharsetIndex::G3, '+')];

/// No synchronised updates: the mirror is always as new as the output, and keeps no copy of it.
#[derive(Default)]
pub(crate) struct Immediate;

impl Timeout for Immediate {
    fn set_timeout(&mut self, _duration: Duration) {}

    fn clear_timeout(&mut self) {}

    fn pending_timeout(&self) -> bool {
        false
    }
}

macro_rules! put {
    ($out:expr, $($format:tt)*) => {
        // Writing to memory cannot fail.
        let _ = write!($out, $($format)*);
    };
}

/// The attributes that the next character would get.
#[derive(Clone, PartialEq, Debug)]
struct Pen {
    foreground: Color,
    background: Color,
    style: Flags,
    underline: Option<Color>,
    link: Option<Hyperlink>,
}

impl Default for Pen {
    fn default() -> Self {
        Self::of(&Cell::default())
    }
}

impl Pen {
    fn of(cell: &Cell) -> Self {
        Self {
            foreground: cell.fg,
            background: cell.bg,
            style: cell.flags & STYLE,
            underline: cell.underline_color(),
            link: cell.hyperlink(),
        }
    }

    /// Whether a cell is one character with these attributes, as nearly all are that follow one another.
    fn draws(&self, cell: &Cell) -> bool {
        const SPECIAL: Flags = Flags::WIDE_CHAR.union(Flags::WIDE_CHAR_SPACER);
        cell.flags & (STYLE | SPECIAL) == self.style
            && cell.extra.is_none()
            && cell.fg == self.foreground
            && cell.bg == self.background
            && self.underline.is_none()
            && self.link.is_none()
            && cell.c != '\t'
    }

    fn change_to(&mut self, out: &mut Vec<u8>, next: Pen) {
        if self.link != next.link {
            match &next.link {
                Some(link) => {
                    put!(out, "\x1b]8;id={};{}\x1b\\", link.id(), link.uri());
                }
                None => out.extend_from_slice(b"\x1b]8;;\x1b\\"),
            }
        }
        let same = (self.foreground, self.background, self.style, self.underline)
            == (next.foreground, next.background, next.style, next.underline);
        if !same {
            select_graphics(out, &next);
        }
        *self = next;
    }
}

fn select_graphics(out: &mut Vec<u8>, pen: &Pen) {
    const CODES: [(Flags, &str); 11] = [
        (Flags::BOLD, "1"),
        (Flags::DIM, "2"),
        (Flags::ITALIC, "3"),
        (Flags::UNDERLINE, "4"),
        (Flags::DOUBLE_UNDERLINE, "4:2"),
        (Flags::UNDERCURL, "4:3"),
        (Flags::DOTTED_UNDERLINE, "4:4"),
        (Flags::DASHED_UNDERLINE, "4:5"),
        (Flags::INVERSE, "7"),
        (Flags::HIDDEN, "8"),
        (Flags::STRIKEOUT, "9"),
    ];
    out.extend_from_slice(b"\x1b[0");
    for (flag, code) in CODES {
        if pen.style.contains(flag) {
            put!(out, ";{code}");
        }
    }
    select_colour(out, pen.foreground, 30);
    select_colour(out, pen.background, 40);
    match pen.underline {
        Some(Color::Spec(rgb)) => {
            put!(out, ";58:2::{}:{}:{}", rgb.r, rgb.g, rgb.b);
        }
        Some(Color::Indexed(index)) => {
            put!(out, ";58:5:{index}");
        }
        Some(Color::Named(_)) | None => {}
    }
    out.push(b'm');
}

fn select_colour(out: &mut Vec<u8>, colour: Color, base: usize) {
    match colour {
        Color::Named(name) => match name as usize {
            index @ 0..=7 => {
                put!(out, ";{}", base + index);
            }
            index @ 8..=15 => {
                put!(out, ";{}", base + 60 + index - 8);
            }
            _ => {}
        },
        Color::Spec(rgb) => {
            put!(out, ";{};2;{};{};{}", base + 8, rgb.r, rgb.g, rgb.b);
        }
        Color::Indexed(index) => {
            put!(out, ";{};5;{index}", base + 8);
        }
    }
}

fn is_blank(cell: &Cell) -> bool {
    matches!(cell.c, ' ' | '\t')
        && cell.extra.is_none()
        && (cell.flags & !Flags::WRAPLINE).is_empty()
        && cell.fg == Color::Named(NamedColor::Foreground)
        && cell.bg == Color::Named(NamedColor::Background)
}

fn put_character(out: &mut Vec<u8>, character: char) {
    if character.is_ascii() {
        out.push(character as u8);
        return;
    }
    let mut utf8 = [0; 4];
    out.extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
}

/// The character that the cell at `column` shows and the columns it takes. Halves of a wide character whose other half
/// was overwritten are blank.
pub(crate) fn shown(row: &Row<Cell>, columns: usize, column: usize) -> (char, usize) {
    let cell = &row[Column(column)];
    let flags = |column: usize| row[Column(column)].flags;
    if cell.flags.contains(Flags::WIDE_CHAR) {
        let whole = column + 1 < columns && flags(column + 1).contains(Flags::WIDE_CHAR_SPACER);
        return if whole { (cell.c, 2) } else { (' ', 1) };
    }
    let blank = cell.c == '\t' || cell.flags.contains(Flags::WIDE_CHAR_SPACER);
    (if blank { ' ' } else { cell.c }, 1)
}

/// Whether a row is painted beginning with a wide character, which wraps by itself where one column is left.
pub(crate) fn begins_wide(row: &Row<Cell>, columns: usize) -> bool {
    shown(row, columns, 0).1 == 2
}

/// Paints the cell at `column` and says how many columns that took.
fn cell(out: &mut Vec<u8>, pen: &mut Pen, row: &Row<Cell>, columns: usize, column: usize) -> usize {
    let cell = &row[Column(column)];
    if pen.draws(cell) {
        put_character(out, cell.c);
        return 1;
    }
    pen.change_to(out, Pen::of(cell));
    let (character, width) = shown(row, columns, column);
    put_character(out, character);
    for &combining in cell.zerowidth().into_iter().flatten() {
        put_character(out, combining);
    }
    width
}

/// How a row goes on in the next one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Not at all.
    Break,
    /// Its last column is written and the next character wraps.
    Wrap,
    /// Its last column was left free by a wide character that did not fit, and will wrap by itself again.
    WrapBeforeWide,
}

impl End {
    fn of(row: &Row<Cell>, next: Option<&Row<Cell>>, columns: usize) -> Self {
        let flags = row[Column(columns - 1)].flags;
        let wide_next = next.is_none_or(|next| begins_wide(next, columns));
        if !flags.contains(Flags::WRAPLINE) {
            Self::Break
        } else if flags.contains(Flags::LEADING_WIDE_CHAR_SPACER) && wide_next {
            Self::WrapBeforeWide
        } else {
            Self::Wrap
        }
    }
}

/// Paints one row. `continued`: it goes on from the one before, so that its first character makes the terminal wrap.
fn row(out: &mut Vec<u8>, pen: &mut Pen, row: &Row<Cell>, columns: usize, end: End, continued: bool) {
    let end = match end {
        End::Wrap => columns,
        End::WrapBeforeWide => columns - 1,
        End::Break => {
            let used = (0..columns).rev().find(|&column| !is_blank(&row[Column(column)]));
            used.map_or(0, |last| last + 1).max(usize::from(continued))
        }
    };
    let mut column = 0;
    while column < end {
        let first = column == 0;
        column += cell(out, pen, row, columns, column);
        // A line that scrolls in by wrapping takes the background of the character that wrapped.
        if first && continued && pen.background != Color::Named(NamedColor::Background) && column < columns {
            let link = pen.link.take();
            *pen = Pen { link, ..Pen::default() };
            select_graphics(out, pen);
            out.extend_from_slice(b"\x1b[K");
        }
    }
}

/// Paints one line for the history, from default attributes to default attributes, and says how it goes on in the
/// next one. `below`: the row under it, where there is one already.
pub(crate) fn line(
    out: &mut Vec<u8>,
    cells: &Row<Cell>,
    below: Option<&Row<Cell>>,
    columns: usize,
    continued: bool,
) -> Next {
    let mut pen = Pen::default();
    let end = End::of(cells, below, columns);
    row(out, &mut pen, cells, columns, end, continued);
    pen.change_to(out, Pen::default());
    match end {
        End::Break => Next::Breaks,
        End::Wrap => Next::GoesOn,
        End::WrapBeforeWide => Next::GoesOnWide,
    }
}

/// Rows of a screen of `columns` from the texts that [`line`] made.
pub(crate) fn rows_from_text(lines: &[(Vec<u8>, bool)], columns: usize) -> Vec<Row<Cell>> {
    let size = super::screen::Size { columns: u16::try_from(columns).unwrap_or(u16::MAX), rows: 1 };
    let mut parser = Processor::<Immediate>::new();
    let mut term = Term::new(Config { scrolling_history: 0, ..Config::default() }, &size, VoidListener);
    let mut rows = Vec::with_capacity(lines.len());
    for (text, wrapped) in lines {
        parser.advance(&mut term, text);
        let mut restored = term.grid()[Line(0)].clone();
        if *wrapped {
            restored[Column(columns - 1)].flags.insert(Flags::WRAPLINE);
        }
        rows.push(restored);
        parser.advance(&mut term, b"\x1bc");
    }
    rows
}

/// Paints all rows of a screen, from its top left corner on. `continued`: the line before it goes on in it.
fn grid(out: &mut Vec<u8>, grid: &Grid<Cell>, continued: bool) {
    let columns = grid.columns();
    let mut pen = Pen::default();
    let mut continued = continued;
    let rows = grid.screen_lines() as i32;
    for index in 0..rows {
        let cells = &grid[Line(index)];
        let last = index + 1 == rows;
        let end = if last { End::Break } else { End::of(cells, Some(&grid[Line(index + 1)]), columns) };
        row(out, &mut pen, cells, columns, end, continued);
        continued = end != End::Break;
        if !continued {
            // A line that scrolls in takes the background of the moment.
            pen.change_to(out, Pen::default());
            if !last {
                out.extend_from_slice(b"\r\n");
            }
        }
    }
}

/// Escape sequences after which a terminal of the same size shows what `screen` shows, with its scrollback, both
/// buffers, cursor, modes and title, and treats what comes next alike.
pub(crate) fn snapshot(screen: &mut Screen) -> Vec<u8> {
    let mut out = b"\x1bc".to_vec();
    if let Some(title) = &screen.title {
        put!(out, "\x1b]2;{title}\x1b\\");
    }
    colours(&mut out, screen);
    let wide = screen.with_primary(|primary| begins_wide(&primary[Line(0)], primary.columns()));
    let continued = history(&mut out, screen, wide);
    let mut ink = Ink::default();
    let in_alternate = screen.in_alternate();
    screen.with_primary(|primary| {
        grid(&mut out, primary, continued);
        if in_alternate {
            // Entering the alternate screen saves this cursor, as it did the first time.
            ink.place(&mut out, primary, &primary.cursor, None);
        }
    });
    if in_alternate {
        out.extend_from_slice(b"\x1b[?1049h");
        ink.clean(&mut out);
        out.extend_from_slice(b"\x1b[2J\x1b[H");
        grid(&mut out, screen.term.grid(), false);
    }
    margins_and_tabs(&mut out, screen);
    let active = screen.term.grid();
    if active.saved_cursor != Cursor::default() {
        ink.place(&mut out, active, &active.saved_cursor, None);
        out.extend_from_slice(b"\x1b7");
    }
    modes(&mut out, screen);
    let origin = screen.term.mode().contains(TermMode::ORIGIN).then_some(screen.region.0);
    ink.place(&mut out, active, &active.cursor, origin);
    match screen.charset {
        CharsetIndex::G0 => {}
        CharsetIndex::G1 => out.push(0x0E),
        CharsetIndex::G2 => out.extend_from_slice(b"\x1bn"),
        CharsetIndex::G3 => out.extend_from_slice(b"\x1bo"),
    }
    // Insert mode last: it would shift what is painted.
    if screen.term.mode().contains(TermMode::INSERT) {
        out.extend_from_slice(b"\x1b[4h");
    }
    out
}

/// Paints the history and says whether the screen goes on in its last line. `wide`: it begins with a wide character.
fn history(out: &mut Vec<u8>, screen: &Screen, wide: bool) -> bool {
    let mut before: Option<u16> = None;
    // Lines of another width are not joined: they would shift what follows.
    let joins = |before: u16, columns: u16, continued: bool| continued && before == columns;
    screen.history.for_each(|line| {
        if before.is_some_and(|width| !joins(width, line.columns, line.continued)) {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(line.text);
        before = Some(line.columns);
    });
    let Some(width) = before else { return false };
    let columns = u16::try_from(screen.term.columns()).unwrap_or(u16::MAX);
    let continued = joins(width, columns, screen.history.continues(wide));
    if !continued {
        out.extend_from_slice(b"\r\n");
    }
    continued
}

fn colours(out: &mut Vec<u8>, screen: &Screen) {
    let colours = screen.term.colors();
    for index in 0..=NamedColor::Cursor as usize {
        let Some(rgb) = colours[index] else { continue };
        if index < 256 {
            put!(out, "\x1b]4;{index}");
        } else {
            put!(out, "\x1b]{}", index - 256 + 10);
        }
        put!(out, ";rgb:{:02x}/{:02x}/{:02x}\x1b\\", rgb.r, rgb.g, rgb.b);
    }
}

fn margins_and_tabs(out: &mut Vec<u8>, screen: &Screen) {
    let rows = screen.term.screen_lines() as i32;
    if screen.region != (0, rows) {
        put!(out, "\x1b[{};{}r", screen.region.0 + 1, screen.region.1);
    }
    if screen.tabs.iter().enumerate().any(|(column, &tab)| tab != (column % 8 == 0)) {
        out.extend_from_slice(b"\x1b[3g");
        for (column, _) in screen.tabs.iter().enumerate().filter(|(_, tab)| **tab) {
            put!(out, "\x1b[{}G\x1bH", column + 1);
        }
    }
}

fn modes(out: &mut Vec<u8>, screen: &Screen) {
    const SET: [(TermMode, &str); 12] = [
        (TermMode::APP_CURSOR, "\x1b[?1h"),
        (TermMode::APP_KEYPAD, "\x1b="),
        (TermMode::BRACKETED_PASTE, "\x1b[?2004h"),
        (TermMode::MOUSE_REPORT_CLICK, "\x1b[?1000h"),
        (TermMode::MOUSE_DRAG, "\x1b[?1002h"),
        (TermMode::MOUSE_MOTION, "\x1b[?1003h"),
        (TermMode::SGR_MOUSE, "\x1b[?1006h"),
        (TermMode::UTF8_MOUSE, "\x1b[?1005h"),
        (TermMode::FOCUS_IN_OUT, "\x1b[?1004h"),
        (TermMode::LINE_FEED_NEW_LINE, "\x1b[20h"),
        (TermMode::ORIGIN, "\x1b[?6h"),
        (TermMode::VI, ""),
    ];
    const UNSET: [(TermMode, &str); 4] = [
        (TermMode::SHOW_CURSOR, "\x1b[?25l"),
        (TermMode::LINE_WRAP, "\x1b[?7l"),
        (TermMode::ALTERNATE_SCROLL, "\x1b[?1007l"),
        (TermMode::URGENCY_HINTS, "\x1b[?1042l"),
    ];
    let mode = screen.term.mode();
    for (flag, sequence) in SET {
        if mode.contains(flag) {
            out.extend_from_slice(sequence.as_bytes());
        }
    }
    for (flag, sequence) in UNSET {
        if !mode.contains(flag) {
            out.extend_from_slice(sequence.as_bytes());
        }
    }
    for (number, set) in &screen.other_modes {
        put!(out, "\x1b[?{number}{}", if *set { 'h' } else { 'l' });
    }
    if screen.styled {
        let style = screen.term.cursor_style();
        let shape = match style.shape {
            CursorShape::Underline => 4,
            CursorShape::Beam => 6,
            _ => 2,
        };
        put!(out, "\x1b[{} q", shape - u8::from(style.blinking));
    }
}

/// What the terminal that is being painted would write with.
#[derive(Default)]
struct Ink {
    pen: Pen,
    charsets: [StandardCharset; 4],
}

impl Ink {
    fn clean(&mut self, out: &mut Vec<u8>) {
        self.pen.change_to(out, Pen::default());
        self.designate(out, [StandardCharset::Ascii; 4]);
    }

    fn designate(&mut self, out: &mut Vec<u8>, next: [StandardCharset; 4]) {
        for (index, (_, designator)) in CHARSETS.iter().enumerate() {
            if self.charsets[index] != next[index] {
                let set = if next[index] == StandardCharset::Ascii { 'B' } else { '0' };
                put!(out, "\x1b{designator}{set}");
            }
        }
        self.charsets = next;
    }

    /// Puts the cursor where `cursor` is on `cells`, with its attributes and character sets. `origin`: the row that
    /// rows are counted from.
    fn place(&mut self, out: &mut Vec<u8>, cells: &Grid<Cell>, cursor: &Cursor<Cell>, origin: Option<i32>) {
        let Point { line, column } = cursor.point;
        let row = line.0 - origin.unwrap_or(0) + 1;
        if cursor.input_needs_wrap && column.0 + 1 == cells.columns() {
            // Only a character written into the last column leaves the terminal about to wrap.
            self.designate(out, [StandardCharset::Ascii; 4]);
            let written = &cells[line];
            let half = written[column].flags.contains(Flags::WIDE_CHAR_SPACER) && column.0 > 0;
            let start = column.0 - usize::from(half);
            put!(out, "\x1b[{row};{}H", start + 1);
            cell(out, &mut self.pen, written, cells.columns(), start);
        } else {
            put!(out, "\x1b[{row};{}H", column.0 + 1);
        }
        self.pen.change_to(out, Pen::of(&cursor.template));
        self.designate(out, CHARSETS.map(|(index, _)| cursor.charsets[index]));
    }
}
