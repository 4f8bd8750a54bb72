//! `interval`: the interval table: when each interval opened and was cut.
//!
//! ```text
//! key    start u64 | 01    opened
//! value  format u8 = 1 | end u64 | first leaf index u64
//! key    start u64 | 02    cut
//! value  format u8 = 1 | tree size u64 | root 32 | cut at u64 | checkpoint note (text)
//! key    start u64 | 03    closed
//! value  format u8 = 1 | leaf index u64 | closed at u64
//! ```
//! Times are milliseconds since 1970. The interval holds the leaves from its first index to below the tree
//! size of its cut; it is empty when they are equal. Written by the sequencer, each row once: the cut of one
//! interval and the opening of the next in one batch, its closing in the batch of the leaf that says so. Never removed.

use super::{ColumnFamily, FORMAT, Family, Malformed, Reader};
use ceralacca_formats::id::{IntervalId, LeafIndex, TreeSize, UtcMillis};
use ceralacca_formats::tree::RootHash;

/// The family.
pub struct Intervals;

/// Which of an interval's two rows.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    /// It opened.
    Opened = 1,
    /// It was cut.
    Cut = 2,
    /// Its package is complete.
    Closed = 3,
}

/// A row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum IntervalRow {
    /// It opened.
    Opened {
        /// When it is to be cut; the start of the next.
        end: UtcMillis,
        /// Index of its first leaf, which may not come.
        first: LeafIndex,
    },
    /// It was cut.
    Cut {
        /// Size of the tree at the cut.
        size: TreeSize,
        /// Root at the cut.
        root: RootHash,
        /// When it was cut, by the writer's clock.
        at: UtcMillis,
        /// Note of the checkpoint at the cut.
        note: String,
    },
    /// Its package is complete.
    Closed {
        /// The leaf that says so, and what the package holds.
        leaf: LeafIndex,
        /// When it was closed, by the writer's clock.
        at: UtcMillis,
    },
}

impl ColumnFamily for Intervals {
    const FAMILY: Family = Family::Interval;
    type Key = (IntervalId, Phase);
    type Value = IntervalRow;

    fn encode_key((interval, phase): &Self::Key, out: &mut Vec<u8>) {
        out.extend_from_slice(&interval.get().to_be_bytes());
        out.push(*phase as u8);
    }

    fn decode_key(bytes: &[u8]) -> Result<Self::Key, Malformed> {
        let mut reader = Reader::new(bytes);
        let interval = reader.interval()?;
        let phase = match reader.u8()? {
            1 => Phase::Opened,
            2 => Phase::Cut,
            3 => Phase::Closed,
            _ => return Err(Malformed::Field("phase")),
        };
        reader.end().map(|()| (interval, phase))
    }

    fn encode_value(row: &IntervalRow, out: &mut Vec<u8>) {
        out.push(FORMAT);
        match row {
            IntervalRow::Opened { end, first } => {
                out.push(Phase::Opened as u8);
                out.extend_from_slice(&end.get().to_be_bytes());
                out.extend_from_slice(&first.get().to_be_bytes());
            }
            IntervalRow::Cut {
                size,
                root,
                at,
                note,
            } => {
                out.push(Phase::Cut as u8);
                out.extend_from_slice(&size.get().to_be_bytes());
                out.extend_from_slice(root.as_bytes());
                out.extend_from_slice(&at.get().to_be_bytes());
                out.extend_from_slice(note.as_bytes());
            }
            IntervalRow::Closed { leaf, at } => {
                out.push(Phase::Closed as u8);
                out.extend_from_slice(&leaf.get().to_be_bytes());
                out.extend_from_slice(&at.get().to_be_bytes());
            }
        }
    }

    fn decode_value(bytes: &[u8]) -> Result<IntervalRow, Malformed> {
        let mut reader = Reader::value(bytes)?;
        match reader.u8()? {
            1 => {
                let row = IntervalRow::Opened {
                    end: UtcMillis::new(reader.u64()?),
                    first: LeafIndex::new(reader.u64()?),
                };
                reader.end().map(|()| row)
            }
            2 => Ok(IntervalRow::Cut {
                size: TreeSize::new(reader.u64()?),
                root: RootHash::from_bytes(reader.array()?),
                at: UtcMillis::new(reader.u64()?),
                note: String::from_utf8(reader.rest().to_vec())
                    .map_err(|_| Malformed::Field("note"))?,
            }),
            3 => {
                let row = IntervalRow::Closed {
                    leaf: LeafIndex::new(reader.u64()?),
                    at: UtcMillis::new(reader.u64()?),
                };
                reader.end().map(|()| row)
            }
            _ => Err(Malformed::Field("phase")),
        }
    }
}
