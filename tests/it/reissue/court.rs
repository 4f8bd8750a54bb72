//! What a court does with a package: opens it, reads it, checks it by other people's programs.

use super::*;
use crate::conformance::{PYTHON, are_there};
use crate::support::program::{out, status};
use ceralacca_evidence::asic::{Container, Files};
use std::io::Cursor;

fn run(folder: &Path, program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

#[track_caller]
fn good(output: &Output) -> String {
    let all = out(output) + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{all}");
    all
}

#[test]
fn a_sealed_package_is_verified_by_everybody_after_the_archive_is_gone() {
    let court = Court::new();
    let transaction = court.transaction();
    court.put_all(&transaction.messages);
    court.seal();
    let made = court.made(&of_transaction(&transaction));
    let folder = tempfile::tempdir().unwrap();
    court.hand_over(&made, folder.path());
    court.log.stop().unwrap();
    drop(court);
    let folder = folder.path();
    let output = verify(folder, &made.name);
    let text = out(&output);
    assert_eq!(status(&output), 0, "{text}");
    assert!(
        text.contains("\nVERIFICATO: ") && text.contains("\nVERIFIED: "),
        "{text}"
    );
    assert!(!text.contains("FAILED"), "{text}");
    let needed: [(&str, &[&str]); 6] = [
        ("openssl", &["version"]),
        ("unzip", &["-v"]),
        ("qpdf", &["--version"]),
        ("pdftotext", &["-v"]),
        ("sh", &["-c", "true"]),
        (PYTHON, &["-c", ""]),
    ];
    if !are_there(&needed) {
        return;
    }
    good(&run(folder, "unzip", &["-t", &made.name]));
    good(&run(folder, "unzip", &["-q", &made.name, "-d", "fuori"]));
    good(&run(folder, "qpdf", &["--check", "fuori/relazione.pdf"]));
    good(&run(
        folder,
        "pdftotext",
        &["-layout", "fuori/relazione.pdf", "testo.txt"],
    ));
    let pages = std::fs::read_to_string(folder.join("testo.txt")).unwrap();
    for fact in [
        transaction.identificativo.as_str(),
        "Notifica di prova",
        "Tribunale di Prova",
        "decreto 12/2026",
        "R.G. 345/2026",
    ] {
        assert!(pages.contains(fact), "{fact}\n{pages}");
    }
    let recipients = made.report.message.recipients.iter();
    for recipient in recipients {
        assert!(pages.contains(&recipient.address), "{}", recipient.address);
    }
    // The very lines of the text, one after the other, stopping at the first that fails.
    good(&run(folder, "sh", &["-e", "fuori/LEGGIMI.txt"]));
    // The same files in a folder.
    let output = verify(folder, "fuori");
    assert_eq!(status(&output), 0, "{}", out(&output));
}

/// In a namespace that has no network, not even a loopback that is up: nothing is asked of anybody.
#[test]
fn verify_needs_no_network() {
    if !are_there(&[("unshare", &["-rn", "true"])]) {
        return;
    }
    let court = Court::new();
    let transaction = court.transaction();
    court.put_all(&transaction.messages);
    court.seal();
    let made = court.made(&of_transaction(&transaction));
    let folder = tempfile::tempdir().unwrap();
    court.hand_over(&made, folder.path());
    let program = env!("CARGO_BIN_EXE_ceralacca");
    let anchors = ["--key", "log.vkey", "--roots", "roots.pem", "--mail-roots"];
    let rest = ["roots.pem", "--at", "2026-01-01T00:00:00Z"];
    let alone = ["-rn", program, "verify", &made.name];
    let output = run(
        folder.path(),
        "unshare",
        &[&alone[..], &anchors, &rest].concat(),
    );
    assert_eq!(status(&output), 0, "{output:?}");
    let reaching = "exec 3<>/dev/tcp/127.0.0.1/1 || exit 7";
    let output = run(folder.path(), "unshare", &["-rn", "bash", "-c", reaching]);
    assert_eq!(status(&output), 7, "the namespace has none: {output:?}");
}

/// The code as a camera has it: drawn by poppler, read by a program that knows nothing of us.
#[test]
fn the_code_of_the_first_page_says_checkpoint_and_leaf_of_the_package() {
    if !are_there(&[("pdftoppm", &["-v"]), (PYTHON, &["-c", ""])]) {
        return;
    }
    let court = Court::new();
    let transaction = court.transaction();
    court.put_all(&transaction.messages);
    court.seal();
    let made = court.made(&of_transaction(&transaction));
    let mut container = Container::open(Cursor::new(&made.octets)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let pages = container.read("relazione.pdf", 1 << 24).unwrap();
    std::fs::write(folder.path().join("r.pdf"), pages).unwrap();
    let drawn = [
        "-gray",
        "-r",
        "300",
        "-f",
        "1",
        "-singlefile",
        "r.pdf",
        "pagina",
    ];
    good(&run(folder.path(), "pdftoppm", &drawn));
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/read_qr.py");
    let program = program.display().to_string();
    let said = run(folder.path(), PYTHON, &[&program, "pagina.pgm"]);
    let said = good(&said);
    let lines: Vec<&str> = said.lines().collect();
    let names = container.names().into_iter();
    let note = { names }
        .find(|name| name.ends_with("/checkpoint"))
        .unwrap();
    let note = String::from_utf8(container.read(&note, 1 << 16).unwrap()).unwrap();
    let note: Vec<&str> = note.lines().collect();
    // A checkpoint has its root in base64 (C2SP), the code in hexadecimal.
    use base64::Engine as _;
    let root = base64::engine::general_purpose::STANDARD.decode(note[2]);
    let leaf = container.read("proof/001.leaf.bin", 64).unwrap();
    let hash = ceralacca_formats::tree::LeafHash::of(&leaf);
    let index = made.report.records[0].leaf.to_string();
    let (root, hash) = (hex::encode(root.unwrap()), hash.to_string());
    assert_eq!(
        lines,
        ["ceralacca/1", note[0], note[1], &root, &index, &hash]
    );
    // Some modules beside its lowest finder pattern, the lowest dark square of the page, turned white.
    let path = folder.path().join("pagina.pgm");
    let mut octets = std::fs::read(&path).unwrap();
    let head = String::from_utf8_lossy(&octets[..20]).into_owned();
    let mut sizes = head.split_whitespace().skip(1);
    let mut size = || sizes.next().unwrap().parse::<usize>().unwrap();
    let (width, height) = (size(), size());
    let head = octets.len() - width * height;
    let place = |row: usize, column: usize| head + row * width + column;
    let is_dark = |row: usize, column: usize| octets[place(row, column)] < 64;
    let square = |row: usize, column: usize| {
        (0..16).all(|down| (0..16).all(|right| is_dark(row + down, column + right)))
    };
    let rows = (0..height - 16).rev();
    let mut squares = rows.flat_map(|row| (0..width - 200).map(move |column| (row, column)));
    let (row, column) = squares.find(|(row, column)| square(*row, *column)).unwrap();
    for down in 0..16 {
        let at = place(row - down, column + 80);
        octets[at..at + 60].fill(255);
    }
    std::fs::write(&path, octets).unwrap();
    let twin = run(folder.path(), PYTHON, &[&program, "pagina.pgm"]);
    assert!(!twin.status.success(), "a damaged twin");
}

#[test]
fn objects_are_given_again_bit_by_bit_with_bare_line_feeds_too() {
    let court = Court::new();
    let transaction = court.transaction();
    let messages = transaction.messages.iter();
    let sent: Vec<Vec<u8>> = messages.map(Message::as_lf).collect();
    for bytes in &sent {
        court.put(bytes);
    }
    court.seal();
    let made = court.made(&of_transaction(&transaction));
    let mut container = Container::open(Cursor::new(&made.octets)).unwrap();
    let names = container.names();
    let objects: Vec<&String> = names.iter().filter(|name| name.ends_with(".eml")).collect();
    assert_eq!(objects.len(), sent.len());
    for (name, bytes) in objects.into_iter().zip(&sent) {
        assert_eq!(&container.read(name, 1 << 24).unwrap(), bytes, "{name}");
    }
    let folder = tempfile::tempdir().unwrap();
    court.hand_over(&made, folder.path());
    let output = verify(folder.path(), &made.name);
    assert_eq!(status(&output), 0, "{}", out(&output));
}

#[test]
fn a_package_of_an_open_interval_says_that_the_seal_is_to_follow() {
    let court = Court::new();
    let transaction = court.transaction();
    court.put_all(&transaction.messages);
    let mut asked = of_transaction(&transaction);
    let made = court.made(&asked);
    let folder = tempfile::tempdir().unwrap();
    court.hand_over(&made, folder.path());
    let output = verify(folder.path(), &made.name);
    assert_eq!(status(&output), 0, "{}", out(&output));
    assert!(out(&output).contains("the seal is to follow"));
    asked.sealed_only = true;
    let refused = court.prepared(&asked, Standing::Role(Role::Provider));
    assert!(matches!(refused, Err(ReissueError::NotSealed { .. })));
    court.seal();
    assert!(court.made(&asked).report.seal == ceralacca_pages::model::Seal::Sealed);
}

#[test]
fn without_anchors_nothing_is_said_to_be_verified() {
    let court = Court::new();
    let transaction = court.transaction();
    court.put_all(&transaction.messages);
    court.seal();
    let made = court.made(&of_transaction(&transaction));
    let folder = tempfile::tempdir().unwrap();
    court.hand_over(&made, folder.path());
    let output = verify_with(folder.path(), &made.name, &[]);
    let text = out(&output);
    assert_eq!(status(&output), 1);
    assert!(
        text.contains("not checked") && !text.contains("FAILED"),
        "{text}"
    );
    assert!(text.contains("NON VERIFICATO: mancano le radici"), "{text}");
    // A root that is another's is no root of this package.
    let other = Sealing::new(&court.test.clock, true);
    std::fs::write(folder.path().join("altra.pem"), other.root_pem()).unwrap();
    let arguments = ["--key", "log.vkey", "--roots", "altra.pem"];
    let output = verify_with(folder.path(), &made.name, &arguments);
    assert_eq!(status(&output), 1);
    assert!(out(&output).contains("FAILED"));
    let json = verify_with(folder.path(), &made.name, &["--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["verified"], false);
    assert_eq!(json["failed"], 0);
}

/// Twenty recipients, a long subject with accents, a message that was not delivered, an English report: each makes its
/// pages, which somebody can look at with `CERALACCA_PAGES=DIR`.
#[test]
fn packages_of_every_story_have_pages_that_poppler_reads() {
    use ceralacca_synthetic::mail::Story;
    const SUBJECT: &str = "Notificazione ai sensi della legge n. 53 del 1994 – perché sia più chiaro: \
        ricorso, relata e procura «città di Forlì», così com’è già stato comunicato a suo tempo";
    let court = Court::new();
    let stories = [
        (Story::Delivered, 20, Language::It),
        (Story::Undeliverable, 2, Language::It),
        (Story::Silent, 1, Language::En),
        (Story::Refused, 1, Language::It),
    ];
    let mut asked = Vec::new();
    for (seed, (story, recipients, language)) in (40..).zip(stories) {
        let mut plan = court.postal.plan(seed);
        plan.at_ms = court.postal.start_ms();
        plan.recipients = recipients;
        plan.story = story;
        plan.subject = Some(Some(SUBJECT.to_owned()));
        let transaction = court.postal.carry_out(seed, &plan);
        court.put_all(&transaction.messages);
        asked.push(Wanted {
            language,
            ..of_transaction(&transaction)
        });
    }
    court.seal();
    let folder = tempfile::tempdir().unwrap();
    if !are_there(&[("pdftotext", &["-v"]), ("qpdf", &["--version"])]) {
        return;
    }
    for (number, asked) in asked.iter().enumerate() {
        let made = court.made(asked);
        let mut container = Container::open(Cursor::new(&made.octets)).unwrap();
        let pdf = container.read("relazione.pdf", 1 << 24).unwrap();
        let name = format!("storia-{number}.pdf");
        std::fs::write(folder.path().join(&name), &pdf).unwrap();
        if let Ok(to) = std::env::var("CERALACCA_PAGES") {
            std::fs::write(Path::new(&to).join(&name), &pdf).unwrap();
        }
        good(&run(folder.path(), "qpdf", &["--check", &name]));
        good(&run(folder.path(), "pdftotext", &[&name, "testo.txt"]));
        let text = std::fs::read_to_string(folder.path().join("testo.txt")).unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(SUBJECT), "{text}");
        for recipient in &made.report.message.recipients {
            let address = recipient.address.as_str();
            // A long one is broken over lines in a table, and stands whole among the records.
            assert!(text.contains(address), "{address}");
        }
        let first = ["-f", "1", "-l", "1", &name, "prima.txt"];
        good(&run(folder.path(), "pdftotext", &first));
        let first = std::fs::read_to_string(folder.path().join("prima.txt")).unwrap();
        let last = match asked.language {
            Language::It => ["Che cosa questo non prova", "8. Catena di custodia"],
            Language::En => ["What this does not prove", "8. Chain of custody"],
        };
        for words in last {
            assert!(first.contains(words), "{name}: {first}");
        }
        let mut twin = pdf.clone();
        twin.truncate(pdf.len() - 400);
        std::fs::write(folder.path().join("cut.pdf"), twin).unwrap();
        let output = run(folder.path(), "qpdf", &["--check", "cut.pdf"]);
        assert!(!output.status.success());
    }
}
