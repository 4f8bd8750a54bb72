//! DER out of values: just what time-stamps, signatures and certificates here are made of (X.690).
//!
//! Written by hand, because the structures are few and every octet of them is signed.

use ceralacca_formats::id::UtcMillis;
use chrono::{DateTime, Datelike as _, Utc};

pub(crate) const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
pub(crate) const NULL: &[u8] = &[0x05, 0];
pub(crate) const TRUE: &[u8] = &[0x01, 1, 0xff];

/// A value: tag, length, content.
pub(crate) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let octets = length.to_be_bytes();
            let leading = octets.iter().take_while(|octet| **octet == 0).count();
            let octets = octets.get(leading..).unwrap_or_default();
            // A length has at most eight octets.
            out.push(0x80 | u8::try_from(octets.len()).unwrap_or_default());
            out.extend_from_slice(octets);
        }
    }
    out.extend_from_slice(content);
    out
}

/// `[number]`, constructed: EXPLICIT around a value, or IMPLICIT in the place of SEQUENCE or SET.
pub(crate) fn context(number: u8, content: &[u8]) -> Vec<u8> {
    value(0xa0 | number, content)
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    value(SEQUENCE, &parts.concat())
}

/// A SET OF, in the order DER wants: by encoding.
pub(crate) fn set_of(mut parts: Vec<Vec<u8>>) -> Vec<u8> {
    parts.sort();
    value(SET, &parts.concat())
}

/// An INTEGER that is not negative, from its octets, big-endian.
pub(crate) fn integer(octets: &[u8]) -> Vec<u8> {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    let significant = octets.get(zeros..).unwrap_or_default();
    let mut content = Vec::with_capacity(significant.len() + 1);
    if significant.first().is_none_or(|first| *first >= 0x80) {
        content.push(0);
    }
    content.extend_from_slice(significant);
    value(INTEGER, &content)
}

pub(crate) fn octets(content: &[u8]) -> Vec<u8> {
    value(OCTET_STRING, content)
}

/// A BIT STRING without unused bits.
pub(crate) fn bits(content: &[u8]) -> Vec<u8> {
    value(BIT_STRING, &[&[0], content].concat())
}

/// A BIT STRING of named bits, of which this one is set (X.690 section 11.2.2: no zero bits at its end).
pub(crate) fn named_bit(bit: u8) -> Vec<u8> {
    let mut content = vec![7 - bit % 8];
    content.extend(std::iter::repeat_n(0, usize::from(bit / 8)));
    content.push(0x80 >> (bit % 8));
    value(BIT_STRING, &content)
}

pub(crate) fn text(text: &str) -> Vec<u8> {
    value(UTF8_STRING, text.as_bytes())
}

/// An OBJECT IDENTIFIER from the content octets.
pub(crate) fn oid(content: &[u8]) -> Vec<u8> {
    value(OID, content)
}

/// The content octets of an object identifier in dotted decimal; `None` where it is none.
pub(crate) fn oid_content(dotted: &str) -> Option<Vec<u8>> {
    let arcs: Option<Vec<u128>> = dotted.split('.').map(arc).collect();
    let arcs = arcs?;
    let [first, second, others @ ..] = &arcs[..] else {
        return None;
    };
    if *first > 2 || (*first < 2 && *second > 39) {
        return None;
    }
    let mut content = Vec::new();
    let top = (first * 40).checked_add(*second)?;
    for arc in std::iter::once(&top).chain(others) {
        let groups = (0..19).rev().map(|group| (arc >> (7 * group)) & 0x7f);
        let groups: Vec<_> = groups.skip_while(|group| *group == 0).collect();
        let (last, before) = groups.split_last().unwrap_or((&0, &[]));
        for group in before {
            content.push(u8::try_from(*group).ok()? | 0x80);
        }
        content.push(u8::try_from(*last).ok()?);
    }
    Some(content)
}

/// An arc: decimal, without leading zeros.
fn arc(text: &str) -> Option<u128> {
    let is_plain = text.bytes().all(|c| c.is_ascii_digit());
    let arc: u128 = text.parse().ok().filter(|_| is_plain)?;
    (arc.to_string() == text).then_some(arc)
}

/// A Time as X.509 and CMS write it: UTCTime up to 2049 (RFC 5280 section 4.1.2.5), to the second. `None` beyond
/// the year 9999.
pub(crate) fn time(at: UtcMillis) -> Option<Vec<u8>> {
    let at = instant(at)?;
    Some(match at.year() {
        1950..=2049 => value(UTC_TIME, at.format("%y%m%d%H%M%SZ").to_string().as_bytes()),
        _ => value(
            GENERALIZED_TIME,
            at.format("%Y%m%d%H%M%SZ").to_string().as_bytes(),
        ),
    })
}

/// A GeneralizedTime with milliseconds, without trailing zeros (RFC 3161 section 2.4.2).
pub(crate) fn time_with_millis(at: UtcMillis) -> Option<Vec<u8>> {
    let fraction = format!(".{:03}", at.get() % 1000);
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    let whole = instant(at)?.format("%Y%m%d%H%M%S");
    Some(value(
        GENERALIZED_TIME,
        format!("{whole}{fraction}Z").as_bytes(),
    ))
}

fn instant(at: UtcMillis) -> Option<DateTime<Utc>> {
    let at = DateTime::from_timestamp_millis(i64::try_from(at.get()).ok()?)?;
    (at.year() <= 9999).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_minimal_and_never_negative() {
        assert_eq!(integer(&[]), [2, 1, 0]);
        assert_eq!(integer(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0, 0x7f, 0xff]), [2, 2, 0x7f, 0xff]);
    }

    #[test]
    fn lengths_are_the_shortest() {
        assert_eq!(value(4, &[0; 127])[..2], [4, 127]);
        assert_eq!(value(4, &[0; 128])[..3], [4, 0x81, 128]);
        assert_eq!(value(4, &[0; 256])[..4], [4, 0x82, 1, 0]);
    }

    #[test]
    fn identifiers_are_written_from_dotted_decimal() {
        let policy = oid_content("1.3.6.1.4.1.99999.1").unwrap();
        assert_eq!(
            policy,
            [0x2b, 0x06, 0x01, 0x04, 0x01, 0x86, 0x8d, 0x1f, 0x01]
        );
        assert_eq!(oid_content("2.999").unwrap(), [0x88, 0x37]);
        assert_eq!(oid_content("1.2.0.5").unwrap(), [0x2a, 0, 5]);
        let largest = oid_content(&format!("2.25.{}", u128::MAX)).unwrap();
        assert_eq!(largest.len(), 20);
        for wrong in [
            "", "1", "1.40.1", "3.1", "1.2.03", "1.2.", "1.2.-3", "1.2.a",
        ] {
            assert_eq!(oid_content(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn times_are_written_as_their_profiles_ask() {
        let at = |ms| UtcMillis::new(ms);
        let fraction = time_with_millis(at(1_795_284_533_920)).unwrap();
        assert_eq!(&fraction[2..], b"20261121180853.92Z");
        let whole = time_with_millis(at(1_795_284_533_000)).unwrap();
        assert_eq!(&whole[2..], b"20261121180853Z");
        assert_eq!(&time(at(1_795_284_533_928)).unwrap()[2..], b"261121180853Z");
        let late = time(at(2_524_608_000_000)).unwrap();
        assert_eq!((late[0], &late[2..]), (0x18, &b"20500101000000Z"[..]));
        assert_eq!(time(at(u64::MAX)), None);
    }

    #[test]
    fn one_named_bit_is_set() {
        assert_eq!(named_bit(0), [3, 2, 7, 0x80]);
        assert_eq!(named_bit(15), [3, 3, 0, 0, 0x01]);
        assert_eq!(named_bit(25), [3, 5, 6, 0, 0, 0, 0x40]);
    }
}
