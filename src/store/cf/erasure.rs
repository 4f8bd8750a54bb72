//! `erasure`: what tells a record that was erased from one that is damaged, and its certificate.
//!
//! ```text
//! key    record u64 | 01    proposed
//! value  format u8 = 1 | 01 | leaf index u64 | at u64 | ground u8 | detail
//! key    record u64 | 02    erased
//! value  format u8 = 1 | 02 | leaf index u64 | at u64 | ground u8 | proposal u64 | facts u64 (2^64 - 1 for none)
//!        | holds set u64 | holds released u64 | purged u8 (0 or 1) | detail
//! key    record u64 | 03    certificate
//! value  format u8 = 1 | 03 | detail
//!
//! detail   nonce 16 | AES-256-GCM(plain) | tag 16, under the log key, bound to record and step (docs/formats.md): of 01
//!          and 02 canonical `act-detail`, of 03 the certificate (CMS SignedData, DER)
//! ```
//! *Record* is the index of the leaf. 01 is written in the batch of its leaf, and replaced by the next proposal; 02 in the
//! batch that destroys the keys, and once more when the bytes are gone; 03 when it is signed. Never removed.

use super::hold::WrappedDetail;
use super::{ColumnFamily, FORMAT, Family, Malformed, Reader};
use ceralacca_formats::erasure::Ground;
use ceralacca_formats::hold::HoldCounts;
use ceralacca_formats::id::{LeafIndex, UtcMillis};

/// The family.
pub struct Erasures;

/// Which row of an erasure.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ErasureStep {
    /// It was proposed.
    Proposed = 1,
    /// The keys are destroyed.
    Erased = 2,
    /// It is certified.
    Certificate = 3,
}

impl ErasureStep {
    /// The code on disk.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// An erasure that was proposed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProposedRow {
    /// The leaf that says so.
    pub leaf: LeafIndex,
    /// When, by the writer's clock.
    pub at: UtcMillis,
    /// Why.
    pub ground: Ground,
    /// Who proposed it, and what was stated.
    pub detail: WrappedDetail,
}

/// An erasure that was carried out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ErasedRow {
    /// The leaf that says so.
    pub leaf: LeafIndex,
    /// When, by the writer's clock.
    pub at: UtcMillis,
    /// Why.
    pub ground: Ground,
    /// The leaf that proposed it.
    pub proposal: LeafIndex,
    /// The trace record of its facts, which stays.
    pub facts: Option<LeafIndex>,
    /// Holds that the log had set and released then.
    pub holds: HoldCounts,
    /// Whether its bytes are gone from the files too.
    pub is_purged: bool,
    /// Who confirmed it, and what was stated.
    pub detail: WrappedDetail,
}

/// A row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ErasureRow {
    /// It was proposed.
    Proposed(ProposedRow),
    /// The keys are destroyed.
    Erased(ErasedRow),
    /// It is certified: the certificate, encrypted.
    Certificate(WrappedDetail),
}

impl ErasureRow {
    /// Which row of its erasure it is.
    pub fn step(&self) -> ErasureStep {
        match self {
            Self::Proposed(_) => ErasureStep::Proposed,
            Self::Erased(_) => ErasureStep::Erased,
            Self::Certificate(_) => ErasureStep::Certificate,
        }
    }
}

fn ground(reader: &mut Reader<'_>) -> Result<Ground, Malformed> {
    Ground::from_code(reader.u8()?).ok_or(Malformed::Field("ground"))
}

impl ColumnFamily for Erasures {
    const FAMILY: Family = Family::Erasure;
    type Key = (LeafIndex, ErasureStep);
    type Value = ErasureRow;

    fn encode_key((record, step): &Self::Key, out: &mut Vec<u8>) {
        out.extend_from_slice(&record.get().to_be_bytes());
        out.push(step.code());
    }

    fn decode_key(bytes: &[u8]) -> Result<Self::Key, Malformed> {
        let mut reader = Reader::new(bytes);
        let record = LeafIndex::new(reader.u64()?);
        let step = match reader.u8()? {
            1 => ErasureStep::Proposed,
            2 => ErasureStep::Erased,
            3 => ErasureStep::Certificate,
            _ => return Err(Malformed::Field("step")),
        };
        reader.end().map(|()| (record, step))
    }

    fn encode_value(row: &ErasureRow, out: &mut Vec<u8>) {
        out.extend_from_slice(&[FORMAT, row.step().code()]);
        match row {
            ErasureRow::Proposed(row) => {
                out.extend_from_slice(&row.leaf.get().to_be_bytes());
                out.extend_from_slice(&row.at.get().to_be_bytes());
                out.push(row.ground.code());
                out.extend_from_slice(&row.detail.0);
            }
            ErasureRow::Erased(row) => {
                out.extend_from_slice(&row.leaf.get().to_be_bytes());
                out.extend_from_slice(&row.at.get().to_be_bytes());
                out.push(row.ground.code());
                for number in [
                    row.proposal.get(),
                    row.facts.map_or(u64::MAX, LeafIndex::get),
                    row.holds.set,
                    row.holds.released,
                ] {
                    out.extend_from_slice(&number.to_be_bytes());
                }
                out.push(u8::from(row.is_purged));
                out.extend_from_slice(&row.detail.0);
            }
            ErasureRow::Certificate(detail) => out.extend_from_slice(&detail.0),
        }
    }

    fn decode_value(bytes: &[u8]) -> Result<ErasureRow, Malformed> {
        let mut reader = Reader::value(bytes)?;
        match reader.u8()? {
            1 => Ok(ErasureRow::Proposed(ProposedRow {
                leaf: LeafIndex::new(reader.u64()?),
                at: UtcMillis::new(reader.u64()?),
                ground: ground(&mut reader)?,
                detail: WrappedDetail(reader.rest().to_vec()),
            })),
            2 => Ok(ErasureRow::Erased(ErasedRow {
                leaf: LeafIndex::new(reader.u64()?),
                at: UtcMillis::new(reader.u64()?),
                ground: ground(&mut reader)?,
                proposal: LeafIndex::new(reader.u64()?),
                facts: Some(reader.u64()?)
                    .filter(|facts| *facts != u64::MAX)
                    .map(LeafIndex::new),
                holds: HoldCounts {
                    set: reader.u64()?,
                    released: reader.u64()?,
                },
                is_purged: match reader.u8()? {
                    0 => false,
                    1 => true,
                    _ => return Err(Malformed::Field("purged")),
                },
                detail: WrappedDetail(reader.rest().to_vec()),
            })),
            3 => Ok(ErasureRow::Certificate(WrappedDetail(
                reader.rest().to_vec(),
            ))),
            _ => Err(Malformed::Field("step")),
        }
    }
}
