//! The static face, read with curl and by a program written from the specifications: all that is needed to verify
//! the log, nothing else, and nothing too early.
//!
//! A missing program fails in CI and skips aloud elsewhere.

use crate::support::tls::{Installation, Served};
use crate::support::traces;
use ceralacca::ambient::{Clock, SystemClock};
use ceralacca::api::v1;
use ceralacca::api::v1::audit_client::AuditClient;
use ceralacca::api::v1::submission_client::SubmissionClient;
use ceralacca::api::v1::submission_item::What;
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::cosignature::Cosigner;
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::secret::SigningSeed;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PYTHON: &str = "/usr/bin/python3";
const LOG: &str = "gestore-1";

fn are_there() -> bool {
    let answers = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        let command = command.args(arguments);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let there = answers("curl", &["--version"]) && answers(PYTHON, &["-c", "import cryptography"]);
    let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(there || !ci, "curl or python3-cryptography is missing");
    if !there {
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: curl or python3-cryptography is missing"
        );
    }
    there
}

fn serve(logs: &[&str]) -> Served {
    let installation = Installation::plain(logs, "");
    let path = installation.path("c.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let table = "[static]\nlisten = \"127.0.0.1:0\"\n[limits]";
    std::fs::write(path, config.replace("[limits]", table)).unwrap();
    installation.serve()
}

async fn submit(served: &Served, log: &str, count: usize) {
    let mut client = SubmissionClient::new(served.channel().await);
    for records in traces(3, count).chunks(500) {
        let items = records.iter().map(|record| {
            let text = |text: &Option<ceralacca_formats::canonical::Text>| {
                let text = text.as_ref().and_then(|text| text.to_str());
                text.unwrap_or_default().to_owned()
            };
            v1::SubmissionItem {
                what: Some(What::Trace(v1::TraceRecord {
                    identificativo: text(&record.identificativo),
                    event: text(&record.event),
                    ..v1::TraceRecord::default()
                })),
                ..v1::SubmissionItem::default()
            }
        });
        let request = v1::SubmitBatchRequest {
            log: log.to_owned(),
            items: items.collect(),
            options: None,
        };
        client.submit_batch(request).await.unwrap();
    }
}

async fn leaf(served: &Served, index: u64) -> Vec<u8> {
    let mut client = AuditClient::new(served.channel().await);
    let request = v1::GetInclusionProofRequest {
        log: LOG.to_owned(),
        index,
        ..v1::GetInclusionProofRequest::default()
    };
    let answer = client.get_inclusion_proof(request).await.unwrap();
    answer.into_inner().leaf.to_vec()
}

/// Status, headers in lower case, body.
fn curl(arguments: &[&str], url: &str) -> (u16, String, Vec<u8>) {
    let mut command = Command::new("curl");
    let command = command.args(["--silent", "--include", "--path-as-is"]);
    let output = command.args(arguments).arg(url).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let end = output
        .stdout
        .windows(4)
        .position(|four| four == b"\r\n\r\n");
    let (head, body) = output.stdout.split_at(end.unwrap() + 4);
    let head = String::from_utf8(head.to_vec()).unwrap().to_lowercase();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    (code, head, body.to_vec())
}

fn verify(key: &str, prefix: &str, more: &[&str]) -> (bool, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/verify_log.py");
    let mut command = Command::new(PYTHON);
    let output = command.arg(script).args([key, prefix]).args(more).output();
    let output = output.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let last = text.lines().last().unwrap_or_default().to_owned();
    assert_eq!(output.status.success(), last.starts_with("OK "), "{text}");
    assert!(
        output.status.success() || last.starts_with("FAIL "),
        "{text}"
    );
    (output.status.success(), last)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_from_the_specifications_verifies_the_log_and_refuses_every_damaged_twin() {
    if !are_there() {
        return;
    }
    let mut served = serve(&[LOG]);
    submit(&served, LOG, 799).await;
    let key = served.installation.verifier(LOG).to_string();
    let prefix = served.static_face.clone().unwrap();
    let saved = served.installation.path("saved");
    let folder = saved.to_str().unwrap().to_owned();
    let mut proven = vec!["--save".to_owned(), folder.clone()];
    let indexes = [0, 255, 256, 511, 767, 768, 799];
    for index in indexes {
        let leaf = hex::encode(leaf(&served, index).await);
        proven.extend(["--leaf".to_owned(), index.to_string(), leaf]);
    }
    let proven: Vec<&str> = proven.iter().map(String::as_str).collect();
    let (good, told) = verify(&key, &prefix, &proven);
    assert!(
        good && told.starts_with("OK 800 leaves, 7 proven"),
        "{told}"
    );
    // The same below the name of the log.
    assert!(verify(&key, &format!("{prefix}/{LOG}"), &[]).0);
    // Another leaf is not proven, nor a leaf elsewhere.
    let other = hex::encode(leaf(&served, 7).await);
    assert!(!verify(&key, &prefix, &["--leaf", "8", &other]).0);
    // A copy verifies; with a byte changed anywhere it does not.
    let copy = format!("file://{folder}");
    assert!(verify(&key, &copy, &proven[2..]).0);
    let files = [
        "checkpoint",
        "tile/0/000",
        "tile/0/001",
        "tile/0/003.p/32",
        "tile/1/000.p/3",
    ];
    for file in files {
        let path = saved.join(file);
        let good = std::fs::read(&path).unwrap();
        for at in [0, good.len() / 2, good.len() - 5] {
            let mut damaged = good.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, damaged).unwrap();
            let (verified, told) = verify(&key, &copy, &[]);
            assert!(!verified, "{file}, byte {at}: {told}");
        }
        std::fs::write(&path, &good[..good.len() - 32]).unwrap();
        assert!(!verify(&key, &copy, &[]).0, "{file}, shorter");
        std::fs::write(&path, good).unwrap();
    }
    assert!(verify(&key, &copy, &[]).0);
    assert_eq!(count(&saved), files.len() + 1, "what was fetched");
    served.stop_and_check();
}

fn count(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let count = |path: PathBuf| match path.is_dir() {
        true => count(&path),
        false => 1,
    };
    paths.map(count).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_given_is_cached_as_long_as_it_is_true_and_nothing_is_given_early() {
    if !are_there() {
        return;
    }
    let mut served = serve(&[LOG]);
    submit(&served, LOG, 299).await;
    let prefix = served.static_face.clone().unwrap();
    let get = |path: &str| curl(&[], &format!("{prefix}{path}"));
    let (code, head, note) = get("/checkpoint");
    assert_eq!(code, 200);
    assert!(head.contains("\r\ncontent-type: text/plain; charset=utf-8\r\n"));
    assert!(head.contains("\r\ncache-control: no-cache\r\n"));
    assert!(note.starts_with(b"pec.example.test/log\n300\n"));
    let (code, head, tile) = get("/tile/0/000");
    assert_eq!((code, tile.len()), (200, 8192));
    assert!(head.contains("\r\ncontent-type: application/octet-stream\r\n"));
    assert!(head.contains("\r\ncache-control: public, max-age=31536000, immutable\r\n"));
    let (code, head, edge) = get("/tile/0/001.p/44");
    assert_eq!((code, edge.len()), (200, 44 * 32));
    assert!(head.contains("\r\ncache-control: public, max-age=86400, immutable\r\n"));
    // Every width of a checkpoint that was published stays, of tiles that are full by now too.
    for width in [1, 2, 43] {
        assert_eq!(get(&format!("/tile/0/001.p/{width}")).2, edge[..width * 32]);
        assert_eq!(get(&format!("/tile/0/000.p/{width}")).2, tile[..width * 32]);
    }
    let (code, _, root) = get("/tile/1/000.p/1");
    assert_eq!((code, root.len()), (200, 32));
    for path in [
        "/",
        "/x",
        "/checkpoint/",
        "//checkpoint",
        "/Checkpoint",
        "/tile/0/001",
        "/tile/0/001.p/45",
        "/tile/0/002.p/1",
        "/tile/1/000",
        "/tile/1/000.p/2",
        "/tile/2/000.p/1",
        "/tile/8/000.p/1",
        "/tile/255/000.p/1",
        "/tile/0/000.p/0",
        "/tile/0/000.p/256",
        "/tile/0/0",
        "/tile/0/x000/000",
        "/tile/0/%30%30%30",
        "/tile/0/../0/000",
        "/tile/0/x018/x446/x744/x073/x709/x551/615.p/1",
        "/tile/entries/000",
        "/tile/data/000",
        "/gestore-2/checkpoint",
        "/gestore-1",
        "/gestore-1/tile/0/001",
        "/gestore-1/gestore-1/checkpoint",
        "/../data/logs",
    ] {
        let (code, head, _) = get(path);
        assert_eq!(code, 404, "{path}");
        assert!(head.contains("\r\ncache-control: no-store\r\n"), "{path}");
    }
    assert_eq!(get("/tile/0/000?again").0, 200);
    let (code, head, body) = curl(&["--head"], &format!("{prefix}/tile/0/000"));
    assert_eq!((code, body.len()), (200, 0));
    assert!(head.contains("\r\ncontent-length: 8192\r\n"));
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let (code, head, _) = curl(&["--request", method], &format!("{prefix}/checkpoint"));
        assert_eq!(code, 405, "{method}");
        assert!(head.contains("\r\nallow: get, head\r\n"));
    }
    let long = format!("/{}", "x".repeat(20_000));
    assert!((400..500).contains(&get(&long).0));
    // It tells nothing of who asks, and of nothing but hashes: no leaf was written for all this.
    assert_eq!(served.stop_and_check().leaves, 300);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_several_logs_each_has_its_name_in_the_path_and_without_the_table_there_is_no_face() {
    if !are_there() {
        return;
    }
    let mut served = serve(&[LOG, "checkpoint"]);
    submit(&served, "checkpoint", 10).await;
    let prefix = served.static_face.clone().unwrap();
    let get = |path: &str| curl(&[], &format!("{prefix}{path}"));
    assert!(
        get("/gestore-1/checkpoint")
            .2
            .starts_with(b"pec.example.test/log\n1\n")
    );
    let other = get("/checkpoint/checkpoint").2;
    assert!(other.starts_with(b"pec.example.test/checkpoint\n11\n"));
    assert_eq!(get("/checkpoint/tile/0/000.p/11").2.len(), 11 * 32);
    assert_eq!(get("/gestore-1/tile/0/000.p/2").0, 404);
    assert_eq!(get("/checkpoint").0, 404);
    assert_eq!(get("/tile/0/000.p/1").0, 404);
    let key = served.installation.verifier("checkpoint").to_string();
    assert!(verify(&key, &format!("{prefix}/checkpoint"), &[]).0);
    assert!(!verify(&key, &format!("{prefix}/gestore-1"), &[]).0);
    // A connection that waits for nothing does not hold up the end.
    let idle = std::net::TcpStream::connect(prefix.trim_start_matches("http://")).unwrap();
    let (clock, stopping) = now();
    served.stop();
    assert!(clock.monotone() - stopping < std::time::Duration::from_secs(10));
    drop(idle);
    let plain = Installation::plain(&[LOG], "").serve();
    assert_eq!(plain.static_face, None);
}

fn now() -> (SystemClock, std::time::Duration) {
    let clock = SystemClock::default();
    let now = clock.monotone();
    (clock, now)
}

/// Retires the key of the log at rest; the proof of it is kept under a name.
fn rotate(served: &Served, retire: &str, name: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
    command.args([
        "rotate-key",
        "--log",
        LOG,
        "--retire",
        retire,
        "--out",
        name,
    ]);
    command.args(["--data", "data", "--master-key", "master.key"]);
    let output = command.current_dir(served.installation.path("")).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_follows_the_log_through_rotations_witnesses_and_its_own_past() {
    if !are_there() {
        return;
    }
    let mut served = serve(&[LOG]);
    let first = served.installation.verifier(LOG).to_string();
    let path = |served: &Served, name: &str| {
        let path = served.installation.path(name);
        path.to_str().unwrap().to_owned()
    };
    let (mut key, mut older) = (first.clone(), Vec::new());
    let mut rotations = Vec::new();
    for turn in 0..3 {
        submit(&served, LOG, 100 + 300 * turn).await;
        // A monitor that pinned the first key follows too, from a state under any of the keys; twice, so that it
        // also begins with one of today's.
        for _ in 0..2 {
            let arguments = [
                "monitor", "--once", "--replay", "--state", "stato", "--key", &first,
            ];
            let folder = served.installation.path("");
            let output = served.command(&folder, &arguments).output().unwrap();
            assert!(output.status.success(), "{output:?}");
        }
        let prefix = served.static_face.clone().unwrap();
        let note = curl(&[], &format!("{prefix}/checkpoint")).2;
        std::fs::write(path(&served, &format!("older-{turn}")), note).unwrap();
        older.extend([
            "--older".to_owned(),
            path(&served, &format!("older-{turn}")),
        ]);
        if turn < 2 {
            served.stop();
            let proof = format!("rotation-{turn}.tlog-proof");
            key = rotate(&served, &key, &proof);
            rotations.extend(["--rotation".to_owned(), path(&served, &proof)]);
            served.start_again();
        }
    }
    let prefix = served.static_face.clone().unwrap();
    let check = |key: &str, prefix: &str, parts: &[&[String]]| {
        let all: Vec<&str> = parts
            .iter()
            .flat_map(|p| p.iter())
            .map(String::as_str)
            .collect();
        verify(key, prefix, &all)
    };
    let saved = path(&served, "saved");
    let save = ["--save".to_owned(), saved.clone()];
    let (good, told) = check(&first, &prefix, &[&rotations, &older, &save]);
    assert!(good, "{told}");
    // The key of today needs no rotation, and does not speak for its predecessors.
    assert!(check(&key, &prefix, &[]).0);
    assert!(!check(&key, &prefix, &[&older]).0);
    // Without them, with one only, or in another order, the first key leads nowhere.
    assert!(!check(&first, &prefix, &[]).0);
    assert!(!check(&first, &prefix, &[&rotations[..2]]).0);
    assert!(!check(&first, &prefix, &[&rotations[2..], &rotations[..2]]).0);
    // Any damaged line of a rotation.
    let proof = std::fs::read_to_string(&rotations[1]).unwrap();
    let damaged = path(&served, "damaged");
    for (number, line) in proof
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
    {
        let mut lines: Vec<String> = proof.lines().map(str::to_owned).collect();
        let at = line.len() / 2;
        let other = if &line[at..=at] == "A" { "B" } else { "A" };
        lines[number].replace_range(at..=at, other);
        std::fs::write(&damaged, lines.join("\n") + "\n").unwrap();
        let twin = ["--rotation".to_owned(), damaged.clone()];
        let (found, told) = check(&first, &prefix, &[&twin, &rotations[2..]]);
        assert!(!found, "line {number}: {told}");
    }
    // A past that the log does not continue: the leaves of a copy are others, under its own key.
    let other = serve(&[LOG]);
    submit(&other, LOG, 7).await;
    let note = curl(
        &[],
        &format!("{}/checkpoint", other.static_face.clone().unwrap()),
    )
    .2;
    std::fs::write(&damaged, note).unwrap();
    let foreign = ["--older".to_owned(), damaged.clone()];
    assert!(!check(&first, &prefix, &[&rotations, &foreign]).0);
    // A cosignature counts, of that witness, over that checkpoint.
    let copy = format!("file://{saved}");
    let file = Path::new(&saved).join("checkpoint");
    let note = std::fs::read_to_string(&file).unwrap();
    let witness =
        |seed| Cosigner::new("testimone.example/w", &SigningSeed::from_bytes([seed; 32])).unwrap();
    let (one, two) = (witness(1), witness(2));
    let opened = Checkpoint::open(note.as_bytes(), &VerifierKey::parse(&key).unwrap()).unwrap();
    std::fs::write(
        &file,
        format!("{note}{}", one.cosign(&opened, 1_763_700_000)),
    )
    .unwrap();
    let by = |cosigner: &Cosigner| ["--witness".to_owned(), cosigner.verifier().to_string()];
    let (good, told) = check(&first, &copy, &[&rotations, &older, &by(&one)]);
    assert!(good, "{told}");
    assert!(!check(&first, &copy, &[&rotations, &by(&two)]).0);
    let line = one.cosign(&opened, 1_763_700_000);
    let forged = line.replacen(&line[line.len() - 8..line.len() - 4], "AAAA", 1);
    assert_ne!(forged, line);
    std::fs::write(&file, format!("{note}{forged}")).unwrap();
    assert!(!check(&first, &copy, &[&rotations, &by(&one)]).0);
    let text = include_str!("../conformance/verify_log.py");
    assert!(text.lines().count() < 150, "{}", text.lines().count());
    served.stop_and_check();
}
