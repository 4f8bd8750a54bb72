//! The life of records in one log: submitted, acknowledged, found, proven, through restarts and cuts.

use crate::support::*;
use ceralacca::archive::{self, Archive, Log};
use ceralacca::audit::{Find, ReadError};
use ceralacca::ingest::{ClientKey, IngestError, Submission};
use ceralacca::sequencer::{ConfirmError, QueueLimits, SubmitError};
use ceralacca::store::cf::Family;
use ceralacca::store::cf::idempotency::Idempotency;
use ceralacca::store::cf::metadata::{ContentPlace, EncryptedMetadata, RecordKey};
use ceralacca::store::memory::MemoryStore;
use ceralacca::store::rocks::{Mode, RocksStore};
use ceralacca::store::{Batch, KeyRange, Order, Rows, Scan, Store, StoreError, outside};
use ceralacca_formats::acknowledgement::Acknowledgement;
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::{LeafIndex, LogId, Origin, TreeSize, UtcMillis};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{Field, Metadata, ObjectRecord, TraceRecord};
use ceralacca_formats::proof::ProofFile;
use ceralacca_formats::tree::{verify_consistency, verify_inclusion};
use std::sync::Arc;

fn trace(record: &TraceRecord) -> Submission {
    Submission::trace(Class::Trace, record.clone(), None)
}

fn keyed(record: &TraceRecord, key: &str) -> Submission {
    let key = ClientKey(key.as_bytes().to_vec());
    Submission::trace(Class::Trace, record.clone(), Some(key))
}

fn object(log: &Log, bytes: Vec<u8>, facts: Option<TraceRecord>) -> Submission {
    let content = ingest(log).content(Class::Receipt, bytes).unwrap();
    let record = ObjectRecord {
        message_id: Some("<r@pec.example.test>".into()),
        ..ObjectRecord::default()
    };
    let facts = facts.map(|facts| (Class::Trace, facts));
    Submission::object(Kind::Receipt, Class::Receipt, record, content, facts, None)
}

/// Everything a submitter can check of its acknowledgement against the running log.
fn check_acknowledged(log: &Log, acknowledgement: &Acknowledgement) {
    let checkpoint = acknowledgement.verify(log.verifier()).unwrap();
    let state = log.reader().published();
    for record in &acknowledgement.records {
        let seq = record.leaf.seq;
        let path = log
            .reader()
            .inclusion(&state, seq, checkpoint.size())
            .unwrap();
        verify_inclusion(&checkpoint, seq, record.leaf.hash(), &path).unwrap();
    }
    let path = log
        .reader()
        .consistency(&state, checkpoint.size(), state.tip.size)
        .unwrap();
    verify_consistency(&checkpoint, &state.checkpoint, &path).unwrap();
}

fn random_bytes(seed: u64, len: usize) -> Vec<u8> {
    use ceralacca::ambient::Entropy;
    let mut bytes = vec![0; len];
    SeededEntropy::new(seed).fill(&mut bytes);
    bytes
}

fn content_of(log: &Log, index: LeafIndex) -> Vec<u8> {
    let opened = log
        .reader()
        .record(&log.reader().published(), index)
        .unwrap();
    let mut bytes = Vec::new();
    opened
        .content(log.reader().store(), |piece| bytes.extend_from_slice(piece))
        .unwrap();
    bytes
}

#[test]
fn a_record_is_acknowledged_found_proven_and_still_there_after_a_restart() {
    let test = TestLog::new();
    let log = test.open();
    let records = traces(1, 700);
    let acknowledgements: Vec<_> = records
        .iter()
        .map(|record| ingest(&log).record(trace(record)).unwrap())
        .collect();
    for (record, acknowledgement) in records.iter().zip(&acknowledgements) {
        check_acknowledged(&log, acknowledgement);
        let canonical = Metadata::from(record.clone()).to_bytes();
        assert_eq!(acknowledgement.received_sha256, Sha256::of(&canonical));
        let index = acknowledgement.records[0].leaf.seq;
        let opened = log
            .reader()
            .record(&log.reader().published(), index)
            .unwrap();
        assert_eq!(opened.canonical, canonical);
    }
    // Leaf 0 is the writer's epoch record; records follow densely.
    let indexes: Vec<u64> = acknowledgements
        .iter()
        .map(|a| a.records[0].leaf.seq.get())
        .collect();
    assert_eq!(indexes, (1..=700).collect::<Vec<_>>());
    log.stop().unwrap();
    drop(log);
    let report = test.check();
    assert!(report.is_clean(), "{:?}", report.damages);
    assert_eq!((report.leaves, report.records, report.tiles), (701, 701, 2));
    let log = test.open();
    for acknowledgement in &acknowledgements {
        check_acknowledged(&log, acknowledgement);
    }
    let state = log.reader().published();
    assert_eq!(state.tip.epoch.0, 2);
    let epoch = log.reader().leaf(&state, LeafIndex::new(701)).unwrap();
    assert_eq!(
        (epoch.kind, epoch.class, epoch.epoch.0),
        (Kind::Epoch, Class::Custody, 2)
    );
}

#[test]
fn an_object_and_its_facts_are_two_adjacent_leaves_that_name_each_other() {
    let test = TestLog::new();
    let log = test.open();
    for (number, len) in [0, 1, 5000, 65_536, 65_537, 1 << 20, (1 << 20) + 1, 3 << 20]
        .into_iter()
        .enumerate()
    {
        let bytes = random_bytes(number as u64, len);
        let submission = object(&log, bytes.clone(), traces(number as u64, 1).pop());
        let acknowledgement = ingest(&log).record(submission).unwrap();
        check_acknowledged(&log, &acknowledgement);
        assert_eq!(acknowledgement.received_sha256, Sha256::of(&bytes));
        let [first, second] = acknowledgement.records.as_slice() else {
            panic!("two leaves")
        };
        assert_eq!(second.leaf.seq.get(), first.leaf.seq.get() + 1);
        assert_eq!(
            (first.leaf.kind, second.leaf.kind),
            (Kind::Receipt, Kind::Trace)
        );
        assert_eq!(content_of(&log, first.leaf.seq), bytes, "{len} bytes");
        let companion = |index| {
            let opened = log
                .reader()
                .record(&log.reader().published(), index)
                .unwrap();
            match opened.metadata().unwrap() {
                Metadata::Object(object) => object.companion,
                Metadata::Trace(trace) => trace.companion,
                Metadata::DisclosureDetail(_)
                | Metadata::MigrationDetail(_)
                | Metadata::ActDetail(_)
                | Metadata::Custody(_) => None,
            }
        };
        assert_eq!(companion(first.leaf.seq).unwrap().get(), 1);
        assert_eq!(companion(second.leaf.seq).unwrap().get(), -1);
    }
    log.stop().unwrap();
    drop(log);
    let report = test.check();
    assert!(report.is_clean(), "{:?}", report.damages);
    assert_eq!(report.staged_uploads, 0);
}

#[test]
fn an_upload_without_a_leaf_is_swept_at_the_next_open() {
    let test = TestLog::new();
    let log = test.open();
    let submitter = ingest(&log);
    let mut upload = submitter.upload(Class::Content);
    upload.write(&random_bytes(3, 3 << 20)).unwrap();
    let finished = ingest(&log)
        .content(Class::Content, random_bytes(4, 2 << 20))
        .unwrap();
    drop((upload, finished));
    drop(submitter);
    let submitter = ingest(&log);
    let mut abandoned = submitter.upload(Class::Content);
    abandoned.write(&random_bytes(5, 3 << 20)).unwrap();
    abandoned.abandon().unwrap();
    drop((log, submitter));
    let report = test.check();
    assert!(report.is_clean(), "{:?}", report.damages);
    assert_eq!(report.staged_uploads, 2);
    let log = test.open();
    assert_eq!(log.swept_uploads(), 2);
    drop(log);
    let store = RocksStore::open(&outside::database_of(&test.path()), Mode::Read).unwrap();
    let chunks = store.scan(
        ceralacca::store::cf::Family::Chunk,
        &KeyRange::all(),
        Order::Ascending,
    );
    assert_eq!(chunks.count(), 0);
}

#[test]
fn an_object_over_the_limit_is_refused_and_leaves_nothing() {
    let mut test = TestLog::new();
    test.settings.object_bytes_max = 2_000_000;
    let log = test.open();
    let submitter = ingest(&log);
    let mut upload = submitter.upload(Class::Content);
    upload.write(&[0; 1_500_000]).unwrap();
    let refused = upload.write(&[0; 500_001]);
    assert!(matches!(
        refused,
        Err(IngestError::TooLarge { limit: 2_000_000 })
    ));
    upload.abandon().unwrap();
    drop(log);
    assert_eq!(test.check().staged_uploads, 0);
}

#[test]
fn the_same_client_key_with_the_same_bytes_gives_the_first_acknowledgement_again() {
    let test = TestLog::new();
    let log = test.open();
    let records = traces(5, 2);
    let first = ingest(&log).record(keyed(&records[0], "k1")).unwrap();
    let again = ingest(&log).record(keyed(&records[0], "k1")).unwrap();
    assert!(again.repeated && !first.repeated);
    assert_eq!(
        (&again.records, again.time, again.received_sha256),
        (&first.records, first.time, first.received_sha256)
    );
    check_acknowledged(&log, &again);
    let conflict = ingest(&log).record(keyed(&records[1], "k1"));
    let at = first.records[0].leaf.seq;
    assert!(matches!(conflict, Err(IngestError::Conflict { first }) if first == at));
    // Another principal's key of the same bytes is another key.
    let theirs = keyed(&records[1], "k1");
    let other = ingest_as(&log, "piattaforma-2");
    assert!(!other.record(theirs).unwrap().repeated);
    // Without a key, the same facts are a new record.
    let one = ingest(&log).record(trace(&records[0])).unwrap();
    let two = ingest(&log).record(trace(&records[0])).unwrap();
    assert_ne!(one.records[0].leaf.seq, two.records[0].leaf.seq);
}

#[test]
fn a_repeated_object_answers_with_both_its_leaves() {
    let test = TestLog::new();
    let log = test.open();
    let bytes = random_bytes(8, 200_000);
    let submit = || {
        let content = ingest(&log).content(Class::Receipt, bytes.clone()).unwrap();
        let facts = (Class::Trace, traces(9, 1).pop().unwrap());
        let key = ClientKey(b"o1".to_vec());
        let submission = Submission::object(
            Kind::Receipt,
            Class::Receipt,
            ObjectRecord::default(),
            content,
            Some(facts),
            Some(key),
        );
        ingest(&log).record(submission).unwrap()
    };
    let (first, again) = (submit(), submit());
    assert_eq!(first.records, again.records);
    assert_eq!((first.records.len(), again.repeated), (2, true));
    drop(log);
    let report = test.check();
    assert!(report.is_clean(), "{:?}", report.damages);
    assert_eq!(report.staged_uploads, 0, "the second staging was removed");
}

#[test]
fn one_key_submitted_from_many_threads_at_once_is_one_record() {
    let test = TestLog::new();
    let log = test.open();
    let record = traces(6, 1).pop().unwrap();
    let acknowledgements: Vec<Acknowledgement> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    (0..20)
                        .map(|_| ingest(&log).record(keyed(&record, "same")).unwrap())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|t| t.join().unwrap())
            .collect()
    });
    let index = acknowledgements[0].records[0].leaf.seq;
    assert!(
        acknowledgements
            .iter()
            .all(|a| a.records[0].leaf.seq == index)
    );
    assert_eq!(acknowledgements.iter().filter(|a| !a.repeated).count(), 1);
    assert_eq!(log.reader().published().tip.size, TreeSize::new(2));
}

/// A store that holds the writer between the sync of a batch and everything that follows it.
struct HoldingStore {
    inner: Arc<dyn Store>,
    hold: std::sync::atomic::AtomicBool,
    held: std::sync::Barrier,
    go: std::sync::Barrier,
}

impl Store for HoldingStore {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(family, key)
    }
    fn scan(&self, family: Family, range: &KeyRange, order: Order) -> Scan<'_> {
        self.inner.scan(family, range, order)
    }
    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        self.inner.commit(batch)?;
        if self.hold.swap(false, std::sync::atomic::Ordering::SeqCst) {
            self.held.wait();
            self.go.wait();
        }
        Ok(())
    }
    fn add_run(
        &self,
        family: Family,
        keys: &mut dyn Iterator<Item = Vec<u8>>,
    ) -> Result<(), StoreError> {
        self.inner.add_run(family, keys)
    }
    fn disk_bytes(&self, family: Family) -> Result<u64, StoreError> {
        self.inner.disk_bytes(family)
    }
    fn settle(&self) -> Result<(), StoreError> {
        self.inner.settle()
    }
}

/// The key's row is durable, its leaf not yet published: a second submission that finds the row then must
/// wait for the writer, not read a log that does not show the leaf.
#[test]
fn a_key_that_is_durable_and_not_yet_published_is_answered_by_the_writer() {
    let memory: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let clock = MovableClock::at(START_MS);
    let settings = settings(&clock);
    archive::found(
        &*memory,
        &log_id(),
        &origin(),
        &master(),
        &*settings.entropy,
    )
    .unwrap();
    let store = Arc::new(HoldingStore {
        inner: memory,
        hold: false.into(),
        held: std::sync::Barrier::new(2),
        go: std::sync::Barrier::new(2),
    });
    let log = Log::over(
        Arc::clone(&store) as Arc<dyn Store>,
        None,
        &master(),
        &settings,
    )
    .unwrap();
    let record = traces(6, 1).pop().unwrap();
    store.hold.store(true, std::sync::atomic::Ordering::SeqCst);
    let first = ingest(&log).submit(keyed(&record, "k")).unwrap();
    store.held.wait();
    let second = ingest(&log).submit(keyed(&record, "k")).unwrap();
    assert!(
        second.is_with_the_writer(),
        "decided from a row whose leaf is not published"
    );
    store.go.wait();
    let (first, second) = (
        ingest(&log).wait(first).unwrap(),
        ingest(&log).wait(second).unwrap(),
    );
    assert_eq!(
        (first.records, first.repeated),
        (second.records, !second.repeated)
    );
}

#[test]
fn client_keys_are_known_for_two_intervals_and_then_dropped() {
    let test = TestLog::new();
    let log = test.open();
    let record = traces(7, 1).pop().unwrap();
    let first = ingest(&log).record(keyed(&record, "k")).unwrap();
    test.clock.pass(DAY_MS);
    log.tick().unwrap();
    assert!(ingest(&log).record(keyed(&record, "k")).unwrap().repeated);
    test.clock.pass(DAY_MS);
    log.tick().unwrap();
    let later = ingest(&log).record(keyed(&record, "k")).unwrap();
    assert!(!later.repeated);
    assert_ne!(later.records, first.records);
    log.stop().unwrap();
    drop(log);
    let store = RocksStore::open(&outside::database_of(&test.path()), Mode::Read).unwrap();
    let keys = store.rows::<Idempotency>(&KeyRange::all(), Order::Ascending);
    assert_eq!(
        keys.count(),
        1,
        "keys before the previous interval are gone"
    );
}

#[test]
fn a_repeated_key_survives_a_restart() {
    let test = TestLog::new();
    let log = test.open();
    let record = traces(7, 1).pop().unwrap();
    let first = ingest(&log).record(keyed(&record, "k")).unwrap();
    drop(log);
    let again = ingest(&test.open()).record(keyed(&record, "k")).unwrap();
    assert_eq!((again.repeated, &again.records), (true, &first.records));
}

#[test]
fn intervals_are_cut_at_their_instant_follow_without_gap_and_are_never_empty_of_secrets() {
    let test = TestLog::new();
    let log = test.open();
    let day = START_MS / DAY_MS * DAY_MS;
    let mut sizes = Vec::new();
    for number in 0..5u64 {
        if number != 2 {
            let record = traces(number, 1).pop().unwrap();
            check_acknowledged(&log, &ingest(&log).record(trace(&record)).unwrap());
        }
        sizes.push(log.reader().published().tip.size);
        // Just before the instant nothing is cut; at the instant it is.
        let next = day + (number + 1) * DAY_MS;
        test.clock.pass(next - test.clock.now() - 1);
        log.tick().unwrap();
        assert_eq!(log.reader().published().spans.len() as u64, number + 1);
        test.clock.pass(1);
        log.tick().unwrap();
        assert_eq!(log.reader().published().open_interval().get(), next);
    }
    let state = log.reader().published();
    for (number, (span, size)) in state.spans.iter().zip(&sizes).enumerate() {
        assert_eq!(span.id.get(), day + number as u64 * DAY_MS);
        assert_eq!(span.cut, Some(*size));
    }
    let pairs = state.spans.windows(2);
    assert!(pairs.into_iter().all(|w| w[0].end.get() == w[1].id.get() && w[0].cut.unwrap().get() == w[1].first.get()));
    assert_eq!(
        state.spans[2].first.get(),
        state.spans[2].cut.unwrap().get(),
        "the third is empty"
    );
    // Records of every interval still open, after a restart too.
    log.stop().unwrap();
    drop(log);
    assert!(test.check().is_clean());
    let log = test.open();
    let state = log.reader().published();
    for index in 0..state.tip.size.get() {
        log.reader().record(&state, LeafIndex::new(index)).unwrap();
    }
}

#[test]
fn a_submission_prepared_before_a_cut_is_recorded_after_it() {
    let test = TestLog::new();
    let log = test.open();
    // Staged under the first interval, submitted under the second: staged again with new keys.
    let bytes = random_bytes(12, 2_500_000);
    let submission = object(&log, bytes.clone(), None);
    test.clock.pass(DAY_MS);
    log.tick().unwrap();
    let acknowledgement = ingest(&log).record(submission).unwrap();
    check_acknowledged(&log, &acknowledgement);
    let index = acknowledgement.records[0].leaf.seq;
    assert_eq!(content_of(&log, index), bytes);
    let state = log.reader().published();
    assert_eq!(state.interval_of(index), state.open_interval());
    log.stop().unwrap();
    drop(log);
    let report = test.check();
    assert!(report.is_clean(), "{:?}", report.damages);
    assert_eq!(report.staged_uploads, 0);
}

#[test]
fn submissions_race_with_cuts_and_none_is_lost() {
    let mut test = TestLog::new();
    test.settings.schedule = ceralacca::sequencer::Schedule::new(1000, 0).unwrap();
    let log = test.open();
    let records = traces(21, 400);
    let acknowledgements: Vec<Acknowledgement> = std::thread::scope(|scope| {
        let threads: Vec<_> = records
            .chunks(100)
            .map(|chunk| {
                let log = &log;
                scope.spawn(move || {
                    chunk
                        .iter()
                        .map(|r| ingest(log).record(trace(r)).unwrap())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        while threads.iter().any(|t| !t.is_finished()) {
            test.clock.pass(700);
            log.tick().unwrap();
        }
        threads
            .into_iter()
            .flat_map(|t| t.join().unwrap())
            .collect()
    });
    let intervals = log.reader().published().spans.len();
    assert!(intervals > 2, "{intervals} intervals");
    for acknowledgement in &acknowledgements {
        check_acknowledged(&log, acknowledgement);
    }
    log.stop().unwrap();
    drop(log);
    let report = test.check();
    assert!(report.is_clean(), "{:?}", report.damages);
    assert_eq!(report.records, 401);
}

#[test]
fn a_clock_that_steps_is_recorded_and_suspends_cuts_until_the_time_is_proven() {
    let test = TestLog::new();
    let log = test.open();
    let record = traces(1, 1).pop().unwrap();
    ingest(&log).record(trace(&record)).unwrap();
    test.clock.step_to(START_MS + 3650 * DAY_MS);
    log.tick().unwrap();
    let state = log.reader().published();
    assert_eq!(state.spans.len(), 1, "a clock moved forward cuts nothing");
    let last = log.reader().leaf(&state, LeafIndex::new(2)).unwrap();
    assert_eq!((last.kind, last.class), (Kind::ClockEvent, Class::Custody));
    // Ingestion goes on.
    ingest(&log).record(trace(&record)).unwrap();
    let apart = log.confirm_time(UtcMillis::new(START_MS));
    assert!(matches!(apart, Err(ConfirmError::Apart { .. })));
    test.clock.pass(2 * DAY_MS);
    log.tick().unwrap();
    assert_eq!(log.reader().published().spans.len(), 1);
    // The wall is set right (a step again) and proven: the two days that passed are cut.
    test.clock.step_to(START_MS + 2 * DAY_MS);
    log.tick().unwrap();
    log.confirm_time(UtcMillis::new(START_MS + 2 * DAY_MS))
        .unwrap();
    let state = log.reader().published();
    assert_eq!(state.spans.len(), 3);
    let kinds: Vec<Kind> = (0..state.tip.size.get())
        .map(|i| log.reader().leaf(&state, LeafIndex::new(i)).unwrap().kind)
        .collect();
    assert_eq!(kinds.iter().filter(|k| **k == Kind::ClockEvent).count(), 3);
    assert_eq!(
        kinds.iter().filter(|k| **k == Kind::Outage).count(),
        2,
        "two late cuts"
    );
    log.stop().unwrap();
    drop(log);
    assert!(test.check().is_clean());
}

#[test]
fn a_log_opened_after_a_long_absence_cuts_nothing_before_the_time_is_proven() {
    let test = TestLog::new();
    let log = test.open();
    log.stop().unwrap();
    drop(log);
    test.clock.pass(10 * DAY_MS);
    let log = test.open();
    log.tick().unwrap();
    assert_eq!(log.reader().published().spans.len(), 1);
    log.confirm_time(UtcMillis::new(test.clock.now())).unwrap();
    assert_eq!(
        log.reader().published().spans.len(),
        11,
        "empty intervals, no gap"
    );
    log.stop().unwrap();
    drop(log);
    assert!(test.check().is_clean());
}

#[test]
fn a_log_opened_with_the_clock_set_back_goes_on_and_says_so() {
    let test = TestLog::new();
    drop(test.open());
    test.clock.step_to(START_MS - 30 * DAY_MS);
    let log = test.open();
    let record = traces(1, 1).pop().unwrap();
    ingest(&log).record(trace(&record)).unwrap();
    let state = log.reader().published();
    let leaf = log.reader().leaf(&state, LeafIndex::new(2)).unwrap();
    assert_eq!(leaf.kind, Kind::ClockEvent);
    assert_eq!(state.spans.len(), 1);
}

#[test]
fn search_reads_runs_and_memory_in_both_directions_and_covers_the_tip() {
    let test = TestLog::new();
    let log = test.open();
    let mut target = traces(30, 1).pop().unwrap();
    target.sender = Some("Cercata@pec.example.test".into());
    let mut wanted = Vec::new();
    for (number, record) in traces(31, 300).iter().enumerate() {
        if number % 50 == 7 {
            wanted.push(
                ingest(&log).record(trace(&target)).unwrap().records[0]
                    .leaf
                    .seq,
            );
        }
        ingest(&log).record(trace(record)).unwrap();
    }
    let find = |log: &Log, order, after, limit| -> Vec<LeafIndex> {
        let state = log.reader().published();
        let find = Find {
            interval: state.open_interval(),
            class: Class::Trace,
            field: Field::Sender,
            term: b"CERCATA@pec.example.test",
            after,
            order,
            limit,
        };
        log.reader().candidates(&state, &find).unwrap()
    };
    let check = |log: &Log| {
        assert_eq!(find(log, Order::Ascending, None, 100), wanted);
        let backward: Vec<_> = wanted.iter().rev().copied().collect();
        assert_eq!(find(log, Order::Descending, None, 100), backward);
        assert_eq!(
            find(log, Order::Ascending, Some(wanted[1]), 2),
            wanted[2..4]
        );
        assert_eq!(
            find(log, Order::Descending, Some(wanted[2]), 1),
            [wanted[1]]
        );
        let coverage = log.reader().coverage();
        assert_eq!(coverage.total, log.reader().published().tip.size);
    };
    check(&log);
    // Without a clean stop the tail is rebuilt from the records; after one it is in runs.
    drop(log);
    let log = test.open();
    check(&log);
    log.stop().unwrap();
    drop(log);
    let log = test.open();
    check(&log);
    assert!(log.reader().coverage().runs.get() > 300);
}

#[test]
fn older_checkpoints_are_consistent_with_newer_ones_and_proofs_exist_at_every_size() {
    let test = TestLog::new();
    let log = test.open();
    let mut checkpoints = vec![log.reader().published().checkpoint.clone()];
    for record in &traces(2, 600) {
        ingest(&log).record(trace(record)).unwrap();
        checkpoints.push(log.reader().published().checkpoint.clone());
    }
    let state = log.reader().published();
    for (a, b) in checkpoints
        .iter()
        .zip(checkpoints.iter().skip(37))
        .step_by(11)
    {
        let path = log
            .reader()
            .consistency(&state, a.size(), b.size())
            .unwrap();
        verify_consistency(a, b, &path).unwrap();
        let index = LeafIndex::new(a.size().get() - 1);
        let leaf = log.reader().leaf(&state, index).unwrap();
        let path = log.reader().inclusion(&state, index, b.size()).unwrap();
        verify_inclusion(b, index, leaf.hash(), &path).unwrap();
    }
    let (size, beyond) = (state.tip.size, TreeSize::new(state.tip.size.get() + 1));
    let outside = log
        .reader()
        .inclusion(&state, LeafIndex::new(size.get()), size);
    assert!(matches!(outside, Err(ReadError::OutOfRange { .. })));
    let future = log.reader().consistency(&state, size, beyond);
    assert!(matches!(future, Err(ReadError::Sizes { .. })));
}

#[test]
fn a_proof_file_verifies_alone() {
    let test = TestLog::new();
    let log = test.open();
    let records = traces(3, 50);
    let mut index = LeafIndex::new(0);
    for record in &records {
        index = ingest(&log).record(trace(record)).unwrap().records[0]
            .leaf
            .seq;
    }
    let file = log
        .reader()
        .proof(&log.reader().published(), index)
        .unwrap();
    let text = file.to_text();
    let read = ProofFile::parse(text.as_bytes()).unwrap();
    read.verify(log.verifier()).unwrap();
}

#[test]
fn several_logs_live_in_one_process_and_know_nothing_of_each_other() {
    let data = tempfile::tempdir().unwrap();
    let clock = MovableClock::at(START_MS);
    let settings = settings(&clock);
    let ids: Vec<LogId> = ["alfa", "beta", "gamma"]
        .into_iter()
        .map(|id| LogId::try_from(id).unwrap())
        .collect();
    for id in &ids {
        let origin = Origin::try_from(format!("{id}.example.test/log").as_str()).unwrap();
        archive::init(
            &Archive::directory_of(data.path(), id),
            id,
            &origin,
            &master(),
            &settings,
        )
        .unwrap();
    }
    let archive = Archive::open(data.path(), &ids, &master(), &settings).unwrap();
    let records = traces(11, 30);
    std::thread::scope(|scope| {
        for log in archive.logs() {
            let records = &records;
            scope.spawn(move || {
                records
                    .iter()
                    .for_each(|r| check_acknowledged(log, &ingest(log).record(trace(r)).unwrap()))
            });
        }
    });
    let notes: Vec<Arc<Checkpoint>> = archive
        .logs()
        .map(|log| log.reader().published().checkpoint.clone())
        .collect();
    let foreign = Checkpoint::open(
        notes[0].note().as_bytes(),
        archive.log(&ids[1]).unwrap().verifier(),
    );
    assert!(foreign.is_err());
    archive.stop().unwrap();
}

#[test]
fn a_full_queue_is_busy_and_nothing_is_lost() {
    let mut test = TestLog::new();
    test.settings.limits = QueueLimits {
        submissions: 4,
        ..QueueLimits::default()
    };
    let log = test.open();
    let records = traces(40, 3000);
    let mut busy = 0;
    let mut tickets = Vec::new();
    for record in &records {
        match ingest(&log).submit(trace(record)) {
            Ok(ticket) => tickets.push(ticket),
            Err(IngestError::Submit(SubmitError::Busy)) => busy += 1,
            Err(other) => panic!("{other}"),
        }
    }
    let taken = tickets.len();
    for ticket in tickets {
        check_acknowledged(&log, &ingest(&log).wait(ticket).unwrap());
    }
    assert!(busy > 0, "the queue of four was never full");
    assert_eq!(taken + busy, 3000);
    assert_eq!(log.reader().published().tip.size.get(), taken as u64 + 1);
}

#[test]
fn a_dropped_ticket_leaves_one_record_and_its_key_finds_it() {
    let test = TestLog::new();
    let log = test.open();
    let record = traces(41, 1).pop().unwrap();
    drop(ingest(&log).submit(keyed(&record, "lost")).unwrap());
    let again = ingest(&log).record(keyed(&record, "lost")).unwrap();
    assert!(again.repeated);
    assert_eq!(log.reader().published().tip.size.get(), 2);
}

#[test]
fn a_failed_commit_stops_the_writer_and_the_log_opens_again_with_progress_or_none() {
    // One row per step of the commit: after how many good commits, and whether the failed one persisted.
    for good in 0..6 {
        for fault in [Fault::Lost, Fault::Persisted] {
            let memory: Arc<dyn Store> = Arc::new(MemoryStore::default());
            let clock = MovableClock::at(START_MS);
            let settings = settings(&clock);
            archive::found(
                &*memory,
                &log_id(),
                &origin(),
                &master(),
                &*settings.entropy,
            )
            .unwrap();
            let faulty = FaultyStore::new(Arc::clone(&memory), good, fault);
            let mut acknowledged = Vec::new();
            let mut tried = 0u64;
            if let Ok(log) = Log::over(faulty, None, &master(), &settings) {
                for record in &traces(50, 8) {
                    tried += 1;
                    match ingest(&log).record(trace(record)) {
                        Ok(acknowledgement) => acknowledged.push(acknowledgement),
                        Err(IngestError::Submit(SubmitError::Stopped)) => break,
                        Err(other) => panic!("{other}"),
                    }
                }
                let refused = ingest(&log).record(trace(&traces(50, 1)[0]));
                assert!(matches!(
                    refused,
                    Err(IngestError::Submit(SubmitError::Stopped))
                ));
            }
            let log = Log::over(Arc::clone(&memory), None, &master(), &settings).unwrap();
            for acknowledgement in &acknowledged {
                check_acknowledged(&log, acknowledgement);
            }
            let state = log.reader().published();
            let kinds = (0..state.tip.size.get())
                .map(|i| log.reader().leaf(&state, LeafIndex::new(i)).unwrap().kind);
            let traces = kinds.filter(|kind| *kind == Kind::Trace).count() as u64;
            let unknown = u64::from(fault == Fault::Persisted && tried > acknowledged.len() as u64);
            assert_eq!(
                traces,
                acknowledged.len() as u64 + unknown,
                "after {good}, {fault:?}"
            );
            log.stop().unwrap();
            let report = check_store(&*memory, None);
            assert!(
                report.is_clean(),
                "after {good}, {fault:?}: {:?}",
                report.damages
            );
        }
    }
}

#[test]
fn no_leaf_tile_or_kept_checkpoint_is_ever_written_twice() {
    let memory: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let clock = MovableClock::at(START_MS);
    let settings = settings(&clock);
    archive::found(
        &*memory,
        &log_id(),
        &origin(),
        &master(),
        &*settings.entropy,
    )
    .unwrap();
    let once = Arc::new(OnceStore(Arc::clone(&memory)));
    for round in 0..3 {
        let log = Log::over(
            Arc::clone(&once) as Arc<dyn Store>,
            None,
            &master(),
            &settings,
        )
        .unwrap();
        for record in &traces(round, 300) {
            ingest(&log).record(trace(record)).unwrap();
        }
        clock.pass(DAY_MS);
        log.tick().unwrap();
        log.stop().unwrap();
    }
    assert!(check_store(&*memory, None).is_clean());
}

/// Refuses to write a row of an append-only family that is there already, or to remove one.
struct OnceStore(Arc<dyn Store>);

impl Store for OnceStore {
    fn get(
        &self,
        family: ceralacca::store::cf::Family,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, ceralacca::store::StoreError> {
        self.0.get(family, key)
    }
    fn scan(
        &self,
        family: ceralacca::store::cf::Family,
        range: &KeyRange,
        order: Order,
    ) -> ceralacca::store::Scan<'_> {
        self.0.scan(family, range, order)
    }
    fn commit(&self, batch: &ceralacca::store::Batch) -> Result<(), ceralacca::store::StoreError> {
        use ceralacca::store::Change;
        use ceralacca::store::cf::Family;
        let kept = |family| {
            matches!(
                family,
                Family::Leaf | Family::Tile | Family::Checkpoint | Family::Interval
            )
        };
        for change in batch.changes() {
            match change {
                Change::Put(family, key, _) if kept(family) => {
                    assert_eq!(
                        self.0.get(family, key).unwrap(),
                        None,
                        "{family:?} written twice"
                    );
                }
                Change::Delete(family, _) | Change::DeleteRange(family, ..) => {
                    assert!(!kept(family), "{family:?} removed");
                }
                Change::Put(..) => {}
            }
        }
        self.0.commit(batch)
    }
    fn add_run(
        &self,
        family: ceralacca::store::cf::Family,
        keys: &mut dyn Iterator<Item = Vec<u8>>,
    ) -> Result<(), ceralacca::store::StoreError> {
        self.0.add_run(family, keys)
    }
    fn disk_bytes(
        &self,
        family: ceralacca::store::cf::Family,
    ) -> Result<u64, ceralacca::store::StoreError> {
        self.0.disk_bytes(family)
    }
    fn settle(&self) -> Result<(), ceralacca::store::StoreError> {
        self.0.settle()
    }
}

#[test]
fn a_stolen_data_directory_shows_no_personal_data() {
    let test = TestLog::new();
    let log = test.open();
    let mut record = traces(60, 1).pop().unwrap();
    record.subject = Some("MARCATORE-OGGETTO".into());
    record.sender = Some("marcatore.mittente@pec.example.test".into());
    ingest(&log)
        .record(keyed(&record, "MARCATORE-CHIAVE"))
        .unwrap();
    let mut bytes = b"MARCATORE-CONTENUTO ".repeat(10_000);
    bytes.extend_from_slice(&random_bytes(1, 100_000));
    ingest(&log)
        .record(object(&log, bytes, Some(record.clone())))
        .unwrap();
    ingest(&log)
        .record(object(&log, b"MARCATORE-PICCOLO".to_vec(), None))
        .unwrap();
    log.stop().unwrap();
    drop(log);
    let settled = RocksStore::open(&outside::database_of(&test.path()), Mode::Write).unwrap();
    // Before compaction (WAL, memtables) and after it (tables, blobs).
    for _ in 0..2 {
        let mut files = 0;
        for entry in walk(&test.path()) {
            let content = std::fs::read(&entry).unwrap();
            files += 1;
            for marker in ["marcatore", "MARCATORE"] {
                let found = content
                    .windows(marker.len())
                    .any(|w| w == marker.as_bytes());
                assert!(!found, "{} shows {marker}", entry.display());
            }
        }
        assert!(files > 5);
        settled.settle().unwrap();
    }
}

fn walk(path: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_record_under_another_master_key_does_not_open() {
    let test = TestLog::new();
    drop(test.open());
    let other = ceralacca_formats::secret::MasterKey::from_bytes([0; 32]);
    let found = Log::open(&test.path(), &other, &test.settings);
    let message = found
        .err()
        .map(|error| format!("{:#}", anyhow::Error::from(error)));
    assert!(message.unwrap().contains("wrong master key"));
}

#[test]
fn metadata_rows_say_where_their_content_is() {
    let test = TestLog::new();
    let log = test.open();
    for (len, place) in [(100, ContentPlace::Inline), (70_000, ContentPlace::Chunks)] {
        let acknowledgement = ingest(&log)
            .record(object(&log, random_bytes(1, len), None))
            .unwrap();
        let leaf = acknowledgement.records[0].leaf;
        let state = log.reader().published();
        let key = RecordKey {
            interval: state.open_interval(),
            class: leaf.class,
            index: leaf.seq,
        };
        let row = log
            .reader()
            .store()
            .read::<EncryptedMetadata>(&key)
            .unwrap()
            .unwrap();
        assert_eq!(row.place, place);
    }
}
