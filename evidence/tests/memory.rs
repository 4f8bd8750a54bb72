//! What is read of evidence and packages keeps no more than some times its octets, whatever they say. Alone in its
//! program: what is measured is the most memory the whole program ever had.
#![forbid(unsafe_code)]

use ceralacca_evidence::ers::{EvidenceRecord, RECORD_BYTES_MAX};
use ceralacca_evidence::pindex;
use ceralacca_formats::catalogue::{CATALOGUE_BYTES_MAX, Catalogue};
use ceralacca_formats::closing::Contents;
use ceralacca_formats::metadata::Metadata;
use ceralacca_pec::tsp::{TOKEN_BYTES_MAX, Token};

const MIB: usize = 1 << 20;
/// What reading any of them may add: the longest that is read, as often as it is held while it is.
const ADDED_MAX: usize = 320 * MIB;

/// Reads octets, and lets go of what was read.
type Read = fn(&[u8]);
/// What is read, by what, and how it is made.
type Case<'a> = (&'static str, Read, &'a dyn Fn() -> Vec<u8>);

/// The most memory this program had so far; `None` where the system does not say.
fn most() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: usize = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// A value in DER.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    let zeros = length.iter().take_while(|octet| **octet == 0).count();
    let head = match content.len() {
        short @ 0..=127 => vec![tag, u8::try_from(short).unwrap()],
        _ => {
            let octets = u8::try_from(length.len() - zeros).unwrap();
            [&[tag, 0x80 | octets], &length[zeros..]].concat()
        }
    };
    [&head, content].concat()
}

/// A record whose algorithms or archive time-stamps are these octets.
fn record(algorithms: &[u8], stamp: &[u8]) -> Vec<u8> {
    let stamp = der(0x30, stamp);
    let sequence = der(0x30, &der(0x30, &stamp));
    let content = [&[2, 1, 1], &der(0x30, algorithms)[..], &sequence].concat();
    der(0x30, &content)
}

/// As many of these octets as there may be beside some others.
fn filled(piece: &[u8], most: usize) -> Vec<u8> {
    piece.repeat((most - 4096) / piece.len())
}

#[test]
fn what_anybody_wrote_is_read_in_bounded_memory() {
    let sha256 = [6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
    let algorithm = der(0xa0, &sha256);
    let (empty, most_of_record) = (&[0x30, 0][..], RECORD_BYTES_MAX);
    let in_stamp = |tree: &[u8]| record(&[], &[&algorithm, &der(0xa2, tree), empty].concat());
    let hash = der(4, &[7; 32]);
    let text = |head: &str, piece: &str, tail: &str, most: usize| {
        let middle = filled(piece.as_bytes(), most);
        [head.as_bytes(), &middle, tail.as_bytes()].concat()
    };
    let ers: Read = |octets| drop(EvidenceRecord::from_der(octets));
    let token: Read = |octets| drop(Token::read(octets).map(|token| token.info().clone()));
    let catalogue: Read = |octets| assert_eq!(Catalogue::parse(octets), None);
    let contents: Read = |octets| assert_eq!(Contents::parse(octets), None);
    let metadata: Read = |octets| assert!(Metadata::parse(octets).is_err());
    let index: Read = |octets| assert!(pindex::read(octets).is_err());
    let whole = [
        // What a program does on its first use of these is no part of the measure.
        ("nothing", ers, Vec::new()),
        ("no token", token, Vec::new()),
    ];
    whole.iter().for_each(|(_, read, octets)| read(octets));
    let Some(before) = most() else {
        eprintln!("NOT RUN: the system does not say how much memory a program has");
        return;
    };
    let cases: [Case<'_>; 12] = [
        ("algorithms", ers, &|| {
            record(&filled(empty, most_of_record), &[])
        }),
        ("stamps", ers, &|| {
            let chain = der(0x30, &filled(empty, most_of_record));
            der(0x30, &[&[2, 1, 1], empty, &der(0x30, &chain)].concat())
        }),
        ("chains", ers, &|| {
            let chains = der(0x30, &filled(empty, most_of_record));
            der(0x30, &[&[2, 1, 1], empty, &chains].concat())
        }),
        ("lists", ers, &|| in_stamp(&filled(empty, most_of_record))),
        ("empty hashes", ers, &|| {
            in_stamp(&der(0x30, &filled(&[4, 0], most_of_record)))
        }),
        ("hashes", ers, &|| {
            in_stamp(&der(0x30, &filled(&hash, most_of_record)))
        }),
        ("a token of values", token, &|| {
            der(0x30, &filled(empty, TOKEN_BYTES_MAX))
        }),
        ("files", catalogue, &|| {
            text("{\"files\":[", "{},", "1]}", CATALOGUE_BYTES_MAX)
        }),
        ("numbers", catalogue, &|| {
            text("{\"files\":[", "1,", "1]}", CATALOGUE_BYTES_MAX)
        }),
        ("counts", contents, &|| {
            text("{\"counts\":[", "{},", "1]}", CATALOGUE_BYTES_MAX)
        }),
        ("metadata", metadata, &|| {
            text("{\"a\":[", "[],", "1]}", CATALOGUE_BYTES_MAX)
        }),
        ("elements", index, &|| {
            text("<a>", "<b/>", "</a>", pindex::BYTES_MAX)
        }),
    ];
    for (name, read, make) in cases {
        let octets = make();
        read(&octets);
        let added = most().unwrap_or_default().saturating_sub(before);
        println!("{name}: {} KiB", added / 1024);
        assert!(added < ADDED_MAX, "{name}: {added}");
    }
}
