//! The hash tree over the groups of one time-stamp, written in one pass and cut for one group at a time.
//!
//! Groups are leaves; a node is H( its two children, sorted, one after another ); the last node of a level that has
//! none beside it rises unchanged.
//!
//! ```text
//! header   "CLXERT1\n" 8 | algorithm u8: 1 SHA-256, 2 SHA-384, 3 SHA-512 | 0 7                      16 bytes
//! groups   n times ( id u64 | group hash h )            ids strictly ascending; h bytes are the algorithm's
//! levels   level 8, 9, … up to the level of one node:   ceil( n / 2^level ) nodes, h bytes each
//! trailer  n u64
//! ```
//! At least one group. Levels 1 to 7 are not stored: they follow from the 256 groups below a node of level 8, which
//! are read at once. An id is the leaf index of an object, or [`file_id`]: whatever has no leaf comes after all that
//! has.
//!
//! # Invariants
//! 1. One pass; memory is some hashes for every 256 groups: 5 million groups need some 3 MB.
//! 2. A cut is checked: its lists lead to the root of the file, or it is refused.

use super::hash::{Hash, bytes_of, group_hash};
use super::reduced::ReducedTree;
use ceralacca_pec::DigestAlgorithm;

const MAGIC: &[u8; 8] = b"CLXERT1\n";
const HEADER_BYTES: u64 = 16;
const TRAILER_BYTES: u64 = 8;
const ID_BYTES: usize = 8;
/// The lowest level that is stored, and how many groups are below a node of it.
const LEVEL: u32 = 8;
const BLOCK: usize = 1 << LEVEL;
/// Levels of a tree of 2^40 groups: more than any machine holds.
const GROUPS_MAX: u64 = 1 << 40;

/// The id of what has no leaf: the `number`th file of a package, the package itself. Ids ascend as numbers descend.
pub const fn file_id(number: u32) -> u64 {
    u64::MAX - number as u64
}

/// Why a tree file was not written, read or cut.
#[derive(Debug, thiserror::Error)]
pub enum TreeError<E> {
    /// Where it goes or comes from failed.
    #[error("tree file: {0}")]
    Storage(E),
    /// An id is not above the one before it.
    #[error("group {found} of a tree comes after {last}")]
    Unsorted {
        /// The id before.
        last: u64,
        /// The id that came.
        found: u64,
    },
    /// A hash is of another algorithm than the tree's.
    #[error("hash of another algorithm than the tree's")]
    Algorithm,
    /// A tree has at least one group.
    #[error("tree of no group")]
    Empty,
    /// Not the header of a tree file of this version.
    #[error("not a tree file of version 1")]
    Header,
    /// The length is none that a tree file has, or less was read than asked for.
    #[error("tree file has a length it cannot have")]
    Length,
    /// The tree has no such group.
    #[error("tree has no group {0}")]
    NoGroup(u64),
    /// The documents do not make the hash of the group.
    #[error("documents are not those of group {0}")]
    OtherGroup(u64),
    /// Nodes do not agree with each other.
    #[error("nodes of the tree file are damaged")]
    Damaged,
}

/// Writes a tree file, piece by piece, to a closure.
pub struct TreeWriter<W> {
    sink: W,
    algorithm: DigestAlgorithm,
    groups: u64,
    last: Option<u64>,
    block: Vec<Hash>,
    level: Vec<Hash>,
    buffer: Vec<u8>,
}

impl<E, W: FnMut(&[u8]) -> Result<(), E>> TreeWriter<W> {
    /// Begins a file.
    pub fn new(algorithm: DigestAlgorithm, sink: W) -> Result<Self, TreeError<E>> {
        let code = code_of(algorithm).ok_or(TreeError::Algorithm)?;
        let mut buffer = MAGIC.to_vec();
        buffer.extend([code, 0, 0, 0, 0, 0, 0, 0]);
        Ok(Self {
            sink,
            algorithm,
            groups: 0,
            last: None,
            block: Vec::with_capacity(BLOCK),
            level: Vec::new(),
            buffer,
        })
    }

    /// Takes the next group: its id, and its [`group_hash`].
    pub fn push(&mut self, id: u64, group: Hash) -> Result<(), TreeError<E>> {
        if group.algorithm() != self.algorithm {
            return Err(TreeError::Algorithm);
        }
        if let Some(last) = self.last.filter(|last| *last >= id) {
            return Err(TreeError::Unsorted { last, found: id });
        }
        self.last = Some(id);
        self.groups = self.groups.saturating_add(1);
        self.buffer.extend(id.to_be_bytes());
        self.buffer.extend(group.as_bytes());
        self.block.push(group);
        if self.block.len() == BLOCK {
            self.close()?;
        }
        Ok(())
    }

    /// Ends the file; the root is what is to be time-stamped.
    pub fn finish(mut self) -> Result<(u64, Hash), TreeError<E>> {
        self.close()?;
        let mut level = std::mem::take(&mut self.level);
        loop {
            for nodes in level.chunks(BLOCK) {
                self.buffer
                    .extend(nodes.iter().flat_map(|node| node.as_bytes()));
                self.flush()?;
            }
            if level.len() < 2 {
                break;
            }
            level = above(&level);
        }
        self.buffer.extend(self.groups.to_be_bytes());
        self.flush()?;
        let root = level.first().copied().ok_or(TreeError::Empty)?;
        Ok((self.groups, root))
    }

    /// Ends a block of groups: the node of level 8 above it is kept.
    fn close(&mut self) -> Result<(), TreeError<E>> {
        let root = levels(std::mem::take(&mut self.block));
        self.level
            .extend(root.last().and_then(|level| level.first()));
        self.flush()
    }

    fn flush(&mut self) -> Result<(), TreeError<E>> {
        (self.sink)(&self.buffer).map_err(TreeError::Storage)?;
        self.buffer.clear();
        Ok(())
    }
}

/// The level above: pairs sorted and hashed, one left over as it is.
fn above(level: &[Hash]) -> Vec<Hash> {
    level.chunks(2).filter_map(group_hash).collect()
}

/// All levels up to one node, the given one first.
fn levels(level: Vec<Hash>) -> Vec<Vec<Hash>> {
    let mut levels = vec![level];
    while let Some(below) = levels.last().filter(|level| level.len() > 1) {
        levels.push(above(below));
    }
    levels
}

/// A tree file that was opened. Reads go through a closure: offset and length in, those bytes out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TreeFile {
    algorithm: DigestAlgorithm,
    groups: u64,
    root: Hash,
}

impl TreeFile {
    /// Reads header, trailer and root of a file of so many bytes.
    pub fn open<E>(
        bytes: u64,
        mut read_at: impl FnMut(u64, usize) -> Result<Vec<u8>, E>,
    ) -> Result<Self, TreeError<E>> {
        if bytes < HEADER_BYTES + TRAILER_BYTES {
            return Err(TreeError::Length);
        }
        let header = read(&mut read_at, 0, HEADER_BYTES)?;
        let algorithm = header.strip_prefix(MAGIC).and_then(algorithm_of);
        let algorithm = algorithm.ok_or(TreeError::Header)?;
        let trailer = read(&mut read_at, bytes - TRAILER_BYTES, TRAILER_BYTES)?;
        let groups = number(&trailer).filter(|n| (1..=GROUPS_MAX).contains(n));
        let groups = groups.ok_or(TreeError::Length)?;
        let mut file = Self {
            algorithm,
            groups,
            root: Hash::of(algorithm, &[]),
        };
        if file.level_offset(file.top() + 1) + TRAILER_BYTES != bytes {
            return Err(TreeError::Length);
        }
        file.root = file.node(file.top(), 0, &mut read_at)?;
        Ok(file)
    }

    /// How the tree was hashed.
    pub fn algorithm(&self) -> DigestAlgorithm {
        self.algorithm
    }

    /// How many groups there are.
    pub fn groups(&self) -> u64 {
        self.groups
    }

    /// The root, as the file states it.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// The id and hash of the group at a place, counted from 0.
    pub fn group_at<E>(
        &self,
        place: u64,
        mut read_at: impl FnMut(u64, usize) -> Result<Vec<u8>, E>,
    ) -> Result<(u64, Hash), TreeError<E>> {
        let at = Some(place).filter(|at| *at < self.groups);
        let mut groups = self.read_groups(at.ok_or(TreeError::Length)?, 1, &mut read_at)?;
        groups.pop().ok_or(TreeError::Length)
    }

    /// The reduced hash tree of the group with an id, whose documents have these hashes. Reads a few dozen ids and
    /// some 10 KB.
    pub fn reduced<E>(
        &self,
        id: u64,
        documents: &[Hash],
        mut read_at: impl FnMut(u64, usize) -> Result<Vec<u8>, E>,
    ) -> Result<ReducedTree, TreeError<E>> {
        let place = self.find(id, &mut read_at)?;
        let first = place - place % BLOCK as u64;
        let count = (self.groups - first).min(BLOCK as u64);
        let groups = self.read_groups(first, count, &mut read_at)?;
        let groups: Vec<Hash> = groups.into_iter().map(|(_, hash)| hash).collect();
        // Below 256: fits.
        let within = (place - first) as usize;
        if group_hash(documents).as_ref() != groups.get(within) {
            return Err(TreeError::OtherGroup(id));
        }
        let mut siblings = Vec::new();
        for (height, level) in levels(groups).iter().enumerate() {
            siblings.extend(level.get(within >> height ^ 1));
        }
        for level in LEVEL..self.top() {
            let sibling = (place >> level) ^ 1;
            if sibling < self.nodes(level) {
                siblings.push(self.node(level, sibling, &mut read_at)?);
            }
        }
        let reduced = ReducedTree::new(documents, &siblings).ok_or(TreeError::Algorithm)?;
        match reduced.root() == Some(self.root) {
            true => Ok(reduced),
            false => Err(TreeError::Damaged),
        }
    }

    /// Recomputes the whole tree; memory as for the writer.
    pub fn check<E>(
        &self,
        mut read_at: impl FnMut(u64, usize) -> Result<Vec<u8>, E>,
    ) -> Result<(), TreeError<E>> {
        let mut last = None;
        let mut level = Vec::new();
        for first in (0..self.groups).step_by(BLOCK) {
            let count = (self.groups - first).min(BLOCK as u64);
            let groups = self.read_groups(first, count, &mut read_at)?;
            for (id, _) in &groups {
                if let Some(last) = last.filter(|last| last >= id) {
                    return Err(TreeError::Unsorted { last, found: *id });
                }
                last = Some(*id);
            }
            let groups = groups.into_iter().map(|(_, hash)| hash).collect();
            level.extend(levels(groups).last().and_then(|top| top.first()).copied());
        }
        for (nodes, height) in levels(level).iter().zip(LEVEL..) {
            for (node, at) in nodes.iter().zip(0..) {
                if self.node(height, at, &mut read_at)? != *node {
                    return Err(TreeError::Damaged);
                }
            }
        }
        Ok(())
    }

    /// The place of an id.
    fn find<E>(
        &self,
        id: u64,
        read_at: &mut impl FnMut(u64, usize) -> Result<Vec<u8>, E>,
    ) -> Result<u64, TreeError<E>> {
        let (mut low, mut high) = (0, self.groups);
        while low < high {
            let middle = low + (high - low) / 2;
            let (found, _) = self.group_at(middle, &mut *read_at)?;
            match found.cmp(&id) {
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(TreeError::NoGroup(id))
    }

    /// At most a block of groups.
    fn read_groups<E>(
        &self,
        first: u64,
        count: u64,
        read_at: &mut impl FnMut(u64, usize) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<(u64, Hash)>, TreeError<E>> {
        let row = self.row_bytes();
        let bytes = read(read_at, HEADER_BYTES + first * row, count * row)?;
        let rows = bytes
            .chunks(ID_BYTES + bytes_of(self.algorithm))
            .map(|row| {
                let (id, hash) = row.split_at_checked(ID_BYTES)?;
                Some((number(id)?, Hash::from_bytes(self.algorithm, hash)?))
            });
        rows.collect::<Option<_>>().ok_or(TreeError::Length)
    }

    fn row_bytes(&self) -> u64 {
        (ID_BYTES + bytes_of(self.algorithm)) as u64
    }

    /// The level of one node.
    fn top(&self) -> u32 {
        (LEVEL..)
            .find(|level| self.nodes(*level) == 1)
            .unwrap_or(LEVEL)
    }

    fn nodes(&self, level: u32) -> u64 {
        self.groups.div_ceil(1 << level.min(63))
    }

    /// Where a stored level begins. At most 2^40 groups of 72 bytes: no overflow.
    fn level_offset(&self, level: u32) -> u64 {
        let below: u64 = (LEVEL..level).map(|level| self.nodes(level)).sum();
        HEADER_BYTES + self.groups * self.row_bytes() + below * bytes_of(self.algorithm) as u64
    }

    fn node<E>(
        &self,
        level: u32,
        at: u64,
        read_at: &mut impl FnMut(u64, usize) -> Result<Vec<u8>, E>,
    ) -> Result<Hash, TreeError<E>> {
        let bytes = bytes_of(self.algorithm) as u64;
        let node = read(read_at, self.level_offset(level) + at * bytes, bytes)?;
        Hash::from_bytes(self.algorithm, &node).ok_or(TreeError::Length)
    }
}

fn code_of(algorithm: DigestAlgorithm) -> Option<u8> {
    match algorithm {
        // Nothing new rests on it.
        DigestAlgorithm::Sha1 => None,
        DigestAlgorithm::Sha256 => Some(1),
        DigestAlgorithm::Sha384 => Some(2),
        DigestAlgorithm::Sha512 => Some(3),
    }
}

/// The rest of a header.
fn algorithm_of(rest: &[u8]) -> Option<DigestAlgorithm> {
    let mut all = DigestAlgorithm::ALL.into_iter();
    all.find(|a| code_of(*a).is_some_and(|code| rest == [code, 0, 0, 0, 0, 0, 0, 0]))
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

/// Exactly these bytes.
fn read<E>(
    read_at: &mut impl FnMut(u64, usize) -> Result<Vec<u8>, E>,
    offset: u64,
    length: u64,
) -> Result<Vec<u8>, TreeError<E>> {
    // At most a block of groups.
    let length = usize::try_from(length).map_err(|_| TreeError::Length)?;
    let bytes = read_at(offset, length).map_err(TreeError::Storage)?;
    match bytes.len() == length {
        true => Ok(bytes),
        false => Err(TreeError::Length),
    }
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
