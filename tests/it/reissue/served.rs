//! Packages as their clients meet them: asked of the shipped program over gRPC, and judged by other people's programs.

use super::*;
use crate::conformance::are_there;
use crate::support::program::{out, status};
use crate::support::tls::{Installation, Served};
use ceralacca::ambient::{Clock, SystemClock, SystemEntropy};
use ceralacca::api::v1;
use ceralacca::archive::Settings;
use ceralacca::ingest::Submission;
use ceralacca::seal_key::{self, DevelopmentFiles};
use ceralacca_evidence::asic::{Container, Files};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::metadata::TraceRecord;
use ceralacca_synthetic::mail::MessageKind;
use std::collections::BTreeSet;
use std::io::Cursor;
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use v1::get_package_response::Part;
use v1::reissue_client::ReissueClient;

pub(super) const LOG: &str = "gestore-1";
/// A record that has no object.
pub(super) const TRACE_ONLY: &str = "opec-solo-traccia@pec.example";

/// A served log in which a transaction and a record without object were archived two days ago, and sealed.
pub(super) struct Office {
    pub(super) served: Served,
    pub(super) transaction: Transaction,
    /// With the roots and the key that a reader has from elsewhere.
    pub(super) folder: tempfile::TempDir,
}

/// What came: head and octets.
pub(super) struct Came {
    pub(super) head: v1::PackageHead,
    pub(super) octets: Vec<u8>,
}

impl Came {
    pub(super) fn names(&self) -> Vec<String> {
        let container = Container::open(Cursor::new(&self.octets)).unwrap();
        container.names()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        let mut container = Container::open(Cursor::new(&self.octets)).unwrap();
        container.read(name, 1 << 24).unwrap()
    }

    fn objects(&self) -> usize {
        let names = self.names();
        names.iter().filter(|name| name.ends_with(".eml")).count()
    }
}

impl Office {
    pub(super) fn open(installation: Installation) -> Self {
        std::thread::scope(|scope| scope.spawn(|| Self::fill(installation)).join().unwrap())
    }

    pub(super) fn plain() -> Self {
        Self::open(Installation::plain(&[LOG], ""))
    }

    fn fill(installation: Installation) -> Self {
        let now = SystemClock::default().wall().get();
        let files = DevelopmentFiles::beside(&installation.path("master.key"));
        seal_key::make(&files, UtcMillis::new(now), &SystemEntropy).unwrap();
        let clock = MovableClock::at(now - 2 * DAY_MS);
        let settings = Settings {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ..Settings::default()
        };
        let log = Log::open(&installation.log(LOG), &master(), &settings).unwrap();
        let start = i64::try_from(clock.now() - HOUR_MS).unwrap();
        let postal = Postal::new(&PkiOptions::with_keys(Keys::P256), start).unwrap();
        let anchor = Item::held(What::Anchor, postal.pki().root_der().to_vec());
        log.judge_with(&Bundle::new(vec![Arc::new(anchor)]).unwrap())
            .unwrap();
        let transaction = delivered(&postal);
        for message in &transaction.messages {
            let submission = ingest(&log).object(message.bytes.clone(), Declared::default(), None);
            ingest(&log).record(submission.unwrap()).unwrap();
        }
        let submission = Submission::trace(Class::Trace, trace_only(start), None);
        ingest(&log).record(submission).unwrap();
        log.stop().unwrap();
        drop(log);
        let folder = tempfile::tempdir().unwrap();
        let root = std::fs::read_to_string(files.root()).unwrap();
        let roots = root + &postal.pki().root_pem();
        std::fs::write(folder.path().join("roots.pem"), roots).unwrap();
        let key = installation.verifier(LOG).to_string();
        std::fs::write(folder.path().join("log.vkey"), key).unwrap();
        Self {
            served: installation.serve(),
            transaction,
            folder,
        }
    }

    /// Waits until the day of the transaction is closed.
    pub(super) fn sealed(self) -> Self {
        for _ in 0..600 {
            let mut asked = self
                .served
                .command(self.folder.path(), &["status", "--json"]);
            let answer: serde_json::Value =
                serde_json::from_str(&out(&asked.output().unwrap())).unwrap();
            let log = &answer["logs"][0];
            if log["intervals_cut"] == 0 && log["closed_leaf"] != 0 {
                return self;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("nothing is closed");
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) async fn client(&self) -> ReissueClient<tonic::transport::Channel> {
        ReissueClient::new(self.served.channel().await)
    }

    pub(super) fn of_transaction(&self) -> v1::GetPackageRequest {
        v1::GetPackageRequest {
            identificativo: self.transaction.identificativo.clone(),
            whole_transaction: true,
            ..asked()
        }
    }

    fn message(&self, kind: MessageKind) -> &Message {
        self.transaction.first(kind).unwrap()
    }

    /// The command of a user.
    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.served.command(self.path(), arguments);
        command.output().unwrap()
    }
}

pub(super) fn delivered(postal: &Postal) -> Transaction {
    let mut plan: Plan = postal.plan(7);
    plan.at_ms = postal.start_ms();
    plan.recipients = 2;
    plan.story = ceralacca_synthetic::mail::Story::Delivered;
    plan.form = ceralacca_synthetic::mail::ReceiptForm::Complete;
    plan.subject = Some(Some("Notifica di prova".to_owned()));
    postal.carry_out(7, &plan)
}

fn trace_only(at_ms: i64) -> TraceRecord {
    let mut record = traces(3, 1).remove(0);
    record.identificativo = Some(TRACE_ONLY.into());
    record.event = Some("accettazione".into());
    record.event_ms = ceralacca_formats::canonical::Integer::try_from(at_ms).ok();
    record.sender = Some("mittente.traccia@casella.example".into());
    record.msgid = Some("<msgid-traccia@casella.example>".into());
    record.companion = None;
    record
}

/// A request that says who asks, and of nothing yet.
pub(super) fn asked() -> v1::GetPackageRequest {
    v1::GetPackageRequest {
        requester: "Tribunale di Prova".to_owned(),
        capacity: v1::Capacity::Court.into(),
        act: "decreto 12/2026".to_owned(),
        purpose: "R.G. 345/2026".to_owned(),
        ..v1::GetPackageRequest::default()
    }
}

pub(super) async fn came(
    mut client: ReissueClient<tonic::transport::Channel>,
    request: v1::GetPackageRequest,
) -> Result<Came, Status> {
    let mut parts = client.get_package(request).await?.into_inner();
    let first = parts.message().await?.and_then(|message| message.part);
    let Some(Part::Head(head)) = first else {
        panic!("no head first: {first:?}");
    };
    let mut octets = Vec::new();
    while let Some(message) = parts.message().await? {
        let Some(Part::Chunk(chunk)) = message.part else {
            panic!("a second head");
        };
        octets.extend_from_slice(&chunk);
    }
    Ok(Came { head, octets })
}

#[track_caller]
pub(super) fn refused<T>(answer: Result<T, Status>, code: Code, reason: &str) -> Status {
    let Err(status) = answer else {
        panic!("not refused: {reason}");
    };
    let details = status.get_error_details();
    let found = details.error_info().map(|info| info.reason.as_str());
    assert_eq!((status.code(), found), (code, Some(reason)), "{status:?}");
    status
}

fn pdf_text(folder: &Path, pdf: &str) -> String {
    let text = run(folder, "pdftotext", &["-layout", pdf, "-"]);
    assert!(text.status.success(), "{text:?}");
    out(&text)
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

#[track_caller]
fn good(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    out(&output)
}

/// `ceralacca verify`, now.
#[track_caller]
pub(super) fn verified(folder: &Path, package: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
    let anchors = [
        "--key",
        "log.vkey",
        "--roots",
        "roots.pem",
        "--mail-roots",
        "roots.pem",
    ];
    command.current_dir(folder).args(["verify", package]);
    let output = command.args(anchors).output().unwrap();
    assert_eq!(status(&output), 0, "{}", out(&output));
    out(&output)
}

const TOOLS: [(&str, &[&str]); 4] = [
    ("openssl", &["version"]),
    ("unzip", &["-v"]),
    ("qpdf", &["--version"]),
    ("pdftotext", &["-v"]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_form_comes_whole_over_the_wire_in_either_language() {
    use v1::{Language, PackageForm};
    let office = Office::plain().sealed();
    let acceptance = office.message(MessageKind::Acceptance);
    let receipt = v1::GetPackageRequest {
        message_id: acceptance.draft.message_id.clone(),
        ..asked()
    };
    let all = office.transaction.messages.len();
    for (form, ending) in [
        (PackageForm::Asice, "asice"),
        (PackageForm::Zip, "zip"),
        (PackageForm::Folder, "zip"),
    ] {
        for (language, words) in [
            (Language::Italian, ["Relazione", "Sigillo"]),
            (Language::English, ["Report", "Seal"]),
        ] {
            for (request, objects) in [(office.of_transaction(), all), (receipt.clone(), 1)] {
                let request = v1::GetPackageRequest {
                    form: form.into(),
                    language: language.into(),
                    ..request
                };
                let came = came(office.client().await, request).await.unwrap();
                let what = format!("{form:?} {language:?} {objects}");
                assert!(came.head.file_name.ends_with(ending), "{what}");
                assert!(came.head.sealed && came.head.development, "{what}");
                assert_eq!(came.head.objects as usize, objects, "{what}");
                assert_eq!(came.objects(), objects, "{what}");
                let name = came.head.file_name.clone();
                std::fs::write(office.path().join(&name), &came.octets).unwrap();
                verified(office.path(), &name);
                if !are_there(&TOOLS) {
                    return;
                }
                good(run(office.path(), "unzip", &["-t", &name]));
                std::fs::write(office.path().join("r.pdf"), came.read("relazione.pdf")).unwrap();
                good(run(office.path(), "qpdf", &["--check", "r.pdf"]));
                let pages = pdf_text(office.path(), "r.pdf");
                for fact in [
                    office.transaction.identificativo.as_str(),
                    "Tribunale di Prova",
                    "decreto 12/2026",
                    "R.G. 345/2026",
                ] {
                    assert!(pages.contains(fact), "{what}: {fact}\n{pages}");
                }
                let pages = pages.to_lowercase();
                for word in words {
                    assert!(
                        pages.contains(&word.to_lowercase()),
                        "{what}: {word}\n{pages}"
                    );
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_are_asked_for_by_each_of_their_names() {
    let office = Office::plain();
    let delivery = office.message(MessageKind::DeliveryComplete);
    let facts = delivery.facts().unwrap();
    let (sender, msgid) = (facts.sender.clone(), facts.msgid.clone().unwrap());
    let recipient = facts.recipients[0].address.clone();
    let at = office.transaction.messages.iter();
    let at: Vec<i64> = at.filter_map(|m| Some(m.facts()?.at_ms)).collect();
    let (first, last) = (*at.iter().min().unwrap(), *at.iter().max().unwrap());
    let (id, sent) = (
        &office.transaction.identificativo,
        office.transaction.messages.len(),
    );
    let within = v1::GetPackageRequest {
        event_from_ms: Some(first),
        event_until_ms: Some(last + 1),
        ..asked()
    };
    let by = |change: &dyn Fn(&mut v1::GetPackageRequest)| {
        let mut request = within.clone();
        change(&mut request);
        request
    };
    for (what, request, objects) in [
        (
            "identificativo",
            by(&|r| r.identificativo = format!("<{id}>")),
            sent,
        ),
        ("msgid", by(&|r| r.msgid = msgid.clone()), sent),
        (
            "Message-ID",
            by(&|r| r.message_id = delivery.draft.message_id.clone()),
            1,
        ),
        ("sender", by(&|r| r.sender = sender.to_uppercase()), sent),
        ("party that sent", by(&|r| r.party = sender.clone()), sent),
        (
            "party that received",
            by(&|r| r.party = recipient.to_uppercase()),
            sent,
        ),
        ("recipient", by(&|r| r.recipient = recipient.clone()), sent),
    ] {
        let came = came(office.client().await, request).await;
        assert_eq!(came.unwrap().head.objects as usize, objects, "{what}");
    }
    // Two receipts are of the first instant or after it; none before.
    let request = by(&|r| {
        r.party = recipient.clone();
        r.event_from_ms = Some(last);
    });
    let came_late = came(office.client().await, request).await.unwrap();
    assert!((came_late.head.records as usize) < sent);
    for request in [
        by(&|r| {
            r.party = recipient.clone();
            (r.event_from_ms, r.event_until_ms) = (None, Some(first));
        }),
        by(&|r| {
            (r.party, r.sender) = (recipient.clone(), "altro@casella.example".to_owned());
        }),
        by(&|r| r.party = "terzo@casella.example".to_owned()),
    ] {
        let refusal = came(office.client().await, request).await;
        assert_eq!(
            refusal.err().map(|status| status.code()),
            Some(Code::NotFound)
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_trace_alone_there_is_an_attestazione_and_no_receipt() {
    let office = Office::plain().sealed();
    for (language, words) in [
        (v1::Language::Italian, "Attestazione"),
        (v1::Language::English, "Statement"),
    ] {
        let request = v1::GetPackageRequest {
            identificativo: TRACE_ONLY.to_owned(),
            language: language.into(),
            ..asked()
        };
        let came = came(office.client().await, request).await.unwrap();
        assert_eq!((came.head.records, came.head.objects), (1, 0));
        let names = came.names();
        assert!(names.contains(&"attestazione.pdf".to_owned()), "{names:?}");
        assert!(
            !names.iter().any(|name| name.ends_with(".eml")),
            "{names:?}"
        );
        let name = came.head.file_name.clone();
        std::fs::write(office.path().join(&name), &came.octets).unwrap();
        verified(office.path(), &name);
        if !are_there(&TOOLS) {
            return;
        }
        std::fs::write(office.path().join("a.pdf"), came.read("attestazione.pdf")).unwrap();
        let pages = pdf_text(office.path(), "a.pdf");
        for fact in [
            TRACE_ONLY,
            "mittente.traccia@casella.example",
            "Tribunale di Prova",
        ] {
            assert!(pages.contains(fact), "{fact}\n{pages}");
        }
        assert!(
            pages.to_lowercase().contains(&words.to_lowercase()),
            "{words}\n{pages}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_is_on_record_before_the_first_octet() {
    let office = Office::plain();
    let mut audit = v1::audit_client::AuditClient::new(office.served.channel().await)
        .max_decoding_message_size(1 << 24);
    for (capacity, word) in [
        (v1::Capacity::Holder, "holder"),
        (v1::Capacity::Court, "court"),
        (v1::Capacity::Authority, "authority"),
    ] {
        let request = v1::GetPackageRequest {
            capacity: capacity.into(),
            ..office.of_transaction()
        };
        let mut client = office.client().await;
        let mut parts = client.get_package(request).await.unwrap().into_inner();
        let first = parts
            .message()
            .await
            .unwrap()
            .and_then(|message| message.part);
        let Some(Part::Head(head)) = first else {
            panic!("no head first");
        };
        // Nothing of the package was taken; the record is there.
        drop(parts);
        let request = v1::GetRecordRequest {
            index: head.disclosure_leaf + 1,
            ..v1::GetRecordRequest::default()
        };
        let answer = audit.get_record(request).await.unwrap().into_inner();
        let detail = String::from_utf8(answer.record.unwrap().metadata.to_vec()).unwrap();
        for words in [
            "Tribunale di Prova",
            &format!("capacity={word}"),
            "decreto 12/2026",
            "R.G. 345/2026",
            office.transaction.identificativo.as_str(),
        ] {
            assert!(detail.contains(words), "{words}: {detail}");
        }
    }
    for (field, request) in [
        (
            "capacity",
            v1::GetPackageRequest {
                capacity: 0,
                ..office.of_transaction()
            },
        ),
        (
            "requester",
            v1::GetPackageRequest {
                requester: " ".into(),
                ..office.of_transaction()
            },
        ),
        (
            "act",
            v1::GetPackageRequest {
                act: String::new(),
                ..office.of_transaction()
            },
        ),
        (
            "purpose",
            v1::GetPackageRequest {
                purpose: String::new(),
                ..office.of_transaction()
            },
        ),
    ] {
        let answer = came(office.client().await, request).await;
        let status = refused(answer, Code::InvalidArgument, "VALUE_NEEDED");
        assert!(status.message().starts_with(field), "{status:?}");
    }
    let answer = came(office.client().await, asked()).await;
    refused(answer, Code::InvalidArgument, "TERM_NEEDED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_programs_of_others_accept_what_came_and_refuse_its_damaged_twin() {
    if !are_there(&TOOLS) {
        return;
    }
    let office = Office::plain().sealed();
    let came = came(office.client().await, office.of_transaction())
        .await
        .unwrap();
    std::fs::write(office.path().join("p.asice"), &came.octets).unwrap();
    good(run(
        office.path(),
        "unzip",
        &["-q", "p.asice", "-d", "fuori"],
    ));
    let folder = office.path().join("fuori");
    let manifest = "META-INF/ASiCManifest001.xml";
    let cms = |manifest: &str| {
        let fixed = [
            "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-purpose", "any",
        ];
        let signature = ["-in", "META-INF/signature001.p7s", "-content", manifest];
        let rest = ["-CAfile", "../roots.pem", "-out", "/dev/null"];
        run(
            &folder,
            "openssl",
            &[&fixed[..], &signature, &rest].concat(),
        )
    };
    good(cms(manifest));
    let text = std::fs::read_to_string(folder.join(manifest)).unwrap();
    std::fs::write(folder.join("altered.xml"), text.replacen(".eml", ".emk", 1)).unwrap();
    assert!(!cms("altered.xml").status.success());
    let names = came.names();
    let tokens: Vec<&String> = names.iter().filter(|name| name.ends_with(".tst")).collect();
    assert!(!tokens.is_empty());
    for token in tokens {
        let covered = token.trim_end_matches(".tst");
        let ts = |data: &str| {
            let fixed = ["ts", "-verify", "-token_in", "-in", token, "-data", data];
            run(
                &folder,
                "openssl",
                &[&fixed[..], &["-CAfile", "../roots.pem"]].concat(),
            )
        };
        good(ts(covered));
        assert!(!ts(manifest).status.success());
    }
    // Each receipt is the message that was archived, and its own signature stands.
    let sent: BTreeSet<&[u8]> = office
        .transaction
        .messages
        .iter()
        .map(|m| &m.bytes[..])
        .collect();
    for name in names.iter().filter(|name| name.ends_with(".eml")) {
        assert!(sent.contains(&came.read(name)[..]), "{name}");
        let fixed = ["cms", "-verify", "-in", name, "-CAfile", "../roots.pem"];
        let rest = ["-purpose", "any", "-out", "/dev/null"];
        good(run(&folder, "openssl", &[&fixed[..], &rest].concat()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_that_the_service_makes_are_pdf_a_3b_for_verapdf() {
    if !are_there(&[("mvn", &["-v"]), ("java", &["-version"])]) {
        return;
    }
    let office = Office::plain().sealed();
    let mut pages = Vec::new();
    for language in [v1::Language::Italian, v1::Language::English] {
        for (name, id) in [
            ("relazione.pdf", office.transaction.identificativo.as_str()),
            ("attestazione.pdf", TRACE_ONLY),
        ] {
            let request = v1::GetPackageRequest {
                identificativo: id.to_owned(),
                language: language.into(),
                ..asked()
            };
            let came = came(office.client().await, request).await.unwrap();
            let path = office.path().join(format!("{language:?}-{name}"));
            std::fs::write(&path, came.read(name)).unwrap();
            pages.push(path.display().to_string());
        }
    }
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/verapdf");
    let class_path = office.path().join("class-path");
    let output = format!("-Dmdep.outputFile={}", class_path.display());
    let pom = judge.join("pom.xml").display().to_string();
    let fetched = [
        "-q",
        "-B",
        "dependency:build-classpath",
        &output,
        "-f",
        &pom,
    ];
    good(run(office.path(), "mvn", &fetched));
    let class_path = std::fs::read_to_string(class_path).unwrap();
    let program = judge.join("Judge.java").display().to_string();
    let judged = |files: &[String]| {
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let fixed = ["-cp", class_path.as_str(), program.as_str()];
        run(office.path(), "java", &[&fixed[..], &files].concat())
    };
    let said = judged(&pages);
    let said = good(said);
    assert_eq!(said.matches(": PDF/A-3b").count(), pages.len(), "{said}");
    let octets = std::fs::read(&pages[0]).unwrap();
    let (from, to) = (&b"<pdfaid:part>3<"[..], &b"<pdfaid:part>2<"[..]);
    let at = octets.windows(from.len()).position(|w| w == from).unwrap();
    let twin = [&octets[..at], to, &octets[at + from.len()..]].concat();
    let path = office.path().join("twin.pdf");
    std::fs::write(&path, twin).unwrap();
    assert!(!judged(&[path.display().to_string()]).status.success());
}

#[test]
fn package_writes_what_a_user_asks_for_and_its_status_says_how_it_went() {
    let office = Office::plain().sealed();
    let id = office.transaction.identificativo.clone();
    let who = [
        "--requester",
        "Anna Prova",
        "--capacity",
        "holder",
        "--act",
        "istanza scritta del 3 marzo 2026",
        "--purpose",
        "tutela in giudizio",
    ];
    let package = |more: &[&str]| {
        let arguments = [&["package", "--identificativo", &id][..], &who, more].concat();
        office.run(&arguments)
    };
    let output = package(&["--whole-transaction", "--out", "p.asice", "--json"]);
    assert_eq!(status(&output), 0, "{output:?}");
    let answer: serde_json::Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(answer["written"], true);
    assert_eq!(answer["sealed"], true);
    assert_eq!(answer["path"], "p.asice");
    assert_eq!(answer["objects"], office.transaction.messages.len());
    verified(office.path(), "p.asice");
    // What is there stays.
    let before = std::fs::read(office.path().join("p.asice")).unwrap();
    let output = package(&["--out", "p.asice"]);
    crate::support::program::cannot(&output, "p.asice is there already");
    assert_eq!(
        std::fs::read(office.path().join("p.asice")).unwrap(),
        before
    );
    let output = package(&["--form", "folder", "--language", "en", "--out", "cartella"]);
    assert_eq!(status(&output), 0, "{output:?}");
    let said = out(&output);
    assert!(said.contains("Disclosure recorded at leaf"), "{said}");
    assert!(said.contains("development keys"), "{said}");
    assert!(office.path().join("cartella/relazione.pdf").is_file());
    assert!(
        office
            .path()
            .join("cartella/META-INF/signature001.p7s")
            .is_file()
    );
    assert!(!office.path().join("cartella.zip").exists());
    verified(office.path(), "cartella");
    // Its commands are of the folder as it lies.
    if are_there(&TOOLS) {
        good(run(office.path(), "sh", &["-e", "cartella/LEGGIMI.txt"]));
    }
    let output = package(&["--form", "zip", "--out", "p.zip"]);
    assert_eq!(status(&output), 0, "{output:?}");
    verified(office.path(), "p.zip");
    // What the portal of the tax courts takes, in sendings; the rest by name.
    let portal = ["--portal", "tax-court", "--out", "deposito"];
    let whole = ["--whole-transaction", "--json", "--form", "folder"];
    let output = package(&[&whole[..], &portal].concat());
    assert_eq!(status(&output), 0, "{output:?}");
    let answer: serde_json::Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(answer["sendings"].as_array().unwrap().len(), 1);
    assert_eq!(answer["sendings"][0]["files"][0], "relazione.pdf");
    let sending = std::fs::read_dir(office.path().join("deposito-invio-01")).unwrap();
    let objects = sending.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let objects = objects.filter(|name| name.ends_with(".eml")).count();
    assert_eq!(objects, office.transaction.messages.len());
    let left_out = answer["refused"].as_array().unwrap().iter();
    assert!(left_out.clone().all(|one| one["why"] == "type"));
    assert!(
        left_out
            .clone()
            .any(|one| one["name"] == "proof/001.tlog-proof")
    );
    verified(office.path(), "deposito");
    for form in ["zip", "asice"] {
        let output = package(&["--form", form, "--portal", "tax-court", "--out", "x"]);
        crate::support::program::cannot(&output, "a portal takes neither ASiC-E nor ZIP");
    }
    let output = office.run(&[&["package", "--out", "x"][..], &who].concat());
    assert_eq!(status(&output), 2, "nothing is asked");
    assert!(!office.path().join("x").exists());
}
