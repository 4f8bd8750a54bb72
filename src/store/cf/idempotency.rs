//! `idempotency`: which submission a client key names.
//!
//! ```text
//! key    interval u64 | keyed digest of the client key 32 (docs/formats.md 4)
//! value  format u8 = 1 | index of the submission's first leaf u64
//! ```
//! Written by the sequencer in the batch of the leaf: the one row of that batch with a random key. Looked up
//! in the current and the previous interval; removed when both are past.

use super::{ColumnFamily, FORMAT, Family, Malformed, Reader};
use ceralacca_formats::id::{IntervalId, LeafIndex};
use ceralacca_formats::secret::ClientKeyDigest;

/// The family.
pub struct Idempotency;

impl ColumnFamily for Idempotency {
    const FAMILY: Family = Family::Idempotency;
    type Key = (IntervalId, ClientKeyDigest);
    type Value = LeafIndex;

    fn encode_key((interval, digest): &Self::Key, out: &mut Vec<u8>) {
        out.extend_from_slice(&interval.get().to_be_bytes());
        out.extend_from_slice(&digest.0);
    }

    fn decode_key(bytes: &[u8]) -> Result<Self::Key, Malformed> {
        let mut reader = Reader::new(bytes);
        let key = (reader.interval()?, ClientKeyDigest(reader.array()?));
        reader.end().map(|()| key)
    }

    fn encode_value(index: &LeafIndex, out: &mut Vec<u8>) {
        out.push(FORMAT);
        out.extend_from_slice(&index.get().to_be_bytes());
    }

    fn decode_value(bytes: &[u8]) -> Result<LeafIndex, Malformed> {
        let mut reader = Reader::value(bytes)?;
        let index = LeafIndex::new(reader.u64()?);
        reader.end().map(|()| index)
    }
}
