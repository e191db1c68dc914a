//! Where alacritty does otherwise than xterm.

use crate::screen::Screen;
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::Flags;
use alacritty_terminal::vte::ansi::{self, Handler};

impl Screen {
    /// alacritty leaves the first row as it is where the cursor is in the second.
    pub(crate) fn clear_above(&mut self) {
        let row = self.term.grid().cursor.point.line;
        self.top_row_changes(0);
        self.term.clear_screen(ansi::ClearMode::Above);
        if row == Line(1) {
            self.term.grid_mut().reset_region(..row);
        }
    }

    /// alacritty clears the last column too where the cursor is behind it.
    pub(crate) fn clear_below(&mut self) {
        let point = self.term.grid().cursor.point;
        if point.column == Column(0) {
            self.begin_line(point.line);
        }
        let behind = self.term.grid().cursor.input_needs_wrap;
        let last = behind.then(|| self.term.grid()[point].clone());
        self.term.clear_screen(ansi::ClearMode::Below);
        if let Some(last) = last {
            self.term.grid_mut()[point] = last;
        }
    }

    /// The row no longer goes on from the one above.
    pub(crate) fn begin_line(&mut self, row: Line) {
        self.top_row_changes(row.0);
        if row > Line(0) {
            let last = Column(self.term.columns() - 1);
            self.term.grid_mut()[row - 1_i32][last]
                .flags
                .remove(Flags::WRAPLINE | Flags::LEADING_WIDE_CHAR_SPACER);
        }
    }

    /// What changes characters at the cursor forgets that the next one would wrap.
    pub(crate) fn stay_in_line(&mut self) {
        self.term.grid_mut().cursor.input_needs_wrap = false;
    }

    /// Rows that the cursor can go down: the scroll region holds it.
    pub(crate) fn rows_to_bottom(&self) -> usize {
        let row = self.term.grid().cursor.point.line.0;
        let end = if row < self.region.1 { self.region.1 } else { self.term.screen_lines() as i32 };
        usize::try_from(end - 1 - row).unwrap_or(0)
    }

    /// Rows that the cursor can go up.
    pub(crate) fn rows_to_top(&self) -> usize {
        let row = self.term.grid().cursor.point.line.0;
        let begin = if row >= self.region.0 { self.region.0 } else { 0 };
        usize::try_from(row - begin).unwrap_or(0)
    }

    /// The cursor goes to the begin of its line with lines inserted or deleted there.
    pub(crate) fn return_within_region(&mut self) {
        let cursor = &mut self.term.grid_mut().cursor;
        if (self.region.0..self.region.1).contains(&cursor.point.line.0) {
            cursor.point.column = Column(0);
            cursor.input_needs_wrap = false;
        }
    }
}
