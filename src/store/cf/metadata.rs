//! `metadata`: the encrypted metadata of every record, part 0 of its encryption.
//!
//! ```text
//! key    interval u64 | class u16 | leaf index u64
//! value  format u8 = 1 | keys u8 (0 of the class, 1 its own, 2 of the class with the opening carried)
//!        | place u8 (0 no content, 1 `content`, 2 `chunk`) | dictionary u16 | record nonce 16 | ciphertext | tag 16
//! plain  with content: content bytes u64 | SHA-256 32 | BLAKE3 32 | canonical metadata
//!        without:      canonical metadata
//!        keys 2:       opening 32, and then as without
//! ```
//! Written by the sequencer in the batch of the leaf; keys 2 by a rebuild, to which a log file gives the opening and
//! not the nonce that it came from. Removed by disposal.

use super::{ColumnFamily, FORMAT, Family, Malformed, Reader, put_unit};
use ceralacca_formats::id::{IntervalId, LeafIndex};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::secret::RecordNonce;

/// The family.
pub struct EncryptedMetadata;

/// Where a record's rows stand.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RecordKey {
    /// Interval it was sequenced in.
    pub interval: IntervalId,
    /// Its class.
    pub class: Class,
    /// Its index.
    pub index: LeafIndex,
}

/// Which keys encrypt a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Keys {
    /// Derived from the class secret and the record nonce.
    OfClass = 0,
    /// Its own, wrapped in the `secret` family: it can be erased alone.
    Own = 1,
    /// The key from the class secret and the nonce of this row; the opening, which another nonce gave, within.
    Carried = 2,
}

/// Where a record's content is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ContentPlace {
    /// It has none.
    None = 0,
    /// In rows of `content`, by index.
    Inline = 1,
    /// In rows of `chunk`, by record nonce.
    Chunks = 2,
}

/// A row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MetadataRow {
    /// Which keys.
    pub keys: Keys,
    /// Where the content is.
    pub place: ContentPlace,
    /// Number of the compression dictionary.
    pub dictionary: u16,
    /// Nonce of the record.
    pub nonce: RecordNonce,
    /// Ciphertext and tag.
    pub ciphertext: Vec<u8>,
}

impl ColumnFamily for EncryptedMetadata {
    const FAMILY: Family = Family::Metadata;
    type Key = RecordKey;
    type Value = MetadataRow;

    fn encode_key(key: &RecordKey, out: &mut Vec<u8>) {
        put_unit(key.interval, key.class, out);
        out.extend_from_slice(&key.index.get().to_be_bytes());
    }

    fn decode_key(bytes: &[u8]) -> Result<RecordKey, Malformed> {
        let mut reader = Reader::new(bytes);
        let key = RecordKey {
            interval: reader.interval()?,
            class: reader.class()?,
            index: LeafIndex::new(reader.u64()?),
        };
        reader.end().map(|()| key)
    }

    fn encode_value(row: &MetadataRow, out: &mut Vec<u8>) {
        out.extend_from_slice(&[FORMAT, row.keys as u8, row.place as u8]);
        out.extend_from_slice(&row.dictionary.to_be_bytes());
        out.extend_from_slice(row.nonce.as_bytes());
        out.extend_from_slice(&row.ciphertext);
    }

    fn decode_value(bytes: &[u8]) -> Result<MetadataRow, Malformed> {
        let mut reader = Reader::value(bytes)?;
        let keys = match reader.u8()? {
            0 => Keys::OfClass,
            1 => Keys::Own,
            2 => Keys::Carried,
            _ => return Err(Malformed::Field("keys")),
        };
        let place = match reader.u8()? {
            0 => ContentPlace::None,
            1 => ContentPlace::Inline,
            2 => ContentPlace::Chunks,
            _ => return Err(Malformed::Field("place")),
        };
        Ok(MetadataRow {
            keys,
            place,
            dictionary: reader.u16()?,
            nonce: RecordNonce::from_bytes(reader.array()?),
            ciphertext: reader.rest().to_vec(),
        })
    }
}
