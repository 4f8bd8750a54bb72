//! Leaves by range, for a replay, and by hash.

use super::{ReadError, Reader};
use crate::index::hashes;
use crate::sequencer::Published;
use crate::store::cf::leaf::Leaves;
use crate::store::{KeyRange, Order, Rows};
use ceralacca_formats::id::{LeafIndex, TreeSize};
use ceralacca_formats::leaf::{LEAF_BYTES, Leaf};
use ceralacca_formats::tile::{TILE_WIDTH, TileId};
use ceralacca_formats::tree::LeafHash;

/// The most leaves read at a time: 256 KiB.
pub const LEAVES_MAX: u64 = 4096;
/// The most runs of leaf hashes that one look-up reads, some KiB each: 268 million leaves.
pub const RUNS_MAX: u64 = 4096;
/// The most tiles that one look-up reads after the last run, 8 KiB each: a million leaves. The runs follow the
/// writer within some hundred thousand.
const TILES_MAX: u64 = 4096;

/// Where a leaf is looked for: from `first` on, below `end`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Within {
    /// The first leaf.
    pub first: LeafIndex,
    /// Beyond the last one; none for the published size.
    pub end: Option<TreeSize>,
}

impl Within {
    /// Everywhere.
    pub const ALL: Self = Self {
        first: LeafIndex::new(0),
        end: None,
    };
}

impl Reader {
    /// Leaves from `first` on, below `end` and the published size, packed; at most [`LEAVES_MAX`].
    pub fn leaves(
        &self,
        state: &Published,
        first: LeafIndex,
        end: TreeSize,
    ) -> Result<Vec<u8>, ReadError> {
        let end = end.min(state.tip.size).get();
        let count = end.saturating_sub(first.get()).min(LEAVES_MAX);
        let mut bytes = Vec::with_capacity(count as usize * LEAF_BYTES);
        let range = KeyRange {
            start: first.get().to_be_bytes().to_vec(),
            end: Some((first.get() + count).to_be_bytes().to_vec()),
        };
        let mut next = first.get();
        for row in self.store.rows::<Leaves>(&range, Order::Ascending) {
            let (index, leaf) = row?;
            if index.get() != next {
                return Err(ReadError::Missing("a leaf"));
            }
            bytes.extend_from_slice(&leaf.to_bytes());
            next += 1;
        }
        let whole = next == first.get() + count;
        whole.then_some(bytes).ok_or(ReadError::Missing("a leaf"))
    }

    /// The leaf that has a hash.
    pub fn find(
        &self,
        state: &Published,
        hash: LeafHash,
        within: Within,
    ) -> Result<Leaf, ReadError> {
        let size = state.tip.size;
        let end = within.end.map_or(size, |end| end.min(size)).get();
        let first = within.first.get().min(end);
        let is_it = |index: LeafIndex| -> Result<Option<Leaf>, ReadError> {
            let inside = (first..end).contains(&index.get());
            let leaf = inside.then(|| self.leaf(state, index)).transpose()?;
            Ok(leaf.filter(|leaf| leaf.hash() == hash))
        };
        let covered = hashes::covered(&*self.store)?.get().min(end);
        let run = |index: u64| index / hashes::RUN_LEAVES;
        let runs = run(first)..covered.div_ceil(hashes::RUN_LEAVES);
        let tail = first.max(covered);
        let tile = |index: u64| index / TILE_WIDTH as u64;
        let tiles = tile(tail)..end.div_ceil(TILE_WIDTH as u64);
        let too_many =
            |range: &std::ops::Range<u64>, most: u64| range.end.saturating_sub(range.start) > most;
        if too_many(&runs, RUNS_MAX) || too_many(&tiles, TILES_MAX) {
            return Err(ReadError::TooWide {
                leaves: end - first,
                limit: match too_many(&runs, RUNS_MAX) {
                    // Whole runs, wherever the range begins.
                    true => (RUNS_MAX - 1) * hashes::RUN_LEAVES,
                    false => (TILES_MAX - 1) * TILE_WIDTH as u64,
                },
            });
        }
        if runs.start < runs.end {
            for index in hashes::candidates(&*self.store, hash, runs)? {
                if let Some(leaf) = is_it(index)? {
                    return Ok(leaf);
                }
            }
        }
        for number in tiles {
            for place in self.places_in(state, number, hash)? {
                let index = LeafIndex::new(number * TILE_WIDTH as u64 + place as u64);
                if let Some(leaf) = is_it(index)? {
                    return Ok(leaf);
                }
            }
        }
        Err(ReadError::NoLeaf { size })
    }

    /// Where a tile of leaf hashes, full or not, has this one.
    fn places_in(
        &self,
        state: &Published,
        number: u64,
        hash: LeafHash,
    ) -> Result<Vec<usize>, ReadError> {
        let full = number < state.tip.size.get() / TILE_WIDTH as u64;
        let tile = full
            .then(|| self.tile(TileId { level: 0, number }))
            .transpose()?;
        let entries = match &tile {
            Some(tile) => tile.hashes(),
            None => state.frontier.partial(0),
        };
        let places = entries.iter().enumerate();
        let places = places.filter(|(_, node)| hashes::is_of(node, hash));
        Ok(places.map(|(place, _)| place).collect())
    }
}
