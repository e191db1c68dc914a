//! A terminal's output, mirrored: it can be repainted, read as text, and answers the program's questions.

use super::paint::{self, Immediate};
use super::scanner::{Found, Scanner};
use super::screen::{Replies, Screen, Size};
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::vte::ansi::Processor;

/// Makes the parser forget the sequence that it is in.
const CANCEL: &[u8] = &[0x18];

/// The mirror of one terminal.
pub(super) struct Mirror {
    parser: Processor<Immediate>,
    screen: Screen,
    scanner: Scanner,
    replies: Replies,
}

impl Mirror {
    pub(super) fn new(size: Size) -> Self {
        let replies = Replies::default();
        Self {
            parser: Processor::new(),
            screen: Screen::new(size, replies.clone()),
            scanner: Scanner::default(),
            replies,
        }
    }

    /// Takes in a piece of output whose first byte has `offset`, and shows every operating system command in it to
    /// `command`.
    pub(super) fn advance(&mut self, offset: u64, bytes: &[u8], mut command: impl FnMut(&[u8])) {
        let mut dropping = self.scanner.in_overlong_command();
        let mut cuts = Vec::new();
        self.scanner.scan(offset, bytes, |found| match found {
            Found::Command(text) => command(text),
            Found::Overlong(at) => cuts.push((at, true)),
            Found::OverlongEnd(at) => cuts.push((at, false)),
        });
        let mut from = 0;
        for (at, begins) in cuts {
            if !dropping {
                self.parser.advance(&mut self.screen, &bytes[from..at]);
            }
            if begins {
                self.parser.advance(&mut self.screen, CANCEL);
            }
            dropping = begins;
            from = at;
        }
        if !dropping {
            self.parser.advance(&mut self.screen, &bytes[from..]);
        }
    }

    pub(super) fn resize(&mut self, size: Size) {
        self.screen.resize(size);
    }

    pub(super) fn title(&self) -> Option<&str> {
        self.screen.title.as_deref().filter(|title| !title.is_empty())
    }

    /// Answers to the program's questions since the last call.
    pub(super) fn take_replies(&mut self) -> Vec<u8> {
        self.replies.take()
    }

    /// Escape sequences that repaint everything in a fresh terminal of the same size.
    pub(super) fn snapshot(&mut self) -> Vec<u8> {
        paint::snapshot(&mut self.screen)
    }

    /// See [`Scanner::safe_offset`].
    pub(super) fn safe_offset(&self, end: u64, tail: &[u8]) -> u64 {
        self.scanner.safe_offset(end, tail)
    }

    /// The visible rows as plain text, blanks at their ends and empty rows at the bottom left out.
    pub(super) fn text(&self) -> String {
        let grid = self.screen.term.grid();
        let mut text = String::new();
        for line in 0..grid.screen_lines() as i32 {
            let start = text.len();
            let row = &grid[Line(line)];
            let mut column = 0;
            while column < grid.columns() {
                let (character, width) = paint::shown(row, grid.columns(), column);
                text.push(character);
                text.extend(row[Column(column)].zerowidth().into_iter().flatten());
                column += width;
            }
            text.truncate(start + text[start..].trim_end().len());
            text.push('\n');
        }
        text.truncate(text.trim_end().len());
        text
    }
}

#[cfg(test)]
mod tests;
