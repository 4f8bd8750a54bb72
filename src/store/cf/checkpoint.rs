//! `checkpoint`: kept checkpoints: each interval's, each witnessed one.
//!
//! ```text
//! key    tree size u64
//! value  format u8 = 1 | checkpoint note (text)
//! ```
//! Written once: an interval's in the batch of its cut. Never removed, never rewritten. The last checkpoint
//! is a row of `state`.

use super::{ColumnFamily, FORMAT, Family, Malformed, Reader};
use ceralacca_formats::id::TreeSize;

/// The family.
pub struct Checkpoints;

impl ColumnFamily for Checkpoints {
    const FAMILY: Family = Family::Checkpoint;
    type Key = TreeSize;
    type Value = String;

    fn encode_key(key: &TreeSize, out: &mut Vec<u8>) {
        out.extend_from_slice(&key.get().to_be_bytes());
    }

    fn decode_key(bytes: &[u8]) -> Result<TreeSize, Malformed> {
        let mut reader = Reader::new(bytes);
        let size = TreeSize::new(reader.u64()?);
        reader.end().map(|()| size)
    }

    fn encode_value(note: &String, out: &mut Vec<u8>) {
        out.push(FORMAT);
        out.extend_from_slice(note.as_bytes());
    }

    fn decode_value(bytes: &[u8]) -> Result<String, Malformed> {
        let note = Reader::value(bytes)?.rest().to_vec();
        String::from_utf8(note).map_err(|_| Malformed::Field("note"))
    }
}
