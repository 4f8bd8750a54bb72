//! `disposal`: how far each disposal is, what was carried over, and the certificates.
//!
//! ```text
//! key    01 | leaf index u64                                an intent, by its leaf
//! value  format u8 = 1 | 01 | state u8 (1 open, 2 withdrawn, 3 carried out)
//!        | approvals u8 = 0 to 2 | leaf index u64 each
//!        | with two of them: running time u64 | reading u64 of the software clock, when the grace began
//! key    02 | interval u64 | class u16 | carried u32        a unit, from the batch that destroyed its secret on
//! value  format u8 = 1 | 02 | step u8 | intent u64 | completed leaf u64, 2^64 - 1 before | facts (canonical JSON)
//! key    03 | interval u64 | class u16 | carried u32        its certificate
//! value  format u8 = 1 | 03 | CMS SignedData, DER
//! key    04 | interval u64 | class u16 | carried u32        what it carried over, as a unit of its own
//! value  format u8 = 1 | 04 | latest start u64 | first u64 | last u64 | first u64 | last u64 ...
//! ```
//! An intent is what the log says: this row says how far it is, and execution holds it against the leaves. 02 to 04 are
//! never removed: they tell what was disposed of from what is damaged.

use super::{ColumnFamily, FORMAT, Family, Malformed, Reader, put_unit};
use ceralacca_formats::disposal::DisposalUnit;
use ceralacca_formats::id::{LeafIndex, UtcMillis};

/// The family.
pub struct Disposals;

/// Which row.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum DisposalKey {
    /// An intent, by its leaf.
    Intent(LeafIndex),
    /// A unit whose secret is destroyed.
    Gone(DisposalUnit),
    /// Its certificate.
    Certificate(DisposalUnit),
    /// What was carried over, as a unit of its own.
    Held(DisposalUnit),
}

/// How an intent stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IntentState {
    /// It may be approved and carried out.
    Open = 1,
    /// It was given up.
    Withdrawn = 2,
    /// All its units are gone, or were refused.
    CarriedOut = 3,
}

/// An intent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IntentRow {
    /// How it stands.
    pub state: IntentState,
    /// Leaves of its approvals, at most two.
    pub approvals: Vec<LeafIndex>,
    /// With the second: running time and reading of the software clock, in milliseconds.
    pub grace: Option<(u64, UtcMillis)>,
}

/// A unit whose secret is destroyed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GoneRow {
    /// The step that comes next: a code of `disposal::Step`.
    pub step: u8,
    /// The leaf of the intent.
    pub intent: LeafIndex,
    /// The leaf that says that it is complete.
    pub completed: Option<LeafIndex>,
    /// What was done, canonical JSON.
    pub facts: Vec<u8>,
}

/// What was carried over.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeldUnitRow {
    /// The latest start of the unit it comes from.
    pub latest: UtcMillis,
    /// Its leaves, ascending.
    pub ranges: Vec<(LeafIndex, LeafIndex)>,
}

/// A row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DisposalRow {
    /// An intent.
    Intent(IntentRow),
    /// A unit whose secret is destroyed.
    Gone(GoneRow),
    /// A certificate.
    Certificate(Vec<u8>),
    /// What was carried over.
    Held(HeldUnitRow),
}

const INTENT: u8 = 1;
const GONE: u8 = 2;
const CERTIFICATE: u8 = 3;
const HELD: u8 = 4;
const NO_LEAF: u64 = u64::MAX;

impl DisposalKey {
    /// How the keys of all intents begin.
    pub const INTENTS: &'static [u8] = &[INTENT];
    /// How the keys of all units begin that are gone.
    pub const ALL_GONE: &'static [u8] = &[GONE];
    /// How the keys begin of all that was carried over.
    pub const ALL_HELD: &'static [u8] = &[HELD];

    const fn code(self) -> u8 {
        match self {
            Self::Intent(_) => INTENT,
            Self::Gone(_) => GONE,
            Self::Certificate(_) => CERTIFICATE,
            Self::Held(_) => HELD,
        }
    }
}

impl DisposalRow {
    const fn code(&self) -> u8 {
        match self {
            Self::Intent(_) => INTENT,
            Self::Gone(_) => GONE,
            Self::Certificate(_) => CERTIFICATE,
            Self::Held(_) => HELD,
        }
    }
}

fn unit(reader: &mut Reader<'_>) -> Result<DisposalUnit, Malformed> {
    Ok(DisposalUnit {
        interval: reader.interval()?,
        class: reader.class()?,
        carried: reader.u32()?,
    })
}

fn intent(reader: &mut Reader<'_>) -> Result<IntentRow, Malformed> {
    let state = match reader.u8()? {
        1 => IntentState::Open,
        2 => IntentState::Withdrawn,
        3 => IntentState::CarriedOut,
        _ => return Err(Malformed::Field("state")),
    };
    let approvals = match reader.u8()? {
        count @ 0..=2 => (0..count).map(|_| reader.u64().map(LeafIndex::new)),
        _ => return Err(Malformed::Field("approvals")),
    };
    let approvals: Vec<LeafIndex> = approvals.collect::<Result<_, _>>()?;
    let grace = match approvals.len() {
        2 => Some((reader.u64()?, UtcMillis::new(reader.u64()?))),
        _ => None,
    };
    Ok(IntentRow {
        state,
        approvals,
        grace,
    })
}

impl ColumnFamily for Disposals {
    const FAMILY: Family = Family::Disposal;
    type Key = DisposalKey;
    type Value = DisposalRow;

    fn encode_key(key: &DisposalKey, out: &mut Vec<u8>) {
        out.push(key.code());
        match key {
            DisposalKey::Intent(leaf) => out.extend_from_slice(&leaf.get().to_be_bytes()),
            DisposalKey::Gone(unit) | DisposalKey::Certificate(unit) | DisposalKey::Held(unit) => {
                put_unit(unit.interval, unit.class, out);
                out.extend_from_slice(&unit.carried.to_be_bytes());
            }
        }
    }

    fn decode_key(bytes: &[u8]) -> Result<DisposalKey, Malformed> {
        let mut reader = Reader::new(bytes);
        let key = match reader.u8()? {
            INTENT => DisposalKey::Intent(LeafIndex::new(reader.u64()?)),
            GONE => DisposalKey::Gone(unit(&mut reader)?),
            CERTIFICATE => DisposalKey::Certificate(unit(&mut reader)?),
            HELD => DisposalKey::Held(unit(&mut reader)?),
            _ => return Err(Malformed::Field("disposal")),
        };
        reader.end().map(|()| key)
    }

    fn encode_value(row: &DisposalRow, out: &mut Vec<u8>) {
        out.extend_from_slice(&[FORMAT, row.code()]);
        match row {
            DisposalRow::Intent(row) => {
                // At most two, by type of who writes; a reader refuses more.
                let count = u8::try_from(row.approvals.len()).unwrap_or(u8::MAX);
                out.extend_from_slice(&[row.state as u8, count]);
                for leaf in &row.approvals {
                    out.extend_from_slice(&leaf.get().to_be_bytes());
                }
                if let Some((run_ms, reading)) = row.grace {
                    out.extend_from_slice(&run_ms.to_be_bytes());
                    out.extend_from_slice(&reading.get().to_be_bytes());
                }
            }
            DisposalRow::Gone(row) => {
                out.push(row.step);
                out.extend_from_slice(&row.intent.get().to_be_bytes());
                let completed = row.completed.map_or(NO_LEAF, LeafIndex::get);
                out.extend_from_slice(&completed.to_be_bytes());
                out.extend_from_slice(&row.facts);
            }
            DisposalRow::Certificate(octets) => out.extend_from_slice(octets),
            DisposalRow::Held(row) => {
                out.extend_from_slice(&row.latest.get().to_be_bytes());
                for (first, last) in &row.ranges {
                    out.extend_from_slice(&first.get().to_be_bytes());
                    out.extend_from_slice(&last.get().to_be_bytes());
                }
            }
        }
    }

    fn decode_value(bytes: &[u8]) -> Result<DisposalRow, Malformed> {
        let mut reader = Reader::value(bytes)?;
        match reader.u8()? {
            INTENT => {
                let row = intent(&mut reader)?;
                reader.end().map(|()| DisposalRow::Intent(row))
            }
            GONE => Ok(DisposalRow::Gone(GoneRow {
                step: reader.u8()?,
                intent: LeafIndex::new(reader.u64()?),
                completed: Some(reader.u64()?)
                    .filter(|leaf| *leaf != NO_LEAF)
                    .map(LeafIndex::new),
                facts: reader.rest().to_vec(),
            })),
            CERTIFICATE => Ok(DisposalRow::Certificate(reader.rest().to_vec())),
            HELD => {
                let latest = UtcMillis::new(reader.u64()?);
                let (pairs, rest) = reader.rest().as_chunks::<16>();
                if !rest.is_empty() || pairs.is_empty() {
                    return Err(Malformed::Length);
                }
                let ranges = pairs.iter().map(|pair| {
                    let mut reader = Reader::new(pair);
                    let (first, last) = (reader.u64()?, reader.u64()?);
                    Ok((LeafIndex::new(first), LeafIndex::new(last)))
                });
                let ranges: Vec<_> = ranges.collect::<Result<_, Malformed>>()?;
                let apart = |a: &(LeafIndex, LeafIndex), b: &(LeafIndex, LeafIndex)| a.1 < b.0;
                let sound = ranges.iter().all(|(first, last)| first <= last);
                if !sound || !ranges.is_sorted_by(apart) {
                    return Err(Malformed::Field("ranges"));
                }
                Ok(DisposalRow::Held(HeldUnitRow { latest, ranges }))
            }
            _ => Err(Malformed::Field("disposal")),
        }
    }
}
