//! Messages of the four known families, as they come and as files keep them.

use crate::build::{FAMILIES, Family, ID, P7S, Pec, find, replace, to_crlf};
use ceralacca_formats::leaf::Kind;
use ceralacca_pec::{Finding, Reading, Weight, read};

const RECEIPTS: [&str; 7] = [
    "accettazione",
    "non-accettazione",
    "presa-in-carico",
    "avvenuta-consegna",
    "errore-consegna",
    "preavviso-errore-consegna",
    "rilevazione-virus",
];

fn certified(bytes: &[u8]) -> Reading {
    let reading = read(bytes);
    assert_eq!(reading.unclassified, None);
    let facts = reading.facts.as_ref().expect("facts");
    assert_eq!(facts.identificativo, Some(ID.into()));
    reading
}

#[test]
fn every_kind_of_every_family_is_read_with_either_line_end() {
    for family in FAMILIES {
        for tipo in ["posta-certificata"].into_iter().chain(RECEIPTS) {
            for crlf in [true, false] {
                let pec = Pec {
                    crlf,
                    ..Pec::new(family, tipo)
                };
                let built = pec.build();
                let reading = certified(&built.bytes);
                let kind = match tipo {
                    "posta-certificata" => Kind::Envelope,
                    _ => Kind::Receipt,
                };
                assert_eq!(reading.kind, kind, "{family:?} {tipo} {crlf}");
                let facts = reading.facts.as_ref().unwrap();
                assert_eq!(facts.event, Some(tipo.into()));
                assert_eq!(facts.event_ms.unwrap().get(), 1_715_065_811_000);
                assert_eq!(facts.subject, Some("Diffida n. 7/2024 – perché sì".into()));
                assert_eq!(facts.recipients.len(), 2);
                assert_eq!(reading.message_id, Some(pec.message_id().as_str().into()));
                assert_eq!(facts.message_ids, [reading.message_id.clone().unwrap()]);
                assert!(reading.findings.iter().all(|f| f.weight() == Weight::Note));

                let detached = reading.detached(&built.bytes).unwrap();
                assert_eq!(detached.signed, built.signed, "{family:?} {tipo} {crlf}");
                assert_eq!(detached.p7s, P7S);
                let original = reading
                    .postacert
                    .map(|range| built.bytes[range.start as usize..range.end as usize].to_vec());
                assert_eq!(original, built.original, "{family:?} {tipo} {crlf}");
            }
        }
    }
}

#[test]
fn the_facts_of_each_kind_are_where_they_belong() {
    let facts = |tipo| certified(&Pec::new(Family::C, tipo).bytes()).facts.unwrap();
    let one = Some("beppe@pec.example.test".into());
    assert_eq!(facts("avvenuta-consegna").delivered_to, one);
    assert_eq!(
        facts("avvenuta-consegna").receipt_form,
        Some("completa".into())
    );
    assert_eq!(
        facts("posta-certificata").receipt_form,
        Some("completa".into())
    );
    assert_eq!(
        facts("presa-in-carico").taken_over,
        Vec::from_iter(one.clone())
    );
    assert_eq!(facts("errore-consegna").delivered_to, one);
    assert!(facts("errore-consegna").error_detail.is_some());
    assert_eq!(facts("accettazione").delivered_to, None);
}

#[test]
fn the_daticert_decides_the_kind_and_not_the_header() {
    let bytes = Pec::new(Family::B, "accettazione").bytes();
    let as_envelope = replace(
        &bytes,
        "X-Ricevuta: accettazione",
        "X-Trasporto: posta-certificata",
    );
    assert_eq!(certified(&as_envelope).kind, Kind::Receipt);
    let as_anomaly = replace(&bytes, "X-Ricevuta: accettazione", "X-Trasporto: errore");
    assert_eq!(certified(&as_anomaly).kind, Kind::Receipt);
    let as_mail = replace(&bytes, "X-Ricevuta: accettazione", "X-Altro: 1");
    assert_eq!(certified(&as_mail).kind, Kind::Receipt);
}

#[test]
fn a_mark_a_mailbox_line_and_other_peoples_headers_do_not_matter() {
    let bytes = Pec::new(Family::A, "accettazione").bytes();
    for before in [
        "\u{feff}",
        "From anna@example.test Tue May  7 09:10:11 2024\r\n",
        "X-Client-Tag: Yes\r\nReturn-Path: <anna@example.test>\r\nX-Spam: testo\r\n\tè lungo\r\n",
    ] {
        certified(&[before.as_bytes(), &bytes].concat());
    }
}

#[test]
fn a_file_whose_lines_end_in_cr_cr_lf_is_still_read() {
    for family in FAMILIES {
        let pec = Pec {
            crlf: true,
            ..Pec::new(family, "avvenuta-consegna")
        };
        certified(&replace_all(&pec.bytes(), b"\r\n", b"\r\r\n"));
    }
}

fn replace_all(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), bytes);
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    [out, rest.to_vec()].concat()
}

#[test]
fn a_daticert_in_one_endless_line_is_read() {
    let bytes = Pec {
        crlf: false,
        ..Pec::new(Family::B, "posta-certificata")
    }
    .bytes();
    let start = find(&bytes, "PD94");
    let end = start + find(&bytes[start..], "\n--");
    let body: Vec<u8> = bytes[start..end]
        .iter()
        .copied()
        .filter(|c| *c != b'\n')
        .collect();
    let padded = [&bytes[..start], &body, &b" ".repeat(10_000), &bytes[end..]].concat();
    certified(&padded);
    certified(&to_crlf(&padded));
}

#[test]
fn names_and_encodings_have_no_case() {
    let bytes = Pec::new(Family::B, "accettazione").bytes();
    let bytes = replace(
        &bytes,
        "application/xml; name=\"daticert.xml\"",
        "TEXT/XML; NAME=DATICERT.XML",
    );
    let bytes = replace(
        &bytes,
        "filename=\"daticert.xml\"",
        "filename=\"altro.xml\"",
    );
    let bytes = replace(&bytes, "Encoding: base64", "Encoding: BASE64");
    certified(&replace(&bytes, "multipart/signed", "Multipart/Signed"));
}

#[test]
fn the_name_may_be_in_the_disposition_only_or_encoded() {
    let bytes = Pec::new(Family::B, "accettazione").bytes();
    certified(&replace(
        &bytes,
        "application/xml; name=\"daticert.xml\"",
        "application/xml",
    ));
    let bytes = replace(&bytes, "filename=\"daticert.xml\"", "x=y");
    certified(&replace(
        &bytes,
        "name=\"daticert.xml\"",
        "name*=utf-8'it'dati%63ert.xml",
    ));
    certified(&replace(
        &bytes,
        "name=\"daticert.xml\"",
        "name=\"=?utf-8?B?ZGF0aWNlcnQueG1s?=\"",
    ));
}

#[test]
fn an_unencoded_daticert_is_read() {
    let pec = Pec::new(Family::D, "accettazione");
    let xml = crate::build::daticert("accettazione")
        .replace('–', "-")
        .replace("é", "e")
        .replace("ì", "i");
    let bytes = Pec {
        xml: Some(xml.into_bytes()),
        ..pec
    }
    .bytes();
    let start = find(&bytes, "<?xml");
    let end = start + find(&bytes[start..], "\r\n\r\n--");
    let plain = String::from_utf8(bytes[start..end].to_vec()).unwrap();
    let plain = plain.replace("=\r\n", "").replace("=3D", "=");
    for encoding in ["7bit", "8BIT", "binary"] {
        let bytes = [&bytes[..start], plain.as_bytes(), &bytes[end..]].concat();
        certified(&replace(
            &bytes,
            "Content-Transfer-Encoding: quoted-printable\r\nContent-Disposition: att",
            &format!("Content-Transfer-Encoding: {encoding}\r\nContent-Disposition: att"),
        ));
    }
}

#[test]
fn what_does_not_hinder_reading_is_a_finding() {
    let bytes = Pec::new(Family::B, "accettazione").bytes();
    let repeated = replace(
        &bytes,
        "Subject:",
        "message-id: <altro@example.test>\r\nSubject:",
    );
    let reading = certified(&repeated);
    assert_eq!(reading.findings, [Finding::RepeatedHeader]);
    assert_eq!(reading.message_id, certified(&bytes).message_id);

    let close = bytes.len() - "--\r\n".len();
    let third = [
        &bytes[..close],
        b"\r\nContent-Type: text/plain\r\n\r\nfooter\r\n",
    ]
    .concat();
    assert_eq!(certified(&third).findings, [Finding::ExtraPart]);

    let signature = find(&bytes, "application/pkcs7-signature");
    let line = signature + find(&bytes[signature..], "\r\n\r\n") + 4;
    assert_eq!(
        certified(&bytes[..line + 12]).findings,
        [Finding::NoCloseDelimiter]
    );

    let long = format!(
        "Message-ID: <{}@example.test>\r\nX-Altro: ",
        "x".repeat(5000)
    );
    let reading = certified(&replace(&bytes, "Message-ID: ", &long));
    assert_eq!(reading.findings, [Finding::MessageIdTooLong]);
    assert_eq!(reading.message_id, None);
    assert!(reading.facts.unwrap().message_ids.is_empty());
}

#[test]
fn an_empty_signature_is_still_a_part() {
    let bytes = Pec::new(Family::B, "accettazione").bytes();
    let signature = find(&bytes, "Content-Type: application/pkcs7-signature");
    let reading = certified(&bytes[..signature]);
    let end = signature as u64;
    assert_eq!(reading.signature, Some(end..end));
    assert_eq!(reading.detached(&bytes).unwrap().p7s, b"");
}

#[test]
fn an_anomaly_envelope_says_what_its_header_says() {
    let inside = Pec {
        tag: 2,
        crlf: false,
        ..Pec::new(Family::A, "posta-certificata")
    };
    for family in FAMILIES {
        let bytes = Pec {
            xml: None,
            original: Some(inside.bytes()),
            ..Pec::new(family, "posta-certificata")
        }
        .bytes();
        let bytes = replace(
            &bytes,
            "X-Trasporto: posta-certificata",
            "X-TRASPORTO:  Errore ",
        );
        let reading = read(&bytes);
        assert_eq!((reading.kind, reading.unclassified), (Kind::Envelope, None));
        let facts = reading.facts.unwrap();
        assert_eq!(facts.event, Some("busta-anomalia".into()));
        assert_eq!(facts.event_ms.unwrap().get(), 1_715_065_811_000);
        assert_eq!(facts.event_offset_min.unwrap().get(), 120);
        assert_eq!(
            facts.event_text,
            Some("Tue, 7 May 2024 09:10:11 +0200 (CEST)".into())
        );
        assert_eq!(facts.message_ids.len(), 1);
        assert_eq!(
            (facts.identificativo, facts.sender, facts.recipients.len()),
            (None, None, 0)
        );
        assert!(reading.postacert.is_some() && reading.signed.is_some());
    }
}
