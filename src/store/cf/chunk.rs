//! `chunk`: the encrypted content of large objects, in parts of 1 MiB, staged before their leaf.
//!
//! ```text
//! key    interval u64 | class u16 | record nonce 16 | part u32
//! value  format u8 = 1 | dictionary u16 | ciphertext | tag 16
//! ```
//! Written by an upload; kept when the leaf's batch removes its `staging` row; swept at open when that row
//! is still there. Removed by disposal.

use super::content::ContentPart;
use super::{ColumnFamily, Family, Malformed, Reader, put_unit};
use ceralacca_formats::id::IntervalId;
use ceralacca_formats::leaf::Class;
use ceralacca_formats::secret::RecordNonce;

/// The family.
pub struct Chunks;

/// An upload, or the object it became.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UploadKey {
    /// Interval under whose secrets it is encrypted.
    pub interval: IntervalId,
    /// Its class.
    pub class: Class,
    /// Nonce of the record.
    pub nonce: RecordNonce,
}

impl UploadKey {
    /// How the keys of all its chunks begin.
    pub fn prefix(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(30);
        put_unit(self.interval, self.class, &mut out);
        out.extend_from_slice(self.nonce.as_bytes());
        out
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            interval: reader.interval()?,
            class: reader.class()?,
            nonce: RecordNonce::from_bytes(reader.array()?),
        })
    }
}

/// Which part of which upload.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ChunkKey {
    /// The upload.
    pub upload: UploadKey,
    /// The part, from 1.
    pub part: u32,
}

impl ColumnFamily for Chunks {
    const FAMILY: Family = Family::Chunk;
    type Key = ChunkKey;
    type Value = ContentPart;

    fn encode_key(key: &ChunkKey, out: &mut Vec<u8>) {
        out.extend(key.upload.prefix());
        out.extend_from_slice(&key.part.to_be_bytes());
    }

    fn decode_key(bytes: &[u8]) -> Result<ChunkKey, Malformed> {
        let mut reader = Reader::new(bytes);
        let key = ChunkKey {
            upload: UploadKey::decode(&mut reader)?,
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
