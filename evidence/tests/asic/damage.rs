//! What a stranger may do to a container, and how it is noticed.

use crate::support::*;
use ceralacca_evidence::asic::{
    AsicError, Container, ContainerWriter, FileName, Files, FinishError, FolderSink, FolderWriter,
    Form, Part, Problem, verify,
};
use std::io::{Cursor, Write};

#[test]
fn a_container_is_read_back_with_what_is_signed_and_recorded() {
    for form in [Form::AsicE, Form::Zip] {
        let bytes = container(form);
        let mut container = Container::open(Cursor::new(&bytes)).unwrap();
        assert_eq!(container.form(), form);
        assert_eq!(container.read("ricevuta.eml", 100).unwrap(), EML);
        assert!(matches!(
            container.read("ricevuta.eml", 10),
            Err(AsicError::TooLarge(_))
        ));
        let found = verify(&mut container).unwrap();
        assert_eq!(found.problems, []);
        let [signed] = &found.signed[..] else {
            panic!()
        };
        assert_eq!(signed.signature, SIGNATURE);
        assert_eq!(signed.covers.len(), 5);
        let [record] = &found.evidence_records[..] else {
            panic!()
        };
        assert_eq!(record.record, b"ers octets");
        let covers: Vec<_> = record
            .covers
            .iter()
            .map(|file| file.name.as_str())
            .collect();
        assert_eq!(covers, ["ricevuta.eml", "proof/r.bin"]);
    }
}

/// The signature's own octets, which no digest covers, are held to their checksum.
#[test]
fn every_bit_flipped_in_any_octet_is_noticed() {
    for form in [Form::AsicE, Form::Zip] {
        let bytes = container(form);
        assert_eq!(judged(&bytes), [""; 0]);
        for at in 0..bytes.len() {
            for bit in [0x01, 0x20, 0x80] {
                let mut twin = bytes.clone();
                twin[at] ^= bit;
                assert!(!judged(&twin).is_empty(), "octet {at}, bit {bit:#x}");
            }
        }
    }
}

#[test]
fn what_is_wrong_is_named() {
    // Content and checksum changed together: the digests notice, and name the file.
    let mut writer = ContainerWriter::begin(Vec::new(), Form::AsicE).unwrap();
    fill(&mut writer);
    let mut manifest = Vec::new();
    writer
        .sign(|octets| {
            manifest = octets.to_vec();
            Ok::<_, Never>(SIGNATURE.to_vec())
        })
        .unwrap();
    let mut forged = ContainerWriter::begin(Vec::new(), Form::AsicE).unwrap();
    forged
        .add(Part::of("ricevuta.eml", "message/rfc822", b"forged"))
        .unwrap();
    forged
        .add(Part::of(
            "relazione.pdf",
            "application/pdf",
            b"%PDF-1.7 ...",
        ))
        .unwrap();
    forged
        .add(Part::of("aggiunta.eml", "message/rfc822", EML))
        .unwrap();
    forged
        .keep("META-INF/ASiCManifest001.xml", &manifest)
        .unwrap();
    forged.keep("META-INF/signature001.p7s", SIGNATURE).unwrap();
    forged.sign(|_| Ok::<_, Never>(Vec::new())).unwrap();
    let bytes = forged.finish().unwrap();
    let mut container = Container::open(Cursor::new(&bytes)).unwrap();
    let problems = verify(&mut container).unwrap().problems;
    let manifest = "META-INF/ASiCManifest001.xml".to_owned();
    let file = "ricevuta.eml".to_owned();
    assert!(
        problems.contains(&Problem::Digest {
            file,
            manifest: manifest.clone()
        }),
        "{problems:?}"
    );
    let file = "proof/r.bin".to_owned();
    assert!(
        problems.contains(&Problem::Absent { file, manifest }),
        "{problems:?}"
    );
}

/// A container as any tool may write it, with these entries.
fn foreign(names: &[&str], method: zip::CompressionMethod) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(method)
        .last_modified_time(zip::DateTime::default());
    for name in names {
        writer.start_file(*name, options).unwrap();
        writer.write_all(b"content content content").unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn compressed_led_astray_or_large_headed_entries_are_refused() {
    use zip::CompressionMethod::{Deflated, Stored};
    for (bytes, why) in [
        (foreign(&["a.eml"], Deflated), "deflated"),
        (foreign(&["../a.eml"], Stored), "traversal"),
        (foreign(&["/etc/passwd"], Stored), "absolute"),
        (foreign(&["a.eml", "A.EML"], Stored), "twice but for case"),
    ] {
        assert!(Container::open(Cursor::new(bytes)).is_err(), "{why}");
    }
    // ZIP64: an entry whose sizes are elsewhere.
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(Stored)
        .large_file(true);
    writer.start_file("a.eml", options).unwrap();
    writer.write_all(b"x").unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    assert!(Container::open(Cursor::new(bytes)).is_err());
    for bytes in [&b""[..], b"PK", &[0u8; 200]] {
        assert!(Container::open(Cursor::new(bytes)).is_err());
    }
}

#[test]
fn octets_before_between_or_after_are_refused() {
    let bytes = container(Form::AsicE);
    let before = [b"x", &bytes[..]].concat();
    let after = [&bytes[..], b"x"].concat();
    let mut between = bytes.clone();
    between.insert(69, b'x');
    for twin in [before, after, between] {
        assert!(Container::open(Cursor::new(twin)).is_err());
    }
    for length in 0..bytes.len() {
        assert!(
            Container::open(Cursor::new(&bytes[..length])).is_err(),
            "cut at {length}"
        );
    }
}

#[test]
fn a_writer_refuses_names_repetitions_and_contents_other_than_announced() {
    let mut writer = ContainerWriter::begin(Vec::new(), Form::AsicE).unwrap();
    writer
        .add(Part::of("a.eml", "message/rfc822", EML))
        .unwrap();
    for name in [
        "../b",
        "mimetype",
        "META-INF/x.xml",
        "meta-inf/signature001.p7s",
    ] {
        let refused = writer.add(Part::of(name, "message/rfc822", EML));
        assert!(matches!(refused, Err(AsicError::Name(_))), "{name}");
    }
    assert!(matches!(
        writer.add(Part::of("A.eml", "message/rfc822", EML)),
        Err(AsicError::Twice(_))
    ));
    let injected = writer.add(Part::of("b.eml", "a\"><evil/>", EML));
    assert!(matches!(injected, Err(AsicError::Name(_))));
    assert!(matches!(
        writer.keep("META-INF/container.xml", b""),
        Err(AsicError::Name(_))
    ));
    assert!(matches!(
        writer.evidence_record(&["b.eml"], b""),
        Err(AsicError::Absent(_))
    ));
    for other in [&b"shorter"[..], &[EML, b"longer"].concat()] {
        let mut part = Part::of("c.eml", "message/rfc822", EML);
        part.content = Box::new(other);
        let mut writer = ContainerWriter::begin(Vec::new(), Form::AsicE).unwrap();
        assert!(matches!(writer.add(part), Err(AsicError::Changed(_))));
    }
}

#[test]
fn nothing_ends_unsigned_and_a_signer_that_fails_is_heard() {
    let begin = || ContainerWriter::begin(Vec::new(), Form::AsicE).unwrap();
    assert!(matches!(begin().finish(), Err(AsicError::Order(_))));
    let mut empty = begin();
    assert!(empty.sign(|_| Ok::<_, Never>(Vec::new())).is_err());
    let mut writer = begin();
    fill(&mut writer);
    let refused = writer.sign(|_| Err::<Vec<u8>, _>("token removed"));
    assert!(matches!(refused, Err(FinishError::Sign("token removed"))));
    writer.sign(|_| Ok::<_, Never>(SIGNATURE.to_vec())).unwrap();
    writer
        .add(Part::of("late.eml", "message/rfc822", EML))
        .unwrap();
    assert!(matches!(writer.finish(), Err(AsicError::Order(_))));
}

/// What came later is added beside what was signed first, and all of it is signed again.
#[test]
fn a_seal_that_follows_is_added_and_the_first_signature_stays_good() {
    let bytes = container(Form::AsicE);
    let mut first = Container::open(Cursor::new(&bytes)).unwrap();
    let mut writer = ContainerWriter::begin(Vec::new(), Form::AsicE).unwrap();
    for name in first.names() {
        let octets = first.read(&name, 10_000).unwrap();
        match name.as_str() {
            "mimetype" => {}
            meta if meta.starts_with("META-INF/") => writer.keep(meta, &octets).unwrap(),
            file => writer
                .add(Part::of(file, "application/octet-stream", &octets))
                .unwrap(),
        }
    }
    writer
        .add(Part::of(
            "proof/seal.tst",
            "application/timestamp-token",
            b"token",
        ))
        .unwrap();
    writer.sign(|_| Ok::<_, Never>(b"second".to_vec())).unwrap();
    let bytes = writer.finish().unwrap();
    let mut container = Container::open(Cursor::new(&bytes)).unwrap();
    let found = verify(&mut container).unwrap();
    assert_eq!(found.problems, []);
    let names: Vec<_> = found
        .signed
        .iter()
        .map(|part| part.signature_name.as_str())
        .collect();
    assert_eq!(
        names,
        ["META-INF/signature001.p7s", "META-INF/signature002.p7s"]
    );
    assert_eq!(found.signed[0].signature, SIGNATURE);
}

#[derive(Default)]
struct Memory(Vec<(String, Vec<u8>)>);

impl FolderSink for Memory {
    fn open(&mut self, name: &FileName) -> std::io::Result<Box<dyn Write + '_>> {
        self.0.push((name.to_string(), Vec::new()));
        let (_, file) = self.0.last_mut().unwrap();
        Ok(Box::new(file))
    }
}

#[test]
fn a_folder_holds_the_same_files_as_a_plain_zip() {
    let mut folder = FolderWriter::begin(Memory::default());
    folder
        .add(Part::of("ricevuta.eml", "message/rfc822", EML))
        .unwrap();
    folder
        .add(Part::of(
            "relazione.pdf",
            "application/pdf",
            b"%PDF-1.7 ...",
        ))
        .unwrap();
    folder
        .add(Part::of("proof/r.bin", "application/octet-stream", OPENING))
        .unwrap();
    folder
        .evidence_record(&["ricevuta.eml", "proof/r.bin"], b"ers octets")
        .unwrap();
    folder.sign(|_| Ok::<_, Never>(SIGNATURE.to_vec())).unwrap();
    let Memory(files) = folder.finish().unwrap();
    let bytes = container(Form::Zip);
    let mut plain = Container::open(Cursor::new(&bytes)).unwrap();
    assert_eq!(
        plain.names(),
        files
            .iter()
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    );
    for (name, octets) in files {
        assert_eq!(plain.read(&name, 10_000).unwrap(), octets);
    }
}
