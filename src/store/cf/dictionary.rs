//! `dictionary`: the compression dictionaries records may need, kept beside them.
//!
//! ```text
//! key    number u16
//! value  format u8 = 1 | dictionary
//! ```
//! Trained on synthetic records only. Written by `init`. Never removed.

use super::{ColumnFamily, FORMAT, Family, Malformed, Reader};

/// The family.
pub struct Dictionaries;

impl ColumnFamily for Dictionaries {
    const FAMILY: Family = Family::Dictionary;
    type Key = u16;
    type Value = Vec<u8>;

    fn encode_key(key: &u16, out: &mut Vec<u8>) {
        out.extend_from_slice(&key.to_be_bytes());
    }

    fn decode_key(bytes: &[u8]) -> Result<u16, Malformed> {
        let mut reader = Reader::new(bytes);
        let number = reader.u16()?;
        reader.end().map(|()| number)
    }

    fn encode_value(dictionary: &Vec<u8>, out: &mut Vec<u8>) {
        out.push(FORMAT);
        out.extend_from_slice(dictionary);
    }

    fn decode_value(bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
        Reader::value(bytes).map(|reader| reader.rest().to_vec())
    }
}
