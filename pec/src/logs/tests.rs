//! Invented lines in the form of real logs: a test for each trap.

use super::format::{FieldRule, MILTER, Shape, Slot, TimePart};
use super::*;
use proptest::prelude::*;

const ID: &str = "alfa1.20070507091011.00812.04.1.12@pec.alfa.example";

fn day() -> Option<FileDate> {
    FileDate::new(2007, 5, 7)
}

/// A record of this type and label, with `more` at its end.
fn line(time: &str, kind: &str, label: &str, more: &str) -> String {
    format!(
        "{time} PEC_Milter root [812]: {ID}: queueid=l479AB01: tipo={kind} ({label}): \
         mittente=anna@pec.alfa.example: destinatari=bruno@pec.beta.example (certificato), \
         ufficio@example.org (esterno): oggetto=Prova n. 5: message-id=<r1.{ID}>: \
         gestore=Gestore Alfa S.p.A.{more}\n"
    )
}

fn acceptance(time: &str) -> String {
    line(time, "accettazione", "Accettazione", "")
}

fn items(bytes: impl AsRef<[u8]>) -> Vec<Item> {
    super::read(&MILTER, day(), bytes.as_ref()).0
}

fn entry(bytes: impl AsRef<[u8]>) -> Entry {
    let items = items(bytes);
    match &items[..] {
        [Item::Entry(entry)] => (**entry).clone(),
        other => panic!("{} items, not one entry: {other:?}", other.len()),
    }
}

/// The reason of the only item.
fn unread_reason(bytes: &[u8]) -> UnreadReason {
    match &items(bytes)[..] {
        [Item::Unread(Unread { range, reason })] => {
            assert_eq!(*range, 0..bytes.len() as u64);
            *reason
        }
        other => panic!("{} items, not one unread", other.len()),
    }
}

fn shown(text: &Option<Text>) -> &str {
    text.as_ref()
        .map_or("absent", |text| text.to_str().unwrap())
}

fn ms(entry: &Entry) -> Option<i64> {
    entry.record.event_ms.map(|ms| ms.get())
}

/// Items and noise sum to the file, in order and apart.
fn check_cover(bytes: &[u8], items: &[Item], summary: &Summary) {
    let mut end = 0;
    for item in items {
        let range = item.range();
        assert!(end <= range.start && range.start < range.end, "{range:?}");
        end = range.end;
    }
    let of_items: u64 = items
        .iter()
        .map(|item| item.range().end - item.range().start)
        .sum();
    let noise = [summary.blank, summary.other_process, summary.rotation];
    let of_noise: u64 = noise.iter().map(|noise| noise.bytes).sum();
    assert!(end <= bytes.len() as u64);
    assert_eq!(of_items + of_noise, bytes.len() as u64);
    assert_eq!(summary.bytes, bytes.len() as u64);
    assert_eq!(summary.entries + summary.unread, items.len() as u64);
}

#[test]
fn every_field_of_a_record_goes_to_its_place() {
    let more = ": tipo_ricevuta=completa: ricezione=bruno@pec.beta.example, carla@pec.beta.example\
                : consegna=bruno@pec.beta.example: errore=no-dest: errore-esteso=5.1.1 - utente ignoto";
    let text = line(
        "Mag  7 09:10:11 2007",
        "avvenuta-consegna",
        "Consegna",
        more,
    );
    let entry = entry(&text);
    let record = &entry.record;
    assert_eq!(entry.range, 0..text.len() as u64);
    assert_eq!(entry.findings, []);
    assert_eq!(shown(&record.identificativo), ID);
    assert_eq!(record.event_ms.unwrap().get(), 1_178_521_811_000);
    assert_eq!(record.event_offset_min.unwrap().get(), 120);
    assert_eq!(shown(&record.event_text), "Mag  7 09:10:11 2007");
    assert_eq!(shown(&record.sender), "anna@pec.alfa.example");
    let recipients: Vec<_> = record
        .recipients
        .iter()
        .map(|r| (r.address.to_str().unwrap(), shown(&r.kind)))
        .collect();
    assert_eq!(
        recipients,
        [
            ("bruno@pec.beta.example", "certificato"),
            ("ufficio@example.org", "esterno")
        ]
    );
    assert_eq!(shown(&record.subject), "Prova n. 5");
    assert_eq!(shown(&record.event), "avvenuta-consegna");
    assert_eq!(record.message_ids, [Text::from(format!("<r1.{ID}>"))]);
    assert_eq!(shown(&record.provider), "Gestore Alfa S.p.A.");
    assert_eq!(shown(&record.receipt_form), "completa");
    assert_eq!(
        record.taken_over,
        [
            Text::from("bruno@pec.beta.example"),
            "carla@pec.beta.example".into()
        ]
    );
    assert_eq!(shown(&record.delivered_to), "bruno@pec.beta.example");
    assert_eq!(shown(&record.error), "no-dest");
    assert_eq!(shown(&record.error_detail), "5.1.1 - utente ignoto");
    assert_eq!(
        (shown(&record.point), shown(&record.direction)),
        ("consegna", "emesso")
    );
    assert_eq!((record.msgid.clone(), record.companion), (None, None));
    assert_eq!(shown(&entry.kind), "avvenuta-consegna");
    assert_eq!(shown(&entry.label), "Consegna");
    assert_eq!(shown(&entry.queue_id), "l479AB01");
}

#[test]
fn every_label_has_its_event_and_where_the_label_tells_its_point() {
    for (kind, label, event, point) in [
        ("accettazione", "Accettazione", "accettazione", "accesso"),
        (
            "non-accettazione",
            "NonAccettazione",
            "non-accettazione",
            "accesso",
        ),
        (
            "non-accettazione",
            "NonAccettazioneVirus",
            "non-accettazione",
            "accesso",
        ),
        (
            "posta-certificata",
            "BustaTrasporto",
            "posta-certificata",
            "absent",
        ),
        (
            "presa-in-carico",
            "PresaInCarico",
            "presa-in-carico",
            "ricezione",
        ),
        (
            "avvenuta-consegna",
            "Consegna",
            "avvenuta-consegna",
            "consegna",
        ),
        (
            "errore-consegna",
            "MancataConsegna",
            "errore-consegna",
            "consegna",
        ),
        (
            "errore-consegna",
            "MancataConsegnaVirus",
            "errore-consegna",
            "absent",
        ),
        (
            "preavviso-errore-consegna",
            "MancataConsegna12h",
            "preavviso-errore-consegna",
            "absent",
        ),
        (
            "preavviso-errore-consegna",
            "MancataConsegna24h",
            "preavviso-errore-consegna",
            "absent",
        ),
        (
            "rilevazione-virus",
            "RilevazioneVirus",
            "rilevazione-virus",
            "ricezione",
        ),
        ("", "BustaAnomalia", "busta-anomalia", "ricezione"),
    ] {
        let entry = entry(line("Mag  7 09:10:11 2007", kind, label, ""));
        assert_eq!(shown(&entry.record.event), event, "{label}");
        assert_eq!(shown(&entry.record.point), point, "{label}");
        let is_open = label == "BustaTrasporto";
        assert_eq!(entry.record.direction.is_none(), is_open, "{label}");
        assert_eq!(entry.findings, [], "{label}");
    }
}

#[test]
fn months_are_italian_or_english_in_any_case() {
    for (names, month) in [
        (&["Gen", "Jan"][..], 1),
        (&["Feb"], 2),
        (&["Mar"], 3),
        (&["Apr"], 4),
        (&["Mag", "May", "mag", "MAG"], 5),
        (&["Giu", "Jun"], 6),
        (&["Lug", "Jul"], 7),
        (&["Ago", "Aug"], 8),
        (&["Set", "Sep", "set"], 9),
        (&["Ott", "Oct"], 10),
        (&["Nov"], 11),
        (&["Dic", "Dec", "dic"], 12),
    ] {
        for name in names {
            let text = acceptance(&format!("{name} 15 12:00:00 2007"));
            let date = FileDate::new(2007, month, 15);
            let (items, _) = super::read(&MILTER, date, text.as_bytes());
            let [Item::Entry(entry)] = &items[..] else {
                panic!("{name}")
            };
            assert_eq!(entry.findings, [], "{name}");
        }
    }
    let entry = entry(acceptance("Xyz 15 12:00:00 2007"));
    assert_eq!(
        (ms(&entry), &entry.findings[..]),
        (None, &[Finding::TimeMalformed][..])
    );
    assert_eq!(shown(&entry.record.event_text), "Xyz 15 12:00:00 2007");
    assert_eq!(shown(&entry.record.event), "accettazione");
}

#[test]
fn a_missing_year_is_that_of_the_file_also_around_new_year() {
    let read = |date: Option<FileDate>, time: &str| {
        let (items, _) = super::read(&MILTER, date, acceptance(time).as_bytes());
        let [Item::Entry(entry)] = &items[..] else {
            panic!("{time}")
        };
        (ms(entry), entry.findings.clone())
    };
    assert_eq!(
        read(day(), "Mag  7 09:10:11"),
        (Some(1_178_521_811_000), vec![Finding::YearFromFile])
    );
    assert_eq!(
        read(FileDate::new(2008, 1, 1), "Dic 31 23:59:59"),
        (
            Some(1_199_141_999_000),
            vec![Finding::YearFromFile, Finding::OtherDay]
        )
    );
    assert_eq!(
        read(FileDate::new(2008, 3, 1), "Feb 29 12:00:00").0,
        Some(1_204_282_800_000)
    );
    assert_eq!(
        read(None, "Mag  7 09:10:11"),
        (None, vec![Finding::YearMissing])
    );
    assert_eq!(
        read(None, "Mag  7 09:10:11 2007"),
        (Some(1_178_521_811_000), vec![])
    );
}

#[test]
fn a_day_that_is_not_the_files_is_a_finding() {
    let entry = entry(acceptance("Mag  8 00:00:01 2007"));
    assert_eq!(entry.findings, [Finding::OtherDay]);
    assert!(ms(&entry).is_some());
}

#[test]
fn the_doubled_hour_of_october_is_read_as_the_first_of_the_two() {
    let date = FileDate::new(2007, 10, 28);
    let read = |time: &str| {
        let (items, _) = super::read(&MILTER, date, acceptance(time).as_bytes());
        let [Item::Entry(entry)] = &items[..] else {
            panic!("{time}")
        };
        let offset = entry.record.event_offset_min.map(|offset| offset.get());
        (ms(entry), offset, entry.findings.clone())
    };
    // 02:30 summer time is 00:30 UTC; the hour before and the one after have no doubt.
    assert_eq!(
        read("Ott 28 02:30:00 2007"),
        (
            Some(1_193_531_400_000),
            Some(120),
            vec![Finding::DoubledHour]
        )
    );
    assert_eq!(read("Ott 28 01:59:59 2007").1, Some(120));
    assert_eq!(
        read("Ott 28 03:00:00 2007"),
        (Some(1_193_536_800_000), Some(60), vec![])
    );
}

#[test]
fn the_hour_that_march_skips_is_no_instant() {
    let date = FileDate::new(2007, 3, 25);
    let (items, _) = super::read(&MILTER, date, acceptance("Mar 25 02:30:00 2007").as_bytes());
    let [Item::Entry(entry)] = &items[..] else {
        panic!()
    };
    assert_eq!((ms(entry), entry.record.event_offset_min), (None, None));
    assert_eq!(entry.findings, [Finding::SkippedHour]);
    assert_eq!(shown(&entry.record.event_text), "Mar 25 02:30:00 2007");
}

#[test]
fn times_that_are_none_stay_as_text() {
    for time in [
        "Feb 30 09:10:11 2007",
        "Mag  7 24:10:11 2007",
        "Mag  7 09:60:11 2007",
        "Mag 77 09:10:11 2007",
        "Mag  7 09:10 2007",
        "Mag  7 09:10:11 1969",
    ] {
        let (items, _) = super::read(&MILTER, None, acceptance(time).as_bytes());
        let [Item::Entry(entry)] = &items[..] else {
            panic!("{time}")
        };
        assert_eq!(
            (ms(entry), &entry.findings[..]),
            (None, &[Finding::TimeMalformed][..]),
            "{time}"
        );
        assert_eq!(shown(&entry.record.event_text), time);
    }
}

#[test]
fn latin_1_octets_are_kept_as_they_came() {
    let mut text = acceptance("Mag  7 09:10:11 2007").into_bytes();
    let at = memchr::memmem::find(&text, b"Prova").unwrap();
    text.splice(at..at + 5, *b"Citt\xe0 \xb0");
    let entry = entry(&text);
    assert_eq!(
        entry.record.subject.as_ref().unwrap().as_bytes(),
        b"Citt\xe0 \xb0 n. 5"
    );
    assert_eq!(entry.findings, []);
}

#[test]
fn an_error_text_goes_on_over_lines_blank_ones_too() {
    let more = ": errore=altro: errore-esteso=5.1.1 - prima riga\nseconda: riga\r\n\n  terza riga";
    let text = line(
        "Mag  7 09:10:11 2007",
        "errore-consegna",
        "MancataConsegna",
        more,
    );
    let both = text.clone() + &acceptance("Mag  7 09:10:12 2007");
    let (items, summary) = super::read(&MILTER, day(), both.as_bytes());
    check_cover(both.as_bytes(), &items, &summary);
    let [Item::Entry(entry), Item::Entry(_)] = &items[..] else {
        panic!("{items:?}")
    };
    assert_eq!(
        shown(&entry.record.error_detail),
        "5.1.1 - prima riga\nseconda: riga\r\n\n  terza riga"
    );
    assert_eq!(entry.range, 0..text.len() as u64);
    assert_eq!(
        (entry.findings.clone(), summary.blank),
        (vec![], Counted::default())
    );
}

#[test]
fn a_folded_subject_keeps_its_fold() {
    let text = acceptance("Mag  7 09:10:11 2007").replace("Prova n. 5", "Prova\n n. 5");
    let entry = entry(&text);
    assert_eq!(shown(&entry.record.subject), "Prova\n n. 5");
    assert_eq!(entry.record.message_ids.len(), 1);
}

#[test]
fn a_folded_subject_cannot_forge_a_record() {
    let forged = acceptance("Mag  7 09:10:11 2007");
    let text = acceptance("Mag  7 09:10:11 2007")
        .replace("Prova n. 5", &format!("Prova\n {}", forged.trim_end()));
    let entry = entry(&text);
    assert_eq!(entry.findings, [Finding::LabelInText]);
    assert!(shown(&entry.record.subject).starts_with("Prova\n Mag  7 09:10:11 2007 PEC_Milter"));
    assert_eq!(shown(&entry.record.identificativo), ID);
}

#[test]
fn colons_in_a_subject_end_nothing() {
    for subject in [
        "Re: R: prova: uno",
        "a:b",
        "ora: 10:30: ok",
        ": ",
        "nota= 1: x=2",
        "12:",
    ] {
        let text = acceptance("Mag  7 09:10:11 2007").replace("Prova n. 5", subject);
        let entry = entry(&text);
        let expected = if subject.trim() == "" {
            "absent"
        } else {
            subject
        };
        assert_eq!(shown(&entry.record.subject), expected);
        assert_eq!(entry.record.message_ids, [Text::from(format!("<r1.{ID}>"))]);
        assert_eq!(entry.findings, [], "{subject}");
    }
}

#[test]
fn a_subject_that_forges_fields_stays_a_subject_and_is_told() {
    for subject in [
        "x: message-id=<falso@example.org>: gestore=Gestore Falso: errore=nessuno",
        "x: mittente=falso@example.org: destinatari=y@example.org (certificato)",
        "x: oggetto=y",
        "x: tipo=avvenuta-consegna (Consegna)",
        "x: message-id=<falso@example.org>: errore-esteso=y: message-id=z",
        "x: virus=y",
    ] {
        let text = acceptance("Mag  7 09:10:11 2007").replace("Prova n. 5", subject);
        let entry = entry(&text);
        let record = &entry.record;
        assert_eq!(shown(&record.subject), subject);
        assert_eq!(record.message_ids, [Text::from(format!("<r1.{ID}>"))]);
        assert_eq!(shown(&record.provider), "Gestore Alfa S.p.A.");
        assert_eq!(shown(&record.sender), "anna@pec.alfa.example");
        assert_eq!(shown(&record.event), "accettazione");
        assert_eq!((&record.error, &record.error_detail), (&None, &None));
        assert_eq!(entry.findings, [Finding::LabelInText], "{subject}");
    }
}

#[test]
fn exceptions_are_free_text_with_colons() {
    let more = ": eccezioni=intestazione: mancante: From: due indirizzi";
    let text = line(
        "Mag  7 09:10:11 2007",
        "non-accettazione",
        "NonAccettazione",
        more,
    );
    let entry = entry(&text);
    assert_eq!(
        shown(&entry.record.error_detail),
        "intestazione: mancante: From: due indirizzi"
    );
    assert_eq!(entry.findings, []);
}

#[test]
fn error_texts_that_stand_together_stay_together_with_their_labels() {
    let more = ": errore=virus: errore-esteso=5.5.1: presente: virus=Prova.Finta: eccezioni=a: b";
    let text = line(
        "Mag  7 09:10:11 2007",
        "non-accettazione",
        "NonAccettazioneVirus",
        more,
    );
    let entry = entry(&text);
    assert_eq!(
        shown(&entry.record.error_detail),
        "5.5.1: presente: virus=Prova.Finta: eccezioni=a: b"
    );
    let alone = line(
        "Mag  7 09:10:11 2007",
        "rilevazione-virus",
        "RilevazioneVirus",
        ": virus=Finto.A",
    );
    assert_eq!(shown(&self::entry(&alone).record.error_detail), "Finto.A");
    // An earlier field does not break a text of others.
    let text = line(
        "Mag  7 09:10:11 2007",
        "errore-consegna",
        "MancataConsegna",
        ": errore-esteso=550: consegna=x@example.org: fine",
    );
    let entry = self::entry(&text);
    assert_eq!(
        shown(&entry.record.error_detail),
        "550: consegna=x@example.org: fine"
    );
    assert_eq!(
        (entry.record.delivered_to, entry.findings),
        (None, vec![Finding::LabelInText])
    );
}

#[test]
fn recipients_have_their_kind_in_parentheses_or_none() {
    let read = |list: &str| {
        let text = acceptance("Mag  7 09:10:11 2007").replace(
            "bruno@pec.beta.example (certificato), ufficio@example.org (esterno)",
            list,
        );
        let entry = entry(&text);
        let recipients = entry.record.recipients.iter();
        recipients
            .map(|r| format!("{}|{}", r.address.to_str().unwrap(), shown(&r.kind)))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        read("Bruno@PEC.beta.example (certificato),carla@example.org(ordinario) ,\n d@example.org"),
        [
            "Bruno@PEC.beta.example|certificato",
            "carla@example.org|ordinario",
            "d@example.org|absent"
        ]
    );
    assert_eq!(
        read("\"Verdi, Bruno\"@example.org (esterno), x@example.org"),
        [
            "\"Verdi, Bruno\"@example.org|esterno",
            "x@example.org|absent"
        ]
    );
    assert_eq!(
        read("a\"b@example.org, c@example.org ()"),
        ["a\"b@example.org|absent", "c@example.org|absent"]
    );
    assert_eq!(read(" , ,"), [""; 0]);
    assert_eq!(read("(certificato)"), [""; 0]);
}

#[test]
fn an_anomaly_envelope_goes_without_type_and_without_id() {
    for text in [
        line("Mag  7 09:10:11 2007", "", "BustaAnomalia", "").replace(ID, ""),
        line("Mag  7 09:10:11 2007", "", "BustaAnomalia", "")
            .replace(&format!(" {ID}: queueid=l479AB01:"), ""),
        line("Mag  7 09:10:11 2007", "", "BustaAnomalia", "").replace(&format!(" {ID}:"), " :"),
    ] {
        let entry = entry(&text);
        assert_eq!(shown(&entry.record.event), "busta-anomalia");
        assert_eq!(
            (&entry.record.identificativo, &entry.kind),
            (&None, &None),
            "{text}"
        );
        assert_eq!(entry.findings, []);
        assert_eq!(shown(&entry.record.sender), "anna@pec.alfa.example");
    }
    let entry = entry(acceptance("Mag  7 09:10:11 2007").replace(&format!(" {ID}:"), " :"));
    assert_eq!(entry.findings, [Finding::IdMissing]);
}

#[test]
fn of_a_wrong_pair_of_type_and_label_the_label_counts() {
    let entry = entry(line(
        "Mag  7 09:10:11 2007",
        "rilevazione-virus",
        "BustaAnomalia",
        "",
    ));
    assert_eq!(shown(&entry.record.event), "busta-anomalia");
    assert_eq!(shown(&entry.kind), "rilevazione-virus");
    assert_eq!(entry.findings, [Finding::TypeAndLabelDiffer]);
    let entry = self::entry(line("Mag  7 09:10:11 2007", "", "Consegna", ""));
    assert_eq!(shown(&entry.record.event), "avvenuta-consegna");
    assert_eq!(entry.findings, [Finding::TypeMissing]);
}

#[test]
fn without_a_known_label_the_event_is_the_type_as_it_came() {
    let entry = entry(line("Mag  7 09:10:11 2007", "nuovo-tipo", "NuovaVoce", ""));
    assert_eq!(
        (shown(&entry.record.event), &entry.record.point),
        ("nuovo-tipo", &None)
    );
    assert_eq!(
        (shown(&entry.label), &entry.findings[..]),
        ("NuovaVoce", &[Finding::LabelUnknown][..])
    );
    let text = acceptance("Mag  7 09:10:11 2007").replace(" (Accettazione)", "");
    let entry = self::entry(text);
    assert_eq!(
        (shown(&entry.record.event), &entry.label),
        ("accettazione", &None)
    );
    let text = acceptance("Mag  7 09:10:11 2007").replace(" tipo=accettazione (Accettazione):", "");
    let entry = self::entry(text);
    assert_eq!(entry.record.event, None);
    assert_eq!(
        entry.findings,
        [Finding::TypeMissing, Finding::LabelUnknown]
    );
}

#[test]
fn misspelt_labels_are_read_and_told() {
    for (right, wrong) in [
        ("destinatari=", "destinatati="),
        ("destinatari=", "destinatri="),
        ("destinatari=", "destinatario="),
        ("mittente=", "mitente="),
        ("mittente=", "mittetne="),
        ("mittente=", "Mittente="),
        ("oggetto=", "ogggetto="),
        ("message-id=", "messageid="),
        ("message-id=", "Message-ID="),
        ("(Accettazione)", "(Accetazione)"),
        ("(Accettazione)", "(accettazione)"),
    ] {
        let text = acceptance("Mag  7 09:10:11 2007");
        let (right_entry, entry) = (entry(&text), entry(text.replace(right, wrong)));
        assert_eq!(entry.record, right_entry.record, "{wrong}");
        assert_eq!(entry.findings, [Finding::LabelMisspelt], "{wrong}");
    }
    // Of two that are equally near neither is meant.
    let entry = entry(line(
        "Mag  7 09:10:11 2007",
        "preavviso-errore-consegna",
        "MancataConsegna2h",
        "",
    ));
    assert_eq!(entry.findings, [Finding::LabelUnknown]);
}

#[test]
fn a_field_that_is_not_declared_is_left_out_and_told() {
    for text in [
        acceptance("Mag  7 09:10:11 2007").replace(": destinatari=", ": nuovo=1: destinatari="),
        acceptance("Mag  7 09:10:11 2007").replace(": queueid", ": nuovo=1: queueid"),
    ] {
        let entry = entry(&text);
        assert_eq!(shown(&entry.record.sender), "anna@pec.alfa.example");
        assert_eq!(shown(&entry.record.identificativo), ID);
        assert_eq!(entry.findings, [Finding::UnknownField]);
    }
}

#[test]
fn a_stray_line_after_a_record_is_not_part_of_its_last_field() {
    let text = acceptance("Mag  7 09:10:11 2007") + "riga di altri\n";
    let entry = entry(&text);
    assert_eq!(entry.range, 0..text.len() as u64);
    assert_eq!(shown(&entry.record.provider), "Gestore Alfa S.p.A.");
    assert_eq!(entry.findings, [Finding::UnknownField]);
}

#[test]
fn addresses_keep_their_case() {
    let text = acceptance("Mag  7 09:10:11 2007").replace("anna@", "Anna.BIANCHI@");
    assert_eq!(
        shown(&entry(text).record.sender),
        "Anna.BIANCHI@pec.alfa.example"
    );
}

#[test]
fn lines_of_other_processes_and_of_rotation_are_counted_and_end_a_record() {
    let record = acceptance("Mag  7 09:10:11 2007");
    let other = "Mag  7 09:10:12 2007 posta/smtpd[77]: connect from client.example\n";
    let rotated = "Mag  7 09:10:13 mail newsyslog[1]: logfile turned over\n";
    let bare = "logfile turned over due to size>1000K\n";
    let text = [
        bare, "\n", &record, other, rotated, "  \r\n", &record, "\n\n", bare,
    ]
    .concat();
    let (items, summary) = super::read(&MILTER, day(), text.as_bytes());
    check_cover(text.as_bytes(), &items, &summary);
    assert_eq!((summary.entries, summary.unread), (2, 0));
    assert!(
        items
            .iter()
            .all(|item| matches!(item, Item::Entry(entry) if entry.findings.is_empty()))
    );
    assert_eq!(
        summary.other_process,
        Counted {
            lines: 2,
            bytes: (other.len() + rotated.len()) as u64
        }
    );
    assert_eq!(
        summary.rotation,
        Counted {
            lines: 2,
            bytes: 2 * bare.len() as u64
        }
    );
    assert_eq!(summary.blank, Counted { lines: 4, bytes: 7 });
}

#[test]
fn what_begins_no_record_and_follows_none_is_unread() {
    assert_eq!(
        unread_reason(b"testo\n altro testo\n"),
        UnreadReason::NoHead
    );
    assert_eq!(
        unread_reason(b"\x30\x82\x01\x00\0\0\n\xff"),
        UnreadReason::NoHead
    );
    let line = b"Mag  7 09:10:11 2007 PEC_Milter root [812]: avviato\n";
    assert_eq!(unread_reason(line), UnreadReason::NoFields);
    let other = "Mag  7 09:10:12 2007 posta/smtpd[77]: connect from client.example\n";
    let text = acceptance("Mag  7 09:10:11 2007") + other + "coda perduta\n";
    let (items, summary) = super::read(&MILTER, day(), text.as_bytes());
    check_cover(text.as_bytes(), &items, &summary);
    assert_eq!((summary.entries, summary.unread), (1, 1));
}

#[test]
fn a_record_without_line_break_at_the_end_of_the_file_may_be_cut() {
    let text = acceptance("Mag  7 09:10:11 2007");
    let entry = entry(text.trim_end());
    assert_eq!(entry.findings, [Finding::NoLineBreak]);
    assert_eq!(shown(&entry.record.provider), "Gestore Alfa S.p.A.");
}

#[test]
fn line_ends_and_a_byte_order_mark_are_no_text() {
    let text = acceptance("Mag  7 09:10:11 2007");
    let expected = entry(&text).record;
    for other in [
        text.replace('\n', "\r\n"),
        text.replace('\n', "\r\r\n"),
        format!("\u{feff}{text}"),
        text.replace("2007 PEC", "2007 mail PEC"),
        text.replace("PEC_Milter root [812]", "PEC_Milter[812]"),
    ] {
        let mut record = entry(&other).record;
        record.event_text.clone_from(&expected.event_text);
        assert_eq!(record, expected);
    }
}

#[test]
fn a_record_longer_than_what_is_kept_is_unread_and_the_next_is_read() {
    let long = acceptance("Mag  7 09:10:11 2007").replace("Prova", &"x".repeat(RECORD_BYTES_MAX));
    let text = long.clone() + &acceptance("Mag  7 09:10:12 2007");
    let (items, summary) = super::read(&MILTER, day(), text.as_bytes());
    check_cover(text.as_bytes(), &items, &summary);
    let [Item::Unread(unread), Item::Entry(_)] = &items[..] else {
        panic!("{}", items.len())
    };
    assert_eq!(
        *unread,
        Unread {
            range: 0..long.len() as u64,
            reason: UnreadReason::RecordTooLong
        }
    );
}

#[test]
fn a_record_whose_facts_do_not_fit_into_metadata_is_unread() {
    let text = |list: &str| {
        acceptance("Mag  7 09:10:11 2007").replace("bruno@pec.beta.example (certificato)", list)
    };
    let many = text(&"a,".repeat(400_000));
    assert_eq!(unread_reason(many.as_bytes()), UnreadReason::FactsTooLarge);
    let controls = acceptance("Mag  7 09:10:11 2007").replace("Prova", &"\u{1}".repeat(900_000));
    assert_eq!(
        unread_reason(controls.as_bytes()),
        UnreadReason::FactsTooLarge
    );
    let fits = entry(text(
        &"bruno@pec.beta.example (certificato), ".repeat(10_000),
    ));
    assert_eq!(fits.record.recipients.len(), 10_001);
}

#[test]
fn blank_lines_without_end_are_not_kept() {
    let mut reader = LogReader::new(&MILTER, day());
    let mut count = 0;
    reader.push(acceptance("Mag  7 09:10:11 2007").as_bytes(), |_| {
        count += 1
    });
    reader.push(&[b'\n'; 100_000], |_| count += 1);
    assert_eq!(count, 1);
    let summary = reader.finish(|_| count += 1);
    assert_eq!(
        (count, summary.blank.lines, summary.blank.bytes),
        (1, 100_000, 100_000)
    );
}

#[test]
fn hostile_records_cost_no_more_than_their_length() {
    for part in [
        ": tipo=x",
        ": oggetto=",
        ": message-id=x",
        ": errata-corrigo=",
        ": ",
        "::",
        ",",
        "(",
        "\"",
    ] {
        let text = acceptance("Mag  7 09:10:11 2007");
        let filled = part.repeat(RECORD_BYTES_MAX / part.len() - 600);
        let text = text.replace("Prova n. 5", &filled) + &text.replace(" (esterno)", &filled);
        let (items, summary) = super::read(&MILTER, day(), text.as_bytes());
        check_cover(text.as_bytes(), &items, &summary);
    }
}

#[test]
fn the_date_of_a_file_is_read_from_its_name() {
    let of = |name: &str| FileDate::from_name(&MILTER, name).map(FileDate::parts);
    assert_eq!(of("PEC2-2007-05-07.log"), Some((2007, 5, 7)));
    assert_eq!(of("PEC2-2007-05-07.log.p7m"), Some((2007, 5, 7)));
    for name in [
        "",
        "PEC2-",
        "PEC2-2007-05-07",
        "PEC2-2007-05-07.txt",
        "PEC2-2007-02-30.log",
        "PEC2-2007-5-007.log",
        "PEC2-+007-05-07.log",
        "PEC2-1969-05-07.log",
        "PEC-2007-05-07.log",
        "PEC2-2007-05-è.log",
    ] {
        assert_eq!(of(name), None, "{name}");
    }
}

/// Another provider's: compact times in UTC, no process, no labels of types.
const OTHER: Format = Format {
    name: "other",
    file_prefix: "log",
    file_suffix: "",
    time: &[TimePart::Compact],
    months: &[],
    zone: Zone::Utc,
    process: "",
    body_after: "",
    fields: &[
        rule("tipo", Slot::Type, Shape::Closed),
        rule("mittente", Slot::Sender, Shape::Closed),
        rule("destinatari", Slot::Recipients, Shape::Closed),
        rule("oggetto", Slot::Subject, Shape::Foreign),
        rule("msgid", Slot::Msgid, Shape::Closed),
        rule("message-id", Slot::MessageId, Shape::Closed),
        rule("gestore", Slot::Provider, Shape::Text),
        rule("consegna", Slot::DeliveredTo, Shape::Closed),
        rule("tipo_ricevuta", Slot::ReceiptForm, Shape::Closed),
        rule("errore", Slot::Error, Shape::Closed),
        rule("errore-esteso", Slot::ErrorDetail, Shape::Foreign),
    ],
    events: &[],
    rotation: &[],
};

const fn rule(label: &'static str, slot: Slot, shape: Shape) -> FieldRule {
    FieldRule {
        label,
        spellings: &[],
        slot,
        shape,
    }
}

#[test]
fn another_providers_format_is_a_table() {
    use ceralacca_synthetic::traffic::{Traffic, text_line};
    let records: Vec<_> = Traffic::new(7, 1_767_225_600_000).take(300).collect();
    let text: String = records.iter().map(text_line).collect();
    let (items, summary) = super::read(&OTHER, None, text.as_bytes());
    check_cover(text.as_bytes(), &items, &summary);
    assert_eq!(items.len(), records.len());
    for (item, expected) in items.iter().zip(&records) {
        let Item::Entry(entry) = item else {
            panic!("{item:?}")
        };
        let record = &entry.record;
        assert_eq!(entry.findings, []);
        assert_eq!(record.identificativo, expected.identificativo);
        assert_eq!(
            record.event_ms.unwrap().get(),
            expected.event_ms.unwrap().get() / 1000 * 1000
        );
        assert_eq!(
            (&record.sender, &record.recipients),
            (&expected.sender, &expected.recipients)
        );
        assert_eq!(
            (&record.subject, &record.event),
            (&expected.subject, &expected.event)
        );
        assert_eq!(
            (&record.msgid, &record.message_ids),
            (&expected.msgid, &expected.message_ids)
        );
        assert_eq!(
            (&record.provider, &record.error),
            (&expected.provider, &expected.error)
        );
        assert_eq!(record.delivered_to, expected.delivered_to);
    }
}

#[test]
fn codes_are_words() {
    let reasons = [
        UnreadReason::NoHead,
        UnreadReason::NoFields,
        UnreadReason::RecordTooLong,
        UnreadReason::FactsTooLarge,
    ];
    for code in reasons.map(UnreadReason::code) {
        assert!(code.bytes().all(|c| c.is_ascii_lowercase() || c == b'-'));
    }
}

fn in_pieces(bytes: &[u8], cuts: &[prop::sample::Index]) -> (Vec<Item>, Summary) {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let (mut reader, mut items, mut from) = (LogReader::new(&MILTER, day()), Vec::new(), 0);
    for cut in cuts {
        reader.push(&bytes[from..cut], |item| items.push(item));
        from = cut;
    }
    reader.push(&bytes[from..], |item| items.push(item));
    let summary = reader.finish(|item| items.push(item));
    (items, summary)
}

/// Pieces of which logs are made, whole and broken.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let text = prop::sample::select(vec![
        "Mag  7 09:10:11 2007 PEC_Milter root [1]: a@b: tipo=accettazione (Accettazione)",
        "Mag  7 09:10:11 PEC_Milter root [1]: : tipo= (BustaAnomalia)",
        "Mag  7 09:10:11 posta[1]: altro",
        "logfile turned over",
        ": mittente=anna@example.org",
        ": destinatari=b@example.org (certificato), c",
        ": oggetto=x",
        ": message-id=<r@example.org>",
        ": gestore=G",
        ": errore-esteso=",
        ": ",
        " ",
        "",
        "\u{e8}",
        "PEC_Milter",
        "]:",
    ]);
    let end = prop::sample::select(vec!["", "", "\n", "\r\n", "\n\n", "\n ", "\r"]);
    (text, 0usize..600, end).prop_map(|(text, fill, end)| {
        let fill = if fill > 500 {
            "y".repeat(fill)
        } else {
            String::new()
        };
        [text, &fill, end].concat().into_bytes()
    })
}

proptest! {
    #[test]
    fn any_cuts_give_the_same_items_and_every_octet_is_accounted_for(
        pieces in prop::collection::vec(piece(), 0..60),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let bytes = pieces.concat();
        let (items, summary) = super::read(&MILTER, day(), &bytes);
        check_cover(&bytes, &items, &summary);
        prop_assert_eq!(in_pieces(&bytes, &cuts), (items, summary));
    }

    #[test]
    fn arbitrary_octets_are_read(
        bytes in prop::collection::vec(any::<u8>(), 0..3000),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let (items, summary) = super::read(&MILTER, None, &bytes);
        check_cover(&bytes, &items, &summary);
        prop_assert_eq!(in_pieces(&bytes, &cuts).1, super::read(&MILTER, day(), &bytes).1);
        let _ = super::p7m::content(&bytes);
        let _ = super::p7m::content(&[b"0\x80\x06\x09*\x86H\x86\xf7\r\x01\x07\x02\xa0\x80", &bytes[..]].concat());
    }

    #[test]
    fn octet_by_octet_is_the_same(pieces in prop::collection::vec(piece(), 0..12)) {
        let bytes = pieces.concat();
        let (mut reader, mut items) = (LogReader::new(&MILTER, day()), Vec::new());
        bytes.chunks(1).for_each(|octet| reader.push(octet, |item| items.push(item)));
        let summary = reader.finish(|item| items.push(item));
        prop_assert_eq!((items, summary), super::read(&MILTER, day(), &bytes));
    }

    #[test]
    fn a_subject_without_labels_is_kept_to_the_octet(subject in "[^=\n]{1,80}") {
        let text = acceptance("Mag  7 09:10:11 2007").replace("Prova n. 5", &subject);
        let entry = entry(&text);
        prop_assert_eq!(&entry.findings, &[]);
        let expected = (!subject.bytes().all(|c| c.is_ascii_whitespace())).then(|| Text::from(subject));
        prop_assert_eq!(entry.record.subject, expected);
    }
}
