//! Bytes that are gone, not only rows: tables and blobs rewritten where rows were removed.
//!
//! ```text
//! roll     the memtable becomes a table: what comes later stands in others, but for one that follows at once
//! purge    flush ─▶ tables wholly within the range dropped ─▶ those at its edges, and those that may share blobs with
//!          it, rewritten down to the lowest level, and with them the blobs they name
//! ```
//! A range that is removed is one tombstone; RocksDB drops rows under it whenever it rewrites their table, which of old
//! tables may be never. So they are rewritten here, and what that costs is what the range held: keys begin with the
//! interval, families by key ([`super::is_by_key`]) keep files apart, and a batch apart keeps its removals in tables of
//! their own. Of other removals (a single erasure puts the row of its leaf beside) it is also all tables between in the
//! level that is filled first, of 256 MB by the engine's default: the lowest, while a family is smaller.
//!
//! # Invariants
//! 1. Nothing is dropped that is not already removed: a range with a row in it is refused.
//! 2. Writers do not wait: the rewriting is of the background thread of compactions, and is not alone among them.

use super::{RocksStore, has_blobs};
use crate::store::cf::Family;
use crate::store::{KeyRange, Order, Store, StoreError};
use rocksdb::{BottommostLevelCompaction, CompactOptions, ErrorKind, FlushOptions};

/// What part of the blob files a rewriting moves what is still named out of: all, while a range is purged.
const EVERY_BLOB: &[(&str, &str)] = &[("blob_garbage_collection_age_cutoff", "1.0")];
/// The same at other times: the oldest quarter.
const OLD_BLOBS: &[(&str, &str)] = &[("blob_garbage_collection_age_cutoff", "0.25")];

/// Begins new tables, without waiting for those before unless every write waits.
pub(super) fn roll(store: &RocksStore, families: &[Family]) -> Result<(), StoreError> {
    let mut options = FlushOptions::default();
    options.set_wait(false);
    for family in families {
        let handle = store.family(*family)?;
        let flushed = match store.db.flush_cf_opt(&handle, &options) {
            // Where writes wait for tables, of whichever family, the engine begins none without waiting too.
            Err(error) if error.kind() == ErrorKind::TryAgain => store.db.flush_cf(&handle),
            other => other,
        };
        flushed.map_err(|error| store.explain(&error))?;
    }
    Ok(())
}

/// Brings to tables what is in memory.
pub(super) fn flush(store: &RocksStore, families: &[Family]) -> Result<(), StoreError> {
    for family in families {
        let handle = store.family(*family)?;
        let flushed = store.db.flush_cf(&handle);
        flushed.map_err(|error| store.explain(&error))?;
    }
    Ok(())
}

/// Rewrites what holds a range, until nothing of it is left.
pub(super) fn purge(
    store: &RocksStore,
    family: Family,
    range: &KeyRange,
    within: &KeyRange,
) -> Result<(), StoreError> {
    if store.scan(family, range, Order::Ascending).next().is_some() {
        let text = format!(
            "rows of {} that were to be removed are there",
            family.name()
        );
        return Err(StoreError::Corrupt(text));
    }
    flush(store, &[family])?;
    let handle = store.family(family)?;
    if let Some(end) = &range.end {
        let dropped = store.db.delete_file_in_range_cf(&handle, &range.start, end);
        dropped.map_err(|error| store.explain(&error))?;
    }
    let set = |options| {
        let set = store.db.set_options_cf(&handle, options);
        set.map_err(|error| store.explain(&error))
    };
    let errors = background_errors(store)?;
    if has_blobs(family) {
        set(EVERY_BLOB)?;
    }
    let mut options = CompactOptions::default();
    options.set_exclusive_manual_compaction(false);
    options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
    let (start, end) = (Some(&within.start), within.end.as_ref());
    store.db.compact_range_cf_opt(&handle, start, end, &options);
    if has_blobs(family) {
        set(OLD_BLOBS)?;
    }
    // The engine does not say whether it did it; but it counts what failed in the background.
    match background_errors(store)? == errors {
        true => Ok(()),
        false => Err(StoreError::Engine(format!(
            "rewriting tables of {} failed",
            family.name()
        ))),
    }
}

/// Merges the tables of a range, as far as they overlap.
pub(super) fn merge(store: &RocksStore, family: Family, range: &KeyRange) {
    let Ok(handle) = store.family(family) else {
        return;
    };
    let mut options = CompactOptions::default();
    options.set_exclusive_manual_compaction(false);
    let (start, end) = (Some(&range.start), range.end.as_ref());
    store.db.compact_range_cf_opt(&handle, start, end, &options);
}

fn background_errors(store: &RocksStore) -> Result<u64, StoreError> {
    let errors = store.db.property_int_value("rocksdb.background-errors");
    let errors = errors.map_err(|error| store.explain(&error))?;
    Ok(errors.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::Mode;
    use super::*;
    use crate::store::Batch;
    use crate::store::cf::chunk::Chunks;
    use crate::store::cf::metadata::EncryptedMetadata;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    #[test]
    fn the_runs_of_a_range_are_merged_and_those_of_others_left() {
        let directory = tempfile::tempdir().unwrap();
        let store = RocksStore::open(&directory.path().join("db"), Mode::Create).unwrap();
        let key = |interval: u64, run: u64, place: u64| {
            [interval, place, run].map(u64::to_be_bytes).concat()
        };
        let runs = [(1, 0), (1, 1), (1, 2), (2, 3), (2, 4)];
        for (interval, run) in runs {
            let mut keys = (0..100).map(|place| key(interval, run, place));
            store.add_run(Family::Index, &mut keys).unwrap();
        }
        let waiting = || {
            let handle = store.family(Family::Index).unwrap();
            let name = "rocksdb.num-files-at-level0";
            store.db.property_int_value_cf(&handle, name).unwrap()
        };
        // The first of an interval overlaps nothing and is put below at once.
        assert_eq!(waiting(), Some(3));
        store.merge(Family::Index, &KeyRange::prefix(&1u64.to_be_bytes()));
        assert_eq!(waiting(), Some(1));
        let rows = store.scan(Family::Index, &KeyRange::all(), Order::Ascending);
        let found: Vec<_> = rows.map(|row| row.unwrap().0.into_vec()).collect();
        let mut wanted: Vec<_> = runs
            .iter()
            .flat_map(|(interval, run)| (0..100).map(|place| key(*interval, *run, place)))
            .collect();
        wanted.sort();
        assert_eq!(found, wanted);
    }

    #[test]
    fn what_is_purged_of_one_interval_leaves_the_tables_of_the_others() {
        let directory = tempfile::tempdir().unwrap();
        let store = RocksStore::open(&directory.path().join("db"), Mode::Create).unwrap();
        let key = |interval: u64, place: u64| [interval, place].map(u64::to_be_bytes).concat();
        let fill = |batch: &mut Batch, interval: u64, places: std::ops::Range<u64>| {
            for place in places {
                batch.put_raw(Family::Metadata, &key(interval, place), &[7; 200]);
            }
        };
        for interval in 1..=8 {
            let mut batch = Batch::new();
            fill(&mut batch, interval, 0..100);
            store.commit(&batch).unwrap();
            flush(&store, Family::OF_AN_INTERVAL).unwrap();
        }
        let tables = || {
            let files = store.db.live_files().unwrap();
            let files = files.into_iter().filter(|file| {
                let first = file.start_key.as_deref().unwrap_or_default();
                file.column_family_name == "metadata" && first < &key(9, 0)[..]
            });
            let mut names: Vec<_> = files.map(|file| file.name).collect();
            names.sort();
            names
        };
        let before = tables();
        assert_eq!(before.len(), 8);
        // Records come in before the removal and after it, in the same memtable but for what keeps them apart.
        let mut batch = Batch::new();
        fill(&mut batch, 9, 0..100);
        store.commit(&batch).unwrap();
        let gone = KeyRange::prefix(&2u64.to_be_bytes());
        let mut batch = Batch::new();
        batch.delete_range::<EncryptedMetadata>(&gone);
        batch.set_apart();
        store.commit(&batch).unwrap();
        let mut batch = Batch::new();
        fill(&mut batch, 9, 100..200);
        store.commit(&batch).unwrap();
        // A disposal rests between its batch and this.
        let handle = store.family(Family::Metadata).unwrap();
        let waiting = || {
            let name = "rocksdb.num-immutable-mem-table";
            store.db.property_int_value_cf(&handle, name).unwrap()
        };
        for _ in 0..60_000 {
            if waiting() == Some(0) {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(waiting(), Some(0), "a table is never written");
        store.purge(Family::Metadata, &gone, &gone).unwrap();
        let after = tables();
        let kept = before.iter().filter(|name| after.contains(name));
        assert_eq!((kept.count(), after.len()), (7, 7));
        let rows = store.scan(Family::Metadata, &KeyRange::all(), Order::Ascending);
        assert_eq!(rows.count(), 7 * 100 + 200);
    }

    #[test]
    fn uploads_under_way_do_not_share_a_table_with_what_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let store = RocksStore::open(&directory.path().join("db"), Mode::Create).unwrap();
        let put = |interval: u64, part: u64, bytes: usize| {
            let mut batch = Batch::new();
            let key = [interval, part].map(u64::to_be_bytes).concat();
            batch.put_raw(Family::Chunk, &key, &vec![7; bytes]);
            store.commit(&batch).unwrap();
        };
        for interval in 1..=8 {
            put(interval, 0, 100);
            flush(&store, &[Family::Chunk]).unwrap();
        }
        let tables = || {
            let files = store.db.live_files().unwrap();
            let files = files.into_iter().filter(|file| {
                let first = file.start_key.as_deref().unwrap_or_default();
                file.column_family_name == "chunk" && first < &9u64.to_be_bytes()[..]
            });
            files.map(|file| file.name).collect::<Vec<_>>()
        };
        let before = tables();
        let gone = KeyRange::prefix(&2u64.to_be_bytes());
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for part in 0.. {
                    put(9, part, 100_000);
                    if done.load(Ordering::SeqCst) {
                        break;
                    }
                }
            });
            std::thread::sleep(Duration::from_millis(50));
            let mut batch = Batch::new();
            batch.delete_range::<Chunks>(&gone);
            batch.set_apart();
            store.commit(&batch).unwrap();
            std::thread::sleep(Duration::from_millis(50));
            done.store(true, Ordering::SeqCst);
        });
        store.purge(Family::Chunk, &gone, &gone).unwrap();
        let after = tables();
        let kept = before.iter().filter(|name| after.contains(name));
        assert_eq!((before.len(), kept.count(), after.len()), (8, 7, 7));
    }

    #[test]
    fn tables_are_begun_while_writes_wait_for_others() {
        let directory = tempfile::tempdir().unwrap();
        let store = RocksStore::open(&directory.path().join("db"), Mode::Create).unwrap();
        let (store, done) = (&store, &AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // Each fills the memtables of many families, whose tables one thread writes.
                for part in 0..16u64 {
                    let mut batch = Batch::new();
                    for family in [
                        Family::State,
                        Family::Staging,
                        Family::Dictionary,
                        Family::Hold,
                        Family::Disposal,
                        Family::Erasure,
                        Family::Checkpoint,
                        Family::LeafHash,
                    ] {
                        batch.put_raw(family, &part.to_be_bytes(), &vec![7; 3 << 20]);
                    }
                    store.commit(&batch).unwrap();
                }
                done.store(true, Ordering::SeqCst);
            });
            while !done.load(Ordering::SeqCst) {
                store.roll(&[Family::Metadata]).unwrap();
            }
        });
        let rows = store.scan(Family::Hold, &KeyRange::all(), Order::Ascending);
        assert_eq!(rows.map(Result::unwrap).count(), 16);
    }
}
