//! `held`: records that a hold kept when the rest of their unit was disposed of, encrypted anew under a secret of their
//! own, with index tokens of their own.
//!
//! ```text
//! key    01 | interval u64 | class u16                                    which copy is in force
//! value  format u8 = 1 | 01 | carried u32
//! key    02 | interval u64 | class u16 | carried u32 | leaf index u64     a record
//! value  format u8 = 1 | 02 | place u8 (0 no content, 1 in rows 03) | dictionary u16 | record nonce 16
//!        | ciphertext | tag 16
//! plain  opening 32 | content bytes u64 | SHA-256 32 | BLAKE3 32 | canonical metadata
//! key    03 | interval u64 | class u16 | carried u32 | leaf index u64 | part u32    its content, part by part
//! value  format u8 = 1 | 03 | dictionary u16 | ciphertext | tag 16
//! key    04 | interval u64 | class u16 | carried u32 | field u8 | token 8 | leaf index u64    what it is found by
//! value  format u8 = 1 | 04
//! ```
//! Rows 02 to 04 are written before the batch of a disposal, and are nothing until that batch writes 01; all of a copy
//! are removed when the copy itself is disposed of, or was made for a batch that never came.

use super::content::ContentPart;
use super::metadata::RecordKey;
use super::{ColumnFamily, FORMAT, Family, Malformed, Reader, put_unit};
use ceralacca_formats::id::{IntervalId, LeafIndex};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::metadata::Field;
use ceralacca_formats::secret::{RecordNonce, Token};

/// The family.
pub struct HeldRecords;

/// A copy of the held records of a unit: under one hold secret.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HeldCopy {
    /// The interval of the records.
    pub interval: IntervalId,
    /// Their class.
    pub class: Class,
    /// How often they were carried over: from 1.
    pub carried: u32,
}

impl HeldCopy {
    fn encode(&self, out: &mut Vec<u8>) {
        put_unit(self.interval, self.class, out);
        out.extend_from_slice(&self.carried.to_be_bytes());
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            interval: reader.interval()?,
            class: reader.class()?,
            carried: reader.u32()?,
        })
    }

    /// How the keys of all its rows begin: records, contents, postings.
    pub fn prefixes(&self) -> [Vec<u8>; 3] {
        [RECORD, PART, POSTING].map(|tag| {
            let mut prefix = vec![tag];
            self.encode(&mut prefix);
            prefix
        })
    }

    /// How the keys of its records begin.
    pub fn records(&self) -> Vec<u8> {
        let mut prefix = vec![RECORD];
        self.encode(&mut prefix);
        prefix
    }

    /// How the keys of the content of a record begin.
    pub fn parts(&self, index: LeafIndex) -> Vec<u8> {
        let mut prefix = vec![PART];
        self.encode(&mut prefix);
        prefix.extend_from_slice(&index.get().to_be_bytes());
        prefix
    }

    /// How the keys of the postings of a term begin.
    pub fn postings(&self, field: Field, token: Token) -> Vec<u8> {
        let mut prefix = vec![POSTING];
        self.encode(&mut prefix);
        prefix.push(field.code());
        prefix.extend_from_slice(&token.0);
        prefix
    }

    /// Where a record of it stands in the log.
    pub fn record(&self, index: LeafIndex) -> RecordKey {
        RecordKey {
            interval: self.interval,
            class: self.class,
            index,
        }
    }
}

/// Which row.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum HeldKey {
    /// Which copy of a unit is in force.
    InForce(IntervalId, Class),
    /// A record.
    Record(HeldCopy, LeafIndex),
    /// A part of its content, from 1.
    Part(HeldCopy, LeafIndex, u32),
    /// A posting.
    Posting(HeldCopy, Field, Token, LeafIndex),
}

/// A row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HeldRow {
    /// The copy that is in force.
    InForce(u32),
    /// A record.
    Record(HeldRecord),
    /// A part of its content.
    Part(ContentPart),
    /// A posting.
    Posting,
}

/// A held record, encrypted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeldRecord {
    /// Whether it has a content.
    pub has_content: bool,
    /// Number of the compression dictionary.
    pub dictionary: u16,
    /// Nonce of this encryption.
    pub nonce: RecordNonce,
    /// Ciphertext and tag.
    pub ciphertext: Vec<u8>,
}

const IN_FORCE: u8 = 1;
const RECORD: u8 = 2;
const PART: u8 = 3;
const POSTING: u8 = 4;

impl ColumnFamily for HeldRecords {
    const FAMILY: Family = Family::Held;
    type Key = HeldKey;
    type Value = HeldRow;

    fn encode_key(key: &HeldKey, out: &mut Vec<u8>) {
        match key {
            HeldKey::InForce(interval, class) => {
                out.push(IN_FORCE);
                put_unit(*interval, *class, out);
            }
            HeldKey::Record(copy, index) => {
                out.extend(copy.records());
                out.extend_from_slice(&index.get().to_be_bytes());
            }
            HeldKey::Part(copy, index, part) => {
                out.extend(copy.parts(*index));
                out.extend_from_slice(&part.to_be_bytes());
            }
            HeldKey::Posting(copy, field, token, index) => {
                out.extend(copy.postings(*field, *token));
                out.extend_from_slice(&index.get().to_be_bytes());
            }
        }
    }

    fn decode_key(bytes: &[u8]) -> Result<HeldKey, Malformed> {
        let mut reader = Reader::new(bytes);
        let key = match reader.u8()? {
            IN_FORCE => HeldKey::InForce(reader.interval()?, reader.class()?),
            RECORD => HeldKey::Record(
                HeldCopy::decode(&mut reader)?,
                LeafIndex::new(reader.u64()?),
            ),
            PART => HeldKey::Part(
                HeldCopy::decode(&mut reader)?,
                LeafIndex::new(reader.u64()?),
                reader.u32()?,
            ),
            POSTING => {
                let (copy, code) = (HeldCopy::decode(&mut reader)?, reader.u8()?);
                let field = Field::ALL.into_iter().find(|field| field.code() == code);
                let field = field.ok_or(Malformed::Field("field"))?;
                let token = Token(reader.array()?);
                HeldKey::Posting(copy, field, token, LeafIndex::new(reader.u64()?))
            }
            _ => return Err(Malformed::Field("held")),
        };
        reader.end().map(|()| key)
    }

    fn encode_value(row: &HeldRow, out: &mut Vec<u8>) {
        out.push(FORMAT);
        match row {
            HeldRow::InForce(carried) => {
                out.push(IN_FORCE);
                out.extend_from_slice(&carried.to_be_bytes());
            }
            HeldRow::Record(record) => {
                out.extend_from_slice(&[RECORD, u8::from(record.has_content)]);
                out.extend_from_slice(&record.dictionary.to_be_bytes());
                out.extend_from_slice(record.nonce.as_bytes());
                out.extend_from_slice(&record.ciphertext);
            }
            HeldRow::Part(part) => {
                out.push(PART);
                out.extend_from_slice(&part.dictionary.to_be_bytes());
                out.extend_from_slice(&part.ciphertext);
            }
            HeldRow::Posting => out.push(POSTING),
        }
    }

    fn decode_value(bytes: &[u8]) -> Result<HeldRow, Malformed> {
        let mut reader = Reader::value(bytes)?;
        match reader.u8()? {
            IN_FORCE => {
                let carried = reader.u32()?;
                reader.end().map(|()| HeldRow::InForce(carried))
            }
            RECORD => Ok(HeldRow::Record(HeldRecord {
                has_content: match reader.u8()? {
                    0 => false,
                    1 => true,
                    _ => return Err(Malformed::Field("place")),
                },
                dictionary: reader.u16()?,
                nonce: RecordNonce::from_bytes(reader.array()?),
                ciphertext: reader.rest().to_vec(),
            })),
            PART => Ok(HeldRow::Part(ContentPart {
                dictionary: reader.u16()?,
                ciphertext: reader.rest().to_vec(),
            })),
            POSTING => reader.end().map(|()| HeldRow::Posting),
            _ => Err(Malformed::Field("held")),
        }
    }
}
