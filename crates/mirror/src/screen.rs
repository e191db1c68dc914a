//! The mirrored screen: alacritty_terminal, told what xterm does where the two differ, with the lines that scroll
//! off it kept aside.
//!
//! The mirror itself has no scrollback: alacritty keeps 24 bytes a cell and reserves a thousand rows at a time. A
//! line that is about to scroll off is turned into escape text and goes to [`History`].

use crate::history::{History, HistoryLine};
use crate::paint;
use alacritty_terminal::Term;
use alacritty_terminal::event::{Event, EventListener};
use alacritty_terminal::grid::{Dimensions, Grid};
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::term::{Config, Osc52, TermMode};
use alacritty_terminal::vte::ansi::{self, CharsetIndex, Handler, NamedPrivateMode, PrivateMode};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use unicode_width::UnicodeWidthChar;

/// Combining characters kept for one cell; more would let a program fill the memory through one cell.
const MAX_COMBINING: usize = 8;
/// Titles that a program may put aside.
const MAX_TITLES: usize = 16;
/// Modes unknown to the mirror that are remembered for the client.
const MAX_OTHER_MODES: usize = 32;
/// Answers collected before they are taken.
const MAX_REPLY_LEN: usize = 64 * 1024;
/// Rows that a resize may push off the screen.
const RESIZE_HISTORY: usize = 20_000;

/// Columns and rows. The mirror needs at least two columns, for wide characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Columns.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

impl Dimensions for Size {
    fn total_lines(&self) -> usize {
        self.screen_lines()
    }

    fn screen_lines(&self) -> usize {
        usize::from(self.rows).max(1)
    }

    fn columns(&self) -> usize {
        usize::from(self.columns).max(2)
    }
}

/// The mirror's answers to a program's questions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replies(Arc<Mutex<Vec<u8>>>);

impl Replies {
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl EventListener for Replies {
    fn send_event(&self, event: Event) {
        if let Event::PtyWrite(text) = event {
            let mut replies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if replies.len() + text.len() <= MAX_REPLY_LEN {
                replies.extend_from_slice(text.as_bytes());
            }
        }
    }
}

/// The screen and what a repaint needs besides the mirror's public state.
pub(crate) struct Screen {
    pub(crate) term: Term<Replies>,
    pub(crate) history: History,
    /// Scroll region, first row and the one after its last.
    pub(crate) region: (i32, i32),
    pub(crate) tabs: Vec<bool>,
    pub(crate) charset: CharsetIndex,
    pub(crate) title: Option<String>,
    titles: Vec<Option<String>>,
    /// The program chose a cursor style.
    pub(crate) styled: bool,
    /// Private modes that the mirror ignores and the client may know.
    pub(crate) other_modes: BTreeMap<u16, bool>,
    scratch: Vec<u8>,
}

fn config(history: usize) -> Config {
    Config { scrolling_history: history, osc52: Osc52::Disabled, ..Config::default() }
}

fn default_tabs(columns: usize) -> Vec<bool> {
    (0..columns).map(|column| column % 8 == 0).collect()
}

impl Screen {
    pub(crate) fn new(size: Size, replies: Replies) -> Self {
        Self {
            term: Term::new(config(0), &size, replies),
            history: History::default(),
            region: (0, size.screen_lines() as i32),
            tabs: default_tabs(size.columns()),
            charset: CharsetIndex::default(),
            title: None,
            titles: Vec::new(),
            styled: false,
            other_modes: BTreeMap::new(),
            scratch: Vec::new(),
        }
    }

    pub(crate) fn in_alternate(&self) -> bool {
        self.term.mode().contains(TermMode::ALT_SCREEN)
    }

    /// Lends the primary screen, also while the alternate one is shown.
    pub(crate) fn with_primary<T>(&mut self, use_it: impl FnOnce(&mut Grid<Cell>) -> T) -> T {
        if !self.in_alternate() {
            return use_it(self.term.grid_mut());
        }
        // Going back clears the alternate screen, hence the copy.
        let alternate = self.term.grid().clone();
        self.term.swap_alt();
        let result = use_it(self.term.grid_mut());
        self.term.swap_alt();
        *self.term.grid_mut() = alternate;
        result
    }

    pub(crate) fn resize(&mut self, size: Size) {
        let old_columns = self.term.columns();
        if old_columns == size.columns() && self.term.screen_lines() == size.screen_lines() {
            return;
        }
        self.term.set_options(config(RESIZE_HISTORY));
        let without_history = self.history.len() == 0;
        if !self.in_alternate() {
            self.give_back(size);
        }
        self.term.resize(size);
        self.with_primary_taken(|history, grid, scratch| {
            let above = i32::try_from(grid.history_size()).unwrap_or(0);
            let pulled = if without_history { pull_down(grid) } else { 0 };
            for line in -above..-pulled {
                keep_line(history, grid, Line(line), scratch);
            }
        });
        self.term.set_options(config(0));
        self.with_primary(Grid::truncate);
        self.region = (0, size.screen_lines() as i32);
        if old_columns != size.columns() {
            let known = self.tabs.len().min(size.columns());
            let mut tabs = default_tabs(size.columns());
            tabs[..known].copy_from_slice(&self.tabs[..known]);
            self.tabs = tabs;
        }
    }

    fn with_primary_taken(&mut self, use_it: impl FnOnce(&mut History, &mut Grid<Cell>, &mut Vec<u8>)) {
        let mut history = std::mem::take(&mut self.history);
        let mut scratch = std::mem::take(&mut self.scratch);
        self.with_primary(|grid| use_it(&mut history, grid, &mut scratch));
        self.history = history;
        self.scratch = scratch;
    }

    /// Puts the newest lines of the history above the screen again, for a resize to flow or pull them down.
    fn give_back(&mut self, size: Size) {
        let rows = self.term.screen_lines();
        let columns = self.term.columns();
        let wanted = if size.columns() == columns { size.screen_lines().saturating_sub(rows) } else { rows };
        let Ok(width) = u16::try_from(columns) else { return };
        let lines = self.history.take_back(wanted.min(rows), width);
        if lines.is_empty() {
            return;
        }
        let count = lines.len();
        let restored = paint::rows_from_text(&lines, columns);
        let grid = self.term.grid_mut();
        // Makes room above: everything moves up by `count` rows …
        let region = Line(0)..Line(rows as i32);
        grid.scroll_up(&region, count);
        // … and what was on the screen goes back to where it was.
        for row in (0..rows as i32).rev() {
            grid[Line(row)] = grid[Line(row - count as i32)].clone();
        }
        for (index, row) in restored.into_iter().enumerate() {
            grid[Line(index as i32 - count as i32)] = row;
        }
    }

    /// Keeps the top row of the primary screen where the next line feed scrolls it off.
    fn before_line_feed(&mut self, wraps: bool) {
        let row = self.term.grid().cursor.point.line.0;
        if self.region.0 != 0 || row + 1 != self.region.1 || self.in_alternate() {
            return;
        }
        if wraps && row == 0 {
            let last = self.term.columns() - 1;
            self.term.grid_mut()[Line(0)][Column(last)].flags.insert(Flags::WRAPLINE);
        }
        keep_line(&mut self.history, self.term.grid(), Line(0), &mut self.scratch);
    }

    /// Keeps every row above the cursor, as line feeds that scroll them off would.
    pub(crate) fn keep_rows_above_cursor(&mut self) {
        for line in 0..self.term.grid().cursor.point.line.0 {
            keep_line(&mut self.history, self.term.grid(), Line(line), &mut self.scratch);
        }
    }

    /// The top row no longer continues the history where an operation at `row` reaches it.
    pub(crate) fn top_row_changes(&mut self, row: i32) {
        if row == 0 && self.region.0 == 0 && !self.in_alternate() {
            self.history.cut();
        }
    }

    /// Whether the next character goes to the next line first.
    fn wraps_before(&self, character: char) -> bool {
        let cursor = &self.term.grid().cursor;
        if !cursor.input_needs_wrap && cursor.point.column.0 + 1 < self.term.columns() {
            return false;
        }
        if !self.term.mode().contains(TermMode::LINE_WRAP) {
            return false;
        }
        match character.width() {
            None | Some(0) => false,
            Some(1) => cursor.input_needs_wrap,
            Some(_) => true,
        }
    }

    /// Whether a combining character finds its cell full.
    fn cell_is_full(&self) -> bool {
        let grid = self.term.grid();
        let mut column = grid.cursor.point.column.0;
        if !grid.cursor.input_needs_wrap {
            column = column.saturating_sub(1);
        }
        let row = &grid[grid.cursor.point.line];
        if row[Column(column)].flags.contains(Flags::WIDE_CHAR_SPACER) {
            column = column.saturating_sub(1);
        }
        row[Column(column)].zerowidth().is_some_and(|combining| combining.len() >= MAX_COMBINING)
    }

    fn note_other_mode(&mut self, number: u16, set: bool) {
        if self.other_modes.len() < MAX_OTHER_MODES || self.other_modes.contains_key(&number) {
            self.other_modes.insert(number, set);
        }
    }
}

/// Moves rows from above the screen down into the empty rows below the cursor, as xterm does where there was no
/// scrollback yet, and says how many.
fn pull_down(grid: &mut Grid<Cell>) -> i32 {
    let rows = grid.screen_lines() as i32;
    let below = rows - 1 - grid.cursor.point.line.0;
    let empty = (rows - below..rows).rev().take_while(|&row| grid[Line(row)].is_clear()).count() as i32;
    let count = empty.min(i32::try_from(grid.history_size()).unwrap_or(0));
    if count > 0 {
        for row in (0..rows).rev() {
            grid[Line(row)] = grid[Line(row - count)].clone();
        }
        grid.cursor.point.line += count;
        let saved = grid.saved_cursor.point.line + count;
        grid.saved_cursor.point.line = saved.min(Line(rows - 1));
    }
    count
}

fn keep_line(history: &mut History, grid: &Grid<Cell>, line: Line, scratch: &mut Vec<u8>) {
    scratch.clear();
    let row = &grid[line];
    let below = (line.0 + 1 < grid.screen_lines() as i32).then(|| &grid[line + 1]);
    let continued = history.continues(paint::begins_wide(row, grid.columns()));
    let next = paint::line(scratch, row, below, grid.columns(), continued);
    let columns = u16::try_from(grid.columns()).unwrap_or(u16::MAX);
    history.push(HistoryLine { text: scratch, continued, columns }, next);
}

macro_rules! forward {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {
        $(fn $name(&mut self, $($argument: $kind),*) {
            Handler::$name(&mut self.term, $($argument),*);
        })*
    };
}

impl Handler for Screen {
    fn input(&mut self, character: char) {
        if self.wraps_before(character) {
            self.before_line_feed(true);
        } else if character >= '\u{300}' && character.width() == Some(0) && self.cell_is_full() {
            return;
        }
        self.term.input(character);
    }

    fn linefeed(&mut self) {
        self.before_line_feed(false);
        self.stay_in_line();
        self.term.linefeed();
        self.begin_line(self.term.grid().cursor.point.line);
    }

    fn newline(&mut self) {
        self.before_line_feed(false);
        self.stay_in_line();
        self.term.newline();
        self.begin_line(self.term.grid().cursor.point.line);
    }

    fn put_tab(&mut self, count: u16) {
        // alacritty would go to the next line behind the last column.
        if !self.term.grid().cursor.input_needs_wrap {
            self.term.put_tab(count);
        }
    }

    fn move_down(&mut self, rows: usize) {
        self.term.move_down(rows.min(self.rows_to_bottom()));
    }

    fn move_up(&mut self, rows: usize) {
        self.term.move_up(rows.min(self.rows_to_top()));
    }

    fn move_down_and_cr(&mut self, rows: usize) {
        self.term.move_down_and_cr(rows.min(self.rows_to_bottom()));
    }

    fn move_up_and_cr(&mut self, rows: usize) {
        self.term.move_up_and_cr(rows.min(self.rows_to_top()));
    }

    fn clear_screen(&mut self, mode: ansi::ClearMode) {
        match mode {
            ansi::ClearMode::Saved => self.history.clear(),
            ansi::ClearMode::All => self.top_row_changes(0),
            ansi::ClearMode::Above => return self.clear_above(),
            ansi::ClearMode::Below => return self.clear_below(),
        }
        self.term.clear_screen(mode);
    }

    fn clear_line(&mut self, mode: ansi::LineClearMode) {
        let cursor = &self.term.grid().cursor;
        let begin = cursor.point.column == Column(0);
        if matches!(mode, ansi::LineClearMode::All) || (matches!(mode, ansi::LineClearMode::Right) && begin) {
            self.begin_line(cursor.point.line);
        }
        self.term.clear_line(mode);
    }

    fn insert_blank(&mut self, count: usize) {
        self.stay_in_line();
        self.term.insert_blank(count);
    }

    fn erase_chars(&mut self, count: usize) {
        self.stay_in_line();
        self.term.erase_chars(count);
    }

    fn reset_state(&mut self) {
        self.history.clear();
        self.region = (0, self.term.screen_lines() as i32);
        self.tabs = default_tabs(self.term.columns());
        self.charset = CharsetIndex::default();
        self.title = None;
        self.titles.clear();
        self.styled = false;
        self.other_modes.clear();
        self.term.reset_state();
    }

    fn set_scrolling_region(&mut self, top: usize, bottom: Option<usize>) {
        // As xterm has it: cut to the screen, and at least two rows.
        let rows = self.term.screen_lines();
        let end = bottom.unwrap_or(rows).min(rows);
        if top < end {
            self.region = (top.saturating_sub(1) as i32, end as i32);
            self.term.set_scrolling_region(top, Some(end));
        }
    }

    fn set_private_mode(&mut self, mode: PrivateMode) {
        match mode {
            // xterm knows three ways to the alternate screen, the mirror one.
            PrivateMode::Unknown(47 | 1047) => self
                .term
                .set_private_mode(PrivateMode::Named(NamedPrivateMode::SwapScreenAndSetRestoreCursor)),
            PrivateMode::Unknown(1048) => self.term.save_cursor_position(),
            PrivateMode::Unknown(number) => self.note_other_mode(number, true),
            PrivateMode::Named(named) => {
                self.note_named_mode(named);
                self.term.set_private_mode(mode);
            }
        }
    }

    fn unset_private_mode(&mut self, mode: PrivateMode) {
        match mode {
            PrivateMode::Unknown(47 | 1047) => self
                .term
                .unset_private_mode(PrivateMode::Named(NamedPrivateMode::SwapScreenAndSetRestoreCursor)),
            PrivateMode::Unknown(1048) => self.term.restore_cursor_position(),
            PrivateMode::Unknown(number) => self.note_other_mode(number, false),
            PrivateMode::Named(named) => {
                self.note_named_mode(named);
                self.term.unset_private_mode(mode);
            }
        }
    }

    fn set_horizontal_tabstop(&mut self) {
        let column = self.term.grid().cursor.point.column.0;
        if let Some(tab) = self.tabs.get_mut(column) {
            *tab = true;
        }
        self.term.set_horizontal_tabstop();
    }

    fn clear_tabs(&mut self, mode: ansi::TabulationClearMode) {
        match mode {
            ansi::TabulationClearMode::Current => {
                let column = self.term.grid().cursor.point.column.0;
                if let Some(tab) = self.tabs.get_mut(column) {
                    *tab = false;
                }
            }
            ansi::TabulationClearMode::All => self.tabs.fill(false),
        }
        self.term.clear_tabs(mode);
    }

    fn set_active_charset(&mut self, index: CharsetIndex) {
        self.charset = index;
        self.term.set_active_charset(index);
    }

    fn set_cursor_style(&mut self, style: Option<ansi::CursorStyle>) {
        self.styled = style.is_some();
        self.term.set_cursor_style(style);
    }

    fn set_cursor_shape(&mut self, shape: ansi::CursorShape) {
        self.styled = true;
        self.term.set_cursor_shape(shape);
    }

    fn set_title(&mut self, title: Option<String>) {
        self.title = title;
    }

    fn push_title(&mut self) {
        if self.titles.len() == MAX_TITLES {
            self.titles.remove(0);
        }
        self.titles.push(self.title.clone());
    }

    fn pop_title(&mut self) {
        if let Some(title) = self.titles.pop() {
            self.title = title;
        }
    }

    fn scroll_up(&mut self, rows: usize) {
        self.top_row_changes(0);
        self.term.scroll_up(rows);
    }

    fn scroll_down(&mut self, rows: usize) {
        self.top_row_changes(0);
        self.term.scroll_down(rows);
    }

    fn insert_blank_lines(&mut self, count: usize) {
        self.begin_line(self.term.grid().cursor.point.line);
        self.term.insert_blank_lines(count);
        self.return_within_region();
    }

    fn delete_lines(&mut self, count: usize) {
        self.begin_line(self.term.grid().cursor.point.line);
        self.term.delete_lines(count);
        self.return_within_region();
    }

    fn delete_chars(&mut self, count: usize) {
        self.stay_in_line();
        // With more than there are, alacritty clears what is before the cursor, too.
        let behind = self.term.columns() - self.term.grid().cursor.point.column.0;
        self.term.delete_chars(count.min(behind));
    }

    fn reverse_index(&mut self) {
        self.top_row_changes(self.term.grid().cursor.point.line.0);
        self.stay_in_line();
        self.term.reverse_index();
    }

    fn decaln(&mut self) {
        self.top_row_changes(0);
        self.term.decaln();
    }

    // Colours are the client's to tell: it knows its theme.
    fn dynamic_color_sequence(&mut self, _prefix: String, _index: usize, _terminator: &str) {}

    forward! {
        goto(line: i32, column: usize);
        goto_line(line: i32);
        goto_col(column: usize);
        identify_terminal(intermediate: Option<char>);
        device_status(status: usize);
        move_forward(columns: usize);
        move_backward(columns: usize);
        backspace();
        carriage_return();
        substitute();
        move_backward_tabs(count: u16);
        move_forward_tabs(count: u16);
        save_cursor_position();
        restore_cursor_position();
        set_tabs(interval: u16);
        terminal_attribute(attribute: ansi::Attr);
        set_mode(mode: ansi::Mode);
        unset_mode(mode: ansi::Mode);
        report_mode(mode: ansi::Mode);
        report_private_mode(mode: PrivateMode);
        set_keypad_application_mode();
        unset_keypad_application_mode();
        configure_charset(index: CharsetIndex, charset: ansi::StandardCharset);
        set_color(index: usize, colour: ansi::Rgb);
        reset_color(index: usize);
        text_area_size_chars();
        set_hyperlink(link: Option<ansi::Hyperlink>);
    }
}

impl Screen {
    fn note_named_mode(&mut self, mode: NamedPrivateMode) {
        match mode {
            NamedPrivateMode::ColumnMode => {
                self.region = (0, self.term.screen_lines() as i32);
                self.top_row_changes(0);
            }
            NamedPrivateMode::BlinkingCursor => self.styled = true,
            _ => {}
        }
    }
}
