//! Leaves by hash: runs of 65 536 leaves, made from tiles that are full, behind the writer.
//!
//! # Invariants
//! 1. Never the truth: made from tiles; a candidate is checked against its leaf by whoever asks.
//! 2. Runs are made in order, each in one batch: there is a run for every leaf below [`covered`], and none beyond.
//! 3. Nothing waits for a run: leaves after the last one are found in the tiles, which is slower.
//!
//! # Crash
//! A run is there whole or not at all; the next one is made after the last that is there.

use crate::store::cf::leaf_hash::{HashBucket, HashEntry, LeafHashes};
use crate::store::cf::tile::Tiles;
use crate::store::{Batch, KeyRange, Order, Rows, Store, StoreError};
use ceralacca_formats::id::{LeafIndex, TreeSize};
use ceralacca_formats::tile::{TILE_WIDTH, TileId};
use ceralacca_formats::tree::{LeafHash, NodeHash};
use std::ops::Range;

/// Leaves in a run: those of a full tile of level 1.
pub const RUN_LEAVES: u64 = 1 << 16;
const RUN_TILES: u64 = RUN_LEAVES / TILE_WIDTH as u64;

/// Bucket and rest of a hash.
fn split(hash: &[u8; 32]) -> (u8, u16) {
    let [first, second, third, ..] = *hash;
    (first, u16::from_be_bytes([second, third]))
}

/// The leaves that have runs: a multiple of [`RUN_LEAVES`].
pub fn covered(store: &dyn Store) -> Result<TreeSize, StoreError> {
    let bucket = KeyRange::prefix(&[0]);
    let last = store.rows::<LeafHashes>(&bucket, Order::Descending).next();
    let runs = match last.transpose()? {
        None => 0,
        Some((key, _)) => key.run.saturating_add(1),
    };
    Ok(TreeSize::new(runs.saturating_mul(RUN_LEAVES)))
}

/// The rows of a run, by bucket, from its 256 tiles.
pub fn rows(store: &dyn Store, run: u64) -> Result<Vec<Vec<HashEntry>>, StoreError> {
    let mut buckets = vec![Vec::new(); 256];
    let first = run.saturating_mul(RUN_TILES);
    let mut place = 0u16;
    for number in first..first.saturating_add(RUN_TILES) {
        let id = TileId { level: 0, number };
        let tile = store.read::<Tiles>(&id)?;
        let tile = tile.ok_or_else(|| StoreError::Corrupt(format!("{} is missing", id.path())))?;
        for hash in tile.hashes() {
            let (bucket, rest) = split(hash.as_bytes());
            if let Some(entries) = buckets.get_mut(usize::from(bucket)) {
                entries.push(HashEntry { rest, place });
            }
            // The last place is 65535; what follows it is not used.
            place = place.wrapping_add(1);
        }
    }
    for entries in &mut buckets {
        entries.sort_unstable();
    }
    Ok(buckets)
}

/// Makes a run, whose leaves are all in full tiles.
pub fn write(store: &dyn Store, run: u64) -> Result<(), StoreError> {
    let mut batch = Batch::new();
    for (first, entries) in (0..=u8::MAX).zip(rows(store, run)?) {
        batch.put::<LeafHashes>(&HashBucket { first, run }, &entries);
    }
    store.commit(&batch)
}

/// The leaves in some runs that may have a hash: one in sixteen million that have not.
pub fn candidates(
    store: &dyn Store,
    hash: LeafHash,
    runs: Range<u64>,
) -> Result<Vec<LeafIndex>, StoreError> {
    let (bucket, rest) = split(hash.as_bytes());
    let edge = |run: u64| {
        let mut key = vec![bucket];
        key.extend_from_slice(&run.to_be_bytes());
        key
    };
    let range = KeyRange {
        start: edge(runs.start),
        end: Some(edge(runs.end)),
    };
    let mut found = Vec::new();
    for row in store.rows::<LeafHashes>(&range, Order::Ascending) {
        let (key, entries) = row?;
        let from = entries.partition_point(|entry| entry.rest < rest);
        let same = entries.iter().skip(from).take_while(|e| e.rest == rest);
        let base = key.run.saturating_mul(RUN_LEAVES);
        found.extend(same.map(|entry| LeafIndex::new(base.saturating_add(u64::from(entry.place)))));
    }
    Ok(found)
}

/// Whether a node of level 0 is the hash of a leaf.
pub fn is_of(node: &NodeHash, hash: LeafHash) -> bool {
    node.as_bytes() == hash.as_bytes()
}
