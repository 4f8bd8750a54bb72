//! PDF: qpdf, poppler.

use crate::sample::{self, report};
use crate::tools::{found, run};
use ceralacca_pages::model::{
    Check, CheckId, Checks, Disposed, Kind, Language, Object, Outcome, Reason, Report, Seal,
};
use ceralacca_pages::{EMBEDDED_BYTES_MAX, Embedded, Relation, attestazione, relazione};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Line ends of both kinds, a lone carriage return, NUL and octets that are no UTF-8.
const EML: &[u8] = b"From: a@pec.example\r\nSubject: x\n\r\n\xe8\x00\r bare\n";

fn eml(bytes: &[u8]) -> Embedded {
    Embedded {
        name: "accettazione.eml".to_owned(),
        media_type: "message/rfc822".to_owned(),
        description: "Ricevuta di accettazione".to_owned(),
        relation: Relation::Source,
        bytes: bytes.to_vec(),
    }
}

fn written(folder: &Path, name: &str, pdf: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, pdf).unwrap();
    path
}

fn words(path: &Path) -> String {
    let (ok, text) = run(Command::new("pdftotext").arg("-layout").arg(path).arg("-"));
    assert!(ok, "{text}");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub fn both(language: Language) -> [(&'static str, Vec<u8>); 2] {
    let duplicato = report(Kind::Duplicato, language);
    let statement = report(Kind::Attestazione, language);
    [
        (
            "relazione.pdf",
            relazione(&duplicato, vec![eml(EML)]).unwrap(),
        ),
        (
            "attestazione.pdf",
            attestazione(&statement, Vec::new()).unwrap(),
        ),
    ]
}

#[test]
fn qpdf_and_poppler_accept_both_documents_with_every_font_embedded() {
    if !found(&["qpdf", "pdffonts"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for language in [Language::It, Language::En] {
        for (name, pdf) in both(language) {
            let path = written(folder.path(), name, &pdf);
            let (ok, said) = run(Command::new("qpdf").arg("--check").arg(&path));
            assert!(
                ok && said.contains("No syntax or stream encoding errors"),
                "{said}"
            );
            let (ok, fonts) = run(Command::new("pdffonts").arg(&path));
            assert!(ok, "{fonts}");
            let fonts: Vec<_> = fonts.lines().skip(2).collect();
            assert!(fonts.len() >= 3, "{fonts:?}");
            for font in fonts {
                let flags: Vec<_> = font.split_whitespace().rev().skip(2).take(3).collect();
                assert_eq!(
                    flags,
                    ["yes", "yes", "yes"],
                    "embedded, subset, unicode: {font}"
                );
            }
        }
    }
    let (_, pdf) = both(Language::It).into_iter().next().unwrap();
    let cut = written(folder.path(), "cut.pdf", &pdf[..pdf.len() - 400]);
    let (ok, said) = run(Command::new("qpdf").arg("--check").arg(cut));
    assert!(!ok, "{said}");
}

#[test]
fn the_same_facts_give_the_same_bytes() {
    assert_eq!(both(Language::It), both(Language::It));
}

#[test]
fn the_first_page_tells_who_sent_what_to_whom_when_and_what_became_of_it() {
    if !found(&["pdftotext"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, pdf) in both(Language::It) {
        let path = written(folder.path(), name, &pdf);
        let first = folder.path().join("first.txt");
        let (ok, said) = run(Command::new("pdftotext")
            .args(["-layout", "-l", "1"])
            .arg(&path)
            .arg(&first));
        assert!(ok, "{said}");
        let text = std::fs::read_to_string(&first).unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for fact in [
            "avv.neri@pec.studio.example",
            "12/03/2026 10:04:05 (+01:00)",
            "Diffida ad adempiere – è l’ultima \\u{202e}fdp.exe \\u{6f22}",
            "ditta.rossi@pec.imprese.example",
            sample::IDENTIFICATIVO,
            "Tribunale di Vattelapesca, sezione II civile",
            // The last line of each column.
            "all’intestazione Date.",
            "impronta della foglia 4103",
            "NON CONSEGNATO",
            "VALORE DI SVILUPPO, NON QUALIFICATO",
        ] {
            assert!(text.contains(fact), "{name}: {fact}\n{text}");
        }
    }
}

#[test]
fn every_page_bears_its_number_and_the_marks_it_may_not_lack() {
    if !found(&["pdftotext", "pdfinfo"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut pending = report(Kind::Duplicato, Language::It);
    pending.seal = Seal::Pending {
        expected: Some(sample::at(0)),
    };
    let path = written(
        folder.path(),
        "p.pdf",
        &relazione(&pending, Vec::new()).unwrap(),
    );
    let (_, text) = run(Command::new("pdftotext").arg("-layout").arg(&path).arg("-"));
    let pages: Vec<_> = text
        .split('\u{c}')
        .filter(|page| !page.trim().is_empty())
        .collect();
    assert!(pages.len() > 3);
    for (at, page) in pages.iter().enumerate() {
        for mark in [
            format!("pagina {} di {}", at + 1, pages.len()),
            "VALORE DI SVILUPPO, NON QUALIFICATO".to_owned(),
            "IL SIGILLO SEGUE".to_owned(),
        ] {
            assert!(page.contains(&mark), "{mark}\n{page}");
        }
    }
    let mut earnest = report(Kind::Duplicato, Language::It);
    earnest.development.clear();
    let path = written(
        folder.path(),
        "e.pdf",
        &relazione(&earnest, Vec::new()).unwrap(),
    );
    let text = words(&path);
    assert!(!text.contains("SVILUPPO") && !text.contains("SIGILLO"));
}

#[test]
fn every_check_stands_in_the_pages_with_its_outcome_and_data() {
    if !found(&["pdftotext"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, pdf) in both(Language::En) {
        let text = words(&written(folder.path(), name, &pdf));
        for id in ceralacca_pages::model::CheckId::ALL {
            assert!(
                text.contains(&format!(" {} ", id.number())),
                "{}",
                id.number()
            );
        }
        for fact in [
            "FAILED",
            "expected: 2026-03-12T10:04:09+01:00",
            "found: 2026-03-12T11:04:09+01:00",
            "only the other provider can answer",
            "Checks failed: 4.2",
        ] {
            assert!(text.contains(fact), "{name}: {fact}");
        }
    }
}

#[test]
fn each_document_says_what_legal_class_it_is_and_a_statement_imitates_no_receipt() {
    if !found(&["pdftotext"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [(_, relazione), (_, attestazione)] = both(Language::It);
    let text = words(&written(folder.path(), "r.pdf", &relazione));
    assert!(text.contains("duplicati informatici (CAD art. 1, c. 1, lett. i-quinquies)"));
    assert!(text.contains("non è una ricevuta né una copia"));
    let text = words(&written(folder.path(), "a.pdf", &attestazione));
    assert!(text.contains("dichiarazione del gestore sulle informazioni del log"));
    // The templates of the receipts (annex to DM 2 November 2005) begin and end so.
    for template in [
        "Ricevuta di accettazione Il giorno",
        "Ricevuta di avvenuta consegna Il giorno",
        "Identificativo messaggio:",
        "X-Ricevuta",
        "Il giorno 12/03/2026 alle ore",
    ] {
        assert!(!text.contains(template), "{template}");
    }
}

#[test]
fn a_detached_message_has_its_octets_unchanged() {
    if !found(&["pdfdetach", "qpdf"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [(_, pdf), _] = both(Language::It);
    let path = written(folder.path(), "r.pdf", &pdf);
    let out = folder.path().join("out.eml");
    let (ok, said) = run(Command::new("pdfdetach")
        .args(["-save", "1", "-o"])
        .arg(&out)
        .arg(&path));
    assert!(ok, "{said}");
    assert_eq!(std::fs::read(&out).unwrap(), EML);
    let (_, qdf) = run(Command::new("qpdf").arg("--qdf").arg(&path).arg("-"));
    assert!(qdf.contains("/AFRelationship /Source"));
}

#[test]
fn an_object_too_large_to_embed_is_named_by_its_digest_only() {
    let report = report(Kind::Duplicato, Language::It);
    let largest = relazione(&report, vec![eml(&vec![b'x'; EMBEDDED_BYTES_MAX])]).unwrap();
    let larger = relazione(&report, vec![eml(&vec![b'x'; EMBEDDED_BYTES_MAX + 1])]).unwrap();
    assert!(largest.len() > EMBEDDED_BYTES_MAX);
    assert!(larger.len() < 1_000_000);
}

#[test]
fn names_that_cannot_be_embedded_are_refused() {
    let report = report(Kind::Duplicato, Language::It);
    for name in ["", "a/b.eml", "a b.eml", "è.eml"] {
        let mut file = eml(EML);
        file.name = name.to_owned();
        assert!(relazione(&report, vec![file]).is_err(), "{name:?}");
    }
    assert!(relazione(&report, vec![eml(EML), eml(EML)]).is_err());
}

#[test]
fn the_report_is_read_back_as_it_was_written() {
    for kind in [Kind::Duplicato, Kind::Attestazione] {
        let report = report(kind, Language::It);
        let json = report.to_json().unwrap();
        assert_eq!(Report::from_json(&json).unwrap(), report);
    }
    assert!(Report::from_json(b"{}").is_err());
}

#[test]
fn each_check_that_fails_is_named_on_the_first_page() {
    if !found(&["pdftotext"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for &failing in CheckId::ALL {
        let mut report = report(Kind::Duplicato, Language::En);
        report.checks = Checks::answer(|id| {
            let (outcome, reason) = match id == failing {
                true => (Outcome::Failed, Reason::Mismatch),
                false => (Outcome::Passed, Reason::AsExpected),
            };
            let data = Vec::new();
            let leaf = None;
            vec![Check {
                leaf,
                outcome,
                reason,
                data,
            }]
        });
        let pdf = relazione(&report, Vec::new()).unwrap();
        let path = written(folder.path(), "f.pdf", &pdf);
        let (ok, text) = run(Command::new("pdftotext")
            .args(["-l", "1"])
            .arg(&path)
            .arg("-"));
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            ok && text.contains(&format!("Checks failed: {} ", failing.number())),
            "{text}"
        );
    }
}

#[test]
fn a_delivery_by_night_says_on_the_first_page_when_it_takes_effect() {
    if !found(&["pdftotext"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut report = report(Kind::Duplicato, Language::It);
    // Delivered at 23:04:09, hence at 07:00 of the day after.
    let delivered = &mut report.message.recipients[0];
    delivered.at = Some(sample::at(13 * 3_600_000 + 4_000));
    delivered.effective = Some(sample::at(75_355_000));
    let pdf = relazione(&report, Vec::new()).unwrap();
    let path = written(folder.path(), "notte.pdf", &pdf);
    let text = words(&path);
    let (first, _) = text.split_once("pagina 1 di").unwrap();
    let note = "effetto per il destinatario: 13/03/2026 07:00:00 (+01:00) (c.p.c. art. 147)";
    assert!(first.contains(note), "{first}");
}

#[test]
fn the_first_page_holds_the_whole_story_of_many_recipients_by_night_and_a_long_subject() {
    if !found(&["pdftotext"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut report = report(Kind::Duplicato, Language::It);
    report.message.subject = Some("Diffida ad adempiere, così com’è già stato detto ".repeat(6));
    let one = &mut report.message.recipients[0];
    one.effective = Some(sample::at(75_355_000));
    let one = one.clone();
    report.message.recipients = std::iter::repeat_n(one, 20).collect();
    let pdf = relazione(&report, Vec::new()).unwrap();
    let text = words(&written(folder.path(), "tanti.pdf", &pdf));
    let (first, _) = text.split_once("pagina 1 di").unwrap();
    for part in [
        "Destinatari: 20.",
        "Altri destinatari: 1",
        "Catena di custodia",
        "8. Catena di custodia",
        "Verifiche fallite: 4.2",
        "Che cosa non si è verificato",
        "Che cosa questo non prova",
        "Il codice dà origine",
    ] {
        assert!(first.contains(part), "{part}: {first}");
    }
}

#[test]
fn the_chain_of_time_and_the_state_of_the_signature_stand_in_the_pages() {
    if !found(&["pdftotext"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let report = report(Kind::Duplicato, Language::It);
    let path = written(
        folder.path(),
        "catena.pdf",
        &relazione(&report, vec![eml(EML)]).unwrap(),
    );
    // As it is drawn, so that what is broken over lines stands together.
    let (ok, text) = run(Command::new("pdftotext").arg(&path).arg("-"));
    assert!(ok, "{text}");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let interval = &report.intervals[0];
    let signature = report.records[0].signature.as_ref().unwrap();
    for fact in [
        interval.checkpoint.key.as_str(),
        interval.checkpoint.witnesses[0].key.as_str(),
        "rinnovo della marca temporale (SHA-256)",
        "TSU 7 di prova",
        "Motivi registrati: revocation-unknown",
        "Lo stesso giudizio si raggiunge oggi",
        signature.issuer.as_deref().unwrap(),
        "crl, foglia 39",
        "atteso: 2026-03-12T10:04:09+01:00",
    ] {
        assert!(text.contains(fact), "{fact}\n{text}");
    }
    assert_eq!(
        text.matches("anche allegato a questo PDF").count(),
        1,
        "{text}"
    );
}

#[test]
fn why_an_object_is_not_there_and_what_was_disposed_of_stand_in_the_pages() {
    if !found(&["pdftotext"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut report = report(Kind::Duplicato, Language::It);
    let start = report.intervals[0].start;
    for (record, object) in report.records.iter_mut().skip(1).zip([
        Object::Disposed,
        Object::Erased { leaf: 4711 },
        Object::Isolated,
    ]) {
        record.object = object;
    }
    let unit = |class: &str, certificate: Option<&str>| Disposed {
        interval: start,
        class: class.to_owned(),
        carried: 0,
        certificate: certificate.map(str::to_owned),
    };
    report.disposed = vec![
        unit("receipt", Some("proof/scarto/1773273600000-receipt.p7m")),
        unit("content", None),
    ];
    let json = report.to_json().unwrap();
    assert_eq!(Report::from_json(&json).unwrap(), report);
    for (language, facts) in [
        (
            Language::It,
            [
                "scartato alla scadenza del termine",
                "cancellato singolarmente, come dice la foglia 4711",
                "isolato e non consegnato",
                "Scarti",
                "proof/scarto/1773273600000-receipt.p7m",
                "a richiesta",
            ],
        ),
        (
            Language::En,
            [
                "disposed of at the end of its term",
                "erased singly, as leaf 4711 says",
                "isolated and not handed out",
                "Disposals",
                "proof/scarto/1773273600000-receipt.p7m",
                "on request",
            ],
        ),
    ] {
        report.language = language;
        let pdf = relazione(&report, Vec::new()).unwrap();
        let path = written(folder.path(), "scarti.pdf", &pdf);
        let (ok, text) = run(Command::new("pdftotext").arg(&path).arg("-"));
        assert!(ok, "{text}");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for fact in facts {
            assert!(text.contains(fact), "{fact}\n{text}");
        }
    }
    report.disposed.clear();
    let pdf = relazione(&report, Vec::new()).unwrap();
    let path = written(folder.path(), "senza.pdf", &pdf);
    assert!(!words(&path).contains("Disposals"), "no empty chapter");
}

#[test]
fn no_text_of_a_stranger_breaks_the_pages() {
    let every: String = (0..0x3000).filter_map(char::from_u32).collect();
    for text in [
        "",
        " ",
        "\u{0}",
        "\u{202e}\u{feff}\u{1f468}\u{200d}",
        &"a".repeat(20_000),
        &every,
    ] {
        for kind in [Kind::Duplicato, Kind::Attestazione] {
            let mut report = report(kind, Language::It);
            report.message.subject = Some(text.to_owned());
            report.message.from = Some(text.to_owned());
            report.message.recipients[0].address = text.to_owned();
            report.records[0].subject = Some(text.to_owned());
            report.records[0].event = Some(text.to_owned());
            report.provider = text.to_owned();
            report.request.act = text.to_owned();
            report.intervals[0].tokens[0].authority = text.to_owned();
            report.files[0].name = text.to_owned();
            let pdf = match kind {
                Kind::Duplicato => relazione(&report, Vec::new()),
                Kind::Attestazione => attestazione(&report, Vec::new()),
            };
            assert!(pdf.is_ok(), "{kind:?}: {:?}", pdf.err());
        }
    }
}

/// `CERALACCA_BLESS=1` writes it.
#[test]
fn the_report_vector_is_reproduced() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/report.json");
    let json = report(Kind::Duplicato, Language::It).to_json().unwrap();
    if std::env::var_os("CERALACCA_BLESS").is_some() {
        std::fs::write(&path, &json).unwrap();
    }
    assert_eq!(std::fs::read(path).unwrap(), json);
}

/// Writes the samples where somebody can look at them: `CERALACCA_PAGES=DIR`.
#[test]
fn samples_can_be_looked_at() {
    let Ok(folder) = std::env::var("CERALACCA_PAGES") else {
        return;
    };
    for (name, pdf) in both(Language::It) {
        written(Path::new(&folder), name, &pdf);
    }
    for (name, pdf) in both(Language::En) {
        written(Path::new(&folder), &format!("en-{name}"), &pdf);
    }
    let mut many = report(Kind::Duplicato, Language::It);
    let one = many.message.recipients[0].clone();
    many.message.recipients.extend(std::iter::repeat_n(one, 20));
    written(
        Path::new(&folder),
        "many.pdf",
        &relazione(&many, Vec::new()).unwrap(),
    );
}
