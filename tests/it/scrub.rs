//! The check of a log in use: bytes that change below a running service are found, named, and nothing is skipped.

use crate::support::program::{cannot, out, status};
use crate::support::tls::Installation;
use crate::support::*;
use ceralacca::archive::Log;
use ceralacca::audit::scrub::{Finding, Phase, Report, Ticked};
use ceralacca::ingest::{ClientKey, Submission};
use ceralacca::store::cf::checkpoint::{Checkpoints, Kept};
use ceralacca::store::cf::{ColumnFamily, Family, Malformed};
use ceralacca::store::memory::MemoryStore;
use ceralacca::store::rocks::{Mode, RocksStore};
use ceralacca::store::{Batch, KeyRange, Order, Rows, Store, cf, outside};
use ceralacca_formats::id::{LeafIndex, TreeSize, UtcMillis};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::ObjectRecord;
use ceralacca_formats::tile::TileId;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const RECORDS: usize = 600;
const NOW: UtcMillis = UtcMillis::new(START_MS);
/// More than a round needs.
const MUCH: u64 = 1 << 40;

fn submit(log: &Log, seed: u64, count: usize) {
    for (number, record) in traces(seed, count).into_iter().enumerate() {
        let key = format!("chiave-{seed}-{number}").into_bytes();
        let submission = Submission::trace(Class::Trace, record, Some(ClientKey(key)));
        ingest(log).record(submission).unwrap();
    }
}

fn object(log: &Log, seed: u64, length: usize) {
    use ceralacca::ambient::Entropy;
    let mut bytes = vec![0; length];
    SeededEntropy::new(seed).fill(&mut bytes);
    let content = ingest(log).content(Class::Content, bytes).unwrap();
    let facts = ObjectRecord::default();
    let object = Submission::object(Kind::Message, Class::Content, facts, content, None, None);
    ingest(log).record(object).unwrap();
}

/// A log with a cut interval, small and large objects, all of it in tables and blob files.
fn filled() -> TestLog {
    let test = TestLog::new();
    let log = test.open();
    submit(&log, 1, RECORDS);
    object(&log, 2, 5_000);
    object(&log, 3, 300_000);
    test.clock.pass(DAY_MS);
    log.tick().unwrap();
    log.stop().unwrap();
    drop(log);
    let store = RocksStore::open(&outside::database_of(&test.path()), Mode::Write).unwrap();
    store.settle().unwrap();
    drop(store);
    test
}

fn round(log: &Log) -> Arc<Report> {
    let ticked = log.scrub_tick(NOW, Some(0), MUCH).unwrap();
    assert!(ticked.ended, "{ticked:?}");
    report(log)
}

fn report(log: &Log) -> Arc<Report> {
    let operator = ceralacca::access::Principal::development();
    let permit = ceralacca::access::authorize(&operator, log.id(), NOW).unwrap();
    log.scrub_report(&permit).unwrap()
}

fn named(report: &Report, kind: &str, part: &str) -> bool {
    let is = |finding: &&Finding| finding.kind == kind && finding.item.contains(part);
    report.findings.iter().any(|finding| is(&finding))
}

fn files(test: &TestLog, ending: &str) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(outside::database_of(&test.path())).unwrap();
    let paths = folder.map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = paths
        .filter(|path| path.to_str().unwrap().contains(ending))
        .filter(|path| path.metadata().unwrap().len() > 0)
        .collect();
    found.sort();
    found
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// Writes one byte in place, as rot does: the file stays the same file, for those who have it open too.
fn flip(path: &Path, at: u64) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x40], at).unwrap();
}

/// Where the regions of a table are, by its own footer and metaindex (RocksDB's format 6).
fn regions(path: &Path) -> BTreeMap<&'static str, u64> {
    let bytes = std::fs::read(path).unwrap();
    let footer = bytes.len() - 53;
    let size = u32::from_le_bytes(bytes[footer + 13..footer + 17].try_into().unwrap());
    let metaindex = footer - 5 - size as usize;
    let block = &bytes[metaindex..footer];
    let mut found = BTreeMap::from([
        ("data", 3),
        ("metaindex", metaindex as u64 + 2),
        ("footer", footer as u64 + 6),
        ("magic", bytes.len() as u64 - 2),
    ]);
    for (region, key) in [
        ("index", &b"rocksdb.index"[..]),
        ("properties", b"rocksdb.properties"),
        ("filter", b"fullfilter.rocksdb.BuiltinBloomFilter"),
    ] {
        let Some(at) = block.windows(key.len()).position(|w| w == key) else {
            continue;
        };
        let mut offset = 0u64;
        for (shift, byte) in block[at + key.len()..].iter().enumerate() {
            offset |= u64::from(byte & 0x7f) << (7 * shift);
            if byte & 0x80 == 0 {
                break;
            }
        }
        found.insert(region, offset + 4);
    }
    found
}

#[test]
fn a_log_in_use_is_clean_and_its_files_are_known_from_the_second_round_on() {
    let test = filled();
    let log = test.open();
    let first = round(&log);
    assert_eq!(first.findings, []);
    let size = log.reader().published().tip.size.get();
    let counts = first.counts;
    assert_eq!((counts.leaves, counts.records), (size, size));
    assert_eq!(counts.tiles, size / 256);
    assert_eq!(counts.intervals, 2);
    assert_eq!(counts.content_bytes, 305_000);
    assert!(counts.checkpoints >= 1 && counts.postings > size && counts.rows > size);
    assert!(counts.files >= 10 && counts.files_new == counts.files);
    submit(&log, 7, 50);
    let second = round(&log);
    assert_eq!(second.findings, []);
    assert_eq!((second.round, second.counts.files_new), (2, 0));
    assert_eq!(second.counts.leaves, size + 50);
    assert_eq!(second.unreferenced, Vec::<String>::new());
    assert!(
        !test.path().join("scrub/view").exists(),
        "nothing stays pinned"
    );
    log.stop().unwrap();
    drop(log);
    assert!(test.check().is_clean(), "the scrub changed nothing");
}

#[test]
fn a_byte_flipped_in_any_region_of_a_table_is_found_while_ingestion_goes_on() {
    let test = filled();
    let log = test.open();
    assert_eq!(round(&log).damaged, 0);
    let mut seen = BTreeMap::new();
    for (seed, table) in files(&test, ".sst").into_iter().enumerate() {
        for (region, at) in regions(&table) {
            flip(&table, at);
            submit(&log, 100 + seed as u64, 3);
            let found = round(&log);
            assert!(
                named(&found, "file", name(&table)),
                "{region} of {}: {found:?}",
                table.display()
            );
            flip(&table, at);
            *seen.entry(region).or_insert(0) += 1;
        }
    }
    for region in [
        "data",
        "index",
        "filter",
        "properties",
        "metaindex",
        "footer",
        "magic",
    ] {
        assert!(seen.contains_key(region), "{region} of {seen:?}");
    }
    assert_eq!(round(&log).damaged, 0);
}

#[test]
fn what_recovery_needs_of_a_table_is_found_in_the_first_round_already() {
    let test = filled();
    let log = test.open();
    for table in files(&test, ".sst") {
        for (region, at) in regions(&table) {
            // Properties are passed over by the engine; rows are found by the item below.
            if !["index", "footer", "magic", "metaindex"].contains(&region) {
                continue;
            }
            // Each time as if for the first time.
            let _ = std::fs::remove_dir_all(test.path().join("scrub"));
            flip(&table, at);
            let found = round(&log);
            flip(&table, at);
            assert!(found.damaged > 0, "{region} of {}", table.display());
        }
    }
}

#[test]
fn a_byte_flipped_in_a_blob_file_is_found_and_the_record_named() {
    let test = filled();
    let log = test.open();
    let blobs = files(&test, ".blob");
    assert!(!blobs.is_empty());
    for blob in &blobs {
        let length = blob.metadata().unwrap().len();
        // In the first round by the record that does not open: nothing is kept of the file yet.
        flip(blob, length / 2);
        let found = round(&log);
        let record = found.findings.iter().find(|f| f.kind == "record").unwrap();
        assert!(record.index.is_some() && record.hangs.contains("its object"));
        flip(blob, length / 2);
    }
    // What was kept meanwhile is of the damaged file: kept again, from the whole one.
    std::fs::remove_dir_all(test.path().join("scrub/sums")).unwrap();
    assert_eq!(round(&log).damaged, 0);
    for blob in &blobs {
        let length = blob.metadata().unwrap().len();
        for at in [0, length / 3, length - 1] {
            flip(blob, at);
            let found = round(&log);
            assert!(named(&found, "file", name(blob)), "byte {at}: {found:?}");
            flip(blob, at);
        }
    }
}

#[test]
fn a_byte_flipped_in_wal_manifest_current_format_or_checkpoint_is_found() {
    let test = filled();
    let log = test.open();
    submit(&log, 5, 200);
    assert_eq!(round(&log).damaged, 0);
    let wal = files(&test, ".log").pop().unwrap();
    let manifest = files(&test, "MANIFEST-").pop().unwrap();
    let length = |path: &Path| path.metadata().unwrap().len();
    let database = outside::database_of(&test.path());
    for (path, at, kind) in [
        (wal.clone(), length(&wal) / 3, "database"),
        (wal.clone(), length(&wal) / 2, "database"),
        // In the last record, which a crash may tear: then the tip is behind what was published.
        (wal.clone(), length(&wal) - 9, "database"),
        (manifest.clone(), length(&manifest) / 2, "database"),
        (database.join("CURRENT"), 12, "database"),
        (test.path().join("format"), 3, "file"),
        (test.path().join("checkpoint"), 30, "checkpoint"),
    ] {
        flip(&path, at);
        let found = round(&log);
        let is_there = found.findings.iter().any(|finding| finding.kind == kind);
        assert!(is_there, "byte {at} of {}: {found:?}", path.display());
        flip(&path, at);
    }
    assert_eq!(round(&log).damaged, 0);
}

#[test]
fn a_file_that_is_gone_is_found_and_one_that_nothing_references_is_listed() {
    let test = filled();
    let log = test.open();
    let database = outside::database_of(&test.path());
    std::fs::write(database.join("000001.sst.old"), b"rimasto").unwrap();
    std::fs::write(test.path().join("appunti.txt"), b"di chi?").unwrap();
    let found = round(&log);
    assert_eq!(found.damaged, 0, "{found:?}");
    assert_eq!(found.unreferenced, ["appunti.txt", "db/000001.sst.old"]);
    let table = files(&test, ".sst").pop().unwrap();
    let aside = test.path().join("aside");
    std::fs::rename(&table, &aside).unwrap();
    let found = round(&log);
    assert!(named(&found, "database", "database"), "{found:?}");
    std::fs::rename(&aside, &table).unwrap();
    assert_eq!(round(&log).damaged, 0);
}

#[test]
fn a_round_that_is_stopped_goes_on_where_it_was_and_skips_nothing() {
    const BUDGET: u64 = 20_000;
    let test = filled();
    let mut log = test.open();
    let size = log.reader().published().tip.size.get();
    let mut phases = Vec::new();
    let mut before = (Phase::Database, 0);
    let mut ticks = 0;
    loop {
        let ticked = log.scrub_tick(NOW, Some(DAY_MS), BUDGET).unwrap();
        let now = report(&log);
        assert_eq!(now.round, 1, "one round");
        if ticked.ended {
            break;
        }
        let phase = now.phase.unwrap();
        let at = (phase, now.leaves.0);
        assert!(at >= before, "{at:?} after {before:?}");
        assert_eq!(now.leaves.1, size, "of the tree it began with");
        before = at;
        if phases.last() != Some(&phase) {
            phases.push(phase);
        }
        // Others pay back what the last one overdrew.
        ticks += u64::from(ticked.bytes > 0);
        // A crash every so often, and records that come meanwhile.
        if ticked.bytes > 0 && ticks % 3 == 0 {
            drop(log);
            log = test.open();
            assert_eq!(report(&log).phase, Some(phase), "kept");
            submit(&log, 1000 + ticks, 1);
        }
        assert!(ticks < 1_000);
    }
    assert!(ticks > 30, "{ticks} ticks");
    assert!(
        phases.contains(&Phase::Files) && phases.contains(&Phase::Log),
        "{phases:?}"
    );
    let found = report(&log);
    assert_eq!(found.findings, []);
    assert_eq!((found.counts.leaves, found.counts.records), (size, size));
    assert_eq!(found.counts.tiles, size / 256);
    assert_eq!(found.counts.content_bytes, 305_000);
    assert!(log.reader().published().tip.size.get() > size);
}

#[test]
fn damage_that_was_found_before_a_stop_is_in_the_report_after_it() {
    let test = filled();
    let log = test.open();
    assert_eq!(round(&log).damaged, 0);
    let blob = files(&test, ".blob").pop().unwrap();
    flip(&blob, blob.metadata().unwrap().len() - 1);
    let mut told = Vec::new();
    let mut due = Some(0);
    loop {
        let ticked = log.scrub_tick(NOW, due, 50_000).unwrap();
        due = None;
        told.extend(ticked.findings);
        if report(&log).phase > Some(Phase::Files) {
            break;
        }
    }
    drop(log);
    let log = test.open();
    loop {
        let ticked = log.scrub_tick(NOW, None, 50_000).unwrap();
        told.extend(ticked.findings);
        if ticked.ended {
            break;
        }
    }
    let found = report(&log);
    assert!(named(&found, "file", name(&blob)), "{found:?}");
    assert_eq!(told, found.findings, "each is told once, as an alarm");
    assert_eq!(found.last_damaged, found.damaged);
}

#[test]
fn no_more_is_read_than_was_granted_and_what_is_overdrawn_is_paid_back() {
    const BUDGET: u64 = 100_000;
    // A step is at most one piece of a file, one record, or the database with its WAL.
    const STEP: u64 = 1 << 20;
    let test = filled();
    let log = test.open();
    let (mut granted, mut spent, mut idle) = (0, 0, 0);
    loop {
        let ticked = log.scrub_tick(NOW, Some(DAY_MS), BUDGET).unwrap();
        granted += BUDGET;
        spent += ticked.bytes;
        idle += u64::from(ticked.bytes == 0);
        assert!(spent <= granted + STEP, "{spent} of {granted}");
        if ticked.ended {
            break;
        }
    }
    assert!(idle > 0, "the object of 300 kB costs three ticks");
    let counts = report(&log).counts;
    assert!(spent >= counts.file_bytes + counts.content_bytes, "{spent}");
    // Nothing is under way, and nothing due.
    assert_eq!(
        log.scrub_tick(NOW, Some(DAY_MS), BUDGET).unwrap(),
        Ticked::default()
    );
    assert_eq!(
        log.scrub_tick(NOW, None, BUDGET).unwrap(),
        Ticked::default()
    );
    let later = UtcMillis::new(START_MS + DAY_MS);
    assert!(log.scrub_tick(later, Some(DAY_MS), MUCH).unwrap().ended);
    assert_eq!(report(&log).round, 2);
}

/// What a scrub of a log in memory names after someone with the database in hand altered it.
fn named_after(alter: impl FnOnce(&dyn Store, &mut Batch)) -> Vec<Finding> {
    let memory: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let settings = settings(&MovableClock::at(START_MS));
    ceralacca::archive::found(
        &*memory,
        &log_id(),
        &origin(),
        &master(),
        &*settings.entropy,
    )
    .unwrap();
    let log = Log::over(Arc::clone(&memory), None, &master(), &settings).unwrap();
    submit(&log, 1, RECORDS);
    log.stop().unwrap();
    drop(log);
    let log = Log::over(Arc::clone(&memory), None, &master(), &settings).unwrap();
    assert_eq!(round(&log).findings, []);
    let mut batch = Batch::new();
    alter(&*memory, &mut batch);
    memory.commit(&batch).unwrap();
    round(&log).findings.clone()
}

fn item<'a>(findings: &'a [Finding], kind: &str) -> &'a Finding {
    let found = findings.iter().find(|finding| finding.kind == kind);
    found.unwrap_or_else(|| panic!("no {kind} in {findings:?}"))
}

/// Kept checkpoints as bytes, readable or not.
struct RawCheckpoints;

impl ColumnFamily for RawCheckpoints {
    const FAMILY: Family = Family::Checkpoint;
    type Key = Kept;
    type Value = Vec<u8>;

    fn encode_key(key: &Kept, out: &mut Vec<u8>) {
        Checkpoints::encode_key(key, out);
    }

    fn decode_key(bytes: &[u8]) -> Result<Kept, Malformed> {
        Checkpoints::decode_key(bytes)
    }

    fn encode_value(value: &Vec<u8>, out: &mut Vec<u8>) {
        out.extend_from_slice(value);
    }

    fn decode_value(bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
        Ok(bytes.to_vec())
    }
}

#[test]
fn a_row_that_does_not_read_hides_no_checkpoint_behind_it() {
    let size = TreeSize::new;
    let found = named_after(|_, batch| {
        batch.put::<RawCheckpoints>(&Kept::Own(size(2)), &b"\x09".to_vec());
        batch.put::<Checkpoints>(&Kept::Own(size(3)), &"unsigned\n".to_owned());
        batch.put::<Checkpoints>(&Kept::Witnessed(size(4)), &"unsigned\n".to_owned());
    });
    for which in ["checkpoint of 3 leaves", "witnessed checkpoint of 4 leaves"] {
        assert!(found.iter().any(|f| f.item == which), "{which}: {found:?}");
    }
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn what_is_damaged_is_named_by_its_index_with_what_hangs_on_it() {
    let index = LeafIndex::new(300);
    let found = named_after(|_, batch| batch.delete::<cf::leaf::Leaves>(&index));
    let leaf = item(&found, "leaf");
    assert_eq!(leaf.index, Some(300));
    assert!(leaf.hangs.contains("record 300 ") && leaf.hangs.contains("tile/0/001"));

    let found = named_after(|store, batch| {
        let mut leaf = store.read::<cf::leaf::Leaves>(&index).unwrap().unwrap();
        leaf.time = UtcMillis::new(leaf.time.get() - 1);
        batch.put::<cf::leaf::Leaves>(&index, &leaf);
    });
    let tile = item(&found, "tile");
    assert_eq!(tile.item, "tile/0/001");
    assert_eq!(tile.hangs, "proofs of leaves 256 to 511");

    let found = named_after(|store, batch| {
        let rows =
            store.rows::<cf::metadata::EncryptedMetadata>(&KeyRange::all(), Order::Ascending);
        let key = rows
            .map(|row| row.unwrap().0)
            .find(|key| key.index == index);
        batch.delete::<cf::metadata::EncryptedMetadata>(&key.unwrap());
    });
    let record = item(&found, "record");
    assert_eq!(record.index, Some(300));
    assert_eq!(found.len(), 1, "its leaf and proofs stand: {found:?}");

    let found = named_after(|store, batch| {
        let rows = store.rows::<cf::index::Index>(&KeyRange::all(), Order::Ascending);
        let posting = rows.map(|row| row.unwrap().0).find(|p| p.index == index);
        batch.delete::<cf::index::Index>(&posting.unwrap());
    });
    assert_eq!(item(&found, "index").index, Some(300));

    let found = named_after(|store, batch| {
        let id = TileId {
            level: 0,
            number: 0,
        };
        let tile = store.read::<cf::tile::Tiles>(&id).unwrap().unwrap();
        let other = TileId {
            level: 0,
            number: 1,
        };
        batch.put::<cf::tile::Tiles>(&other, &tile);
    });
    assert_eq!(item(&found, "tile").hangs, "proofs of leaves 256 to 511");
    assert!(
        found.iter().any(|finding| finding.kind == "tip"),
        "{found:?}"
    );

    let found = named_after(|store, batch| {
        let mut rows = store.rows::<cf::secret::Secrets>(&KeyRange::all(), Order::Ascending);
        let (key, mut wrapped) = rows.next().unwrap().unwrap();
        wrapped.clear();
        batch.put::<cf::secret::Secrets>(&key, &wrapped);
        batch.delete::<cf::dictionary::Dictionaries>(&1);
    });
    assert_eq!(item(&found, "dictionary").item, "dictionary 1");

    let found = named_after(|store, batch| {
        let mut rows =
            store.rows::<cf::idempotency::Idempotency>(&KeyRange::all(), Order::Ascending);
        let (key, _) = rows.next().unwrap().unwrap();
        batch.put::<cf::idempotency::Idempotency>(&key, &LeafIndex::new(99_999));
    });
    assert_eq!(item(&found, "client-key").index, Some(99_999));
}

#[test]
fn an_operator_has_a_served_log_scrubbed_and_is_told_by_status_report_and_log_line() {
    let tables = "[scrub]\nevery_hours = 0";
    let served = Installation::plain(&["gestore-1"], &format!("\n{tables}")).serve();
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| served.command(folder.path(), arguments).output().unwrap();
    let text = out(&run(&["scrub", "--show"]));
    assert!(text.contains("Nothing was scrubbed yet"), "{text}");
    let clean = run(&["scrub", "--log", "gestore-1"]);
    assert_eq!(status(&clean), 0, "{clean:?}");
    assert!(
        out(&clean).contains("Round 1 found nothing damaged."),
        "{clean:?}"
    );
    let stray = served.installation.log("gestore-1").join("appunti.txt");
    std::fs::write(stray, b"di chi?").unwrap();
    let format = served.installation.log("gestore-1").join("format");
    flip(&format, 3);
    let damaged = run(&["scrub", "--json"]);
    assert_eq!(status(&damaged), 1, "{damaged:?}");
    let json: serde_json::Value = serde_json::from_str(&out(&damaged)).unwrap();
    assert_eq!(json["clean"], false);
    assert_eq!(json["round"], 2);
    assert_eq!(json["findings"][0]["item"], "file format");
    assert_eq!(json["findings"][0]["hangs"], "the next start of the log");
    assert_eq!(json["unreferenced"][0], "appunti.txt");
    let shown = run(&["scrub", "--show"]);
    assert_eq!(status(&shown), 1);
    assert!(out(&shown).contains("damaged: file format"), "{shown:?}");
    let status: serde_json::Value =
        serde_json::from_str(&out(&run(&["status", "--json"]))).unwrap();
    assert_eq!(status["logs"][0]["damaged"], 1);
    assert_ne!(status["logs"][0]["scrubbed_ms"], 0);
    let lines = std::fs::read_to_string(served.installation.path("serve.log")).unwrap();
    assert!(
        lines.contains("DAMAGED") && lines.contains("file format"),
        "{lines}"
    );
    flip(&format, 3);
    cannot(&run(&["scrub", "--log", "nessuno"]), "LOG_UNKNOWN");
    cannot(
        &run(&["scrub", "--server", "http://127.0.0.1:1"]),
        "connect",
    );
}
