//! `state`: single rows that say what the log is and where it stands.
//!
//! ```text
//! key    01   value  format u8 = 1 | 01 | disk format version u32 | log id length u8 | log id | origin
//! key    02   value  format u8 = 1 | 02 | tree size u64 | root 32 | log epoch u32 | time u64     the tip
//! key    03   value  format u8 = 1 | 03 | checkpoint note (text)                                 the last one
//! key    04   value  format u8 = 1 | 04 | leaf index u64           the index has runs for all leaves below it
//! key    05 | number u32   value  format u8 = 1 | 05 | number u32 | leaf index u64 | verifier key (text)   a rotation
//! key    06   value  format u8 = 1 | 06 | holds set u64 | holds released u64 | leaf index u64    the acts on holds
//! key    07   value  format u8 = 1 | 07 | 01                       initialised as a development log
//! key    08   value  format u8 = 1 | 08 | reading u64 | running time u64 | 00, or 01 and step i64    the software clock
//! ```
//! 01 is written by `init`. 02 is in every batch that adds
//! leaves; 03 is the note of the group before, in the same batch, or alone at stop; 04 after each run; 05
//! when a rotation is in force, with the leaf of the key event and the key that it retired, numbered from 0;
//! 06 in the batch of each leaf of kind 6 or 7, with the index of that leaf: absent where no hold was ever set.
//! 07 by `init`, once, where it was told to: the first leaf says the same, and both must; 08 at each tick of the clock.

use super::{ColumnFamily, FORMAT, Family, Malformed, Reader};
use ceralacca_formats::hold::HoldCounts;
use ceralacca_formats::id::{LeafIndex, LogId, Origin, TreeSize, UtcMillis};
use ceralacca_formats::leaf::Epoch;
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::tree::RootHash;

/// The family.
pub struct State;

/// Which row.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum StateKey {
    /// What the log is.
    Identity,
    /// Where the tree stands.
    Tip,
    /// The last checkpoint.
    Note,
    /// How far the index has runs.
    Indexed,
    /// A rotation of the log's key, by its number from 0.
    Rotation(u32),
    /// How many holds were set and released.
    Holds,
    /// It was initialised as a development log.
    Development,
    /// The software clock.
    Clock,
}

impl StateKey {
    const fn code(self) -> u8 {
        match self {
            Self::Identity => 1,
            Self::Tip => 2,
            Self::Note => 3,
            Self::Indexed => 4,
            Self::Rotation(_) => 5,
            Self::Holds => 6,
            Self::Development => 7,
            Self::Clock => 8,
        }
    }
}

/// A rotation of the log's key that is in force.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rotation {
    /// Its number, from 0.
    pub number: u32,
    /// The leaf of its key event; the checkpoint that both keys signed is that of the tree it completes.
    pub event: LeafIndex,
    /// The key that it retired.
    pub retired: VerifierKey,
}

impl Rotation {
    /// The size of the checkpoint that both keys signed.
    pub fn size(&self) -> TreeSize {
        TreeSize::new(self.event.get().saturating_add(1))
    }
}

/// What the log is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// Version of the disk format.
    pub version: u32,
    /// Name of the log in this installation.
    pub log: LogId,
    /// Its origin.
    pub origin: Origin,
}

/// Where the tree stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tip {
    /// Number of leaves.
    pub size: TreeSize,
    /// Their root.
    pub root: RootHash,
    /// Epoch of the writer.
    pub epoch: Epoch,
    /// Time of the last leaf.
    pub time: UtcMillis,
}

/// The software clock, as it is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClockRow {
    /// Its reading, milliseconds since 1970.
    pub reading: UtcMillis,
    /// How long the archive has run, in milliseconds.
    pub run_ms: u64,
    /// A step of the wall clock that no token has explained, in milliseconds.
    pub step_ms: Option<i64>,
}

/// A row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StateRow {
    /// What the log is.
    Identity(Identity),
    /// Where the tree stands.
    Tip(Tip),
    /// The last checkpoint's note.
    Note(String),
    /// The index has runs for all leaves below this.
    Indexed(TreeSize),
    /// A rotation of the log's key.
    Rotation(Rotation),
    /// How many holds were set and released, and the leaf of the last of these acts.
    Holds {
        /// How many.
        counts: HoldCounts,
        /// The last leaf of kind 6 or 7, which says the same.
        last: LeafIndex,
    },
    /// It was initialised as a development log.
    Development,
    /// The software clock.
    Clock(ClockRow),
}

impl StateRow {
    /// The key it stands under.
    pub fn key(&self) -> StateKey {
        match self {
            Self::Identity(_) => StateKey::Identity,
            Self::Tip(_) => StateKey::Tip,
            Self::Note(_) => StateKey::Note,
            Self::Indexed(_) => StateKey::Indexed,
            Self::Rotation(rotation) => StateKey::Rotation(rotation.number),
            Self::Holds { .. } => StateKey::Holds,
            Self::Development => StateKey::Development,
            Self::Clock(_) => StateKey::Clock,
        }
    }
}

impl ColumnFamily for State {
    const FAMILY: Family = Family::State;
    type Key = StateKey;
    type Value = StateRow;

    fn encode_key(key: &StateKey, out: &mut Vec<u8>) {
        out.push(key.code());
        if let StateKey::Rotation(number) = key {
            out.extend_from_slice(&number.to_be_bytes());
        }
    }

    fn decode_key(bytes: &[u8]) -> Result<StateKey, Malformed> {
        match bytes {
            [1] => Ok(StateKey::Identity),
            [2] => Ok(StateKey::Tip),
            [3] => Ok(StateKey::Note),
            [4] => Ok(StateKey::Indexed),
            [6] => Ok(StateKey::Holds),
            [7] => Ok(StateKey::Development),
            [8] => Ok(StateKey::Clock),
            [5, number @ ..] => match <[u8; 4]>::try_from(number) {
                Ok(number) => Ok(StateKey::Rotation(u32::from_be_bytes(number))),
                Err(_) => Err(Malformed::Length),
            },
            _ => Err(Malformed::Field("state")),
        }
    }

    fn encode_value(row: &StateRow, out: &mut Vec<u8>) {
        out.extend_from_slice(&[FORMAT, row.key().code()]);
        match row {
            StateRow::Identity(identity) => {
                out.extend_from_slice(&identity.version.to_be_bytes());
                // A log id has at most 63 characters (`LogId`).
                out.push(identity.log.as_str().len() as u8);
                out.extend_from_slice(identity.log.as_str().as_bytes());
                out.extend_from_slice(identity.origin.as_str().as_bytes());
            }
            StateRow::Tip(tip) => {
                out.extend_from_slice(&tip.size.get().to_be_bytes());
                out.extend_from_slice(tip.root.as_bytes());
                out.extend_from_slice(&tip.epoch.0.to_be_bytes());
                out.extend_from_slice(&tip.time.get().to_be_bytes());
            }
            StateRow::Note(note) => out.extend_from_slice(note.as_bytes()),
            StateRow::Indexed(size) => out.extend_from_slice(&size.get().to_be_bytes()),
            StateRow::Rotation(rotation) => {
                out.extend_from_slice(&rotation.number.to_be_bytes());
                out.extend_from_slice(&rotation.event.get().to_be_bytes());
                out.extend_from_slice(rotation.retired.to_string().as_bytes());
            }
            StateRow::Holds { counts, last } => {
                for number in [counts.set, counts.released, last.get()] {
                    out.extend_from_slice(&number.to_be_bytes());
                }
            }
            StateRow::Development => out.push(1),
            StateRow::Clock(clock) => {
                out.extend_from_slice(&clock.reading.get().to_be_bytes());
                out.extend_from_slice(&clock.run_ms.to_be_bytes());
                out.push(u8::from(clock.step_ms.is_some()));
                if let Some(step_ms) = clock.step_ms {
                    out.extend_from_slice(&step_ms.to_be_bytes());
                }
            }
        }
    }

    fn decode_value(bytes: &[u8]) -> Result<StateRow, Malformed> {
        let mut reader = Reader::value(bytes)?;
        Ok(match reader.u8()? {
            1 => {
                let version = reader.u32()?;
                let bytes = usize::from(reader.u8()?);
                let rest = reader.rest();
                let (log, origin) = rest.split_at_checked(bytes).ok_or(Malformed::Length)?;
                let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
                StateRow::Identity(Identity {
                    version,
                    log: LogId::try_from(text(log)).map_err(|_| Malformed::Field("log id"))?,
                    origin: Origin::try_from(text(origin))
                        .map_err(|_| Malformed::Field("origin"))?,
                })
            }
            2 => {
                let tip = Tip {
                    size: TreeSize::new(reader.u64()?),
                    root: RootHash::from_bytes(reader.array()?),
                    epoch: Epoch(reader.u32()?),
                    time: UtcMillis::new(reader.u64()?),
                };
                reader.end()?;
                StateRow::Tip(tip)
            }
            3 => StateRow::Note(
                String::from_utf8(reader.rest().to_vec()).map_err(|_| Malformed::Field("note"))?,
            ),
            4 => {
                let size = TreeSize::new(reader.u64()?);
                reader.end()?;
                StateRow::Indexed(size)
            }
            5 => {
                let (number, event) = (reader.u32()?, LeafIndex::new(reader.u64()?));
                let retired = std::str::from_utf8(reader.rest()).ok();
                let retired = retired.and_then(|text| VerifierKey::parse(text).ok());
                StateRow::Rotation(Rotation {
                    number,
                    event,
                    retired: retired.ok_or(Malformed::Field("verifier key"))?,
                })
            }
            6 => {
                let row = StateRow::Holds {
                    counts: HoldCounts {
                        set: reader.u64()?,
                        released: reader.u64()?,
                    },
                    last: LeafIndex::new(reader.u64()?),
                };
                reader.end()?;
                row
            }
            7 => {
                let known = reader.u8()? == 1;
                reader.end()?;
                let row = known.then_some(StateRow::Development);
                row.ok_or(Malformed::Field("kind of the log"))?
            }
            8 => {
                let (reading, run_ms) = (UtcMillis::new(reader.u64()?), reader.u64()?);
                let step_ms = match reader.u8()? {
                    0 => None,
                    1 => Some(i64::from_be_bytes(reader.array()?)),
                    _ => return Err(Malformed::Field("step")),
                };
                reader.end()?;
                StateRow::Clock(ClockRow {
                    reading,
                    run_ms,
                    step_ms,
                })
            }
            _ => return Err(Malformed::Field("state")),
        })
    }
}
