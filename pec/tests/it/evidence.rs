//! Evidence of the European system in real messages, where a folder of them is named by
//! `CERALACCA_SAMPLES`; nothing of their contents is printed.

use ceralacca_formats::leaf::Kind;
use ceralacca_pec::Finding as Note;
use ceralacca_pec::brief::Brief;
use ceralacca_pec::rem::{self, Finding};

#[test]
fn evidence_in_real_messages_is_read_and_their_copies_hold_no_hashes() {
    let Some(folder) = std::env::var_os("CERALACCA_SAMPLES") else {
        eprintln!("NOT RUN: CERALACCA_SAMPLES is not set");
        return;
    };
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_file() {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        let reading = ceralacca_pec::read(&bytes);
        for found in rem::find(&bytes, &reading) {
            count += 1;
            let evidence = found
                .evidence
                .unwrap_or_else(|r| panic!("{name}: {}", r.code()));
            let signature = evidence.signature.map(|signature| signature.is_xades);
            eprintln!(
                "{name}: evidence, XAdES {signature:?}, {} recipients, {} reasons, {} policies, {} digests, \
                 message id {}, {:?}",
                evidence.recipients.len(),
                evidence.reasons.len(),
                evidence.policy_ids.len(),
                evidence.digests.len(),
                evidence.message_id.is_some(),
                evidence.findings
            );
            assert!(
                !evidence.findings.contains(&Finding::EventUnknown),
                "{name}"
            );
            assert!(
                evidence.event_ms.is_some() && evidence.trace().is_some(),
                "{name}"
            );
        }
        let Some(postacert) = reading.postacert else {
            continue;
        };
        let range = postacert.start as usize..postacert.end as usize;
        let brief = Brief::read(&bytes[range.clone()]);
        assert!(brief.hashes.is_empty() && brief.is_complete, "{name}");
        assert!(brief.compare(&bytes[range]).is_complete, "{name}");
    }
    eprintln!("{count} with evidence");
}

const EVIDENCE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <ev:Evidence xmlns:ev=\"http://uri.etsi.org/19522/v1#\" version=\"EN319522v1.1.1\">\n\
    <ev:EvidenceIdentifier>urn:uuid:00000000-0000-4000-8000-000000000001</ev:EvidenceIdentifier>\n\
    <ev:ERDSEventId>http://uri.etsi.org/19522/Event/ContentConsignment</ev:ERDSEventId>\n\
    <EventTime xmlns=\"\">2026-05-07T07:10:11Z</EventTime>\n\
    <ev:SenderDetails><Identifier xmlns=\"\">mailto:anna@pec.alfa.example</Identifier></ev:SenderDetails>\n\
    <Signature/></ev:Evidence>\n";

/// A message of these parts, signed or not.
fn message(kind: &str, parts: &[&str]) -> String {
    let body: String = parts.iter().map(|part| format!("--i\n{part}\n")).collect();
    let mixed = format!("Content-Type: multipart/mixed; boundary=i\n\n{body}--i--\n");
    let head = "From: rem@example.test\nMessage-ID: <r1@example.test>\n";
    match kind {
        "signed" => format!(
            "{head}Content-Type: multipart/signed; micalg=sha-256; boundary=o\n\n--o\n{mixed}\n--o\n\
             Content-Type: application/pkcs7-signature\n\nAAAA\n--o--\n"
        ),
        _ => format!("{head}{mixed}"),
    }
}

fn xml_part() -> String {
    format!("Content-Type: application/xml; name=\"evidenza.xml\"\n\n{EVIDENCE}")
}

#[test]
fn evidence_alone_in_any_pieces_is_a_receipt_with_its_facts() {
    let utf16: Vec<u8> = EVIDENCE
        .replace("UTF-8", "UTF-16")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for bytes in [
        EVIDENCE.as_bytes().to_vec(),
        [b"\xef\xbb\xbf".as_slice(), EVIDENCE.as_bytes()].concat(),
        [b"\xff\xfe".to_vec(), utf16].concat(),
        EVIDENCE.replace("?>\n", "?>\n\n").into_bytes(),
    ] {
        for size in [1, 3, 1 << 20] {
            let mut reader = ceralacca_pec::Reader::new();
            bytes.chunks(size).for_each(|piece| reader.push(piece));
            let reading = reader.finish();
            assert_eq!((reading.kind, reading.unclassified), (Kind::Receipt, None));
            assert_eq!(reading.facts, None);
            let trace = reading.trace().unwrap();
            assert_eq!(trace.event, Some("ContentConsignment".into()));
            assert_eq!(trace.sender, Some("anna@pec.alfa.example".into()));
            assert_eq!(trace.event_ms.unwrap().get(), 1_778_137_811_000);
            let noted = [Note::RemEvidence, Note::XadesNotEvaluated];
            assert_eq!(reading.findings, noted);
        }
    }
}

#[test]
fn xml_that_is_no_evidence_stays_what_it_was() {
    for bytes in ["<html>\n</html>\n", "<Evidence", "<a>Evidence</a>", "<"] {
        let reading = ceralacca_pec::read(bytes.as_bytes());
        assert_eq!(
            reading.unclassified,
            Some(ceralacca_pec::Reason::NotMail),
            "{bytes}"
        );
        assert!(reading.trace().is_none());
    }
    let mail = "<html>\nFrom: a@example.test\n\n";
    assert_eq!(ceralacca_pec::read(mail.as_bytes()).kind, Kind::Message);
    let bomb = EVIDENCE.replace("<ev:Evidence ", "<!DOCTYPE a SYSTEM 'x.dtd'><ev:Evidence ");
    let reading = ceralacca_pec::read(bomb.as_bytes());
    assert_eq!(reading.evidence, Some(Err(rem::Refusal::Dtd)));
    assert_eq!((reading.kind, reading.trace()), (Kind::Unclassified, None));
}

#[test]
fn evidence_in_a_signed_message_or_as_its_only_part_gives_its_facts() {
    let original = "Content-Type: message/rfc822\n\nFrom: a@example.test\n\nx";
    let part = xml_part();
    for (bytes, kind) in [
        (message("signed", &["\ntesto", &part]), Kind::Receipt),
        (
            message("signed", &["\ntesto", original, &part]),
            Kind::Message,
        ),
        (format!("From: rem@example.test\n{part}"), Kind::Receipt),
    ] {
        let reading = ceralacca_pec::read(bytes.as_bytes());
        assert_eq!(
            (reading.kind, reading.unclassified),
            (kind, None),
            "{bytes}"
        );
        assert_eq!(
            reading.trace().unwrap().event,
            Some("ContentConsignment".into())
        );
        assert_eq!(
            reading.findings,
            [Note::RemEvidence, Note::XadesNotEvaluated]
        );
    }
    let two = message("signed", &["\ntesto", &part, &part]);
    assert!(
        ceralacca_pec::read(two.as_bytes())
            .findings
            .contains(&Note::RemEvidenceSeveral)
    );
}

#[test]
fn evidence_that_somebody_attached_or_that_is_cut_off_gives_no_fact() {
    let part = xml_part();
    let forwarded = format!("Content-Type: multipart/mixed; boundary=n\n\n--n\n{part}\n--n--\n");
    let signed = message("signed", &["\ntesto", &part]);
    for bytes in [
        message("mixed", &["\ntesto", &part]),
        message("signed", &["\ntesto", &forwarded]),
        signed[..signed.find("--o\nContent-Type: application/pkcs7").unwrap()].to_owned(),
    ] {
        let reading = ceralacca_pec::read(bytes.as_bytes());
        assert_eq!(reading.kind, Kind::Message, "{bytes}");
        assert!(reading.trace().is_none(), "{bytes}");
    }
}

#[test]
fn evidence_beyond_what_is_kept_is_said_to_be_too_large() {
    let filler = " ".repeat(rem::CAPTURED_BYTES_MAX);
    let large = xml_part().replace("<Signature/>", &format!("{filler}<Signature/>"));
    let declared = large.replacen('\n', "\nREM-Section-Type: rem_message/xml_evidence\n", 1);
    let reading =
        |part: &str| ceralacca_pec::read(message("signed", &["\ntesto", part]).as_bytes());
    assert_eq!(
        reading(&declared).evidence,
        Some(Err(rem::Refusal::TooLarge))
    );
    assert_eq!(reading(&large).evidence, None);
}
