//! Layers and doors are data: a module imports from lower layers only, and an engine has one door.

use std::path::{Path, PathBuf};

/// Modules of the root crate, lowest layer first. A module may name those of lower layers, and its own.
/// `record` opens and encrypts for all above it; `sequencer` and `index` are the writing pair.
const LAYERS: &[&[&str]] = &[
    &["ambient", "access", "plain_http"],
    &["store", "witness", "seal_key", "tsa"],
    &["keyring", "verification"],
    &["record", "index"],
    &["holds", "erasures"],
    &["sequencer"],
    &["audit", "disclosure", "witnessed", "custody"],
    &["trust"],
    &["seal"],
    &["disposal"],
    // `tiles` is beside `desk`: both show, one to the holder of a permit, the other to everybody.
    &["ingest", "desk", "tiles"],
    &["reissue"],
    &["archive"],
    &["cosigning", "rebuild"],
    &["api"],
    &["server"],
    &["cli"],
];

/// Modules of the formats crate, lowest first.
const FORMATS: &[&[&str]] = &[
    &["wire", "digest", "id"],
    &[
        "canonical",
        "leaf",
        "metadata",
        "source",
        "closing",
        "catalogue",
        "disposal",
        "disposal_certificate",
        "disposed",
        "renewal",
        "hold",
        "export",
        "erasure",
        "secret",
        "note",
        "tree",
        "checkpoint",
        "cosignature",
        "tile",
    ],
    &[
        "encrypt",
        "event",
        "map",
        "log_file",
        "oracle",
        "proof",
        "acknowledgement",
        "policy",
        "witness",
        "sample",
    ],
    &["rotation"],
    &["absence", "monitor", "promise"],
];

/// Modules of the evidence crate, lowest first.
const EVIDENCE: &[&[&str]] = &[
    &["seal_key", "stamp", "asic", "asn1"],
    &["oids"],
    &["private_key", "tsp", "pindex", "ers"],
    &["certificates"],
    &["software_key", "signed_data"],
    &["authority", "cades"],
];

/// Modules of the pages crate, lowest first.
const PAGES: &[&[&str]] = &[
    &["error", "instant", "checks", "fonts"],
    &["model"],
    &["sheet", "texts"],
    &["flow", "qr", "leggimi"],
    &["timeline", "frame"],
    &["front"],
    &["expert"],
    &["documents"],
];

/// Engine, and the files, or folders ending in a slash, that may name it.
const DOORS: &[(&str, &[&str])] = &[
    ("rocksdb", &["src/store/rocks.rs", "src/store/rocks/"]),
    ("rs_merkle", &["formats/src/oracle.rs"]),
    (
        "blake3",
        &["formats/src/digest.rs", "formats/src/secret.rs"],
    ),
    ("zstd", &["formats/src/encrypt.rs"]),
    (
        "aws_lc_rs",
        &[
            "formats/src/digest.rs",
            "formats/src/encrypt.rs",
            "formats/src/note.rs",
            "formats/src/cosignature.rs",
            "pec/src/digests.rs",
            "pec/src/judge/",
            "pec/src/tsp/",
            "pec/src/attachments.rs",
            "pec/src/brief.rs",
            "src/seal_key/",
            "evidence/src/private_key.rs",
            "evidence/src/certificates.rs",
            "evidence/src/signed_data.rs",
            "evidence/src/cades.rs",
            "evidence/src/authority.rs",
        ],
    ),
    ("pkcs8", &["src/seal_key/"]),
    ("cryptoki", &["src/seal_key/token.rs"]),
    (
        "serde_json",
        &[
            "src/cli/seal.rs",
            "formats/src/canonical.rs",
            "pages/src/model.rs",
            "src/cli/fsck.rs",
            "src/cli/verify/",
            "src/cli/show.rs",
            "src/cli/init.rs",
            "src/cli/migrate.rs",
            "src/cli/rotate_key.rs",
            "src/cli/follow_key.rs",
            "src/cli/prove.rs",
            "src/cli/scrub.rs",
            "src/cli/search.rs",
            "src/cli/gone.rs",
            "src/cli/status.rs",
            "src/cli/renew.rs",
            "src/cli/totals.rs",
            "src/cli/transaction.rs",
            "src/cli/reissue.rs",
            "src/cli/package.rs",
            "src/cli/package/",
            "src/cli/complete.rs",
            "src/cli/retention.rs",
            "src/cli/dispose/",
            "src/cli/proven.rs",
            "src/cli/absence/",
            "src/cli/hold.rs",
            "src/cli/erase.rs",
            "src/cli/intervals.rs",
            "src/cli/fetch_interval.rs",
            "src/cli/verify_interval.rs",
            "src/cli/export.rs",
            "src/cli/rebuild.rs",
            "src/cli/audit/",
            "src/cli/witness.rs",
            "src/cli/monitor.rs",
            "src/cli/verify_ack.rs",
            "src/cli/import/",
            "src/cli/import_log/",
            "src/cli/demo/mod.rs",
        ],
    ),
    ("getrandom", &["src/ambient.rs"]),
    (
        "rustix",
        &[
            "src/store/outside.rs",
            "src/witness/mod.rs",
            "src/cli/demo/mod.rs",
        ],
    ),
    ("reqwest", &["src/cosigning/ask.rs", "src/tsa/ask.rs"]),
    (
        "tokio",
        &[
            "src/sequencer/mod.rs",
            "src/sequencer/deed.rs",
            "src/sequencer/queue.rs",
            "src/sequencer/writer.rs",
            "src/api/",
            "src/server/",
            "src/plain_http.rs",
            "src/witness/http.rs",
            "src/cosigning/",
            "src/tsa/",
            "src/cli/tsa.rs",
            "src/cli/remote.rs",
            "src/cli/witness.rs",
            "src/cli/import/",
            "src/cli/import_log/",
        ],
    ),
    (
        "tonic",
        &[
            "src/api/",
            "src/server/",
            "src/cli/remote.rs",
            "src/cli/remote/",
        ],
    ),
    (
        "ceralacca_pec",
        &[
            "src/reissue/",
            "src/cli/verify/",
            "src/ingest/object.rs",
            "src/ingest/log_file/",
            "src/cli/import_log/",
            "src/desk/transaction.rs",
            "src/desk/brief.rs",
            "src/api/convert.rs",
            "src/trust/",
            "src/disposal/time.rs",
            "src/api/convert/",
            "src/server/trust.rs",
            "src/server/seal.rs",
            "src/seal/evidence.rs",
            "src/seal/closing.rs",
            "src/seal/record.rs",
            "src/seal/due.rs",
            "src/seal/renewal.rs",
            "src/seal/renewal_plan.rs",
            "src/verification/",
            "src/cli/verify_interval.rs",
            "evidence/src/",
        ],
    ),
    (
        "rayon",
        &[
            "src/seal/scan.rs",
            "src/rebuild/lines.rs",
            "src/rebuild/held.rs",
            "src/verification/lines.rs",
            "src/verification/maps.rs",
        ],
    ),
    (
        "tracing",
        &[
            "src/server/closing.rs",
            "src/server/attempts.rs",
            "src/api/status.rs",
            "src/server/mod.rs",
            "src/cosigning/mod.rs",
            "src/witness/http.rs",
            "src/tsa/mod.rs",
            "src/tsa/http.rs",
            "src/server/trust.rs",
            "src/server/scrub.rs",
            "src/server/renewal.rs",
            "src/server/disposal.rs",
        ],
    ),
    (
        "axum",
        &[
            "src/api/cut.rs",
            "src/api/metrics.rs",
            "src/api/tiles.rs",
            "src/api/mod.rs",
            "src/plain_http.rs",
            "src/witness/http.rs",
            "src/tsa/http.rs",
        ],
    ),
    ("hyper", &["src/plain_http.rs"]),
    ("hyper_util", &["src/plain_http.rs"]),
    ("toml", &["src/server/config.rs"]),
    ("tracing_subscriber", &["src/cli/serve.rs"]),
    ("sd_notify", &["src/server/mod.rs"]),
    ("mail_parser", &["pec/src/"]),
    (
        "roxmltree",
        &[
            "pec/src/",
            "evidence/src/pindex/read.rs",
            "evidence/src/asic/manifest.rs",
        ],
    ),
    ("quick_xml", &["evidence/src/pindex/write.rs"]),
    ("krilla", &["pages/src/sheet.rs", "pages/src/fonts.rs"]),
    ("skrifa", &["pages/src/fonts.rs"]),
    ("dejavu", &["pages/src/fonts.rs"]),
    ("qrcodegen", &["pages/src/qr.rs"]),
    ("encoding_rs", &["pec/src/"]),
    (
        "chrono",
        &[
            "retention/src/time.rs",
            "retention/src/civil.rs",
            "retention/src/calendar.rs",
            "retention/src/term.rs",
            "src/cli/show.rs",
            "src/server/config.rs",
            "pec/src/",
            "evidence/src/asn1.rs",
            "evidence/src/pindex/",
            "evidence/src/ers/",
            "pages/src/instant.rs",
            "pages/src/sheet.rs",
        ],
    ),
    (
        "chrono_tz",
        &[
            "retention/src/civil.rs",
            "retention/src/time.rs",
            "pec/src/logs/civil.rs",
            "pec/src/time.rs",
            "pec/src/transaction.rs",
            "pages/src/instant.rs",
            "src/cli/show.rs",
        ],
    ),
    (
        "clap",
        &[
            "src/cli/seal.rs",
            "src/cli/mod.rs",
            "src/cli/init.rs",
            "src/cli/rotate_key.rs",
            "src/cli/follow_key.rs",
            "src/cli/absence/",
            "src/cli/audit/",
            "src/cli/fsck.rs",
            "src/cli/serve.rs",
            "src/cli/verify/",
            "src/cli/demo/mod.rs",
            "src/cli/hold.rs",
            "src/cli/erase.rs",
            "src/cli/import/mod.rs",
            "src/cli/import_log/mod.rs",
            "src/cli/migrate.rs",
            "src/cli/prove.rs",
            "src/cli/proven.rs",
            "src/cli/rotations.rs",
            "src/cli/reissue.rs",
            "src/cli/package.rs",
            "src/cli/retention.rs",
            "src/cli/dispose/",
            "src/cli/remote.rs",
            "src/cli/scrub.rs",
            "src/cli/search.rs",
            "src/cli/status.rs",
            "src/cli/renew.rs",
            "src/cli/totals.rs",
            "src/cli/transaction.rs",
            "src/cli/tsa.rs",
            "src/cli/witness.rs",
            "src/cli/monitor.rs",
            "src/cli/verify_ack.rs",
            "src/cli/intervals.rs",
            "src/cli/fetch_interval.rs",
            "src/cli/package/",
            "src/cli/complete.rs",
            "src/cli/waiting.rs",
            "src/cli/verify_interval.rs",
            "src/cli/export.rs",
            "src/cli/rebuild.rs",
        ],
    ),
    ("indicatif", &["src/cli/show.rs", "src/cli/demo/mod.rs"]),
    (
        "anyhow",
        &[
            "src/cli/seal.rs",
            "src/cli/mod.rs",
            "src/cli/init.rs",
            "src/cli/rotate_key.rs",
            "src/cli/follow_key.rs",
            "src/cli/package/",
            "src/cli/complete.rs",
            "src/cli/waiting.rs",
            "src/cli/absence/",
            "src/cli/audit/",
            "src/cli/fsck.rs",
            "src/cli/verify/",
            "src/cli/key.rs",
            "src/cli/serve.rs",
            "src/cli/demo/",
            "src/cli/import/",
            "src/cli/import_log/",
            "src/cli/output.rs",
            "src/cli/hold.rs",
            "src/cli/erase.rs",
            "src/cli/migrate.rs",
            "src/cli/prove.rs",
            "src/cli/proven.rs",
            "src/cli/rotations.rs",
            "src/cli/reissue.rs",
            "src/cli/package.rs",
            "src/cli/retention.rs",
            "src/cli/dispose/",
            "src/cli/remote.rs",
            "src/cli/scrub.rs",
            "src/cli/search.rs",
            "src/cli/gone.rs",
            "src/cli/status.rs",
            "src/cli/renew.rs",
            "src/cli/totals.rs",
            "src/cli/transaction.rs",
            "src/cli/tsa.rs",
            "src/cli/witness.rs",
            "src/cli/monitor.rs",
            "src/cli/verify_ack.rs",
            "src/cli/intervals.rs",
            "src/cli/fetch_interval.rs",
            "src/cli/verify_interval.rs",
            "src/cli/export.rs",
            "src/cli/rebuild.rs",
        ],
    ),
];

/// Every folder of sources; all but the first are pure.
const SOURCES: &[&str] = &[
    "src",
    "formats/src",
    "pec/src",
    "retention/src",
    "evidence/src",
    "pages/src",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(below: &str) -> Vec<(String, String)> {
    fn walk(path: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let mut files = Vec::new();
    walk(&root().join(below), &mut files);
    let name = |path: &Path| {
        path.strip_prefix(root())
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    // Tests may name what they like.
    files.retain(|path| !path.to_str().unwrap().ends_with("tests.rs"));
    let sources = files
        .iter()
        .map(|path| (name(path), std::fs::read_to_string(path).unwrap()));
    let sources: Vec<_> = sources.collect();
    assert!(!sources.is_empty(), "{below} has no sources");
    sources
}

/// The code before the tests at its foot, without comments.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn layer_of(layers: &[&[&str]], module: &str) -> Option<usize> {
    layers.iter().position(|layer| layer.contains(&module))
}

fn check_layers(below: &str, layers: &[&[&str]], offences: &mut Vec<String>) {
    for (name, text) in sources(below) {
        let inside = name.strip_prefix(below).unwrap().trim_start_matches('/');
        let module = inside.split('/').next().unwrap().trim_end_matches(".rs");
        if matches!(module, "lib" | "main") {
            continue;
        }
        let Some(own) = layer_of(layers, module) else {
            offences.push(format!("{name}: module {module} has no layer"));
            continue;
        };
        for used in code(&text).split("crate::").skip(1) {
            let used: String = used
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            match layer_of(layers, &used) {
                Some(layer) if used == module || layer < own => {}
                // Formats refer to each other inside a layer; the root crate's layers do not.
                Some(layer) if layer == own && below == "formats/src" => {}
                Some(_) => offences.push(format!(
                    "{name}: {module} imports {used}, which is not below it"
                )),
                None => {}
            }
        }
    }
}

#[test]
fn imports_go_downward_only() {
    let mut offences = Vec::new();
    check_layers("src", LAYERS, &mut offences);
    check_layers("formats/src", FORMATS, &mut offences);
    check_layers("evidence/src", EVIDENCE, &mut offences);
    check_layers("pages/src", PAGES, &mut offences);
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn every_engine_has_one_door() {
    let mut offences = Vec::new();
    for (engine, doors) in DOORS {
        let mut used = false;
        for (name, text) in SOURCES.iter().copied().flat_map(sources) {
            let named = code(&text).contains(&format!("{engine}::"));
            used |= named;
            let open =
                |door: &&str| name == **door || (door.ends_with('/') && name.starts_with(*door));
            if named && !doors.iter().any(open) {
                offences.push(format!("{name} names {engine}"));
            }
        }
        if !used {
            offences.push(format!("nobody uses {engine}: its door is stale"));
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn the_pure_crates_need_no_store_no_transport_and_no_async() {
    for package in [
        "ceralacca-formats",
        "ceralacca-pec",
        "ceralacca-evidence",
        "ceralacca-retention",
        "ceralacca-pages",
    ] {
        let output = std::process::Command::new(env!("CARGO"))
            .args([
                "tree",
                "--locked",
                "--offline",
                "-e",
                "normal",
                "--prefix",
                "none",
                "-p",
                package,
            ])
            .current_dir(root())
            .output()
            .unwrap();
        let tree = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(tree.starts_with(package), "{tree}");
        for unwanted in [
            "rocksdb",
            "librocksdb-sys",
            "tonic",
            "tokio",
            "hyper",
            "reqwest",
            "async-trait",
        ] {
            let there = tree
                .lines()
                .any(|line| line.split(' ').next() == Some(unwanted));
            assert!(!there, "{package} needs {unwanted}");
        }
    }
}

#[test]
fn the_pure_crates_know_no_clock_no_files_and_no_randomness() {
    let pure = SOURCES.iter().copied().filter(|below| *below != "src");
    for (name, text) in pure.flat_map(sources) {
        for ambient in [
            "std::fs",
            "std::net",
            "SystemTime",
            "Instant::now",
            "std::env",
            "rand::",
            "println!",
            "thread::spawn",
        ] {
            // ECDSA and PSS draw a number for each signature: the key in memory is the one place.
            let is_key = name == "evidence/src/private_key.rs" && ambient == "rand::";
            assert!(
                is_key || !code(&text).contains(ambient),
                "{name} uses {ambient}"
            );
        }
    }
}

#[test]
fn no_service_reads_or_submits_without_a_permit() {
    for (name, text) in ["src/api", "src/server"].into_iter().flat_map(sources) {
        for engine in [
            ".reader()",
            "crate::store::rocks",
            "crate::sequencer::Sequencer",
        ] {
            assert!(!code(&text).contains(engine), "{name} names {engine}");
        }
    }
}

/// What is open to everybody needs no permit, so it is told here which files may reach it, and what it may reach.
#[test]
fn without_a_permit_there_are_checkpoints_and_hash_tiles_only() {
    const DOOR: &[&str] = &["src/archive.rs", "src/api/tiles.rs"];
    for (name, text) in sources("src") {
        let reaches = [".face()", "tiles::Face"]
            .iter()
            .any(|door| code(&text).contains(door));
        let open = DOOR.contains(&name.as_str());
        assert_eq!(reaches, open, "{name}");
        if name.starts_with("src/tiles/") {
            let code = code(&text);
            let named = |what: &str| code.matches(what).count();
            let known = ["reader.published()", "reader.tile(", "reader.clone()"];
            let known: usize = known.into_iter().map(named).sum();
            assert_eq!(named("reader."), known, "{name} reads something else");
            let known = named("crate::audit::") + named("crate::witnessed::");
            assert_eq!(named("crate::"), known, "{name}");
        }
    }
}
