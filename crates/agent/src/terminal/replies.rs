//! Drops from a client's input what its emulator answers by itself: the mirror has answered already.

use std::borrow::Cow;

const ESCAPE: u8 = 0x1B;
/// Begin of pasted text, in which nothing is touched.
const PASTE: &[u8] = b"\x1b[200~";

/// The input without answers to device attribute, cursor position, status and mode requests. Answers about colours
/// stay: only the client knows its theme. Emulators send each answer in one piece, so none is split over two inputs.
pub(super) fn without_replies(input: &[u8]) -> Cow<'_, [u8]> {
    if !input.contains(&ESCAPE) || input.windows(PASTE.len()).any(|window| window == PASTE) {
        return Cow::Borrowed(input);
    }
    let mut kept = Vec::with_capacity(input.len());
    let mut at = 0;
    while at < input.len() {
        match reply_len(&input[at..]) {
            Some(len) => at += len,
            None => {
                kept.push(input[at]);
                at += 1;
            }
        }
    }
    Cow::Owned(kept)
}

/// Length of the answer that `input` begins with.
fn reply_len(input: &[u8]) -> Option<usize> {
    let body = input.strip_prefix(b"\x1b[")?;
    let end = body.iter().position(|byte| (0x40..=0x7E).contains(byte))?;
    let (parameters, last) = (&body[..end], body[end]);
    let private = parameters.first().copied().filter(|first| matches!(first, b'?' | b'>' | b'='));
    let is_reply = match last {
        // Device attributes.
        b'c' => private.is_some(),
        // Device status.
        b'n' => matches!(parameters, b"0" | b"3"),
        // Cursor position; `1;2` to `1;16` is F3 with modifiers.
        b'R' => is_position(parameters) && !is_function_key(parameters),
        // Mode report.
        b'y' => parameters.ends_with(b"$"),
        _ => false,
    };
    is_reply.then_some(2 + end + 1)
}

fn is_position(parameters: &[u8]) -> bool {
    let digits = parameters.strip_prefix(b"?").unwrap_or(parameters);
    digits.contains(&b';') && digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b';')
}

fn is_function_key(parameters: &[u8]) -> bool {
    let modifier = parameters.strip_prefix(b"1;").and_then(|text| std::str::from_utf8(text).ok());
    modifier.and_then(|text| text.parse::<u8>().ok()).is_some_and(|modifier| (2..=16).contains(&modifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_go_and_keys_stay() {
        for reply in
            ["\x1b[?1;2c", "\x1b[>0;276;0c", "\x1b[0n", "\x1b[12;40R", "\x1b[?2004;1$y", "\x1b[4;2$y"]
        {
            assert_eq!(without_replies(reply.as_bytes()).as_ref(), b"", "{reply:?}");
            assert_eq!(without_replies(format!("a{reply}b").as_bytes()).as_ref(), b"ab", "{reply:?}");
        }
        for key in [
            "plain",
            "\x1b",
            "\x1b[A",
            "\x1b[1;5C",
            "\x1b[1;2R",
            "\x1bOP",
            "\x1b[3~",
            "\x1b[<0;3;4M",
            "\x1b[I",
            "\x1b[200~pasted \x1b[0n\x1b[201~",
            "\x1b]11;rgb:00/00/00\x1b\\",
            "\x1b[",
            "\x1b[27;5;9~",
        ] {
            assert_eq!(without_replies(key.as_bytes()).as_ref(), key.as_bytes(), "{key:?}");
        }
    }
}
