//! `index`: postings, from a shortened keyed token of a term to the records that may have it.
//!
//! ```text
//! key    interval u64 | class u16 | field u8 | token 8 | leaf index u64
//! value  empty
//! ```
//! Written as sorted runs only, never in a batch; the same run twice changes nothing. A hit is checked against
//! the opened record. Never the truth: rebuilt from the records. Removed by disposal.

use super::{ColumnFamily, Family, Malformed, Reader, put_unit};
use ceralacca_formats::id::{IntervalId, LeafIndex};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::metadata::Field;
use ceralacca_formats::secret::Token;

/// The family.
pub struct Index;

/// One posting.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Posting {
    /// Interval of the record.
    pub interval: IntervalId,
    /// Class of the record.
    pub class: Class,
    /// Which field.
    pub field: Field,
    /// Token of the term.
    pub token: Token,
    /// The record.
    pub index: LeafIndex,
}

impl Posting {
    /// How the keys of all postings of a term begin.
    pub fn prefix(interval: IntervalId, class: Class, field: Field, token: Token) -> Vec<u8> {
        let mut out = Vec::with_capacity(19);
        put_unit(interval, class, &mut out);
        out.push(field.code());
        out.extend_from_slice(&token.0);
        out
    }
}

impl ColumnFamily for Index {
    const FAMILY: Family = Family::Index;
    type Key = Posting;
    type Value = ();

    fn encode_key(p: &Posting, out: &mut Vec<u8>) {
        put_unit(p.interval, p.class, out);
        out.push(p.field.code());
        out.extend_from_slice(&p.token.0);
        out.extend_from_slice(&p.index.get().to_be_bytes());
    }

    fn decode_key(bytes: &[u8]) -> Result<Posting, Malformed> {
        let mut reader = Reader::new(bytes);
        let (interval, class, code) = (reader.interval()?, reader.class()?, reader.u8()?);
        let field = Field::ALL.into_iter().find(|field| field.code() == code);
        let posting = Posting {
            interval,
            class,
            field: field.ok_or(Malformed::Field("field"))?,
            token: Token(reader.array()?),
            index: LeafIndex::new(reader.u64()?),
        };
        reader.end().map(|()| posting)
    }

    fn encode_value((): &(), _: &mut Vec<u8>) {}

    fn decode_value(bytes: &[u8]) -> Result<(), Malformed> {
        Reader::new(bytes).end()
    }
}
