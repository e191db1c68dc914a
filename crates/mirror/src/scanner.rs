//! Follows the escape sequences of a terminal's output without acting on them: it reports the operating system
//! commands that the mirror does not know, and knows where the last unfinished sequence began.

/// Bytes of an operating system command that are looked at. Longer ones are cut off for the mirror, which would
/// otherwise collect them without end.
pub(crate) const MAX_COMMAND_LEN: usize = 4096;

const BEL: u8 = 0x07;
const CANCEL: u8 = 0x18;
const SUBSTITUTE: u8 = 0x1A;
const ESCAPE: u8 = 0x1B;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum State {
    #[default]
    Ground,
    Escape,
    EscapeIntermediate,
    Csi,
    Command,
    String,
}

/// What the scanner met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found<'a> {
    /// A complete operating system command, without its introducer and terminator.
    Command(&'a [u8]),
    /// The byte at this index of the piece is the first beyond [`MAX_COMMAND_LEN`] of a command.
    Overlong(usize),
    /// The overlong command ends before the byte at this index.
    OverlongEnd(usize),
}

/// The state between two pieces of output.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    state: State,
    command: Vec<u8>,
    /// Bytes of the command so far, those not kept included.
    command_len: usize,
    /// Offset in the output at which the unfinished sequence began.
    began: u64,
}

impl Scanner {
    /// Scans a piece of output whose first byte has `offset`.
    pub(crate) fn scan(&mut self, offset: u64, bytes: &[u8], mut found: impl FnMut(Found<'_>)) {
        let mut at = 0;
        while at < bytes.len() {
            if self.state == State::Ground {
                match memchr::memchr(ESCAPE, &bytes[at..]) {
                    Some(skip) => at += skip,
                    None => return,
                }
            }
            self.step(bytes[at], offset + at as u64, at, &mut found);
            at += 1;
        }
    }

    fn step(&mut self, byte: u8, offset: u64, index: usize, found: &mut impl FnMut(Found<'_>)) {
        if byte == ESCAPE {
            if self.state == State::Command {
                self.end_command(index, found);
            }
            self.state = State::Escape;
            self.began = offset;
            return;
        }
        if matches!(byte, CANCEL | SUBSTITUTE) {
            if self.in_overlong_command() {
                found(Found::OverlongEnd(index));
            }
            self.state = State::Ground;
            return;
        }
        self.state = match (self.state, byte) {
            (State::Escape, b'[') => State::Csi,
            (State::Escape, b']') => {
                self.command.clear();
                self.command_len = 0;
                State::Command
            }
            (State::Escape, b'P' | b'X' | b'^' | b'_') => State::String,
            (State::Escape | State::EscapeIntermediate, 0x20..=0x2F) => State::EscapeIntermediate,
            (State::Escape | State::EscapeIntermediate, 0x30..=0x7E) | (State::Csi, 0x40..=0x7E) => {
                State::Ground
            }
            (State::Command, BEL) => {
                self.end_command(index, found);
                State::Ground
            }
            (State::Command, byte) => {
                self.command_len += 1;
                if self.command_len <= MAX_COMMAND_LEN {
                    self.command.push(byte);
                } else if self.command_len == MAX_COMMAND_LEN + 1 {
                    found(Found::Overlong(index));
                }
                State::Command
            }
            (state, _) => state,
        };
    }

    fn end_command(&mut self, index: usize, found: &mut impl FnMut(Found<'_>)) {
        if self.command_len <= MAX_COMMAND_LEN {
            found(Found::Command(&self.command));
        } else {
            found(Found::OverlongEnd(index));
        }
    }

    /// True between sequences.
    pub(crate) fn is_in_text(&self) -> bool {
        self.state == State::Ground
    }

    /// True while the bytes to come belong to a string that is longer than anyone looks at.
    pub(crate) fn in_overlong_command(&self) -> bool {
        self.state == State::Command && self.command_len > MAX_COMMAND_LEN
    }

    /// The offset from which a fresh terminal can follow: the begin of the unfinished sequence or character, or
    /// `end` where there is none. `tail` is the output just before `end`.
    pub(crate) fn safe_offset(&self, end: u64, tail: &[u8]) -> u64 {
        if self.state == State::Ground { end - unfinished_character(tail) as u64 } else { self.began }
    }
}

/// Bytes before the first escape sequence.
pub(crate) fn text_len(bytes: &[u8]) -> usize {
    memchr::memchr(ESCAPE, bytes).unwrap_or(bytes.len())
}

/// Length of the unfinished UTF-8 character at the end of `tail`.
fn unfinished_character(tail: &[u8]) -> usize {
    for back in 1..=tail.len().min(3) {
        let byte = tail[tail.len() - back];
        let len = match byte {
            0x80..=0xBF => continue,
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            _ => 1,
        };
        return if len > back { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn commands(pieces: &[&[u8]]) -> Vec<String> {
        let mut scanner = Scanner::default();
        let mut commands = Vec::new();
        let mut offset = 0;
        for piece in pieces {
            scanner.scan(offset, piece, |found| {
                if let Found::Command(command) = found {
                    commands.push(String::from_utf8_lossy(command).into_owned());
                }
            });
            offset += piece.len() as u64;
        }
        commands
    }

    fn safe(output: &[u8]) -> u64 {
        let mut scanner = Scanner::default();
        scanner.scan(0, output, |_| {});
        scanner.safe_offset(output.len() as u64, output)
    }

    #[test]
    fn commands_are_found_with_either_terminator_and_across_pieces() {
        assert_eq!(commands(&[b"a\x1b]7;file:///x\x07b\x1b]133;A\x1b\\c"]), ["7;file:///x", "133;A"]);
        assert_eq!(commands(&[b"\x1b", b"]13", b"3;D;1", b"\x07"]), ["133;D;1"]);
        assert_eq!(commands(&[b"\x1b]0;never ended\x18 text \x1b[31m"]), Vec::<String>::new());
    }

    #[test]
    fn overlong_commands_are_not_reported_but_their_excess_is() {
        let mut output = b"\x1b]52;c;".to_vec();
        output.extend(std::iter::repeat_n(b'A', MAX_COMMAND_LEN * 2));
        let mut scanner = Scanner::default();
        let mut overlong = Vec::new();
        scanner.scan(0, &output, |found| {
            overlong.push(matches!(found, Found::Overlong(at) if at == 2 + MAX_COMMAND_LEN))
        });
        assert_eq!(overlong, [true]);
        assert!(scanner.in_overlong_command());
        scanner.scan(output.len() as u64, b"A\x07", |found| assert_eq!(found, Found::OverlongEnd(1)));
        assert!(!scanner.in_overlong_command());
    }

    #[test]
    fn output_can_be_followed_from_the_begin_of_an_unfinished_sequence() {
        for (output, expected) in [
            (&b"plain"[..], 5),
            (b"ab\x1b", 2),
            (b"ab\x1b[3", 2),
            (b"ab\x1b[3m", 6),
            (b"ab\x1b]0;title", 2),
            (b"ab\x1bP1$r", 2),
            (b"ab\x1b(", 2),
            (b"ab\x1b(B", 5),
            ("abö".as_bytes(), 4),
            (b"ab\xc3", 2),
            (b"ab\xe2\x82", 2),
            (b"ab\xf0\x9f\x98", 2),
            (b"ab\x80\x80\x80", 5),
        ] {
            assert_eq!(safe(output), expected, "{:?}", String::from_utf8_lossy(output));
        }
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(output in proptest::collection::vec(prop_oneof![Just(ESCAPE), Just(b']'), Just(BEL), any::<u8>()], 0..300), cut in 0usize..300) {
            let cut = cut.min(output.len());
            prop_assert_eq!(commands(&[&output]), commands(&[&output[..cut], &output[cut..]]));
        }
    }
}
