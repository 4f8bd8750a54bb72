//! Opening a log: what is found on disk, checked before anything is added.
//!
//! # Invariants
//! 1. The root recomputed from leaves and tiles is the tip's, and continues the checkpoint kept beside the
//!    database; otherwise the log does not open, and the error says what to do.
//! 2. Cost: tiles of the right edge, the interval table, the records of one index run. It does not grow with
//!    the archive.

use super::rotation::{self, RotateError};
use super::{Schedule, Span};
use crate::ambient::{Clock, Entropy};
use crate::index::LogIndex;
use crate::keyring::{self, KeyError, Keyring};
use crate::record::{open, prepare, upload};
use crate::store::cf::interval::{IntervalRow, Intervals, Phase};
use crate::store::cf::leaf::Leaves;
use crate::store::cf::state::{Identity, State, StateKey, StateRow, Tip};
use crate::store::cf::tile::Tiles;
use crate::store::outside::{self, LogDirectory};
use crate::store::{KeyRange, Order, Rows, Store, StoreError};
use ceralacca_formats::checkpoint::CheckpointError;
use ceralacca_formats::id::{IntervalId, LeafIndex, TreeSize};
use ceralacca_formats::leaf::Epoch;
use ceralacca_formats::note::NoteSigner;
use ceralacca_formats::rotation::KeyChain;
use ceralacca_formats::secret::MasterKey;
use ceralacca_formats::tile::{Frontier, TileId, TileNodes, tile_root};
use ceralacca_formats::tree::{CompactRange, NodeHash, NodeReader, RootHash};
use std::sync::Arc;

/// Why a log does not open. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store does not open, or a row does not read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret does not open.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A row that every log has is not there.
    #[error("{0} is missing: restore from a copy")]
    Missing(&'static str),
    /// The tree on disk is not the tip's.
    #[error(
        "tree of {size} leaves has another root than the tip says: run fsck, restore from a copy"
    )]
    Tip {
        /// Size at the tip.
        size: TreeSize,
    },
    /// A checkpoint on disk is not signed by this log.
    #[error("{which}: {source}: restore it from a witness or a client, or the log from a copy")]
    Checkpoint {
        /// Which.
        which: &'static str,
        /// Why it is refused.
        #[source]
        source: CheckpointError,
    },
    /// The store is older than a checkpoint that was published: records may have been lost.
    #[error(
        "store has {store} leaves, published checkpoint has {published}: restore a newer copy; do not continue this log"
    )]
    Behind {
        /// Size of the store.
        store: TreeSize,
        /// Size of the checkpoint.
        published: TreeSize,
    },
    /// The store is not a continuation of a checkpoint that was published.
    #[error("store contradicts the checkpoint published at {size} leaves: restore from a copy")]
    Fork {
        /// Size of the checkpoint.
        size: TreeSize,
    },
    /// A rotation of the log's key is under way and cannot be completed.
    #[error("complete the rotation of the log key")]
    Rotation(#[from] RotateError),
    /// A record of the index tail does not open. An alarm: what is stored is not what was recorded.
    #[error("rebuild index")]
    Record(#[from] open::RecordError),
}

/// What a log is made of.
pub struct Parts {
    /// Its directory, locked; `None` in simulation.
    pub directory: Option<LogDirectory>,
    /// Its store.
    pub store: Arc<dyn Store>,
    /// Its clocks.
    pub clock: Arc<dyn Clock>,
    /// Its source of randomness.
    pub entropy: Arc<dyn Entropy>,
    /// When its intervals are cut.
    pub schedule: Schedule,
}

/// A log as found, ready to be taken over by a writer.
pub struct Recovered {
    /// What it is made of.
    pub parts: Parts,
    /// What it is.
    pub identity: Identity,
    /// Its secrets.
    pub keyring: Arc<Keyring>,
    /// Its signer.
    pub signer: NoteSigner,
    /// Its index, covering the tip.
    pub index: Arc<LogIndex>,
    pub(super) tip: Tip,
    pub(super) frontier: Frontier,
    pub(super) spans: Vec<Span>,
    /// Uploads that were swept because their leaf never came.
    pub swept_uploads: u64,
}

impl Recovered {
    /// Reads and checks the log; changes nothing but what unfinished uploads left, and completes a rotation of its
    /// key that is under way.
    pub fn read(parts: Parts, master: &MasterKey) -> Result<Self, OpenError> {
        let store = &*parts.store;
        let identity = identity(store)?;
        let (keyring, mut signer) = Keyring::open(store, master, &identity.origin)?;
        let tip = tip(store)?;
        let frontier = frontier(store, tip.size)?;
        if frontier.range().root() != tip.root {
            return Err(OpenError::Tip { size: tip.size });
        }
        let chain = keyring::chain(store, signer.verifier())?;
        if let Some(directory) = &parts.directory {
            let note = outside::read_checkpoint(directory.path())?
                .ok_or(OpenError::Missing("file `checkpoint` beside the database"))?;
            let which = "checkpoint beside the database";
            check_published(store, &frontier, &chain, &note, which)?;
        }
        if let Some(StateRow::Note(note)) = store.read::<State>(&StateKey::Note)? {
            let which = "last checkpoint in the store";
            check_published(store, &frontier, &chain, note.as_bytes(), which)?;
        }
        if let Some(rotated) = rotation::complete(store, &keyring, &signer, &identity.origin, tip)?
        {
            signer = rotated.signer;
        }
        let spans = spans(store)?;
        let swept_uploads = upload::sweep(store)?;
        let index = index(&parts.store, &keyring, &spans, tip.size)?;
        Ok(Self {
            identity,
            keyring: Arc::new(keyring),
            signer,
            index: Arc::new(index),
            tip,
            frontier,
            spans,
            swept_uploads,
            parts,
        })
    }
}

/// What the log is.
pub fn identity(store: &dyn Store) -> Result<Identity, OpenError> {
    match store.read::<State>(&StateKey::Identity)? {
        Some(StateRow::Identity(identity)) if identity.version == outside::FORMAT_VERSION => {
            Ok(identity)
        }
        Some(StateRow::Identity(identity)) => Err(OpenError::Store(StoreError::Version {
            found: identity.version,
            known: outside::FORMAT_VERSION,
        })),
        _ => Err(OpenError::Missing("identity of the log")),
    }
}

/// Where the tree stands.
pub fn tip(store: &dyn Store) -> Result<Tip, StoreError> {
    match store.read::<State>(&StateKey::Tip)? {
        Some(StateRow::Tip(tip)) => Ok(tip),
        _ => Ok(Tip {
            size: TreeSize::default(),
            root: RootHash::empty(),
            epoch: Epoch::default(),
            time: ceralacca_formats::id::UtcMillis::default(),
        }),
    }
}

/// The right edge of the tree, from leaves and full tiles.
pub fn frontier(store: &dyn Store, size: TreeSize) -> Result<Frontier, OpenError> {
    Frontier::rebuild(size, |level, index| match level {
        0 => {
            let leaf = store.read::<Leaves>(&LeafIndex::new(index))?;
            let leaf = leaf.ok_or(OpenError::Missing("a leaf"))?;
            Ok(leaf.hash().node())
        }
        _ => {
            let id = TileId {
                level: level - 1,
                number: index,
            };
            read_tile(store, id).map(|tile| tile_root(&tile))
        }
    })
}

/// A full tile.
pub fn read_tile(
    store: &dyn Store,
    id: TileId,
) -> Result<Arc<ceralacca_formats::tile::Tile>, OpenError> {
    let tile = store.read::<Tiles>(&id)?;
    tile.map(Arc::new).ok_or(OpenError::Missing("a tile"))
}

/// The root at an older size.
pub fn root_at(
    store: &dyn Store,
    frontier: &Frontier,
    size: TreeSize,
) -> Result<RootHash, OpenError> {
    let mut nodes = TileNodes::new(frontier, |id| read_tile(store, id));
    let hashes: Result<Vec<NodeHash>, OpenError> = CompactRange::coordinates(size)
        .map(|(level, index)| nodes.node(level, index))
        .collect();
    // `coordinates` gives exactly the subtrees that `new` wants.
    let range = CompactRange::new(size, hashes?).unwrap_or_default();
    Ok(range.root())
}

fn check_published(
    store: &dyn Store,
    frontier: &Frontier,
    chain: &KeyChain,
    note: &[u8],
    which: &'static str,
) -> Result<(), OpenError> {
    let (checkpoint, _) = chain
        .open(note)
        .map_err(|source| OpenError::Checkpoint { which, source })?;
    let size = checkpoint.size();
    if size > frontier.size() {
        return Err(OpenError::Behind {
            store: frontier.size(),
            published: size,
        });
    }
    if root_at(store, frontier, size)? != checkpoint.root() {
        return Err(OpenError::Fork { size });
    }
    Ok(())
}

/// The interval table.
pub fn spans(store: &dyn Store) -> Result<Vec<Span>, StoreError> {
    let mut spans: Vec<Span> = Vec::new();
    for row in store.rows::<Intervals>(&KeyRange::all(), Order::Ascending) {
        match row? {
            ((id, Phase::Opened), IntervalRow::Opened { end, first }) => spans.push(Span {
                id,
                end,
                first,
                cut: None,
                closed: None,
            }),
            ((id, Phase::Cut), IntervalRow::Cut { size, .. }) => {
                let open = spans.last_mut().filter(|span| span.id == id);
                let open = open.ok_or_else(|| {
                    StoreError::Corrupt(format!("interval {id} was cut and never opened"))
                })?;
                open.cut = Some(size);
            }
            ((id, Phase::Closed), IntervalRow::Closed { leaf, .. }) => {
                let cut = spans.last_mut();
                let cut = cut.filter(|span| span.id == id && span.cut.is_some());
                let cut = cut.ok_or_else(|| {
                    StoreError::Corrupt(format!("interval {id} was closed and never cut"))
                })?;
                cut.closed = Some(leaf);
            }
            ((id, _), _) => {
                return Err(StoreError::Corrupt(format!(
                    "interval {id} has a mixed row"
                )));
            }
        }
    }
    Ok(spans)
}

/// The index, with the records that have no run yet appended from their rows.
fn index(
    store: &Arc<dyn Store>,
    keyring: &Keyring,
    spans: &[Span],
    size: TreeSize,
) -> Result<LogIndex, OpenError> {
    let indexed = match store.read::<State>(&StateKey::Indexed)? {
        Some(StateRow::Indexed(indexed)) => indexed,
        _ => TreeSize::default(),
    };
    let span_of = |index: u64| {
        let after = spans.partition_point(|span| span.first.get() <= index);
        after.checked_sub(1).and_then(|at| spans.get(at))
    };
    let first = span_of(indexed.get()).map_or(IntervalId::new(0), |span| span.id);
    let log_index = LogIndex::open(Arc::clone(store), indexed, first);
    for number in indexed.get()..size.get() {
        let index = LeafIndex::new(number);
        let leaf = store.read::<Leaves>(&index)?;
        let leaf = leaf.ok_or(OpenError::Missing("a leaf"))?;
        let span = span_of(number).ok_or(OpenError::Missing("an interval"))?;
        let opened = match open::open(&**store, keyring, span.id, leaf) {
            // It is found by nothing any more.
            Err(open::RecordError::Disposed { .. } | open::RecordError::Erased { .. }) => {
                log_index.append([(span.id, leaf.class, index, [].as_slice())])?;
                continue;
            }
            other => other?,
        };
        let tokens = match opened.metadata() {
            Ok(metadata) => {
                let keys = keyring.class(&**store, span.id, leaf.class)?;
                prepare::tokens(&keys, &metadata)
            }
            // Written by a newer program: its bytes verify, its terms are not ours to know.
            Err(open::RecordError::Uninterpreted { .. }) => Vec::new(),
            Err(other) => return Err(other.into()),
        };
        log_index.append([(span.id, leaf.class, index, tokens.as_slice())])?;
    }
    Ok(log_index)
}
