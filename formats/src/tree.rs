//! The Merkle tree of RFC 9162 section 2.1 with SHA-256: hashes, compact range, proofs, verification.
//!
//! ```text
//! MTH({})     = SHA-256()
//! MTH({d0})   = SHA-256(00 | d0)
//! MTH(D[0:n]) = SHA-256(01 | MTH(D[0:k]) | MTH(D[k:n]))     k = largest power of two < n
//! ```
//!
//! # Invariants
//! 1. Verification is strict: every hash of a proof is used, none is missing, indexes are within the size.
//! 2. Size and root come together from a verified checkpoint ([`crate::checkpoint::Checkpoint`]); a
//!    proof alone does not bind a size (RFC 9162 section 2.1.3.2 takes it as given).
//! 3. Proofs from outside are checked here only, never by rs_merkle (see [`crate::oracle`]).

use crate::checkpoint::Checkpoint;
use crate::digest::{Sha256, decode_hex32};
use crate::id::{LeafIndex, TreeSize};
use std::fmt;

macro_rules! hash_value {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name([u8; 32]);

        impl $name {
            /// A hash computed elsewhere.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// From 64 lower-case hexadecimal digits.
            pub fn from_hex(text: &str) -> Option<Self> {
                decode_hex32(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

hash_value! {
    /// Hash of a leaf: SHA-256(00 | leaf).
    LeafHash
}
hash_value! {
    /// Hash of a perfect or ragged subtree.
    NodeHash
}
hash_value! {
    /// Root of a tree of a given size.
    RootHash
}

impl LeafHash {
    /// The hash of a leaf's bytes.
    pub fn of(leaf: &[u8]) -> Self {
        Self(*Sha256::of_parts(&[&[0], leaf]).as_bytes())
    }

    /// The same hash as a node: a subtree of one leaf.
    pub const fn node(self) -> NodeHash {
        NodeHash(self.0)
    }
}

impl NodeHash {
    /// The parent of two siblings.
    pub fn parent(left: &Self, right: &Self) -> Self {
        let mut input = [1; 65];
        let (_, rest) = input.split_at_mut(1);
        let (l, r) = rest.split_at_mut(32);
        l.copy_from_slice(&left.0);
        r.copy_from_slice(&right.0);
        Self(*Sha256::of(&input).as_bytes())
    }

    /// The node as the root of its own tree.
    pub const fn root(self) -> RootHash {
        RootHash(self.0)
    }
}

impl RootHash {
    /// Root of the tree without leaves: SHA-256 of nothing.
    pub fn empty() -> Self {
        Self(*Sha256::of(&[]).as_bytes())
    }
}

/// All that is needed to append to a tree and to know its root: the roots of the perfect subtrees it
/// is made of, largest first. At most 64 hashes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CompactRange {
    size: u64,
    nodes: Vec<NodeHash>,
}

impl CompactRange {
    /// The range of a tree of `size` leaves, given the roots of its perfect subtrees, largest first.
    /// `None` when their number is not that of the size.
    pub fn new(size: TreeSize, nodes: Vec<NodeHash>) -> Option<Self> {
        let fits = nodes.len() == size.get().count_ones() as usize;
        fits.then_some(Self {
            size: size.get(),
            nodes,
        })
    }

    /// (level, index) of the perfect subtrees of a tree of `size` leaves, largest first.
    pub fn coordinates(size: TreeSize) -> impl Iterator<Item = (u8, u64)> {
        let size = size.get();
        (0..64u8).rev().filter_map(move |level| {
            let there = (size >> level) & 1 == 1;
            // Leaves left of this subtree, in units of its own width.
            there.then(|| (level, (size >> level) - 1))
        })
    }

    /// Number of leaves.
    pub fn size(&self) -> TreeSize {
        TreeSize::new(self.size)
    }

    /// The roots of the perfect subtrees, largest first.
    pub fn nodes(&self) -> &[NodeHash] {
        &self.nodes
    }

    /// Appends a leaf. `completed(level, index, hash)` is told every perfect subtree this completes,
    /// from the leaf (level 0) upward.
    pub fn push(&mut self, leaf: LeafHash, mut completed: impl FnMut(u8, u64, NodeHash)) {
        let mut node = leaf.node();
        let mut index = self.size;
        let mut level = 0u8;
        completed(level, index, node);
        while index & 1 == 1 {
            // An odd index has its left sibling on the stack.
            let Some(left) = self.nodes.pop() else { break };
            node = NodeHash::parent(&left, &node);
            index >>= 1;
            level += 1;
            completed(level, index, node);
        }
        self.nodes.push(node);
        self.size += 1;
    }

    /// The root of the tree.
    pub fn root(&self) -> RootHash {
        let folded = self
            .nodes
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| NodeHash::parent(&left, &right));
        folded.map_or_else(RootHash::empty, NodeHash::root)
    }
}

/// Where perfect subtrees are read from.
pub trait NodeReader {
    /// Why a node cannot be read.
    type Error;

    /// The root of the leaves `index << level .. (index + 1) << level`, all of them in the tree.
    fn node(&mut self, level: u8, index: u64) -> Result<NodeHash, Self::Error>;
}

/// Why a proof cannot be made.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProveError<E> {
    /// The index is not below the size. The caller's fault.
    #[error("leaf {index} is not in a tree of {size}")]
    OutOfRange {
        /// The index asked for.
        index: LeafIndex,
        /// The size asked for.
        size: TreeSize,
    },
    /// The first size is over the second. The caller's fault.
    #[error("tree sizes {first} and {second} are not in order")]
    Order {
        /// The smaller size asked for.
        first: TreeSize,
        /// The larger size asked for.
        second: TreeSize,
    },
    /// A node could not be read.
    #[error("read node")]
    Read(#[source] E),
}

/// The inclusion proof of a leaf in the tree of the given size: RFC 9162 section 2.1.3.1, leaf's sibling
/// first.
pub fn prove_inclusion<R: NodeReader>(
    reader: &mut R,
    index: LeafIndex,
    size: TreeSize,
) -> Result<Vec<NodeHash>, ProveError<R::Error>> {
    if !index.is_within(size) {
        return Err(ProveError::OutOfRange { index, size });
    }
    let mut path = Vec::new();
    let (mut start, mut end, m) = (0, size.get(), index.get());
    while end - start > 1 {
        let split = start + left_width(end - start);
        let sibling = if m < split {
            let sibling = subtree(reader, split, end);
            end = split;
            sibling
        } else {
            let sibling = subtree(reader, start, split);
            start = split;
            sibling
        };
        path.push(sibling.map_err(ProveError::Read)?);
    }
    path.reverse();
    Ok(path)
}

/// The consistency proof between two sizes: RFC 9162 section 2.1.4.1.
pub fn prove_consistency<R: NodeReader>(
    reader: &mut R,
    first: TreeSize,
    second: TreeSize,
) -> Result<Vec<NodeHash>, ProveError<R::Error>> {
    if first > second {
        return Err(ProveError::Order { first, second });
    }
    let mut path = Vec::new();
    if first == second || first.get() == 0 {
        return Ok(path);
    }
    let (mut start, mut end, m) = (0, second.get(), first.get());
    // SUBPROOF: walk down to the boundary m, taking the other side of each split.
    while end != m {
        let split = start + left_width(end - start);
        let other = if m <= split {
            let other = subtree(reader, split, end);
            end = split;
            other
        } else {
            let other = subtree(reader, start, split);
            start = split;
            other
        };
        path.push(other.map_err(ProveError::Read)?);
    }
    // The first root itself is known to the verifier; a smaller subtree is not.
    if start != 0 {
        path.push(subtree(reader, start, end).map_err(ProveError::Read)?);
    }
    path.reverse();
    Ok(path)
}

/// Largest power of two below `width`, which is at least 2.
fn left_width(width: u64) -> u64 {
    1 << (63 - (width - 1).leading_zeros())
}

/// MTH(D[start:end]); `start` is a multiple of the largest power of two not above the width.
fn subtree<R: NodeReader>(reader: &mut R, start: u64, end: u64) -> Result<NodeHash, R::Error> {
    let mut nodes = Vec::new();
    let mut at = start;
    while at < end {
        // The highest set bit of what remains: the next perfect subtree.
        let level = (63 - (end - at).leading_zeros()) as u8;
        nodes.push(reader.node(level, at >> level)?);
        at += 1 << level;
    }
    let folded = nodes
        .into_iter()
        .rev()
        .reduce(|right, left| NodeHash::parent(&left, &right));
    // Every caller gives start < end.
    #[expect(clippy::expect_used, reason = "callers pass non-empty ranges")]
    Ok(folded.expect("a non-empty range has a first subtree"))
}

/// Why a proof is refused. What it says is not proven; never retried with the same proof.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum VerifyError {
    /// The index is not below the size of the checkpoint.
    #[error("leaf {index} is not in a tree of {size}")]
    OutOfRange {
        /// The index of the proof.
        index: LeafIndex,
        /// The size of the checkpoint.
        size: TreeSize,
    },
    /// Fewer hashes than the sizes need.
    #[error("proof is too short")]
    TooShort,
    /// More hashes than the sizes need.
    #[error("proof has extra hashes")]
    ExtraHashes,
    /// The hashes lead to another root.
    #[error("proof leads to another root")]
    OtherRoot,
    /// The first size is over the second: a rollback.
    #[error("tree of {second} is smaller than tree of {first}")]
    Rollback {
        /// The size known first.
        first: TreeSize,
        /// The size claimed later.
        second: TreeSize,
    },
    /// Two checkpoints of different logs.
    #[error("checkpoints have different origins")]
    OtherOrigin,
    /// Indexes of a list of proofs repeat or are not ascending.
    #[error("leaf indexes are not strictly ascending")]
    Unsorted,
}

/// Checks that a leaf stands at `index` in the tree of a verified checkpoint (RFC 9162 section
/// 2.1.3.2).
pub fn verify_inclusion(
    checkpoint: &Checkpoint,
    index: LeafIndex,
    leaf: LeafHash,
    path: &[NodeHash],
) -> Result<(), VerifyError> {
    check_inclusion(checkpoint.size(), checkpoint.root(), index, leaf, path)
}

/// Checks many inclusion proofs; their indexes must be strictly ascending.
pub fn verify_inclusions<'a>(
    checkpoint: &Checkpoint,
    proofs: impl IntoIterator<Item = (LeafIndex, LeafHash, &'a [NodeHash])>,
) -> Result<(), VerifyError> {
    let mut last = None;
    for (index, leaf, path) in proofs {
        if last.is_some_and(|last| last >= index) {
            return Err(VerifyError::Unsorted);
        }
        last = Some(index);
        verify_inclusion(checkpoint, index, leaf, path)?;
    }
    Ok(())
}

/// Checks that the tree of `second` continues the tree of `first` (RFC 9162 section 2.1.4.2).
pub fn verify_consistency(
    first: &Checkpoint,
    second: &Checkpoint,
    path: &[NodeHash],
) -> Result<(), VerifyError> {
    if first.origin() != second.origin() {
        return Err(VerifyError::OtherOrigin);
    }
    check_consistency(
        (first.size(), first.root()),
        (second.size(), second.root()),
        path,
    )
}

pub(crate) fn check_inclusion(
    size: TreeSize,
    root: RootHash,
    index: LeafIndex,
    leaf: LeafHash,
    path: &[NodeHash],
) -> Result<(), VerifyError> {
    if !index.is_within(size) {
        return Err(VerifyError::OutOfRange { index, size });
    }
    let (mut fnode, mut snode) = (index.get(), size.get() - 1);
    let mut hash = leaf.node();
    for sibling in path {
        if snode == 0 {
            return Err(VerifyError::ExtraHashes);
        }
        if fnode & 1 == 1 || fnode == snode {
            hash = NodeHash::parent(sibling, &hash);
            if fnode & 1 == 0 {
                let shift = fnode.trailing_zeros().min(63);
                fnode >>= shift;
                snode >>= shift;
            }
        } else {
            hash = NodeHash::parent(&hash, sibling);
        }
        fnode >>= 1;
        snode >>= 1;
    }
    match (snode, hash.root() == root) {
        (0, true) => Ok(()),
        (0, false) => Err(VerifyError::OtherRoot),
        _ => Err(VerifyError::TooShort),
    }
}

pub(crate) fn check_consistency(
    (first, first_root): (TreeSize, RootHash),
    (second, second_root): (TreeSize, RootHash),
    path: &[NodeHash],
) -> Result<(), VerifyError> {
    if first > second {
        return Err(VerifyError::Rollback { first, second });
    }
    if first == second || first.get() == 0 {
        let agree = if first == second {
            first_root == second_root
        } else {
            first_root == RootHash::empty()
        };
        return match (path.is_empty(), agree) {
            (false, _) => Err(VerifyError::ExtraHashes),
            (true, false) => Err(VerifyError::OtherRoot),
            (true, true) => Ok(()),
        };
    }
    let (mut fnode, mut snode) = (first.get() - 1, second.get() - 1);
    let shift = fnode.trailing_ones();
    fnode >>= shift;
    snode >>= shift;
    let mut hashes = path.iter();
    // A first size that is a power of two is itself the first subtree.
    let start = if first.get().is_power_of_two() {
        NodeHash(first_root.0)
    } else {
        *hashes.next().ok_or(VerifyError::TooShort)?
    };
    let (mut old, mut new) = (start, start);
    for hash in hashes {
        if snode == 0 {
            return Err(VerifyError::ExtraHashes);
        }
        if fnode & 1 == 1 || fnode == snode {
            old = NodeHash::parent(hash, &old);
            new = NodeHash::parent(hash, &new);
            if fnode & 1 == 0 {
                let shift = fnode.trailing_zeros().min(63);
                fnode >>= shift;
                snode >>= shift;
            }
        } else {
            new = NodeHash::parent(&new, hash);
        }
        fnode >>= 1;
        snode >>= 1;
    }
    if snode != 0 {
        return Err(VerifyError::TooShort);
    }
    let agree = old.root() == first_root && new.root() == second_root;
    agree.then_some(()).ok_or(VerifyError::OtherRoot)
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
