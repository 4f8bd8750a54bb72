//! From octets to XML that is safe to parse.
//!
//! Size is bounded before this; then: decode (byte order mark, XML declaration, UTF-8, the part's charset),
//! refuse entities and internal DTD subsets, bound depth and attributes, and only then parse.
//!
//! # Invariants
//! 1. Nothing is fetched and nothing expands: without entity declarations there is only what stands there.
//! 2. Octets that are not in the stated character set are refused, never replaced.
//! 3. Depth and attributes are small before the parser sees them: it compares attributes pairwise and
//!    copies the namespaces of every parent, which large numbers would make quadratic.

use crate::reason::Reason;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use memchr::memmem;
use roxmltree::{Document, ParsingOptions};
use std::borrow::Cow;

/// The most nodes of a daticert: some thirty thousand recipients.
const NODES_MAX: u32 = 100_000;
/// The most levels of elements; a daticert has four, evidence of the European system, signature included, some ten.
const DEPTH_MAX: usize = 16;
/// The most attributes of one element; a daticert has two.
const ATTRIBUTES_MAX: usize = 16;
/// Where an XML declaration must have ended.
const DECLARATION_BYTES_MAX: usize = 256;

/// Decodes. The byte order mark decides, then the XML declaration; without either it is UTF-8, or what the
/// part's charset says.
///
/// As everywhere on the web, `iso-8859-1` is read as its superset windows-1252.
pub(crate) fn decode<'a>(bytes: &'a [u8], charset: Option<&[u8]>) -> Result<Cow<'a, str>, Reason> {
    let (encoding, skip) = match Encoding::for_bom(bytes) {
        Some(found) => found,
        None => (unmarked_encoding(bytes, charset)?, 0),
    };
    encoding
        .decode_without_bom_handling_and_without_replacement(bytes.get(skip..).unwrap_or_default())
        .ok_or(Reason::DaticertCharset)
}

fn unmarked_encoding(bytes: &[u8], charset: Option<&[u8]>) -> Result<&'static Encoding, Reason> {
    match bytes {
        [b'<', 0, ..] => return Ok(UTF_16LE),
        [0, b'<', ..] => return Ok(UTF_16BE),
        _ => {}
    }
    // Without a declaration XML is UTF-8 (XML 1.0 section 4.3.3); the part's charset is for what is not.
    let fallback = || charset.filter(|_| std::str::from_utf8(bytes).is_err());
    let Some(label) = declared_encoding(bytes).or_else(fallback) else {
        return Ok(UTF_8);
    };
    let encoding = Encoding::for_label_no_replacement(label).ok_or(Reason::DaticertCharset)?;
    // Whoever could read the label as ASCII is not reading UTF-16.
    Ok(if encoding.is_ascii_compatible() {
        encoding
    } else {
        UTF_8
    })
}

/// The encoding an XML declaration names.
pub(crate) fn declared_encoding(bytes: &[u8]) -> Option<&[u8]> {
    let head = bytes.get(..DECLARATION_BYTES_MAX).unwrap_or(bytes);
    let head = head.strip_prefix(b"<?xml")?;
    let head = head.get(..memmem::find(head, b"?>")?)?;
    let rest = head.get(memmem::find(head, b"encoding")? + b"encoding".len()..)?;
    let rest = rest
        .trim_ascii_start()
        .strip_prefix(b"=")?
        .trim_ascii_start();
    let (quote, rest) = rest
        .split_first()
        .filter(|(c, _)| matches!(c, b'"' | b'\''))?;
    rest.get(..memchr::memchr(*quote, rest)?)
}

/// Parses what [`decode`] gave.
pub(crate) fn parse(text: &str) -> Result<Document<'_>, Reason> {
    guard(text.as_bytes())?;
    let options = ParsingOptions {
        allow_dtd: true,
        nodes_limit: NODES_MAX,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(text, options).map_err(|error| match error {
        roxmltree::Error::NodesLimitReached => Reason::DaticertTooComplex,
        _ => Reason::DaticertMalformed,
    })
}

/// Refuses what must not reach the parser. What is merely malformed is left to it.
fn guard(text: &[u8]) -> Result<(), Reason> {
    if memmem::find(text, b"<!ENTITY").is_some() {
        return Err(Reason::DaticertDtd);
    }
    let (mut rest, mut depth) = (text, 0usize);
    while let Some(markup) = memchr::memchr(b'<', rest).and_then(|at| rest.get(at..)) {
        rest = match markup {
            [b'<', b'!', b'-', b'-', ..] => after(markup, 4, b"-->"),
            [b'<', b'?', ..] => after(markup, 2, b"?>"),
            _ if markup.starts_with(b"<![CDATA[") => after(markup, 9, b"]]>"),
            [b'<', b'!', ..] => {
                let tag = Tag::of(markup);
                if tag.bracket {
                    return Err(Reason::DaticertDtd);
                }
                tag.rest
            }
            [b'<', b'/', ..] => {
                depth = depth.saturating_sub(1);
                after(markup, 2, b">")
            }
            _ => {
                let tag = Tag::of(markup);
                depth += usize::from(!tag.closed);
                if depth > DEPTH_MAX || tag.equals > ATTRIBUTES_MAX {
                    return Err(Reason::DaticertTooComplex);
                }
                tag.rest
            }
        };
    }
    Ok(())
}

/// What follows the end of a construct; nothing, if it does not end.
fn after<'a>(markup: &'a [u8], begin: usize, end: &[u8]) -> &'a [u8] {
    let body = markup.get(begin..).unwrap_or_default();
    let found = memmem::find(body, end);
    found
        .and_then(|at| body.get(at + end.len()..))
        .unwrap_or_default()
}

/// A start tag or a declaration, seen from outside its quotes.
struct Tag<'a> {
    /// Equals signs: one for each attribute.
    equals: usize,
    /// Whether it has a `[`.
    bracket: bool,
    /// Whether it ends in `/>`.
    closed: bool,
    rest: &'a [u8],
}

impl<'a> Tag<'a> {
    fn of(markup: &'a [u8]) -> Self {
        let mut tag = Self {
            equals: 0,
            bracket: false,
            closed: false,
            rest: &[],
        };
        let (mut quote, mut last) = (None, 0);
        for (at, c) in markup.iter().copied().enumerate() {
            match (quote, c) {
                (Some(open), _) if c == open => quote = None,
                (Some(_), _) => {}
                (None, b'"' | b'\'') => quote = Some(c),
                (None, b'=') => tag.equals += 1,
                (None, b'[') => tag.bracket = true,
                (None, b'>') => {
                    tag.closed = last == b'/';
                    tag.rest = markup.get(at + 1..).unwrap_or_default();
                    break;
                }
                _ => {}
            }
            last = c;
        }
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Option<Reason> {
        parse(text).err()
    }

    #[test]
    fn the_byte_order_mark_decides_then_the_declaration_then_the_part() {
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe8</a>";
        assert!(decode(latin, None).unwrap().contains('è'));
        let marked = [
            b"\xef\xbb\xbf".as_slice(),
            "<?xml encoding=\"latin1\"?><a>è</a>".as_bytes(),
        ]
        .concat();
        assert!(decode(&marked, None).unwrap().ends_with("<a>è</a>"));
        assert!(
            decode(b"<a>\xe8</a>", Some(b"ISO-8859-15"))
                .unwrap()
                .contains('è')
        );
        let utf_8 = "<a>è</a>".as_bytes();
        assert!(decode(utf_8, Some(b"ISO-8859-1")).unwrap().contains('è'));
        assert!(decode("<a>è</a>".as_bytes(), None).unwrap().contains('è'));
    }

    #[test]
    fn utf_16_is_read_with_and_without_a_mark() {
        let text = "<a>è</a>";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [
            little.clone(),
            big.clone(),
            [b"\xff\xfe".to_vec(), little].concat(),
            [b"\xfe\xff".to_vec(), big].concat(),
        ] {
            assert_eq!(decode(&bytes, None).unwrap(), text);
        }
    }

    #[test]
    fn octets_that_belie_their_label_are_refused() {
        for bytes in [
            &b"<a>\xe8</a>"[..],
            b"<?xml version=\"1.0\" encoding=\"UTF-8\"?><a>\xe8</a>",
            b"<?xml version=\"1.0\" encoding=\"klingon\"?><a/>",
            b"<?xml version=\"1.0\" encoding=\"utf-7\"?><a/>",
            b"\xff\xfe<\0a\0/\0>",
        ] {
            assert_eq!(decode(bytes, None), Err(Reason::DaticertCharset));
        }
        let ascii = b"<?xml version='1.0' encoding='UTF-16'?><a/>";
        assert!(decode(ascii, None).unwrap().ends_with("<a/>"));
    }

    #[test]
    fn entities_and_internal_subsets_are_refused_and_a_reference_is_not_followed() {
        let dtd = Some(Reason::DaticertDtd);
        assert_eq!(refusal("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"), dtd);
        assert_eq!(refusal("<!DOCTYPE a [ ]><a/>"), dtd);
        assert_eq!(
            refusal("<!DOCTYPE a SYSTEM \"a[>.dtd\" [<!ELEMENT a ANY>]><a/>"),
            dtd
        );
        assert_eq!(refusal("<!DOCTYPE a SYSTEM \"daticert.dtd\"><a/>"), None);
        assert_eq!(refusal("<!DOCTYPE a SYSTEM \"a[.dtd\"><a/>"), None);
        assert_eq!(
            refusal("<!DOCTYPE a SYSTEM \"daticert.dtd\"><a>&x;</a>"),
            Some(Reason::DaticertMalformed)
        );
    }

    #[test]
    fn brackets_and_angles_in_text_are_only_text() {
        assert_eq!(
            refusal("<a b='>['>[<!-- <b> [ --><?x <b ?><![CDATA[<c> [ ]]></a>"),
            None
        );
        assert_eq!(
            refusal(&format!("<a>{}</a>", "<b c='d'/>".repeat(1000))),
            None
        );
        assert_eq!(refusal(&format!("<a>{}</a>", "<b></b>".repeat(1000))), None);
    }

    #[test]
    fn depth_attributes_and_nodes_are_bounded() {
        let complex = Some(Reason::DaticertTooComplex);
        let nested = |n: usize| "<a>".repeat(n) + &"</a>".repeat(n);
        assert_eq!(refusal(&nested(DEPTH_MAX)), None);
        assert_eq!(refusal(&nested(DEPTH_MAX + 1)), complex);
        assert_eq!(refusal(&nested(200_000)), complex);
        let attributes = |n: usize| {
            let list: String = (0..n).map(|i| format!(" a{i}='='")).collect();
            format!("<a{list}/>")
        };
        assert_eq!(refusal(&attributes(ATTRIBUTES_MAX)), None);
        assert_eq!(refusal(&attributes(ATTRIBUTES_MAX + 1)), complex);
        assert_eq!(
            refusal(&format!("<a>{}</a>", "<b/>".repeat(100_000))),
            complex
        );
    }

    #[test]
    fn what_does_not_end_is_malformed() {
        for text in [
            "",
            "<",
            "<a",
            "<a>",
            "<!--",
            "<![CDATA[",
            "<?",
            "<!DOCTYPE",
            "</",
            "<a b='",
            "<a/><b/>",
        ] {
            assert_eq!(refusal(text), Some(Reason::DaticertMalformed), "{text}");
        }
    }
}
