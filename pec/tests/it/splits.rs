//! The same bytes give the same reading: in pieces, cut off, or made at random.

use crate::build::{FAMILIES, Family, Pec};
use ceralacca_formats::leaf::Kind;
use ceralacca_pec::{Reader, Reading, Reason, read};
use proptest::prelude::*;

fn in_pieces(bytes: &[u8], cuts: &[prop::sample::Index]) -> Reading {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let (mut reader, mut from) = (Reader::new(), 0);
    for cut in cuts {
        reader.push(&bytes[from..cut]);
        from = cut;
    }
    reader.push(&bytes[from..]);
    reader.finish()
}

fn octet_by_octet(bytes: &[u8]) -> Reading {
    let mut reader = Reader::new();
    bytes.chunks(1).for_each(|octet| reader.push(octet));
    reader.finish()
}

#[test]
fn octet_by_octet_is_the_same() {
    for family in FAMILIES {
        for crlf in [true, false] {
            let bytes = Pec {
                crlf,
                ..Pec::new(family, "avvenuta-consegna")
            }
            .bytes();
            assert_eq!(octet_by_octet(&bytes), read(&bytes));
        }
    }
}

#[test]
fn every_prefix_is_read_and_only_one_with_both_parts_certifies() {
    for family in FAMILIES {
        let bytes = Pec::new(family, "avvenuta-consegna").bytes();
        let whole = read(&bytes);
        let signature = whole.signature.clone().unwrap();
        for end in 0..bytes.len() {
            let prefix = &bytes[..end];
            let reading = read(prefix);
            let both = end as u64 >= signature.start;
            assert_eq!(reading.facts.is_some(), both, "{family:?} {end}");
            assert_eq!(
                reading.kind == Kind::Unclassified,
                reading.unclassified.is_some()
            );
            if both {
                assert_eq!(
                    (reading.kind, &reading.facts, &reading.signed),
                    (whole.kind, &whole.facts, &whole.signed)
                );
            }
        }
    }
}

#[test]
fn a_message_cut_in_its_signed_part_is_truncated() {
    let built = Pec::new(Family::A, "posta-certificata").build();
    let start = crate::build::find(&built.bytes, "This is an S/MIME");
    let signed = read(&built.bytes).signed.unwrap();
    for end in start..=signed.end as usize {
        let reading = read(&built.bytes[..end]);
        assert_eq!(reading.unclassified, Some(Reason::Truncated), "{end}");
        assert_eq!((reading.signed, reading.signature), (None, None));
    }
}

/// RFC 2046 delimiter lines, the plain way: signed octets and signature entity of a multipart/signed body.
fn plainly<'a>(body: &'a [u8], boundary: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (mut at, mut found) = (0, Vec::new());
    for line in body.split_inclusive(|c| *c == b'\n') {
        let end = at + line.len();
        if let Some(rest) = line
            .strip_prefix(b"--")
            .and_then(|rest| rest.strip_prefix(boundary))
        {
            let (close, rest) = match rest.strip_prefix(b"--") {
                Some(rest) => (true, rest),
                None => (false, rest),
            };
            if rest.iter().all(|c| b" \t\r\n".contains(c)) {
                found.push((at, end, close));
                if close {
                    break;
                }
            }
        }
        at = end;
    }
    let cut = |start: usize, end: usize| {
        let part = &body[start..end];
        let part = part
            .strip_suffix(b"\n")
            .map_or(part, |part| part.strip_suffix(b"\r").unwrap_or(part));
        &body[start..start + part.len()]
    };
    match found[..] {
        [(_, a, false), (b, c, false), (d, _, true)] => Some((cut(a, b), cut(c, d))),
        _ => None,
    }
}

fn body_line() -> impl Strategy<Value = Vec<u8>> {
    let text = prop::sample::select(vec![
        "--B",
        "--B",
        "--B--",
        "--B.1",
        "--B.1--",
        "--Bfoo",
        "--B ",
        "--B \t",
        "-- B",
        "x--B",
        "",
        "",
        "x",
        "Content-Type: multipart/mixed; boundary=B.1",
        "Content-Type: application/xml; name=daticert.xml",
        "Content-Type: message/rfc822",
        "<postacert tipo='accettazione'/>",
        "\u{e8}",
        "=",
    ]);
    let ends = prop::sample::select(vec!["\n", "\n", "\r\n", "\r\n", "\r\r\n", "\r", ""]);
    (text, ends).prop_map(|(text, end)| [text, end].concat().into_bytes())
}

proptest! {
    #[test]
    fn any_cuts_give_the_same_reading(
        family in prop::sample::select(FAMILIES.to_vec()),
        crlf in any::<bool>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let bytes = Pec { crlf, ..Pec::new(family, "avvenuta-consegna") }.bytes();
        prop_assert_eq!(in_pieces(&bytes, &cuts), read(&bytes));
    }

    #[test]
    fn the_signed_octets_are_those_of_the_plain_definition(
        lines in prop::collection::vec(body_line(), 0..40),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let body = lines.concat();
        let head = b"X-Ricevuta: x\nContent-Type: multipart/signed; boundary=B\n\n";
        let bytes = [head, &body[..]].concat();
        let reading = read(&bytes);
        let range = |range: &Option<std::ops::Range<u64>>| {
            range.clone().map(|range| &bytes[range.start as usize..range.end as usize])
        };
        if let Some((signed, signature)) = plainly(&body, b"B") {
            prop_assert_eq!(range(&reading.signed), Some(signed));
            prop_assert_eq!(range(&reading.signature), Some(signature));
        }
        prop_assert_eq!(in_pieces(&bytes, &cuts), reading);
    }

    #[test]
    fn arbitrary_octets_are_read(
        bytes in prop::collection::vec(any::<u8>(), 0..2000),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        prop_assert_eq!(in_pieces(&bytes, &cuts), read(&bytes));
    }

    #[test]
    fn a_damaged_message_is_read(
        family in prop::sample::select(FAMILIES.to_vec()),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let mut bytes = Pec::new(family, "avvenuta-consegna").bytes();
        for (at, octet) in damage {
            let at = at.index(bytes.len());
            bytes[at] = octet;
        }
        let reading = read(&bytes);
        let _ = reading.detached(&bytes);
        prop_assert_eq!(reading.kind == Kind::Unclassified, reading.unclassified.is_some());
        prop_assert_eq!(in_pieces(&bytes, &cuts), reading);
    }
}
