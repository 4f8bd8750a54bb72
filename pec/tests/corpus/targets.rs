//! What must hold of any input: a function for each fuzz target, panicking where it does not hold.
//!
//! The fuzz targets (`fuzz/`) and the tests of this folder call the very same functions.

use ceralacca_formats::leaf::Kind;
use ceralacca_formats::metadata::{Metadata, TraceRecord};
use ceralacca_pec::brief::Brief;
use ceralacca_pec::judge::{self, Directory, Level, Material, Revocation, Times, Trust, Verdict};
use ceralacca_pec::logs::{self, FileDate, Item, LogReader, Summary, p7m};
use ceralacca_pec::reader::FACTS_BYTES_MAX;
use ceralacca_pec::reading::SIGNATURE_BYTES_MAX;
use ceralacca_pec::{
    DigestAlgorithm, Reader, Reading, Reason, read, read_at_hand, rem, transaction,
};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::OnceLock;

/// A signed acceptance, its root, and a day on which all of it holds: made with the seeds.
const MESSAGE: &[u8] = include_bytes!("../../../fuzz/fixed/message.eml");
const ROOT: &[u8] = include_bytes!("../../../fuzz/fixed/root.der");

/// Messages, in pieces: the first octet says how they are cut.
pub fn reader(data: &[u8]) {
    let Some((seed, message)) = data.split_first() else {
        return;
    };
    let reading = read(message);
    let mut reader = Reader::new();
    pieces(message, *seed, |piece| reader.push(piece));
    assert_eq!(reader.finish(), reading, "in pieces");
    consistent(message, &reading);
    for found in rem::find(message, &reading) {
        let signed = reading.signed.clone().expect("a signed part");
        assert!(signed.start <= found.range.start && found.range.end <= signed.end);
    }
    let verdict = judge::judge(&reading, &Trust::none(), Times::default());
    assert!(reading.signature.is_some() || verdict.level == Level::Absent);
    assert_ne!(verdict.level, Level::IntegralTrusted, "nobody is trusted");
    let at_hand = read_at_hand(message);
    let again = judge::judge_at_hand(message, &at_hand, &Trust::none(), Times::default());
    same(&verdict, &again);
    let at_hand = Reading {
        signed_digests: reading.signed_digests.clone(),
        ..at_hand
    };
    assert_eq!(at_hand, reading, "at hand");
    let _ = judge::explain(message, &reading);
}

/// What reading says of a message holds of its octets.
fn consistent(message: &[u8], reading: &Reading) {
    let unclassified = reading.kind == Kind::Unclassified;
    assert_eq!(unclassified, reading.unclassified.is_some());
    if let Some(facts) = &reading.facts {
        let unknown_type = reading.unclassified == Some(Reason::DaticertTipoUnknown);
        assert!(matches!(reading.kind, Kind::Envelope | Kind::Receipt) || unknown_type);
        fits(facts);
    }
    let distinct: BTreeSet<_> = reading.findings.iter().collect();
    assert_eq!(
        distinct.len(),
        reading.findings.len(),
        "findings, each once"
    );
    assert_eq!(reading.signed.is_some(), reading.signature.is_some());
    if let (Some(signed), Some(signature)) = (&reading.signed, &reading.signature) {
        assert!(signed.end <= signature.start, "{signed:?} {signature:?}");
        let octets = cut(message, signed);
        let digests = reading.signed_digests.as_ref().expect("digests");
        for algorithm in [DigestAlgorithm::Sha256, DigestAlgorithm::Sha1] {
            let made = digests.as_stored.get(algorithm).expect("a digest");
            assert_eq!(made, algorithm.of(octets).as_ref(), "digest of the signed");
        }
        let entity = cut(message, signature);
        let kept = entity.len() <= SIGNATURE_BYTES_MAX && !entity.is_empty();
        assert_eq!(
            reading
                .signature_entity
                .as_deref()
                .filter(|e| !e.is_empty()),
            Some(entity).filter(|_| kept)
        );
        if let Some(detached) = reading.detached(message) {
            assert_eq!(detached.signed, octets);
        }
        if let Some(postacert) = &reading.postacert {
            assert!(signed.start <= postacert.start && postacert.end <= signed.end);
            let brief = Brief::read(cut(message, postacert));
            assert_eq!(brief.compare(message).outcomes.len(), brief.hashes.len());
        }
    }
}

/// Originals and their parts: brief receipts, and evidence among the children.
pub fn mime(data: &[u8]) {
    let brief = Brief::read(data);
    let compared = brief.compare(data);
    assert_eq!(compared.outcomes.len(), brief.hashes.len());
    assert_eq!(brief, Brief::read(data), "twice");
    let whole = Reading {
        signed: Some(0..data.len() as u64),
        ..read(b"")
    };
    let mut end = 0;
    for found in rem::find(data, &whole) {
        assert!(end <= found.range.start && found.range.end <= data.len() as u64);
        end = found.range.end;
    }
}

/// The XML of a daticert; the first octet says what character set its part states.
pub fn daticert(data: &[u8]) {
    let Some((charset, xml)) = data.split_first() else {
        return;
    };
    let charset = match charset % 5 {
        0 => "",
        1 => "; charset=UTF-8",
        2 => "; charset=\"iso-8859-1\"",
        3 => "; charset=utf-16",
        _ => "; charset=unknown",
    };
    let message = with_daticert(xml, charset);
    let reading = read(&message);
    assert!(reading.signed.is_some(), "the message around it is whole");
    consistent(&message, &reading);
    let again = read(&message);
    assert_eq!(reading, again);
    let facts = reading.facts.iter().chain(&again.facts);
    let followed = transaction::follow(facts, 1_800_000_000_000);
    let named = reading.facts.map_or(0, |facts| {
        facts.recipients.len() + facts.taken_over.len() + usize::from(facts.delivered_to.is_some())
    });
    assert!(followed.recipients.len() <= named, "nobody is invented");
}

fn with_daticert(xml: &[u8], charset: &str) -> Vec<u8> {
    use base64::Engine as _;
    let head = format!(
        "X-Ricevuta: accettazione\r\nFrom: a@pec.alfa.example\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/signed; boundary=o\r\n\r\n--o\r\n\
         Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\
         Content-Type: application/xml; name=daticert.xml{charset}\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n"
    );
    let body = base64::prelude::BASE64_STANDARD.encode(xml);
    let tail = "\r\n--i--\r\n\r\n--o\r\nContent-Type: application/pkcs7-signature\r\n\r\n--o--\r\n";
    [head.as_bytes(), body.as_bytes(), tail.as_bytes()].concat()
}

/// A CMS: as the signature of the fixed message, of another, and as a signed file.
pub fn cms(data: &[u8]) {
    let trust = fixed_trust();
    let base = fixed_reading();
    let reading = with_signature(base, data);
    let verdict = judge::judge(&reading, trust, Times::default());
    let fresh = Trust::new(fixed_material()).expect("the fixed root");
    same(&verdict, &judge::judge(&reading, &fresh, Times::default()));
    // Nobody can sign what was not signed, whatever he writes around the signatures there are.
    let mut other = base.clone();
    other.signed_digests = Some(ceralacca_pec::SignedDigests::of(b"what nobody signed"));
    let other = with_signature(&other, data);
    let forged = judge::judge(&other, trust, Times::default());
    assert!(!forged.level.is_integral(), "{:?}", forged.grounds);

    let signed = b"what nobody signed".to_vec();
    let bytes = [signed.as_slice(), &entity(data)].concat();
    let (middle, end) = (signed.len() as u64, bytes.len() as u64);
    let apart = Reading {
        signed: Some(0..middle),
        signature: Some(middle..end),
        ..other
    };
    let _ = judge::explain(&bytes, &apart);
    let certificates = judge::cms::certificates(data);
    let octets: usize = certificates.iter().map(Vec::len).sum();
    assert!(octets <= data.len());
    let _ = Directory::read_signed(data, trust, Times::default());
    signed_file(data);
}

/// Trust material; the first octet says of which kind.
pub fn trust(data: &[u8]) {
    let Some((kind, item)) = data.split_first() else {
        return;
    };
    let items = vec![item.to_vec()];
    let material = match kind % 5 {
        0 => Material {
            anchors: items,
            ..Material::default()
        },
        1 => Material {
            intermediates: items,
            ..fixed_material()
        },
        2 => Material {
            pinned: items,
            ..Material::default()
        },
        3 => Material {
            crls: items,
            ..fixed_material()
        },
        _ => Material {
            ocsp: items,
            ..fixed_material()
        },
    };
    let Ok(trust) = Trust::new(material) else {
        return;
    };
    let verdict = judge::judge(fixed_reading(), &trust, Times::default());
    assert!(verdict.level.is_integral(), "{:?}", verdict.grounds);
    same(
        &verdict,
        &judge::judge(fixed_reading(), &trust, Times::default()),
    );
    // All that the seeds say of the signer: what is said beyond was said by nobody.
    let known = [
        Revocation::Unknown,
        Revocation::Good,
        Revocation::Later(REVOKED_LATER_MS),
        Revocation::Revoked(REVOKED_MS),
    ];
    assert!(
        known.contains(&verdict.revocation),
        "{:?}",
        verdict.revocation
    );
}

/// When the signer was revoked, in those of the seeds that say so: 2025, or 2027.
const REVOKED_MS: i64 = 1_735_689_600_000;
const REVOKED_LATER_MS: i64 = 1_798_761_600_000;

/// A directory of providers.
pub fn ldif(data: &[u8]) {
    let directory = Directory::read(data);
    assert_eq!(directory, Directory::read(data), "twice");
    let Ok(directory) = directory else {
        return;
    };
    assert!(!directory.providers().is_empty());
    let values: usize = directory.providers().iter().map(|p| p.domain_count()).sum();
    assert!(values <= data.len(), "no more domains than octets");
    assert!(directory.lines_passed_over() <= data.len());
    let marked = [b"\xef\xbb\xbf", data].concat();
    if !data.starts_with(b"\xef\xbb\xbf") {
        assert_eq!(Directory::read(&marked), Ok(directory), "with a mark");
    }
}

/// A log file, plain or signed; the first octet says how it is cut, and of what day it is.
pub fn logs(data: &[u8]) {
    let Some((seed, file)) = data.split_first() else {
        return;
    };
    signed_file(file);
    let date = match seed % 2 {
        0 => None,
        _ => FileDate::new(2007, 5, 7),
    };
    let format = &logs::format::MILTER;
    let (items, summary) = logs::read(format, date, file);
    let (mut reader, mut apart) = (LogReader::new(format, date), Vec::new());
    pieces(file, *seed, |piece| {
        reader.push(piece, |item| apart.push(item))
    });
    let sums = reader.finish(|item| apart.push(item));
    assert_eq!((&apart, sums), (&items, summary), "in pieces");
    covered(file, &items, &summary);
    for item in &items {
        if let Item::Entry(entry) = item {
            fits(&entry.record);
        }
    }
}

/// Items and noise sum to the file, in order and apart.
fn covered(file: &[u8], items: &[Item], summary: &Summary) {
    let (mut end, mut sum) = (0, 0);
    for item in items {
        let range = item.range();
        assert!(end <= range.start && range.start < range.end, "{range:?}");
        end = range.end;
        sum += range.end - range.start;
    }
    let noise = [summary.blank, summary.other_process, summary.rotation];
    sum += noise.iter().map(|noise| noise.bytes).sum::<u64>();
    assert!(end <= file.len() as u64);
    assert_eq!((sum, summary.bytes), (file.len() as u64, file.len() as u64));
    assert_eq!(summary.entries + summary.unread, items.len() as u64);
}

fn signed_file(data: &[u8]) {
    if let Ok(content) = p7m::content(data) {
        assert!(content.len() <= data.len(), "no longer than what it was in");
    }
}

/// Evidence of the European system.
pub fn rem(data: &[u8]) {
    let evidence = rem::read(data, None);
    assert_eq!(evidence, rem::read(data, None), "twice");
    let Ok(evidence) = evidence else {
        return;
    };
    assert!(rem::is_evidence(data, None), "what is read is recognised");
    let distinct: BTreeSet<_> = evidence.findings.iter().collect();
    assert_eq!(
        distinct.len(),
        evidence.findings.len(),
        "findings, each once"
    );
    if let Some(trace) = evidence.trace() {
        fits(&trace);
    }
}

/// Facts fit into the metadata of a record, and are read back as they were.
fn fits(facts: &TraceRecord) {
    let metadata = Metadata::from(facts.clone());
    let bytes = metadata.to_bytes();
    assert!(bytes.len() <= FACTS_BYTES_MAX, "{}", bytes.len());
    assert_eq!(Metadata::parse(&bytes).as_ref().ok(), Some(&metadata));
}

/// One verdict is another, octet by octet.
fn same(one: &Verdict, other: &Verdict) {
    assert_eq!(one, other, "the same verdict each time");
    let sorted = one.grounds.is_sorted_by(|a, b| a < b);
    assert!(sorted, "grounds, each once, in order");
}

/// Hands out octets in pieces whose lengths a seed says: single octets to some thousands.
fn pieces(bytes: &[u8], seed: u8, mut take: impl FnMut(&[u8])) {
    let (mut rest, mut state) = (bytes, u32::from(seed));
    while !rest.is_empty() {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        let most = 1 << (seed % 13);
        let length = 1 + usize::try_from(state >> 16).expect("32 bits") % most;
        let (piece, after) = rest.split_at(length.min(rest.len()));
        take(piece);
        rest = after;
    }
}

fn cut<'a>(bytes: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    let at = |end: u64| usize::try_from(end).expect("in memory");
    &bytes[at(range.start)..at(range.end)]
}

fn entity(cms: &[u8]) -> Vec<u8> {
    [b"Content-Transfer-Encoding: binary\r\n\r\n", cms].concat()
}

fn with_signature(base: &Reading, cms: &[u8]) -> Reading {
    Reading {
        signature_entity: Some(entity(cms)),
        ..base.clone()
    }
}

fn fixed_material() -> Material {
    Material {
        anchors: vec![ROOT.to_vec()],
        ..Material::default()
    }
}

fn fixed_trust() -> &'static Trust {
    static TRUST: OnceLock<Trust> = OnceLock::new();
    TRUST.get_or_init(|| Trust::new(fixed_material()).expect("the fixed root"))
}

fn fixed_reading() -> &'static Reading {
    static READING: OnceLock<Reading> = OnceLock::new();
    READING.get_or_init(|| read(MESSAGE))
}
