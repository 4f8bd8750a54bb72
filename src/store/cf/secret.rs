//! `secret`: wrapped secrets, and nothing else, so that a disposal is one atomic batch.
//!
//! ```text
//! key    01                                             the log key, under the master key
//!        02                                             the seed of the log's signing key, under the log key
//!        03 | interval u64 | class u16                  a class secret, under the log key
//!        04 | interval u64 | class u16 | leaf index u64 an object's own opening and key, under its class
//!        05                                             the seed of the signing key to come, under the log key
//!        06 | interval u64 | class u16 | carried u32    a hold secret, under the log key
//! value  format u8 = 1 | wrapped bytes (docs/formats.md 4)
//! ```
//! 01 and 02 are written by `init`; 03 when an interval opens, before any acknowledgement under it; 04 in
//! the batch of the object's leaf; 05 in the batch of a rotation's leaf, and the batch after it makes it 02 and
//! removes it, so that of a retired key no seed is kept; 06 before records under hold are carried over. 03, 04 and 06 are
//! removed by disposal, 04 by the erasure of one object. They never enter a package, a locked object or an ordinary backup.

use super::held::HeldCopy;
use super::metadata::RecordKey;
use super::{ColumnFamily, FORMAT, Family, Malformed, Reader, put_unit};
use ceralacca_formats::id::{IntervalId, LeafIndex};
use ceralacca_formats::leaf::Class;

/// The family.
pub struct Secrets;

/// Which secret.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum SecretKey {
    /// The log key.
    Log,
    /// The seed of the signing key.
    Signing,
    /// A class secret.
    Class(IntervalId, Class),
    /// An object's own opening and key.
    Object(RecordKey),
    /// The seed of the signing key that a rotation under way brings.
    NextSigning,
    /// The secret of records carried over under a hold.
    Held(HeldCopy),
}

impl SecretKey {
    /// How the keys of the objects' secrets of a unit begin.
    pub fn objects(interval: IntervalId, class: Class) -> Vec<u8> {
        let mut prefix = vec![4];
        put_unit(interval, class, &mut prefix);
        prefix
    }
}

impl ColumnFamily for Secrets {
    const FAMILY: Family = Family::Secret;
    type Key = SecretKey;
    type Value = Vec<u8>;

    fn encode_key(key: &SecretKey, out: &mut Vec<u8>) {
        match key {
            SecretKey::Log => out.push(1),
            SecretKey::Signing => out.push(2),
            SecretKey::Class(interval, class) => {
                out.push(3);
                put_unit(*interval, *class, out);
            }
            SecretKey::Object(record) => {
                out.push(4);
                put_unit(record.interval, record.class, out);
                out.extend_from_slice(&record.index.get().to_be_bytes());
            }
            SecretKey::NextSigning => out.push(5),
            SecretKey::Held(copy) => {
                out.push(6);
                put_unit(copy.interval, copy.class, out);
                out.extend_from_slice(&copy.carried.to_be_bytes());
            }
        }
    }

    fn decode_key(bytes: &[u8]) -> Result<SecretKey, Malformed> {
        let mut reader = Reader::new(bytes);
        let key = match reader.u8()? {
            1 => SecretKey::Log,
            2 => SecretKey::Signing,
            3 => SecretKey::Class(reader.interval()?, reader.class()?),
            4 => SecretKey::Object(RecordKey {
                interval: reader.interval()?,
                class: reader.class()?,
                index: LeafIndex::new(reader.u64()?),
            }),
            5 => SecretKey::NextSigning,
            6 => SecretKey::Held(HeldCopy {
                interval: reader.interval()?,
                class: reader.class()?,
                carried: reader.u32()?,
            }),
            _ => return Err(Malformed::Field("secret")),
        };
        reader.end().map(|()| key)
    }

    fn encode_value(wrapped: &Vec<u8>, out: &mut Vec<u8>) {
        out.push(FORMAT);
        out.extend_from_slice(wrapped);
    }

    fn decode_value(bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
        Reader::value(bytes).map(|reader| reader.rest().to_vec())
    }
}
