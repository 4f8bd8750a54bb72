//! Checkpoints, leaves and proofs: hashes only, so nothing here is a disclosure.

use super::{Desk, DeskError};
use crate::access::{Checkpoint, Prove};
use crate::audit::{Kept, ReadError, Within};
use ceralacca_formats::checkpoint::Checkpoint as Signed;
use ceralacca_formats::id::{LeafIndex, TreeSize, UtcMillis};
use ceralacca_formats::leaf::Leaf;
use ceralacca_formats::proof::ProofFile;
use ceralacca_formats::sample::sample;
use ceralacca_formats::tree::{LeafHash, NodeHash};
use std::cmp::Ordering;

/// Proofs by index in one call: an answer of a megabyte or so, and tiles of ten at most.
pub const INDEXES_MAX: usize = 1000;
/// Proofs by hash in one call: each is a look-up of up to some megabytes.
pub const HASHES_MAX: usize = 100;

/// Rotations of the log's key in one answer: half a megabyte at most.
pub const ROTATIONS_PAGE: usize = 100;

/// Which leaf.
#[derive(Clone, Copy, Debug)]
pub enum LeafName {
    /// By its place.
    Index(LeafIndex),
    /// By its hash, looked for here.
    Hash(LeafHash, Within),
}

/// A leaf and its way to the root.
pub struct ProvenLeaf {
    /// The leaf, which says its index.
    pub leaf: Leaf,
    /// The inclusion proof.
    pub path: Vec<NodeHash>,
}

fn of(checkpoint: &Signed) -> Kept {
    Kept {
        size: checkpoint.size(),
        root: checkpoint.root(),
        note: checkpoint.note().to_owned(),
    }
}

impl<A> Desk<'_, A> {
    /// The index of a leaf; whether an index given is within the tree, its use will tell.
    pub(super) fn leaf_of(&self, name: LeafName) -> Result<LeafIndex, ReadError> {
        match name {
            LeafName::Index(index) => Ok(index),
            LeafName::Hash(hash, within) => {
                let leaf = self.reader.find(&self.published, hash, within)?;
                Ok(leaf.seq)
            }
        }
    }

    /// The checkpoint shown as the newest.
    fn newest(&self) -> Result<Kept, DeskError> {
        self.checkpoint().map(of)
    }
}

impl Desk<'_, Checkpoint> {
    /// The checkpoint shown as the newest.
    pub fn last(&self) -> Result<Kept, DeskError> {
        self.newest()
    }

    /// The last witnessed checkpoint.
    pub fn last_witnessed(&self) -> Result<Kept, DeskError> {
        self.witnessed().map(of).ok_or(DeskError::NotWitnessed)
    }

    /// The checkpoint of a size, where it was kept.
    pub fn kept(&self, size: TreeSize) -> Result<Kept, DeskError> {
        let newest = self.newest()?;
        if size == newest.size {
            return Ok(newest);
        }
        if size > newest.size {
            return Err(DeskError::Read(ReadError::Sizes {
                first: size,
                second: size,
                size: newest.size,
            }));
        }
        Ok(self.reader.kept(&self.published, size)?)
    }

    /// The proofs of the rotations of the log's key from a number on, as files; and whether there are more. Keys are
    /// public: nothing is disclosed. A rotation beyond the checkpoint shown as the newest, which the key before it
    /// signed, is not shown either. The caller keeps to [`ROTATIONS_PAGE`].
    pub fn rotations(&self, first: u32, limit: usize) -> Result<(Vec<String>, bool), DeskError> {
        let more = limit.saturating_add(1);
        let newest = self.newest()?;
        let proofs = self
            .reader
            .rotations(&self.published, first, more, newest.size)?;
        let texts = proofs.iter().take(limit).map(ProofFile::to_text);
        Ok((texts.collect(), proofs.len() > limit))
    }

    /// The checkpoint of the interval that holds an instant. One beyond the checkpoint shown as the newest is held
    /// back ([`DeskError::NotWitnessed`]).
    pub fn kept_of_interval(&self, at: UtcMillis) -> Result<Kept, DeskError> {
        let newest = self.newest()?;
        let kept = self.reader.kept_of_interval(&self.published, at)?;
        let is_shown = kept.size <= newest.size;
        is_shown.then_some(kept).ok_or(DeskError::NotWitnessed)
    }
}

impl Desk<'_, Prove> {
    /// The note of the checkpoint of a size, where it is the one shown as the newest, or a smaller one that was kept;
    /// empty otherwise.
    pub fn note_of(&self, size: TreeSize) -> Result<String, DeskError> {
        let newest = match self.newest() {
            // All are held back, kept ones too.
            Err(DeskError::NotWitnessed) => return Ok(String::new()),
            newest => newest?,
        };
        let kept = match size.cmp(&newest.size) {
            Ordering::Less => self.reader.find_kept(&self.published, size)?,
            Ordering::Equal => Some(newest),
            Ordering::Greater => None,
        };
        Ok(kept.map_or_else(String::new, |kept| kept.note))
    }

    /// A leaf and its inclusion proof at a size; at the one shown as the newest when none is given.
    pub fn inclusion(
        &self,
        name: LeafName,
        size: Option<TreeSize>,
    ) -> Result<(ProvenLeaf, TreeSize), DeskError> {
        let size = self.size_or_shown(size)?;
        let index = self.leaf_of(name)?;
        let path = self.reader.inclusion(&self.published, index, size)?;
        let leaf = self.reader.leaf(&self.published, index)?;
        Ok((ProvenLeaf { leaf, path }, size))
    }

    /// Leaves and their inclusion proofs at one size; at the one shown as the newest when none is given. The caller keeps to
    /// [`INDEXES_MAX`] and [`HASHES_MAX`].
    pub fn inclusions(
        &self,
        names: &[LeafName],
        size: Option<TreeSize>,
    ) -> Result<(Vec<ProvenLeaf>, TreeSize), DeskError> {
        let size = self.size_or_shown(size)?;
        let indexes = names.iter().map(|name| self.leaf_of(*name));
        let indexes: Vec<_> = indexes.collect::<Result<_, _>>()?;
        Ok((self.proven(&indexes, size)?, size))
    }

    /// The leaves that a seed names at a size, with their inclusion proofs, in the order of the draw.
    pub fn sample(
        &self,
        seed: &[u8],
        count: usize,
        size: Option<TreeSize>,
    ) -> Result<(Vec<ProvenLeaf>, TreeSize), DeskError> {
        let size = self.size_or_shown(size)?;
        let indexes = sample(seed, size, count)?;
        Ok((self.proven(&indexes, size)?, size))
    }

    fn proven(&self, indexes: &[LeafIndex], size: TreeSize) -> Result<Vec<ProvenLeaf>, ReadError> {
        let paths = self.reader.inclusions(&self.published, indexes, size)?;
        let proven = indexes.iter().zip(paths).map(|(index, path)| {
            let leaf = self.reader.leaf(&self.published, *index)?;
            Ok(ProvenLeaf { leaf, path })
        });
        proven.collect()
    }

    /// The size that a replay goes up to: one that is given must not be beyond the published one, nor below where
    /// the replay begins.
    pub fn replay_end(
        &self,
        first: LeafIndex,
        size: Option<TreeSize>,
    ) -> Result<TreeSize, DeskError> {
        let (end, published) = (self.size_or_shown(size)?, self.published.tip.size);
        let first = TreeSize::new(first.get());
        if end > published || first > end {
            return Err(DeskError::Read(ReadError::Sizes {
                first,
                second: end,
                size: published,
            }));
        }
        Ok(end)
    }

    /// Leaves from `first` on, below `end`, packed: the next piece of a replay.
    pub fn leaves(&self, first: LeafIndex, end: TreeSize) -> Result<Vec<u8>, DeskError> {
        Ok(self.reader.leaves(&self.published, first, end)?)
    }

    /// The consistency proof between two sizes; the second is the one shown as the newest when none is given.
    pub fn consistency(
        &self,
        first: TreeSize,
        second: Option<TreeSize>,
    ) -> Result<(TreeSize, Vec<NodeHash>), DeskError> {
        let second = self.size_or_shown(second)?;
        let path = self.reader.consistency(&self.published, first, second)?;
        Ok((second, path))
    }
}
