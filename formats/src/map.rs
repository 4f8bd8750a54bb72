//! The interval map: which identificativi an interval holds, so that absence can be proven.
//!
//! A sparse Merkle map of full depth: every key has one position, so a key cannot be both present and absent under
//! one root unless SHA-256 has collisions. Nobody needs to have checked an order.
//!
//! ```text
//! key      k  = SHA-256( "PEC-DAYMAP-v1" 00 | salt 32 | kind u8 | normalised term )    kind 1: identificativo
//! value    v  = SHA-256( count u32 | leaf hashes of all records with the key, ascending, 32 each )
//! EMPTY[0]    = 32 zero bytes           EMPTY[i] = SHA-256( 03 | EMPTY[i-1] | EMPTY[i-1] )      i = 1..256
//! leaf        = SHA-256( 02 | k | v )   node     = SHA-256( 03 | left | right )
//! ```
//! Bit `d` of a key leads from depth `d` to depth `d + 1`: 0 left, 1 right; bit 0 is the most significant of the
//! first byte. The root is at depth 0, leaves are at depth 256; a subtree without keys at depth `d` is
//! `EMPTY[256 - d]`. The prefixes 02 and 03 keep the map apart from the tree of the log, which has 00 and 01.
//!
//! **Normalisation** is that of the index ([`Field::normalise`]): ASCII white space around the text is taken off,
//! then one pair of angle brackets around all that is left; every other octet counts as it is, case included.
//!
//! # Invariants
//! 1. Keys enter strictly ascending; one that does not is refused, so a root is of one set of keys.
//! 2. Memory is some hashes per level, however many keys there are.
//! 3. The salt is fixed by its digest ([`MapSaltDigest`]), in closing leaf and index of the package, before anyone
//!    asks: with a salt of its own choice an operator could compute a key that is absent for a record that is not.
//!
//! # Map
//! - this file: keys, values, nodes; [`Subtree`] builds roots; [`proof`]: presence and absence; [`file`](mod@file):
//!   the stored form; [`answer`]: what a closed interval says, checked against its closing leaf

pub mod answer;
pub mod file;
pub mod proof;

pub use answer::{MapAnswer, MapAnswerError};
pub use file::{MapFile, MapFileError, MapWriter};
pub use proof::{MapProof, MapProofError};

use crate::digest::{Sha256, decode_hex32};
use crate::metadata::Field;
use crate::tree::LeafHash;
use std::fmt;
use std::sync::LazyLock;

/// Levels below the root: as many as a key has bits.
pub const DEPTH: usize = 256;
/// The kind of a key that is made of an identificativo.
pub const KIND_IDENTIFICATIVO: u8 = 1;

const KEY_DOMAIN: &[u8] = b"PEC-DAYMAP-v1\0";
const LEAF_PREFIX: u8 = 2;
const NODE_PREFIX: u8 = 3;

macro_rules! map_hash {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name([u8; 32]);

        impl $name {
            /// One computed elsewhere.
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

map_hash! {
    /// The position of a term in the map. Opaque without the salt.
    MapKey
}
map_hash! {
    /// What the map says of a key: the digest of its records' leaf hashes.
    MapValue
}
map_hash! {
    /// A node of the map; at depth 0 its root.
    MapNode
}
map_hash! {
    /// SHA-256 of a map's salt: published at the closing, the salt itself only with a proof.
    MapSaltDigest
}

impl MapSaltDigest {
    /// Of a salt.
    pub fn of(salt: &[u8; 32]) -> Self {
        Self(*Sha256::of(salt).as_bytes())
    }
}

impl MapKey {
    /// The key of an identificativo, normalised here.
    pub fn of_identificativo(salt: &[u8; 32], identificativo: &[u8]) -> Self {
        let term = Field::Identificativo.normalise(identificativo);
        let kind = [KIND_IDENTIFICATIVO];
        Self(*Sha256::of_parts(&[KEY_DOMAIN, salt, &kind, &term]).as_bytes())
    }

    /// The bit that leads from depth `depth`; false beyond the last.
    fn bit(&self, depth: usize) -> bool {
        let byte = self.0.get(depth / 8).copied().unwrap_or(0);
        byte >> (7 - depth % 8) & 1 == 1
    }

    /// How many leading bits two keys share.
    fn common_bits(&self, other: &Self) -> usize {
        let mut bits = 0;
        for (a, b) in self.0.iter().zip(&other.0) {
            let differ = (a ^ b).leading_zeros() as usize;
            bits += differ;
            if differ < 8 {
                break;
            }
        }
        bits
    }

    /// The leading `bits` bits as a number; at most 32 of them.
    pub fn prefix(&self, bits: u8) -> usize {
        let [a, b, c, d, ..] = self.0;
        let head = u64::from(u32::from_be_bytes([a, b, c, d]));
        // At most 32 bits: fits every machine this runs on.
        (head >> (32 - u32::from(bits.min(32)))) as usize
    }
}

impl MapValue {
    /// Of the leaf hashes of all records with the key, strictly ascending, at least one.
    pub fn of(hashes: &[LeafHash]) -> Result<Self, MapError> {
        let count = u32::try_from(hashes.len()).map_err(|_| MapError::TooManyRecords)?;
        if count == 0 {
            return Err(MapError::NoRecord);
        }
        let pairs = hashes.iter().zip(hashes.iter().skip(1));
        if pairs.into_iter().any(|(a, b)| a >= b) {
            return Err(MapError::HashesUnsorted);
        }
        let count = count.to_be_bytes();
        let mut parts: Vec<&[u8]> = Vec::with_capacity(hashes.len() + 1);
        parts.push(&count);
        parts.extend(hashes.iter().map(|hash| hash.as_bytes().as_slice()));
        Ok(Self(*Sha256::of_parts(&parts).as_bytes()))
    }
}

impl MapNode {
    /// The root of a map without keys.
    pub fn empty_root() -> Self {
        empty(DEPTH)
    }

    fn leaf(key: &MapKey, value: &MapValue) -> Self {
        hash(LEAF_PREFIX, &key.0, &value.0)
    }

    fn parent(left: &Self, right: &Self) -> Self {
        hash(NODE_PREFIX, &left.0, &right.0)
    }

    /// The parent of a node and its sibling, by the bit that leads to the node.
    fn above(self, is_right: bool, sibling: &Self) -> Self {
        match is_right {
            true => Self::parent(sibling, &self),
            false => Self::parent(&self, sibling),
        }
    }
}

fn hash(prefix: u8, left: &[u8; 32], right: &[u8; 32]) -> MapNode {
    let mut input = [prefix; 65];
    input[1..33].copy_from_slice(left);
    input[33..].copy_from_slice(right);
    MapNode(*Sha256::of(&input).as_bytes())
}

/// EMPTY of the format: a subtree of this height without keys; the tallest for anything taller.
fn empty(height: usize) -> MapNode {
    static EMPTY: LazyLock<Vec<MapNode>> = LazyLock::new(|| {
        let first = MapNode([0; 32]);
        let all = std::iter::successors(Some(first), |below| Some(MapNode::parent(below, below)));
        all.take(DEPTH + 1).collect()
    });
    let at = EMPTY.get(height.min(DEPTH));
    #[expect(clippy::expect_used, reason = "one for each height from 0 to DEPTH")]
    *at.expect("an empty subtree of every height")
}

/// Why a map was not built. The caller's to change.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MapError {
    /// A key is not above the one before it: unsorted, or repeated.
    #[error("map key {found} is not above {last}")]
    Unsorted {
        /// The key before.
        last: MapKey,
        /// The key that came.
        found: MapKey,
    },
    /// A key does not lie below the prefix of the subtree that is built.
    #[error("map key {0} is outside its subtree")]
    Outside(MapKey),
    /// A key with no record is not in a map.
    #[error("map value of no record")]
    NoRecord,
    /// Leaf hashes of a value are not strictly ascending.
    #[error("leaf hashes of a map value are not strictly ascending")]
    HashesUnsorted,
    /// More than 4 294 967 295 records with one key.
    #[error("more records with one map key than can be counted")]
    TooManyRecords,
}

/// Builds the root of a subtree from its keys, strictly ascending: at depth 0 the root of the map.
///
/// All keys of a subtree at depth `d` share their first `d` bits. Subtrees are independent, so threads may each
/// build some, and [`join`] them.
#[derive(Clone)]
pub struct Subtree {
    depth: usize,
    last: Option<(MapKey, MapValue)>,
    /// At `d`: the left child (at depth `d + 1`) that waits for the path now taken, which goes right there.
    waiting: Vec<Option<MapNode>>,
    keys: u64,
}

impl Subtree {
    /// A subtree at a depth, 0 to 256.
    pub fn at(depth: usize) -> Self {
        Self {
            depth: depth.min(DEPTH),
            last: None,
            waiting: vec![None; DEPTH],
            keys: 0,
        }
    }

    /// Takes the next key.
    pub fn push(&mut self, key: MapKey, value: MapValue) -> Result<(), MapError> {
        if let Some((last, last_value)) = self.last {
            let shared = last.common_bits(&key);
            if key <= last {
                return Err(MapError::Unsorted { last, found: key });
            }
            if shared < self.depth {
                return Err(MapError::Outside(key));
            }
            // The path of the last key is closed up to where the two part: it went left there.
            let closed = self.climb(&last, &last_value, shared + 1);
            if let Some(place) = self.waiting.get_mut(shared) {
                *place = Some(closed);
            }
        }
        self.last = Some((key, value));
        self.keys = self.keys.saturating_add(1);
        Ok(())
    }

    /// How many keys came.
    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// The root of the subtree.
    pub fn finish(mut self) -> MapNode {
        match self.last {
            None => empty(DEPTH - self.depth),
            Some((key, value)) => self.climb(&key, &value, self.depth),
        }
    }

    /// The node at `depth` above a key, all keys left of which came.
    fn climb(&mut self, key: &MapKey, value: &MapValue, depth: usize) -> MapNode {
        let mut node = MapNode::leaf(key, value);
        for at in (depth..DEPTH).rev() {
            let is_right = key.bit(at);
            let left = self.waiting.get_mut(at).filter(|_| is_right);
            let left = left.and_then(Option::take);
            let sibling = left.unwrap_or_else(|| empty(DEPTH - 1 - at));
            node = node.above(is_right, &sibling);
        }
        node
    }
}

/// The root of the subtree at `depth` that holds just these entries, strictly ascending.
pub fn subtree_root(depth: usize, entries: &[(MapKey, MapValue)]) -> Result<MapNode, MapError> {
    let mut subtree = Subtree::at(depth);
    for (key, value) in entries {
        subtree.push(*key, *value)?;
    }
    Ok(subtree.finish())
}

/// The levels above all subtrees of one depth, in order of their prefix, bottom level first; the last is the root
/// alone. `None` unless their number is a power of two.
pub fn join(subtrees: Vec<MapNode>) -> Option<Vec<Vec<MapNode>>> {
    if !subtrees.len().is_power_of_two() {
        return None;
    }
    let mut levels = vec![subtrees];
    while let Some(below) = levels.last().filter(|level| level.len() > 1) {
        let (pairs, _) = below.as_chunks::<2>();
        let above = pairs
            .iter()
            .map(|[left, right]| MapNode::parent(left, right));
        levels.push(above.collect());
    }
    Some(levels)
}

#[cfg(test)]
#[path = "map/map_tests.rs"]
mod tests;
