//! The content of a signed file (`.p7m`, opaque CMS), whatever became of its signature.
//!
//! ```text
//! ContentInfo  SEQUENCE { OID signedData, [0] {
//!   SignedData SEQUENCE { version, digest algorithms, encapsulated content SEQUENCE { OID, [0] { OCTET STRING } },
//!     certificates …, signer infos … }}}         from here on nothing is looked at
//! ```
//!
//! # Invariants
//! 1. Nothing after the content is read: signer infos may be broken, cut off or absent.
//! 2. DER and BER alike: indefinite lengths, octet strings in pieces.
//! 3. Linear, without recursion; what comes out is no longer than what went in.
//!
//! # Not here
//! Any verdict. A content is extracted, not vouched for.

use crate::transfer::Encoding;
use std::borrow::Cow;

/// How deep pieces of octet strings may be nested, and values that are skipped.
const LEVELS_MAX: usize = 16;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const EXPLICIT_0: u8 = 0xa0;
const OCTETS: u8 = 0x04;
const OCTETS_IN_PIECES: u8 = 0x24;
/// 1.2.840.113549.1.7.2, RFC 5652 section 5.1.
const SIGNED_DATA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];

/// Why there is no content. The codes are stable.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Refusal {
    /// Neither CMS nor CMS in base64.
    NotCms,
    /// CMS, but no signed data.
    NotSignedData,
    /// Signed data without content: the signature is detached.
    Detached,
    /// The content is cut off.
    Truncated,
    /// The encoding is broken before the content ends.
    Malformed,
    /// Nested deeper than is followed.
    TooDeep,
}

impl Refusal {
    /// Each of them.
    pub const ALL: [Self; 6] = [
        Self::NotCms,
        Self::NotSignedData,
        Self::Detached,
        Self::Truncated,
        Self::Malformed,
        Self::TooDeep,
    ];

    /// The same, for an Italian reader.
    pub const fn italian(self) -> &'static str {
        match self {
            Self::NotCms => "Il file firmato non è una struttura CMS.",
            Self::NotSignedData => "La struttura CMS non è di tipo SignedData.",
            Self::Detached => "La firma è separata: il contenuto non è nel file.",
            Self::Truncated => "Il contenuto firmato è troncato.",
            Self::Malformed => "La codifica è guasta prima della fine del contenuto.",
            Self::TooDeep => "La codifica è annidata oltre quanto si segue.",
        }
    }

    /// The same, in English.
    pub const fn english(self) -> &'static str {
        match self {
            Self::NotCms => "The signed file is no CMS.",
            Self::NotSignedData => "The CMS is no SignedData.",
            Self::Detached => "The signature is detached: the content is not in the file.",
            Self::Truncated => "The signed content is cut off.",
            Self::Malformed => "The encoding is broken before the content ends.",
            Self::TooDeep => "The encoding is nested deeper than is followed.",
        }
    }

    /// The code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotCms => "signed-file-not-cms",
            Self::NotSignedData => "signed-file-not-signed-data",
            Self::Detached => "signed-file-detached",
            Self::Truncated => "signed-file-truncated",
            Self::Malformed => "signed-file-malformed",
            Self::TooDeep => "signed-file-too-deep",
        }
    }
}

/// The content of signed data: binary, or in base64 with or without the lines of PEM around it.
pub fn content(bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    let decoded = decoded(bytes).ok_or(Refusal::NotCms)?;
    Cursor::new(&decoded).signed_content()
}

/// The CMS itself, without base64 and PEM; `None` where it is no such thing.
pub fn decoded(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    if bytes.first() == Some(&SEQUENCE) {
        return Some(bytes.into());
    }
    let decoded = from_base64(bytes).filter(|bytes| bytes.first() == Some(&SEQUENCE));
    decoded.map(Cow::Owned)
}

/// Whether a file is to be taken for a signed one: by its name, or by how it begins. A line of a log does not begin
/// with a zero and an octet beyond ASCII.
pub fn is_signed(name: &str, beginning: &[u8]) -> bool {
    let by_name = name.to_ascii_lowercase().ends_with(".p7m");
    by_name
        || matches!(beginning, [SEQUENCE, 0x80..=0xff, ..])
        || beginning.starts_with(b"-----BEGIN ")
}

fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let lines = text.split(|c| *c == b'\n');
    let lines = lines.filter(|line| !line.starts_with(b"-----"));
    Encoding::Base64.decode(lines.collect::<Vec<_>>().join(&b'\n'))
}

/// What has not been read yet.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// The beginning of a value.
struct Header {
    tag: u8,
    /// Where it ends; `None` where an end-of-contents mark says so.
    end: Option<usize>,
}

impl<'a> Cursor<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The way in is by the first value of each: lengths of what encloses the content are not believed, since
    /// what is broken behind the content may have made them false.
    fn signed_content(&mut self) -> Result<Vec<u8>, Refusal> {
        self.enter(SEQUENCE, Refusal::NotCms)?;
        if self.value(OID, Refusal::NotCms)? != SIGNED_DATA {
            return Err(Refusal::NotSignedData);
        }
        self.enter(EXPLICIT_0, Refusal::NotSignedData)?;
        self.enter(SEQUENCE, Refusal::NotSignedData)?;
        self.value(INTEGER, Refusal::Malformed)?;
        let algorithms = self.enter(SET, Refusal::Malformed)?;
        self.skip(algorithms.end)?;
        let content_info = self.enter(SEQUENCE, Refusal::Malformed)?;
        self.value(OID, Refusal::Malformed)?;
        let is_over = content_info.end.is_some_and(|end| self.at >= end);
        if is_over || self.bytes.get(self.at) != Some(&EXPLICIT_0) {
            return Err(Refusal::Detached);
        }
        self.enter(EXPLICIT_0, Refusal::Malformed)?;
        self.octets()
    }

    /// The tag and length that stand here.
    fn header(&mut self) -> Result<Header, Refusal> {
        let tag = self.octet()?;
        let first = self.octet()?;
        let length = match first {
            0x80 => return Ok(Header { tag, end: None }),
            0..0x80 => usize::from(first),
            _ => {
                let mut length = 0usize;
                for _ in 0..first & 0x7f {
                    let octet = usize::from(self.octet()?);
                    let shifted = length.checked_mul(256).ok_or(Refusal::Malformed)?;
                    length = shifted | octet;
                }
                length
            }
        };
        let end = self.at.checked_add(length).ok_or(Refusal::Malformed)?;
        let end = Some(end);
        Ok(Header { tag, end })
    }

    fn octet(&mut self) -> Result<u8, Refusal> {
        let octet = self.bytes.get(self.at).ok_or(Refusal::Truncated)?;
        self.at += 1;
        Ok(*octet)
    }

    fn enter(&mut self, tag: u8, otherwise: Refusal) -> Result<Header, Refusal> {
        let header = self.header()?;
        (header.tag == tag).then_some(header).ok_or(otherwise)
    }

    /// The octets of a value of definite length.
    fn value(&mut self, tag: u8, otherwise: Refusal) -> Result<&'a [u8], Refusal> {
        let end = self.enter(tag, otherwise)?.end.ok_or(otherwise)?;
        self.until(end)
    }

    fn until(&mut self, end: usize) -> Result<&'a [u8], Refusal> {
        let bytes = self.bytes.get(self.at..end).ok_or(Refusal::Truncated)?;
        self.at = end;
        Ok(bytes)
    }

    /// Skips the rest of a value that was entered.
    fn skip(&mut self, end: Option<usize>) -> Result<(), Refusal> {
        if let Some(end) = end {
            return self.until(end).map(drop);
        }
        let mut open = 1;
        while open > 0 {
            match self.header()? {
                Header { tag: 0, end } if end == Some(self.at) => open -= 1,
                Header { end: None, .. } if open == LEVELS_MAX => return Err(Refusal::TooDeep),
                Header { end: None, .. } => open += 1,
                Header { end: Some(end), .. } => drop(self.until(end)?),
            }
        }
        Ok(())
    }

    /// An octet string, put together where it comes in pieces.
    fn octets(&mut self) -> Result<Vec<u8>, Refusal> {
        let (mut out, mut ends) = (Vec::new(), Vec::<Option<usize>>::new());
        loop {
            let header = self.header()?;
            match (header.tag, header.end) {
                (OCTETS, Some(end)) => {
                    let is_inside = ends.iter().flatten().all(|outer| end <= *outer);
                    if !is_inside {
                        return Err(Refusal::Malformed);
                    }
                    out.extend_from_slice(self.until(end)?);
                }
                (OCTETS_IN_PIECES, _) if ends.len() == LEVELS_MAX => return Err(Refusal::TooDeep),
                (OCTETS_IN_PIECES, end) => ends.push(end),
                (0, end) if end == Some(self.at) && ends.last() == Some(&None) => drop(ends.pop()),
                _ => return Err(Refusal::Malformed),
            }
            while ends.last().is_some_and(|end| *end == Some(self.at)) {
                ends.pop();
            }
            if ends.is_empty() {
                return Ok(out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definite(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let head = match length {
            0..128 => vec![tag, length as u8],
            _ => vec![
                tag,
                0x83,
                (length >> 16) as u8,
                (length >> 8) as u8,
                length as u8,
            ],
        };
        [head, content.to_vec()].concat()
    }

    fn indefinite(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, 0x80], content, &[0, 0]].concat()
    }

    /// Signed data around an encoded octet string, and whatever comes after it.
    fn signed(wrap: fn(u8, &[u8]) -> Vec<u8>, octets: &[u8], after: &[u8]) -> Vec<u8> {
        let data = definite(OID, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01]);
        let algorithm = wrap(SEQUENCE, &definite(OID, &[0x2b, 0x0e, 0x03, 0x02, 0x1a]));
        let inner = [data, wrap(EXPLICIT_0, octets)].concat();
        let body = [
            &[INTEGER, 1, 1][..],
            &wrap(SET, &algorithm),
            &wrap(SEQUENCE, &inner),
            after,
        ]
        .concat();
        let content = [
            definite(OID, &SIGNED_DATA),
            wrap(EXPLICIT_0, &wrap(SEQUENCE, &body)),
        ]
        .concat();
        wrap(SEQUENCE, &content)
    }

    const TEXT: &[u8] = b"Mag  7 09:10:11 2007 PEC_Milter root [1]: citt\xe0\n";

    #[test]
    fn der_and_ber_give_the_same_content() {
        let whole = definite(OCTETS, TEXT);
        let (a, b) = TEXT.split_at(10);
        let pieces = [definite(OCTETS, a), definite(OCTETS, b)].concat();
        let nested = [
            definite(OCTETS, a),
            definite(OCTETS_IN_PIECES, &definite(OCTETS, b)),
        ]
        .concat();
        for octets in [
            whole,
            definite(OCTETS_IN_PIECES, &pieces),
            indefinite(OCTETS_IN_PIECES, &pieces),
            indefinite(OCTETS_IN_PIECES, &nested),
            definite(OCTETS_IN_PIECES, &indefinite(OCTETS_IN_PIECES, &pieces)),
        ] {
            for wrap in [definite, indefinite] {
                let bytes = signed(wrap, &octets, &definite(SET, &[0; 40]));
                assert_eq!(content(&bytes).as_deref(), Ok(TEXT));
            }
        }
        let long = vec![b'x'; 500_000];
        let bytes = signed(definite, &definite(OCTETS, &long), &[]);
        assert_eq!(content(&bytes), Ok(long));
    }

    #[test]
    fn a_broken_or_missing_signer_does_not_hide_the_content() {
        let octets = definite(OCTETS, TEXT);
        for after in [
            &b""[..],
            &[0xff; 50],
            &[SET, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[SET, 5, 0x30],
        ] {
            for wrap in [definite, indefinite] {
                let bytes = signed(wrap, &octets, after);
                assert_eq!(content(&bytes).as_deref(), Ok(TEXT));
            }
        }
        // Cut off right after the content, whatever the outer lengths promise.
        let bytes = signed(definite, &octets, &definite(SET, &[7; 300]));
        let end = memchr::memmem::find(&bytes, TEXT).unwrap() + TEXT.len();
        assert_eq!(content(&bytes[..end]).as_deref(), Ok(TEXT));
        assert_eq!(content(&bytes[..end - 1]), Err(Refusal::Truncated));
    }

    #[test]
    fn base64_is_undone_with_and_without_pem_lines() {
        use base64::Engine as _;
        let bytes = signed(definite, &definite(OCTETS, TEXT), &[]);
        let text = base64::prelude::BASE64_STANDARD.encode(&bytes);
        assert_eq!(content(text.as_bytes()).as_deref(), Ok(TEXT));
        let pem = format!("-----BEGIN PKCS7-----\r\n{text}\r\n-----END PKCS7-----\r\n");
        assert_eq!(content(pem.as_bytes()).as_deref(), Ok(TEXT));
    }

    #[test]
    fn what_has_no_content_says_why() {
        assert_eq!(content(b""), Err(Refusal::NotCms));
        assert_eq!(content(b"Mag  7 09:10:11"), Err(Refusal::NotCms));
        let enveloped = definite(
            SEQUENCE,
            &definite(OID, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 3]),
        );
        assert_eq!(content(&enveloped), Err(Refusal::NotSignedData));
        let data = definite(OID, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01]);
        for wrap in [definite, indefinite] {
            let body = [
                &[INTEGER, 1, 1][..],
                &wrap(SET, &[]),
                &wrap(SEQUENCE, &data),
                &wrap(SET, &[]),
            ]
            .concat();
            let outer = [
                definite(OID, &SIGNED_DATA),
                wrap(EXPLICIT_0, &wrap(SEQUENCE, &body)),
            ]
            .concat();
            assert_eq!(content(&wrap(SEQUENCE, &outer)), Err(Refusal::Detached));
        }
        let deep = (0..40).fold(definite(OCTETS, TEXT), |inner, _| {
            indefinite(OCTETS_IN_PIECES, &inner)
        });
        assert_eq!(
            content(&signed(indefinite, &deep, &[])),
            Err(Refusal::TooDeep)
        );
        let escaping = [&[OCTETS_IN_PIECES, 3, OCTETS, 40][..], &[0; 40]].concat();
        assert_eq!(
            content(&signed(indefinite, &escaping, &[])),
            Err(Refusal::Malformed)
        );
        let huge = [SEQUENCE, 0xff]
            .iter()
            .copied()
            .chain([0xff; 127])
            .collect::<Vec<_>>();
        assert_eq!(content(&huge), Err(Refusal::Malformed));
        for refusal in [Refusal::NotCms, Refusal::TooDeep] {
            assert!(
                refusal
                    .code()
                    .bytes()
                    .all(|c| c.is_ascii_lowercase() || c == b'-')
            );
        }
    }

    #[test]
    fn every_prefix_of_a_signed_file_is_refused_or_whole() {
        let bytes = signed(
            indefinite,
            &definite(OCTETS, TEXT),
            &definite(SET, &[0; 40]),
        );
        let end = memchr::memmem::find(&bytes, TEXT).unwrap() + TEXT.len();
        for cut in 0..bytes.len() {
            assert_eq!(content(&bytes[..cut]).is_ok(), cut >= end, "{cut}");
        }
    }
}
