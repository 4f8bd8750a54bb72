//! Each reason, by the smallest defect that gives it.

use crate::build::{Family, ID, Pec, daticert, daticert_part, find, replace};
use ceralacca_formats::leaf::Kind;
use ceralacca_formats::metadata::Metadata;
use ceralacca_pec::reader::{
    DATICERT_BYTES_MAX, DELIMITERS_MAX, FACTS_BYTES_MAX, HEADER_BYTES_MAX, PART_HEADER_BYTES_MAX,
};
use ceralacca_pec::{Reason, read};

fn pec() -> Pec {
    Pec::new(Family::B, "accettazione")
}

fn with_xml(xml: impl Into<Vec<u8>>) -> Vec<u8> {
    Pec {
        xml: Some(xml.into()),
        ..pec()
    }
    .bytes()
}

/// A message whose daticert has so many recipients of this length.
fn with_recipients(count: usize, bytes: usize) -> Vec<u8> {
    let one = format!(
        "<destinatari>{}@example.test</destinatari>",
        "x".repeat(bytes)
    );
    let xml = daticert("accettazione").replace("<risposte>", &(one.repeat(count) + "<risposte>"));
    with_xml(xml)
}

/// One small message or more for each reason.
fn samples() -> Vec<(Reason, Vec<u8>)> {
    let good = pec().bytes();
    let xml = daticert("accettazione");
    let entity = pec().build().signed;
    let part = [b"\r\n".to_vec(), daticert_part(Family::B, xml.as_bytes())].concat();
    let part = String::from_utf8(part).unwrap();
    let delimiter = "------------=_1714551072-12345-1\r\n";
    let second = |part: &str| {
        replace(
            &good,
            delimiter,
            &format!("{delimiter}{part}\r\n{delimiter}"),
        )
    };
    let long = |bytes: usize| format!("X-Lungo: {}\r\n", "x".repeat(bytes));
    let signature = find(&good, "application/pkcs7-signature");
    let outer = "\r\n------0123456789ABCDEF0000000000000001\r\n";
    let before_signature = find(&good[..signature + 1], &format!("--\r\n{outer}")) + 4;
    vec![
        (Reason::Empty, vec![]),
        (Reason::NotMail, b"\r\n".to_vec()),
        (Reason::NotMail, b"promemoria: comprare il pane\n".to_vec()),
        (Reason::NotMail, vec![0xff; 1000]),
        (
            Reason::HeaderTooLong,
            replace(&good, "Subject:", &(long(HEADER_BYTES_MAX) + "Subject:")),
        ),
        (Reason::HeaderTooLong, vec![b'x'; HEADER_BYTES_MAX + 1]),
        (
            Reason::HeaderTooLong,
            replace(
                &good,
                "Content-Disposition: inl",
                &(long(PART_HEADER_BYTES_MAX) + "Content-Disposition: inl"),
            ),
        ),
        (Reason::Fragment, entity),
        (
            Reason::NotSigned,
            replace(&good, "multipart/signed", "multipart/mixed"),
        ),
        (Reason::NotSigned, replace(&good, "boundary=", "confine=")),
        (
            Reason::NotSigned,
            [
                &good[..before_signature],
                &outer.as_bytes()[..outer.len() - 2],
                b"--\r\n",
            ]
            .concat(),
        ),
        (Reason::Truncated, good[..before_signature].to_vec()),
        (Reason::Truncated, good[..find(&good, "PD94")].to_vec()),
        (
            Reason::TooManyParts,
            second(&delimiter.repeat(DELIMITERS_MAX)),
        ),
        (Reason::NoDaticert, Pec { xml: None, ..pec() }.bytes()),
        (
            Reason::NoDaticert,
            replace(&good, "application/xml", "application/octet-stream"),
        ),
        (Reason::TwoDaticert, second(part.trim_start())),
        (
            Reason::DaticertTooLarge,
            with_xml(vec![b' '; DATICERT_BYTES_MAX]),
        ),
        (Reason::DaticertEncoding, replace(&good, "PD94", "P*94")),
        (
            Reason::DaticertEncoding,
            replace(&good, "Encoding: base64", "Encoding: x-uuencode"),
        ),
        (
            Reason::DaticertCharset,
            with_xml(xml.replace("UTF-8", "utf-7")),
        ),
        (
            Reason::DaticertCharset,
            with_xml(b"<postacert tipo='accettazione \xe8'/>".to_vec()),
        ),
        (
            Reason::DaticertMalformed,
            with_xml(xml.replace("</dati>", "")),
        ),
        (Reason::DaticertMalformed, with_xml("")),
        (
            Reason::DaticertMalformed,
            with_xml(xml.replace("postacert", "altro")),
        ),
        (
            Reason::DaticertDtd,
            with_xml(xml.replace("<postacert", "<!DOCTYPE postacert [ ]><postacert")),
        ),
        (Reason::DaticertTooComplex, with_recipients(60_000, 1)),
        (
            Reason::DaticertTipoMissing,
            with_xml(xml.replace("tipo=\"accettazione\"", "")),
        ),
        (
            Reason::DaticertTipoUnknown,
            with_xml(xml.replace("accettazione", "mancata-consegna")),
        ),
        (
            Reason::FactsTooLarge,
            with_recipients(9, FACTS_BYTES_MAX / 9),
        ),
    ]
}

#[test]
fn each_reason_is_given_for_its_defect_and_nothing_else_is_claimed() {
    let mut given = Vec::new();
    for (at, (reason, bytes)) in samples().into_iter().enumerate() {
        given.push(reason);
        let reading = read(&bytes);
        assert_eq!(reading.unclassified, Some(reason), "sample {at}");
        assert_eq!(reading.kind, Kind::Unclassified, "sample {at}");
        assert_eq!(
            reading.facts.is_some(),
            reason == Reason::DaticertTipoUnknown,
            "sample {at}"
        );
    }
    for reason in Reason::ALL {
        assert!(given.contains(&reason), "{reason}");
    }
}

#[test]
fn an_unknown_tipo_keeps_its_facts() {
    let reading = read(&with_xml(daticert("mancata-consegna")));
    let facts = reading.facts.unwrap();
    assert_eq!(facts.event, Some("mancata-consegna".into()));
    assert_eq!(facts.identificativo, Some(ID.into()));
    assert_eq!(facts.message_ids.len(), 1);
}

#[test]
fn an_unclassified_object_keeps_its_message_id() {
    let bytes = Pec { xml: None, ..pec() }.bytes();
    assert_eq!(
        read(&bytes).message_id,
        Some(pec().message_id().as_str().into())
    );
    let long = format!("X-Lungo: {}\r\nSubject:", "x".repeat(HEADER_BYTES_MAX));
    assert!(
        read(&replace(&bytes, "Subject:", &long))
            .message_id
            .is_some()
    );
}

#[test]
fn ten_thousand_recipients_fit() {
    let reading = read(&with_recipients(10_000, 60));
    let facts = reading.facts.unwrap();
    assert_eq!(
        (reading.kind, facts.recipients.len()),
        (Kind::Receipt, 10_002)
    );
    let metadata = Metadata::from(facts).to_bytes();
    assert!(metadata.len() <= FACTS_BYTES_MAX);
    assert!(Metadata::parse(&metadata).is_ok());
}

#[test]
fn facts_just_within_the_metadata_are_kept() {
    let subject = |bytes: usize| {
        let xml = daticert("accettazione").replace("Diffida", &"x".repeat(bytes));
        read(&with_xml(xml))
    };
    let rest = Metadata::from(subject(0).facts.unwrap()).to_bytes().len();
    assert!(subject(FACTS_BYTES_MAX - rest).facts.is_some());
    assert_eq!(
        subject(FACTS_BYTES_MAX - rest + 1).unclassified,
        Some(Reason::FactsTooLarge)
    );
}

#[test]
fn ordinary_mail_is_a_message_whatever_it_has() {
    for mail in [
        "From: anna@example.test\nSubject: ciao\n\nciao\n",
        "Message-ID: <a@example.test>\n\n",
        "Date: ieri",
        "subject: solo l'oggetto\n",
        "From: a@example.test\nX-Riferimento-Message-ID: <b@example.test>\nX-TipoRicevuta: breve\n\nx",
        "From: a@example.test\nContent-Type: multipart/signed; boundary=x\n\n--x\n\ncut",
        "From: a@example.test\nContent-Type: multipart/mixed; boundary=x\n\n--x--\n",
    ] {
        let reading = read(mail.as_bytes());
        assert_eq!(
            (reading.kind, reading.unclassified),
            (Kind::Message, None),
            "{mail}"
        );
        assert_eq!(reading.facts, None);
    }
}
