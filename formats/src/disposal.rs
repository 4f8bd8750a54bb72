//! Disposal: the leaves that say what is intended, who approved, what was given up and what is gone; the certificate.
//!
//! Kinds 12, 13 and 5, class 6: they carry intervals, classes, counts and digests, and name nobody. Who approved stands
//! in the leaf after an approval (`act-detail`). Listed in `docs/formats.md`.
//!
//! ```text
//! kind 12  "disposal-intent"     the units that are to go
//!          "disposal-withdrawn"  an intent that was given up
//! kind 13  "disposal-approval"   one principal's approval of one intent, by the hash of its leaf
//! kind 5   "disposal-completed"  a unit that is gone, its bytes too
//! ```

use crate::canonical::{Integer, ObjectReader, ObjectWriter, Text};
use crate::digest::Sha256;
use crate::id::{INTEGER_MAX, IntervalId, LeafIndex};
use crate::leaf::Class;
use crate::metadata::LeafRange;

/// The type of event under which the index finds every intent.
pub const DISPOSAL_INTENT: &str = "disposal-intent";
/// The type of event under which the index finds every intent that was given up.
pub const DISPOSAL_WITHDRAWN: &str = "disposal-withdrawn";
/// The type of event under which the index finds every approval.
pub const DISPOSAL_APPROVAL: &str = "disposal-approval";
/// The type of event under which the index finds every disposal that is complete.
pub const DISPOSAL_COMPLETED: &str = "disposal-completed";

/// The records of one class in one interval, or those of them that holds have kept so far.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct DisposalUnit {
    /// The interval.
    pub interval: IntervalId,
    /// The class.
    pub class: Class,
    /// How often it was carried over from a disposal, under a hold: 0 as it was sealed.
    pub carried: u32,
}

/// A unit that an intent names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IntendedUnit {
    /// Which.
    pub unit: DisposalUnit,
    /// Its records when the intent was recorded.
    pub records: u64,
    /// SHA-256 of their leaf hashes, concatenated in log order.
    pub leaf_hashes: Sha256,
}

/// That units are to be disposed of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DisposalIntent {
    /// The units, ascending.
    pub units: Vec<IntendedUnit>,
    /// How long it waits after the second approval, in hours.
    pub grace_hours: u16,
}

/// That a principal approved an intent; the leaf after it says who.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DisposalApproval {
    /// The leaf of the intent.
    pub intent: LeafIndex,
    /// Its hash: what is approved.
    pub intent_hash: Sha256,
    /// The role that allowed it, a word of a closed list.
    pub role: Text,
}

/// That a unit is gone: its secrets, and then its bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DisposalCompleted {
    /// Which.
    pub unit: DisposalUnit,
    /// The leaf of the intent.
    pub intent: LeafIndex,
    /// The leaves of the two approvals.
    pub approvals: [LeafIndex; 2],
    /// Records disposed of.
    pub records: u64,
    /// SHA-256 of their leaf hashes, concatenated in log order.
    pub leaf_hashes: Sha256,
    /// Records carried over under a hold: ascending.
    pub held: Vec<LeafRange>,
    /// The proven time on which it was done, milliseconds since 1970.
    pub proven_ms: Integer,
}

type Read<T> = Result<T, &'static str>;

fn integer(value: u64) -> Integer {
    Integer::try_from(value.min(INTEGER_MAX)).unwrap_or(Integer::ZERO)
}

fn number(r: &mut ObjectReader, key: &'static str) -> Read<u64> {
    let value = r.integer(key)?.ok_or(key)?;
    u64::try_from(value.get()).map_err(|_| key)
}

fn digest(r: &mut ObjectReader, key: &'static str) -> Read<Sha256> {
    let text = r.text(key)?.ok_or(key)?;
    text.to_str().and_then(Sha256::from_hex).ok_or(key)
}

fn leaf(r: &mut ObjectReader, key: &'static str) -> Read<LeafIndex> {
    number(r, key).map(LeafIndex::new)
}

impl DisposalUnit {
    fn read(carried: u64, class: u64, interval: u64) -> Read<Self> {
        let class = u16::try_from(class).map_err(|_| "class")?;
        Ok(Self {
            interval: IntervalId::new(interval),
            class: Class::try_from(class).map_err(|_| "class")?,
            carried: u32::try_from(carried).map_err(|_| "carried")?,
        })
    }
}

impl DisposalIntent {
    pub(crate) fn write(&self, w: &mut ObjectWriter<'_>, schema: Integer) {
        w.integer("grace_hours", integer(self.grace_hours.into()));
        w.integer("schema", schema);
        w.text("type", DISPOSAL_INTENT.as_bytes());
        w.objects("units", &self.units, |unit, w| {
            w.integer("carried", integer(unit.unit.carried.into()));
            w.integer("class", integer(unit.unit.class.code().into()));
            w.integer("interval_ms", integer(unit.unit.interval.get()));
            w.text("leaf_hashes", unit.leaf_hashes.to_string().as_bytes());
            w.integer("records", integer(unit.records));
        });
    }

    pub(crate) fn read(r: &mut ObjectReader) -> Read<Self> {
        let grace_hours = number(r, "grace_hours")?;
        Ok(Self {
            grace_hours: u16::try_from(grace_hours).map_err(|_| "grace_hours")?,
            units: r.objects("units", |r| {
                let carried = number(r, "carried")?;
                let class = number(r, "class")?;
                Ok(IntendedUnit {
                    unit: DisposalUnit::read(carried, class, number(r, "interval_ms")?)?,
                    leaf_hashes: digest(r, "leaf_hashes")?,
                    records: number(r, "records")?,
                })
            })?,
        })
    }
}

impl DisposalApproval {
    pub(crate) fn write(&self, w: &mut ObjectWriter<'_>, schema: Integer) {
        w.integer("intent", integer(self.intent.get()));
        w.text("intent_hash", self.intent_hash.to_string().as_bytes());
        w.text("role", self.role.as_bytes());
        w.integer("schema", schema);
        w.text("type", DISPOSAL_APPROVAL.as_bytes());
    }

    pub(crate) fn read(r: &mut ObjectReader) -> Read<Self> {
        Ok(Self {
            intent: leaf(r, "intent")?,
            intent_hash: digest(r, "intent_hash")?,
            role: r.text("role")?.ok_or("role")?,
        })
    }
}

/// The leaf of an intent that was given up.
pub(crate) fn write_withdrawn(intent: LeafIndex, w: &mut ObjectWriter<'_>, schema: Integer) {
    w.integer("intent", integer(intent.get()));
    w.integer("schema", schema);
    w.text("type", DISPOSAL_WITHDRAWN.as_bytes());
}

/// Reads what [`write_withdrawn`] wrote.
pub(crate) fn read_withdrawn(r: &mut ObjectReader) -> Read<LeafIndex> {
    leaf(r, "intent")
}

impl DisposalCompleted {
    pub(crate) fn write(&self, w: &mut ObjectWriter<'_>, schema: Integer) {
        let [first, second] = self.approvals;
        w.integer("approval_1", integer(first.get()));
        w.integer("approval_2", integer(second.get()));
        w.integer("carried", integer(self.unit.carried.into()));
        w.integer("class", integer(self.unit.class.code().into()));
        LeafRange::write(w, "held", &self.held);
        w.integer("intent", integer(self.intent.get()));
        w.integer("interval_ms", integer(self.unit.interval.get()));
        w.text("leaf_hashes", self.leaf_hashes.to_string().as_bytes());
        w.integer("proven_ms", self.proven_ms);
        w.integer("records", integer(self.records));
        w.integer("schema", schema);
        w.text("type", DISPOSAL_COMPLETED.as_bytes());
    }

    pub(crate) fn read(r: &mut ObjectReader) -> Read<Self> {
        let carried = number(r, "carried")?;
        let class = number(r, "class")?;
        Ok(Self {
            unit: DisposalUnit::read(carried, class, number(r, "interval_ms")?)?,
            intent: leaf(r, "intent")?,
            approvals: [leaf(r, "approval_1")?, leaf(r, "approval_2")?],
            records: number(r, "records")?,
            leaf_hashes: digest(r, "leaf_hashes")?,
            held: LeafRange::read(r, "held")?,
            proven_ms: r.integer("proven_ms")?.ok_or("proven_ms")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{CustodyRecord, Field, Metadata};

    const UNIT: DisposalUnit = DisposalUnit {
        interval: IntervalId::new(1_763_683_200_000),
        class: Class::Trace,
        carried: 0,
    };

    fn is_spelled(record: CustodyRecord, vector: &str, event: &str) {
        let metadata = Metadata::Custody(record);
        let bytes = metadata.to_bytes();
        assert_eq!(std::str::from_utf8(&bytes), Ok(vector));
        assert_eq!(Metadata::parse(&bytes), Ok(metadata.clone()));
        assert!(metadata.has_term(Field::Event, event.as_bytes()));
    }

    #[test]
    fn the_vectors_of_a_disposal_are_reproduced() {
        let zero = "00".repeat(32);
        let intent = DisposalIntent {
            units: vec![IntendedUnit {
                unit: UNIT,
                records: 3,
                leaf_hashes: Sha256::from_bytes([0; 32]),
            }],
            grace_hours: 72,
        };
        let vector = format!(
            "{{\"grace_hours\":72,\"schema\":1,\"type\":\"disposal-intent\",\"units\":[{{\"carried\":0,\"class\":1,\
             \"interval_ms\":1763683200000,\"leaf_hashes\":\"{zero}\",\"records\":3}}]}}"
        );
        is_spelled(
            CustodyRecord::DisposalIntent(intent),
            &vector,
            DISPOSAL_INTENT,
        );
        let approval = DisposalApproval {
            intent: LeafIndex::new(7),
            intent_hash: Sha256::from_bytes([0; 32]),
            role: "approver".into(),
        };
        let vector = format!(
            "{{\"intent\":7,\"intent_hash\":\"{zero}\",\"role\":\"approver\",\"schema\":1,\
             \"type\":\"disposal-approval\"}}"
        );
        is_spelled(
            CustodyRecord::DisposalApproval(approval),
            &vector,
            DISPOSAL_APPROVAL,
        );
        is_spelled(
            CustodyRecord::DisposalWithdrawn(LeafIndex::new(7)),
            "{\"intent\":7,\"schema\":1,\"type\":\"disposal-withdrawn\"}",
            DISPOSAL_WITHDRAWN,
        );
        let completed = DisposalCompleted {
            unit: DisposalUnit { carried: 1, ..UNIT },
            intent: LeafIndex::new(7),
            approvals: [LeafIndex::new(8), LeafIndex::new(10)],
            records: 2,
            leaf_hashes: Sha256::from_bytes([0; 32]),
            held: vec![LeafRange {
                first: 3.into(),
                last: 3.into(),
            }],
            proven_ms: 9.into(),
        };
        let vector = format!(
            "{{\"approval_1\":8,\"approval_2\":10,\"carried\":1,\"class\":1,\"held\":[{{\"first\":3,\"last\":3}}],\
             \"intent\":7,\"interval_ms\":1763683200000,\"leaf_hashes\":\"{zero}\",\"proven_ms\":9,\"records\":2,\
             \"schema\":1,\"type\":\"disposal-completed\"}}"
        );
        is_spelled(
            CustodyRecord::DisposalCompleted(Box::new(completed)),
            &vector,
            DISPOSAL_COMPLETED,
        );
    }
}
