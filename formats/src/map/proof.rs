//! What an interval map says of one key: present with a value, or absent.
//!
//! ```text
//! proof = version u8 = 1 | present u8 | [ value 32 ] | bitmap 32 | siblings, 32 each, top first
//! ```
//! `present` is 1 with a value, 0 without. Bit `d` of the bitmap (bit 0 the most significant of the first byte) is
//! set when the sibling at depth `d + 1` is listed; one that is not listed is `EMPTY[255 - d]`.
//!
//! ```text
//! h = leaf(key, value), or EMPTY[0] when absent
//! for d = 255 .. 0:  s = the listed sibling, or EMPTY[255 - d]
//!                    h = SHA-256( 03 | s | h ) if bit d of the key is 1, else SHA-256( 03 | h | s )
//! h = the root
//! ```
//!
//! # Invariants
//! 1. One proof has one spelling: a listed sibling that equals its default is refused, and so is one left over.
//! 2. Nothing of other keys is in a proof but opaque hashes.

use super::{DEPTH, MapKey, MapNode, MapValue, empty};
use crate::wire::Cursor;

const VERSION: u8 = 1;

/// Presence or absence of a key in a map.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MapProof {
    /// The key's value; `None` where it is absent.
    pub value: Option<MapValue>,
    /// Which siblings are listed.
    pub bitmap: [u8; 32],
    /// Those, top first.
    pub siblings: Vec<MapNode>,
}

/// Why a proof is refused. What it says is not proven.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MapProofError {
    /// A version this reader does not know.
    #[error("map proof of version {0} is unknown")]
    Version(u8),
    /// Shorter or longer than it says, or no value of `present`.
    #[error("map proof is malformed")]
    Malformed,
    /// Fewer siblings than the bitmap says.
    #[error("map proof lacks siblings")]
    TooShort,
    /// More siblings than the bitmap says.
    #[error("map proof has extra siblings")]
    ExtraSiblings,
    /// A sibling is listed that is the default.
    #[error("map proof lists the default sibling at depth {0}")]
    DefaultListed(usize),
    /// The siblings lead to another root.
    #[error("map proof leads to another root")]
    OtherRoot,
}

impl MapProof {
    /// Checks what it says of a key against the root of a closed interval: its value, or that it is absent.
    pub fn verify(&self, root: &MapNode, key: &MapKey) -> Result<Option<MapValue>, MapProofError> {
        let mut siblings = self.siblings.iter().rev();
        let mut node = match &self.value {
            Some(value) => MapNode::leaf(key, value),
            None => empty(0),
        };
        let bitmap = MapKey(self.bitmap);
        for depth in (0..DEPTH).rev() {
            let default = empty(DEPTH - 1 - depth);
            let sibling = match bitmap.bit(depth) {
                false => default,
                true => *siblings.next().ok_or(MapProofError::TooShort)?,
            };
            if bitmap.bit(depth) && sibling == default {
                return Err(MapProofError::DefaultListed(depth + 1));
            }
            node = node.above(key.bit(depth), &sibling);
        }
        if siblings.next().is_some() {
            return Err(MapProofError::ExtraSiblings);
        }
        match node == *root {
            true => Ok(self.value),
            false => Err(MapProofError::OtherRoot),
        }
    }

    /// From the siblings at depths 1, 2, … 256.
    pub(super) fn of(value: Option<MapValue>, all: impl IntoIterator<Item = MapNode>) -> Self {
        let mut bitmap = [0; 32];
        let mut siblings = Vec::new();
        for (depth, sibling) in all.into_iter().enumerate().take(DEPTH) {
            if sibling != empty(DEPTH - 1 - depth) {
                siblings.push(sibling);
                if let Some(byte) = bitmap.get_mut(depth / 8) {
                    *byte |= 0x80 >> (depth % 8);
                }
            }
        }
        Self {
            value,
            bitmap,
            siblings,
        }
    }

    /// The bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, u8::from(self.value.is_some())];
        bytes.extend(self.value.iter().flat_map(|value| value.0));
        bytes.extend(self.bitmap);
        bytes.extend(self.siblings.iter().flat_map(|sibling| sibling.0));
        bytes
    }

    /// Reads a proof: total, and of exactly these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MapProofError> {
        let malformed = MapProofError::Malformed;
        let mut cursor = Cursor::new(bytes);
        match cursor.u8().ok_or(malformed)? {
            VERSION => {}
            other => return Err(MapProofError::Version(other)),
        }
        let value = match cursor.u8() {
            Some(0) => None,
            Some(1) => Some(MapValue(cursor.array().ok_or(malformed)?)),
            _ => return Err(malformed),
        };
        let bitmap: [u8; 32] = cursor.array().ok_or(malformed)?;
        let (listed, rest) = cursor.rest().as_chunks::<32>();
        let stated: u32 = bitmap.iter().map(|byte| byte.count_ones()).sum();
        if !rest.is_empty() || listed.len() != stated as usize {
            return Err(malformed);
        }
        Ok(Self {
            value,
            bitmap,
            siblings: listed.iter().copied().map(MapNode).collect(),
        })
    }
}
