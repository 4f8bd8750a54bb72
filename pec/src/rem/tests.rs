use super::*;
use crate::reading::Reading;
use ceralacca_synthetic::mail::{Family, MessageKind, PkiOptions, Plan, Postal, Story};
use proptest::prelude::*;

/// Evidence with everything that is read, the signature an empty shell.
const FULL: &str = r##"<?xml version="1.0" encoding="UTF-8"?>
<ev:Evidence xmlns:ev="http://uri.etsi.org/19522/v1#" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" version="EN319522v1.1.1">
  <ev:EvidenceIdentifier>urn:uuid:00000000-0000-4000-8000-000000000001</ev:EvidenceIdentifier>
  <ev:ERDSEventId>http://uri.etsi.org/19522/Event/ContentConsignment</ev:ERDSEventId>
  <EventTime xmlns="">2026-05-07T07:10:11Z</EventTime>
  <ev:SubmissionTime>2026-05-07T07:10:09Z</ev:SubmissionTime>
  <ev:EventReasons>
    <ev:EventReason><ev:Code>RB01</ev:Code><Details xmlns="" xml:lang="it"> Inoltrato </Details></ev:EventReason>
    <ev:EventReason code="X"/>
  </ev:EventReasons>
  <ev:EvidenceIssuerPolicyID><PolicyID xmlns="">urn:oid:1.3.6.1.4.1.1</PolicyID><PolicyID xmlns="">urn:oid:2</PolicyID></ev:EvidenceIssuerPolicyID>
  <ev:EvidenceIssuerDetails><ev:Identifier>gestore@example.test</ev:Identifier></ev:EvidenceIssuerDetails>
  <ev:SenderDetails><Identifier xmlns="">mailto:Anna@pec.alfa.example</Identifier>
    <ev:Identity><ev:Attribute Name="LegalName"><ev:Identifier>non questo</ev:Identifier></ev:Attribute></ev:Identity></ev:SenderDetails>
  <ev:RecipientDetails><Identifier xmlns="">bruno@pec.beta.example</Identifier></ev:RecipientDetails>
  <ev:RecipientDetails><ev:Inner><Identifier xmlns="">9f86d081884c7d659a2feaa0c55ad015</Identifier></ev:Inner></ev:RecipientDetails>
  <ev:MessageIdentifier>alfa.1@pec.alfa.example</ev:MessageIdentifier>
  <ev:UserContentInfo><ComposingParts xmlns="">2</ComposingParts><ev:PartsInfo>
    <ev:PartInfo><Identifier xmlns="">postacert.eml</Identifier><ContentType xmlns="">message/rfc822</ContentType>
      <ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>cGVj</ds:DigestValue></ev:PartInfo>
    <ev:PartInfo><ds:DigestValue>*</ds:DigestValue></ev:PartInfo>
  </ev:PartsInfo></ev:UserContentInfo>
  <ds:Signature><ds:SignedInfo><ds:Reference><ds:DigestMethod Algorithm="x"/><ds:DigestValue>bm8=</ds:DigestValue></ds:Reference></ds:SignedInfo>
    <ds:Object><xades:QualifyingProperties xmlns:xades="http://uri.etsi.org/01903/v1.3.2#"/></ds:Object></ds:Signature>
</ev:Evidence>
"##;

const SHORT: &str = "<Evidence><EvidenceIdentifier>urn:uuid:1</EvidenceIdentifier>\
    <ERDSEventId>http://uri.etsi.org/19522/Event/RelayRejection</ERDSEventId>\
    <EventTime>2026-05-07T07:10:11Z</EventTime></Evidence>";

fn evidence(xml: &str) -> Evidence {
    super::read(xml.as_bytes(), None).unwrap()
}

fn refusal(xml: &str) -> Option<Refusal> {
    super::read(xml.as_bytes(), None).err()
}

fn text(text: &str) -> Option<Text> {
    Some(text.into())
}

#[test]
fn every_fact_is_read() {
    let evidence = evidence(FULL);
    assert_eq!(
        evidence.identifier,
        text("urn:uuid:00000000-0000-4000-8000-000000000001")
    );
    assert_eq!(
        evidence.event_id,
        text("http://uri.etsi.org/19522/Event/ContentConsignment")
    );
    assert_eq!(evidence.event, text("ContentConsignment"));
    assert_eq!(evidence.event_ms.unwrap().get(), 1_778_137_811_000);
    assert_eq!(evidence.event_offset_min.unwrap().get(), 0);
    assert_eq!(evidence.event_text, text("2026-05-07T07:10:11Z"));
    assert_eq!(evidence.submission_text, text("2026-05-07T07:10:09Z"));
    assert_eq!(evidence.version, text("EN319522v1.1.1"));
    assert_eq!(
        evidence.policy_ids,
        [Text::from("urn:oid:1.3.6.1.4.1.1"), "urn:oid:2".into()]
    );
    assert_eq!(
        evidence.sender.as_ref().unwrap().identifiers,
        ["mailto:Anna@pec.alfa.example".into()]
    );
    assert_eq!(evidence.recipients.len(), 2);
    assert_eq!(
        evidence.recipients[1].identifiers,
        ["9f86d081884c7d659a2feaa0c55ad015".into()]
    );
    assert_eq!(evidence.message_id, text("alfa.1@pec.alfa.example"));
    assert_eq!(
        evidence.reasons,
        [
            Reason {
                code: text("RB01"),
                details: text("Inoltrato")
            },
            Reason {
                code: text("X"),
                details: None
            },
        ]
    );
    let whole = PartDigest {
        identifier: text("postacert.eml"),
        content_type: text("message/rfc822"),
        algorithm: text("http://www.w3.org/2001/04/xmlenc#sha256"),
        value: Some(b"pec".to_vec()),
    };
    assert_eq!(evidence.digests, [whole, PartDigest::default()]);
    assert_eq!(evidence.signature, Some(Signature { is_xades: true }));
    assert_eq!(Signature::VERDICT, "not-evaluated");
    assert_eq!(evidence.findings, [Finding::DigestMalformed]);
}

#[test]
fn the_record_of_the_log_holds_what_has_a_place_there_and_no_digest_as_an_address() {
    let record = evidence(FULL).trace().unwrap();
    let expected = TraceRecord {
        event: text("ContentConsignment"),
        event_ms: Some(Integer::try_from(1_778_137_811_000_i64).unwrap()),
        event_offset_min: Some(0.into()),
        event_text: text("2026-05-07T07:10:11Z"),
        sender: text("Anna@pec.alfa.example"),
        recipients: vec![Recipient {
            address: "bruno@pec.beta.example".into(),
            kind: None,
        }],
        message_ids: vec!["alfa.1@pec.alfa.example".into()],
        // One without an algorithm, or in no base64, is none.
        content_digests: vec!["http://www.w3.org/2001/04/xmlenc#sha256 706563".into()],
        ..TraceRecord::default()
    };
    assert_eq!(record, expected);
    let huge = "x".repeat(EVIDENCE_BYTES_MAX - 1000);
    let huge = SHORT.replace(
        "</Evidence>",
        &format!(
            "<MessageIdentifier>{huge}{}</MessageIdentifier></Evidence>",
            "\"".repeat(500)
        ),
    );
    assert_eq!(evidence(&huge).trace(), None);
}

#[test]
fn namespaces_prefixed_default_absent_or_another_change_nothing_but_a_finding() {
    let body = SHORT
        .strip_prefix("<Evidence>")
        .unwrap()
        .strip_suffix("</Evidence>")
        .unwrap();
    let prefixed = body.replace("</", "</p:").replace("<E", "<p:E");
    let bare = evidence(SHORT);
    let signed_by_none = vec![Finding::OtherNamespace, Finding::NotSigned];
    assert_eq!(bare.findings, signed_by_none);
    for (xml, findings) in [
        (
            format!("<Evidence xmlns='{NAMESPACE}'>{body}</Evidence>"),
            vec![Finding::NotSigned],
        ),
        (
            format!("<p:Evidence xmlns:p='{NAMESPACE}'>{prefixed}</p:Evidence>"),
            vec![Finding::NotSigned],
        ),
        (
            format!("<p:Evidence xmlns:p='{NAMESPACE}'>{body}</p:Evidence>"),
            vec![Finding::NotSigned],
        ),
        (
            format!("<Evidence xmlns='http://uri.etsi.org/19522/v2#'>{body}</Evidence>"),
            signed_by_none.clone(),
        ),
        (
            format!(
                "\u{feff}<!-- a --><?b c?>\n<Evidence xmlns='{NAMESPACE}'>{}</Evidence>\n",
                body.replace("<EventTime>", "<EventTime xmlns=''>")
            ),
            vec![Finding::NotSigned],
        ),
    ] {
        assert!(is_evidence(xml.as_bytes(), None), "{xml}");
        let found = evidence(&xml);
        assert_eq!(
            found,
            Evidence {
                findings,
                ..bare.clone()
            },
            "{xml}"
        );
    }
}

#[test]
fn what_is_missing_or_odd_is_told() {
    let xml = SHORT
        .replace("RelayRejection", "NuovoEvento")
        .replace("11Z", "11");
    let evidence = evidence(&xml);
    assert_eq!(evidence.event, text("NuovoEvento"));
    assert_eq!((evidence.event_ms, evidence.event_offset_min), (None, None));
    assert_eq!(
        evidence.findings,
        [
            Finding::OtherNamespace,
            Finding::EventUnknown,
            Finding::TimeMalformed,
            Finding::NotSigned
        ]
    );
    let signed = SHORT.replace("</Evidence>", "<Signature/></Evidence>");
    assert_eq!(
        self::evidence(&signed).signature,
        Some(Signature { is_xades: false })
    );
    let offset = self::evidence(&SHORT.replace("07:10:11Z", "09:10:11+02:00"));
    assert_eq!(offset.event_ms.unwrap().get(), 1_778_137_811_000);
    assert_eq!(offset.event_offset_min.unwrap().get(), 120);
}

#[test]
fn other_documents_are_not_evidence() {
    for xml in [
        "<postacert tipo='accettazione'/>",
        "<Evidence/>",
        "<Evidence><EventTime>x</EventTime></Evidence>",
        "<DeliveryNonDeliveryToRecipient xmlns='http://uri.etsi.org/02640/v2#'/>",
        "<a><Evidence><EvidenceIdentifier>x</EvidenceIdentifier></Evidence></a>",
    ] {
        assert_eq!(refusal(xml), Some(Refusal::NotEvidence), "{xml}");
    }
    for bytes in [
        &b""[..],
        b"<",
        b"<a>",
        b"Evidence",
        b"<!-- Evidence",
        b"<?x",
        b"<Evidences>",
        b"<evidence>",
        b"\xff<Evidence>",
    ] {
        assert!(!is_evidence(bytes, None));
    }
    assert!(is_evidence(b"<Evidence>\xe8", Some(b"iso-8859-1")));
}

#[test]
fn declarations_bombs_and_depth_are_refused() {
    for dtd in [
        "<!DOCTYPE Evidence>",
        "<!DOCTYPE Evidence SYSTEM 'http://example.org/x.dtd'>",
        "<!DOCTYPE Evidence [<!ENTITY a 'b'>]>",
        "<!DOCTYPE Evidence [<!ENTITY a SYSTEM 'file:///etc/hostname'>]>",
    ] {
        assert_eq!(refusal(&format!("{dtd}{SHORT}")), Some(Refusal::Dtd));
    }
    let nested = "<a>".repeat(100_000) + &"</a>".repeat(100_000);
    let inside = |xml: &str| SHORT.replace("</Evidence>", &format!("{xml}</Evidence>"));
    assert_eq!(refusal(&inside(&nested)), Some(Refusal::TooComplex));
    assert_eq!(
        refusal(&inside(&"<RecipientDetails/>".repeat(200_000))),
        Some(Refusal::TooComplex)
    );
    let attributes: String = (0..100).map(|i| format!(" a{i}=''")).collect();
    assert_eq!(
        refusal(&inside(&format!("<x{attributes}/>"))),
        Some(Refusal::TooComplex)
    );
    assert_eq!(
        refusal(&inside(&"x".repeat(EVIDENCE_BYTES_MAX))),
        Some(Refusal::TooLarge)
    );
    assert_eq!(refusal(&inside("<a>")), Some(Refusal::Malformed));
    assert_eq!(refusal(&inside("&undeclared;")), Some(Refusal::Malformed));
    assert_eq!(
        super::read(b"<Evidence>\xe8</Evidence>", None),
        Err(Refusal::Charset)
    );
    let digests = "<DigestValue>cGVj</DigestValue>".repeat(30_000);
    assert_eq!(
        evidence(&inside(&format!(
            "<UserContentInfo>{digests}</UserContentInfo>"
        )))
        .digests
        .len(),
        1
    );
}

#[test]
fn a_signature_as_deep_as_real_ones_is_read() {
    let names = [
        "Signature",
        "Object",
        "QualifyingProperties",
        "SignedProperties",
        "SignedSignatureProperties",
        "SigningCertificateV2",
        "Cert",
        "CertDigest",
        "DigestMethod",
    ];
    let open: String = names.iter().map(|name| format!("<{name}>")).collect();
    let close: String = names
        .iter()
        .rev()
        .map(|name| format!("</{name}>"))
        .collect();
    let xml = SHORT.replace("</Evidence>", &format!("{open}{close}</Evidence>"));
    assert_eq!(evidence(&xml).signature, Some(Signature { is_xades: true }));
}

fn postal() -> Postal {
    Postal::new(&PkiOptions::default(), 1_767_225_600_000).unwrap()
}

#[test]
fn an_envelope_of_the_family_that_adds_evidence_holds_one_that_agrees_with_its_daticert() {
    let postal = postal();
    let provider = postal.provider_of(Family::C).unwrap();
    let plan = Plan {
        from: provider,
        story: Story::Delivered,
        ..postal.plan(1)
    };
    let mut seen = [0, 0];
    for seed in 0..20 {
        let transaction = postal.carry_out(seed, &plan);
        let envelope = transaction.first(MessageKind::TransportEnvelope).unwrap();
        let reading = crate::read(&envelope.bytes);
        let found = find(&envelope.bytes, &reading);
        seen[usize::from(envelope.draft.has_rem)] += 1;
        assert_eq!(found.len(), usize::from(envelope.draft.has_rem));
        let lf = envelope.as_lf();
        assert_eq!(find(&lf, &crate::read(&lf)).len(), found.len());
        let Some(found) = found.first() else { continue };
        let evidence = found.evidence.as_ref().unwrap();
        assert_eq!(evidence.event, text("SubmissionAcceptance"));
        assert_eq!(evidence.event_ms, reading.facts.as_ref().unwrap().event_ms);
        assert_eq!(evidence.findings, []);
        let caught = reading.evidence.unwrap().unwrap();
        assert_eq!(*caught, *evidence);
        let range = found.range.start as usize..found.range.end as usize;
        assert!(envelope.bytes[range].starts_with(b"PD94bWwg"));
    }
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
}

/// A signed message with these parts beside its text.
fn message(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut out =
        "From: a@example.test\nX-Ricevuta: x\nContent-Type: multipart/signed; boundary=O\n\n--O\n\
                   Content-Type: multipart/mixed; boundary=I\n\n--I\n\ntesto\n"
            .to_owned();
    for (head, body) in parts {
        out += &format!("--I\n{head}\n\n{body}\n");
    }
    (out + "--I--\n--O\nContent-Type: application/pkcs7-signature\n\nAA==\n--O--\n").into_bytes()
}

fn found(parts: &[(&str, &str)]) -> Vec<Result<Evidence, Refusal>> {
    let bytes = message(parts);
    let found = find(&bytes, &crate::read(&bytes));
    found.into_iter().map(|found| found.evidence).collect()
}

#[test]
fn evidence_is_known_by_its_content_whatever_its_name_and_type() {
    for head in [
        "Content-Type: application/octet-stream; name=a.bin",
        "X: y",
        "Content-Type: text/xml; name=daticert2.xml",
    ] {
        assert_eq!(found(&[(head, SHORT)]), [Ok(evidence(SHORT))], "{head}");
    }
    let head = "Content-Type: application/xml; name=\"SubmissionAcceptance.xml\"";
    assert_eq!(
        found(&[(head, "<a/>"), (head, SHORT), (head, FULL)]).len(),
        2
    );
    assert_eq!(
        found(&[(head, &format!("<!DOCTYPE Evidence>{SHORT}"))]),
        [Err(Refusal::Dtd)]
    );
}

#[test]
fn evidence_further_in_or_attached_is_anothers() {
    let inner = format!("--J\nContent-Type: application/xml\n\n{SHORT}\n--J--");
    assert_eq!(
        found(&[("Content-Type: multipart/mixed; boundary=J", &inner)]),
        []
    );
    let attached = format!("Content-Type: application/xml\n\n{SHORT}");
    assert_eq!(found(&[("Content-Type: message/rfc822", &attached)]), []);
    assert_eq!(find(SHORT.as_bytes(), &crate::read(SHORT.as_bytes())), []);
}

#[test]
fn a_reading_of_another_message_finds_nothing_and_harms_nothing() {
    let bytes = message(&[("Content-Type: application/xml", SHORT)]);
    let reading: Reading = crate::read(&bytes);
    assert_eq!(find(&bytes[..100], &reading), []);
    assert_eq!(find(&[0xff; 10_000], &reading), []);
}

proptest! {
    #[test]
    fn arbitrary_octets_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..1000)) {
        let _ = (is_evidence(&bytes, None), super::read(&bytes, None));
        let _ = super::read(&bytes, Some(b"iso-8859-1"));
    }

    #[test]
    fn damaged_evidence_is_refused_or_read(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut bytes = FULL.as_bytes().to_vec();
        for (at, octet) in damage {
            let at = at.index(bytes.len());
            bytes[at] = octet;
        }
        let _ = super::read(&bytes, None).map(|evidence| evidence.trace());
        let message = message(&[("X: y", &String::from_utf8_lossy(&bytes))]);
        let _ = find(&message, &crate::read(&message));
    }
}
