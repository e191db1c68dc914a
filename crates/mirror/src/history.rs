//! Lines that scrolled off the screen, kept as escape text in compressed blocks.

use std::collections::VecDeque;

/// Lines kept at most.
const MAX_LINES: usize = 10_000;
/// Compressed bytes kept at most.
const MAX_BYTES: usize = 1024 * 1024;
/// Size at which a block is compressed.
const BLOCK_LEN: usize = 32 * 1024;
const HEADER_LEN: usize = 6;
const CONTINUED: u32 = 1 << 31;

/// One line of the screen as escape text: painted with default attributes before it, it leaves them behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct HistoryLine<'a> {
    /// The escape text.
    pub(crate) text: &'a [u8],
    /// The line goes on from the one before without a line break.
    pub(crate) continued: bool,
    /// Columns of the screen it was on.
    pub(crate) columns: u16,
}

/// The scrollback of one terminal, bounded in lines and bytes; the oldest lines go first.
#[derive(Debug, Default)]
pub(crate) struct History {
    blocks: VecDeque<Block>,
    block_bytes: usize,
    open: Vec<u8>,
    open_lines: usize,
    lines: usize,
    next: Next,
}

/// How the newest line goes on in the next one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Next {
    /// Not at all.
    #[default]
    Breaks,
    /// Without a line break.
    GoesOn,
    /// Without a line break, if that begins with the wide character that did not fit into this one any more.
    GoesOnWide,
}

#[derive(Debug)]
struct Block {
    compressed: Vec<u8>,
    lines: usize,
}

impl History {
    pub(crate) fn len(&self) -> usize {
        self.lines
    }

    /// Whether a line that begins with a `wide` character, or does not, continues the newest one.
    pub(crate) fn continues(&self, wide: bool) -> bool {
        match self.next {
            Next::Breaks => false,
            Next::GoesOn => true,
            Next::GoesOnWide => wide,
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The next line does not go on from the newest one, whatever was said when that was pushed.
    pub(crate) fn cut(&mut self) {
        self.next = Next::Breaks;
    }

    /// Adds a line that scrolled off the screen.
    pub(crate) fn push(&mut self, line: HistoryLine<'_>, next: Next) {
        let len = u32::try_from(line.text.len()).unwrap_or(CONTINUED - 1).min(CONTINUED - 1);
        let header = len | if line.continued { CONTINUED } else { 0 };
        self.open.extend_from_slice(&header.to_le_bytes());
        self.open.extend_from_slice(&line.columns.to_le_bytes());
        self.open.extend_from_slice(&line.text[..len as usize]);
        self.open_lines += 1;
        self.lines += 1;
        self.next = next;
        if self.open.len() >= BLOCK_LEN {
            self.seal();
        }
    }

    fn seal(&mut self) {
        let compressed = lz4_flex::block::compress_prepend_size(&self.open);
        self.block_bytes += compressed.len();
        self.blocks.push_back(Block { compressed, lines: self.open_lines });
        self.open.clear();
        self.open_lines = 0;
        while self.lines > MAX_LINES || self.block_bytes > MAX_BYTES {
            let Some(oldest) = self.blocks.pop_front() else { break };
            self.lines -= oldest.lines;
            self.block_bytes -= oldest.compressed.len();
        }
    }

    /// Shows every line to `visit`, oldest first.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(HistoryLine<'_>)) {
        for block in &self.blocks {
            records(&block.open(), |line, _| visit(line));
        }
        records(&self.open, |line, _| visit(line));
    }

    /// Takes back up to `count` of the newest lines, oldest first, as long as they are `columns` wide. Each comes with
    /// whether it goes on in the next one.
    pub(crate) fn take_back(&mut self, count: usize, columns: u16) -> Vec<(Vec<u8>, bool)> {
        while self.open_lines < count
            && let Some(block) = self.blocks.pop_back()
        {
            self.block_bytes -= block.compressed.len();
            self.open_lines += block.lines;
            let mut joined = block.open();
            joined.extend_from_slice(&self.open);
            self.open = joined;
        }
        let mut taken: Vec<(Vec<u8>, bool)> = Vec::new();
        let mut cut = self.open.len();
        let goes_on = self.next != Next::Breaks;
        let mut next = self.next;
        let skipped = self.open_lines.saturating_sub(count);
        let mut index = 0;
        records(&self.open, |line, at| {
            if line.columns != columns {
                taken.clear();
            } else if index >= skipped {
                match taken.last_mut() {
                    Some(last) => last.1 = line.continued,
                    None => (cut, next) = (at, if line.continued { Next::GoesOn } else { Next::Breaks }),
                }
                taken.push((line.text.to_vec(), goes_on));
            }
            index += 1;
        });
        if !taken.is_empty() {
            self.open.truncate(cut);
            self.open_lines -= taken.len();
            self.lines -= taken.len();
            self.next = next;
        }
        taken
    }
}

impl Block {
    fn open(&self) -> Vec<u8> {
        // Compressed by this process a moment ago; damage would be a fault of memory.
        lz4_flex::block::decompress_size_prepended(&self.compressed).unwrap_or_default()
    }
}

fn records(bytes: &[u8], mut visit: impl FnMut(HistoryLine<'_>, usize)) {
    let mut at = 0;
    while let Some((header, rest)) = bytes[at..].split_first_chunk::<HEADER_LEN>() {
        let word = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        let len = (word & !CONTINUED) as usize;
        let columns = u16::from_le_bytes([header[4], header[5]]);
        let Some(text) = rest.get(..len) else { break };
        visit(HistoryLine { text, continued: word & CONTINUED != 0, columns }, at);
        at += HEADER_LEN + len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(history: &mut History, text: &[u8], columns: u16, goes_on: bool) {
        let line = HistoryLine { text, continued: history.continues(false), columns };
        history.push(line, if goes_on { Next::GoesOn } else { Next::Breaks });
    }

    fn texts(history: &History) -> Vec<String> {
        let mut texts = Vec::new();
        history.for_each(|line| texts.push(String::from_utf8(line.text.to_vec()).unwrap()));
        texts
    }

    #[test]
    fn lines_come_back_in_order_across_compressed_blocks() {
        let mut history = History::default();
        let pushed: Vec<String> =
            (0..5_000).map(|number| format!("line {number} {}", "x".repeat(number % 70))).collect();
        for text in &pushed {
            push(&mut history, text.as_bytes(), 80, false);
        }
        assert!(history.blocks.len() > 3);
        assert_eq!(texts(&history), pushed);
        assert_eq!(history.len(), pushed.len());
    }

    #[test]
    fn memory_stays_bounded_whatever_scrolls_past() {
        let mut history = History::default();
        let mut noise = 1u64;
        for _ in 0..60_000 {
            let text: Vec<u8> = (0..200)
                .map(|_| {
                    noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (noise >> 56) as u8
                })
                .collect();
            push(&mut history, &text, 80, false);
        }
        assert!(history.block_bytes <= MAX_BYTES);
        assert!(history.len() <= MAX_LINES + 1_000);
        let mut counted = 0;
        history.for_each(|_| counted += 1);
        assert_eq!(counted, history.len());
    }

    #[test]
    fn the_newest_lines_are_taken_back_up_to_a_change_of_width() {
        let mut history = History::default();
        for number in 0..3_000 {
            let columns = if number < 2_990 { 100 } else { 80 };
            push(&mut history, format!("line {number}").as_bytes(), columns, number % 2 == 0);
        }
        let back = history.take_back(4, 80);
        assert_eq!(back.first().unwrap(), &(b"line 2996".to_vec(), true));
        assert_eq!(back.last().unwrap(), &(b"line 2999".to_vec(), false));
        assert_eq!(back.len(), 4);
        let back = history.take_back(50, 80);
        assert_eq!((back.len(), back.first().unwrap().0.as_slice()), (6, &b"line 2990"[..]));
        assert!(history.take_back(50, 80).is_empty());
        assert_eq!(history.take_back(2_500, 100).len(), 2_500);
        assert_eq!(history.len(), 490);
        assert_eq!(texts(&history).last().unwrap(), "line 489");
    }
}
