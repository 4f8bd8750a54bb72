//! `leaf`: the recorded leaves, in log order.
//!
//! ```text
//! key    leaf index u64
//! value  format u8 = 1 | leaf 64 (docs/formats.md 1)
//! ```
//! Written by the sequencer with tiles, metadata and tip, in one batch. Never removed, never rewritten: a
//! leaf says nothing of a person once its secret is gone.

use super::{ColumnFamily, FORMAT, Family, Malformed, Reader};
use ceralacca_formats::id::LeafIndex;
use ceralacca_formats::leaf::{LEAF_BYTES, Leaf};

/// The family.
pub struct Leaves;

impl ColumnFamily for Leaves {
    const FAMILY: Family = Family::Leaf;
    type Key = LeafIndex;
    type Value = Leaf;

    fn encode_key(key: &LeafIndex, out: &mut Vec<u8>) {
        out.extend_from_slice(&key.get().to_be_bytes());
    }

    fn decode_key(bytes: &[u8]) -> Result<LeafIndex, Malformed> {
        let mut reader = Reader::new(bytes);
        let index = reader.u64()?;
        reader.end().map(|()| LeafIndex::new(index))
    }

    fn encode_value(leaf: &Leaf, out: &mut Vec<u8>) {
        out.push(FORMAT);
        out.extend_from_slice(&leaf.to_bytes());
    }

    fn decode_value(bytes: &[u8]) -> Result<Leaf, Malformed> {
        let leaf: [u8; LEAF_BYTES] = Reader::value(bytes)?
            .rest()
            .try_into()
            .map_err(|_| Malformed::Length)?;
        Leaf::from_bytes(&leaf).map_err(|_| Malformed::Field("leaf"))
    }
}
