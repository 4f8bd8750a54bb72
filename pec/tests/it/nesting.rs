//! Messages in messages: only the direct children of this transaction's signed part count.

use crate::build::{
    FAMILIES, Family, ID, P7S, Pec, daticert, daticert_part, find, replace, to_crlf,
};
use ceralacca_formats::leaf::Kind;
use ceralacca_pec::{Finding, Reason, Weight, read};

/// An older PEC message, whole, and an older daticert attached by a client, in one original.
fn forwarded(family: Family) -> Vec<u8> {
    let old_xml = daticert("accettazione").replace(ID, "vecchio@pec.beta.example");
    let old = Pec {
        xml: Some(old_xml.clone().into_bytes()),
        tag: 77,
        crlf: false,
        ..Pec::new(family, "posta-certificata")
    };
    let attached = String::from_utf8(daticert_part(Family::D, old_xml.as_bytes())).unwrap();
    [
        b"From: anna@example.test\nSubject: Fwd\nMIME-Version: 1.0\n\
          Content-Type: multipart/mixed; boundary=\"fwd\"\n\n--fwd\nContent-Type: text/plain\n\nx\n--fwd\n"
            .to_vec(),
        attached.replace("application/xml", "text/xml").replace("/destinatari>", "\n/destinatari>").into(),
        b"\n--fwd\nContent-Type: application/pkcs7-signature; name=smime.p7s\n\nAAAA\n--fwd\n\
          Content-Type: message/rfc822\n\n"
            .to_vec(),
        old.bytes(),
        b"\n--fwd--\n".to_vec(),
    ]
    .concat()
}

#[test]
fn a_forwarded_message_inside_changes_nothing() {
    for outer in FAMILIES {
        for inner in FAMILIES {
            for crlf in [true, false] {
                let pec = Pec {
                    original: Some(forwarded(inner)),
                    crlf,
                    ..Pec::new(outer, "avvenuta-consegna")
                };
                let built = pec.build();
                let reading = read(&built.bytes);
                assert_eq!(reading.kind, Kind::Receipt, "{outer:?} {inner:?}");
                let facts = reading.facts.as_ref().unwrap();
                assert_eq!(facts.identificativo, Some(ID.into()));
                assert_eq!(facts.event, Some("avvenuta-consegna".into()));
                let detached = reading.detached(&built.bytes).unwrap();
                assert_eq!(
                    (detached.signed, detached.p7s.as_slice()),
                    (&*built.signed, P7S)
                );
            }
        }
    }
}

#[test]
fn a_daticert_in_the_original_only_does_not_count() {
    for family in FAMILIES {
        let pec = Pec {
            xml: None,
            original: Some(forwarded(family)),
            ..Pec::new(family, "posta-certificata")
        };
        let reading = read(&pec.bytes());
        assert_eq!(reading.unclassified, Some(Reason::NoDaticert), "{family:?}");
        assert_eq!((reading.kind, reading.facts), (Kind::Unclassified, None));
    }
}

#[test]
fn a_list_makes_an_ordinary_message_of_a_certified_one() {
    let pec = Pec {
        crlf: false,
        ..Pec::new(Family::B, "posta-certificata")
    };
    let bytes = pec.bytes();
    let (content_type, body) = (find(&bytes, "Content-Type:"), find(&bytes, "------0123"));
    let line = content_type + find(&bytes[content_type..], "\n");
    let wrapped = |header: &str| {
        [
            header.as_bytes(),
            b"From: lista@example.test\nSubject: [lista] POSTA CERTIFICATA: prova\n\
              Content-Type: multipart/mixed; boundary=lst\n\n--lst\n",
            &bytes[content_type..line],
            b"\n\n",
            &bytes[body..],
            b"\n--lst\nContent-Type: text/plain\n\n-- \nlista\n--lst--\n",
        ]
        .concat()
    };
    let plain = read(&wrapped(""));
    assert_eq!(
        (plain.kind, plain.unclassified, plain.facts),
        (Kind::Message, None, None)
    );
    let kept = read(&wrapped(
        "List-Id: <lista.example.test>\nX-Trasporto: posta-certificata\n",
    ));
    assert_eq!(kept.kind, Kind::Message);
    let lost = read(&wrapped("X-Trasporto: posta-certificata\n"));
    assert_eq!(lost.unclassified, Some(Reason::NotSigned));
}

/// A message by hand: outer boundary `B`, inner boundary `B.1`.
fn by_hand(parts: &str) -> Vec<u8> {
    let xml = String::from_utf8(daticert_part(
        Family::A,
        daticert("accettazione").as_bytes(),
    ))
    .unwrap();
    let text = parts.replace("DATICERT\n", &xml);
    format!(
        "X-Ricevuta: accettazione\nFrom: posta-certificata@example.test\n\
         Content-Type: multipart/signed; boundary=\"B\"\n\n{text}"
    )
    .into_bytes()
}

fn signed_text(bytes: &[u8]) -> String {
    let reading = read(bytes);
    assert_eq!(reading.kind, Kind::Receipt, "{:?}", reading.unclassified);
    let signed = reading.detached(bytes).unwrap().signed;
    String::from_utf8(signed.to_vec()).unwrap()
}

#[test]
fn lines_that_look_like_delimiters_do_not_fool() {
    let entity = "Content-Type: multipart/mixed; boundary=\"B.1\"\n\n\
        --B.1\n\nx --B\n--Bfoo\n--B foo\n --B\n-- B\n--b\n--B.\n\
        --B.1 \t\nDATICERT\n--B.1--\n--B.1\nContent-Type: application/xml; name=daticert.xml\n\nno\n";
    let bytes = by_hand(&format!(
        "pre\n--B \t\n{entity}\n--B\n\nAAAA\n--B-- \nepilogue\n--B\n--B\n"
    ));
    let signed = signed_text(&bytes);
    assert!(signed.starts_with("Content-Type") && signed.ends_with("no\n"));
    let crlf = to_crlf(&bytes);
    assert_eq!(signed_text(&crlf), signed.replace('\n', "\r\n"));
}

#[test]
fn unterminated_and_empty_parts_do_not_fool() {
    let bytes = by_hand(
        "--B\nContent-Type: multipart/mixed; boundary=\"B.1\"\n\n--B.1\n--B.1\n\n--B.1\nX: header only\n--B.1\n\
         DATICERT\n--B.1\nContent-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=open\n\n\
         --open\nContent-Type: multipart/signed; boundary=C\n\n--C\n\nnever closed\n--B\n\nAAAA\n--B--",
    );
    assert!(signed_text(&bytes).ends_with("never closed"));
}

#[test]
fn an_inner_boundary_equal_to_the_outer_one_hides_the_children() {
    let bytes =
        by_hand("--B\nContent-Type: multipart/mixed; boundary=\"B\"\n\n--B\nDATICERT\n--B--\n");
    assert_eq!(read(&bytes).unclassified, Some(Reason::NoDaticert));
}

#[test]
fn a_delimiter_line_longer_than_a_line_may_be_is_none() {
    let entity = "Content-Type: multipart/mixed; boundary=\"B.1\"\n\n--B.1\nDATICERT\n--B.1--\n";
    let blanks = " ".repeat(5000);
    let bytes = by_hand(&format!(
        "--B\n{entity}\n--B{blanks}\nmore\n--B\n\nAAAA\n--B--\n"
    ));
    assert!(signed_text(&bytes).ends_with("\nmore"));
}

#[test]
fn a_signed_part_that_is_no_multipart_mixed_has_no_children() {
    let text = "--B\nContent-Type: multipart/alternative; boundary=\"B.1\"\n\n--B.1\nDATICERT\n--B.1--\n\
                \n--B\n\nAAAA\n--B--\n";
    assert_eq!(read(&by_hand(text)).unclassified, Some(Reason::NoDaticert));
    let mail = replace(&by_hand(text), "X-Ricevuta", "X-Altro");
    let reading = read(&mail);
    assert_eq!((reading.kind, reading.facts), (Kind::Message, None));
    assert!(reading.signed.is_some() && reading.signature.is_some());
}

#[test]
fn the_original_is_the_child_that_has_its_name() {
    let child =
        |name: &str, body: &str| format!("--B.1\nContent-Type: message/rfc822{name}\n\n{body}\n");
    let original = |children: &str| {
        let bytes = by_hand(&format!(
            "--B\nContent-Type: multipart/mixed; boundary=\"B.1\"\n\n--B.1\nDATICERT\n{children}--B.1--\n\
             \n--B\n\nAAAA\n--B--\n"
        ));
        let range = read(&bytes)
            .postacert
            .map(|r| r.start as usize..r.end as usize);
        range.map(|range| String::from_utf8(bytes[range].to_vec()).unwrap())
    };
    let (named, other) = (child("; name=postacert.eml", "uno"), child("", "due"));
    assert_eq!(original(&format!("{named}{other}")).unwrap(), "uno");
    assert_eq!(original(&format!("{other}{named}")).unwrap(), "uno");
    assert_eq!(original(&format!("{other}{other}")).unwrap(), "due");
    assert_eq!(original(""), None);
    let attached = by_hand(&format!(
        "--B\nContent-Type: multipart/mixed; boundary=\"B.1\"\n\n--B.1\nDATICERT\n--B.1--\n\n--B\n\n{named}--B--\n"
    ));
    assert_eq!(read(&attached).postacert, None);
}

#[test]
fn an_original_without_a_body_lies_within_what_is_signed() {
    for inner in ["", "--c--\r\n"] {
        let message = format!(
            "X-Trasporto: errore\r\nFrom: a@pec.alfa.example\r\n\
             Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\
             Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\
             Content-Type: message/rfc822; name=postacert.eml\r\n{inner}--b\r\n\
             Content-Type: application/pkcs7-signature\r\n\r\n--b--\r\n"
        );
        for message in [message.replace("\r\n", "\n"), message] {
            let reading = read(message.as_bytes());
            let (signed, original) = (reading.signed.unwrap(), reading.postacert.unwrap());
            assert!(original.is_empty());
            assert!(signed.start <= original.start && original.end <= signed.end);
        }
    }
}

#[test]
fn what_is_inside_is_noted_and_gives_no_fact() {
    let notes = |original: Option<Vec<u8>>| {
        let pec = Pec {
            original,
            ..Pec::new(Family::B, "avvenuta-consegna")
        };
        let reading = read(&pec.bytes());
        assert_eq!(reading.facts.unwrap().identificativo, Some(ID.into()));
        let notes = reading.findings.into_iter();
        notes
            .filter(|finding| finding.weight() == Weight::Note)
            .collect::<Vec<_>>()
    };
    let plain = |body: &str| Some(format!("From: anna@example.test\n{body}").into_bytes());
    assert_eq!(notes(plain("\nX-Ricevuta: accettazione\n\n--B\n")), []);
    for family in FAMILIES {
        let both = [Finding::NestedPec, Finding::NestedDaticert];
        assert_eq!(notes(Some(forwarded(family))), both, "{family:?}");
    }
    let attached = "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/xml\n\
        Content-Disposition: attachment; filename=daticert.xml\n\n<postacert/>\n--x--\n";
    assert_eq!(notes(plain(attached)), [Finding::NestedDaticert]);
    assert_eq!(
        notes(plain(&attached.replace("daticert.xml", "dati.xml"))),
        []
    );
    // A boundary that nobody opened delimits nothing, and what follows the close is no part.
    let closed = attached.replace("--x\nContent", "--x--\n--y\nContent");
    assert_eq!(notes(plain(&closed)), []);
    let deep: String = (0..17)
        .map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n"))
        .collect();
    assert_eq!(notes(plain(&deep)), [Finding::NestingNotFollowed]);
    let wide = "--x\n\n".repeat(1001);
    let wide = format!("Content-Type: multipart/mixed; boundary=x\n\n{wide}");
    assert_eq!(notes(plain(&wide)), [Finding::NestingNotFollowed]);
    let long = format!(
        "X-Lungo: {}\nContent-Type: text/plain\n\n",
        "x".repeat(70_000)
    );
    assert_eq!(notes(plain(&long)), [Finding::NestingNotFollowed]);
}

#[test]
fn ordinary_mail_says_what_certified_mail_is_in_it() {
    let pec = Pec {
        crlf: false,
        ..Pec::new(Family::C, "posta-certificata")
    };
    let head = "From: anna@example.test\nSubject: Fwd\nContent-Type: ";
    let mail = |kind: &str| {
        let head =
            format!("{head}multipart/mixed; boundary=fwd\n\n--fwd\nContent-Type: {kind}\n\n");
        read(&[head.as_bytes(), &pec.bytes(), b"\n--fwd--\n"].concat())
    };
    let reading = mail("message/rfc822; name=posta.eml");
    assert_eq!((reading.kind, reading.facts), (Kind::Message, None));
    assert_eq!(reading.findings, [Finding::NestedPec]);
    assert_eq!(mail("application/octet-stream").findings, []);
    let whole = [format!("{head}message/rfc822\n\n").as_bytes(), &pec.bytes()].concat();
    assert_eq!(read(&whole).findings, [Finding::NestedPec]);
    let start = find(&pec.bytes(), "--");
    let through_a_list = [
        format!("{head}multipart/mixed; boundary=lst\n\n--lst\n").as_bytes(),
        b"Content-Type: multipart/signed; boundary=\"----=_Part_1_7.1714551072333\"\n\n",
        &pec.bytes()[start..],
        b"\n--lst\n\nlista\n--lst--\n",
    ]
    .concat();
    assert_eq!(read(&through_a_list).findings, [Finding::NestedPec]);
}

#[test]
fn an_original_saved_alone_is_ordinary_mail_and_looks_like_what_it_is() {
    let reading = read(crate::build::ORIGINAL.as_bytes());
    assert_eq!((reading.kind, reading.facts), (Kind::Message, None));
    assert_eq!(reading.findings, [Finding::OriginalAlone]);
    let plain = replace(
        crate::build::ORIGINAL.as_bytes(),
        "X-Riferimento",
        "X-Altro",
    );
    assert_eq!(read(&plain).findings, []);
}
