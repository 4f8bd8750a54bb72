//! Reading a log: leaves, records, proofs, and the check of everything.
//!
//! # Invariants
//! 1. A reader sees the log as of one published checkpoint ([`Published`]); proofs are made for that or an
//!    older size.
//! 2. Nothing here writes to a log.
//!
//! - `leaves`: leaves by range and by hash; `kept`: checkpoints that were kept
//! - `rotations`: how the log's key was changed
//! - [`fsck`]: rehashes all that is held; the oracle of the tests
//! - [`scrub`]: the same in small steps while the log is in use, and the files below the rows

pub mod fsck;
mod kept;
mod leaves;
mod rotations;
pub mod scrub;

pub use kept::Kept;
pub use leaves::{LEAVES_MAX, RUNS_MAX, Within};

use crate::index::{Coverage, LogIndex, Query};
use crate::keyring::{KeyError, Keyring};
use crate::record::held;
use crate::record::open::{self, Opened, RecordError};
use crate::sequencer::{Published, PublishedCell, published};
use crate::store::cf::leaf::Leaves;
use crate::store::cf::tile::Tiles;
use crate::store::{Order, Rows, Store, StoreError};
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::id::{IntervalId, LeafIndex, TreeSize, UtcMillis};
use ceralacca_formats::leaf::{Class, Leaf};
use ceralacca_formats::metadata::Field;
use ceralacca_formats::proof::ProofFile;
use ceralacca_formats::tile::{TileId, TileNodes};
use ceralacca_formats::tree::{NodeHash, ProveError, prove_consistency, prove_inclusion};
use std::sync::Arc;

/// Why something cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The index is beyond the published tree. The caller's fault.
    #[error("leaf {index} is not in a tree of {size}")]
    OutOfRange {
        /// The index asked for.
        index: LeafIndex,
        /// The size of the tree.
        size: TreeSize,
    },
    /// The sizes are not in order, or beyond the published tree. The caller's fault.
    #[error("sizes {first} and {second} are not in order within a tree of {size}")]
    Sizes {
        /// The smaller size asked for.
        first: TreeSize,
        /// The larger size asked for.
        second: TreeSize,
        /// The size of the tree.
        size: TreeSize,
    },
    /// No leaf has this hash. The caller's fault.
    #[error("no leaf of a tree of {size} has this hash, or none where it was looked for")]
    NoLeaf {
        /// The size of the tree.
        size: TreeSize,
    },
    /// A leaf is looked for among too many. The caller's to narrow.
    #[error("a leaf by its hash among {leaves} leaves: name a range of at most {limit}")]
    TooWide {
        /// Among so many.
        leaves: u64,
        /// At most among so many.
        limit: u64,
    },
    /// No checkpoint of this size was kept. The caller's fault: take one that was.
    #[error("no checkpoint of {size} leaves was kept")]
    NotKept {
        /// The size asked for.
        size: TreeSize,
        /// The largest kept one below it, 0 for none.
        below: TreeSize,
        /// The smallest kept one above it.
        above: TreeSize,
    },
    /// There is no interval at this instant. The caller's fault.
    #[error("no interval holds the instant {0}")]
    NoInterval(UtcMillis),
    /// The interval has no checkpoint yet. Retry after its end.
    #[error("interval {interval} is open until {end} and has no checkpoint yet")]
    IntervalOpen {
        /// Which.
        interval: IntervalId,
        /// When it is to be cut.
        end: UtcMillis,
    },
    /// A row that must be there is not. An alarm: run `fsck`.
    #[error("{0} is missing: run fsck")]
    Missing(&'static str),
    /// The record does not open.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads one log.
#[derive(Clone)]
pub struct Reader {
    store: Arc<dyn Store>,
    keyring: Arc<Keyring>,
    published: PublishedCell,
    index: Arc<LogIndex>,
}

/// What candidates are asked for: a term of a field, in one interval.
#[derive(Clone, Copy, Debug)]
pub struct Find<'a> {
    /// In which interval.
    pub interval: IntervalId,
    /// In which class.
    pub class: Class,
    /// Which field.
    pub field: Field,
    /// The term as it came; it is normalised here.
    pub term: &'a [u8],
    /// Beyond this record, in the order.
    pub after: Option<LeafIndex>,
    /// In which order.
    pub order: Order,
    /// At most so many.
    pub limit: usize,
}

impl Reader {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        keyring: Arc<Keyring>,
        published: PublishedCell,
        index: Arc<LogIndex>,
    ) -> Self {
        Self {
            store,
            keyring,
            published,
            index,
        }
    }

    /// The log as of its last published checkpoint.
    pub fn published(&self) -> Arc<Published> {
        published(&self.published)
    }

    /// The store, for contents.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub(crate) fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// How far the index reaches; its total equals the size of the published tree, or runs ahead of it.
    pub fn coverage(&self) -> Coverage {
        self.index.coverage()
    }

    /// A leaf of the published tree.
    pub fn leaf(&self, state: &Published, index: LeafIndex) -> Result<Leaf, ReadError> {
        let size = state.tip.size;
        if !index.is_within(size) {
            return Err(ReadError::OutOfRange { index, size });
        }
        let leaf = self.store.read::<Leaves>(&index)?;
        leaf.ok_or(ReadError::Missing("a leaf"))
    }

    /// A record, opened and checked against its leaf.
    pub fn record(&self, state: &Published, index: LeafIndex) -> Result<Opened, ReadError> {
        let leaf = self.leaf(state, index)?;
        let interval = state.interval_of(index);
        Ok(open::open(&*self.store, &self.keyring, interval, leaf)?)
    }

    /// The inclusion proof of a leaf at a size not above the published one.
    pub fn inclusion(
        &self,
        state: &Published,
        index: LeafIndex,
        size: TreeSize,
    ) -> Result<Vec<NodeHash>, ReadError> {
        let paths = self.inclusions(state, &[index], size)?;
        Ok(paths.into_iter().flatten().collect())
    }

    /// The inclusion proofs of leaves at one size not above the published one; tiles that they share are read once.
    pub fn inclusions(
        &self,
        state: &Published,
        indexes: &[LeafIndex],
        size: TreeSize,
    ) -> Result<Vec<Vec<NodeHash>>, ReadError> {
        if size > state.tip.size {
            return Err(ReadError::Sizes {
                first: size,
                second: size,
                size: state.tip.size,
            });
        }
        let mut nodes = TileNodes::new(&state.frontier, |id| self.tile(id));
        let paths = indexes
            .iter()
            .map(|index| prove_inclusion(&mut nodes, *index, size).map_err(from_prove));
        paths.collect()
    }

    /// The consistency proof between two sizes not above the published one.
    pub fn consistency(
        &self,
        state: &Published,
        first: TreeSize,
        second: TreeSize,
    ) -> Result<Vec<NodeHash>, ReadError> {
        let size = state.tip.size;
        if first > second || second > size {
            return Err(ReadError::Sizes {
                first,
                second,
                size,
            });
        }
        let mut nodes = TileNodes::new(&state.frontier, |id| self.tile(id));
        prove_consistency(&mut nodes, first, second).map_err(from_prove)
    }

    pub(crate) fn tile(&self, id: TileId) -> Result<Arc<ceralacca_formats::tile::Tile>, ReadError> {
        let tile = self.store.read::<Tiles>(&id)?;
        tile.map(Arc::new).ok_or(ReadError::Missing("a tile"))
    }

    /// The proof file of a record, under the published checkpoint.
    pub fn proof(&self, state: &Published, index: LeafIndex) -> Result<ProofFile, ReadError> {
        self.proof_of(state, &self.record(state, index)?)
    }

    /// The proof file of an opened record, under the published checkpoint.
    pub fn proof_of(&self, state: &Published, opened: &Opened) -> Result<ProofFile, ReadError> {
        self.proof_under(state, opened, &state.checkpoint)
    }

    /// The proof file of an opened record, under a checkpoint of this log that is not above the published one.
    pub fn proof_under(
        &self,
        state: &Published,
        opened: &Opened,
        checkpoint: &Checkpoint,
    ) -> Result<ProofFile, ReadError> {
        let index = opened.leaf.seq;
        Ok(ProofFile {
            record: opened.proven(),
            index,
            path: self.inclusion(state, index, checkpoint.size())?,
            note: checkpoint.note().to_owned(),
        })
    }

    /// Records that may have a term, in order, not beyond the published tree. Fewer than the limit means that
    /// there are no more.
    pub fn candidates(
        &self,
        state: &Published,
        find: &Find<'_>,
    ) -> Result<Vec<LeafIndex>, ReadError> {
        let keys = match self.keyring.class(&*self.store, find.interval, find.class) {
            Ok(keys) => keys,
            Err(KeyError::Missing { .. })
                if open::is_disposed(&*self.store, find.interval, find.class)? =>
            {
                return self.held_candidates(find);
            }
            Err(error) => return Err(RecordError::from(error).into()),
        };
        let mut query = Query {
            interval: find.interval,
            class: find.class,
            field: find.field,
            token: keys.token(find.field, &find.field.normalise(find.term)),
            after: find.after,
            order: find.order,
        };
        let mut found = Vec::new();
        while found.len() < find.limit {
            let wanted = find.limit - found.len();
            let candidates = self.index.candidates(&query, wanted)?;
            // A record sequenced after this state was taken is not part of it.
            let published = candidates
                .iter()
                .filter(|index| index.is_within(state.tip.size));
            found.extend(published);
            query.after = candidates.last().copied();
            if candidates.len() < wanted {
                break;
            }
        }
        Ok(found)
    }
}

impl Reader {
    /// Of a class that was disposed of: what a hold kept. All of it is below every published tree.
    fn held_candidates(&self, find: &Find<'_>) -> Result<Vec<LeafIndex>, ReadError> {
        let Some(copy) = held::in_force(&*self.store, find.interval, find.class)? else {
            return Ok(Vec::new());
        };
        let (term, place) = ((find.field, find.term), (find.after, find.order));
        let found = held::candidates(&*self.store, &self.keyring, copy, term, place, find.limit);
        Ok(found?)
    }

    /// Whether a class of an interval was disposed of.
    pub fn is_disposed(&self, interval: IntervalId, class: Class) -> Result<bool, StoreError> {
        open::is_disposed(&*self.store, interval, class)
    }
}

fn from_prove(error: ProveError<ReadError>) -> ReadError {
    match error {
        ProveError::OutOfRange { index, size } => ReadError::OutOfRange { index, size },
        ProveError::Order { first, second } => ReadError::Sizes {
            first,
            second,
            size: second,
        },
        ProveError::Read(error) => error,
    }
}
