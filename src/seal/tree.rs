//! The leaves of an interval, and that they are the tree its checkpoint signs.
//!
//! ```text
//! leaves.bin     the 64-byte leaves of the interval, in log order
//! frontier.bin   tree size u64 | the nodes of its compact range, largest first, 32 bytes each
//! ```
//! The frontier is that of the tree before the interval's first leaf: with the leaves it gives the root at the cut.
//!
//! # Invariants
//! 1. Nothing is closed whose leaves do not give the root at its cut.
//! 2. Each full subtree of 65 536 leaves that ends in the interval is computed once more by another implementation
//!    (rs_merkle), and must agree.

use super::SealError;
use super::folder::Folder;
use crate::audit::Reader;
use crate::sequencer::{Published, Span};
use crate::store::cf::leaf::Leaves;
use crate::store::{KeyRange, Order, Rows, Store};
use ceralacca_formats::catalogue::Entry;
use ceralacca_formats::id::{LeafIndex, TreeSize};
use ceralacca_formats::oracle;
use ceralacca_formats::tile::TileNodes;
use ceralacca_formats::tree::{CompactRange, LeafHash, NodeHash, NodeReader, RootHash};

/// Leaves of a subtree that the second implementation computes.
const SUBTREE: u64 = 1 << 16;
const SUBTREE_HEIGHT: u8 = 16;

pub(super) const LEAVES: &str = "leaves.bin";
pub(super) const FRONTIER: &str = "frontier.bin";

/// The octets of a frontier file.
fn frontier_bytes(range: &CompactRange) -> Vec<u8> {
    let mut bytes = range.size().get().to_be_bytes().to_vec();
    for node in range.nodes() {
        bytes.extend_from_slice(node.as_bytes());
    }
    bytes
}

/// Writes both files, and gives the root that they come to.
pub(super) fn write(
    reader: &Reader,
    state: &Published,
    span: &Span,
    size: TreeSize,
    folder: &Folder,
) -> Result<(RootHash, [Entry; 2]), SealError> {
    let mut range = before(reader, state, TreeSize::new(span.first.get()))?;
    let frontier = folder.write(FRONTIER, &frontier_bytes(&range))?;
    let mut file = folder.plain(LEAVES)?;
    let mut expected = span.first.get();
    each_leaf(reader.store(), span.first, size, |index, leaf| {
        if index.get() != expected {
            return Err(SealError::Corrupt("leaves of the interval are not dense"));
        }
        expected += 1;
        file.write(&leaf)?;
        range.push(LeafHash::of(&leaf), |_, _, _| {});
        Ok(())
    })?;
    if expected != size.get() {
        return Err(SealError::Corrupt("leaves of the interval are missing"));
    }
    Ok((range.root(), [file.finish()?, frontier]))
}

/// The compact range of the tree at an earlier size.
fn before(reader: &Reader, state: &Published, size: TreeSize) -> Result<CompactRange, SealError> {
    let mut nodes = TileNodes::new(&state.frontier, |id| reader.tile(id));
    let found = CompactRange::coordinates(size).map(|(height, index)| nodes.node(height, index));
    let found: Result<Vec<NodeHash>, _> = found.collect();
    CompactRange::new(size, found?).ok_or(SealError::Corrupt("the frontier of the interval"))
}

fn each_leaf(
    store: &dyn Store,
    first: LeafIndex,
    size: TreeSize,
    mut take: impl FnMut(LeafIndex, [u8; 64]) -> Result<(), SealError>,
) -> Result<(), SealError> {
    let range = KeyRange {
        start: first.get().to_be_bytes().to_vec(),
        end: Some(size.get().to_be_bytes().to_vec()),
    };
    for row in store.rows::<Leaves>(&range, Order::Ascending) {
        let (index, leaf) = row?;
        take(index, leaf.to_bytes())?;
    }
    Ok(())
}

/// Has rs_merkle compute every full subtree that ends in the interval.
pub(super) fn check_twice(
    reader: &Reader,
    state: &Published,
    span: &Span,
    size: TreeSize,
) -> Result<u64, SealError> {
    let mut checked = 0;
    let mut nodes = TileNodes::new(&state.frontier, |id| reader.tile(id));
    for number in span.first.get() / SUBTREE..size.get() / SUBTREE {
        let first = number * SUBTREE;
        let mut hashes = Vec::with_capacity(SUBTREE as usize);
        let end = TreeSize::new(first + SUBTREE);
        each_leaf(reader.store(), LeafIndex::new(first), end, |_, leaf| {
            hashes.push(LeafHash::of(&leaf));
            Ok(())
        })?;
        let theirs = oracle::root(&hashes);
        let ours = nodes.node(SUBTREE_HEIGHT, number)?.root();
        if theirs != Some(ours) {
            return Err(SealError::Disagreement(number));
        }
        checked += 1;
    }
    Ok(checked)
}
