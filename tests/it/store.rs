//! One suite over both stores: what the trait promises, they do.

use ceralacca::store::cf::chunk::{ChunkKey, Chunks, UploadKey};
use ceralacca::store::cf::content::ContentPart;
use ceralacca::store::cf::dictionary::Dictionaries;
use ceralacca::store::cf::index::Index;
use ceralacca::store::cf::{ColumnFamily, Family};
use ceralacca::store::memory::MemoryStore;
use ceralacca::store::rocks::{Mode, RocksStore};
use ceralacca::store::{Batch, KeyRange, Order, Rows, Store};
use ceralacca_formats::id::IntervalId;
use ceralacca_formats::leaf::Class;
use ceralacca_formats::secret::RecordNonce;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

fn over_both(test: impl Fn(&dyn Store)) {
    test(&MemoryStore::default());
    let directory = tempfile::tempdir().unwrap();
    test(&RocksStore::open(&directory.path().join("db"), Mode::Create).unwrap());
}

fn put(batch: &mut Batch, number: u16, value: &[u8]) {
    batch.put::<Dictionaries>(&number, &value.to_vec());
}

fn numbers(store: &dyn Store, range: &KeyRange, order: Order) -> Vec<u16> {
    let rows = store.rows::<Dictionaries>(range, order);
    rows.map(|row| row.unwrap().0).collect()
}

#[test]
fn a_committed_row_is_there_and_a_deleted_one_is_not() {
    over_both(|store| {
        let mut batch = Batch::new();
        put(&mut batch, 1, b"one");
        put(&mut batch, 2, b"two");
        assert_eq!(store.read::<Dictionaries>(&1).unwrap(), None);
        store.commit(&batch).unwrap();
        assert_eq!(store.read::<Dictionaries>(&1).unwrap().unwrap(), b"one");
        let mut batch = Batch::new();
        batch.delete::<Dictionaries>(&1);
        put(&mut batch, 2, b"deux");
        store.commit(&batch).unwrap();
        assert_eq!(store.read::<Dictionaries>(&1).unwrap(), None);
        assert_eq!(store.read::<Dictionaries>(&2).unwrap().unwrap(), b"deux");
    });
}

#[test]
fn later_changes_of_one_batch_win_over_earlier_ones() {
    over_both(|store| {
        let mut batch = Batch::new();
        put(&mut batch, 7, b"a");
        batch.delete::<Dictionaries>(&7);
        put(&mut batch, 8, b"a");
        put(&mut batch, 8, b"b");
        store.commit(&batch).unwrap();
        assert_eq!(store.read::<Dictionaries>(&7).unwrap(), None);
        assert_eq!(store.read::<Dictionaries>(&8).unwrap().unwrap(), b"b");
    });
}

#[test]
fn scans_respect_bounds_and_order() {
    over_both(|store| {
        let mut batch = Batch::new();
        for number in [0, 1, 255, 256, 257, 511, 512, u16::MAX] {
            put(&mut batch, number, b"x");
        }
        store.commit(&batch).unwrap();
        let prefix = KeyRange::prefix(&[1]);
        assert_eq!(numbers(store, &prefix, Order::Ascending), [256, 257, 511]);
        assert_eq!(numbers(store, &prefix, Order::Descending), [511, 257, 256]);
        let last = KeyRange::prefix(&[255]);
        assert_eq!(last.end, None);
        assert_eq!(numbers(store, &last, Order::Descending), [u16::MAX]);
        assert_eq!(numbers(store, &KeyRange::all(), Order::Ascending).len(), 8);
        let none = KeyRange {
            start: vec![2],
            end: Some(vec![1]),
        };
        assert_eq!(numbers(store, &none, Order::Ascending), [0u16; 0]);
        let edge = KeyRange {
            start: vec![1, 0],
            end: Some(vec![1, 1]),
        };
        assert_eq!(numbers(store, &edge, Order::Descending), [256]);
    });
}

#[test]
fn a_range_is_deleted_and_nothing_beside_it() {
    over_both(|store| {
        let mut batch = Batch::new();
        for number in 250..260 {
            put(&mut batch, number, b"x");
        }
        store.commit(&batch).unwrap();
        let mut batch = Batch::new();
        batch.delete_range::<Dictionaries>(&KeyRange::prefix(&[1]));
        store.commit(&batch).unwrap();
        assert_eq!(
            numbers(store, &KeyRange::all(), Order::Ascending),
            [250, 251, 252, 253, 254, 255]
        );
    });
}

#[test]
fn a_scan_sees_the_rows_of_its_beginning() {
    over_both(|store| {
        let mut batch = Batch::new();
        (0..100).for_each(|number| put(&mut batch, number, b"x"));
        store.commit(&batch).unwrap();
        let mut scan = store.rows::<Dictionaries>(&KeyRange::all(), Order::Ascending);
        assert_eq!(scan.next().unwrap().unwrap().0, 0);
        let mut batch = Batch::new();
        batch.delete::<Dictionaries>(&50);
        put(&mut batch, 1000, b"y");
        store.commit(&batch).unwrap();
        assert_eq!(scan.count(), 99);
    });
}

#[test]
fn a_run_is_found_and_adding_it_again_changes_nothing() {
    over_both(|store| {
        let keys: Vec<Vec<u8>> = (0..1000u32).map(|i| i.to_be_bytes().to_vec()).collect();
        for _ in 0..2 {
            store
                .add_run(Family::Index, &mut keys.clone().into_iter())
                .unwrap();
        }
        let found: Vec<Vec<u8>> = store
            .scan(Family::Index, &KeyRange::all(), Order::Ascending)
            .map(|row| row.unwrap().0.to_vec())
            .collect();
        assert_eq!(found, keys);
        store
            .add_run(Family::Index, &mut std::iter::empty())
            .unwrap();
    });
}

#[test]
fn large_values_come_back_whole() {
    over_both(|store| {
        let upload = UploadKey {
            interval: IntervalId::new(1),
            class: Class::Content,
            nonce: RecordNonce::from_bytes([9; 16]),
        };
        let part = |number: u8| ContentPart {
            dictionary: 0,
            ciphertext: vec![number; 1 << 20],
        };
        let mut batch = Batch::new();
        for number in 1..=5u8 {
            let key = ChunkKey {
                upload,
                part: number.into(),
            };
            batch.put::<Chunks>(&key, &part(number));
        }
        store.commit(&batch).unwrap();
        store.settle().unwrap();
        let range = KeyRange::prefix(&upload.prefix());
        for (row, number) in store.rows::<Chunks>(&range, Order::Ascending).zip(1..) {
            let (key, found) = row.unwrap();
            assert_eq!((key.part, found), (u32::from(number), part(number)));
        }
    });
}

#[test]
fn an_empty_batch_and_an_empty_value_are_allowed() {
    over_both(|store| {
        store.commit(&Batch::new()).unwrap();
        let mut batch = Batch::new();
        put(&mut batch, 3, b"");
        store.commit(&batch).unwrap();
        assert_eq!(store.read::<Dictionaries>(&3).unwrap().unwrap(), b"");
    });
}

#[test]
fn rows_survive_closing_and_opening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let store = RocksStore::open(&path, Mode::Create).unwrap();
    let mut batch = Batch::new();
    put(&mut batch, 5, b"five");
    store.commit(&batch).unwrap();
    store
        .add_run(Family::Index, &mut [vec![1u8]].into_iter())
        .unwrap();
    drop(store);
    for mode in [Mode::Read, Mode::Write] {
        let store = RocksStore::open(&path, mode).unwrap();
        assert_eq!(store.read::<Dictionaries>(&5).unwrap().unwrap(), b"five");
        assert_eq!(
            store
                .scan(Family::Index, &KeyRange::all(), Order::Ascending)
                .count(),
            1
        );
    }
}

/// Whether any file of a store has these octets.
fn is_somewhere(directory: &Path, octets: &[u8]) -> Vec<String> {
    let files = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    let has = files.filter(|file| {
        let found = std::fs::read(file.path()).unwrap_or_default();
        found.windows(octets.len()).any(|window| window == octets)
    });
    has.map(|file| file.file_name().into_string().unwrap())
        .collect()
}

/// The list of tables kept their first and last keys until the next start, or megabytes later.
#[test]
fn a_key_of_a_table_that_is_gone_goes_from_the_manifest_while_the_store_is_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let store = RocksStore::open(&path, Mode::Create).unwrap();
    let key = b"a key that must go".to_vec();
    store
        .add_run(Family::Index, &mut [key.clone()].into_iter())
        .unwrap();
    let mut batch = Batch::new();
    put(&mut batch, 5, b"five");
    store.commit(&batch).unwrap();
    let found = is_somewhere(&path, &key);
    assert!(
        found.iter().any(|name| name.starts_with("MANIFEST")),
        "{found:?}"
    );
    let only = KeyRange {
        start: key.clone(),
        end: Some([&key[..], &[0]].concat()),
    };
    let mut batch = Batch::new();
    batch.delete_range::<Index>(&only);
    store.commit(&batch).unwrap();
    store.purge(Family::Index, &only, &only).unwrap();
    store.flush(Family::ALL).unwrap();
    let found = is_somewhere(&path, &key);
    assert!(
        found.iter().all(|name| name.starts_with("MANIFEST")),
        "{found:?}"
    );
    assert_eq!(found.len(), 1);
    for _ in 0..3 {
        store.shed_manifest().unwrap();
        assert_eq!(is_somewhere(&path, &key), [] as [String; 0]);
    }
    // It opens as before, and nothing that was put there for the purpose is left.
    let files = |store: &RocksStore| store.disk_bytes(Family::Dictionary).unwrap();
    let bytes = files(&store);
    drop(store);
    let manifest = is_named(&path, "MANIFEST");
    assert!(manifest < 64 << 10, "{manifest} octets");
    let store = RocksStore::open(&path, Mode::Write).unwrap();
    assert_eq!(files(&store), bytes);
    assert_eq!(store.read::<Dictionaries>(&5).unwrap().unwrap(), b"five");
}

/// What a process was writing when it was killed is in no MANIFEST, and the engine keeps it.
#[test]
fn files_that_no_manifest_names_are_removed_and_those_it_names_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let store = RocksStore::open(&path, Mode::Create).unwrap();
    let upload = UploadKey {
        interval: IntervalId::new(1),
        class: Class::Content,
        nonce: RecordNonce::from_bytes([9; 16]),
    };
    let key = ChunkKey { upload, part: 1 };
    let part = |octet: u8| ContentPart {
        dictionary: 0,
        ciphertext: vec![octet; 100_000],
    };
    let mut batch = Batch::new();
    batch.put::<Chunks>(&key, &part(1));
    store.commit(&batch).unwrap();
    store.flush(Family::ALL).unwrap();
    drop(store);
    let blob = |path: &Path| {
        let files = std::fs::read_dir(path)
            .unwrap()
            .map(|file| file.unwrap().path());
        let mut blobs = files.filter(|file| file.extension() == Some("blob".as_ref()));
        blobs.next().unwrap()
    };
    let named = blob(&path);
    // One that was finished, and two that were not, of numbers that are still to be given.
    let octets = std::fs::read(&named).unwrap();
    let finished = path.join("000150.blob");
    std::fs::write(&finished, &octets).unwrap();
    let cut_off = ["000151.blob", "000152.blob"].map(|name| path.join(name));
    std::fs::write(&cut_off[0], &octets[..octets.len() - 1]).unwrap();
    std::fs::write(&cut_off[1], b"short").unwrap();
    // Of the one that is named the footer is damaged: that is not for this to mend.
    let mut damaged = octets.clone();
    let at = damaged.len() - 32;
    damaged[at] ^= 1;
    std::fs::write(&named, &damaged).unwrap();
    let store = RocksStore::open(&path, Mode::Write).unwrap();
    assert_eq!(cut_off.each_ref().map(|file| file.exists()), [false; 2]);
    store.shed_manifest().unwrap();
    assert!(!finished.exists());
    drop(store);
    assert_eq!(std::fs::read(&named).unwrap(), damaged);
    std::fs::write(&named, &octets).unwrap();
    let store = RocksStore::open(&path, Mode::Write).unwrap();
    assert_eq!(store.read::<Chunks>(&key).unwrap().unwrap(), part(1));
}

/// Octets of the files whose names begin so.
fn is_named(directory: &Path, begins: &str) -> u64 {
    let files = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    let named = files.filter(|file| file.file_name().to_str().unwrap().starts_with(begins));
    named.map(|file| file.metadata().unwrap().len()).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Any list of operations, against a map.
    #[test]
    fn both_stores_agree_with_a_map(operations in proptest::collection::vec((0u8..4, 0u16..40, 0u16..40), 1..60)) {
        over_both(|store| {
            let mut model: BTreeMap<u16, Vec<u8>> = BTreeMap::new();
            for (kind, a, b) in &operations {
                let mut batch = Batch::new();
                match kind {
                    0 | 1 => {
                        put(&mut batch, *a, &b.to_be_bytes());
                        model.insert(*a, b.to_be_bytes().to_vec());
                    }
                    2 => {
                        batch.delete::<Dictionaries>(a);
                        model.remove(a);
                    }
                    _ => {
                        let (from, to) = (a.min(b), a.max(b));
                        let key = |n: &u16| { let mut k = Vec::new(); Dictionaries::encode_key(n, &mut k); k };
                        batch.delete_range::<Dictionaries>(&KeyRange { start: key(from), end: Some(key(to)) });
                        model.retain(|k, _| k < from || k >= to);
                    }
                }
                store.commit(&batch).unwrap();
            }
            let rows: BTreeMap<u16, Vec<u8>> = store
                .rows::<Dictionaries>(&KeyRange::all(), Order::Ascending)
                .map(|row| row.unwrap())
                .collect();
            assert_eq!(rows, model);
        });
    }
}
