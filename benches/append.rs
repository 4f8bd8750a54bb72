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

#![allow(clippy::disallowed_methods, reason = "a bench is about real time")]

use ceralacca::access::{self, Principal};
use ceralacca::archive::{self, Log, Settings};
use ceralacca::audit::fsck;
use ceralacca::ingest::{ClientKey, Ingest, Submission};
use ceralacca::keyring::Keyring;
use ceralacca::store::cf::Family;
use ceralacca::store::rocks::{Mode, RocksStore, bare_engine, run_options};
use ceralacca::store::{KeyRange, Order, Store, outside};
use ceralacca_formats::canonical::{Integer, Text};
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::{LeafIndex, LogId, Origin, UtcMillis};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::metadata::{Metadata, ObjectRecord, Recipient, TraceRecord};
use ceralacca_formats::secret::MasterKey;
use ceralacca_synthetic::traffic;
use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

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
            let mut number = || {
                arguments
                    .next()
                    .and_then(|n| n.parse().ok())
                    .expect("a number")
            };
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

/// Distinct records without the cost of inventing them: written to a file beforehand, read in strides.
struct Source {
    file: Mutex<BufReader<File>>,
    path: PathBuf,
}

/// Records a submitter takes at a time.
const STRIDE: u64 = 256;

impl Source {
    fn write(path: PathBuf, records: u64) -> Self {
        let mut file = BufWriter::new(File::create(&path).expect("source file"));
        let start = Instant::now();
        for record in traffic::Traffic::new(7, 1_763_700_000_000).take(records as usize) {
            let fields = encode(&record);
            file.write_all(&(fields.len() as u32).to_be_bytes())
                .expect("source file");
            file.write_all(&fields).expect("source file");
        }
        file.into_inner().expect("source file");
        println!(
            "{records} distinct records generated in {:.0} s",
            start.elapsed().as_secs_f64()
        );
        let file = Mutex::new(BufReader::with_capacity(
            1 << 20,
            File::open(&path).expect("source file"),
        ));
        Self { file, path }
    }

    /// The next stride of encoded records.
    fn stride(&self, count: u64) -> Vec<Vec<u8>> {
        let mut file = self.file.lock().expect("source file");
        (0..count)
            .map(|_| next_encoded(&mut *file).expect("a record"))
            .collect()
    }

    /// All records from the beginning.
    fn records(&self) -> impl Iterator<Item = TraceRecord> {
        let mut file = BufReader::new(File::open(&self.path).expect("source file"));
        std::iter::from_fn(move || next_encoded(&mut file).map(|fields| decode(&fields)))
    }
}

fn next_encoded(file: &mut impl Read) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    file.read_exact(&mut length).ok()?;
    let mut fields = vec![0; u32::from_be_bytes(length) as usize];
    file.read_exact(&mut fields).expect("a whole record");
    Some(fields)
}

/// The fields that the generator sets, each with its length before it: as cheap as any wire format.
fn encode(record: &TraceRecord) -> Vec<u8> {
    let mut out = Vec::new();
    let mut put = |field: &[u8]| {
        out.extend_from_slice(&(field.len() as u16).to_be_bytes());
        out.extend_from_slice(field);
    };
    for field in texts(record) {
        put(field.as_ref().map_or(b"\0", Text::as_bytes));
    }
    put(&record.event_ms.map_or(0, Integer::get).to_be_bytes());
    put(record.message_ids[0].as_bytes());
    for recipient in &record.recipients {
        put(recipient.address.as_bytes());
    }
    out
}

fn texts(r: &TraceRecord) -> [&Option<Text>; 10] {
    [
        &r.identificativo,
        &r.sender,
        &r.subject,
        &r.event,
        &r.provider,
        &r.msgid,
        &r.delivered_to,
        &r.receipt_form,
        &r.error,
        &r.error_detail,
    ]
}

fn decode(mut fields: &[u8]) -> TraceRecord {
    let mut take = || {
        let (length, rest) = fields.split_first_chunk::<2>()?;
        let (field, rest) = rest.split_at(u16::from_be_bytes(*length).into());
        fields = rest;
        Some(field)
    };
    let mut text = || take().filter(|field| *field != b"\0").map(Text::from);
    let mut record = TraceRecord {
        identificativo: text(),
        sender: text(),
        subject: text(),
        event: text(),
        provider: text(),
        msgid: text(),
        delivered_to: text(),
        receipt_form: text(),
        error: text(),
        error_detail: text(),
        ..TraceRecord::default()
    };
    let time = take()
        .and_then(|field| field.try_into().ok())
        .map(i64::from_be_bytes);
    record.event_ms = time.and_then(|time| Integer::try_from(time).ok());
    record.message_ids.extend(take().map(Text::from));
    while let Some(address) = take() {
        record.recipients.push(Recipient {
            address: address.into(),
            kind: Some("certificato".into()),
        });
    }
    record
}

fn submission(number: u64, fields: &[u8]) -> Submission {
    let key = ClientKey(number.to_be_bytes().to_vec());
    Submission::trace(Class::Trace, decode(fields), Some(key))
}

fn main() {
    let options = Options::parse();
    let directory = tempfile::Builder::new()
        .prefix("ceralacca-bench")
        .tempdir_in(std::env::var("CERALACCA_BENCH_DIR").unwrap_or_else(|_| ".".to_owned()))
        .expect("directory for the bench");
    let source = Source::write(directory.path().join("source"), options.records);
    let path = directory.path().join("log");
    let (log_id, origin, master) = names();
    archive::init(&path, &log_id, &origin, &master, &Settings::default()).expect("init");
    let log = Log::open(&path, &master, &Settings::default()).expect("open");
    let (elapsed, sizes) = append(&log, &source, &options);
    memory();
    proofs(&log);
    let tail = log.reader().coverage();
    let tail = tail.total.get() - tail.runs.get();
    // Dropped without a stop, as after a crash: the WAL is replayed, the index tail rebuilt.
    drop(log);
    let open = |after: &str| {
        let opening = Instant::now();
        let log = Log::open(&path, &master, &Settings::default()).expect("open again");
        let took = opening.elapsed().as_secs_f64() * 1e3;
        println!("open after {after}: {took:.0} ms");
        log.stop().expect("stop");
    };
    open(&format!("no stop, {tail} records without a run"));
    open("a clean stop");
    if options.fsck {
        check(&path, &master, &origin);
    }
    let shipped = rate(options.raw, raw_part(&elapsed, options.raw));
    let raw = raw_rows(&path, directory.path(), &sizes, options.raw);
    let plain = plain_rows(&source, directory.path(), &sizes, options.raw);
    println!("\nfirst {} records, records a second:", options.raw);
    println!("  ceralacca                          {shipped:>9.0}");
    println!(
        "  bare RocksDB, the very same rows   {raw:>9.0}   ratio {:.2}",
        shipped / raw
    );
    println!(
        "  bare RocksDB, plain records only   {plain:>9.0}   ratio {:.2}",
        shipped / plain
    );
    disk(&path, options.records, &source);
    describe(&source);
}

fn names() -> (LogId, Origin, MasterKey) {
    let log_id = LogId::try_from("bench").expect("log id");
    let origin = Origin::try_from("bench.example.test/log").expect("origin");
    (log_id, origin, MasterKey::from_bytes([0x4d; 32]))
}

/// What the records are: size, and what a good compressor finds in them.
fn describe(source: &Source) {
    let records: Vec<TraceRecord> = source.records().take(100_000).collect();
    let canonical: Vec<u8> = records
        .iter()
        .flat_map(|r| Metadata::from(r.clone()).to_bytes())
        .collect();
    let lines: String = records.iter().map(traffic::text_line).collect();
    let best = zstd::bulk::compress(&canonical, 19)
        .expect("compress")
        .len();
    println!(
        "\nrecords: {} bytes of canonical metadata each, {} as a text line; zstd -19 over {} together: {} bytes each ({} bits of entropy at most)",
        canonical.len() / records.len(),
        lines.len() / records.len(),
        records.len(),
        best / records.len(),
        8 * best / records.len(),
    );
}

/// Submits all records; gives the seconds of each block of 100 000 and the size of the tree after each
/// group.
fn append(log: &Log, source: &Source, options: &Options) -> (Vec<(u64, f64)>, BTreeSet<u64>) {
    let next = AtomicU64::new(0);
    let done = AtomicU64::new(0);
    let (start, before) = (Instant::now(), processor());
    let (mut blocks, mut sizes) = (Vec::new(), BTreeSet::new());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..options.threads)
            .map(|_| {
                let submitter = std::thread::Builder::new().name("submit".to_owned());
                let (next, done) = (&next, &done);
                submitter
                    .spawn_scoped(scope, move || submit(log, source, options, next, done))
                    .expect("thread")
            })
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
        "appended {} records in {total:.1} s, {:.0} a second, {} groups of {:.0} on average, {:.1} µs of processor each",
        options.records,
        rate(options.records, total),
        sizes.len(),
        options.records as f64 / sizes.len() as f64,
        (processor() - before) * 1e6 / options.records as f64
    );
    let million = |from: f64| {
        let (from, to) = (from as u64, from as u64 + MILLION);
        rate(MILLION, raw_part(&blocks, to) - raw_part(&blocks, from))
    };
    if options.records >= 3 * MILLION {
        let (second, last) = (million(1e6), million((options.records - MILLION) as f64));
        println!(
            "second million {second:.0} a second, last {last:.0}: ratio {:.2}",
            last / second
        );
    }
    (blocks, sizes)
}

fn submit(
    log: &Log,
    source: &Source,
    options: &Options,
    next: &AtomicU64,
    done: &AtomicU64,
) -> BTreeSet<u64> {
    let submitter = submitter(log);
    let mut waiting = VecDeque::new();
    let mut sizes = BTreeSet::new();
    let mut last_note: Arc<str> = "".into();
    let mut finish = |ticket| {
        let acknowledgement = submitter.wait(ticket).expect("acknowledgement");
        assert!(!acknowledgement.repeated && acknowledgement.records.len() == 1);
        // One note a group, shared by its acknowledgements.
        if !Arc::ptr_eq(&last_note, &acknowledgement.checkpoint) {
            last_note = acknowledgement.checkpoint;
            let size = last_note.lines().nth(1).and_then(|line| line.parse().ok());
            sizes.insert(size.expect("size of the checkpoint"));
        }
        done.fetch_add(1, Ordering::Relaxed);
    };
    loop {
        let from = next.fetch_add(STRIDE, Ordering::Relaxed);
        if from >= options.records {
            break;
        }
        let stride = source.stride(STRIDE.min(options.records - from));
        for (number, fields) in (from..).zip(&stride) {
            if waiting.len() >= options.window {
                finish(waiting.pop_front().expect("a ticket"));
            }
            let ticket = submitter.submit_waiting(submission(number, fields));
            waiting.push_back(ticket.expect("submitted"));
        }
    }
    waiting.into_iter().for_each(&mut finish);
    sizes
}

fn submitter(log: &Log) -> Ingest {
    let now = UtcMillis::new(0);
    let permit = access::authorize(&Principal::development(), log.id(), now).expect("permit");
    log.ingest(&permit).expect("permit for this log")
}

fn upload(log: &Log) {
    let submitter = submitter(log);
    let mut upload = submitter.upload(Class::Content);
    let piece: Vec<u8> = (0..1_000_000u64)
        .map(|n| Sha256::of(&n.to_be_bytes()).as_bytes()[0])
        .collect();
    for _ in 0..150 {
        upload.write(&piece).expect("upload");
    }
    let content = upload.finish().expect("upload");
    let object = ObjectRecord::default();
    let kind = ceralacca_formats::leaf::Kind::Message;
    let submission = Submission::object(kind, Class::Content, object, content, None, None);
    let acknowledgement = submitter.record(submission).expect("object recorded");
    assert_eq!(acknowledgement.records[0].content.bytes, 150_000_000);
    println!("  a 150 MB object was recorded meanwhile");
}

/// Processor seconds of this process so far, all threads, user and system.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |n| {
        after_name
            .split_whitespace()
            .nth(n)
            .and_then(|t| t.parse::<f64>().ok())
    };
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
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
    let peak = peak
        .and_then(|line| line.split_whitespace().nth(1))
        .unwrap_or("?");
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
        ceralacca_formats::tree::verify_inclusion(&state.checkpoint, index, leaf, &path)
            .expect("proof verifies");
    }
    times.sort();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e6;
    println!(
        "inclusion proof at {size} leaves: p50 {:.0} µs, p99 {:.0} µs",
        at(0.5),
        at(0.99)
    );
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
        report.records,
        report.postings,
        report.tiles,
        report.client_keys,
        start.elapsed().as_secs_f64()
    );
}

/// The rows the archive wrote for its first records, written again by bare RocksDB: same keys, values,
/// families, options, groups, syncs, index runs; nothing else.
fn raw_rows(path: &Path, directory: &Path, sizes: &BTreeSet<u64>, records: u64) -> f64 {
    let store = RocksStore::open(&outside::database_of(path), Mode::Read).expect("open to copy");
    let rows = |family| {
        store
            .scan(family, &KeyRange::all(), Order::Ascending)
            .map(|row| row.expect("row"))
    };
    let number =
        |bytes: &[u8]| u64::from_be_bytes(bytes[bytes.len() - 8..].try_into().expect("8 bytes"));
    let end = records + 1;
    let mut batches: Vec<(u64, rocksdb::WriteBatch)> = Vec::new();
    let ends: Vec<u64> = sizes
        .iter()
        .copied()
        .take_while(|size| *size < end)
        .chain([end])
        .collect();
    let group_of = |index: u64| {
        ends.partition_point(|size| *size <= index)
            .min(ends.len() - 1)
    };
    batches.extend(
        ends.iter()
            .map(|size| (*size, rocksdb::WriteBatch::default())),
    );
    let target = directory.join("raw");
    let db = bare_engine(&target).expect("bare engine");
    let handle = |family: Family| db.cf_handle(family.name()).expect("family");
    let mut written = 0u64;
    let mut put = |index: u64, family: Family, key: &[u8], value: &[u8]| {
        if index < end {
            written += 1;
            batches[group_of(index)]
                .1
                .put_cf(&handle(family), key, value);
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
    for size in &ends {
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
    let (start, before) = (Instant::now(), processor());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (number, run) in runs.iter().enumerate() {
                while progress.load(Ordering::Acquire)
                    < (((number as u64) + 1) * RUN_RECORDS).min(end)
                {
                    std::thread::sleep(Duration::from_millis(1));
                }
                let (options, file) = (run_options(), target.join(format!("raw-{number}.run")));
                let mut writer = rocksdb::SstFileWriter::create(&options);
                writer.open(&file).expect("run");
                run.iter()
                    .for_each(|key| writer.put(key, b"").expect("run"));
                writer.finish().expect("run");
                let mut ingest = rocksdb::IngestExternalFileOptions::default();
                ingest.set_move_files(true);
                db.ingest_external_file_cf_opts(&handle(Family::Index), &ingest, vec![file])
                    .expect("run");
            }
        });
        for (size, batch) in batches {
            db.write_opt(batch, &sync).expect("write");
            progress.store(size, Ordering::Release);
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "bare RocksDB wrote {written} rows in {} groups and {} runs, {:.1} µs of processor a record",
        ends.len(),
        runs.len(),
        (processor() - before) * 1e6 / records as f64
    );
    rate(records, seconds)
}

/// Only the plain records, in the same groups: what the engine does when nothing is promised.
fn plain_rows(source: &Source, directory: &Path, sizes: &BTreeSet<u64>, records: u64) -> f64 {
    let ends = sizes
        .iter()
        .copied()
        .take_while(|size| *size <= records)
        .chain([records + 1]);
    let mut batches = Vec::new();
    let mut next = 0u64;
    let mut all = source.records();
    for end in ends {
        let mut batch = rocksdb::WriteBatch::default();
        while next < end.saturating_sub(1).min(records) {
            let record = all.next().expect("a record");
            batch.put(next.to_be_bytes(), Metadata::from(record).to_bytes());
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
        println!(
            "  {:<12} {:>8.1}",
            family.name(),
            bytes as f64 / records as f64
        );
    }
    println!(
        "  {:<12} {:>8.1}   (at most 350)",
        "all",
        total as f64 / records as f64
    );
    let lines: String = source
        .records()
        .take(100_000)
        .map(|r| traffic::text_line(&r))
        .collect();
    let whole = zstd::bulk::compress(lines.as_bytes(), 3)
        .expect("compress")
        .len();
    let one = |line: &str| {
        zstd::bulk::compress(line.as_bytes(), 3)
            .expect("compress")
            .len()
    };
    let alone: usize = lines.lines().take(10_000).map(one).sum();
    let count = lines.lines().count();
    println!(
        "  zstd -3 of the text line: {} alone, {} in one file of {count}",
        alone / 10_000.min(count),
        whole / count
    );
}
