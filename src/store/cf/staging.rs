//! `staging`: uploads whose leaf has not come.
//!
//! ```text
//! key    interval u64 | class u16 | record nonce 16
//! value  format u8 = 1
//! ```
//! Written with the first chunk of an upload; removed in the batch of its leaf, or with its chunks when the
//! upload is given up or, after a crash, at open. The tables that had rows of a unit are rewritten when it is disposed of,
//! or an object of it erased: a removed row would stand in them until they are merged.

use super::chunk::UploadKey;
use super::{ColumnFamily, FORMAT, Family, Malformed, Reader};

/// The family.
pub struct Staging;

impl ColumnFamily for Staging {
    const FAMILY: Family = Family::Staging;
    type Key = UploadKey;
    type Value = ();

    fn encode_key(key: &UploadKey, out: &mut Vec<u8>) {
        out.extend(key.prefix());
    }

    fn decode_key(bytes: &[u8]) -> Result<UploadKey, Malformed> {
        let mut reader = Reader::new(bytes);
        let key = UploadKey::decode(&mut reader)?;
        reader.end().map(|()| key)
    }

    fn encode_value((): &(), out: &mut Vec<u8>) {
        out.push(FORMAT);
    }

    fn decode_value(bytes: &[u8]) -> Result<(), Malformed> {
        Reader::value(bytes)?.end()
    }
}
