//! An engine's progress text, cut into lines of bounded length.

use crate::Progress;
use std::collections::VecDeque;

/// Longer lines are cut: a build's output is not ours, and may be endless.
const MAX_LINE: usize = 4096;
/// Lines kept to say how a build failed.
const KEPT: usize = 12;

/// Gathers pieces of text into lines, hands them to a [`Progress`], and keeps the last ones.
#[derive(Debug)]
pub struct Lines<'a> {
    progress: &'a Progress,
    pending: String,
    kept: VecDeque<String>,
}

impl<'a> Lines<'a> {
    /// Reports to `progress`.
    pub fn new(progress: &'a Progress) -> Self {
        Self { progress, pending: String::new(), kept: VecDeque::new() }
    }

    /// Takes a piece of text that may begin and end anywhere.
    pub fn push(&mut self, text: &str) {
        for piece in text.split_inclusive(['\n', '\r']) {
            let ended = piece.ends_with(['\n', '\r']);
            let room = MAX_LINE.saturating_sub(self.pending.len());
            self.pending.push_str(&piece[..piece.floor_char_boundary(room)]);
            if ended {
                self.end_line();
            }
        }
    }

    /// Ends the line that is under way.
    pub fn end_line(&mut self) {
        let line = std::mem::take(&mut self.pending);
        let line = line.trim_end_matches(['\n', '\r']);
        if line.is_empty() {
            return;
        }
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(line.to_owned());
        self.progress.line(line);
    }

    /// The last lines, joined.
    pub fn last(&self) -> String {
        self.kept.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    #[test]
    fn pieces_become_lines_and_long_ones_are_cut() {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let progress = Progress::new(sender);
        let mut lines = Lines::new(&progress);
        lines.push("Step 1");
        lines.push(" : FROM x\nStep 2\r\n\nun");
        lines.push(&format!("{}\n", "ä".repeat(MAX_LINE)));
        lines.end_line();
        let mut got = Vec::new();
        while let Ok(line) = receiver.try_recv() {
            got.push(line);
        }
        assert_eq!(got[..2], ["Step 1 : FROM x", "Step 2"]);
        assert!(got[2].starts_with("unää") && got[2].len() <= MAX_LINE, "cut at {}", got[2].len());
        assert_eq!(got.len(), 3);
        assert!(lines.last().starts_with("Step 1 : FROM x\nStep 2\nun"));
    }
}
