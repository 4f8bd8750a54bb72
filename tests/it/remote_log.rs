//! Log files of providers, imported by the shipped program into the shipped service: plain, signed, migrated.

use crate::support::program::{cannot, out, status};
use crate::support::tls::{Installation, Served};
use ceralacca_formats::proof::{ProofFile, ProvenMetadata};
use ceralacca_retention::{
    Candidate, HoldSet, LeafIndex, Policy, ProvenTime, RetentionClass, StampedTime, Start,
    UtcMillis, Verdict, judge,
};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const LOG: &str = "gestore-1";

struct Client {
    served: Served,
    folder: tempfile::TempDir,
}

impl Client {
    fn new() -> Self {
        Self::with("")
    }

    /// With further lines of the configuration, `[limits]` first.
    fn with(tables: &str) -> Self {
        Self::over(Installation::plain(&[LOG], tables))
    }

    fn over(installation: Installation) -> Self {
        Self {
            served: installation.serve(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.served.command(self.folder.path(), arguments);
        command.output().unwrap()
    }

    fn good(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(status(&output), 0, "{arguments:?}: {output:?}");
        out(&output)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Imports well; a line for each part, and the totals.
    fn import(&self, arguments: &[&str]) -> (Vec<Value>, Value) {
        let output = self.good(&[&["import-log", "--json"], arguments].concat());
        let mut lines = json_lines(&output);
        let totals = lines.pop().unwrap();
        (lines, totals)
    }

    /// The same, with a file of acknowledgements that knows nothing.
    fn import_again(&self, arguments: &[&str]) -> (Vec<Value>, Value) {
        let _ = std::fs::remove_file(self.path("ceralacca-import-log.jsonl"));
        self.import(arguments)
    }

    /// Records found, oldest first.
    fn search(&self, arguments: &[&str]) -> Vec<Value> {
        let arguments = [&["search", "--json", "--oldest-first"], arguments].concat();
        let mut lines = json_lines(&self.good(&arguments));
        lines.pop();
        lines
    }

    /// Metadata of the one trace record of a transaction.
    fn trace(&self, identificativo: &str) -> Value {
        let found = self.search(&["--identificativo", identificativo]);
        assert_eq!(found.len(), 1, "{identificativo}: {found:?}");
        found[0]["metadata"].clone()
    }

    /// The metadata of a record, out of its proof file, which its leaf commits to.
    fn metadata(&self, index: u64) -> Value {
        let (index, file) = (index.to_string(), format!("{index}.proof"));
        self.good(&["prove", "--index", &index, "--out", &file]);
        let proof = std::fs::read(self.path(&file)).unwrap();
        let proof = ProofFile::parse(&proof).unwrap();
        assert!(proof.record.is_committed());
        let ProvenMetadata::Bytes(bytes) = &proof.record.metadata else {
            panic!("no metadata");
        };
        serde_json::from_slice(bytes).unwrap()
    }

    fn leaves(&self) -> u64 {
        let status = self.good(&["status", "--json"]);
        let status: Value = serde_json::from_str(&status).unwrap();
        status["logs"][0]["tree_size"].as_u64().unwrap()
    }
}

fn json_lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The index that an id ends with.
fn leaf_of(line: &Value) -> u64 {
    let id = line["id"].as_str().unwrap();
    id.rsplit('/').next().unwrap().parse().unwrap()
}

/// A record of the log, as the product writes it.
fn record(time: &str, id: &str, tipo: &str, label: &str, more: &str) -> String {
    format!(
        "{time} PEC_Milter root [7]: {id}: queueid=q{id}: tipo={tipo} ({label}): \
         mittente=Anna.Bianchi@pec.alfa.example: \
         destinatari=bruno@pec.beta.example (certificato), carla@casella.example (esterno): \
         oggetto=Prova: la seconda: message-id=<{id}.{label}@pec.alfa.example>: \
         gestore=Gestore Alfa S.p.A.{more}\n"
    )
}

fn acceptance(time: &str, id: &str) -> String {
    record(time, id, "accettazione", "Accettazione", "")
}

/// A day with every trap that real files were seen to have.
fn traps() -> Vec<u8> {
    let parts: [Vec<u8>; 8] = [
        b"riga spezzata di ieri\n".to_vec(),
        acceptance("Mag  7 09:00:01", "t1").into_bytes(),
        // Latin-1, and a label that does not go with its type.
        [
            &b"May  7 09:00:02 2007 PEC_Milter root [7]: t2: queueid=q: tipo=accettazione (Consegna): mittente=anna@pec.alfa.example: destinatari=bruno@pec.beta.example (certificato): oggetto=Citt"[..],
            b"\xe0: message-id=<t2@pec.alfa.example>: gestore=Gestore Alfa S.p.A.: consegna=bruno@pec.beta.example\n",
        ]
        .concat(),
        b"May  7 09:00:03 2007 host newsyslog[5]: logfile turned over\n".to_vec(),
        record(
            "Mag  7 09:00:04 2007",
            "t3",
            "errore-consegna",
            "MancataConsegna",
            ": consegna=bruno@pec.beta.example: errore=no-dest: errore-esteso=5.1.1\n la casella\n\tnon esiste",
        )
        .into_bytes(),
        b"\n".to_vec(),
        b"Mag  7 09:00:05 2007 PEC_Milter root [7]: avviato\n".to_vec(),
        record("Mag  7 09:00:06 2007", "", "", "BustaAnomalia", "").into_bytes(),
    ];
    parts.concat()
}

#[test]
fn a_log_file_is_archived_and_each_of_its_records_names_its_octets() {
    let mut client = Client::new();
    let bytes = traps();
    client.file("PEC2-2007-05-07.log", &bytes);
    let (lines, totals) = client.import(&["PEC2-2007-05-07.log"]);
    assert_eq!(
        (&totals["files"], &totals["records"], &totals["unread"]),
        (&1.into(), &4.into(), &2.into()),
        "{totals}"
    );
    let leaf = leaf_of(&lines[0]);
    assert_eq!(lines[0]["repeated"], false);

    // The octets of each record are its line, or lines.
    let line_of = |metadata: &Value| {
        let source = &metadata["source"];
        assert_eq!(source["leaf"], leaf);
        let at = |name: &str| source[name].as_u64().unwrap() as usize;
        String::from_utf8_lossy(&bytes[at("from")..at("until")]).into_owned()
    };
    let first = client.trace("t1");
    assert!(line_of(&first).starts_with("Mag  7 09:00:01 PEC_Milter"));
    assert!(line_of(&first).ends_with("S.p.A.\n"));
    assert_eq!(
        first["event_ms"], 1_178_521_201_000_i64,
        "the year is the file's"
    );
    assert_eq!(first["event_offset_min"], 120);
    assert_eq!(first["findings"], serde_json::json!(["year-from-file"]));
    assert_eq!(first["sender"], "Anna.Bianchi@pec.alfa.example");
    assert_eq!(first["subject"], "Prova: la seconda");
    assert_eq!(first["recipients"][1]["kind"], "esterno");
    assert_eq!(first["source"]["label"], "Accettazione");
    assert_eq!(first["source"]["tipo"], "accettazione");
    assert_eq!(first["source"]["queue_id"], "qt1");
    assert_eq!(first["provider"], "Gestore Alfa S.p.A.");

    let second = client.trace("t2");
    assert_eq!(second["event"], "avvenuta-consegna", "the label counts");
    assert_eq!(second["source"]["tipo"], "accettazione");
    assert_eq!(
        second["findings"],
        serde_json::json!(["type-and-label-differ"])
    );
    assert_eq!(second["subject"]["base64"], "Q2l0dOA=");
    let third = client.trace("t3");
    assert_eq!(third["error"], "no-dest");
    assert_eq!(third["error_detail"], "5.1.1\n la casella\n\tnon esiste");
    assert_eq!(line_of(&third).lines().count(), 3);
    let anomaly = client.search(&["--event", "busta-anomalia"]);
    assert_eq!(anomaly.len(), 1);
    assert_eq!(anomaly[0]["metadata"]["identificativo"], Value::Null);
    assert_eq!(
        client
            .search(&["--sender", "anna.bianchi@PEC.alfa.example"])
            .len(),
        3
    );

    // Nothing is dropped: what is not understood is counted, and stands in the file.
    let found = client.search(&["--finding", "no-head"]);
    assert_eq!((found.len(), &found[0]["index"]), (1, &leaf.into()));
    assert_eq!(
        (&found[0]["kind"], &found[0]["class"]),
        (&"source-file".into(), &"trace".into())
    );
    let file = &found[0]["metadata"]["log_file"];
    let expected = serde_json::json!({
        "name": "PEC2-2007-05-07.log", "format": "milter", "date": "2007-05-07", "bytes": bytes.len(),
        "entries": 4, "unread": 2, "unread_bytes": 22 + 50, "blank_lines": 1,
        "other_process_lines": 1, "rotation_lines": 0,
        "first_unread": [
            {"from": 0, "until": 22, "reason": "no-head"},
            {"from": file["first_unread"][1]["from"], "until": file["first_unread"][1]["until"], "reason": "no-fields"},
        ],
    });
    assert_eq!(*file, expected);
    let findings = &found[0]["metadata"]["findings"];
    assert_eq!(*findings, serde_json::json!(["no-head", "no-fields"]));
    client.good(&["reissue", "--index", &leaf.to_string(), "--dir", "dato"]);
    let given = std::fs::read(client.path("dato/duplicato.eml")).unwrap();
    assert!(given == bytes, "the file came back otherwise");

    // Again, with the file of acknowledgements and without.
    let leaves = client.leaves();
    let (_, again) = client.import(&["PEC2-2007-05-07.log"]);
    assert_eq!(again["files_skipped"], 1);
    let (lines, again) = client.import_again(&["PEC2-2007-05-07.log"]);
    assert_eq!(
        (
            &again["files"],
            &again["files_repeated"],
            &again["records"],
            &again["records_repeated"]
        ),
        (&0.into(), &1.into(), &0.into(), &4.into())
    );
    assert_eq!(leaf_of(&lines[0]), leaf);
    assert_eq!(client.leaves(), leaves, "nothing was recorded twice");
    // The same bytes under another date would be other records: not silently.
    let other = [
        "import-log",
        "--acknowledgements",
        "a",
        "--date",
        "2008-05-07",
        "PEC2-2007-05-07.log",
    ];
    let output = client.run(&other);
    assert_eq!(status(&output), 1);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("RECORDED_OTHERWISE"), "{said}");
    client.served.stop_and_check();
}

#[test]
fn what_cannot_be_imported_is_named_and_the_rest_goes_on() {
    let mut client = Client::new();
    client.file(
        "registri/PEC2-2007-05-07.log",
        acceptance("Mag  7 09:00:01 2007", "t1").as_bytes(),
    );
    client.file("registri/note.txt", b"altro\n");
    client.file("registri/vuoto/PEC2-2007-05-08.log", b"");
    client.file("registri/PEC2-2007-05-07.tsr", b"una marca");
    let output = client.run(&["import-log", "--json", "registri"]);
    assert_eq!(status(&output), 1);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("note.txt") && said.contains("--format"),
        "{said}"
    );
    let totals = json_lines(&out(&output)).pop().unwrap();
    assert_eq!(
        (&totals["files"], &totals["unreadable"], &totals["ignored"]),
        (&2.into(), &1.into(), &1.into()),
        "{totals}"
    );
    // With a format, any name will do; nothing in it is a record, and it is archived all the same.
    let (lines, _) = client.import(&["--format", "milter", "registri/note.txt"]);
    assert_eq!(
        (&lines[0]["entries"], &lines[0]["unread"]),
        (&0.into(), &1.into())
    );
    cannot(
        &client.run(&["import-log", "--format", "x", "registri"]),
        "no such format",
    );
    cannot(&client.run(&["import-log", "manca.log"]), "manca.log");
    cannot(
        &client.run(&[
            "import-log",
            "--migration",
            "0",
            "registri/PEC2-2007-05-07.log",
        ]),
        "declares no migration",
    );
    client.served.stop_and_check();
}

fn big(records: usize) -> Vec<u8> {
    let line = |n: usize| {
        let (hour, minute, second) = (n / 3600 % 24, n / 60 % 60, n % 60);
        let time = format!("Mag  7 {hour:02}:{minute:02}:{second:02} 2007");
        acceptance(&time, &format!("g{n}"))
    };
    (0..records).map(line).collect::<String>().into_bytes()
}

#[test]
fn a_large_file_goes_in_as_parts_that_name_their_order() {
    let mut client = Client::with("object_bytes_max = 100000");
    let bytes = big(1000);
    client.file("PEC2-2007-05-07.log", &bytes);
    let whole = client.run(&["import-log", "PEC2-2007-05-07.log"]);
    assert_eq!(status(&whole), 1);
    assert!(String::from_utf8_lossy(&whole.stderr).contains("TOO_LARGE"));
    let (lines, totals) = client.import(&["--part-bytes", "100000", "PEC2-2007-05-07.log"]);
    assert_eq!(
        (&totals["records"], &totals["unread"]),
        (&1000.into(), &0.into())
    );
    let count = bytes.len().div_ceil(100_000);
    assert_eq!(lines.len(), count);
    let mut next = 0;
    for (number, line) in lines.iter().enumerate() {
        let index = leaf_of(line).to_string();
        let dir = format!("p{number}");
        client.good(&["reissue", "--index", &index, "--dir", &dir]);
        let given = std::fs::read(client.path(&dir).join("duplicato.eml")).unwrap();
        assert!(bytes[next..].starts_with(&given), "part {number}");
        assert!(given.ends_with(b"\n"));
        let metadata = client.metadata(leaf_of(line));
        let piece = &metadata["log_file"]["piece"];
        assert_eq!(
            (&piece["number"], &piece["offset"], &piece["file_bytes"]),
            (&(number + 1).into(), &next.into(), &bytes.len().into()),
            "{metadata}"
        );
        next += given.len();
    }
    assert_eq!(next, bytes.len());
    let record = client.trace("g999");
    assert_eq!(record["source"]["leaf"], leaf_of(&lines[count - 1]));
    let (_, again) = client.import_again(&["--part-bytes", "100000", "PEC2-2007-05-07.log"]);
    assert_eq!(
        (&again["records_repeated"], &again["records"]),
        (&1000.into(), &0.into())
    );
    client.served.stop_and_check();
}

#[test]
fn two_parts_of_the_same_octets_are_two_parts() {
    let mut client = Client::new();
    let half = big(500);
    client.file("PEC2-2007-05-07.log", &half.repeat(2));
    let part = half.len().to_string();
    let arguments = ["--part-bytes", &part, "PEC2-2007-05-07.log"];
    let (lines, totals) = client.import(&arguments);
    assert_eq!((lines.len(), &totals["records"]), (2, &1000.into()));
    assert_ne!(leaf_of(&lines[0]), leaf_of(&lines[1]));
    let (_, again) = client.import_again(&arguments);
    assert_eq!(
        (&again["records_repeated"], &again["records"]),
        (&1000.into(), &0.into())
    );
    client.served.stop_and_check();
}

#[test]
fn an_import_cut_by_kill_9_is_resumed_without_duplicates() {
    const RECORDS: usize = 40_000;
    let mut client = Client::new();
    client.file("PEC2-2007-05-07.log", &big(RECORDS));
    let began = client.leaves();
    let arguments = ["import-log", "PEC2-2007-05-07.log"];
    let start = |client: &Client| {
        let mut command = client.served.command(client.folder.path(), &arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let wait_past = |client: &Client, leaves: u64| {
        for _ in 0..2000 {
            let found = client.leaves();
            if found > leaves {
                return found;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("nothing goes on");
    };
    // The client goes away.
    let mut child = start(&client);
    let cut = wait_past(&client, began + 500);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(cut < RECORDS as u64, "too late to cut: {cut}");
    // The service is killed under another.
    let mut child = start(&client);
    let cut = wait_past(&client, cut + 500);
    client.served.kill_and_serve();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(cut < RECORDS as u64, "too late to cut: {cut}");
    let (lines, totals) = client.import(&["PEC2-2007-05-07.log"]);
    let count = |name: &str| totals[name].as_u64().unwrap();
    assert_eq!(count("records") + count("records_repeated"), RECORDS as u64);
    assert!(
        count("records") > 0 && count("records_repeated") > 500,
        "{totals}"
    );
    assert_eq!(count("files_repeated"), 1);
    for n in [0, 300, 777, RECORDS / 2, RECORDS - 1] {
        let record = client.trace(&format!("g{n}"));
        assert_eq!(record["source"]["leaf"], leaf_of(&lines[0]));
    }
    let searches = 5 * 2;
    let report = client.served.stop_and_check();
    // Two epochs, the file, its records, and what the searches disclosed.
    assert_eq!(report.leaves, 2 + 1 + RECORDS as u64 + searches);
}

fn openssl_is_there() -> bool {
    let mut command = Command::new("openssl");
    let found = command.arg("version").stdout(Stdio::null()).status();
    if found.is_err() {
        let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!in_ci, "openssl is missing");
        eprintln!("SKIPPED: openssl is missing");
    }
    found.is_ok()
}

/// A throw-away authority of a signer of logs and of a time-stamping authority.
struct Pki {
    folder: tempfile::TempDir,
}

impl Pki {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
        let name = |text: &str| {
            let mut name = DistinguishedName::new();
            name.push(DnType::CommonName, text);
            name
        };
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = name("CA di prova");
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(2100, 1, 1);
        let key = KeyPair::generate().unwrap();
        write("ca.pem", params.self_signed(&key).unwrap().pem());
        let issuer = Issuer::new(params, key);
        for (file, purpose) in [("tsa", 8), ("log", 4)] {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::default();
            params.distinguished_name = name(file);
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.not_before = rcgen::date_time_ymd(2000, 1, 1);
            params.not_after = rcgen::date_time_ymd(2100, 1, 1);
            let content = vec![0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, purpose];
            let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 37], content);
            extension.set_criticality(true);
            params.custom_extensions = vec![extension];
            write(
                &format!("{file}.pem"),
                params.signed_by(&key, &issuer).unwrap().pem(),
            );
            write(&format!("{file}.key"), key.serialize_pem());
        }
        write("serial", "01\n".to_owned());
        let configuration = "[tsa]\ndefault_tsa = t\n[t]\nserial = serial\nsigner_cert = tsa.pem\n\
             signer_key = tsa.key\nsigner_digest = sha256\ndefault_policy = 1.2.3.4\n\
             digests = sha256\naccuracy = secs:1\ness_cert_id_alg = sha256\n";
        write("cnf", configuration.to_owned());
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn openssl(&self, arguments: &str) {
        let mut command = Command::new("openssl");
        let command = command
            .args(arguments.split(' '))
            .current_dir(self.folder.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments}: {output:?}");
    }

    /// The time-stamp of a file, beside it.
    fn stamp(&self, file: &Path, to: &Path, is_token: bool) {
        self.openssl(&format!(
            "ts -query -data {} -sha256 -cert -out q",
            file.display()
        ));
        let ending = if is_token { " -token_out" } else { "" };
        self.openssl(&format!(
            "ts -reply -config cnf -queryfile q -out {}{ending}",
            to.display()
        ));
    }

    fn sign(&self, file: &Path, to: &Path) {
        self.openssl(&format!(
            "cms -sign -binary -nodetach -outform DER -signer log.pem -inkey log.key -in {} -out {}",
            file.display(),
            to.display()
        ));
    }

    /// What the service is told to trust.
    fn trust(&self) -> String {
        let path = self.path("ca.pem");
        format!("[trust]\nanchors = [\"{path}\"]\ntsa_anchors = [\"{path}\"]\n")
    }
}

#[test]
fn a_signed_log_file_is_archived_as_it_came_with_what_its_signature_is_worth() {
    if !openssl_is_there() {
        return;
    }
    let pki = Pki::new();
    let mut client = Client::with(&pki.trust());
    let text = traps();
    client.file("in/PEC2-2007-05-07.log", &text);
    let signed = client.path("PEC2-2007-05-07.log.p7m");
    pki.sign(&client.path("in/PEC2-2007-05-07.log"), &signed);
    let bytes = std::fs::read(&signed).unwrap();
    let (lines, totals) = client.import(&["PEC2-2007-05-07.log.p7m"]);
    assert_eq!(
        (&totals["files"], &totals["records"]),
        (&1.into(), &4.into())
    );
    assert_eq!(lines[0]["signature"], "integral-trusted", "{}", lines[0]);
    // The octets are those of the content.
    let record = client.trace("t3");
    let at = |name: &str| record["source"][name].as_u64().unwrap() as usize;
    assert!(text[at("from")..at("until")].starts_with(b"Mag  7 09:00:04"));
    let leaf = leaf_of(&lines[0]).to_string();
    client.good(&["reissue", "--index", &leaf, "--dir", "dato"]);
    assert!(std::fs::read(client.path("dato/duplicato.eml")).unwrap() == bytes);
    let found = client.search(&["--finding", "integral-trusted"]);
    assert_eq!((found.len(), &found[0]["kind"]), (1, &"source-file".into()));
    let file = &found[0]["metadata"];
    assert_eq!(file["log_file"]["bytes"], text.len());
    assert_eq!(file["chain"].as_array().unwrap().len(), 2);
    assert!(file["signing_ms"].as_i64().unwrap() > 1_700_000_000_000);

    // A twin with an altered line: broken, archived, and read all the same.
    let mut broken = bytes.clone();
    let place = memchr::memmem::find(&broken, b"09:00:01").unwrap();
    broken[place + 7] = b'9';
    client.file("guasto/PEC2-2007-05-07.log.p7m", &broken);
    let (lines, _) = client.import(&["guasto/PEC2-2007-05-07.log.p7m"]);
    assert_eq!(
        (&lines[0]["signature"], &lines[0]["records"]),
        (&"broken".into(), &4.into())
    );
    // One that is no CMS at all.
    client.file("altro/PEC2-2007-05-08.log.p7m", &text);
    let (lines, _) = client.import(&["altro/PEC2-2007-05-08.log.p7m"]);
    assert_eq!(
        (&lines[0]["unclassified"], &lines[0]["records"]),
        (&"signed-file-not-cms".into(), &0.into())
    );
    client.served.stop_and_check();
}

/// Until when a record or file is to be kept: the rule, over what its metadata and its leaf say.
fn kept_until(found: &Value) -> i64 {
    let metadata = &found["metadata"];
    let ingest = UtcMillis::new(found["time_ms"].as_i64().unwrap());
    let closing = ProvenTime::from_token(ingest, 0).unwrap();
    let event = metadata["event_ms"].as_i64().map_or(ingest, UtcMillis::new);
    let migrated = &metadata["migrated"];
    let stamped = migrated["gen_ms"].as_i64().map(|gen_ms| {
        let accuracy_ms = migrated["accuracy_ms"].as_u64();
        StampedTime::from_token(UtcMillis::new(gen_ms), accuracy_ms).unwrap()
    });
    // Of a file without event only the time-stamp says how old it is.
    let event = match (&metadata["event_ms"], stamped) {
        (Value::Null, Some(stamped)) => stamped.instant(),
        _ => event,
    };
    let others = Start::new(event, ingest, closing);
    let start = Start::migrated(event, stamped, ingest, others);
    let index = LeafIndex::new(found["index"].as_u64().unwrap());
    let candidate = Candidate::record(RetentionClass::Trace, index, start);
    let never = ProvenTime::from_token(UtcMillis::new(0), 0).unwrap();
    match judge(&candidate, &Policy::default(), &HoldSet::none(), never).unwrap() {
        Verdict::Keep { until, .. } => until.as_millis(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_migrated_archive_keeps_its_old_time_stamps_and_a_wrong_one_shortens_nothing() {
    if !openssl_is_there() {
        return;
    }
    let pki = Pki::new();
    let mut client = Client::with(&pki.trust());
    let day = |id: &str| acceptance("Mag  7 09:00:01 2007", id).into_bytes();
    let stamped = |name: &str, id: &str, token: &str| {
        client.file(name, &day(id));
        let to = client.path(&format!("vecchio/{token}"));
        pki.stamp(&client.path(name), &to, token.ends_with(".tst"));
        to
    };
    stamped(
        "vecchio/PEC2-2007-05-01.log",
        "m1",
        "PEC2-2007-05-01.log.tsr",
    );
    stamped("vecchio/PEC2-2007-05-02.log", "m2", "PEC2-2007-05-02.tst");
    let broken = stamped(
        "vecchio/PEC2-2007-05-03.log",
        "m3",
        "PEC2-2007-05-03.log.tsr",
    );
    let mut token = std::fs::read(&broken).unwrap();
    *token.last_mut().unwrap() ^= 1;
    std::fs::write(&broken, &token).unwrap();
    // Of another file.
    let other = client.path("vecchio/PEC2-2007-05-04.log.tsr");
    client.file("vecchio/PEC2-2007-05-04.log", &day("m4"));
    std::fs::copy(client.path("vecchio/PEC2-2007-05-01.log.tsr"), other).unwrap();
    // None, and a record outside the interval.
    client.file("vecchio/PEC2-2007-05-05.log", &day("m5"));
    let outside = acceptance("Mag  7 09:00:01 2009", "m7").into_bytes();
    client.file(
        "vecchio/PEC2-2007-05-06.log",
        &[day("m6"), outside].concat(),
    );
    let to = client.path("vecchio/PEC2-2007-05-06.log.tsr");
    pki.stamp(&client.path("vecchio/PEC2-2007-05-06.log"), &to, false);

    cannot(
        &client.run(&[
            "migrate",
            "--from",
            "2008-01-01",
            "--until",
            "2007-01-01",
            "--statement",
            "x",
        ]),
        "ends before it begins",
    );
    let declared = client.good(&[
        "migrate",
        "--json",
        "--from",
        "2007-05-01",
        "--until",
        "2007-06-01",
        "--statement",
        "archivio del sistema precedente",
    ]);
    let declared: Value = serde_json::from_str(&declared).unwrap();
    let declaration = declared["index"].as_u64().unwrap();
    assert_eq!(declared["from_ms"], 1_177_970_400_000_u64);
    assert_eq!(
        declared["until_ms"], 1_180_735_200_000_u64,
        "the last day belongs to it"
    );
    let migration = declaration.to_string();
    let arguments = ["--migration", &migration, "vecchio"];
    let output = client.run(&[&["import-log", "--json"][..], &arguments].concat());
    assert_eq!(status(&output), 0, "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("time-stamp-signature") && said.contains("time-stamp-imprint-differs"),
        "{said}"
    );
    assert!(said.contains("no time-stamp beside it"), "{said}");
    let mut lines = json_lines(&out(&output));
    let totals = lines.pop().unwrap();
    assert_eq!(
        (
            &totals["files"],
            &totals["records"],
            &totals["records_migrated"],
            &totals["ignored"]
        ),
        (&6.into(), &7.into(), &6.into(), &5.into()),
        "{totals}"
    );
    let refusals: Vec<_> = lines
        .iter()
        .map(|line| line["time_stamp_refusal"].as_str().unwrap())
        .collect();
    assert_eq!(
        refusals,
        [
            "",
            "",
            "time-stamp-signature",
            "time-stamp-imprint-differs",
            "",
            ""
        ]
    );

    let find = |id: &str| client.search(&["--identificativo", id]).remove(0);
    for id in ["m1", "m2", "m6"] {
        let migrated = find(id)["metadata"]["migrated"].clone();
        assert_eq!(migrated["declaration"], declaration, "{id}");
        assert_eq!(migrated["accuracy_ms"], 1000);
        assert!(migrated["gen_ms"].as_i64().is_some() && migrated["token"].as_u64().is_some());
    }
    for id in ["m3", "m4"] {
        let migrated = find(id)["metadata"]["migrated"].clone();
        assert_eq!(
            (&migrated["gen_ms"], &migrated["declaration"]),
            (&Value::Null, &declaration.into())
        );
        assert!(
            migrated["token"].as_u64().is_some(),
            "archived all the same"
        );
    }
    assert_eq!(
        find("m5")["metadata"]["migrated"],
        serde_json::json!({ "declaration": declaration })
    );
    assert_eq!(
        find("m7")["metadata"]["migrated"],
        Value::Null,
        "outside the interval"
    );
    // The files: all within, and one with a record outside.
    let migrated: Vec<_> = lines
        .iter()
        .map(|line| line["file_is_migrated"].as_bool().unwrap())
        .collect();
    assert_eq!(migrated, [true, true, true, true, true, false]);

    // The term: as it would be two years from now, when what was ingested today is old.
    let later = |id: &str| {
        let mut found = find(id);
        let years = 2 * 365 * 86_400_000_i64;
        found["time_ms"] = (found["time_ms"].as_i64().unwrap() + years).into();
        kept_until(&found)
    };
    let (from_stamp, from_here) = (later("m1"), later("m3"));
    assert!(
        from_here - from_stamp > 700 * 86_400_000,
        "{from_stamp} {from_here}"
    );
    assert!(later("m2") - from_stamp < 5 * 86_400_000);
    for id in ["m4", "m5", "m7"] {
        assert!(later(id) >= from_here - 86_400_000, "{id}");
    }

    // Tokens are on record, with what was found of them.
    let bad = client.search(&["--finding", "time-stamp-imprint-differs"]);
    assert_eq!((bad.len(), &bad[0]["kind"]), (1, &"trust-material".into()));
    assert_eq!(bad[0]["metadata"]["time_stamp"], Value::Null);
    let good = client.search(&["--finding", "revocation-unknown"]);
    assert_eq!(good.len(), 3, "{good:?}");
    assert!(
        good.iter()
            .all(|found| found["metadata"]["time_stamp"]["policy"] == "1.2.3.4")
    );

    // Who declared it stands beside the declaration, in a record of its own.
    let custody = client.metadata(declaration);
    assert_eq!(custody["type"], "migration-declared");
    assert_eq!(custody["role"], "operator");
    let detail = client.metadata(declaration + 1);
    assert_eq!(detail["type"], "migration-detail");
    assert_eq!(detail["principal"], "development");
    assert_eq!(detail["statement"], "archivio del sistema precedente");

    // Imported again: everything is recognised, the time-stamps too.
    let leaves = client.leaves();
    let (_, again) = client.import_again(&arguments);
    assert_eq!(
        (&again["files_repeated"], &again["records_repeated"]),
        (&6.into(), &7.into())
    );
    assert_eq!(client.leaves(), leaves);
    // As if it were not migrated: not silently.
    let output = client.run(&[
        "import-log",
        "--acknowledgements",
        "a",
        "vecchio/PEC2-2007-05-01.log",
    ]);
    assert_eq!(status(&output), 1);
    assert!(String::from_utf8_lossy(&output.stderr).contains("RECORDED_OTHERWISE"));
    client.served.stop_and_check();
}
