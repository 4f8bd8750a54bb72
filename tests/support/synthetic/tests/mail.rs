//! What the crate promises of its messages, checked on the octets with readers of this file's own.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ceralacca_synthetic::damage::{self, many_recipients};
use ceralacca_synthetic::mail::{
    Attachment, BodyStyle, Family, HashInput, Message, MessageKind, Original, PkiOptions, Plan,
    Postal, ReceiptForm, Select, Story, Transaction, as_lf,
};
use ceralacca_synthetic::pki::{DigestKind, Keys};
use ceralacca_synthetic::traffic::{Traffic, text_line};
use der::{Decode, Encode};
use std::collections::HashSet;
use std::sync::LazyLock;

const START_MS: i64 = 1_767_225_600_000;

static POSTAL: LazyLock<Postal> =
    LazyLock::new(|| Postal::new(&PkiOptions::default(), START_MS).unwrap());

fn ordinary(family: Family) -> Plan {
    let provider = POSTAL.provider_of(family).unwrap();
    Plan {
        from: provider,
        to: Some(provider),
        story: Story::Delivered,
        form: ReceiptForm::Complete,
        ..POSTAL.plan(3)
    }
}

/// The value of a header field, unfolded; of the first header of these octets.
fn field(octets: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(octets);
    let header = text.split("\r\n\r\n").next().unwrap();
    let unfolded = header.replace("\r\n\t", " ").replace("\r\n ", " ");
    let prefix = format!("{}:", name.to_ascii_lowercase());
    unfolded
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with(&prefix))
        .map(|line| line[prefix.len()..].trim().to_owned())
}

/// The decoded content of a part that begins with its delimiter line.
fn decoded(part: &[u8]) -> Vec<u8> {
    let at = part.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let (header, body) = (&part[..at], &part[at + 4..]);
    let body = body.strip_suffix(b"\r\n").unwrap();
    let header = String::from_utf8_lossy(header).to_ascii_lowercase();
    if header.contains("encoding: base64") {
        let letters: Vec<u8> = body
            .iter()
            .copied()
            .filter(|o| !o.is_ascii_whitespace())
            .collect();
        return BASE64_STANDARD.decode(letters).unwrap();
    }
    assert!(header.contains("encoding: quoted-printable"), "{header}");
    let text = String::from_utf8(body.to_vec())
        .unwrap()
        .replace("=\r\n", "");
    let mut out = Vec::new();
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        if octet != b'=' {
            out.push(octet);
            continue;
        }
        let digits = [octets.next().unwrap(), octets.next().unwrap()];
        out.extend(hex::decode(digits).unwrap());
    }
    out
}

fn contains(octets: &[u8], text: &str) -> bool {
    octets.windows(text.len()).any(|w| w == text.as_bytes())
}

fn transactions() -> impl Iterator<Item = Transaction> {
    (0..400).map(|seed| POSTAL.transaction(seed))
}

#[test]
fn a_seed_gives_the_same_octets_but_for_keys_and_signatures() {
    let other = Postal::new(&PkiOptions::default(), START_MS).unwrap();
    let (mine, theirs) = (
        POSTAL.stream(5, Select::All).take(300),
        other.stream(5, Select::All).take(300),
    );
    for (a, b) in mine.zip(theirs) {
        let until = a.places.signature.start;
        assert_eq!(a.bytes[..until], b.bytes[..until]);
        assert_eq!(a.facts(), b.facts());
    }
    let (a, b) = (POSTAL.transaction(9), POSTAL.transaction(9));
    for (a, b) in a.messages.iter().zip(&b.messages) {
        assert_eq!(a.signed_part(), b.signed_part());
    }
    assert_ne!(
        POSTAL.transaction(10).identificativo,
        POSTAL.transaction(11).identificativo
    );
}

#[test]
fn several_threads_can_share_one_postal_system() {
    let ids = std::thread::scope(|scope| {
        let threads = [1, 2].map(|seed| scope.spawn(move || POSTAL.receipts(seed).next().unwrap()));
        threads.map(|thread| thread.join().unwrap().draft.message_id)
    });
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn rsa_signatures_of_a_seed_are_the_same_while_the_keys_are() {
    let postal = Postal::new(&PkiOptions::with_keys(Keys::Rsa2048), START_MS).unwrap();
    for (a, b) in postal.receipts(1).zip(postal.receipts(1)).take(30) {
        assert_eq!(a.bytes, b.bytes);
    }
}

#[test]
fn the_traffic_of_a_seed_never_changes() {
    // Taken from the generator that the first measured ratios rest on.
    let (mut lines, mut metadata) = (Vec::new(), Vec::new());
    for record in Traffic::new(0xd1c7, 1_700_000_000_000).take(5000) {
        lines.extend(text_line(&record).into_bytes());
        metadata.extend(ceralacca_formats::metadata::Metadata::from(record).to_bytes());
    }
    let hash = |octets: &[u8]| hex::encode(DigestKind::Sha256.of(octets).as_ref());
    assert_eq!(
        hash(&lines),
        "d0b13b57bcab1d76fbc225ac320453400cf5e55c516bb212e58e23b03b27b1af"
    );
    assert_eq!(
        hash(&metadata),
        "1d72e6a11e44931f663ac39ac62cef22093288b7370e647b09b8c7252f928acb"
    );
}

#[test]
fn messages_of_a_stream_are_all_distinct() {
    let mut ids = HashSet::new();
    let mut stream = POSTAL.stream(77, Select::Receipts);
    for _ in 0..50_000 {
        let draft = stream.next_draft();
        assert!(ids.insert(draft.message_id), "a repeated Message-ID");
    }
    let mut digests = HashSet::new();
    for message in POSTAL.stream(78, Select::All).take(2000) {
        let digest = DigestKind::Sha256.of(message.signed_part());
        assert!(
            digests.insert(digest.as_ref().to_vec()),
            "a repeated signed part"
        );
        let digest = DigestKind::Sha256.of(&message.bytes);
        assert!(
            digests.insert(digest.as_ref().to_vec()),
            "a repeated message"
        );
    }
}

#[test]
fn a_stream_holds_every_type() {
    let mut stream = POSTAL.stream(2, Select::All);
    let kinds: HashSet<MessageKind> = (0..20_000).map(|_| stream.next_draft().kind).collect();
    assert_eq!(kinds.len(), MessageKind::ALL.len());
}

#[test]
fn each_family_writes_one_message_of_each_type() {
    for family in Family::ALL {
        let messages = POSTAL.one_of_each_type(family);
        let kinds: Vec<MessageKind> = messages.iter().map(Message::kind).collect();
        assert_eq!(kinds, MessageKind::ALL);
        assert!(messages.iter().all(|m| m.family == family));
    }
}

#[test]
fn the_daticert_in_the_octets_states_the_facts() {
    for transaction in transactions() {
        for message in &transaction.messages {
            let Some(facts) = message.facts() else {
                assert_eq!(message.kind(), MessageKind::AnomalyEnvelope);
                assert!(message.places.daticert.is_empty());
                continue;
            };
            let [place] = &message.places.daticert[..] else {
                panic!("one daticert");
            };
            let xml = decoded(&message.bytes[place.clone()]);
            assert_eq!(xml, facts.to_xml(message.family));
            let end: &[u8] = match message.family {
                Family::A | Family::B => b"</postacert>\n",
                Family::C => b"</postacert>\n\r\n",
                Family::D => b"</postacert>\r\n\r\n",
            };
            assert!(xml.ends_with(end));
        }
    }
}

#[test]
fn the_rules_of_correlation_hold() {
    for transaction in transactions() {
        let envelope = transaction.first(MessageKind::TransportEnvelope);
        for message in &transaction.messages {
            let kind = message.kind();
            let own = field(&message.bytes, "Message-ID").unwrap();
            let service = POSTAL.providers()[message.draft.provider].service_address();
            let from = field(&message.bytes, "From").unwrap();
            assert!(from.contains(service));
            let return_path = field(&message.bytes, "Return-Path").unwrap();
            if let Some(place) = &message.places.postacert {
                let original = &message.bytes[place.clone()];
                let id = format!("<{}>", transaction.identificativo);
                assert_eq!(field(original, "Message-ID").unwrap(), id);
            }
            let Some(facts) = message.facts() else {
                continue;
            };
            assert_eq!(facts.identificativo, transaction.identificativo);
            let is_own = own == format!("<{}>", facts.identificativo);
            assert_eq!(is_own, kind == MessageKind::TransportEnvelope);
            let expected = if kind.is_envelope() {
                &facts.sender
            } else {
                service
            };
            assert_eq!(return_path, format!("<{expected}>"));
            let reference = field(&message.bytes, "X-Riferimento-Message-ID");
            assert_eq!(reference, facts.msgid);
            if let Some(place) = &message.places.postacert {
                let original = &message.bytes[place.clone()];
                assert_eq!(field(original, "X-Riferimento-Message-ID"), facts.msgid);
            }
            let (_, ora, zona) = facts.civil_time();
            let date = field(&message.bytes, "Date").unwrap();
            assert!(date.contains(&format!("{ora} {zona}")), "{date}");
            assert!((message.signing_ms() - facts.at_ms).abs() <= 1000);
            if let Some(to) = &facts.delivered_to {
                assert!(facts.recipients.iter().any(|r| r.address == *to));
            }
            for taken in &facts.taken_over {
                assert!(facts.recipients.iter().any(|r| r.address == *taken));
            }
            let marks = (
                field(&message.bytes, "X-Ricevuta"),
                field(&message.bytes, "X-Trasporto"),
            );
            let event = kind.event().map(str::to_owned);
            match kind {
                MessageKind::TransportEnvelope => assert_eq!(marks, (None, event)),
                _ => assert_eq!(marks, (event, None)),
            }
            if kind == MessageKind::DeliveryComplete {
                let envelope = envelope.unwrap();
                assert_eq!(
                    message.bytes[message.places.postacert.clone().unwrap()],
                    envelope.bytes[envelope.places.postacert.clone().unwrap()],
                );
            }
        }
    }
}

#[test]
fn the_parts_of_an_origin_are_where_the_rules_want_them() {
    use MessageKind as K;
    for family in Family::ALL {
        for message in POSTAL.one_of_each_type(family) {
            let kind = message.kind();
            let holds = matches!(
                kind,
                K::TransportEnvelope | K::AnomalyEnvelope | K::DeliveryComplete | K::DeliveryBrief
            );
            assert_eq!(message.places.postacert.is_some(), holds, "{kind:?}");
            let places = &message.places;
            if let (Some(original), Some(daticert)) = (&places.postacert, places.daticert.first()) {
                assert_eq!(original.start < daticert.start, family == Family::D);
            }
            let facts = &message.draft.facts;
            let of_delivery = kind.is_delivery();
            let failed = matches!(
                kind,
                K::NonDelivery
                    | K::VirusDetected
                    | K::NonDeliveryVirus
                    | K::Warning12h
                    | K::Warning24h
            );
            assert_eq!(
                facts.delivered_to.is_some(),
                of_delivery || failed,
                "{kind:?}"
            );
            let has_form = of_delivery || kind == K::TransportEnvelope;
            assert_eq!(facts.receipt_form.is_some(), has_form, "{kind:?}");
            assert_eq!(facts.taken_over.is_empty(), kind != K::Takeover, "{kind:?}");
            let is_error = matches!(
                kind,
                K::AnomalyEnvelope | K::NonAcceptance | K::NonAcceptanceVirus
            );
            assert_eq!(facts.error_detail.is_some(), failed || is_error, "{kind:?}");
        }
    }
}

#[test]
fn each_family_keeps_its_layout() {
    // Family, text in every delivery receipt, text in none. P-256 keys, hence SHA-256 throughout.
    let table: [(Family, &[&str], &[&str]); 4] = [
        (
            Family::A,
            &[
                "micalg=sha-256; boundary=\"----",
                "protocol=\"application/x-pkcs7-signature\"",
                "This is an S/MIME signed message\r\n",
                "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"----------=_",
                "Content-Type: application/x-pkcs7-signature; name=\"smime.p7s\"",
                "Content-Type: message/rfc822; name=\"postacert.eml\"",
            ],
            &["text/html", "multipart/alternative", "binary", "; \r\n"],
        ),
        (
            Family::B,
            &[
                "micalg=\"sha-256\"; boundary=\"----",
                "protocol=\"application/pkcs7-signature\"",
                "Content-Transfer-Encoding: binary\r\nMIME-Version: 1.0\r\n",
                "Content-Type: multipart/alternative;\r\n boundary=\"----------=_",
                "Content-Disposition: inline; filename=\"daticert.xml\"",
                "=E8 stato consegnato",
            ],
            &["; \r\n", "Delivery receipt"],
        ),
        (
            Family::C,
            &[
                "micalg=sha-256; \r\n\tboundary=\"----=_Part_",
                "Content-Type: multipart/mixed; \r\n\tboundary=\"----=_Part_",
                "Content-Type: message/rfc822; name=postacert.eml",
                "=C3=A8 stato consegnato",
                "Delivery receipt",
                "<risposte></risposte>",
            ],
            &["binary", "x-pkcs7", "smime-type"],
        ),
        (
            Family::D,
            &[
                "name=smime.p7s; smime-type=signed-data",
                "Content-Disposition: attachment; filename=daticert.xml",
                "Content-Disposition: attachment; filename=postacert.eml\r\n\r\n",
                "charset=\"ISO-8859-1\"",
                "&egrave; stato consegnato",
                "tipo=3D\"avvenuta-consegna\"",
            ],
            &["inline", "x-pkcs7", "This is a"],
        ),
    ];
    for (family, always, never) in table {
        for seed in 0..20 {
            let plan = Plan {
                attachments: vec![],
                ..ordinary(family)
            };
            let transaction = POSTAL.carry_out(seed, &plan);
            let message = transaction.first(MessageKind::DeliveryComplete).unwrap();
            let xml = message.facts().unwrap().to_xml(family);
            let seen = [&message.bytes[..], &xml].concat();
            for text in always {
                assert!(contains(&seen, text), "{family:?} lacks {text:?}");
            }
            for text in never {
                assert!(!contains(&seen, text), "{family:?} has {text:?}");
            }
            let columns = message.bytes[message.places.daticert[0].clone()]
                .split(|o| *o == b'\n')
                .map(|line| line.len() - usize::from(line.ends_with(b"\r")))
                .max();
            let wide = match family {
                Family::A | Family::B => 60,
                _ => 76,
            };
            assert!(columns >= Some(wide), "{family:?}");
        }
    }
}

#[test]
fn every_line_ends_in_crlf_and_lf_storage_only_drops_the_cr() {
    for message in POSTAL.stream(4, Select::All).take(500) {
        let bytes = &message.bytes;
        let (cr, lf) = (
            bytes.iter().filter(|o| **o == b'\r').count(),
            bytes.iter().filter(|o| **o == b'\n').count(),
        );
        let crlf = bytes.windows(2).filter(|w| w == b"\r\n").count();
        assert_eq!((cr, lf), (crlf, crlf));
        let stored = message.as_lf();
        assert_eq!(stored.len(), bytes.len() - crlf);
        assert!(!stored.contains(&b'\r'));
    }
}

#[test]
fn a_brief_receipt_hashes_what_it_says() {
    for (seed, input) in (0..).zip(HashInput::ALL) {
        let plan = Plan {
            form: ReceiptForm::Brief,
            hash_input: input,
            attachments: vec![100, 3000],
            also_attached: vec![Attachment::new(
                "altro.eml",
                "message/rfc822",
                b"Subject: x\r\n\r\ny\r\n".to_vec(),
            )],
            ..ordinary(Family::C)
        };
        let transaction = POSTAL.carry_out(seed, &plan);
        let brief = transaction.first(MessageKind::DeliveryBrief).unwrap();
        let brief = &brief.bytes[brief.places.postacert.clone().unwrap()];
        let original = &transaction.original;
        assert_eq!(original.attachments.len(), 3);
        for attachment in &original.attachments {
            let name = String::from_utf8_lossy(&attachment.name);
            if attachment.name.is_ascii() {
                assert!(contains(brief, &format!("filename=\"{name}.hash\"")));
            }
            assert!(contains(brief, &Original::hash(attachment, input)));
        }
        assert!(!contains(brief, "application/pdf"));
    }
    let attachment = Attachment::new("prova.bin", "application/octet-stream", vec![b'a'; 60]);
    let encoded = BASE64_STANDARD.encode(&attachment.content);
    let (first, second) = encoded.split_at(76);
    let sha1 = |text: String| hex::encode(DigestKind::Sha1.of(text.as_bytes()).as_ref());
    assert_eq!(
        HashInput::ALL.map(|input| Original::hash(&attachment, input)),
        [
            sha1("a".repeat(60)),
            sha1(format!("{first}\r\n{second}")),
            sha1(format!("{first}\n{second}"))
        ]
    );
}

#[test]
fn a_complete_receipt_has_about_13_kilobytes_and_others_what_is_asked() {
    let receipts = POSTAL.stream(6, Select::CompleteDeliveries).take(1000);
    let bytes: usize = receipts.map(|m| m.bytes.len()).sum();
    assert!(
        (12_000..14_000).contains(&(bytes / 1000)),
        "{}",
        bytes / 1000
    );
    for size in [0, 10_000, 5_000_000] {
        let plan = Plan {
            attachments: vec![size],
            ..ordinary(Family::B)
        };
        let transaction = POSTAL.carry_out(1, &plan);
        let message = transaction.first(MessageKind::DeliveryComplete).unwrap();
        let encoded = size.div_ceil(57) * 78;
        assert!((encoded..encoded + 20_000).contains(&message.bytes.len()));
    }
}

#[test]
fn ten_thousand_recipients_stand_in_one_envelope() {
    let plan = Plan {
        given_recipients: Some(many_recipients(10_000)),
        followed: 2,
        ..ordinary(Family::B)
    };
    let transaction = POSTAL.carry_out(1, &plan);
    let envelope = transaction.first(MessageKind::TransportEnvelope).unwrap();
    assert_eq!(envelope.facts().unwrap().recipients.len(), 10_000);
    let distinct: HashSet<_> = envelope.facts().unwrap().recipients.iter().collect();
    assert_eq!(distinct.len(), 10_000);
    let deliveries = transaction
        .messages
        .iter()
        .filter(|m| m.kind().is_delivery());
    assert_eq!(deliveries.count(), 2);
}

#[test]
fn plans_are_carried_out_as_written() {
    let plan = Plan {
        subject: Some(None),
        has_msgid: false,
        recipients: 3,
        ..ordinary(Family::C)
    };
    let transaction = POSTAL.carry_out(1, &plan);
    for message in &transaction.messages {
        let facts = message.facts().unwrap();
        assert_eq!((&facts.subject, &facts.msgid), (&None, &None));
        assert!(facts.recipients.len() >= 3);
        assert!(message.as_lf().len() < message.bytes.len());
    }
    let silent = Plan {
        story: Story::Silent,
        recipients: 1,
        ..ordinary(Family::A)
    };
    let transaction = POSTAL.carry_out(1, &silent);
    let sent_ms = silent.at_ms.div_euclid(1000) * 1000;
    let hours = |kind| {
        let at_ms = transaction.first(kind).unwrap().draft.facts.at_ms;
        (at_ms - sent_ms) / 3_600_000
    };
    assert_eq!(hours(MessageKind::Warning12h), 12);
    assert!((22..24).contains(&hours(MessageKind::Warning24h)));
}

#[test]
fn originals_break_the_promise_of_seven_bits_now_and_then() {
    let styles: Vec<BodyStyle> = transactions().map(|t| t.original.body_style).collect();
    assert!(styles.contains(&BodyStyle::EightBitLatin9));
    let raw = transactions()
        .flat_map(|t| t.messages)
        .filter(|m| !m.bytes.is_ascii())
        .inspect(|m| assert_ne!(damage::recoded_as_utf8(&m.bytes), m.bytes))
        .count();
    assert!(raw > 0);
}

#[test]
fn a_forwarded_message_brings_parts_with_the_names_of_the_true_ones() {
    for family in Family::ALL {
        let older = POSTAL.carry_out(1, &ordinary(Family::B));
        let older = older.first(MessageKind::TransportEnvelope).unwrap();
        let plan = Plan {
            also_attached: Attachment::of_forwarded(older),
            ..ordinary(family)
        };
        let transaction = POSTAL.carry_out(2, &plan);
        let message = transaction.first(MessageKind::DeliveryComplete).unwrap();
        let original = &message.bytes[message.places.postacert.clone().unwrap()];
        assert!(contains(
            original,
            "Content-Type: text/xml;\r\n name=\"daticert.xml\""
        ));
        assert!(
            original
                .windows(older.bytes.len())
                .any(|w| w == older.bytes)
        );
        let [place] = &message.places.daticert[..] else {
            panic!("one daticert");
        };
        let xml = decoded(&message.bytes[place.clone()]);
        assert!(contains(&xml, &transaction.identificativo));
        assert!(!contains(&xml, &older.draft.message_id));
    }
}

#[test]
fn damage_is_what_it_says() {
    for family in Family::ALL {
        let transaction = POSTAL.carry_out(1, &ordinary(family));
        let message = transaction.first(MessageKind::DeliveryComplete).unwrap();
        let bytes = &message.bytes;
        assert_eq!(
            damage::strip_trailing_space(message).unwrap().len(),
            bytes.len() - 1
        );
        let flipped = damage::flip_in_postacert(message).unwrap();
        assert_eq!(flipped.iter().zip(bytes).filter(|(a, b)| a != b).count(), 1);
        let other = damage::with_other_subject(message, "altro");
        assert_eq!(field(&other, "Subject").unwrap(), "altro");
        assert!(other.ends_with(&bytes[message.places.header.end..]));
        assert_eq!(field(&other, "Date"), field(bytes, "Date"));
        let listed = damage::through_a_list(message);
        assert!(
            field(&listed, "Content-Type")
                .unwrap()
                .starts_with("multipart/mixed")
        );
        assert!(field(&listed, "Subject").unwrap().starts_with("[lista] "));
        let signed = message.signed_part();
        assert!(listed.windows(signed.len()).any(|w| w == signed));
        let doubled = damage::cr_cr_lf(bytes);
        assert!(doubled.windows(3).any(|w| w == b"\r\r\n"));
        assert_eq!(as_lf(&as_lf(&doubled)), message.as_lf());
        let two = damage::with_daticert_parts(&POSTAL, message, 2);
        assert_eq!(two.places.daticert.len(), 2);
        assert!(two.facts().is_none());
        let xml = b"<?xml version=\"1.0\"?>\n<postacert>\xff\r \n".to_vec();
        let given = damage::with_xml(&POSTAL, message, xml.clone());
        let place = given.places.daticert[0].clone();
        let read = decoded(&given.bytes[place]);
        // Quoted-printable text always ends its last line.
        assert_eq!(read.strip_suffix(b"\r\n").unwrap_or(&read), xml);
        let late = damage::with_signing_offset(&POSTAL, message, 60_000);
        assert_eq!(late.signing_ms() - late.draft.facts.at_ms, 60_000);
        for cut in damage::Cut::ALL {
            let part = damage::truncated(message, cut).unwrap();
            assert!(part.len() < bytes.len() && bytes.starts_with(&part));
        }
    }
}

#[test]
fn a_signers_certificate_has_the_profile_of_the_rules() {
    for provider in POSTAL.providers() {
        let der = provider.signer().certificate_der();
        let certificate = x509_cert::Certificate::from_der(der).unwrap();
        let extensions = certificate.tbs_certificate().extensions().unwrap();
        let find = |oid: &str| extensions.iter().find(|e| e.extn_id.to_string() == oid);
        assert!(find("2.5.29.19").is_none(), "basicConstraints");
        assert!(find("2.5.29.15").unwrap().critical, "keyUsage");
        for oid in ["2.5.29.14", "2.5.29.35", "2.5.29.17"] {
            assert!(!find(oid).unwrap().critical, "{oid}");
        }
        let names = find("2.5.29.17").unwrap().extn_value.as_bytes();
        assert!(contains(names, provider.service_address()));
        let subject = certificate.tbs_certificate().subject().to_der().unwrap();
        assert!(contains(&subject, provider.options().name));
    }
}

#[test]
fn the_cms_library_reads_every_encoding() {
    use cms::content_info::ContentInfo;
    use cms::signed_data::SignedData;
    for family in Family::ALL {
        let transaction = POSTAL.carry_out(2, &ordinary(family));
        let message = transaction.first(MessageKind::Acceptance).unwrap();
        let p7s = decoded(&message.bytes[message.places.signature.clone()]);
        assert_eq!(p7s, message.signature());
        let is_der = matches!(family, Family::A | Family::B);
        assert_eq!(p7s[1] != 0x80, is_der);
        let info = ContentInfo::from_ber(&p7s).unwrap();
        let data: SignedData = info
            .content
            .decode_as_encoding(der::EncodingRules::Ber)
            .unwrap();
        assert_eq!(data.signer_infos.0.len(), 1);
        let signer = data.signer_infos.0.get(0).unwrap();
        let attributes = signer.signed_attrs.as_ref().unwrap();
        let count = match family {
            Family::A | Family::B | Family::C => 4,
            Family::D => 5,
        };
        assert_eq!(attributes.len(), count);
    }
}
