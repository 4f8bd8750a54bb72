//! Transfer encodings and header words, written the one way each engine writes them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

pub(crate) const CRLF: &[u8] = b"\r\n";

/// A line and its CRLF.
pub(crate) fn line(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(CRLF);
}

/// Base64 in lines of so many columns (a multiple of four), each ended by CRLF.
pub(crate) fn base64(out: &mut Vec<u8>, content: &[u8], columns: usize) {
    // In blocks of many lines: the encoder is fast on long runs, and megabytes need no second copy.
    const LINES: usize = 256;
    let mut text = String::new();
    for block in content.chunks(columns / 4 * 3 * LINES) {
        text.clear();
        BASE64_STANDARD.encode_string(block, &mut text);
        for row in text.as_bytes().chunks(columns) {
            out.extend_from_slice(row);
            out.extend_from_slice(CRLF);
        }
    }
}

/// Quoted-printable in lines of at most 76 columns. `eol` is what ends a line of the content and becomes a CRLF;
/// the last line gets one too.
pub(crate) fn quoted_printable(out: &mut Vec<u8>, content: &[u8], eol: &[u8]) {
    let Some(&last) = eol.last() else { return };
    let mut rest = content;
    while !rest.is_empty() {
        let mut from = 0;
        let (text, tail) = loop {
            let found = rest.iter().skip(from).position(|octet| *octet == last);
            let Some(end) = found.map(|at| from + at + 1) else {
                break (rest, &[][..]);
            };
            let (text, tail) = rest.split_at(end);
            match text.strip_suffix(eol) {
                Some(text) => break (text, tail),
                // Only the end of what ends a line.
                None => from = end,
            }
        };
        quoted_line(out, text);
        out.extend_from_slice(CRLF);
        rest = tail;
    }
}

fn quoted_line(out: &mut Vec<u8>, text: &[u8]) {
    // Most lines need nothing.
    let is_plain = |octet: &u8| matches!(octet, b' '..=b'<' | b'>'..=b'~' | b'\t');
    let ends_visibly = !matches!(text.last(), Some(b' ' | b'\t'));
    if text.len() <= 76 && ends_visibly && text.iter().all(is_plain) {
        out.extend_from_slice(text);
        return;
    }
    let mut column = 0;
    for (at, &octet) in text.iter().enumerate() {
        let is_last = at + 1 == text.len();
        let plain = match octet {
            b' ' | b'\t' => !is_last,
            b'=' => false,
            0x21..=0x7e => true,
            _ => false,
        };
        let width = if plain { 1 } else { 3 };
        // The last column of a line that goes on belongs to the soft break.
        if column + width > if is_last { 76 } else { 75 } {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        if plain {
            out.push(octet);
        } else {
            let digit = |value: u8| {
                if value < 10 {
                    b'0' + value
                } else {
                    b'A' - 10 + value
                }
            };
            out.extend_from_slice(&[b'=', digit(octet >> 4), digit(octet & 15)]);
        }
        column += width;
    }
}

/// Latin-1, with `?` for what it lacks.
pub(crate) fn latin1(text: &str) -> Vec<u8> {
    text.chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))
        .collect()
}

/// The charset of an encoded word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WordCharset {
    Latin1,
    Utf8,
}

/// A header text as RFC 2047 words, folded with a space; as it is when ASCII.
pub(crate) fn words(text: &str, charset: WordCharset) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mark = match charset {
        WordCharset::Latin1 => "=?iso-8859-1?Q?",
        WordCharset::Utf8 => "=?UTF-8?Q?",
    };
    let mut out = mark.to_owned();
    let mut room = 73 - mark.len();
    for character in text.chars() {
        let encoded = encoded_character(character, charset);
        // A character is never split between two words (RFC 2047, 5).
        if encoded.len() > room {
            out.push_str("?=\r\n ");
            out.push_str(mark);
            room = 73 - mark.len();
        }
        room -= encoded.len();
        out.push_str(&encoded);
    }
    out.push_str("?=");
    out
}

fn encoded_character(character: char, charset: WordCharset) -> String {
    match character {
        ' ' => "_".to_owned(),
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '/' | '*' | '+' | '!' => {
            character.to_string()
        }
        _ => {
            let octets = match charset {
                WordCharset::Latin1 => latin1(character.encode_utf8(&mut [0; 4])),
                WordCharset::Utf8 => character.to_string().into_bytes(),
            };
            octets.iter().map(|o| format!("={o:02X}")).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(text: &str) -> String {
        let mut out = Vec::new();
        quoted_printable(&mut out, text.as_bytes(), b"\n");
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn quoted_printable_keeps_to_76_columns_and_guards_final_spaces() {
        assert_eq!(quoted("a=b \nc"), "a=3Db=20\r\nc\r\n");
        let long = quoted(&"xé".repeat(60));
        assert!(long.lines().all(|line| line.len() <= 76));
        let joined = long.replace("=\r\n", "");
        assert_eq!(joined.matches("=C3=A9").count(), 60);
        assert_eq!(quoted(&"y".repeat(76)).matches('\n').count(), 1);
    }

    #[test]
    fn a_header_word_is_at_most_75_columns() {
        for charset in [WordCharset::Latin1, WordCharset::Utf8] {
            let folded = words(&"perché n° 5 ".repeat(20), charset);
            assert!(folded.split("\r\n ").all(|word| word.len() <= 75));
        }
    }
}
