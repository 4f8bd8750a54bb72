//! Bytes that change on disk are found: at open or by `fsck`, and named.

use crate::support::*;
use ceralacca::archive::Log;
use ceralacca::audit::fsck::Damage;
use ceralacca::ingest::Submission;
use ceralacca::store::cf::index::{Index, Posting};
use ceralacca::store::cf::leaf::Leaves;
use ceralacca::store::cf::metadata::EncryptedMetadata;
use ceralacca::store::cf::state::{State, StateKey, StateRow};
use ceralacca::store::cf::tile::Tiles;
use ceralacca::store::memory::MemoryStore;
use ceralacca::store::rocks::{Mode, RocksStore};
use ceralacca::store::{Batch, KeyRange, Order, Rows, Store, outside};
use ceralacca_formats::id::{LeafIndex, TreeSize};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::ObjectRecord;
use ceralacca_formats::tile::TileId;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn filled(settle: bool) -> TestLog {
    let test = TestLog::new();
    let log = test.open();
    for record in traces(1, 600) {
        ingest(&log)
            .record(Submission::trace(Class::Trace, record, None))
            .unwrap();
    }
    for seed in 0..3 {
        use ceralacca::ambient::Entropy;
        let mut bytes = vec![0; 300_000];
        SeededEntropy::new(seed).fill(&mut bytes);
        let content = ingest(&log).content(Class::Content, bytes).unwrap();
        let object = Submission::object(
            Kind::Message,
            Class::Content,
            ObjectRecord::default(),
            content,
            None,
            None,
        );
        ingest(&log).record(object).unwrap();
    }
    log.stop().unwrap();
    drop(log);
    if settle {
        let store = RocksStore::open(&outside::database_of(&test.path()), Mode::Write).unwrap();
        store.settle().unwrap();
    }
    test
}

fn files(test: &TestLog, ending: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(outside::database_of(&test.path()))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.to_str().unwrap().ends_with(ending) && path.metadata().unwrap().len() > 0
        })
        .collect();
    found.sort();
    found
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 0x40;
    std::fs::write(path, bytes).unwrap();
}

/// Whether the damage shows: the log refuses to open, or `fsck` names something.
fn is_found(test: &TestLog) -> bool {
    let store = match RocksStore::open(&outside::database_of(&test.path()), Mode::Read) {
        Ok(store) => store,
        Err(_) => return true,
    };
    let outside = outside::read_checkpoint(&test.path()).unwrap();
    let keys = ceralacca::keyring::Keyring::open(&store, &master(), &origin());
    let Ok((keyring, signer)) = keys else {
        return true;
    };
    let subject = ceralacca::audit::fsck::Subject {
        store: &store,
        keyring: &keyring,
        verifier: signer.verifier(),
        outside,
    };
    !ceralacca::audit::fsck::check(&subject, &mut |_| {}).is_clean()
}

#[test]
fn an_undamaged_log_is_clean() {
    for settle in [false, true] {
        let test = filled(settle);
        assert!(!is_found(&test));
    }
}

#[test]
fn a_flipped_byte_in_the_wal_is_found() {
    let test = filled(false);
    let wal = files(&test, ".log").pop().unwrap();
    let original = std::fs::read(&wal).unwrap();
    // Anywhere but in the last record, which a torn write may leave: there the outside checkpoint tells.
    for at in (20..original.len() - 1).step_by(original.len() / 25) {
        flip(&wal, at);
        assert!(is_found(&test), "byte {at} of {}", original.len());
        let opened = Log::open(&test.path(), &master(), &test.settings);
        assert!(opened.is_err(), "opened with byte {at} of the WAL flipped");
        std::fs::write(&wal, &original).unwrap();
    }
    assert!(!is_found(&test));
}

#[test]
fn a_torn_tail_of_the_wal_is_accepted() {
    let test = TestLog::new();
    let log = test.open();
    let mut acknowledged = Vec::new();
    for record in traces(1, 50) {
        acknowledged.push(
            ingest(&log)
                .record(Submission::trace(Class::Trace, record, None))
                .unwrap(),
        );
    }
    // No clean stop, and the checkpoint beside the database is as old as a second allows.
    drop(log);
    let wal = files(&test, ".log").pop().unwrap();
    let bytes = std::fs::read(&wal).unwrap();
    std::fs::write(&wal, &bytes[..bytes.len() - 7]).unwrap();
    let log = test.open();
    let state = log.reader().published();
    // Only the torn record, the last, is gone.
    let (last, others) = acknowledged.split_last().unwrap();
    for acknowledgement in others {
        let index = acknowledgement.records[0].leaf.seq;
        assert_eq!(
            log.reader().leaf(&state, index).unwrap(),
            acknowledgement.records[0].leaf
        );
    }
    let torn = last.records[0].leaf;
    let there = log.reader().leaf(&state, torn.seq).unwrap();
    assert_eq!(
        there.kind,
        Kind::Epoch,
        "its index is the new writer's first"
    );
    drop(log);
    assert!(test.check().is_clean());
}

#[test]
fn a_flipped_byte_in_any_table_is_found() {
    let test = filled(true);
    let tables = files(&test, ".sst");
    assert!(tables.len() >= 8, "{} tables", tables.len());
    for table in tables {
        let original = std::fs::read(&table).unwrap();
        // The first data block: what a reader of rows meets.
        for at in [3, original.len() / 5] {
            flip(&table, at);
            assert!(is_found(&test), "byte {at} of {}", table.display());
            std::fs::write(&table, &original).unwrap();
        }
    }
    assert!(!is_found(&test));
}

#[test]
fn a_flipped_byte_in_a_blob_file_is_found() {
    let test = filled(true);
    let blobs = files(&test, ".blob");
    assert!(!blobs.is_empty());
    for blob in blobs {
        let original = std::fs::read(&blob).unwrap();
        for at in (100..original.len() - 100).step_by(original.len() / 7) {
            flip(&blob, at);
            assert!(is_found(&test), "byte {at} of {}", blob.display());
            std::fs::write(&blob, &original).unwrap();
        }
    }
    assert!(!is_found(&test));
}

#[test]
fn a_flipped_byte_in_the_outside_checkpoint_is_found() {
    let test = filled(false);
    let file = test.path().join("checkpoint");
    let original = std::fs::read(&file).unwrap();
    for at in 0..original.len() {
        flip(&file, at);
        assert!(is_found(&test), "byte {at}");
        if at % 16 == 0 {
            let opened = Log::open(&test.path(), &master(), &test.settings);
            let error = format!("{:#}", anyhow::Error::from(opened.err().unwrap()));
            assert!(error.contains("checkpoint beside the database"), "{error}");
        }
        std::fs::write(&file, &original).unwrap();
    }
    assert!(!is_found(&test));
}

/// A log in memory, whose rows a test alters as someone with the database in hand would.
fn in_memory() -> Arc<dyn Store> {
    let memory: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let clock = MovableClock::at(START_MS);
    let settings = settings(&clock);
    ceralacca::archive::found(
        &*memory,
        &log_id(),
        &origin(),
        &master(),
        &*settings.entropy,
    )
    .unwrap();
    let log = Log::over(Arc::clone(&memory), None, &master(), &settings).unwrap();
    for record in traces(1, 600) {
        ingest(&log)
            .record(Submission::trace(Class::Trace, record, None))
            .unwrap();
    }
    let content = ingest(&log)
        .content(Class::Receipt, b"contenuto".to_vec())
        .unwrap();
    let object = Submission::object(
        Kind::Receipt,
        Class::Receipt,
        ObjectRecord::default(),
        content,
        None,
        None,
    );
    ingest(&log).record(object).unwrap();
    let content = ingest(&log)
        .content(Class::Receipt, vec![7; 100_000])
        .unwrap();
    let object = Submission::object(
        Kind::Receipt,
        Class::Receipt,
        ObjectRecord::default(),
        content,
        None,
        None,
    );
    ingest(&log).record(object).unwrap();
    clock.pass(DAY_MS);
    log.tick().unwrap();
    log.stop().unwrap();
    drop(log);
    memory
}

fn damages_after(alter: impl FnOnce(&dyn Store, &mut Batch)) -> Vec<Damage> {
    let store = in_memory();
    assert!(check_store(&*store, None).is_clean());
    let mut batch = Batch::new();
    alter(&*store, &mut batch);
    store.commit(&batch).unwrap();
    check_store(&*store, None).damages
}

fn names(damages: &[Damage], part: &str) -> bool {
    damages
        .iter()
        .any(|damage| damage.to_string().contains(part))
}

#[test]
fn an_altered_leaf_is_named() {
    let damages = damages_after(|store, batch| {
        let index = LeafIndex::new(300);
        let mut leaf = store.read::<Leaves>(&index).unwrap().unwrap();
        leaf.time = ceralacca_formats::id::UtcMillis::new(leaf.time.get() - 1);
        batch.put::<Leaves>(&index, &leaf);
    });
    assert!(
        names(&damages, "tile tile/0/001: has other hashes"),
        "{damages:?}"
    );
    assert!(names(&damages, "tip: "), "{damages:?}");
    assert!(
        names(&damages, "another root than the leaves"),
        "{damages:?}"
    );
}

#[test]
fn a_removed_leaf_is_named() {
    let damages = damages_after(|_, batch| batch.delete::<Leaves>(&LeafIndex::new(300)));
    assert!(
        names(&damages, "leaf 301: stands where leaf 300 should"),
        "{damages:?}"
    );
    assert!(names(&damages, "record 300: "), "{damages:?}");
}

#[test]
fn swapped_records_are_named() {
    let damages = damages_after(|store, batch| {
        let rows = store.rows::<EncryptedMetadata>(&KeyRange::all(), Order::Ascending);
        let rows: Vec<_> = rows.take(20).map(Result::unwrap).collect();
        batch.put::<EncryptedMetadata>(&rows[10].0, &rows[11].1);
        batch.put::<EncryptedMetadata>(&rows[11].0, &rows[10].1);
    });
    // Both decrypt, since the nonce travels with the row; neither is what its leaf commits to.
    let count = damages
        .iter()
        .filter(|d| d.to_string().contains("does not commit"))
        .count();
    assert_eq!(count, 2, "{damages:?}");
}

#[test]
fn a_removed_record_is_named() {
    let damages = damages_after(|store, batch| {
        let mut rows = store.rows::<EncryptedMetadata>(&KeyRange::all(), Order::Ascending);
        let (key, _) = rows.nth(10).unwrap().unwrap();
        batch.delete::<EncryptedMetadata>(&key);
    });
    assert!(names(&damages, "has no metadata row"), "{damages:?}");
}

#[test]
fn a_tile_altered_removed_or_invented_is_named() {
    let id = TileId {
        level: 0,
        number: 1,
    };
    let damages = damages_after(|store, batch| {
        let other = store
            .read::<Tiles>(&TileId {
                level: 0,
                number: 0,
            })
            .unwrap()
            .unwrap();
        batch.put::<Tiles>(&id, &other);
    });
    assert!(
        names(&damages, "tile tile/0/001: has other hashes"),
        "{damages:?}"
    );
    let damages = damages_after(|_, batch| batch.delete::<Tiles>(&id));
    assert!(
        names(&damages, "tile tile/0/001: is missing"),
        "{damages:?}"
    );
    let damages = damages_after(|store, batch| {
        let other = store.read::<Tiles>(&id).unwrap().unwrap();
        batch.put::<Tiles>(
            &TileId {
                level: 1,
                number: 0,
            },
            &other,
        );
    });
    assert!(
        names(&damages, "tile tile/1/000: is beyond the tree"),
        "{damages:?}"
    );
}

#[test]
fn a_tip_that_forgets_leaves_is_named() {
    let damages = damages_after(|store, batch| {
        let Some(StateRow::Tip(mut tip)) = store.read::<State>(&StateKey::Tip).unwrap() else {
            panic!()
        };
        tip.size = TreeSize::new(tip.size.get() - 1);
        batch.put::<State>(&StateKey::Tip, &StateRow::Tip(tip));
    });
    assert!(names(&damages, "tip: "), "{damages:?}");
}

#[test]
fn a_posting_removed_or_invented_is_named() {
    let damages = damages_after(|store, batch| {
        let mut rows = store.rows::<Index>(&KeyRange::all(), Order::Ascending);
        let (posting, ()) = rows.nth(99).unwrap().unwrap();
        batch.delete::<Index>(&posting);
    });
    assert!(
        names(&damages, "a term of the record is not in the index"),
        "{damages:?}"
    );
    let damages = damages_after(|store, batch| {
        let mut rows = store.rows::<Index>(&KeyRange::all(), Order::Ascending);
        let (posting, ()) = rows.nth(99).unwrap().unwrap();
        let other = Posting {
            index: LeafIndex::new(5),
            ..posting
        };
        batch.put::<Index>(&other, &());
    });
    assert!(
        names(
            &damages,
            "record 5: the index has a term that the record has not"
        ),
        "{damages:?}"
    );
}

#[test]
fn contents_and_secrets_without_a_record_are_named() {
    use ceralacca::store::cf::content::{Contents, PartKey};
    use ceralacca::store::cf::metadata::RecordKey;
    use ceralacca::store::cf::secret::{SecretKey, Secrets};
    let nowhere = |store: &dyn Store| {
        let mut rows = store.rows::<EncryptedMetadata>(&KeyRange::all(), Order::Ascending);
        let key = rows.next().unwrap().unwrap().0;
        RecordKey {
            index: LeafIndex::new(99_999),
            ..key
        }
    };
    let damages = damages_after(|store, batch| {
        let mut rows = store.rows::<Contents>(&KeyRange::all(), Order::Ascending);
        let (_, part) = rows.next().unwrap().unwrap();
        batch.put::<Contents>(
            &PartKey {
                record: nowhere(store),
                part: 1,
            },
            &part,
        );
        batch.put::<Secrets>(&SecretKey::Object(nowhere(store)), &vec![0; 80]);
    });
    assert!(
        names(&damages, "content: 1 rows belong to no record"),
        "{damages:?}"
    );
    assert!(
        names(&damages, "secret: 1 rows belong to no record"),
        "{damages:?}"
    );
}

#[test]
fn a_content_cut_short_or_mixed_up_is_named() {
    use ceralacca::store::cf::chunk::Chunks;
    let damages = damages_after(|store, batch| {
        let mut rows = store.rows::<Chunks>(&KeyRange::all(), Order::Ascending);
        let (key, _) = rows.next().unwrap().unwrap();
        batch.delete::<Chunks>(&key);
    });
    assert!(names(&damages, "ends before its last part"), "{damages:?}");
}

#[test]
fn a_forged_checkpoint_and_an_altered_interval_are_named() {
    use ceralacca::store::cf::checkpoint::Checkpoints;
    use ceralacca::store::cf::interval::{IntervalRow, Intervals};
    let damages = damages_after(|store, batch| {
        let mut rows = store.rows::<Checkpoints>(&KeyRange::all(), Order::Ascending);
        let (size, note) = rows.next().unwrap().unwrap();
        batch.put::<Checkpoints>(&size, &note.replacen(&size.size().to_string(), "9", 1));
    });
    assert!(
        names(
            &damages,
            "checkpoint of 603 leaves: note signature of a known key does not verify"
        ),
        "{damages:?}"
    );
    let damages = damages_after(|store, batch| {
        let rows = store.rows::<Intervals>(&KeyRange::all(), Order::Ascending);
        let rows: Vec<_> = rows.map(Result::unwrap).collect();
        let IntervalRow::Opened { end, first } = rows[2].1 else {
            panic!()
        };
        let first = LeafIndex::new(first.get() + 1);
        batch.put::<Intervals>(&rows[2].0, &IntervalRow::Opened { end, first });
    });
    assert!(
        names(&damages, "does not follow the one before"),
        "{damages:?}"
    );
}

#[test]
fn a_lost_secret_is_named() {
    use ceralacca::store::cf::secret::{SecretKey, Secrets};
    let damages = damages_after(|store, batch| {
        let rows = store.rows::<Secrets>(&KeyRange::all(), Order::Ascending);
        let key = rows
            .map(|row| row.unwrap().0)
            .find(|key| matches!(key, SecretKey::Class(_, Class::Trace)));
        batch.delete::<Secrets>(&key.unwrap());
    });
    assert!(
        names(&damages, "secret of class trace: no secret for a class"),
        "{damages:?}"
    );
}
