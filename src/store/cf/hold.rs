//! `hold`: suspensions of disposal, outside the encryption of the records they name, so that they survive them.
//!
//! ```text
//! key    hold u64 | 01    set
//! value  format u8 = 1 | 01 | authority u8 (1 judicial, 2 administrative) | start u64 | end u64 (0 none)
//!        | ranges u32 | ranges x (first leaf index u64 | last leaf index u64) | detail
//! key    hold u64 | 02    release proposed
//! value  format u8 = 1 | 02 | leaf index u64 | at u64 | detail
//! key    hold u64 | 03    released
//! value  format u8 = 1 | 03 | leaf index u64 | at u64 | detail
//!
//! detail   nonce 16 | AES-256-GCM(canonical `act-detail`: principal, act, statement) | tag 16, under the log key,
//!          bound to hold and step (docs/formats.md)
//! ```
//! The number of a hold is the index of the leaf that set it. Each row is written once, in the batch of the leaf that
//! says so, but for a proposal, which the next proposal replaces. Never removed: how many there are is in `state`, and
//! in the last leaf of kind 6 or 7.

use super::{ColumnFamily, FORMAT, Family, Malformed, Reader};
use ceralacca_formats::hold::HoldAuthority;
use ceralacca_formats::id::{LeafIndex, UtcMillis};
use std::fmt;

/// The most ranges that one hold names: what its leaf says of them stays within canonical metadata.
pub const HOLD_RANGES_MAX: usize = 1 << 16;

/// The family.
pub struct Holds;

/// Which row of a hold.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum HoldStep {
    /// It was set.
    Set = 1,
    /// Its release was proposed.
    Proposed = 2,
    /// It was released.
    Released = 3,
}

impl HoldStep {
    /// The code on disk.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// Who did it, and why, encrypted.
#[derive(Clone, Eq, PartialEq)]
pub struct WrappedDetail(pub Vec<u8>);

impl fmt::Debug for WrappedDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappedDetail({} bytes)", self.0.len())
    }
}

/// A row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HoldRow {
    /// It was set.
    Set {
        /// Who ordered it.
        authority: HoldAuthority,
        /// From when it is in force.
        start: UtcMillis,
        /// The first instant at which it no longer is, where it has an end.
        end: Option<UtcMillis>,
        /// First and last leaf of each range: ascending and apart.
        ranges: Vec<(LeafIndex, LeafIndex)>,
        /// Who set it, under which act, on what query.
        detail: WrappedDetail,
    },
    /// Its release was proposed.
    Proposed(HoldAct),
    /// It was released.
    Released(HoldAct),
}

/// What was done to a hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HoldAct {
    /// The leaf that says so.
    pub leaf: LeafIndex,
    /// When, by the writer's clock.
    pub at: UtcMillis,
    /// Who did it, and why.
    pub detail: WrappedDetail,
}

impl HoldRow {
    /// Which row of its hold it is.
    pub fn step(&self) -> HoldStep {
        match self {
            Self::Set { .. } => HoldStep::Set,
            Self::Proposed(_) => HoldStep::Proposed,
            Self::Released(_) => HoldStep::Released,
        }
    }
}

fn act(mut reader: Reader<'_>) -> Result<HoldAct, Malformed> {
    Ok(HoldAct {
        leaf: LeafIndex::new(reader.u64()?),
        at: UtcMillis::new(reader.u64()?),
        detail: WrappedDetail(reader.rest().to_vec()),
    })
}

impl ColumnFamily for Holds {
    const FAMILY: Family = Family::Hold;
    type Key = (LeafIndex, HoldStep);
    type Value = HoldRow;

    fn encode_key((hold, step): &Self::Key, out: &mut Vec<u8>) {
        out.extend_from_slice(&hold.get().to_be_bytes());
        out.push(step.code());
    }

    fn decode_key(bytes: &[u8]) -> Result<Self::Key, Malformed> {
        let mut reader = Reader::new(bytes);
        let hold = LeafIndex::new(reader.u64()?);
        let step = match reader.u8()? {
            1 => HoldStep::Set,
            2 => HoldStep::Proposed,
            3 => HoldStep::Released,
            _ => return Err(Malformed::Field("step")),
        };
        reader.end().map(|()| (hold, step))
    }

    fn encode_value(row: &HoldRow, out: &mut Vec<u8>) {
        out.extend_from_slice(&[FORMAT, row.step().code()]);
        match row {
            HoldRow::Set {
                authority,
                start,
                end,
                ranges,
                detail,
            } => {
                out.push(authority.code());
                out.extend_from_slice(&start.get().to_be_bytes());
                out.extend_from_slice(&end.map_or(0, UtcMillis::get).to_be_bytes());
                // At most `HOLD_RANGES_MAX`, by whoever writes it.
                let count = u32::try_from(ranges.len()).unwrap_or(u32::MAX);
                out.extend_from_slice(&count.to_be_bytes());
                for (first, last) in ranges {
                    out.extend_from_slice(&first.get().to_be_bytes());
                    out.extend_from_slice(&last.get().to_be_bytes());
                }
                out.extend_from_slice(&detail.0);
            }
            HoldRow::Proposed(act) | HoldRow::Released(act) => {
                out.extend_from_slice(&act.leaf.get().to_be_bytes());
                out.extend_from_slice(&act.at.get().to_be_bytes());
                out.extend_from_slice(&act.detail.0);
            }
        }
    }

    fn decode_value(bytes: &[u8]) -> Result<HoldRow, Malformed> {
        let mut reader = Reader::value(bytes)?;
        match reader.u8()? {
            1 => {
                let authority = HoldAuthority::from_code(reader.u8()?);
                let start = UtcMillis::new(reader.u64()?);
                let end = Some(reader.u64()?).filter(|end| *end > 0);
                let count = reader.u32()?;
                let mut ranges: Vec<(LeafIndex, LeafIndex)> = Vec::new();
                for _ in 0..count {
                    let (first, last) = (reader.u64()?, reader.u64()?);
                    let apart = ranges.last().is_none_or(|(_, end)| end.get() < first);
                    if last < first || !apart {
                        return Err(Malformed::Field("ranges"));
                    }
                    ranges.push((LeafIndex::new(first), LeafIndex::new(last)));
                }
                Ok(HoldRow::Set {
                    authority: authority.ok_or(Malformed::Field("authority"))?,
                    start,
                    end: end.map(UtcMillis::new),
                    ranges,
                    detail: WrappedDetail(reader.rest().to_vec()),
                })
            }
            2 => act(reader).map(HoldRow::Proposed),
            3 => act(reader).map(HoldRow::Released),
            _ => Err(Malformed::Field("step")),
        }
    }
}
