//! Leaves and tiles: every leaf of an interval is pushed onto the tree, and the root held to its checkpoint.

use super::{RebuildError, damaged, holds, io};
use crate::store::cf::leaf::Leaves;
use crate::store::cf::tile::Tiles;
use crate::store::cf::{ColumnFamily, Family};
use crate::store::{Batch, SortedRun, Store, StoreError};
use ceralacca_formats::hold::HoldCounts;
use ceralacca_formats::id::{LeafIndex, TreeSize};
use ceralacca_formats::leaf::{Class, LEAF_BYTES, Leaf};
use ceralacca_formats::tile::Frontier;
use ceralacca_formats::tree::LeafHash;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Leaves read at a time.
const LEAVES: usize = 1 << 13;
/// Octets of a sorted file, about.
const RUN_BYTES: u64 = 128 << 20;

/// Rows of one family in ascending order, written as sorted files of a bounded length.
pub(super) struct Roll<'a> {
    store: &'a dyn Store,
    family: Family,
    run: Option<Box<dyn SortedRun + 'a>>,
    bytes: u64,
}

impl<'a> Roll<'a> {
    pub(super) fn new(store: &'a dyn Store, family: Family) -> Self {
        Self {
            store,
            family,
            run: None,
            bytes: 0,
        }
    }

    pub(super) fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        if self.bytes >= RUN_BYTES {
            self.finish()?;
        }
        let mut run = match self.run.take() {
            Some(run) => run,
            None => self.store.begin_run(self.family)?,
        };
        run.put(key, value)?;
        self.run = Some(run);
        self.bytes = self.bytes.saturating_add((key.len() + value.len()) as u64);
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<(), StoreError> {
        self.bytes = 0;
        self.run.take().map_or(Ok(()), SortedRun::finish)
    }
}

/// The leaves of an interval, in a file of 64 octets each.
pub(super) struct LeafFile {
    path: PathBuf,
    file: File,
    pub(super) first: LeafIndex,
    pub(super) count: u64,
}

impl LeafFile {
    /// Opens a file that has the leaves from `first` to below `size`, exactly.
    pub(super) fn open(
        path: &Path,
        first: LeafIndex,
        size: TreeSize,
    ) -> Result<Self, RebuildError> {
        let file = File::open(path).map_err(io("open", path))?;
        let bytes = file.metadata().map_err(io("read", path))?.len();
        let count = size.get().saturating_sub(first.get());
        let whole = count.checked_mul(LEAF_BYTES as u64) == Some(bytes);
        let leaves = Self {
            path: path.to_owned(),
            file,
            first,
            count,
        };
        match whole && size.get() >= first.get() {
            true => Ok(leaves),
            false => Err(leaves.bad("another number of leaves than the interval has")),
        }
    }

    pub(super) fn bad(&self, why: &str) -> RebuildError {
        damaged(&self.path.display().to_string(), why)
    }

    /// Fills a buffer with leaves from one on, at most as many as it has room for; the rest is cut off.
    fn fill(&self, from: u64, buffer: &mut Vec<u8>) -> Result<(), RebuildError> {
        let left = self.count.saturating_sub(from);
        let leaves = usize::try_from(left).unwrap_or(LEAVES).min(LEAVES);
        buffer.resize(leaves * LEAF_BYTES, 0);
        let at = from.saturating_mul(LEAF_BYTES as u64);
        let read = self.file.read_exact_at(buffer, at);
        read.map_err(io("read", &self.path))
    }

    /// A leaf of the interval.
    pub(super) fn leaf(&self, index: LeafIndex) -> Result<Option<Leaf>, RebuildError> {
        let at = index.get().checked_sub(self.first.get());
        let Some(at) = at.filter(|at| *at < self.count) else {
            return Ok(None);
        };
        let mut octets = [0; LEAF_BYTES];
        let from = at.saturating_mul(LEAF_BYTES as u64);
        let read = self.file.read_exact_at(&mut octets, from);
        read.map_err(io("read", &self.path))?;
        Ok(Leaf::from_bytes(&octets).ok())
    }

    /// Its leaves of one class, in order.
    pub(super) fn of_class(&self, class: Class) -> OfClass<'_> {
        OfClass {
            leaves: self,
            class,
            next: 0,
            buffer: Vec::new(),
            at: 0,
        }
    }
}

/// Walks the leaves of a class.
pub(super) struct OfClass<'a> {
    leaves: &'a LeafFile,
    class: Class,
    next: u64,
    buffer: Vec<u8>,
    at: usize,
}

impl OfClass<'_> {
    pub(super) fn next(&mut self) -> Result<Option<Leaf>, RebuildError> {
        loop {
            let end = self.at.saturating_add(LEAF_BYTES);
            let Some(octets) = self.buffer.get(self.at..end) else {
                self.at = 0;
                self.leaves.fill(self.next, &mut self.buffer)?;
                if self.buffer.is_empty() {
                    return Ok(None);
                }
                self.next += (self.buffer.len() / LEAF_BYTES) as u64;
                continue;
            };
            self.at = end;
            // What is no leaf is told where the tree is made.
            let leaf = Leaf::from_bytes(octets).ok();
            if let Some(leaf) = leaf.filter(|leaf| leaf.class == self.class) {
                return Ok(Some(leaf));
            }
        }
    }
}

/// How many leaves of each class.
pub(super) type Counts = [u64; Class::ALL.len()];

/// The place of a class in what is counted.
pub(super) fn place(class: Class) -> usize {
    usize::from(class.code()).saturating_sub(1)
}

/// The tree under construction.
pub(super) struct Tree<'a> {
    store: &'a dyn Store,
    pub(super) frontier: Frontier,
    pub(super) last: Option<Leaf>,
    /// Holds that its leaves set and released.
    pub(super) holds: HoldCounts,
    leaves: Roll<'a>,
    tiles: Roll<'a>,
}

impl<'a> Tree<'a> {
    pub(super) fn new(store: &'a dyn Store) -> Self {
        Self {
            store,
            frontier: Frontier::default(),
            last: None,
            holds: HoldCounts::default(),
            leaves: Roll::new(store, Family::Leaf),
            tiles: Roll::new(store, Family::Tile),
        }
    }

    /// Appends the leaves of an interval; gives how many there are of each class.
    pub(super) fn push(&mut self, leaves: &LeafFile) -> Result<Counts, RebuildError> {
        let mut counts = Counts::default();
        let mut buffer = Vec::new();
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let mut upper = Batch::new();
        let mut from = 0;
        while from < leaves.count {
            leaves.fill(from, &mut buffer)?;
            let (octets, _) = buffer.as_chunks::<LEAF_BYTES>();
            for octets in octets {
                let index = LeafIndex::new(self.frontier.size().get());
                let follows = |leaf: &Leaf| {
                    let before = self.last.map_or(0, |last| last.epoch.0);
                    leaf.seq == index && leaf.epoch.0 >= before
                };
                let leaf = Leaf::from_bytes(octets).ok().filter(follows);
                let leaf = leaf.ok_or_else(|| {
                    let why = format!("leaf {index} is none, or says another index or epoch");
                    leaves.bad(&why)
                })?;
                self.last = Some(leaf);
                holds::count(&mut self.holds, &leaf);
                if let Some(count) = counts.get_mut(place(leaf.class)) {
                    *count += 1;
                }
                key.clear();
                value.clear();
                Leaves::encode_key(&index, &mut key);
                Leaves::encode_value(&leaf, &mut value);
                self.leaves.put(&key, &value)?;
                let tiles = &mut self.tiles;
                let mut put = Ok(());
                self.frontier.push(LeafHash::of(octets), |id, tile| {
                    if id.level > 0 {
                        return upper.put::<Tiles>(&id, &tile);
                    }
                    key.clear();
                    value.clear();
                    Tiles::encode_key(&id, &mut key);
                    Tiles::encode_value(&tile, &mut value);
                    put = tiles.put(&key, &value);
                });
                put?;
            }
            from += octets.len() as u64;
        }
        if !upper.is_empty() {
            self.store.commit(&upper)?;
        }
        Ok(counts)
    }

    /// Every leaf and tile is in the store on return.
    pub(super) fn finish(&mut self) -> Result<(), StoreError> {
        self.leaves.finish()?;
        self.tiles.finish()
    }
}
