//! What storage, editors, mailing lists and hostile hands do to a message.
//!
//! Two sorts. The first takes a message's octets and changes them, so that the signature fails (or, where said,
//! still holds). The second signs again: [`with_xml`], [`with_daticert_parts`] and [`with_signing_offset`] make
//! messages whose form is wrong under a good signature.

use crate::mail::{Draft, Message, Postal, Recipient};
use std::ops::Range;

/// Takes away one space at the end of a line of the signed part, as editors do; `None` when there is none.
/// The last such space, which in a family that folds with one may be a nested header's.
pub fn strip_trailing_space(message: &Message) -> Option<Vec<u8>> {
    let signed = message.signed_part();
    let at = signed.windows(3).rposition(|window| window == b" \r\n")?;
    let at = message.places.signed.start + at;
    Some(without(&message.bytes, at..at + 1))
}

/// Changes one letter in the middle of the attached original; `None` when there is none.
pub fn flip_in_postacert(message: &Message) -> Option<Vec<u8>> {
    let place = message.places.postacert.clone()?;
    let middle = place.start + place.len() / 2;
    let mut bytes = message.bytes.clone();
    let letter = bytes
        .iter_mut()
        .take(place.end)
        .skip(middle)
        .find(|octet| octet.is_ascii_alphabetic())?;
    *letter = if *letter == b'a' { b'b' } else { b'a' };
    Some(bytes)
}

/// The closing delimiter is missing.
pub fn without_closing_boundary(message: &Message) -> Vec<u8> {
    without(&message.bytes, message.places.close.clone())
}

/// The signature part is missing, with its delimiter.
pub fn without_signature(message: &Message) -> Vec<u8> {
    without(&message.bytes, message.places.signature.clone())
}

/// The daticert parts are cut out of the signed part; `None` when there is none.
pub fn without_daticert(message: &Message) -> Option<Vec<u8>> {
    let (first, last) = (
        message.places.daticert.first()?,
        message.places.daticert.last()?,
    );
    Some(without(&message.bytes, first.start..last.end))
}

/// Where a message breaks off.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Cut {
    /// In the middle of the header.
    InHeader,
    /// After the header.
    AfterHeader,
    /// After the text.
    AfterText,
    /// In the middle of the daticert.
    InDaticert,
    /// In the middle of the attached original.
    InPostacert,
    /// After the signed part.
    AfterSignedPart,
    /// In the middle of the signature.
    InSignature,
}

impl Cut {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::InHeader,
        Self::AfterHeader,
        Self::AfterText,
        Self::InDaticert,
        Self::InPostacert,
        Self::AfterSignedPart,
        Self::InSignature,
    ];
}

/// The message up to a place; `None` when it has no such place.
pub fn truncated(message: &Message, cut: Cut) -> Option<Vec<u8>> {
    let middle = |range: &Range<usize>| range.start + range.len() / 2;
    let places = &message.places;
    let end = match cut {
        Cut::InHeader => middle(&places.header),
        Cut::AfterHeader => places.header.end,
        Cut::AfterText => places.text.end,
        Cut::InDaticert => middle(places.daticert.first()?),
        Cut::InPostacert => middle(places.postacert.as_ref()?),
        Cut::AfterSignedPart => places.signed.end,
        Cut::InSignature => middle(&places.signature),
    };
    message.bytes.get(..end).map(<[u8]>::to_vec)
}

/// Every line ends in CR CR LF, as after two writes in text mode. The octets are no longer those signed; openssl
/// forgives it, since it drops every CR before an LF when it canonicalises.
pub fn cr_cr_lf(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 40);
    for &octet in bytes {
        if octet == b'\n' {
            out.push(b'\r');
        }
        out.push(octet);
    }
    out
}

/// Re-encoded from Latin-1 to UTF-8, as a whole: nothing changes where all is ASCII.
pub fn recoded_as_utf8(bytes: &[u8]) -> Vec<u8> {
    let text: String = bytes.iter().map(|octet| char::from(*octet)).collect();
    text.into_bytes()
}

/// The outer Subject changed. The signature **still holds**: the header is not signed.
pub fn with_other_subject(message: &Message, subject: &str) -> Vec<u8> {
    let header = message
        .bytes
        .get(message.places.header.clone())
        .unwrap_or_default();
    let rest = message
        .bytes
        .get(message.places.header.end..)
        .unwrap_or_default();
    let mut out = Vec::with_capacity(message.bytes.len() + subject.len());
    let mut is_subject = false;
    for line in header.split_inclusive(|octet| *octet == b'\n') {
        if line.starts_with(b"Subject:") {
            out.extend_from_slice(format!("Subject: {subject}\r\n").as_bytes());
            is_subject = true;
            continue;
        }
        is_subject = is_subject && matches!(line.first(), Some(b' ' | b'\t'));
        if !is_subject {
            out.extend_from_slice(line);
        }
    }
    out.extend_from_slice(rest);
    out
}

/// As a mailing list passes it on: the signed message is an inner part, a footer follows. The inner signature
/// **still holds**, the outer object is not a certified message.
pub fn through_a_list(message: &Message) -> Vec<u8> {
    const BOUNDARY: &str = "===============0123456789012345678==";
    let header = message
        .bytes
        .get(message.places.header.clone())
        .unwrap_or_default();
    let body = message
        .bytes
        .get(message.places.header.end..)
        .unwrap_or_default();
    let (mut outer, mut inner) = (Vec::new(), Vec::new());
    let mut is_content = false;
    for line in header.split_inclusive(|octet| *octet == b'\n') {
        if !matches!(line.first(), Some(b' ' | b'\t')) {
            is_content = line.starts_with(b"Content-") || line.starts_with(b"MIME-");
        }
        match line {
            b"\r\n" => {}
            _ if is_content => inner.extend_from_slice(line),
            _ => match line.strip_prefix(b"Subject: ") {
                Some(rest) => {
                    outer.extend_from_slice(b"Subject: [lista] ");
                    outer.extend_from_slice(rest);
                }
                None => outer.extend_from_slice(line),
            },
        }
    }
    let start = format!(
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"{BOUNDARY}\"\r\n\r\n--{BOUNDARY}\r\n"
    );
    let end = format!(
        "\r\n--{BOUNDARY}\r\nContent-Type: text/plain; charset=\"us-ascii\"\r\n\r\n\
         _______________\r\nlista di prova\r\n--{BOUNDARY}--\r\n"
    );
    [
        &outer,
        start.as_bytes(),
        &inner,
        b"\r\n",
        body,
        end.as_bytes(),
    ]
    .concat()
}

/// The same message with these octets in the place of its daticert, signed again.
pub fn with_xml(postal: &Postal, message: &Message, xml: Vec<u8>) -> Message {
    resigned(postal, message, |draft| draft.xml = Some(xml))
}

/// The same message with none, or several, daticert parts, signed again.
pub fn with_daticert_parts(postal: &Postal, message: &Message, count: usize) -> Message {
    resigned(postal, message, |draft| draft.daticert_parts = count)
}

/// The same message signed so long after (or before) the time it states.
pub fn with_signing_offset(postal: &Postal, message: &Message, offset_ms: i64) -> Message {
    resigned(postal, message, |draft| draft.signing_offset_ms = offset_ms)
}

/// The same message with its draft changed in any way, signed again.
pub fn resigned(postal: &Postal, message: &Message, change: impl FnOnce(&mut Draft)) -> Message {
    let mut draft = message.draft.clone();
    change(&mut draft);
    postal.sign(draft)
}

/// So many recipients, all different, for [`crate::mail::Plan::given_recipients`].
pub fn many_recipients(count: usize) -> Vec<Recipient> {
    (0..count)
        .map(|n| Recipient::certified(format!("utente{n:06}@pec.elenco{}.example", n % 97)))
        .collect()
}

fn without(bytes: &[u8], range: Range<usize>) -> Vec<u8> {
    let before = bytes.get(..range.start).unwrap_or_default();
    let after = bytes.get(range.end..).unwrap_or_default();
    [before, after].concat()
}
