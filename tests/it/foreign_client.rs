//! A client in another language, made from the proto files alone, verifies all that the service tells it; and
//! openssl judges what is given again as it judged the original.
//!
//! A missing program fails in CI and skips aloud elsewhere.

use crate::support::tls::{Authority, Installation, Served};
use ceralacca_synthetic::damage::{self, Cut};
use ceralacca_synthetic::mail::{Message, MessageKind, PkiOptions, Postal};
use ceralacca_synthetic::pki::Keys;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The system's Python: the one its packages are installed for.
const PYTHON: &str = "/usr/bin/python3";
const GRPC_PLUGIN: &str = "/usr/bin/grpc_python_plugin";
const LOG: &str = "gestore-1";
const ORIGIN: &str = "pec.example.test/log";
const START_MS: i64 = 1_767_225_600_000;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Past the test harness, which keeps what a test that passes prints.
fn say_aloud(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Whether all programs answer; if not, the test is skipped, or fails where CI is set.
fn are_there() -> bool {
    let modules = "import grpc, google.protobuf, cryptography";
    let needed: [(&str, &[&str]); 5] = [
        (PYTHON, &["-c", modules]),
        ("protoc", &["--version"]),
        ("test", &["-x", GRPC_PLUGIN]),
        ("b3sum", &["--version"]),
        ("openssl", &["version"]),
    ];
    let answers = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        let quiet = command.args(arguments).stdout(Stdio::null());
        let status = quiet.stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let missing: Vec<String> = needed
        .iter()
        .filter(|(program, arguments)| !answers(program, arguments))
        .map(|(program, arguments)| format!("{program} {}", arguments.join(" ")))
        .collect();
    if missing.is_empty() {
        return true;
    }
    let line = format!("these do not answer: {}", missing.join("; "));
    assert!(!std::env::var("CI").is_ok_and(|ci| ci == "true"), "{line}");
    say_aloud(&format!("SKIPPED: {line}"));
    false
}

fn done(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A service with a log of its own, and the client made from the proto files.
struct Site {
    served: Served,
    /// What `init` printed.
    verifier: String,
}

impl Site {
    fn new(configure: impl FnOnce(&Installation)) -> Self {
        let installation = Installation::new(&[]);
        let verifier = init(&installation, "data", LOG, ORIGIN);
        make_client(&installation.path("made"));
        configure(&installation);
        let served = installation.serve();
        Self { served, verifier }
    }

    /// In development mode.
    fn plain() -> Self {
        let tables = format!("[development]\nplain_text = true\n[[log]]\nid = \"{LOG}\"\n");
        Self::new(|installation| installation.configure("127.0.0.1:0", &tables))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.served.installation.path(name)
    }

    fn make_folder(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir(&path).unwrap();
        path
    }

    fn client(&self, options: &[&str], act: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(PYTHON);
        command
            .arg(root().join("tests/conformance/client.py"))
            .args(options)
            .args([act, &self.served.address])
            .args(arguments)
            .current_dir(self.path(""))
            .env("PYTHONPATH", self.path("made"));
        command.output().unwrap()
    }

    /// Runs the client, which must be content; how many checks it made.
    fn verifies(&self, options: &[&str], act: &str, arguments: &[&str]) -> usize {
        let arguments = [&[&*self.verifier], arguments].concat();
        let text = done(self.client(options, act, &arguments));
        let last = text.lines().last().unwrap_or_default();
        let count = last
            .strip_prefix("all ")
            .and_then(|rest| rest.strip_suffix(" checks passed"));
        let count = count.unwrap_or_else(|| panic!("{text}")).parse().unwrap();
        let lines = text.lines().filter(|line| line.starts_with("ok "));
        assert_eq!(lines.count(), count, "{text}");
        count
    }

    /// Runs the client, which must not be content: its last line.
    fn refuses(&self, options: &[&str], verifier: &str) -> String {
        let output = self.client(options, "check", &[verifier, "mails"]);
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let last = text.lines().last().unwrap_or_default();
        assert!(last.starts_with("FAIL  "), "{output:?}");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        last.to_owned()
    }

    fn write_mails<'a>(&self, mails: impl IntoIterator<Item = (&'a str, &'a [u8])>) {
        let folder = self.make_folder("mails");
        for (name, bytes) in mails {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }

    /// Archives every file of a folder, and has it given again into another.
    fn give_again(&self, mails: &Path) -> PathBuf {
        let again = self.make_folder("duplicati");
        let names = names(mails);
        let folder = mails.to_str().unwrap();
        let count = self.verifies(&[], "duplicati", &[folder, "duplicati"]);
        assert_eq!(count, names.len());
        assert_eq!(self::names(&again), names);
        for name in names {
            let read = |folder: &Path| std::fs::read(folder.join(&name)).unwrap();
            assert!(read(mails) == read(&again), "{name} is not the same");
        }
        again
    }

    /// Ends the service; then everything on disk must be as it ought to be.
    fn stop_and_check(mut self) {
        self.served.stop();
        let fsck = Command::new(env!("CARGO_BIN_EXE_ceralacca"))
            .args(["fsck", "--data", "data", "--log", LOG])
            .args(["--master-key", "master.key"])
            .current_dir(self.path(""))
            .output();
        done(fsck.unwrap());
    }
}

/// Makes a log; gives its verifier key.
fn init(installation: &Installation, data: &str, log: &str, origin: &str) -> String {
    let made = Command::new(env!("CARGO_BIN_EXE_ceralacca"))
        .args(["init", "--data", data, "--log", log, "--origin", origin])
        .args(["--master-key", "master.key"])
        .current_dir(installation.path(""))
        .output();
    done(made.unwrap()).trim_end().to_owned()
}

/// Makes the client's code from the proto files.
fn make_client(into: &Path) {
    std::fs::create_dir(into).unwrap();
    let protos = std::fs::read_dir(root().join("proto/ceralacca/v1")).unwrap();
    let made = Command::new("protoc")
        .arg(format!("-I{}", root().join("proto").display()))
        .arg(format!("--python_out={}", into.display()))
        .arg(format!("--grpc_python_out={}", into.display()))
        .arg(format!("--plugin=protoc-gen-grpc_python={GRPC_PLUGIN}"))
        .args(protos.map(|proto| proto.unwrap().path()))
        .output();
    done(made.unwrap());
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn postal(keys: Keys) -> Postal {
    Postal::new(&PkiOptions::with_keys(keys), START_MS).unwrap()
}

/// Every type of message, by every provider, hence in every layout; and names for them.
fn everything(postal: &Postal) -> Vec<(String, Message)> {
    let mut mails = Vec::new();
    for provider in 0..postal.providers().len() {
        for message in postal.one_of_each_type_by(provider) {
            let letter = message.kind().letter();
            let name = format!("{:?}{provider}-{letter}", message.family);
            mails.push((name, message));
        }
    }
    mails
}

#[test]
fn a_client_in_another_language_verifies_all_it_is_told() {
    if !are_there() {
        return;
    }
    let site = Site::plain();
    let mails = everything(&postal(Keys::P256));
    site.write_mails(mails.iter().map(|(name, m)| (&**name, &*m.bytes)));
    let count = site.verifies(&[], "check", &["mails"]);
    assert!(count >= 60, "{count} checks");
    // The log goes on from where it is: what is there already disturbs no check.
    let again = site.verifies(&["--log", LOG], "check", &["mails"]);
    assert_eq!(again, count);
    // The same service under another key: that of another log, and that of another log of the same name.
    let installation = &site.served.installation;
    let other_log = init(installation, "data", "gestore-2", "pec2.example.test/log");
    let same_name = init(installation, "elsewhere", LOG, ORIGIN);
    for wrong in [other_log, same_name] {
        let why = site.refuses(&[], &wrong);
        assert_eq!(why, "FAIL  the note has no signature of our key");
    }
    site.stop_and_check();
}

#[test]
fn the_same_client_verifies_over_mutual_tls_and_strangers_are_told_nothing() {
    if !are_there() {
        return;
    }
    let authority = Authority::new();
    let (platform, stranger) = (authority.certify(), authority.certify());
    let foreigner = Authority::new().certify();
    let tables = format!(
        "[[principal]]\nname = \"piattaforma\"\ncertificates = [\"{}\"]\n\
         [[principal.role]]\nlog = \"{LOG}\"\nrole = \"provider\"\n",
        platform.sha256
    );
    let site = Site::new(|installation| installation.configure_tls(&authority, &[LOG], &tables));
    let write = |name: &str, text: &str| std::fs::write(site.path(name), text).unwrap();
    write("ca.pem", authority.pem());
    for (name, client) in [("1", &platform), ("2", &stranger), ("3", &foreigner)] {
        write(&format!("{name}.pem"), &client.certificate);
        write(&format!("{name}.key"), &client.key);
    }
    let mails = postal(Keys::P256).one_of_each_type_by(0);
    let letters: Vec<String> = mails.iter().map(|m| m.kind().letter().into()).collect();
    site.write_mails(letters.iter().zip(&mails).map(|(l, m)| (&**l, &*m.bytes)));

    let with = |certificate, key| ["--ca", "ca.pem", "--certificate", certificate, "--key", key];
    let count = site.verifies(&with("1.pem", "1.key"), "check", &["mails"]);
    assert!(count >= 60, "{count} checks");
    let refused = |options: &[&str], expected: &str| {
        let why = site.refuses(options, &site.verifier);
        assert!(why.starts_with(&format!("FAIL  {expected}: ")), "{why}");
    };
    refused(&with("2.pem", "2.key"), "UNAUTHENTICATED");
    refused(&["--ca", "ca.pem"], "UNAUTHENTICATED");
    // Of another authority: not even a connection.
    refused(&with("3.pem", "3.key"), "UNAVAILABLE");
    site.stop_and_check();
}

/// Whether openssl accepts a signed message.
fn accepts(message: &Path, trust: &[&str]) -> bool {
    let mut command = Command::new("openssl");
    command
        .args(["cms", "-verify", "-inform", "SMIME", "-out", "/dev/null"])
        .args(trust)
        .arg("-in")
        .arg(message);
    command.output().unwrap().status.success()
}

#[test]
fn a_duplicato_is_judged_by_openssl_as_its_original_was() {
    let Some(samples) = std::env::var_os("CERALACCA_SAMPLES") else {
        say_aloud("NOT RUN: CERALACCA_SAMPLES is not set");
        return;
    };
    if !are_there() {
        return;
    }
    let samples = PathBuf::from(samples);
    let site = Site::plain();
    let again = site.give_again(&samples);
    let is_marked = |name: &str| {
        ["a2014-", "b2018-ACCETTAZIONE", "b2018-CONSEGNA"]
            .iter()
            .any(|start| name.starts_with(start))
            || [
                "PC_Invio_File_7339338.b7ff4b0",
                "PC_Ricevuta_di_consegna_6782414.cd77e45",
            ]
            .iter()
            .any(|part| name.contains(part))
    };
    let mut accepted = 0;
    for name in names(&samples) {
        let judge = |folder: &Path| accepts(&folder.join(&name), &["-noverify"]);
        let verdicts = (judge(&samples), judge(&again));
        assert_eq!(verdicts, (is_marked(&name), is_marked(&name)), "{name}");
        accepted += usize::from(verdicts.0);
    }
    assert_eq!(accepted, 12);
    site.stop_and_check();
}

#[test]
fn a_duplicato_is_accepted_under_its_root_and_a_damaged_twin_never_was() {
    if !are_there() {
        return;
    }
    let site = Site::plain();
    let postal = postal(Keys::Rsa2048);
    std::fs::write(site.path("root.pem"), postal.pki().root_pem()).unwrap();
    // File, its octets, when they were signed, whether openssl shall accept them.
    let mut files: Vec<(String, Vec<u8>, i64, bool)> = Vec::new();
    for (name, message) in everything(&postal) {
        let mut add = |what: &str, bytes: Vec<u8>, is_good: bool| {
            files.push((
                format!("{name}-{what}.eml"),
                bytes,
                message.signing_ms(),
                is_good,
            ));
        };
        add("original", message.bytes.clone(), true);
        if let Some(twin) = damage::flip_in_postacert(&message) {
            add("flipped", twin, false);
        }
        if let Some(twin) = damage::strip_trailing_space(&message) {
            add("stripped", twin, false);
        }
        if message.kind() == MessageKind::DeliveryComplete {
            add("lf", message.as_lf(), true);
            add("unsigned", damage::without_signature(&message), false);
            for cut in Cut::ALL {
                add(
                    &format!("{cut:?}"),
                    damage::truncated(&message, cut).unwrap(),
                    false,
                );
            }
        }
    }
    site.write_mails(files.iter().map(|(name, bytes, ..)| (&**name, &**bytes)));
    let mails = site.path("mails");
    let again = site.give_again(&mails);
    let root = site.path("root.pem");
    for (name, _, at_ms, is_good) in &files {
        let at = (at_ms / 1000).to_string();
        let trust = [
            "-CAfile",
            root.to_str().unwrap(),
            "-purpose",
            "any",
            "-attime",
            &at,
        ];
        let judge = |folder: &Path| accepts(&folder.join(name), &trust);
        assert_eq!(
            (judge(&mails), judge(&again)),
            (*is_good, *is_good),
            "{name}"
        );
    }
    assert!(files.iter().filter(|file| file.3).count() >= 70);
    assert!(files.iter().filter(|file| !file.3).count() >= 50);
    site.stop_and_check();
}
