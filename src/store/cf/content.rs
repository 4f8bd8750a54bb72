//! `content`: the encrypted content of small objects, in parts 1.. of their encryption.
//!
//! ```text
//! key    interval u64 | class u16 | leaf index u64 | part u32
//! value  format u8 = 1 | dictionary u16 | ciphertext | tag 16
//! ```
//! Written by the sequencer in the batch of the leaf. Removed by disposal.

use super::metadata::RecordKey;
use super::{ColumnFamily, FORMAT, Family, Malformed, Reader, put_unit};
use ceralacca_formats::id::LeafIndex;

/// The family.
pub struct Contents;

/// Which part of which record.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PartKey {
    /// The record.
    pub record: RecordKey,
    /// The part, from 1.
    pub part: u32,
}

/// An encrypted part of a content.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ContentPart {
    /// Number of the compression dictionary.
    pub dictionary: u16,
    /// Ciphertext and tag.
    pub ciphertext: Vec<u8>,
}

impl ContentPart {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(FORMAT);
        out.extend_from_slice(&self.dictionary.to_be_bytes());
        out.extend_from_slice(&self.ciphertext);
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::value(bytes)?;
        Ok(Self {
            dictionary: reader.u16()?,
            ciphertext: reader.rest().to_vec(),
        })
    }
}

impl ColumnFamily for Contents {
    const FAMILY: Family = Family::Content;
    type Key = PartKey;
    type Value = ContentPart;

    fn encode_key(key: &PartKey, out: &mut Vec<u8>) {
        put_unit(key.record.interval, key.record.class, out);
        out.extend_from_slice(&key.record.index.get().to_be_bytes());
        out.extend_from_slice(&key.part.to_be_bytes());
    }

    fn decode_key(bytes: &[u8]) -> Result<PartKey, Malformed> {
        let mut reader = Reader::new(bytes);
        let key = PartKey {
            record: RecordKey {
                interval: reader.interval()?,
                class: reader.class()?,
                index: LeafIndex::new(reader.u64()?),
            },
            part: reader.u32()?,
        };
        reader.end().map(|()| key)
    }

    fn encode_value(part: &ContentPart, out: &mut Vec<u8>) {
        part.encode(out);
    }

    fn decode_value(bytes: &[u8]) -> Result<ContentPart, Malformed> {
        ContentPart::decode(bytes)
    }
}
