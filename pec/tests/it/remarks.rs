//! Remarks of a court's expert: each by the smallest change that calls for it, and none on mail as it comes.

use crate::build::{FAMILIES, Family, ID, Pec, daticert, find, replace};
use ceralacca_pec::{Finding as F, Weight, read};
use ceralacca_synthetic::mail::{Family as Engine, MessageKind, PkiOptions, Plan, Postal, Story};
use std::collections::BTreeSet;

fn postal() -> Postal {
    Postal::new(&PkiOptions::default(), 1_767_225_600_000).unwrap()
}

fn deviations(bytes: &[u8]) -> Vec<F> {
    let findings = read(bytes).findings.into_iter();
    findings
        .filter(|f| f.weight() == Weight::Deviation)
        .collect()
}

fn notes(bytes: &[u8]) -> BTreeSet<F> {
    let findings = read(bytes).findings.into_iter();
    findings.filter(|f| f.weight() == Weight::Note).collect()
}

#[test]
fn mail_of_every_type_of_every_family_deviates_in_nothing() {
    let postal = postal();
    for family in Engine::ALL {
        for message in postal.one_of_each_type(family) {
            let kind = message.kind();
            for bytes in [message.bytes.clone(), message.as_lf()] {
                assert_eq!(deviations(&bytes), [], "{family:?} {kind:?}");
                let mut expected = BTreeSet::new();
                match kind {
                    MessageKind::Warning12h => _ = expected.insert(F::Notice12h),
                    MessageKind::Warning24h => _ = expected.insert(F::Notice24h),
                    MessageKind::TransportEnvelope if message.draft.has_rem => {
                        expected.extend([F::RemEvidence, F::XadesNotEvaluated]);
                    }
                    _ => {}
                }
                assert_eq!(notes(&bytes), expected, "{family:?} {kind:?}");
            }
        }
    }
    for family in FAMILIES {
        for tipo in [
            "posta-certificata",
            "accettazione",
            "avvenuta-consegna",
            "errore-consegna",
        ] {
            assert_eq!(
                deviations(&Pec::new(family, tipo).bytes()),
                [],
                "{family:?} {tipo}"
            );
        }
    }
}

#[test]
fn a_stream_of_all_stories_deviates_in_nothing() {
    let postal = postal();
    for seed in 0..300 {
        let story = [
            Story::Delivered,
            Story::Refused,
            Story::RefusedForVirus,
            Story::Undeliverable,
            Story::Infected,
            Story::Silent,
            Story::Late,
            Story::Anomalous,
        ][seed as usize % 8];
        let plan = Plan {
            story,
            ..postal.plan(seed)
        };
        for message in postal.carry_out(seed, &plan).messages {
            let found = deviations(&message.bytes);
            assert_eq!(
                found,
                [],
                "{seed} {:?} {:?}",
                message.family,
                message.kind()
            );
        }
    }
}

/// A message of this type, and one with a text changed.
fn changed(tipo: &'static str, from: &str, to: &str) -> (Vec<u8>, Vec<u8>) {
    let good = Pec::new(Family::B, tipo).bytes();
    let bad = replace(&good, from, to);
    (good, bad)
}

/// The same, with a text of the daticert changed.
fn changed_xml(tipo: &'static str, from: &str, to: &str) -> (Vec<u8>, Vec<u8>) {
    let xml = daticert(tipo);
    assert!(xml.contains(from), "{tipo} {from}");
    let pec = Pec::new(Family::B, tipo);
    let bad = Pec {
        xml: Some(xml.replacen(from, to, 1).into_bytes()),
        ..pec.clone()
    };
    (pec.bytes(), bad.bytes())
}

fn fires(finding: F, (good, bad): (Vec<u8>, Vec<u8>)) -> F {
    assert!(!read(&good).findings.contains(&finding), "{finding:?}");
    assert_eq!(read(&bad).findings, [finding], "{finding:?}");
    finding
}

/// Findings of the outer header.
fn of_header() -> Vec<F> {
    let c = changed;
    let (envelope, accepted, delivered) =
        ("posta-certificata", "accettazione", "avvenuta-consegna");
    vec![
        fires(
            F::PecHeaderMissing,
            c(accepted, "X-Ricevuta: accettazione\r\n", ""),
        ),
        fires(
            F::RicevutaDiffers,
            c(accepted, "X-Ricevuta: acc", "X-Ricevuta: non-acc"),
        ),
        fires(
            F::RicevutaDiffers,
            c(envelope, "Date:", "X-Ricevuta: accettazione\r\nDate:"),
        ),
        fires(
            F::TrasportoDiffers,
            c(
                envelope,
                "X-Trasporto: posta-certificata",
                "X-Trasporto: errore",
            ),
        ),
        fires(
            F::TrasportoDiffers,
            c(
                delivered,
                "Date:",
                "X-Trasporto: posta-certificata\r\nDate:",
            ),
        ),
        fires(
            F::TipoRicevutaDiffers,
            c(
                envelope,
                "X-TipoRicevuta: completa",
                "X-Tiporicevuta: sintetica",
            ),
        ),
        fires(
            F::VerificaSicurezzaDiffers,
            c(
                "errore-consegna",
                "Date:",
                "X-VerificaSicurezza: errore\r\nDate:",
            ),
        ),
        fires(
            F::MittenteHeaderDiffers,
            c("rilevazione-virus", "X-Mittente: anna@example.test\r\n", ""),
        ),
        fires(
            F::MittenteHeaderDiffers,
            c(
                "rilevazione-virus",
                "X-Mittente: anna@",
                "X-Mittente: altra@",
            ),
        ),
        fires(
            F::RiferimentoDiffers,
            c(accepted, "Message-ID: <9f2c41", "Message-ID: <9f2c42"),
        ),
        fires(
            F::RiferimentoDiffers,
            c(
                accepted,
                "X-Riferimento-Message-ID: <9f2c41.anna@example.test>\r\n",
                "",
            ),
        ),
        fires(
            F::MessageIdMissing,
            c(
                accepted,
                "\r\nMessage-ID: <alfa7.20240507091012.99@pec.alfa.example>",
                "",
            ),
        ),
        fires(
            F::MessageIdDiffers,
            c(envelope, "Message-ID: <alfa7", "Message-ID: <alfa8"),
        ),
        fires(
            F::MessageIdReused,
            c(
                accepted,
                "<alfa7.20240507091012.99@pec.alfa.example>",
                &format!("<{ID}>"),
            ),
        ),
        fires(
            F::DateMissing,
            c(accepted, "Date: Tue, 7 May 2024", "Date: ieri"),
        ),
        fires(
            F::DateDiffers,
            c(accepted, "09:10:11 +0200 (CEST)", "09:10:13 +0200"),
        ),
        fires(
            F::DateDiffers,
            c(accepted, "09:10:11 +0200 (CEST)", "09:10:11 +0100"),
        ),
        fires(
            F::DateZoneDiffers,
            c(accepted, "09:10:11 +0200 (CEST)", "07:10:11 +0000"),
        ),
        fires(
            F::FromNotService,
            c(
                accepted,
                "From: posta-certificata@",
                "From: postacertificata@",
            ),
        ),
        fires(
            F::FromNameDiffers,
            c(envelope, "Per conto di: anna@", "Per conto di: altra@"),
        ),
        fires(
            F::SenderDiffers,
            c(accepted, "Date:", "Sender: altri@pec.alfa.example\r\nDate:"),
        ),
        fires(F::ToDiffers, c(accepted, "To: anna@", "To: altra@")),
        fires(
            F::SubjectPrefixDiffers,
            c(delivered, "?CONSEGNA=3A_", "?ACCETTAZIONE=3A_"),
        ),
        fires(
            F::SubjectDiffers,
            c(delivered, "Diffida_n=2E_7", "Diffida_n=2E_8"),
        ),
    ]
}

/// Findings of the daticert in itself.
fn of_daticert() -> Vec<F> {
    let c = changed_xml;
    let (envelope, accepted, delivered) =
        ("posta-certificata", "accettazione", "avvenuta-consegna");
    let (taken, failed) = ("presa-in-carico", "errore-consegna");
    let in_data = |tipo, more: &str| c(tipo, "</dati>", &format!("{more}</dati>"));
    vec![
        fires(F::StrayText, c(accepted, "<dati>", "x<dati>")),
        fires(
            F::MittenteMissing,
            c(accepted, "<mittente>anna@example.test</mittente>", ""),
        ),
        fires(F::DataMissing, {
            let xml = daticert(accepted);
            let (start, end) = (xml.find("<data ").unwrap(), xml.find("</data>").unwrap());
            c(accepted, &xml[start..end + "</data>".len()], "")
        }),
        fires(F::DestinatariMissing, {
            let xml = daticert(accepted);
            let (start, end) = (
                xml.find("<destinatari").unwrap(),
                xml.find("<risposte").unwrap(),
            );
            c(accepted, &xml[start..end], "")
        }),
        fires(F::RicevutaUnknown, c(delivered, "completa", "lunga")),
        fires(
            F::GestoreMissing,
            c(
                accepted,
                "<gestore-emittente>Gestore Alfa S.p.A.</gestore-emittente>",
                "",
            ),
        ),
        fires(
            F::DestinatariKind,
            c(accepted, "\"certificato\"", "\"forse\""),
        ),
        fires(F::DataMalformed, c(accepted, " zona=\"+0200\"", "")),
        fires(
            F::IdentificativoMissing,
            c(
                "accettazione",
                &format!("<identificativo>{ID}</identificativo>"),
                "",
            ),
        ),
        fires(F::ErroreUnknown, c(accepted, "nessuno", "boh")),
        fires(F::ErroreDiffers, c(accepted, "nessuno", "no-dest")),
        fires(F::ErroreDiffers, c(failed, "no-dest", "nessuno")),
        fires(
            F::ErroreEstesoMissing,
            c(
                failed,
                "<errore-esteso>5.1.1 - Gestore Beta - indirizzo non valido</errore-esteso>",
                "",
            ),
        ),
        fires(
            F::ErroreEstesoUnexpected,
            in_data(accepted, "<errore-esteso>x</errore-esteso>"),
        ),
        fires(
            F::RicevutaMissing,
            c(envelope, "<ricevuta tipo=\"completa\" />", ""),
        ),
        fires(
            F::RicevutaUnexpected,
            in_data(accepted, "<ricevuta tipo=\"breve\"/>"),
        ),
        fires(
            F::ConsegnaUnexpected,
            in_data(accepted, "<consegna>beppe@pec.example.test</consegna>"),
        ),
        fires(
            F::ConsegnaMissing,
            c(delivered, "<consegna>beppe@pec.example.test</consegna>", ""),
        ),
        fires(
            F::ConsegnaNotRecipient,
            c(delivered, "<consegna>beppe@", "<consegna>carlo@"),
        ),
        fires(
            F::ConsegnaToExternal,
            c(
                delivered,
                "<consegna>beppe@pec.example.test",
                "<consegna>ufficio@example.test",
            ),
        ),
        fires(
            F::RicezioneMissing,
            c(taken, "<ricezione>beppe@pec.example.test</ricezione>", ""),
        ),
        fires(
            F::RicezioneUnexpected,
            in_data(accepted, "<ricezione>beppe@pec.example.test</ricezione>"),
        ),
        fires(
            F::RicezioneNotRecipient,
            c(taken, "<ricezione>beppe@", "<ricezione>carlo@"),
        ),
        fires(
            F::RepeatedElement,
            in_data(
                accepted,
                "<identificativo>altro@pec.alfa.example</identificativo>",
            ),
        ),
        fires(F::UnknownElement, in_data(accepted, "<nuovo/>")),
        fires(
            F::DaticertDoctype,
            c(
                accepted,
                "<postacert",
                "<!DOCTYPE postacert SYSTEM \"daticert.dtd\"><postacert",
            ),
        ),
        fires(
            F::DaticertNamespace,
            c(accepted, "<postacert", "<postacert xmlns=\"urn:x\""),
        ),
        fires(F::DaticertNotUtf8, {
            let (good, _) = c(accepted, "<dati>", "<dati>");
            let latin = daticert(accepted)
                .replace("UTF-8", "ISO-8859-15")
                .replace('–', "-");
            let subject = |bytes: &[u8]| replace(bytes, "=E2=80=93", "-");
            let octets = latin.chars().map(|c| u8::try_from(u32::from(c)).unwrap());
            let bad = Pec {
                xml: Some(octets.collect()),
                ..Pec::new(Family::B, accepted)
            };
            (subject(&good), subject(&bad.bytes()))
        }),
    ]
}

/// Findings of parts and of the original.
fn of_parts() -> Vec<F> {
    let c = changed;
    let (envelope, accepted, delivered) =
        ("posta-certificata", "accettazione", "avvenuta-consegna");
    let without_original = |tipo| {
        let good = Pec::new(Family::B, tipo);
        let bad = Pec {
            original: None,
            ..good.clone()
        };
        (good.bytes(), bad.bytes())
    };
    let with_original = |tipo| {
        let good = Pec::new(Family::B, tipo);
        let bad = Pec {
            original: Some(crate::build::ORIGINAL.into()),
            ..good.clone()
        };
        (good.bytes(), bad.bytes())
    };
    vec![
        fires(
            F::SignaturePartType,
            c(
                accepted,
                "Content-Type: application/pkcs7-signature",
                "Content-Type: application/octet-stream",
            ),
        ),
        fires(
            F::MixedLineEnds,
            c(
                accepted,
                "Il giorno 07/05/2024 alle",
                "Il\ngiorno 07/05/2024 alle",
            ),
        ),
        fires(
            F::RawEightBit,
            c(accepted, "il messaggio =E8 qui", "il messaggio è qui"),
        ),
        fires(
            F::TextPartMissing,
            c(
                accepted,
                "Content-Type: multipart/alternative",
                "Content-Type: application/octet-stream",
            ),
        ),
        fires(
            F::TextDiffers,
            c(accepted, "Il giorno 07/05/2024", "Il giorno 08/05/2024"),
        ),
        fires(
            F::TextDiffers,
            c(accepted, "09:10:11 (+0200)", "09:10:12 (+0200)"),
        ),
        fires(
            F::DaticertMediaType,
            c(accepted, "application/xml;", "text/xml;"),
        ),
        fires(F::PostacertMissing, without_original(delivered)),
        fires(F::PostacertMissing, without_original(envelope)),
        fires(F::PostacertUnexpected, with_original(accepted)),
        fires(F::PostacertUnnamed, {
            let (good, bad) = c(delivered, "rfc822; name=\"postacert.eml\"", "rfc822");
            (
                good,
                replace(
                    &bad,
                    "filename=\"postacert.eml\"",
                    "filename=\"messaggio.eml\"",
                ),
            )
        }),
        fires(
            F::OriginalMessageIdDiffers,
            c(
                delivered,
                &format!("\r\nMessage-ID: <{ID}>"),
                "\r\nMessage-ID: <altro@example.test>",
            ),
        ),
        fires(
            F::OriginalReferenceDiffers,
            c(
                delivered,
                "\r\nX-Riferimento-Message-ID: <9f2c41.anna@example.test>\r\n\r\n--orig",
                "\r\n\r\n--orig",
            ),
        ),
        fires(
            F::OriginalSenderDiffers,
            c(
                delivered,
                "From: anna@example.test",
                "From: altra@example.test",
            ),
        ),
        fires(
            F::OriginalSubjectDiffers,
            c(
                delivered,
                "Subject: =?UTF-8?Q?Diffida_n=2E_7=2F2024_=E2=80=93",
                "Subject: =?UTF-8?Q?Diffida_n=2E_9=2F2024_=E2=80=93",
            ),
        ),
    ]
}

#[test]
fn each_deviation_is_remarked_by_its_smallest_cause_and_by_no_other() {
    let found: BTreeSet<F> = [of_header(), of_daticert(), of_parts()]
        .concat()
        .into_iter()
        .collect();
    let elsewhere = [
        // tests of reading in families.rs, and those below
        F::RepeatedHeader,
        F::MessageIdTooLong,
        F::NoCloseDelimiter,
        F::ExtraPart,
        F::ReplyToDiffers,
        F::ZonaNotItalian,
        F::IdentificativoOdd,
        F::PostacertSeveral,
        F::AnomalyExtraPart,
        F::BriefPartInClear,
        F::CecPacClosed,
    ];
    for finding in F::ALL.iter().filter(|f| f.weight() == Weight::Deviation) {
        assert!(
            found.contains(finding) != elsewhere.contains(finding),
            "{finding:?}"
        );
    }
}

#[test]
fn a_zone_that_is_not_italian_is_remarked_on_its_day() {
    let (good, bad) = changed_xml("accettazione", "09:10:11", "08:10:11");
    assert!(!read(&good).findings.contains(&F::ZonaNotItalian));
    assert!(!read(&bad).findings.contains(&F::ZonaNotItalian));
    let (_, bad) = changed_xml("accettazione", "+0200", "+0100");
    assert!(read(&bad).findings.contains(&F::ZonaNotItalian));
}

#[test]
fn an_identificativo_is_an_address_without_brackets() {
    for odd in [
        "<a@pec.alfa.example>",
        "senza-chiocciola",
        "a b@pec.alfa.example",
        "@x",
        "x@",
    ] {
        let odd_xml = odd.replace('<', "&lt;").replace('>', "&gt;");
        let (good, bad) = changed_xml("accettazione", ID, &odd_xml);
        assert!(!read(&good).findings.contains(&F::IdentificativoOdd));
        assert!(read(&bad).findings.contains(&F::IdentificativoOdd), "{odd}");
    }
}

#[test]
fn reply_to_is_compared_by_its_address() {
    let reply = |header: &str| {
        let xml = daticert("posta-certificata");
        let xml = xml.replace(
            "<risposte></risposte>",
            "<risposte>Ufficio@example.test</risposte>",
        );
        let pec = Pec {
            xml: Some(xml.into_bytes()),
            ..Pec::new(Family::B, "posta-certificata")
        };
        replace(
            &pec.bytes(),
            "Date:",
            &format!("Reply-To: {header}\r\nDate:"),
        )
    };
    assert_eq!(
        deviations(&reply("\"Uff, icio\" <ufficio@example.test>")),
        []
    );
    assert_eq!(
        deviations(&reply("altro@example.test")),
        [F::ReplyToDiffers]
    );
}

#[test]
fn a_subject_is_compared_decoded_and_without_blanks() {
    let subject = |value: &str| {
        let bytes = Pec::new(Family::B, "avvenuta-consegna").bytes();
        let start = find(&bytes, "Subject:");
        let end = start + find(&bytes[start..], "s=C3=AC?=\r\n") + "s=C3=AC?=".len();
        [&bytes[..start], value.as_bytes(), &bytes[end..]].concat()
    };
    for same in [
        "Subject: =?UTF-8?Q?CONSEGNA=3A_Diffida__n=2E_7/2024?=\r\n\t=?UTF-8?Q?_=E2=80=93_perch=C3=A9_s=C3=AC?=",
        "Subject: Consegna: =?iso-8859-1?Q?Diffida_n._7/2024_=3F_perch=E9_s=EC?=",
    ] {
        assert_eq!(deviations(&subject(same)), [], "{same}");
    }
    let differs = subject("Subject: CONSEGNA: Diffida");
    assert_eq!(deviations(&differs), [F::SubjectDiffers]);
    let list = subject("Subject: [lista] CONSEGNA: Diffida");
    assert_eq!(deviations(&list), [F::SubjectPrefixDiffers]);
    // What is no charset at all cannot be compared.
    let raw = subject("Subject: CONSEGNA: x");
    let at = find(&raw, "CONSEGNA: x") + "CONSEGNA: ".len();
    let raw = [&raw[..at], b"\xe8", &raw[at + 1..]].concat();
    assert_eq!(deviations(&raw), []);
}

#[test]
fn notices_of_twelve_and_of_twenty_four_hours_are_told_apart() {
    let detail = "5.1.1 - Gestore Beta - indirizzo non valido";
    let notice = |text: &str| notes(&changed_xml("preavviso-errore-consegna", detail, text).1);
    for (text, expected) in [
        (
            "5.4.1 - Gestore Alfa - il messaggio non è stato consegnato nelle prime ventiquattro ore",
            F::Notice24h,
        ),
        ("  5.4.1 - Gestore Alfa", F::Notice24h),
        (
            "il messaggio non è stato consegnato nelle prime dodici ore dal suo invio",
            F::Notice12h,
        ),
        ("4.4.1 - non consegnato nelle prime 12 ore", F::Notice12h),
        (detail, F::NoticeUndecided),
    ] {
        assert_eq!(notice(text), BTreeSet::from([expected]), "{text}");
    }
    let failed = Pec::new(Family::B, "errore-consegna").bytes();
    assert_eq!(notes(&failed), BTreeSet::new());
}

#[test]
fn a_virus_is_said_by_header_and_subject() {
    for (tipo, prefix) in [
        ("errore-consegna", "AVVISO_DI_MANCATA_CONSEGNA"),
        ("non-accettazione", "AVVISO_DI_NON_ACCETTAZIONE"),
    ] {
        let errore = match tipo {
            "errore-consegna" => "\"no-dest\"",
            _ => "\"altro\"",
        };
        let (_, bytes) = changed_xml(tipo, errore, "\"virus\"");
        let expected = [F::VerificaSicurezzaDiffers, F::SubjectPrefixDiffers];
        assert_eq!(deviations(&bytes), expected, "{tipo}");
        let bytes = replace(&bytes, prefix, &format!("{prefix}_PER_VIRUS"));
        let bytes = replace(&bytes, "Date:", "X-VerificaSicurezza: errore\r\nDate:");
        assert_eq!(deviations(&bytes), [], "{tipo}");
    }
}

#[test]
fn of_a_virus_found_either_element_names_the_recipient() {
    let tipo = "rilevazione-virus";
    let (good, old) = changed_xml(
        tipo,
        "<consegna>beppe@pec.example.test</consegna>",
        "<ricezione>beppe@pec.example.test</ricezione>",
    );
    assert_eq!((deviations(&good), deviations(&old)), (vec![], vec![]));
}

#[test]
fn recipients_of_ordinary_mail_only_are_noted() {
    let (good, bad) = changed_xml("accettazione", "tipo=\"certificato\"", "tipo=\"esterno\"");
    assert_eq!(notes(&good), BTreeSet::new());
    assert_eq!(notes(&bad), BTreeSet::from([F::ExternalOnly]));
}

#[test]
fn mailboxes_of_cec_pac_are_noted_and_after_its_close_they_deviate() {
    let at = |domain: &str, day: &str| {
        let xml = daticert("avvenuta-consegna").replace("pec.example.test", domain);
        let xml = xml.replace("07/05/2024", day);
        read(
            &Pec {
                xml: Some(xml.into_bytes()),
                ..Pec::new(Family::A, "avvenuta-consegna")
            }
            .bytes(),
        )
        .findings
    };
    let cec_pac = "postacertificata.gov.it";
    let found = at("PostaCertificata.gov.it", "16/07/2015");
    assert!(found.contains(&F::CecPac) && !found.contains(&F::CecPacClosed));
    let found = at(cec_pac, "18/07/2015");
    assert!(found.contains(&F::CecPac) && found.contains(&F::CecPacClosed));
    assert!(!at("x.postacertificata.gov.it", "18/07/2015").contains(&F::CecPac));
    assert!(!at("pec.example.test", "18/07/2015").contains(&F::CecPac));
}

#[test]
fn a_second_message_beside_the_original_is_remarked() {
    let bytes = Pec::new(Family::B, "avvenuta-consegna").bytes();
    let delimiter = "------------=_1714551072-12345-1\r\n";
    let second = format!(
        "{delimiter}Content-Type: message/rfc822\r\n\r\nFrom: x@example.test\r\n\r\nx\r\n{delimiter}"
    );
    assert_eq!(
        deviations(&replace(&bytes, delimiter, &second)),
        [F::TextPartMissing, F::PostacertSeveral]
    );
}

#[test]
fn an_attachment_in_clear_in_a_brief_receipt_is_remarked() {
    let postal = postal();
    for family in Engine::ALL {
        let messages = postal.one_of_each_type(family);
        let brief = messages
            .iter()
            .find(|m| m.kind() == MessageKind::DeliveryBrief)
            .unwrap();
        let complete = messages
            .iter()
            .find(|m| m.kind() == MessageKind::DeliveryComplete)
            .unwrap();
        assert_eq!(deviations(&brief.bytes), []);
        let mut draft = brief.draft.clone();
        let envelope = complete.draft.postacert.clone().unwrap();
        let text = String::from_utf8_lossy(&envelope).replace(
            &complete.draft.facts.identificativo,
            &brief.draft.facts.identificativo,
        );
        draft.postacert = Some(text.into_bytes().into());
        let found = deviations(&postal.sign(draft).bytes);
        assert!(found.contains(&F::BriefPartInClear), "{family:?} {found:?}");
    }
}

#[test]
fn an_anomaly_envelope_brings_the_text_and_one_message() {
    let postal = postal();
    for family in Engine::ALL {
        let messages = postal.one_of_each_type(family);
        let anomaly = messages
            .iter()
            .find(|m| m.kind() == MessageKind::AnomalyEnvelope)
            .unwrap();
        let mut draft = anomaly.draft.clone();
        draft.postacert = None;
        assert_eq!(
            deviations(&postal.sign(draft).bytes),
            [F::PostacertMissing],
            "{family:?}"
        );
        let mut draft = anomaly.draft.clone();
        draft.message_id = "altro@example.test".into();
        assert_eq!(
            deviations(&postal.sign(draft).bytes),
            [F::OriginalMessageIdDiffers]
        );
        // A broken envelope of another provider inside.
        let envelope = messages
            .iter()
            .find(|m| m.kind() == MessageKind::TransportEnvelope)
            .unwrap();
        let mut draft = anomaly.draft.clone();
        draft.message_id = envelope.draft.message_id.clone();
        draft.postacert = Some(envelope.bytes.clone().into());
        let reading = read(&postal.sign(draft).bytes);
        assert_eq!(reading.findings, [F::NestedPec], "{family:?}");
        assert_eq!(reading.facts.unwrap().identificativo, None);
    }
    let bytes = Pec {
        xml: None,
        ..Pec::new(Family::B, "posta-certificata")
    }
    .bytes();
    let bytes = replace(
        &bytes,
        "X-Trasporto: posta-certificata",
        "X-Trasporto: errore",
    );
    let bytes = replace(&bytes, "POSTA_CERTIFICATA", "ANOMALIA_MESSAGGIO");
    assert_eq!(deviations(&bytes), []);
    let last = "------------=_1714551072-12345-1--";
    let part =
        format!("------------=_1714551072-12345-1\r\nContent-Type: image/png\r\n\r\nx\r\n{last}");
    let more = replace(&bytes, last, &part);
    assert_eq!(deviations(&more), [F::AnomalyExtraPart]);
}
