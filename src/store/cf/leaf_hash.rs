//! `leaf-hash`: from the hash of a leaf to the leaves that may have it.
//!
//! ```text
//! key    bucket u8 | run u64
//! value  format u8 = 1 | entries of 4 bytes, strictly ascending: rest u16 | place u16
//!
//! run    the leaf index / 65536            bucket  the first byte of the leaf's hash
//! place  the leaf index mod 65536          rest    its next two bytes
//! ```
//! The rows of a bucket stand side by side, so a look-up is one short scan whatever the age of the leaf. Written
//! by `index::hashes`, the 256 rows of a run in one batch. Never the truth: made from the tiles, and a hit is
//! checked against the leaf. Never removed: it says no more than the tiles do.

use super::{ColumnFamily, FORMAT, Family, Malformed, Reader};

/// The family.
pub struct LeafHashes;

/// Which row.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct HashBucket {
    /// First byte of the hashes in it.
    pub first: u8,
    /// Which 65536 leaves.
    pub run: u64,
}

/// A leaf in a bucket of a run.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct HashEntry {
    /// Second and third byte of its hash.
    pub rest: u16,
    /// Its place in the run.
    pub place: u16,
}

impl ColumnFamily for LeafHashes {
    const FAMILY: Family = Family::LeafHash;
    type Key = HashBucket;
    type Value = Vec<HashEntry>;

    fn encode_key(key: &HashBucket, out: &mut Vec<u8>) {
        out.push(key.first);
        out.extend_from_slice(&key.run.to_be_bytes());
    }

    fn decode_key(bytes: &[u8]) -> Result<HashBucket, Malformed> {
        let mut reader = Reader::new(bytes);
        let (first, run) = (reader.u8()?, reader.u64()?);
        reader.end().map(|()| HashBucket { first, run })
    }

    fn encode_value(entries: &Vec<HashEntry>, out: &mut Vec<u8>) {
        out.push(FORMAT);
        for entry in entries {
            out.extend_from_slice(&entry.rest.to_be_bytes());
            out.extend_from_slice(&entry.place.to_be_bytes());
        }
    }

    fn decode_value(bytes: &[u8]) -> Result<Vec<HashEntry>, Malformed> {
        let (entries, rest) = Reader::value(bytes)?.rest().as_chunks::<4>();
        if !rest.is_empty() {
            return Err(Malformed::Length);
        }
        let entry = |[a, b, c, d]: &[u8; 4]| HashEntry {
            rest: u16::from_be_bytes([*a, *b]),
            place: u16::from_be_bytes([*c, *d]),
        };
        let entries: Vec<_> = entries.iter().map(entry).collect();
        let ascending = entries.is_sorted_by(|one, next| one < next);
        ascending
            .then_some(entries)
            .ok_or(Malformed::Field("order"))
    }
}
