//! A terminal's output, mirrored: it can be repainted, read as text, and answers the program's questions.

use crate::flood;
use crate::paint::{self, Immediate};
use crate::scanner::{self, Found, Scanner};
use crate::screen::{Replies, Screen, Size};
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::vte::ansi::Processor;

/// Plain output that may wait to be drawn. The more of it comes together, the less of it is ever drawn.
const WAITING_LEN: usize = 128 * 1024;
/// Room for waiting output that is kept between two pieces.
const IDLE_CAPACITY: usize = 8 * 1024;
/// Output that fills the screen this many times is worth being passed on undrawn.
const WORTH_PASSING: usize = 3;

/// Makes the parser forget the sequence that it is in.
const CANCEL: &[u8] = &[0x18];

/// The mirror of one terminal.
pub struct Mirror {
    parser: Processor<Immediate>,
    screen: Screen,
    scanner: Scanner,
    replies: Replies,
    /// Output without escape sequences that is not drawn yet: nobody has looked.
    waiting: Vec<u8>,
}

impl Mirror {
    /// An empty screen.
    pub fn new(size: Size) -> Self {
        let replies = Replies::default();
        Self {
            parser: Processor::new(),
            screen: Screen::new(size, replies.clone()),
            scanner: Scanner::default(),
            replies,
            waiting: Vec::new(),
        }
    }

    /// Takes in a piece of output whose first byte has `offset`, and shows every operating system command in it to
    /// `command`.
    pub fn advance(&mut self, offset: u64, bytes: &[u8], mut command: impl FnMut(&[u8])) {
        let plain = if self.scanner.is_in_text() { scanner::text_len(bytes) } else { 0 };
        if self.waiting.len() + plain > WAITING_LEN {
            self.draw_waiting();
        }
        self.waiting.extend_from_slice(&bytes[..plain]);
        if plain < bytes.len() {
            self.draw_waiting();
            self.sequences(offset + plain as u64, &bytes[plain..], &mut command);
        }
    }

    /// Takes in output that may hold anything.
    fn sequences(&mut self, offset: u64, bytes: &[u8], command: &mut impl FnMut(&[u8])) {
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
                self.draw(&bytes[from..at]);
            }
            if begins {
                self.draw(CANCEL);
            }
            dropping = begins;
            from = at;
        }
        if !dropping {
            self.draw(&bytes[from..]);
        }
    }

    fn draw(&mut self, bytes: &[u8]) {
        self.parser.advance(&mut self.screen, bytes);
    }

    /// Draws what waits; of a flood only what is still to be seen at its end.
    fn draw_waiting(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let mut bytes = std::mem::take(&mut self.waiting);
        let columns = self.screen.term.columns();
        let worth = WORTH_PASSING * self.screen.term.screen_lines();
        let mut drawn = 0;
        let mut at = 0;
        while let Some(line_end) = memchr::memchr(b'\n', &bytes[at..]) {
            at += line_end + 1;
            let lines = flood::plain_lines(&bytes[at..], columns);
            if lines.rows > worth {
                self.draw(&bytes[drawn..at]);
                self.flood(&bytes[at..at + lines.len]);
                drawn = at + lines.len;
            }
            at += lines.len;
        }
        self.draw(&bytes[drawn..]);
        bytes.clear();
        bytes.shrink_to(IDLE_CAPACITY);
        self.waiting = bytes;
    }

    /// Takes in plain lines that fill the screen several times. The parser is between two lines.
    fn flood(&mut self, lines: &[u8]) {
        let rows = self.screen.term.screen_lines();
        let columns = self.screen.term.columns();
        // One line for each row brings the cursor to the last one, and makes that a fresh one.
        let head = memchr::memchr_iter(b'\n', lines).nth(rows).map_or(lines.len(), |at| at + 1);
        self.draw(&lines[..head]);
        let rest = &lines[head..];
        let tail = flood::tail_start(rest, rows.saturating_sub(1), columns);
        // A program may ask for its last character again: that must have been drawn.
        let repeats = rest[tail..].iter().any(u8::is_ascii_graphic);
        if tail > 0 && rows > 1 && repeats && self.screen.draws_plainly() {
            self.screen.pass(&rest[..tail]);
            self.draw(&rest[tail..]);
        } else {
            self.draw(rest);
        }
    }

    /// The terminal has another size now. As in xterm, wrapped lines flow anew.
    pub fn resize(&mut self, size: Size) {
        self.draw_waiting();
        self.screen.resize(size);
    }

    /// The title that the program has set.
    pub fn title(&self) -> Option<&str> {
        self.screen.title.as_deref().filter(|title| !title.is_empty())
    }

    /// Answers to the program's questions since the last call.
    pub fn take_replies(&mut self) -> Vec<u8> {
        self.replies.take()
    }

    /// Escape sequences that repaint everything in a fresh terminal of the same size.
    pub fn snapshot(&mut self) -> Vec<u8> {
        self.draw_waiting();
        paint::snapshot(&mut self.screen)
    }

    /// The offset from which a fresh terminal can follow after a snapshot: the begin of the unfinished sequence or
    /// character, or `end` where there is none. `tail` is the output just before `end`.
    pub fn safe_offset(&self, end: u64, tail: &[u8]) -> u64 {
        self.scanner.safe_offset(end, tail)
    }

    /// The visible rows as plain text, blanks at their ends and empty rows at the bottom left out.
    pub fn text(&mut self) -> String {
        self.draw_waiting();
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
