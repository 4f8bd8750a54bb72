//! Content transfer encodings (RFC 2045 section 6).
//!
//! Lenient in layout (line lengths, line breaks, padding), exact in content: a body that is not in its
//! encoding is no body, since a fact must not come from a guess.

use crate::header::{lines, trim_break};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::borrow::Cow;

/// Base64 as mail has it: padding may be missing, and bits after the last octet are not looked at.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// How a body is encoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Encoding {
    /// `7bit`, `8bit`, `binary`, or nothing said.
    Identity,
    /// `base64`.
    Base64,
    /// `quoted-printable`.
    QuotedPrintable,
    /// A name this reader does not know.
    Unknown,
}

impl Encoding {
    /// From the value of Content-Transfer-Encoding, if there is one.
    pub(crate) fn named(value: Option<&[u8]>) -> Self {
        let value = value.unwrap_or_default();
        let end = value.iter().position(|c| b";( \t".contains(c));
        let name = value.get(..end.unwrap_or(value.len())).unwrap_or(value);
        match name.to_ascii_lowercase().as_slice() {
            b"" | b"7bit" | b"8bit" | b"binary" => Self::Identity,
            b"base64" => Self::Base64,
            b"quoted-printable" => Self::QuotedPrintable,
            _ => Self::Unknown,
        }
    }

    /// The decoded body; `None` if it is not in this encoding.
    pub(crate) fn decode<'a>(self, body: impl Into<Cow<'a, [u8]>>) -> Option<Vec<u8>> {
        let body = body.into();
        match self {
            Self::Identity => Some(body.into_owned()),
            Self::Base64 => decode_base64(&body),
            Self::QuotedPrintable => decode_quoted_printable(&body),
            Self::Unknown => None,
        }
    }
}

fn decode_base64(body: &[u8]) -> Option<Vec<u8>> {
    let mut joined = Vec::with_capacity(body.len());
    lines(body).for_each(|line| joined.extend_from_slice(trim_break(line)));
    // There may be other white space than line breaks.
    BASE64.decode(&joined).ok().or_else(|| {
        let squeezed = body.iter().filter(|c| !c.is_ascii_whitespace());
        BASE64.decode(squeezed.copied().collect::<Vec<_>>()).ok()
    })
}

fn decode_quoted_printable(body: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(body.len());
    for line in body.split_inclusive(|c| *c == b'\n') {
        let (text, line_break) = match line {
            [text @ .., b'\r', b'\n'] => (text, &b"\r\n"[..]),
            [text @ .., b'\n'] => (text, &b"\n"[..]),
            text => (text, &b""[..]),
        };
        // Blanks at the end of a line were added on the way (RFC 2045 section 6.7, rule 3).
        let text = text.trim_ascii_end();
        let (text, line_break) = match text.strip_suffix(b"=") {
            Some(text) => (text, &b""[..]),
            None => (text, line_break),
        };
        decode_escapes(text, &mut out)?;
        out.extend_from_slice(line_break);
    }
    Some(out)
}

fn decode_escapes(mut text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    while let Some(at) = memchr::memchr(b'=', text) {
        let (plain, escape) = text.split_at_checked(at)?;
        let [_, high, low, rest @ ..] = escape else {
            return None;
        };
        out.extend_from_slice(plain);
        out.push(hex_octet([*high, *low])?);
        text = rest;
    }
    out.extend_from_slice(text);
    Some(())
}

/// An octet from two hexadecimal digits of either case.
pub(crate) fn hex_octet([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |c: u8| {
        char::from(c)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(encoding: &str, body: &str) -> Option<String> {
        let body = Encoding::named(Some(encoding.as_bytes())).decode(body.as_bytes())?;
        Some(String::from_utf8(body).unwrap())
    }

    #[test]
    fn names_have_no_case_and_absence_is_identity() {
        assert_eq!(Encoding::named(None), Encoding::Identity);
        assert_eq!(Encoding::named(Some(b"Base64")), Encoding::Base64);
        assert_eq!(Encoding::named(Some(b"BINARY")), Encoding::Identity);
        assert_eq!(
            Encoding::named(Some(b"base64 (as usual)")),
            Encoding::Base64
        );
        assert_eq!(
            Encoding::named(Some(b"Quoted-Printable;")),
            Encoding::QuotedPrintable
        );
        assert_eq!(Encoding::named(Some(b"x-uuencode")), Encoding::Unknown);
    }

    #[test]
    fn base64_may_be_cut_anyhow() {
        for body in ["cGVj", "c\nGV\r\nj\n", " cG Vj\t"] {
            assert_eq!(decode("base64", body).unwrap(), "pec");
        }
        assert_eq!(decode("base64", "cGVjMQ").unwrap(), "pec1");
        assert_eq!(decode("base64", "cGVjMQ==\r\n").unwrap(), "pec1");
        assert_eq!(decode("base64", "").unwrap(), "");
        for body in ["c", "cGV*", "cGVjMQ==cGVj", "-- \nfooter"] {
            assert_eq!(decode("base64", body), None, "{body}");
        }
    }

    #[test]
    fn quoted_printable_keeps_its_line_breaks() {
        assert_eq!(
            decode("quoted-printable", "a=3Db=\r\nc  \r\nd=c3=A8 =\t\ne\n=").unwrap(),
            "a=bc\r\ndè e\n"
        );
        for body in ["=", "a=\n"] {
            assert!(decode("quoted-printable", body).is_some());
        }
        for body in ["=4", "=zz", "a==3D"] {
            assert_eq!(decode("quoted-printable", body), None, "{body}");
        }
    }
}
