//! Appending trace records, beside bare RocksDB: promise P1 at a nation's rate.
//!
//! ```text
//! cargo bench --bench append                                  200 000 records, as CI runs it
//! cargo bench --bench append -- --records 10000000            by hand
//!     --raw N        compare with bare RocksDB over the first N records (default: all, at most 1 000 000)
//!     --threads N    submitters (default 2), each with --window N submissions under way (default 2048)
//!     --object       a 150 MB object is uploaded meanwhile
//!     --no-fsck      leave out the re-reading of everything (it takes long at 10 M)
//! ```
//! The path measured is the shipped one: `Ingest::submit_waiting` and `wait`, client keys, all indexes, default
//! settings, one synced batch a group, groups as they form. Ratios only are judged, both sides in this run;
//! everything that was written is read back by `fsck`.

#[path = "../tests/support/traffic.rs"]
#[allow(dead_code)]
mod traffic;

use ceralacca::archive::{self, Log, Settings};
use ceralacca::audit::fsck;
use ceralacca::ingest::{ClientKey, Submission};
use ceralacca::keyring::Keyring;
use ceralacca::store::cf::Family;
use ceralacca::store::rocks::{Mode, RocksStore, bare_engine, run_options};
use ceralacca::store::{KeyRange, Order, Store, outside};
use ceralacca_formats::canonical::Integer;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::{LeafIndex, LogId, Origin};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::metadata::{Metadata, ObjectRecord, TraceRecord};
use ceralacca_formats::secret::MasterKey;
use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const POOL: usize = 20_000;
const MILLION: u64 = 1_000_000;
const RUN_RECORDS: u64 = ceralacca::index::RUN_RECORDS;

struct Options {
    records: u64,
    raw: u64,
    threads: u64,
    window: usize,
    object: bool,
    fsck: bool,
}

impl Options {
    fn parse() -> Self {
        let mut options = Self {
            records: 200_000,
            raw: MILLION,
            threads: 2,
            window: 2048,
            object: false,
            fsck: true,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut number = || arguments.next().and_then(|n| n.parse().ok()).expect("a number");
            match argument.as_str() {
                "--records" => options.records = number(),
                "--raw" => options.raw = number(),
                "--threads" => options.threads = number(),
                "--window" => options.window = number() as usize,
                "--object" => options.object = true,
                "--no-fsck" => options.fsck = false,
                "--bench" => {}
                other => panic!("unknown argument {other}"),
            }
        }
        options.raw = options.raw.min(options.records);
        options
    }
}

/// Distinct records without their cost: a pool, made distinct by what is distinct in life.
struct Source {
    pool: Vec<TraceRecord>,
}

impl Source {
    fn new() -> Self {
        let pool = traffic::Traffic::new(7, 1_763_700_000_000).take(POOL).collect();
        Self { pool }
    }

    fn record(&self, number: u64) -> TraceRecord {
        let mut record = self.pool[number as usize % POOL].clone();
        let hash = Sha256::of(&number.to_be_bytes());
        let (a, b) = hash.as_bytes().split_at(16);
        let time = 1_763_700_000_000 + number as i64 / 4;
        let id = format!(
            "opec{}.20261121{:06}.{:05}.{:02}.1.{}@pec.g{}.example",
            210 + u32::from(a[0]) % 110,
            time / 1000 % 1_000_000,
            u32::from_be_bytes([0, a[1], a[2], a[3]]) % 100_000,
            a[4] % 100,
            u32::from_be_bytes([0, 0, a[5], a[6]]) % 10_000,
            a[7] % 12,
        );
        record.message_ids = vec![format!("<{id}.{}>", hex::encode(&b[..4])).into()];
        record.identificativo = Some(id.into());
        record.event_ms = Integer::try_from(time).ok();
        if record.msgid.is_some() {
            record.msgid = Some(format!("<{}@mail.example>", hex::encode(&b[..12])).into());
        }
        record
    }

    fn submission(&self, number: u64) -> Submission {
        let key = ClientKey {
            principal: "piattaforma-1".to_owned(),
            key: number.to_be_bytes().to_vec(),
        };
        Submission::trace(Class::Trace, self.record(number), Some(key))
    }
}

fn main() {
    let options = Options::parse();
    let directory = tempfile::Builder::new()
        .prefix("ceralacca-bench")
        .tempdir_in(std::env::var("CERALACCA_BENCH_DIR").unwrap_or_else(|_| ".".to_owned()))
        .expect("directory for the bench");
    let source = Source::new();
    describe(&source);
    let path = directory.path().join("log");
    let (log_id, origin, master) = names();
    archive::init(&path, &log_id, &origin, &master, &Settings::default()).expect("init");
    let log = Log::open(&path, &master, &Settings::default()).expect("open");
    let (elapsed, sizes) = append(&log, &source, &options);
    memory();
    proofs(&log);
    log.stop().expect("stop");
    drop(log);
    let opening = Instant::now();
    let log = Log::open(&path, &master, &Settings::default()).expect("open again");
    println!("open after a clean stop: {:.0} ms", opening.elapsed().as_secs_f64() * 1e3);
    drop(log);
    let opening = Instant::now();
    let log = Log::open(&path, &master, &Settings::default()).expect("open again");
    println!("open after none:         {:.0} ms", opening.elapsed().as_secs_f64() * 1e3);
    log.stop().expect("stop");
    drop(log);
    if options.fsck {
        check(&path, &master, &origin);
    }
    let shipped = rate(options.raw, raw_part(&elapsed, options.raw));
    let raw = raw_rows(&path, directory.path(), &sizes, options.raw);
    let plain = plain_rows(&source, directory.path(), &sizes, options.raw);
    println!("\nfirst {} records, records a second:", options.raw);
    println!("  ceralacca                          {shipped:>9.0}");
    println!("  bare RocksDB, the very same rows   {raw:>9.0}   ratio {:.2}", shipped / raw);
    println!("  bare RocksDB, plain records only   {plain:>9.0}   ratio {:.2}", shipped / plain);
    disk(&path, options.records, &source);
}

fn names() -> (LogId, Origin, MasterKey) {
    let log_id = LogId::try_from("bench").expect("log id");
    let origin = Origin::try_from("bench.example.test/log").expect("origin");
    (log_id, origin, MasterKey::from_bytes([0x4d; 32]))
}

/// What the records are: size, and what a good compressor finds in them.
fn describe(source: &Source) {
    let records: Vec<TraceRecord> = (0..100_000).map(|n| source.record(n)).collect();
    let canonical: Vec<u8> = records.iter().flat_map(|r| Metadata::from(r.clone()).to_bytes()).collect();
    let lines: String = records.iter().map(traffic::text_line).collect();
    let best = zstd::bulk::compress(&canonical, 19).expect("compress").len();
    println!(
        "records: {} bytes of canonical metadata each, {} as a text line; zstd -19 over 100 000 together: {} bytes each ({} bits of entropy at most)",
        canonical.len() / records.len(),
        lines.len() / records.len(),
        best / records.len(),
        8 * best / records.len(),
    );
}

/// Submits all records; gives the seconds of each block of 100 000 and the size of the tree after each
/// group.
fn append(log: &Log, source: &Source, options: &Options) -> (Vec<(u64, f64)>, BTreeSet<u64>) {
    let next = AtomicU64::new(0);
    let done = AtomicU64::new(0);
    let start = Instant::now();
    let (mut blocks, mut sizes) = (Vec::new(), BTreeSet::new());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..options.threads)
            .map(|_| scope.spawn(|| submit(log, source, options, &next, &done)))
            .collect();
        if options.object {
            scope.spawn(|| upload(log));
        }
        let mut last = (0, 0.0);
        while workers.iter().any(|worker| !worker.is_finished()) {
            std::thread::sleep(Duration::from_millis(20));
            let now = (done.load(Ordering::Relaxed), start.elapsed().as_secs_f64());
            if now.0 >= last.0 + 100_000 || now.0 == options.records && now.0 > last.0 {
                blocks.push(now);
                if now.0 / MILLION > last.0 / MILLION {
                    println!("  {:>9} records in {:>6.1} s", now.0, now.1);
                }
                last = now;
            }
        }
        for worker in workers {
            sizes.extend(worker.join().expect("submitter"));
        }
    });
    let total = start.elapsed().as_secs_f64();
    blocks.push((options.records, total));
    println!(
        "appended {} records in {total:.1} s, {:.0} a second, {} groups of {:.0} on average",
        options.records,
        rate(options.records, total),
        sizes.len(),
        options.records as f64 / sizes.len() as f64
    );
    let million = |from: f64| {
        let (from, to) = (from as u64, from as u64 + MILLION);
        rate(MILLION, raw_part(&blocks, to) - raw_part(&blocks, from))
    };
    if options.records >= 3 * MILLION {
        let (second, last) = (million(1e6), million((options.records - MILLION) as f64));
        println!("second million {second:.0} a second, last {last:.0}: ratio {:.2}", last / second);
    }
    (blocks, sizes)
}

fn submit(log: &Log, source: &Source, options: &Options, next: &AtomicU64, done: &AtomicU64) -> BTreeSet<u64> {
    const STRIDE: u64 = 256;
    let mut waiting = VecDeque::new();
    let mut sizes = BTreeSet::new();
    let mut finish = |ticket| {
        let acknowledgement = log.ingest().wait(ticket).expect("acknowledgement");
        assert!(!acknowledgement.repeated && acknowledgement.records.len() == 1);
        let size = acknowledgement.checkpoint.lines().nth(1).and_then(|line| line.parse().ok());
        sizes.insert(size.expect("size of the checkpoint"));
        done.fetch_add(1, Ordering::Relaxed);
    };
    loop {
        let from = next.fetch_add(STRIDE, Ordering::Relaxed);
        if from >= options.records {
            break;
        }
        for number in from..(from + STRIDE).min(options.records) {
            if waiting.len() >= options.window {
                finish(waiting.pop_front().expect("a ticket"));
            }
            let ticket = log.ingest().submit_waiting(source.submission(number));
            waiting.push_back(ticket.expect("submitted"));
        }
    }
    waiting.into_iter().for_each(&mut finish);
    sizes
}

fn upload(log: &Log) {
    let mut upload = log.ingest().upload(Class::Content);
    let piece: Vec<u8> = (0..1_000_000u64).map(|n| Sha256::of(&n.to_be_bytes()).as_bytes()[0]).collect();
    for _ in 0..150 {
        upload.write(&piece).expect("upload");
    }
    let content = upload.finish().expect("upload");
    let object = ObjectRecord::default();
    let kind = ceralacca_formats::leaf::Kind::Message;
    let submission = Submission::object(kind, Class::Content, object, content, None, None);
    let acknowledgement = log.ingest().record(submission).expect("object recorded");
    assert_eq!(acknowledgement.records[0].content.bytes, 150_000_000);
    println!("  a 150 MB object was recorded meanwhile");
}

fn rate(records: u64, seconds: f64) -> f64 {
    records as f64 / seconds
}

/// Seconds until `records` were acknowledged, between the two nearest measurements.
fn raw_part(blocks: &[(u64, f64)], records: u64) -> f64 {
    let mut before = (0, 0.0);
    for block in blocks {
        if block.0 >= records {
            let part = (records - before.0) as f64 / (block.0 - before.0).max(1) as f64;
            return before.1 + part * (block.1 - before.1);
        }
        before = *block;
    }
    before.1
}

fn memory() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    let peak = peak.and_then(|line| line.split_whitespace().nth(1)).unwrap_or("?");
    println!("peak resident memory, generator included: {peak} kB");
}

/// Inclusion proofs of random leaves at the present size, in the server, each verified afterwards.
fn proofs(log: &Log) {
    let reader = log.reader();
    let state = reader.published();
    let size = state.tip.size;
    let mut times = Vec::new();
    for number in 0..5000u64 {
        let hash = Sha256::of(&number.to_be_bytes());
        let random = u64::from_be_bytes(hash.as_bytes()[..8].try_into().expect("8 bytes"));
        let index = LeafIndex::new(random % size.get());
        let start = Instant::now();
        let path = reader.inclusion(&state, index, size).expect("proof");
        times.push(start.elapsed());
        let leaf = reader.leaf(&state, index).expect("leaf").hash();
        ceralacca_formats::tree::verify_inclusion(&state.checkpoint, index, leaf, &path).expect("proof verifies");
    }
    times.sort();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e6;
    println!("inclusion proof at {size} leaves: p50 {:.0} µs, p99 {:.0} µs", at(0.5), at(0.99));
}

fn check(path: &Path, master: &MasterKey, origin: &Origin) {
    let store = RocksStore::open(&outside::database_of(path), Mode::Read).expect("open to check");
    let (keyring, signer) = Keyring::open(&store, master, origin).expect("keys");
    let subject = fsck::Subject {
        store: &store,
        keyring: &keyring,
        verifier: signer.verifier(),
        outside: outside::read_checkpoint(path).expect("outside checkpoint"),
    };
    let start = Instant::now();
    let report = fsck::check(&subject, &mut |_| {});
    assert!(report.is_clean(), "{:?}", report.damages);
    println!(
        "fsck: {} records, {} postings, {} tiles, {} client keys: clean, {:.1} s",
        report.records, report.postings, report.tiles, report.client_keys, start.elapsed().as_secs_f64()
    );
}

/// The rows the archive wrote for its first records, written again by bare RocksDB: same keys, values,
/// families, options, groups, syncs, index runs; nothing else.
fn raw_rows(path: &Path, directory: &Path, sizes: &BTreeSet<u64>, records: u64) -> f64 {
    let store = RocksStore::open(&outside::database_of(path), Mode::Read).expect("open to copy");
    let rows = |family| store.scan(family, &KeyRange::all(), Order::Ascending).map(|row| row.expect("row"));
    let number = |bytes: &[u8]| u64::from_be_bytes(bytes[bytes.len() - 8..].try_into().expect("8 bytes"));
    let end = records + 1;
    let mut batches: Vec<(u64, rocksdb::WriteBatch)> = Vec::new();
    let ends: Vec<u64> = sizes.iter().copied().take_while(|size| *size < end).chain([end]).collect();
    let group_of = |index: u64| ends.partition_point(|size| *size <= index).min(ends.len() - 1);
    batches.extend(ends.iter().map(|size| (*size, rocksdb::WriteBatch::default())));
    let target = directory.join("raw");
    let db = bare_engine(&target).expect("bare engine");
    let handle = |family: Family| db.cf_handle(family.name()).expect("family");
    let mut written = 0u64;
    let mut put = |index: u64, family: Family, key: &[u8], value: &[u8]| {
        if index < end {
            written += 1;
            batches[group_of(index)].1.put_cf(&handle(family), key, value);
        }
    };
    rows(Family::Leaf).for_each(|(k, v)| put(number(&k), Family::Leaf, &k, &v));
    rows(Family::Metadata).for_each(|(k, v)| put(number(&k), Family::Metadata, &k, &v));
    rows(Family::Idempotency).for_each(|(k, v)| put(number(&v), Family::Idempotency, &k, &v));
    rows(Family::Tile).for_each(|(k, v)| {
        let last = ((number(&k) + 1) << (8 * (u32::from(k[0]) + 1))) - 1;
        put(last, Family::Tile, &k, &v);
    });
    let state: Vec<_> = rows(Family::State).collect();
    for (size, _) in batches.iter().map(|b| (b.0, ())).collect::<Vec<_>>() {
        for (key, value) in state.iter().filter(|(key, _)| matches!(**key, [2] | [3])) {
            put(size - 1, Family::State, key, value);
        }
    }
    let mut runs: Vec<Vec<Box<[u8]>>> = Vec::new();
    rows(Family::Index).for_each(|(k, _)| {
        let index = number(&k);
        let run = (index / RUN_RECORDS) as usize;
        if index < end {
            runs.resize_with(runs.len().max(run + 1), Vec::new);
            runs[run].push(k);
        }
    });
    drop(store);
    let mut sync = rocksdb::WriteOptions::default();
    sync.set_sync(true);
    let progress = AtomicU64::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (number, run) in runs.iter().enumerate() {
                while progress.load(Ordering::Acquire) < (((number as u64) + 1) * RUN_RECORDS).min(end) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                let (options, file) = (run_options(), target.join(format!("raw-{number}.run")));
                let mut writer = rocksdb::SstFileWriter::create(&options);
                writer.open(&file).expect("run");
                run.iter().for_each(|key| writer.put(key, b"").expect("run"));
                writer.finish().expect("run");
                let mut ingest = rocksdb::IngestExternalFileOptions::default();
                ingest.set_move_files(true);
                db.ingest_external_file_cf_opts(&handle(Family::Index), &ingest, vec![file]).expect("run");
            }
        });
        for (size, batch) in batches {
            db.write_opt(batch, &sync).expect("write");
            progress.store(size, Ordering::Release);
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    println!("bare RocksDB wrote {written} rows in {} groups and {} runs", ends.len(), runs.len());
    rate(records, seconds)
}

/// Only the plain records, in the same groups: what the engine does when nothing is promised.
fn plain_rows(source: &Source, directory: &Path, sizes: &BTreeSet<u64>, records: u64) -> f64 {
    let ends = sizes.iter().copied().take_while(|size| *size <= records).chain([records + 1]);
    let mut batches = Vec::new();
    let mut next = 0u64;
    for end in ends {
        let mut batch = rocksdb::WriteBatch::default();
        while next < end.saturating_sub(1).min(records) {
            batch.put(next.to_be_bytes(), Metadata::from(source.record(next)).to_bytes());
            next += 1;
        }
        batches.push(batch);
    }
    let db = bare_engine(&directory.join("plain")).expect("bare engine");
    let mut sync = rocksdb::WriteOptions::default();
    sync.set_sync(true);
    let start = Instant::now();
    for batch in batches {
        db.write_opt(batch, &sync).expect("write");
    }
    let seconds = start.elapsed().as_secs_f64();
    assert!(db.get((records - 1).to_be_bytes()).expect("read").is_some());
    rate(records, seconds)
}

/// Bytes on disk by family, after compaction, beside the compressed text line.
fn disk(path: &Path, records: u64, source: &Source) {
    let store = RocksStore::open(&outside::database_of(path), Mode::Write).expect("open to settle");
    store.settle().expect("settle");
    println!("\nbytes on disk a record, after compaction:");
    let mut total = 0;
    for family in Family::ALL {
        let bytes = store.disk_bytes(*family).expect("size");
        // A 150 MB object is no trace record.
        if matches!(family, Family::Chunk) {
            continue;
        }
        total += bytes;
        println!("  {:<12} {:>8.1}", family.name(), bytes as f64 / records as f64);
    }
    println!("  {:<12} {:>8.1}   (at most 350)", "all", total as f64 / records as f64);
    let lines: String = (0..100_000).map(|n| traffic::text_line(&source.record(n))).collect();
    let whole = zstd::bulk::compress(lines.as_bytes(), 3).expect("compress").len();
    let one = |line: &str| zstd::bulk::compress(line.as_bytes(), 3).expect("compress").len();
    let alone: usize = lines.lines().take(10_000).map(one).sum();
    println!("  zstd -3 of the text line: {} alone, {} in one file of 100 000", alone / 10_000, whole / 100_000);
}
