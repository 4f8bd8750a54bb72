//! The commands that are clients of a served archive: the shipped program on both sides, on loopback.

use crate::support::START_MS;
use crate::support::program::{cannot, out, status};
use crate::support::tls::{Authority, Installation, Served};
use ceralacca_formats::digest::{Blake3, ContentDigest, Sha256};
use ceralacca_formats::leaf::{Leaf, Opening};
use ceralacca_formats::proof::{ProvenMetadata, ProvenRecord};
use ceralacca_synthetic::mail::{Family, Message, MessageKind, PkiOptions, Postal};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

const LOG: &str = "gestore-1";
const ACKNOWLEDGEMENTS: &str = "ceralacca-import.jsonl";

/// A served archive in plain text, and a folder to be its client in.
struct Client {
    served: Served,
    folder: tempfile::TempDir,
}

impl Client {
    fn new() -> Self {
        Self::with_limits("")
    }

    fn with_limits(limits: &str) -> Self {
        Self {
            served: Installation::plain(&[LOG], limits).serve(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.served.command(self.folder.path(), arguments)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs well, and gives standard output.
    fn good(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(status(&output), 0, "{arguments:?}: {output:?}");
        out(&output)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file and the folders above it.
    fn file(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Imports well; the report.
    fn import(&self, arguments: &[&str]) -> Value {
        let output = self.good(&[&["import", "--json"], arguments].concat());
        serde_json::from_str(&output).unwrap()
    }

    /// Records found, and the line of tokens.
    fn search(&self, arguments: &[&str]) -> (Vec<Value>, Value) {
        let output = self.good(&[&["search", "--json"], arguments].concat());
        let mut lines = json_lines(&output);
        let tokens = lines.pop().unwrap();
        (lines, tokens)
    }

    fn key(&self) -> String {
        self.served.installation.verifier(LOG).to_string()
    }

    /// Lines of messages in a file of acknowledgements.
    fn acknowledged(&self, file: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path(file)).unwrap();
        let lines = json_lines(&text).into_iter();
        lines.filter(|line| line["path"].is_string()).collect()
    }
}

fn json_lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// One message of every type.
fn every_type() -> &'static [Message] {
    static MESSAGES: OnceLock<Vec<Message>> = OnceLock::new();
    MESSAGES.get_or_init(|| {
        let postal = Postal::new(&PkiOptions::default(), START_MS as i64).unwrap();
        postal.one_of_each_type(Family::A)
    })
}

fn delivery() -> &'static Message {
    let mut messages = every_type().iter();
    messages
        .find(|message| message.kind() == MessageKind::DeliveryComplete)
        .unwrap()
}

/// The value of a header field that stands on one line.
fn header(bytes: &[u8], name: &str) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().trim().to_owned()
}

/// Ordinary mail.
fn mail(number: usize, body: &str) -> Vec<u8> {
    format!(
        "From: anna.bianchi@casella.example\r\nTo: ufficio@comune.test\r\n\
         Message-ID: <{number}@casella.example>\r\nSubject: Prova {number}\r\n\r\n{body}\r\n"
    )
    .into_bytes()
}

/// Ordinary mail of so many bytes at least.
fn long_mail(number: usize, bytes: usize) -> Vec<u8> {
    let line = "una riga di testo che si ripete molte volte, e poi ancora\r\n";
    mail(number, &line.repeat(bytes / line.len() + 1))
}

#[test]
fn a_folder_is_imported_once_and_every_acknowledgement_holds() {
    let mut client = Client::new();
    for (number, message) in every_type().iter().enumerate() {
        let folder = if number % 2 == 0 {
            "posta"
        } else {
            "posta/altra"
        };
        client.file(&format!("{folder}/{number}.eml"), &message.bytes);
    }
    client.file("posta/ordinaria.eml", &mail(1, "Buongiorno."));
    client.file("posta/vuota.eml", b"");
    client.file("posta/.nascosta", b"questa non e' posta\n");
    std::os::unix::fs::symlink("0.eml", client.path("posta/link.eml")).unwrap();
    let count = every_type().len() as u64 + 3;
    let key = client.key();
    let report = client.import(&["--key", &key, "posta"]);
    assert_eq!(
        (&report["archived"], &report["repeated"], &report["skipped"]),
        (&count.into(), &0.into(), &0.into()),
        "{report}"
    );
    assert_eq!(
        report["unclassified"],
        serde_json::json!({ "empty": 1, "not-mail": 1 })
    );
    assert_eq!(report["ignored"], 1, "the link");
    let lines = client.acknowledged(ACKNOWLEDGEMENTS);
    assert_eq!(lines.len() as u64, count);
    let mut indexes = BTreeSet::new();
    for line in &lines {
        check_line(&client, line, &mut indexes);
    }
    // In the order of their names, the folder's own level by level.
    assert!(lines[0]["path"] == "posta/.nascosta", "{}", lines[0]);

    let again = client.import(&["posta"]);
    assert_eq!(
        (&again["skipped"], &again["archived"], &again["repeated"]),
        (&count.into(), &0.into(), &0.into())
    );
    // Without the file the archive recognises what it has.
    let third = client.import(&["--acknowledgements", "altro.jsonl", "posta"]);
    assert_eq!(
        (&third["repeated"], &third["archived"], &third["skipped"]),
        (&count.into(), &0.into(), &0.into())
    );
    let text = client.good(&["import", "posta"]);
    assert!(text.contains("skipped, acknowledged in the file already"));
    let report = client.served.stop_and_check();
    // The writer's epoch, and what the lines speak of: nothing twice.
    assert_eq!(report.leaves, 1 + indexes.len() as u64);
}

/// A line is of the file's bytes, and its leaves commit to them.
fn check_line(client: &Client, line: &Value, indexes: &mut BTreeSet<u64>) {
    let bytes = std::fs::read(client.path(line["path"].as_str().unwrap())).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    assert_eq!(text(&line["sha256"]), Sha256::of(&bytes).to_string());
    let records = line["records"].as_array().unwrap();
    for (number, record) in records.iter().enumerate() {
        let digest = |name: &str| text(&record[name]);
        let bytes32 = |name: &str| <[u8; 32]>::try_from(hex(&digest(name))).unwrap();
        let proven = ProvenRecord {
            leaf: Leaf::from_bytes(&hex(&digest("leaf"))).unwrap(),
            opening: Opening::from_bytes(bytes32("opening")),
            content: ContentDigest {
                bytes: record["content_bytes"].as_u64().unwrap(),
                sha256: Sha256::from_bytes(bytes32("content_sha256")),
                blake3: Blake3::from_bytes(bytes32("content_blake3")),
            },
            metadata: ProvenMetadata::Digest(Sha256::from_bytes(bytes32("metadata_sha256"))),
        };
        assert!(proven.is_committed());
        let of = if number == 0 { &bytes[..] } else { b"" };
        assert_eq!(proven.content, ContentDigest::of(of));
        assert_eq!(record["index"], proven.leaf.seq.get());
        assert!(indexes.insert(proven.leaf.seq.get()));
    }
    let id = format!("pec.example.test/log/{}", records[0]["index"]);
    assert_eq!(text(&line["id"]), id);
}

fn hex(text: &str) -> Vec<u8> {
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    text.as_bytes().chunks(2).map(byte).collect()
}

#[test]
fn a_maildir_gives_what_was_delivered_and_nothing_else() {
    let client = Client::new();
    for folder in ["casella", "casella/.Inviata", "casella/.Inviata/vuota"] {
        for part in ["cur", "new", "tmp"] {
            std::fs::create_dir_all(client.path(folder).join(part)).unwrap();
        }
    }
    client.file("casella/cur/1.a:2,S", &mail(1, "uno"));
    client.file("casella/new/2.b", &mail(2, "due"));
    client.file("casella/.Inviata/cur/3.c:2,", &mail(3, "tre"));
    // One message, whatever its first line.
    let from = [b"From chi lo sa\n\nFrom x\n".to_vec(), mail(4, "quattro")].concat();
    client.file("casella/cur/4.d:2,S", &from);
    client.file("casella/tmp/5.e", &mail(5, "non ancora"));
    client.file("casella/dovecot.index", b"indice");
    client.file("casella/sieve/regole", b"require");
    let report = client.import(&["casella"]);
    assert_eq!(
        (&report["archived"], &report["ignored"]),
        (&4.into(), &1.into())
    );
    let lines = client.acknowledged(ACKNOWLEDGEMENTS);
    let paths: Vec<&str> = lines
        .iter()
        .map(|line| line["path"].as_str().unwrap())
        .collect();
    assert_eq!(
        paths,
        [
            "casella/.Inviata/cur/3.c:2,",
            "casella/cur/1.a:2,S",
            "casella/cur/4.d:2,S",
            "casella/new/2.b",
        ]
    );
    assert_eq!(lines[2]["bytes"], from.len() as u64);
}

#[test]
fn an_mbox_gives_its_messages_as_they_were_before_quoting() {
    let client = Client::new();
    let first = mail(1, "uno\r\nFrom qui in poi\r\n>From citato");
    // Too long for a batch: it is read a second time, from its place.
    let second = long_mail(2, 1_500_000);
    let third = delivery().bytes.clone();
    let mut mbox = Vec::new();
    for message in [&first, &second, &third] {
        mbox.extend_from_slice(b"From somebody@casella.example Fri Nov 21 10:00:00 2025\n");
        for line in message.split_inclusive(|byte| *byte == b'\n') {
            let marks = line.iter().take_while(|byte| **byte == b'>').count();
            if line[marks..].starts_with(b"From ") {
                mbox.push(b'>');
            }
            mbox.extend_from_slice(line);
        }
        mbox.push(b'\n');
    }
    client.file("archivio", &mbox);
    let report = client.import(&["archivio"]);
    assert_eq!(report["archived"], 3, "{report}");
    let mut lines = client.acknowledged(ACKNOWLEDGEMENTS);
    // A large message may be answered before the batch it stood beside.
    lines.sort_by_key(|line| line["offset"].as_u64());
    for (line, message) in lines.iter().zip([first, second, third]) {
        let offset = line["offset"].as_u64().unwrap() as usize;
        assert!(mbox[offset..].starts_with(b"From somebody"));
        let index = line["records"][0]["index"].to_string();
        let dir = format!("dup-{index}");
        client.good(&["reissue", "--index", &index, "--dir", &dir]);
        let given = std::fs::read(client.path(&dir).join("duplicato.eml")).unwrap();
        assert!(given == message, "message at {offset}");
    }
    let again = client.import(&["archivio"]);
    assert_eq!(
        (&again["skipped"], &again["archived"]),
        (&3.into(), &0.into())
    );
}

#[test]
fn an_import_goes_on_where_it_was() {
    let client = Client::new();
    for number in 0..20 {
        client.file(&format!("posta/{number:02}.eml"), &mail(number, "testo"));
    }
    client.import(&["posta"]);
    let whole = std::fs::read_to_string(client.path(ACKNOWLEDGEMENTS)).unwrap();
    // Eight lines, and the ninth cut in the middle.
    let lines: Vec<&str> = whole.lines().collect();
    let cut = lines[..8].join("\n") + "\n" + &lines[8][..lines[8].len() / 2];
    std::fs::write(client.path(ACKNOWLEDGEMENTS), cut).unwrap();
    // One file has other bytes of the same length now, one another name.
    client.file("posta/03.eml", &mail(3, "tesTO"));
    std::fs::rename(client.path("posta/04.eml"), client.path("posta/99.eml")).unwrap();
    let report = client.import(&["posta"]);
    assert_eq!(
        (&report["skipped"], &report["repeated"], &report["archived"]),
        (&6.into(), &13.into(), &1.into()),
        "{report}"
    );
    assert_eq!(client.acknowledged(ACKNOWLEDGEMENTS).len(), 8 + 14);
    assert_eq!(client.import(&["posta"])["skipped"], 20);
}

#[test]
fn an_import_that_is_killed_records_nothing_twice() {
    let mut client = Client::new();
    const COUNT: usize = 3000;
    for number in 0..COUNT {
        client.file(&format!("posta/{number:04}.eml"), &mail(number, "testo"));
    }
    let mut child = start(&client, &["import", "posta"]);
    wait_for_lines(&client, 200);
    child.kill().unwrap();
    child.wait().unwrap();
    let before = client.acknowledged_whole();
    let report = client.import(&["posta"]);
    let number = |name: &str| report[name].as_u64().unwrap() as usize;
    assert_eq!(number("skipped"), before, "{report}");
    assert_eq!(
        number("skipped") + number("repeated") + number("archived"),
        COUNT
    );
    assert_eq!(client.acknowledged(ACKNOWLEDGEMENTS).len(), COUNT);
    let report = client.served.stop_and_check();
    assert_eq!(report.leaves, 1 + COUNT as u64);
}

impl Client {
    /// Whole lines of messages; the last one may be cut.
    fn acknowledged_whole(&self) -> usize {
        let text = std::fs::read_to_string(self.path(ACKNOWLEDGEMENTS)).unwrap_or_default();
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let lines = text[..whole].lines();
        lines.filter(|line| line.starts_with("{\"path\"")).count()
    }
}

fn start(client: &Client, arguments: &[&str]) -> Child {
    let mut command = client.command(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Something has happened, and not everything.
fn wait_for_lines(client: &Client, lines: usize) {
    for _ in 0..20_000 {
        if client.acknowledged_whole() >= lines {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("no {lines} acknowledgements in twenty seconds");
}

/// The service of a client once more, under its address, in the hands of the test.
struct Again(Child);

impl Again {
    fn serve(client: &Client) -> Self {
        let installation = &client.served.installation;
        let tables = format!("[development]\nplain_text = true\n[[log]]\nid = \"{LOG}\"\n");
        installation.configure(&client.served.address, &tables);
        let mut service = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
        service.args(["serve", "--config"]);
        service.arg(installation.path("c.toml"));
        service.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut service = Self(service.spawn().unwrap());
        let mut line = String::new();
        let out = service.0.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        assert!(line.starts_with("listening on "), "{line:?}");
        service
    }
}

impl Drop for Again {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_service_that_dies_and_comes_back_interrupts_no_import() {
    let mut client = Client::new();
    client.served.stop();
    const COUNT: usize = 3000;
    for number in 0..COUNT {
        client.file(&format!("posta/{number:04}.eml"), &mail(number, "testo"));
    }
    client.file("posta/lunga.eml", &long_mail(COUNT, 20_000_000));
    let service = Again::serve(&client);
    let child = start(&client, &["import", "--json", "posta"]);
    wait_for_lines(&client, 200);
    drop(service);
    let before = client.acknowledged_whole();
    assert!(before < COUNT, "it was over before the service died");
    let service = Again::serve(&client);
    let output = child.wait_with_output().unwrap();
    assert_eq!(status(&output), 0, "{output:?}");
    let report: Value = serde_json::from_str(&out(&output)).unwrap();
    let number = |name: &str| report[name].as_u64().unwrap() as usize;
    assert_eq!(
        number("repeated") + number("archived"),
        COUNT + 1,
        "{report}"
    );
    let lines = client.acknowledged(ACKNOWLEDGEMENTS);
    let ids: BTreeSet<String> = lines.iter().map(|line| line["id"].to_string()).collect();
    assert_eq!(ids.len(), COUNT + 1, "a leaf for each, and none for two");
    drop(service);
}

#[test]
fn a_service_that_stays_away_ends_the_import_and_it_can_go_on() {
    let mut client = Client::new();
    client.served.stop();
    const COUNT: usize = 3000;
    for number in 0..COUNT {
        client.file(&format!("posta/{number:04}.eml"), &mail(number, "testo"));
    }
    let service = Again::serve(&client);
    let child = start(&client, &["import", "posta", "--retries", "1"]);
    wait_for_lines(&client, 200);
    drop(service);
    let output = child.wait_with_output().unwrap();
    cannot(&output, "acknowledgements, run again to go on: ");
    let before = client.acknowledged_whole();
    let nobody = client.run(&["import", "posta"]);
    cannot(&nobody, "connect to http://127.0.0.1:");
    let service = Again::serve(&client);
    let report = client.import(&["posta"]);
    assert_eq!(report["skipped"], before);
    assert_eq!(client.acknowledged(ACKNOWLEDGEMENTS).len(), COUNT);
    drop(service);
}

#[test]
fn what_is_refused_is_named_and_stops_nothing() {
    let client = Client::with_limits("object_bytes_max = 100000");
    client.file("posta/1.eml", &mail(1, "uno"));
    client.file("posta/2-lunga.eml", &long_mail(2, 200_000));
    client.file("posta/3-lunghissima.eml", &long_mail(3, 3_000_000));
    client.file("posta/4.eml", &mail(4, "quattro"));
    let output = client.run(&["import", "--json", "posta"]);
    assert_eq!(status(&output), 1, "{output:?}");
    let report: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(report["archived"], 2);
    assert_eq!(report["refused"], serde_json::json!({ "TOO_LARGE": 2 }));
    let said = String::from_utf8(output.stderr).unwrap();
    let mut said: Vec<&str> = said.lines().collect();
    said.sort_unstable();
    assert!(
        said[0].starts_with("refused: posta/2-lunga.eml: TOO_LARGE: "),
        "{said:?}"
    );
    assert!(
        said[1].starts_with("refused: posta/3-lunghissima.eml: TOO_LARGE: "),
        "{said:?}"
    );
    assert_eq!(said.len(), 2);
    let text = client.run(&["import", "posta"]);
    assert_eq!(status(&text), 1);
    assert!(out(&text).contains("2  REFUSED"), "{text:?}");
}

#[test]
fn what_cannot_be_read_is_named_and_stops_nothing() {
    let client = Client::new();
    client.file("1.eml", &mail(1, "uno"));
    // A file that fails when it is read, whoever reads it.
    let output = client.run(&["import", "--json", "/proc/self/mem", "1.eml"]);
    assert_eq!(status(&output), 1, "{output:?}");
    let report: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(
        (&report["archived"], &report["unreadable"]),
        (&1.into(), &1.into())
    );
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("not read: /proc/self/mem: "), "{said}");
    cannot(
        &client.run(&["import", "assente.eml"]),
        "assente.eml: No such file",
    );
    std::os::unix::fs::symlink("1.eml", client.path("link.eml")).unwrap();
    cannot(
        &client.run(&["import", "link.eml"]),
        "links are not followed",
    );
    cannot(&client.run(&["import"]), "<PATH>");
}

#[test]
fn a_file_that_is_not_of_acknowledgements_of_this_log_is_not_touched() {
    let client = Client::new();
    client.file("1.eml", &mail(1, "uno"));
    for other in [
        "una lettera\n",
        "una lettera",
        "{\"a\":1}\n",
        "{\"path\":\"1.eml\",\"bytes\":1,\"id\":\"pec.example.test/other/7\"}\n",
    ] {
        client.file("altro", other.as_bytes());
        let output = client.run(&["import", "--acknowledgements", "altro", "1.eml"]);
        cannot(&output, "line 1 is ");
        assert_eq!(
            std::fs::read_to_string(client.path("altro")).unwrap(),
            other
        );
    }
    std::fs::create_dir(client.path("cartella")).unwrap();
    let output = client.run(&["import", "--acknowledgements", "cartella", "1.eml"]);
    cannot(&output, "acknowledgements cartella");
    // Nor is it imported when it lies among the mail; and one import has it at a time.
    let report = client.import(&["."]);
    assert_eq!(
        (&report["archived"], &report["ignored"]),
        (&2.into(), &1.into())
    );
    let held = std::fs::File::open(client.path(ACKNOWLEDGEMENTS)).unwrap();
    held.try_lock().unwrap();
    cannot(&client.run(&["import", "."]), "in use by another import");
}

#[test]
fn every_field_finds_and_pages_lead_both_ways() {
    let client = Client::new();
    for (number, message) in every_type().iter().enumerate() {
        client.file(&format!("posta/{number:02}.eml"), &message.bytes);
    }
    for number in 0..7 {
        client.file(&format!("posta/m{number}.eml"), &mail(number, "testo"));
    }
    client.import(&["posta"]);
    let facts = delivery().facts().unwrap();
    let own = header(&delivery().bytes, "Message-ID:");
    let msgid = facts.msgid.clone().unwrap();
    let bare = own.trim_matches(['<', '>']);
    let upper = facts.sender.to_uppercase();
    let recipient = &facts.recipients[0].address;
    for (flag, value) in [
        ("--identificativo", facts.identificativo.as_str()),
        ("--msgid", &msgid),
        ("--message-id", &own),
        ("--message-id", bare),
        ("--sender", &upper),
        ("--recipient", recipient),
        ("--event", facts.event),
    ] {
        let (found, _) = client.search(&[flag, value]);
        let identificativo = |record: &Value| {
            let found = record["metadata"]["identificativo"].as_str();
            found == Some(facts.identificativo.as_str())
        };
        assert!(
            found.iter().any(identificativo),
            "{flag} {value}: {found:?}"
        );
        if flag == "--message-id" {
            assert_eq!(found.len(), 1);
            assert_eq!(found[0]["kind"], "trace");
            assert!(found[0]["companion"].is_u64());
        }
        assert!(
            client
                .search(&[flag, "nessuno@altrove.example"])
                .0
                .is_empty()
        );
    }
    // Times: of the event, to the millisecond; and of the recording.
    let at = |ms: i64| {
        let date = chrono::DateTime::from_timestamp_millis(ms).unwrap();
        date.to_rfc3339()
    };
    let (from, until) = (at(facts.at_ms), at(facts.at_ms + 1));
    let with_id = ["--identificativo", &facts.identificativo];
    let found = |more: &[&str]| client.search(&[&with_id, more].concat()).0.len();
    let all = found(&[]);
    let of_the_instant = found(&["--from", &from, "--until", &until]);
    assert!(of_the_instant >= 1 && of_the_instant <= all);
    assert!(found(&["--from", &until]) < all);
    assert_eq!(found(&["--until", "1990-01-01"]), 0);
    assert_eq!(
        found(&["--from", "1990-01-01", "--recorded-from", "2020-01-01"]),
        all
    );
    assert_eq!(found(&["--recorded-until", "2020-01-01"]), 0);
    cannot(
        &client.run(&["search", "--from", "2025-01-02", "--until", "2025-01-01"]),
        "ends before it begins",
    );
    cannot(
        &client.run(&["search", "--from", "ieri"]),
        "neither an instant",
    );
    // Ordinary mail is found by its own Message-ID.
    let (found, _) = client.search(&["--message-id", "3@casella.example"]);
    assert_eq!((found.len(), &found[0]["kind"]), (1, &"message".into()));

    pages(&client);
    table(&client);
}

/// Pages forward and back give what one page gives.
fn pages(client: &Client) {
    let indexes = |records: &[Value]| -> Vec<u64> {
        let indexes = records.iter().map(|record| record["index"].as_u64());
        indexes.map(Option::unwrap).collect()
    };
    let common = ["--oldest-first", "--until", "2100-01-01"];
    let (all, tokens) = client.search(&common);
    let all = indexes(&all);
    assert!(all.len() > 6 && all.is_sorted(), "{all:?}");
    assert!(tokens["next_page_token"].is_null() && tokens["previous_page_token"].is_null());
    let page = |token: &Value| {
        let token = token.as_str().unwrap_or("");
        let more = ["--limit", "3", "--page-token", token];
        let (records, tokens) = client.search(&[&common[..], &more].concat());
        (indexes(&records), tokens)
    };
    let (first, one) = page(&Value::Null);
    let (second, two) = page(&one["next_page_token"]);
    assert_eq!([&first[..], &second].concat(), all[..6]);
    let (back, zero) = page(&two["previous_page_token"]);
    assert_eq!(back, first);
    assert_eq!(page(&zero["next_page_token"]).0, second);
    let mut newest = client.search(&["--until", "2100-01-01"]).0;
    newest.reverse();
    assert_eq!(indexes(&newest), all);
    // A token is of its search alone.
    let token = one["next_page_token"].as_str().unwrap();
    let output = client.run(&["search", "--oldest-first", "--page-token", token]);
    cannot(
        &output,
        "PAGE_TOKEN: page_token: not a token of this search",
    );
}

/// What people read fits a terminal, and shows no control characters.
fn table(client: &Client) {
    let hostile =
        b"From: a@casella.example\r\nMessage-ID: <x\x1b[2J\xc2\x9b@casella.example>\r\n\r\n";
    client.file("ostile.eml", hostile);
    client.import(&["ostile.eml"]);
    let text = client.good(&["search", "--limit", "2000"]);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{9b}'));
    let facts = delivery().facts().unwrap();
    assert!(
        text.contains(&facts.identificativo) && text.contains(" → "),
        "{text}"
    );
    assert!(text.contains("+01:00"), "{text}");
    let columns = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(columns <= 100, "{columns} columns\n{text}");
    let json = client.good(&["search", "--json", "--limit", "2000"]);
    assert!(!json.contains('\u{1b}') && !json.contains('\u{9b}'));
    let limited = client.good(&["search", "--limit", "2"]);
    assert!(limited.contains("Next page: --page-token "), "{limited}");
    assert_eq!(client.good(&["search", "--msgid", "x"]), "Nothing found.\n");
}

#[test]
fn a_proof_is_verified_before_it_is_written_and_replaces_nothing() {
    let client = Client::new();
    client.file("1.eml", &delivery().bytes);
    client.import(&["1.eml"]);
    let key = client.key();
    let index = client.acknowledged(ACKNOWLEDGEMENTS)[0]["records"][0]["index"].to_string();
    let prove = |more: &[&str]| {
        let arguments = ["prove", "--index", &index, "--out", "p.tlog-proof"];
        client.run(&[&arguments, more].concat())
    };
    // Under another log's key it is not written.
    let other = Installation::new(&["a", "b"]);
    let other = other.verifier("b").to_string();
    let refused = prove(&["--key", &other]);
    assert_eq!(status(&refused), 1, "{refused:?}");
    assert!(out(&refused).starts_with("NOT WRITTEN: "), "{refused:?}");
    assert!(!client.path("p.tlog-proof").exists());
    let good = prove(&["--key", &key]);
    assert_eq!(status(&good), 0, "{good:?}");
    assert!(
        out(&good).contains("VERIFIED: in pec.example.test/log"),
        "{good:?}"
    );
    let verified = client.good(&["verify", "p.tlog-proof", "--key", &key]);
    assert!(verified.ends_with("VERIFIED.\n"));
    let before = std::fs::read(client.path("p.tlog-proof")).unwrap();
    cannot(&prove(&[]), "p.tlog-proof is there already");
    assert_eq!(std::fs::read(client.path("p.tlog-proof")).unwrap(), before);
    client.file("verifier.key", format!("{key}\n").as_bytes());
    let forced = prove(&["--force", "--key-file", "verifier.key"]);
    assert_eq!(status(&forced), 0, "{forced:?}");
    let unverified = prove(&["--force"]);
    assert!(out(&unverified).contains("Not verified: no key was given"));
    let mut names: Vec<_> = std::fs::read_dir(client.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["1.eml", ACKNOWLEDGEMENTS, "p.tlog-proof", "verifier.key"]
    );
}

#[test]
fn a_content_at_hand_is_that_of_the_record_or_the_answer_is_no() {
    let client = Client::new();
    let bytes = &delivery().bytes;
    client.file("1.eml", bytes);
    client.import(&["1.eml"]);
    let key = client.key();
    let index = client.acknowledged(ACKNOWLEDGEMENTS)[0]["records"][0]["index"].to_string();
    client.good(&["prove", "--index", &index, "--out", "p"]);
    let verify = |content: &str, more: &[&str]| {
        let arguments = ["verify", "p", "--key", &key, "--content", content];
        client.run(&[&arguments, more].concat())
    };
    let good = verify("1.eml", &[]);
    assert_eq!(status(&good), 0, "{good:?}");
    assert!(
        out(&good).contains("ok         the content is that of the record")
            && out(&good).ends_with("\nVERIFIED.\n"),
        "{good:?}"
    );
    let json: Value = serde_json::from_str(&out(&verify("1.eml", &["--json"]))).unwrap();
    assert_eq!(
        (&json["verified"], &json["checks"][5]["ended"]),
        (&true.into(), &"ok".into())
    );
    let mut altered = bytes.clone();
    altered[bytes.len() / 2] ^= 1;
    client.file("2.eml", &altered);
    client.file("3.eml", &bytes[1..]);
    for (file, why) in [("2.eml", "content has SHA-256 "), ("3.eml", "content has ")] {
        let bad = verify(file, &[]);
        assert_eq!(status(&bad), 1, "{bad:?}");
        assert!(
            out(&bad).contains("FAILED     the content is") && out(&bad).contains(why),
            "{bad:?}"
        );
        assert!(out(&bad).contains("NOT VERIFIED: ") && !out(&bad).contains("\nVERIFIED"));
        let json: Value = serde_json::from_str(&out(&verify(file, &["--json"]))).unwrap();
        assert_eq!(json["verified"], false);
        assert!(json["why"].as_str().unwrap().starts_with(why));
    }
    // A proof that fails says nothing of the content.
    let proof = std::fs::read_to_string(client.path("p")).unwrap();
    client.file("p", proof.replacen("index ", "index 1", 1).as_bytes());
    let bad = verify("1.eml", &[]);
    assert_eq!(status(&bad), 1);
    assert!(out(&bad).contains("not tried  the content is"), "{bad:?}");
    cannot(&verify("assente.eml", &[]), "read content assente.eml");
}

#[test]
fn a_duplicato_is_the_same_bytes_and_its_folder_explains_it() {
    let client = Client::new();
    let large = long_mail(7, 3_000_000);
    client.file("posta/1.eml", &delivery().bytes);
    client.file("posta/2.eml", &large);
    client.import(&["posta"]);
    let key = client.key();
    let own = header(&delivery().bytes, "Message-ID:");
    let given = client.good(&["reissue", "--message-id", &own, "--dir", "d", "--key", &key]);
    assert!(given.contains("VERIFIED."), "{given}");
    let read = |name: &str| std::fs::read(client.path("d").join(name)).unwrap();
    assert!(read("duplicato.eml") == delivery().bytes);
    for (proof, content) in [
        ("d/duplicato.tlog-proof", Some("d/duplicato.eml")),
        ("d/facts.tlog-proof", None),
    ] {
        let mut arguments = vec!["verify", proof, "--key", &key];
        arguments.extend(content.iter().flat_map(|content| ["--content", content]));
        client.good(&arguments);
    }
    let json: Value = serde_json::from_slice(&read("record.json")).unwrap();
    let sha256 = Sha256::of(&delivery().bytes).to_string();
    assert_eq!(json["object"]["content_sha256"], sha256.as_str());
    let facts = delivery().facts().unwrap();
    assert_eq!(
        json["facts"]["metadata"]["identificativo"],
        facts.identificativo.as_str()
    );
    let text = String::from_utf8(read("LEGGIMI.txt")).unwrap();
    assert!(text.contains(&sha256) && text.contains("DUPLICATO") && text.contains("DUPLICATE"));
    assert!(text.lines().all(|line| line.chars().count() <= 100));
    // It speaks of the object, not of people.
    assert!(!text.contains(&facts.sender));
    let mut names: Vec<_> = std::fs::read_dir(client.path("d"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "LEGGIMI.txt",
            "duplicato.eml",
            "duplicato.tlog-proof",
            "facts.tlog-proof",
            "record.json"
        ]
    );
    // The folder is taken; an empty one is not.
    let again = client.run(&["reissue", "--message-id", &own, "--dir", "d"]);
    cannot(&again, "d is not empty");
    std::fs::create_dir(client.path("e")).unwrap();
    client.good(&["reissue", "--message-id", "7@casella.example", "--dir", "e"]);
    let bytes = std::fs::read(client.path("e/duplicato.eml")).unwrap();
    assert!(bytes == large);
    assert!(!client.path("e/facts.tlog-proof").exists());
    // What cannot be given leaves nothing.
    for (arguments, why) in [
        (["--index", "1000"], "BEYOND_TREE: "),
        (["--index", "0"], "NO_OBJECT: record 0 has no object"),
        (["--message-id", "nessuno@x.example"], "no archived object"),
    ] {
        let output = client.run(&[&["reissue", "--dir", "f"][..], &arguments].concat());
        cannot(&output, why);
        assert!(!client.path("f").exists());
    }
}

#[test]
fn objects_that_share_a_message_id_are_told_apart_by_index() {
    let client = Client::new();
    client.file("posta/1.eml", &mail(1, "uno"));
    client.import(&["posta"]);
    // Another object under the same Message-ID.
    client.file("posta/2.eml", &mail(1, "due"));
    client.import(&["posta"]);
    let lines = client.acknowledged(ACKNOWLEDGEMENTS);
    let indexes: Vec<String> = lines
        .iter()
        .map(|line| line["records"][0]["index"].to_string())
        .collect();
    let output = client.run(&[
        "reissue",
        "--message-id",
        "<1@casella.example>",
        "--dir",
        "d",
    ]);
    cannot(
        &output,
        &format!("choose one by --index: {}", indexes.join(", ")),
    );
    assert!(!client.path("d").exists());
    client.good(&["reissue", "--index", &indexes[1], "--dir", "d"]);
    let bytes = std::fs::read(client.path("d/duplicato.eml")).unwrap();
    assert_eq!(bytes, mail(1, "due"));
}

#[test]
fn status_tells_how_the_service_fares() {
    let client = Client::new();
    let text = client.good(&["status"]);
    for expected in ["ceralacca ", "DEVELOPMENT", "Log gestore-1", &client.key()] {
        assert!(text.contains(expected), "{text}");
    }
    let json: Value = serde_json::from_str(&client.good(&["status", "--json"])).unwrap();
    assert_eq!(json["development"], true);
    assert_eq!(json["logs"][0]["origin"], "pec.example.test/log");
    assert_eq!(json["logs"][0]["verifier_key"], client.key().as_str());
}

#[test]
fn what_cannot_be_done_is_told_in_one_line() {
    let client = Client::new();
    client.file("1.eml", &mail(1, "uno"));
    let nowhere = ["--server", "http://127.0.0.1:1"];
    let prove = ["prove", "--index", "0", "--out", "p"];
    for command in [
        &["status"][..],
        &["search"],
        &prove,
        &["reissue", "--index", "0", "--dir", "d"],
        &["import", "1.eml"],
    ] {
        let output = client.run(&[command, &nowhere].concat());
        cannot(&output, "connect to http://127.0.0.1:1: ");
    }
    for command in [&["search"][..], &prove, &["import", "1.eml"]] {
        let output = client.run(&[command, &["--log", "gestore-9"]].concat());
        cannot(&output, "LOG_UNKNOWN: there is no such log");
    }
    cannot(
        &client.run(&["prove", "--index", "99", "--out", "p"]),
        "BEYOND_TREE: ",
    );
    cannot(
        &client.run(&["status", "--server", "http://archive.example:1"]),
        "plain http:// is for loopback only",
    );
    cannot(&client.run(&["reissue", "--dir", "d"]), "required");
    assert!(!client.path("p").exists() && !client.path("d").exists());
    // An id of a person does not come back in the line.
    let term = "x".repeat(5000);
    let output = client.run(&["search", "--sender", &term]);
    cannot(&output, "TOO_LARGE: sender: 5000 is over the limit");
    assert!(output.stderr.len() < 200);
}

#[test]
fn over_tls_both_sides_show_certificates() {
    let authority = Authority::new();
    let provider = authority.certify();
    let installation = Installation::new(&[LOG]);
    let tables = format!(
        "[[principal]]\nname = \"piattaforma\"\ncertificates = [\"{}\"]\n\
         [[principal.role]]\nlog = \"{LOG}\"\nrole = \"provider\"\n",
        provider.sha256
    );
    installation.configure_tls(&authority, &[LOG], &tables);
    let client = Client {
        served: installation.serve(),
        folder: tempfile::tempdir().unwrap(),
    };
    client.file("ca.pem", authority.pem().as_bytes());
    client.file("client.pem", provider.certificate.as_bytes());
    client.file("client.key", provider.key.as_bytes());
    client.file("1.eml", &mail(1, "uno"));
    let server = format!("https://{}", client.served.address);
    let with = |command: &[&str], more: &[&str]| {
        client.run(&[command, &["--server", &server], more].concat())
    };
    let own = [
        "--ca",
        "ca.pem",
        "--client-certificate",
        "client.pem",
        "--client-key",
        "client.key",
    ];
    let imported = with(&["import", "1.eml", "--key", &client.key()], &own);
    assert_eq!(status(&imported), 0, "{imported:?}");
    assert_eq!(status(&with(&["status"], &own)), 0);
    cannot(&with(&["status"], &own[..2]), "CERTIFICATE_NEEDED: ");
    cannot(&with(&["status"], &[]), "https:// needs --ca");
    let other = Authority::new();
    client.file("ca.pem", other.pem().as_bytes());
    cannot(&with(&["status"], &own), "connect to https://127.0.0.1:");
    assert!(Path::new(&client.path(ACKNOWLEDGEMENTS)).exists());
}
